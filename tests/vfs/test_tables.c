/* The introspection tables. */
#include <stdlib.h>
#include <string.h>

#include "fixture.h"

TestSuite(tables, .init = fixture_init, .fini = fixture_fini);

static const char *columns(sqlite3 *db, const char *table)
{
    char sql[200];
    snprintf(sql, sizeof sql, "SELECT group_concat(name) FROM pragma_table_info('%s')", table);
    return rows(db, sql);
}

Test(tables, have_the_columns_that_are_promised_in_their_order)
{
    sqlite3 *db = open_db("app.graft", "");
    cr_assert_str_eq(
        columns(db, "graft_status"),
        "volume,remote,local_lsn,remote_lsn,ahead,behind,state,pages,pages_held,last_error");
    cr_assert_str_eq(columns(db, "graft_log"), "lsn,side,time,client,pages,hash");
    cr_assert_str_eq(columns(db, "graft_pages"), "page,lsn,state");
    cr_assert_str_eq(columns(db, "graft_stats"), "name,value");
    cr_assert_str_eq(columns(db, "graft_conflicts"), "lsn,time,client,reason");
    close_db(db);
}

Test(tables, status_follows_the_volume)
{
    sqlite3 *db = open_db("app.graft", "");
    expect_rows(
        db,
        "SELECT local_lsn, remote_lsn, ahead, behind, state, pages, last_error FROM graft_status",
        "0|0|0|0|local|0|");
    run(db, "CREATE TABLE t(a); INSERT INTO t VALUES(1)");
    expect_rows(db, "SELECT local_lsn, state, pages, pages_held, length(volume) FROM graft_status",
                "2|local|2|2|32");
    close_db(db);
}

Test(tables, log_lists_local_then_remote_commits_newest_first)
{
    sqlite3 *db = open_replica("one.graft", "repo/app");
    run(db, "CREATE TABLE t(a); PRAGMA graft_push; INSERT INTO t VALUES(1); PRAGMA graft_push;"
            "INSERT INTO t VALUES(2); INSERT INTO t VALUES(3)");
    expect_rows(db, "SELECT side, lsn FROM graft_log",
                rows(db, "SELECT side, lsn FROM graft_log ORDER BY side, lsn DESC"));
    expect_rows(db, "SELECT side, count(*) FROM graft_log GROUP BY 1", "local|2 remote|2");
    expect_rows(db, "SELECT side, lsn FROM graft_log WHERE side='remote'", "remote|2 remote|1");
    expect_rows(db, "SELECT count(*) FROM (SELECT 1 FROM graft_log LIMIT 3)", "3");
    expect_rows(db, "SELECT count(*) FROM (SELECT 1 FROM graft_log LIMIT 0)", "0");
    expect_rows(db, "SELECT count(*) FROM (SELECT 1 FROM graft_log LIMIT 2 OFFSET 1)", "2");
    expect_rows(db,
                "SELECT DISTINCT time GLOB '20[0-9][0-9]-[01][0-9]-[0-3][0-9]T*Z', length(client)"
                " FROM graft_log",
                "1|32");
    expect_rows(db, "SELECT DISTINCT length(hash) FROM graft_log WHERE side='remote'", "32");
    close_db(db);
}

Test(tables, pages_tell_what_is_held)
{
    sqlite3 *a = open_replica("one.graft", "repo/app");
    run(a, "CREATE TABLE t(a); INSERT INTO t VALUES(randomblob(400000)); CREATE TABLE u(a); PRAGMA "
           "graft_push;"
           "INSERT INTO u VALUES(1)");
    expect_rows(a, "SELECT state, count(*)>0 FROM graft_pages GROUP BY 1", "ahead|1 held|1");
    sqlite3 *b = open_replica("two.graft", "repo/app");
    /* Nothing is streamed then, also where a busy machine makes a directory as slow as a link. */
    run(b, "PRAGMA graft_prefetch=off");
    expect_rows(b, "SELECT count(*) FROM u", "0");
    expect_rows(
        b, "SELECT count(*)=(SELECT pages FROM graft_status), max(page)=count(*) FROM graft_pages",
        "1|1");
    expect_rows(
        b,
        "SELECT (SELECT count(*) FROM graft_pages WHERE state='held')=pages_held FROM graft_status",
        "1");
    cr_assert_gt(number(b, "SELECT count(*) FROM graft_pages WHERE state='remote'"), 50);
    close_db(a);
    close_db(b);
}

