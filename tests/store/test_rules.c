/* The contract, rule by rule: voided and half-published commits, super-journals, the ahead set,
 * notes, installs beside old readers, forgetting, resetting, becoming another volume. */
#include "kit.h"
#include "power.h"

#include <stdio.h>
#include <string.h>

#include "store/parts.h"

static struct graft_store_session *prepared(struct kit *kit, uint32_t page, uint64_t version,
                                            const char *super_journal)
{
    struct graft_store_session *session = kit_session(kit);
    expect_ok(graft_store_write_begin(session, &kit->err), &kit->err);
    kit_write(kit, session, page, version);
    struct graft_store_commit commit = {
        .kind = GRAFT_COMMIT_LOCAL, .durable = true, .super_journal = super_journal};
    expect_ok(graft_store_prepare(session, &commit, &kit->err), &kit->err);
    return session;
}

/* ---- Prepared commits ---- */

Test(rules, a_commit_that_was_voided_does_not_come_back)
{
    struct kit kit;
    kit_init(&kit, NULL);
    kit_commit(&kit, 1, 2, 1);
    struct graft_store_session *session = prepared(&kit, 1, 2, NULL);
    expect_ok(graft_store_rollback(session, &kit.err), &kit.err);
    graft_store_session_close(session);
    kit_crash(&kit);
    kit_open(&kit);
    cr_assert_eq(graft_store_newest_lsn(kit.store), 1);
    kit_expect_now(&kit, 1, 1);
    kit_deinit(&kit);
}

Test(rules, a_commit_that_was_prepared_counts_after_a_crash)
{
    struct kit kit;
    kit_init(&kit, NULL);
    kit_commit(&kit, 1, 2, 1);
    kit_abandon(&kit, prepared(&kit, 1, 2, NULL));
    kit_crash(&kit);
    kit_open(&kit);
    cr_assert_eq(graft_store_newest_lsn(kit.store), 2);
    kit_expect_now(&kit, 1, 2);
    kit_deinit(&kit);
}

static void crash_with_super_journal(bool gone)
{
    struct power *power = power_new(1);
    struct kit kit;
    struct kit_options options = {.env = power_env(power)};
    kit_init(&kit, &options);
    kit_commit(&kit, 1, 2, 1);
    power_touch(power, "/super");
    struct graft_store_session *session = prepared(&kit, 1, 2, "/super");
    kit_abandon(&kit, session);
    kit_crash(&kit);
    if (gone)
        power_remove(power, "/super");
    for (unsigned pass = 0; pass < 2; pass++) {
        kit_open(&kit);
        cr_assert_eq(graft_store_newest_lsn(kit.store), gone ? 2 : 1);
        kit_expect_now(&kit, 1, gone ? 2 : 1);
        kit_crash(&kit);
    }
    graft_config_deinit(&kit.config);
    graft_test_dir_remove(&kit.dir);
    power_free(power);
}

Test(rules, a_commit_with_a_super_journal_counts_only_when_that_is_gone)
{
    crash_with_super_journal(true);
    crash_with_super_journal(false);
}

Test(rules, a_super_journal_that_stands_does_not_undo_what_was_built_upon)
{
    struct power *power = power_new(1);
    struct kit kit;
    struct kit_options options = {.env = power_env(power)};
    kit_init(&kit, &options);
    struct graft_store_session *session = prepared(&kit, 1, 2, "/super");
    graft_store_publish(session);
    graft_store_session_close(session);
    kit_commit(&kit, 2, 1, 3);
    power_touch(power, "/super");
    kit_crash(&kit);
    kit_open(&kit);
    cr_assert_eq(graft_store_newest_lsn(kit.store), 2);
    kit_deinit(&kit);
    power_free(power);
}

/* Publishes up to somewhere, as a process that dies there would. */
static void publish_partly(struct kit *kit, struct graft_store_session *session, unsigned words)
{
    struct graft_store *store = kit->store;
    struct graft_txn *txn = &session->txn;
    graft_header_store(store, GRAFT_W_PUBLISHING_START, txn->start);
    graft_header_store(store, GRAFT_W_PUBLISHING_CHAIN, graft_header_load(store, GRAFT_W_CHAIN));
    graft_header_store(store, GRAFT_W_PUBLISHING, txn->lsn);
    for (unsigned i = 0; i < words && i < txn->page_total; i++) {
        _Atomic uint64_t *slot = NULL;
        expect_ok(graft_table_word(store, txn->pages[i], &slot, &kit->err), &kit->err);
        graft_publish_word(store, slot, graft_txn_find(txn, txn->pages[i])->where);
    }
    kit_abandon(kit, session);
}

