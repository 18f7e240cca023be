/* Opening and closing a directory, and its config. Whoever opens holds the door lock; the first one
 * in has the open lock to itself, recovers, and then shares it. The last one out, who gets it to
 * itself again behind the door, leaves files that need no recovery. */
#include "store/parts.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/catalogue.h"
#include "base/path.h"

#define DOOR_WAIT_MS 60000U
#define CLOSE_WAIT_MS 2000U
#define POLL_MS 5U
#define POLL_MS_MAX 40U

enum graft_rc graft_store_path(struct graft_store *store, const char *name,
                               char out[GRAFT_PATH_BYTES_MAX], struct graft_err *err)
{
    return graft_path_join(out, GRAFT_PATH_BYTES_MAX, store->directory, name, err);
}

enum graft_rc graft_store_new(struct graft_env *env, const char *directory,
                              struct graft_store **out, struct graft_err *err)
{
    struct graft_store *store = graft_calloc(env->alloc, 1, sizeof *store);
    if (store == NULL)
        goto no_memory;
    store->env = env;
    store->half_bytes = GRAFT_LOG_HALF_BYTES;
    store->txn_buffer_bytes = GRAFT_TXN_BUFFER_BYTES;
    graft_config_init(&store->config, env->alloc);
    graft_pageset_init(&store->ahead.pages, env->alloc);
    graft_pageset_init(&store->logged.pages, env->alloc);
    store->directory = graft_strdup(env->alloc, directory);
    store->allocated = graft_calloc(env->alloc, 1, sizeof *store->allocated);
    if (store->directory == NULL || store->allocated == NULL ||
        graft_mutex_new(env->tasks, &store->mutex) != GRAFT_OK ||
        graft_mutex_new(env->tasks, &store->sync_mutex) != GRAFT_OK ||
        graft_mutex_new(env->tasks, &store->table_mutex) != GRAFT_OK ||
        graft_mutex_new(env->tasks, &store->flight_mutex) != GRAFT_OK)
        goto no_memory;
    *out = store;
    return GRAFT_OK;
no_memory:
    graft_store_free(store);
    return graft_err_set(err, GRAFT_ENOMEM, "opening %s: out of memory", directory);
}

void graft_store_free(struct graft_store *store)
{
    if (store == NULL)
        return;
    struct graft_alloc *alloc = store->env->alloc;
    for (unsigned i = 0; i < GRAFT_FILES; i++)
        graft_file_close(store->files[i]);
    graft_recency_close(store);
    graft_map_close(store->map);
    graft_locks_close(store->locks);
    graft_mutex_free(store->mutex);
    graft_mutex_free(store->sync_mutex);
    graft_mutex_free(store->table_mutex);
    graft_mutex_free(store->flight_mutex);
    graft_pageset_deinit(&store->ahead.pages);
    graft_pageset_deinit(&store->logged.pages);
    graft_config_deinit(&store->config);
    graft_free(alloc, store->allocated);
    graft_free(alloc, store->directory);
    graft_free(alloc, store);
}

static enum graft_rc missing(struct graft_store *store, const char *name, enum graft_rc rc,
                             struct graft_err *err)
{
    if (rc != GRAFT_ENOTFOUND)
        return rc;
    return graft_err_set(err, GRAFT_ECORRUPT,
                         "%s/%s is missing; restore the directory from a copy, or clone the "
                         "remote again",
                         store->directory, name);
}

