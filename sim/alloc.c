/* Memory of a process: blocks of the host's allocator, tied together so that a process that dies
 * gives all of them back, and counted so that one that ends shows what it kept. The host's
 * allocator stays below, because the address sanitizer then sees every block. */
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

void sim_heap_init(struct sim_heap *heap, struct sim_process *process)
{
    *heap = (struct sim_heap){.alloc.ops = &sim_alloc_ops, .process = process};
    sim_list_init(&heap->blocks);
}

void sim_heap_deinit(struct sim_heap *heap)
{
    struct sim_link *at = heap->blocks.next;
    while (at != &heap->blocks) {
        struct block *block = SIM_CONTAINER(at, struct block, link);
        at = at->next;
        free(block);
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
    if (block != NULL)
        sim_list_remove(&block->link);
    struct block *larger = realloc(block, sizeof *block + bytes);
    GRAFT_ASSERT(larger != NULL);
    larger->heap = heap;
    larger->bytes = bytes;
    sim_list_append(&heap->blocks, &larger->link);
    heap->live_blocks += block == NULL;
    heap->live_bytes += bytes - old_bytes;
    return larger + 1;
}

void sim_heap_release(void *memory)
{
    if (memory == NULL)
        return;
    struct block *block = block_of(memory);
    block->heap->live_blocks--;
    block->heap->live_bytes -= block->bytes;
    sim_list_remove(&block->link);
    free(block);
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
