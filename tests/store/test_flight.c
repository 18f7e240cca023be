/* Syncs under way, and those whose process died in them. A second store on the directory stands for
 * another process; that one dies is that its lock goes and its entry stays. */
#include "kit.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

#include "store/parts.h"

static struct graft_flight begin(struct kit *kit, enum graft_synced_file synced)
{
    struct graft_flight flight;
    expect_ok(graft_flight_begin(kit->store, synced, &flight, &kit->err), &kit->err);
    return flight;
}

static void die_in(struct kit *kit, const struct graft_flight *flight)
{
    kit->store->flights[flight->side] = 0;
    graft_lock_release(kit->store->locks,
                       flight->side == 0 ? GRAFT_LOCK_FLIGHTS : GRAFT_LOCK_FLIGHTS_OTHER);
}

static struct graft_store *open_another(struct kit *kit)
{
    struct graft_store *store = NULL;
    expect_ok(graft_store_open(kit->env, kit->path, &store, &kit->err), &kit->err);
    return store;
}

Test(flight, one_that_ended_is_nothing_to_whoever_opens)
{
    struct kit kit;
    kit_init(&kit, NULL);
    kit_commit(&kit, 1, 3, 1);
    struct graft_store *other = open_another(&kit);
    cr_assert_eq(graft_header_load(other, GRAFT_W_POISON), 0);
    cr_assert_eq(graft_header_load(other, GRAFT_W_SUSPECT), 0);
    cr_assert_eq(graft_header_load(other, GRAFT_W_FLIGHT_SIDE), 0);
    graft_store_close(other);
    kit_deinit(&kit);
}

/* Somebody else's death, whose answer a store that is opened now does not know. */
static struct graft_store *open_after_a_death(struct kit *kit)
{
    struct graft_flight flight = begin(kit, GRAFT_SYNCED_LOG);
    die_in(kit, &flight);
    struct graft_store *other = open_another(kit);
    cr_assert_eq(graft_header_load(other, GRAFT_W_POISON), 0);
    cr_assert_eq(graft_header_load(other, GRAFT_W_SUSPECT), 0);
    cr_assert_eq(graft_header_load(other, GRAFT_W_UNHEARD), graft_store_newest_lsn(other) + 1);
    return other;
}

static void commit_in(struct kit *kit, struct graft_store *store, uint32_t page, uint64_t version,
                      bool durable)
{
    struct graft_store *own = kit->store;
    kit->store = store;
    struct graft_store_session *session = kit_session(kit);
    expect_ok(graft_store_write_begin(session, &kit->err), &kit->err);
    kit_write(kit, session, page, version);
    kit_finish(kit, session, durable);
    graft_store_session_close(session);
    kit->store = own;
}

Test(flight, after_a_death_whoever_opened_later_believes_no_sync_of_its_own)
{
    struct kit kit;
    kit_init(&kit, NULL);
    commit_in(&kit, kit.store, 1, 1, false);
    struct graft_store *other = open_after_a_death(&kit);
    cr_assert(graft_log_is_unheard(other));
    cr_assert_not(graft_log_is_unheard(kit.store));
    expect_rc(graft_store_flush(other, &kit.err), GRAFT_EIO, &kit.err);
    cr_assert_eq(graft_synced_load(other), 0);
    uint64_t folded = 0;
    expect_ok(graft_fold_run(other, &folded, &kit.err), &kit.err);
    cr_assert_eq(folded, 0);
    /* Its own next commit writes again what is in doubt. */
    commit_in(&kit, other, 2, 2, true);
    cr_assert_not(graft_log_is_unheard(other));
    cr_assert_eq(graft_header_load(other, GRAFT_W_UNHEARD), 0);
    cr_assert_eq(graft_synced_load(other), 2);
    graft_store_close(other);
    kit_crash(&kit);
    kit_open(&kit);
    kit_expect_now(&kit, 1, 1);
    kit_expect_now(&kit, 2, 2);
    kit_deinit(&kit);
}

