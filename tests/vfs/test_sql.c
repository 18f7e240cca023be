/* What users of a plain SQLite file take for granted. */
#include <string.h>

#include "fixture.h"

TestSuite(sql, .init = fixture_init, .fini = fixture_fini);

#define NUMBERS "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM c LIMIT 5000) "

static void attach(sqlite3 *db, const char *name, const char *as)
{
    char sql[1200];
    snprintf(sql, sizeof sql, "ATTACH '%s/%s' AS %s", fix.dir.path, name, as);
    run(db, sql);
}

static void vacuum_into(sqlite3 *db, const char *target)
{
    char sql[1200];
    snprintf(sql, sizeof sql, "VACUUM INTO '%s'", target);
    run(db, sql);
}

Test(sql, vacuum_shrinks_the_volume)
{
    sqlite3 *db = open_db("app.graft", "");
    run(db, "CREATE TABLE t(a INTEGER PRIMARY KEY, b)");
    run(db, NUMBERS "INSERT INTO t SELECT i, randomblob(500) FROM c");
    sqlite3_int64 before = number(db, "SELECT pages FROM graft_status");
    run(db, "DELETE FROM t WHERE a>100; VACUUM");
    cr_assert_lt(number(db, "SELECT pages FROM graft_status"), before / 10);
    cr_assert_eq(number(db, "SELECT pages FROM graft_status"), number(db, "PRAGMA page_count"));
    expect_rows(db, "SELECT count(*) FROM t; PRAGMA integrity_check", "100 ok");
    close_db(db);
    db = open_db("app.graft", "");
    expect_rows(db, "SELECT count(*) FROM t; PRAGMA integrity_check", "100 ok");
    close_db(db);
}

Test(sql, incremental_vacuum_shrinks_the_volume)
{
    sqlite3 *db = open_db("app.graft", "");
    run(db, "PRAGMA auto_vacuum=INCREMENTAL; CREATE TABLE t(a)");
    run(db, NUMBERS "INSERT INTO t SELECT randomblob(500) FROM c");
    run(db, "DELETE FROM t; PRAGMA incremental_vacuum(100)");
    cr_assert_eq(number(db, "SELECT pages FROM graft_status"), number(db, "PRAGMA page_count"));
    expect_rows(db, "PRAGMA integrity_check", "ok");
    close_db(db);
}

Test(sql, vacuum_into_goes_both_ways)
{
    sqlite3 *db = open_db("app.graft", "");
    char target[1200];
    run(db, "CREATE TABLE t(a); INSERT INTO t VALUES('x')");
    vacuum_into(db, graft_test_path(&fix.dir, "plain.db"));
    vacuum_into(db, graft_test_path(&fix.dir, "copy.graft"));
    close_db(db);
    sqlite3 *plain = open_plain("plain.db");
    expect_rows(plain, "SELECT a FROM t; PRAGMA integrity_check", "x ok");
    run(plain, "PRAGMA journal_mode=WAL; INSERT INTO t VALUES('y')");
    snprintf(target, sizeof target, "file:%s/from.graft?vfs=graft", fix.dir.path);
    vacuum_into(plain, target);
    close_db(plain);
    sqlite3 *copy = open_db("copy.graft", "");
    expect_rows(copy, "SELECT a FROM t; PRAGMA integrity_check", "x ok");
    snprintf(target, sizeof target, "VACUUM INTO '%s'", graft_test_path(&fix.dir, "copy.graft"));
    cr_assert_eq(run_code(copy, target), SQLITE_ERROR, "an existing volume is not overwritten");
    close_db(copy);
    sqlite3 *from = open_db("from.graft", "");
    expect_rows(from, "SELECT a FROM t; PRAGMA integrity_check; PRAGMA journal_mode",
                "x y ok delete");
    close_db(from);
}

Test(sql, vacuum_into_keeps_the_page_size)
{
    sqlite3 *db = open_db("app.graft", "&page_size=1024");
    run(db, "CREATE TABLE t(a); INSERT INTO t VALUES('x')");
    vacuum_into(db, graft_test_path(&fix.dir, "copy.graft"));
    close_db(db);
    db = open_db("copy.graft", "");
    expect_rows(db, "PRAGMA page_size; SELECT a FROM t; PRAGMA integrity_check", "1024 x ok");
    close_db(db);
}

