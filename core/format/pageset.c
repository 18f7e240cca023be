/* Sets of page numbers as runs.
 *
 * The runs are sorted, disjoint and never adjacent, so that a set has exactly one form, in memory
 * and on the wire, and two sets are equal when their bytes are. Page sets are built in ascending
 * order nearly always: that path only ever touches the last run.
 */
#include "format/pageset.h"

#include <string.h>

#include "base/catalogue.h"
#include "base/cursor.h"
#include "base/limits.h"

/* The page after the run: at most GRAFT_PAGES_MAX + 1, which still fits. */
static uint32_t run_end(const struct graft_run *run)
{
    return run->first + run->count;
}

void graft_pageset_init(struct graft_pageset *set, struct graft_alloc *alloc)
{
    *set = (struct graft_pageset){.alloc = alloc};
}

void graft_pageset_deinit(struct graft_pageset *set)
{
    if (set->alloc != NULL)
        graft_free(set->alloc, set->runs);
    *set = (struct graft_pageset){.alloc = set->alloc};
}

void graft_pageset_clear(struct graft_pageset *set)
{
    set->run_count = 0;
    set->page_count = 0;
}

static enum graft_rc reserve_one(struct graft_pageset *set)
{
    if (set->run_count < set->run_capacity)
        return GRAFT_OK;
    uint32_t capacity = set->run_capacity == 0 ? 8 : set->run_capacity * 2;
    if (capacity < set->run_capacity)
        return GRAFT_ENOMEM;
    struct graft_run *runs = graft_realloc(set->alloc, set->runs, capacity, sizeof *runs);
    if (runs == NULL)
        return GRAFT_ENOMEM;
    set->runs = runs;
    set->run_capacity = capacity;
    return GRAFT_OK;
}

