/* Names: directories as sorted lists, once as they are seen and once as they are on the disk, with
 * the changes between the two in the order in which they happened. */
#include <string.h>

#include "base/assert.h"
#include "base/limits.h"
#include "sim/disk_parts.h"

/* ---- Lists of entries. */

/* The index of the name, or where it would stand. */
static uint32_t find(const struct sim_entries *entries, const char *name, bool *found)
{
    uint32_t low = 0;
    uint32_t high = entries->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = strcmp(entries->at[middle].name, name);
        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *found = false;
    return low;
}

struct sim_inode *sim_entries_find(const struct sim_entries *entries, const char *name)
{
    bool found = false;
    uint32_t at = find(entries, name, &found);
    return found ? entries->at[at].inode : NULL;
}

void sim_entries_set(struct sim_entries *entries, const char *name, struct sim_inode *inode)
{
    bool found = false;
    uint32_t at = find(entries, name, &found);
    if (inode != NULL)
        sim_inode_ref(inode);
    if (found && inode != NULL) {
        sim_inode_unref(entries->at[at].inode);
        entries->at[at].inode = inode;
    } else if (found) {
        struct sim_entry gone = entries->at[at];
        entries->count--;
        memmove(entries->at + at, entries->at + at + 1,
                (entries->count - at) * sizeof *entries->at);
        sim_host_free(gone.name);
        sim_inode_unref(gone.inode);
    } else if (inode != NULL) {
        if (entries->count == entries->capacity) {
            entries->capacity = entries->capacity == 0 ? 8 : entries->capacity * 2;
            entries->at = sim_host_realloc(entries->at, entries->capacity * sizeof *entries->at);
        }
        memmove(entries->at + at + 1, entries->at + at,
                (entries->count - at) * sizeof *entries->at);
        entries->count++;
        entries->at[at] = (struct sim_entry){.name = sim_host_strdup(name), .inode = inode};
    }
}

void sim_entries_clear(struct sim_entries *entries)
{
    for (uint32_t i = 0; i < entries->count; i++) {
        sim_host_free(entries->at[i].name);
        sim_inode_unref(entries->at[i].inode);
    }
    sim_host_free(entries->at);
    *entries = (struct sim_entries){0};
}

void sim_entries_copy(struct sim_entries *entries, const struct sim_entries *from)
{
    struct sim_entries copy = {.count = from->count, .capacity = from->count};
    if (from->count > 0)
        copy.at = sim_host_alloc(from->count * sizeof *copy.at);
    for (uint32_t i = 0; i < from->count; i++)
        copy.at[i] = (struct sim_entry){.name = sim_host_strdup(from->at[i].name),
                                        .inode = sim_inode_ref(from->at[i].inode)};
    sim_entries_clear(entries);
    *entries = copy;
}

/* ---- Changes. */

static struct sim_change *note_change(struct sim_inode *directory, const char *removed,
                                      const char *added, struct sim_inode *inode)
{
    struct sim_change *change = sim_host_alloc(sizeof *change);
    change->directory = sim_inode_ref(directory);
    change->removed = removed == NULL ? NULL : sim_host_strdup(removed);
    change->added = added == NULL ? NULL : sim_host_strdup(added);
    change->inode = inode == NULL ? NULL : sim_inode_ref(inode);
    sim_list_append(&directory->disk->changes, &change->in_disk);
    return change;
}

void sim_change_forget(struct sim_change *change)
{
    if (change->other != NULL)
        change->other->other = NULL;
    sim_list_remove(&change->in_disk);
    sim_inode_unref(change->directory);
    sim_inode_unref(change->inode);
    sim_host_free(change->removed);
    sim_host_free(change->added);
    sim_host_free(change);
}

void sim_change_apply(struct sim_change *change)
{
    struct sim_entries *durable = &change->directory->durable_entries;
    if (change->added != NULL)
        sim_entries_set(durable, change->added, change->inode);
    if (change->removed != NULL)
        sim_entries_set(durable, change->removed, NULL);
    sim_change_forget(change);
}

/* A rename is one change, in whichever of its two directories it becomes durable; what preceded it
 * in the other one then is as well. Marks every directory that takes part. */
