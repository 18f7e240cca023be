/* Giving held pages up: what may go and what stays, what comes of their space, in which order they
 * go, and that no crash brings back what was given up. */
#include "kit.h"
#include "power.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/parts.h"
#include "support/faultdisk.h"

#define LIMIT "65536" /* what it is does not matter to the store */

static struct graft_store_sweep sweep;

/* What was committed up to `pushed_lsn` is the remote's now. */
static void note(struct kit *kit, uint64_t remote_lsn, uint64_t pushed_lsn)
{
    struct graft_store_session *session = kit_session(kit);
    struct graft_sync_state state;
    expect_ok(graft_store_write_begin(session, &kit->err), &kit->err);
    expect_ok(graft_store_sync_state(kit->store, &state, &kit->err), &kit->err);
    state.remote_lsn = remote_lsn;
    state.pushed_lsn = pushed_lsn;
    expect_ok(graft_store_note(session, &state, &kit->err), &kit->err);
    expect_ok(graft_store_rollback(session, &kit->err), &kit->err);
    graft_store_session_close(session);
}

/* All that was committed so far is the remote's now, and in the image. */
static void push(struct kit *kit, uint64_t remote_lsn)
{
    note(kit, remote_lsn, graft_store_newest_lsn(kit->store));
    expect_ok(graft_store_fold(kit->store, &kit->err), &kit->err);
}

static void begin_with(struct kit *kit, const struct kit_options *options, uint32_t pages)
{
    kit_init(kit, options);
    kit_commit(kit, 1, pages, 1);
    push(kit, 1);
}

static enum graft_rc try_to_evict(struct kit *kit, uint32_t first, uint32_t count,
                                  uint64_t version_lsn, uint64_t resolved_lsn, uint64_t *evicted)
{
    sweep.first = first;
    sweep.last = first + count - 1;
    sweep.count = count;
    for (uint32_t i = 0; i < count; i++) {
        sweep.pages[i] = first + i;
        sweep.versions[i] = version_lsn;
    }
    return graft_store_evict(kit->store, &sweep, resolved_lsn, evicted, &kit->err);
}

/* Returns how many went. */
static uint64_t evict(struct kit *kit, uint32_t first, uint32_t count, uint64_t version_lsn,
                      uint64_t resolved_lsn)
{
    uint64_t evicted = 0;
    expect_ok(try_to_evict(kit, first, count, version_lsn, resolved_lsn, &evicted), &kit->err);
    return evicted;
}

static struct graft_store_session *pinned(struct kit *kit)
{
    struct graft_store_session *session = kit_session(kit);
    struct graft_store_snapshot snapshot;
    expect_ok(graft_store_begin(session, &snapshot, &kit->err), &kit->err);
    return session;
}

static bool held(struct kit *kit, uint32_t page)
{
    return graft_store_page_state(kit->store, page) == GRAFT_STORE_HELD;
}

static bool install(struct kit *kit, uint32_t page, uint64_t remote_lsn, uint64_t version)
{
    uint8_t bytes[GRAFT_PAGE_BYTES_MAX];
    bool installed = false;
    uint32_t size = graft_store_page_bytes(kit->store);
    kit_fill(bytes, size, page, version);
    expect_ok(graft_store_install(kit->store, page, remote_lsn, remote_lsn, bytes, size, &installed,
                                  &kit->err),
              &kit->err);
    return installed;
}

static uint64_t space(struct kit *kit)
{
    uint64_t bytes = 0;
    expect_ok(graft_store_image_space(kit->store, &bytes, &kit->err), &kit->err);
    return bytes;
}

/* ---- What may go ---- */

Test(evict, a_page_that_went_is_not_held_and_can_be_installed_again)
{
    struct kit kit;
    begin_with(&kit, NULL, 8);
    cr_assert_eq(evict(&kit, 3, 2, 1, 1), 2);
    struct graft_store_session *session = pinned(&kit);
    kit_expect(&kit, session, 2, 1);
    kit_expect_not_held(&kit, session, 3);
    kit_expect_not_held(&kit, session, 4);
    kit_expect(&kit, session, 5, 1);
    cr_assert(install(&kit, 3, 1, 1));
    kit_expect(&kit, session, 3, 1);
    graft_store_session_close(session);
    cr_assert_eq(graft_store_counts(kit.store)->evicted, 2);
    kit_reopen(&kit);
    cr_assert(held(&kit, 3) && !held(&kit, 4));
    kit_deinit(&kit);
}

