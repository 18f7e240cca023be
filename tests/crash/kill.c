/* The hooks: copies of the backend's tables of calls, in which each call that changes something
 * first asks whether it is the chosen one. A kill is SIGKILL to the own process, so that nothing
 * runs afterwards, no handler and no clean-up, as after a kill from outside. */
#include "kill.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

static struct {
    const struct graft_disk_ops *disk;
    const struct graft_shm_ops *shm;
    struct graft_disk_ops disk_hooks;
    struct graft_shm_ops shm_hooks;
    _Atomic uint64_t *disk_calls;
    _Atomic uint64_t stores;
    _Atomic int64_t left; /* calls until the chosen one; 0 or less: not armed, or past */
    enum kill_manner manner;
    bool words;
    unsigned torn_share;
} state;

static _Noreturn void die(void)
{
    for (;;)
        (void)kill(getpid(), SIGKILL);
}

/* True when this is the chosen call and it is to be done (in part) first. */
static bool is_last(void)
{
    *state.disk_calls += 1;
    if (atomic_load(&state.left) <= 0 || atomic_fetch_sub(&state.left, 1) != 1)
        return false;
    if (state.manner == KILL_BEFORE)
        die();
    return true;
}

static enum graft_rc done(bool last, enum graft_rc rc)
{
    if (last)
        die();
    return rc;
}

static enum graft_rc hook_open(struct graft_disk *disk, const char *path, unsigned flags,
                               struct graft_file **out, struct graft_err *err)
{
    bool last = (flags & GRAFT_OPEN_CREATE) != 0 && is_last();
    return done(last, state.disk->open(disk, path, flags, out, err));
}

/* Writes the first bytes of the spans, as a kill in the midst of a write leaves it. */
static void write_part(struct graft_file *file, uint64_t offset, const struct graft_span *spans,
                       size_t count)
{
    uint64_t total = 0;
    for (size_t i = 0; i < count; i++)
        total += spans[i].size;
    uint64_t left = total * state.torn_share / 1000;
    for (size_t i = 0; i < count && left > 0; i++) {
        struct graft_span span = spans[i];
        if (span.size > left)
            span.size = (size_t)left;
        if (span.size > 0 && state.disk->write(file, offset, &span, 1, NULL) != GRAFT_OK)
            return;
        offset += span.size;
        left -= span.size;
    }
}

static enum graft_rc hook_write(struct graft_file *file, uint64_t offset,
                                const struct graft_span *spans, size_t count, struct graft_err *err)
{
    bool last = is_last();
    if (last && state.manner == KILL_TORN) {
        write_part(file, offset, spans, count);
        die();
    }
    return done(last, state.disk->write(file, offset, spans, count, err));
}

static enum graft_rc hook_sync(struct graft_file *file, struct graft_err *err)
{
    return done(is_last(), state.disk->sync(file, err));
}

static enum graft_rc hook_truncate(struct graft_file *file, uint64_t bytes, struct graft_err *err)
{
    return done(is_last(), state.disk->truncate(file, bytes, err));
}

static enum graft_rc hook_allocate(struct graft_file *file, uint64_t offset, uint64_t bytes,
                                   struct graft_err *err)
{
    return done(is_last(), state.disk->allocate(file, offset, bytes, err));
}

static enum graft_rc hook_punch(struct graft_file *file, uint64_t offset, uint64_t bytes,
                                struct graft_err *err)
{
    return done(is_last(), state.disk->punch(file, offset, bytes, err));
}

static enum graft_rc hook_make_directory(struct graft_disk *disk, const char *path,
                                         struct graft_err *err)
{
    return done(is_last(), state.disk->make_directory(disk, path, err));
}

static enum graft_rc hook_remove(struct graft_disk *disk, const char *path, struct graft_err *err)
{
    return done(is_last(), state.disk->remove(disk, path, err));
}

static enum graft_rc hook_rename(struct graft_disk *disk, const char *from, const char *to,
                                 bool replace, struct graft_err *err)
{
    return done(is_last(), state.disk->rename(disk, from, to, replace, err));
}

static enum graft_rc hook_sync_directory(struct graft_disk *disk, const char *path,
                                         struct graft_err *err)
{
    return done(is_last(), state.disk->sync_directory(disk, path, err));
}

static enum graft_rc hook_map_resize(struct graft_map *map, uint64_t bytes, struct graft_err *err)
{
    return done(is_last(), state.shm->resize(map, bytes, err));
}

static enum graft_rc hook_map_allocate(struct graft_map *map, uint64_t offset, uint64_t bytes,
                                       struct graft_err *err)
{
    return done(is_last(), state.shm->allocate(map, offset, bytes, err));
}

static enum graft_rc hook_map_sync(struct graft_map *map, uint64_t offset, uint64_t bytes,
                                   struct graft_err *err)
{
    return done(is_last(), state.shm->sync(map, offset, bytes, err));
}

/* A store is one instruction: there is a before, and the before of what follows it. */
static void hook_before_store(struct graft_shm *shm, const _Atomic uint64_t *word)
{
    state.stores += 1;
    if (state.words && atomic_load(&state.left) > 0 && atomic_fetch_sub(&state.left, 1) == 1)
        die();
    if (state.shm->before_store != NULL)
        state.shm->before_store(shm, word);
}

void kill_install(struct graft_env *env, _Atomic uint64_t *disk_calls)
{
    state.disk_calls = disk_calls;
    state.disk = env->disk->ops;
    state.shm = env->shm->ops;
    struct graft_disk_ops *disk = &state.disk_hooks;
    *disk = *state.disk;
    disk->open = hook_open;
    disk->write = hook_write;
    disk->sync = hook_sync;
    disk->truncate = hook_truncate;
    disk->allocate = hook_allocate;
    disk->punch = hook_punch;
    disk->make_directory = hook_make_directory;
    disk->remove = hook_remove;
    disk->rename = hook_rename;
    disk->sync_directory = hook_sync_directory;
    struct graft_shm_ops *shm = &state.shm_hooks;
    *shm = *state.shm;
    shm->resize = hook_map_resize;
    shm->allocate = hook_map_allocate;
    shm->sync = hook_map_sync;
    shm->before_store = hook_before_store;
    env->disk->ops = disk;
    env->shm->ops = shm;
}

void kill_arm(uint64_t nth, enum kill_manner manner, bool words, unsigned torn_share)
{
    state.manner = manner;
    state.words = words;
    state.torn_share = torn_share;
    atomic_store(&state.left, (int64_t)nth);
}

void kill_disarm(void)
{
    atomic_store(&state.left, 0);
}

uint64_t kill_calls(bool words)
{
    return *state.disk_calls + (words ? state.stores : 0);
}
