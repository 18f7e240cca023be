/* What to fetch before it is asked for: windows that grow while they pay, the stall rule, and the
 * marks by which it is known what came of it. */
#include "engine/prefetch.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "engine/volume.h"

#define WINDOW_FIRST_LEAST 8U
#define WINDOW_FIRST_MOST 64U
#define WINDOW_FIRST_METERED 4U
#define WINDOW_MAX 2048U
#define WINDOW_MAX_LEAST 32U
#define WINDOW_MAX_METERED 256U
#define JUDGED_PAGES 256U
#define STORED_BYTES_GUESS 2048U /* of a page, before any came */
/* The rest is streamed when waiting has cost so many times its transfer. */
#define STALL_FACTOR 2U
#define STALL_US_MIN 1000U
#define BULK_PAGES_MAX 262144U /* in one go */
#define COUNT_PAGES_MAX 1048576U
#define MARK_AHEAD (UINT64_C(1) << 32)

/* ---- The setting ---- */

/* HISTORY is AUTO without hints, to measure what these bring. */
enum mode { MODE_OFF, MODE_FIXED, MODE_HISTORY, MODE_METERED, MODE_AUTO };

struct policy {
    enum mode mode;
    uint32_t pages; /* with MODE_FIXED */
};

static struct policy policy_of(struct graft_volume *volume)
{
    struct policy policy = {.mode = MODE_AUTO};
    graft_mutex_lock(volume->mutex);
    const char *value = graft_config_get(graft_store_config(volume->store), "prefetch");
    if (value != NULL && strcmp(value, "off") == 0)
        policy.mode = MODE_OFF;
    else if (value != NULL && strcmp(value, "metered") == 0)
        policy.mode = MODE_METERED;
    else if (value != NULL && strcmp(value, "history") == 0)
        policy.mode = MODE_HISTORY;
    else if (value != NULL && value[0] >= '0' && value[0] <= '9')
        policy = (struct policy){.mode = MODE_FIXED, .pages = (uint32_t)strtoul(value, NULL, 10)};
    graft_mutex_unlock(volume->mutex);
    if (policy.mode == MODE_FIXED && policy.pages <= 1)
        policy.mode = MODE_OFF;
    return policy;
}

/* ---- Marks ---- */

enum graft_rc graft_prefetch_init(struct graft_volume *volume)
{
    return graft_mutex_new(volume->env->tasks, &volume->prefetch.mutex);
}

void graft_prefetch_deinit(struct graft_volume *volume)
{
    graft_free(volume->env->alloc, atomic_load(&volume->prefetch.marks));
    graft_mutex_free(volume->prefetch.mutex);
}

static uint32_t slot_of(uint32_t page)
{
    return (page * UINT32_C(0x9e3779b1)) >> 18;
}

_Static_assert(GRAFT_PREFETCH_MARKS == UINT32_C(1) << (32 - 18), "a slot for each hash");

bool graft_prefetch_take_mark(struct graft_volume *volume, uint32_t page)
{
    struct graft_prefetch *prefetch = &volume->prefetch;
    _Atomic uint64_t *marks = atomic_load(&prefetch->marks);
    if (marks == NULL)
        return false;
    _Atomic uint64_t *slot = &marks[slot_of(page)];
    uint64_t mark = atomic_load_explicit(slot, memory_order_relaxed);
    if ((uint32_t)mark != page || !atomic_compare_exchange_strong(slot, &mark, 0))
        return false;
    prefetch->unread--;
    if ((mark & MARK_AHEAD) != 0)
        volume->counts.prefetch_hits++;
    return true;
}

/* Puts a prefetched page into the ring; the one that it pushes out has been read by now, or was
 * fetched for nothing. */
