/* A program that embeds Graft with nothing but libgraft.a: through SQLite, and through the page API
 * without SQLite. */
#include <criterion/criterion.h>
#include <sqlite3.h>

#include "graft/graft.h"
#include "host/host.h"
#include "support/testing.h"
#include "vfs/vfs.h"

static struct graft_host *host;
static struct graft_process *process;
static struct graft_test_dir directory;

static void set_up(void)
{
    struct graft_err err = {0};
    graft_test_dir_make(&directory);
    cr_assert_eq(graft_host_new(NULL, &host, &err), GRAFT_OK, "%s", err.text);
    cr_assert_eq(graft_process_new(graft_host_env(host), &process, &err), GRAFT_OK);
}

static void tear_down(void)
{
    graft_process_free(process);
    graft_host_free(host);
    graft_test_dir_remove(&directory);
}

TestSuite(embed, .init = set_up, .fini = tear_down, .timeout = 60);

Test(embed, sqlite_opens_a_database_through_the_archive)
{
    struct graft_err err = {0};
    struct graft_vfs *vfs = NULL;
    sqlite3 *db = NULL;
    sqlite3_stmt *statement = NULL;
    const char *path = graft_test_path(&directory, "a.graft");
    cr_assert_eq(graft_vfs_register(process, graft_host_env(host), "embedded", NULL, &vfs, &err),
                 GRAFT_OK, "%s", err.text);
    cr_assert_eq(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, "embedded"),
                 SQLITE_OK);
    cr_assert_eq(sqlite3_exec(db, "CREATE TABLE t(x); INSERT INTO t VALUES(42)", NULL, NULL, NULL),
                 SQLITE_OK, "%s", sqlite3_errmsg(db));
    cr_assert_eq(sqlite3_prepare_v2(db, "SELECT x FROM t", -1, &statement, NULL), SQLITE_OK);
    cr_assert_eq(sqlite3_step(statement), SQLITE_ROW);
    cr_assert_eq(sqlite3_column_int(statement, 0), 42);
    (void)sqlite3_finalize(statement);
    cr_assert_eq(sqlite3_close(db), SQLITE_OK);
    graft_vfs_unregister(vfs);
    cr_assert(graft_volume_exists(graft_host_env(host), path));
}

Test(embed, pages_of_any_length_are_kept_without_sqlite)
{
    struct graft_err err = {0};
    struct graft_volume *volume = NULL;
    struct graft_session *session = NULL;
    const struct graft_volume_options options = {.create = true, .variable = true};
    char bytes[4096];
    size_t got = 0;
    const char *path = graft_test_path(&directory, "pages");
    cr_assert_eq(graft_volume_open(process, path, &options, &volume, &err), GRAFT_OK, "%s",
                 err.text);
    cr_assert_eq(graft_session_open(volume, &session, &err), GRAFT_OK, "%s", err.text);
    cr_assert_eq(graft_write_begin(session, &err), GRAFT_OK, "%s", err.text);
    cr_assert_eq(graft_write_page(session, 2, "three", 5, &err), GRAFT_OK, "%s", err.text);
    cr_assert_eq(graft_write_prepare(session, GRAFT_DURABILITY_FULL, NULL, &err), GRAFT_OK, "%s",
                 err.text);
    graft_write_publish(session);
    cr_assert_eq(graft_session_page_count(session), 2);
    cr_assert_eq(graft_session_read(session, 2, bytes, sizeof bytes, &got, &err), GRAFT_OK);
    cr_assert_eq(got, 5);
    cr_assert_arr_eq(bytes, "three", 5);
    graft_session_close(session);
    graft_volume_close(volume);
}
