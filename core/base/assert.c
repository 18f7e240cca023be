/* The end of the process when an invariant of ours is broken: going on would risk the data. */
#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>

_Noreturn void graft_assert_failed(const char *file, int line, const char *expression)
{
    (void)fprintf(stderr, "graft: assertion failed at %s:%d: %s\n", file, line, expression);
    abort();
}
