/* The content of files: what is seen, what is on the disk, and how the one becomes the other. No
 * time passes here and nothing yields. */
#include <string.h>

#include "base/assert.h"
#include "sim/disk_parts.h"

#define FILE_BYTES_MAX (UINT64_C(1) << 30)
#define SECTORS (SIM_BLOCK_BYTES / SIM_SECTOR_BYTES)

static const uint8_t zeros[SIM_BLOCK_BYTES];

/* ---- Inodes. */

struct sim_inode *sim_inode_new(struct sim_disk *disk, enum graft_entry_kind kind)
{
    struct sim_inode *inode = sim_host_alloc(sizeof *inode);
    inode->disk = disk;
    inode->id = ++disk->world->next_inode_id;
    inode->kind = kind;
    inode->refs = 1;
    inode->cut_to = UINT64_MAX;
    sim_list_init(&inode->lock_owners);
    sim_list_append(&disk->inodes, &inode->in_disk);
    return inode;
}

struct sim_inode *sim_inode_ref(struct sim_inode *inode)
{
    inode->refs++;
    return inode;
}

static void free_content(struct sim_inode *inode)
{
    struct sim_pool *pool = inode->disk->world->pool;
    for (uint32_t i = 0; i < inode->page_capacity; i++) {
        struct sim_page *page = &inode->pages[i];
        sim_block_give(pool, page->bytes);
        sim_block_give(pool, page->before);
        if ((page->flags & SIM_PAGE_TAKEN) != 0)
            inode->disk->used_blocks--;
    }
    struct sim_mapped *mapped = inode->mapped;
    if (mapped != NULL) {
        sim_region_give(pool, mapped->bytes, mapped->touched_bytes);
        sim_region_give(pool, mapped->durable, mapped->touched_bytes);
        sim_host_free(mapped->lost);
        sim_host_free(mapped);
    }
    sim_host_free(inode->pages);
    sim_host_free(inode->dirty);
}

void sim_inode_unref(struct sim_inode *inode)
{
    if (inode == NULL || --inode->refs > 0)
        return;
    sim_list_remove(&inode->in_disk);
    sim_entries_clear(&inode->entries);
    sim_entries_clear(&inode->durable_entries);
    free_content(inode);
    sim_host_free(inode);
}

/* ---- Pages. */

struct sim_page *sim_inode_page(struct sim_inode *inode, uint32_t index)
{
    if (index >= inode->page_capacity) {
        uint32_t capacity = inode->page_capacity == 0 ? 8 : inode->page_capacity * 2;
        if (capacity <= index)
            capacity = index + 1;
        inode->pages = sim_host_realloc(inode->pages, capacity * sizeof *inode->pages);
        memset(inode->pages + inode->page_capacity, 0,
               (capacity - inode->page_capacity) * sizeof *inode->pages);
        inode->page_capacity = capacity;
    }
    return &inode->pages[index];
}

static uint8_t *take_block(struct sim_inode *inode, const uint8_t *content)
{
    uint8_t *block = sim_block_take(inode->disk->world->pool);
    memcpy(block, content == NULL ? zeros : content, SIM_BLOCK_BYTES);
    return block;
}

static void give_block(struct sim_inode *inode, uint8_t *block)
{
    sim_block_give(inode->disk->world->pool, block);
}

static void mark_dirty(struct sim_inode *inode, uint32_t index)
{
    struct sim_page *page = &inode->pages[index];
    page->flags &= (uint8_t)~SIM_PAGE_LOST;
    if ((page->flags & SIM_PAGE_DIRTY) != 0)
        return;
    page->flags |= SIM_PAGE_DIRTY;
    if (inode->dirty_count == inode->dirty_capacity) {
        inode->dirty_capacity = inode->dirty_capacity == 0 ? 16 : inode->dirty_capacity * 2;
        inode->dirty = sim_host_realloc(inode->dirty, inode->dirty_capacity * sizeof *inode->dirty);
    }
    inode->dirty[inode->dirty_count++] = index;
}

/* The page as the disk has it is put aside; `bytes` is to be changed, or (`whole`) to be replaced.
 */
