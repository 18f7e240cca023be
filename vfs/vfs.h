/* The SQLite VFS over the public API: a connection is a session, a SQLite transaction is a Graft
 * transaction.
 *
 * Compiled twice: with SQLITE_CORE for programs that link SQLite (library graft_vfs), without it
 * into the loadable extension, whose composition root is extension.c. A program that links it makes
 * its own process and registers a VFS of its own name; several may live side by side.
 *
 * Which names are Graft's: the URI says `vfs=<name of this VFS>`, or a Graft directory is there, or
 * the name ends in ".graft". Everything else (plain databases, temporary and transient files,
 * super-journals) goes to the parent VFS, whole. URI parameters: remote=, page_size=, mode=ro. */
#ifndef GRAFT_VFS_VFS_H
#define GRAFT_VFS_VFS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/codes.h"

struct sqlite3;
struct graft_env;
struct graft_process;
struct graft_session;
struct graft_vfs;
struct graft_volume;

/* Registers a VFS under `name` (copied), not as the default, over the VFS called `parent` (NULL:
 * the default one), and has Graft's tables appear in every connection opened from then on.
 * `process` and `env` are borrowed until graft_vfs_unregister. ENOTFOUND when there is no such
 * parent; EEXIST when the name is taken; ENOMEM. */
GRAFT_MUST_USE enum graft_rc graft_vfs_register(struct graft_process *process,
                                                struct graft_env *env, const char *name,
                                                const char *parent, struct graft_vfs **out,
                                                struct graft_err *err);
/* Every connection through it must be closed. Accepts NULL. */
void graft_vfs_unregister(struct graft_vfs *vfs);

/* The volume and the session behind a schema of a connection ("main" when `schema` is NULL),
 * borrowed until the connection closes or detaches it; NULL when that is not a Graft database. */
struct graft_volume *graft_vfs_volume(struct sqlite3 *db, const char *schema);
struct graft_session *graft_vfs_session(struct sqlite3 *db, const char *schema);

#endif
