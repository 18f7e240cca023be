/* The oracle: each of its checks can fail, and a system that is right passes them, under kills and
 * crashes too. The faults that must be found are planted below the calls that it watches: the
 * linker sends some inner functions of core here first (--wrap), where a test can make them lie. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/volume.h"
#include "sim/disk.h"
#include "sim/oracle_life.h"
#include "sim/oracle_parts.h"
#include "sim/scene.h"
#include "sim/sqlite.h"

#define DB "/db"
#define REMOTE "file:///share/repo/app"

/* What the planted faults do now. */
static struct {
    uint32_t flip_page;    /* a read of it comes with a wrong bit */
    uint32_t unheld_page;  /* a read of it says that it is not held */
    uint32_t corrupt_page; /* a read of it says that it is damaged */
    bool flip_frames;      /* frames of the remote are decoded with a wrong bit */
    bool hide_ahead;       /* nothing is ahead of the remote */
    bool win_all;          /* each PUT of a commit says that it won */
    bool skip_sync;        /* the log is not synced */
    bool none_held;        /* the table says that no page is held */
    uint64_t newest_less;  /* the remote's newest commit is so many less */
    int64_t lsn_more, remote_more, count_more; /* what the ring says of a commit */
} plant;

enum graft_rc __real_graft_store_read(struct graft_store_session *session, uint32_t page,
                                      void *bytes, size_t *got, struct graft_err *err);
enum graft_rc __wrap_graft_store_read(struct graft_store_session *session, uint32_t page,
                                      void *bytes, size_t *got, struct graft_err *err);
enum graft_rc __wrap_graft_store_read(struct graft_store_session *session, uint32_t page,
                                      void *bytes, size_t *got, struct graft_err *err)
{
    if (page == plant.unheld_page)
        return graft_err_set(err, GRAFT_ENOTHELD, "planted");
    if (page == plant.corrupt_page)
        return graft_err_set(err, GRAFT_ECORRUPT, "planted");
    enum graft_rc rc = __real_graft_store_read(session, page, bytes, got, err);
    if (rc == GRAFT_OK && page == plant.flip_page)
        ((uint8_t *)bytes)[17] ^= 1;
    return rc;
}

enum graft_rc __real_graft_frame_decode(struct graft_codec *codec, const uint8_t *bytes,
                                        size_t size, uint32_t page_bytes, struct graft_frame *out,
                                        struct graft_err *err);
enum graft_rc __wrap_graft_frame_decode(struct graft_codec *codec, const uint8_t *bytes,
                                        size_t size, uint32_t page_bytes, struct graft_frame *out,
                                        struct graft_err *err);
enum graft_rc __wrap_graft_frame_decode(struct graft_codec *codec, const uint8_t *bytes,
                                        size_t size, uint32_t page_bytes, struct graft_frame *out,
                                        struct graft_err *err)
{
    static uint8_t changed[LIFE_PAGE_BYTES_MAX];
    enum graft_rc rc = __real_graft_frame_decode(codec, bytes, size, page_bytes, out, err);
    if (rc == GRAFT_OK && plant.flip_frames) {
        memcpy(changed, out->pages[0].bytes, out->pages[0].size);
        changed[17] ^= 1;
        out->pages[0].bytes = changed;
    }
    return rc;
}

enum graft_rc __real_graft_store_ahead(struct graft_store *store, uint64_t lsn,
                                       struct graft_pageset *out, uint64_t *commits,
                                       struct graft_err *err);
enum graft_rc __wrap_graft_store_ahead(struct graft_store *store, uint64_t lsn,
                                       struct graft_pageset *out, uint64_t *commits,
                                       struct graft_err *err);
enum graft_rc __wrap_graft_store_ahead(struct graft_store *store, uint64_t lsn,
                                       struct graft_pageset *out, uint64_t *commits,
                                       struct graft_err *err)
{
    enum graft_rc rc = __real_graft_store_ahead(store, lsn, out, commits, err);
    if (plant.hide_ahead)
        *commits = 0;
    return rc;
}

