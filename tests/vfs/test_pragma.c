/* The verbs, the settings, and SQLite's own pragmas that a volume has a say in. */
#include <string.h>
#include <unistd.h>

#include "fixture.h"

TestSuite(pragma, .init = fixture_init, .fini = fixture_fini);

Test(pragma, journal_mode_wal_answers_with_the_mode_in_force)
{
    sqlite3 *db = open_db("app.graft", "");
    expect_rows(db, "PRAGMA journal_mode=WAL", "delete");
    expect_rows(db, "PRAGMA journal_mode=TRUNCATE; PRAGMA journal_mode=wal", "truncate truncate");
    run(db, "CREATE TABLE t(a)");
    expect_rows(db, "PRAGMA main.journal_mode=WAL; PRAGMA journal_mode", "truncate truncate");
    close_db(db);
}

static void expect_rollback_header(const char *name)
{
    sqlite3 *db = open_db(name, "");
    sqlite3_file *file = NULL;
    unsigned char page[4096];
    expect_rows(db, "SELECT count(*) FROM sqlite_schema; PRAGMA integrity_check", "1 ok");
    sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file);
    cr_assert_eq(file->pMethods->xLock(file, SQLITE_LOCK_SHARED), SQLITE_OK);
    cr_assert_eq(file->pMethods->xRead(file, page, sizeof page, 0), SQLITE_OK);
    file->pMethods->xUnlock(file, SQLITE_LOCK_NONE);
    cr_assert_eq(page[18], 1);
    cr_assert_eq(page[19], 1);
    close_db(db);
}

Test(pragma, wal_with_exclusive_locking_never_reaches_the_header)
{
    sqlite3 *db = open_db("app.graft", "");
    run(db, "CREATE TABLE t(a); PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL;"
            "INSERT INTO t VALUES(1)");
    close_db(db);
    expect_rollback_header("app.graft");
}

Test(pragma, wal_for_all_databases_of_a_connection_never_reaches_an_attached_header)
{
    char sql[1200];
    sqlite3 *db = open_plain("plain.db");
    snprintf(sql, sizeof sql,
             "ATTACH 'file:%s/app.graft?vfs=graft' AS g; CREATE TABLE g.t(a);"
             "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL",
             fix.dir.path);
    (void)run_code(db, sql);
    (void)run_code(db, "INSERT INTO g.t VALUES(1)");
    close_db(db);
    expect_rollback_header("app.graft");
}

Test(pragma, exclusive_locking_keeps_the_writer_role_and_gives_it_back)
{
    sqlite3 *a = open_db("app.graft", "");
    sqlite3 *b = open_db("app.graft", "");
    run(a, "CREATE TABLE t(a); PRAGMA locking_mode=EXCLUSIVE; INSERT INTO t VALUES(1);"
           "INSERT INTO t VALUES(2)");
    cr_assert_eq(run_code(b, "INSERT INTO t VALUES(3)"), SQLITE_BUSY);
    expect_rows(b, "SELECT a FROM t", "1 2");
    run(a, "BEGIN; UPDATE t SET a=0; ROLLBACK; INSERT INTO t VALUES(4)");
    expect_rows(a, "SELECT a FROM t", "1 2 4");
    run(a, "PRAGMA locking_mode=NORMAL; SELECT 1 FROM t");
    run(b, "INSERT INTO t VALUES(3)");
    expect_rows(a, "SELECT a FROM t; PRAGMA integrity_check", "1 2 4 3 ok");
    close_db(a);
    close_db(b);
}

Test(pragma, exclusive_locking_survives_a_rollback_after_a_spill)
{
    sqlite3 *db = open_db("app.graft", "");
    run(db, "CREATE TABLE t(a); INSERT INTO t VALUES(1); PRAGMA cache_size=10;"
            "PRAGMA locking_mode=EXCLUSIVE; BEGIN; INSERT INTO t VALUES(randomblob(900000));"
            "UPDATE t SET a=0; ROLLBACK");
    expect_rows(db, "SELECT a FROM t", "1");
    run(db, "INSERT INTO t VALUES(2)");
    expect_rows(db, "SELECT a FROM t; PRAGMA integrity_check", "1 2 ok");
    close_db(db);
    db = open_db("app.graft", "");
    expect_rows(db, "SELECT a FROM t; PRAGMA integrity_check", "1 2 ok");
    close_db(db);
}

