/* The disk seam of a process, over the inodes of its machine (or of another, where one is mounted):
 * how long each call takes, when it fails, and what others may see of it meanwhile. Effects happen
 * at once, after the call's time has passed; only a write may be seen half done. */
#include "sim/disk.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/limits.h"
#include "sim/disk_parts.h"

#define US UINT64_C(1000)
/* How long a client waits for the server of a mounted directory before it gives up. */
#define REMOTE_WAIT_NS (60 * SIM_SECOND)
#define REMOTE_POLL_NS (500 * SIM_MS)
/* What is read was written, and was hashed whole then. */
#define READ_TRACED_BYTES 64U

struct sim_file {
    struct graft_file file;
    struct sim_link in_process;
    struct sim_inode *inode;
    struct sim_machine *remote; /* whose disk it is; NULL: our own machine's */
    uint64_t boot_ns;           /* of that machine, when the file was opened */
    uint32_t errors_told;       /* failed syncs that this opener knows of */
    bool writable;
    char path[];
};

static struct sim_file *file_of(struct graft_file *file)
{
    return (struct sim_file *)file;
}

static struct sim_process *process_of(struct graft_file *file)
{
    return sim_process_of_disk(file->disk);
}

/* ---- Time. */

/* Fixed where every schedule is to be tried: time is no choice there. */
static uint64_t draw_ns(struct sim_world *world, uint64_t low, uint64_t high)
{
    if (world->plan.policy == SIM_POLICY_GIVEN)
        return low;
    return sim_rng_skewed(&world->streams[SIM_STREAM_LATENCY], low, high);
}

static void spend(struct sim_process *process, uint64_t ns, uint64_t subject)
{
    struct sim_world *world = process->world;
    if (sim_machine_draw(process->machine, SIM_FAULT_disk_slow, subject))
        ns += sim_rng_skewed(sim_fault_rng(world, SIM_FAULT_disk_slow), SIM_MS, 10 * SIM_SECOND);
    sim_spend(world, ns, SIM_WAIT_DISK, subject);
}

/* The way to the server of a mounted directory and back. */
static enum graft_rc reach(struct sim_process *process, struct sim_machine *remote,
                           const char *call, const char *path, struct graft_err *err)
{
    struct sim_world *world = process->world;
    if (remote == NULL || world->running == NULL)
        return GRAFT_OK;
    sim_spend(world, draw_ns(world, 200 * US, 5 * SIM_MS), SIM_WAIT_DISK, remote->id);
    uint64_t deadline = world->now_ns + REMOTE_WAIT_NS;
    while (!remote->up || sim_net_is_cut(world, process->machine, remote) ||
           sim_net_is_cut(world, remote, process->machine)) {
        if (world->now_ns >= deadline)
            return graft_err_set(err, GRAFT_EIO, "%s %s: the server %s does not answer", call, path,
                                 remote->name);
        sim_spend(world, REMOTE_POLL_NS, SIM_WAIT_DISK, remote->id);
    }
    return GRAFT_OK;
}

uint64_t sim_disk_sync_ns(struct sim_process *process, uint32_t pages, uint64_t subject)
{
    struct sim_world *world = process->world;
    uint64_t ns = draw_ns(world, 500 * US, 20 * SIM_MS) + pages * (10 * US);
    if (sim_machine_draw(process->machine, SIM_FAULT_disk_slow, subject))
        ns += sim_rng_skewed(sim_fault_rng(world, SIM_FAULT_disk_slow), SIM_MS, 10 * SIM_SECOND);
    return ns;
}

/* ---- Calls on names. */

static enum graft_rc explain(struct graft_err *err, enum graft_rc rc, const char *call,
                             const char *path)
{
    const char *text = graft_rc_text(rc);
    if (rc == GRAFT_ENOTFOUND)
        text = "no such file or directory";
    return graft_err_set(err, rc, "%s %s: %s", call, path, text);
}