static void judge(struct graft_prefetch *prefetch, _Atomic uint64_t *marks, uint32_t page)
{
    graft_mutex_lock(prefetch->mutex);
    uint32_t old = prefetch->ring[prefetch->ring_next];
    prefetch->ring[prefetch->ring_next] = page;
    prefetch->ring_next = (prefetch->ring_next + 1) % GRAFT_PREFETCH_RING;
    if (old != 0) {
        bool unused = (uint32_t)atomic_load(&marks[slot_of(old)]) == old;
        prefetch->unused += unused ? 1 : 0;
        prefetch->used += unused ? 0 : 1;
    }
    if (prefetch->used + prefetch->unused >= JUDGED_PAGES) {
        prefetch->wasteful = prefetch->unused > prefetch->used;
        prefetch->used = 0;
        prefetch->unused = 0;
    }
    graft_mutex_unlock(prefetch->mutex);
}

static _Atomic uint64_t *marks_of(struct graft_volume *volume)
{
    struct graft_prefetch *prefetch = &volume->prefetch;
    _Atomic uint64_t *marks = atomic_load(&prefetch->marks);
    if (marks != NULL)
        return marks;
    graft_mutex_lock(prefetch->mutex);
    marks = atomic_load(&prefetch->marks);
    if (marks == NULL) {
        marks = graft_calloc(volume->env->alloc, GRAFT_PREFETCH_MARKS, sizeof *marks);
        atomic_store(&prefetch->marks, marks);
    }
    graft_mutex_unlock(prefetch->mutex);
    return marks;
}

void graft_prefetch_arrived(struct graft_volume *volume, uint32_t page, bool ahead)
{
    _Atomic uint64_t *marks = marks_of(volume);
    if (marks == NULL)
        return;
    uint64_t before = atomic_exchange(&marks[slot_of(page)], page | (ahead ? MARK_AHEAD : 0));
    if (before == 0)
        volume->prefetch.unread++;
    if (ahead)
        judge(&volume->prefetch, marks, page);
}

/* ---- Windows ---- */

static uint64_t bytes_a_page(const struct graft_link *link)
{
    return link->pages > 0 ? link->bytes / link->pages + 1 : STORED_BYTES_GUESS;
}

/* Four times what the link takes in one round trip: a quarter of it is asked for when a quarter is
 * read, and must be there before the rest is. */
static uint32_t window_max(struct graft_volume *volume, const struct policy *policy)
{
    if (policy->mode == MODE_METERED)
        return WINDOW_MAX_METERED;
    struct graft_link link = graft_fetch_link(volume);
    uint64_t pages = 4 * link.rtt_us * link.bytes_per_s / 1000000U / bytes_a_page(&link);
    if (pages < WINDOW_MAX_LEAST)
        pages = WINDOW_MAX_LEAST;
    return graft_cache_window(volume, pages > WINDOW_MAX ? WINDOW_MAX : (uint32_t)pages);
}

/* What passes in an eighth of a round trip costs next to no time. */
static uint32_t window_first(const struct policy *policy, uint32_t most)
{
    if (policy->mode == MODE_METERED)
        return WINDOW_FIRST_METERED;
    uint32_t pages = most / 32;
    if (pages < WINDOW_FIRST_LEAST)
        return WINDOW_FIRST_LEAST;
    return pages < WINDOW_FIRST_MOST ? pages : WINDOW_FIRST_MOST;
}

/* How far the stream looks ahead now: further each time it is asked. */
static uint32_t advance_stream(struct graft_session *session, const struct policy *policy,
                               uint32_t id)
{
    struct graft_streams *streams = &session->streams;
    size_t chosen = 0;
    for (size_t i = 0; i < GRAFT_STREAMS_MAX; i++) {
        if (streams->all[i].id == id) {
            chosen = i;
            break;
        }
        if (streams->all[i].used < streams->all[chosen].used)
            chosen = i;
    }
    uint32_t most = window_max(session->volume, policy);
    uint32_t window = streams->all[chosen].window;
    if (streams->all[chosen].id != id)
        window = window_first(policy, most);
    else if (session->volume->prefetch.wasteful)
        window = window > 2 * WINDOW_FIRST_LEAST ? window / 2 : window;
    else
        window *= policy->mode == MODE_METERED ? 2 : 4;
    if (window > most)
        window = most;
    streams->all[chosen].id = id;
    streams->all[chosen].window = window;
    streams->all[chosen].used = ++streams->uses;
    return window;
}

