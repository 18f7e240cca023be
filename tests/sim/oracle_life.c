/* Random clients of the public API, and the driver that kills them. */
#include "sim/oracle_life.h"

#include <stdio.h>
#include <string.h>

#include "env/env.h"
#include "sim/rand.h"

#define MACHINES 2
#define CLIENTS 2 /* processes that share a replica */
#define REMOTE "file:///share/repo/app"

enum graft_rc life_open(struct sim_process *process, const char *directory, const char *remote,
                        uint32_t page_bytes, struct life_client *out, struct graft_err *err)
{
    struct graft_env *env = sim_process_env(process);
    struct graft_volume_options options = {
        .remote_url = remote, .page_bytes = page_bytes, .create = true};
    *out = (struct life_client){.process = process};
    enum graft_rc rc = graft_process_new(env, &out->graft, err);
    if (rc == GRAFT_OK)
        rc = graft_volume_open(out->graft, directory, &options, &out->volume, err);
    if (rc == GRAFT_OK)
        rc = graft_session_open(out->volume, &out->session, err);
    if (rc != GRAFT_OK)
        life_close(out);
    return rc;
}

void life_close(struct life_client *client)
{
    graft_session_close(client->session);
    graft_volume_close(client->volume);
    graft_process_free(client->graft);
    *client = (struct life_client){0};
}

/* Bytes that do not compress, and that no other tag or page has. */
static void fill(uint8_t *bytes, uint32_t size, uint64_t tag, uint32_t page)
{
    uint64_t state = tag * UINT64_C(0x9e3779b97f4a7c15) + page;
    for (uint32_t i = 0; i < size; i += 8) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        memcpy(bytes + i, &state, 8);
    }
}

static enum graft_rc write_pages(struct graft_session *session, uint32_t page_bytes, uint32_t first,
                                 uint32_t count, uint64_t tag, struct graft_err *err)
{
    uint8_t bytes[LIFE_PAGE_BYTES_MAX];
    for (uint32_t i = 0; i < count; i++) {
        fill(bytes, page_bytes, tag, first + i);
        GRAFT_TRY(graft_write_page(session, first + i, bytes, page_bytes, err));
    }
    return GRAFT_OK;
}

enum graft_rc life_write(struct life_client *client, uint32_t first, uint32_t count, uint64_t tag,
                         enum graft_durability durability, struct graft_err *err)
{
    struct graft_session *session = client->session;
    uint32_t page_bytes = graft_volume_page_bytes(client->volume, NULL);
    struct graft_snapshot snapshot;
    GRAFT_TRY(graft_session_begin(session, &snapshot, err));
    enum graft_rc rc = graft_write_begin(session, err);
    if (rc == GRAFT_OK)
        rc = write_pages(session, page_bytes, first, count, tag, err);
    if (rc == GRAFT_OK)
        rc = graft_write_prepare(session, durability, NULL, err);
    if (rc == GRAFT_OK)
        graft_write_publish(session);
    graft_session_end(session);
    return rc;
}

static enum graft_rc read_pinned(struct life_client *client, struct graft_err *err)
{
    uint8_t bytes[LIFE_PAGE_BYTES_MAX];
    uint32_t count = graft_session_page_count(client->session);
    enum graft_rc rc = GRAFT_OK;
    for (uint32_t page = 1; page <= count && rc == GRAFT_OK; page++) {
        size_t got;
        rc = graft_session_read(client->session, page, bytes, sizeof bytes, &got, err);
    }
    return rc;
}

enum graft_rc life_read_all(struct life_client *client, struct graft_err *err)
{
    struct graft_snapshot snapshot;
    GRAFT_TRY(graft_session_begin(client->session, &snapshot, err));
    enum graft_rc rc = read_pinned(client, err);
    graft_session_end(client->session);
    return rc;
}

/* ---- What a client does ---- */

struct run {
    struct life *life;
    struct sim_world *world;
    struct sim_machine *machines[MACHINES];
    struct sim_process *clients[MACHINES][CLIENTS];
    struct sim_rng rng;
    uint32_t page_bytes;
    uint64_t tag;
    bool over;
};

static uint32_t some_page(struct run *run, uint32_t count)
{
    return 1 + (uint32_t)sim_rng_below(&run->rng, count + 3);
}

