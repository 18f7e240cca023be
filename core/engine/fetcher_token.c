/* Tokens: a hash table by (object, offset), queues of those that wait for a request, and a list by
 * last use of those that are settled. */
#include "engine/fetcher_parts.h"

#include <string.h>

#include "base/assert.h"
#include "base/catalogue.h"
#include "base/checksum.h"
#include "engine/volume.h"

#define CACHE_BYTES (8U << 20) /* content of settled tokens that nobody waits for */

bool graft_same_object(const struct graft_object_ref *a, const struct graft_object_ref *b)
{
    return graft_object_ref_compare(a, b) == 0 ||
           GRAFT_MUTANT("engine: a frame is known by its offset, whatever object it is in");
}

static struct graft_token **bucket_of(struct graft_fetcher *fetcher,
                                      const struct graft_object_ref *object, uint64_t offset)
{
    uint64_t key = object->commit_lsn;
    if (object->kind == GRAFT_OBJECT_SEGMENT)
        memcpy(&key, object->segment.bytes, sizeof key);
    key = (key ^ offset) * UINT64_C(0x9e3779b97f4a7c15);
    return &fetcher->buckets[(key >> 32) % GRAFT_FETCH_BUCKETS];
}

static void unlist(struct graft_token **first, struct graft_token **last, struct graft_token *token)
{
    *(token->older != NULL ? &token->older->newer : first) = token->newer;
    *(token->newer != NULL ? &token->newer->older : last) = token->older;
    token->newer = NULL;
    token->older = NULL;
}

/* Puts it at the end `last`. */
static void enlist(struct graft_token **first, struct graft_token **last, struct graft_token *token)
{
    token->newer = NULL;
    token->older = *last;
    *(*last != NULL ? &(*last)->newer : first) = token;
    *last = token;
}

struct graft_token *graft_token_find(struct graft_fetcher *fetcher, const struct graft_place *place)
{
    struct graft_token *token = *bucket_of(fetcher, &place->object, place->offset);
    while (token != NULL &&
           (token->offset != place->offset || !graft_same_object(&token->object, &place->object)))
        token = token->chain;
    if (token != NULL && token->state == GRAFT_TOKEN_READY) {
        unlist(&fetcher->oldest, &fetcher->newest, token);
        enlist(&fetcher->oldest, &fetcher->newest, token);
    }
    return token;
}

struct graft_token *graft_token_new(struct graft_volume *volume, struct graft_view *view,
                                    const struct graft_place *place, enum graft_fetch_class class)
{
    struct graft_fetcher *fetcher = &volume->fetcher;
    struct graft_token *token = graft_calloc(volume->env->alloc, 1, sizeof *token);
    if (token == NULL)
        return NULL;
    graft_view_hold(volume, view);
    token->view = view;
    token->object = place->object;
    token->offset = place->offset;
    token->stored_bytes = place->stored_bytes;
    token->bytes = sizeof *token;
    token->version_lsn = place->version_lsn;
    token->resolved_lsn = view->commit.lsn;
    token->class = class;
    token->ahead = class != GRAFT_FETCH_DEMAND;
    struct graft_token **bucket = bucket_of(fetcher, &place->object, place->offset);
    token->chain = *bucket;
    *bucket = token;
    if (class == GRAFT_FETCH_BULK) {
        token->state = GRAFT_TOKEN_LOADING;
        return token;
    }
    struct graft_token_queue *queue = &fetcher->queues[class];
    enlist(&queue->first, &queue->last, token);
    return token;
}

void graft_token_promote(struct graft_fetcher *fetcher, struct graft_token *token)
{
    GRAFT_ASSERT(token->state == GRAFT_TOKEN_QUEUED);
    if (token->class == GRAFT_FETCH_DEMAND)
        return;
    GRAFT_REACHABLE("a page that was expected was asked for before it came");
    struct graft_token_queue *from = &fetcher->queues[token->class];
    struct graft_token_queue *to = &fetcher->queues[GRAFT_FETCH_DEMAND];
    unlist(&from->first, &from->last, token);
    token->class = GRAFT_FETCH_DEMAND;
    enlist(&to->first, &to->last, token);
}

void graft_token_take(struct graft_fetcher *fetcher, struct graft_token *token)
{
    GRAFT_ASSERT(token->state == GRAFT_TOKEN_QUEUED);
    struct graft_token_queue *queue = &fetcher->queues[token->class];
    unlist(&queue->first, &queue->last, token);
    token->state = GRAFT_TOKEN_LOADING;
}

static void free_token(struct graft_volume *volume, struct graft_token *token)
{
    graft_view_release(volume, token->view);
    graft_free(volume->env->alloc, token->content);
    if (!GRAFT_MUTANT("engine: a token's memory is not given back"))
        graft_free(volume->env->alloc, token);
}

static void remove_from_table(struct graft_fetcher *fetcher, struct graft_token *token)
{
    struct graft_token **link = bucket_of(fetcher, &token->object, token->offset);
    while (*link != token)
        link = &(*link)->chain;
    *link = token->chain;
}

void graft_token_trim(struct graft_volume *volume, size_t bytes_max)
{
    struct graft_fetcher *fetcher = &volume->fetcher;
    struct graft_token *token = fetcher->oldest;
    while (token != NULL && fetcher->cached_bytes > bytes_max) {
        struct graft_token *newer = token->newer;
        if (token->waiters == 0) {
            unlist(&fetcher->oldest, &fetcher->newest, token);
            fetcher->cached_bytes -= token->bytes;
            remove_from_table(fetcher, token);
            free_token(volume, token);
        }
        token = newer;
    }
}

void graft_token_settle(struct graft_volume *volume, struct graft_token *token, enum graft_rc rc,
                        const struct graft_err *err)
{
    struct graft_fetcher *fetcher = &volume->fetcher;
    if (token->state == GRAFT_TOKEN_QUEUED)
        graft_token_take(fetcher, token);
    GRAFT_SOMETIMES(rc != GRAFT_OK && token->waiters > 0, "a fetch that readers wait for failed");
    if (rc != GRAFT_OK && GRAFT_MUTANT("engine: a failed fetch is kept as if it had been done"))
        rc = GRAFT_OK;
    token->rc = rc;
    if (rc == GRAFT_OK) {
        token->state = GRAFT_TOKEN_READY;
        graft_view_release(volume, token->view);
        token->view = NULL;
        enlist(&fetcher->oldest, &fetcher->newest, token);
        fetcher->cached_bytes += token->bytes;
        graft_token_trim(volume, CACHE_BYTES);
    } else {
        token->state = GRAFT_TOKEN_FAILED;
        if (token->report != NULL)
            *token->report = *err;
        remove_from_table(fetcher, token);
    }
    if (token->waiters > 0)
        graft_cond_broadcast(fetcher->settled);
    else if (rc != GRAFT_OK)
        free_token(volume, token);
}

void graft_token_leave(struct graft_volume *volume, struct graft_token *token)
{
    GRAFT_ASSERT(token->waiters > 0 && token->state >= GRAFT_TOKEN_READY);
    if (--token->waiters > 0)
        return;
    if (token->state == GRAFT_TOKEN_FAILED)
        free_token(volume, token);
    else
        graft_token_trim(volume, CACHE_BYTES);
}

void graft_token_drop_queued(struct graft_volume *volume)
{
    struct graft_token *token = volume->fetcher.queues[GRAFT_FETCH_AHEAD].first;
    while (token != NULL) {
        struct graft_token *newer = token->newer;
        if (token->waiters == 0)
            graft_token_settle(volume, token, GRAFT_ECANCELED, NULL);
        token = newer;
    }
}
