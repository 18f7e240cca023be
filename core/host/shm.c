/* Shared words: files mapped MAP_SHARED, and futexes on them. Locks stand in locks.c. */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "host/parts.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "a futex watches the first four bytes of a word, which must be its low half");
_Static_assert(sizeof(_Atomic uint64_t) == 8 && ATOMIC_LLONG_LOCK_FREE == 2,
               "words shared by processes need atomics without a lock");

#define VIEWS_MAX 64U

struct view {
    void *bytes; /* at a page of the system */
    size_t size;
    uint64_t offset;
};

struct host_map {
    struct graft_map map;
    int fd;
    pthread_mutex_t mutex; /* guards the views */
    size_t view_count;
    struct view views[VIEWS_MAX];
    char path[];
};

static struct graft_alloc *alloc_of(struct graft_shm *shm)
{
    return ((struct graft_host_shm *)shm)->alloc;
}

static enum graft_rc fail(const struct host_map *self, int number, const char *call,
                          struct graft_err *err)
{
    return graft_host_errno(err, number, call, self->path);
}

static enum graft_rc open_map(struct graft_shm *shm, const char *path, bool create,
                              struct graft_map **out, struct graft_err *err)
{
    size_t path_bytes = strlen(path) + 1;
    struct host_map *self = graft_malloc(alloc_of(shm), sizeof *self + path_bytes);
    if (self == NULL)
        return graft_host_no_memory(err, "open", path);
    *self = (struct host_map){.map.shm = shm};
    memcpy(self->path, path, path_bytes);
    do {
        self->fd = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY | (create ? O_CREAT : 0), 0644);
    } while (self->fd < 0 && errno == EINTR);
    if (self->fd < 0) {
        enum graft_rc rc = fail(self, errno, "open", err);
        graft_free(alloc_of(shm), self);
        return rc;
    }
    GRAFT_ASSERT(pthread_mutex_init(&self->mutex, NULL) == 0);
    *out = &self->map;
    return GRAFT_OK;
}

static void close_map(struct graft_map *map)
{
    struct host_map *self = (struct host_map *)map;
    for (size_t i = 0; i < self->view_count; i++)
        GRAFT_ASSERT(munmap(self->views[i].bytes, self->views[i].size) == 0);
    (void)close(self->fd);
    (void)pthread_mutex_destroy(&self->mutex);
    graft_free(alloc_of(map->shm), self);
}

static enum graft_rc view_map(struct graft_map *map, uint64_t offset, size_t bytes,
                              _Atomic uint64_t **out, struct graft_err *err)
{
    struct host_map *self = (struct host_map *)map;
    /* Pages of the system may be larger than the 4096 bytes that callers align to. */
    size_t before = (size_t)(offset % (uint64_t)sysconf(_SC_PAGESIZE));
    enum graft_rc rc = GRAFT_OK;
    GRAFT_ASSERT(pthread_mutex_lock(&self->mutex) == 0);
    if (self->view_count == VIEWS_MAX) {
        rc = graft_err_set(err, GRAFT_ELIMIT, "map %s: more than %u views", self->path, VIEWS_MAX);
        goto out;
    }
    struct view view = {.size = bytes + before, .offset = offset - before};
    view.bytes =
        mmap(NULL, view.size, PROT_READ | PROT_WRITE, MAP_SHARED, self->fd, (off_t)view.offset);
    if (view.bytes == MAP_FAILED) {
        rc = fail(self, errno, "map", err);
        goto out;
    }
    self->views[self->view_count++] = view;
    *out = (_Atomic uint64_t *)(void *)((char *)view.bytes + before);
out:
    GRAFT_ASSERT(pthread_mutex_unlock(&self->mutex) == 0);
    return rc;
}

static enum graft_rc map_size(struct graft_map *map, uint64_t *bytes, struct graft_err *err)
{
    struct host_map *self = (struct host_map *)map;
    struct stat status;
    if (fstat(self->fd, &status) != 0)
        return fail(self, errno, "stat", err);
    *bytes = (uint64_t)status.st_size;
    return GRAFT_OK;
}

static enum graft_rc resize_map(struct graft_map *map, uint64_t bytes, struct graft_err *err)
{
    struct host_map *self = (struct host_map *)map;
    while (ftruncate(self->fd, (off_t)bytes) != 0) {
        if (errno != EINTR)
            return fail(self, errno, "truncate", err);
    }
    return GRAFT_OK;
}

