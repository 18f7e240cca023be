/* Pushes and pulls that fail in the middle: each disk call of theirs fails in turn, and what the
 * next try makes of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/fixture.h"
#include "support/faultdisk.h"

static struct world world;

static void setup(void)
{
    world_make(&world);
}

static void teardown(void)
{
    world_remove(&world);
}

TestSuite(recover, .init = setup, .fini = teardown, .timeout = 240);

/* A replica whose disk fails on order. */
struct shaky {
    struct replica replica;
    struct graft_fault_env faults;
};

static void shaky_open(struct shaky *shaky, const char *name)
{
    graft_fault_env_init(&shaky->faults, graft_test_env());
    replica_open_in(&shaky->replica, &world, &shaky->faults.env, name, world.url);
}

static void sweep_push(enum graft_rc code)
{
    struct shaky a;
    struct replica b;
    shaky_open(&a, "a");
    commit_pages(&a.replica, 1, 8, 2);
    (void)push_ok(&a.replica);
    replica_open(&b, &world, "b", world.url);
    uint32_t version = 2;
    bool more = true;
    for (uint64_t nth = 1; more; nth++) {
        struct graft_sync_result result;
        uint64_t before = status_of(&a.replica).remote_lsn;
        version += 2;
        commit_pages(&a.replica, 3, 2, version);
        graft_faults_arm(&a.faults.faults, GRAFT_FAULT_ALL, nth, code, false);
        enum graft_rc rc = graft_push(a.replica.volume, &result, &world.err);
        more = graft_faults_disarm(&a.faults.faults) > 0;
        if (rc != GRAFT_OK)
            (void)push_ok(&a.replica);
        /* However it failed, the commit is in the remote once. */
        cr_assert_eq(status_of(&a.replica).remote_lsn, before + 1, "call %llu: %s",
                     (unsigned long long)nth, world.err.text);
        cr_assert_eq(status_of(&a.replica).ahead, 0);
        (void)pull_ok(&b);
        expect_page(&b, 3, version);
        expect_page(&b, 4, version);
        expect_page(&b, 5, 2);
    }
    replica_close(&b);
    replica_close(&a.replica);
}

Test(recover, a_push_that_fails_at_any_call_is_finished_by_the_next_one)
{
    sweep_push(GRAFT_EIO);
}

Test(recover, a_push_on_a_full_disk_is_finished_by_the_next_one)
{
    sweep_push(GRAFT_EFULL);
}

static void sweep_pull(enum graft_rc code)
{
    struct replica a;
    struct shaky b;
    replica_open(&a, &world, "a", world.url);
    commit_pages(&a, 1, 200, 1);
    (void)push_ok(&a);
    shaky_open(&b, "b");
    for (uint32_t page = 1; page <= 200; page++)
        expect_page(&b.replica, page, 1);
    uint32_t version = 1;
    bool more = true;
    for (uint64_t nth = 1; more; nth++) {
        struct graft_sync_result result;
        version += 2;
        commit_pages(&a, 5, 3, version);
        commit_pages(&a, 100, 1, version);
        (void)push_ok(&a);
        graft_faults_arm(&b.faults.faults, GRAFT_FAULT_ALL, nth, code, false);
        enum graft_rc rc = graft_pull(b.replica.volume, &result, &world.err);
        more = graft_faults_disarm(&b.faults.faults) > 0;
        if (rc != GRAFT_OK) {
            expect_page(&b.replica, 6, version - 2 == 1 ? 1 : version - 2);
            (void)pull_ok(&b.replica);
        }
        expect_page(&b.replica, 5, version);
        expect_page(&b.replica, 7, version);
        expect_page(&b.replica, 8, 1);
        expect_page(&b.replica, 100, version);
    }
    replica_close(&b.replica);
    replica_close(&a);
}

Test(recover, a_pull_that_fails_at_any_call_changes_nothing_and_works_the_next_time)
{
    sweep_pull(GRAFT_EIO);
}

Test(recover, a_pull_on_a_full_disk_changes_nothing_and_works_the_next_time)
{
    sweep_pull(GRAFT_EFULL);
}

