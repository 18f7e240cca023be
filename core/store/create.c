/* Making a database directory, and changing what it is bound to. The config file is written last,
 * so that a directory without one is no database, whatever a crash left in it; and it is replaced
 * first when the volume of an empty database changes, so that the next open sees what the other
 * files should be. */
#include "store/parts.h"

#include <string.h>

#include "base/assert.h"
#include "base/catalogue.h"
#include "base/cursor.h"

#define DOOR_WAIT_MS 60000U
#define MEND_WAIT_MS 10000U
/* Header, base, a record and its payload, each of 64 bytes at least. */
#define COMMITTED_HALF_BYTES_MIN 256U
#define BLANK_BASE_BYTES_MAX 4096U /* an empty volume's base is far shorter */

/* ---- Creating ---- */

struct listing {
    bool foreign;
    char name[128]; /* of the first file that is not ours */
};

static enum graft_rc look_at(void *arg, const char *name, enum graft_entry_kind kind)
{
    static const char *const ours[] = {"image", "log.0",   "log.1",     "table",
                                       "lock",  "recency", "config.new"};
    struct listing *listing = arg;
    for (size_t i = 0; i < sizeof ours / sizeof ours[0]; i++) {
        if (kind == GRAFT_ENTRY_FILE && strcmp(name, ours[i]) == 0)
            return GRAFT_OK;
    }
    if (!listing->foreign) {
        size_t size = strlen(name);
        if (size >= sizeof listing->name)
            size = sizeof listing->name - 1;
        memcpy(listing->name, name, size);
        listing->name[size] = '\0';
    }
    listing->foreign = true;
    return GRAFT_OK;
}

/* The directory must be empty, or what an interrupted creation left. */
static enum graft_rc check_directory(struct graft_env *env, const char *directory,
                                     struct graft_err *err)
{
    struct graft_entry entry;
    GRAFT_TRY(graft_disk_stat(env->disk, directory, &entry, err));
    if (entry.kind != GRAFT_ENTRY_DIRECTORY)
        return graft_err_set(err, GRAFT_EINVAL, "%s is not a directory", directory);
    if (graft_store_exists(env, directory))
        return graft_err_set(err, GRAFT_EEXIST, "%s: a Graft database is there already", directory);
    struct listing listing = {0};
    GRAFT_TRY(graft_disk_list(env->disk, directory, look_at, &listing, err));
    if (listing.foreign)
        return graft_err_set(err, GRAFT_EINVAL,
                             "%s holds other files (%s); a database needs a directory of its own",
                             directory, listing.name);
    return GRAFT_OK;
}

static enum graft_rc sync_parent(struct graft_store *store, struct graft_err *err)
{
    char parent[GRAFT_PATH_BYTES_MAX];
    size_t size = strlen(store->directory);
    while (size > 1 && store->directory[size - 1] == '/')
        size--;
    while (size > 0 && store->directory[size - 1] != '/')
        size--;
    while (size > 1 && store->directory[size - 1] == '/')
        size--;
    if (size >= sizeof parent)
        return graft_err_set(err, GRAFT_ELIMIT, "%s: the path is too long", store->directory);
    memcpy(parent, store->directory, size);
    parent[size] = '\0';
    return graft_disk_sync_directory(store->env->disk, size == 0 ? "." : parent, err);
}

