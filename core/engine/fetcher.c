/* What readers and the prefetcher ask of the fetcher: pages become tokens, each waits for its own
 * alone. One of a token's waiters leads: it runs the request when no worker does, and takes a
 * failure for its own; the others then try again, one of them leading, so that one caller's bad
 * luck is not everybody's. A failed prefetch has no leader, and nobody hears of it. */
#include "engine/fetcher.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/catalogue.h"
#include "engine/fetcher_parts.h"
#include "engine/prefetch.h"
#include "engine/volume.h"

#define RTT_US_FIRST_GUESS 20000U
#define BYTES_PER_S_FIRST_GUESS 12500000U

enum graft_rc graft_fetcher_init(struct graft_fetcher *fetcher, struct graft_volume *volume)
{
    struct graft_tasks *tasks = volume->env->tasks;
    *fetcher = (struct graft_fetcher){
        .link = {.rtt_us = 0, .bytes_per_s = BYTES_PER_S_FIRST_GUESS},
    };
    GRAFT_TRY(graft_mutex_new(tasks, &fetcher->mutex));
    GRAFT_TRY(graft_mutex_new(tasks, &fetcher->install_mutex));
    GRAFT_TRY(graft_cond_new(tasks, &fetcher->settled));
    return graft_cond_new(tasks, &fetcher->work);
}

static void bulk_clear(struct graft_volume *volume)
{
    struct graft_bulk *bulk = &volume->fetcher.bulk;
    graft_view_release(volume, bulk->view);
    graft_free(volume->env->alloc, bulk->places);
    *bulk = (struct graft_bulk){.count = 0};
}

void graft_fetcher_deinit(struct graft_fetcher *fetcher, struct graft_volume *volume)
{
    graft_workers_stop(volume);
    if (fetcher->work != NULL) {
        graft_token_drop_queued(volume);
        graft_token_trim(volume, 0);
        bulk_clear(volume);
    }
    GRAFT_ALWAYS(fetcher->cached_bytes == 0, "a fetcher that ends keeps nothing");
    for (uint32_t i = 0; i < GRAFT_FETCH_BUCKETS; i++)
        GRAFT_ASSERT(fetcher->buckets[i] == NULL);
    graft_cond_free(fetcher->work);
    graft_cond_free(fetcher->settled);
    graft_mutex_free(fetcher->install_mutex);
    graft_mutex_free(fetcher->mutex);
    *fetcher = (struct graft_fetcher){0};
}

enum graft_rc graft_fetcher_install(struct graft_volume *volume, const struct graft_view *view,
                                    const struct graft_object_ref *object, uint64_t offset,
                                    const struct graft_frame *frame, uint64_t *installed,
                                    struct graft_err *err)
{
    enum graft_rc rc = GRAFT_OK;
    graft_mutex_lock(volume->fetcher.install_mutex);
    for (uint32_t i = 0; i < frame->count && rc == GRAFT_OK; i++) {
        const struct graft_frame_page *page = &frame->pages[i];
        struct graft_place place;
        if (!graft_view_find(view, page->page, &place) || place.offset != offset ||
            place.index != i || !graft_same_object(&place.object, object))
            continue;
        bool done = false;
        rc = graft_store_install(volume->store, page->page, view->commit.lsn, place.version_lsn,
                                 page->bytes, page->size, &done, err);
        *installed += done ? 1 : 0;
    }
    graft_mutex_unlock(volume->fetcher.install_mutex);
    graft_cache_keep(volume);
    return rc;
}

/* ---- What is expected ---- */

uint32_t graft_fetch_ahead(struct graft_volume *volume, struct graft_view *view,
                           const uint32_t *pages, uint32_t count)
{
    struct graft_fetcher *fetcher = &volume->fetcher;
    uint32_t queued = 0;
    graft_mutex_lock(fetcher->mutex);
    for (uint32_t i = 0; i < count; i++) {
        struct graft_place place;
        if (pages[i] == 0 || pages[i] > view->commit.page_count ||
            graft_store_page_state(volume->store, pages[i]) == GRAFT_STORE_HELD ||
            !graft_view_find(view, pages[i], &place) || graft_token_find(fetcher, &place) != NULL)
            continue;
        if (graft_token_new(volume, view, &place, GRAFT_FETCH_AHEAD) == NULL)
            break;
        queued++;
    }
    GRAFT_SOMETIMES(queued > 0, "pages were queued before anybody asked for them");
    graft_mutex_unlock(fetcher->mutex);
    return queued;
}