Test(rules, the_next_writer_finishes_what_one_that_died_was_publishing)
{
    for (unsigned words = 0; words <= 4; words++) {
        struct kit kit;
        kit_init(&kit, NULL);
        kit_commit(&kit, 1, 4, 1);
        struct graft_store_session *reader = kit_session(&kit), *dying = kit_session(&kit);
        struct graft_store_snapshot snapshot;
        expect_ok(graft_store_begin(reader, &snapshot, &kit.err), &kit.err);
        expect_ok(graft_store_write_begin(dying, &kit.err), &kit.err);
        for (uint32_t page = 1; page <= 4; page++)
            kit_write(&kit, dying, page, 2);
        struct graft_store_commit commit = {.kind = GRAFT_COMMIT_LOCAL, .durable = true};
        expect_ok(graft_store_prepare(dying, &commit, &kit.err), &kit.err);
        publish_partly(&kit, dying, words);
        for (uint32_t page = 1; page <= 4; page++)
            kit_expect(&kit, reader, page, 1);
        cr_assert_eq(graft_store_newest_lsn(kit.store), 1);
        struct graft_store_session *next = kit_session(&kit);
        expect_ok(graft_store_write_begin(next, &kit.err), &kit.err);
        cr_assert_eq(graft_store_newest_lsn(kit.store), 2);
        for (uint32_t page = 1; page <= 4; page++)
            kit_expect(&kit, next, page, 2);
        kit_write(&kit, next, 3, 3);
        kit_finish(&kit, next, true);
        for (uint32_t page = 1; page <= 4; page++)
            kit_expect(&kit, reader, page, 1);
        graft_store_session_close(next);
        graft_store_session_close(reader);
        kit_crash(&kit);
        kit_open(&kit);
        kit_expect_now(&kit, 2, 2);
        kit_expect_now(&kit, 3, 3);
        kit_deinit(&kit);
    }
}

/* ---- Ahead, notes ---- */

static void expect_ahead(struct kit *kit, uint64_t lsn, const char *wanted, uint64_t commits)
{
    struct graft_pageset pages;
    uint64_t found = 0;
    char text[256] = "";
    graft_pageset_init(&pages, kit->env->alloc);
    expect_ok(graft_store_ahead(kit->store, lsn, &pages, &found, &kit->err), &kit->err);
    for (uint32_t i = 0; i < pages.run_count; i++)
        (void)snprintf(text + strlen(text), sizeof text - strlen(text), "%u+%u ",
                       pages.runs[i].first, pages.runs[i].count);
    cr_assert_str_eq(text, wanted);
    cr_assert_eq(found, commits);
    graft_pageset_deinit(&pages);
}

static void note(struct kit *kit, uint64_t remote_lsn, uint64_t pushed_lsn, uint64_t pending_lsn)
{
    struct graft_store_session *session = kit_session(kit);
    expect_ok(graft_store_write_begin(session, &kit->err), &kit->err);
    struct graft_sync_state state = {.remote_lsn = remote_lsn,
                                     .pushed_lsn = pushed_lsn,
                                     .pending_lsn = pending_lsn,
                                     .pending_remote_lsn = pending_lsn > 0 ? remote_lsn + 1 : 0};
    expect_ok(graft_store_note(session, &state, &kit->err), &kit->err);
    /* The lock stays with the caller, who may go on to write. */
    cr_assert(graft_store_writing(session));
    expect_ok(graft_store_rollback(session, &kit->err), &kit->err);
    graft_store_session_close(session);
}