enum graft_rc graft_store_format(struct graft_store *store, struct graft_err *err)
{
    struct graft_log_base base;
    graft_log_base_init(&base, store->env->alloc);
    for (unsigned i = GRAFT_W_GENERATION; i < GRAFT_W_HALVES; i++)
        graft_header_store(store, i, 0);
    graft_table_set_identity(store);
    graft_header_store(store, GRAFT_W_PAGE_BYTES, store->config.page_bytes);
    enum graft_rc rc = GRAFT_OK;
    for (unsigned i = 0; i < GRAFT_FILES && rc == GRAFT_OK; i++)
        rc = graft_file_truncate(store->files[i], 0, err);
    if (rc == GRAFT_OK)
        rc = graft_half_begin(store, 0, 1, 1, &base, err);
    if (rc == GRAFT_OK)
        rc = graft_map_resize(store->map, GRAFT_TABLE_HEADER_BYTES, err);
    store->table_bytes = 0;
    for (unsigned i = 0; i < GRAFT_FILES && rc == GRAFT_OK; i++)
        rc = graft_file_sync(store->files[i], err);
    /* Nobody may take it for closed in order before all of it is on the disk. */
    if (rc == GRAFT_OK)
        graft_header_store(store, GRAFT_W_CLEAN,
                           graft_checked_word(1, store->volume_seed, GRAFT_W_CLEAN));
    if (rc == GRAFT_OK)
        rc = graft_map_sync(store->map, 0, 0, err);
    if (rc != GRAFT_OK)
        graft_header_store(store, GRAFT_W_CLEAN, 0);
    graft_log_base_deinit(&base);
    return rc;
}

/* An interrupted creation leaves nothing committed. Where something is, the config was lost, and to
 * begin anew would be to throw the database away. */
static enum graft_rc check_unused(struct graft_store *store, struct graft_err *err)
{
    uint64_t image_bytes = 0;
    GRAFT_TRY(graft_file_size(store->files[GRAFT_FILE_IMAGE], &image_bytes, err));
    if (image_bytes == 0 && graft_header_load(store, GRAFT_W_HEAD) == 0)
        return GRAFT_OK;
    return graft_err_set(err, GRAFT_ECORRUPT,
                         "%s/config is missing, and the other files hold commits; restore the "
                         "directory from a copy, or clone the remote into another one",
                         store->directory);
}

static enum graft_rc create_inside(struct graft_store *store, const struct graft_config *config,
                                   struct graft_err *err)
{
    GRAFT_TRY(graft_store_wait_lock(store, GRAFT_LOCK_DOOR, DOOR_WAIT_MS, err));
    GRAFT_TRY(graft_store_wait_lock(store, GRAFT_LOCK_OPEN, 0, err));
    /* Again, now that nobody else can be making one. */
    GRAFT_TRY(check_directory(store->env, store->directory, err));
    GRAFT_TRY(graft_store_copy_config(store, config, err));
    GRAFT_TRY(graft_store_open_files(store, true, err));
    GRAFT_TRY(check_unused(store, err));
    GRAFT_TRY(graft_store_format(store, err));
    GRAFT_TRY(graft_disk_sync_directory(store->env->disk, store->directory, err));
    GRAFT_TRY(sync_parent(store, err));
    return graft_store_write_config(store, config, err);
}

enum graft_rc graft_store_create(struct graft_env *env, const char *directory,
                                 const struct graft_config *config, struct graft_err *err)
{
    if (!graft_page_size_valid(config->page_bytes) || graft_volume_id_is_none(&config->volume))
        return graft_err_set(err, GRAFT_EINVAL, "creating %s: page size or volume id is missing",
                             directory);
    enum graft_rc rc = graft_disk_make_directory(env->disk, directory, err);
    if (rc != GRAFT_OK && rc != GRAFT_EEXIST)
        return graft_err_wrap(err, rc, "creating %s", directory);
    GRAFT_TRY(check_directory(env, directory, err));
    struct graft_store *store = NULL;
    GRAFT_TRY(graft_store_new(env, directory, &store, err));
    char path[GRAFT_PATH_BYTES_MAX];
    rc = graft_store_path(store, "lock", path, err);
    if (rc == GRAFT_OK)
        rc = graft_locks_open(env->shm, path, &store->locks, err);
    if (rc == GRAFT_OK)
        rc = create_inside(store, config, err);
    if (rc != GRAFT_OK)
        graft_err_wrap(err, rc, "creating %s", directory);
    graft_store_free(store);
    return rc;
}

/* ---- Changing ---- */

static enum graft_rc clone_config(struct graft_store *store, struct graft_config *out,
                                  struct graft_err *err)
{
    struct graft_buf bytes;
    graft_buf_init(&bytes, store->env->alloc);
    enum graft_rc rc = graft_config_encode(&store->config, &bytes);
    if (rc == GRAFT_OK)
        rc = graft_config_decode(out, bytes.bytes, bytes.size, err);
    else
        graft_err_set(err, rc, "config of %s: %s", store->directory, graft_rc_text(rc));
    graft_buf_deinit(&bytes);
    return rc;
}

