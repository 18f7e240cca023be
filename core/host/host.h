/* The real environment: POSIX files and clock, threads, mapped files with open-file-description
 * locks, libcurl. */
#ifndef GRAFT_HOST_HOST_H
#define GRAFT_HOST_HOST_H

#include "env/env.h"

struct graft_host;

/* Where log lines go; NULL `line` means standard error for errors and warnings. */
struct graft_host_options {
    void (*log_line)(void *arg, enum graft_log_level level, const char *text);
    void *log_arg;
};

/* Makes the environment; one a process is enough, several do no harm. `options` may be NULL. */
GRAFT_MUST_USE enum graft_rc graft_host_new(const struct graft_host_options *options,
                                            struct graft_host **out, struct graft_err *err);
/* Everything made with the environment must be closed before. Accepts NULL. */
void graft_host_free(struct graft_host *host);
/* Borrowed; valid until the host is freed. */
struct graft_env *graft_host_env(struct graft_host *host);

#endif
