/* Batches: whoever serves the queues joins queued frames that stand beside each other into one
 * ranged read, decodes what came, puts it into the store, and settles the tokens, those first that
 * somebody waits for. Workers do it, or the reader itself when its frame comes alone or all workers
 * are busy. */
#include "engine/fetcher_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/catalogue.h"
#include "engine/prefetch.h"
#include "engine/volume.h"

#define GAP_BYTES_MAX (16U << 10) /* read along between two frames rather than asked around */
/* Past its own frame, a reader waits for no more than half a round trip's worth, within these. */
#define DEMAND_BYTES_MIN (64U << 10)
#define DEMAND_BYTES_MAX (512U << 10)
#define AHEAD_BYTES_MAX (256U << 10)
#define LINK_SAMPLE_BYTES_MIN (32U << 10)

/* ---- Gathering ---- */

static int compare_tokens(const void *a, const void *b)
{
    const struct graft_token *left = *(struct graft_token *const *)a;
    const struct graft_token *right = *(struct graft_token *const *)b;
    return left->offset < right->offset ? -1 : left->offset > right->offset;
}

static uint64_t end_of(const struct graft_token *token)
{
    return token->offset + token->stored_bytes;
}

/* The neighbours of `token` among `all`, which are sorted: [*first, *end). */
static void find_run(struct graft_token *const *all, uint32_t count,
                     const struct graft_token *token, uint64_t bytes_max, uint32_t *first,
                     uint32_t *end)
{
    uint32_t at = 0;
    while (all[at] != token)
        at++;
    *first = at;
    *end = at + 1;
    /* What comes after is more likely to be wanted next than what stands before. */
    while (*end < count && all[*end]->offset >= end_of(all[*end - 1]) &&
           all[*end]->offset - end_of(all[*end - 1]) <= GAP_BYTES_MAX &&
           end_of(all[*end]) - all[*first]->offset <= bytes_max &&
           *end - *first < GRAFT_BATCH_FRAMES_MAX)
        ++*end;
    while (*first > 0 && all[*first]->offset >= end_of(all[*first - 1]) &&
           all[*first]->offset - end_of(all[*first - 1]) <= GAP_BYTES_MAX &&
           end_of(all[*end - 1]) - all[*first - 1]->offset <= bytes_max &&
           *end - *first < GRAFT_BATCH_FRAMES_MAX)
        --*first;
}

static uint64_t demand_bytes_max(const struct graft_link *link)
{
    uint64_t bytes = link->rtt_us * link->bytes_per_s / 2000000U;
    if (bytes < DEMAND_BYTES_MIN)
        return DEMAND_BYTES_MIN;
    return bytes < DEMAND_BYTES_MAX ? bytes : DEMAND_BYTES_MAX;
}

void graft_batch_gather(struct graft_fetcher *fetcher, struct graft_token *token,
                        struct graft_batch *out)
{
    struct graft_token *all[GRAFT_BATCH_FRAMES_MAX * 2];
    uint32_t count = 0;
    all[count++] = token;
    for (uint32_t i = 0; i < GRAFT_FETCH_QUEUES; i++) {
        for (struct graft_token *at = fetcher->queues[i].first;
             at != NULL && count < GRAFT_BATCH_FRAMES_MAX * 2; at = at->newer) {
            if (at != token && graft_same_object(&at->object, &token->object))
                all[count++] = at;
        }
    }
    qsort(all, count, sizeof all[0], compare_tokens);
    bool demand = token->class == GRAFT_FETCH_DEMAND;
    uint64_t bytes_max = demand ? demand_bytes_max(&fetcher->link) : AHEAD_BYTES_MAX;
    if (bytes_max < token->stored_bytes || GRAFT_BUGGIFY("fetch: a request a frame"))
        bytes_max = token->stored_bytes;
    uint32_t first = 0, end = 0;
    find_run(all, count, token, bytes_max, &first, &end);
    out->count = end - first;
    memcpy(out->tokens, all + first, out->count * sizeof all[0]);
}

