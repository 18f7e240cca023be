/* Views: cached, shared, and put together without holding the volume's mutex over the network. */
#include "engine/view.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/catalogue.h"
#include "engine/volume.h"

static void base_release(struct graft_alloc *alloc, struct graft_view_base *base)
{
    if (base == NULL || --base->references > 0)
        return;
    graft_checkpoint_deinit(&base->checkpoint);
    graft_free(alloc, base);
}

static void view_free(struct graft_view *view)
{
    base_release(view->alloc, view->base);
    graft_commit_deinit(&view->commit);
    graft_free(view->alloc, view);
}

/* Frees unused views past the limit, oldest use last. The mutex is held. */
static void trim(struct graft_volume *volume, uint32_t unused_max)
{
    uint32_t unused = 0;
    if (unused_max > 0 && GRAFT_BUGGIFY("views: keep none that nobody uses"))
        unused_max = 0;
    struct graft_view **link = &volume->views;
    while (*link != NULL) {
        struct graft_view *view = *link;
        if (view->references > 0 || ++unused <= unused_max) {
            link = &view->next;
            continue;
        }
        *link = view->next;
        view_free(view);
    }
}

/* Finds a cached view and moves it to the front. The mutex is held. */
static struct graft_view *find_cached(struct graft_volume *volume, uint64_t remote_lsn)
{
    for (struct graft_view **link = &volume->views; *link != NULL; link = &(*link)->next) {
        struct graft_view *view = *link;
        bool found = view->commit.lsn == remote_lsn;
        if (view->commit.lsn > remote_lsn &&
            GRAFT_MUTANT("engine: the map of a newer commit is taken for an older one's"))
            found = true;
        if (!found)
            continue;
        *link = view->next;
        view->next = volume->views;
        volume->views = view;
        view->references++;
        return view;
    }
    return NULL;
}

static struct graft_view_base *find_base(struct graft_volume *volume, uint64_t checkpoint_lsn)
{
    for (struct graft_view *view = volume->views; view != NULL; view = view->next) {
        if (view->base != NULL && view->base->checkpoint.lsn == checkpoint_lsn) {
            GRAFT_REACHABLE("two maps of remote commits share a checkpoint");
            view->base->references++;
            return view->base;
        }
    }
    return NULL;
}

static enum graft_rc read_base(struct graft_volume *volume, const struct graft_commit *commit,
                               struct graft_view_base **out, struct graft_err *err)
{
    struct graft_alloc *alloc = volume->env->alloc;
    struct graft_view_base *base = graft_calloc(alloc, 1, sizeof *base);
    if (base == NULL)
        return graft_err_set(err, GRAFT_ENOMEM, "out of memory for a checkpoint");
    base->references = 1;
    graft_checkpoint_init(&base->checkpoint, alloc);
    enum graft_rc rc = graft_remote_get_checkpoint(graft_volume_remote(volume),
                                                   commit->checkpoint_lsn, &base->checkpoint, err);
    if (rc == GRAFT_OK && !graft_volume_id_equal(&base->checkpoint.volume, &commit->volume))
        rc = graft_err_set(err, GRAFT_EFOREIGN, "checkpoint %llu of %s belongs to another volume",
                           (unsigned long long)commit->checkpoint_lsn,
                           graft_remote_url(graft_volume_remote(volume)));
    if (rc != GRAFT_OK) {
        base_release(alloc, base);
        return rc;
    }
    *out = base;
    return GRAFT_OK;
}

static enum graft_rc check_volume(struct graft_volume *volume, const struct graft_commit *commit,
                                  struct graft_err *err)
{
    const struct graft_config *config = graft_store_config(volume->store);
    if (graft_volume_id_equal(&config->volume, &commit->volume))
        return GRAFT_OK;
    return graft_err_set(err, GRAFT_EFOREIGN,
                         "%s holds another volume than %s came from: check the URL, or clone anew",
                         graft_remote_url(graft_volume_remote(volume)), volume->directory);
}

enum graft_rc graft_view_explain_missing(struct graft_volume *volume, uint64_t remote_lsn,
                                         enum graft_rc otherwise, const char *what,
                                         struct graft_err *err)
{
    struct graft_remote *remote = graft_volume_remote(volume);
    uint64_t newest = 0;
    uint64_t checkpoint = 0;
    enum graft_rc rc = graft_remote_newest(remote, remote_lsn, &newest, &checkpoint, err);
    if (rc == GRAFT_ENOTFOUND)
        return graft_err_wrap(err, GRAFT_EUNREACHABLE, "%s is not there, or not mounted",
                              graft_remote_url(remote));
    if (rc != GRAFT_OK)
        return rc;
    return graft_err_set(
        err, otherwise,
        "%s lacks %s, which %s is based on: it was emptied or put back to an older "
        "state; check the URL, or clone it anew",
        graft_remote_url(remote), what, volume->directory);
}