/* ---- The stall rule ---- */

/* Whether waiting has cost so much more than fetching `pages` pages would that these are streamed.
 */
static bool waited_enough(struct graft_volume *volume, uint64_t stalled_us, uint64_t pages)
{
    struct graft_link link = graft_fetch_link(volume);
    uint64_t transfer_us = pages * bytes_a_page(&link) * 1000000U / link.bytes_per_s;
    return stalled_us >= STALL_US_MIN && stalled_us >= STALL_FACTOR * transfer_us;
}

static uint32_t count_missing(struct graft_volume *volume, const uint32_t *pages, uint32_t count)
{
    uint32_t missing = 0;
    for (uint32_t i = 0; i < count; i++)
        missing += graft_store_page_state(volume->store, pages[i]) == GRAFT_STORE_MISSING ? 1 : 0;
    return missing;
}

static void consider_rest(struct graft_session *session, struct graft_view *view,
                          const struct graft_hint *hint)
{
    struct graft_volume *volume = session->volume;
    if (graft_fetch_streams(volume) || hint->count == 0)
        return;
    uint32_t missing = count_missing(volume, hint->pages, hint->count);
    if (missing > 0 && waited_enough(volume, hint->stalled_us, missing) &&
        graft_cache_fits(volume, missing))
        graft_fetch_bulk(volume, view, hint->pages, hint->count);
}

/* All of the volume that is missing, or (past so many pages that looking takes too long) may be. */
static uint64_t missing_in_all(struct graft_volume *volume, const struct graft_view *view)
{
    uint32_t count = view->commit.page_count;
    const struct graft_store_counts *counts = graft_store_counts(volume->store);
    if (count > COUNT_PAGES_MAX) {
        uint64_t held = counts->installs > counts->evicted ? counts->installs - counts->evicted : 0;
        return count > held ? count - held : 0;
    }
    uint64_t missing = 0;
    for (uint32_t page = 1; page <= count; page++)
        missing += graft_store_page_state(volume->store, page) == GRAFT_STORE_MISSING ? 1 : 0;
    return missing;
}

static void stream_all(struct graft_volume *volume, struct graft_view *view)
{
    uint32_t *pages = graft_malloc(volume->env->alloc, BULK_PAGES_MAX * sizeof *pages);
    if (pages == NULL)
        return;
    uint32_t count = 0;
    for (uint64_t page = 1; page <= view->commit.page_count && count < BULK_PAGES_MAX; page++) {
        if (graft_store_page_state(volume->store, (uint32_t)page) == GRAFT_STORE_MISSING)
            pages[count++] = (uint32_t)page;
    }
    graft_fetch_bulk(volume, view, pages, count);
    graft_free(volume->env->alloc, pages);
}

void graft_prefetch_stalled(struct graft_session *session, struct graft_view *view, uint64_t us)
{
    struct graft_volume *volume = session->volume;
    struct graft_prefetch *prefetch = &volume->prefetch;
    session->stalled_us += us;
    volume->counts.stalled_us += us;
    graft_mutex_lock(prefetch->mutex);
    prefetch->stalled_us += us;
    uint64_t stalled_us = prefetch->stalled_us;
    bool due = stalled_us >= prefetch->check_us;
    if (due)
        prefetch->check_us = stalled_us + stalled_us / 4;
    graft_mutex_unlock(prefetch->mutex);
    if (!due || graft_fetch_streams(volume) || policy_of(volume).mode != MODE_AUTO)
        return;
    uint64_t missing = missing_in_all(volume, view);
    if (missing > 0 && waited_enough(volume, stalled_us, missing) &&
        graft_cache_fits(volume, missing))
        stream_all(volume, view);
}

/* ---- What readers and hints set off ---- */

static void expand_fixed(struct graft_volume *volume, struct graft_view *view, uint32_t page,
                         uint32_t window)
{
    uint32_t pages[256];
    uint64_t first = (uint64_t)(page - 1) / window * window + 1;
    uint64_t end = first + window;
    while (first < end && first <= view->commit.page_count) {
        uint32_t count = 0;
        while (count < 256 && first < end)
            pages[count++] = (uint32_t)first++;
        (void)graft_fetch_ahead(volume, view, pages, count);
    }
}