Test(evict, what_is_ahead_of_the_remote_stays)
{
    struct kit kit;
    begin_with(&kit, NULL, 8);
    kit_commit(&kit, 2, 1, 2);
    expect_ok(graft_store_fold(kit.store, &kit.err), &kit.err);
    cr_assert_eq(evict(&kit, 1, 8, 1, 1), 7);
    cr_assert(held(&kit, 2));
    kit_expect_now(&kit, 2, 2);
    kit_deinit(&kit);
}

Test(evict, what_stands_in_the_log_stays_until_it_is_folded)
{
    struct kit kit;
    kit_init(&kit, NULL);
    kit_commit(&kit, 1, 8, 1);
    struct graft_store_session *reader = pinned(&kit);
    kit_commit(&kit, 2, 1, 2);
    push(&kit, 1);
    graft_store_end(reader);
    cr_assert_eq(evict(&kit, 2, 1, 1, 1), 0);
    expect_ok(graft_store_fold(kit.store, &kit.err), &kit.err);
    cr_assert_eq(evict(&kit, 2, 1, 1, 1), 1);
    graft_store_session_close(reader);
    kit_deinit(&kit);
}

Test(evict, a_page_stays_while_an_older_snapshot_needs_its_version_and_others_go)
{
    struct kit kit;
    begin_with(&kit, NULL, 8);
    kit_commit(&kit, 2, 1, 2);
    struct graft_store_session *reader = pinned(&kit);
    push(&kit, 2);
    cr_assert_eq(evict(&kit, 2, 1, 2, 2), 0);
    cr_assert_eq(evict(&kit, 3, 1, 1, 2), 1);
    kit_expect(&kit, reader, 2, 2);
    kit_expect_not_held(&kit, reader, 3);
    graft_store_end(reader);
    cr_assert_eq(evict(&kit, 2, 1, 2, 2), 1);
    graft_store_session_close(reader);
    kit_deinit(&kit);
}

Test(evict, the_mark_of_a_dead_reader_holds_nothing)
{
    struct kit kit;
    begin_with(&kit, NULL, 8);
    kit_commit(&kit, 2, 1, 2);
    struct graft_store_session *reader = pinned(&kit);
    push(&kit, 2);
    kit_abandon(&kit, reader);
    cr_assert_eq(evict(&kit, 2, 1, 2, 2), 1);
    kit_deinit(&kit);
}

Test(evict, nothing_goes_by_the_versions_of_another_remote_lsn_than_the_heads)
{
    struct kit kit;
    begin_with(&kit, NULL, 8);
    push(&kit, 2);
    cr_assert_eq(evict(&kit, 1, 8, 1, 1), 0);
    cr_assert_eq(evict(&kit, 1, 8, 1, 2), 8);
    kit_deinit(&kit);
}

Test(evict, nothing_goes_without_a_remote)
{
    struct kit kit;
    kit_init(&kit, NULL);
    kit_commit(&kit, 1, 8, 1);
    expect_ok(graft_store_fold(kit.store, &kit.err), &kit.err);
    cr_assert_eq(evict(&kit, 1, 8, 0, 0), 0);
    kit_expect_now(&kit, 8, 1);
    kit_deinit(&kit);
}

Test(evict, nothing_goes_while_a_sync_is_half_published)
{
    struct kit kit;
    begin_with(&kit, NULL, 8);
    struct graft_sync_state state;
    uint64_t evicted = 0;
    graft_sync_words_load(kit.store, &state);
    state.remote_lsn = 2;
    graft_sync_words_store(kit.store, &state);
    expect_rc(try_to_evict(&kit, 1, 8, 1, 2, &evicted), GRAFT_EBUSY, &kit.err);
    expect_rc(graft_store_forget(kit.store, 1, UINT64_MAX, &kit.err), GRAFT_EBUSY, &kit.err);
    cr_assert(held(&kit, 1));
    kit_deinit(&kit);
}