enum graft_rc graft_store_open_files(struct graft_store *store, bool create, struct graft_err *err)
{
    char path[GRAFT_PATH_BYTES_MAX];
    unsigned flags = GRAFT_OPEN_WRITE | (create ? GRAFT_OPEN_CREATE : 0U);
    for (unsigned i = 0; i < GRAFT_FILES; i++) {
        const char *name = graft_file_name((enum graft_store_file)i);
        GRAFT_TRY(graft_store_path(store, name, path, err));
        enum graft_rc rc = graft_disk_open(store->env->disk, path, flags, &store->files[i], err);
        if (rc != GRAFT_OK)
            return missing(store, name, rc, err);
    }
    GRAFT_TRY(graft_store_path(store, "table", path, err));
    enum graft_rc rc = graft_map_open(store->env->shm, path, create, &store->map, err);
    if (rc != GRAFT_OK)
        return missing(store, "table", rc, err);
    uint64_t bytes = 0;
    GRAFT_TRY(graft_map_size(store->map, &bytes, err));
    if (create) {
        if (bytes < GRAFT_TABLE_HEADER_BYTES)
            GRAFT_TRY(graft_map_resize(store->map, GRAFT_TABLE_HEADER_BYTES, err));
        /* Also when it is long enough: an earlier try may have ended between the two. */
        GRAFT_TRY(graft_table_allocate_header(store, err));
    } else if (bytes < GRAFT_TABLE_HEADER_BYTES) {
        return graft_err_set(err, GRAFT_ECORRUPT,
                             "%s/table: it is cut off; restore the directory from a copy, or "
                             "clone the remote again",
                             store->directory);
    }
    return graft_table_map(store, err);
}

enum graft_rc graft_store_wait_lock(struct graft_store *store, enum graft_lock_index index,
                                    uint32_t timeout_ms, struct graft_err *err)
{
    uint32_t step_ms = POLL_MS;
    for (uint32_t waited_ms = 0;;) {
        bool granted = false;
        GRAFT_TRY(graft_lock_try(store->locks, index, true, &granted, err));
        if (granted)
            return GRAFT_OK;
        GRAFT_REACHABLE("somebody else was opening or closing the directory");
        if (waited_ms >= timeout_ms)
            return graft_err_set(err, GRAFT_EBUSY,
                                 "%s: another process opens or recovers it; try again later",
                                 store->directory);
        graft_task_sleep_ms(store->env->tasks, step_ms);
        waited_ms += step_ms;
        step_ms = 2 * step_ms < POLL_MS_MAX ? 2 * step_ms : POLL_MS_MAX;
    }
}

/* ---- The config ---- */

static uint64_t seed_of(const struct graft_config *config)
{
    uint64_t seed = 0;
    for (unsigned i = 0; i < 8; i++)
        seed |= (uint64_t)config->volume.bytes[i] << 8 * i;
    return seed;
}

static enum graft_rc decode_config(struct graft_store *store, const uint8_t *bytes, size_t size,
                                   struct graft_config *out, struct graft_err *err)
{
    enum graft_rc rc = graft_config_decode(out, bytes, size, err);
    if (rc == GRAFT_ECORRUPT)
        return graft_err_wrap(err, rc,
                              "%s/config is damaged; restore it from a copy, or clone "
                              "the remote again",
                              store->directory);
    return rc == GRAFT_OK ? rc : graft_err_wrap(err, rc, "%s/config", store->directory);
}

enum graft_rc graft_store_read_config(struct graft_store *store, struct graft_config *out,
                                      struct graft_err *err)
{
    char path[GRAFT_PATH_BYTES_MAX];
    uint8_t *bytes = NULL;
    size_t size = 0;
    GRAFT_TRY(graft_store_path(store, "config", path, err));
    enum graft_rc rc = graft_disk_read_file(store->env->disk, store->env->alloc, path,
                                            GRAFT_CONFIG_BYTES_MAX, &bytes, &size, err);
    if (rc == GRAFT_ENOTFOUND)
        return graft_err_set(err, rc, "%s: no Graft database is there", store->directory);
    if (rc == GRAFT_ELIMIT)
        return graft_err_set(err, GRAFT_ECORRUPT, "%s is damaged; restore it from a copy", path);
    GRAFT_TRY(rc);
    rc = decode_config(store, bytes, size, out, err);
    graft_free(store->env->alloc, bytes);
    return rc;
}

