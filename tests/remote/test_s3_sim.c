/* The s3 remote against the simulated store: its verbs, and what becomes of them under each of the
 * store's and the network's faults. What a verb says has happened is compared with the store. */
#include <stdio.h>
#include <string.h>

#include "remote/objects.h"
#include "sim/s3.h"
#include "sim/scene.h"

#define URL "s3://bucket/repo/app?endpoint=http://s3.sim"

static struct scene scene;
static struct sim_s3 *s3;

static void set_up(void)
{
    sim_plan_calm(&scene.plan, 5);
}

static void tear_down(void)
{
    scene_end(&scene);
    sim_s3_free(s3);
}

TestSuite(s3_sim, .init = set_up, .fini = tear_down, .timeout = 120);

static void begin(void)
{
    scene_begin_planned(&scene);
    s3 = sim_s3_new(sim_machine_new(scene.world, "store"), "s3.sim", "bucket", "key", "secret");
    sim_net_set_keys(scene.world, "key", "secret");
}

/* A process's own view of the store. */
struct client {
    struct graft_env *env;
    struct graft_objects *objects;
    struct graft_err err;
};

static void open_client(struct client *client, struct sim_process *process, const char *text)
{
    struct graft_url url;
    *client = (struct client){.env = sim_process_env(process)};
    expect_ok(graft_url_parse(text, &url, &client->err), &client->err);
    expect_ok(graft_objects_open(client->env, &url, &client->objects, &client->err), &client->err);
}

static void close_client(struct client *client)
{
    graft_objects_close(client->objects);
}

static enum graft_rc get(struct client *client, const char *key, uint64_t offset, uint64_t size,
                         char *out, size_t out_bytes)
{
    struct graft_buf buf;
    graft_buf_init(&buf, client->env->alloc);
    enum graft_rc rc = graft_objects_get(client->objects, key, offset, size, &buf, &client->err);
    if (rc == GRAFT_OK) {
        cr_assert_lt(buf.size, out_bytes);
        memcpy(out, buf.bytes, buf.size);
        out[buf.size] = '\0';
    }
    graft_buf_deinit(&buf);
    return rc;
}

static enum graft_rc put(struct client *client, const char *key, const char *text, bool if_absent,
                         bool *created)
{
    return graft_objects_put(client->objects, key, text, strlen(text), if_absent, created,
                             &client->err);
}

static bool store_has(const char *key, const char *text)
{
    size_t size = 0;
    const void *found = sim_s3_find(s3, key, &size);
    return found != NULL && size == strlen(text) && memcmp(found, text, size) == 0;
}

struct keys {
    size_t count;
    char text[400];
};

static enum graft_rc collect(void *arg, const char *key, uint64_t size)
{
    struct keys *keys = arg;
    size_t used = strlen(keys->text);
    (void)snprintf(keys->text + used, sizeof keys->text - used, "%s:%lu ", key,
                   (unsigned long)size);
    keys->count++;
    return GRAFT_OK;
}

static void expect_list(struct client *client, const char *prefix, const char *after,
                        uint32_t keys_max, const char *wanted)
{
    struct keys keys = {.count = 0};
    expect_ok(
        graft_objects_list(client->objects, prefix, after, keys_max, collect, &keys, &client->err),
        &client->err);
    cr_assert_str_eq(keys.text, wanted);
}

/* ---- The verbs. */

static void use_objects(struct sim_process *process, void *arg)
{
    struct client client;
    char text[100];
    bool created = false;
    (void)arg;
    open_client(&client, process, URL);
    expect_rc(get(&client, "a", 0, 0, text, sizeof text), GRAFT_ENOTFOUND, &client.err);
    cr_assert_str_eq(client.err.text, "get s3://bucket/repo/a: there is no such object");
    expect_ok(put(&client, "a", "0123456789", true, &created), &client.err);
    cr_assert(created && store_has("repo/a", "0123456789"));
    expect_ok(put(&client, "a", "other", true, &created), &client.err);
    cr_assert(!created && store_has("repo/a", "0123456789"));
    expect_ok(get(&client, "a", 0, 0, text, sizeof text), &client.err);
    cr_assert_str_eq(text, "0123456789");
    expect_ok(get(&client, "a", 3, 4, text, sizeof text), &client.err);
    cr_assert_str_eq(text, "3456");
    expect_ok(get(&client, "a", 8, 100, text, sizeof text), &client.err);
    cr_assert_str_eq(text, "89");
    expect_ok(get(&client, "a", 7, 0, text, sizeof text), &client.err);
    cr_assert_str_eq(text, "789");
    expect_rc(get(&client, "a", 10, 1, text, sizeof text), GRAFT_ECORRUPT, &client.err);
    expect_ok(put(&client, "a", "new", false, &created), &client.err);
    cr_assert(created && store_has("repo/a", "new"));
    expect_ok(graft_objects_remove(client.objects, "a", &client.err), &client.err);
    expect_ok(graft_objects_remove(client.objects, "a", &client.err), &client.err);
    size_t size = 0;
    cr_assert_null(sim_s3_find(s3, "repo/a", &size));
    close_client(&client);
}