Test(evict, a_writer_that_has_read_a_page_that_went_commits_over_it)
{
    struct kit kit;
    begin_with(&kit, NULL, 8);
    struct graft_store_session *writer = kit_session(&kit);
    expect_ok(graft_store_write_begin(writer, &kit.err), &kit.err);
    kit_expect(&kit, writer, 3, 1);
    kit_write(&kit, writer, 3, 2);
    cr_assert_eq(evict(&kit, 1, 8, 1, 1), 8);
    kit_expect(&kit, writer, 3, 2);
    kit_expect_not_held(&kit, writer, 4);
    kit_finish(&kit, writer, true);
    graft_store_session_close(writer);
    kit_expect_now(&kit, 3, 2);
    kit_deinit(&kit);
}

Test(evict, an_old_snapshot_finds_what_went_missing_also_below_a_newer_version)
{
    struct kit kit;
    begin_with(&kit, NULL, 8);
    struct graft_store_session *reader = pinned(&kit);
    cr_assert_eq(evict(&kit, 3, 1, 1, 1), 1);
    kit_commit(&kit, 3, 1, 2);
    kit_expect_not_held(&kit, reader, 3);
    expect_ok(graft_store_fold(kit.store, &kit.err), &kit.err);
    kit_expect_not_held(&kit, reader, 3);
    kit_expect_now(&kit, 3, 2);
    graft_store_session_close(reader);
    kit_deinit(&kit);
}

Test(evict, what_a_shrink_cut_off_goes_once_nobody_sees_it)
{
    struct kit kit;
    begin_with(&kit, NULL, 32);
    struct graft_store_session *reader = pinned(&kit), *writer = kit_session(&kit);
    expect_ok(graft_store_write_begin(writer, &kit.err), &kit.err);
    expect_ok(graft_store_write_page_count(writer, 8, &kit.err), &kit.err);
    kit_finish(&kit, writer, true);
    graft_store_session_close(writer);
    cr_assert_eq(evict(&kit, 9, 24, 1, 1), 0);
    kit_expect(&kit, reader, 20, 1);
    graft_store_session_close(reader);
    cr_assert_eq(evict(&kit, 9, 24, 1, 1), 24);
    kit_expect_now(&kit, 8, 1);
    kit_deinit(&kit);
}

/* ---- Space ---- */

static void expect_space_back(uint32_t page_bytes, bool variable, uint32_t pages)
{
    struct kit kit;
    struct kit_options options = {.page_bytes = page_bytes, .variable = variable};
    begin_with(&kit, &options, pages);
    uint64_t before = space(&kit);
    uint64_t all = (uint64_t)pages * (page_bytes + (variable ? 4U : 0U));
    cr_assert_geq(before, all);
    cr_assert_eq(evict(&kit, 1, pages / 2, 1, 1), pages / 2);
    cr_assert_leq(space(&kit), before - all / 2 + 8192, "%u bytes a page", page_bytes);
    for (uint32_t page = pages / 2 + 1; page <= pages; page++)
        kit_expect_now(&kit, page, 1);
    for (uint32_t page = 1; page <= pages / 2; page++)
        cr_assert(install(&kit, page, 1, 1));
    for (uint32_t page = 1; page <= pages; page++)
        kit_expect_now(&kit, page, 1);
    kit_deinit(&kit);
}

Test(evict, pages_of_any_size_give_their_space_back)
{
    expect_space_back(512, false, 256);
    expect_space_back(4096, false, 64);
    expect_space_back(65536, false, 8);
}

Test(evict, pages_of_any_length_give_their_space_back)
{
    expect_space_back(512, true, 256);
    expect_space_back(4096, true, 64);
}

Test(evict, small_pages_give_a_block_back_when_the_last_one_in_it_went)
{
    struct kit kit;
    begin_with(&kit, NULL, 64);
    uint64_t before = space(&kit);
    cr_assert_eq(evict(&kit, 9, 7, 1, 1), 7);
    cr_assert_eq(space(&kit), before);
    kit_expect_now(&kit, 16, 1);
    cr_assert_eq(evict(&kit, 16, 1, 1, 1), 1);
    cr_assert_eq(space(&kit), before - 4096);
    kit_expect_now(&kit, 8, 1);
    kit_expect_now(&kit, 17, 1);
    kit_deinit(&kit);
}

