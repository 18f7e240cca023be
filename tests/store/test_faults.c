/* The first call of disk and shared memory fails, the second, the third ... through opening (and
 * recovering), committing, noting, folding and closing. Nothing acknowledged may be lost, nothing
 * refused may appear, nothing may read wrong, and afterwards the store works. */
#include "kit.h"
#include "power.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "store/parts.h"
#include "support/faultdisk.h"

#define PAGES 12U
#define STATES 64U

struct state {
    uint32_t page_count;
    uint64_t version[PAGES + 1];
};

enum ending { END_CLOSE, END_KILL, END_POWER, ENDINGS };

struct trial {
    struct power *power;
    struct graft_fault_env faults;
    struct kit kit;
    struct state states[STATES]; /* by LSN */
    uint64_t head, durable;
    bool doubt; /* whether the commit after the head counts is not known */
    struct state doubtful;
    uint64_t next_version;
    const char *what; /* of the plan, for messages */
    uint64_t nth;
};

/* ---- One trial ---- */

static void write_some(struct trial *trial, struct graft_store_session *session,
                       struct state *state, enum graft_rc *rc)
{
    uint8_t bytes[KIT_PAGE_BYTES];
    struct graft_err err = {0};
    for (unsigned i = 0; i < 5 && *rc == GRAFT_OK; i++) {
        uint64_t version = trial->next_version++;
        uint32_t page = 1 + (uint32_t)(version * 7 % PAGES);
        kit_fill(bytes, sizeof bytes, page, version);
        *rc = graft_store_write(session, page, bytes, sizeof bytes, &err);
        if (*rc != GRAFT_OK)
            break;
        for (uint32_t k = state->page_count + 1; k < page; k++)
            state->version[k] = 0;
        state->version[page] = version;
        if (page > state->page_count)
            state->page_count = page;
    }
    if (*rc == GRAFT_OK && trial->next_version % 3 == 0) {
        *rc = graft_store_write_page_count(session, 5, &err);
        if (*rc == GRAFT_OK)
            state->page_count = 5;
    }
}

/* Published first and made durable then: it counts from then on, whatever becomes of the sync, but
 * nobody may see it until it is durable. */
static enum graft_rc share(struct trial *trial, struct graft_store_session *session,
                           const struct state *state)
{
    struct graft_err err = {0};
    graft_store_publish(session);
    trial->head++;
    trial->states[trial->head % STATES] = *state;
    trial->doubt = false;
    enum graft_rc rc = graft_store_settle(session, trial->head, &err);
    if (rc == GRAFT_OK)
        trial->durable = trial->head;
    return rc;
}

static enum graft_rc commit(struct trial *trial, struct graft_store_session *session, bool durable)
{
    struct graft_err err = {0};
    enum graft_rc rc = graft_store_write_begin(session, &err);
    if (rc != GRAFT_OK)
        return rc;
    struct state state = trial->states[trial->head % STATES];
    write_some(trial, session, &state, &rc);
    bool shared = durable && trial->head % 2 == 0;
    struct graft_store_commit commit = {.kind = GRAFT_COMMIT_LOCAL, .durable = durable && !shared};
    if (rc == GRAFT_OK)
        rc = graft_store_prepare(session, &commit, &err);
    if (rc == GRAFT_OK && shared)
        return share(trial, session, &state);
    if (rc == GRAFT_OK) {
        graft_store_publish(session);
        trial->head++;
        trial->states[trial->head % STATES] = state;
        trial->doubt = false;
        if (durable)
            trial->durable = trial->head;
        return GRAFT_OK;
    }
    if (graft_store_rollback(session, &err) != GRAFT_OK) {
        trial->doubt = true;
        trial->doubtful = state;
    }
    return rc;
}

static void expect_state(struct trial *trial, struct graft_store_session *session,
                         const struct state *state)
{
    uint8_t bytes[KIT_PAGE_BYTES], wanted[KIT_PAGE_BYTES];
    for (uint32_t page = 1; page <= state->page_count; page++) {
        size_t got = 0;
        struct graft_err err = {0};
        enum graft_rc rc = graft_store_read(session, page, bytes, &got, &err);
        cr_assert(rc == GRAFT_OK, "%s %llu: page %u: %s", trial->what,
                  (unsigned long long)trial->nth, page, err.text);
        kit_fill(wanted, sizeof wanted, page, state->version[page]);
        cr_assert(memcmp(bytes, wanted, got) == 0, "%s %llu: page %u is another", trial->what,
                  (unsigned long long)trial->nth, page);
    }
}