static struct sim_page *touch(struct sim_inode *inode, uint32_t index, bool whole)
{
    struct sim_page *page = sim_inode_page(inode, index);
    if ((page->flags & SIM_PAGE_BEFORE) == 0) {
        page->flags |= SIM_PAGE_BEFORE;
        page->before = page->bytes;
        page->bytes =
            whole ? sim_block_take(inode->disk->world->pool) : take_block(inode, page->before);
    } else if (page->bytes == NULL) {
        page->bytes = take_block(inode, NULL);
    }
    mark_dirty(inode, index);
    return page;
}

/* The page reads as zeros from now on. */
static void zero_page(struct sim_inode *inode, uint32_t index)
{
    struct sim_page *page = sim_inode_page(inode, index);
    if ((page->flags & SIM_PAGE_BEFORE) == 0) {
        page->flags |= SIM_PAGE_BEFORE;
        page->before = page->bytes;
    } else {
        give_block(inode, page->bytes);
    }
    page->bytes = NULL;
    mark_dirty(inode, index);
}

static bool take_space(struct sim_inode *inode, uint32_t index)
{
    struct sim_page *page = sim_inode_page(inode, index);
    struct sim_disk *disk = inode->disk;
    if ((page->flags & SIM_PAGE_TAKEN) != 0)
        return true;
    if (disk->used_blocks >= disk->quota_blocks)
        return false;
    disk->used_blocks++;
    page->flags |= SIM_PAGE_TAKEN;
    return true;
}

static void give_space(struct sim_inode *inode, uint32_t index)
{
    struct sim_page *page = sim_inode_page(inode, index);
    if ((page->flags & SIM_PAGE_TAKEN) != 0)
        inode->disk->used_blocks--;
    page->flags &= (uint8_t)~SIM_PAGE_TAKEN;
}

uint64_t sim_inode_space(const struct sim_inode *inode)
{
    uint64_t blocks = 0;
    for (uint32_t i = 0; i < inode->page_capacity; i++)
        blocks += (inode->pages[i].flags & SIM_PAGE_TAKEN) != 0 ? 1 : 0;
    return blocks * SIM_BLOCK_BYTES;
}

uint64_t sim_inode_next_data(const struct sim_inode *inode, uint64_t offset)
{
    while (offset < inode->size) {
        uint64_t index = offset / SIM_BLOCK_BYTES;
        if (index < inode->page_capacity && (inode->pages[index].flags & SIM_PAGE_TAKEN) != 0)
            return offset;
        offset = (index + 1) * SIM_BLOCK_BYTES;
    }
    return offset;
}

static void mapped_touch(struct sim_inode *inode, uint64_t end)
{
    end = (uint64_t)sim_pages_of(end) * SIM_BLOCK_BYTES;
    if (inode->mapped->touched_bytes < end)
        inode->mapped->touched_bytes = end;
}

static const uint8_t *page_image(const struct sim_inode *inode, bool durable, uint32_t index)
{
    if (inode->mapped != NULL) {
        const uint8_t *image = durable ? inode->mapped->durable : inode->mapped->bytes;
        return image + (uint64_t)index * SIM_BLOCK_BYTES;
    }
    if (index >= inode->page_capacity)
        return zeros;
    const struct sim_page *page = &inode->pages[index];
    bool before = durable && (page->flags & SIM_PAGE_BEFORE) != 0;
    const uint8_t *bytes = before ? page->before : page->bytes;
    return bytes == NULL ? zeros : bytes;
}

uint8_t *sim_page_durable(struct sim_inode *inode, uint32_t index)
{
    if (inode->mapped != NULL)
        return inode->mapped->durable + (uint64_t)index * SIM_BLOCK_BYTES;
    struct sim_page *page = sim_inode_page(inode, index);
    return (page->flags & SIM_PAGE_BEFORE) != 0 ? page->before : page->bytes;
}

/* ---- Reading and writing. */

bool sim_all_zeros(const void *bytes, size_t size)
{
    const uint8_t *at = bytes;
    return size == 0 || (at[0] == 0 && memcmp(at, at + 1, size - 1) == 0);
}

size_t sim_inode_read(const struct sim_inode *inode, bool durable, uint64_t offset, void *bytes,
                      size_t size)
{
    uint64_t end = durable ? inode->durable_size : inode->size;
    if (offset >= end)
        return 0;
    if (size > end - offset)
        size = (size_t)(end - offset);
    uint8_t *at = bytes;
    size_t left = size;
    while (left > 0) {
        size_t in_page = (size_t)(offset % SIM_BLOCK_BYTES);
        size_t part = SIM_BLOCK_BYTES - in_page < left ? SIM_BLOCK_BYTES - in_page : left;
        memcpy(at, page_image(inode, durable, (uint32_t)(offset / SIM_BLOCK_BYTES)) + in_page,
               part);
        at += part;
        offset += part;
        left -= part;
    }
    return size;
}