Test(pragma, push_pull_and_fetch_say_what_they_did)
{
    sqlite3 *a = open_replica("one.graft", "repo/app");
    run(a, "CREATE TABLE t(a); INSERT INTO t VALUES(1)");
    expect_rows(a, "PRAGMA graft_push", "pushed 2 commits, 2 pages: remote LSN 1");
    expect_rows(a, "PRAGMA graft_push", "nothing to push");
    sqlite3 *b = open_replica("two.graft", "repo/app");
    expect_rows(b, "SELECT a FROM t", "1");
    expect_rows(b, "PRAGMA graft_pull", "nothing to pull");
    run(a, "INSERT INTO t VALUES(2); PRAGMA graft_push");
    expect_rows(b, "PRAGMA graft_fetch", "1 commit to pull: remote LSN 2");
    expect_rows(b, "SELECT a FROM t", "1");
    expect_rows(b, "SELECT state, behind FROM graft_status", "behind|1");
    expect_rows(b, "PRAGMA graft_pull", "pulled 1 commit, 1 page: remote LSN 2");
    expect_rows(b, "SELECT a FROM t", "1 2");
    expect_rows(b, "PRAGMA graft_fetch", "nothing to pull: remote LSN 2");
    close_db(a);
    close_db(b);
}

Test(pragma, hydrate_fetches_what_is_missing_once)
{
    sqlite3 *a = open_replica("one.graft", "repo/app");
    run(a, "CREATE TABLE t(a); INSERT INTO t VALUES(randomblob(300000)); PRAGMA graft_push");
    sqlite3 *b = open_replica("two.graft", "repo/app");
    cr_assert_neq(strncmp(rows(b, "PRAGMA graft_hydrate"), "nothing", 7), 0);
    expect_rows(b, "PRAGMA graft_hydrate", "nothing to fetch");
    expect_rows(b, "SELECT pages=pages_held FROM graft_status", "1");
    expect_rows(b, "SELECT length(a) FROM t; PRAGMA integrity_check", "300000 ok");
    close_db(a);
    close_db(b);
}

Test(pragma, divergence_is_an_error_until_a_reset)
{
    sqlite3 *a = open_replica("one.graft", "repo/app");
    run(a, "CREATE TABLE t(a); PRAGMA graft_push");
    sqlite3 *b = open_replica("two.graft", "repo/app");
    run(b, "INSERT INTO t VALUES('b')");
    run(a, "INSERT INTO t VALUES('a'); PRAGMA graft_push");
    cr_assert_eq(run_code(b, "PRAGMA graft_push"), SQLITE_ERROR);
    cr_assert_not_null(strstr(sqlite3_errmsg(b), "graft_push: "), "%s", sqlite3_errmsg(b));
    cr_assert_eq(run_code(b, "PRAGMA graft_pull"), SQLITE_ERROR);
    expect_rows(b, "SELECT a FROM t; SELECT state FROM graft_status", "b diverged");
    run(b, "PRAGMA graft_reset");
    expect_rows(b, "SELECT a FROM t; SELECT state FROM graft_status", "a synced");
    close_db(a);
    close_db(b);
}

Test(pragma, verbs_are_refused_inside_a_write_transaction)
{
    static const char *const verbs[] = {"push", "pull", "fetch", "hydrate", "reset", "export='x'"};
    sqlite3 *db = open_replica("one.graft", "repo/app");
    run(db, "CREATE TABLE t(a); PRAGMA graft_push; BEGIN; INSERT INTO t VALUES(1)");
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        char sql[64];
        snprintf(sql, sizeof sql, "PRAGMA graft_%s", verbs[i]);
        cr_assert_eq(run_code(db, sql), SQLITE_BUSY);
        cr_assert_not_null(strstr(sqlite3_errmsg(db), "a transaction is open on this connection"));
    }
    run(db, "COMMIT; PRAGMA graft_push");
    close_db(db);
}

