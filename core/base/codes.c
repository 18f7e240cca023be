/* Texts of the result codes, and the one place where error texts are put together. */
#include "base/codes.h"

#include <stdio.h>
#include <string.h>

const char *graft_rc_text(enum graft_rc rc)
{
    switch (rc) {
#define GRAFT_RC_CASE(name, value, text) \
    case GRAFT_##name:                   \
        return text;
        GRAFT_RC_TABLE(GRAFT_RC_CASE)
#undef GRAFT_RC_CASE
    }
    return "unknown";
}

const char *graft_rc_name(enum graft_rc rc)
{
    switch (rc) {
#define GRAFT_RC_CASE(name, value, text) \
    case GRAFT_##name:                   \
        return #name;
        GRAFT_RC_TABLE(GRAFT_RC_CASE)
#undef GRAFT_RC_CASE
    }
    return "unknown";
}

enum graft_rc graft_err_set(struct graft_err *err, enum graft_rc rc, const char *format, ...)
{
    if (err == NULL)
        return rc;
    err->rc = rc;
    va_list args;
    va_start(args, format);
    (void)vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    return rc;
}

enum graft_rc graft_err_wrap(struct graft_err *err, enum graft_rc rc, const char *format, ...)
{
    if (err == NULL)
        return rc;
    char inner[sizeof err->text];
    memcpy(inner, err->rc == GRAFT_OK ? "" : err->text, err->rc == GRAFT_OK ? 1 : sizeof inner);
    inner[sizeof inner - 1] = '\0';

    va_list args;
    va_start(args, format);
    int used = vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    if (used >= 0 && (size_t)used < sizeof err->text) {
        size_t room = sizeof err->text - (size_t)used;
        (void)snprintf(err->text + used, room, ": %s",
                       inner[0] != '\0' ? inner : graft_rc_text(rc));
    }
    err->rc = rc;
    return rc;
}

void graft_err_clear(struct graft_err *err)
{
    if (err == NULL)
        return;
    err->rc = GRAFT_OK;
    err->text[0] = '\0';
}