Test(rules, the_ahead_set_outlives_folds_halves_and_reopening)
{
    struct kit kit;
    kit_init(&kit, NULL);
    kit.store->half_bytes = 4096;
    kit_commit(&kit, 1, 2, 1);
    kit_commit(&kit, 5, 3, 2);
    expect_ahead(&kit, 0, "1+7 ", 2);
    note(&kit, 4, 2, 0);
    expect_ahead(&kit, 0, "", 0);
    kit_commit(&kit, 3, 1, 3);
    for (uint64_t version = 4; version < 24; version++)
        kit_commit(&kit, 6, 1, version);
    expect_ahead(&kit, 0, "3+1 6+1 ", 21);
    expect_ok(graft_store_fold(kit.store, &kit.err), &kit.err);
    for (uint64_t version = 24; version < 44; version++)
        kit_commit(&kit, 6, 1, version);
    cr_assert_geq(graft_store_counts(kit.store)->folds, 2);
    expect_ahead(&kit, 0, "3+1 6+1 ", 41);
    kit_reopen(&kit);
    expect_ahead(&kit, 0, "3+1 6+1 ", 41);
    kit_commit(&kit, 1, 1, 44);
    kit_crash(&kit);
    kit_open(&kit);
    expect_ahead(&kit, 0, "1+1 3+1 6+1 ", 42);
    note(&kit, 5, 44, 0);
    expect_ahead(&kit, 0, "", 0);
    kit_deinit(&kit);
}

Test(rules, a_note_moves_the_remote_base_of_snapshots_pinned_later)
{
    struct kit kit;
    kit_init(&kit, NULL);
    kit_commit(&kit, 1, 4, 1);
    kit_commit(&kit, 2, 1, 2);
    struct graft_store_session *before = kit_session(&kit), *after = kit_session(&kit);
    struct graft_store_snapshot snapshot;
    expect_ok(graft_store_begin(before, &snapshot, &kit.err), &kit.err);
    note(&kit, 7, 1, 2);
    cr_assert(graft_store_pinned(before, &snapshot));
    cr_assert_eq(snapshot.remote_lsn, 0);
    expect_ok(graft_store_begin(after, &snapshot, &kit.err), &kit.err);
    cr_assert_eq(snapshot.remote_lsn, 7);
    cr_assert_eq(snapshot.lsn, 2);
    expect_ahead(&kit, 0, "2+1 ", 1);
    graft_store_session_close(before);
    graft_store_session_close(after);
    for (unsigned pass = 0; pass < 3; pass++) {
        if (pass == 1)
            kit_reopen(&kit);
        kit_crash(&kit);
        kit_open(&kit);
        struct graft_sync_state state;
        expect_ok(graft_store_sync_state(kit.store, &state, &kit.err), &kit.err);
        cr_assert_eq(state.remote_lsn, 7);
        cr_assert_eq(state.pushed_lsn, 1);
        cr_assert_eq(state.pending_lsn, 2);
        cr_assert_eq(state.pending_remote_lsn, 8);
        expect_ahead(&kit, 0, "2+1 ", 1);
    }
    kit_deinit(&kit);
}

Test(rules, a_note_by_one_who_wrote_or_of_commits_to_come_is_refused)
{
    struct kit kit;
    kit_init(&kit, NULL);
    struct graft_store_session *session = kit_session(&kit);
    struct graft_sync_state state = {.pushed_lsn = 1};
    expect_ok(graft_store_write_begin(session, &kit.err), &kit.err);
    expect_rc(graft_store_note(session, &state, &kit.err), GRAFT_EINVAL, &kit.err);
    state.pushed_lsn = 0;
    kit_write(&kit, session, 1, 1);
    expect_rc(graft_store_note(session, &state, &kit.err), GRAFT_EINVAL, &kit.err);
    graft_store_session_close(session);
    kit_deinit(&kit);
}

/* ---- Installs ---- */

/* `count` pages of the remote, none held. */
static void pull_pages(struct kit *kit, uint32_t first, uint32_t count, uint64_t remote_lsn)
{
    struct graft_store_session *session = kit_session(kit);
    expect_ok(graft_store_write_begin(session, &kit->err), &kit->err);
    for (uint32_t page = first; page < first + count; page++)
        expect_ok(graft_store_write_remote(session, page, &kit->err), &kit->err);
    kit_pull(kit, session, remote_lsn);
    graft_store_session_close(session);
}