enum graft_rc sim_disk_enter(struct sim_process *process, const char *call, const char *path,
                             struct sim_place *place, struct sim_machine **remote,
                             struct graft_err *err)
{
    struct sim_world *world = process->world;
    uint64_t subject = sim_trace_text(path);
    spend(process, draw_ns(world, 5 * US, 100 * US), subject);
    sim_trace_event(world, SIM_EVENT_ENTRY, sim_trace_text(call), subject, 0);
    sim_trace_note(world, "%s %s", call, path);
    char local[GRAFT_PATH_BYTES_MAX + 64];
    struct sim_disk *disk = sim_mount_find(process->machine, path, local, sizeof local, remote);
    if (disk == NULL)
        return explain(err, GRAFT_ELIMIT, call, path);
    GRAFT_TRY(reach(process, *remote, call, path, err));
    if (sim_machine_draw(process->machine, SIM_FAULT_disk_entry_error, subject))
        return explain(err, GRAFT_EIO, call, path);
    enum graft_rc rc = sim_tree_resolve(disk, local, place);
    return rc == GRAFT_OK ? rc : explain(err, rc, call, path);
}

/* A server answers when a change of names is on its disk (RFC 1813, 4.8). */
static void settle_names(struct sim_process *process, const struct sim_place *place)
{
    if (place->disk != process->machine->disk)
        (void)sim_tree_sync(place->directory);
}

/* As sim_disk_enter, for what must be there. */
static enum graft_rc enter_existing(struct sim_process *process, const char *call, const char *path,
                                    struct sim_place *place, struct graft_err *err)
{
    struct sim_machine *remote = NULL;
    GRAFT_TRY(sim_disk_enter(process, call, path, place, &remote, err));
    return place->inode == NULL ? explain(err, GRAFT_ENOTFOUND, call, path) : GRAFT_OK;
}

static enum graft_rc find_or_create(struct sim_process *process, struct sim_place *place,
                                    unsigned flags, const char *path, struct graft_err *err)
{
    struct sim_inode *inode = place->inode;
    if ((flags & GRAFT_OPEN_TEMP) != 0) {
        if (inode == NULL)
            return explain(err, GRAFT_ENOTFOUND, "open", path);
        if (inode->kind != GRAFT_ENTRY_DIRECTORY)
            return explain(err, GRAFT_EIO, "open", path);
        place->inode = sim_inode_new(place->disk, GRAFT_ENTRY_FILE);
        return GRAFT_OK;
    }
    if (inode != NULL && (flags & GRAFT_OPEN_EXCLUSIVE) != 0)
        return explain(err, GRAFT_EEXIST, "open", path);
    if (inode != NULL && inode->kind != GRAFT_ENTRY_FILE)
        return explain(err, GRAFT_EIO, "open", path); /* EISDIR */
    if (inode != NULL) {
        sim_inode_ref(inode);
        return GRAFT_OK;
    }
    if ((flags & GRAFT_OPEN_CREATE) == 0)
        return explain(err, GRAFT_ENOTFOUND, "open", path);
    if (sim_machine_draw(process->machine, SIM_FAULT_disk_full, 0))
        return explain(err, GRAFT_EFULL, "open", path);
    sim_inode_ref(sim_tree_create(place, GRAFT_ENTRY_FILE));
    return GRAFT_OK;
}

enum graft_rc sim_disk_open_inode(struct sim_process *process, const char *path, unsigned flags,
                                  struct sim_inode **out, struct sim_machine **remote,
                                  struct graft_err *err)
{
    struct sim_place place;
    GRAFT_TRY(sim_disk_enter(process, "open", path, &place, remote, err));
    GRAFT_TRY(find_or_create(process, &place, flags, path, err));
    settle_names(process, &place);
    sim_trace_event(process->world, SIM_EVENT_OPEN, place.inode->id, flags, sim_trace_text(path));
    *out = place.inode;
    return GRAFT_OK;
}

static enum graft_rc open_file(struct graft_disk *disk, const char *path, unsigned flags,
                               struct graft_file **out, struct graft_err *err)
{
    struct sim_process *process = sim_process_of_disk(disk);
    size_t path_bytes = strlen(path) + 1;
    struct sim_file *self = graft_malloc(process->env.alloc, sizeof *self + path_bytes);
    if (self == NULL)
        return explain(err, GRAFT_ENOMEM, "open", path);
    *self = (struct sim_file){
        .file.disk = disk,
        .writable = (flags & (GRAFT_OPEN_WRITE | GRAFT_OPEN_CREATE | GRAFT_OPEN_TEMP)) != 0,
    };
    memcpy(self->path, path, path_bytes);
    enum graft_rc rc = sim_disk_open_inode(process, path, flags, &self->inode, &self->remote, err);
    if (rc != GRAFT_OK) {
        sim_heap_release(self);
        return rc;
    }
    if (self->remote != NULL)
        self->boot_ns = self->remote->boot_ns;
    self->errors_told = self->inode->sync_errors;
    sim_list_append(&process->files, &self->in_process);
    *out = &self->file;
    return GRAFT_OK;
}

