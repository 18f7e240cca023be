/* The composition root of the loadable extension: the real environment, one process object, the VFS
 * "graft". They are made once and live as long as the process does, since connections may use them
 * until its end; the extension is loaded permanently for the same reason. */
#include <pthread.h>

#include <sqlite3ext.h>

#include "graft/graft.h"
#include "host/host.h"
#include "vfs/rc.h"
#include "vfs/tables.h"
#include "vfs/vfs.h"

SQLITE_EXTENSION_INIT1

#define VFS_NAME "graft"

static struct {
    pthread_once_t once;
    enum graft_rc rc;
    struct graft_err err;
} root = {.once = PTHREAD_ONCE_INIT};

/* What happens behind the back of any connection goes to SQLite's log. */
static void log_line(void *arg, enum graft_log_level level, const char *text)
{
    (void)arg;
    if (level == GRAFT_LOG_ERROR || level == GRAFT_LOG_WARN)
        graft_sqlite_log(level == GRAFT_LOG_ERROR ? SQLITE_ERROR : SQLITE_WARNING, text);
}

static void compose(void)
{
    static const struct graft_host_options options = {.log_line = log_line};
    struct graft_host *host = NULL;
    struct graft_process *process = NULL;
    struct graft_vfs *vfs = NULL;
    root.rc = graft_host_new(&options, &host, &root.err);
    if (root.rc == GRAFT_OK)
        root.rc = graft_process_new(graft_host_env(host), &process, &root.err);
    if (root.rc == GRAFT_OK)
        root.rc =
            graft_vfs_register(process, graft_host_env(host), VFS_NAME, NULL, &vfs, &root.err);
    if (root.rc != GRAFT_OK) {
        graft_process_free(process);
        graft_host_free(host);
    }
}

__attribute__((visibility("default"))) int sqlite3_graft_init(sqlite3 *db, char **message,
                                                              const sqlite3_api_routines *api);

int sqlite3_graft_init(sqlite3 *db, char **message, const sqlite3_api_routines *api)
{
    SQLITE_EXTENSION_INIT2(api);
    (void)pthread_once(&root.once, compose);
    if (root.rc != GRAFT_OK) {
        *message = sqlite3_mprintf("graft: %s", root.err.text);
        return SQLITE_ERROR;
    }
    int code = graft_tables_register(db);
    return code == SQLITE_OK ? SQLITE_OK_LOAD_PERMANENTLY : code;
}
