/* The main database as SQLite sees it: a file whose locks are snapshots and the writer role. */
#ifndef GRAFT_VFS_DBFILE_H
#define GRAFT_VFS_DBFILE_H

#include "vfs/hints.h"
#include "vfs/internal.h"

/* Bytes of page 1 that SQLite compares to learn whether its cache is still good. */
#define GRAFT_VERSION_OFFSET 24
#define GRAFT_VERSION_BYTES 16
/* And by which it knows a schema; shifted by steps that no series of schema changes gets near. */
#define GRAFT_SCHEMA_OFFSET 40
#define GRAFT_SCHEMA_SHIFT 0x10001U

enum graft_dbfile_write {
    GRAFT_DBFILE_CLEAN,     /* no write transaction, or one that changed nothing yet */
    GRAFT_DBFILE_DIRTY,     /* changed something */
    GRAFT_DBFILE_PREPARED,  /* SQLITE_FCNTL_SYNC came; SQLITE_FCNTL_COMMIT_PHASETWO publishes it */
    GRAFT_DBFILE_PUBLISHED, /* SQLITE_FCNTL_SYNC published it already, as others waited to write */
    GRAFT_DBFILE_FAILED, /* preparing failed and it was rolled back; the pager does not know yet */
};

struct graft_dbfile {
    sqlite3_file base; /* must stand first */
    struct graft_vfs *vfs;
    struct graft_dbfile *next; /* in its bucket of the VFS, guarded by the VFS's mutex */
    uint32_t name_hash;
    const char *name; /* SQLite's, with the URI parameters behind it; lives as long as the file */
    const char *journal_name; /* the pager's own pointers: names are recognised by address */
    const char *wal_name;
    sqlite3 **database; /* the connection, from SQLITE_FCNTL_PDB; NULL until that came */
    struct graft_volume *volume;
    struct graft_session *session;
    struct graft_snapshot snapshot; /* valid while pinned */
    int lock;                       /* SQLITE_LOCK_* */
    bool pinned;
    bool sticky; /* nolock=1 or immutable=1: SQLite never locks; the first use pins for good */
    bool read_only;
    bool exclusive;      /* locking_mode: SHARED takes the writer role already */
    bool seen;           /* SHARED was granted once, so the pager checks its cache from now on */
    bool marked;         /* the child journal of a super-journal is on disk */
    bool header_changed; /* page 1 was stored with other bytes than the pager holds */
    bool eager; /* wrote, or wanted to, the last time: SHARED asks for the writer role, in line */
    bool early; /* has the role since SHARED, and nobody asked for RESERVED yet */
    bool size_final; /* a commit exists, so page_bytes cannot change any more */
    bool version_known;
    uint8_t version[GRAFT_VERSION_BYTES]; /* as the pager holds them */
    enum graft_dbfile_write write;
    uint32_t header_pages; /* page count that the transaction's page 1 states; 0: not written */
    uint32_t page_bytes;
    uint32_t scratch_bytes;
    uint8_t *scratch; /* one page */
    uint8_t *first;   /* one page: page 1 as it stands in the volume at first_lsn */
    uint64_t first_lsn;
    bool first_written;       /* the open transaction has written page 1; `first` has what */
    uint64_t moved_us;        /* when the directory was last seen where it should be; 0 never */
    uint64_t cache_lsn;       /* the LSN whose content fills the pager's cache */
    uint64_t schema_lsn;      /* newest LSN that the connection's schema can be of; 0 none */
    uint32_t schema_shift;    /* what the pager sees added to the schema's number */
    uint64_t falsified;       /* versions made up so far */
    int synchronous;          /* as PRAGMA synchronous numbers it */
    const char *journal_mode; /* static */
    struct graft_journal_store journal;
    struct graft_hints *hints; /* NULL until a page was missing */
    struct graft_hints_passed passed;
};

/* Opens a main database into `base`, which has room for a struct graft_dbfile. */
int graft_dbfile_open(struct graft_vfs *vfs, const char *name, sqlite3_file *base, int flags,
                      int *out_flags);
/* The Graft file behind a sqlite3_file, or NULL when that belongs to another VFS. */
struct graft_dbfile *graft_dbfile_of(sqlite3_file *file);
/* The Graft file behind a schema of a connection; NULL also when there is no such schema. */
struct graft_dbfile *graft_dbfile_of_schema(sqlite3 *db, const char *schema);
/* What the pager has cached is not to be believed any more. */
void graft_dbfile_distrust_cache(struct graft_dbfile *file);

#endif
