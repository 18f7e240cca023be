/* See model.h. A page that the store says is not held must be one whose content the remote has at
 * the snapshot's remote LSN; it is then "fetched" from the model's remote, and often installed,
 * also at wrong times and in wrong versions, which must do no harm. */
#include "model.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "store/parts.h"

static bool chance(struct model *model, unsigned percent)
{
    return kit_below(&model->random, 100) < percent;
}

static void open_sessions(struct model *model)
{
    model->kit.store->half_bytes = model->half_bytes;
    model->kit.store->txn_buffer_bytes = 8 * model->kit.config.page_bytes;
    for (unsigned i = 0; i < MODEL_SESSIONS; i++)
        model->sessions[i] = (struct model_session){.session = kit_session(&model->kit)};
}

void model_init(struct model *model, uint64_t seed, const struct kit_options *options,
                struct power *power)
{
    *model = (struct model){.random = {seed * UINT64_C(0x9e3779b97f4a7c15) + 1}};
    struct kit_options own = options != NULL ? *options : (struct kit_options){0};
    if (power != NULL)
        own.env = power_env(power);
    /* What it says does not matter here, only that there is one. */
    if (seed % 4 < 3)
        own.cache_limit = "4096";
    kit_init(&model->kit, &own);
    model->power = power;
    model->history = calloc(MODEL_HISTORY, sizeof *model->history);
    model->remotes = calloc(MODEL_REMOTES_MAX, sizeof *model->remotes);
    model->half_bytes = 32768;
    model->next_version = 1;
    model->trace = getenv("MODEL_TRACE") != NULL;
    open_sessions(model);
}

void model_deinit(struct model *model)
{
    for (unsigned i = 0; i < MODEL_SESSIONS; i++)
        graft_store_session_close(model->sessions[i].session);
    /* The close is an operation too, in which a crash is tried. */
    kit_deinit(&model->kit);
    free(model->remotes);
    free(model->history);
}

void model_reopen(struct model *model, bool crash)
{
    for (unsigned i = 0; i < MODEL_SESSIONS; i++)
        graft_store_session_close(model->sessions[i].session);
    if (crash)
        kit_crash(&model->kit);
    else
        kit_close(&model->kit);
    kit_open(&model->kit);
    open_sessions(model);
}

/* ---- Reading ---- */

static void install(struct model *model, uint32_t page, uint64_t remote_lsn)
{
    struct model_remote *remote = &model->remotes[remote_lsn];
    uint8_t bytes[GRAFT_PAGE_BYTES_MAX];
    uint32_t size = model->kit.config.page_bytes;
    kit_fill(bytes, size, page, remote->content[page]);
    bool installed = false;
    expect_ok(graft_store_install(model->kit.store, page, remote_lsn, remote->version_lsn[page],
                                  bytes, size, &installed, &model->kit.err),
              &model->kit.err);
    if (model->trace)
        fprintf(stderr, "  install page %u of remote %llu: %d\n", page,
                (unsigned long long)remote_lsn, installed);
}

static void check_page(struct model *model, struct graft_store_session *session,
                       const struct model_state *state, uint64_t remote_lsn, uint32_t page)
{
    uint8_t bytes[GRAFT_PAGE_BYTES_MAX], wanted[GRAFT_PAGE_BYTES_MAX];
    uint32_t size = model->kit.config.page_bytes;
    size_t got = 0;
    struct graft_err err = {0};
    enum graft_rc rc = graft_store_read(session, page, bytes, &got, &err);
    /* An installed page is not synced: the power may have taken it, and it is fetched again. */
    if (rc == GRAFT_ECORRUPT && model->power != NULL && !state->ahead[page] && remote_lsn > 0) {
        rc = graft_store_forget(model->kit.store, page, UINT64_MAX, &model->kit.err);
        /* Not for an old snapshot below a newer local version. */
        if (rc == GRAFT_EINVAL && state->lsn < model->head.lsn && model->head.ahead[page])
            return;
        cr_assert(rc == GRAFT_OK, "%s", model->kit.err.text);
        rc = GRAFT_ENOTHELD;
    }
    if (rc == GRAFT_ENOTHELD) {
        cr_assert(!state->ahead[page] && remote_lsn > 0, "page %u is ahead and not held", page);
        cr_assert_eq(model->remotes[remote_lsn].content[page], state->content[page],
                     "page %u at LSN %llu is not held, but remote %llu has another", page,
                     (unsigned long long)state->lsn, (unsigned long long)remote_lsn);
        if (chance(model, 50))
            install(model, page, remote_lsn);
        return;
    }
    cr_assert(rc == GRAFT_OK, "page %u at LSN %llu: %s", page, (unsigned long long)state->lsn,
              err.text);
    graft_store_touch(model->kit.store, page);
    uint64_t is = model->next_version;
    do {
        kit_fill(wanted, size, page, is);
    } while (memcmp(bytes, wanted, size) != 0 && is-- > 0);
    if (model->trace && is != state->content[page])
        for (uint64_t i = 1; i <= model->newest_remote; i++)
            fprintf(stderr, "  remote %llu has page %u as %llu since %llu, of %u\n",
                    (unsigned long long)i, page,
                    (unsigned long long)model->remotes[i].content[page],
                    (unsigned long long)model->remotes[i].version_lsn[page],
                    model->remotes[i].page_count);
    cr_assert(got == size && is == state->content[page],
              "page %u at LSN %llu is version %llu, not %llu", page, (unsigned long long)state->lsn,
              (unsigned long long)is, (unsigned long long)state->content[page]);
}