Test(evict, pages_that_a_pull_changed_give_their_space_back_when_they_are_folded)
{
    struct kit kit;
    struct kit_options options = {.page_bytes = 4096};
    begin_with(&kit, &options, 16);
    uint64_t before = space(&kit);
    struct graft_store_session *session = kit_session(&kit);
    expect_ok(graft_store_write_begin(session, &kit.err), &kit.err);
    for (uint32_t page = 5; page <= 8; page++)
        expect_ok(graft_store_write_remote(session, page, &kit.err), &kit.err);
    kit_pull(&kit, session, 2);
    graft_store_session_close(session);
    expect_ok(graft_store_fold(kit.store, &kit.err), &kit.err);
    cr_assert(!held(&kit, 5));
    cr_assert_eq(space(&kit), before - 4 * 4096);
    cr_assert_eq(evict(&kit, 16, 1, 1, 2), 1);
    cr_assert_eq(space(&kit), before - 5 * 4096);
    kit_expect_now(&kit, 4, 1);
    kit_expect_now(&kit, 9, 1);
    kit_deinit(&kit);
}

/* ---- In which order ---- */

static uint32_t sweep_for(struct kit *kit, uint32_t pages_max)
{
    expect_ok(graft_store_sweep(kit->store, pages_max, &sweep, &kit->err), &kit->err);
    return sweep.count;
}

static bool swept(uint32_t page)
{
    for (uint32_t i = 0; i < sweep.count; i++) {
        if (sweep.pages[i] == page)
            return true;
    }
    return false;
}

static const struct kit_options limited = {.page_bytes = 4096, .cache_limit = LIMIT};

Test(evict, what_was_read_again_outlives_what_was_read_once)
{
    struct kit kit;
    begin_with(&kit, &limited, 16);
    cr_assert_eq(evict(&kit, 1, 16, 1, 1), 16);
    for (uint32_t page = 1; page <= 16; page++)
        cr_assert(install(&kit, page, 1, 1));
    graft_store_touch(kit.store, 7);
    graft_store_touch(kit.store, 7);
    graft_store_touch(kit.store, 12);
    cr_assert_eq(sweep_for(&kit, 100), 0, "each has a round before it");
    cr_assert_eq(sweep_for(&kit, 100), 14);
    cr_assert(!swept(7) && !swept(12));
    graft_store_touch(kit.store, 7);
    cr_assert_eq(sweep_for(&kit, 100), 15);
    cr_assert(!swept(7) && swept(12));
    kit_deinit(&kit);
}

Test(evict, small_pages_of_one_block_go_together)
{
    struct kit kit;
    struct kit_options options = {.cache_limit = LIMIT};
    begin_with(&kit, &options, 32);
    graft_store_touch(kit.store, 12);
    cr_assert_eq(sweep_for(&kit, 100), 24);
    for (uint32_t page = 9; page <= 16; page++)
        cr_assert(!swept(page), "page %u", page);
    kit_deinit(&kit);
}

Test(evict, the_hand_goes_on_from_where_it_was_and_begins_anew_at_the_end)
{
    struct kit kit;
    begin_with(&kit, NULL, 10);
    cr_assert(sweep_for(&kit, 4) == 4 && sweep.first == 1 && sweep.last == 4);
    kit_reopen(&kit);
    push(&kit, 2);
    cr_assert(sweep_for(&kit, 4) == 4);
    struct graft_store *other = NULL;
    expect_ok(graft_store_open(kit.env, kit.path, &other, &kit.err), &kit.err);
    expect_ok(graft_store_sweep(other, 4, &sweep, &kit.err), &kit.err);
    cr_assert(sweep.count == 4 && sweep.first == 5 && sweep.last == 8);
    graft_store_close(other);
    cr_assert(sweep_for(&kit, 4) == 2 && sweep.first == 9 && sweep.last == 10);
    cr_assert(sweep_for(&kit, 4) == 4 && sweep.first == 1);
    kit_deinit(&kit);
}

