/* Joining is all that core does to paths; what they mean is the environment's business. */
#include "base/path.h"

#include <stdio.h>
#include <string.h>

enum graft_rc graft_path_join(char *out, size_t size, const char *directory, const char *name,
                              struct graft_err *err)
{
    size_t length = strlen(directory);
    const char *slash = length > 0 && directory[length - 1] == '/' ? "" : "/";
    if (length + strlen(slash) + strlen(name) + 1 > size)
        return graft_err_set(err, GRAFT_ELIMIT, "the path %.64s.../%s is too long", directory,
                             name);
    (void)snprintf(out, size, "%s%s%s", directory, slash, name);
    return GRAFT_OK;
}
