/* Locks between processes: one byte of a lock file each, as locks of an open file description. So
 * every opener is an owner of its own, in one process or in several, and the kernel releases what
 * its owner held when the last descriptor goes, however the process ends. A child that is forked
 * shares its parent's description, and with it the locks; one that calls exec does not. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/assert.h"
#include "host/parts.h"

struct host_locks {
    struct graft_locks locks;
    int fd;
    char path[];
};

/* statfs(2) magic numbers, from linux/magic.h and the sources of the file systems. On these, locks
 * are emulated, lost with a connection, or known to one machine only. */
static const struct {
    uint32_t magic;
    const char *name;
} distrusted[] = {
    {0x6969, "NFS"},     {0x517B, "SMB"},      {0xFF534D42, "CIFS"}, {0xFE534D42, "SMB2"},
    {0x01021997, "9P"},  {0x564C, "NCP"},      {0x00C36400, "Ceph"}, {0x5346414F, "AFS"},
    {0x6B414653, "AFS"}, {0x73757245, "Coda"},
};

const char *graft_host_distrusted_fs(uint64_t magic)
{
    for (size_t i = 0; i < sizeof distrusted / sizeof distrusted[0]; i++) {
        if (distrusted[i].magic == (uint32_t)magic)
            return distrusted[i].name;
    }
    return NULL;
}

static enum graft_rc check_fs(int fd, const char *path, struct graft_err *err)
{
    struct statfs status;
    if (fstatfs(fd, &status) != 0)
        return graft_host_errno(err, errno, "statfs", path);
    const char *name = graft_host_distrusted_fs((uint64_t)status.f_type);
    if (name == NULL)
        return GRAFT_OK;
    return graft_err_set(err, GRAFT_EUNSUPPORTED,
                         "lock %s: it is on %s, where locks between processes cannot be trusted; "
                         "put the database on a local disk and share it through a remote",
                         path, name);
}

enum graft_rc graft_host_locks_open(struct graft_shm *shm, const char *path,
                                    struct graft_locks **out, struct graft_err *err)
{
    struct graft_alloc *alloc = ((struct graft_host_shm *)shm)->alloc;
    size_t path_bytes = strlen(path) + 1;
    struct host_locks *self = graft_malloc(alloc, sizeof *self + path_bytes);
    if (self == NULL)
        return graft_host_no_memory(err, "open", path);
    self->locks.shm = shm;
    memcpy(self->path, path, path_bytes);
    do {
        self->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOCTTY, 0644);
    } while (self->fd < 0 && errno == EINTR);
    enum graft_rc rc = self->fd < 0 ? graft_host_errno(err, errno, "open", path) : GRAFT_OK;
    if (rc == GRAFT_OK)
        rc = check_fs(self->fd, path, err);
    if (rc == GRAFT_OK) {
        *out = &self->locks;
        return GRAFT_OK;
    }
    if (self->fd >= 0)
        (void)close(self->fd);
    graft_free(alloc, self);
    return rc;
}

void graft_host_locks_close(struct graft_locks *locks)
{
    struct host_locks *self = (struct host_locks *)locks;
    struct graft_alloc *alloc = ((struct graft_host_shm *)locks->shm)->alloc;
    (void)close(self->fd);
    graft_free(alloc, self);
}

/* 0 or an errno. */
static int set_lock(const struct host_locks *self, uint32_t index, short type)
{
    struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = index, .l_len = 1};
    while (fcntl(self->fd, F_OFD_SETLK, &lock) != 0) {
        if (errno != EINTR)
            return errno;
    }
    return 0;
}

enum graft_rc graft_host_lock_try(struct graft_locks *locks, uint32_t index, bool exclusive,
                                  bool *granted, struct graft_err *err)
{
    struct host_locks *self = (struct host_locks *)locks;
    int number = set_lock(self, index, exclusive ? F_WRLCK : F_RDLCK);
    if (number != 0 && number != EAGAIN && number != EACCES)
        return graft_host_errno(err, number, "lock", self->path);
    *granted = number == 0;
    return GRAFT_OK;
}

void graft_host_unlock(struct graft_locks *locks, uint32_t index)
{
    int number = set_lock((struct host_locks *)locks, index, F_UNLCK);
    /* A lock that cannot be given back would be held for good, without anybody knowing. */
    GRAFT_ASSERT(number == 0);
}