Test(evict, processes_share_the_limit_and_what_was_read)
{
    struct kit kit;
    struct kit_options options = {.page_bytes = 4096};
    begin_with(&kit, &options, 8);
    struct graft_store *other = NULL;
    expect_ok(graft_store_open(kit.env, kit.path, &other, &kit.err), &kit.err);
    cr_assert_eq(graft_store_cache_limit(other), 0);
    expect_ok(graft_config_set(&kit.config, GRAFT_CACHE_LIMIT_SETTING, LIMIT), &kit.err);
    expect_ok(graft_store_configure(kit.store, &kit.config, &kit.err), &kit.err);
    cr_assert_eq(graft_store_cache_limit(other), 65536);
    graft_store_touch(kit.store, 3);
    graft_recency_open(other);
    expect_ok(graft_store_sweep(other, 8, &sweep, &kit.err), &kit.err);
    cr_assert(sweep.count == 7 && !swept(3));
    graft_store_close(other);
    kit_deinit(&kit);
}

Test(evict, the_file_of_what_was_read_is_there_only_with_a_limit)
{
    struct kit kit;
    char path[GRAFT_PATH_BYTES_MAX + 16];
    begin_with(&kit, &limited, 8);
    (void)snprintf(path, sizeof path, "%s/recency", kit.path);
    cr_assert_eq(access(path, F_OK), 0);
    expect_ok(graft_config_set(&kit.config, GRAFT_CACHE_LIMIT_SETTING, NULL), &kit.err);
    expect_ok(graft_store_configure(kit.store, &kit.config, &kit.err), &kit.err);
    kit_reopen(&kit);
    cr_assert_neq(access(path, F_OK), 0);
    kit_deinit(&kit);
}

Test(evict, a_file_of_what_was_read_that_is_lost_cut_off_or_garbage_does_no_harm)
{
    struct kit kit;
    char path[GRAFT_PATH_BYTES_MAX + 16];
    begin_with(&kit, &limited, 16);
    (void)snprintf(path, sizeof path, "%s/recency", kit.path);
    for (unsigned how = 0; how < 4; how++) {
        kit_close(&kit);
        (void)unlink(path);
        FILE *file = how == 0 ? NULL : fopen(path, "wb");
        for (unsigned i = 0; file != NULL && i < (how == 1 ? 0U : how == 2 ? 100U : 70000U); i++)
            (void)fputc(0xff, file);
        if (file != NULL)
            (void)fclose(file);
        kit_open(&kit);
        graft_store_touch(kit.store, 16);
        uint32_t chosen = 0;
        for (unsigned rounds = 0; rounds < 4; rounds++)
            chosen = sweep_for(&kit, 100);
        cr_assert_eq(chosen, 16, "case %u", how);
        kit_expect_now(&kit, 16, 1);
    }
    kit_deinit(&kit);
}

/* ---- Readers in between ---- */

static struct {
    struct graft_disk_ops ops;
    const struct graft_disk_ops *real;
    struct kit *kit;
    bool armed;
} between;

/* The page goes, the reader finds the hole, and before it looks at the word again the page is back
 * as it was. */
static enum graft_rc read_between(struct graft_file *file, uint64_t offset,
                                  const struct graft_space *spaces, size_t count, size_t *got,
                                  struct graft_err *err)
{
    bool now = between.armed && offset == 2 * 4096;
    between.armed = between.armed && !now;
    if (now)
        cr_assert_eq(evict(between.kit, 3, 1, 1, 1), 1);
    enum graft_rc rc = between.real->read(file, offset, spaces, count, got, err);
    if (now)
        cr_assert(install(between.kit, 3, 1, 1));
    return rc;
}

Test(evict, a_hole_that_a_reader_finds_is_not_taken_for_rot)
{
    struct kit kit;
    begin_with(&kit, &limited, 8);
    between.real = kit.env->disk->ops;
    between.ops = *between.real;
    between.ops.read = read_between;
    between.kit = &kit;
    kit.env->disk->ops = &between.ops;
    between.armed = true;
    kit_expect_now(&kit, 3, 1);
    cr_assert(!between.armed);
    cr_assert_eq(graft_store_counts(kit.store)->rot, 0);
    kit.env->disk->ops = between.real;
    kit_deinit(&kit);
}

/* ---- Crashes ---- */

static void pull_page(struct kit *kit, uint32_t page, uint64_t remote_lsn)
{
    struct graft_store_session *session = kit_session(kit);
    expect_ok(graft_store_write_begin(session, &kit->err), &kit->err);
    expect_ok(graft_store_write_remote(session, page, &kit->err), &kit->err);
    kit_pull(kit, session, remote_lsn);
    graft_store_session_close(session);
}