static void check_session(struct model *model, struct graft_store_session *session,
                          const struct model_state *state)
{
    struct graft_store_snapshot snapshot;
    cr_assert(graft_store_pinned(session, &snapshot));
    cr_assert_eq(snapshot.lsn, state->lsn, "LSN %llu instead of %llu",
                 (unsigned long long)snapshot.lsn, (unsigned long long)state->lsn);
    cr_assert_eq(snapshot.page_count, state->page_count);
    for (uint32_t page = 1; page <= state->page_count; page++)
        check_page(model, session, state, snapshot.remote_lsn, page);
}

static void check_ahead(struct model *model)
{
    struct graft_pageset pages;
    uint64_t commits = 0;
    graft_pageset_init(&pages, model->kit.env->alloc);
    expect_ok(graft_store_ahead(model->kit.store, 0, &pages, &commits, &model->kit.err),
              &model->kit.err);
    bool any = false;
    for (uint32_t page = 1; page <= model->head.page_count; page++) {
        any = any || model->head.ahead[page];
        cr_assert_eq(graft_pageset_contains(&pages, page), model->head.ahead[page], "page %u ahead",
                     page);
    }
    cr_assert(!any || commits > 0);
    graft_pageset_deinit(&pages);
}

void model_check(struct model *model)
{
    struct graft_store_session *session = kit_session(&model->kit);
    struct graft_store_snapshot snapshot;
    expect_ok(graft_store_begin(session, &snapshot, &model->kit.err), &model->kit.err);
    cr_assert_eq(snapshot.remote_lsn, model->head.remote_lsn);
    check_session(model, session, &model->head);
    graft_store_session_close(session);
    for (unsigned i = 0; i < MODEL_SESSIONS; i++) {
        if (model->sessions[i].pinned)
            check_session(model, model->sessions[i].session, &model->sessions[i].state);
    }
    check_ahead(model);
}

/* ---- Crashes in the midst of operations ---- */

static void check_crashed_page(struct model *model, struct kit *kit,
                               struct graft_store_session *session, const struct model_state *state,
                               uint64_t remote_lsn, uint32_t page)
{
    uint8_t bytes[GRAFT_PAGE_BYTES_MAX], wanted[GRAFT_PAGE_BYTES_MAX];
    size_t got = 0;
    struct graft_err err = {0};
    enum graft_rc rc = graft_store_read(session, page, bytes, &got, &err);
    if (rc == GRAFT_ECORRUPT && !state->ahead[page] && remote_lsn > 0) {
        expect_ok(graft_store_forget(kit->store, page, UINT64_MAX, &kit->err), &kit->err);
        rc = GRAFT_ENOTHELD;
    }
    if (rc == GRAFT_ENOTHELD) {
        cr_assert_eq(model->remotes[remote_lsn].content[page], state->content[page],
                     "page %u at LSN %llu", page, (unsigned long long)state->lsn);
        return;
    }
    cr_assert(rc == GRAFT_OK, "page %u at LSN %llu: %s", page, (unsigned long long)state->lsn,
              err.text);
    kit_fill(wanted, kit->config.page_bytes, page, state->content[page]);
    cr_assert(memcmp(bytes, wanted, got) == 0, "page %u at LSN %llu is another version", page,
              (unsigned long long)state->lsn);
}

