/* Commits that share a sync, and the writer role. */
#include "kit.h"
#include "power.h"

#include <pthread.h>
#include <string.h>

#include "store/parts.h"
#include "support/faultdisk.h"

static void publish_one(struct kit *kit, struct graft_store_session *session, uint64_t version)
{
    expect_ok(graft_store_write_begin(session, &kit->err), &kit->err);
    kit_write(kit, session, 1, version);
    kit_finish(kit, session, false);
}

Test(group, one_sync_makes_all_durable_that_were_published_before_it)
{
    struct power *power = power_new(3);
    struct kit kit;
    struct kit_options options = {.env = power_env(power)};
    kit_init(&kit, &options);
    struct graft_store_session *a = kit_session(&kit), *b = kit_session(&kit);
    publish_one(&kit, a, 1);
    publish_one(&kit, b, 2);
    uint64_t before = power_syncs(power);
    expect_ok(graft_store_settle(b, 2, &kit.err), &kit.err);
    expect_ok(graft_store_settle(a, 1, &kit.err), &kit.err);
    cr_assert_eq(power_syncs(power), before + 1);
    graft_store_session_close(a);
    graft_store_session_close(b);
    kit_crash(&kit);
    power_fail(power);
    kit_open(&kit);
    kit_expect_now(&kit, 1, 2);
    kit_deinit(&kit);
    power_free(power);
}

Test(group, a_shared_sync_that_fails_saves_the_commits_elsewhere)
{
    struct power *power = power_new(3);
    struct kit kit;
    struct graft_fault_env faults;
    graft_fault_env_init(&faults, power_env(power));
    struct kit_options options = {.env = &faults.env};
    kit_init(&kit, &options);
    struct graft_store_session *session = kit_session(&kit);
    publish_one(&kit, session, 1);
    graft_faults_arm(&faults.faults, GRAFT_FAULT_ALL, 1, GRAFT_EIO, false);
    expect_ok(graft_store_settle(session, 1, &kit.err), &kit.err);
    graft_faults_disarm(&faults.faults);
    cr_assert_eq(graft_synced_load(kit.store), 1);
    graft_store_session_close(session);
    kit_crash(&kit);
    power_fail(power);
    kit_open(&kit);
    kit_expect_now(&kit, 1, 1);
    kit_deinit(&kit);
    power_free(power);
}

Test(group, what_cannot_be_made_durable_is_seen_by_nobody_until_it_is)
{
    struct power *power = power_new(3);
    struct kit kit;
    struct graft_fault_env faults;
    graft_fault_env_init(&faults, power_env(power));
    struct kit_options options = {.env = &faults.env};
    kit_init(&kit, &options);
    kit_commit(&kit, 1, 1, 1);
    struct graft_store_session *session = kit_session(&kit), *other = kit_session(&kit);
    struct graft_store_snapshot snapshot;
    publish_one(&kit, session, 2);
    graft_faults_arm(&faults.faults, GRAFT_FAULT_ALL, 1, GRAFT_EIO, true);
    expect_rc(graft_store_settle(session, 2, &kit.err), GRAFT_EIO, &kit.err);
    expect_rc(graft_store_begin(other, &snapshot, &kit.err), GRAFT_EIO, &kit.err);
    expect_rc(graft_store_write_begin(other, &kit.err), GRAFT_EIO, &kit.err);
    graft_faults_disarm(&faults.faults);
    expect_ok(graft_store_begin(other, &snapshot, &kit.err), &kit.err);
    cr_assert_eq(snapshot.lsn, 2);
    cr_assert_geq(graft_synced_load(kit.store), 2);
    graft_store_session_close(session);
    graft_store_session_close(other);
    kit_crash(&kit);
    power_fail(power);
    kit_open(&kit);
    kit_expect_now(&kit, 1, 2);
    kit_deinit(&kit);
    power_free(power);
}