size_t sim_inode_write(struct sim_inode *inode, uint64_t offset, const void *bytes, size_t size)
{
    size_t in_page = (size_t)(offset % SIM_BLOCK_BYTES);
    if (size > SIM_BLOCK_BYTES - in_page)
        size = SIM_BLOCK_BYTES - in_page;
    uint32_t index = (uint32_t)(offset / SIM_BLOCK_BYTES);
    uint64_t limit = inode->mapped == NULL ? FILE_BYTES_MAX : SIM_REGION_BYTES;
    if (offset >= limit || size > limit - offset || !take_space(inode, index))
        return 0;
    if (inode->mapped != NULL) {
        mapped_touch(inode, offset + size);
        memcpy(inode->mapped->bytes + offset, bytes, size);
    } else if (size == SIM_BLOCK_BYTES && sim_all_zeros(bytes, size)) {
        zero_page(inode, index); /* logs are written ahead, and nobody need copy that */
    } else {
        struct sim_page *page = touch(inode, index, size == SIM_BLOCK_BYTES);
        memcpy(page->bytes + in_page, bytes, size);
    }
    if (offset + size > inode->size)
        inode->size = offset + size;
    return size;
}

/* The page becomes a hole. */
static void clear_page(struct sim_inode *inode, uint32_t index)
{
    give_space(inode, index);
    if (inode->pages[index].bytes != NULL)
        zero_page(inode, index);
}

/* Zeros in [from, to), `to` being at most the end of the page of `from`. */
static void clear_in_page(struct sim_inode *inode, uint64_t from, uint64_t to)
{
    uint32_t index = (uint32_t)(from / SIM_BLOCK_BYTES);
    if (from >= to || index >= inode->page_capacity || inode->pages[index].bytes == NULL)
        return;
    memset(touch(inode, index, false)->bytes + from % SIM_BLOCK_BYTES, 0, (size_t)(to - from));
}

static void clear_range(struct sim_inode *inode, uint64_t from, uint64_t to)
{
    if (inode->mapped != NULL) {
        if (to > inode->mapped->touched_bytes)
            to = inode->mapped->touched_bytes;
        if (from < to)
            memset(inode->mapped->bytes + from, 0, (size_t)(to - from));
        return;
    }
    uint64_t end = (uint64_t)inode->page_capacity * SIM_BLOCK_BYTES;
    if (to > end)
        to = end;
    uint64_t first = (uint64_t)sim_pages_of(from) * SIM_BLOCK_BYTES;
    clear_in_page(inode, from, first < to ? first : to);
    for (; first + SIM_BLOCK_BYTES <= to; first += SIM_BLOCK_BYTES)
        clear_page(inode, (uint32_t)(first / SIM_BLOCK_BYTES));
    if (first >= from)
        clear_in_page(inode, first, to);
}

void sim_inode_truncate(struct sim_inode *inode, uint64_t bytes)
{
    if (bytes < inode->size) {
        clear_range(inode, bytes, (uint64_t)sim_pages_of(inode->size) * SIM_BLOCK_BYTES);
        for (uint32_t i = sim_pages_of(bytes); i < inode->page_capacity; i++)
            give_space(inode, i);
        if (bytes < inode->cut_to)
            inode->cut_to = bytes;
    }
    inode->size = bytes;
    if (inode->mapped != NULL && bytes <= SIM_REGION_BYTES)
        mapped_touch(inode, bytes);
}

bool sim_inode_allocate(struct sim_inode *inode, uint64_t offset, uint64_t bytes)
{
    uint64_t end = offset + bytes;
    if (end > (inode->mapped == NULL ? FILE_BYTES_MAX : SIM_REGION_BYTES))
        return false;
    for (uint64_t i = offset / SIM_BLOCK_BYTES; i < sim_pages_of(end); i++) {
        if (!take_space(inode, (uint32_t)i))
            return false;
    }
    if (inode->size < end)
        inode->size = end;
    if (inode->mapped != NULL)
        mapped_touch(inode, end);
    return true;
}

