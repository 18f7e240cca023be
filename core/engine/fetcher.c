/* Demand fetches: one token a frame. The leader reads, decodes, installs and wakes; the others wait
 * for it, and one of them leads anew when it failed, so that one caller's bad luck is not
 * everybody's. */
#include "engine/fetcher.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "engine/volume.h"

#define TOKEN_CACHE_BYTES (8U << 20) /* content of finished tokens that nobody waits for */

enum token_state { TOKEN_LOADING, TOKEN_READY, TOKEN_FAILED };

struct graft_token {
    struct graft_token *next;
    struct graft_object_ref object;
    uint64_t offset;
    enum token_state state;
    uint32_t references; /* the leader and the waiters */
    uint32_t page_count;
    size_t bytes; /* of content */
    uint8_t *content;
    struct {
        uint32_t page;
        uint32_t size;
        size_t at;
    } pages[GRAFT_FRAME_PAGES_MAX];
};

static bool same_object(const struct graft_object_ref *a, const struct graft_object_ref *b)
{
    if (a->kind != b->kind)
        return false;
    if (a->kind == GRAFT_OBJECT_COMMIT)
        return a->commit_lsn == b->commit_lsn;
    return memcmp(a->segment.bytes, b->segment.bytes, sizeof a->segment.bytes) == 0;
}

enum graft_rc graft_fetcher_init(struct graft_fetcher *fetcher, struct graft_volume *volume)
{
    *fetcher = (struct graft_fetcher){0};
    GRAFT_TRY(graft_mutex_new(volume->env->tasks, &fetcher->mutex));
    return graft_cond_new(volume->env->tasks, &fetcher->done);
}

static void token_free(struct graft_alloc *alloc, struct graft_token *token)
{
    graft_free(alloc, token->content);
    graft_free(alloc, token);
}

void graft_fetcher_deinit(struct graft_fetcher *fetcher, struct graft_volume *volume)
{
    while (fetcher->tokens != NULL) {
        struct graft_token *token = fetcher->tokens;
        GRAFT_ASSERT(token->references == 0);
        fetcher->tokens = token->next;
        token_free(volume->env->alloc, token);
    }
    graft_cond_free(fetcher->done);
    graft_mutex_free(fetcher->mutex);
    *fetcher = (struct graft_fetcher){0};
}

/* Drops what nobody holds: failed tokens, and finished ones past the cache's size, oldest use
 * first. The mutex is held. */
static void trim(struct graft_fetcher *fetcher, struct graft_alloc *alloc)
{
    size_t kept = 0;
    struct graft_token **link = &fetcher->tokens;
    while (*link != NULL) {
        struct graft_token *token = *link;
        kept += token->bytes;
        bool drop = token->state == TOKEN_FAILED ||
                    (token->state == TOKEN_READY && kept > TOKEN_CACHE_BYTES);
        if (token->references > 0 || !drop) {
            link = &token->next;
            continue;
        }
        kept -= token->bytes;
        *link = token->next;
        token_free(alloc, token);
    }
}

static struct graft_token *find_token(struct graft_fetcher *fetcher,
                                      const struct graft_place *place)
{
    for (struct graft_token **link = &fetcher->tokens; *link != NULL; link = &(*link)->next) {
        struct graft_token *token = *link;
        if (token->offset != place->offset || token->state == TOKEN_FAILED ||
            !same_object(&token->object, &place->object))
            continue;
        *link = token->next;
        token->next = fetcher->tokens;
        fetcher->tokens = token;
        return token;
    }
    return NULL;
}

enum graft_rc graft_fetcher_install(struct graft_volume *volume, const struct graft_view *view,
                                    const struct graft_object_ref *object, uint64_t offset,
                                    const struct graft_frame *frame, uint64_t *installed,
                                    struct graft_err *err)
{
    for (uint32_t i = 0; i < frame->count; i++) {
        const struct graft_frame_page *page = &frame->pages[i];
        struct graft_place place;
        if (!graft_view_find(view, page->page, &place) || place.offset != offset ||
            place.index != i || !same_object(&place.object, object))
            continue;
        bool done = false;
        GRAFT_TRY(graft_store_install(volume->store, page->page, view->commit.lsn,
                                      place.version_lsn, page->bytes, page->size, &done, err));
        *installed += done ? 1 : 0;
    }
    return GRAFT_OK;
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
        token->pages[i].page = page->page;
        token->pages[i].size = page->size;
        token->pages[i].at = at;
        memcpy(token->content + at, page->bytes, page->size);
        at += page->size;
    }
    token->page_count = frame->count;
    token->bytes = bytes;
    return GRAFT_OK;
}

static void name_object(const struct graft_object_ref *object, char *out, size_t size)
{
    char hex[GRAFT_ID_TEXT_BYTES];
    graft_hex_encode(object->segment.bytes, sizeof object->segment.bytes, hex);
    if (object->kind == GRAFT_OBJECT_COMMIT)
        (void)snprintf(out, size, "commit %llu", (unsigned long long)object->commit_lsn);
    else
        (void)snprintf(out, size, "segment %s", hex);
}

/* Reads and decodes the frame. A frame that does not verify is asked for once more: the bytes may
 * have been hurt on their way. */