static bool spread_sync(struct sim_disk *disk)
{
    bool spread = false;
    bool grew = true;
    while (grew) {
        grew = false;
        for (struct sim_link *at = disk->changes.next; at != &disk->changes; at = at->next) {
            const struct sim_change *change = SIM_CONTAINER(at, struct sim_change, in_disk);
            if (!change->directory->syncing || change->other == NULL ||
                change->other->directory->syncing)
                continue;
            change->other->directory->syncing = true;
            spread = grew = true;
        }
    }
    return spread;
}

uint32_t sim_tree_sync(struct sim_inode *directory)
{
    struct sim_disk *disk = directory->disk;
    uint32_t count = 0;
    directory->syncing = true;
    bool spread = spread_sync(disk);
    struct sim_link *at = disk->changes.next;
    while (at != &disk->changes) {
        struct sim_change *change = SIM_CONTAINER(at, struct sim_change, in_disk);
        at = at->next;
        if (!change->directory->syncing)
            continue;
        sim_change_apply(change);
        count++;
    }
    directory->syncing = false;
    for (at = disk->inodes.next; spread && at != &disk->inodes; at = at->next)
        SIM_CONTAINER(at, struct sim_inode, in_disk)->syncing = false;
    return count;
}

struct sim_inode *sim_tree_create(struct sim_place *place, enum graft_entry_kind kind)
{
    struct sim_inode *inode = sim_inode_new(place->disk, kind);
    sim_entries_set(&place->directory->entries, place->name, inode);
    (void)note_change(place->directory, NULL, place->name, inode);
    sim_inode_unref(inode);
    place->inode = inode;
    return inode;
}

void sim_tree_remove(struct sim_place *place)
{
    (void)note_change(place->directory, place->name, NULL, NULL);
    sim_entries_set(&place->directory->entries, place->name, NULL);
    place->inode = NULL;
}

void sim_tree_rename(struct sim_place *from, struct sim_place *to)
{
    struct sim_inode *inode = sim_inode_ref(from->inode);
    if (from->directory == to->directory) {
        (void)note_change(from->directory, from->name, to->name, inode);
    } else {
        struct sim_change *adds = note_change(to->directory, NULL, to->name, inode);
        struct sim_change *removes = note_change(from->directory, from->name, NULL, NULL);
        removes->follows = true;
        removes->other = adds;
        adds->other = removes;
    }
    sim_entries_set(&to->directory->entries, to->name, inode);
    sim_entries_set(&from->directory->entries, from->name, NULL);
    sim_inode_unref(inode);
}

/* ---- Paths. */

enum graft_rc sim_tree_resolve(struct sim_disk *disk, const char *path, struct sim_place *out)
{
    struct sim_place place = {.disk = disk, .directory = disk->root, .inode = disk->root};
    if (strlen(path) >= GRAFT_PATH_BYTES_MAX)
        return GRAFT_ELIMIT;
    for (const char *at = path;;) {
        at += strspn(at, "/");
        size_t length = strcspn(at, "/");
        if (length == 0)
            break;
        if (length == 1 && at[0] == '.') {
            at += length;
            continue;
        }
        if (length >= sizeof place.name)
            return GRAFT_ELIMIT;
        if (place.inode == NULL)
            return GRAFT_ENOTFOUND;
        if (place.inode->kind != GRAFT_ENTRY_DIRECTORY)
            return GRAFT_EIO; /* ENOTDIR */
        place.directory = place.inode;
        memcpy(place.name, at, length);
        place.name[length] = '\0';
        place.inode = sim_entries_find(&place.directory->entries, place.name);
        at += length;
    }
    *out = place;
    return GRAFT_OK;
}

struct sim_disk *sim_mount_find(struct sim_machine *machine, const char *path, char *out,
                                size_t size, struct sim_machine **remote)
{
    for (uint32_t i = 0; i < machine->mount_count; i++) {
        const struct sim_mount *mount = &machine->mounts[i];
        size_t length = strlen(mount->path);
        if (strncmp(path, mount->path, length) != 0 ||
            (path[length] != '/' && path[length] != '\0'))
            continue;
        size_t shared = strlen(mount->shared);
        if (shared + strlen(path + length) >= size)
            return NULL;
        memcpy(out, mount->shared, shared);
        memcpy(out + shared, path + length, strlen(path + length) + 1);
        *remote = mount->owner;
        return mount->owner->disk;
    }
    if (strlen(path) >= size)
        return NULL;
    memcpy(out, path, strlen(path) + 1);
    *remote = NULL;
    return machine->disk;
}
