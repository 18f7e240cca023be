/* Each call passes the plan first and then goes to the disk behind, through that disk's own
 * wrapper. A write that is to fail after a prefix sends the prefix on. */
#include "support/faultdisk.h"

#include "base/assert.h"

struct fault_file {
    struct graft_file file;
    struct graft_file *real;
};

static struct graft_faultdisk *self_of(struct graft_disk *disk)
{
    return (struct graft_faultdisk *)disk;
}

static struct graft_file *real_of(struct graft_file *file)
{
    return ((struct fault_file *)file)->real;
}

static enum graft_rc pass(struct graft_disk *disk, enum graft_fault_kind kind, const char *call,
                          struct graft_err *err)
{
    return graft_faults_pass(self_of(disk)->faults, kind, call, err);
}

static enum graft_rc open_file(struct graft_disk *disk, const char *path, unsigned flags,
                               struct graft_file **out, struct graft_err *err)
{
    GRAFT_TRY(pass(disk, GRAFT_FAULT_OPEN, "open", err));
    struct graft_faultdisk *self = self_of(disk);
    struct fault_file *file = graft_malloc(self->alloc, sizeof *file);
    if (file == NULL)
        return graft_err_set(err, GRAFT_ENOMEM, "open %s: out of memory", path);
    file->file.disk = disk;
    enum graft_rc rc = graft_disk_open(self->real, path, flags, &file->real, err);
    if (rc != GRAFT_OK) {
        graft_free(self->alloc, file);
        return rc;
    }
    *out = &file->file;
    return GRAFT_OK;
}

static void close_file(struct graft_file *file)
{
    graft_file_close(real_of(file));
    graft_free(self_of(file->disk)->alloc, file);
}

static enum graft_rc read_file(struct graft_file *file, uint64_t offset,
                               const struct graft_space *spaces, size_t count, size_t *got,
                               struct graft_err *err)
{
    GRAFT_TRY(pass(file->disk, GRAFT_FAULT_READ, "read", err));
    return graft_file_readv(real_of(file), offset, spaces, count, got, err);
}

static void write_prefix(struct graft_file *file, uint64_t offset, const struct graft_span *spans,
                         size_t count, uint64_t prefix_bytes)
{
    for (size_t i = 0; i < count && prefix_bytes > 0; i++) {
        size_t size = spans[i].size < prefix_bytes ? spans[i].size : (size_t)prefix_bytes;
        enum graft_rc rc = graft_file_write(real_of(file), offset, spans[i].bytes, size, NULL);
        GRAFT_ASSERT(rc == GRAFT_OK);
        offset += size;
        prefix_bytes -= size;
    }
}

static enum graft_rc write_file(struct graft_file *file, uint64_t offset,
                                const struct graft_span *spans, size_t count, struct graft_err *err)
{
    enum graft_rc rc = pass(file->disk, GRAFT_FAULT_WRITE, "write", err);
    if (rc != GRAFT_OK) {
        write_prefix(file, offset, spans, count, self_of(file->disk)->faults->write_prefix_bytes);
        return rc;
    }
    return graft_file_writev(real_of(file), offset, spans, count, err);
}

static enum graft_rc sync_file(struct graft_file *file, struct graft_err *err)
{
    GRAFT_TRY(pass(file->disk, GRAFT_FAULT_SYNC, "sync", err));
    return graft_file_sync(real_of(file), err);
}

static enum graft_rc file_size(struct graft_file *file, uint64_t *bytes, struct graft_err *err)
{
    GRAFT_TRY(pass(file->disk, GRAFT_FAULT_SIZE, "size", err));
    return graft_file_size(real_of(file), bytes, err);
}

static enum graft_rc file_space(struct graft_file *file, uint64_t *bytes, struct graft_err *err)
{
    GRAFT_TRY(pass(file->disk, GRAFT_FAULT_SPACE, "space", err));
    return graft_file_space(real_of(file), bytes, err);
}

static enum graft_rc truncate_file(struct graft_file *file, uint64_t bytes, struct graft_err *err)
{
    GRAFT_TRY(pass(file->disk, GRAFT_FAULT_TRUNCATE, "truncate", err));
    return graft_file_truncate(real_of(file), bytes, err);
}

static enum graft_rc allocate_file(struct graft_file *file, uint64_t offset, uint64_t bytes,
                                   struct graft_err *err)
{
    GRAFT_TRY(pass(file->disk, GRAFT_FAULT_ALLOCATE, "allocate", err));
    return graft_file_allocate(real_of(file), offset, bytes, err);
}

static enum graft_rc punch_file(struct graft_file *file, uint64_t offset, uint64_t bytes,
                                struct graft_err *err)
{
    GRAFT_TRY(pass(file->disk, GRAFT_FAULT_PUNCH, "punch", err));
    return graft_file_punch(real_of(file), offset, bytes, err);
}

static enum graft_rc stat_path(struct graft_disk *disk, const char *path, struct graft_entry *out,
                               struct graft_err *err)
{
    GRAFT_TRY(pass(disk, GRAFT_FAULT_STAT, "stat", err));
    return graft_disk_stat(self_of(disk)->real, path, out, err);
}

static enum graft_rc make_directory(struct graft_disk *disk, const char *path,
                                    struct graft_err *err)
{
    GRAFT_TRY(pass(disk, GRAFT_FAULT_MAKE_DIRECTORY, "mkdir", err));
    return graft_disk_make_directory(self_of(disk)->real, path, err);
}

static enum graft_rc remove_path(struct graft_disk *disk, const char *path, struct graft_err *err)
{
    GRAFT_TRY(pass(disk, GRAFT_FAULT_REMOVE, "remove", err));
    return graft_disk_remove(self_of(disk)->real, path, err);
}

static enum graft_rc rename_path(struct graft_disk *disk, const char *from, const char *to,
                                 bool replace, struct graft_err *err)
{
    GRAFT_TRY(pass(disk, GRAFT_FAULT_RENAME, "rename", err));
    return graft_disk_rename(self_of(disk)->real, from, to, replace, err);
}

static enum graft_rc sync_directory(struct graft_disk *disk, const char *path,
                                    struct graft_err *err)
{
    GRAFT_TRY(pass(disk, GRAFT_FAULT_SYNC_DIRECTORY, "sync directory", err));
    return graft_disk_sync_directory(self_of(disk)->real, path, err);
}

static enum graft_rc list_path(struct graft_disk *disk, const char *path, graft_disk_list_fn *each,
                               void *arg, struct graft_err *err)
{
    GRAFT_TRY(pass(disk, GRAFT_FAULT_LIST, "list", err));
    return graft_disk_list(self_of(disk)->real, path, each, arg, err);
}

static const struct graft_disk_ops ops = {
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

void graft_faultdisk_init(struct graft_faultdisk *self, struct graft_disk *real,
                          struct graft_alloc *alloc, struct graft_faults *faults)
{
    *self =
        (struct graft_faultdisk){.disk.ops = &ops, .real = real, .alloc = alloc, .faults = faults};
}

void graft_fault_env_init(struct graft_fault_env *self, struct graft_env *real)
{
    graft_faults_init(&self->faults);
    graft_faultalloc_init(&self->alloc, real->alloc);
    graft_faultdisk_init(&self->disk, real->disk, real->alloc, &self->faults);
    graft_faultshm_init(&self->shm, real->shm, real->alloc, &self->faults);
    self->env = *real;
    self->env.alloc = &self->alloc.alloc;
    self->env.disk = &self->disk.disk;
    self->env.shm = &self->shm.shm;
}
