/* Locks between processes, as those of an open file description: each opener of a lock file is an
 * owner, and what it holds goes when it closes or its process dies. */
#include <string.h>

#include "base/assert.h"
#include "sim/disk_parts.h"

#define US UINT64_C(1000)

struct held {
    uint32_t index;
    bool exclusive;
};

struct sim_locks {
    struct graft_locks locks;
    struct sim_link in_process;
    struct sim_link in_inode;
    struct sim_inode *inode;
    struct held *held; /* the simulator's memory: a lock takes none of the process's */
    uint32_t held_count, held_capacity;
    char path[];
};

enum graft_rc sim_locks_open(struct graft_shm *shm, const char *path, struct graft_locks **out,
                             struct graft_err *err)
{
    struct sim_process *process = sim_process_of_shm(shm);
    size_t path_bytes = strlen(path) + 1;
    struct sim_locks *self = graft_malloc(process->env.alloc, sizeof *self + path_bytes);
    if (self == NULL)
        return graft_err_set(err, GRAFT_ENOMEM, "open %s: out of memory", path);
    *self = (struct sim_locks){.locks.shm = shm};
    memcpy(self->path, path, path_bytes);
    struct sim_machine *remote = NULL;
    enum graft_rc rc = sim_disk_open_inode(process, path, GRAFT_OPEN_WRITE | GRAFT_OPEN_CREATE,
                                           &self->inode, &remote, err);
    if (rc == GRAFT_OK && remote != NULL) {
        sim_inode_unref(self->inode);
        rc = graft_err_set(err, GRAFT_EUNSUPPORTED,
                           "lock %s: locks on a network file system cannot be trusted", path);
    }
    if (rc != GRAFT_OK) {
        sim_heap_release(self);
        return rc;
    }
    sim_list_append(&process->locks, &self->in_process);
    sim_list_append(&self->inode->lock_owners, &self->in_inode);
    *out = &self->locks;
    return GRAFT_OK;
}

static void drop(struct sim_locks *self)
{
    sim_list_remove(&self->in_process);
    sim_list_remove(&self->in_inode);
    sim_inode_unref(self->inode);
    sim_host_free(self->held);
}

void sim_locks_close(struct graft_locks *locks)
{
    struct sim_locks *self = (struct sim_locks *)locks;
    struct sim_world *world = sim_process_of_shm(locks->shm)->world;
    sim_trace_event(world, SIM_EVENT_CLOSE, self->inode->id, 1, 0);
    drop(self);
    sim_heap_release(self);
    sim_yield(world);
}

void sim_locks_drop(struct sim_process *process)
{
    while (!sim_list_is_empty(&process->locks))
        drop(SIM_CONTAINER(process->locks.next, struct sim_locks, in_process));
}

static struct held *find(const struct sim_locks *self, uint32_t index)
{
    for (uint32_t i = 0; i < self->held_count; i++) {
        if (self->held[i].index == index)
            return &self->held[i];
    }
    return NULL;
}

static bool is_free(const struct sim_locks *self, uint32_t index, bool exclusive)
{
    struct sim_link *owners = &self->inode->lock_owners;
    for (struct sim_link *at = owners->next; at != owners; at = at->next) {
        const struct sim_locks *other = SIM_CONTAINER(at, struct sim_locks, in_inode);
        const struct held *held = other == self ? NULL : find(other, index);
        if (held != NULL && (exclusive || held->exclusive))
            return false;
    }
    return true;
}

static void hold(struct sim_locks *self, uint32_t index, bool exclusive)
{
    struct held *held = find(self, index);
    if (held == NULL) {
        if (self->held_count == self->held_capacity) {
            self->held_capacity = self->held_capacity == 0 ? 4 : self->held_capacity * 2;
            self->held = sim_host_realloc(self->held, self->held_capacity * sizeof *self->held);
        }
        held = &self->held[self->held_count++];
        held->index = index;
    }
    held->exclusive = exclusive;
}

enum graft_rc sim_lock_try(struct graft_locks *locks, uint32_t index, bool exclusive, bool *granted,
                           struct graft_err *err)
{
    (void)err;
    struct sim_locks *self = (struct sim_locks *)locks;
    struct sim_world *world = sim_process_of_shm(locks->shm)->world;
    sim_yield(world);
    bool is_granted = is_free(self, index, exclusive);
    if (is_granted)
        hold(self, index, exclusive);
    sim_trace_event(world, SIM_EVENT_LOCK_TRY, self->inode->id,
                    (uint64_t)index << 1 | (uint64_t)exclusive, is_granted);
    *granted = is_granted;
    return GRAFT_OK;
}

void sim_unlock(struct graft_locks *locks, uint32_t index)
{
    struct sim_locks *self = (struct sim_locks *)locks;
    struct sim_world *world = sim_process_of_shm(locks->shm)->world;
    struct held *held = find(self, index);
    if (held != NULL)
        *held = self->held[--self->held_count];
    sim_trace_event(world, SIM_EVENT_UNLOCK, self->inode->id, index, 0);
    sim_yield(world);
}