Test(pragma, a_pragma_runs_when_it_is_prepared_and_can_be_repeated)
{
    sqlite3 *db = open_replica("one.graft", "repo/app");
    sqlite3_stmt *statement = NULL;
    run(db, "CREATE TABLE t(a)");
    cr_assert_eq(sqlite3_prepare_v2(db, "EXPLAIN PRAGMA graft_push", -1, &statement, NULL),
                 SQLITE_OK);
    sqlite3_finalize(statement);
    expect_rows(db, "PRAGMA graft_push", "nothing to push");
    close_db(db);
}

Test(pragma, the_remote_can_be_set_once)
{
    char sql[1200];
    sqlite3 *db = open_db("one.graft", "");
    run(db, "CREATE TABLE t(a)");
    expect_rows(db, "PRAGMA graft_remote", "");
    cr_assert_eq(run_code(db, "PRAGMA graft_push"), SQLITE_ERROR);
    cr_assert_not_null(strstr(sqlite3_errmsg(db), "graft_remote"), "%s", sqlite3_errmsg(db));
    snprintf(sql, sizeof sql, "PRAGMA graft_remote='%s'", remote_url("repo/app"));
    run(db, sql);
    expect_rows(db, "PRAGMA graft_remote", remote_url("repo/app"));
    expect_rows(db, "PRAGMA graft_push", "pushed 1 commit, 2 pages: remote LSN 1");
    snprintf(sql, sizeof sql, "PRAGMA graft_remote='%s'", remote_url("repo/other"));
    cr_assert_eq(run_code(db, sql), SQLITE_ERROR);
    close_db(db);
    db = open_db("one.graft", "");
    expect_rows(db, "PRAGMA graft_remote", remote_url("repo/app"));
    close_db(db);
}

Test(pragma, settings_are_checked_and_remembered)
{
    sqlite3 *db = open_db("one.graft", "");
    expect_rows(db, "PRAGMA graft_prefetch; PRAGMA graft_prefetch=64; PRAGMA graft_prefetch",
                "auto 64 64");
    cr_assert_eq(run_code(db, "PRAGMA graft_prefetch=sometimes"), SQLITE_ERROR);
    expect_rows(db, "PRAGMA graft_conflict; PRAGMA graft_conflict=error; PRAGMA graft_sync",
                "error error manual");
    close_db(db);
    db = open_db("one.graft", "");
    expect_rows(db, "PRAGMA graft_prefetch", "64");
    close_db(db);
}

Test(pragma, the_cache_limit_is_bytes_and_remembered)
{
    sqlite3 *db = open_db("one.graft", "");
    sqlite3 *other = open_db("one.graft", "");
    expect_rows(db, "PRAGMA graft_cache_limit; PRAGMA graft_cache_limit='1G'", "0 1073741824");
    expect_rows(other, "PRAGMA graft_cache_limit", "1073741824");
    close_db(other);
    cr_assert_eq(run_code(db, "PRAGMA graft_cache_limit=100"), SQLITE_ERROR);
    cr_assert_not_null(strstr(sqlite3_errmsg(db), "from 64K on"), "%s", sqlite3_errmsg(db));
    cr_assert_eq(run_code(db, "PRAGMA graft_cache_limit=-1"), SQLITE_ERROR);
    close_db(db);
    db = open_db("one.graft", "");
    expect_rows(db, "PRAGMA graft_cache_limit; PRAGMA graft_cache_limit=0", "1073741824 0");
    close_db(db);
    db = open_db("one.graft", "&mode=ro");
    expect_rows(db, "PRAGMA graft_cache_limit", "0");
    cr_assert_eq(run_code(db, "PRAGMA graft_cache_limit='1G'") & 0xff, SQLITE_READONLY);
    close_db(db);
}