static int compare_places(const void *a, const void *b)
{
    const struct graft_place *left = &((const struct graft_bulk_place *)a)->place;
    const struct graft_place *right = &((const struct graft_bulk_place *)b)->place;
    int objects = graft_object_ref_compare(&left->object, &right->object);
    if (objects != 0)
        return objects;
    return left->offset < right->offset ? -1 : left->offset > right->offset;
}

void graft_fetch_bulk(struct graft_volume *volume, struct graft_view *view, const uint32_t *pages,
                      uint32_t count)
{
    struct graft_fetcher *fetcher = &volume->fetcher;
    struct graft_bulk_place *places =
        graft_calloc(volume->env->alloc, (size_t)count + 1, sizeof *places);
    if (places == NULL)
        return;
    uint32_t found = 0;
    for (uint32_t i = 0; i < count; i++) {
        places[found].page = pages[i];
        if (pages[i] == 0 || pages[i] > view->commit.page_count ||
            graft_store_page_state(volume->store, pages[i]) == GRAFT_STORE_HELD ||
            !graft_view_find(view, pages[i], &places[found].place))
            continue;
        found++;
    }
    qsort(places, found, sizeof *places, compare_places);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < found; i++) {
        if (kept == 0 || compare_places(&places[kept - 1], &places[i]) != 0)
            places[kept++] = places[i];
    }
    graft_mutex_lock(fetcher->mutex);
    bulk_clear(volume);
    graft_view_hold(volume, view);
    fetcher->bulk = (struct graft_bulk){.view = view, .places = places, .count = kept};
    volume->counts.bulks++;
    (void)graft_worker_start(volume);
    graft_mutex_unlock(fetcher->mutex);
}

void graft_fetch_start(struct graft_volume *volume)
{
    graft_mutex_lock(volume->fetcher.mutex);
    (void)graft_worker_start(volume);
    graft_mutex_unlock(volume->fetcher.mutex);
}

struct graft_link graft_fetch_link(struct graft_volume *volume)
{
    graft_mutex_lock(volume->fetcher.mutex);
    struct graft_link link = volume->fetcher.link;
    graft_mutex_unlock(volume->fetcher.mutex);
    if (link.rtt_us == 0)
        link.rtt_us = RTT_US_FIRST_GUESS;
    return link;
}

bool graft_fetch_streams(struct graft_volume *volume)
{
    graft_mutex_lock(volume->fetcher.mutex);
    bool streams = volume->fetcher.bulk.next < volume->fetcher.bulk.count;
    graft_mutex_unlock(volume->fetcher.mutex);
    return streams;
}

/* ---- What a reader waits for ---- */

struct wait {
    struct graft_session *session;
    struct graft_view *view;
    const struct graft_place *place;
    struct graft_err *err;
};

/* Runs the request that the token is in, here, with whatever stands beside it. The mutex is held,
 * but not meanwhile. */
static enum graft_rc run_here(struct graft_session *session, struct graft_batch *batch,
                              struct graft_err *err)
{
    struct graft_volume *volume = session->volume;
    struct graft_codec *codec = NULL;
    if (graft_codec_take(volume->process, &codec) != GRAFT_OK)
        return graft_err_set(err, GRAFT_ENOMEM, "out of memory for a decompressor");
    graft_batch_take(&volume->fetcher, batch);
    (void)graft_worker_start(volume); /* for what else is queued */
    graft_mutex_unlock(volume->fetcher.mutex);
    graft_batch_run(volume, codec, batch);
    graft_codec_give(volume->process, codec);
    graft_mutex_lock(volume->fetcher.mutex);
    return GRAFT_OK;
}

/* Waits until the token is settled, and serves it when nobody else does. Alone, it is served here:
 * that saves handing it over; together with others by a worker, since the reader wants to go on as
 * soon as its own page is there. The mutex is held. */
static void wait_settled(struct wait *wait, struct graft_token *token, bool leads)
{
    struct graft_volume *volume = wait->session->volume;
    struct graft_fetcher *fetcher = &volume->fetcher;
    while (token->state == GRAFT_TOKEN_QUEUED || token->state == GRAFT_TOKEN_LOADING) {
        if (leads && token->state == GRAFT_TOKEN_QUEUED) {
            struct graft_batch batch;
            graft_batch_gather(fetcher, token, &batch);
            if (batch.count == 1 || !graft_worker_start(volume)) {
                struct graft_err err = {0};
                enum graft_rc rc = run_here(wait->session, &batch, &err);
                if (rc != GRAFT_OK)
                    graft_token_settle(volume, token, rc, &err);
                continue;
            }
        }
        (void)graft_cond_wait(fetcher->settled, fetcher->mutex, GRAFT_WAIT_FOREVER);
    }
}