Test(sql, one_transaction_over_graft_and_plain_databases)
{
    sqlite3 *db = open_db("app.graft", "");
    attach(db, "second.graft", "g");
    attach(db, "plain.db", "p");
    run(db,
        "CREATE TABLE t(a); CREATE TABLE g.u(a); CREATE TABLE p.v(a);"
        "BEGIN; INSERT INTO t VALUES(1); INSERT INTO u VALUES(2); INSERT INTO v VALUES(3); COMMIT");
    expect_rows(db, "SELECT t.a, u.a, v.a FROM t, u, v", "1|2|3");
    run(db, "BEGIN; UPDATE t SET a=9; UPDATE u SET a=9; UPDATE v SET a=9; ROLLBACK");
    expect_rows(db, "SELECT t.a, u.a, v.a FROM t, u, v", "1|2|3");
    run(db, "DETACH p; DETACH g");
    close_db(db);
    cr_assert_eq(count_files(""), 3, "journals or super-journals are left");
}

Test(sql, dbstat_and_dbpage_and_integrity_check_work)
{
    sqlite3 *db = open_db("app.graft", "");
    run(db, "CREATE TABLE t(a); CREATE INDEX i ON t(a)");
    run(db, NUMBERS "INSERT INTO t SELECT hex(randomblob(30)) FROM c");
    cr_assert_eq(number(db, "SELECT sum(pgsize) FROM dbstat"),
                 number(db, "PRAGMA page_count") * number(db, "PRAGMA page_size"));
    expect_rows(db, "PRAGMA integrity_check; PRAGMA quick_check; PRAGMA foreign_key_check",
                "ok ok");
    close_db(db);
}

Test(sql, full_text_search_and_r_trees_work)
{
    sqlite3 *db = open_db("app.graft", "");
    run(db, "CREATE VIRTUAL TABLE f USING fts5(a); CREATE VIRTUAL TABLE r USING rtree(id, x0, x1)");
    run(db, NUMBERS "INSERT INTO f SELECT 'word' || i || ' common' FROM c");
    run(db, NUMBERS "INSERT INTO r SELECT i, i, i+1 FROM c");
    expect_rows(db, "SELECT a FROM f('word4321'); SELECT count(*) FROM f('common')",
                "word4321 common 5000");
    expect_rows(db, "SELECT id FROM r WHERE x0>=77 AND x1<=79", "77 78");
    run(db, "INSERT INTO f(f) VALUES('optimize'); INSERT INTO f(f) VALUES('integrity-check')");
    run(db, "DELETE FROM f WHERE rowid%2=0");
    close_db(db);
    db = open_db("app.graft", "");
    expect_rows(db, "SELECT count(*) FROM f('common'); PRAGMA integrity_check", "2500 ok");
    close_db(db);
}

Test(sql, a_blob_of_100_mb_goes_in_and_comes_out, .timeout = 300)
{
    sqlite3 *db = open_db("app.graft", "");
    run(db, "CREATE TABLE t(a); INSERT INTO t VALUES(zeroblob(100000000)); UPDATE t SET "
            "a=randomblob(100000000)");
    expect_rows(db, "SELECT length(a) FROM t", "100000000");
    run(db, "CREATE TABLE u AS SELECT a FROM t");
    close_db(db);
    db = open_db("app.graft", "");
    expect_rows(db, "SELECT t.a=u.a FROM t, u", "1");
    run(db, "BEGIN; DELETE FROM t; ROLLBACK");
    expect_rows(db, "SELECT t.a=u.a FROM t, u; PRAGMA quick_check", "1 ok");
    close_db(db);
}

Test(sql, incremental_blob_handles_read_and_write)
{
    sqlite3 *db = open_db("app.graft", "");
    sqlite3_blob *blob = NULL;
    char text[6] = "";
    run(db, "CREATE TABLE t(a); INSERT INTO t VALUES(zeroblob(50000))");
    cr_assert_eq(sqlite3_blob_open(db, "main", "t", "a", 1, 1, &blob), SQLITE_OK);
    cr_assert_eq(sqlite3_blob_write(blob, "hello", 5, 40000), SQLITE_OK);
    cr_assert_eq(sqlite3_blob_close(blob), SQLITE_OK);
    cr_assert_eq(sqlite3_blob_open(db, "main", "t", "a", 1, 0, &blob), SQLITE_OK);
    cr_assert_eq(sqlite3_blob_read(blob, text, 5, 40000), SQLITE_OK);
    cr_assert_str_eq(text, "hello");
    sqlite3_blob_close(blob);
    close_db(db);
}