Test(s3_sim, objects_are_put_got_and_removed)
{
    begin();
    scene_run(&scene, use_objects, NULL);
}

static void use_lists(struct sim_process *process, void *arg)
{
    struct client client;
    (void)arg;
    open_client(&client, process, URL);
    expect_list(&client, "", "", 10, "");
    sim_s3_put(s3, "repo", "", 0);
    sim_s3_put(s3, "repo/v/1", "x", 1);
    sim_s3_put(s3, "repo/v/2", "xx", 2);
    sim_s3_put(s3, "repo/v/3", "", 0);
    sim_s3_put(s3, "repo/w/1", "x", 1);
    sim_s3_put(s3, "repos/v/1", "x", 1);
    expect_list(&client, "", "", 10, "v/1:1 v/2:2 v/3:0 w/1:1 ");
    expect_list(&client, "v/", "", 10, "v/1:1 v/2:2 v/3:0 ");
    expect_list(&client, "v/", "", 2, "v/1:1 v/2:2 ");
    expect_list(&client, "v/", "v/1", 10, "v/2:2 v/3:0 ");
    expect_list(&client, "v", "a", 1, "v/1:1 ");
    expect_list(&client, "x", "", 10, "");
    close_client(&client);
}

Test(s3_sim, lists_begin_after_a_key_and_end_with_the_prefix)
{
    begin();
    scene_run(&scene, use_lists, NULL);
}

static void use_foreign_keys(struct sim_process *process, void *arg)
{
    struct client client;
    char key[64];
    (void)arg;
    open_client(&client, process, URL);
    for (int i = 0; i < 25; i++) {
        (void)snprintf(key, sizeof key, "repo/v/1 %c<%d>&+%%", 'a' + i, i);
        sim_s3_put(s3, key, "x", 1);
    }
    sim_s3_put(s3, "repo/v/1/", "", 0);
    sim_s3_put(s3, "repo/v/2", "x", 1);
    expect_list(&client, "v/", "", 5, "v/2:1 ");
    close_client(&client);
}

Test(s3_sim, keys_that_are_nobodys_are_passed_over_page_by_page)
{
    begin();
    scene_run(&scene, use_foreign_keys, NULL);
    cr_assert_eq(sim_s3_count(s3)->lists, 6);
}

/* ---- Who is refused. */

static void expect_denied(struct client *client, enum graft_rc wanted, const char *why)
{
    char text[100];
    expect_rc(get(client, "a", 0, 0, text, sizeof text), wanted, &client->err);
    cr_assert(strstr(client->err.text, why) != NULL, "%s", client->err.text);
    cr_assert(strstr(client->err.text, "secret-") == NULL, "%s", client->err.text);
}

static void use_wrong_keys(struct sim_process *process, void *arg)
{
    struct client client;
    (void)arg;
    open_client(&client, process, URL);
    sim_net_set_keys(scene.world, "", "");
    expect_denied(&client, GRAFT_EDENIED, "set AWS_ACCESS_KEY_ID");
    sim_net_set_keys(scene.world, "key", "secret-guess");
    expect_denied(&client, GRAFT_EDENIED, "the secret key is not the access key's");
    sim_net_set_keys(scene.world, "who", "secret-guess");
    expect_denied(&client, GRAFT_EDENIED, "does not know the access key");
    sim_net_set_keys(scene.world, "key", "secret");
    expect_denied(&client, GRAFT_ENOTFOUND, "no such object");
    sim_machine_jump_clock(sim_process_machine(process), 1000000);
    expect_denied(&client, GRAFT_EDENIED, "set the clock");
    close_client(&client);
}

