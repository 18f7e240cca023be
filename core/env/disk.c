/* The choke point of the disk seam: checks what is asked, counts it, and builds on the backend's
 * calls what every backend would otherwise repeat: making a path of directories, reading a whole
 * file, replacing one atomically. */
#include "env/disk.h"

#include <string.h>

#include "base/assert.h"
#include "base/catalogue.h"
#include "base/limits.h"

#define SPACES_MAX 8U

static const char replacement_suffix[] = ".new";

enum graft_rc graft_disk_open(struct graft_disk *disk, const char *path, unsigned flags,
                              struct graft_file **out, struct graft_err *err)
{
    GRAFT_ASSERT(disk != NULL && path != NULL && out != NULL);
    GRAFT_ASSERT((flags & (GRAFT_OPEN_READ | GRAFT_OPEN_WRITE | GRAFT_OPEN_TEMP)) != 0);
    GRAFT_ASSERT((flags & GRAFT_OPEN_EXCLUSIVE) == 0 || (flags & GRAFT_OPEN_CREATE) != 0);
    disk->counts.opens += 1;
    struct graft_file *file = NULL;
    GRAFT_TRY(disk->ops->open(disk, path, flags, &file, err));
    GRAFT_ASSERT(file != NULL && file->disk == disk);
    *out = file;
    return GRAFT_OK;
}

void graft_file_close(struct graft_file *file)
{
    if (file != NULL)
        file->disk->ops->close(file);
}

enum graft_rc graft_file_read(struct graft_file *file, uint64_t offset, void *bytes, size_t size,
                              size_t *got, struct graft_err *err)
{
    struct graft_space space = {.bytes = bytes, .size = size};
    return graft_file_readv(file, offset, &space, 1, got, err);
}

enum graft_rc graft_file_readv(struct graft_file *file, uint64_t offset,
                               const struct graft_space *spaces, size_t count, size_t *got,
                               struct graft_err *err)
{
    GRAFT_ASSERT(file != NULL && got != NULL);
    GRAFT_ASSERT(spaces != NULL && count <= SPACES_MAX);
    size_t wanted = 0;
    for (size_t i = 0; i < count; i++) {
        GRAFT_ASSERT(spaces[i].bytes != NULL || spaces[i].size == 0);
        GRAFT_ASSERT(spaces[i].size <= INT64_MAX - wanted);
        wanted += spaces[i].size;
    }
    GRAFT_ASSERT(offset <= INT64_MAX - (uint64_t)wanted);
    struct graft_disk *disk = file->disk;
    size_t read = 0;
    GRAFT_TRY(disk->ops->read(file, offset, spaces, count, &read, err));
    GRAFT_ASSERT(read <= wanted);
    disk->counts.reads += 1;
    disk->counts.bytes_read += read;
    *got = read;
    return GRAFT_OK;
}

enum graft_rc graft_file_write(struct graft_file *file, uint64_t offset, const void *bytes,
                               size_t size, struct graft_err *err)
{
    struct graft_span span = {.bytes = bytes, .size = size};
    return graft_file_writev(file, offset, &span, 1, err);
}

enum graft_rc graft_file_writev(struct graft_file *file, uint64_t offset,
                                const struct graft_span *spans, size_t count, struct graft_err *err)
{
    GRAFT_ASSERT(file != NULL);
    GRAFT_ASSERT(spans != NULL || count == 0);
    size_t total = 0;
    for (size_t i = 0; i < count; i++) {
        GRAFT_ASSERT(spans[i].bytes != NULL || spans[i].size == 0);
        GRAFT_ASSERT(spans[i].size <= INT64_MAX - total);
        total += spans[i].size;
    }
    GRAFT_ASSERT(offset <= INT64_MAX - (uint64_t)total);
    if (total == 0)
        return GRAFT_OK;
    struct graft_disk *disk = file->disk;
    disk->counts.writes += 1;
    if (count > 1 && GRAFT_MUTANT("env: a gathered write leaves its first span out")) {
        offset += spans->size;
        spans++;
        count--;
    }
    GRAFT_TRY(disk->ops->write(file, offset, spans, count, err));
    disk->counts.bytes_written += total;
    return GRAFT_OK;
}

enum graft_rc graft_file_sync(struct graft_file *file, struct graft_err *err)
{
    GRAFT_ASSERT(file != NULL);
    file->disk->counts.syncs += 1;
    enum graft_rc rc = file->disk->ops->sync(file, err);
    GRAFT_SOMETIMES(rc != GRAFT_OK, "a sync of a file failed");
    if (GRAFT_MUTANT("env: a failed sync of a file is success"))
        rc = GRAFT_OK;
    return rc;
}

enum graft_rc graft_file_size(struct graft_file *file, uint64_t *bytes, struct graft_err *err)
{
    GRAFT_ASSERT(file != NULL && bytes != NULL);
    return file->disk->ops->size(file, bytes, err);
}