enum graft_rc __real_graft_remote_put_commit(struct graft_remote *remote, uint64_t lsn,
                                             const void *bytes, size_t size, bool *won,
                                             struct graft_err *err);
enum graft_rc __wrap_graft_remote_put_commit(struct graft_remote *remote, uint64_t lsn,
                                             const void *bytes, size_t size, bool *won,
                                             struct graft_err *err);
enum graft_rc __wrap_graft_remote_put_commit(struct graft_remote *remote, uint64_t lsn,
                                             const void *bytes, size_t size, bool *won,
                                             struct graft_err *err)
{
    enum graft_rc rc = __real_graft_remote_put_commit(remote, lsn, bytes, size, won, err);
    if (plant.win_all)
        *won = true;
    return rc;
}

enum graft_rc __real_graft_remote_newest_ahead(struct graft_remote *remote, uint64_t known,
                                               uint64_t *commit_lsn, uint64_t *checkpoint_lsn,
                                               struct graft_remote_commit *out,
                                               struct graft_err *err);
enum graft_rc __wrap_graft_remote_newest_ahead(struct graft_remote *remote, uint64_t known,
                                               uint64_t *commit_lsn, uint64_t *checkpoint_lsn,
                                               struct graft_remote_commit *out,
                                               struct graft_err *err);
enum graft_rc __wrap_graft_remote_newest_ahead(struct graft_remote *remote, uint64_t known,
                                               uint64_t *commit_lsn, uint64_t *checkpoint_lsn,
                                               struct graft_remote_commit *out,
                                               struct graft_err *err)
{
    enum graft_rc rc =
        __real_graft_remote_newest_ahead(remote, known, commit_lsn, checkpoint_lsn, out, err);
    if (rc == GRAFT_OK)
        *commit_lsn -= plant.newest_less;
    return rc;
}

enum graft_rc __real_graft_log_sync(struct graft_store *store, unsigned half,
                                    struct graft_err *err);
enum graft_rc __wrap_graft_log_sync(struct graft_store *store, unsigned half,
                                    struct graft_err *err);
enum graft_rc __wrap_graft_log_sync(struct graft_store *store, unsigned half, struct graft_err *err)
{
    return plant.skip_sync ? GRAFT_OK : __real_graft_log_sync(store, half, err);
}

enum graft_store_page __real_graft_store_page_state(struct graft_store *store, uint32_t page);
enum graft_store_page __wrap_graft_store_page_state(struct graft_store *store, uint32_t page);
enum graft_store_page __wrap_graft_store_page_state(struct graft_store *store, uint32_t page)
{
    return plant.none_held ? GRAFT_STORE_MISSING : __real_graft_store_page_state(store, page);
}

bool __real_graft_ring_load(struct graft_store *store, uint64_t lsn,
                            struct graft_store_snapshot *out);
bool __wrap_graft_ring_load(struct graft_store *store, uint64_t lsn,
                            struct graft_store_snapshot *out);
bool __wrap_graft_ring_load(struct graft_store *store, uint64_t lsn,
                            struct graft_store_snapshot *out)
{
    bool known = __real_graft_ring_load(store, lsn, out);
    out->lsn += (uint64_t)plant.lsn_more;
    out->remote_lsn += (uint64_t)plant.remote_more;
    out->page_count += (uint32_t)plant.count_more;
    return known;
}

/* ---- A small world ---- */

static struct scene scene;
static struct sim_machine *other;
static struct sim_oracle *oracle;

static void set_up(void)
{
    sim_sqlite_setup();
    memset(&plant, 0, sizeof plant);
    scene_begin(&scene, 1);
    other = sim_machine_new(scene.world, "b");
    struct sim_machine *nas = sim_machine_new(scene.world, "nas");
    sim_machine_mount(scene.machine, "/share", nas, "/");
    sim_machine_mount(other, "/share", nas, "/");
    oracle = sim_oracle_new(scene.world);
}

