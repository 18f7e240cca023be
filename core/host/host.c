/* Assembles the real environment: one allocation that holds every seam. */
#include "host/host.h"

#include "host/parts.h"

struct graft_host {
    struct graft_env env;
    struct graft_alloc alloc;
    struct graft_clock clock;
    struct graft_rand rand;
    struct graft_host_disk disk;
    struct graft_host_shm shm;
    struct graft_host_tasks tasks;
    struct graft_host_log log;
};

enum graft_rc graft_host_new(const struct graft_host_options *options, struct graft_host **out,
                             struct graft_err *err)
{
    struct graft_alloc alloc;
    graft_host_alloc_init(&alloc);
    struct graft_host *host = graft_calloc(&alloc, 1, sizeof *host);
    if (host == NULL)
        return graft_err_set(err, GRAFT_ENOMEM, "start: out of memory");
    host->alloc = alloc;
    struct graft_net *net = NULL;
    enum graft_rc rc = graft_host_net_new(&host->alloc, &net, err);
    if (rc != GRAFT_OK) {
        graft_free(&alloc, host);
        return rc;
    }
    graft_host_clock_init(&host->clock);
    graft_host_rand_init(&host->rand);
    graft_host_disk_init(&host->disk, &host->alloc);
    graft_host_shm_init(&host->shm, &host->alloc);
    graft_host_tasks_init(&host->tasks, &host->alloc);
    graft_host_log_init(&host->log, options);
    host->env = (struct graft_env){
        .alloc = &host->alloc,
        .clock = &host->clock,
        .rand = &host->rand,
        .disk = &host->disk.disk,
        .shm = &host->shm.shm,
        .net = net,
        .tasks = &host->tasks.tasks,
        .log = &host->log.log,
    };
    *out = host;
    return GRAFT_OK;
}

void graft_host_free(struct graft_host *host)
{
    if (host == NULL)
        return;
    graft_host_net_free(host->env.net);
    struct graft_alloc alloc = host->alloc;
    graft_free(&alloc, host);
}

struct graft_env *graft_host_env(struct graft_host *host)
{
    return &host->env;
}