static void check_crashed(struct model *model, struct kit *kit, uint64_t least)
{
    struct graft_store_session *session = kit_session(kit);
    struct graft_store_snapshot snapshot;
    expect_ok(graft_store_begin(session, &snapshot, &kit->err), &kit->err);
    uint64_t most = model->head.lsn + (model->has_candidate ? 1 : 0);
    cr_assert(snapshot.lsn >= least && snapshot.lsn <= most, "LSN %llu, not %llu to %llu",
              (unsigned long long)snapshot.lsn, (unsigned long long)least,
              (unsigned long long)most);
    struct model_state state = snapshot.lsn > model->head.lsn
                                   ? model->candidate
                                   : model->history[snapshot.lsn % MODEL_HISTORY];
    cr_assert_eq(snapshot.page_count, state.page_count);
    if (model->candidate_remote == 0 || snapshot.remote_lsn != model->candidate_remote)
        cr_assert_eq(snapshot.remote_lsn, state.remote_lsn);
    for (uint32_t page = 1; page <= state.page_count; page++)
        check_crashed_page(model, kit, session, &state, snapshot.remote_lsn, page);
    graft_store_session_close(session);
}

static void crash_here(void *arg)
{
    struct model *model = arg;
    struct power *clone = power_clone(model->power, kit_random(&model->random));
    struct kit kit = model->kit;
    kit.env = power_env(clone);
    bool power = chance(model, 70);
    model->images++;
    if (model->trace)
        fprintf(stderr, "  crash %llu: power %d\n", (unsigned long long)model->images, power);
    if (power)
        power_fail(clone);
    kit_open(&kit);
    kit.store->half_bytes = model->half_bytes;
    check_crashed(model, &kit, power || model->recovering ? model->durable_lsn : model->head.lsn);
    uint64_t lsn = graft_store_newest_lsn(kit.store);
    /* Another crash at once, and the same again. */
    kit_crash(&kit);
    if (power && chance(model, 50))
        power_fail(clone);
    kit_open(&kit);
    if (model->trace)
        fprintf(stderr, "  and again\n");
    check_crashed(model, &kit, lsn);
    /* It can be worked with. */
    kit_commit(&kit, 1, 2, 7777);
    kit_expect_now(&kit, 2, 7777);
    kit_close(&kit);
    kit_open(&kit);
    kit_expect_now(&kit, 1, 7777);
    kit_close(&kit);
    power_free(clone);
}

void model_crash_inside(struct model *model, unsigned rarely)
{
    power_hook(model->power, crash_here, model, rarely);
}

/* ---- Sessions ---- */

static void begin(struct model *model, struct model_session *session)
{
    struct graft_store_snapshot snapshot;
    if (session->pinned)
        return;
    expect_ok(graft_store_begin(session->session, &snapshot, &model->kit.err), &model->kit.err);
    session->pinned = true;
    session->state = model->head;
}

static void end(struct model_session *session)
{
    graft_store_end(session->session);
    session->pinned = false;
}

static bool write_begin(struct model *model, struct model_session *session)
{
    enum graft_rc rc = graft_store_write_begin(session->session, &model->kit.err);
    bool stale = session->pinned && session->state.lsn != model->head.lsn;
    cr_assert_eq(rc, stale ? GRAFT_ESTALE : GRAFT_OK, "%s", model->kit.err.text);
    if (stale) {
        end(session);
        return false;
    }
    if (!session->pinned)
        session->state = model->head;
    session->pinned = true;
    return true;
}

/* The head is another one now. */
static void advanced(struct model *model, bool durable)
{
    model->history[model->head.lsn % MODEL_HISTORY] = model->head;
    if (durable)
        model->durable_lsn = model->head.lsn;
}

void model_power_fail(struct model *model)
{
    GRAFT_ASSERT(model->power != NULL);
    for (unsigned i = 0; i < MODEL_SESSIONS; i++)
        graft_store_session_close(model->sessions[i].session);
    kit_crash(&model->kit);
    power_fail(model->power);
    model->recovering = true;
    kit_open(&model->kit);
    open_sessions(model);
    uint64_t lsn = graft_store_newest_lsn(model->kit.store);
    cr_assert(lsn >= model->durable_lsn && lsn <= model->head.lsn,
              "LSN %llu is there, of %llu with %llu durable", (unsigned long long)lsn,
              (unsigned long long)model->head.lsn, (unsigned long long)model->durable_lsn);
    model->head = model->history[lsn % MODEL_HISTORY];
    model->durable_lsn = lsn;
    model->recovering = false;
    model_check(model);
}