static void drop_file(struct sim_file *self)
{
    sim_list_remove(&self->in_process);
    sim_inode_unref(self->inode);
}

static void close_file(struct graft_file *file)
{
    struct sim_file *self = file_of(file);
    sim_trace_event(process_of(file)->world, SIM_EVENT_CLOSE, self->inode->id, 0, 0);
    drop_file(self);
    sim_heap_release(self);
}

void sim_files_drop(struct sim_process *process)
{
    while (!sim_list_is_empty(&process->files))
        drop_file(SIM_CONTAINER(process->files.next, struct sim_file, in_process));
}

/* ---- Calls on files. */

static enum graft_rc fail(const struct sim_file *self, enum graft_rc rc, const char *call,
                          struct graft_err *err)
{
    return explain(err, rc, call, self->path);
}

/* What a server has in its cache is gone when it has crashed: a file that was open then is of no
 * use any more, so that nobody takes for written what was not. */
static enum graft_rc reach_file(struct sim_file *self, const char *call, struct graft_err *err)
{
    GRAFT_TRY(reach(process_of(&self->file), self->remote, call, self->path, err));
    if (self->remote != NULL && self->remote->boot_ns != self->boot_ns)
        return graft_err_set(err, GRAFT_EIO, "%s %s: stale file handle", call, self->path);
    return GRAFT_OK;
}

static enum graft_rc begin(struct sim_file *self, const char *call, uint64_t low_ns,
                           uint64_t high_ns, struct graft_err *err)
{
    struct sim_process *process = process_of(&self->file);
    spend(process, draw_ns(process->world, low_ns, high_ns), self->inode->id);
    return reach_file(self, call, err);
}

static enum graft_rc read_file(struct graft_file *file, uint64_t offset,
                               const struct graft_space *spaces, size_t count, size_t *got,
                               struct graft_err *err)
{
    struct sim_file *self = file_of(file);
    struct sim_process *process = process_of(file);
    struct sim_inode *inode = self->inode;
    GRAFT_TRY(begin(self, "read", 10 * US, 200 * US, err));
    size_t total = 0;
    uint64_t hash = 0;
    for (size_t i = 0; i < count; i++) {
        for (uint64_t at = offset + total; inode->lost_any && at < offset + total + spaces[i].size;
             at += SIM_BLOCK_BYTES) {
            struct sim_rng *rng = sim_fault_rng(process->world, SIM_FAULT_disk_sync_error);
            if (sim_rng_below(rng, 8) == 0)
                sim_inode_evict(inode, at);
        }
        size_t part = sim_inode_read(inode, false, offset + total, spaces[i].bytes, spaces[i].size);
        total += part;
        hash = hash * 31 + sim_trace_bytes(spaces[i].bytes,
                                           part < READ_TRACED_BYTES ? part : READ_TRACED_BYTES);
        if (part < spaces[i].size)
            break;
    }
    sim_trace_event(process->world, SIM_EVENT_READ, inode->id, offset, hash ^ total);
    /* After a part was read into the caller's space, as real ones do. */
    if (sim_machine_draw(process->machine, SIM_FAULT_disk_read_error, inode->id))
        return fail(self, GRAFT_EIO, "read", err);
    *got = total;
    return GRAFT_OK;
}

/* How many of `total` bytes a write takes before it fails; SIZE_MAX when it does not. */
static size_t draw_part(struct sim_process *process, uint64_t subject, size_t total,
                        enum graft_rc *rc)
{
    enum sim_fault kind = SIM_FAULT_disk_full;
    if (!sim_machine_draw(process->machine, kind, subject)) {
        kind = SIM_FAULT_disk_write_error;
        if (!sim_machine_draw(process->machine, kind, subject))
            return SIZE_MAX;
    }
    *rc = kind == SIM_FAULT_disk_full ? GRAFT_EFULL : GRAFT_EIO;
    return (size_t)sim_rng_below(sim_fault_rng(process->world, kind), (uint64_t)total + 1);
}