Test(pragma, what_is_not_there_yet_says_so)
{
    static const char *const not_yet[] = {"graft_fork", "graft_restore", "graft_interval",
                                          "graft_sync=auto", "graft_conflict=fork"};
    sqlite3 *db = open_db("one.graft", "");
    for (size_t i = 0; i < sizeof not_yet / sizeof *not_yet; i++) {
        char sql[64];
        snprintf(sql, sizeof sql, "PRAGMA %s", not_yet[i]);
        cr_assert_eq(run_code(db, sql), SQLITE_ERROR);
        cr_assert_not_null(strstr(sqlite3_errmsg(db), "not supported yet"));
    }
    cr_assert_eq(run_code(db, "PRAGMA graft_psuh"), SQLITE_ERROR);
    cr_assert_not_null(strstr(sqlite3_errmsg(db), "no such pragma"));
    expect_rows(db, "PRAGMA graft_version", "graft " GRAFT_VERSION);
    close_db(db);
}

Test(pragma, verbs_take_a_schema)
{
    char sql[1200];
    sqlite3 *db = open_plain("plain.db");
    snprintf(sql, sizeof sql, "ATTACH 'file:%s/one.graft?vfs=graft&remote=%s' AS g", fix.dir.path,
             remote_url("repo/app"));
    run(db, sql);
    run(db, "CREATE TABLE g.t(a)");
    expect_rows(db, "PRAGMA g.graft_push", "pushed 1 commit, 2 pages: remote LSN 1");
    expect_rows(db, "PRAGMA graft_push", "");
    close_db(db);
}

Test(pragma, export_writes_a_plain_database_and_replaces_nothing)
{
    char sql[1200];
    sqlite3 *db = open_db("one.graft", "");
    run(db, "CREATE TABLE t(a); INSERT INTO t VALUES(1)");
    snprintf(sql, sizeof sql, "PRAGMA graft_export='%s'", graft_test_path(&fix.dir, "out.db"));
    run(db, sql);
    run(db, sql); /* the same once more */
    run(db, "INSERT INTO t VALUES(2)");
    cr_assert_neq(run_code(db, sql), SQLITE_OK);
    cr_assert_not_null(strstr(sqlite3_errmsg(db), "remove it first"));
    close_db(db);
    sqlite3 *plain = open_plain("out.db");
    expect_rows(plain, "SELECT a FROM t; PRAGMA integrity_check", "1 ok");
    close_db(plain);
    cr_assert_eq(count_files("out.db"), 1);
}

Test(pragma, a_reset_forgets_a_schema_of_the_same_number_in_every_connection)
{
    sqlite3 *a = open_replica("one.graft", "repo/app");
    run(a, "CREATE TABLE base(x); PRAGMA graft_push");
    sqlite3 *b = open_replica("two.graft", "repo/app");
    sqlite3 *other = open_replica("two.graft", "repo/app");
    expect_rows(b, "SELECT * FROM base", "");
    run(a, "CREATE TABLE theirs(p, q); INSERT INTO theirs VALUES(1, 2); PRAGMA graft_push");
    run(b, "CREATE TABLE ours(only); INSERT INTO ours VALUES('dropped')");
    expect_rows(other, "SELECT * FROM ours", "dropped");
    run(b, "PRAGMA graft_reset");
    cr_assert_eq(run_code(b, "SELECT * FROM ours"), SQLITE_ERROR);
    cr_assert_eq(run_code(other, "SELECT * FROM ours"), SQLITE_ERROR);
    expect_rows(b, "SELECT * FROM theirs", "1|2");
    expect_rows(other, "SELECT * FROM theirs; CREATE TABLE more(x); PRAGMA integrity_check",
                "1|2 ok");
    expect_rows(b, "SELECT count(*) FROM more", "0");
    close_db(a);
    close_db(other);
    close_db(b);
}

Test(pragma, a_commit_of_another_connection_leaves_the_schema_of_a_replica_known)
{
    sqlite3 *a = open_replica("one.graft", "repo/app");
    sqlite3 *other = open_replica("one.graft", "repo/app");
    run(a, "CREATE TABLE t(x); PRAGMA graft_push");
    expect_rows(other, "PRAGMA schema_version", "1");
    run(a, "INSERT INTO t VALUES(1)");
    expect_rows(other, "SELECT x FROM t; PRAGMA schema_version", "1 1");
    close_db(a);
    close_db(other);
}
