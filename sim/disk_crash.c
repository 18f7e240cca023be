/* What a crash of the machine leaves of a disk. Each crash first draws which of the crash faults it
 * has at all (one that loses nothing, or everything, is as telling as one that loses something);
 * then each file, each of its unsynced pages, and each unsynced change of a name meets its fate. */
#include <string.h>

#include "base/assert.h"
#include "sim/disk_parts.h"

#define SECTORS (SIM_BLOCK_BYTES / SIM_SECTOR_BYTES)

struct mood {
    bool drop, tear, reorder, garbage, size, entry;
    struct sim_rng *rng;
    uint32_t kept, lost; /* of the file at hand */
};

static void draw_mood(struct sim_disk *disk, struct mood *mood)
{
    struct sim_world *world = disk->world;
    *mood = (struct mood){
        .drop = sim_draw(world, SIM_FAULT_crash_drop, disk->id),
        .tear = sim_draw(world, SIM_FAULT_crash_tear, disk->id),
        .reorder = sim_draw(world, SIM_FAULT_crash_reorder, disk->id),
        .garbage = sim_draw(world, SIM_FAULT_crash_garbage, disk->id),
        .size = sim_draw(world, SIM_FAULT_crash_size, disk->id),
        .entry = sim_draw(world, SIM_FAULT_crash_entry, disk->id),
        .rng = &world->streams[SIM_STREAM_CRASH],
    };
}

/* ---- Pages. */

static const uint8_t *seen_page(const struct sim_inode *inode, uint32_t index)
{
    return inode->mapped != NULL ? inode->mapped->bytes + (uint64_t)index * SIM_BLOCK_BYTES
                                 : inode->pages[index].bytes;
}

/* Room for what the page is on the disk. */
static uint8_t *durable_page(struct sim_inode *inode, uint32_t index)
{
    if (inode->mapped == NULL && inode->pages[index].before == NULL) {
        inode->pages[index].before = sim_block_take(inode->disk->world->pool);
        memset(inode->pages[index].before, 0, SIM_BLOCK_BYTES);
    }
    return sim_page_durable(inode, index);
}

static void keep_sectors(struct sim_inode *inode, uint32_t index, uint32_t mask)
{
    const uint8_t *seen = seen_page(inode, index);
    uint8_t *durable = durable_page(inode, index);
    for (uint32_t i = 0; i < SECTORS; i++) {
        size_t at = (size_t)i * SIM_SECTOR_BYTES;
        if ((mask >> i & 1) == 0)
            continue;
        if (seen == NULL)
            memset(durable + at, 0, SIM_SECTOR_BYTES);
        else
            memcpy(durable + at, seen + at, SIM_SECTOR_BYTES);
    }
}

/* One page that differs from what is on the disk. */
static void settle_page(struct sim_inode *inode, uint32_t index, bool keep, struct mood *mood)
{
    const uint32_t all = (1U << SECTORS) - 1;
    uint32_t mask = keep ? all : 0;
    if (mood->tear && sim_rng_below(mood->rng, 3) == 0)
        mask = (uint32_t)sim_rng_below(mood->rng, all + 1);
    bool was_there = inode->mapped != NULL || inode->pages[index].before != NULL ||
                     (uint64_t)index * SIM_BLOCK_BYTES < inode->old_size;
    if (mask != all && mood->garbage && !was_there)
        sim_rng_fill(mood->rng, durable_page(inode, index), SIM_BLOCK_BYTES);
    if (mask != 0)
        keep_sectors(inode, index, mask);
    if (mask == all)
        mood->kept++;
    else
        mood->lost++;
}

/* How many of `count` pages, in the order in which they were first written, are kept. */
static uint32_t draw_kept(uint32_t count, const struct mood *mood)
{
    if (!mood->drop)
        return count;
    uint64_t drawn = sim_rng_below(mood->rng, 4);
    if (drawn == 0)
        return 0;
    return (uint32_t)sim_rng_below(mood->rng, (uint64_t)count + 1);
}

static bool keeps(uint32_t place, uint32_t kept, const struct mood *mood)
{
    if (mood->drop && mood->reorder)
        return sim_rng_below(mood->rng, 2) == 0;
    return place < kept;
}

