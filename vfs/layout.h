/* How the pages of a SQLite database stand in the remote. */
#ifndef GRAFT_VFS_LAYOUT_H
#define GRAFT_VFS_LAYOUT_H

#include "env/env.h"
#include "graft/graft.h"

/* A graft_arrange_fn; `env` is the struct graft_env. The tops of the B-trees first, together and
 * from the top down, then the leaves of each tree in key order, then what no tree points to. */
enum graft_rc graft_layout_arrange(void *env, struct graft_arrangement *arrangement,
                                   struct graft_err *err);

#endif