Test(flight, who_wrote_the_log_again_is_heard_whoever_dies_next)
{
    struct kit kit;
    kit_init(&kit, NULL);
    commit_in(&kit, kit.store, 1, 1, false);
    struct graft_store *other = open_after_a_death(&kit);
    commit_in(&kit, other, 2, 2, false);
    cr_assert_eq(graft_synced_load(other), 1);
    cr_assert_eq(graft_header_load(other, GRAFT_W_UNHEARD), 0);
    struct graft_store *third = open_after_a_death(&kit);
    cr_assert_not(graft_log_is_unheard(other));
    expect_ok(graft_store_flush(other, &kit.err), &kit.err);
    cr_assert_eq(graft_synced_load(other), 2);
    graft_store_close(other);
    graft_store_close(third);
    kit_deinit(&kit);
}

Test(flight, what_the_log_lost_is_no_rot_while_a_death_may_be_the_cause)
{
    struct kit kit;
    kit_init(&kit, NULL);
    commit_in(&kit, kit.store, 1, 1, false);
    cr_assert_eq(graft_log_damage(kit.store, 0), GRAFT_ECORRUPT);
    struct graft_flight flight = begin(&kit, GRAFT_SYNCED_LOG);
    cr_assert_eq(graft_log_damage(kit.store, 0), GRAFT_EIO);
    die_in(&kit, &flight);
    cr_assert_eq(graft_log_damage(kit.store, 0), GRAFT_EIO);
    struct graft_store *other = open_another(&kit);
    cr_assert_eq(graft_log_damage(kit.store, 0), GRAFT_EIO);
    commit_in(&kit, other, 1, 2, true);
    cr_assert_eq(graft_log_damage(kit.store, 0), GRAFT_ECORRUPT);
    graft_store_close(other);
    kit_deinit(&kit);
}

Test(flight, a_sync_by_one_who_was_there_ends_the_doubt)
{
    struct kit kit;
    kit_init(&kit, NULL);
    commit_in(&kit, kit.store, 1, 1, false);
    struct graft_store *other = open_after_a_death(&kit);
    expect_ok(graft_store_flush(kit.store, &kit.err), &kit.err);
    /* Not what was under way when it opened. */
    cr_assert(graft_log_is_unheard(other));
    commit_in(&kit, kit.store, 1, 2, true);
    cr_assert_not(graft_log_is_unheard(other));
    expect_ok(graft_store_flush(other, &kit.err), &kit.err);
    graft_store_close(other);
    kit_deinit(&kit);
}

Test(flight, whoever_opens_between_a_death_and_its_mending_is_in_doubt_too)
{
    struct kit kit;
    kit_init(&kit, NULL);
    commit_in(&kit, kit.store, 1, 1, false);
    struct graft_store *other = open_after_a_death(&kit), *third = open_another(&kit);
    cr_assert(graft_log_is_unheard(third));
    commit_in(&kit, other, 1, 2, true);
    cr_assert_not(graft_log_is_unheard(third));
    graft_store_close(other);
    graft_store_close(third);
    kit_deinit(&kit);
}

Test(flight, readers_of_old_snapshots_do_not_keep_deaths_from_being_mended)
{
    struct kit kit;
    kit_init(&kit, NULL);
    kit_commit(&kit, 1, 3, 1);
    struct graft_store_session *reader = kit_session(&kit);
    struct graft_store_snapshot snapshot;
    expect_ok(graft_store_begin(reader, &snapshot, &kit.err), &kit.err);
    unsigned half = (unsigned)graft_header_load(kit.store, GRAFT_W_HALF);
    for (uint64_t version = 2; version < 6; version++) {
        struct graft_store *other = open_after_a_death(&kit);
        commit_in(&kit, other, 2, version, true);
        cr_assert_eq(graft_synced_load(kit.store), version);
        graft_store_close(other);
    }
    cr_assert_eq(graft_header_load(kit.store, GRAFT_W_HALF), half);
    kit_expect(&kit, reader, 2, 1);
    graft_store_session_close(reader);
    kit_deinit(&kit);
}

