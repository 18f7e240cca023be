/* Keeping the image below the cache limit. What counts is the space that it takes on the disk: that
 * is asked for after a 64th of the limit was put into it, by whoever did, and from a 16th below the
 * limit on (more, if that is little) pages are given up until another 16th is free, in portions, so
 * that the image is locked for short times only. Who puts more in meanwhile waits when that comes
 * to more than two 64ths. Which pages may go the store decides; the view of the head's remote LSN
 * says as of when each has its version, if it is at hand (nothing here goes to the remote), else
 * all count as new. */
#include "engine/cache.h"

#include <stdio.h>
#include <string.h>

#include "base/catalogue.h"
#include "engine/fetcher_parts.h"
#include "engine/volume.h"

#define STEPS 64U /* parts of the limit after which its space is looked at */
#define UNDER_WAY_BYTES ((uint64_t)GRAFT_FETCH_WORKERS_MAX * GRAFT_FRAME_RAW_BYTES)
#define ROUNDS 3U /* of the hand, after which all that may go has been chosen */

/* ---- The limit as a setting ---- */

enum graft_rc graft_cache_limit_parse(const char *text, uint64_t *bytes, struct graft_err *err)
{
    static const char suffixes[] = "KMGT";
    uint64_t value = 0;
    bool valid = text[0] >= '0' && text[0] <= '9';
    const char *at = text;
    for (; *at >= '0' && *at <= '9' && valid; at++) {
        valid = value <= UINT64_MAX / 20;
        value = value * 10 + (uint64_t)(*at - '0');
    }
    unsigned shift = 0;
    if (valid && *at != '\0') {
        char upper = *at >= 'a' && *at <= 'z' ? (char)(*at - 'a' + 'A') : *at;
        const char *suffix = strchr(suffixes, upper);
        valid = suffix != NULL && at[1] == '\0';
        shift = valid ? 10U * (unsigned)(suffix - suffixes + 1) : 0;
    }
    valid = valid && value <= GRAFT_CACHE_LIMIT_MAX >> shift;
    value <<= valid ? shift : 0;
    if ((!valid || (value > 0 && value < GRAFT_CACHE_LIMIT_MIN)) && text[0] != '\0')
        return graft_err_set(err, GRAFT_EINVAL,
                             "cache limit '%.40s' is not allowed: bytes from %uK on are, "
                             "with K, M, G or T behind the number (powers of 1024), or 0 for none",
                             text, GRAFT_CACHE_LIMIT_MIN >> 10);
    *bytes = text[0] != '\0' ? value : 0;
    return GRAFT_OK;
}

enum graft_rc graft_cache_limit_remember(struct graft_volume *volume, const char *text,
                                         struct graft_err *err)
{
    uint64_t bytes = 0;
    char number[24];
    GRAFT_TRY(graft_cache_limit_parse(text, &bytes, err));
    (void)snprintf(number, sizeof number, "%llu", (unsigned long long)bytes);
    GRAFT_TRY(graft_setting_set(volume, GRAFT_CACHE_LIMIT_SETTING, bytes > 0 ? number : NULL, err));
    volume->cache.next_look = 0;
    return GRAFT_OK;
}

enum graft_rc graft_cache_limit_set(struct graft_volume *volume, const char *text,
                                    struct graft_err *err)
{
    GRAFT_TRY(graft_cache_limit_remember(volume, text, err));
    graft_cache_keep(volume);
    return GRAFT_OK;
}

uint64_t graft_cache_limit(struct graft_volume *volume)
{
    return graft_store_cache_limit(volume->store);
}

enum graft_rc graft_cache_init(struct graft_volume *volume)
{
    return graft_mutex_new(volume->env->tasks, &volume->cache.mutex);
}

void graft_cache_deinit(struct graft_volume *volume)
{
    graft_mutex_free(volume->cache.mutex);
}

/* ---- How much there is ---- */

/* Below it pages may come. What is under way when it is reached should fit, too. */
static uint64_t high_mark(uint64_t limit)
{
    uint64_t room = limit / 16;
    if (room < UNDER_WAY_BYTES)
        room = limit / 4 < UNDER_WAY_BYTES ? limit / 4 : UNDER_WAY_BYTES;
    return limit - room;
}

static uint64_t low_mark(uint64_t limit)
{
    return high_mark(limit) - limit / 16;
}

/* Pages after which the space is looked at. */
static uint64_t step(struct graft_volume *volume, uint64_t limit)
{
    return limit / STEPS / graft_store_page_bytes(volume->store) + 1;
}

/* Pages that this process has put into the image so far. */
static uint64_t growth(struct graft_volume *volume)
{
    const struct graft_store_counts *counts = graft_store_counts(volume->store);
    return counts->installs + counts->folded_pages;
}

bool graft_cache_fits(struct graft_volume *volume, uint64_t pages)
{
    uint64_t limit = graft_cache_limit(volume), space = 0;
    struct graft_err ignored = {0};
    return limit == 0 ||
           (graft_store_image_space(volume->store, &space, &ignored) == GRAFT_OK &&
            space + pages * graft_store_page_bytes(volume->store) <= high_mark(limit));
}

uint32_t graft_cache_window(struct graft_volume *volume, uint32_t pages)
{
    uint64_t limit = graft_cache_limit(volume);
    uint64_t most = limit / 8 / graft_store_page_bytes(volume->store) + 1;
    return limit == 0 || most > pages ? pages : (uint32_t)most;
}

/* ---- Giving pages up ---- */