/* A settled token of the place that the caller waits for (graft_token_leave), or the failure that
 * is the caller's own. The mutex is held. */
static enum graft_rc obtain(struct wait *wait, struct graft_token **out)
{
    struct graft_volume *volume = wait->session->volume;
    struct graft_fetcher *fetcher = &volume->fetcher;
    for (;;) {
        struct graft_token *token = graft_token_find(fetcher, wait->place);
        GRAFT_SOMETIMES(token != NULL, "a reader found its page under way or just fetched");
        if (token != NULL) {
            volume->counts.shared_fetches++;
            volume->counts.shared_versions += token->resolved_lsn != wait->view->commit.lsn ? 1 : 0;
        } else {
            token = graft_token_new(volume, wait->view, wait->place, GRAFT_FETCH_DEMAND);
        }
        if (token == NULL)
            return graft_err_set(wait->err, GRAFT_ENOMEM, "out of memory for a fetch");
        token->waiters++;
        bool leads = token->state == GRAFT_TOKEN_QUEUED && !token->led;
        if (leads) {
            token->led = true;
            token->report = wait->err;
            graft_token_promote(fetcher, token);
        }
        /* What comes for an older snapshot can be put into the image for the newest. */
        if (token->view != NULL && token->view->commit.lsn < wait->view->commit.lsn &&
            token->state == GRAFT_TOKEN_QUEUED) {
            graft_view_hold(volume, wait->view);
            graft_view_release(volume, token->view);
            token->view = wait->view;
        }
        wait_settled(wait, token, leads);
        if (token->state == GRAFT_TOKEN_READY) {
            *out = token;
            return GRAFT_OK;
        }
        enum graft_rc rc = token->rc;
        graft_token_leave(volume, token);
        if (leads)
            return rc;
    }
}

static enum graft_rc copy_page(const struct graft_token *token, const struct graft_place *place,
                               uint32_t page, void *bytes, size_t *got, struct graft_err *err)
{
    if (place->index >= token->page_count || token->pages[place->index].page != page)
        return graft_err_set(err, GRAFT_ECORRUPT,
                             "the remote's page map says that page %u stands where it does not",
                             page);
    memcpy(bytes, token->content + token->pages[place->index].at, token->pages[place->index].size);
    *got = token->pages[place->index].size;
    return GRAFT_OK;
}

static enum graft_rc fetch_zeros(struct graft_volume *volume, const struct graft_view *view,
                                 uint32_t page, void *bytes, size_t *got, struct graft_err *err)
{
    const struct graft_config *config = graft_store_config(volume->store);
    bool installed = false;
    memset(bytes, 0, config->page_bytes);
    *got = config->variable ? 0 : config->page_bytes;
    enum graft_rc rc = graft_store_install(volume->store, page, view->commit.lsn, view->commit.lsn,
                                           bytes, *got, &installed, err);
    graft_cache_keep(volume);
    return rc;
}

enum graft_rc graft_fetch_page(struct graft_session *session, struct graft_view *view,
                               uint32_t page, void *bytes, size_t *got, struct graft_err *err)
{
    struct graft_volume *volume = session->volume;
    struct graft_fetcher *fetcher = &volume->fetcher;
    struct graft_place place;
    if (!graft_view_find(view, page, &place))
        return fetch_zeros(volume, view, page, bytes, got, err);

    struct wait wait = {.session = session, .view = view, .place = &place, .err = err};
    struct graft_token *token = NULL;
    graft_mutex_lock(fetcher->mutex);
    enum graft_rc rc = obtain(&wait, &token);
    if (rc == GRAFT_OK) {
        rc = copy_page(token, &place, page, bytes, got, err);
        graft_token_leave(volume, token);
    }
    (void)graft_worker_start(volume);
    graft_mutex_unlock(fetcher->mutex);
    /* Its frame may have come while the image could not take it: for another snapshot, or while
     * somebody folded. */
    if (rc == GRAFT_OK && graft_store_page_state(volume->store, page) != GRAFT_STORE_HELD) {
        bool installed = false;
        struct graft_err ignored = {0};
        graft_mutex_lock(fetcher->install_mutex);
        if (graft_store_install(volume->store, page, view->commit.lsn, place.version_lsn, bytes,
                                *got, &installed, &ignored) != GRAFT_OK)
            graft_log_write(volume->env->log, GRAFT_LOG_WARN, "keeping page %u: %s", page,
                            ignored.text);
        graft_mutex_unlock(fetcher->install_mutex);
        graft_cache_keep(volume);
    }
    return rc;
}