static void check(struct trial *trial, uint64_t least)
{
    struct graft_store_session *session = kit_session(&trial->kit);
    struct graft_store_snapshot snapshot;
    expect_ok(graft_store_begin(session, &snapshot, &trial->kit.err), &trial->kit.err);
    bool doubtful = trial->doubt && snapshot.lsn == trial->head + 1;
    cr_assert(doubtful || (snapshot.lsn >= least && snapshot.lsn <= trial->head),
              "%s %llu: LSN %llu, not %llu to %llu", trial->what, (unsigned long long)trial->nth,
              (unsigned long long)snapshot.lsn, (unsigned long long)least,
              (unsigned long long)trial->head);
    const struct state *state = doubtful ? &trial->doubtful : &trial->states[snapshot.lsn % STATES];
    cr_assert_eq(snapshot.page_count, state->page_count);
    expect_state(trial, session, state);
    struct state now = *state;
    graft_store_session_close(session);
    trial->head = snapshot.lsn;
    trial->states[trial->head % STATES] = now;
    trial->doubt = false;
}

static void may_fail(enum graft_rc rc)
{
    (void)rc;
}

static void operate(struct trial *trial)
{
    struct graft_err err = {0};
    struct graft_store_session *writer = NULL, *reader = NULL;
    struct graft_store_snapshot snapshot;
    uint64_t pinned = trial->head;
    trial->kit.store->half_bytes = 16384;
    trial->kit.store->txn_buffer_bytes = 3 * KIT_PAGE_BYTES;
    if (graft_store_session_open(trial->kit.store, &writer, &err) != GRAFT_OK)
        return;
    bool reads = graft_store_session_open(trial->kit.store, &reader, &err) == GRAFT_OK &&
                 graft_store_begin(reader, &snapshot, &err) == GRAFT_OK;
    for (unsigned i = 0; i < 4; i++) {
        (void)commit(trial, writer, i % 2 == 0);
        graft_store_end(writer);
    }
    may_fail(graft_store_fold(trial->kit.store, &err));
    if (reads) {
        /* What the plan makes fail are reads too: those may be refused, not wrong. */
        uint8_t bytes[KIT_PAGE_BYTES], wanted[KIT_PAGE_BYTES];
        const struct state *state = &trial->states[pinned % STATES];
        for (uint32_t page = 1; page <= state->page_count; page++) {
            size_t got = 0;
            if (graft_store_read(reader, page, bytes, &got, &err) != GRAFT_OK)
                continue;
            kit_fill(wanted, sizeof wanted, page, state->version[page]);
            cr_assert(memcmp(bytes, wanted, got) == 0, "%s %llu: page %u reads wrong", trial->what,
                      (unsigned long long)trial->nth, page);
        }
        graft_store_end(reader);
    }
    for (unsigned i = 0; i < 16; i++) {
        (void)commit(trial, writer, i % 3 == 0);
        graft_store_end(writer);
    }
    if (graft_store_write_begin(writer, &err) == GRAFT_OK) {
        struct graft_sync_state state = {.remote_lsn = 0};
        may_fail(graft_store_note(writer, &state, &err));
        may_fail(graft_store_rollback(writer, &err));
    }
    graft_store_session_close(writer);
    graft_store_session_close(reader);
}