static void date(struct graft_volume *volume, uint64_t remote_lsn, struct graft_store_sweep *sweep)
{
    struct graft_view *view = graft_view_at_hand(volume, remote_lsn);
    for (uint32_t i = 0; i < sweep->count; i++) {
        struct graft_place place;
        bool known = view != NULL && graft_view_find(view, sweep->pages[i], &place);
        sweep->versions[i] = known ? place.version_lsn : remote_lsn;
    }
    graft_view_release(volume, view);
}

/* One portion. */
static enum graft_rc give_up_some(struct graft_volume *volume, struct graft_store_sweep *sweep,
                                  uint64_t bytes, uint64_t *evicted, struct graft_err *err)
{
    struct graft_sync_state state;
    uint64_t pages = bytes / graft_store_page_bytes(volume->store) + 1;
    GRAFT_TRY(graft_store_sync_state(volume->store, &state, err));
    GRAFT_TRY(graft_store_sweep(
        volume->store, pages < GRAFT_SWEEP_PAGES_MAX ? (uint32_t)pages : GRAFT_SWEEP_PAGES_MAX,
        sweep, err));
    date(volume, state.remote_lsn, sweep);
    /* What comes meanwhile would find the image locked, and not be kept. */
    graft_mutex_lock(volume->fetcher.install_mutex);
    enum graft_rc rc = graft_store_evict(volume->store, sweep, state.remote_lsn, evicted, err);
    graft_mutex_unlock(volume->fetcher.install_mutex);
    return rc;
}

/* Until the image is down to `mark`, or nothing went though the hand has been round. */
static enum graft_rc give_up(struct graft_volume *volume, struct graft_store_sweep *sweep,
                             uint64_t mark, uint64_t *space, struct graft_err *err)
{
    unsigned begun = 0; /* rounds, since something went */
    while (*space > mark && begun <= ROUNDS) {
        uint64_t evicted = 0;
        GRAFT_TRY(give_up_some(volume, sweep, *space - mark, &evicted, err));
        begun = evicted > 0 ? 0 : begun + (sweep->first <= 1 ? 1 : 0);
        GRAFT_TRY(graft_store_image_space(volume->store, space, err));
    }
    return GRAFT_OK;
}

static enum graft_rc keep(struct graft_volume *volume, uint64_t limit, struct graft_err *err)
{
    struct graft_cache *cache = &volume->cache;
    struct graft_sync_state state;
    uint64_t space = 0, pages = growth(volume);
    cache->next_look = pages + step(volume, limit);
    GRAFT_TRY(graft_store_sync_state(volume->store, &state, err));
    /* Also what was just written, which can only go once it is in the image. */
    bool odd = GRAFT_BUGGIFY("cache: all that may go is given up though there is room");
    if (odd)
        GRAFT_TRY(graft_store_fold(volume->store, err));
    GRAFT_TRY(graft_store_image_space(volume->store, &space, err));
    if (space <= high_mark(limit) && !odd)
        return GRAFT_OK;
    struct graft_store_sweep *sweep = graft_malloc(volume->env->alloc, sizeof *sweep);
    if (sweep == NULL)
        return graft_err_set(err, GRAFT_ENOMEM, "out of memory");
    enum graft_rc rc = give_up(volume, sweep, odd ? 0 : low_mark(limit), &space, err);
    graft_free(volume->env->alloc, sweep);
    /* Where too little may go, looking again at each step would be in vain: not before the image is
     * larger by an eighth, or something was pushed or pulled. */
    bool stuck = rc == GRAFT_OK && space > high_mark(limit);
    GRAFT_SOMETIMES(stuck, "the image stayed above the cache limit, as too little could go");
    if (stuck)
        cache->next_look = pages + space / 8 / graft_store_page_bytes(volume->store) + 1;
    cache->stuck_at = stuck ? state.pushed_lsn + 1 : 0;
    return rc;
}

/* The log is told once of what goes on failing. Somebody else who is at it is no failure. */
static void report(struct graft_volume *volume, enum graft_rc rc, const struct graft_err *err)
{
    struct graft_cache *cache = &volume->cache;
    bool failed = rc != GRAFT_OK && rc != GRAFT_EBUSY;
    if (failed && !cache->failed)
        graft_log_write(volume->env->log, GRAFT_LOG_WARN, "keeping %s below its cache limit: %s",
                        volume->directory, err->text);
    cache->failed = failed;
    cache->no_holes = rc == GRAFT_EUNSUPPORTED;
}

static bool is_due(struct graft_volume *volume)
{
    struct graft_cache *cache = &volume->cache;
    struct graft_sync_state state;
    struct graft_err ignored = {0};
    if (growth(volume) >= cache->next_look || GRAFT_BUGGIFY("cache: its space is looked at early"))
        return true;
    return cache->stuck_at != 0 &&
           graft_store_sync_state(volume->store, &state, &ignored) == GRAFT_OK &&
           cache->stuck_at != state.pushed_lsn + 1;
}

void graft_cache_keep(struct graft_volume *volume)
{
    struct graft_cache *cache = &volume->cache;
    struct graft_err err = {0};
    uint64_t limit = graft_cache_limit(volume);
    if (limit == 0 || cache->no_holes || !is_due(volume))
        return;
    bool busy = atomic_exchange(&cache->busy, true);
    if (busy && growth(volume) < cache->next_look + step(volume, limit))
        return;
    graft_mutex_lock(cache->mutex);
    if (!busy) {
        report(volume, keep(volume, limit, &err), &err);
        atomic_store(&cache->busy, false);
    }
    graft_mutex_unlock(cache->mutex);
}
