/* The busy world. Whatever fails in it is let fail: it is about what happens, and not about whether
 * it is right. */
#include "sim/busy.h"

#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

#include "sim/client.h"
#include "sim/s3.h"
#include "sim/sqlite.h"
#include "sim/trace.h"

/* ---- What the processes do. */

static void write_database(struct sim_process *process, void *arg)
{
    struct busy *busy = arg;
    struct sim_world *world = sim_process_world(process);
    sqlite3 *db = NULL;
    if (sqlite3_open_v2("/data.db", &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                        sim_process_base_vfs(process)) == SQLITE_OK) {
        sqlite3_busy_timeout(db, 5000);
        (void)sqlite3_exec(db, "CREATE TABLE IF NOT EXISTS t(k INTEGER PRIMARY KEY, v)", NULL, NULL,
                           NULL);
        for (int i = 0; i < 40; i++) {
            int rc = sqlite3_exec(
                db,
                "BEGIN IMMEDIATE; INSERT INTO t(v) VALUES(unixepoch() || hex(randomblob(50)));"
                "UPDATE t SET v = v || 'x' WHERE k % 7 = 0; COMMIT",
                NULL, NULL, NULL);
            busy->transactions += rc == SQLITE_OK;
            if (rc != SQLITE_OK)
                (void)sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
            sim_trace_event(world, SIM_EVENT_USER, (uint64_t)rc, busy->transactions, 0);
            sim_sleep_ns(world, 50 * SIM_MS);
        }
    }
    sqlite3_close(db);
}

static void use_store(struct sim_process *process, void *arg)
{
    struct graft_env *env = sim_process_env(process);
    struct client *client = graft_calloc(env->alloc, 1, sizeof *client);
    const struct graft_header range = {"Range", "bytes=2-9"};
    char url[100];
    (void)arg;
    for (int i = 0; client != NULL && i < 15; i++) {
        client->env = env;
        client->access_key = client->secret_key = "k";
        client->body = i % 3 == 2 ? NULL : "some bytes of an object";
        client->body_bytes = client->body == NULL ? 0 : 23;
        client->headers = &range;
        client->header_count = client->body == NULL;
        (void)snprintf(url, sizeof url, "http://s3.sim/b/%llu",
                       (unsigned long long)graft_rand_u64(env->rand) % 8);
        if (i % 5 == 4)
            (void)snprintf(url, sizeof url, "http://s3.sim/b?list-type=2");
        enum graft_rc rc =
            client_ask(client, client->body != NULL && i % 5 != 4 ? "PUT" : "GET", url);
        graft_log_write(env->log, GRAFT_LOG_INFO, "%s: %d, %u", url, (int)rc, client->status);
        graft_task_sleep_ms(env->tasks, 100);
    }
    graft_free(env->alloc, client);
}

struct shared {
    struct graft_env *env;
    struct graft_map *map;
    _Atomic uint64_t *words;
};

static void add_words(void *arg)
{
    struct shared *shared = arg;
    for (unsigned i = 0; i < 40; i++) {
        graft_shm_add(shared->env->shm, &shared->words[i % 3], 1);
        graft_shm_wake(shared->env->shm, &shared->words[0]);
        if (i % 10 == 0 && graft_map_sync(shared->map, 0, 4096, NULL) != GRAFT_OK)
            graft_shm_store(shared->env->shm, &shared->words[4], i);
        (void)graft_shm_wait(shared->env->shm, &shared->words[0], graft_shm_load(&shared->words[0]),
                             20);
    }
}

static void share_words(struct sim_process *process, void *arg)
{
    struct shared shared = {.env = sim_process_env(process)};
    struct graft_env *env = shared.env;
    struct graft_task *tasks[2] = {NULL, NULL};
    static const uint8_t pages[10000];
    (void)arg;
    enum graft_rc rc = graft_disk_replace_file(env->disk, "/pages", pages, sizeof pages, NULL);
    graft_log_write(env->log, GRAFT_LOG_INFO, "pages: %d", (int)rc);
    if (graft_map_open(env->shm, "/words", true, &shared.map, NULL) == GRAFT_OK &&
        graft_map_allocate(shared.map, 0, 4096, NULL) == GRAFT_OK &&
        graft_map_view(shared.map, 0, 4096, &shared.words, NULL) == GRAFT_OK) {
        for (int i = 0; i < 2; i++) {
            if (graft_task_spawn(env->tasks, "words", add_words, &shared, &tasks[i], NULL) !=
                GRAFT_OK)
                tasks[i] = NULL;
        }
        for (int i = 0; i < 2; i++) {
            if (tasks[i] != NULL)
                graft_task_join(tasks[i]);
        }
    }
    graft_map_close(shared.map);
}

/* ---- What is done to them. */

static void start_one(struct busy *busy, uint32_t slot)
{
    static sim_process_fn *const runs[] = {write_database, write_database, use_store, share_words};
    static const char *const names[] = {"db1", "db2", "store", "words"};
    struct sim_machine *machine = busy->machines[slot / 4];
    if (!sim_machine_is_up(machine))
        sim_machine_restart(machine);
    busy->processes[slot] = sim_process_start(machine, names[slot % 4], runs[slot % 4], busy);
}

static void drive(struct sim_process *process, void *arg)
{
    struct busy *busy = arg;
    struct sim_world *world = sim_process_world(process);
    struct sim_rng *rng = sim_world_rng(world, SIM_STREAM_DRIVER);
    for (uint32_t round = 0; round < busy->rounds; round++) {
        sim_sleep_ns(world, sim_rng_skewed(rng, 500 * SIM_MS, 8 * SIM_SECOND));
        struct sim_process *victim = busy->processes[sim_rng_below(rng, 8)];
        if (sim_rng_below(rng, 4) == 0)
            sim_machine_crash(busy->machines[sim_rng_below(rng, 2)]);
        else if (sim_rng_below(rng, 2) == 0)
            sim_process_kill(victim);
        else
            sim_process_pause(victim);
        sim_sleep_ns(world, sim_rng_skewed(rng, SIM_MS, SIM_SECOND));
        sim_process_resume(victim);
        for (uint32_t slot = 0; slot < 8; slot++) {
            if (!sim_process_is_running(busy->processes[slot]))
                start_one(busy, slot);
        }
    }
    sim_world_stop(world);
}

void busy_begin(struct busy *busy, struct sim_world *world, uint32_t rounds)
{
    *busy = (struct busy){.world = world, .rounds = rounds};
    struct sim_machine *store = sim_machine_new(world, "store");
    struct sim_machine *control = sim_machine_new(world, "control");
    sim_machine_set_immune(control, true);
    busy->s3 = sim_s3_new(store, "s3.sim", "b", "k", "k");
    busy->machines[0] = sim_machine_new(world, "a");
    busy->machines[1] = sim_machine_new(world, "b");
    for (uint32_t slot = 0; slot < 8; slot++)
        start_one(busy, slot);
    sim_process_start(control, "driver", drive, busy);
}

void busy_end(struct busy *busy)
{
    sim_s3_free(busy->s3);
}
