/* The choke point of the shared-memory seam. Loads, stores and fences are C11 atomics here, the
 * same for every backend; a backend only learns that a store is about to happen. */
#include "env/shm.h"

#include <stdatomic.h>

#include "base/assert.h"
#include "base/catalogue.h"

#define VIEW_ALIGN_BYTES 4096U

enum graft_rc graft_map_open(struct graft_shm *shm, const char *path, bool create,
                             struct graft_map **out, struct graft_err *err)
{
    GRAFT_ASSERT(shm != NULL && path != NULL && out != NULL);
    struct graft_map *map = NULL;
    GRAFT_TRY(shm->ops->open(shm, path, create, &map, err));
    GRAFT_ASSERT(map != NULL && map->shm == shm);
    *out = map;
    return GRAFT_OK;
}

void graft_map_close(struct graft_map *map)
{
    if (map != NULL)
        map->shm->ops->close(map);
}

enum graft_rc graft_map_view(struct graft_map *map, uint64_t offset, size_t bytes,
                             _Atomic uint64_t **out, struct graft_err *err)
{
    GRAFT_ASSERT(map != NULL && out != NULL);
    GRAFT_ASSERT(offset % VIEW_ALIGN_BYTES == 0);
    GRAFT_ASSERT(bytes > 0 && bytes % VIEW_ALIGN_BYTES == 0);
    GRAFT_ASSERT(offset <= INT64_MAX - (uint64_t)bytes);
    _Atomic uint64_t *words = NULL;
    GRAFT_TRY(map->shm->ops->view(map, offset, bytes, &words, err));
    GRAFT_ASSERT(words != NULL);
    *out = words;
    return GRAFT_OK;
}

enum graft_rc graft_map_size(struct graft_map *map, uint64_t *bytes, struct graft_err *err)
{
    GRAFT_ASSERT(map != NULL && bytes != NULL);
    return map->shm->ops->size(map, bytes, err);
}

enum graft_rc graft_map_resize(struct graft_map *map, uint64_t bytes, struct graft_err *err)
{
    GRAFT_ASSERT(map != NULL);
    GRAFT_ASSERT(bytes <= INT64_MAX);
    return map->shm->ops->resize(map, bytes, err);
}

enum graft_rc graft_map_allocate(struct graft_map *map, uint64_t offset, uint64_t bytes,
                                 struct graft_err *err)
{
    GRAFT_ASSERT(map != NULL);
    GRAFT_ASSERT(bytes <= INT64_MAX && offset <= INT64_MAX - bytes);
    return bytes == 0 ? GRAFT_OK : map->shm->ops->allocate(map, offset, bytes, err);
}

enum graft_rc graft_map_sync(struct graft_map *map, uint64_t offset, uint64_t bytes,
                             struct graft_err *err)
{
    GRAFT_ASSERT(map != NULL);
    GRAFT_ASSERT(bytes <= INT64_MAX && offset <= INT64_MAX - bytes);
    if (GRAFT_MUTANT("env: a sync of mapped words does nothing"))
        return GRAFT_OK;
    return map->shm->ops->sync(map, offset, bytes, err);
}

uint64_t graft_map_next_data(struct graft_map *map, uint64_t offset)
{
    GRAFT_ASSERT(map != NULL && offset <= INT64_MAX);
    return map->shm->ops->next_data(map, offset);
}

static void before_store(struct graft_shm *shm, const _Atomic uint64_t *word)
{
    GRAFT_ASSERT(shm != NULL && word != NULL);
    if (shm->ops->before_store != NULL)
        shm->ops->before_store(shm, word);
}

void graft_shm_store(struct graft_shm *shm, _Atomic uint64_t *word, uint64_t value)
{
    before_store(shm, word);
    atomic_store(word, value);
}

bool graft_shm_cas(struct graft_shm *shm, _Atomic uint64_t *word, uint64_t expected, uint64_t value)
{
    before_store(shm, word);
    bool won = atomic_compare_exchange_strong(word, &expected, value);
    GRAFT_SOMETIMES(!won, "a shared word changed while it was to be exchanged");
    return won || GRAFT_MUTANT("env: a lost exchange is taken for a won one");
}

uint64_t graft_shm_add(struct graft_shm *shm, _Atomic uint64_t *word, uint64_t value)
{
    before_store(shm, word);
    return atomic_fetch_add(word, value) + value;
}

void graft_shm_fence(void)
{
    atomic_thread_fence(memory_order_seq_cst);
}

bool graft_shm_wait(struct graft_shm *shm, _Atomic uint64_t *word, uint64_t seen,
                    uint32_t timeout_ms)
{
    GRAFT_ASSERT(shm != NULL && word != NULL);
    return shm->ops->wait(shm, word, seen, timeout_ms);
}

void graft_shm_wake(struct graft_shm *shm, _Atomic uint64_t *word)
{
    GRAFT_ASSERT(shm != NULL && word != NULL);
    (void)shm->ops->wake(shm, word, UINT32_MAX);
}

bool graft_shm_wake_one(struct graft_shm *shm, _Atomic uint64_t *word)
{
    GRAFT_ASSERT(shm != NULL && word != NULL);
    return shm->ops->wake(shm, word, 1);
}

enum graft_rc graft_locks_open(struct graft_shm *shm, const char *path, struct graft_locks **out,
                               struct graft_err *err)
{
    GRAFT_ASSERT(shm != NULL && path != NULL && out != NULL);
    struct graft_locks *locks = NULL;
    GRAFT_TRY(shm->ops->locks_open(shm, path, &locks, err));
    GRAFT_ASSERT(locks != NULL && locks->shm == shm);
    *out = locks;
    return GRAFT_OK;
}

void graft_locks_close(struct graft_locks *locks)
{
    if (locks != NULL)
        locks->shm->ops->locks_close(locks);
}

enum graft_rc graft_lock_try(struct graft_locks *locks, uint32_t index, bool exclusive,
                             bool *granted, struct graft_err *err)
{
    GRAFT_ASSERT(locks != NULL && granted != NULL);
    if (exclusive && GRAFT_MUTANT("env: an exclusive lock is taken as a shared one"))
        exclusive = false;
    enum graft_rc rc = locks->shm->ops->lock_try(locks, index, exclusive, granted, err);
    GRAFT_SOMETIMES(rc == GRAFT_OK && !*granted, "a lock was held by somebody else");
    return rc;
}

void graft_lock_release(struct graft_locks *locks, uint32_t index)
{
    GRAFT_ASSERT(locks != NULL);
    locks->shm->ops->unlock(locks, index);
}