static void begin_candidate(struct model *model, const struct model_state *state)
{
    model->candidate = *state;
    model->candidate.lsn = model->head.lsn + 1;
    model->has_candidate = true;
}

/* ---- Local commits ---- */

static void set_count(struct model_state *state, uint32_t count, bool local)
{
    for (uint32_t page = count + 1; page <= MODEL_PAGES_MAX; page++) {
        state->content[page] = 0;
        state->ahead[page] = false;
    }
    for (uint32_t page = state->page_count + 1; page <= count; page++) {
        state->content[page] = 0;
        state->ahead[page] = local;
    }
    state->page_count = count;
}

static void random_writes(struct model *model, struct model_session *session,
                          struct model_state *state)
{
    unsigned writes = (unsigned)kit_below(&model->random, chance(model, 20) ? 40 : 6);
    for (unsigned i = 0; i < writes; i++) {
        if (chance(model, 8)) {
            uint32_t count = (uint32_t)kit_below(&model->random, MODEL_PAGES_MAX + 1);
            expect_ok(graft_store_write_page_count(session->session, count, &model->kit.err),
                      &model->kit.err);
            set_count(state, count, true);
            continue;
        }
        uint32_t most =
            state->page_count + 3 < MODEL_PAGES_MAX ? state->page_count + 3 : MODEL_PAGES_MAX;
        uint32_t page = 1 + (uint32_t)kit_below(&model->random, most);
        uint64_t version = model->next_version++;
        kit_write(&model->kit, session->session, page, version);
        if (model->trace)
            fprintf(stderr, "  write page %u version %llu\n", page, (unsigned long long)version);
        if (page > state->page_count)
            set_count(state, page, true);
        state->content[page] = version;
        state->ahead[page] = true;
        if (chance(model, 30))
            check_page(model, session->session, state, state->remote_lsn,
                       1 + (uint32_t)kit_below(&model->random, state->page_count));
    }
}

static void local_transaction(struct model *model, struct model_session *session)
{
    if (!write_begin(model, session))
        return;
    struct model_state state = model->head;
    random_writes(model, session, &state);
    unsigned fate = (unsigned)kit_below(&model->random, 10);
    if (model->trace)
        fprintf(stderr, "  fate %u\n", fate);
    if (fate == 0) {
        expect_ok(graft_store_rollback(session->session, &model->kit.err), &model->kit.err);
        return;
    }
    struct graft_store_commit commit = {.kind = GRAFT_COMMIT_LOCAL, .durable = chance(model, 50)};
    begin_candidate(model, &state);
    expect_ok(graft_store_prepare(session->session, &commit, &model->kit.err), &model->kit.err);
    if (fate == 1) {
        expect_ok(graft_store_rollback(session->session, &model->kit.err), &model->kit.err);
        model->has_candidate = false;
        return;
    }
    graft_store_publish(session->session);
    model->has_candidate = false;
    uint64_t newest = graft_store_newest_lsn(model->kit.store);
    cr_assert_leq(newest, model->head.lsn + 1);
    if (newest > model->head.lsn) {
        state.lsn = newest;
        model->head = state;
        advanced(model, commit.durable);
    }
    session->state = model->head;
}

/* ---- The remote ---- */

static bool is_ahead(const struct model *model)
{
    for (uint32_t page = 1; page <= MODEL_PAGES_MAX; page++) {
        if (model->head.ahead[page])
            return true;
    }
    /* A shrink alone is a local change too. */
    return model->head.page_count != model->remotes[model->head.remote_lsn].page_count;
}

static void remote_advances(struct model *model)
{
    if (model->newest_remote + 1 == MODEL_REMOTES_MAX)
        return;
    struct model_remote next = model->remotes[model->newest_remote];
    uint64_t lsn = ++model->newest_remote;
    if (chance(model, 20) || next.page_count == 0) {
        uint32_t count = 1 + (uint32_t)kit_below(&model->random, MODEL_PAGES_MAX);
        for (uint32_t page = count + 1; page <= MODEL_PAGES_MAX; page++) {
            if (next.content[page] != 0)
                next.version_lsn[page] = lsn;
            next.content[page] = 0;
        }
        for (uint32_t page = next.page_count + 1; page <= count; page++)
            next.version_lsn[page] = lsn;
        next.page_count = count;
    }
    unsigned changes = (unsigned)kit_below(&model->random, 12);
    for (unsigned i = 0; i < changes; i++) {
        uint32_t page = 1 + (uint32_t)kit_below(&model->random, next.page_count);
        next.content[page] = model->next_version++;
        next.version_lsn[page] = lsn;
    }
    model->remotes[lsn] = next;
}