static enum graft_rc read_frame(struct graft_session *session, const struct graft_place *place,
                                struct graft_buf *bytes, struct graft_frame *frame,
                                struct graft_err *err)
{
    struct graft_volume *volume = session->volume;
    if (session->codec == NULL && graft_codec_new(volume->env->alloc, &session->codec) != GRAFT_OK)
        return graft_err_set(err, GRAFT_ENOMEM, "out of memory for a decompressor");
    enum graft_rc rc = GRAFT_ECORRUPT;
    for (int attempt = 0; attempt < 2 && rc == GRAFT_ECORRUPT; attempt++) {
        graft_buf_clear(bytes);
        volume->counts.fetches++;
        rc = graft_remote_get_range(graft_volume_remote(volume), &place->object, place->offset,
                                    place->stored_bytes, bytes, err);
        if (rc == GRAFT_OK)
            rc = graft_frame_decode(session->codec, bytes->bytes, bytes->size,
                                    graft_store_page_bytes(volume->store), frame, err);
    }
    if (rc == GRAFT_OK)
        return GRAFT_OK;
    char object[64];
    name_object(&place->object, object, sizeof object);
    if (rc == GRAFT_ENOTFOUND)
        return graft_view_explain_missing(volume, place->version_lsn, GRAFT_ECORRUPT, object, err);
    return graft_err_wrap(err, rc, "%s of %s, %u bytes at %llu", object,
                          graft_remote_url(graft_volume_remote(volume)), place->stored_bytes,
                          (unsigned long long)place->offset);
}

/* The leader's work, without the mutex. */
static enum graft_rc load(struct graft_session *session, const struct graft_view *view,
                          const struct graft_place *place, struct graft_token *token,
                          struct graft_err *err)
{
    struct graft_volume *volume = session->volume;
    struct graft_buf bytes;
    graft_buf_init(&bytes, volume->env->alloc);
    struct graft_frame frame;
    enum graft_rc rc = read_frame(session, place, &bytes, &frame, err);
    if (rc == GRAFT_OK)
        rc = keep_content(token, volume->env->alloc, &frame);
    if (rc == GRAFT_OK) {
        volume->counts.pages_fetched += frame.count;
        /* A page that cannot be put into the image is served all the same. */
        uint64_t installed = 0;
        struct graft_err ignored = {0};
        if (graft_fetcher_install(volume, view, &place->object, place->offset, &frame, &installed,
                                  &ignored) != GRAFT_OK)
            graft_log_write(volume->env->log, GRAFT_LOG_WARN, "keeping a fetched page: %s",
                            ignored.text);
    }
    graft_buf_deinit(&bytes);
    return rc;
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

/* A referenced token of the place that is ready, or whose leader the caller now is (`*leads`). The
 * mutex is held. */
static enum graft_rc join_token(struct graft_volume *volume, const struct graft_place *place,
                                struct graft_token **out, bool *leads, struct graft_err *err)
{
    struct graft_fetcher *fetcher = &volume->fetcher;
    for (;;) {
        struct graft_token *token = find_token(fetcher, place);
        if (token == NULL)
            break;
        volume->counts.shared_fetches++;
        token->references++;
        while (token->state == TOKEN_LOADING)
            (void)graft_cond_wait(fetcher->done, fetcher->mutex, GRAFT_WAIT_FOREVER);
        if (token->state == TOKEN_READY) {
            *out = token;
            *leads = false;
            return GRAFT_OK;
        }
        token->references--;
    }
    struct graft_token *token = graft_calloc(volume->env->alloc, 1, sizeof *token);
    if (token == NULL)
        return graft_err_set(err, GRAFT_ENOMEM, "out of memory for a fetch");
    token->object = place->object;
    token->offset = place->offset;
    token->references = 1;
    token->next = fetcher->tokens;
    fetcher->tokens = token;
    *out = token;
    *leads = true;
    return GRAFT_OK;
}

enum graft_rc graft_fetch_page(struct graft_session *session, const struct graft_view *view,
                               uint32_t page, void *bytes, size_t *got, struct graft_err *err)
{
    struct graft_volume *volume = session->volume;
    struct graft_fetcher *fetcher = &volume->fetcher;
    struct graft_place place;
    if (!graft_view_find(view, page, &place)) {
        const struct graft_config *config = graft_store_config(volume->store);
        memset(bytes, 0, config->page_bytes);
        *got = config->variable ? 0 : config->page_bytes;
        bool installed = false;
        return graft_store_install(volume->store, page, view->commit.lsn, view->commit.lsn, bytes,
                                   *got, &installed, err);
    }

    struct graft_token *token = NULL;
    bool leads = false;
    graft_mutex_lock(fetcher->mutex);
    enum graft_rc rc = join_token(volume, &place, &token, &leads, err);
    if (rc != GRAFT_OK) {
        graft_mutex_unlock(fetcher->mutex);
        return rc;
    }
    if (leads) {
        graft_mutex_unlock(fetcher->mutex);
        rc = load(session, view, &place, token, err);
        graft_mutex_lock(fetcher->mutex);
        token->state = rc == GRAFT_OK ? TOKEN_READY : TOKEN_FAILED;
        graft_cond_broadcast(fetcher->done);
    }
    if (rc == GRAFT_OK)
        rc = copy_page(token, &place, page, bytes, got, err);
    token->references--;
    trim(fetcher, volume->env->alloc);
    graft_mutex_unlock(fetcher->mutex);
    return rc;
}