static void tear_down(void)
{
    sim_oracle_free(oracle);
    scene_end(&scene);
}

TestSuite(sim_oracle, .init = set_up, .fini = tear_down, .timeout = 120);

/* A call that the planted fault decides. */
static void whatever(enum graft_rc rc)
{
    (void)rc;
}

static void begin(struct sim_process *process, struct life_client *client)
{
    struct graft_err err = {0};
    whatever(graft_disk_make_directories(sim_process_env(process)->disk, "/share/repo", NULL));
    expect_ok(life_open(process, DB, REMOTE, 4096, client, &err), &err);
}

static void write_at(struct life_client *client, uint32_t first, uint32_t count, uint64_t tag)
{
    struct graft_err err = {0};
    expect_ok(life_write(client, first, count, tag, GRAFT_DURABILITY_FULL, &err), &err);
}

static void push(struct life_client *client)
{
    struct graft_err err = {0};
    struct graft_sync_result result;
    expect_ok(graft_push(client->volume, &result, &err), &err);
}

static void pull(struct life_client *client)
{
    struct graft_err err = {0};
    struct graft_sync_result result;
    expect_ok(graft_pull(client->volume, &result, &err), &err);
}

static void read_all(struct life_client *client)
{
    struct graft_err err = {0};
    expect_ok(life_read_all(client, &err), &err);
}

/* A volume of 100 pages, pushed; so many do not travel inside the commit. */
static void make_volume(struct sim_process *process, void *arg)
{
    struct life_client client;
    (void)arg;
    begin(process, &client);
    write_at(&client, 1, 100, 1);
    push(&client);
    read_all(&client);
    life_close(&client);
}

static void made_volume(void)
{
    (void)sim_process_start(scene.machine, "maker", make_volume, NULL);
    scene_expect(&scene, SIM_FINISHED);
}

/* Runs `run` on the machine; the oracle must name this violation first. */
static void expect_violation(struct sim_machine *machine, sim_process_fn *run, const char *name)
{
    (void)sim_process_start(machine, "culprit", run, NULL);
    scene_expect(&scene, SIM_FAILED);
    char wanted[100];
    (void)snprintf(wanted, sizeof wanted, "oracle: %s: ", name);
    cr_assert(strncmp(sim_world_report(scene.world), wanted, strlen(wanted)) == 0, "%s",
              sim_world_report(scene.world));
}

/* ---- Pages ---- */

static void read_flipped(struct sim_process *process, void *arg)
{
    struct life_client client;
    (void)arg;
    begin(process, &client);
    plant.flip_page = 7;
    read_all(&client);
}

Test(sim_oracle, finds_a_wrong_bit_in_a_page_that_is_read)
{
    made_volume();
    expect_violation(scene.machine, read_flipped, "wrong page");
}

static void read_own_flipped(struct sim_process *process, void *arg)
{
    struct life_client client;
    uint8_t bytes[LIFE_PAGE_BYTES_MAX] = {1};
    size_t got;
    (void)arg;
    begin(process, &client);
    cr_assert_eq(graft_write_begin(client.session, NULL), GRAFT_OK);
    cr_assert_eq(graft_write_page(client.session, 7, bytes, 4096, NULL), GRAFT_OK);
    plant.flip_page = 7;
    whatever(graft_session_peek(client.session, 7, bytes, sizeof bytes, &got, NULL));
}

Test(sim_oracle, finds_a_wrong_bit_in_what_a_transaction_reads_of_its_own)
{
    made_volume();
    expect_violation(scene.machine, read_own_flipped, "wrong page");
}

static void pull_and_read(struct sim_process *process, void *arg)
{
    struct life_client client;
    (void)arg;
    begin(process, &client);
    pull(&client);
    read_all(&client);
    life_close(&client);
}