enum graft_rc graft_file_space(struct graft_file *file, uint64_t *bytes, struct graft_err *err)
{
    GRAFT_ASSERT(file != NULL && bytes != NULL);
    return file->disk->ops->space(file, bytes, err);
}

enum graft_rc graft_file_truncate(struct graft_file *file, uint64_t bytes, struct graft_err *err)
{
    GRAFT_ASSERT(file != NULL);
    GRAFT_ASSERT(bytes <= INT64_MAX);
    return file->disk->ops->truncate(file, bytes, err);
}

enum graft_rc graft_file_allocate(struct graft_file *file, uint64_t offset, uint64_t bytes,
                                  struct graft_err *err)
{
    GRAFT_ASSERT(file != NULL);
    GRAFT_ASSERT(bytes <= INT64_MAX && offset <= INT64_MAX - bytes);
    return bytes == 0 ? GRAFT_OK : file->disk->ops->allocate(file, offset, bytes, err);
}

enum graft_rc graft_file_punch(struct graft_file *file, uint64_t offset, uint64_t bytes,
                               struct graft_err *err)
{
    GRAFT_ASSERT(file != NULL);
    GRAFT_ASSERT(bytes <= INT64_MAX && offset <= INT64_MAX - bytes);
    return bytes == 0 ? GRAFT_OK : file->disk->ops->punch(file, offset, bytes, err);
}

enum graft_rc graft_disk_stat(struct graft_disk *disk, const char *path, struct graft_entry *out,
                              struct graft_err *err)
{
    GRAFT_ASSERT(disk != NULL && path != NULL && out != NULL);
    return disk->ops->stat(disk, path, out, err);
}

enum graft_rc graft_disk_make_directory(struct graft_disk *disk, const char *path,
                                        struct graft_err *err)
{
    GRAFT_ASSERT(disk != NULL && path != NULL);
    return disk->ops->make_directory(disk, path, err);
}

enum graft_rc graft_disk_remove(struct graft_disk *disk, const char *path, struct graft_err *err)
{
    GRAFT_ASSERT(disk != NULL && path != NULL);
    return disk->ops->remove(disk, path, err);
}

enum graft_rc graft_disk_rename(struct graft_disk *disk, const char *from, const char *to,
                                bool replace, struct graft_err *err)
{
    GRAFT_ASSERT(disk != NULL && from != NULL && to != NULL);
    enum graft_rc rc = disk->ops->rename(disk, from, to, replace, err);
    GRAFT_SOMETIMES(rc == GRAFT_EIO, "a rename failed");
    return rc;
}

enum graft_rc graft_disk_sync_directory(struct graft_disk *disk, const char *path,
                                        struct graft_err *err)
{
    GRAFT_ASSERT(disk != NULL && path != NULL);
    disk->counts.syncs += 1;
    return disk->ops->sync_directory(disk, path, err);
}

enum graft_rc graft_disk_list(struct graft_disk *disk, const char *path, graft_disk_list_fn *each,
                              void *arg, struct graft_err *err)
{
    GRAFT_ASSERT(disk != NULL && path != NULL && each != NULL);
    return disk->ops->list(disk, path, each, arg, err);
}

/* Cuts `path` back to the directory that holds it: "." for a bare name, "/" for what is in the
 * root. `path` has room for two bytes. */
static void to_parent(char *path)
{
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/')
        length--;
    while (length > 0 && path[length - 1] != '/')
        length--;
    while (length > 1 && path[length - 1] == '/')
        length--;
    if (length == 0)
        path[length++] = '.';
    path[length] = '\0';
}

static enum graft_rc copy_path(const char *path, const char *suffix,
                               char out[GRAFT_PATH_BYTES_MAX + 1], struct graft_err *err)
{
    size_t length = strlen(path);
    size_t suffix_bytes = strlen(suffix) + 1;
    if (length == 0)
        return graft_err_set(err, GRAFT_EINVAL, "the path is empty");
    if (length > GRAFT_PATH_BYTES_MAX - suffix_bytes)
        return graft_err_set(err, GRAFT_ELIMIT, "path of %zu bytes: longer than %u", length,
                             (unsigned)(GRAFT_PATH_BYTES_MAX - suffix_bytes));
    memcpy(out, path, length);
    memcpy(out + length, suffix, suffix_bytes);
    return GRAFT_OK;
}

/* One level of make_directories. Another process may make the same level at the same time: then it
 * is there all the same, and is success. */