struct writing {
    struct sim_file *self;
    struct sim_process *process;
    uint64_t offset;
    size_t left; /* until it fails */
    bool split;
};

/* One span of a gathered write; false when the disk would take no more. */
static bool write_span(struct writing *writing, const uint8_t *bytes, size_t size)
{
    struct sim_inode *inode = writing->self->inode;
    struct sim_world *world = writing->process->world;
    while (size > 0 && writing->left > 0) {
        size_t part = size < writing->left ? size : writing->left;
        if (sim_machine_draw(writing->process->machine, SIM_FAULT_disk_writeback, inode->id))
            sim_inode_write_back(inode, writing->offset, &world->streams[SIM_STREAM_WRITEBACK]);
        part = sim_inode_write(inode, writing->offset, bytes, part);
        if (part == 0)
            return false;
        bytes += part;
        size -= part;
        writing->left -= part;
        writing->offset += part;
        if (writing->split && writing->offset % SIM_BLOCK_BYTES == 0)
            sim_yield(world);
    }
    return true;
}

static enum graft_rc write_file(struct graft_file *file, uint64_t offset,
                                const struct graft_span *spans, size_t count, struct graft_err *err)
{
    struct sim_file *self = file_of(file);
    struct sim_process *process = process_of(file);
    uint64_t id = self->inode->id;
    GRAFT_TRY(begin(self, "write", 5 * US, 50 * US, err));
    if (!self->writable)
        return fail(self, GRAFT_EDENIED, "write", err);
    size_t total = 0;
    uint64_t hash = 0;
    for (size_t i = 0; i < count; i++) {
        total += spans[i].size;
        hash = hash * 31 + (sim_all_zeros(spans[i].bytes, spans[i].size)
                                ? spans[i].size
                                : sim_trace_bytes(spans[i].bytes, spans[i].size));
    }
    enum graft_rc rc = GRAFT_OK;
    struct writing writing = {.self = self, .process = process, .offset = offset};
    size_t part = draw_part(process, id, total, &rc);
    writing.left = part < total ? part : total;
    writing.split = total > SIM_BLOCK_BYTES &&
                    sim_machine_draw(process->machine, SIM_FAULT_disk_split_write, id);
    sim_trace_event(process->world, SIM_EVENT_WRITE, id, offset, hash ^ total);
    for (size_t i = 0; i < count && writing.left > 0; i++) {
        if (!write_span(&writing, spans[i].bytes, spans[i].size))
            return fail(self, GRAFT_EFULL, "write", err);
    }
    return rc == GRAFT_OK ? rc : fail(self, rc, "write", err);
}

/* Damage at rest, as often as the plan says. */
static void damage(struct sim_process *process, struct sim_file *self)
{
    struct sim_inode *inode = self->inode;
    struct sim_disk *disk = inode->disk;
    uint32_t pages = sim_pages_of(inode->durable_size);
    bool may = disk->rot_may == NULL || disk->rot_may(disk->rot_arg, self->path);
    if (!may || pages == 0)
        return;
    struct sim_world *world = process->world;
    if (sim_machine_draw(process->machine, SIM_FAULT_disk_rot, inode->id)) {
        struct sim_rng *rng = sim_fault_rng(world, SIM_FAULT_disk_rot);
        uint64_t at = sim_rng_below(rng, inode->durable_size);
        (void)sim_inode_flip(inode, at, (unsigned)sim_rng_below(rng, 8));
    }
    if (inode->dirty_count > 0 &&
        sim_machine_draw(process->machine, SIM_FAULT_disk_misdirect, inode->id)) {
        struct sim_rng *rng = sim_fault_rng(world, SIM_FAULT_disk_misdirect);
        uint64_t from = inode->dirty[sim_rng_below(rng, inode->dirty_count)];
        (void)sim_inode_misdirect(inode, from * SIM_BLOCK_BYTES,
                                  sim_rng_below(rng, pages) * SIM_BLOCK_BYTES);
    }
}