static void finish(struct trial *trial, enum ending ending)
{
    struct kit *kit = &trial->kit;
    uint64_t least = trial->head;
    if (kit->store != NULL) {
        check(trial, trial->head);
        /* It works again, without being opened again. */
        struct graft_store_session *session = kit_session(kit);
        enum graft_rc rc = commit(trial, session, true);
        cr_assert(rc == GRAFT_OK, "%s %llu: a commit afterwards: %s", trial->what,
                  (unsigned long long)trial->nth, graft_rc_name(rc));
        graft_store_session_close(session);
        least = trial->head;
        if (ending == END_CLOSE)
            kit_close(kit);
        else
            kit_crash(kit);
    }
    if (ending == END_POWER) {
        power_fail(trial->power);
        least = trial->durable;
    }
    enum graft_rc rc = graft_store_open(kit->env, kit->path, &kit->store, &kit->err);
    cr_assert(rc == GRAFT_OK, "%s %llu, ending %d: %s", trial->what, (unsigned long long)trial->nth,
              (int)ending, kit->err.text);
    check(trial, least);
    kit_commit(kit, 1, 1, 5555);
    kit_expect_now(kit, 1, 5555);
    kit_close(kit);
}

/* ---- Sweeps ---- */

static void load(struct trial *trial, const struct power_image *image, const struct trial *start)
{
    power_load(trial->power, image);
    memcpy(trial->states, start->states, sizeof trial->states);
    trial->head = start->head;
    trial->durable = start->durable;
    trial->next_version = start->next_version;
    trial->doubt = false;
}

static bool attempt(struct trial *trial, const struct power_image *image, const struct trial *start,
                    enum ending ending, enum graft_rc code, bool on)
{
    load(trial, image, start);
    if (code == GRAFT_ENOMEM)
        graft_faultalloc_arm(&trial->faults.alloc, trial->nth, on);
    else
        graft_faults_arm(&trial->faults.faults, GRAFT_FAULT_ALL, trial->nth, code, on);
    struct graft_err err = {0};
    if (graft_store_open(trial->kit.env, trial->kit.path, &trial->kit.store, &err) == GRAFT_OK)
        operate(trial);
    else
        trial->kit.store = NULL;
    /* At times the close is what fails. */
    if (trial->kit.store != NULL && trial->nth % 4 == 0) {
        kit_close(&trial->kit);
    }
    uint64_t failed = code == GRAFT_ENOMEM ? graft_faultalloc_disarm(&trial->faults.alloc)
                                           : graft_faults_disarm(&trial->faults.faults);
    finish(trial, ending);
    return failed > 0;
}

static void sweep(bool clean, enum graft_rc code, bool on)
{
    static struct trial trial, start;
    memset(&trial, 0, sizeof trial);
    trial.power = power_new(4);
    graft_fault_env_init(&trial.faults, power_env(trial.power));
    struct kit_options options = {.env = &trial.faults.env};
    kit_init(&trial.kit, &options);
    trial.next_version = 1;
    operate(&trial);
    if (clean)
        kit_close(&trial.kit);
    else
        kit_crash(&trial.kit);
    struct power_image *image = power_save(trial.power);
    trial.durable = trial.head;
    start = trial;
    for (unsigned ending = 0; ending < ENDINGS; ending++) {
        uint64_t calls = 0;
        /* There are many: briefly, each call is looked at by one of the three endings. */
        for (trial.nth = kit_scale(1 + ending, 1);; trial.nth += kit_scale(ENDINGS, 1)) {
            trial.what = code == GRAFT_ENOMEM ? "allocation" : "call";
            if (!attempt(&trial, image, &start, (enum ending)ending, code, on))
                break;
            calls++;
        }
        cr_assert_gt(calls, kit_scale(50 / ENDINGS, 50));
    }
    power_image_free(image);
    graft_config_deinit(&trial.kit.config);
    graft_test_dir_remove(&trial.kit.dir);
    power_free(trial.power);
}

Test(faults, every_call_that_fails_once_with_an_error)
{
    sweep(false, GRAFT_EIO, false);
    sweep(true, GRAFT_EIO, false);
}

Test(faults, every_call_that_fails_once_with_a_full_disk)
{
    sweep(false, GRAFT_EFULL, false);
    sweep(true, GRAFT_EFULL, false);
}

Test(faults, every_call_from_one_on)
{
    sweep(false, GRAFT_EIO, true);
    sweep(true, GRAFT_EFULL, true);
}

Test(faults, every_allocation_that_fails)
{
    sweep(false, GRAFT_ENOMEM, false);
}

/* ---- Syncs that fail and lose what they covered ---- */