Test(tables, stats_count_requests)
{
    sqlite3 *a = open_replica("one.graft", "repo/app");
    run(a, "CREATE TABLE t(a); PRAGMA graft_push");
    cr_assert_gt(number(a, "SELECT value FROM graft_stats WHERE name='requests'"), 0);
    expect_rows(a,
                "SELECT count(DISTINCT name)=count(*) FROM graft_stats; SELECT count(*) FROM "
                "graft_conflicts",
                "1 0");
    close_db(a);
}

Test(tables, take_a_schema_and_are_empty_where_it_is_not_ours)
{
    char sql[1200];
    sqlite3 *db = open_plain("plain.db");
    snprintf(sql, sizeof sql, "ATTACH 'file:%s/one.graft?vfs=graft' AS g; CREATE TABLE g.t(a)",
             fix.dir.path);
    run(db, sql);
    expect_rows(db,
                "SELECT * FROM graft_status; SELECT * FROM graft_log; SELECT * FROM graft_pages;"
                "SELECT * FROM graft_stats; SELECT * FROM graft_status('temp')",
                "");
    expect_rows(db,
                "SELECT pages FROM graft_status('g'); SELECT count(*) FROM graft_pages('g');"
                "SELECT pages FROM graft_status WHERE schema='g'",
                "2 2 2");
    expect_rows(db,
                "SELECT d.name, s.pages FROM pragma_database_list AS d, graft_status(d.name) AS s",
                "g|2");
    cr_assert_eq(run_code(db, "SELECT * FROM graft_status('nowhere')"), SQLITE_ERROR);
    cr_assert_str_eq(sqlite3_errmsg(db), "no such schema: nowhere");
    close_db(db);
}

Test(tables, a_table_of_ones_own_cannot_be_made_of_them)
{
    sqlite3 *db = open_db("app.graft", "");
    cr_assert_neq(run_code(db, "CREATE VIRTUAL TABLE x USING graft_status"), SQLITE_OK);
    close_db(db);
}

Test(tables, with_page_1_out_of_reach_the_failure_is_still_told)
{
    sqlite3 *a = open_replica("one.graft", "repo/app");
    run(a, "CREATE TABLE t(a); INSERT INTO t VALUES(1); PRAGMA graft_push");
    close_db(a);
    sqlite3 *b = open_replica("two.graft", "repo/app");
    graft_faults_arm(&fix.faulty.faults, GRAFT_FAULT_ALL, 1, GRAFT_EIO, true);
    fix.log[0] = '\0';
    int code = run_code(b, "SELECT a FROM t");
    cr_assert_eq(code & 0xff, SQLITE_IOERR, "%d", code);
    cr_assert_not_null(strstr(fix.log, "graft: "));
    graft_faults_disarm(&fix.faulty.faults);
    const char *status = rows(b, "PRAGMA graft_status");
    cr_assert_not_null(strstr(status, "last error: "), "%s", status);
    expect_rows(b, "SELECT a FROM t; SELECT last_error<>'' FROM graft_status", "1 0");
    close_db(b);
}

Test(tables, a_first_meeting_that_fails_is_never_taken_for_an_empty_database, .timeout = 300)
{
    sqlite3 *a = open_replica("one.graft", "repo/app");
    run(a, "CREATE TABLE t(a); INSERT INTO t VALUES(1); PRAGMA graft_push");
    close_db(a);
    uint64_t nth = 1;
    for (; nth < 1000; nth++) {
        sqlite3 *b = open_replica("two.graft", "repo/app");
        graft_faults_arm(&fix.faulty.faults, GRAFT_FAULT_ALL, nth, GRAFT_EIO, false);
        int code = run_code(b, "SELECT a FROM t");
        uint64_t failed = graft_faults_disarm(&fix.faulty.faults);
        cr_assert(code == SQLITE_OK || (code & 0xff) == SQLITE_IOERR, "call %llu: %d: %s",
                  (unsigned long long)nth, code, fix.log);
        /* What a failure in the middle of taking on the volume leaves is healed by the next open.
         */
        code = run_code(b, "SELECT a FROM t");
        cr_assert(code == SQLITE_OK || (code & 0xff) == SQLITE_IOERR, "call %llu: %d: %s",
                  (unsigned long long)nth, code, fix.log);
        close_db(b);
        b = open_db("two.graft", "");
        expect_rows(b, "SELECT a FROM t; PRAGMA integrity_check", "1 ok");
        close_db(b);
        graft_test_remove(graft_test_path(&fix.dir, "two.graft"));
        if (failed == 0)
            break;
    }
    cr_assert_gt(nth, 5);
}