static void settle_pages(struct sim_inode *inode, struct mood *mood)
{
    uint32_t kept = draw_kept(inode->dirty_count, mood);
    for (uint32_t i = 0; i < inode->dirty_count; i++)
        settle_page(inode, inode->dirty[i], keeps(i, kept, mood), mood);
}

static void settle_mapped(struct sim_inode *inode, struct mood *mood)
{
    struct sim_mapped *mapped = inode->mapped;
    uint32_t count = (uint32_t)(mapped->touched_bytes / SIM_BLOCK_BYTES);
    uint32_t kept = draw_kept(count, mood);
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *bytes = mapped->bytes + (uint64_t)i * SIM_BLOCK_BYTES;
        const uint8_t *durable = mapped->durable + (uint64_t)i * SIM_BLOCK_BYTES;
        if (memcmp(bytes, durable, SIM_BLOCK_BYTES) == 0)
            continue;
        bool lost = i < mapped->lost_count && mapped->lost[i] != 0;
        settle_page(inode, i, !lost && keeps(i, kept, mood), mood);
    }
}

/* ---- Lengths. */

/* The cut never happened: neither did what was written past it since. */
static void undo_cut(struct sim_inode *inode)
{
    uint32_t first = (uint32_t)(inode->cut_to / SIM_BLOCK_BYTES);
    if (inode->mapped != NULL) {
        uint64_t from = (uint64_t)first * SIM_BLOCK_BYTES;
        if (from < inode->mapped->touched_bytes)
            memcpy(inode->mapped->bytes + from, inode->mapped->durable + from,
                   (size_t)(inode->mapped->touched_bytes - from));
        return;
    }
    uint32_t left = 0;
    for (uint32_t i = 0; i < inode->dirty_count; i++) {
        if (inode->dirty[i] < first)
            inode->dirty[left++] = inode->dirty[i];
    }
    inode->dirty_count = left;
}

/* The cut is on the disk: what was there past it is gone for good. */
static void do_cut(struct sim_inode *inode)
{
    uint64_t cut_to = inode->cut_to;
    uint32_t count = inode->mapped != NULL
                         ? (uint32_t)(inode->mapped->touched_bytes / SIM_BLOCK_BYTES)
                         : inode->page_capacity;
    for (uint32_t i = (uint32_t)(cut_to / SIM_BLOCK_BYTES); i < count; i++) {
        uint64_t start = (uint64_t)i * SIM_BLOCK_BYTES;
        size_t from = start < cut_to ? (size_t)(cut_to - start) : 0;
        bool has_before =
            inode->mapped != NULL ||
            ((inode->pages[i].flags & SIM_PAGE_BEFORE) != 0 && inode->pages[i].before != NULL);
        if (has_before)
            memset(sim_page_durable(inode, i) + from, 0, SIM_BLOCK_BYTES - from);
    }
    if (inode->durable_size > cut_to)
        inode->durable_size = cut_to;
}

static void settle_size(struct sim_inode *inode, struct mood *mood)
{
    inode->old_size = inode->durable_size;
    if (inode->cut_to != UINT64_MAX) {
        if (mood->size && sim_rng_below(mood->rng, 2) == 0) {
            undo_cut(inode);
            return;
        }
        do_cut(inode);
        inode->old_size = inode->durable_size;
    }
    if (!mood->size || inode->size <= inode->durable_size) {
        inode->durable_size = inode->size;
        return;
    }
    uint64_t grown = inode->size - inode->durable_size;
    switch (sim_rng_below(mood->rng, 4)) {
    case 0:
        break;
    case 1:
        inode->durable_size += sim_rng_below(mood->rng, grown + 1);
        break;
    case 2:
        inode->durable_size +=
            sim_rng_below(mood->rng, grown / SIM_SECTOR_BYTES + 1) * SIM_SECTOR_BYTES;
        break;
    default:
        inode->durable_size = inode->size;
    }
}