enum graft_rc graft_store_copy_config(struct graft_store *store, const struct graft_config *config,
                                      struct graft_err *err)
{
    struct graft_buf bytes;
    graft_buf_init(&bytes, store->env->alloc);
    enum graft_rc rc = graft_config_encode(config, &bytes);
    if (rc == GRAFT_OK)
        rc = decode_config(store, bytes.bytes, bytes.size, &store->config, err);
    else
        graft_err_set(err, rc, "config of %s: %s", store->directory, graft_rc_text(rc));
    if (rc == GRAFT_OK)
        store->volume_seed = seed_of(&store->config);
    graft_buf_deinit(&bytes);
    return rc;
}

enum graft_rc graft_store_write_config(struct graft_store *store, const struct graft_config *config,
                                       struct graft_err *err)
{
    char path[GRAFT_PATH_BYTES_MAX];
    GRAFT_TRY(graft_store_path(store, "config", path, err));
    struct graft_buf bytes;
    graft_buf_init(&bytes, store->env->alloc);
    enum graft_rc rc = graft_config_encode(config, &bytes);
    if (rc == GRAFT_OK)
        rc = graft_disk_replace_file(store->env->disk, path, bytes.bytes, bytes.size, err);
    else
        graft_err_set(err, rc, "%s: %s", path, graft_rc_text(rc));
    graft_buf_deinit(&bytes);
    return rc;
}

/* A value that is no number is none: whoever sets it has checked it. */
void graft_store_announce_limit(struct graft_store *store)
{
    const char *value = graft_config_get(&store->config, GRAFT_CACHE_LIMIT_SETTING);
    uint64_t limit = value != NULL ? strtoull(value, NULL, 10) : 0;
    if (graft_store_cache_limit(store) != limit)
        graft_header_store(store, GRAFT_W_CACHE_LIMIT, limit);
}

const struct graft_config *graft_store_config(struct graft_store *store)
{
    /* Another process may have chosen the page size since. */
    uint32_t page_bytes = graft_store_page_bytes(store);
    if (store->config.page_bytes != page_bytes)
        store->config.page_bytes = page_bytes;
    return &store->config;
}

uint32_t graft_store_page_bytes(struct graft_store *store)
{
    return (uint32_t)graft_header_load(store, GRAFT_W_PAGE_BYTES);
}

uint64_t graft_store_newest_lsn(struct graft_store *store)
{
    return graft_header_load(store, GRAFT_W_HEAD);
}

const struct graft_store_counts *graft_store_counts(const struct graft_store *store)
{
    return &store->counts;
}

/* ---- Opening ---- */

static enum graft_rc check_files(struct graft_store *store, struct graft_err *err)
{
    if (!graft_page_size_valid(store->config.page_bytes))
        return graft_err_set(err, GRAFT_ECORRUPT, "%s/config: a page size of %u bytes",
                             store->directory, store->config.page_bytes);
    enum graft_rc rc = graft_table_check_identity(store, err);
    /* A change of volume that died amid the words of the identity left neither volume. */
    bool half_changed = rc == GRAFT_EFOREIGN || rc == GRAFT_ECORRUPT;
    return half_changed ? graft_store_adopt(store, rc, err) : rc;
}

/* With the door held: opens everything, and recovers if nobody else is in. */
static enum graft_rc open_inside(struct graft_store *store, struct graft_err *err)
{
    bool first = false, shared = false;
    GRAFT_TRY(graft_lock_try(store->locks, GRAFT_LOCK_OPEN, true, &first, err));
    if (!first)
        GRAFT_TRY(graft_lock_try(store->locks, GRAFT_LOCK_OPEN, false, &shared, err));
    GRAFT_SOMETIMES(first, "the first one into a directory opened it");
    GRAFT_SOMETIMES(shared, "a directory was opened that others have open");
    if (!first && !shared)
        return graft_err_set(err, GRAFT_EBUSY, "%s: another process changes it", store->directory);
    GRAFT_TRY(graft_store_read_config(store, &store->config, err));
    store->volume_seed = seed_of(&store->config);
    GRAFT_TRY(graft_store_open_files(store, false, err));
    if (!first) {
        GRAFT_TRY(graft_table_check_identity(store, err));
        return graft_flight_await(store, err);
    }
    GRAFT_TRY(check_files(store, err));
    enum graft_rc rc = graft_store_recover(store, err);
    /* The table can have got to the disk before, and the log not at all. */
    bool half_changed = rc == GRAFT_EFOREIGN || rc == GRAFT_ECORRUPT;
    if (half_changed && (rc = graft_store_adopt(store, rc, err)) == GRAFT_OK)
        rc = graft_store_recover(store, err);
    GRAFT_TRY(rc);
    bool granted = false;
    GRAFT_TRY(graft_lock_try(store->locks, GRAFT_LOCK_OPEN, false, &granted, err));
    GRAFT_ASSERT(granted);
    return GRAFT_OK;
}

