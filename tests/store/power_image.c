/* Copies of the whole machine: kept and brought back, or made beside it. */
#include "power_parts.h"

#include <stdlib.h>
#include <string.h>

/* `capacity` is for files. */
static uint8_t *copy_bytes(const struct node *node, const uint8_t *bytes, size_t size,
                           size_t capacity)
{
    if (!node->used || node->directory)
        return NULL;
    uint8_t *copy = node->is_map ? power_node_map_bytes() : calloc(1, capacity);
    if (size > 0)
        memcpy(copy, bytes, size);
    return copy;
}

/* Of a node only what is read is kept: it counts as durable. */
static struct node copy_node(const struct node *from)
{
    struct node to = *from;
    size_t capacity = from->size + 1;
    to.pending = NULL;
    to.pending_count = to.pending_capacity = 0;
    to.capacity = to.durable_capacity = from->is_map ? 0 : capacity;
    to.durable_size = from->size;
    to.bytes = copy_bytes(from, from->bytes, from->size, capacity);
    to.durable = copy_bytes(from, from->bytes, from->size, capacity);
    return to;
}

static void copy_pending(struct node *to, const struct node *from)
{
    for (size_t i = 0; i < from->pending_count; i++) {
        struct pending pending = from->pending[i];
        if (!pending.truncate) {
            pending.bytes = malloc(pending.size);
            memcpy(pending.bytes, from->pending[i].bytes, pending.size);
        }
        *power_node_push(to) = pending;
    }
}

struct power *power_clone(struct power *power, uint64_t seed)
{
    struct power *clone = power_new(seed);
    clone->makes_holes = power->makes_holes;
    for (unsigned i = 0; i < FILES_MAX; i++) {
        const struct node *from = &power->nodes[i];
        struct node *to = &clone->nodes[i];
        *to = copy_node(from);
        if (!from->used || from->directory)
            continue;
        copy_pending(to, from);
        power_node_free_bytes(to, to->durable);
        to->durable_capacity = from->is_map ? 0 : from->durable_size + 1;
        to->durable_size = from->durable_size;
        to->durable = copy_bytes(from, from->durable, from->durable_size, from->durable_size + 1);
    }
    return clone;
}

struct power_image {
    struct node nodes[FILES_MAX];
};

struct power_image *power_save(struct power *power)
{
    struct power_image *image = calloc(1, sizeof *image);
    for (unsigned i = 0; i < FILES_MAX; i++)
        image->nodes[i] = copy_node(&power->nodes[i]);
    return image;
}

static bool of_one_kind(const struct node *a, const struct node *b)
{
    return a->used && b->used && a->is_map == b->is_map && a->directory == b->directory &&
           !a->directory;
}

/* Into the memory that is there: this is done thousands of times. */
static void copy_over(struct node *to, const struct node *from)
{
    power_node_clear_pending(to);
    memcpy(to->path, from->path, sizeof to->path);
    if (to->is_map) {
        memset(to->bytes, 0, to->size);
        memset(to->durable, 0, to->size);
    }
    to->size = to->durable_size = to->is_map ? from->size : 0;
    power_node_grow(&to->bytes, &to->size, &to->capacity, from->size);
    power_node_grow(&to->durable, &to->durable_size, &to->durable_capacity, from->size);
    if (from->size > 0) {
        memcpy(to->bytes, from->bytes, from->size);
        memcpy(to->durable, from->bytes, from->size);
    }
}

void power_load(struct power *power, const struct power_image *image)
{
    for (unsigned i = 0; i < FILES_MAX; i++) {
        struct node *node = &power->nodes[i];
        if (of_one_kind(node, &image->nodes[i])) {
            copy_over(node, &image->nodes[i]);
            continue;
        }
        power_node_drop(node);
        *node = copy_node(&image->nodes[i]);
    }
}

void power_image_free(struct power_image *image)
{
    for (unsigned i = 0; i < FILES_MAX; i++)
        power_node_drop(&image->nodes[i]);
    free(image);
}