static void read_some(struct run *run, struct life_client *client)
{
    struct graft_snapshot snapshot;
    uint8_t bytes[LIFE_PAGE_BYTES_MAX];
    if (graft_session_begin(client->session, &snapshot, NULL) != GRAFT_OK)
        return;
    uint32_t reads = (uint32_t)sim_rng_skewed(&run->rng, 1, 30);
    for (uint32_t i = 0; i < reads && snapshot.page_count > 0; i++) {
        uint32_t page = 1 + (uint32_t)sim_rng_below(&run->rng, snapshot.page_count);
        size_t got;
        enum graft_rc rc =
            sim_rng_chance(&run->rng, 200000)
                ? graft_session_peek(client->session, page, bytes, sizeof bytes, &got, NULL)
                : graft_session_read(client->session, page, bytes, sizeof bytes, &got, NULL);
        if (rc != GRAFT_OK && rc != GRAFT_ENOTHELD)
            break;
        if (sim_rng_chance(&run->rng, 100000))
            graft_task_sleep_ms(sim_process_env(client->process)->tasks, 50);
    }
    graft_session_end(client->session);
}

/* Changes some pages, reads others in the midst. */
static enum graft_rc change(struct run *run, struct life_client *client)
{
    uint8_t bytes[LIFE_PAGE_BYTES_MAX];
    uint32_t steps = (uint32_t)sim_rng_skewed(&run->rng, 1, 8);
    for (uint32_t i = 0; i < steps; i++) {
        uint32_t count = graft_session_page_count(client->session);
        uint32_t page = some_page(run, count);
        size_t got;
        if (sim_rng_chance(&run->rng, 80000))
            GRAFT_TRY(graft_write_truncate(client->session, some_page(run, count), NULL));
        else if (sim_rng_chance(&run->rng, 200000) && page <= count)
            GRAFT_TRY(graft_session_read(client->session, page, bytes, sizeof bytes, &got, NULL));
        else
            GRAFT_TRY(write_pages(client->session, run->page_bytes, page,
                                  sim_rng_chance(&run->rng, 30000) ? 90 : 1, ++run->tag, NULL));
    }
    return GRAFT_OK;
}

static void write_some(struct run *run, struct life_client *client)
{
    struct graft_snapshot snapshot;
    if (graft_session_begin(client->session, &snapshot, NULL) != GRAFT_OK)
        return;
    enum graft_rc rc = graft_write_begin(client->session, NULL);
    bool keeps = sim_rng_chance(&run->rng, 300000);
    uint32_t commits = keeps ? 2 : 1;
    for (uint32_t i = 0; i < commits && rc == GRAFT_OK; i++) {
        rc = change(run, client);
        enum graft_durability durability =
            sim_rng_chance(&run->rng, 500000) ? GRAFT_DURABILITY_FULL : GRAFT_DURABILITY_NONE;
        if (rc == GRAFT_OK)
            rc = graft_write_prepare(client->session, durability, NULL, NULL);
        if (rc == GRAFT_OK && sim_rng_chance(&run->rng, 100000))
            rc = graft_write_rollback(client->session, NULL) == GRAFT_OK ? GRAFT_EBUSY : GRAFT_EIO;
        if (rc == GRAFT_OK && keeps)
            graft_write_publish_keep(client->session);
        else if (rc == GRAFT_OK)
            graft_write_publish(client->session);
    }
    graft_session_end(client->session);
}

static void sync_some(struct run *run, struct life_client *client)
{
    struct graft_sync_result result;
    struct graft_verify_result verified;
    enum graft_rc rc;
    switch (sim_rng_below(&run->rng, 12)) {
    case 0:
        rc = graft_hydrate(client->volume, NULL, NULL, &result, NULL);
        break;
    case 1:
        rc = graft_verify(client->volume, NULL, NULL, &verified, NULL);
        break;
    case 2:
    case 3:
    case 4:
    case 5:
    case 6:
        rc = graft_push(client->volume, &result, NULL);
        break;
    default:
        rc = graft_pull(client->volume, &result, NULL);
        break;
    }
    if (rc == GRAFT_EDIVERGED && sim_rng_chance(&run->rng, 500000))
        rc = graft_reset(client->volume, &result, NULL);
    (void)rc;
}

static void live(struct sim_process *process, void *arg)
{
    struct run *run = arg;
    struct life_client client;
    while (!run->over) {
        if (life_open(process, "/db", REMOTE, run->page_bytes, &client, NULL) != GRAFT_OK) {
            graft_task_sleep_ms(sim_process_env(process)->tasks, 100);
            continue;
        }
        uint32_t left = (uint32_t)sim_rng_skewed(&run->rng, 1, 200);
        while (!run->over && left-- > 0) {
            uint64_t what = sim_rng_below(&run->rng, 10);
            if (what < 5)
                read_some(run, &client);
            else if (what < 8)
                write_some(run, &client);
            else
                sync_some(run, &client);
        }
        life_close(&client);
    }
}

/* ---- The driver ---- */

static void start_clients(struct run *run, uint32_t machine)
{
    for (uint32_t i = 0; i < CLIENTS; i++) {
        struct sim_process *old = run->clients[machine][i];
        if (old == NULL || !sim_process_is_running(old))
            run->clients[machine][i] =
                sim_process_start(run->machines[machine], "client", live, run);
    }
}