Test(group, the_role_of_a_writer_that_died_is_free)
{
    struct kit kit;
    kit_init(&kit, NULL);
    struct graft_store_session *dead = kit_session(&kit), *next = kit_session(&kit);
    expect_ok(graft_store_write_begin(dead, &kit.err), &kit.err);
    expect_rc(graft_store_write_begin(next, &kit.err), GRAFT_EBUSY, &kit.err);
    kit_abandon(&kit, dead);
    expect_ok(graft_store_write_begin(next, &kit.err), &kit.err);
    expect_ok(graft_store_rollback(next, &kit.err), &kit.err);
    graft_store_session_close(next);
    kit_deinit(&kit);
}

Test(group, the_role_is_free_when_the_mark_of_a_dead_writer_is_taken_again)
{
    struct kit kit;
    kit_init(&kit, NULL);
    struct graft_store_session *dead = kit_session(&kit);
    expect_ok(graft_store_write_begin(dead, &kit.err), &kit.err);
    graft_header_store(kit.store, GRAFT_W_SYNCING, dead->mark + 1U);
    uint32_t mark = dead->mark;
    kit_abandon(&kit, dead);
    kit.store->mark_hint = mark;
    struct graft_store_session *heir = kit_session(&kit), *other = kit_session(&kit);
    cr_assert_eq(heir->mark, mark);
    publish_one(&kit, other, 1);
    expect_ok(graft_store_settle(other, 1, &kit.err), &kit.err);
    graft_store_session_close(heir);
    graft_store_session_close(other);
    kit_deinit(&kit);
}

/* Something happens just before the next store into the word of the role. */
static struct {
    struct graft_shm_ops ops;
    struct kit *kit;
    void (*then)(void);
    uint32_t wakes;
    struct graft_store_session *first, *second;
} between;

static void before_role(struct graft_shm *shm, const _Atomic uint64_t *word)
{
    (void)shm;
    void (*then)(void) = between.then;
    if (then == NULL || word != &between.kit->store->header[GRAFT_W_WRITER])
        return;
    between.then = NULL;
    then();
}

/* Nobody sleeps the first time, and somebody does from then on. */
static bool wake_somebody(struct graft_shm *shm, _Atomic uint64_t *word, uint32_t count)
{
    (void)shm;
    (void)word;
    (void)count;
    return between.wakes++ > 0;
}

static const struct graft_shm_ops *stand_between(struct kit *kit)
{
    struct graft_shm *shm = kit->store->env->shm;
    const struct graft_shm_ops *real = shm->ops;
    between.ops = *real;
    between.ops.before_store = before_role;
    between.ops.wake = wake_somebody;
    between.kit = kit;
    between.wakes = 0;
    shm->ops = &between.ops;
    return real;
}

static void heir_takes_the_role(void)
{
    struct kit *kit = between.kit;
    between.first = kit_session(kit);
    cr_assert(graft_writer_take(between.first, 0));
    (void)atomic_fetch_or(&kit->store->header[GRAFT_W_WRITER], 1); /* somebody waits for it */
}

Test(group, the_heir_of_a_mark_keeps_the_role_that_it_took)
{
    struct kit kit;
    kit_init(&kit, NULL);
    struct graft_store_session *dead = kit_session(&kit), *other = kit_session(&kit);
    cr_assert(graft_writer_take(dead, 0));
    (void)atomic_fetch_or(&kit.store->header[GRAFT_W_WRITER], 1);
    uint32_t mark = dead->mark;
    kit_abandon(&kit, dead);
    kit.store->mark_hint = mark;
    const struct graft_shm_ops *real = stand_between(&kit);
    between.then = heir_takes_the_role; /* when `other` has found the owner dead */
    cr_assert_not(graft_writer_take(other, 0));
    kit.store->env->shm->ops = real;
    cr_assert_eq(between.first->mark, mark);
    graft_writer_release(between.first);
    graft_store_session_close(between.first);
    graft_store_session_close(other);
    kit_deinit(&kit);
}