Test(flight, a_commit_under_way_does_not_notice_the_death_of_another_process)
{
    struct kit kit;
    kit_init(&kit, NULL);
    kit_commit(&kit, 1, 1, 1);
    struct graft_store_session *session = kit_session(&kit);
    expect_ok(graft_store_write_begin(session, &kit.err), &kit.err);
    kit_write(&kit, session, 1, 2);
    struct graft_store *other = open_after_a_death(&kit);
    kit_finish(&kit, session, true);
    cr_assert_not(graft_log_is_unheard(other));
    graft_store_session_close(session);
    graft_store_close(other);
    kit_deinit(&kit);
}

Test(flight, a_sync_of_the_table_whose_process_died_has_it_written_again)
{
    struct kit kit;
    kit_init(&kit, NULL);
    kit_commit(&kit, 1, 3, 1);
    struct graft_flight flight = begin(&kit, GRAFT_SYNCED_TABLE);
    die_in(&kit, &flight);
    struct graft_store *other = open_another(&kit);
    cr_assert_eq(graft_header_load(other, GRAFT_W_POISON), 0);
    cr_assert_eq(graft_header_load(other, GRAFT_W_SUSPECT), 1);
    expect_ok(graft_store_fold(other, &kit.err), &kit.err);
    cr_assert_eq(graft_header_load(other, GRAFT_W_SUSPECT), 0);
    graft_store_close(other);
    kit_deinit(&kit);
}

Test(flight, one_who_died_while_opening_hides_nothing)
{
    struct kit kit;
    kit_init(&kit, NULL);
    kit_commit(&kit, 1, 1, 1);
    struct graft_flight flight = begin(&kit, GRAFT_SYNCED_LOG);
    die_in(&kit, &flight);
    graft_header_store(kit.store, GRAFT_W_FLIGHT_SIDE, 1 - flight.side);
    struct graft_store *other = open_another(&kit);
    cr_assert(graft_log_is_unheard(other));
    graft_store_close(other);
    kit_deinit(&kit);
}

/* ---- Waiting ---- */

struct opening {
    struct kit *kit;
    struct graft_store *store;
    atomic_bool done;
};

static void *open_there(void *arg)
{
    struct opening *opening = arg;
    struct graft_err err = {0};
    expect_ok(graft_store_open(opening->kit->env, opening->kit->path, &opening->store, &err), &err);
    atomic_store(&opening->done, true);
    return NULL;
}

static void sleep_ms(long ms)
{
    (void)nanosleep(&(struct timespec){.tv_nsec = ms * 1000000}, NULL);
}

static void turn_awaited(struct kit *kit, unsigned side)
{
    for (int i = 0; i < 5000 && graft_header_load(kit->store, GRAFT_W_FLIGHT_SIDE) == side; i++)
        sleep_ms(1);
    cr_assert_neq(graft_header_load(kit->store, GRAFT_W_FLIGHT_SIDE), side);
}

Test(flight, whoever_opens_waits_for_what_had_begun_and_for_nothing_else)
{
    struct kit kit;
    kit_init(&kit, NULL);
    kit_commit(&kit, 1, 1, 1);
    struct graft_flight first = begin(&kit, GRAFT_SYNCED_LOG);
    struct graft_flight second = begin(&kit, GRAFT_SYNCED_TABLE);
    cr_assert_eq(first.side, second.side);
    struct opening opening = {.kit = &kit};
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, open_there, &opening), 0);
    turn_awaited(&kit, first.side);
    struct graft_flight later = begin(&kit, GRAFT_SYNCED_LOG);
    cr_assert_neq(later.side, first.side);
    graft_flight_end(kit.store, &first);
    sleep_ms(50);
    cr_assert_not(atomic_load(&opening.done));
    graft_flight_end(kit.store, &second);
    cr_assert_eq(pthread_join(thread, NULL), 0);
    cr_assert_eq(graft_header_load(kit.store, GRAFT_W_POISON), 0);
    cr_assert_eq(graft_header_load(kit.store, GRAFT_W_SUSPECT), 0);
    graft_flight_end(kit.store, &later);
    graft_store_close(opening.store);
    kit_deinit(&kit);
}
