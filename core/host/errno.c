/* The one place where the system's error numbers become Graft's codes. */
#include <errno.h>
#include <string.h>

#include "host/parts.h"

static enum graft_rc to_rc(int number)
{
    switch (number) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return GRAFT_EFULL;
    case EACCES:
    case EPERM:
        return GRAFT_EDENIED;
    case EROFS:
        return GRAFT_EREADONLY;
    case ENOENT:
        return GRAFT_ENOTFOUND;
    case EEXIST:
    case ENOTEMPTY:
        return GRAFT_EEXIST;
    case ENOMEM:
        return GRAFT_ENOMEM;
    case ENAMETOOLONG:
        return GRAFT_ELIMIT;
    case EOPNOTSUPP:
        return GRAFT_EUNSUPPORTED;
    default:
        return GRAFT_EIO;
    }
}

enum graft_rc graft_host_errno(struct graft_err *err, int number, const char *call,
                               const char *path)
{
    char space[128];
    const char *text = strerror_r(number, space, sizeof space);
    return graft_err_set(err, to_rc(number), "%s %s: %s", call, path, text);
}

enum graft_rc graft_host_no_memory(struct graft_err *err, const char *call, const char *path)
{
    return graft_err_set(err, GRAFT_ENOMEM, "%s %s: out of memory", call, path);
}
