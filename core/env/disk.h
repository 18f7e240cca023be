/* The disk seam: files and directories of one machine. All calls block (and so may yield). Paths
 * are UTF-8, NUL-terminated.
 *
 * Errors, for every call: EIO; EFULL (no space, quota); EDENIED (permission); EREADONLY (read-only
 * file system); ENOTFOUND; EEXIST; ENOMEM. Each sets `err` to "<call> <path>: <system text>".
 * Outputs are untouched on failure. */
#ifndef GRAFT_ENV_DISK_H
#define GRAFT_ENV_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/codes.h"

enum graft_open_flags {
    GRAFT_OPEN_READ = 1,      /* must exist unless CREATE */
    GRAFT_OPEN_WRITE = 2,     /* implies READ */
    GRAFT_OPEN_CREATE = 4,    /* creates it when missing */
    GRAFT_OPEN_EXCLUSIVE = 8, /* with CREATE: EEXIST when there */
    GRAFT_OPEN_TEMP = 16,     /* `path` is a directory: an unnamed file in it, gone at close */
};

enum graft_entry_kind { GRAFT_ENTRY_FILE, GRAFT_ENTRY_DIRECTORY, GRAFT_ENTRY_OTHER };

struct graft_entry {
    enum graft_entry_kind kind;
    uint64_t size;  /* bytes; 0 for a directory */
    uint64_t id[2]; /* device and inode: equal exactly for the same entry */
};

/* Borrowed bytes of one gathered write. */
struct graft_span {
    const void *bytes;
    size_t size;
};

/* Borrowed space of one scattered read. */
struct graft_space {
    void *bytes;
    size_t size;
};

struct graft_disk;
struct graft_file;

/* Called once per directory entry ("." and ".." excepted), in no order; a failure ends the listing
 * and is returned. */
typedef enum graft_rc graft_disk_list_fn(void *arg, const char *name, enum graft_entry_kind kind);

struct graft_disk_ops {
    enum graft_rc (*open)(struct graft_disk *disk, const char *path, unsigned flags,
                          struct graft_file **out, struct graft_err *err);
    void (*close)(struct graft_file *file);
    enum graft_rc (*read)(struct graft_file *file, uint64_t offset,
                          const struct graft_space *spaces, size_t count, size_t *got,
                          struct graft_err *err);
    enum graft_rc (*write)(struct graft_file *file, uint64_t offset, const struct graft_span *spans,
                           size_t count, struct graft_err *err);
    enum graft_rc (*sync)(struct graft_file *file, struct graft_err *err);
    enum graft_rc (*size)(struct graft_file *file, uint64_t *bytes, struct graft_err *err);
    enum graft_rc (*space)(struct graft_file *file, uint64_t *bytes, struct graft_err *err);
    enum graft_rc (*truncate)(struct graft_file *file, uint64_t bytes, struct graft_err *err);
    enum graft_rc (*allocate)(struct graft_file *file, uint64_t offset, uint64_t bytes,
                              struct graft_err *err);
    enum graft_rc (*punch)(struct graft_file *file, uint64_t offset, uint64_t bytes,
                           struct graft_err *err);
    enum graft_rc (*stat)(struct graft_disk *disk, const char *path, struct graft_entry *out,
                          struct graft_err *err);
    enum graft_rc (*make_directory)(struct graft_disk *disk, const char *path,
                                    struct graft_err *err);
    enum graft_rc (*remove)(struct graft_disk *disk, const char *path, struct graft_err *err);
    enum graft_rc (*rename)(struct graft_disk *disk, const char *from, const char *to, bool replace,
                            struct graft_err *err);
    enum graft_rc (*sync_directory)(struct graft_disk *disk, const char *path,
                                    struct graft_err *err);
    enum graft_rc (*list)(struct graft_disk *disk, const char *path, graft_disk_list_fn *each,
                          void *arg, struct graft_err *err);
};

struct graft_disk_counts {
    _Atomic uint64_t opens, reads, writes, syncs, bytes_read, bytes_written;
};

struct graft_disk {
    const struct graft_disk_ops *ops;
    struct graft_disk_counts counts;
};

struct graft_file {
    struct graft_disk *disk;
};

/* Opens a file; close it with graft_file_close. */
GRAFT_MUST_USE enum graft_rc graft_disk_open(struct graft_disk *disk, const char *path,
                                             unsigned flags, struct graft_file **out,
                                             struct graft_err *err);
/* Accepts NULL. Never syncs. */
void graft_file_close(struct graft_file *file);
/* Reads up to `size` bytes at `offset`; `*got` is less only at the end of the file. Retries short
 * reads and EINTR. */
