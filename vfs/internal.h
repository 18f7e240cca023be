/* What the files of the VFS share. */
#ifndef GRAFT_VFS_INTERNAL_H
#define GRAFT_VFS_INTERNAL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <sqlite3ext.h>
#ifndef SQLITE_CORE
extern const sqlite3_api_routines *sqlite3_api;
#endif

#include "base/limits.h"
#include "env/env.h"
#include "graft/graft.h"
#include "vfs/journal.h"
#include "vfs/rc.h"
#include "vfs/vfs.h"

#define GRAFT_VFS_BUCKETS 64U

struct graft_dbfile;

struct graft_vfs {
    sqlite3_vfs base; /* must stand first */
    sqlite3_vfs *parent;
    struct graft_process *process;
    struct graft_env *env;
    struct graft_mutex *mutex;   /* guards the buckets, and the wait for a writer to end */
    struct graft_cond *released; /* a writer of this VFS ended */
    uint64_t releases;           /* guarded by the mutex */
    _Atomic uint32_t sleepers;
    _Atomic uint32_t writers; /* open write transactions */
    struct graft_dbfile *buckets[GRAFT_VFS_BUCKETS];
};

/* A writer of this VFS began or ended; sleeping retries wake up. */
void graft_vfs_writer_began(struct graft_vfs *vfs);
void graft_vfs_writer_ended(struct graft_vfs *vfs);
/* The open databases of the VFS, by name, so that their side files are recognised without asking
 * the disk. */
void graft_vfs_remember(struct graft_vfs *vfs, struct graft_dbfile *file);
void graft_vfs_forget(struct graft_vfs *vfs, struct graft_dbfile *file);

#endif