Test(sql, generated_columns_triggers_and_upserts_work)
{
    sqlite3 *db = open_db("app.graft", "");
    run(db, "CREATE TABLE t(a INTEGER PRIMARY KEY, b, c AS (b*2) STORED, d AS (b*3));"
            "CREATE INDEX i ON t(d); CREATE TABLE l(x);"
            "CREATE TRIGGER g AFTER INSERT ON t BEGIN INSERT INTO l VALUES(new.c); END;"
            "INSERT INTO t(a,b) VALUES(1,5) ON CONFLICT DO NOTHING;"
            "INSERT INTO t(a,b) VALUES(1,6) ON CONFLICT(a) DO UPDATE SET b=excluded.b");
    expect_rows(db, "SELECT * FROM t; SELECT x FROM l; PRAGMA integrity_check", "1|6|12|18 10 ok");
    close_db(db);
}

Test(sql, the_backup_interface_copies_in_and_out)
{
    sqlite3 *db = open_db("app.graft", "");
    sqlite3 *plain = open_plain("plain.db");
    run(plain, "PRAGMA journal_mode=WAL; CREATE TABLE t(a); INSERT INTO t VALUES(42)");
    run(db, "CREATE TABLE old(a); INSERT INTO old VALUES(1)");
    sqlite3_backup *backup = sqlite3_backup_init(db, "main", plain, "main");
    cr_assert_eq(sqlite3_backup_step(backup, -1), SQLITE_DONE);
    cr_assert_eq(sqlite3_backup_finish(backup), SQLITE_OK);
    expect_rows(db, "SELECT a FROM t; PRAGMA journal_mode; PRAGMA integrity_check", "42 delete ok");
    run(db, "INSERT INTO t VALUES(43)");
    close_db(plain);
    plain = open_plain("back.db");
    backup = sqlite3_backup_init(plain, "main", db, "main");
    cr_assert_eq(sqlite3_backup_step(backup, -1), SQLITE_DONE);
    cr_assert_eq(sqlite3_backup_finish(backup), SQLITE_OK);
    expect_rows(plain, "SELECT a FROM t; PRAGMA integrity_check", "42 43 ok");
    close_db(plain);
    close_db(db);
    db = open_db("app.graft", "");
    expect_rows(db, "SELECT a FROM t", "42 43");
    close_db(db);
}

Test(sql, a_backup_with_another_page_size_is_refused_and_harms_nothing)
{
    sqlite3 *db = open_db("app.graft", "");
    sqlite3 *plain = open_plain("plain.db");
    run(plain, "PRAGMA page_size=1024; CREATE TABLE t(a); INSERT INTO t VALUES(randomblob(50000))");
    run(db, "CREATE TABLE old(a); INSERT INTO old VALUES(1)");
    sqlite3_backup *backup = sqlite3_backup_init(db, "main", plain, "main");
    int code = sqlite3_backup_step(backup, -1);
    cr_assert_neq(code, SQLITE_DONE);
    cr_assert_neq(code, SQLITE_OK);
    (void)sqlite3_backup_finish(backup);
    expect_rows(db, "SELECT a FROM old; PRAGMA integrity_check", "1 ok");
    close_db(plain);
    close_db(db);
}

Test(sql, shared_cache_connections_work)
{
    sqlite3 *a = open_db("app.graft", "&cache=shared");
    sqlite3 *b = open_db("app.graft", "&cache=shared");
    run(a, "CREATE TABLE t(a); INSERT INTO t VALUES(1)");
    expect_rows(b, "SELECT a FROM t", "1");
    run(b, "INSERT INTO t VALUES(2)");
    expect_rows(a, "SELECT a FROM t", "1 2");
    close_db(a);
    close_db(b);
}
