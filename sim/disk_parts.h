/* What the files of the disk know of each other: inodes, their content, and names.
 *
 * A file's content is two images: `bytes`, what everybody reads, and what is on the disk. A page
 * has an image of its own on the disk (`before`) only as long as the two differ. A file that was
 * ever mapped keeps both images as regions instead, since processes hold pointers into the first
 * and store there without being noticed; which pages differ is then found by comparing. */
#ifndef GRAFT_SIM_DISK_PARTS_H
#define GRAFT_SIM_DISK_PARTS_H

#include "sim/parts.h"

enum sim_page_flags {
    SIM_PAGE_BEFORE = 1, /* the disk has `before` (NULL: zeros) and not `bytes` */
    SIM_PAGE_DIRTY = 2,  /* the next sync writes it; it stands in the list of dirty pages */
    SIM_PAGE_LOST = 4,   /* a failed sync gave it up */
    SIM_PAGE_TAKEN = 8,  /* counts as space in use */
};

struct sim_page {
    uint8_t *bytes; /* NULL: zeros */
    uint8_t *before;
    uint8_t flags;
};

struct sim_mapped {
    uint8_t *bytes;
    uint8_t *durable;
    uint64_t touched_bytes; /* of either */
    uint64_t *lost;         /* hash of a page that a failed sync gave up; 0: none */
    uint32_t lost_count;
};

struct sim_entry {
    char *name;
    struct sim_inode *inode; /* counted */
};

/* Sorted by name. */
struct sim_entries {
    struct sim_entry *at;
    uint32_t count, capacity;
};

/* A change of a directory that was not synced yet. */
struct sim_change {
    struct sim_link in_disk; /* in the order in which they happened */
    struct sim_inode *directory;
    char *removed;           /* NULL: nothing */
    char *added;             /* NULL: nothing; with `removed`: a rename */
    struct sim_inode *inode; /* counted; what `added` names */
    /* The two halves of a rename between directories. */
    struct sim_change *other;
    bool follows; /* this is the half that removes */
    bool dropped; /* while a crash is decided */
};

struct sim_inode {
    struct sim_disk *disk;
    struct sim_link in_disk;
    uint64_t id;
    enum graft_entry_kind kind;
    uint32_t refs;
    /* A file. */
    uint64_t size;
    uint64_t durable_size;
    uint64_t old_size; /* while a crash is decided */
    uint64_t cut_to;   /* the least length since the last sync; UINT64_MAX: it was not cut */
    struct sim_page *pages;
    uint32_t page_capacity;
    uint32_t *dirty;
    uint32_t dirty_count, dirty_capacity;
    bool lost_any;        /* some page is SIM_PAGE_LOST, or was */
    uint32_t sync_errors; /* syncs that failed */
    struct sim_mapped *mapped;
    /* A directory. */
    struct sim_entries entries;
    struct sim_entries durable_entries;
    bool syncing;
    /* A lock file. */
    struct sim_link lock_owners;
};

struct sim_disk {
    struct sim_world *world;
    uint32_t id;
    struct sim_inode *root;
    struct sim_link inodes;
    struct sim_link changes;
    uint64_t lied_about; /* the inode whose sync lied since, or 0; see sim_disk_lies */
    uint64_t used_blocks, quota_blocks;
    sim_disk_may_fn *rot_may;
    void *rot_arg;
};

/* ---- Content (disk_data.c). */

struct sim_inode *sim_inode_new(struct sim_disk *disk, enum graft_entry_kind kind);
struct sim_inode *sim_inode_ref(struct sim_inode *inode);
/* Accepts NULL; the last one frees it. */
void sim_inode_unref(struct sim_inode *inode);

bool sim_all_zeros(const void *bytes, size_t size);
size_t sim_inode_read(const struct sim_inode *inode, bool durable, uint64_t offset, void *bytes,
                      size_t size);
/* Writes into at most the page of `offset`; returns how many bytes were taken, 0 when the disk is
 * full or the file as long as a file may be. */
