/* Plain SQLite database files in and out of volumes. */
#ifndef GRAFT_VFS_BACKUP_H
#define GRAFT_VFS_BACKUP_H

#include <stdbool.h>
#include <stdint.h>

#include "graft/graft.h"

struct graft_env;

/* Copies the newest snapshot of `volume` into a plain SQLite database `file`, which appears whole
 * and synced or not at all; what the replica lacks is fetched first. A file that is there already
 * stays: with the same bytes that is success, else EEXIST. `progress` may be NULL; `*pages` is the
 * count copied. */
GRAFT_MUST_USE enum graft_rc graft_backup_export(struct graft_env *env, struct graft_volume *volume,
                                                 const char *file, graft_progress_fn *progress,
                                                 void *arg, uint64_t *pages, struct graft_err *err);

/* Copies the plain SQLite database `file` (of any journal mode; read through SQLite's default VFS,
 * so that a hot journal or a WAL beside it counts) into `directory` as one commit, through the VFS
 * registered under `vfs_name`. The directory is made when it is missing, and bound to `remote_url`
 * unless that is NULL; a volume that holds pages already is EEXIST. The volume takes the file's
 * page size. EFOREIGN when `file` is no database, ENOTFOUND when it is missing. */
GRAFT_MUST_USE enum graft_rc graft_backup_import(const char *vfs_name, const char *file,
                                                 const char *directory, const char *remote_url,
                                                 graft_progress_fn *progress, void *arg,
                                                 uint64_t *pages, struct graft_err *err);

#endif
