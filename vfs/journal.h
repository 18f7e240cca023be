/* Rollback journals of Graft databases: never needed after a crash, so they live in memory, and
 * past GRAFT_JOURNAL_MEMORY_BYTES in an unnamed temporary file. */
#ifndef GRAFT_VFS_JOURNAL_H
#define GRAFT_VFS_JOURNAL_H

#include <stddef.h>
#include <stdint.h>

#include "env/env.h"

#define GRAFT_JOURNAL_MEMORY_BYTES (1U << 20)

struct sqlite3_file;
struct graft_dbfile;

/* The journal's content, kept in its database's file so that opening one allocates nothing. Bytes
 * [0, flushed) stand in the temporary file, [flushed, size) in memory. */
struct graft_journal_store {
    uint8_t *bytes;
    size_t capacity;
    uint64_t size;
    uint64_t flushed;
    struct graft_file *file;
    bool replayed; /* it was read since the writer role was taken */
};

/* Bytes of a journal's sqlite3_file. */
int graft_journal_file_bytes(void);
/* Opens the (one) journal of `database` into `file`, empty. */
void graft_journal_open(struct graft_dbfile *database, struct sqlite3_file *file);
/* Frees the memory and the temporary file. */
void graft_journal_deinit(struct graft_journal_store *store, struct graft_alloc *alloc);

#endif