/* The next frames of the bulk list that stand beside each other and are neither held nor known. */
static bool gather_bulk(struct graft_volume *volume, struct graft_batch *out)
{
    struct graft_fetcher *fetcher = &volume->fetcher;
    struct graft_bulk *bulk = &fetcher->bulk;
    out->count = 0;
    while (bulk->next < bulk->count && out->count < GRAFT_BATCH_FRAMES_MAX) {
        const struct graft_bulk_place *place = &bulk->places[bulk->next];
        if (out->count > 0) {
            const struct graft_token *first = out->tokens[0];
            const struct graft_token *last = out->tokens[out->count - 1];
            if (!graft_same_object(&first->object, &place->place.object) ||
                place->place.offset - end_of(last) > GAP_BYTES_MAX ||
                place->place.offset + place->place.stored_bytes - first->offset > AHEAD_BYTES_MAX)
                break;
        }
        bulk->next++;
        if (graft_store_page_state(volume->store, place->page) == GRAFT_STORE_HELD ||
            graft_token_find(fetcher, &place->place) != NULL)
            continue;
        struct graft_token *token =
            graft_token_new(volume, bulk->view, &place->place, GRAFT_FETCH_BULK);
        if (token == NULL)
            break;
        out->tokens[out->count++] = token;
    }
    return out->count > 0;
}

bool graft_batch_next(struct graft_volume *volume, struct graft_batch *out)
{
    struct graft_fetcher *fetcher = &volume->fetcher;
    for (uint32_t i = 0; i < GRAFT_FETCH_QUEUES; i++) {
        if (fetcher->queues[i].first == NULL)
            continue;
        graft_batch_gather(fetcher, fetcher->queues[i].first, out);
        graft_batch_take(fetcher, out);
        return true;
    }
    return fetcher->in_flight < GRAFT_FETCH_WORKERS_MAX / 2 && gather_bulk(volume, out);
}

void graft_batch_take(struct graft_fetcher *fetcher, const struct graft_batch *batch)
{
    for (uint32_t i = 0; i < batch->count; i++)
        graft_token_take(fetcher, batch->tokens[i]);
}

/* ---- The link ---- */

struct sample {
    uint64_t began_us, delivered;
};

static struct sample begin_sample(struct graft_volume *volume)
{
    struct graft_fetcher *fetcher = &volume->fetcher;
    graft_mutex_lock(fetcher->mutex);
    fetcher->in_flight++;
    struct sample sample = {.began_us = graft_clock_monotonic_us(volume->env->clock),
                            .delivered = fetcher->link.delivered};
    graft_mutex_unlock(fetcher->mutex);
    return sample;
}

/* A round trip takes the time of a request less that of its bytes. The rate is the better of what
 * this request alone reached and of what all requests brought during it, since either may have been
 * held up by something else than the link. */
static void end_sample(struct graft_volume *volume, const struct sample *sample, uint64_t bytes)
{
    struct graft_fetcher *fetcher = &volume->fetcher;
    struct graft_link *link = &fetcher->link;
    graft_mutex_lock(fetcher->mutex);
    fetcher->in_flight--;
    link->delivered += bytes;
    uint64_t spent_us = graft_clock_monotonic_us(volume->env->clock) - sample->began_us + 1;
    if (bytes >= LINK_SAMPLE_BYTES_MIN) {
        uint64_t alone_us = spent_us > link->rtt_us ? spent_us - link->rtt_us : 0;
        if (alone_us < spent_us / 8 + 1)
            alone_us = spent_us / 8 + 1;
        GRAFT_ASSERT(alone_us > 0);
        uint64_t alone = bytes * 1000000U / alone_us;
        uint64_t all = (link->delivered - sample->delivered) * 1000000U / spent_us;
        uint64_t rate = alone > all ? alone : all;
        /* What was not asked for cannot have come: low samples say little. */
        if (rate > link->bytes_per_s)
            link->bytes_per_s += (rate - link->bytes_per_s) / 4;
        else
            link->bytes_per_s -= (link->bytes_per_s - rate) / 32;
    }
    GRAFT_ASSERT(link->bytes_per_s > 0);
    uint64_t transfer_us = bytes * 1000000U / link->bytes_per_s;
    uint64_t rtt_us = spent_us > transfer_us ? spent_us - transfer_us : 1;
    if (rtt_us < link->rtt_us || link->rtt_us == 0)
        link->rtt_us = rtt_us;
    else
        link->rtt_us += (rtt_us - link->rtt_us) / 16;
    graft_mutex_unlock(fetcher->mutex);
}

