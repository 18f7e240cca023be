/* What every test of the VFS starts from: a directory, an environment with faults, the VFS "graft"
 * in it, and short words for SQL. Criterion runs each test in its own process, so all of it may be
 * global. */
#ifndef GRAFT_TESTS_VFS_FIXTURE_H
#define GRAFT_TESTS_VFS_FIXTURE_H

#include <stdbool.h>
#include <stdio.h>

#include <criterion/criterion.h>
#include <sqlite3.h>

#include "graft/graft.h"
#include "support/expect.h"
#include "support/faultdisk.h"
#include "support/testing.h"
#include "vfs/vfs.h"

struct fixture {
    struct graft_test_dir dir;
    struct graft_fault_env faulty;
    struct graft_process *process;
    struct graft_vfs *vfs;
    char log[4096]; /* the newest lines of SQLite's log */
};

extern struct fixture fix;

void fixture_init(void);
void fixture_fini(void);

/* Opens <dir>/<name> through the VFS; `parameters` follow "vfs=graft" ("" or "&page_size=512"). */
sqlite3 *open_db(const char *name, const char *parameters);
/* The same, and the SQLite code that it ends with; nothing stays open. */
int open_code(const char *name, const char *parameters, int flags);
/* <dir>/<name> through SQLite's own VFS. */
sqlite3 *open_plain(const char *name);
void close_db(sqlite3 *db);

/* Runs statements; they must succeed. */
void run(sqlite3 *db, const char *sql);
/* Runs statements, and returns the extended code of the first failure or SQLITE_OK. */
int run_code(sqlite3 *db, const char *sql);
/* The rows of one or more statements, columns joined by '|', rows by a space; NULL as "-". In one
 * of eight buffers used in turn. */
const char *rows(sqlite3 *db, const char *sql);
/* The one integer that a statement returns. */
sqlite3_int64 number(sqlite3 *db, const char *sql);

#define expect_rows(db, sql, wanted) cr_assert_str_eq(rows(db, sql), wanted)

/* "file://<dir>/<name>" in one of sixteen buffers. */
const char *remote_url(const char *name);
/* Opens a replica <name> of remote_url(remote). */
sqlite3 *open_replica(const char *name, const char *remote);
/* Whether <dir>/<name> exists. */
bool there(const char *name);
/* Names in <dir> that a pattern-less search finds, `prefix` first; for looking for stray files. */
int count_files(const char *prefix);

#endif