bool sim_disk_lies(struct sim_process *process, struct sim_inode *inode)
{
    struct sim_disk *disk = inode->disk;
    bool of_another = disk->lied_about != 0 && disk->lied_about != inode->id;
    if (of_another || !sim_machine_draw(process->machine, SIM_FAULT_disk_sync_lie, inode->id))
        return false;
    disk->lied_about = inode->id;
    return true;
}

void sim_disk_lie_ends(struct sim_inode *inode)
{
    if (inode->disk->lied_about == inode->id)
        inode->disk->lied_about = 0;
}

static enum graft_rc sync_file(struct graft_file *file, struct graft_err *err)
{
    struct sim_file *self = file_of(file);
    struct sim_process *process = process_of(file);
    struct sim_inode *inode = self->inode;
    struct sim_world *world = process->world;
    sim_spend(world, sim_disk_sync_ns(process, inode->dirty_count, inode->id), SIM_WAIT_DISK,
              inode->id);
    GRAFT_TRY(reach_file(self, "sync", err));
    damage(process, self);
    if (sim_machine_draw(process->machine, SIM_FAULT_disk_sync_error, inode->id)) {
        sim_inode_sync_in_part(inode, sim_fault_rng(world, SIM_FAULT_disk_sync_error));
        self->errors_told = ++inode->sync_errors;
        return fail(self, GRAFT_EIO, "sync", err);
    }
    if (sim_disk_lies(process, inode))
        return GRAFT_OK;
    sim_trace_event(world, SIM_EVENT_SYNC, inode->id, sim_inode_sync(inode), inode->size);
    sim_disk_lie_ends(inode);
    /* As Linux does: who had the file open when a sync failed is told, once, at its next one. */
    if (self->errors_told != inode->sync_errors) {
        self->errors_told = inode->sync_errors;
        return fail(self, GRAFT_EIO, "sync", err);
    }
    return GRAFT_OK;
}

static enum graft_rc file_size(struct graft_file *file, uint64_t *bytes, struct graft_err *err)
{
    struct sim_file *self = file_of(file);
    GRAFT_TRY(begin(self, "stat", US, 5 * US, err));
    *bytes = self->inode->size;
    return GRAFT_OK;
}

static enum graft_rc file_space(struct graft_file *file, uint64_t *bytes, struct graft_err *err)
{
    struct sim_file *self = file_of(file);
    GRAFT_TRY(begin(self, "stat", US, 5 * US, err));
    *bytes = sim_inode_space(self->inode);
    return GRAFT_OK;
}

static enum graft_rc truncate_file(struct graft_file *file, uint64_t bytes, struct graft_err *err)
{
    struct sim_file *self = file_of(file);
    struct sim_process *process = process_of(file);
    GRAFT_TRY(begin(self, "truncate", 5 * US, 100 * US, err));
    if (!self->writable)
        return fail(self, GRAFT_EDENIED, "truncate", err);
    if (sim_machine_draw(process->machine, SIM_FAULT_disk_write_error, self->inode->id))
        return fail(self, GRAFT_EIO, "truncate", err);
    sim_trace_event(process->world, SIM_EVENT_TRUNCATE, self->inode->id, bytes, 0);
    sim_inode_truncate(self->inode, bytes);
    return GRAFT_OK;
}

static enum graft_rc allocate_file(struct graft_file *file, uint64_t offset, uint64_t bytes,
                                   struct graft_err *err)
{
    struct sim_file *self = file_of(file);
    struct sim_process *process = process_of(file);
    GRAFT_TRY(begin(self, "allocate", 5 * US, 100 * US, err));
    if (!self->writable)
        return fail(self, GRAFT_EDENIED, "allocate", err);
    sim_trace_event(process->world, SIM_EVENT_ALLOCATE, self->inode->id, offset, bytes);
    if (sim_machine_draw(process->machine, SIM_FAULT_disk_full, self->inode->id) ||
        !sim_inode_allocate(self->inode, offset, bytes))
        return fail(self, GRAFT_EFULL, "allocate", err);
    return GRAFT_OK;
}

static enum graft_rc punch_file(struct graft_file *file, uint64_t offset, uint64_t bytes,
                                struct graft_err *err)
{
    struct sim_file *self = file_of(file);
    struct sim_process *process = process_of(file);
    GRAFT_TRY(begin(self, "punch", 5 * US, 100 * US, err));
    if (!self->writable)
        return fail(self, GRAFT_EDENIED, "punch", err);
    if (self->remote != NULL)
        return fail(self, GRAFT_EUNSUPPORTED, "punch", err);
    sim_trace_event(process->world, SIM_EVENT_PUNCH, self->inode->id, offset, bytes);
    sim_inode_punch(self->inode, offset, bytes);
    return GRAFT_OK;
}