static enum graft_rc allocate_map(struct graft_map *map, uint64_t offset, uint64_t bytes,
                                  struct graft_err *err)
{
    struct host_map *self = (struct host_map *)map;
    int number = graft_host_reserve(self->fd, offset, bytes);
    return number == 0 ? GRAFT_OK : fail(self, number, "allocate", err);
}

/* The part of the view that lies in [from, to), flushed; 0 or an errno. */
static int flush_view(const struct view *view, uint64_t from, uint64_t to)
{
    uint64_t start = view->offset > from ? view->offset : from;
    uint64_t end = view->offset + view->size < to ? view->offset + view->size : to;
    if (start >= end)
        return 0;
    size_t at = (size_t)(start - view->offset);
    at -= at % (size_t)sysconf(_SC_PAGESIZE);
    size_t bytes = (size_t)(end - view->offset) - at;
    return msync((char *)view->bytes + at, bytes, MS_SYNC) == 0 ? 0 : errno;
}

static enum graft_rc sync_map(struct graft_map *map, uint64_t offset, uint64_t bytes,
                              struct graft_err *err)
{
    struct host_map *self = (struct host_map *)map;
    uint64_t end = bytes == 0 ? UINT64_MAX : offset + bytes;
    int number = 0;
    GRAFT_ASSERT(pthread_mutex_lock(&self->mutex) == 0);
    for (size_t i = 0; i < self->view_count && number == 0; i++)
        number = flush_view(&self->views[i], offset, end);
    GRAFT_ASSERT(pthread_mutex_unlock(&self->mutex) == 0);
    /* msync speaks for this process's views; what others stored, and the file's size, are the
     * descriptor's business. */
    if (number == 0)
        number = graft_host_datasync(self->fd);
    return number == 0 ? GRAFT_OK : fail(self, number, "sync", err);
}

static uint64_t next_data(struct graft_map *map, uint64_t offset)
{
    struct host_map *self = (struct host_map *)map;
    struct stat status;
    off_t found = lseek(self->fd, (off_t)offset, SEEK_DATA);
    if (found >= 0)
        return (uint64_t)found;
    bool at_end = errno == ENXIO && fstat(self->fd, &status) == 0;
    return at_end && (uint64_t)status.st_size > offset ? (uint64_t)status.st_size : offset;
}

/* A change of the high half alone between the look at the word and the call is missed, and waits
 * for the next wake or the time-out; waiters of core watch counters, whose low half changes. */
static bool wait_word(struct graft_shm *shm, _Atomic uint64_t *word, uint64_t seen,
                      uint32_t timeout_ms)
{
    (void)shm;
    if (atomic_load(word) != seen)
        return true;
    struct timespec timeout = {.tv_sec = timeout_ms / 1000,
                               .tv_nsec = (long)(timeout_ms % 1000) * 1000000};
    long rc = syscall(SYS_futex, word, FUTEX_WAIT, (uint32_t)seen,
                      timeout_ms == GRAFT_WAIT_FOREVER ? NULL : &timeout, NULL, 0);
    return rc == 0 || errno != ETIMEDOUT;
}

static bool wake_word(struct graft_shm *shm, _Atomic uint64_t *word, uint32_t count)
{
    (void)shm;
    int limit = count > INT32_MAX ? INT32_MAX : (int)count;
    return syscall(SYS_futex, word, FUTEX_WAKE, limit, NULL, NULL, 0) > 0;
}

static const struct graft_shm_ops ops = {
    .open = open_map,
    .close = close_map,
    .view = view_map,
    .size = map_size,
    .resize = resize_map,
    .allocate = allocate_map,
    .sync = sync_map,
    .next_data = next_data,
    .before_store = NULL,
    .locks_open = graft_host_locks_open,
    .locks_close = graft_host_locks_close,
    .lock_try = graft_host_lock_try,
    .unlock = graft_host_unlock,
    .wait = wait_word,
    .wake = wake_word,
};

void graft_host_shm_init(struct graft_host_shm *shm, struct graft_alloc *alloc)
{
    *shm = (struct graft_host_shm){.shm.ops = &ops, .alloc = alloc};
}
