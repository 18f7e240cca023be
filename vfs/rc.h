/* The one place where Graft's codes become SQLite's. */
#ifndef GRAFT_VFS_RC_H
#define GRAFT_VFS_RC_H

#include "base/codes.h"

/* What was being done, which decides among the SQLite codes that could fit. */
enum graft_doing {
    GRAFT_DOING_OPEN,
    GRAFT_DOING_LOCK,
    GRAFT_DOING_READ,
    GRAFT_DOING_WRITE,
    GRAFT_DOING_COMMIT, /* never answers plain SQLITE_BUSY, which would leave COMMIT half done */
    GRAFT_DOING_UNLOCK,
    GRAFT_DOING_VERB, /* a pragma, a table, an export: the text reaches sqlite3_errmsg */
};

/* The SQLite result code; SQLITE_OK for GRAFT_OK. */
int graft_sqlite_code(enum graft_rc rc, enum graft_doing doing);
/* The same, and puts the text into SQLite's log. A busy writer is everyday and is not logged. */
int graft_sqlite_fail(enum graft_rc rc, enum graft_doing doing, const struct graft_err *err);
/* Puts "graft: " and the text into SQLite's log, which cuts a line at 210 bytes: a longer text goes
 * in several lines, broken at spaces, those after the first beginning "graft: ...". */
void graft_sqlite_log(int code, const char *text);
/* The code of Graft that fits a failure that SQLite itself reported. */
enum graft_rc graft_rc_from_sqlite(int code);

#endif
