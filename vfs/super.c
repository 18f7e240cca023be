/* A transaction over several files is atomic because of its super-journal: as long as that is
 * there, every part rolls back. SQLite takes a super-journal away once no child journal names it.
 * Journals of Graft databases live in memory, so for the time between the two phases of such a
 * commit a child journal with nothing but the super-journal's name is put on the disk: otherwise,
 * after a crash, recovering the plain file first would delete the super-journal, and the Graft
 * part would then count as committed.
 *
 * Layout of its only record, as SQLite reads it (integers big-endian): the name, its length
 * (4 bytes), the sum of its bytes (4), the journal magic (8), at the end of the file. */
#include "vfs/super.h"

#include <string.h>

#include "vfs/dbfile.h"

#define TAIL_BYTES 16U
#define SUPER_BYTES_MAX (1U << 20)

static const uint8_t journal_magic[8] = {0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7};

static void put_u32(uint8_t *out, uint32_t value)
{
    out[0] = (uint8_t)(value >> 24);
    out[1] = (uint8_t)(value >> 16);
    out[2] = (uint8_t)(value >> 8);
    out[3] = (uint8_t)value;
}

static uint32_t get_u32(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* SQLite adds plain chars, whatever their sign is here. */
static uint32_t name_sum(const char *name, size_t length)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < length; i++) {
        int value = name[i];
        sum += (uint32_t)value;
    }
    return sum;
}

static void parent_directory(const char *path, char *out, size_t size)
{
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] != '/')
        length--;
    while (length > 1 && path[length - 1] == '/')
        length--;
    if (length >= size)
        length = size - 1;
    memcpy(out, path, length);
    out[length] = '\0';
}

enum graft_rc graft_super_mark(struct graft_dbfile *file, const char *super, struct graft_err *err)
{
    struct graft_disk *disk = file->vfs->env->disk;
    uint8_t tail[TAIL_BYTES];
    size_t length = strlen(super);
    put_u32(tail, (uint32_t)length);
    put_u32(tail + 4, name_sum(super, length));
    memcpy(tail + 8, journal_magic, sizeof journal_magic);
    const struct graft_span spans[] = {{super, length}, {tail, sizeof tail}};

    struct graft_file *journal = NULL;
    GRAFT_TRY(graft_disk_open(disk, file->journal_name,
                              GRAFT_OPEN_READ | GRAFT_OPEN_WRITE | GRAFT_OPEN_CREATE, &journal,
                              err));
    file->marked = true;
    enum graft_rc rc = graft_file_truncate(journal, 0, err);
    if (rc == GRAFT_OK)
        rc = graft_file_writev(journal, 0, spans, 2, err);
    if (rc == GRAFT_OK)
        rc = graft_file_sync(journal, err);
    graft_file_close(journal);
    if (rc != GRAFT_OK)
        return rc;
    char directory[GRAFT_PATH_BYTES_MAX];
    parent_directory(file->journal_name, directory, sizeof directory);
    return graft_disk_sync_directory(disk, directory, err);
}

void graft_super_unmark(struct graft_dbfile *file)
{
    file->marked = false;
    struct graft_err err;
    graft_err_clear(&err);
    enum graft_rc rc = graft_disk_remove(file->vfs->env->disk, file->journal_name, &err);
    if (rc != GRAFT_OK && rc != GRAFT_ENOTFOUND)
        sqlite3_log(SQLITE_WARNING, "graft: %s stays behind until the next open: %s",
                    file->journal_name, err.text);
}

/* The super-journal that a child journal names, or NULL; free it. */
static char *read_super_name(struct graft_dbfile *file)
{
    struct graft_env *env = file->vfs->env;
    uint8_t *bytes = NULL;
    size_t size = 0;
    if (graft_disk_read_file(env->disk, env->alloc, file->journal_name,
                             GRAFT_PATH_BYTES_MAX + TAIL_BYTES, &bytes, &size, NULL) != GRAFT_OK)
        return NULL;
    char *name = NULL;
    if (size > TAIL_BYTES) {
        const uint8_t *tail = bytes + size - TAIL_BYTES;
        uint32_t length = get_u32(tail);
        bool sound = length > 0 && length <= size - TAIL_BYTES &&
                     memcmp(tail + 8, journal_magic, sizeof journal_magic) == 0;
        if (sound)
            name = graft_malloc(env->alloc, (size_t)length + 1);
        if (name != NULL) {
            memcpy(name, tail - length, length);
            name[length] = '\0';
        }
        if (name != NULL && name_sum(name, length) != get_u32(tail + 4)) {
            graft_free(env->alloc, name);
            name = NULL;
        }
    }
    graft_free(env->alloc, bytes);
    return name;
}

/* Deletes the super-journal unless a child of it still waits for its own recovery. Its content is
 * the names of the child journals, each ended by a zero byte. */
static void remove_orphaned_super(struct graft_env *env, const char *super)
{
    uint8_t *bytes = NULL;
    size_t size = 0;
    if (graft_disk_read_file(env->disk, env->alloc, super, SUPER_BYTES_MAX, &bytes, &size, NULL) !=
        GRAFT_OK)
        return;
    bool waited_for = size > 0 && bytes[size - 1] != '\0';
    for (size_t at = 0; at < size && !waited_for; at += strlen((const char *)bytes + at) + 1) {
        struct graft_entry entry;
        waited_for =
            graft_disk_stat(env->disk, (const char *)bytes + at, &entry, NULL) != GRAFT_ENOTFOUND;
    }
    graft_free(env->alloc, bytes);
    if (!waited_for && graft_disk_remove(env->disk, super, NULL) != GRAFT_OK)
        sqlite3_log(SQLITE_WARNING, "graft: %s is of no use any more and can be deleted", super);
}

void graft_super_recover(struct graft_dbfile *file)
{
    struct graft_env *env = file->vfs->env;
    struct graft_entry entry;
    if (graft_disk_stat(env->disk, file->journal_name, &entry, NULL) != GRAFT_OK)
        return;
    /* Whoever is the writer may be in the middle of such a commit. */
    if (graft_write_begin(file->session, NULL) != GRAFT_OK)
        return;
    char *super = read_super_name(file);
    graft_super_unmark(file);
    if (super != NULL)
        remove_orphaned_super(env, super);
    graft_free(env->alloc, super);
    graft_session_end(file->session); /* ends the writer role too */
}