/* ---- Reading ---- */

static void name_object(const struct graft_object_ref *object, char *out, size_t size)
{
    char hex[GRAFT_ID_TEXT_BYTES];
    graft_hex_encode(object->segment.bytes, sizeof object->segment.bytes, hex);
    if (object->kind == GRAFT_OBJECT_COMMIT)
        (void)snprintf(out, size, "commit %llu", (unsigned long long)object->commit_lsn);
    else
        (void)snprintf(out, size, "segment %s", hex);
}

static enum graft_rc get_range(struct graft_volume *volume, const struct graft_object_ref *object,
                               uint64_t offset, uint64_t size, struct graft_buf *out,
                               struct graft_err *err)
{
    volume->counts.fetches++;
    struct sample sample = begin_sample(volume);
    size_t before = out->size;
    enum graft_rc rc = graft_remote_get_range(graft_volume_remote(volume), object, offset,
                                              (uint32_t)size, out, err);
    end_sample(volume, &sample, out->size - before);
    return rc;
}

/* Reads and decodes the frame by itself. */
static enum graft_rc read_alone(struct graft_volume *volume, struct graft_codec *codec,
                                const struct graft_token *token, struct graft_buf *bytes,
                                struct graft_frame *frame, struct graft_err *err)
{
    graft_buf_clear(bytes);
    enum graft_rc rc =
        get_range(volume, &token->object, token->offset, token->stored_bytes, bytes, err);
    if (rc == GRAFT_OK)
        rc = graft_frame_decode(codec, bytes->bytes, bytes->size,
                                graft_store_page_bytes(volume->store), frame, err);
    return rc;
}

static enum graft_rc explain(struct graft_volume *volume, const struct graft_token *token,
                             enum graft_rc rc, struct graft_err *err)
{
    char object[64];
    name_object(&token->object, object, sizeof object);
    if (rc == GRAFT_ENOTFOUND)
        return graft_view_explain_missing(volume, token->version_lsn, GRAFT_ECORRUPT, object, err);
    return graft_err_wrap(err, rc, "%s of %s, %u bytes at %llu", object,
                          graft_remote_url(graft_volume_remote(volume)), token->stored_bytes,
                          (unsigned long long)token->offset);
}

static enum graft_rc keep_content(struct graft_token *token, struct graft_alloc *alloc,
                                  const struct graft_frame *frame)
{
    size_t bytes = 0;
    for (uint32_t i = 0; i < frame->count; i++)
        bytes += frame->pages[i].size;
    token->content = graft_malloc(alloc, bytes);
    if (token->content == NULL)
        return GRAFT_ENOMEM;
    size_t at = 0;
    for (uint32_t i = 0; i < frame->count; i++) {
        const struct graft_frame_page *page = &frame->pages[i];
        token->pages[i] =
            (struct graft_token_page){.page = page->page, .size = page->size, .at = at};
        memcpy(token->content + at, page->bytes, page->size);
        at += page->size;
    }
    token->page_count = frame->count;
    token->bytes += bytes;
    return GRAFT_OK;
}

/* A page that cannot be put into the image is served all the same. Its mark stands before the page
 * does: a reader who came between the two would not be known to have followed what was foreseen. */
static void install(struct graft_volume *volume, const struct graft_token *token,
                    const struct graft_frame *frame)
{
    uint64_t installed = 0;
    struct graft_err ignored = {0};
    for (uint32_t i = 0; i < frame->count; i++)
        graft_prefetch_arrived(volume, frame->pages[i].page, token->ahead);
    if (graft_fetcher_install(volume, token->view, &token->object, token->offset, frame, &installed,
                              &ignored) != GRAFT_OK)
        graft_log_write(volume->env->log, GRAFT_LOG_WARN, "keeping a fetched page: %s",
                        ignored.text);
}

/* Settles one token with what stands at `bytes`, or (NULL) could not be had. A frame that does not
 * verify is asked for once more: the bytes may have been hurt on their way. */
