/* What a VFS can learn of the connection that uses it, which SQLITE_FCNTL_PDB tells. `database` is
 * what came with that, or NULL before it came. */
#ifndef GRAFT_VFS_CONNECTION_H
#define GRAFT_VFS_CONNECTION_H

#include "vfs/internal.h"

/* Whether the statement that runs may write, to one of the connection's databases. */
bool graft_connection_writes(sqlite3 **database);
/* Whether the connection has nothing attached, and writes to nothing but its main database; false
 * where that cannot be told. SQLite commits several files without a super-journal where one of them
 * is in memory or temporary, and an attached one hears nothing of `PRAGMA locking_mode`. */
bool graft_connection_is_alone(sqlite3 **database);

#endif
