/* Pragmas: the verbs, and those of SQLite's own that a volume has a say in. */
#ifndef GRAFT_VFS_PRAGMA_H
#define GRAFT_VFS_PRAGMA_H

struct graft_dbfile;

/* SQLITE_FCNTL_PRAGMA: `argument` is SQLite's array (result, name, value). SQLITE_NOTFOUND leaves
 * the pragma to SQLite. */
int graft_pragma_run(struct graft_dbfile *file, char **argument);

#endif