static void finish(struct graft_volume *volume, struct graft_codec *codec,
                   struct graft_token *token, const uint8_t *bytes, enum graft_rc rc,
                   struct graft_err *err)
{
    struct graft_buf again;
    graft_buf_init(&again, volume->env->alloc);
    struct graft_frame frame;
    if (bytes != NULL)
        rc = graft_frame_decode(codec, bytes, token->stored_bytes,
                                graft_store_page_bytes(volume->store), &frame, err);
    if (rc == GRAFT_ECORRUPT)
        rc = read_alone(volume, codec, token, &again, &frame, err);
    if (rc == GRAFT_OK && (rc = keep_content(token, volume->env->alloc, &frame)) != GRAFT_OK)
        rc = graft_err_set(err, rc, "out of memory for a fetched frame");
    if (rc == GRAFT_OK) {
        install(volume, token, &frame);
        /* Whoever sees the counts finds the pages, and their marks, in place. */
        volume->counts.pages_fetched += frame.count;
        if (token->ahead)
            volume->counts.pages_prefetched += frame.count;
    } else {
        rc = explain(volume, token, rc, err);
    }
    graft_buf_deinit(&again);
    struct graft_fetcher *fetcher = &volume->fetcher;
    graft_mutex_lock(fetcher->mutex);
    if (rc == GRAFT_OK) {
        fetcher->link.bytes += token->stored_bytes;
        fetcher->link.pages += token->page_count;
    }
    graft_token_settle(volume, token, rc, err);
    graft_mutex_unlock(fetcher->mutex);
}

/* Waited-for tokens first, else in the order of their offsets. */
static void put_waited_first(struct graft_fetcher *fetcher, struct graft_batch *batch)
{
    uint32_t front = 0;
    graft_mutex_lock(fetcher->mutex);
    for (uint32_t i = 0; i < batch->count; i++) {
        struct graft_token *token = batch->tokens[i];
        if (token->waiters == 0)
            continue;
        memmove(&batch->tokens[front + 1], &batch->tokens[front],
                (i - front) * sizeof batch->tokens[0]);
        batch->tokens[front++] = token;
    }
    graft_mutex_unlock(fetcher->mutex);
}

/* What was only expected must not harm what is needed: when a joined read fails, a frame that
 * somebody waits for is read by itself, unless the remote is out of reach anyway. */
static void fail(struct graft_volume *volume, struct graft_codec *codec, struct graft_batch *batch,
                 enum graft_rc rc, struct graft_err *err)
{
    struct graft_fetcher *fetcher = &volume->fetcher;
    bool joined = batch->count > 1;
    for (uint32_t i = 0; i < batch->count; i++) {
        struct graft_token *token = batch->tokens[i];
        struct graft_err copy = *err;
        graft_mutex_lock(fetcher->mutex);
        bool waited = token->waiters > 0;
        if (!waited)
            graft_token_settle(volume, token, rc, err);
        graft_mutex_unlock(fetcher->mutex);
        if (!waited)
            continue;
        bool retry = joined && rc != GRAFT_EUNREACHABLE;
        GRAFT_SOMETIMES(retry, "a frame was read by itself as a joined read had failed");
        finish(volume, codec, token, NULL, retry ? GRAFT_ECORRUPT : rc, &copy);
    }
    graft_mutex_lock(fetcher->mutex);
    graft_token_drop_queued(volume);
    fetcher->bulk.next = fetcher->bulk.count;
    graft_mutex_unlock(fetcher->mutex);
}

void graft_batch_run(struct graft_volume *volume, struct graft_codec *codec,
                     struct graft_batch *batch)
{
    struct graft_token *first = batch->tokens[0];
    uint64_t start = first->offset;
    uint64_t end = end_of(batch->tokens[batch->count - 1]);
    struct graft_buf bytes;
    graft_buf_init(&bytes, volume->env->alloc);
    struct graft_err err = {0};
    GRAFT_SOMETIMES(batch->count > 1, "neighbours were fetched in one request");
    enum graft_rc rc = get_range(volume, &first->object, start, end - start, &bytes, &err);
    put_waited_first(&volume->fetcher, batch);
    if (rc == GRAFT_OK) {
        for (uint32_t i = 0; i < batch->count; i++) {
            struct graft_token *token = batch->tokens[i];
            finish(volume, codec, token, bytes.bytes + (token->offset - start), rc, &err);
        }
    } else {
        fail(volume, codec, batch, rc, &err);
    }
    graft_buf_deinit(&bytes);
}

