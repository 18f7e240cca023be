#include "vfs/connection.h"

#include <stddef.h>

#define DB_NAME_VERSION 3039000 /* SQLite 3.39 has sqlite3_db_name */

bool graft_connection_writes(sqlite3 **database)
{
    sqlite3 *db = database == NULL ? NULL : *database;
    sqlite3_stmt *statement = db == NULL ? NULL : sqlite3_next_stmt(db, NULL);
    while (statement != NULL && (!sqlite3_stmt_busy(statement) || sqlite3_stmt_readonly(statement)))
        statement = sqlite3_next_stmt(db, statement);
    return statement != NULL;
}

bool graft_connection_is_alone(sqlite3 **database)
{
    if (database == NULL || sqlite3_libversion_number() < DB_NAME_VERSION)
        return false;
    return sqlite3_db_name(*database, 2) == NULL &&
           sqlite3_txn_state(*database, "temp") != SQLITE_TXN_WRITE;
}