Test(sim_oracle, finds_a_wrong_bit_in_a_page_that_was_fetched)
{
    made_volume();
    plant.flip_frames = true;
    expect_violation(other, pull_and_read, "wrong page fetched");
}

static void make_small_volume(struct sim_process *process, void *arg)
{
    struct life_client client;
    (void)arg;
    begin(process, &client);
    write_at(&client, 1, 3, 1);
    push(&client);
    life_close(&client);
}

Test(sim_oracle, finds_a_wrong_bit_in_a_page_that_came_inside_the_commit_of_a_pull)
{
    (void)sim_process_start(scene.machine, "maker", make_small_volume, NULL);
    scene_expect(&scene, SIM_FINISHED);
    plant.flip_frames = true;
    expect_violation(other, pull_and_read, "wrong page pulled");
}

static void read_corrupt(struct sim_process *process, void *arg)
{
    struct life_client client;
    (void)arg;
    begin(process, &client);
    write_at(&client, 7, 1, 2); /* so that the remote has not got it */
    plant.corrupt_page = 7;
    whatever(life_read_all(&client, NULL));
}

Test(sim_oracle, does_not_believe_in_damage_that_nothing_caused)
{
    made_volume();
    expect_violation(scene.machine, read_corrupt, "damage without cause");
}

Test(sim_oracle, believes_in_damage_that_was_done)
{
    made_volume();
    sim_oracle_forgive(oracle, SIM_ORACLE_DAMAGE);
    (void)sim_process_start(scene.machine, "reader", read_corrupt, NULL);
    scene_expect(&scene, SIM_FINISHED);
}

/* ---- Snapshots ---- */

static void begin_and_end(struct sim_process *process, void *arg)
{
    struct life_client client;
    (void)arg;
    plant.lsn_more = plant.remote_more = plant.count_more = 0;
    begin(process, &client);
    write_at(&client, 1, 1, 2);
    graft_session_close(client.session);
    whatever(graft_session_open(client.volume, &client.session, NULL));
    const char *what = getenv("GRAFT_TEST_PLANT");
    plant.lsn_more = strcmp(what, "lsn-") == 0 ? -1 : strcmp(what, "lsn+") == 0 ? 1 : 0;
    plant.remote_more = strcmp(what, "remote-") == 0 ? -1 : strcmp(what, "remote+") == 0 ? 1 : 0;
    plant.count_more = strcmp(what, "count") == 0 ? 1 : 0;
    whatever(graft_session_begin(client.session, NULL, NULL));
}

static void expect_ring_violation(const char *what, const char *name)
{
    made_volume();
    (void)setenv("GRAFT_TEST_PLANT", what, 1);
    expect_violation(scene.machine, begin_and_end, name);
}

Test(sim_oracle, finds_a_session_that_begins_before_an_acknowledged_commit)
{
    expect_ring_violation("lsn-", "lost commit");
}

Test(sim_oracle, finds_a_session_that_begins_at_a_commit_that_nobody_made)
{
    expect_ring_violation("lsn+", "invented commit");
}

Test(sim_oracle, finds_a_snapshot_whose_remote_went_back)
{
    expect_ring_violation("remote-", "remote went back");
}

Test(sim_oracle, finds_a_snapshot_based_on_a_remote_commit_that_nobody_saw)
{
    expect_ring_violation("remote+", "remote invented");
}

Test(sim_oracle, finds_a_wrong_page_count)
{
    expect_ring_violation("count", "wrong page count");
}

static void move_pinned(struct sim_process *process, void *arg)
{
    struct life_client client;
    struct oracle_floor floor = {0};
    (void)arg;
    begin(process, &client);
    cr_assert_eq(graft_session_begin(client.session, NULL, NULL), GRAFT_OK);
    struct oracle_session *known = oracle_session_of(oracle, client.session->store);
    struct graft_store_snapshot moved = known->snapshot;
    moved.page_count++;
    oracle_begun(oracle, known, &floor, &moved);
}