/* ---- The other calls on names. */

static enum graft_rc stat_path(struct graft_disk *disk, const char *path, struct graft_entry *out,
                               struct graft_err *err)
{
    struct sim_place place;
    GRAFT_TRY(enter_existing(sim_process_of_disk(disk), "stat", path, &place, err));
    const struct sim_inode *inode = place.inode;
    *out = (struct graft_entry){
        .kind = inode->kind,
        .size = inode->kind == GRAFT_ENTRY_FILE ? inode->size : 0,
        .id = {place.disk->id, inode->id},
    };
    return GRAFT_OK;
}

static enum graft_rc make_directory(struct graft_disk *disk, const char *path,
                                    struct graft_err *err)
{
    struct sim_process *process = sim_process_of_disk(disk);
    struct sim_place place;
    struct sim_machine *remote = NULL;
    GRAFT_TRY(sim_disk_enter(process, "mkdir", path, &place, &remote, err));
    if (place.inode != NULL)
        return explain(err, GRAFT_EEXIST, "mkdir", path);
    if (sim_machine_draw(process->machine, SIM_FAULT_disk_full, 0))
        return explain(err, GRAFT_EFULL, "mkdir", path);
    (void)sim_tree_create(&place, GRAFT_ENTRY_DIRECTORY);
    settle_names(process, &place);
    return GRAFT_OK;
}

static enum graft_rc remove_path(struct graft_disk *disk, const char *path, struct graft_err *err)
{
    struct sim_place place;
    GRAFT_TRY(enter_existing(sim_process_of_disk(disk), "remove", path, &place, err));
    if (place.inode == place.disk->root)
        return explain(err, GRAFT_EDENIED, "remove", path);
    if (place.inode->kind == GRAFT_ENTRY_DIRECTORY && place.inode->entries.count > 0)
        return explain(err, GRAFT_EEXIST, "remove", path); /* ENOTEMPTY */
    sim_tree_remove(&place);
    settle_names(sim_process_of_disk(disk), &place);
    return GRAFT_OK;
}

static enum graft_rc check_rename(const struct sim_place *from, const struct sim_place *to,
                                  bool replace)
{
    if (from->disk != to->disk || from->inode == from->disk->root)
        return GRAFT_EIO; /* EXDEV, EBUSY */
    if (to->inode == NULL)
        return GRAFT_OK;
    if (!replace)
        return GRAFT_EEXIST;
    if (from->inode->kind != to->inode->kind)
        return GRAFT_EIO; /* EISDIR, ENOTDIR */
    return to->inode->entries.count > 0 ? GRAFT_EEXIST : GRAFT_OK;
}

static enum graft_rc rename_path(struct graft_disk *disk, const char *from_path,
                                 const char *to_path, bool replace, struct graft_err *err)
{
    struct sim_process *process = sim_process_of_disk(disk);
    struct sim_place from;
    struct sim_place to;
    struct sim_machine *remote = NULL;
    GRAFT_TRY(sim_disk_enter(process, "rename", to_path, &to, &remote, err));
    /* No time passes between the two looks: `from` first would leave it open to change. */
    char local[GRAFT_PATH_BYTES_MAX + 64];
    struct sim_disk *source =
        sim_mount_find(process->machine, from_path, local, sizeof local, &remote);
    enum graft_rc rc = source == NULL ? GRAFT_ELIMIT : sim_tree_resolve(source, local, &from);
    if (rc == GRAFT_OK && from.inode == NULL)
        rc = GRAFT_ENOTFOUND;
    if (rc != GRAFT_OK)
        return explain(err, rc, "rename", from_path);
    size_t length = strlen(from_path);
    if (strncmp(from_path, to_path, length) == 0 && to_path[length] == '/')
        rc = GRAFT_EIO; /* into itself */
    else
        rc = check_rename(&from, &to, replace);
    if (rc != GRAFT_OK)
        return explain(err, rc, "rename", to_path);
    sim_trace_event(process->world, SIM_EVENT_ENTRY, from.inode->id, sim_trace_text(from_path),
                    sim_trace_text(to_path));
    if (from.inode != to.inode)
        sim_tree_rename(&from, &to);
    settle_names(process, &from);
    settle_names(process, &to);
    return GRAFT_OK;
}

