/* Reading the image ahead of a session that reads neighbour after neighbour: a few pages come with
 * one call of the system. They are kept with the words that named them before the read, and each is
 * served only while its word is still the same, and verified then, as if it were read just now. */
#include "store/parts.h"

#include <string.h>

#include "base/catalogue.h"

#define STREAM_BYTES 65536U
#define STREAK 3U /* neighbours in a row before anything is read ahead */
#define GAP 2U    /* a B-tree's inner page may stand between two leaves */

void graft_stream_deinit(struct graft_stream *stream, struct graft_alloc *alloc)
{
    graft_free(alloc, stream->bytes);
    *stream = (struct graft_stream){0};
}

static bool in_image(uint64_t word)
{
    return graft_word_valid(word) && graft_word_present(word) && graft_word_place(word) == 0;
}

static bool serve(struct graft_stream *stream, struct graft_store *store, uint32_t page,
                  uint8_t *out)
{
    uint32_t at = page - stream->first;
    if (page < stream->first || at >= stream->count)
        return false;
    _Atomic uint64_t *slot = NULL;
    struct graft_err ignored = {0};
    uint64_t word = stream->words[at];
    if (!in_image(word) || graft_table_word(store, page, &slot, &ignored) != GRAFT_OK ||
        graft_shm_load(slot) != word)
        return false;
    const uint8_t *bytes = stream->bytes + (size_t)at * stream->page_bytes;
    if ((uint32_t)graft_page_sum(store->volume_seed, page, bytes, stream->page_bytes) !=
        graft_word_sum(word))
        return false;
    memcpy(out, bytes, stream->page_bytes);
    return true;
}

/* A failure only means that nothing is ahead: the page's own read says what is wrong. */
static void fill(struct graft_stream *stream, struct graft_store *store, uint32_t page,
                 uint32_t page_count)
{
    struct graft_err ignored = {0};
    uint32_t page_bytes = graft_store_page_bytes(store);
    uint32_t count = STREAM_BYTES / page_bytes;
    count = count < GRAFT_STREAM_PAGES ? count : GRAFT_STREAM_PAGES;
    count = count < page_count - page + 1 ? count : page_count - page + 1;
    stream->count = 0;
    if (count < 2)
        return;
    if (stream->bytes == NULL)
        stream->bytes = graft_malloc(store->env->alloc, STREAM_BYTES);
    if (stream->bytes == NULL)
        return;
    for (uint32_t i = 0; i < count; i++) {
        _Atomic uint64_t *slot = NULL;
        if (graft_table_word(store, page + i, &slot, &ignored) != GRAFT_OK)
            return;
        stream->words[i] = graft_shm_load(slot);
    }
    if (!in_image(stream->words[0]))
        return;
    size_t got = 0;
    if (graft_file_read(store->files[GRAFT_FILE_IMAGE], (uint64_t)(page - 1) * page_bytes,
                        stream->bytes, (size_t)count * page_bytes, &got, &ignored) != GRAFT_OK)
        return;
    store->counts.image_reads++;
    stream->first = page;
    stream->count = (uint32_t)(got / page_bytes);
    stream->page_bytes = page_bytes;
}

bool graft_stream_read(struct graft_store_session *session, uint32_t page, uint8_t *out)
{
    struct graft_stream *stream = &session->stream;
    struct graft_store *store = session->store;
    if (store->config.variable)
        return false;
    bool next = page > stream->last && page - stream->last <= GAP;
    stream->streak = next ? stream->streak + 1 : 0;
    stream->last = page;
    if (stream->streak < STREAK)
        return false;
    if (serve(stream, store, page, out))
        return true;
    if (page >= stream->first && page - stream->first < stream->count)
        return false; /* it changed since */
    fill(stream, store, page, session->snapshot.page_count);
    bool served = serve(stream, store, page, out);
    GRAFT_SOMETIMES(served, "a page was read ahead");
    return served;
}