static void fill_half(struct kit *kit)
{
    uint64_t half = graft_header_load(kit->store, GRAFT_W_HALF);
    for (uint64_t version = 100; graft_header_load(kit->store, GRAFT_W_HALF) == half; version++)
        kit_commit(kit, 8, 1, version);
}

/* Fills the log until it moved to its other half and what it had was folded. */
static void turn_the_log(struct kit *kit)
{
    fill_half(kit);
    push(kit, 2);
}

/* A push ends after the log moved: the new half's base still has what it took. */
Test(evict, what_a_base_calls_ahead_stays)
{
    struct kit kit;
    begin_with(&kit, NULL, 8);
    kit_commit(&kit, 3, 1, 2);
    uint64_t pushed_lsn = graft_store_newest_lsn(kit.store);
    struct graft_store_session *session = pinned(&kit);
    fill_half(&kit);
    expect_ok(graft_store_fold(kit.store, &kit.err), &kit.err);
    graft_store_session_close(session);
    note(&kit, 2, pushed_lsn);
    cr_assert_eq(evict(&kit, 3, 1, 2, 2), 0);
    /* From here on the half that could tell is gone. */
    expect_ok(graft_store_fold(kit.store, &kit.err), &kit.err);
    kit_expect_now(&kit, 3, 2);
    push(&kit, 3);
    cr_assert_eq(evict(&kit, 3, 1, 2, 3), 1);
    kit_deinit(&kit);
}

Test(evict, what_went_is_not_held_when_the_power_fails_after_it)
{
    for (uint64_t seed = 1; seed <= 50; seed++) {
        struct power *power = power_new(seed);
        struct kit kit;
        struct kit_options options = {.page_bytes = 4096, .env = power_env(power)};
        begin_with(&kit, &options, 8);
        kit_reopen(&kit); /* the log has nothing left to say */
        uint64_t evicted = 0;
        enum graft_rc rc = try_to_evict(&kit, 3, 2, 1, 1, &evicted);
        cr_assert((rc == GRAFT_OK || rc == GRAFT_EUNSUPPORTED) && evicted == 2);
        kit_crash(&kit);
        power_fail(power);
        kit_open(&kit);
        struct graft_store_session *session = pinned(&kit);
        kit_expect_not_held(&kit, session, 3);
        kit_expect_not_held(&kit, session, 4);
        kit_expect(&kit, session, 5, 1);
        graft_store_session_close(session);
        kit_deinit(&kit);
        power_free(power);
    }
}

static void crash_after_a_pull(uint64_t seed, bool turn, bool die)
{
    struct power *power = power_new(seed);
    struct kit kit;
    struct kit_options options = {.env = power_env(power)};
    kit_init(&kit, &options);
    kit.store->half_bytes = 16384;
    kit_commit(&kit, 1, 8, 1);
    push(&kit, 1);
    uint64_t evicted = 0;
    enum graft_rc rc = try_to_evict(&kit, 3, 1, 1, 1, &evicted);
    cr_assert((rc == GRAFT_OK || rc == GRAFT_EUNSUPPORTED) && evicted == 1);
    if (die)
        graft_header_store(kit.store, GRAFT_W_GIVING_UP, 1);
    if (turn)
        turn_the_log(&kit);
    pull_page(&kit, 3, 3);
    kit_crash(&kit);
    power_fail(power);
    kit_open(&kit);
    struct graft_store_session *session = pinned(&kit);
    kit_expect_not_held(&kit, session, 3);
    graft_store_session_close(session);
    kit_deinit(&kit);
    power_free(power);
}

Test(evict, an_old_version_in_the_log_does_not_come_back_after_a_pull)
{
    for (uint64_t seed = 1; seed <= 50; seed++)
        crash_after_a_pull(seed, false, false);
}

Test(evict, nor_does_one_in_a_half_that_the_disk_still_takes_for_needed)
{
    for (uint64_t seed = 1; seed <= 200; seed++)
        crash_after_a_pull(seed, true, false);
}