static bool install(struct kit *kit, uint32_t page, uint64_t resolved_lsn, uint64_t version_lsn,
                    uint64_t version)
{
    uint8_t bytes[KIT_PAGE_BYTES];
    bool installed = false;
    kit_fill(bytes, sizeof bytes, page, version);
    expect_ok(graft_store_install(kit->store, page, resolved_lsn, version_lsn, bytes, sizeof bytes,
                                  &installed, &kit->err),
              &kit->err);
    return installed;
}

Test(rules, a_fetched_page_is_installed_only_as_what_the_head_asks_for)
{
    struct kit kit;
    kit_init(&kit, NULL);
    pull_pages(&kit, 1, 4, 3);
    cr_assert(!install(&kit, 1, 2, 2, 20), "resolved at another remote LSN");
    cr_assert(!install(&kit, 9, 3, 3, 30), "above the page count");
    cr_assert(install(&kit, 1, 3, 2, 30));
    cr_assert(!install(&kit, 1, 3, 2, 31), "held already");
    kit_commit(&kit, 2, 1, 50);
    cr_assert(!install(&kit, 2, 3, 2, 30), "written here meanwhile");
    kit_expect_now(&kit, 1, 30);
    kit_expect_now(&kit, 2, 50);
    cr_assert_eq(graft_store_page_state(kit.store, 1), GRAFT_STORE_HELD);
    cr_assert_eq(graft_store_page_state(kit.store, 2), GRAFT_STORE_HELD);
    cr_assert_eq(graft_store_page_state(kit.store, 3), GRAFT_STORE_MISSING);
    kit_deinit(&kit);
}

Test(rules, a_page_is_not_installed_while_an_older_snapshot_sees_another_version)
{
    struct kit kit;
    kit_init(&kit, NULL);
    pull_pages(&kit, 1, 4, 3);
    cr_assert(install(&kit, 1, 3, 2, 30));
    struct graft_store_session *old = kit_session(&kit);
    struct graft_store_snapshot snapshot;
    expect_ok(graft_store_begin(old, &snapshot, &kit.err), &kit.err);
    pull_pages(&kit, 1, 2, 5);
    /* Page 1 was held and changed; page 2 was not held and changed; page 3 did not change. */
    cr_assert(!install(&kit, 1, 5, 5, 40));
    cr_assert(!install(&kit, 2, 5, 5, 40));
    cr_assert(install(&kit, 3, 5, 2, 33));
    kit_expect(&kit, old, 1, 30);
    kit_expect_not_held(&kit, old, 2);
    kit_expect(&kit, old, 3, 33);
    graft_store_session_close(old);
    cr_assert(install(&kit, 1, 5, 5, 40));
    cr_assert(install(&kit, 2, 5, 5, 40));
    kit_expect_now(&kit, 1, 40);
    kit_expect_now(&kit, 2, 40);
    expect_ok(graft_store_fold(kit.store, &kit.err), &kit.err);
    kit_reopen(&kit);
    kit_expect_now(&kit, 2, 40);
    kit_deinit(&kit);
}

Test(rules, a_pull_keeps_installs_of_the_version_before_out)
{
    struct kit kit;
    kit_init(&kit, NULL);
    pull_pages(&kit, 1, 4, 3);
    struct graft_store_session *session = kit_session(&kit);
    expect_ok(graft_store_write_begin(session, &kit.err), &kit.err);
    expect_ok(graft_store_write_remote(session, 2, &kit.err), &kit.err);
    cr_assert(!install(&kit, 2, 3, 3, 30));
    kit_pull(&kit, session, 4);
    graft_store_session_close(session);
    cr_assert(!install(&kit, 2, 3, 3, 30));
    cr_assert(install(&kit, 2, 4, 4, 31));
    kit_expect_now(&kit, 2, 31);
    kit_deinit(&kit);
}

/* A pull to remote LSN 4, which changes page 2, by a writer who dies before it is published, or
 * (with `begun`) while it is. */
