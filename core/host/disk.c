/* POSIX files. Every call is repeated when a signal interrupts it and continued when the kernel
 * does less than asked; a file keeps its path so that each error names it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/limits.h"
#include "host/parts.h"

#define FILE_MODE 0644
#define SPACES_MAX 8

/* Entries of one gathered call; the kernel refuses more. */
#ifdef IOV_MAX
#define IOVECS_MAX IOV_MAX
#else
#define IOVECS_MAX 1024
#endif

struct host_file {
    struct graft_file file;
    int fd;
    char path[];
};

static struct graft_alloc *alloc_of(struct graft_disk *disk)
{
    return ((struct graft_host_disk *)disk)->alloc;
}

static int fd_of(struct graft_file *file)
{
    return ((struct host_file *)file)->fd;
}

static enum graft_rc fail(struct graft_file *file, int number, const char *call,
                          struct graft_err *err)
{
    return graft_host_errno(err, number, call, ((struct host_file *)file)->path);
}

int graft_host_datasync(int fd)
{
    while (fdatasync(fd) != 0) {
        if (errno != EINTR)
            return errno;
    }
    return 0;
}

int graft_host_reserve(int fd, uint64_t offset, uint64_t bytes)
{
    int number = 0;
    do {
        number = fallocate(fd, 0, (off_t)offset, (off_t)bytes) == 0 ? 0 : errno;
    } while (number == EINTR);
    if (number != EOPNOTSUPP && number != ENOSYS)
        return number;
    /* The C library writes a zero to each empty block then. */
    do {
        number = posix_fallocate(fd, (off_t)offset, (off_t)bytes);
    } while (number == EINTR);
    return number;
}

/* An unnamed file; where the file system knows none, a named one that loses its name at once. */
static int open_temp(const char *directory)
{
    int fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
        return fd;
    char name[GRAFT_PATH_BYTES_MAX];
    int length = snprintf(name, sizeof name, "%s/.graft-XXXXXX", directory);
    if (length < 0 || (size_t)length >= sizeof name) {
        errno = ENAMETOOLONG;
        return -1;
    }
    fd = mkostemp(name, O_CLOEXEC);
    if (fd >= 0 && unlink(name) != 0) {
        int number = errno;
        (void)close(fd);
        errno = number;
        return -1;
    }
    return fd;
}

static int open_named(const char *path, unsigned flags)
{
    int mode = O_CLOEXEC | O_NOCTTY;
    mode |= (flags & GRAFT_OPEN_WRITE) != 0 ? O_RDWR : O_RDONLY;
    if ((flags & GRAFT_OPEN_CREATE) != 0)
        mode |= O_CREAT;
    if ((flags & GRAFT_OPEN_EXCLUSIVE) != 0)
        mode |= O_EXCL;
    int fd = -1;
    do {
        fd = open(path, mode, FILE_MODE);
    } while (fd < 0 && errno == EINTR);
    return fd;
}

static enum graft_rc open_file(struct graft_disk *disk, const char *path, unsigned flags,
                               struct graft_file **out, struct graft_err *err)
{
    size_t path_bytes = strlen(path) + 1;
    struct host_file *self = graft_malloc(alloc_of(disk), sizeof *self + path_bytes);
    if (self == NULL)
        return graft_host_no_memory(err, "open", path);
    self->file.disk = disk;
    memcpy(self->path, path, path_bytes);
    self->fd = (flags & GRAFT_OPEN_TEMP) != 0 ? open_temp(path) : open_named(path, flags);
    if (self->fd < 0) {
        enum graft_rc rc = graft_host_errno(err, errno, "open", path);
        graft_free(alloc_of(disk), self);
        return rc;
    }
    *out = &self->file;
    return GRAFT_OK;
}

static void close_file(struct graft_file *file)
{
    /* Whatever close says, the descriptor is gone, and only a sync promises anything. */
    (void)close(fd_of(file));
    graft_free(alloc_of(file->disk), file);
}

/* Drops the first `done` bytes of the list and returns how many entries stay in front of it. */
static size_t drop_front(struct iovec *vectors, size_t count, size_t done)
{
    size_t from = 0;
    while (from < count && done >= vectors[from].iov_len)
        done -= vectors[from++].iov_len;
    if (from < count) {
        vectors[from].iov_base = (char *)vectors[from].iov_base + done;
        vectors[from].iov_len -= done;
    }
    memmove(vectors, vectors + from, (count - from) * sizeof *vectors);
    return count - from;
}

