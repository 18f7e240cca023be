/* What worlds use one after the other: a short run must not pay for mapping and clearing memory.
 * And the simulator's own memory, which comes from the host and is not there for nothing: a
 * simulator without memory has nothing to say. */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/assert.h"
#include "sim/parts.h"

/* Blocks and cells come from the host in slabs, which are kept until the pool goes. */
#define SLAB_BYTES (1U << 20)
#define ALIGNMENT 64U /* of blocks */
#define CELL_ALIGNMENT 16U
/* Up to here a region is cleared by hand, which is cheaper than giving its pages back. */
#define CLEAR_BYTES_MAX (512U << 10)

struct sim_block {
    struct sim_block *next;
};

struct sim_slab {
    struct sim_slab *next;
    _Alignas(ALIGNMENT) uint8_t bytes[SLAB_BYTES];
};

void *sim_host_alloc(size_t bytes)
{
    void *memory = calloc(1, bytes);
    GRAFT_ASSERT(memory != NULL);
    return memory;
}

void *sim_host_realloc(void *old, size_t bytes)
{
    void *memory = realloc(old, bytes);
    GRAFT_ASSERT(memory != NULL);
    return memory;
}

char *sim_host_strdup(const char *text)
{
    size_t bytes = strlen(text) + 1;
    return memcpy(sim_host_alloc(bytes), text, bytes);
}

void sim_host_free(void *memory)
{
    free(memory);
}

struct sim_pool *sim_pool_new(void)
{
    /* Worlds come and go by the thousand: giving memory back to the system in between, and having
     * it cleared anew, would cost more than all that happens in them. */
    (void)mallopt(M_TRIM_THRESHOLD, 512 << 20);
    (void)mallopt(M_TOP_PAD, 16 << 20);
    (void)mallopt(M_MMAP_THRESHOLD, 64 << 20);
    return sim_host_alloc(sizeof(struct sim_pool));
}

void sim_pool_free(struct sim_pool *pool)
{
    if (pool == NULL)
        return;
    while (pool->stacks != NULL) {
        struct sim_stack *stack = pool->stacks;
        pool->stacks = stack->next;
        sim_stack_free(stack);
    }
    while (pool->slabs != NULL) {
        struct sim_slab *slab = pool->slabs;
        pool->slabs = slab->next;
        free(slab);
    }
    for (size_t i = 0; i < pool->region_count; i++)
        GRAFT_ASSERT(munmap(pool->regions[i], SIM_REGION_BYTES) == 0);
    free(pool->regions);
    free(pool);
}

/* ---- Blocks and cells. */

static void *take_fresh(struct sim_pool *pool, size_t bytes)
{
    if (pool->fresh_bytes < bytes) {
        struct sim_slab *slab = aligned_alloc(ALIGNMENT, sizeof *slab);
        GRAFT_ASSERT(slab != NULL);
        slab->next = pool->slabs;
        pool->slabs = slab;
        pool->fresh = slab->bytes;
        pool->fresh_bytes = SLAB_BYTES;
    }
    void *taken = pool->fresh;
    pool->fresh += bytes;
    pool->fresh_bytes -= bytes;
    return taken;
}

static void *take_idle(struct sim_block **list)
{
    struct sim_block *block = *list;
    if (block != NULL)
        *list = block->next;
    return block;
}

static void give_idle(struct sim_block **list, void *memory)
{
    struct sim_block *block = memory;
    block->next = *list;
    *list = block;
}

void *sim_block_take(struct sim_pool *pool)
{
    void *block = take_idle(&pool->blocks);
    return block != NULL ? block : take_fresh(pool, SIM_BLOCK_BYTES);
}

void sim_block_give(struct sim_pool *pool, void *block)
{
    if (block != NULL)
        give_idle(&pool->blocks, block);
}

/* Sizes of cells: the multiples of 16 up to 128, then four in each doubling. */
static unsigned size_of_cell(size_t bytes, size_t *cell_bytes)
{
    size_t units = bytes == 0 ? 1 : (bytes + CELL_ALIGNMENT - 1) / CELL_ALIGNMENT;
    if (units <= 8) {
        *cell_bytes = units * CELL_ALIGNMENT;
        return (unsigned)units - 1;
    }
    unsigned log = 63U - (unsigned)__builtin_clzll(units - 1);
    size_t quarter = (units - 1) >> (log - 2);
    *cell_bytes = ((quarter + 1) << (log - 2)) * CELL_ALIGNMENT;
    return 8 + (log - 3) * 4 + (unsigned)(quarter - 4);
}

void *sim_cell_take(struct sim_pool *pool, size_t bytes)
{
    size_t cell_bytes = 0;
    unsigned size = size_of_cell(bytes, &cell_bytes);
    GRAFT_ASSERT(size < SIM_CELL_SIZES);
    void *cell = take_idle(&pool->cells[size]);
    return cell != NULL ? cell : take_fresh(pool, cell_bytes);
}

void sim_cell_give(struct sim_pool *pool, void *cell, size_t bytes)
{
    size_t cell_bytes = 0;
    give_idle(&pool->cells[size_of_cell(bytes, &cell_bytes)], cell);
}

bool sim_cells_are_alike(size_t a, size_t b)
{
    size_t cell_bytes = 0;
    return size_of_cell(a, &cell_bytes) == size_of_cell(b, &cell_bytes);
}

void *sim_region_take(struct sim_pool *pool)
{
    if (pool->region_count > 0)
        return pool->regions[--pool->region_count];
    void *region = mmap(NULL, SIM_REGION_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    GRAFT_ASSERT(region != MAP_FAILED);
    return region;
}

void sim_region_give(struct sim_pool *pool, void *region, uint64_t touched_bytes)
{
    GRAFT_ASSERT(touched_bytes <= SIM_REGION_BYTES);
    if (touched_bytes <= CLEAR_BYTES_MAX)
        memset(region, 0, (size_t)touched_bytes);
    else
        GRAFT_ASSERT(madvise(region, (size_t)touched_bytes, MADV_DONTNEED) == 0);
    if (pool->region_count == pool->region_capacity) {
        pool->region_capacity = pool->region_capacity == 0 ? 16 : pool->region_capacity * 2;
        pool->regions =
            sim_host_realloc(pool->regions, pool->region_capacity * sizeof *pool->regions);
    }
    pool->regions[pool->region_count++] = region;
}