size_t sim_inode_write(struct sim_inode *inode, uint64_t offset, const void *bytes, size_t size);
/* Bytes that count as space in use. */
uint64_t sim_inode_space(const struct sim_inode *inode);
/* The first place from `offset` on that counts as space in use; the end when none does. */
uint64_t sim_inode_next_data(const struct sim_inode *inode, uint64_t offset);
void sim_inode_truncate(struct sim_inode *inode, uint64_t bytes);
/* False when the disk is full. */
bool sim_inode_allocate(struct sim_inode *inode, uint64_t offset, uint64_t bytes);
void sim_inode_punch(struct sim_inode *inode, uint64_t offset, uint64_t bytes);
/* What is written now is on the disk; returns how many pages that took. */
uint32_t sim_inode_sync(struct sim_inode *inode);
/* The same for the bytes in [from, to) of a mapped file, and its length. */
uint32_t sim_inode_sync_range(struct sim_inode *inode, uint64_t from, uint64_t to);
/* A part of it is; the rest is given up, and the cache goes on as if nothing were. */
void sim_inode_sync_in_part(struct sim_inode *inode, struct sim_rng *rng);
/* Some sectors of one page reach the disk ahead of any sync. */
void sim_inode_write_back(struct sim_inode *inode, uint64_t offset, struct sim_rng *rng);
/* Forgets cached pages that a failed sync gave up: the disk's bytes show again. */
void sim_inode_evict(struct sim_inode *inode, uint64_t offset);
/* Something was stored to the page of a mapped file: a failed sync of before does not count. */
void sim_inode_take_up(struct sim_inode *inode, uint64_t offset);
/* From now on both images are regions. False when the file is longer than a region. */
bool sim_inode_map(struct sim_inode *inode);
/* The disk's image becomes what is seen. */
void sim_inode_revert(struct sim_inode *inode);
bool sim_inode_flip(struct sim_inode *inode, uint64_t offset, unsigned bit);
bool sim_inode_misdirect(struct sim_inode *inode, uint64_t from, uint64_t to);
/* The disk's image of a page, to be changed; NULL when it has none (zeros). */
uint8_t *sim_page_durable(struct sim_inode *inode, uint32_t index);
struct sim_page *sim_inode_page(struct sim_inode *inode, uint32_t index);

static inline uint32_t sim_pages_of(uint64_t bytes)
{
    return (uint32_t)((bytes + SIM_BLOCK_BYTES - 1) / SIM_BLOCK_BYTES);
}

/* ---- Names (disk_tree.c). */

struct sim_inode *sim_entries_find(const struct sim_entries *entries, const char *name);
void sim_entries_set(struct sim_entries *entries, const char *name, struct sim_inode *inode);
void sim_entries_clear(struct sim_entries *entries);
/* As `from`, names copied, inodes counted. */
void sim_entries_copy(struct sim_entries *entries, const struct sim_entries *from);
/* Applies a change to the durable names of its directory, and forgets it. */
void sim_change_apply(struct sim_change *change);
void sim_change_forget(struct sim_change *change);

/* Where a path leads: the directory, the last part of the path, and what is there (NULL: nothing).
 */
struct sim_place {
    struct sim_disk *disk;
    struct sim_inode *directory;
    struct sim_inode *inode;
    char name[256]; /* "" for the root */
};

/* OK also when only the last part is missing; ENOTFOUND, EIO (a file among the directories), ELIMIT
 * otherwise. Messages are the caller's. */
enum graft_rc sim_tree_resolve(struct sim_disk *disk, const char *path, struct sim_place *out);
struct sim_inode *sim_tree_create(struct sim_place *place, enum graft_entry_kind kind);
void sim_tree_remove(struct sim_place *place);
void sim_tree_rename(struct sim_place *from, struct sim_place *to);
/* The directory's changes are durable; returns how many there were. */
uint32_t sim_tree_sync(struct sim_inode *directory);

/* The disk, and the path on it, that a process means by a path; `remote` when it is a mounted one.
 */
struct sim_disk *sim_mount_find(struct sim_machine *machine, const char *path, char *out,
                                size_t size, struct sim_machine **remote);

/* The beginning of every call on a name, for the disk and for its mapped files and locks: time
 * passes, mounts are followed, the call may fail. */
enum graft_rc sim_disk_enter(struct sim_process *process, const char *call, const char *path,
                             struct sim_place *place, struct sim_machine **remote,
                             struct graft_err *err);
/* Reads, checks and creates as asked; the opened inode is counted for the caller. */
enum graft_rc sim_disk_open_inode(struct sim_process *process, const char *path, unsigned flags,
                                  struct sim_inode **out, struct sim_machine **remote,
                                  struct graft_err *err);
enum graft_rc sim_locks_open(struct graft_shm *shm, const char *path, struct graft_locks **out,
                             struct graft_err *err);
void sim_locks_close(struct graft_locks *locks);
enum graft_rc sim_lock_try(struct graft_locks *locks, uint32_t index, bool exclusive, bool *granted,
                           struct graft_err *err);
void sim_unlock(struct graft_locks *locks, uint32_t index);

/* Whether the sync of this inode that begins now does nothing and says that it did. One inode at a
 * time is lied about, until its next whole sync or the crash: no store that keeps a page in one
 * file and what it is checked by in another can tell that the disk kept what was synced of both
 * only in part. */
bool sim_disk_lies(struct sim_process *process, struct sim_inode *inode);
/* All of the inode is on the disk. */
void sim_disk_lie_ends(struct sim_inode *inode);
/* How long a sync of so many pages takes, drawn. */
uint64_t sim_disk_sync_ns(struct sim_process *process, uint32_t pages, uint64_t subject);

#endif