static enum graft_rc read_file(struct graft_file *file, uint64_t offset,
                               const struct graft_space *spaces, size_t count, size_t *got,
                               struct graft_err *err)
{
    struct iovec vectors[SPACES_MAX];
    GRAFT_ASSERT(count <= SPACES_MAX);
    size_t left = 0;
    for (size_t i = 0; i < count; i++) {
        if (spaces[i].size > 0)
            vectors[left++] =
                (struct iovec){.iov_base = spaces[i].bytes, .iov_len = spaces[i].size};
    }
    size_t total = 0;
    while (left > 0) {
        ssize_t done = preadv(fd_of(file), vectors, (int)left, (off_t)(offset + total));
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return fail(file, errno, "read", err);
        if (done == 0)
            break;
        total += (size_t)done;
        left = drop_front(vectors, left, (size_t)done);
    }
    *got = total;
    return GRAFT_OK;
}

/* Writes one batch whole. */
static enum graft_rc write_batch(struct graft_file *file, uint64_t offset, struct iovec *vectors,
                                 size_t left, struct graft_err *err)
{
    while (left > 0) {
        ssize_t done = pwritev(fd_of(file), vectors, (int)left, (off_t)offset);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return fail(file, errno, "write", err);
        if (done == 0)
            return fail(file, EIO, "write", err);
        offset += (uint64_t)done;
        left = drop_front(vectors, left, (size_t)done);
    }
    return GRAFT_OK;
}

static enum graft_rc write_file(struct graft_file *file, uint64_t offset,
                                const struct graft_span *spans, size_t count, struct graft_err *err)
{
    struct iovec vectors[IOVECS_MAX];
    size_t used = 0;
    uint64_t bytes = 0;
    for (size_t i = 0; i < count; i++) {
        if (spans[i].size > 0) {
            /* An iovec serves both directions, so that its pointer is not to const. */
            vectors[used++] = (struct iovec){.iov_base = (void *)(uintptr_t)spans[i].bytes,
                                             .iov_len = spans[i].size};
            bytes += spans[i].size;
        }
        if (used == IOVECS_MAX || i + 1 == count) {
            GRAFT_TRY(write_batch(file, offset, vectors, used, err));
            offset += bytes;
            used = 0;
            bytes = 0;
        }
    }
    return GRAFT_OK;
}

static enum graft_rc sync_file(struct graft_file *file, struct graft_err *err)
{
    int number = graft_host_datasync(fd_of(file));
    return number == 0 ? GRAFT_OK : fail(file, number, "sync", err);
}

static enum graft_rc file_size(struct graft_file *file, uint64_t *bytes, struct graft_err *err)
{
    struct stat status;
    if (fstat(fd_of(file), &status) != 0)
        return fail(file, errno, "stat", err);
    *bytes = (uint64_t)status.st_size;
    return GRAFT_OK;
}

/* POSIX leaves the unit of st_blocks open; Linux counts in 512 bytes on every file system. */
static enum graft_rc file_space(struct graft_file *file, uint64_t *bytes, struct graft_err *err)
{
    struct stat status;
    if (fstat(fd_of(file), &status) != 0)
        return fail(file, errno, "stat", err);
    *bytes = (uint64_t)status.st_blocks * 512;
    return GRAFT_OK;
}

static enum graft_rc truncate_file(struct graft_file *file, uint64_t bytes, struct graft_err *err)
{
    while (ftruncate(fd_of(file), (off_t)bytes) != 0) {
        if (errno != EINTR)
            return fail(file, errno, "truncate", err);
    }
    return GRAFT_OK;
}

static enum graft_rc allocate_file(struct graft_file *file, uint64_t offset, uint64_t bytes,
                                   struct graft_err *err)
{
    int number = graft_host_reserve(fd_of(file), offset, bytes);
    return number == 0 ? GRAFT_OK : fail(file, number, "allocate", err);
}

static enum graft_rc punch_file(struct graft_file *file, uint64_t offset, uint64_t bytes,
                                struct graft_err *err)
{
    int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    while (fallocate(fd_of(file), mode, (off_t)offset, (off_t)bytes) != 0) {
        if (errno == ENOSYS)
            return fail(file, EOPNOTSUPP, "punch", err);
        if (errno != EINTR)
            return fail(file, errno, "punch", err);
    }
    return GRAFT_OK;
}

