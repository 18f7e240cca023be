/* The environment: everything that core asks of the world. Threads implement it in host/, fibers in
 * sim/. */
#ifndef GRAFT_ENV_ENV_H
#define GRAFT_ENV_ENV_H

#include "base/alloc.h"
#include "env/clock.h"
#include "env/disk.h"
#include "env/log.h"
#include "env/net.h"
#include "env/rand.h"
#include "env/shm.h"
#include "env/task.h"

/* All members are borrowed and outlive everything made with them; none is NULL. */
struct graft_env {
    struct graft_alloc *alloc;
    struct graft_clock *clock;
    struct graft_rand *rand;
    struct graft_disk *disk;
    struct graft_shm *shm;
    struct graft_net *net;
    struct graft_tasks *tasks;
    struct graft_log *log;
};

#endif
