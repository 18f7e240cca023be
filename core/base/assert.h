/* Assertions are always on and mean a bug of ours; bytes from disk or network are checked, never
 * asserted. */
#ifndef GRAFT_BASE_ASSERT_H
#define GRAFT_BASE_ASSERT_H

#include "base/codes.h"

/* Prints where and aborts the process. */
_Noreturn void graft_assert_failed(const char *file, int line, const char *expression);

#define GRAFT_ASSERT(expression) \
    ((expression) ? (void)0 : graft_assert_failed(__FILE__, __LINE__, #expression))

#endif