bool graft_store_exists(struct graft_env *env, const char *directory)
{
    char path[GRAFT_PATH_BYTES_MAX];
    struct graft_entry entry;
    struct graft_err ignored = {0};
    return graft_path_join(path, sizeof path, directory, "config", &ignored) == GRAFT_OK &&
           graft_disk_stat(env->disk, path, &entry, &ignored) == GRAFT_OK &&
           entry.kind == GRAFT_ENTRY_FILE;
}

static enum graft_rc open_store(struct graft_store *store, struct graft_err *err)
{
    char path[GRAFT_PATH_BYTES_MAX];
    struct graft_entry entry;
    /* Looked at first, as opening the locks would leave a file in a foreign directory. */
    GRAFT_TRY(graft_store_path(store, "config", path, err));
    enum graft_rc rc = graft_disk_stat(store->env->disk, path, &entry, err);
    if (rc == GRAFT_ENOTFOUND)
        return graft_err_set(err, rc, "%s: no Graft database is there", store->directory);
    GRAFT_TRY(rc);
    GRAFT_TRY(graft_store_path(store, "lock", path, err));
    GRAFT_TRY(graft_locks_open(store->env->shm, path, &store->locks, err));
    GRAFT_TRY(graft_store_wait_lock(store, GRAFT_LOCK_DOOR, DOOR_WAIT_MS, err));
    rc = open_inside(store, err);
    graft_lock_release(store->locks, GRAFT_LOCK_DOOR);
    return rc;
}

enum graft_rc graft_store_open(struct graft_env *env, const char *directory,
                               struct graft_store **out, struct graft_err *err)
{
    struct graft_store *store = NULL;
    GRAFT_TRY(graft_store_new(env, directory, &store, err));
    enum graft_rc rc = open_store(store, err);
    if (rc != GRAFT_OK) {
        graft_store_free(store);
        return graft_err_wrap(err, rc, "opening %s", directory);
    }
    graft_recency_open(store);
    *out = store;
    return GRAFT_OK;
}

/* ---- Closing ---- */

static enum graft_rc close_last(struct graft_store *store, struct graft_err *err)
{
    GRAFT_TRY(graft_store_wait_lock(store, GRAFT_LOCK_DOOR, CLOSE_WAIT_MS, err));
    bool alone = false;
    enum graft_rc rc = graft_lock_try(store->locks, GRAFT_LOCK_OPEN, true, &alone, err);
    GRAFT_SOMETIMES(!alone, "a directory was closed that others have open");
    if (rc == GRAFT_OK && alone)
        rc = graft_store_tidy(store, err);
    if (rc == GRAFT_OK && alone)
        graft_recency_tidy(store);
    /* Still behind the door: nobody may take what is being tidied for an open database. */
    graft_lock_release(store->locks, GRAFT_LOCK_OPEN);
    graft_lock_release(store->locks, GRAFT_LOCK_DOOR);
    return rc;
}

void graft_store_close(struct graft_store *store)
{
    if (store == NULL)
        return;
    struct graft_err err = {0};
    if (close_last(store, &err) != GRAFT_OK)
        graft_log_write(store->env->log, GRAFT_LOG_WARN, "closing %s: %s", store->directory,
                        err.text);
    graft_store_free(store);
}
