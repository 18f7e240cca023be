/* The disk's side of a transaction over several files. */
#ifndef GRAFT_VFS_SUPER_H
#define GRAFT_VFS_SUPER_H

#include "base/codes.h"

struct graft_dbfile;

/* Writes the database's child journal, so that nobody takes the super-journal away while a crash
 * could still need it. The file's connection is the writer. */
GRAFT_MUST_USE enum graft_rc graft_super_mark(struct graft_dbfile *file, const char *super,
                                              struct graft_err *err);
/* Removes it again, while the writer role is still held. A failure leaves a stale file, which the
 * next open removes. */
void graft_super_unmark(struct graft_dbfile *file);
/* Removes what a crash left, after the volume's own recovery has decided about the commit: the
 * child journal, and the super-journal when it was the last child. */
void graft_super_recover(struct graft_dbfile *file);

#endif