static void take_remote(struct model_state *state, const struct model_remote *remote, uint64_t lsn)
{
    state->remote_lsn = lsn;
    state->page_count = remote->page_count;
    memcpy(state->content, remote->content, sizeof state->content);
    memset(state->ahead, 0, sizeof state->ahead);
}

static void begin_remote_candidate(struct model *model, uint64_t newest)
{
    struct model_state state = model->head;
    take_remote(&state, &model->remotes[newest], newest);
    begin_candidate(model, &state);
}

static void pull(struct model *model, struct model_session *session)
{
    uint64_t newest = model->newest_remote;
    if (is_ahead(model) || newest == model->head.remote_lsn || !write_begin(model, session))
        return;
    const struct model_remote *remote = &model->remotes[newest];
    struct graft_store_session *writer = session->session;
    uint64_t base = model->head.remote_lsn;
    expect_ok(graft_store_write_page_count(writer, remote->page_count, &model->kit.err),
              &model->kit.err);
    /* A shrink on the way that the newest state does not show. */
    for (uint64_t lsn = base + 1; lsn < newest; lsn++) {
        uint32_t count = model->remotes[lsn].page_count;
        if (count < remote->page_count && chance(model, 50)) {
            expect_ok(graft_store_write_page_count(writer, count, &model->kit.err),
                      &model->kit.err);
            expect_ok(graft_store_write_page_count(writer, remote->page_count, &model->kit.err),
                      &model->kit.err);
        }
    }
    for (uint32_t page = 1; page <= remote->page_count; page++) {
        if (remote->version_lsn[page] <= base)
            continue;
        if (chance(model, 15))
            kit_write(&model->kit, writer, page, remote->content[page]);
        else
            expect_ok(graft_store_write_remote(writer, page, &model->kit.err), &model->kit.err);
    }
    begin_remote_candidate(model, newest);
    kit_pull(&model->kit, writer, newest);
    model->has_candidate = false;
    model->head.lsn++;
    take_remote(&model->head, remote, newest);
    advanced(model, true);
    session->state = model->head;
}

static void push(struct model *model, struct model_session *session)
{
    if (!is_ahead(model) || model->newest_remote != model->head.remote_lsn ||
        model->newest_remote + 1 == MODEL_REMOTES_MAX || !write_begin(model, session))
        return;
    struct model_remote next = model->remotes[model->newest_remote];
    uint64_t lsn = ++model->newest_remote;
    for (uint32_t page = 1; page <= MODEL_PAGES_MAX; page++) {
        if (next.content[page] != model->head.content[page] || model->head.ahead[page])
            next.version_lsn[page] = lsn;
        next.content[page] = model->head.content[page];
    }
    next.page_count = model->head.page_count;
    model->remotes[lsn] = next;
    struct graft_sync_state state;
    expect_ok(graft_store_sync_state(model->kit.store, &state, &model->kit.err), &model->kit.err);
    state.remote_lsn = lsn;
    state.pushed_lsn = model->head.lsn;
    model->candidate_remote = lsn;
    expect_ok(graft_store_note(session->session, &state, &model->kit.err), &model->kit.err);
    expect_ok(graft_store_rollback(session->session, &model->kit.err), &model->kit.err);
    model->candidate_remote = 0;
    model->head.remote_lsn = lsn;
    memset(model->head.ahead, 0, sizeof model->head.ahead);
    advanced(model, true);
    session->state = model->head;
}

static void reset(struct model *model, struct model_session *session)
{
    uint64_t newest = model->newest_remote;
    if (!is_ahead(model) || newest == 0 || !write_begin(model, session))
        return;
    const struct model_remote *remote = &model->remotes[newest];
    struct graft_pageset changed;
    graft_pageset_init(&changed, model->kit.env->alloc);
    for (uint32_t page = 1; page <= remote->page_count; page++) {
        if (remote->version_lsn[page] > model->head.remote_lsn)
            expect_ok(graft_pageset_add(&changed, page), &model->kit.err);
    }
    struct graft_sync_state state;
    expect_ok(graft_store_sync_state(model->kit.store, &state, &model->kit.err), &model->kit.err);
    state.remote_lsn = newest;
    state.pushed_lsn = model->head.lsn + 1;
    begin_remote_candidate(model, newest);
    expect_ok(
        graft_store_reset(session->session, remote->page_count, &changed, &state, &model->kit.err),
        &model->kit.err);
    model->has_candidate = false;
    graft_pageset_deinit(&changed);
    model->head.lsn++;
    take_remote(&model->head, remote, newest);
    advanced(model, true);
    session->state = model->head;
}