static void die_pulling(struct kit *kit, bool begun)
{
    pull_pages(kit, 1, 4, 3);
    kit_reopen(kit);
    struct graft_store_session *session = kit_session(kit);
    struct graft_sync_state state;
    expect_ok(graft_store_write_begin(session, &kit->err), &kit->err);
    expect_ok(graft_store_write_remote(session, 2, &kit->err), &kit->err);
    expect_ok(graft_store_sync_state(kit->store, &state, &kit->err), &kit->err);
    state.remote_lsn = 4;
    struct graft_store_commit commit = {
        .kind = GRAFT_COMMIT_PULL, .durable = true, .sync = &state, .time_ms = 1};
    expect_ok(graft_store_prepare(session, &commit, &kit->err), &kit->err);
    if (begun)
        publish_partly(kit, session, 0);
    else
        kit_abandon(kit, session);
    graft_fold_release(kit->store); /* as the system does when a process dies */
    cr_assert(!install(kit, 2, 3, 3, 30));
}

static uint64_t remote_lsn_now(struct kit *kit)
{
    struct graft_store_session *session = kit_session(kit);
    struct graft_store_snapshot snapshot;
    expect_ok(graft_store_begin(session, &snapshot, &kit->err), &kit->err);
    graft_store_session_close(session);
    return snapshot.remote_lsn;
}

Test(rules, a_pull_of_one_who_died_keeps_them_out_until_a_crash_makes_it_count)
{
    struct kit kit;
    kit_init(&kit, NULL);
    die_pulling(&kit, false);
    kit_crash(&kit);
    kit_open(&kit);
    cr_assert_eq(remote_lsn_now(&kit), 4);
    cr_assert(!install(&kit, 2, 3, 3, 30));
    cr_assert(install(&kit, 2, 4, 4, 31));
    kit_expect_now(&kit, 2, 31);
    kit_deinit(&kit);
}

Test(rules, a_pull_of_one_who_died_keeps_them_out_until_the_next_writer_voids_it)
{
    struct kit kit;
    kit_init(&kit, NULL);
    die_pulling(&kit, false);
    struct graft_store_session *session = kit_session(&kit);
    expect_ok(graft_store_write_begin(session, &kit.err), &kit.err);
    expect_ok(graft_store_rollback(session, &kit.err), &kit.err);
    graft_store_session_close(session);
    cr_assert(!install(&kit, 2, 3, 3, 30), "who wrote nothing has not voided it");
    kit_commit(&kit, 1, 1, 10);
    cr_assert_eq(remote_lsn_now(&kit), 3);
    cr_assert(install(&kit, 2, 3, 3, 30));
    kit_crash(&kit);
    kit_open(&kit);
    cr_assert_eq(remote_lsn_now(&kit), 3);
    kit_expect_now(&kit, 1, 10);
    kit_expect_now(&kit, 2, 30);
    kit_deinit(&kit);
}

Test(rules, a_pull_of_one_who_died_keeps_them_out_until_the_next_writer_finishes_it)
{
    struct kit kit;
    kit_init(&kit, NULL);
    die_pulling(&kit, true);
    kit_commit(&kit, 1, 1, 10);
    cr_assert_eq(remote_lsn_now(&kit), 4);
    cr_assert(!install(&kit, 2, 3, 3, 30));
    cr_assert(install(&kit, 2, 4, 4, 31));
    kit_expect_now(&kit, 2, 31);
    kit_deinit(&kit);
}

/* ---- Forgetting, resetting ---- */

Test(rules, a_reader_of_a_version_that_a_reset_dropped_has_nothing_fetched_for_it)
{
    struct kit kit;
    kit_init(&kit, NULL);
    pull_pages(&kit, 1, 4, 3);
    kit_commit(&kit, 2, 1, 50);
    struct graft_store_session *old = kit_session(&kit);
    struct graft_store_snapshot snapshot;
    expect_ok(graft_store_begin(old, &snapshot, &kit.err), &kit.err);
    struct graft_store_session *session = kit_session(&kit);
    expect_ok(graft_store_write_begin(session, &kit.err), &kit.err);
    expect_ok(graft_store_write_remote(session, 2, &kit.err), &kit.err);
    kit_pull(&kit, session, 3);
    graft_store_session_close(session);
    /* Its page 2 stands in the log alone; whoever begins now can have the remote's. */
    expect_rc(graft_store_forget(kit.store, 2, snapshot.lsn, &kit.err), GRAFT_EBUSY, &kit.err);
    expect_ok(graft_store_forget(kit.store, 2, snapshot.lsn + 1, &kit.err), &kit.err);
    kit_expect(&kit, old, 2, 50);
    graft_store_session_close(old);
    kit_deinit(&kit);
}