static void expect_pinned(struct trial *trial, struct graft_store_session *session,
                          const struct state *state)
{
    struct graft_store_snapshot snapshot;
    if (graft_store_pinned(session, &snapshot))
        expect_state(trial, session, state);
}

/* Refused only while a commit is in doubt. */
static void may_begin(struct trial *trial, struct graft_store_session *session)
{
    struct graft_store_snapshot snapshot;
    enum graft_rc rc = graft_store_begin(session, &snapshot, &trial->kit.err);
    if (rc != GRAFT_OK)
        cr_assert(rc == GRAFT_EIO && graft_store_in_doubt(trial->kit.store), "%s %llu: %s",
                  trial->what, (unsigned long long)trial->nth, trial->kit.err.text);
}

static void stumble(struct trial *trial, struct kit_random *random, uint64_t steps)
{
    struct graft_store_session *writer = kit_session(&trial->kit);
    struct graft_store_session *reader = kit_session(&trial->kit);
    struct state pinned = trial->states[0];
    trial->kit.store->half_bytes = 16384;
    trial->kit.store->txn_buffer_bytes = 3 * KIT_PAGE_BYTES;
    for (uint64_t i = 0; i < steps; i++) {
        uint64_t what = kit_below(random, 100);
        struct graft_store_snapshot snapshot;
        if (what < 60) {
            may_fail(commit(trial, writer, what < 30));
            graft_store_end(writer);
        } else if (what < 70) {
            if (!graft_store_pinned(reader, &snapshot))
                pinned = trial->states[trial->head % STATES];
            may_begin(trial, reader);
        } else if (what < 85) {
            expect_pinned(trial, reader, &pinned);
            graft_store_end(reader);
        } else {
            may_fail(graft_store_fold(trial->kit.store, &trial->kit.err));
        }
        if (what % 7 == 0) {
            may_begin(trial, writer);
            expect_pinned(trial, writer, &trial->states[trial->head % STATES]);
            graft_store_end(writer);
        }
    }
    graft_store_session_close(writer);
    graft_store_session_close(reader);
}

static void reopen(struct trial *trial, struct kit_random *random)
{
    struct kit *kit = &trial->kit;
    uint64_t least = trial->head;
    uint64_t how = kit_below(random, 3);
    if (how == 0)
        kit_close(kit);
    else
        kit_crash(kit);
    if (how == 2) {
        power_fail(trial->power);
        least = trial->durable;
    }
    enum graft_rc rc = GRAFT_EIO;
    for (unsigned tries = 0; rc == GRAFT_EIO && tries < 100; tries++) {
        rc = graft_store_open(kit->env, kit->path, &kit->store, &kit->err);
        if (rc != GRAFT_OK && kit_below(random, 4) == 0) {
            power_fail(trial->power);
            least = trial->durable;
        }
    }
    cr_assert(rc == GRAFT_OK, "%s %llu: %s", trial->what, (unsigned long long)trial->nth,
              kit->err.text);
    check(trial, least);
    /* What recovery found is durable now. */
    trial->durable = trial->head;
}

Test(faults, syncs_that_fail_and_lose_what_they_covered)
{
    static struct trial trial;
    const char *only = getenv("GRAFT_FAULT_SEED");
    uint64_t first = only != NULL ? strtoull(only, NULL, 10) : 1;
    const char *many = getenv("GRAFT_FAULT_SEEDS");
    uint64_t last = many != NULL ? strtoull(many, NULL, 10) : kit_scale(50, 600);
    for (uint64_t seed = first; seed <= (only != NULL ? first : last); seed++) {
        memset(&trial, 0, sizeof trial);
        trial.power = power_new(seed);
        trial.what = "seed";
        trial.nth = seed;
        trial.next_version = 1;
        struct kit_options options = {.env = power_env(trial.power)};
        kit_init(&trial.kit, &options);
        struct kit_random random = {seed * 977 + 5};
        power_fail_syncs(trial.power, 100);
        for (unsigned round = 0; round < 6; round++) {
            stumble(&trial, &random, 40);
            reopen(&trial, &random);
        }
        power_fail_syncs(trial.power, 0);
        kit_deinit(&trial.kit);
        power_free(trial.power);
    }
}
