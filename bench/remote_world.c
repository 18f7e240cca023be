/* One database in a simulated world, so that a thousand seconds of waiting take one, the same each
 * time: a process that pushes it, and then one after another replicas that begin with nothing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "remote.h"
#include "remote_world.h"
#include "sim/explore.h"
#include "sim/sqlite.h"
#include "vfs/dbfile.h"

#define PAGE_BYTES 4096U
#define URL "remote=file:///repo/app"

struct remote_world {
    struct sim_pool *pool;
    struct sim_world *world;
    struct sim_explorer *explorer;
    struct sim_machine *machine;
    unsigned replicas;
    uint64_t stored_bytes, pages;
};

struct source {
    const uint8_t *bytes;
    size_t size;
    const char *change;
    unsigned commits;
    uint64_t stored_bytes;
};

void remote_reader_begin(struct remote_reader *reader, struct sim_process *process, const char *uri,
                         uint64_t rtt_us, uint64_t bytes_per_s)
{
    struct graft_err err = {.rc = GRAFT_OK};
    struct graft_env *env = sim_process_env(process);
    remote_link_init(&reader->link, sim_process_world(process), env->disk, rtt_us, bytes_per_s);
    reader->env = *env;
    reader->env.disk = &reader->link.disk;
    if (graft_process_new(&reader->env, &reader->process, &err) != GRAFT_OK ||
        graft_vfs_register(reader->process, &reader->env, sim_process_vfs_name(process),
                           sim_process_base_vfs(process), &reader->vfs, &err) != GRAFT_OK)
        bench_fail("start", err.text);
    if (sqlite3_open_v2(uri, &reader->db,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_URI,
                        sim_process_vfs_name(process)) != SQLITE_OK)
        bench_fail(uri, sqlite3_errmsg(reader->db));
}

void remote_reader_end(struct remote_reader *reader)
{
    bench_close(reader->db);
    graft_vfs_unregister(reader->vfs);
    graft_process_free(reader->process);
}

/* ---- The source ---- */

struct graft_volume *remote_reader_volume(struct remote_reader *reader)
{
    return graft_dbfile_of_schema(reader->db, "main")->volume;
}

static void write_pages(struct remote_reader *reader, const struct source *source)
{
    struct graft_err err = {.rc = GRAFT_OK};
    struct graft_session *session = NULL;
    enum graft_rc rc = graft_session_open(remote_reader_volume(reader), &session, &err);
    if (rc == GRAFT_OK)
        rc = graft_write_begin(session, &err);
    for (size_t at = 0; at < source->size && rc == GRAFT_OK; at += PAGE_BYTES)
        rc = graft_write_page(session, (uint32_t)(at / PAGE_BYTES) + 1, source->bytes + at,
                              PAGE_BYTES, &err);
    if (rc == GRAFT_OK)
        rc = graft_write_prepare(session, GRAFT_DURABILITY_NONE, NULL, &err);
    if (rc != GRAFT_OK)
        bench_fail("write the pages", err.text);
    graft_write_publish(session);
    graft_session_close(session);
}

/* The callbacks below never fail. */
static void each_stat(struct remote_reader *reader, graft_stats_fn *each, void *arg)
{
    if (graft_stats(remote_reader_volume(reader), each, arg) != GRAFT_OK)
        bench_fail("graft_stats", "cannot be read");
}

static enum graft_rc take_bytes_out(void *arg, const char *name, uint64_t value)
{
    if (strcmp(name, "bytes_out") == 0)
        *(uint64_t *)arg = value;
    return GRAFT_OK;
}

static void run_source(struct sim_process *process, void *arg)
{
    struct source *source = arg;
    struct remote_reader reader = {.db = NULL};
    if (graft_disk_make_directories(sim_process_env(process)->disk, "/repo", NULL) != GRAFT_OK)
        bench_fail("/repo", "cannot be made");
    remote_reader_begin(&reader, process, "file:/source.graft?" URL, 0, 0);
    write_pages(&reader, source);
    bench_exec(reader.db, "PRAGMA graft_push");
    each_stat(&reader, take_bytes_out, &source->stored_bytes);
    for (unsigned i = 1; i <= source->commits; i++) {
        sqlite3_stmt *change = bench_prepare(reader.db, source->change);
        (void)sqlite3_bind_int64(change, 1, (int64_t)i);
        bench_finish(reader.db, change);
        (void)sqlite3_finalize(change);
        bench_exec(reader.db, "PRAGMA graft_push");
    }
    remote_reader_end(&reader);
}

/* ---- Replicas ---- */

static enum graft_rc take_stat(void *arg, const char *name, uint64_t value)
{
    struct remote_run *run = arg;
    const struct {
        const char *name;
        uint64_t *to;
    } wanted[] = {
        {"round_trips", &run->round_trips}, {"requests", &run->requests},
        {"pages_fetched", &run->fetched},   {"prefetch_hits", &run->hits},
        {"prefetch_waste", &run->waste},    {"bulks", &run->bulks},
    };
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        if (strcmp(name, wanted[i].name) == 0)
            *wanted[i].to = value;
    }
    return GRAFT_OK;
}

