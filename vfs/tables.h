/* Introspection: graft_status, graft_log, graft_pages, graft_stats, graft_conflicts, in every
 * connection. Each has a hidden column `schema`, so that graft_status('aux') asks about an attached
 * database. A schema that is not Graft's has no rows. */
#ifndef GRAFT_VFS_TABLES_H
#define GRAFT_VFS_TABLES_H

struct sqlite3;
struct sqlite3_api_routines;

/* Makes the tables in one connection; a SQLite code. */
int graft_tables_register(struct sqlite3 *db);
/* The same, as sqlite3_auto_extension calls it. */
int graft_tables_auto(struct sqlite3 *db, char **message, const struct sqlite3_api_routines *api);

#endif
