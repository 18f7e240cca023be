/* Paths, as far as core puts them together. */
#ifndef GRAFT_BASE_PATH_H
#define GRAFT_BASE_PATH_H

#include <stddef.h>

#include "base/codes.h"

/* Writes "directory/name" (one slash between them); ELIMIT when it does not fit into `size` bytes
 * with its NUL. */
GRAFT_MUST_USE enum graft_rc graft_path_join(char *out, size_t size, const char *directory,
                                             const char *name, struct graft_err *err);

#endif