Test(rules, only_what_the_remote_has_can_be_forgotten)
{
    struct kit kit;
    kit_init(&kit, NULL);
    pull_pages(&kit, 1, 4, 3);
    cr_assert(install(&kit, 1, 3, 2, 30));
    kit_commit(&kit, 2, 1, 50);
    expect_ok(graft_store_forget(kit.store, 1, UINT64_MAX, &kit.err), &kit.err);
    expect_rc(graft_store_forget(kit.store, 2, UINT64_MAX, &kit.err), GRAFT_EINVAL, &kit.err);
    expect_ok(graft_store_fold(kit.store, &kit.err), &kit.err);
    expect_rc(graft_store_forget(kit.store, 2, UINT64_MAX, &kit.err), GRAFT_EINVAL, &kit.err);
    struct graft_store_session *old = kit_session(&kit);
    struct graft_store_snapshot snapshot;
    expect_ok(graft_store_begin(old, &snapshot, &kit.err), &kit.err);
    note(&kit, 4, 2, 0);
    /* A reader that would ask the remote for what it had before the push. */
    expect_rc(graft_store_forget(kit.store, 2, UINT64_MAX, &kit.err), GRAFT_EBUSY, &kit.err);
    graft_store_session_close(old);
    expect_ok(graft_store_forget(kit.store, 2, UINT64_MAX, &kit.err), &kit.err);
    struct graft_store_session *session = kit_session(&kit);
    expect_ok(graft_store_begin(session, &snapshot, &kit.err), &kit.err);
    kit_expect_not_held(&kit, session, 1);
    kit_expect_not_held(&kit, session, 2);
    graft_store_session_close(session);
    kit_deinit(&kit);
}

Test(rules, a_reset_gives_up_what_is_ahead_and_leaves_old_snapshots_alone)
{
    struct kit kit;
    kit_init(&kit, NULL);
    pull_pages(&kit, 1, 6, 3);
    cr_assert(install(&kit, 1, 3, 2, 30));
    cr_assert(install(&kit, 5, 3, 2, 30));
    kit_commit(&kit, 1, 1, 50);
    kit_commit(&kit, 7, 3, 51);
    struct graft_store_session *old = kit_session(&kit), *session = kit_session(&kit);
    struct graft_store_snapshot snapshot;
    expect_ok(graft_store_begin(old, &snapshot, &kit.err), &kit.err);
    struct graft_pageset changed;
    graft_pageset_init(&changed, kit.env->alloc);
    expect_ok(graft_pageset_add(&changed, 4), &kit.err);
    struct graft_sync_state state = {.remote_lsn = 5};
    expect_ok(graft_store_write_begin(session, &kit.err), &kit.err);
    expect_ok(graft_store_reset(session, 6, &changed, &state, &kit.err), &kit.err);
    cr_assert(!graft_store_writing(session));
    kit_expect_not_held(&kit, session, 1);
    kit_expect(&kit, session, 5, 30);
    kit_expect(&kit, old, 1, 50);
    kit_expect(&kit, old, 9, 51);
    expect_ahead(&kit, 0, "", 0);
    graft_store_session_close(old);
    graft_store_session_close(session);
    graft_pageset_deinit(&changed);
    for (unsigned pass = 0; pass < 2; pass++) {
        kit_crash(&kit);
        kit_open(&kit);
        cr_assert_eq(kit_page_count(&kit), 6);
        expect_ahead(&kit, 0, "", 0);
        expect_ok(graft_store_sync_state(kit.store, &state, &kit.err), &kit.err);
        cr_assert_eq(state.remote_lsn, 5);
    }
    kit_deinit(&kit);
}

/* ---- Directories ---- */

