/* What the files of host/ know of each other: one initialiser a seam. Nobody outside includes it.
 */
#ifndef GRAFT_HOST_PARTS_H
#define GRAFT_HOST_PARTS_H

#include "env/env.h"
#include "host/host.h"

/* The embedded seams keep a borrowed allocator, from which their files, maps and tasks come. */
struct graft_host_disk {
    struct graft_disk disk;
    struct graft_alloc *alloc;
};

struct graft_host_shm {
    struct graft_shm shm;
    struct graft_alloc *alloc;
};

struct graft_host_tasks {
    struct graft_tasks tasks;
    struct graft_alloc *alloc;
};

struct graft_host_log {
    struct graft_log log;
    struct graft_host_options options;
};

/* Maps `number` (an errno) to a code and records "<call> <path>: <system text>". */
enum graft_rc graft_host_errno(struct graft_err *err, int number, const char *call,
                               const char *path);
/* Records "<call> <path>: out of memory". */
enum graft_rc graft_host_no_memory(struct graft_err *err, const char *call, const char *path);

/* Reserves a range of the file with whatever the file system offers; 0 or an errno. */
int graft_host_reserve(int fd, uint64_t offset, uint64_t bytes);
/* fdatasync that is not interrupted; 0 or an errno. */
int graft_host_datasync(int fd);

void graft_host_alloc_init(struct graft_alloc *alloc);
void graft_host_clock_init(struct graft_clock *clock);
void graft_host_rand_init(struct graft_rand *rand);
void graft_host_disk_init(struct graft_host_disk *disk, struct graft_alloc *alloc);
void graft_host_shm_init(struct graft_host_shm *shm, struct graft_alloc *alloc);
void graft_host_tasks_init(struct graft_host_tasks *tasks, struct graft_alloc *alloc);
void graft_host_log_init(struct graft_host_log *log, const struct graft_host_options *options);
GRAFT_MUST_USE enum graft_rc graft_host_net_new(struct graft_alloc *alloc, struct graft_net **out,
                                                struct graft_err *err);
/* Closes the pooled connections. Accepts NULL. */
void graft_host_net_free(struct graft_net *net);

/* Of the network seam: environment variables and shared AWS files. */
enum graft_rc graft_host_aws(struct graft_alloc *alloc, struct graft_aws *out,
                             struct graft_err *err);

/* The part of the shared-memory seam that stands in locks.c. */
enum graft_rc graft_host_locks_open(struct graft_shm *shm, const char *path,
                                    struct graft_locks **out, struct graft_err *err);
void graft_host_locks_close(struct graft_locks *locks);
enum graft_rc graft_host_lock_try(struct graft_locks *locks, uint32_t index, bool exclusive,
                                  bool *granted, struct graft_err *err);
void graft_host_unlock(struct graft_locks *locks, uint32_t index);
/* Whether locks on the file system of this magic number (statfs) hold between machines and
 * processes; the name of the file system when they do not, NULL when they do. */
const char *graft_host_distrusted_fs(uint64_t magic);

#endif