Test(sim_oracle, finds_a_pinned_snapshot_that_moves)
{
    made_volume();
    expect_violation(scene.machine, move_pinned, "moved snapshot");
}

/* ---- Crashes ---- */

static void write_until_the_end(struct sim_process *process, void *arg)
{
    struct life_client client;
    (void)arg;
    begin(process, &client);
    for (uint64_t tag = 2; tag < 20; tag++)
        write_at(&client, 1, 3, tag);
    sim_sleep_ns(scene.world, 1000 * SIM_SECOND);
}

static void open_and_read(struct sim_process *process, void *arg)
{
    struct life_client client;
    (void)arg;
    begin(process, &client);
    read_all(&client);
    life_close(&client);
}

static void crash_after_writing(void)
{
    made_volume();
    (void)sim_process_start(scene.machine, "writer", write_until_the_end, NULL);
    (void)sim_world_run(scene.world, sim_world_now_ns(scene.world) + 500 * SIM_SECOND);
    sim_machine_crash(scene.machine);
    sim_machine_restart(scene.machine);
}

/* A plan that drops, of what was not synced, as much as the seed says. */
static void dropping_world(uint64_t seed)
{
    tear_down();
    sim_plan_calm(&scene.plan, seed);
    scene.plan.rate_ppm[SIM_FAULT_crash_drop] = 1000000;
    scene_begin_planned(&scene);
    struct sim_machine *nas = sim_machine_new(scene.world, "nas");
    sim_machine_mount(scene.machine, "/share", nas, "/");
    oracle = sim_oracle_new(scene.world);
}

/* How many of ten crashes the oracle finds to have taken durable commits. */
static int count_losses(void)
{
    int found = 0;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        dropping_world(seed);
        crash_after_writing();
        (void)sim_process_start(scene.machine, "reader", open_and_read, NULL);
        if (sim_world_run(scene.world, SIM_FOREVER) == SIM_FINISHED)
            continue;
        cr_assert(strncmp(sim_world_report(scene.world), "oracle: ", 8) == 0, "%s",
                  sim_world_report(scene.world));
        found += strncmp(sim_world_report(scene.world), "oracle: lost commit: ", 21) == 0;
    }
    return found;
}

Test(sim_oracle, finds_durable_commits_that_a_crash_took)
{
    plant.skip_sync = true;
    cr_assert_gt(count_losses(), 0);
}

Test(sim_oracle, keeps_quiet_when_durable_commits_survive_a_crash)
{
    cr_assert_eq(count_losses(), 0);
}

static void start_over(struct sim_process *process, void *arg)
{
    static const char *const files[] = {"config", "image", "log.0", "log.1", "table", "lock"};
    (void)arg;
    char path[64];
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        (void)snprintf(path, sizeof path, DB "/%s", files[i]);
        whatever(graft_disk_remove(sim_process_env(process)->disk, path, NULL));
    }
    struct life_client client;
    begin(process, &client);
    life_close(&client);
}

Test(sim_oracle, finds_a_database_that_was_replaced_by_an_empty_one)
{
    made_volume();
    expect_violation(scene.machine, start_over, "lost directory");
}

Test(sim_oracle, lets_a_driver_take_a_database_away)
{
    made_volume();
    sim_oracle_removed(oracle, scene.machine, DB);
    (void)sim_process_start(scene.machine, "cleaner", start_over, NULL);
    scene_expect(&scene, SIM_FINISHED);
}

/* ---- Sync ---- */

static void pull_over_local(struct sim_process *process, void *arg)
{
    struct life_client client;
    struct graft_sync_result result;
    (void)arg;
    begin(process, &client);
    write_at(&client, 1, 1, 77);
    plant.hide_ahead = true;
    whatever(graft_pull(client.volume, &result, NULL));
}

