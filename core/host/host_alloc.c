/* Memory from the C library. */
#include <stdlib.h>

#include "host/parts.h"

static void *resize(struct graft_alloc *alloc, void *old, size_t bytes)
{
    (void)alloc;
    return realloc(old, bytes);
}

static void release(struct graft_alloc *alloc, void *memory)
{
    (void)alloc;
    free(memory);
}

static const struct graft_alloc_ops ops = {.resize = resize, .release = release};

void graft_host_alloc_init(struct graft_alloc *alloc)
{
    alloc->ops = &ops;
}