Test(rules, an_empty_store_can_become_another_volume)
{
    struct kit kit;
    kit_init(&kit, NULL);
    struct graft_store_session *session = kit_session(&kit);
    struct graft_config config;
    graft_config_init(&config, kit.env->alloc);
    memset(config.volume.bytes, 0x42, 16);
    config.page_bytes = 2048;
    expect_ok(graft_config_set_remote_url(&config, "file:///nowhere/x"), &kit.err);
    expect_ok(graft_store_configure(kit.store, &config, &kit.err), &kit.err);
    cr_assert_eq(graft_store_page_bytes(kit.store), 2048);
    graft_store_session_close(session);
    kit_commit(&kit, 1, 3, 1);
    kit_crash(&kit);
    kit_open(&kit);
    kit_expect_now(&kit, 3, 1);
    cr_assert_str_eq(graft_store_config(kit.store)->remote_url, "file:///nowhere/x");
    config.page_bytes = 4096;
    expect_rc(graft_store_configure(kit.store, &config, &kit.err), GRAFT_EINVAL, &kit.err);
    graft_config_deinit(&config);
    kit_deinit(&kit);
}

static enum graft_rc set_setting(void *arg, struct graft_config *config)
{
    const char *const *pair = arg;
    return graft_config_set(config, pair[0], pair[1]);
}

Test(rules, settings_that_two_processes_change_both_stay)
{
    static const char *const first[] = {"one", "1"}, *const second[] = {"two", "2"};
    struct kit kit;
    kit_init(&kit, NULL);
    struct graft_store *other = NULL;
    expect_ok(graft_store_open(kit.env, kit.path, &other, &kit.err), &kit.err);
    expect_ok(graft_store_edit_config(kit.store, set_setting, (void *)first, &kit.err), &kit.err);
    expect_ok(graft_store_edit_config(other, set_setting, (void *)second, &kit.err), &kit.err);
    cr_assert_str_eq(graft_config_get(graft_store_config(other), "one"), "1");
    graft_store_close(other);
    kit_reopen(&kit);
    cr_assert_str_eq(graft_config_get(graft_store_config(kit.store), "one"), "1");
    cr_assert_str_eq(graft_config_get(graft_store_config(kit.store), "two"), "2");
    kit_deinit(&kit);
}

Test(rules, an_open_after_a_crash_completes_a_change_of_volume)
{
    struct kit kit;
    kit_init(&kit, NULL);
    struct graft_config config;
    graft_config_init(&config, kit.env->alloc);
    memset(config.volume.bytes, 0x42, 16);
    config.page_bytes = 2048;
    /* The config is what is written first. */
    expect_ok(graft_store_write_config(kit.store, &config, &kit.err), &kit.err);
    kit_crash(&kit);
    kit_open(&kit);
    kit_commit(&kit, 1, 3, 1);
    cr_assert_eq(graft_store_page_bytes(kit.store), 2048);
    kit_reopen(&kit);
    kit_expect_now(&kit, 3, 1);
    /* Not once there is something in it. */
    config.volume.bytes[0] = 1;
    expect_ok(graft_store_write_config(kit.store, &config, &kit.err), &kit.err);
    kit_crash(&kit);
    expect_rc(graft_store_open(kit.env, kit.path, &kit.store, &kit.err), GRAFT_EFOREIGN, &kit.err);
    graft_config_deinit(&config);
    kit_deinit(&kit);
}

Test(rules, a_directory_in_use_for_something_else_is_refused)
{
    struct kit kit;
    kit_init(&kit, NULL);
    expect_rc(graft_store_create(kit.env, kit.path, &kit.config, &kit.err), GRAFT_EEXIST, &kit.err);
    const char *other = graft_test_path(&kit.dir, "other");
    expect_ok(graft_disk_make_directory(kit.env->disk, other, &kit.err), &kit.err);
    char file[GRAFT_PATH_BYTES_MAX];
    (void)snprintf(file, sizeof file, "%s/notes.txt", other);
    expect_ok(graft_disk_replace_file(kit.env->disk, file, "x", 1, &kit.err), &kit.err);
    expect_rc(graft_store_create(kit.env, other, &kit.config, &kit.err), GRAFT_EINVAL, &kit.err);
    cr_assert(strstr(kit.err.text, "notes.txt") != NULL, "%s", kit.err.text);
    expect_rc(graft_store_create(kit.env, file, &kit.config, &kit.err), GRAFT_EINVAL, &kit.err);
    cr_assert(!graft_store_exists(kit.env, other));
    struct graft_store *store = NULL;
    expect_rc(graft_store_open(kit.env, other, &store, &kit.err), GRAFT_ENOTFOUND, &kit.err);
    expect_rc(graft_store_open(kit.env, graft_test_path(&kit.dir, "gone"), &store, &kit.err),
              GRAFT_ENOTFOUND, &kit.err);
    kit_deinit(&kit);
}