static enum graft_rc ensure_directory(struct graft_disk *disk, const char *path,
                                      struct graft_err *err)
{
    struct graft_entry entry;
    struct graft_err failure = {.rc = GRAFT_OK};
    enum graft_rc rc = graft_disk_stat(disk, path, &entry, &failure);
    if (rc == GRAFT_ENOTFOUND) {
        rc = graft_disk_make_directory(disk, path, &failure);
        if (rc == GRAFT_OK) {
            char parent[GRAFT_PATH_BYTES_MAX + 1];
            GRAFT_TRY(copy_path(path, "", parent, err));
            to_parent(parent);
            return graft_disk_sync_directory(disk, parent, err);
        }
        if (rc == GRAFT_EEXIST)
            rc = graft_disk_stat(disk, path, &entry, &failure);
    }
    if (rc != GRAFT_OK)
        return graft_err_set(err, rc, "%s", failure.text);
    if (entry.kind != GRAFT_ENTRY_DIRECTORY)
        return graft_err_set(err, GRAFT_EEXIST, "mkdir %s: exists and is not a directory", path);
    return GRAFT_OK;
}

enum graft_rc graft_disk_make_directories(struct graft_disk *disk, const char *path,
                                          struct graft_err *err)
{
    GRAFT_ASSERT(disk != NULL && path != NULL);
    struct graft_entry entry;
    if (!GRAFT_BUGGIFY("directories: look at each level") &&
        graft_disk_stat(disk, path, &entry, NULL) == GRAFT_OK &&
        entry.kind == GRAFT_ENTRY_DIRECTORY)
        return GRAFT_OK;
    char prefix[GRAFT_PATH_BYTES_MAX + 1];
    GRAFT_TRY(copy_path(path, "", prefix, err));
    for (char *at = prefix + 1; *at != '\0'; at++) {
        if (*at != '/' || at[-1] == '/')
            continue;
        *at = '\0';
        GRAFT_TRY(ensure_directory(disk, prefix, err));
        *at = '/';
    }
    return ensure_directory(disk, prefix, err);
}

enum graft_rc graft_disk_read_file(struct graft_disk *disk, struct graft_alloc *alloc,
                                   const char *path, size_t bytes_max, uint8_t **out, size_t *size,
                                   struct graft_err *err)
{
    GRAFT_ASSERT(disk != NULL && alloc != NULL && path != NULL && out != NULL && size != NULL);
    struct graft_file *file = NULL;
    uint8_t *bytes = NULL;
    uint64_t file_bytes = 0;
    size_t got = 0;
    enum graft_rc rc = graft_disk_open(disk, path, GRAFT_OPEN_READ, &file, err);
    if (rc != GRAFT_OK)
        return rc;
    rc = graft_file_size(file, &file_bytes, err);
    if (rc != GRAFT_OK)
        goto out;
    if (file_bytes > bytes_max) {
        rc = graft_err_set(err, GRAFT_ELIMIT, "read %s: %llu bytes, more than %zu", path,
                           (unsigned long long)file_bytes, bytes_max);
        goto out;
    }
    bytes = graft_malloc(alloc, (size_t)file_bytes);
    if (bytes == NULL) {
        rc = graft_err_set(err, GRAFT_ENOMEM, "read %s: out of memory", path);
        goto out;
    }
    rc = graft_file_read(file, 0, bytes, (size_t)file_bytes, &got, err);
    if (rc != GRAFT_OK)
        goto out;
    *out = bytes;
    *size = got;
    bytes = NULL;
out:
    graft_free(alloc, bytes);
    graft_file_close(file);
    return rc;
}

static enum graft_rc write_whole(struct graft_disk *disk, const char *path, const void *bytes,
                                 size_t size, struct graft_err *err)
{
    struct graft_file *file = NULL;
    GRAFT_TRY(graft_disk_open(disk, path, GRAFT_OPEN_WRITE | GRAFT_OPEN_CREATE, &file, err));
    enum graft_rc rc = graft_file_truncate(file, 0, err);
    if (rc == GRAFT_OK)
        rc = graft_file_write(file, 0, bytes, size, err);
    if (rc == GRAFT_OK && !GRAFT_MUTANT("env: a file is given its name before it is synced"))
        rc = graft_file_sync(file, err);
    graft_file_close(file);
    return rc;
}

enum graft_rc graft_disk_replace_file(struct graft_disk *disk, const char *path, const void *bytes,
                                      size_t size, struct graft_err *err)
{
    GRAFT_ASSERT(disk != NULL && path != NULL);
    GRAFT_ASSERT(bytes != NULL || size == 0);
    char name[GRAFT_PATH_BYTES_MAX + 1];
    GRAFT_TRY(copy_path(path, replacement_suffix, name, err));
    enum graft_rc rc = write_whole(disk, name, bytes, size, err);
    if (rc == GRAFT_OK)
        rc = graft_disk_rename(disk, name, path, true, err);
    GRAFT_SOMETIMES(rc != GRAFT_OK, "a file could not be replaced");
    if (rc != GRAFT_OK) {
        /* What failed is what the caller is told; a left-over is overwritten by the next
         * replacement. */
        enum graft_rc cleanup = graft_disk_remove(disk, name, NULL);
        (void)cleanup;
        return rc;
    }
    to_parent(name);
    if (GRAFT_MUTANT("env: the directory is not synced after a rename"))
        return GRAFT_OK;
    return graft_disk_sync_directory(disk, name, err);
}
