/* The round trip that every decoder is put through. */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

#define ALLOCATION_BYTES_MAX (256U << 20)

static void *resize(struct graft_alloc *alloc, void *old, size_t bytes)
{
    (void)alloc;
    GRAFT_ASSERT(bytes <= ALLOCATION_BYTES_MAX);
    return realloc(old, bytes);
}

static void release(struct graft_alloc *alloc, void *memory)
{
    (void)alloc;
    free(memory);
}

static const struct graft_alloc_ops alloc_ops = {.resize = resize, .release = release};

struct graft_alloc *fuzz_alloc(void)
{
    static struct graft_alloc alloc = {.ops = &alloc_ops};
    return &alloc;
}

static void round_trip(const struct format_kind *kind, const uint8_t *bytes, size_t size)
{
    struct graft_buf once;
    struct graft_buf twice;
    graft_buf_init(&once, fuzz_alloc());
    graft_buf_init(&twice, fuzz_alloc());
    struct graft_err err = {.text = ""};
    enum graft_rc rc = kind->reencode(bytes, size, &once, &err);
    if (rc == GRAFT_OK) {
        GRAFT_ASSERT(kind->reencode(once.bytes, once.size, &twice, &err) == GRAFT_OK);
        GRAFT_ASSERT(once.size == twice.size);
        GRAFT_ASSERT(once.size == 0 || memcmp(once.bytes, twice.bytes, once.size) == 0);
    } else if (rc != GRAFT_ECANCELED) {
        GRAFT_ASSERT(rc == GRAFT_ECORRUPT || rc == GRAFT_EVERSION);
        GRAFT_ASSERT(err.text[0] != '\0');
    }
    graft_buf_deinit(&once);
    graft_buf_deinit(&twice);
}

void fuzz_round_trip(const struct format_kind *kind, const uint8_t *bytes, size_t size)
{
    round_trip(kind, bytes, size);
    if (kind->repair == NULL || size == 0)
        return;
    uint8_t *repaired = malloc(size);
    GRAFT_ASSERT(repaired != NULL);
    memcpy(repaired, bytes, size);
    kind->repair(repaired, size);
    round_trip(kind, repaired, size);
    free(repaired);
}