/* Behind the door: two processes that replace it at a time would mix their bytes. */
static enum graft_rc replace_config(struct graft_store *store, const struct graft_config *config,
                                    struct graft_err *err)
{
    GRAFT_TRY(graft_store_write_config(store, config, err));
    GRAFT_TRY(graft_store_copy_config(store, config, err));
    graft_store_announce_limit(store);
    graft_recency_open(store);
    return GRAFT_OK;
}

static enum graft_rc never_committed(struct graft_store *store, struct graft_err *err)
{
    if (graft_header_load(store, GRAFT_W_HEAD) == 0)
        return GRAFT_OK;
    return graft_err_set(err, GRAFT_EINVAL,
                         "%s: volume and page size are fixed since the first commit",
                         store->directory);
}

/* Makes all files those of an empty volume with the config in memory, and the config on disk the
 * same. */
static enum graft_rc make_anew(struct graft_store *store, struct graft_err *err)
{
    GRAFT_TRY(graft_store_format(store, err));
    GRAFT_TRY(graft_store_recover(store, err));
    return graft_store_write_config(store, &store->config, err);
}

/* Under the exclusive open lock. After a failure the config in memory is what it was, and the files
 * follow it again; where they cannot, `half_changed` says so. The config goes to the disk first,
 * for the next opener after a crash (graft_store_adopt). */
static enum graft_rc become(struct graft_store *store, const struct graft_config *config,
                            struct graft_err *err)
{
    struct graft_config before;
    graft_config_init(&before, store->env->alloc);
    GRAFT_REACHABLE("an empty replica became the volume that its remote holds");
    enum graft_rc rc = clone_config(store, &before, err);
    bool begun = rc == GRAFT_OK;
    if (rc == GRAFT_OK)
        rc = graft_store_write_config(store, config, err);
    if (rc == GRAFT_OK)
        rc = graft_store_copy_config(store, config, err);
    if (rc == GRAFT_OK)
        rc = graft_store_format(store, err);
    if (rc == GRAFT_OK)
        rc = graft_store_recover(store, err);
    if (rc == GRAFT_OK)
        store->half_changed = false;
    if (rc != GRAFT_OK && begun) {
        struct graft_err why = {0};
        enum graft_rc undone = graft_store_copy_config(store, &before, &why);
        if (undone == GRAFT_OK)
            undone = make_anew(store, &why);
        store->half_changed = undone != GRAFT_OK;
        if (undone != GRAFT_OK)
            graft_log_write(store->env->log, GRAFT_LOG_ERROR, "%s: %s", store->directory, why.text);
    }
    graft_config_deinit(&before);
    return rc;
}

/* Others may come in again. */
static void share(struct graft_store *store)
{
    struct graft_err err = {0};
    bool granted = false;
    if (graft_lock_try(store->locks, GRAFT_LOCK_OPEN, false, &granted, &err) != GRAFT_OK)
        graft_log_write(store->env->log, GRAFT_LOG_ERROR, "%s: %s", store->directory, err.text);
}

/* Whoever else has the directory open knows the old volume. */
static enum graft_rc change_volume(struct graft_store *store, const struct graft_config *config,
                                   struct graft_err *err)
{
    GRAFT_TRY(graft_store_wait_lock(store, GRAFT_LOCK_DOOR, DOOR_WAIT_MS, err));
    bool alone = false;
    enum graft_rc rc = graft_lock_try(store->locks, GRAFT_LOCK_OPEN, true, &alone, err);
    if (rc == GRAFT_OK && !alone)
        rc = graft_err_set(err, GRAFT_EBUSY,
                           "%s: another process has it open; its volume cannot change now",
                           store->directory);
    if (rc == GRAFT_OK)
        rc = never_committed(store, err);
    if (rc == GRAFT_OK)
        rc = become(store, config, err);
    /* What was left half done is neither volume: nobody may come in before it is mended. */
    if (alone && !store->half_changed)
        share(store);
    graft_lock_release(store->locks, GRAFT_LOCK_DOOR);
    return rc;
}