enum graft_rc graft_view_explain_rewritten(struct graft_volume *volume, uint64_t remote_lsn,
                                           struct graft_err *err)
{
    return graft_err_set(
        err, GRAFT_EFOREIGN,
        "%s was rewritten: its commit %llu is not the one that %s is based on; clone it anew",
        graft_remote_url(graft_volume_remote(volume)), (unsigned long long)remote_lsn,
        volume->directory);
}

enum graft_rc graft_view_put(struct graft_volume *volume, struct graft_commit *commit,
                             const struct graft_hash *hash, struct graft_view **out,
                             struct graft_err *err)
{
    struct graft_alloc *alloc = volume->env->alloc;
    struct graft_view *view = graft_calloc(alloc, 1, sizeof *view);
    if (view == NULL)
        return graft_err_set(err, GRAFT_ENOMEM, "out of memory for a page map");
    view->alloc = alloc;
    view->references = 1;
    view->hash = *hash;
    if (commit->checkpoint_lsn > 0) {
        graft_mutex_lock(volume->mutex);
        view->base = find_base(volume, commit->checkpoint_lsn);
        graft_mutex_unlock(volume->mutex);
        enum graft_rc rc = GRAFT_OK;
        if (view->base == NULL)
            rc = read_base(volume, commit, &view->base, err);
        if (rc != GRAFT_OK) {
            graft_free(alloc, view);
            return rc;
        }
    }
    view->commit = *commit;
    graft_commit_init(commit, alloc);
    GRAFT_ALWAYS((view->base != NULL) == (view->commit.checkpoint_lsn > 0),
                 "a map has a checkpoint below it when its commit names one");
    GRAFT_ALWAYS(view->base == NULL || view->base->checkpoint.lsn == view->commit.checkpoint_lsn,
                 "the checkpoint below a map is the one that its commit names");

    graft_mutex_lock(volume->mutex);
    struct graft_view *other = find_cached(volume, view->commit.lsn);
    bool same = other != NULL && graft_hash_equal(&other->hash, hash);
    if (other != NULL && !same)
        other->references--; /* The log was rewritten: the newer object is the one to be found from
                                now on. */
    if (same) {
        view_free(view);
        view = other;
    } else {
        view->next = volume->views;
        volume->views = view;
    }
    trim(volume, GRAFT_VIEWS_MAX);
    graft_mutex_unlock(volume->mutex);
    *out = view;
    return GRAFT_OK;
}

enum graft_rc graft_view_read(struct graft_volume *volume, uint64_t remote_lsn,
                              struct graft_view **out, struct graft_err *err)
{
    GRAFT_ASSERT(remote_lsn > 0);
    struct graft_remote *remote = graft_volume_remote(volume);
    if (remote == NULL)
        return graft_err_set(err, GRAFT_ENOTHELD, "%s has no remote to fetch pages from",
                             volume->directory);
    struct graft_commit commit;
    struct graft_hash hash;
    graft_commit_init(&commit, volume->env->alloc);
    enum graft_rc rc = graft_remote_get_commit(remote, remote_lsn, &commit, &hash, NULL, err);
    if (rc == GRAFT_ENOTFOUND) {
        char what[64];
        (void)snprintf(what, sizeof what, "commit %llu", (unsigned long long)remote_lsn);
        rc = graft_view_explain_missing(volume, remote_lsn, GRAFT_EFOREIGN, what, err);
    }
    if (rc == GRAFT_OK)
        rc = check_volume(volume, &commit, err);
    if (rc == GRAFT_OK)
        rc = graft_view_put(volume, &commit, &hash, out, err);
    graft_commit_deinit(&commit);
    return rc;
}

/* Where the replica stands at the view's LSN, its own record of that says which commit it means: a
 * bucket that was wiped and written anew has another one there, with other pages. */
static bool is_what_we_have(struct graft_volume *volume, const struct graft_view *view)
{
    struct graft_sync_state state;
    struct graft_err ignored = {0};
    bool known = graft_store_sync_state(volume->store, &state, &ignored) == GRAFT_OK &&
                 state.remote_lsn == view->commit.lsn;
    return !known || graft_hash_equal(&state.remote_hash, &view->hash);
}

struct graft_view *graft_view_at_hand(struct graft_volume *volume, uint64_t remote_lsn)
{
    graft_mutex_lock(volume->mutex);
    struct graft_view *view = find_cached(volume, remote_lsn);
    graft_mutex_unlock(volume->mutex);
    if (view != NULL && !is_what_we_have(volume, view)) {
        graft_view_release(volume, view);
        view = NULL;
    }
    return view;
}

