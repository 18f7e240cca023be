/* Import of plain databases, and export. */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "fixture.h"
#include "vfs/backup.h"

TestSuite(backup, .init = fixture_init, .fini = fixture_fini);

static enum graft_rc import(const char *file, const char *directory, uint64_t *pages,
                            struct graft_err *err)
{
    return graft_backup_import("graft", graft_test_path(&fix.dir, file),
                               graft_test_path(&fix.dir, directory), NULL, NULL, NULL, pages, err);
}

Test(backup, import_and_export_keep_every_byte_of_every_page_size)
{
    for (int size = 512; size <= 65536; size *= 4) {
        char sql[200], name[32], out[32];
        struct graft_err err = {0};
        uint64_t pages = 0;
        snprintf(name, sizeof name, "in%d.db", size);
        snprintf(out, sizeof out, "d%d.graft", size);
        sqlite3 *plain = open_plain(name);
        snprintf(sql, sizeof sql,
                 "PRAGMA page_size=%d; CREATE TABLE t(a); INSERT INTO t VALUES(randomblob(300000))",
                 size);
        run(plain, sql);
        sqlite3_int64 count = number(plain, "PRAGMA page_count");
        expect_ok(import(name, out, &pages, &err), &err);
        cr_assert_eq((sqlite3_int64)pages, count);
        sqlite3 *db = open_db(out, "");
        cr_assert_eq(number(db, "PRAGMA page_size"), size);
        expect_rows(db, "PRAGMA integrity_check", "ok");
        snprintf(sql, sizeof sql, "ATTACH '%s' AS p", graft_test_path(&fix.dir, name));
        run(db, sql);
        expect_rows(db, "SELECT x.a=y.a FROM main.t x, p.t y", "1");
        close_db(db);
        close_db(plain);
    }
}

Test(backup, import_reads_what_stands_in_a_wal)
{
    struct graft_err err = {0};
    uint64_t pages = 0;
    sqlite3 *plain = open_plain("wal.db");
    run(plain, "PRAGMA journal_mode=WAL; CREATE TABLE t(a); INSERT INTO t VALUES(5)");
    expect_ok(import("wal.db", "app.graft", &pages, &err), &err);
    close_db(plain);
    sqlite3 *db = open_db("app.graft", "");
    expect_rows(db, "SELECT a FROM t; PRAGMA journal_mode; PRAGMA integrity_check", "5 delete ok");
    run(db, "INSERT INTO t VALUES(6)");
    close_db(db);
}

Test(backup, import_refuses_what_is_no_database_or_has_one_already)
{
    struct graft_err err = {0};
    uint64_t pages = 0;
    int file = open(graft_test_path(&fix.dir, "text"), O_CREAT | O_WRONLY, 0666);
    for (int i = 0; i < 100; i++)
        cr_assert_eq(write(file, "not a database at all\n", 22), 22);
    close(file);
    expect_rc(import("text", "app.graft", &pages, &err), GRAFT_EFOREIGN, &err);
    expect_rc(import("missing", "app.graft", &pages, &err), GRAFT_ENOTFOUND, &err);
    cr_assert_not_null(strstr(err.text, "missing"));
    cr_assert(!there("missing"));
    cr_assert(!there("app.graft"));
    sqlite3 *plain = open_plain("plain.db");
    run(plain, "CREATE TABLE t(a)");
    close_db(plain);
    expect_ok(import("plain.db", "app.graft", &pages, &err), &err);
    expect_rc(import("plain.db", "app.graft", &pages, &err), GRAFT_EEXIST, &err);
}

static bool stop_at_once(void *arg, uint64_t done, uint64_t total)
{
    (void)done;
    (void)total;
    ++*(int *)arg;
    return false;
}

Test(backup, a_stopped_import_or_export_can_be_run_again)
{
    struct graft_err err = {0};
    uint64_t pages = 0;
    int calls = 0;
    sqlite3 *plain = open_plain("plain.db");
    run(plain, "CREATE TABLE t(a); INSERT INTO t VALUES(randomblob(5000000))");
    close_db(plain);
    expect_rc(graft_backup_import("graft", graft_test_path(&fix.dir, "plain.db"),
                                  graft_test_path(&fix.dir, "app.graft"), NULL, stop_at_once,
                                  &calls, &pages, &err),
              GRAFT_ECANCELED, &err);
    cr_assert_eq(calls, 1);
    expect_ok(import("plain.db", "app.graft", &pages, &err), &err);
    sqlite3 *db = open_db("app.graft", "");
    expect_rc(graft_backup_export(&fix.faulty.env, graft_vfs_volume(db, "main"),
                                  graft_test_path(&fix.dir, "out.db"), stop_at_once, &calls, &pages,
                                  &err),
              GRAFT_ECANCELED, &err);
    close_db(db);
    cr_assert_eq(count_files("out"), 0);
}

Test(backup, no_failing_call_of_an_export_leaves_a_partial_file)
{
    struct graft_err err = {0};
    uint64_t pages = 0, nth = 1;
    sqlite3 *db = open_db("app.graft", "");
    run(db, "CREATE TABLE t(a); INSERT INTO t VALUES(randomblob(50000))");
    for (; nth < 1000; nth++) {
        graft_faults_arm(&fix.faulty.faults, GRAFT_FAULT_ALL & ~(unsigned)GRAFT_FAULT_REMOVE, nth,
                         GRAFT_EFULL, false);
        enum graft_rc rc =
            graft_backup_export(&fix.faulty.env, graft_vfs_volume(db, "main"),
                                graft_test_path(&fix.dir, "out.db"), NULL, NULL, &pages, &err);
        if (graft_faults_disarm(&fix.faulty.faults) == 0)
            break;
        if (rc == GRAFT_OK || there("out.db")) {
            sqlite3 *plain = open_plain("out.db");
            expect_rows(plain, "PRAGMA integrity_check; SELECT length(a) FROM t", "ok 50000");
            close_db(plain);
        }
        graft_test_remove(graft_test_path(&fix.dir, "out.db"));
        cr_assert_eq(count_files("out"), 0);
    }
    cr_assert_gt(nth, 3);
    close_db(db);
}