static void wild_install(struct model *model)
{
    if (model->newest_remote == 0)
        return;
    uint64_t remote_lsn = chance(model, 60) && model->head.remote_lsn > 0
                              ? model->head.remote_lsn
                              : 1 + kit_below(&model->random, model->newest_remote);
    if (model->remotes[remote_lsn].page_count == 0)
        return;
    install(model, 1 + (uint32_t)kit_below(&model->random, model->remotes[remote_lsn].page_count),
            remote_lsn);
}

static void forget(struct model *model)
{
    if (model->head.page_count == 0)
        return;
    uint32_t page = 1 + (uint32_t)kit_below(&model->random, model->head.page_count);
    enum graft_rc rc = graft_store_forget(model->kit.store, page, UINT64_MAX, &model->kit.err);
    cr_assert(rc == GRAFT_OK || rc == GRAFT_EINVAL || rc == GRAFT_EBUSY, "%s", model->kit.err.text);
    cr_assert(rc != GRAFT_OK || !model->head.ahead[page]);
}

/* Any pages, or those that a sweep finds, with the versions of the right remote LSN. */
static void evict(struct model *model)
{
    struct graft_store *store = model->kit.store;
    static struct graft_store_sweep sweep;
    uint64_t remote_lsn = model->head.remote_lsn, evicted = 0;
    if (chance(model, 40)) {
        expect_ok(graft_store_sweep(store, 1 + (uint32_t)kit_below(&model->random, 20), &sweep,
                                    &model->kit.err),
                  &model->kit.err);
    } else {
        sweep.count = 0;
        for (uint32_t page = 1; page <= graft_header_load(store, GRAFT_W_HIGHEST); page++) {
            if (chance(model, 60))
                sweep.pages[sweep.count++] = page;
        }
        sweep.first = sweep.count > 0 ? sweep.pages[0] : 0;
        sweep.last = sweep.count > 0 ? sweep.pages[sweep.count - 1] : 0;
    }
    for (uint32_t i = 0; i < sweep.count; i++)
        sweep.versions[i] = model->remotes[remote_lsn].version_lsn[sweep.pages[i]];
    enum graft_rc rc = graft_store_evict(store, &sweep, remote_lsn, &evicted, &model->kit.err);
    cr_assert(rc == GRAFT_OK || rc == GRAFT_EUNSUPPORTED, "%s", model->kit.err.text);
    cr_assert(evicted == 0 || remote_lsn > 0);
    if (model->trace)
        fprintf(stderr, "  evict %llu of %u\n", (unsigned long long)evicted, sweep.count);
}

/* ---- Steps ---- */

void model_step(struct model *model)
{
    struct model_session *session = &model->sessions[kit_below(&model->random, MODEL_SESSIONS)];
    unsigned what = (unsigned)kit_below(&model->random, 100);
    if (model->trace)
        fprintf(stderr, "step %u, session %d, head %llu, remote %llu of %llu\n", what,
                (int)(session - model->sessions), (unsigned long long)model->head.lsn,
                (unsigned long long)model->head.remote_lsn,
                (unsigned long long)model->newest_remote);
    if (what < 30)
        local_transaction(model, session);
    else if (what < 40)
        begin(model, session);
    else if (what < 52)
        end(session);
    else if (what < 62 && session->pinned)
        check_session(model, session->session, &session->state);
    else if (what < 70)
        remote_advances(model);
    else if (what < 76)
        pull(model, session);
    else if (what < 80)
        push(model, session);
    else if (what < 82)
        reset(model, session);
    else if (what < 88)
        wild_install(model);
    else if (what < 89)
        forget(model);
    else if (what < 92)
        evict(model);
    else if (what < 95)
        expect_ok(graft_store_fold(model->kit.store, &model->kit.err), &model->kit.err);
    else if (what < 96 && model->power != NULL)
        model_power_fail(model);
    else if (what < 96)
        model_reopen(model, false);
    else if (what < 98)
        model_reopen(model, true);
    else
        model_check(model);
}