void sim_inode_punch(struct sim_inode *inode, uint64_t offset, uint64_t bytes)
{
    uint64_t end = offset + bytes < inode->size ? offset + bytes : inode->size;
    if (offset >= end)
        return;
    /* Space comes back where a whole page is a hole. */
    clear_range(inode, offset, end);
    for (uint64_t i = sim_pages_of(offset); (i + 1) * SIM_BLOCK_BYTES <= end; i++)
        give_space(inode, (uint32_t)i);
}

/* ---- Reaching the disk. */

/* A store to a page that was never allocated would be a SIGBUS on a full disk. */
static void check_taken(struct sim_inode *inode, uint32_t index)
{
    if (index < inode->page_capacity && (inode->pages[index].flags & SIM_PAGE_TAKEN) != 0)
        return;
    sim_world_fail(inode->disk->world,
                   "a store to page %u of mapped inode %llu, which was never allocated there",
                   index, (unsigned long long)inode->id);
}

static uint64_t page_hash(const uint8_t *bytes)
{
    return sim_trace_bytes(bytes, SIM_BLOCK_BYTES) | 1;
}

static bool is_given_up(const struct sim_mapped *mapped, uint32_t index, const uint8_t *bytes)
{
    return index < mapped->lost_count && mapped->lost[index] != 0 &&
           mapped->lost[index] == page_hash(bytes);
}

static uint32_t sync_mapped(struct sim_inode *inode, uint64_t from, uint64_t to)
{
    struct sim_mapped *mapped = inode->mapped;
    uint32_t written = 0;
    if (to > mapped->touched_bytes)
        to = mapped->touched_bytes;
    for (uint32_t i = (uint32_t)(from / SIM_BLOCK_BYTES); i < sim_pages_of(to); i++) {
        uint8_t *bytes = mapped->bytes + (uint64_t)i * SIM_BLOCK_BYTES;
        uint8_t *durable = mapped->durable + (uint64_t)i * SIM_BLOCK_BYTES;
        if (memcmp(bytes, durable, SIM_BLOCK_BYTES) == 0 || is_given_up(mapped, i, bytes))
            continue;
        if (i < sim_pages_of(inode->size))
            check_taken(inode, i);
        memcpy(durable, bytes, SIM_BLOCK_BYTES);
        written++;
    }
    return written;
}

/* The page as it is seen is on the disk. */
static void settle(struct sim_inode *inode, struct sim_page *page)
{
    give_block(inode, page->before);
    page->before = NULL;
    page->flags &= (uint8_t) ~(SIM_PAGE_BEFORE | SIM_PAGE_DIRTY | SIM_PAGE_LOST);
}

uint32_t sim_inode_sync(struct sim_inode *inode)
{
    uint32_t written = inode->dirty_count;
    for (uint32_t i = 0; i < inode->dirty_count; i++)
        settle(inode, &inode->pages[inode->dirty[i]]);
    inode->dirty_count = 0;
    if (inode->mapped != NULL)
        written = sync_mapped(inode, 0, UINT64_MAX);
    inode->durable_size = inode->size;
    inode->cut_to = UINT64_MAX;
    return written;
}

uint32_t sim_inode_sync_range(struct sim_inode *inode, uint64_t from, uint64_t to)
{
    /* The length can be durable only together with what a cut has taken. */
    if (inode->cut_to != UINT64_MAX)
        return sim_inode_sync(inode);
    uint32_t written = sync_mapped(inode, from, to);
    inode->durable_size = inode->size;
    return written;
}

static void lose_mapped(struct sim_mapped *mapped, uint32_t index, const uint8_t *bytes)
{
    uint32_t count = (uint32_t)(mapped->touched_bytes / SIM_BLOCK_BYTES);
    if (mapped->lost_count < count) {
        mapped->lost = sim_host_realloc(mapped->lost, count * sizeof *mapped->lost);
        memset(mapped->lost + mapped->lost_count, 0,
               (count - mapped->lost_count) * sizeof *mapped->lost);
        mapped->lost_count = count;
    }
    mapped->lost[index] = page_hash(bytes);
}

void sim_inode_take_up(struct sim_inode *inode, uint64_t offset)
{
    struct sim_mapped *mapped = inode->mapped;
    if (offset / SIM_BLOCK_BYTES < mapped->lost_count)
        mapped->lost[offset / SIM_BLOCK_BYTES] = 0;
}

