/* The choke point of memory: sizes are checked for overflow here and nowhere else. */
#include "base/alloc.h"

#include <stdint.h>
#include <string.h>

#include "base/assert.h"

void *graft_malloc(struct graft_alloc *alloc, size_t bytes)
{
    return alloc->ops->resize(alloc, NULL, bytes == 0 ? 1 : bytes);
}

void *graft_calloc(struct graft_alloc *alloc, size_t count, size_t bytes)
{
    GRAFT_ASSERT(bytes > 0);
    if (count > SIZE_MAX / bytes)
        return NULL;
    void *memory = graft_malloc(alloc, count * bytes);
    if (memory != NULL)
        memset(memory, 0, count * bytes == 0 ? 1 : count * bytes);
    return memory;
}

void *graft_realloc(struct graft_alloc *alloc, void *old, size_t count, size_t bytes)
{
    GRAFT_ASSERT(bytes > 0);
    if (count > SIZE_MAX / bytes)
        return NULL;
    size_t total = count * bytes;
    return alloc->ops->resize(alloc, old, total == 0 ? 1 : total);
}

char *graft_strdup(struct graft_alloc *alloc, const char *text)
{
    size_t bytes = strlen(text) + 1;
    char *copy = graft_malloc(alloc, bytes);
    if (copy != NULL)
        memcpy(copy, text, bytes);
    return copy;
}

void graft_free(struct graft_alloc *alloc, void *memory)
{
    if (memory != NULL)
        alloc->ops->release(alloc, memory);
}