/* ---- Workers ---- */

static void serve(void *arg)
{
    struct graft_worker *worker = arg;
    struct graft_volume *volume = worker->volume;
    struct graft_fetcher *fetcher = &volume->fetcher;
    struct graft_batch batch;
    graft_mutex_lock(fetcher->mutex);
    for (bool woken = true;;) {
        if (!fetcher->closing && graft_batch_next(volume, &batch)) {
            graft_worker_start(volume); /* for what is left */
            graft_mutex_unlock(fetcher->mutex);
            graft_batch_run(volume, worker->codec, &batch);
            graft_mutex_lock(fetcher->mutex);
            woken = true;
            continue;
        }
        if (fetcher->closing || !woken)
            break;
        fetcher->idle++;
        woken = graft_cond_wait(fetcher->work, fetcher->mutex, GRAFT_FETCH_IDLE_MS);
        fetcher->idle--;
    }
    graft_codec_give(volume->process, worker->codec);
    worker->codec = NULL;
    worker->running = false;
    graft_mutex_unlock(fetcher->mutex);
}

static bool has_work(const struct graft_fetcher *fetcher)
{
    return fetcher->queues[GRAFT_FETCH_DEMAND].first != NULL ||
           fetcher->queues[GRAFT_FETCH_AHEAD].first != NULL ||
           (fetcher->bulk.next < fetcher->bulk.count &&
            fetcher->in_flight < GRAFT_FETCH_WORKERS_MAX / 2);
}

/* A place for one more worker, with a decompressor; NULL when there is none. */
static struct graft_worker *vacant(struct graft_volume *volume)
{
    struct graft_fetcher *fetcher = &volume->fetcher;
    if (fetcher->workers == NULL)
        fetcher->workers =
            graft_calloc(volume->env->alloc, GRAFT_FETCH_WORKERS_MAX, sizeof *fetcher->workers);
    if (fetcher->workers == NULL)
        return NULL;
    for (uint32_t i = 0; i < GRAFT_FETCH_WORKERS_MAX; i++) {
        struct graft_worker *worker = &fetcher->workers[i];
        if (worker->running)
            continue;
        if (worker->task != NULL)
            graft_task_join(worker->task); /* it is past its last use of the mutex */
        worker->task = NULL;
        worker->volume = volume;
        return graft_codec_take(volume->process, &worker->codec) == GRAFT_OK ? worker : NULL;
    }
    return NULL;
}

bool graft_worker_start(struct graft_volume *volume)
{
    struct graft_fetcher *fetcher = &volume->fetcher;
    if (fetcher->closing || !has_work(fetcher) || GRAFT_BUGGIFY("fetch: no worker can be had"))
        return false;
    if (fetcher->idle > 0) {
        graft_cond_broadcast(fetcher->work);
        return true;
    }
    struct graft_worker *worker = vacant(volume);
    if (worker == NULL)
        return false;
    struct graft_err ignored = {0};
    worker->running = true;
    if (graft_task_spawn(volume->env->tasks, "graft-fetch", serve, worker, &worker->task,
                         &ignored) == GRAFT_OK)
        return true;
    worker->running = false;
    graft_codec_give(volume->process, worker->codec);
    worker->codec = NULL;
    return false;
}

void graft_workers_stop(struct graft_volume *volume)
{
    struct graft_fetcher *fetcher = &volume->fetcher;
    if (fetcher->workers == NULL)
        return;
    graft_mutex_lock(fetcher->mutex);
    fetcher->closing = true;
    graft_cond_broadcast(fetcher->work);
    graft_mutex_unlock(fetcher->mutex);
    for (uint32_t i = 0; i < GRAFT_FETCH_WORKERS_MAX; i++) {
        if (fetcher->workers[i].task != NULL)
            graft_task_join(fetcher->workers[i].task);
    }
    graft_free(volume->env->alloc, fetcher->workers);
    fetcher->workers = NULL;
}