static void sync_mapped_in_part(struct sim_mapped *mapped, struct sim_rng *rng)
{
    for (uint32_t i = 0; i < mapped->touched_bytes / SIM_BLOCK_BYTES; i++) {
        uint8_t *bytes = mapped->bytes + (uint64_t)i * SIM_BLOCK_BYTES;
        uint8_t *durable = mapped->durable + (uint64_t)i * SIM_BLOCK_BYTES;
        if (memcmp(bytes, durable, SIM_BLOCK_BYTES) == 0)
            continue;
        if (sim_rng_below(rng, 2) == 0)
            memcpy(durable, bytes, SIM_BLOCK_BYTES);
        else
            lose_mapped(mapped, i, bytes);
    }
}

void sim_inode_sync_in_part(struct sim_inode *inode, struct sim_rng *rng)
{
    uint32_t left = 0;
    for (uint32_t i = 0; i < inode->dirty_count; i++) {
        uint32_t index = inode->dirty[i];
        struct sim_page *page = &inode->pages[index];
        if ((uint64_t)index * SIM_BLOCK_BYTES >= inode->cut_to) {
            inode->dirty[left++] = index; /* its fate hangs on that of the cut */
        } else if (sim_rng_below(rng, 2) == 0) {
            settle(inode, page);
        } else {
            page->flags &= (uint8_t)~SIM_PAGE_DIRTY;
            page->flags |= SIM_PAGE_LOST;
            inode->lost_any = true;
        }
    }
    inode->dirty_count = left;
    if (inode->mapped != NULL && inode->cut_to == UINT64_MAX)
        sync_mapped_in_part(inode->mapped, rng);
}

void sim_inode_write_back(struct sim_inode *inode, uint64_t offset, struct sim_rng *rng)
{
    uint32_t index = (uint32_t)(offset / SIM_BLOCK_BYTES);
    if (offset >= inode->cut_to || inode->cut_to < inode->size || offset >= inode->size)
        return;
    uint8_t mask = (uint8_t)sim_rng_u64(rng);
    uint8_t *durable = NULL;
    if (inode->mapped == NULL) {
        struct sim_page *page = sim_inode_page(inode, index);
        if ((page->flags & SIM_PAGE_BEFORE) == 0 || (page->flags & SIM_PAGE_LOST) != 0)
            return;
        if (page->before == NULL)
            page->before = take_block(inode, NULL);
        durable = page->before;
    } else {
        durable = sim_page_durable(inode, index);
    }
    const uint8_t *bytes = page_image(inode, false, index);
    for (uint32_t i = 0; i < SECTORS; i++) {
        if ((mask >> i & 1) != 0)
            memcpy(durable + (size_t)i * SIM_SECTOR_BYTES, bytes + (size_t)i * SIM_SECTOR_BYTES,
                   SIM_SECTOR_BYTES);
    }
    uint64_t end = ((uint64_t)index + 1) * SIM_BLOCK_BYTES;
    end = end < inode->size ? end : inode->size;
    if (inode->durable_size < end && sim_rng_below(rng, 2) == 0)
        inode->durable_size = end;
}

void sim_inode_evict(struct sim_inode *inode, uint64_t offset)
{
    uint32_t index = (uint32_t)(offset / SIM_BLOCK_BYTES);
    if (inode->mapped != NULL || index >= inode->page_capacity)
        return;
    struct sim_page *page = &inode->pages[index];
    if ((page->flags & SIM_PAGE_LOST) == 0)
        return;
    give_block(inode, page->bytes);
    page->bytes = page->before;
    page->before = NULL;
    page->flags &= (uint8_t) ~(SIM_PAGE_BEFORE | SIM_PAGE_LOST);
}