enum graft_rc graft_view_get(struct graft_volume *volume, uint64_t remote_lsn,
                             struct graft_view **out, struct graft_err *err)
{
    struct graft_view *view = graft_view_at_hand(volume, remote_lsn);
    GRAFT_SOMETIMES(view != NULL, "the map of a remote commit was at hand");
    GRAFT_SOMETIMES(view == NULL, "the map of a remote commit was read for a snapshot");
    if (view == NULL)
        GRAFT_TRY(graft_view_read(volume, remote_lsn, &view, err));
    if (!is_what_we_have(volume, view)) {
        graft_view_release(volume, view);
        return graft_view_explain_rewritten(volume, remote_lsn, err);
    }
    *out = view;
    return GRAFT_OK;
}

void graft_view_hold(struct graft_volume *volume, struct graft_view *view)
{
    graft_mutex_lock(volume->mutex);
    view->references++;
    graft_mutex_unlock(volume->mutex);
}

void graft_view_release(struct graft_volume *volume, struct graft_view *view)
{
    if (view == NULL)
        return;
    graft_mutex_lock(volume->mutex);
    GRAFT_ASSERT(view->references > 0);
    view->references--;
    trim(volume, GRAFT_VIEWS_MAX);
    graft_mutex_unlock(volume->mutex);
}

void graft_view_forget_all(struct graft_volume *volume)
{
    graft_mutex_lock(volume->mutex);
    trim(volume, 0);
    graft_mutex_unlock(volume->mutex);
}

/* The entry that has the page, and the map that it stands in; NULL when the page is zeros. */
static const struct graft_map_entry *find_entry(const struct graft_view *view, uint32_t page,
                                                const struct graft_pagemap **map)
{
    if (page > view->commit.page_count)
        return NULL;
    *map = &view->commit.map;
    const struct graft_map_entry *entry = graft_pagemap_find(*map, page);
    if (entry != NULL || view->base == NULL || page > view->commit.least_page_count)
        return entry;
    GRAFT_REACHABLE("a page was looked up in a checkpoint");
    if (GRAFT_MUTANT("engine: pages that stand in the checkpoint are taken for zeros"))
        return NULL;
    *map = &view->base->checkpoint.map;
    return graft_pagemap_find(*map, page);
}

bool graft_view_find(const struct graft_view *view, uint32_t page, struct graft_place *out)
{
    const struct graft_pagemap *map;
    const struct graft_map_entry *entry = find_entry(view, page, &map);
    if (entry == NULL)
        return false;
    const struct graft_map_frame *frame = &map->frames[entry->frame];
    *out = (struct graft_place){
        .object = map->objects[frame->object],
        .offset = frame->offset,
        .version_lsn = frame->lsn,
        .stored_bytes = frame->stored_bytes,
        .index = entry->index + (page - entry->page),
    };
    return true;
}

/* Adds the pages of [first, last] that neither map has. */
static enum graft_rc add_zeros(const struct graft_view *view, uint32_t first, uint32_t last,
                               struct graft_pageset *out)
{
    uint64_t page = first;
    while (page <= last) {
        const struct graft_pagemap *map;
        const struct graft_map_entry *entry = find_entry(view, (uint32_t)page, &map);
        if (entry == NULL)
            GRAFT_TRY(graft_pageset_add(out, (uint32_t)page));
        /* Runs of the checkpoint's map may be broken by the commit's: only one page is sure to have
         * been looked up there. */
        bool newest = entry != NULL && map == &view->commit.map;
        page = newest ? (uint64_t)entry->page + entry->count : page + 1;
    }
    return GRAFT_OK;
}

enum graft_rc graft_view_changed_since(const struct graft_view *view, uint64_t lsn,
                                       struct graft_pageset *out)
{
    const struct graft_commit *commit = &view->commit;
    /* A version of the checkpoint counts only where the view still shows it; elsewhere the page
     * changed anyway, or is above the page count. */
    if (view->base != NULL && commit->checkpoint_lsn > lsn) {
        GRAFT_TRY(graft_pagemap_changed_since(&view->base->checkpoint.map, lsn, out));
        graft_pageset_cut(out, commit->page_count);
    }
    GRAFT_TRY(graft_pagemap_changed_since(&commit->map, lsn, out));

    /* Without history back to `lsn` any page that no map has may have become zeros since; with it,
     * only those above the least page count. */
    bool whole_history = commit->checkpoint_lsn > 0 && commit->checkpoint_lsn <= lsn;
    uint32_t first = whole_history ? commit->least_page_count + 1 : 1;
    return add_zeros(view, first, commit->page_count, out);
}

enum graft_rc graft_view_whole_map(const struct graft_view *view, struct graft_pagemap *out)
{
    if (view->base == NULL)
        return graft_pagemap_copy(out, &view->commit.map);
    GRAFT_TRY(graft_pagemap_copy(out, &view->base->checkpoint.map));
    uint32_t kept = view->commit.least_page_count < view->commit.page_count
                        ? view->commit.least_page_count
                        : view->commit.page_count;
    GRAFT_TRY(graft_pagemap_cut(out, kept));
    return graft_pagemap_merge(out, &view->commit.map);
}