static void change_and_push(struct sim_process *process, void *arg)
{
    struct life_client client;
    (void)arg;
    begin(process, &client);
    pull(&client);
    write_at(&client, 2, 1, 88);
    push(&client);
    life_close(&client);
}

static void other_pushed(void)
{
    made_volume();
    (void)sim_process_start(other, "other", change_and_push, NULL);
    scene_expect(&scene, SIM_FINISHED);
}

Test(sim_oracle, finds_a_pull_that_drops_local_commits)
{
    other_pushed();
    expect_violation(scene.machine, pull_over_local, "dropped by a pull");
}

static void push_nothing(struct sim_process *process, void *arg)
{
    struct life_client client;
    (void)arg;
    begin(process, &client);
    write_at(&client, 1, 1, 77);
    plant.hide_ahead = true;
    push(&client);
}

Test(sim_oracle, finds_a_push_that_leaves_a_commit_out)
{
    made_volume();
    expect_violation(scene.machine, push_nothing, "lost push");
}

static void push_over_other(struct sim_process *process, void *arg)
{
    struct life_client client;
    struct graft_sync_result result;
    (void)arg;
    begin(process, &client);
    write_at(&client, 1, 1, 77);
    plant.win_all = true;
    whatever(graft_push(client.volume, &result, NULL));
}

Test(sim_oracle, finds_two_commits_of_one_remote_lsn)
{
    other_pushed();
    expect_violation(scene.machine, push_over_other, "rewritten remote");
}

static void pull_stale(struct sim_process *process, void *arg)
{
    struct life_client client;
    struct graft_sync_result result;
    (void)arg;
    begin(process, &client);
    plant.newest_less = 1;
    whatever(graft_pull(client.volume, &result, NULL));
}

Test(sim_oracle, finds_a_pull_that_misses_an_acknowledged_push)
{
    other_pushed();
    expect_violation(scene.machine, pull_stale, "stale pull");
}

static void claim_unknown(struct sim_process *process, void *arg)
{
    struct life_client client;
    struct graft_hash hash = {{9}};
    (void)arg;
    begin(process, &client);
    struct graft_store *store = client.volume->store;
    (void)oracle_claim(oracle, oracle_replica_of_store(oracle, store),
                       &graft_store_config(store)->volume, &hash, 2);
}

Test(sim_oracle, finds_a_remote_commit_that_nobody_pushed)
{
    made_volume();
    expect_violation(scene.machine, claim_unknown, "invented push");
}

static void claim_orphan(struct sim_process *process, void *arg)
{
    struct life_client client;
    struct graft_hash hash = {{9}};
    struct graft_hash base = {{8}};
    (void)arg;
    begin(process, &client);
    struct graft_store *store = client.volume->store;
    struct oracle_replica *replica = oracle_replica_of_store(oracle, store);
    oracle_push_starts(oracle, replica, &base, &hash, 1, 2);
    (void)oracle_claim(oracle, replica, &graft_store_config(store)->volume, &hash, 2);
}

Test(sim_oracle, finds_a_remote_commit_that_does_not_follow_the_one_before_it)
{
    made_volume();
    expect_violation(scene.machine, claim_orphan, "lost push");
}

/* ---- Fetches ---- */

static void ask_again(struct sim_process *process, void *arg)
{
    struct life_client client;
    (void)arg;
    begin(process, &client);
    pull(&client);
    read_all(&client);
    plant.unheld_page = 7;
    read_all(&client);
}

Test(sim_oracle, finds_a_fetch_of_a_page_that_is_held)
{
    made_volume();
    expect_violation(other, ask_again, "needless fetch");
}

static void ask_for_own(struct sim_process *process, void *arg)
{
    struct life_client client;
    (void)arg;
    begin(process, &client);
    plant.unheld_page = 7;
    read_all(&client);
}

Test(sim_oracle, finds_a_fetch_of_a_page_that_was_pushed_from_here)
{
    made_volume();
    expect_violation(scene.machine, ask_for_own, "needless fetch");
}

