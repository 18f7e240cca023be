/* Predicting without structure, from the distances between pages that were read one after the
 * other. A distance that a strict majority of the last 4, 8, 16 or 32 had is a trend (as in Leap,
 * Al Maruf and Chowdhury, USENIX ATC 2020), followed with a window that doubles while it holds.
 * Without one, every distance that makes up a fifth of the history is expected once more (as
 * mvSQLite's relative offset history does). */
#include "engine/prefetch.h"

#include "base/limits.h"

#define WINDOW_FIRST 4U
#define TREND_DELTAS_MIN 4U
#define COMMON_DELTAS_MIN 10U /* a fifth of fewer says nothing */

static int64_t delta_at(const struct graft_history *history, uint32_t back)
{
    return history->deltas[(history->count - 1 - back) % GRAFT_HISTORY_DELTAS];
}

void graft_history_note(struct graft_history *history, uint32_t page)
{
    if (history->last != 0) {
        history->deltas[history->count % GRAFT_HISTORY_DELTAS] =
            (int64_t)page - (int64_t)history->last;
        history->count++;
        if (history->count == 2 * GRAFT_HISTORY_DELTAS)
            history->count = GRAFT_HISTORY_DELTAS; /* the same places, without an overflow ever */
    }
    history->last = page;
}

/* The distance that more than half of the last `count` had, or 0. */
static int64_t majority(const struct graft_history *history, uint32_t count)
{
    int64_t candidate = 0;
    uint32_t votes = 0;
    for (uint32_t i = 0; i < count; i++) {
        int64_t delta = delta_at(history, i);
        if (votes == 0)
            candidate = delta;
        votes = delta == candidate ? votes + 1 : votes - 1;
    }
    votes = 0;
    for (uint32_t i = 0; i < count; i++)
        votes += delta_at(history, i) == candidate ? 1 : 0;
    return votes * 2 > count ? candidate : 0;
}

static int64_t find_trend(const struct graft_history *history)
{
    uint32_t known = history->count < GRAFT_HISTORY_DELTAS ? history->count : GRAFT_HISTORY_DELTAS;
    for (uint32_t count = TREND_DELTAS_MIN; count <= known; count *= 2) {
        int64_t trend = majority(history, count);
        if (trend != 0)
            return trend;
    }
    return 0;
}

static bool is_page(int64_t page)
{
    return page >= 1 && page <= (int64_t)GRAFT_PAGES_MAX;
}

static uint32_t follow_trend(struct graft_history *history, uint32_t page, uint32_t *out,
                             uint32_t max)
{
    int64_t at = page;
    int64_t left = (history->until - at) * history->trend; /* negative: read past it */
    if (history->window > 0 && left >= 0)
        at = history->until;
    uint32_t count = 0;
    for (uint32_t i = 0; i < history->window && count < max; i++) {
        at += history->trend;
        if (!is_page(at))
            break;
        out[count++] = (uint32_t)at;
    }
    history->until = at;
    return count;
}

static uint32_t repeat_common(const struct graft_history *history, uint32_t page, uint32_t *out)
{
    uint32_t known = history->count < GRAFT_HISTORY_DELTAS ? history->count : GRAFT_HISTORY_DELTAS;
    uint32_t found = 0;
    if (known < COMMON_DELTAS_MIN)
        return 0;
    for (uint32_t i = 0; i < known; i++) {
        int64_t delta = delta_at(history, i);
        uint32_t same = 0;
        bool seen = false;
        for (uint32_t k = 0; k < known; k++) {
            same += delta_at(history, k) == delta ? 1 : 0;
            seen = seen || (k < i && delta_at(history, k) == delta);
        }
        if (!seen && delta != 0 && same * 5 >= known && is_page(page + delta))
            out[found++] = (uint32_t)(page + delta);
    }
    return found;
}

uint32_t graft_history_predict(struct graft_history *history, uint32_t page, uint32_t window_max,
                               uint32_t *out, uint32_t max)
{
    int64_t trend = find_trend(history);
    if (trend == 0) {
        history->trend = 0;
        return repeat_common(history, page, out);
    }
    bool holds = trend == history->trend;
    history->window = holds ? history->window * 2 : WINDOW_FIRST;
    if (history->window > window_max)
        history->window = window_max;
    if (!holds)
        history->until = page;
    history->trend = trend;
    return follow_trend(history, page, out, max);
}

bool graft_history_wants_more(const struct graft_history *history, uint32_t page)
{
    if (history->trend == 0)
        return false;
    int64_t left = (history->until - (int64_t)page) / history->trend;
    return left >= 0 && left <= (int64_t)history->window / 2;
}