static void role_passes_on(void)
{
    cr_assert(graft_writer_take(between.second, 0));
    (void)atomic_fetch_or(&between.kit->store->header[GRAFT_W_WRITER], 1); /* two sleep */
    graft_writer_release(between.second);                                  /* one is woken */
}

static bool wake_nobody_then_pass_on(struct graft_shm *shm, _Atomic uint64_t *word, uint32_t count)
{
    (void)shm;
    (void)word;
    (void)count;
    if (between.wakes++ > 0)
        return true;
    role_passes_on();
    return false;
}

Test(group, who_found_nobody_to_wake_does_not_speak_for_those_who_came_after)
{
    struct kit kit;
    kit_init(&kit, NULL);
    between.first = kit_session(&kit);
    between.second = kit_session(&kit);
    cr_assert(graft_writer_take(between.first, 0));
    (void)atomic_fetch_or(&kit.store->header[GRAFT_W_WRITER], 1); /* and went away */
    const struct graft_shm_ops *real = stand_between(&kit);
    between.then = NULL;
    graft_writer_release(between.first);
    cr_assert_not(graft_writer_is_wanted(kit.store));
    cr_assert(graft_writer_take(between.first, 0));
    (void)atomic_fetch_or(&kit.store->header[GRAFT_W_WRITER], 1);
    between.wakes = 0;
    between.ops.wake = wake_nobody_then_pass_on;
    graft_writer_release(between.first);
    cr_assert(graft_writer_is_wanted(kit.store));
    kit.store->env->shm->ops = real;
    graft_store_session_close(between.first);
    graft_store_session_close(between.second);
    kit_deinit(&kit);
}

struct worker {
    struct kit *kit;
    unsigned commits, busy;
};

static void *commit_many(void *arg)
{
    struct worker *worker = arg;
    struct kit *kit = worker->kit;
    struct graft_err err = {0};
    struct graft_store_session *session = NULL;
    expect_ok(graft_store_session_open(kit->store, &session, &err), &err);
    while (worker->commits < 50) {
        enum graft_rc rc = graft_store_write_begin(session, &err);
        worker->busy += rc == GRAFT_EBUSY;
        if (rc == GRAFT_EBUSY)
            continue;
        expect_ok(rc, &err);
        uint8_t bytes[KIT_PAGE_BYTES];
        uint64_t lsn = session->txn.lsn;
        kit_fill(bytes, sizeof bytes, 1, lsn);
        expect_ok(graft_store_write(session, 1, bytes, sizeof bytes, &err), &err);
        struct graft_store_commit commit = {.kind = GRAFT_COMMIT_LOCAL};
        expect_ok(graft_store_prepare(session, &commit, &err), &err);
        graft_store_publish(session);
        expect_ok(graft_store_settle(session, lsn, &err), &err);
        cr_assert_geq(graft_synced_load(kit->store), lsn);
        graft_store_end(session);
        worker->commits++;
    }
    graft_store_session_close(session);
    return NULL;
}

Test(group, threads_that_commit_at_once_share_syncs)
{
    struct kit kit;
    kit_init(&kit, NULL);
    struct worker workers[8];
    pthread_t threads[8];
    uint64_t before = graft_store_counts(kit.store)->syncs;
    for (unsigned i = 0; i < 8; i++) {
        workers[i] = (struct worker){.kit = &kit};
        cr_assert_eq(pthread_create(&threads[i], NULL, commit_many, &workers[i]), 0);
    }
    for (unsigned i = 0; i < 8; i++)
        cr_assert_eq(pthread_join(threads[i], NULL), 0);
    uint64_t lsn = graft_store_newest_lsn(kit.store);
    cr_assert_eq(lsn, 400);
    cr_assert_lt(graft_store_counts(kit.store)->syncs - before, 400);
    kit_expect_now(&kit, 1, lsn);
    kit_deinit(&kit);
}
