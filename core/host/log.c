/* Log lines to the embedder's function, or to standard error. */
#include <stdio.h>

#include "host/parts.h"

static void line(struct graft_log *log, enum graft_log_level level, const char *text)
{
    struct graft_host_log *self = (struct graft_host_log *)log;
    if (self->options.log_line != NULL)
        self->options.log_line(self->options.log_arg, level, text);
    else if (level <= GRAFT_LOG_WARN)
        (void)fprintf(stderr, "graft: %s\n", text);
}

static const struct graft_log_ops ops = {.line = line};

void graft_host_log_init(struct graft_host_log *log, const struct graft_host_options *options)
{
    *log = (struct graft_host_log){.log.ops = &ops};
    if (options != NULL)
        log->options = *options;
}