Test(rules, an_interrupted_creation_is_done_again)
{
    struct kit kit;
    kit_init(&kit, NULL);
    kit_close(&kit);
    expect_ok(graft_disk_remove(kit.env->disk, graft_test_path(&kit.dir, "db/config"), &kit.err),
              &kit.err);
    expect_ok(graft_store_create(kit.env, kit.path, &kit.config, &kit.err), &kit.err);
    kit_open(&kit);
    kit_commit(&kit, 1, 1, 1);
    kit_deinit(&kit);
}

struct listed {
    uint64_t lsns[8];
    unsigned count;
};

static enum graft_rc list_one(void *arg, const struct graft_store_commit_info *info)
{
    struct listed *listed = arg;
    listed->lsns[listed->count++] = info->lsn;
    cr_assert_eq(info->pages, info->lsn);
    cr_assert_eq(info->kind, GRAFT_COMMIT_LOCAL);
    return GRAFT_OK;
}

Test(rules, the_commits_in_the_log_are_listed_newest_first)
{
    struct kit kit;
    kit_init(&kit, NULL);
    for (uint32_t i = 1; i <= 4; i++)
        kit_commit(&kit, 1, i, i);
    struct listed listed = {0};
    expect_ok(graft_store_commits(kit.store, list_one, &listed, &kit.err), &kit.err);
    cr_assert_eq(listed.count, 4);
    for (unsigned i = 0; i < 4; i++)
        cr_assert_eq(listed.lsns[i], 4 - i);
    kit_deinit(&kit);
}

Test(rules, a_clean_open_recovers_nothing)
{
    struct kit kit;
    kit_init(&kit, NULL);
    kit_commit(&kit, 1, 5, 1);
    kit_reopen(&kit);
    cr_assert_eq(graft_store_counts(kit.store)->recoveries, 0);
    kit_expect_now(&kit, 5, 1);
    /* Only read: closed as clean as it was. */
    kit_reopen(&kit);
    cr_assert_eq(graft_store_counts(kit.store)->recoveries, 0);
    kit_commit(&kit, 1, 1, 2);
    kit_crash(&kit);
    kit_open(&kit);
    cr_assert_eq(graft_store_counts(kit.store)->recoveries, 1);
    kit_deinit(&kit);
}

Test(rules, what_was_read_ahead_is_read_again_once_it_changed)
{
    struct kit kit;
    kit_init(&kit, NULL);
    kit_commit(&kit, 1, 40, 1);
    expect_ok(graft_store_fold(kit.store, &kit.err), &kit.err);
    struct graft_store_session *session = kit_session(&kit);
    struct graft_store_snapshot snapshot;
    expect_ok(graft_store_begin(session, &snapshot, &kit.err), &kit.err);
    uint64_t reads = graft_store_counts(kit.store)->image_reads;
    for (uint32_t page = 1; page <= 10; page++)
        kit_expect(&kit, session, page, 1);
    cr_assert_lt(graft_store_counts(kit.store)->image_reads - reads, 6);
    cr_assert_gt(session->stream.count, 8);
    /* In the log: the snapshot walks back to the image. Folded: a later one sees the new bytes. */
    kit_commit(&kit, 11, 2, 2);
    kit_expect(&kit, session, 11, 1);
    graft_store_end(session);
    expect_ok(graft_store_begin(session, &snapshot, &kit.err), &kit.err);
    kit_expect(&kit, session, 12, 2);
    graft_store_end(session);
    kit_commit(&kit, 13, 2, 3);
    expect_ok(graft_store_fold(kit.store, &kit.err), &kit.err);
    expect_ok(graft_store_begin(session, &snapshot, &kit.err), &kit.err);
    kit_expect(&kit, session, 13, 3);
    kit_expect(&kit, session, 14, 3);
    kit_expect(&kit, session, 15, 1);
    graft_store_session_close(session);
    kit_deinit(&kit);
}