Test(s3_sim, wrong_keys_and_clocks_are_named_and_new_keys_are_taken_up)
{
    begin();
    scene_run(&scene, use_wrong_keys, NULL);
}

static void use_wrong_places(struct sim_process *process, void *arg)
{
    struct client client;
    (void)arg;
    open_client(&client, process, "s3://none/repo/app?endpoint=http://s3.sim");
    expect_denied(&client, GRAFT_EUNREACHABLE, "there is no bucket none at http://s3.sim");
    close_client(&client);
    open_client(&client, process, "s3://bucket/repo/app?endpoint=http://nowhere.sim");
    expect_denied(&client, GRAFT_EUNREACHABLE, "(after 4 retries)");
    close_client(&client);
}

Test(s3_sim, a_bucket_or_a_host_that_is_not_there_is_named)
{
    begin();
    scene_run(&scene, use_wrong_places, NULL);
}

static void use_a_cut_link(struct sim_process *process, void *arg)
{
    struct client client;
    struct sim_machine *here = sim_process_machine(process);
    char text[100];
    bool created = false;
    (void)arg;
    open_client(&client, process, URL);
    expect_ok(put(&client, "a", "x", false, &created), &client.err);
    struct sim_machine *store = sim_machine_find(scene.world, "store");
    sim_net_cut(scene.world, here, store, SIM_FOREVER);
    uint64_t began_ns = sim_world_now_ns(scene.world);
    expect_rc(get(&client, "a", 0, 0, text, sizeof text), GRAFT_EUNREACHABLE, &client.err);
    uint64_t spent_ns = sim_world_now_ns(scene.world) - began_ns;
    cr_assert(spent_ns < 45 * SIM_SECOND, "%lu s", (unsigned long)(spent_ns / SIM_SECOND));
    /* Nothing of it was sent, so that it is not in doubt. */
    expect_rc(put(&client, "b", "x", true, &created), GRAFT_EUNREACHABLE, &client.err);
    sim_net_heal(scene.world);
    expect_ok(get(&client, "a", 0, 0, text, sizeof text), &client.err);
    close_client(&client);
}

Test(s3_sim, a_link_that_is_down_is_given_up_in_time_and_works_again_later)
{
    begin();
    scene_run(&scene, use_a_cut_link, NULL);
}

/* ---- Faults. */

#define ROUNDS 60

struct tally {
    uint32_t puts, put_failures, in_doubt, get_failures, list_failures, unseen;
};

static void put_and_check(struct client *client, struct tally *tally, int round)
{
    char key[32], whole[40], text[64];
    bool created = false;
    (void)snprintf(key, sizeof key, "k%03d", round);
    (void)snprintf(whole, sizeof whole, "repo/%s", key);
    (void)snprintf(text, sizeof text, "0123456789 of %03d", round);
    enum graft_rc rc = put(client, key, text, true, &created);
    if (rc == GRAFT_OK) {
        cr_assert(created, "round %d lost against nobody", round);
        cr_assert(store_has(whole, text), "round %d", round);
        tally->puts++;
    } else if (rc == GRAFT_EINDOUBT) {
        tally->in_doubt++;
    } else {
        size_t size = 0;
        cr_assert_null(sim_s3_find(s3, whole, &size), "round %d: %s", round, client->err.text);
        tally->put_failures++;
    }
    /* Whoever comes second has lost, and is told so if it is told anything. */
    bool was_there = store_has(whole, text);
    rc = put(client, key, "somebody else's", true, &created);
    cr_assert(!was_there || (rc == GRAFT_OK && !created) || rc != GRAFT_OK);
    cr_assert(!was_there || store_has(whole, text), "round %d was overwritten", round);
}

