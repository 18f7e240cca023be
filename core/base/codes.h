/* Result codes and the error record: every fallible function of Graft returns an `enum graft_rc`.
 */
#ifndef GRAFT_BASE_CODES_H
#define GRAFT_BASE_CODES_H

#include <stdarg.h>
#include <stddef.h>

/* One row a code: name, value, text. Values are part of the public API and never change. */
#define GRAFT_RC_TABLE(X)                               \
    X(OK, 0, "ok")                                      \
    X(EINVAL, -1, "invalid argument")                   \
    X(ENOMEM, -2, "out of memory")                      \
    X(EIO, -3, "input/output error")                    \
    X(EFULL, -4, "no space left")                       \
    X(ECORRUPT, -5, "corrupt")                          \
    X(EVERSION, -6, "written by a newer version")       \
    X(EFOREIGN, -7, "belongs to another volume")        \
    X(ENOTFOUND, -8, "not found")                       \
    X(EEXIST, -9, "already exists")                     \
    X(EBUSY, -10, "busy")                               \
    X(ESTALE, -11, "snapshot is no longer the newest")  \
    X(EDIVERGED, -12, "local and remote have diverged") \
    X(EUNREACHABLE, -13, "remote is out of reach")      \
    X(EDENIED, -14, "permission denied")                \
    X(EREADONLY, -15, "read-only")                      \
    X(ELIMIT, -16, "past a limit")                      \
    X(ECANCELED, -17, "canceled")                       \
    X(EINDOUBT, -18, "outcome unknown")                 \
    X(EUNSUPPORTED, -19, "not supported")               \
    X(ENOTHELD, -20, "page is not held here")           \
    X(EBUG, -21, "internal error")

enum graft_rc {
#define GRAFT_RC_ENUM(name, value, text) GRAFT_##name = (value),
    GRAFT_RC_TABLE(GRAFT_RC_ENUM)
#undef GRAFT_RC_ENUM
};

/* The last failure in words: what was attempted, on what, and what to do. Owned by the caller,
 * usually on its stack; every function that takes one accepts NULL. Untouched on success. */
struct graft_err {
    enum graft_rc rc;
    char text[512];
};

#define GRAFT_MUST_USE __attribute__((warn_unused_result))
#define GRAFT_PRINTF(format_index, first) __attribute__((format(printf, format_index, first)))

/* For straight-line code that holds nothing: leaves the function with the first failure. */
#define GRAFT_TRY(call)                      \
    do {                                     \
        enum graft_rc graft_try_rc = (call); \
        if (graft_try_rc != GRAFT_OK)        \
            return graft_try_rc;             \
    } while (0)

/* The text of a code; a static string, "unknown" for a value outside the table. */
const char *graft_rc_text(enum graft_rc rc);

/* The name of a code without its prefix ("ECORRUPT"); a static string. */
const char *graft_rc_name(enum graft_rc rc);

/* Records a failure and returns `rc`, so that a failing branch is one line. The text is cut at the
 * record's size. */
enum graft_rc graft_err_set(struct graft_err *err, enum graft_rc rc, const char *format, ...)
    GRAFT_PRINTF(3, 4);

/* Puts context in front of what `err` already says ("context: text") and returns `rc`. */
enum graft_rc graft_err_wrap(struct graft_err *err, enum graft_rc rc, const char *format, ...)
    GRAFT_PRINTF(3, 4);

/* Empties the record. */
void graft_err_clear(struct graft_err *err);

#endif
