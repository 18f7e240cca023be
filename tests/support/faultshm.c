/* Maps and lock files are wrapped, words are not: they are the real one's memory. */
#include "support/faultshm.h"

struct fault_map {
    struct graft_map map;
    struct graft_map *real;
};

struct fault_locks {
    struct graft_locks locks;
    struct graft_locks *real;
};

static struct graft_faultshm *self_of(struct graft_shm *shm)
{
    return (struct graft_faultshm *)shm;
}

static struct graft_map *real_of(struct graft_map *map)
{
    return ((struct fault_map *)map)->real;
}

static enum graft_rc pass(struct graft_shm *shm, enum graft_fault_kind kind, const char *call,
                          struct graft_err *err)
{
    return graft_faults_pass(self_of(shm)->faults, kind, call, err);
}

static enum graft_rc open_map(struct graft_shm *shm, const char *path, bool create,
                              struct graft_map **out, struct graft_err *err)
{
    GRAFT_TRY(pass(shm, GRAFT_FAULT_OPEN, "open map", err));
    struct graft_faultshm *self = self_of(shm);
    struct fault_map *map = graft_malloc(self->alloc, sizeof *map);
    if (map == NULL)
        return graft_err_set(err, GRAFT_ENOMEM, "open %s: out of memory", path);
    map->map.shm = shm;
    enum graft_rc rc = graft_map_open(self->real, path, create, &map->real, err);
    if (rc != GRAFT_OK) {
        graft_free(self->alloc, map);
        return rc;
    }
    *out = &map->map;
    return GRAFT_OK;
}

static void close_map(struct graft_map *map)
{
    graft_map_close(real_of(map));
    graft_free(self_of(map->shm)->alloc, map);
}

static enum graft_rc view_map(struct graft_map *map, uint64_t offset, size_t bytes,
                              _Atomic uint64_t **out, struct graft_err *err)
{
    GRAFT_TRY(pass(map->shm, GRAFT_FAULT_VIEW, "view map", err));
    return graft_map_view(real_of(map), offset, bytes, out, err);
}

static enum graft_rc map_size(struct graft_map *map, uint64_t *bytes, struct graft_err *err)
{
    GRAFT_TRY(pass(map->shm, GRAFT_FAULT_SIZE, "size of map", err));
    return graft_map_size(real_of(map), bytes, err);
}

static enum graft_rc resize_map(struct graft_map *map, uint64_t bytes, struct graft_err *err)
{
    GRAFT_TRY(pass(map->shm, GRAFT_FAULT_TRUNCATE, "resize map", err));
    return graft_map_resize(real_of(map), bytes, err);
}

static enum graft_rc allocate_map(struct graft_map *map, uint64_t offset, uint64_t bytes,
                                  struct graft_err *err)
{
    GRAFT_TRY(pass(map->shm, GRAFT_FAULT_ALLOCATE, "allocate map", err));
    return graft_map_allocate(real_of(map), offset, bytes, err);
}

static enum graft_rc sync_map(struct graft_map *map, uint64_t offset, uint64_t bytes,
                              struct graft_err *err)
{
    GRAFT_TRY(pass(map->shm, GRAFT_FAULT_SYNC, "sync map", err));
    return graft_map_sync(real_of(map), offset, bytes, err);
}

static uint64_t next_data(struct graft_map *map, uint64_t offset)
{
    return graft_map_next_data(real_of(map), offset);
}

static void before_store(struct graft_shm *shm, const _Atomic uint64_t *word)
{
    struct graft_shm *real = self_of(shm)->real;
    if (real->ops->before_store != NULL)
        real->ops->before_store(real, word);
}

static enum graft_rc locks_open(struct graft_shm *shm, const char *path, struct graft_locks **out,
                                struct graft_err *err)
{
    GRAFT_TRY(pass(shm, GRAFT_FAULT_OPEN, "open locks", err));
    struct graft_faultshm *self = self_of(shm);
    struct fault_locks *locks = graft_malloc(self->alloc, sizeof *locks);
    if (locks == NULL)
        return graft_err_set(err, GRAFT_ENOMEM, "open %s: out of memory", path);
    locks->locks.shm = shm;
    enum graft_rc rc = graft_locks_open(self->real, path, &locks->real, err);
    if (rc != GRAFT_OK) {
        graft_free(self->alloc, locks);
        return rc;
    }
    *out = &locks->locks;
    return GRAFT_OK;
}

static void locks_close(struct graft_locks *locks)
{
    graft_locks_close(((struct fault_locks *)locks)->real);
    graft_free(self_of(locks->shm)->alloc, locks);
}

static enum graft_rc lock_try(struct graft_locks *locks, uint32_t index, bool exclusive,
                              bool *granted, struct graft_err *err)
{
    GRAFT_TRY(pass(locks->shm, GRAFT_FAULT_LOCK, "lock", err));
    return graft_lock_try(((struct fault_locks *)locks)->real, index, exclusive, granted, err);
}

static void unlock(struct graft_locks *locks, uint32_t index)
{
    graft_lock_release(((struct fault_locks *)locks)->real, index);
}

static bool wait_word(struct graft_shm *shm, _Atomic uint64_t *word, uint64_t seen,
                      uint32_t timeout_ms)
{
    return graft_shm_wait(self_of(shm)->real, word, seen, timeout_ms);
}

static bool wake_word(struct graft_shm *shm, _Atomic uint64_t *word, uint32_t count)
{
    struct graft_shm *real = self_of(shm)->real;
    return real->ops->wake(real, word, count);
}

static const struct graft_shm_ops ops = {
    .open = open_map,
    .close = close_map,
    .view = view_map,
    .size = map_size,
    .resize = resize_map,
    .allocate = allocate_map,
    .sync = sync_map,
    .next_data = next_data,
    .before_store = before_store,
    .locks_open = locks_open,
    .locks_close = locks_close,
    .lock_try = lock_try,
    .unlock = unlock,
    .wait = wait_word,
    .wake = wake_word,
};

void graft_faultshm_init(struct graft_faultshm *self, struct graft_shm *real,
                         struct graft_alloc *alloc, struct graft_faults *faults)
{
    *self =
        (struct graft_faultshm){.shm.ops = &ops, .real = real, .alloc = alloc, .faults = faults};
}
