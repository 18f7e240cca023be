/* Shared words: the region of a mapped file is one for all processes of a machine, and a view is a
 * pointer into it. Every store is announced beforehand, and is then a yield point like a call: the
 * process may lose the processor, or die, between any two of its stores. */
#include <stdatomic.h>
#include <string.h>

#include "base/assert.h"
#include "sim/disk_parts.h"

#define US UINT64_C(1000)
#define VIEWS_MAX 64U
/* One store in so many may see a page of a mapped file reach the disk on its own. */
#define STORES_PER_WRITEBACK 16U

struct sim_map {
    struct graft_map map;
    struct sim_link in_process;
    struct sim_inode *inode;
    uint32_t view_count;
    uint32_t errors_told; /* failed syncs that this opener knows of */
    char path[];
};

static struct sim_map *map_of(struct graft_map *map)
{
    return (struct sim_map *)map;
}

static struct sim_process *process_of(struct graft_map *map)
{
    return sim_process_of_shm(map->shm);
}

static enum graft_rc fail(const struct sim_map *self, enum graft_rc rc, const char *call,
                          struct graft_err *err)
{
    return graft_err_set(err, rc, "%s %s: %s", call, self->path, graft_rc_text(rc));
}

static enum graft_rc open_inode(struct sim_process *process, struct sim_map *self, bool create,
                                struct graft_err *err)
{
    unsigned flags = GRAFT_OPEN_WRITE | (create ? (unsigned)GRAFT_OPEN_CREATE : 0);
    struct sim_machine *remote = NULL;
    GRAFT_TRY(sim_disk_open_inode(process, self->path, flags, &self->inode, &remote, err));
    enum graft_rc rc = GRAFT_OK;
    if (remote != NULL)
        rc = fail(self, GRAFT_EUNSUPPORTED, "map", err);
    else if (!sim_inode_map(self->inode))
        rc = fail(self, GRAFT_ELIMIT, "map", err);
    if (rc != GRAFT_OK)
        sim_inode_unref(self->inode);
    return rc;
}

static enum graft_rc open_map(struct graft_shm *shm, const char *path, bool create,
                              struct graft_map **out, struct graft_err *err)
{
    struct sim_process *process = sim_process_of_shm(shm);
    size_t path_bytes = strlen(path) + 1;
    struct sim_map *self = graft_malloc(process->env.alloc, sizeof *self + path_bytes);
    if (self == NULL)
        return graft_err_set(err, GRAFT_ENOMEM, "open %s: out of memory", path);
    *self = (struct sim_map){.map.shm = shm};
    memcpy(self->path, path, path_bytes);
    enum graft_rc rc = open_inode(process, self, create, err);
    if (rc != GRAFT_OK) {
        sim_heap_release(self);
        return rc;
    }
    self->errors_told = self->inode->sync_errors;
    sim_list_append(&process->maps, &self->in_process);
    *out = &self->map;
    return GRAFT_OK;
}

static void drop_map(struct sim_map *self)
{
    sim_list_remove(&self->in_process);
    sim_inode_unref(self->inode);
}

static void close_map(struct graft_map *map)
{
    struct sim_map *self = map_of(map);
    sim_trace_event(process_of(map)->world, SIM_EVENT_CLOSE, self->inode->id, 0, 0);
    drop_map(self);
    sim_heap_release(self);
}

void sim_maps_drop(struct sim_process *process)
{
    while (!sim_list_is_empty(&process->maps))
        drop_map(SIM_CONTAINER(process->maps.next, struct sim_map, in_process));
}

static enum graft_rc view_map(struct graft_map *map, uint64_t offset, size_t bytes,
                              _Atomic uint64_t **out, struct graft_err *err)
{
    struct sim_map *self = map_of(map);
    sim_trace_event(process_of(map)->world, SIM_EVENT_MAP, self->inode->id, offset, bytes);
    if (self->view_count == VIEWS_MAX || offset + bytes > SIM_REGION_BYTES)
        return fail(self, GRAFT_ELIMIT, "map", err);
    self->view_count++;
    *out = (_Atomic uint64_t *)(void *)(self->inode->mapped->bytes + offset);
    return GRAFT_OK;
}