static void disturb(struct run *run)
{
    uint32_t machine = (uint32_t)sim_rng_below(&run->rng, MACHINES);
    if (sim_rng_chance(&run->rng, 500000)) {
        sim_machine_crash(run->machines[machine]);
        sim_machine_restart(run->machines[machine]);
    } else {
        uint32_t client = (uint32_t)sim_rng_below(&run->rng, CLIENTS);
        sim_process_kill_at(run->clients[machine][client], 1 + sim_rng_skewed(&run->rng, 1, 400));
        sim_sleep_ns(run->world, 200 * SIM_MS);
    }
    start_clients(run, machine);
}

static void drive(struct sim_process *process, void *arg)
{
    struct run *run = arg;
    (void)process;
    for (uint32_t i = 0; i < MACHINES; i++)
        start_clients(run, i);
    for (uint32_t i = 0; i < run->life->rounds; i++) {
        sim_sleep_ns(run->world, sim_rng_skewed(&run->rng, 1, 1000) * SIM_MS);
        disturb(run);
    }
    run->over = true;
    sim_world_set_faults(run->world, false);
    for (uint32_t i = 0; i < MACHINES * CLIENTS; i++)
        sim_process_wait(run->clients[i / CLIENTS][i % CLIENTS]);
}

static void look_at_the_end(struct sim_process *process, void *arg)
{
    struct run *run = arg;
    struct life_client client;
    struct graft_sync_result result;
    struct graft_err err = {0};
    enum graft_rc rc = life_open(process, "/db", REMOTE, run->page_bytes, &client, &err);
    if (rc == GRAFT_OK) {
        rc = graft_pull(client.volume, &result, &err);
        if (rc == GRAFT_OK || rc == GRAFT_EDIVERGED)
            rc = life_read_all(&client, &err);
        life_close(&client);
    }
    if (rc != GRAFT_OK)
        sim_world_fail(run->world, "at the end: %s", err.text);
}

static void make_share(struct sim_process *process, void *arg)
{
    struct run *run = arg;
    struct graft_err err = {0};
    if (graft_disk_make_directories(sim_process_env(process)->disk, "/repo", &err) != GRAFT_OK)
        sim_world_fail(run->world, "%s", err.text);
}

/* The volume is made on one machine; the others become replicas of it. */
static void found(struct sim_process *process, void *arg)
{
    struct run *run = arg;
    struct life_client client;
    struct graft_sync_result result;
    enum graft_rc rc = GRAFT_EBUSY;
    while (rc != GRAFT_OK) {
        rc = life_open(process, "/db", REMOTE, run->page_bytes, &client, NULL);
        if (rc == GRAFT_OK) {
            rc = life_write(&client, 1, 20, ++run->tag, GRAFT_DURABILITY_FULL, NULL);
            if (rc == GRAFT_OK)
                rc = graft_push(client.volume, &result, NULL);
            life_close(&client);
        }
        graft_task_sleep_ms(sim_process_env(process)->tasks, 100);
    }
}

static bool go_on(struct run *run)
{
    run->life->outcome = sim_world_run(run->world, SIM_FOREVER);
    return run->life->outcome == SIM_FINISHED;
}

static void run_all(struct run *run)
{
    struct sim_machine *nas = sim_machine_new(run->world, "nas");
    struct sim_machine *driver = sim_machine_new(run->world, "driver");
    sim_machine_set_immune(nas, true);
    sim_machine_set_immune(driver, true);
    for (uint32_t i = 0; i < MACHINES; i++) {
        run->machines[i] = sim_machine_new(run->world, i == 0 ? "a" : "b");
        sim_machine_mount(run->machines[i], "/share", nas, "/");
    }
    (void)sim_process_start(nas, "share", make_share, run);
    if (!go_on(run))
        return;
    (void)sim_process_start(run->machines[0], "founder", found, run);
    if (!go_on(run))
        return;
    (void)sim_process_start(driver, "driver", drive, run);
    for (uint32_t i = 0; go_on(run) && i < MACHINES; i++)
        (void)sim_process_start(run->machines[i], "end", look_at_the_end, run);
}

void life_run(struct sim_pool *pool, const struct sim_plan *plan, struct life *life)
{
    struct run run = {.life = life};
    sim_rng_init(&run.rng, life->seed, 4711);
    run.page_bytes = sim_rng_chance(&run.rng, 500000) ? 512 : 4096;
    run.world = sim_world_new(pool, plan);
    struct sim_oracle *oracle = life->oracle ? sim_oracle_new(run.world) : NULL;
    run_all(&run);
    life->hash = sim_world_hash(run.world);
    (void)snprintf(life->report, sizeof life->report, "%s", sim_world_report(run.world));
    if (oracle != NULL)
        life->counts = *sim_oracle_counts(oracle);
    sim_oracle_free(oracle);
    sim_world_free(run.world);
}