/* The word of page 3 is zero for all processes, and whatever the power leaves on the disk. */
static void die_while_giving_up(uint64_t seed, bool fold)
{
    struct power *power = power_new(seed);
    struct kit kit;
    struct kit_options options = {.env = power_env(power)};
    kit_init(&kit, &options);
    kit_commit(&kit, 1, 8, 1);
    push(&kit, 1);
    kit_reopen(&kit); /* the log has nothing left to say */
    push(&kit, 1);
    _Atomic uint64_t *slot = NULL;
    expect_ok(graft_table_word(kit.store, 3, &slot, &kit.err), &kit.err);
    graft_header_store(kit.store, GRAFT_W_GIVING_UP, 1);
    graft_shm_store(kit.env->shm, slot, 0);
    if (fold)
        push(&kit, 2);
    pull_page(&kit, 3, 3);
    kit_crash(&kit);
    power_fail(power);
    kit_open(&kit);
    struct graft_store_session *session = pinned(&kit);
    kit_expect_not_held(&kit, session, 3);
    graft_store_session_close(session);
    kit_deinit(&kit);
    power_free(power);
}

Test(evict, who_dies_before_the_disk_knows_leaves_no_old_version_behind)
{
    for (uint64_t seed = 1; seed <= 50; seed++) {
        die_while_giving_up(seed, false);
        die_while_giving_up(seed, true);
    }
}

/* ---- Calls that fail ---- */

#define FAULT_PAGES 24U

static void check_all(struct kit *kit, uint64_t nth)
{
    struct graft_store_session *session = pinned(kit);
    uint8_t bytes[4096], wanted[4096];
    for (uint32_t page = 1; page <= FAULT_PAGES; page++) {
        size_t got = 0;
        enum graft_rc rc = graft_store_read(session, page, bytes, &got, &kit->err);
        kit_fill(wanted, sizeof wanted, page, page == 5 ? 2 : 1);
        cr_assert(rc == GRAFT_ENOTHELD ||
                      (rc == GRAFT_OK && memcmp(bytes, wanted, sizeof bytes) == 0),
                  "call %llu, page %u: %s", (unsigned long long)nth, page, kit->err.text);
        cr_assert(rc == GRAFT_OK || page != 5);
        if (rc == GRAFT_ENOTHELD)
            cr_assert(install(kit, page, 1, 1), "call %llu, page %u", (unsigned long long)nth,
                      page);
    }
    graft_store_session_close(session);
}

/* A sweep and an eviction in which one call fails: pages are held and right, or not held. */
static bool evict_with_a_fault(uint64_t nth, enum graft_rc code)
{
    struct power *power = power_new(1);
    struct graft_fault_env faults;
    graft_fault_env_init(&faults, power_env(power));
    struct kit kit;
    struct kit_options options = {.page_bytes = 4096, .cache_limit = LIMIT, .env = &faults.env};
    begin_with(&kit, &options, FAULT_PAGES);
    kit_commit(&kit, 5, 1, 2);
    expect_ok(graft_store_fold(kit.store, &kit.err), &kit.err);
    uint64_t evicted = 0;
    graft_faults_arm(&faults.faults, GRAFT_FAULT_ALL, nth, code, false);
    enum graft_rc rc = graft_store_sweep(kit.store, 12, &sweep, &kit.err);
    for (uint32_t i = 0; i < sweep.count; i++)
        sweep.versions[i] = 1;
    if (rc == GRAFT_OK)
        rc = graft_store_evict(kit.store, &sweep, 1, &evicted, &kit.err);
    bool failed = graft_faults_disarm(&faults.faults) > 0;
    cr_assert(failed || rc == GRAFT_OK, "%s", kit.err.text);
    check_all(&kit, nth);
    /* And again, as if nothing had been. */
    cr_assert_eq(evict(&kit, 1, FAULT_PAGES, 1, 1), FAULT_PAGES - 1);
    check_all(&kit, nth);
    kit_crash(&kit);
    if (nth % 2 == 0)
        power_fail(power);
    kit_open(&kit);
    kit_expect_now(&kit, 5, 2);
    kit_deinit(&kit);
    power_free(power);
    return failed;
}

Test(evict, every_call_that_fails_once)
{
    for (uint64_t nth = 1; evict_with_a_fault(nth, GRAFT_EIO); nth++)
        ;
    for (uint64_t nth = 1; evict_with_a_fault(nth, GRAFT_EFULL); nth++)
        ;
}
