/* Maps the codes of the engine to SQLite's, and back. SQLite shows an application only a code and
 * its fixed text for most failures, so every failure also goes in full to SQLite's log. */
#include <string.h>

#include "vfs/internal.h"

#define LINE_BYTES_MAX 190U

static int code_at_open(enum graft_rc rc)
{
    switch (rc) {
    case GRAFT_EFOREIGN:
        return SQLITE_NOTADB;
    case GRAFT_ECORRUPT:
        return SQLITE_CORRUPT;
    case GRAFT_EREADONLY:
        return SQLITE_READONLY_DIRECTORY;
    case GRAFT_EFULL:
        return SQLITE_FULL;
    case GRAFT_EBUSY:
        return SQLITE_BUSY;
    default:
        return SQLITE_CANTOPEN;
    }
}

static int io_code(enum graft_doing doing)
{
    switch (doing) {
    case GRAFT_DOING_LOCK:
        return SQLITE_IOERR_LOCK;
    case GRAFT_DOING_READ:
        return SQLITE_IOERR_READ;
    case GRAFT_DOING_WRITE:
        return SQLITE_IOERR_WRITE;
    case GRAFT_DOING_COMMIT:
        return SQLITE_IOERR_FSYNC;
    case GRAFT_DOING_UNLOCK:
        return SQLITE_IOERR_UNLOCK;
    default:
        return SQLITE_IOERR;
    }
}

/* What was asked for is wrong or cannot be done, as opposed to the world having failed. */
static int refusal_code(enum graft_doing doing)
{
    return doing == GRAFT_DOING_VERB ? SQLITE_ERROR : io_code(doing);
}

/* A write that finds no writer role is an I/O error: after "busy" the pager would go on with a
 * cache that holds what was never written. */
int graft_sqlite_code(enum graft_rc rc, enum graft_doing doing)
{
    if (rc == GRAFT_OK)
        return SQLITE_OK;
    if (rc == GRAFT_ENOMEM)
        return doing == GRAFT_DOING_OPEN || doing == GRAFT_DOING_VERB ? SQLITE_NOMEM
                                                                      : SQLITE_IOERR_NOMEM;
    if (doing == GRAFT_DOING_OPEN)
        return code_at_open(rc);
    switch (rc) {
    case GRAFT_EFULL:
        return SQLITE_FULL;
    case GRAFT_ECORRUPT:
        return SQLITE_CORRUPT;
    case GRAFT_EBUSY:
        if (doing == GRAFT_DOING_WRITE)
            return SQLITE_IOERR_WRITE;
        return doing == GRAFT_DOING_COMMIT ? SQLITE_BUSY_SNAPSHOT : SQLITE_BUSY;
    case GRAFT_ESTALE:
        return doing == GRAFT_DOING_WRITE ? SQLITE_IOERR_WRITE : SQLITE_BUSY_SNAPSHOT;
    case GRAFT_EDENIED:
        return SQLITE_PERM;
    case GRAFT_EREADONLY:
        return SQLITE_READONLY;
    case GRAFT_ECANCELED:
        return SQLITE_INTERRUPT;
    case GRAFT_EBUG:
        return SQLITE_INTERNAL;
    case GRAFT_EIO:
    case GRAFT_EUNREACHABLE:
    case GRAFT_EINDOUBT:
        return io_code(doing);
    default:
        return refusal_code(doing);
    }
}

void graft_sqlite_log(int code, const char *text)
{
    const char *lead = "";
    size_t left = strlen(text);
    while (left > LINE_BYTES_MAX) {
        size_t cut = LINE_BYTES_MAX;
        while (cut > LINE_BYTES_MAX / 2 && text[cut] != ' ')
            cut--;
        sqlite3_log(code, "graft: %s%.*s", lead, (int)cut, text);
        text += cut;
        left -= cut;
        lead = "...";
    }
    sqlite3_log(code, "graft: %s%s", lead, text);
}

int graft_sqlite_fail(enum graft_rc rc, enum graft_doing doing, const struct graft_err *err)
{
    int code = graft_sqlite_code(rc, doing);
    bool everyday = rc == GRAFT_EBUSY || rc == GRAFT_ESTALE;
    if (rc != GRAFT_OK && !(everyday && doing == GRAFT_DOING_LOCK))
        graft_sqlite_log(code, err->text);
    return code;
}

enum graft_rc graft_rc_from_sqlite(int code)
{
    switch (code & 0xff) {
    case SQLITE_OK:
    case SQLITE_DONE:
        return GRAFT_OK;
    case SQLITE_NOMEM:
        return GRAFT_ENOMEM;
    case SQLITE_FULL:
        return GRAFT_EFULL;
    case SQLITE_CORRUPT:
        return GRAFT_ECORRUPT;
    case SQLITE_NOTADB:
        return GRAFT_EFOREIGN;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return GRAFT_EBUSY;
    case SQLITE_READONLY:
        return GRAFT_EREADONLY;
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return GRAFT_EDENIED;
    case SQLITE_INTERRUPT:
        return GRAFT_ECANCELED;
    default:
        return GRAFT_EIO;
    }
}