static enum graft_entry_kind kind_of(mode_t mode)
{
    if (S_ISREG(mode))
        return GRAFT_ENTRY_FILE;
    return S_ISDIR(mode) ? GRAFT_ENTRY_DIRECTORY : GRAFT_ENTRY_OTHER;
}

static enum graft_rc stat_path(struct graft_disk *disk, const char *path, struct graft_entry *out,
                               struct graft_err *err)
{
    (void)disk;
    struct stat status;
    if (stat(path, &status) != 0)
        return graft_host_errno(err, errno, "stat", path);
    enum graft_entry_kind kind = kind_of(status.st_mode);
    *out = (struct graft_entry){
        .kind = kind,
        .size = kind == GRAFT_ENTRY_DIRECTORY ? 0 : (uint64_t)status.st_size,
        .id = {(uint64_t)status.st_dev, (uint64_t)status.st_ino},
    };
    return GRAFT_OK;
}

static enum graft_rc make_directory(struct graft_disk *disk, const char *path,
                                    struct graft_err *err)
{
    (void)disk;
    return mkdir(path, 0777) == 0 ? GRAFT_OK : graft_host_errno(err, errno, "mkdir", path);
}

static enum graft_rc remove_path(struct graft_disk *disk, const char *path, struct graft_err *err)
{
    (void)disk;
    return remove(path) == 0 ? GRAFT_OK : graft_host_errno(err, errno, "remove", path);
}

static enum graft_rc rename_path(struct graft_disk *disk, const char *from, const char *to,
                                 bool replace, struct graft_err *err)
{
    (void)disk;
    unsigned mode = replace ? 0 : RENAME_NOREPLACE;
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, mode) == 0)
        return GRAFT_OK;
    bool unknown = errno == EINVAL || errno == ENOSYS;
    if (!unknown)
        return graft_host_errno(err, errno, "rename", to);
    if (replace)
        return rename(from, to) == 0 ? GRAFT_OK : graft_host_errno(err, errno, "rename", to);
    if (link(from, to) != 0)
        return graft_host_errno(err, errno, "link", to);
    return unlink(from) == 0 ? GRAFT_OK : graft_host_errno(err, errno, "unlink", from);
}

static enum graft_rc sync_directory(struct graft_disk *disk, const char *path,
                                    struct graft_err *err)
{
    (void)disk;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return graft_host_errno(err, errno, "open", path);
    int number = 0;
    do {
        number = fsync(fd) == 0 ? 0 : errno;
    } while (number == EINTR);
    (void)close(fd);
    /* EINVAL: a file system without such a thing, where entries are as durable as they will be. */
    if (number == 0 || number == EINVAL)
        return GRAFT_OK;
    return graft_host_errno(err, number, "sync", path);
}

/* Not every file system says in the directory what an entry is, and a link counts as what it
 * points at, as in stat. */
static enum graft_entry_kind entry_kind(DIR *directory, const struct dirent *entry)
{
    if (entry->d_type == DT_REG)
        return GRAFT_ENTRY_FILE;
    if (entry->d_type == DT_DIR)
        return GRAFT_ENTRY_DIRECTORY;
    struct stat status;
    if (fstatat(dirfd(directory), entry->d_name, &status, 0) != 0)
        return GRAFT_ENTRY_OTHER;
    return kind_of(status.st_mode);
}

static enum graft_rc list_path(struct graft_disk *disk, const char *path, graft_disk_list_fn *each,
                               void *arg, struct graft_err *err)
{
    (void)disk;
    DIR *directory = opendir(path);
    if (directory == NULL)
        return graft_host_errno(err, errno, "list", path);
    enum graft_rc rc = GRAFT_OK;
    while (rc == GRAFT_OK) {
        errno = 0;
        const struct dirent *entry = readdir(directory);
        if (entry == NULL && errno != 0)
            rc = graft_host_errno(err, errno, "list", path);
        if (entry == NULL)
            break;
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        rc = each(arg, entry->d_name, entry_kind(directory, entry));
        if (rc != GRAFT_OK)
            graft_err_set(err, rc, "list %s: %s: %s", path, entry->d_name, graft_rc_text(rc));
    }
    (void)closedir(directory);
    return rc;
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

void graft_host_disk_init(struct graft_host_disk *disk, struct graft_alloc *alloc)
{
    *disk = (struct graft_host_disk){.disk.ops = &ops, .alloc = alloc};
}