static int take_answer(void *arg, int columns, char **values, char **names)
{
    struct remote_run *run = arg;
    (void)columns;
    (void)names;
    (void)snprintf(run->answer, sizeof run->answer, "%s", values[0] != NULL ? values[0] : "");
    return 0;
}

struct replica {
    struct remote_run *run;
    char path[64];
};

static void run_replica(struct sim_process *process, void *arg)
{
    struct replica *replica = arg;
    struct remote_run *run = replica->run;
    struct remote_reader reader = {.db = NULL};
    char text[256];
    uint64_t began_ns = sim_world_now_ns(sim_process_world(process));
    (void)snprintf(text, sizeof text, "file:%s?" URL, replica->path);
    remote_reader_begin(&reader, process, text, run->rtt_us, run->bytes_per_s);
    bool whole = strcmp(run->policy, "whole") == 0;
    struct graft_err err = {.rc = GRAFT_OK};
    if (graft_setting_set(remote_reader_volume(&reader), "prefetch", whole ? "off" : run->policy,
                          &err) != GRAFT_OK)
        bench_fail(run->policy, err.text);
    (void)snprintf(text, sizeof text, "PRAGMA cache_size=-400000; %s",
                   whole ? "PRAGMA graft_hydrate" : "");
    bench_exec(reader.db, text);
    if (sqlite3_exec(reader.db, run->sql, take_answer, run, NULL) != SQLITE_OK)
        bench_fail(run->sql, sqlite3_errmsg(reader.db));
    run->seconds = (double)(sim_world_now_ns(sim_process_world(process)) - began_ns) / 1e9;
    int missed = 0, highest = 0;
    (void)sqlite3_db_status(reader.db, SQLITE_DBSTATUS_CACHE_MISS, &missed, &highest, 0);
    run->needed = (uint64_t)missed;
    each_stat(&reader, take_stat, run);
    remote_reader_end(&reader);
}

static enum graft_rc remove_file(void *arg, const char *name, enum graft_entry_kind kind)
{
    void **both = arg;
    char path[256];
    (void)kind;
    (void)snprintf(path, sizeof path, "%s/%s", (const char *)both[1], name);
    return graft_disk_remove(both[0], path, NULL);
}

static void run_removal(struct sim_process *process, void *arg)
{
    struct replica *replica = arg;
    struct graft_disk *disk = sim_process_env(process)->disk;
    void *both[] = {disk, replica->path};
    if (graft_disk_list(disk, replica->path, remove_file, both, NULL) != GRAFT_OK)
        bench_fail(replica->path, "cannot be removed");
}

/* ---- The world ---- */

static void run_process(struct remote_world *world, const char *name, sim_process_fn *run,
                        void *arg)
{
    sim_explorer_attach(world->explorer, world->world); /* and forgets the choices so far */
    (void)sim_process_start(world->machine, name, run, arg);
    enum sim_outcome outcome = sim_world_run(world->world, SIM_FOREVER);
    if (outcome != SIM_FINISHED)
        bench_fail(sim_outcome_name(outcome), sim_world_report(world->world));
}

struct remote_world *remote_world_new(const uint8_t *bytes, size_t size,
                                      const struct remote_data *data, unsigned commits)
{
    struct remote_world *world = calloc(1, sizeof *world);
    struct sim_plan plan;
    if (world == NULL)
        bench_fail("start", "out of memory");
    sim_plan_calm(&plan, 1);
    plan.policy = SIM_POLICY_GIVEN; /* who runs goes on, and every cost is fixed */
    world->explorer = sim_explorer_new(0);
    world->pool = sim_pool_new();
    world->world = sim_world_new(world->pool, &plan);
    sim_world_set_steps_max(world->world, UINT64_MAX);
    world->machine = sim_machine_new(world->world, "a");
    struct source source = {
        .bytes = bytes, .size = size, .change = data->change, .commits = commits};
    run_process(world, "source", run_source, &source);
    world->stored_bytes = source.stored_bytes;
    world->pages = size / PAGE_BYTES;
    return world;
}

void remote_world_free(struct remote_world *world)
{
    sim_world_free(world->world);
    sim_pool_free(world->pool);
    sim_explorer_free(world->explorer);
    free(world);
}

void remote_world_run(struct remote_world *world, struct remote_run *run)
{
    struct replica replica = {.run = run};
    (void)snprintf(replica.path, sizeof replica.path, "/replica%u.graft", ++world->replicas);
    run_process(world, "replica", run_replica, &replica);
    run_process(world, "removal", run_removal, &replica);
}

void remote_world_overlap(struct remote_world *world, const struct remote_data *data)
{
    union {
        const struct remote_data *borrowed;
        void *arg;
    } data_arg = {.borrowed = data};
    (void)sim_process_start(world->machine, "pusher", remote_overlap_push, data_arg.arg);
    run_process(world, "overlap", remote_overlap_run, data_arg.arg);
}

void remote_world_sizes(struct remote_world *world, uint64_t *stored_bytes, uint64_t *pages)
{
    *stored_bytes = world->stored_bytes;
    *pages = world->pages;
}