enum graft_rc graft_store_mend_volume(struct graft_store *store, struct graft_err *err)
{
    /* The fold lock keeps this process's tasks apart; nobody else is in. */
    GRAFT_TRY(graft_fold_wait(store, MEND_WAIT_MS, err));
    enum graft_rc rc = store->half_changed ? make_anew(store, err) : GRAFT_OK;
    if (rc == GRAFT_OK && store->half_changed) {
        GRAFT_REACHABLE("a change of volume that had failed halfway was mended");
        store->half_changed = false;
        share(store);
    }
    graft_fold_release(store);
    return rc == GRAFT_OK ? rc
                          : graft_err_wrap(err, rc, "%s: its volume was changed in part only",
                                           store->directory);
}

enum graft_rc graft_store_configure(struct graft_store *store, const struct graft_config *config,
                                    struct graft_err *err)
{
    if (!graft_page_size_valid(config->page_bytes) || graft_volume_id_is_none(&config->volume))
        return graft_err_set(err, GRAFT_EINVAL, "%s: page size or volume id is missing",
                             store->directory);
    bool same = graft_volume_id_equal(&config->volume, &store->config.volume) &&
                config->page_bytes == graft_store_page_bytes(store) &&
                config->variable == store->config.variable;
    if (!same) {
        GRAFT_TRY(never_committed(store, err));
        return change_volume(store, config, err);
    }
    GRAFT_TRY(graft_store_wait_lock(store, GRAFT_LOCK_DOOR, DOOR_WAIT_MS, err));
    enum graft_rc rc = replace_config(store, config, err);
    graft_lock_release(store->locks, GRAFT_LOCK_DOOR);
    return rc;
}

/* Behind the door. */
static enum graft_rc edit_config(struct graft_store *store, graft_config_edit_fn *edit, void *arg,
                                 struct graft_err *err)
{
    struct graft_config changed;
    graft_config_init(&changed, store->env->alloc);
    enum graft_rc rc = graft_store_read_config(store, &changed, err);
    /* A change of volume that failed halfway is not to be completed here. */
    if (rc == GRAFT_OK && !graft_volume_id_equal(&changed.volume, &store->config.volume))
        rc = clone_config(store, &changed, err);
    if (rc == GRAFT_OK && (rc = edit(arg, &changed)) != GRAFT_OK)
        graft_err_set(err, rc, "changing the settings of %s: %s", store->directory,
                      graft_rc_text(rc));
    if (rc == GRAFT_OK)
        rc = replace_config(store, &changed, err);
    graft_config_deinit(&changed);
    return rc;
}

enum graft_rc graft_store_edit_config(struct graft_store *store, graft_config_edit_fn *edit,
                                      void *arg, struct graft_err *err)
{
    GRAFT_TRY(graft_store_wait_lock(store, GRAFT_LOCK_DOOR, DOOR_WAIT_MS, err));
    enum graft_rc rc = edit_config(store, edit, arg, err);
    graft_lock_release(store->locks, GRAFT_LOCK_DOOR);
    return rc;
}

enum graft_rc graft_store_write_page_bytes(struct graft_store_session *session, uint32_t page_bytes,
                                           struct graft_err *err)
{
    struct graft_store *store = session->store;
    if (!session->txn.open || session->txn.touched || !graft_page_size_valid(page_bytes))
        return graft_err_set(
            err, GRAFT_EINVAL,
            "a page size of %u can only be chosen before the first page is written", page_bytes);
    if (page_bytes == graft_store_page_bytes(store))
        return GRAFT_OK;
    GRAFT_TRY(never_committed(store, err));
    uint32_t before = store->config.page_bytes;
    GRAFT_TRY(graft_store_wait_lock(store, GRAFT_LOCK_DOOR, DOOR_WAIT_MS, err));
    store->config.page_bytes = page_bytes;
    enum graft_rc rc = graft_store_write_config(store, &store->config, err);
    graft_lock_release(store->locks, GRAFT_LOCK_DOOR);
    if (rc != GRAFT_OK) {
        store->config.page_bytes = before;
        return rc;
    }
    graft_header_store(store, GRAFT_W_PAGE_BYTES, page_bytes);
    return GRAFT_OK;
}

