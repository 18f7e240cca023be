/* The link stands in front of the directory that is the remote: opening an object there costs a
 * round trip, as does asking for one that is missing, and listing; reading costs its share of the
 * bandwidth. Everything else, the replica's own files above all, costs nothing, and neither does
 * the processor: times are those of the link alone. */
#include <stdlib.h>
#include <string.h>

#include "remote.h"

#define PORTION_BYTES (16U << 10)

static struct remote_link *link_of(struct graft_disk *disk)
{
    return (struct remote_link *)disk;
}

static bool is_remote(const char *path)
{
    return strncmp(path, "/repo", 5) == 0;
}

static void round_trip(struct remote_link *link)
{
    if (link->rtt_us > 0)
        sim_sleep_ns(link->world, link->rtt_us * 1000);
}

static void transfer(struct remote_link *link, size_t bytes)
{
    while (bytes > 0 && link->bytes_per_s > 0) {
        size_t portion = bytes < PORTION_BYTES ? bytes : PORTION_BYTES;
        uint64_t now = sim_world_now_ns(link->world);
        uint64_t begin = link->free_ns > now ? link->free_ns : now;
        link->free_ns = begin + portion * UINT64_C(1000000000) / link->bytes_per_s;
        sim_sleep_ns(link->world, link->free_ns - now);
        bytes -= portion;
    }
}

struct link_file {
    struct graft_file file; /* must stand first */
    struct graft_file *real;
    bool far;
};

static struct link_file *file_of(struct graft_file *file)
{
    return (struct link_file *)file;
}

static enum graft_rc link_open(struct graft_disk *disk, const char *path, unsigned flags,
                               struct graft_file **out, struct graft_err *err)
{
    struct remote_link *link = link_of(disk);
    struct link_file *self = calloc(1, sizeof *self);
    if (self == NULL)
        return graft_err_set(err, GRAFT_ENOMEM, "open %s: out of memory", path);
    self->file.disk = disk;
    self->far = is_remote(path);
    if (self->far)
        round_trip(link);
    enum graft_rc rc = link->real->ops->open(link->real, path, flags, &self->real, err);
    if (rc == GRAFT_OK)
        *out = &self->file;
    else
        free(self);
    return rc;
}

static void link_close(struct graft_file *file)
{
    link_of(file->disk)->real->ops->close(file_of(file)->real);
    free(file);
}

static enum graft_rc link_read(struct graft_file *file, uint64_t offset,
                               const struct graft_space *spaces, size_t count, size_t *got,
                               struct graft_err *err)
{
    struct remote_link *link = link_of(file->disk);
    GRAFT_TRY(link->real->ops->read(file_of(file)->real, offset, spaces, count, got, err));
    if (file_of(file)->far)
        transfer(link, *got);
    return GRAFT_OK;
}

static enum graft_rc link_write(struct graft_file *file, uint64_t offset,
                                const struct graft_span *spans, size_t count, struct graft_err *err)
{
    return link_of(file->disk)->real->ops->write(file_of(file)->real, offset, spans, count, err);
}

/* Nothing crashes here. */
static enum graft_rc link_sync(struct graft_file *file, struct graft_err *err)
{
    (void)file;
    (void)err;
    return GRAFT_OK;
}

static enum graft_rc link_size(struct graft_file *file, uint64_t *bytes, struct graft_err *err)
{
    return link_of(file->disk)->real->ops->size(file_of(file)->real, bytes, err);
}

static enum graft_rc link_space(struct graft_file *file, uint64_t *bytes, struct graft_err *err)
{
    return link_of(file->disk)->real->ops->space(file_of(file)->real, bytes, err);
}

static enum graft_rc link_truncate(struct graft_file *file, uint64_t bytes, struct graft_err *err)
{
    return link_of(file->disk)->real->ops->truncate(file_of(file)->real, bytes, err);
}

static enum graft_rc link_allocate(struct graft_file *file, uint64_t offset, uint64_t bytes,
                                   struct graft_err *err)
{
    return link_of(file->disk)->real->ops->allocate(file_of(file)->real, offset, bytes, err);
}

static enum graft_rc link_punch(struct graft_file *file, uint64_t offset, uint64_t bytes,
                                struct graft_err *err)
{
    return link_of(file->disk)->real->ops->punch(file_of(file)->real, offset, bytes, err);
}

static enum graft_rc link_stat(struct graft_disk *disk, const char *path, struct graft_entry *out,
                               struct graft_err *err)
{
    struct remote_link *link = link_of(disk);
    enum graft_rc rc = link->real->ops->stat(link->real, path, out, err);
    if (rc == GRAFT_ENOTFOUND && is_remote(path))
        round_trip(link);
    return rc;
}

static enum graft_rc link_list(struct graft_disk *disk, const char *path, graft_disk_list_fn *each,
                               void *arg, struct graft_err *err)
{
    struct remote_link *link = link_of(disk);
    /* One request lists the volume, whatever directories that takes here. */
    if (strcmp(path, "/repo/app") == 0)
        round_trip(link);
    return link->real->ops->list(link->real, path, each, arg, err);
}

static enum graft_rc link_make_directory(struct graft_disk *disk, const char *path,
                                         struct graft_err *err)
{
    return link_of(disk)->real->ops->make_directory(link_of(disk)->real, path, err);
}

static enum graft_rc link_remove(struct graft_disk *disk, const char *path, struct graft_err *err)
{
    return link_of(disk)->real->ops->remove(link_of(disk)->real, path, err);
}

static enum graft_rc link_rename(struct graft_disk *disk, const char *from, const char *to,
                                 bool replace, struct graft_err *err)
{
    return link_of(disk)->real->ops->rename(link_of(disk)->real, from, to, replace, err);
}

static enum graft_rc link_sync_directory(struct graft_disk *disk, const char *path,
                                         struct graft_err *err)
{
    (void)disk;
    (void)path;
    (void)err;
    return GRAFT_OK;
}

static const struct graft_disk_ops ops = {
    .open = link_open,
    .close = link_close,
    .read = link_read,
    .write = link_write,
    .sync = link_sync,
    .size = link_size,
    .space = link_space,
    .truncate = link_truncate,
    .allocate = link_allocate,
    .punch = link_punch,
    .stat = link_stat,
    .make_directory = link_make_directory,
    .remove = link_remove,
    .rename = link_rename,
    .sync_directory = link_sync_directory,
    .list = link_list,
};

void remote_link_init(struct remote_link *link, struct sim_world *world, struct graft_disk *real,
                      uint64_t rtt_us, uint64_t bytes_per_s)
{
    *link = (struct remote_link){
        .disk.ops = &ops,
        .real = real,
        .world = world,
        .rtt_us = rtt_us,
        .bytes_per_s = bytes_per_s,
    };
}