/* The index of the first run whose end is at or past `page`; run_count when there is none. */
static uint32_t first_run_ending_at(const struct graft_pageset *set, uint32_t page)
{
    uint32_t low = 0;
    uint32_t high = set->run_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (run_end(&set->runs[middle]) < page)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

enum graft_rc graft_pageset_add(struct graft_pageset *set, uint32_t page)
{
    return graft_pageset_add_run(set, page, 1);
}

enum graft_rc graft_pageset_add_run(struct graft_pageset *set, uint32_t first, uint32_t count)
{
    if (count == 0)
        return GRAFT_OK;
    if (first == 0 || first > GRAFT_PAGES_MAX || count > GRAFT_PAGES_MAX - first + 1)
        return GRAFT_EINVAL;

    /* Runs [from, to) overlap or touch the new one, and become one with it. */
    uint32_t end = first + count;
    bool past_the_last = set->run_count == 0 || run_end(&set->runs[set->run_count - 1]) < first;
    uint32_t from = past_the_last ? set->run_count : first_run_ending_at(set, first);
    uint32_t to = from;
    uint64_t absorbed_pages = 0;
    while (to < set->run_count && set->runs[to].first <= end) {
        absorbed_pages += set->runs[to].count;
        to++;
    }

    if (to == from) {
        GRAFT_TRY(reserve_one(set));
        memmove(set->runs + from + 1, set->runs + from,
                (set->run_count - from) * sizeof *set->runs);
        set->run_count++;
    } else {
        if (set->runs[from].first < first)
            first = set->runs[from].first;
        if (run_end(&set->runs[to - 1]) > end &&
            !GRAFT_MUTANT("format: a run is cut off by a shorter one that is added within it"))
            end = run_end(&set->runs[to - 1]);
        memmove(set->runs + from + 1, set->runs + to, (set->run_count - to) * sizeof *set->runs);
        set->run_count -= to - from - 1;
    }
    set->runs[from] = (struct graft_run){.first = first, .count = end - first};
    set->page_count += end - first - absorbed_pages;
    GRAFT_ALWAYS(set->page_count >= set->run_count, "no run of a page set is empty");
    return GRAFT_OK;
}

/* Appends a run that starts at or after the last one's first page; room is there. */
static void append_run(struct graft_pageset *set, const struct graft_run *run)
{
    struct graft_run *last = set->run_count == 0 ? NULL : &set->runs[set->run_count - 1];
    if (last == NULL || run_end(last) < run->first) {
        set->runs[set->run_count++] = *run;
        set->page_count += run->count;
        return;
    }
    if (run_end(last) < run_end(run)) {
        uint32_t more = run_end(run) - run_end(last);
        last->count += more;
        set->page_count += more;
    }
}

enum graft_rc graft_pageset_add_all(struct graft_pageset *set, const struct graft_pageset *other)
{
    if (other->run_count == 0 || other == set)
        return GRAFT_OK;
    if (other->run_count == 1)
        return graft_pageset_add_run(set, other->runs[0].first, other->runs[0].count);
    if (other->run_count > UINT32_MAX - set->run_count)
        return GRAFT_ENOMEM;

    struct graft_pageset both;
    graft_pageset_init(&both, set->alloc);
    both.run_capacity = set->run_count + other->run_count;
    both.runs = graft_calloc(set->alloc, both.run_capacity, sizeof *both.runs);
    if (both.runs == NULL)
        return GRAFT_ENOMEM;
    uint32_t i = 0;
    uint32_t j = 0;
    while (i < set->run_count || j < other->run_count) {
        bool from_set = j == other->run_count ||
                        (i < set->run_count && set->runs[i].first <= other->runs[j].first);
        append_run(&both, from_set ? &set->runs[i++] : &other->runs[j++]);
    }
    graft_pageset_deinit(set);
    *set = both;
    return GRAFT_OK;
}

void graft_pageset_cut(struct graft_pageset *set, uint32_t page_count)
{
    while (set->run_count > 0) {
        struct graft_run *last = &set->runs[set->run_count - 1];
        if (run_end(last) - 1 <= page_count)
            return;
        if (last->first <= page_count) {
            uint32_t kept = page_count - last->first + 1;
            set->page_count -= last->count - kept;
            last->count = kept;
            return;
        }
        set->page_count -= last->count;
        set->run_count--;
    }
}

bool graft_pageset_contains(const struct graft_pageset *set, uint32_t page)
{
    if (page == 0 || page > GRAFT_PAGES_MAX)
        return false;
    uint32_t at = first_run_ending_at(set, page + 1);
    if (at < set->run_count && set->runs[at].first == page &&
        GRAFT_MUTANT("format: the first page of a run is not in its set"))
        return false;
    return at < set->run_count && set->runs[at].first <= page;
}

bool graft_pageset_intersects(const struct graft_pageset *a, const struct graft_pageset *b)
{
    uint32_t i = 0;
    uint32_t j = 0;
    while (i < a->run_count && j < b->run_count) {
        if (run_end(&a->runs[i]) <= b->runs[j].first)
            i++;
        else if (run_end(&b->runs[j]) <= a->runs[i].first)
            j++;
        else
            return true;
    }
    return false;
}

enum graft_rc graft_pageset_encode(const struct graft_pageset *set, struct graft_buf *out)
{
    size_t size_before = out->size;
    uint32_t run_count = set->run_count;
    if (run_count > 1 && GRAFT_MUTANT("format: the last run of a page set is not written"))
        run_count--;
    enum graft_rc rc = graft_buf_append_varint(out, run_count);
    uint32_t next = 1;
    for (uint32_t i = 0; rc == GRAFT_OK && i < run_count; i++) {
        rc = graft_buf_append_varint(out, set->runs[i].first - next);
        if (rc == GRAFT_OK)
            rc = graft_buf_append_varint(out, set->runs[i].count - 1);
        next = run_end(&set->runs[i]);
    }
    if (rc != GRAFT_OK)
        out->size = size_before;
    return rc;
}

enum graft_rc graft_pageset_decode(struct graft_pageset *set, const uint8_t *bytes, size_t size,
                                   struct graft_err *err)
{
    struct graft_reader_cursor cursor;
    graft_rcur_init(&cursor, bytes, size);
    uint64_t run_count = graft_rcur_varint(&cursor);
    /* A run takes two bytes at least: what is allocated is backed by what was received. */
    if (cursor.failed || run_count > graft_rcur_left(&cursor) / 2 || run_count > UINT32_MAX)
        return graft_err_set(err, GRAFT_ECORRUPT, "page set: more runs declared than given");

    struct graft_pageset read;
    graft_pageset_init(&read, set->alloc);
    if (run_count > 0) {
        read.runs = graft_calloc(set->alloc, (size_t)run_count, sizeof *read.runs);
        if (read.runs == NULL)
            return graft_err_set(err, GRAFT_ENOMEM, "page set: out of memory");
        read.run_capacity = (uint32_t)run_count;
    }
    uint64_t next = 1;
    for (uint32_t i = 0; i < run_count; i++) {
        uint64_t gap = graft_rcur_varint(&cursor);
        uint64_t more = graft_rcur_varint(&cursor);
        bool bad = cursor.failed || (i > 0 && gap == 0) || gap > GRAFT_PAGES_MAX ||
                   more > GRAFT_PAGES_MAX || next + gap + more > GRAFT_PAGES_MAX;
        if (bad) {
            graft_pageset_deinit(&read);
            return graft_err_set(err, GRAFT_ECORRUPT, "page set: run %u is malformed", i);
        }
        read.runs[i] = (struct graft_run){(uint32_t)(next + gap), (uint32_t)more + 1};
        read.page_count += more + 1;
        next += gap + more + 1;
    }
    read.run_count = (uint32_t)run_count;
    if (graft_rcur_left(&cursor) > 0) {
        graft_pageset_deinit(&read);
        return graft_err_set(err, GRAFT_ECORRUPT, "page set: bytes after the last run");
    }
    graft_pageset_deinit(set);
    *set = read;
    return GRAFT_OK;
}