static void expand_history(struct graft_session *session, struct graft_view *view,
                           const struct policy *policy, uint32_t page)
{
    uint32_t pages[WINDOW_MAX];
    uint32_t count = graft_history_predict(&session->history, page,
                                           window_max(session->volume, policy), pages, WINDOW_MAX);
    (void)graft_fetch_ahead(session->volume, view, pages, count);
}

/* What the commit says a new replica should get at once; what of it is held costs nothing. */
static void expand_first(struct graft_volume *volume, struct graft_view *view)
{
    const struct graft_pageset *first = &view->commit.first;
    for (uint32_t i = 0; i < first->run_count; i++) {
        for (uint32_t at = 0; at < first->runs[i].count;) {
            uint32_t pages[64];
            uint32_t count = 0;
            while (count < 64 && at < first->runs[i].count)
                pages[count++] = first->runs[i].first + at++;
            (void)graft_fetch_ahead(volume, view, pages, count);
        }
    }
}

void graft_prefetch_expand(struct graft_session *session, struct graft_view *view, uint32_t page)
{
    struct graft_volume *volume = session->volume;
    struct policy policy = policy_of(volume);
    if (policy.mode == MODE_OFF)
        return;
    if (policy.mode == MODE_FIXED) {
        expand_fixed(volume, view, page, policy.pages);
        return;
    }
    if (graft_pageset_contains(&view->commit.first, page))
        expand_first(volume, view);
    if (session->hinted_page == page && policy.mode != MODE_HISTORY)
        return;
    graft_history_note(&session->history, page);
    expand_history(session, view, &policy, page);
}

void graft_prefetch_first_read(struct graft_session *session, uint32_t page)
{
    struct graft_volume *volume = session->volume;
    struct graft_store_snapshot snapshot;
    if (session->hinting || !graft_store_pinned(session->store, &snapshot) ||
        snapshot.remote_lsn == 0)
        return;
    graft_history_note(&session->history, page);
    struct policy policy = policy_of(volume);
    if (policy.mode < MODE_HISTORY || !graft_history_wants_more(&session->history, page))
        return;
    struct graft_view *view = NULL;
    struct graft_err ignored = {0};
    if (graft_view_get(volume, snapshot.remote_lsn, &view, &ignored) != GRAFT_OK)
        return;
    expand_history(session, view, &policy, page);
    graft_fetch_start(volume);
    graft_view_release(volume, view);
}

uint32_t graft_session_hint(struct graft_session *session, const struct graft_hint *hint)
{
    struct graft_volume *volume = session->volume;
    struct graft_store_snapshot snapshot;
    struct policy policy = policy_of(volume);
    session->hinting = policy.mode != MODE_HISTORY;
    session->hinted_page = hint->before;
    if (policy.mode < MODE_METERED || hint->count == 0 ||
        !graft_store_pinned(session->store, &snapshot) || snapshot.remote_lsn == 0)
        return 1;
    struct graft_view *view = NULL;
    struct graft_err ignored = {0};
    if (graft_view_get(volume, snapshot.remote_lsn, &view, &ignored) != GRAFT_OK)
        return 1;
    uint32_t count = hint->count;
    uint32_t queued = 0;
    if (hint->kind == GRAFT_HINT_REST) {
        if (policy.mode == MODE_AUTO)
            consider_rest(session, view, hint);
    } else {
        uint32_t most = graft_cache_window(volume, WINDOW_MAX);
        if (hint->kind == GRAFT_HINT_SEQUENCE)
            most = advance_stream(session, &policy, hint->stream);
        if (count > most)
            count = most;
        queued = graft_fetch_ahead(volume, view, hint->pages, count);
    }
    if (queued > 0 && hint->before == 0)
        graft_fetch_start(volume);
    graft_view_release(volume, view);
    return count / 4 + 1;
}