static void get_and_check(struct client *client, struct tally *tally, int round)
{
    char key[32], whole[40], text[100];
    size_t size = 0;
    (void)snprintf(key, sizeof key, "k%03d", round);
    (void)snprintf(whole, sizeof whole, "repo/%s", key);
    const char *stored = sim_s3_find(s3, whole, &size);
    if (stored == NULL)
        return;
    enum graft_rc rc = get(client, key, 0, 0, text, sizeof text);
    tally->get_failures += rc != GRAFT_OK;
    cr_assert(rc != GRAFT_OK || (strlen(text) == size && memcmp(text, stored, size) == 0));
    cr_assert_neq(rc, GRAFT_ENOTFOUND);
    rc = get(client, key, 3, 7, text, sizeof text);
    tally->get_failures += rc != GRAFT_OK;
    cr_assert(rc != GRAFT_OK || (strlen(text) == 7 && memcmp(text, stored + 3, 7) == 0));
    struct keys keys = {.count = 0};
    rc = graft_objects_list(client->objects, key, "", 10, collect, &keys, &client->err);
    tally->list_failures += rc != GRAFT_OK;
    tally->unseen += rc == GRAFT_OK && keys.count == 0;
}

static void work(struct sim_process *process, void *arg)
{
    struct client client;
    open_client(&client, process, URL);
    for (int round = 0; round < ROUNDS; round++) {
        put_and_check(&client, arg, round);
        get_and_check(&client, arg, round);
    }
    close_client(&client);
}

static struct tally work_under(enum sim_fault kind, uint32_t rate_ppm)
{
    struct tally tally = {0};
    scene.plan.rate_ppm[kind] = rate_ppm;
    begin();
    scene_run(&scene, work, &tally);
    cr_assert_gt(scene_fired(&scene, kind), 0, "%s never fired", sim_fault_name(kind));
    return tally;
}

/* No verb failed, and no outcome is open. */
static void expect_calm(const struct tally *tally)
{
    cr_assert_eq(tally->puts, ROUNDS, "%u put, %u in doubt, %u failed", tally->puts,
                 tally->in_doubt, tally->put_failures);
    cr_assert_eq(tally->get_failures + tally->list_failures, 0);
}

Test(s3_sim, a_busy_store_is_waited_for)
{
    struct tally tally = work_under(SIM_FAULT_store_busy, 100000);
    expect_calm(&tally);
}

Test(s3_sim, errors_that_come_after_the_deed_are_settled)
{
    struct tally tally = work_under(SIM_FAULT_store_error, 100000);
    expect_calm(&tally);
}

Test(s3_sim, a_storm_is_given_up_without_doubt_or_lies)
{
    struct tally tally = work_under(SIM_FAULT_store_storm, 20000);
    cr_assert_gt(tally.puts, ROUNDS / 4);
}

Test(s3_sim, lost_answers_are_looked_up)
{
    struct tally tally = work_under(SIM_FAULT_store_answer_lost, 100000);
    cr_assert(tally.puts > ROUNDS - 5 && tally.put_failures == 0, "%u put, %u in doubt, %u failed",
              tally.puts, tally.in_doubt, tally.put_failures);
}

Test(s3_sim, a_put_that_comes_late_changes_nothing)
{
    struct tally tally = work_under(SIM_FAULT_store_late_put, 500000);
    expect_calm(&tally);
}

Test(s3_sim, short_bodies_are_asked_for_again)
{
    struct tally tally = work_under(SIM_FAULT_store_truncate, 100000);
    expect_calm(&tally);
}

Test(s3_sim, other_ranges_are_asked_for_again)
{
    struct tally tally = work_under(SIM_FAULT_store_wrong_range, 100000);
    expect_calm(&tally);
}

Test(s3_sim, a_stale_list_is_a_list)
{
    struct tally tally = work_under(SIM_FAULT_store_stale_list, 300000);
    expect_calm(&tally);
    cr_assert_gt(tally.unseen, 0);
}

Test(s3_sim, a_slow_store_is_waited_for)
{
    struct tally tally = work_under(SIM_FAULT_store_slow, 100000);
    cr_assert(tally.puts > ROUNDS - 5 && tally.put_failures == 0);
}

Test(s3_sim, a_store_that_once_finds_the_time_odd_is_asked_again)
{
    struct tally tally = work_under(SIM_FAULT_store_skew, 50000);
    cr_assert(tally.puts > ROUNDS - 5 && tally.in_doubt == 0);
}

