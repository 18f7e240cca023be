/* A disk seen from outside, and its beginning and end. Nothing here takes time or is noticed. */
#include <string.h>

#include "base/assert.h"
#include "sim/disk_parts.h"

struct sim_disk *sim_disk_new(struct sim_world *world, uint32_t id)
{
    struct sim_disk *disk = sim_host_alloc(sizeof *disk);
    disk->world = world;
    disk->id = id;
    disk->quota_blocks = UINT64_MAX;
    sim_list_init(&disk->inodes);
    sim_list_init(&disk->changes);
    disk->root = sim_inode_new(disk, GRAFT_ENTRY_DIRECTORY);
    struct sim_place place = {.disk = disk, .directory = disk->root, .name = "tmp"};
    (void)sim_tree_create(&place, GRAFT_ENTRY_DIRECTORY);
    (void)sim_tree_sync(disk->root);
    return disk;
}

void sim_disk_free(struct sim_disk *disk)
{
    while (!sim_list_is_empty(&disk->changes))
        sim_change_forget(SIM_CONTAINER(disk->changes.next, struct sim_change, in_disk));
    sim_inode_unref(disk->root);
    /* Whatever was open has been closed by the death of its process. */
    GRAFT_ASSERT(sim_list_is_empty(&disk->inodes) && disk->used_blocks == 0);
    sim_host_free(disk);
}

void sim_disk_set_quota(struct sim_disk *disk, uint64_t bytes)
{
    disk->quota_blocks = bytes / SIM_BLOCK_BYTES;
}

uint64_t sim_disk_used_bytes(const struct sim_disk *disk)
{
    return disk->used_blocks * SIM_BLOCK_BYTES;
}

uint64_t sim_disk_inode_count(const struct sim_disk *disk)
{
    uint64_t count = 0;
    for (const struct sim_link *at = disk->inodes.next; at != &disk->inodes; at = at->next)
        count++;
    return count;
}

static struct sim_inode *find_now(struct sim_disk *disk, const char *path)
{
    struct sim_place place;
    if (sim_tree_resolve(disk, path, &place) != GRAFT_OK || place.inode == NULL ||
        place.inode->kind != GRAFT_ENTRY_FILE)
        return NULL;
    return place.inode;
}

/* By the names that are on the disk. */
static struct sim_inode *find_durable(struct sim_disk *disk, const char *path)
{
    struct sim_inode *inode = disk->root;
    char name[256];
    for (const char *at = path + strspn(path, "/"); *at != '\0'; at += strspn(at, "/")) {
        size_t length = strcspn(at, "/");
        if (inode == NULL || inode->kind != GRAFT_ENTRY_DIRECTORY || length >= sizeof name)
            return NULL;
        memcpy(name, at, length);
        name[length] = '\0';
        inode = sim_entries_find(&inode->durable_entries, name);
        at += length;
    }
    return inode != NULL && inode->kind == GRAFT_ENTRY_FILE ? inode : NULL;
}

static struct sim_inode *find(struct sim_disk *disk, const char *path, bool durable)
{
    return durable ? find_durable(disk, path) : find_now(disk, path);
}

bool sim_disk_peek(struct sim_disk *disk, const char *path, bool durable, uint64_t offset,
                   void *bytes, size_t size, size_t *got)
{
    const struct sim_inode *inode = find(disk, path, durable);
    if (inode == NULL)
        return false;
    *got = sim_inode_read(inode, durable, offset, bytes, size);
    return true;
}

uint64_t sim_disk_peek_size(struct sim_disk *disk, const char *path, bool durable)
{
    const struct sim_inode *inode = find(disk, path, durable);
    if (inode == NULL)
        return UINT64_MAX;
    return durable ? inode->durable_size : inode->size;
}

bool sim_disk_flip(struct sim_disk *disk, const char *path, uint64_t offset, unsigned bit)
{
    struct sim_inode *inode = find_now(disk, path);
    return inode != NULL && sim_inode_flip(inode, offset, bit);
}

bool sim_disk_misdirect(struct sim_disk *disk, const char *path, uint64_t from, uint64_t to)
{
    struct sim_inode *inode = find_now(disk, path);
    return inode != NULL && sim_inode_misdirect(inode, from, to);
}

void sim_disk_set_rot_filter(struct sim_disk *disk, sim_disk_may_fn *may, void *arg)
{
    disk->rot_may = may;
    disk->rot_arg = arg;
}