static void crash_file(struct sim_inode *inode, struct mood *mood)
{
    bool clean = inode->dirty_count == 0 && inode->mapped == NULL &&
                 inode->size == inode->durable_size && inode->cut_to == UINT64_MAX;
    mood->kept = mood->lost = 0;
    if (!clean) {
        settle_size(inode, mood);
        if (inode->mapped != NULL)
            settle_mapped(inode, mood);
        else
            settle_pages(inode, mood);
        sim_trace_event(inode->disk->world, SIM_EVENT_CRASHED_FILE, inode->id,
                        mood->kept | (uint64_t)mood->lost << 32, inode->durable_size);
    }
    sim_inode_revert(inode);
}

/* ---- Names. */

static bool same(const char *a, const char *b)
{
    return a != NULL && b != NULL && strcmp(a, b) == 0;
}

/* Whether a change of one of its names, earlier in the same directory, was lost. */
static bool is_orphan(const struct sim_disk *disk, const struct sim_change *change)
{
    for (struct sim_link *at = disk->changes.next; at != &change->in_disk; at = at->next) {
        const struct sim_change *earlier = SIM_CONTAINER(at, struct sim_change, in_disk);
        if (earlier->dropped && earlier->directory == change->directory &&
            (same(earlier->added, change->added) || same(earlier->added, change->removed) ||
             same(earlier->removed, change->added) || same(earlier->removed, change->removed)))
            return true;
    }
    return false;
}

static uint32_t crash_names(struct sim_disk *disk, const struct mood *mood)
{
    uint32_t kept = 0;
    uint64_t weight = mood->entry ? sim_rng_between(mood->rng, 0, 4) : 0;
    for (struct sim_link *at = disk->changes.next; at != &disk->changes; at = at->next) {
        struct sim_change *change = SIM_CONTAINER(at, struct sim_change, in_disk);
        bool lost = sim_rng_below(mood->rng, 4) < weight;
        /* Both halves of a rename, or none: the second follows the first, and when something keeps
         * it from that, the name is there twice, as a file system repaired by hand has it. */
        if (change->follows && change->other != NULL)
            lost = change->other->dropped;
        change->dropped = lost || is_orphan(disk, change);
    }
    struct sim_link *at = disk->changes.next;
    while (at != &disk->changes) {
        struct sim_change *change = SIM_CONTAINER(at, struct sim_change, in_disk);
        at = at->next;
        kept += !change->dropped;
        if (change->dropped)
            sim_change_forget(change);
        else
            sim_change_apply(change);
    }
    return kept;
}

void sim_disk_crash(struct sim_disk *disk, bool immune)
{
    struct mood mood = {.rng = &disk->world->streams[SIM_STREAM_CRASH]};
    if (!immune && !disk->world->faults_off)
        draw_mood(disk, &mood);
    disk->lied_about = 0;
    uint32_t kept = crash_names(disk, &mood);
    sim_trace_event(disk->world, SIM_EVENT_MACHINE_CRASH, disk->id, kept,
                    (uint64_t)mood.drop | (uint64_t)mood.tear << 1 | (uint64_t)mood.reorder << 2 |
                        (uint64_t)mood.size << 3 | (uint64_t)mood.entry << 4);
    for (struct sim_link *at = disk->inodes.next; at != &disk->inodes; at = at->next) {
        struct sim_inode *inode = SIM_CONTAINER(at, struct sim_inode, in_disk);
        if (inode->kind == GRAFT_ENTRY_FILE)
            crash_file(inode, &mood);
    }
    /* Every inode is held while the lists are exchanged, so that none goes in mid-walk. */
    for (struct sim_link *at = disk->inodes.next; at != &disk->inodes; at = at->next)
        SIM_CONTAINER(at, struct sim_inode, in_disk)->refs++;
    for (struct sim_link *at = disk->inodes.next; at != &disk->inodes; at = at->next) {
        struct sim_inode *inode = SIM_CONTAINER(at, struct sim_inode, in_disk);
        if (inode->kind == GRAFT_ENTRY_DIRECTORY)
            sim_entries_copy(&inode->entries, &inode->durable_entries);
    }
    struct sim_link *at = disk->inodes.next;
    while (at != &disk->inodes) {
        struct sim_inode *inode = SIM_CONTAINER(at, struct sim_inode, in_disk);
        /* A directory that goes takes others with it, though none that is still to come: those are
         * held. */
        at = at->next;
        sim_inode_unref(inode);
    }
}