Test(s3_sim, the_network_may_do_anything)
{
    static const enum sim_fault kinds[] = {
        SIM_FAULT_net_loss,       SIM_FAULT_net_reset,     SIM_FAULT_net_stall,
        SIM_FAULT_net_truncate,   SIM_FAULT_net_duplicate, SIM_FAULT_net_half_close,
        SIM_FAULT_net_slow,       SIM_FAULT_net_bandwidth, SIM_FAULT_net_partition,
        SIM_FAULT_store_late_put,
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        sim_plan_calm(&scene.plan, 5 + i);
        struct tally tally = work_under(kinds[i], 50000);
        cr_assert_gt(tally.puts, ROUNDS / 2, "%s: %u", sim_fault_name(kinds[i]), tally.puts);
        if (i + 1 == sizeof kinds / sizeof kinds[0])
            break;
        scene_end(&scene);
        sim_s3_free(s3);
    }
}

Test(s3_sim, everything_at_once_never_makes_it_lie)
{
    for (uint64_t seed = 1; seed <= 30; seed++) {
        struct tally tally = {0};
        sim_plan_draw(&scene.plan, seed);
        begin();
        scene_run(&scene, work, &tally);
        if (seed == 30)
            break;
        scene_end(&scene);
        sim_s3_free(s3);
    }
}

/* ---- Races. */

struct racer {
    struct client client;
    int number;
    int rounds;
    int won;
    int doubtful;
};

static void race(struct sim_process *process, void *arg)
{
    struct racer *racer = arg;
    char key[32], text[32];
    open_client(&racer->client, process, URL);
    (void)snprintf(text, sizeof text, "by %d", racer->number);
    for (int round = 0; round < racer->rounds; round++) {
        bool created = false;
        (void)snprintf(key, sizeof key, "%03d", round);
        enum graft_rc rc = put(&racer->client, key, text, true, &created);
        (void)snprintf(key, sizeof key, "repo/%03d", round);
        racer->won += rc == GRAFT_OK && created;
        racer->doubtful += rc != GRAFT_OK;
        cr_assert(rc != GRAFT_OK || created == store_has(key, text));
    }
    close_client(&racer->client);
}

static void run_race(uint32_t fault_ppm)
{
    static struct racer racers[8];
    int won = 0, doubtful = 0;
    memset(racers, 0, sizeof racers);
    scene.plan.rate_ppm[SIM_FAULT_store_answer_lost] = fault_ppm;
    scene.plan.rate_ppm[SIM_FAULT_store_error] = fault_ppm;
    begin();
    for (int i = 0; i < 8; i++) {
        racers[i].number = i;
        racers[i].rounds = 20;
        (void)sim_process_start(scene.machine, "racer", race, &racers[i]);
    }
    scene_expect(&scene, SIM_FINISHED);
    for (int i = 0; i < 8; i++) {
        won += racers[i].won;
        doubtful += racers[i].doubtful;
    }
    cr_assert(won <= 20 && won + doubtful >= 20, "%d won, %d in doubt", won, doubtful);
    cr_assert(fault_ppm > 0 || won == 20);
}

Test(s3_sim, of_eight_that_race_one_wins_each_round)
{
    run_race(0);
}

Test(s3_sim, of_eight_that_race_through_faults_nobody_wins_what_another_won)
{
    run_race(100000);
}

/* ---- Memory. */

static void use_little_memory(struct sim_process *process, void *arg)
{
    struct client client;
    char text[100];
    bool created = false;
    (void)arg;
    sim_s3_put(s3, "repo/a", "0123456789", 10);
    open_client(&client, process, URL);
    for (uint64_t nth = 1; nth <= 60; nth++) {
        struct keys keys = {.count = 0};
        sim_process_fail_alloc(process, nth, false);
        enum graft_rc rc = put(&client, "a", "0123456789", false, &created);
        cr_assert(rc == GRAFT_OK || rc == GRAFT_ENOMEM, "%s", client.err.text);
        rc = get(&client, "a", 0, 0, text, sizeof text);
        cr_assert(rc == GRAFT_OK || rc == GRAFT_ENOMEM, "%s", client.err.text);
        rc = graft_objects_list(client.objects, "", "", 10, collect, &keys, &client.err);
        cr_assert(rc == GRAFT_OK || rc == GRAFT_ENOMEM, "%s", client.err.text);
    }
    close_client(&client);
}

Test(s3_sim, want_of_memory_is_an_error)
{
    begin();
    scene_run(&scene, use_little_memory, NULL);
}