/* ---- After a crash while the volume changed ---- */

static bool all_zeros(const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != 0)
            return false;
    }
    return true;
}

/* Whether the half that has this header, of whichever volume, has no commit in it or before it. */
static enum graft_rc follows_nothing(struct graft_store *store, unsigned half,
                                     const struct graft_half_header *header, uint64_t seed,
                                     bool *nothing, struct graft_err *err)
{
    struct graft_alloc *alloc = store->env->alloc;
    *nothing = false;
    if (header->base_bytes > BLANK_BASE_BYTES_MAX)
        return GRAFT_OK;
    uint64_t start = graft_align64(header->base_bytes);
    size_t size = (size_t)start + GRAFT_RECORD_BYTES, got = 0;
    uint8_t *bytes = graft_calloc(alloc, size, 1);
    if (bytes == NULL)
        return graft_err_set(err, GRAFT_ENOMEM, "opening %s: out of memory", store->directory);
    struct graft_log_base base;
    graft_log_base_init(&base, alloc);
    enum graft_rc rc =
        graft_file_read(store->files[half], GRAFT_HALF_HEADER_BYTES, bytes, size, &got, err);
    struct graft_record record;
    *nothing = rc == GRAFT_OK &&
               graft_log_base_decode(&base, bytes, header->base_bytes, err) == GRAFT_OK &&
               base.lsn == 0 && base.page_count == 0 && header->live == header->generation;
    if (*nothing &&
        graft_record_decode(bytes + start, graft_record_seed(seed, header->generation), &record))
        *nothing = record.kind == GRAFT_RECORD_NOTE;
    graft_log_base_deinit(&base);
    graft_free(alloc, bytes);
    return rc;
}

/* Whether nothing was ever committed to the half, under whichever volume it was begun. */
static enum graft_rc half_is_blank(struct graft_store *store, unsigned half, bool *blank,
                                   struct graft_err *err)
{
    uint8_t bytes[GRAFT_HALF_HEADER_BYTES] = {0};
    size_t got = 0;
    uint64_t file_bytes = 0;
    GRAFT_TRY(graft_file_size(store->files[half], &file_bytes, err));
    GRAFT_TRY(graft_file_read(store->files[half], 0, bytes, sizeof bytes, &got, err));
    /* What is too short for a commit may be a header that was written in part. */
    *blank = file_bytes < COMMITTED_HALF_BYTES_MIN || all_zeros(bytes, sizeof bytes);
    struct graft_half_header header;
    if (*blank || graft_half_header_decode(bytes, bytes + 16, &header) != GRAFT_HALF_OK)
        return GRAFT_OK;
    struct graft_reader_cursor cursor;
    graft_rcur_init(&cursor, bytes + 16, 8);
    return follows_nothing(store, half, &header, graft_rcur_u64(&cursor), blank, err);
}

enum graft_rc graft_store_adopt(struct graft_store *store, enum graft_rc found,
                                struct graft_err *err)
{
    if (graft_header_load(store, GRAFT_W_HEAD) > 0 || graft_synced_load(store) > 0)
        return found;
    bool blank[2] = {false, false};
    uint64_t image_bytes = 0;
    struct graft_err local = {0};
    enum graft_rc rc = graft_file_size(store->files[GRAFT_FILE_IMAGE], &image_bytes, &local);
    for (unsigned i = 0; i < 2 && rc == GRAFT_OK; i++)
        rc = half_is_blank(store, i, &blank[i], &local);
    /* Whose the files are is not known then. */
    if (rc != GRAFT_OK)
        return graft_err_set(err, rc, "%s", local.text);
    if (image_bytes == 0 && blank[0] && blank[1])
        return graft_store_format(store, err);
    return found;
}
