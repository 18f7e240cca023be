/* Calls on an open file are the real disk's own; those that name a path are passed on. */
#include "engine/gate.h"

#include <stddef.h>
#include <string.h>

static struct gate *gate_of(struct graft_disk *disk)
{
    return (struct gate *)disk;
}

/* The file is the real disk's and goes by this one's name while it is open. */
static enum graft_rc open_real(struct gate *gate, const char *path, unsigned flags,
                               struct graft_file **out, struct graft_err *err)
{
    GRAFT_TRY(gate->real->ops->open(gate->real, path, flags, out, err));
    (*out)->disk = &gate->disk;
    return GRAFT_OK;
}

static void gate_file_close(struct graft_file *file)
{
    struct gate *gate = gate_of(file->disk);
    file->disk = gate->real;
    gate->real->ops->close(file);
}

static enum graft_rc gate_file_open(struct graft_disk *disk, const char *path, unsigned flags,
                                    struct graft_file **out, struct graft_err *err)
{
    struct gate *gate = gate_of(disk);
    if (strstr(path, "/repo/") == NULL || (flags & GRAFT_OPEN_WRITE) != 0)
        return open_real(gate, path, flags, out, err);
    pthread_mutex_lock(&gate->mutex);
    gate->waiting++;
    pthread_cond_broadcast(&gate->changed);
    while (gate->shut)
        pthread_cond_wait(&gate->changed, &gate->mutex);
    gate->waiting--;
    gate->passed++;
    bool fails = gate->failures > 0;
    gate->failures -= fails ? 1 : 0;
    pthread_mutex_unlock(&gate->mutex);
    if (fails)
        return graft_err_set(err, GRAFT_EUNREACHABLE, "open %s: the gate lets nobody in", path);
    return open_real(gate, path, flags, out, err);
}

static enum graft_rc gate_file_write(struct graft_file *file, uint64_t offset,
                                     const struct graft_span *spans, size_t count,
                                     struct graft_err *err)
{
    struct gate *gate = gate_of(file->disk);
    pthread_mutex_lock(&gate->mutex);
    while (offset != 0 && offset == gate->held_offset) {
        gate->held = true;
        pthread_cond_broadcast(&gate->changed);
        pthread_cond_wait(&gate->changed, &gate->mutex);
    }
    pthread_mutex_unlock(&gate->mutex);
    return gate->real->ops->write(file, offset, spans, count, err);
}

static enum graft_rc gate_stat(struct graft_disk *disk, const char *path, struct graft_entry *out,
                               struct graft_err *err)
{
    return gate_of(disk)->real->ops->stat(gate_of(disk)->real, path, out, err);
}

static enum graft_rc gate_make_directory(struct graft_disk *disk, const char *path,
                                         struct graft_err *err)
{
    return gate_of(disk)->real->ops->make_directory(gate_of(disk)->real, path, err);
}

static enum graft_rc gate_remove(struct graft_disk *disk, const char *path, struct graft_err *err)
{
    return gate_of(disk)->real->ops->remove(gate_of(disk)->real, path, err);
}

static enum graft_rc gate_rename(struct graft_disk *disk, const char *from, const char *to,
                                 bool replace, struct graft_err *err)
{
    return gate_of(disk)->real->ops->rename(gate_of(disk)->real, from, to, replace, err);
}

static enum graft_rc gate_sync_directory(struct graft_disk *disk, const char *path,
                                         struct graft_err *err)
{
    return gate_of(disk)->real->ops->sync_directory(gate_of(disk)->real, path, err);
}

static enum graft_rc gate_list(struct graft_disk *disk, const char *path, graft_disk_list_fn *each,
                               void *arg, struct graft_err *err)
{
    return gate_of(disk)->real->ops->list(gate_of(disk)->real, path, each, arg, err);
}

static struct gate *gate_of_clock(struct graft_clock *clock)
{
    return (struct gate *)(void *)((char *)clock - offsetof(struct gate, clock));
}

static uint64_t clock_now_ms(struct graft_clock *clock)
{
    return graft_clock_now_ms(gate_of_clock(clock)->real_clock);
}

static uint64_t clock_monotonic_us(struct graft_clock *clock)
{
    struct gate *gate = gate_of_clock(clock);
    pthread_mutex_lock(&gate->mutex);
    uint64_t passed = gate->passed;
    pthread_mutex_unlock(&gate->mutex);
    return graft_clock_monotonic_us(gate->real_clock) + passed * 20000;
}

static const struct graft_clock_ops clock_ops = {
    .now_ms = clock_now_ms,
    .monotonic_us = clock_monotonic_us,
};

void gate_init(struct gate *gate, struct graft_env *real)
{
    memset(gate, 0, sizeof *gate);
    gate->real = real->disk;
    gate->ops = *real->disk->ops;
    gate->ops.open = gate_file_open;
    gate->ops.close = gate_file_close;
    gate->ops.write = gate_file_write;
    gate->ops.stat = gate_stat;
    gate->ops.make_directory = gate_make_directory;
    gate->ops.remove = gate_remove;
    gate->ops.rename = gate_rename;
    gate->ops.sync_directory = gate_sync_directory;
    gate->ops.list = gate_list;
    gate->disk.ops = &gate->ops;
    gate->env = *real;
    gate->env.disk = &gate->disk;
    gate->clock.ops = &clock_ops;
    gate->real_clock = real->clock;
    gate->env.clock = &gate->clock;
    pthread_mutex_init(&gate->mutex, NULL);
    pthread_cond_init(&gate->changed, NULL);
}

static void set(struct gate *gate, bool shut)
{
    pthread_mutex_lock(&gate->mutex);
    gate->shut = shut;
    pthread_cond_broadcast(&gate->changed);
    pthread_mutex_unlock(&gate->mutex);
}

void gate_shut(struct gate *gate)
{
    set(gate, true);
}

void gate_open(struct gate *gate)
{
    set(gate, false);
}

void gate_fail(struct gate *gate, unsigned failures)
{
    pthread_mutex_lock(&gate->mutex);
    gate->failures = failures;
    pthread_mutex_unlock(&gate->mutex);
}

void gate_await(struct gate *gate, unsigned waiting)
{
    pthread_mutex_lock(&gate->mutex);
    while (gate->waiting < waiting)
        pthread_cond_wait(&gate->changed, &gate->mutex);
    pthread_mutex_unlock(&gate->mutex);
}

unsigned gate_waiting(struct gate *gate)
{
    pthread_mutex_lock(&gate->mutex);
    unsigned waiting = gate->waiting;
    pthread_mutex_unlock(&gate->mutex);
    return waiting;
}

void gate_hold_writes(struct gate *gate, uint64_t offset)
{
    pthread_mutex_lock(&gate->mutex);
    gate->held_offset = offset;
    gate->held = false;
    pthread_cond_broadcast(&gate->changed);
    pthread_mutex_unlock(&gate->mutex);
}

void gate_await_write(struct gate *gate)
{
    pthread_mutex_lock(&gate->mutex);
    while (!gate->held)
        pthread_cond_wait(&gate->changed, &gate->mutex);
    pthread_mutex_unlock(&gate->mutex);
}