static enum graft_rc sync_directory(struct graft_disk *disk, const char *path,
                                    struct graft_err *err)
{
    struct sim_process *process = sim_process_of_disk(disk);
    struct sim_world *world = process->world;
    struct sim_place place;
    sim_spend(world, sim_disk_sync_ns(process, 1, sim_trace_text(path)), SIM_WAIT_DISK, 0);
    GRAFT_TRY(enter_existing(process, "sync", path, &place, err));
    if (place.inode->kind != GRAFT_ENTRY_DIRECTORY)
        return explain(err, GRAFT_EIO, "sync", path);
    uint64_t id = place.inode->id;
    if (sim_machine_draw(process->machine, SIM_FAULT_disk_sync_error, id))
        return explain(err, GRAFT_EIO, "sync", path);
    if (sim_disk_lies(process, place.inode))
        return GRAFT_OK;
    sim_trace_event(world, SIM_EVENT_SYNC, id, sim_tree_sync(place.inode), 0);
    sim_disk_lie_ends(place.inode);
    return GRAFT_OK;
}

struct listing {
    uint32_t count;
    struct {
        enum graft_entry_kind kind;
        char *name;
    } at[];
};

/* The callback may do what it likes to the directory, so that it works on a copy. */
static struct listing *copy_listing(struct sim_process *process, const struct sim_inode *inode)
{
    const struct sim_entries *entries = &inode->entries;
    size_t bytes =
        sizeof(struct listing) + entries->count * sizeof(((struct listing *)NULL)->at[0]);
    size_t names = bytes;
    for (uint32_t i = 0; i < entries->count; i++)
        bytes += strlen(entries->at[i].name) + 1;
    struct listing *listing = graft_malloc(process->env.alloc, bytes);
    if (listing == NULL)
        return NULL;
    char *name = (char *)listing + names;
    listing->count = entries->count;
    for (uint32_t i = 0; i < entries->count; i++) {
        size_t length = strlen(entries->at[i].name) + 1;
        listing->at[i].kind = entries->at[i].inode->kind;
        listing->at[i].name = memcpy(name, entries->at[i].name, length);
        name += length;
    }
    return listing;
}

static enum graft_rc list_path(struct graft_disk *disk, const char *path, graft_disk_list_fn *each,
                               void *arg, struct graft_err *err)
{
    struct sim_process *process = sim_process_of_disk(disk);
    struct sim_place place;
    GRAFT_TRY(enter_existing(process, "list", path, &place, err));
    if (place.inode->kind != GRAFT_ENTRY_DIRECTORY)
        return explain(err, GRAFT_EIO, "list", path);
    struct listing *listing = copy_listing(process, place.inode);
    if (listing == NULL)
        return explain(err, GRAFT_ENOMEM, "list", path);
    /* No order is promised, and none may be relied on. */
    struct sim_rng *rng = &process->world->streams[SIM_STREAM_DELIVERY];
    uint32_t first = listing->count == 0 ? 0 : (uint32_t)sim_rng_below(rng, listing->count);
    enum graft_rc rc = GRAFT_OK;
    for (uint32_t i = 0; i < listing->count && rc == GRAFT_OK; i++) {
        uint32_t at = (first + i) % listing->count;
        rc = each(arg, listing->at[at].name, listing->at[at].kind);
        if (rc != GRAFT_OK)
            graft_err_set(err, rc, "list %s: %s: %s", path, listing->at[at].name,
                          graft_rc_text(rc));
    }
    sim_heap_release(listing);
    return rc;
}

const struct graft_disk_ops sim_disk_ops = {
    .open = open_file,
    .close = close_file,
    .read = read_file,
    .write = write_file,
    .sync = sync_file,
    .size = file_size,
    .space = file_space,
    .truncate = truncate_file,
    .allocate = allocate_file,
    .punch = punch_file,
    .stat = stat_path,
    .make_directory = make_directory,
    .remove = remove_path,
    .rename = rename_path,
    .sync_directory = sync_directory,
    .list = list_path,
};
