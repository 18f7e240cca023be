/* The choke point of the log seam: lines are formatted here, so that a backend only carries text.
 */
#include "env/log.h"

#include <stdio.h>

#include "base/assert.h"

void graft_log_write(struct graft_log *log, enum graft_log_level level, const char *format, ...)
{
    GRAFT_ASSERT(log != NULL);
    GRAFT_ASSERT(level <= GRAFT_LOG_DEBUG);
    char text[1024];
    va_list args;
    va_start(args, format);
    int used = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (used >= 0)
        log->ops->line(log, level, text);
}