Test(recover, running_out_of_memory_in_a_push_or_a_pull_loses_nothing)
{
    struct shaky a;
    struct shaky b;
    shaky_open(&a, "a");
    commit_pages(&a.replica, 1, 8, 2);
    (void)push_ok(&a.replica);
    shaky_open(&b, "b");
    expect_page(&b.replica, 1, 2);
    bool more = true;
    uint32_t version = 2;
    for (uint64_t nth = 1; more; nth++) {
        struct graft_sync_result result;
        version += 2;
        commit_pages(&a.replica, 3, 2, version);
        graft_faultalloc_arm(&a.faults.alloc, nth, false);
        enum graft_rc pushed = graft_push(a.replica.volume, &result, &world.err);
        more = graft_faultalloc_disarm(&a.faults.alloc) > 0;
        if (pushed != GRAFT_OK)
            (void)push_ok(&a.replica);
        graft_faultalloc_arm(&b.faults.alloc, nth, false);
        enum graft_rc pulled = graft_pull(b.replica.volume, &result, &world.err);
        more = graft_faultalloc_disarm(&b.faults.alloc) > 0 || more;
        if (pulled != GRAFT_OK)
            (void)pull_ok(&b.replica);
        expect_page(&b.replica, 4, version);
        expect_page(&b.replica, 5, 2);
    }
    replica_close(&b.replica);
    replica_close(&a.replica);
    cr_assert_eq(a.faults.alloc.live, 0);
    cr_assert_eq(b.faults.alloc.live, 0);
}

/* The answer to the PUT is lost: the directory sync after the rename fails. */
static void push_into_doubt(struct shaky *shaky)
{
    struct graft_sync_result result;
    uint64_t nth = 1;
    while (status_of(&shaky->replica).state != GRAFT_STATE_IN_DOUBT) {
        graft_faults_arm(&shaky->faults.faults, GRAFT_FAULT_SYNC_DIRECTORY, nth++, GRAFT_EIO, true);
        enum graft_rc rc = graft_push(shaky->replica.volume, &result, &world.err);
        cr_assert_gt(graft_faults_disarm(&shaky->faults.faults), 0, "never in doubt");
        cr_assert_neq(rc, GRAFT_OK);
    }
}

Test(recover, a_pending_push_of_a_process_that_died_is_settled_by_the_next_verb)
{
    struct shaky a;
    struct replica b;
    shaky_open(&a, "a");
    commit_pages(&a.replica, 1, 8, 2);
    push_into_doubt(&a);
    replica_close(&a.replica);
    shaky_open(&a, "a");
    cr_assert_eq(status_of(&a.replica).state, GRAFT_STATE_IN_DOUBT);
    (void)pull_ok(&a.replica);
    cr_assert_eq(status_of(&a.replica).state, GRAFT_STATE_SYNCED);
    cr_assert_eq(status_of(&a.replica).remote_lsn, 1);
    replica_open(&b, &world, "b", world.url);
    expect_page(&b, 8, 2);
    replica_close(&b);
    replica_close(&a.replica);
}

/* New commits take the LSNs of those that were lost: they must not count as what was pushed. */
Test(recover, a_pending_push_of_commits_that_the_log_lost_is_forgotten)
{
    struct shaky a;
    struct replica b;
    struct graft_sync_result result;
    char command[2048];
    shaky_open(&a, "a");
    commit_pages(&a.replica, 1, 8, 2);
    replica_close(&a.replica);
    (void)snprintf(command, sizeof command, "cp -R '%s/a' '%s/lost'", world.dir.path,
                   world.dir.path);
    cr_assert_eq(system(command), 0);
    shaky_open(&a, "a");
    commit_pages(&a.replica, 1, 1, 4);
    push_into_doubt(&a);
    replica_close(&a.replica);
    (void)snprintf(command, sizeof command, "cp '%s/a/pending' '%s/lost/pending'", world.dir.path,
                   world.dir.path);
    cr_assert_eq(system(command), 0);

    shaky_open(&a, "a");
    (void)pull_ok(&a.replica); /* it has landed, if it had not */
    replica_close(&a.replica);
    shaky_open(&a, "lost");
    cr_assert_neq(status_of(&a.replica).state, GRAFT_STATE_IN_DOUBT);
    commit_pages(&a.replica, 2, 1, 6);
    expect_rc(graft_push(a.replica.volume, &result, &world.err), GRAFT_EDIVERGED, &world.err);
    expect_page(&a.replica, 1, 2);
    expect_page(&a.replica, 2, 6);
    replica_open(&b, &world, "b", world.url);
    expect_page(&b, 1, 4);
    expect_page(&b, 2, 2);
    replica_close(&b);
    replica_close(&a.replica);
}