static enum graft_rc map_size(struct graft_map *map, uint64_t *bytes, struct graft_err *err)
{
    (void)err;
    sim_yield(process_of(map)->world);
    *bytes = map_of(map)->inode->size;
    return GRAFT_OK;
}

static enum graft_rc resize_map(struct graft_map *map, uint64_t bytes, struct graft_err *err)
{
    struct sim_map *self = map_of(map);
    struct sim_process *process = process_of(map);
    sim_spend(process->world, 10 * US, SIM_WAIT_DISK, self->inode->id);
    if (bytes > SIM_REGION_BYTES)
        return fail(self, GRAFT_EFULL, "truncate", err);
    if (sim_machine_draw(process->machine, SIM_FAULT_disk_write_error, self->inode->id))
        return fail(self, GRAFT_EIO, "truncate", err);
    sim_trace_event(process->world, SIM_EVENT_TRUNCATE, self->inode->id, bytes, 0);
    sim_inode_truncate(self->inode, bytes);
    return GRAFT_OK;
}

static enum graft_rc allocate_map(struct graft_map *map, uint64_t offset, uint64_t bytes,
                                  struct graft_err *err)
{
    struct sim_map *self = map_of(map);
    struct sim_process *process = process_of(map);
    sim_spend(process->world, 10 * US, SIM_WAIT_DISK, self->inode->id);
    sim_trace_event(process->world, SIM_EVENT_ALLOCATE, self->inode->id, offset, bytes);
    if (sim_machine_draw(process->machine, SIM_FAULT_disk_full, self->inode->id) ||
        !sim_inode_allocate(self->inode, offset, bytes))
        return fail(self, GRAFT_EFULL, "allocate", err);
    return GRAFT_OK;
}

/* Only the range that was asked for: the rest reaches the disk when it likes. */
static enum graft_rc sync_map(struct graft_map *map, uint64_t offset, uint64_t bytes,
                              struct graft_err *err)
{
    struct sim_map *self = map_of(map);
    struct sim_process *process = process_of(map);
    struct sim_world *world = process->world;
    struct sim_inode *inode = self->inode;
    uint64_t end = bytes == 0 ? UINT64_MAX : offset + bytes;
    sim_spend(world, sim_disk_sync_ns(process, 1, inode->id), SIM_WAIT_DISK, inode->id);
    if (sim_machine_draw(process->machine, SIM_FAULT_disk_sync_error, inode->id)) {
        sim_inode_sync_in_part(inode, sim_fault_rng(world, SIM_FAULT_disk_sync_error));
        self->errors_told = ++inode->sync_errors;
        return fail(self, GRAFT_EIO, "sync", err);
    }
    if (sim_disk_lies(process, inode))
        return GRAFT_OK;
    uint32_t pages = sim_inode_sync_range(inode, offset, end);
    if (offset == 0 && bytes == 0)
        sim_disk_lie_ends(inode);
    sim_trace_event(world, SIM_EVENT_MAP_SYNC, inode->id, pages, offset ^ bytes << 20);
    if (self->errors_told != inode->sync_errors) {
        self->errors_told = inode->sync_errors;
        return fail(self, GRAFT_EIO, "sync", err);
    }
    return GRAFT_OK;
}

/* Not a yield point: where holes are is no more than a hint. */
static uint64_t next_data(struct graft_map *map, uint64_t offset)
{
    const struct sim_inode *inode = map_of(map)->inode;
    uint64_t next = sim_inode_next_data(inode, offset);
    sim_trace_event(process_of(map)->world, SIM_EVENT_MAP, inode->id, offset, next);
    return next;
}

