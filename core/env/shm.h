/* The shared-memory seam: files mapped as 64-bit words by all processes of a machine, and locks
 * that die with their owner.
 *
 * Words are read and written only through the functions here, which are sequentially consistent.
 * Every store is a point where the simulator may switch tasks or kill the process. */
#ifndef GRAFT_ENV_SHM_H
#define GRAFT_ENV_SHM_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/assert.h"
#include "base/codes.h"

struct graft_shm;
struct graft_map;   /* one mapped file */
struct graft_locks; /* one opener of a lock file */

struct graft_shm_ops {
    enum graft_rc (*open)(struct graft_shm *shm, const char *path, bool create,
                          struct graft_map **out, struct graft_err *err);
    void (*close)(struct graft_map *map);
    enum graft_rc (*view)(struct graft_map *map, uint64_t offset, size_t bytes,
                          _Atomic uint64_t **out, struct graft_err *err);
    enum graft_rc (*size)(struct graft_map *map, uint64_t *bytes, struct graft_err *err);
    enum graft_rc (*resize)(struct graft_map *map, uint64_t bytes, struct graft_err *err);
    enum graft_rc (*allocate)(struct graft_map *map, uint64_t offset, uint64_t bytes,
                              struct graft_err *err);
    enum graft_rc (*sync)(struct graft_map *map, uint64_t offset, uint64_t bytes,
                          struct graft_err *err);
    uint64_t (*next_data)(struct graft_map *map, uint64_t offset);
    /* NULL where a store is just a store. */
    void (*before_store)(struct graft_shm *shm, const _Atomic uint64_t *word);
    enum graft_rc (*locks_open)(struct graft_shm *shm, const char *path, struct graft_locks **out,
                                struct graft_err *err);
    void (*locks_close)(struct graft_locks *locks);
    enum graft_rc (*lock_try)(struct graft_locks *locks, uint32_t index, bool exclusive,
                              bool *granted, struct graft_err *err);
    void (*unlock)(struct graft_locks *locks, uint32_t index);
    bool (*wait)(struct graft_shm *shm, _Atomic uint64_t *word, uint64_t seen, uint32_t timeout_ms);
    /* Wakes `count` waiters or more; false when there was none. */
    bool (*wake)(struct graft_shm *shm, _Atomic uint64_t *word, uint32_t count);
};

struct graft_shm {
    const struct graft_shm_ops *ops;
};

struct graft_map {
    struct graft_shm *shm;
};

struct graft_locks {
    struct graft_shm *shm;
};

/* Opens a file for mapping; with `create` it is made, empty, when missing. GRAFT_EREADONLY/EDENIED
 * when it cannot be written. */
GRAFT_MUST_USE enum graft_rc graft_map_open(struct graft_shm *shm, const char *path, bool create,
                                            struct graft_map **out, struct graft_err *err);
/* Unmaps every view and closes. Accepts NULL. */
void graft_map_close(struct graft_map *map);
/* Maps `bytes` at `offset` (both multiples of 4096; at most 64 views a map). The view stays until
 * the map is closed. Views past the end of the file are allowed; touching a word past the end, or
 * storing to one not allocated, is not. */
GRAFT_MUST_USE enum graft_rc graft_map_view(struct graft_map *map, uint64_t offset, size_t bytes,
                                            _Atomic uint64_t **out, struct graft_err *err);
GRAFT_MUST_USE enum graft_rc graft_map_size(struct graft_map *map, uint64_t *bytes,
                                            struct graft_err *err);
/* Grows (with a hole of zeros) or shrinks the file. */
GRAFT_MUST_USE enum graft_rc graft_map_resize(struct graft_map *map, uint64_t bytes,
                                              struct graft_err *err);
/* Reserves disk space for a range so that a store there cannot fail; existing words stay. EFULL
 * when there is none. */
GRAFT_MUST_USE enum graft_rc graft_map_allocate(struct graft_map *map, uint64_t offset,
                                                uint64_t bytes, struct graft_err *err);
/* The words of the range as they are now are on stable storage after it. `bytes` 0 means to the end
 * of the file. */
GRAFT_MUST_USE enum graft_rc graft_map_sync(struct graft_map *map, uint64_t offset, uint64_t bytes,
                                            struct graft_err *err);

/* The first place from `offset` on that is no hole; the file's end when all is. Where that cannot
 * be told, `offset`. What others put there meanwhile may be missed. */
uint64_t graft_map_next_data(struct graft_map *map, uint64_t offset);

/* The one call that every backend leaves alone: nothing is to be told of a load. */
static inline uint64_t graft_shm_load(const _Atomic uint64_t *word)
{
    GRAFT_ASSERT(word != NULL);
    return atomic_load(word);
}
void graft_shm_store(struct graft_shm *shm, _Atomic uint64_t *word, uint64_t value);
/* True when `*word` was `expected` and is now `value`. */
bool graft_shm_cas(struct graft_shm *shm, _Atomic uint64_t *word, uint64_t expected,
                   uint64_t value);
/* Adds and returns the sum. */
uint64_t graft_shm_add(struct graft_shm *shm, _Atomic uint64_t *word, uint64_t value);
void graft_shm_fence(void);
/* Blocks while `*word` is `seen`, at most `timeout_ms`, or until woken; false on time-out. May
 * return early. */
bool graft_shm_wait(struct graft_shm *shm, _Atomic uint64_t *word, uint64_t seen,
                    uint32_t timeout_ms);
/* Wakes all waiters of the word, in all processes. */
void graft_shm_wake(struct graft_shm *shm, _Atomic uint64_t *word);
/* Wakes one of them, or more; false when nobody waits. */
bool graft_shm_wake_one(struct graft_shm *shm, _Atomic uint64_t *word);

/* Opens a lock file (made when missing). Each opener is an owner of its own, also within one
 * process; its locks are released at close and when its process dies. GRAFT_EUNSUPPORTED on a file
 * system whose locks cannot be trusted. */
GRAFT_MUST_USE enum graft_rc graft_locks_open(struct graft_shm *shm, const char *path,
                                              struct graft_locks **out, struct graft_err *err);
void graft_locks_close(struct graft_locks *locks);
/* Takes, or converts to, the lock `index` without waiting; `*granted` says whether. Not recursive:
 * one level is held. A failed conversion leaves what was held. */
GRAFT_MUST_USE enum graft_rc graft_lock_try(struct graft_locks *locks, uint32_t index,
                                            bool exclusive, bool *granted, struct graft_err *err);
void graft_lock_release(struct graft_locks *locks, uint32_t index);

#endif