static void hydrate_again(struct sim_process *process, void *arg)
{
    struct life_client client;
    struct graft_sync_result result;
    (void)arg;
    begin(process, &client);
    pull(&client);
    read_all(&client);
    plant.none_held = true;
    whatever(graft_hydrate(client.volume, NULL, NULL, &result, NULL));
}

Test(sim_oracle, finds_a_hydration_that_reads_what_is_held)
{
    made_volume();
    expect_violation(other, hydrate_again, "needless fetch");
}

static void get_frame_twice(struct sim_process *process, void *arg)
{
    struct life_client client;
    struct graft_snapshot snapshot;
    struct graft_view *view = NULL;
    struct graft_place place = {0};
    struct graft_frame frame = {.count = 0};
    (void)arg;
    begin(process, &client);
    pull(&client);
    cr_assert_eq(graft_session_begin(client.session, &snapshot, NULL), GRAFT_OK);
    cr_assert_eq(graft_view_get(client.volume, snapshot.remote_lsn, &view, NULL), GRAFT_OK);
    cr_assert(graft_view_find(view, 7, &place));
    for (int i = 0; i < 2; i++)
        oracle_frame_came(oracle, client.volume, view, &place.object, place.offset, &frame);
}

Test(sim_oracle, finds_a_frame_that_a_process_is_given_twice)
{
    made_volume();
    expect_violation(other, get_frame_twice, "needless fetch");
}

/* ---- Truths that are not known ---- */

static void write_change(struct oracle_changes *changes, uint32_t page, const char *text)
{
    oracle_changes_write(changes, page, oracle_content(text, strlen(text)));
}

Test(sim_oracle, narrows_candidates_down_by_what_is_read)
{
    struct oracle_changes changes = {0};
    struct oracle_truth *empty = oracle_truth_empty(oracle);
    oracle_changes_begin(&changes, 0);
    write_change(&changes, 1, "one");
    struct oracle_truth *one = oracle_truth_change(oracle, empty, &changes);
    oracle_changes_begin(&changes, 0);
    write_change(&changes, 1, "two");
    struct oracle_truth *two = oracle_truth_change(oracle, empty, &changes);
    struct oracle_truth *either =
        oracle_truth_either(oracle, (struct oracle_truth *[]){one, two}, 2);
    oracle_changes_begin(&changes, 1);
    write_change(&changes, 300, "far");
    struct oracle_truth *later = oracle_truth_change(oracle, either, &changes);
    cr_assert_not(oracle_truth_is_certain(later));
    cr_assert(oracle_truth_has_page(later, 300, "far", 3));
    cr_assert(oracle_truth_has_page(later, 1, "two", 3));
    cr_assert(oracle_truth_is_certain(either));
    cr_assert_not(oracle_truth_has_page(either, 1, "one", 3));
    cr_assert(oracle_truth_has_page(either, 1, "two", 3));
    cr_assert_not(oracle_truth_has_count(later, 299));
    oracle_changes_deinit(&changes);
}

Test(sim_oracle, knows_that_a_cut_page_is_zeros_when_it_comes_back)
{
    struct oracle_changes changes = {0};
    oracle_changes_begin(&changes, 0);
    write_change(&changes, 40, "x");
    struct oracle_truth *truth = oracle_truth_change(oracle, oracle_truth_empty(oracle), &changes);
    oracle_changes_begin(&changes, 40);
    oracle_changes_resize(&changes, 39);
    oracle_changes_resize(&changes, 50);
    truth = oracle_truth_change(oracle, truth, &changes);
    cr_assert(oracle_truth_has_count(truth, 50));
    cr_assert(oracle_truth_has_page(truth, 40, "\0\0", 2));
    cr_assert_not(oracle_truth_has_page(truth, 40, "x", 1));
    oracle_changes_deinit(&changes);
}
