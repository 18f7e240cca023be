/* Memory of a process: blocks, tied together so that a process that dies gives all of them back,
 * and counted so that one that ends shows what it kept. Below are the pool's cells, which cost a
 * third of what malloc does; large blocks are malloc's, and so is every block under the address
 * sanitizer, which then sees it. */
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "sim/parts.h"

struct block {
    struct sim_link link;
    struct sim_heap *heap;
    size_t bytes;
};

_Static_assert(sizeof(struct block) % 16 == 0, "what follows the header is aligned for anything");

static struct block *block_of(const void *memory)
{
    return (struct block *)((uintptr_t)memory - sizeof(struct block));
}

static void *resize(struct graft_alloc *alloc, void *old, size_t bytes)
{
    return sim_heap_resize(SIM_CONTAINER(alloc, struct sim_heap, alloc), old, bytes);
}

static void release(struct graft_alloc *alloc, void *memory)
{
    (void)alloc;
    sim_heap_release(memory);
}

const struct graft_alloc_ops sim_alloc_ops = {.resize = resize, .release = release};

/* ---- Where blocks come from. */

static bool is_cell(const struct sim_heap *heap, size_t bytes)
{
#ifdef SIM_HAS_ASAN
    (void)heap;
    (void)bytes;
    return false;
#else
    return heap->pool != NULL && bytes <= SIM_CELL_BYTES_MAX - sizeof(struct block);
#endif
}

static struct block *take(struct sim_heap *heap, size_t bytes)
{
    size_t total = sizeof(struct block) + bytes;
    struct block *block = is_cell(heap, bytes) ? sim_cell_take(heap->pool, total) : malloc(total);
    GRAFT_ASSERT(block != NULL);
    return block;
}

static void give(struct block *block)
{
    if (is_cell(block->heap, block->bytes))
        sim_cell_give(block->heap->pool, block, sizeof *block + block->bytes);
    else
        free(block);
}

/* `block` is in no list. */
static struct block *take_another(struct sim_heap *heap, struct block *block, size_t bytes)
{
    bool was_cell = is_cell(heap, block->bytes);
    if (!was_cell && !is_cell(heap, bytes)) {
        block = realloc(block, sizeof *block + bytes);
        GRAFT_ASSERT(block != NULL);
        return block;
    }
    if (was_cell && is_cell(heap, bytes) &&
        sim_cells_are_alike(sizeof *block + block->bytes, sizeof *block + bytes))
        return block;
    struct block *other = take(heap, bytes);
    memcpy(other + 1, block + 1, block->bytes < bytes ? block->bytes : bytes);
    give(block);
    return other;
}

/* ---- Heaps. */

void sim_heap_init(struct sim_heap *heap, struct sim_pool *pool, struct sim_process *process)
{
    *heap = (struct sim_heap){.alloc.ops = &sim_alloc_ops, .pool = pool, .process = process};
    sim_list_init(&heap->blocks);
}

void sim_heap_deinit(struct sim_heap *heap)
{
    struct sim_link *at = heap->blocks.next;
    while (at != &heap->blocks) {
        struct block *block = SIM_CONTAINER(at, struct block, link);
        at = at->next;
        give(block);
    }
    sim_list_init(&heap->blocks);
    heap->live_blocks = heap->live_bytes = 0;
}

static bool fails(struct sim_heap *heap)
{
    if (heap->fail_nth > 0 && --heap->fail_nth == 0) {
        heap->fail_nth = heap->fail_from_then_on ? 1 : 0;
        sim_trace_event(heap->process->world, SIM_EVENT_FAULT, SIM_FAULT_alloc_fail,
                        heap->allocations, 0);
        heap->process->world->trace.fired[SIM_FAULT_alloc_fail]++;
        return true;
    }
    return sim_machine_draw(heap->process->machine, SIM_FAULT_alloc_fail, heap->allocations);
}

void *sim_heap_resize(struct sim_heap *heap, void *old, size_t bytes)
{
    struct block *block = old == NULL ? NULL : block_of(old);
    if (block != NULL)
        heap = block->heap;
    heap->allocations++;
    heap->allocated_bytes += bytes;
    if (bytes > SIZE_MAX - sizeof *block || (heap->process != NULL && fails(heap)))
        return NULL;
    size_t old_bytes = block == NULL ? 0 : block->bytes;
    heap->live_blocks += block == NULL;
    heap->live_bytes += bytes - old_bytes;
    if (block == NULL) {
        block = take(heap, bytes);
    } else {
        sim_list_remove(&block->link);
        block = take_another(heap, block, bytes);
    }
    block->heap = heap;
    block->bytes = bytes;
    sim_list_append(&heap->blocks, &block->link);
    return block + 1;
}

void sim_heap_release(void *memory)
{
    if (memory == NULL)
        return;
    struct block *block = block_of(memory);
    block->heap->live_blocks--;
    block->heap->live_bytes -= block->bytes;
    sim_list_remove(&block->link);
    give(block);
}

size_t sim_heap_size(const void *memory)
{
    return memory == NULL ? 0 : block_of(memory)->bytes;
}

bool sim_heap_owns(const struct sim_heap *heap, const void *memory)
{
    const uintptr_t address = (uintptr_t)memory;
    for (struct sim_link *at = heap->blocks.next; at != &heap->blocks; at = at->next) {
        const struct block *block = SIM_CONTAINER(at, struct block, link);
        uintptr_t start = (uintptr_t)(block + 1);
        if (address >= start && address - start < block->bytes)
            return true;
    }
    return false;
}