GRAFT_MUST_USE enum graft_rc graft_file_read(struct graft_file *file, uint64_t offset, void *bytes,
                                             size_t size, size_t *got, struct graft_err *err);
/* The same into several places with one call of the system where it can. At most 8 spaces. */
GRAFT_MUST_USE enum graft_rc graft_file_readv(struct graft_file *file, uint64_t offset,
                                              const struct graft_space *spaces, size_t count,
                                              size_t *got, struct graft_err *err);
/* All bytes are written, or an error says that any part may be. */
GRAFT_MUST_USE enum graft_rc graft_file_write(struct graft_file *file, uint64_t offset,
                                              const void *bytes, size_t size,
                                              struct graft_err *err);
/* One gathered write where the system can; any `count` (split inside into calls of the system's own
 * limit). */
GRAFT_MUST_USE enum graft_rc graft_file_writev(struct graft_file *file, uint64_t offset,
                                               const struct graft_span *spans, size_t count,
                                               struct graft_err *err);
/* The file's data, and the size that reading it back needs, are on stable storage after it
 * (fdatasync). After a failure nothing may be assumed of any write since the last success. */
GRAFT_MUST_USE enum graft_rc graft_file_sync(struct graft_file *file, struct graft_err *err);
GRAFT_MUST_USE enum graft_rc graft_file_size(struct graft_file *file, uint64_t *bytes,
                                             struct graft_err *err);
/* Bytes that the file takes on the disk: holes take none. */
GRAFT_MUST_USE enum graft_rc graft_file_space(struct graft_file *file, uint64_t *bytes,
                                              struct graft_err *err);
/* Shrinks, or grows with a hole. */
GRAFT_MUST_USE enum graft_rc graft_file_truncate(struct graft_file *file, uint64_t bytes,
                                                 struct graft_err *err);
/* Reserves space, growing the file when it ends before; existing bytes stay. */
GRAFT_MUST_USE enum graft_rc graft_file_allocate(struct graft_file *file, uint64_t offset,
                                                 uint64_t bytes, struct graft_err *err);
/* Makes a hole that reads as zeros and gives its space back where the file system can;
 * GRAFT_EUNSUPPORTED otherwise. */
GRAFT_MUST_USE enum graft_rc graft_file_punch(struct graft_file *file, uint64_t offset,
                                              uint64_t bytes, struct graft_err *err);

GRAFT_MUST_USE enum graft_rc graft_disk_stat(struct graft_disk *disk, const char *path,
                                             struct graft_entry *out, struct graft_err *err);
/* One level; the parent must exist. */
GRAFT_MUST_USE enum graft_rc graft_disk_make_directory(struct graft_disk *disk, const char *path,
                                                       struct graft_err *err);
/* Every missing level, each durable in its parent; an existing directory is success. */
GRAFT_MUST_USE enum graft_rc graft_disk_make_directories(struct graft_disk *disk, const char *path,
                                                         struct graft_err *err);
/* A file, or an empty directory. */
GRAFT_MUST_USE enum graft_rc graft_disk_remove(struct graft_disk *disk, const char *path,
                                               struct graft_err *err);
/* Atomic. Without `replace` an existing `to` is EEXIST (RENAME_NOREPLACE, or link and unlink). */
GRAFT_MUST_USE enum graft_rc graft_disk_rename(struct graft_disk *disk, const char *from,
                                               const char *to, bool replace, struct graft_err *err);
/* The directory's entries (creations, renames, removals) are on stable storage after it. */
GRAFT_MUST_USE enum graft_rc graft_disk_sync_directory(struct graft_disk *disk, const char *path,
                                                       struct graft_err *err);
GRAFT_MUST_USE enum graft_rc graft_disk_list(struct graft_disk *disk, const char *path,
                                             graft_disk_list_fn *each, void *arg,
                                             struct graft_err *err);

/* Reads the whole file, at most `bytes_max` (ELIMIT past it), into memory of `alloc` that the
 * caller frees. */
GRAFT_MUST_USE enum graft_rc graft_disk_read_file(struct graft_disk *disk,
                                                  struct graft_alloc *alloc, const char *path,
                                                  size_t bytes_max, uint8_t **out, size_t *size,
                                                  struct graft_err *err);
/* Replaces `path` so that after a crash the old or the new content is there, whole: temporary file,
 * sync, rename, directory sync. The temporary name is `path` + ".new". */
GRAFT_MUST_USE enum graft_rc graft_disk_replace_file(struct graft_disk *disk, const char *path,
                                                     const void *bytes, size_t size,
                                                     struct graft_err *err);

#endif
