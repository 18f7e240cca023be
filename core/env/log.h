/* The log seam: what an operator should know and no caller can be told. */
#ifndef GRAFT_ENV_LOG_H
#define GRAFT_ENV_LOG_H

#include "base/codes.h"

enum graft_log_level { GRAFT_LOG_ERROR, GRAFT_LOG_WARN, GRAFT_LOG_INFO, GRAFT_LOG_DEBUG };

struct graft_log;

struct graft_log_ops {
    /* Takes one line without its newline; must not call back into Graft. */
    void (*line)(struct graft_log *log, enum graft_log_level level, const char *text);
};

struct graft_log {
    const struct graft_log_ops *ops;
};

/* Formats one line of at most 1023 bytes. */
void graft_log_write(struct graft_log *log, enum graft_log_level level, const char *format, ...)
    GRAFT_PRINTF(3, 4);

#endif
