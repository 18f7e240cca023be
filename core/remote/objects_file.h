/* The object store's verbs over a directory of the disk seam. */
#ifndef GRAFT_REMOTE_OBJECTS_FILE_H
#define GRAFT_REMOTE_OBJECTS_FILE_H

#include "remote/objects.h"

/* Where writers keep what is not an object yet; below the repository, and never listed. */
#define GRAFT_OBJECTS_FILE_TEMP "_tmp"

/* The repository in the directory `url->repository`; `url` is a file URL. Does no I/O. ENOMEM. */
GRAFT_MUST_USE enum graft_rc graft_objects_file_open(struct graft_env *env,
                                                     const struct graft_url *url,
                                                     struct graft_objects **out,
                                                     struct graft_err *err);

/* The listing, which is a walk of its own. `directory` is the repository's path ("" for the root of
 * the file system). ENOTFOUND says only that the directory that the prefix begins in is missing. */
GRAFT_MUST_USE enum graft_rc graft_objects_file_list(struct graft_env *env, const char *directory,
                                                     const char *prefix, const char *after,
                                                     uint32_t keys_max, graft_objects_list_fn *each,
                                                     void *arg, struct graft_err *err);

#endif