/* The map that has the word, and its place there; NULL where it is in none. */
static struct sim_map *map_with(struct sim_process *process, const _Atomic uint64_t *word,
                                uint64_t *offset)
{
    uintptr_t at = (uintptr_t)word;
    for (struct sim_link *in = process->maps.next; in != &process->maps; in = in->next) {
        struct sim_map *map = SIM_CONTAINER(in, struct sim_map, in_process);
        uintptr_t start = (uintptr_t)map->inode->mapped->bytes;
        if (at >= start && at - start < SIM_REGION_BYTES) {
            *offset = at - start;
            return map;
        }
    }
    return NULL;
}

/* A page that a failed sync gave up is changed again, whatever is stored there. */
static void take_up(struct sim_process *process, const _Atomic uint64_t *word)
{
    uint64_t offset = 0;
    struct sim_map *map = map_with(process, word, &offset);
    if (map != NULL)
        sim_inode_take_up(map->inode, offset);
}

static void before_store(struct graft_shm *shm, const _Atomic uint64_t *word)
{
    struct sim_process *process = sim_process_of_shm(shm);
    struct sim_world *world = process->world;
    sim_trace_event(world, SIM_EVENT_STORE, process->id, 0, 0);
    sim_yield(world);
    take_up(process, word);
    if (process->points % STORES_PER_WRITEBACK != 0 || sim_list_is_empty(&process->maps) ||
        !sim_machine_draw(process->machine, SIM_FAULT_disk_writeback, 0))
        return;
    const struct sim_map *map = SIM_CONTAINER(process->maps.next, struct sim_map, in_process);
    struct sim_rng *rng = &world->streams[SIM_STREAM_WRITEBACK];
    if (map->inode->size > 0)
        sim_inode_write_back(map->inode, sim_rng_below(rng, map->inode->size), rng);
}

/* Which word it is, without its address. */
static uint64_t subject_of(struct sim_process *process, const _Atomic uint64_t *word)
{
    uint64_t offset = 0;
    const struct sim_map *map = map_with(process, word, &offset);
    return map == NULL ? 0 : map->inode->id << 32 | offset / 8;
}

static bool wait_word(struct graft_shm *shm, _Atomic uint64_t *word, uint64_t seen,
                      uint32_t timeout_ms)
{
    struct sim_process *process = sim_process_of_shm(shm);
    struct sim_world *world = process->world;
    GRAFT_ASSERT(world->running != NULL);
    sim_yield(world);
    if (atomic_load(word) != seen)
        return true;
    uint64_t subject = subject_of(process, word);
    uint64_t deadline =
        timeout_ms == GRAFT_WAIT_FOREVER
            ? SIM_FOREVER
            : world->now_ns + sim_machine_world_ns(process->machine, timeout_ms * SIM_MS);
    uint64_t limit = sim_early_wake(process->machine, deadline, subject);
    world->running->word = word;
    bool woken = sim_wait_in(world, &world->word_waiters, limit, SIM_WAIT_WORD, subject);
    return woken || limit != deadline;
}

/* All, which may be more than asked for. */
static bool wake_word(struct graft_shm *shm, _Atomic uint64_t *word, uint32_t count)
{
    (void)count;
    bool woke = false;
    struct sim_world *world = sim_process_of_shm(shm)->world;
    struct sim_link *at = world->word_waiters.next;
    while (at != &world->word_waiters) {
        struct sim_fiber *fiber = SIM_CONTAINER(at, struct sim_fiber, waiting);
        at = at->next;
        if (fiber->word == word) {
            sim_fiber_wake(fiber);
            woke = true;
        }
    }
    sim_yield(world);
    return woke;
}

const struct graft_shm_ops sim_shm_ops = {
    .open = open_map,
    .close = close_map,
    .view = view_map,
    .size = map_size,
    .resize = resize_map,
    .allocate = allocate_map,
    .sync = sync_map,
    .next_data = next_data,
    .before_store = before_store,
    .locks_open = sim_locks_open,
    .locks_close = sim_locks_close,
    .lock_try = sim_lock_try,
    .unlock = sim_unlock,
    .wait = wait_word,
    .wake = wake_word,
};