bool sim_inode_map(struct sim_inode *inode)
{
    if (inode->mapped != NULL)
        return true;
    if (inode->size > SIM_REGION_BYTES || inode->durable_size > SIM_REGION_BYTES)
        return false;
    struct sim_pool *pool = inode->disk->world->pool;
    struct sim_mapped *mapped = sim_host_alloc(sizeof *mapped);
    mapped->bytes = sim_region_take(pool);
    mapped->durable = sim_region_take(pool);
    for (uint32_t i = 0; i < inode->page_capacity; i++) {
        struct sim_page *page = &inode->pages[i];
        uint64_t at = (uint64_t)i * SIM_BLOCK_BYTES;
        if (page->bytes != NULL || page->before != NULL) {
            memcpy(mapped->bytes + at, page_image(inode, false, i), SIM_BLOCK_BYTES);
            memcpy(mapped->durable + at, page_image(inode, true, i), SIM_BLOCK_BYTES);
            mapped->touched_bytes = at + SIM_BLOCK_BYTES;
        }
    }
    for (uint32_t i = 0; i < inode->page_capacity; i++) {
        struct sim_page *page = &inode->pages[i];
        give_block(inode, page->bytes);
        give_block(inode, page->before);
        *page = (struct sim_page){.flags = page->flags & SIM_PAGE_TAKEN};
    }
    inode->dirty_count = 0;
    inode->mapped = mapped;
    mapped_touch(inode, inode->size > inode->durable_size ? inode->size : inode->durable_size);
    return true;
}

/* ---- After a crash, and damage. */

void sim_inode_revert(struct sim_inode *inode)
{
    if (inode->mapped != NULL)
        memcpy(inode->mapped->bytes, inode->mapped->durable, (size_t)inode->mapped->touched_bytes);
    for (uint32_t i = 0; i < inode->page_capacity && inode->mapped == NULL; i++) {
        struct sim_page *page = &inode->pages[i];
        if ((page->flags & SIM_PAGE_BEFORE) != 0) {
            give_block(inode, page->bytes);
            page->bytes = page->before;
            page->before = NULL;
        }
        page->flags &= SIM_PAGE_TAKEN;
        if (page->bytes != NULL && (page->flags & SIM_PAGE_TAKEN) == 0) {
            page->flags |= SIM_PAGE_TAKEN;
            inode->disk->used_blocks++;
        }
    }
    inode->dirty_count = 0;
    inode->size = inode->durable_size;
    /* What lies past the end is not there, whatever the fate of its pages was. */
    inode->cut_to = UINT64_MAX;
    clear_range(inode, inode->size,
                inode->mapped != NULL ? inode->mapped->touched_bytes
                                      : (uint64_t)inode->page_capacity * SIM_BLOCK_BYTES);
    (void)sim_inode_sync(inode);
}

bool sim_inode_flip(struct sim_inode *inode, uint64_t offset, unsigned bit)
{
    if (offset >= inode->durable_size)
        return false;
    uint32_t index = (uint32_t)(offset / SIM_BLOCK_BYTES);
    uint8_t *durable = sim_page_durable(inode, index);
    if (durable == NULL && (inode->pages[index].flags & SIM_PAGE_TAKEN) != 0) {
        struct sim_page *page = &inode->pages[index];
        durable = take_block(inode, NULL);
        *((page->flags & SIM_PAGE_BEFORE) != 0 ? &page->before : &page->bytes) = durable;
    }
    if (durable == NULL)
        return false;
    uint8_t flip = (uint8_t)(1U << bit % 8);
    durable[offset % SIM_BLOCK_BYTES] ^= flip;
    if (inode->mapped != NULL)
        inode->mapped->bytes[offset] ^= flip;
    return true;
}

bool sim_inode_misdirect(struct sim_inode *inode, uint64_t from, uint64_t to)
{
    uint32_t source = (uint32_t)(from / SIM_BLOCK_BYTES);
    uint32_t target = (uint32_t)(to / SIM_BLOCK_BYTES);
    uint64_t end = inode->size;
    if (source == target || inode->mapped != NULL || from >= end || to >= end)
        return false;
    (void)sim_inode_page(inode, source > target ? source : target);
    struct sim_page *written = &inode->pages[source];
    struct sim_page *hit = &inode->pages[target];
    if ((written->flags & SIM_PAGE_TAKEN) == 0 || (hit->flags & SIM_PAGE_TAKEN) == 0)
        return false;
    if (written->bytes == NULL)
        written->bytes = take_block(inode, NULL);
    if (hit->bytes == NULL)
        hit->bytes = take_block(inode, NULL);
    memcpy(hit->bytes, written->bytes, SIM_BLOCK_BYTES);
    if ((hit->flags & SIM_PAGE_BEFORE) != 0) {
        give_block(inode, hit->before);
        hit->before = take_block(inode, hit->bytes);
    }
    bool fresh = (written->flags & SIM_PAGE_BEFORE) != 0 && written->before != NULL;
    memcpy(written->bytes, fresh ? written->before : zeros, SIM_BLOCK_BYTES);
    return true;
}
