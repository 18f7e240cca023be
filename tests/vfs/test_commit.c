/* Transactions: journals, the two phases, durability, the writer role, and what failures leave. */
#include <pthread.h>
#include <sched.h>
#include <string.h>

#include "fixture.h"
#include "vfs/backup.h"

TestSuite(commit, .init = fixture_init, .fini = fixture_fini);

#define NUMBERS "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM c LIMIT 20000) "

static const char *const modes[] = {"DELETE", "TRUNCATE", "PERSIST", "MEMORY", "OFF"};

Test(commit, every_journal_mode_but_wal_commits_and_leaves_no_journal_file)
{
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        char name[32], sql[64];
        snprintf(name, sizeof name, "%s.graft", modes[i]);
        snprintf(sql, sizeof sql, "PRAGMA journal_mode=%s", modes[i]);
        sqlite3 *db = open_db(name, "");
        cr_assert_eq(sqlite3_stricmp(rows(db, sql), modes[i]), 0);
        run(db, "CREATE TABLE t(a); INSERT INTO t VALUES(1); INSERT INTO t VALUES(2);"
                "UPDATE t SET a=a+1; DELETE FROM t WHERE a=2");
        run(db, "BEGIN; INSERT INTO t VALUES(9)");
        cr_assert_eq(count_files(name), 1, "%s has a journal file", modes[i]);
        run(db, "COMMIT");
        expect_rows(db, "SELECT a FROM t; PRAGMA integrity_check", "3 9 ok");
        close_db(db);
        cr_assert_eq(count_files(name), 1);
    }
}

Test(commit, a_rollback_after_a_spill_restores_all_in_every_journal_mode)
{
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        char name[32], sql[64];
        snprintf(name, sizeof name, "%s.graft", modes[i]);
        snprintf(sql, sizeof sql, "PRAGMA journal_mode=%s; PRAGMA cache_size=10", modes[i]);
        sqlite3 *db = open_db(name, "");
        run(db, "CREATE TABLE t(a INTEGER PRIMARY KEY, b)");
        run(db, NUMBERS "INSERT INTO t SELECT i, 'old' || hex(zeroblob(100)) FROM c");
        run(db, sql);
        run(db, "BEGIN; UPDATE t SET b='new' || hex(zeroblob(150)); DELETE FROM t WHERE a%3=0");
        cr_assert_eq(count_files(""), 1, "journals past 1 MB have no name");
        (void)run_code(db, "ROLLBACK");
        expect_rows(db, "SELECT count(*), sum(b LIKE 'old%') FROM t; PRAGMA integrity_check",
                    "20000|20000 ok");
        run(db, "INSERT INTO t VALUES(0,'more')");
        close_db(db);
        db = open_db(name, "");
        expect_rows(db, "SELECT count(*), sum(b LIKE 'old%') FROM t; PRAGMA integrity_check",
                    "20001|20000 ok");
        close_db(db);
        graft_test_remove(graft_test_path(&fix.dir, name));
    }
}

Test(commit, a_spilled_and_rolled_back_transaction_makes_no_commit)
{
    sqlite3 *db = open_db("app.graft", "");
    sqlite3 *other = open_db("app.graft", "");
    run(db, "CREATE TABLE t(a, b); PRAGMA cache_size=10");
    sqlite3_int64 lsn = number(db, "SELECT local_lsn FROM graft_status");
    run(db, "BEGIN");
    run(db, NUMBERS "INSERT INTO t SELECT i, hex(randomblob(100)) FROM c");
    run(db, "ROLLBACK");
    cr_assert_eq(number(db, "SELECT local_lsn FROM graft_status"), lsn);
    expect_rows(other, "SELECT count(*) FROM t", "0");
    run(other, "INSERT INTO t VALUES(1,2)");
    expect_rows(db, "SELECT * FROM t; PRAGMA integrity_check", "1|2 ok");
    close_db(other);
    close_db(db);
}

/* From now on commits are published before they are synced, as if others waited. */
static void make_a_crowd(const char *name)
{
    sqlite3 *writer = open_db(name, ""), *waiter = open_db(name, "");
    run(waiter, "CREATE TABLE IF NOT EXISTS crowd(a); INSERT INTO crowd VALUES(1)");
    run(writer, "BEGIN; INSERT INTO crowd VALUES(2)");
    /* Who wrote before asks for the role before it pins, and stands in line. */
    cr_assert_eq(run_code(waiter, "BEGIN IMMEDIATE"), SQLITE_BUSY);
    run(writer, "COMMIT");
    close_db(waiter);
    close_db(writer);
}

Test(commit, a_rollback_makes_no_commit_where_commits_share_syncs)
{
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        char name[32], sql[80];
        snprintf(name, sizeof name, "%s.graft", modes[i]);
        snprintf(sql, sizeof sql, "PRAGMA journal_mode=%s; PRAGMA cache_size=10", modes[i]);
        sqlite3 *db = open_db(name, "");
        run(db, "CREATE TABLE t(a, b)");
        run(db, sql);
        make_a_crowd(name);
        sqlite3_int64 lsn = number(db, "SELECT local_lsn FROM graft_status");
        run(db, "BEGIN");
        run(db, NUMBERS "INSERT INTO t SELECT i, hex(randomblob(100)) FROM c");
        (void)run_code(db, "ROLLBACK");
        cr_expect_eq(number(db, "SELECT local_lsn FROM graft_status"), lsn, "%s", modes[i]);
        close_db(db);
        graft_test_remove(graft_test_path(&fix.dir, name));
    }
}

/* SQLite uses no super-journal here: the main database is in memory. */
Test(commit, files_beside_a_memory_database_commit_together_where_commits_share_syncs)
{
    sqlite3 *db = open_db("x.graft", "");
    run(db, "CREATE TABLE t(a); INSERT INTO t VALUES(0)");
    sqlite3 *second = open_db("y.graft", "");
    run(second, "CREATE TABLE t(a); INSERT INTO t VALUES(0)");
    uint64_t hit = 1;
    for (uint64_t nth = 1; hit > 0; nth++) {
        char sql[2400];
        snprintf(sql, sizeof sql,
                 "ATTACH 'file:%s/x.graft?vfs=graft' AS x; ATTACH 'file:%s/y.graft?vfs=graft' AS y;"
                 "BEGIN; UPDATE x.t SET a=a+1; UPDATE y.t SET a=a+1",
                 fix.dir.path, fix.dir.path);
        sqlite3 *both = NULL;
        cr_assert_eq(sqlite3_open_v2(":memory:", &both,
                                     SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_URI,
                                     NULL),
                     SQLITE_OK);
        make_a_crowd("x.graft");
        run(both, sql);
        graft_faults_arm(&fix.faulty.faults,
                         GRAFT_FAULT_WRITE | GRAFT_FAULT_ALLOCATE | GRAFT_FAULT_SPACE, nth,
                         GRAFT_EFULL, true);
        int code = run_code(both, "COMMIT");
        hit = graft_faults_disarm(&fix.faulty.faults);
        cr_assert_eq(code == SQLITE_OK, hit == 0);
        if (!sqlite3_get_autocommit(both))
            run(both, "ROLLBACK");
        cr_assert_eq(sqlite3_close(both), SQLITE_OK);
        cr_assert_eq(number(db, "SELECT a FROM t"), number(second, "SELECT a FROM t"));
    }
    close_db(second);
    close_db(db);
}

/* The pragma sets the mode of attached databases, too, and tells them nothing. */
Test(commit, an_attached_database_in_exclusive_mode_keeps_the_role_where_commits_share_syncs)
{
    sqlite3 *other = open_db("app.graft", "");
    run(other, "CREATE TABLE t(a)");
    make_a_crowd("app.graft");
    sqlite3 *db = open_db("main.graft", "");
    char sql[1200];
    snprintf(sql, sizeof sql, "ATTACH 'file:%s/app.graft?vfs=graft' AS app", fix.dir.path);
    run(db, sql);
    run(db, "PRAGMA locking_mode=EXCLUSIVE");
    run(db, "INSERT INTO app.t VALUES(1)");
    cr_assert_eq(run_code(other, "INSERT INTO t VALUES(2)") & 0xff, SQLITE_BUSY);
    run(db, "INSERT INTO app.t VALUES(3)");
    expect_rows(db, "SELECT a FROM app.t", "1 3");
    close_db(db);
    run(other, "INSERT INTO t VALUES(4)");
    expect_rows(other, "SELECT a FROM t", "1 3 4");
    close_db(other);
}

Test(commit, savepoints_roll_back_across_spills)
{
    sqlite3 *db = open_db("app.graft", "");
    run(db, "CREATE TABLE t(a INTEGER PRIMARY KEY, b); PRAGMA cache_size=10; BEGIN");
    run(db, NUMBERS "INSERT INTO t SELECT i, hex(randomblob(50)) FROM c");
    run(db, "SAVEPOINT s; UPDATE t SET b='x'; DELETE FROM t WHERE a>100; SAVEPOINT r;"
            "INSERT INTO t VALUES(-1,'y'); ROLLBACK TO r; RELEASE r");
    expect_rows(db, "SELECT count(*), sum(b='x') FROM t", "100|100");
    run(db, "ROLLBACK TO s; INSERT INTO t VALUES(0,'z'); COMMIT");
    expect_rows(db, "SELECT count(*), sum(b='x'), sum(b='z') FROM t; PRAGMA integrity_check",
                "20001|0|1 ok");
    close_db(db);
}

static uint64_t syncs_of(sqlite3 *db, const char *sql)
{
    uint64_t before = graft_faults_calls(&fix.faulty.faults, GRAFT_FAULT_SYNC);
    run(db, sql);
    return graft_faults_calls(&fix.faulty.faults, GRAFT_FAULT_SYNC) - before;
}

Test(commit, synchronous_means_what_it_means_in_wal_mode)
{
    sqlite3 *db = open_db("app.graft", "");
    run(db, "CREATE TABLE t(a)");
    const char *insert = "INSERT INTO t VALUES(1)";
    cr_assert_geq(syncs_of(db, insert), 1, "the default is FULL");
    run(db, "PRAGMA synchronous=NORMAL");
    cr_assert_eq(syncs_of(db, insert), 0);
    run(db, "PRAGMA main.synchronous=2");
    cr_assert_geq(syncs_of(db, insert), 1);
    run(db, "PRAGMA synchronous=OFF");
    cr_assert_eq(syncs_of(db, insert), 0);
    run(db, "PRAGMA synchronous=EXTRA");
    cr_assert_geq(syncs_of(db, insert), 1);
    run(db, "BEGIN");
    cr_assert_neq(run_code(db, "PRAGMA synchronous=OFF"), SQLITE_OK);
    run(db, "COMMIT");
    cr_assert_geq(syncs_of(db, insert), 1, "SQLite refused the change");
    expect_rows(db, "PRAGMA synchronous", "3");
    close_db(db);
}

Test(commit, synchronous_of_an_attached_database_is_its_own)
{
    sqlite3 *db = open_db("app.graft", "");
    char sql[1200];
    snprintf(sql, sizeof sql, "ATTACH '%s/aux.graft' AS aux", fix.dir.path);
    run(db, sql);
    run(db, "CREATE TABLE t(a); CREATE TABLE aux.u(a); PRAGMA aux.synchronous=OFF");
    cr_assert_eq(syncs_of(db, "INSERT INTO u VALUES(1)"), 0);
    cr_assert_geq(syncs_of(db, "INSERT INTO t VALUES(1)"), 1);
    close_db(db);
}

Test(commit, readers_see_their_snapshot_and_block_nobody)
{
    sqlite3 *writer = open_db("app.graft", "");
    sqlite3 *reader = open_db("app.graft", "");
    run(writer, "CREATE TABLE t(a); INSERT INTO t VALUES(1)");
    run(reader, "BEGIN");
    expect_rows(reader, "SELECT a FROM t", "1");
    run(writer, "INSERT INTO t VALUES(2); UPDATE t SET a=a*10; VACUUM");
    expect_rows(reader, "SELECT a FROM t", "1");
    run(writer, "BEGIN; DELETE FROM t");
    run(reader, "COMMIT");
    expect_rows(reader, "SELECT a FROM t", "10 20");
    run(writer, "ROLLBACK");
    close_db(reader);
    close_db(writer);
}

Test(commit, a_second_writer_is_busy_and_a_stale_one_is_told_so)
{
    sqlite3 *a = open_db("app.graft", "");
    sqlite3 *b = open_db("app.graft", "");
    run(a, "CREATE TABLE t(a); INSERT INTO t VALUES(1)");
    run(b, "BEGIN");
    expect_rows(b, "SELECT a FROM t", "1");
    run(a, "BEGIN IMMEDIATE");
    cr_assert_eq(run_code(b, "INSERT INTO t VALUES(2)"), SQLITE_BUSY);
    run(a, "INSERT INTO t VALUES(3); COMMIT");
    cr_assert_eq(run_code(b, "INSERT INTO t VALUES(2)"), SQLITE_BUSY_SNAPSHOT);
    run(b, "ROLLBACK; INSERT INTO t VALUES(2)");
    expect_rows(a, "SELECT a FROM t", "1 3 2");
    close_db(a);
    close_db(b);
}

/* Commits take one transaction each; here every one of their disk calls fails in turn. */
static void sweep(sqlite3 *db, enum graft_rc code, int wanted)
{
    int failures = 0;
    sqlite3_int64 counted = number(db, "SELECT count(*) FROM t");
    for (uint64_t nth = 1; nth < 500; nth++) {
        graft_faults_arm(&fix.faulty.faults, GRAFT_FAULT_WRITE | GRAFT_FAULT_SYNC, nth, code,
                         false);
        int got = run_code(db, "INSERT INTO t VALUES(randomblob(9000))");
        uint64_t failed = graft_faults_disarm(&fix.faulty.faults);
        if (got == SQLITE_OK) {
            counted++;
        } else {
            failures++;
            cr_assert_eq(got & 0xff, wanted, "%d", got);
            cr_assert_neq(got, SQLITE_BUSY);
        }
        cr_assert_eq(number(db, "SELECT count(*) FROM t"), counted);
        expect_rows(db, "PRAGMA integrity_check", "ok");
        if (failed == 0)
            break;
    }
    cr_assert_geq(failures, 1, "no failure reached SQLite");
}

Test(commit, a_full_disk_fails_the_commit_and_the_next_one_succeeds)
{
    sqlite3 *db = open_db("app.graft", "");
    run(db, "CREATE TABLE t(a)");
    sweep(db, GRAFT_EFULL, SQLITE_FULL);
    run(db, "INSERT INTO t VALUES(1)");
    close_db(db);
    db = open_db("app.graft", "");
    expect_rows(db, "PRAGMA integrity_check", "ok");
    close_db(db);
}

Test(commit, a_disk_that_fails_makes_an_io_error_with_a_text_in_the_log)
{
    sqlite3 *db = open_db("app.graft", "");
    run(db, "CREATE TABLE t(a)");
    fix.log[0] = '\0';
    sweep(db, GRAFT_EIO, SQLITE_IOERR);
    cr_assert_not_null(strstr(fix.log, "graft: "));
    run(db, "INSERT INTO t VALUES(1)");
    close_db(db);
}

Test(commit, a_failed_commit_of_an_explicit_transaction_rolls_back_as_a_whole)
{
    sqlite3 *db = open_db("app.graft", "");
    run(db, "CREATE TABLE t(a); INSERT INTO t VALUES(1); BEGIN; UPDATE t SET a=2");
    graft_faults_arm(&fix.faulty.faults, GRAFT_FAULT_WRITE | GRAFT_FAULT_SYNC, 1, GRAFT_EFULL,
                     true);
    cr_assert_eq(run_code(db, "COMMIT"), SQLITE_FULL);
    cr_assert(sqlite3_get_autocommit(db));
    cr_assert_geq(graft_faults_disarm(&fix.faulty.faults), 1);
    expect_rows(db, "SELECT a FROM t", "1");
    run(db, "UPDATE t SET a=3");
    expect_rows(db, "SELECT a FROM t; PRAGMA integrity_check", "3 ok");
    close_db(db);
}

Test(commit, a_full_disk_in_one_file_rolls_back_all_files_of_a_transaction)
{
    sqlite3 *db = open_plain("plain.db");
    char sql[1200];
    snprintf(sql, sizeof sql,
             "CREATE TABLE p(a); INSERT INTO p VALUES(0);"
             "ATTACH 'file:%s/app.graft?vfs=graft' AS g; CREATE TABLE g.t(a);"
             "INSERT INTO g.t VALUES(0); BEGIN; UPDATE p SET a=1; UPDATE g.t SET a=1",
             fix.dir.path);
    run(db, sql);
    graft_faults_arm(&fix.faulty.faults, GRAFT_FAULT_WRITE, 1, GRAFT_EFULL, true);
    cr_assert_eq(run_code(db, "COMMIT"), SQLITE_FULL);
    graft_faults_disarm(&fix.faulty.faults);
    expect_rows(db, "SELECT a FROM p; SELECT a FROM g.t", "0 0");
    run(db, "BEGIN; UPDATE p SET a=2; UPDATE g.t SET a=2; COMMIT");
    expect_rows(db, "SELECT a FROM p; SELECT a FROM g.t", "2 2");
    close_db(db);
    cr_assert_eq(count_files("plain.db"), 1);
    cr_assert_eq(count_files("app.graft"), 1);
}

Test(commit, small_pages_write_few_pages)
{
    sqlite3 *db = open_db("app.graft", "&page_size=512");
    run(db, "CREATE TABLE t(a INTEGER PRIMARY KEY, b)");
    run(db, NUMBERS "INSERT INTO t SELECT i, zeroblob(80) FROM c");
    run(db, "UPDATE t SET b=zeroblob(81) WHERE a=10000");
    cr_assert_leq(
        number(db, "SELECT pages FROM graft_log WHERE side='local' ORDER BY lsn DESC LIMIT 1"), 3);
    close_db(db);
}

Test(commit, without_secure_delete_pages_that_were_never_written_read_as_zeros)
{
    sqlite3 *db = open_db("app.graft", "");
    run(db, "PRAGMA secure_delete=OFF; CREATE TABLE t(a); BEGIN;"
            "INSERT INTO t VALUES(randomblob(4000000)); DELETE FROM t; COMMIT");
    expect_rows(db, "PRAGMA integrity_check", "ok");
    cr_assert_gt(number(db, "PRAGMA freelist_count"), 900);
    run(db, "INSERT INTO t VALUES(randomblob(3000000)); VACUUM; DELETE FROM t; VACUUM;"
            "INSERT INTO t VALUES(zeroblob(3000000))");
    expect_rows(db, "SELECT length(a) FROM t; PRAGMA integrity_check", "3000000 ok");
    uint64_t pages = 0;
    struct graft_err err = {0};
    expect_ok(graft_backup_export(&fix.faulty.env, graft_vfs_volume(db, NULL),
                                  graft_test_path(&fix.dir, "plain.db"), NULL, NULL, &pages, &err),
              &err);
    sqlite3 *plain = open_plain("plain.db");
    expect_rows(plain, "PRAGMA integrity_check; SELECT a=zeroblob(3000000) FROM t", "ok 1");
    close_db(plain);
    close_db(db);
}

Test(commit, the_lock_byte_page_is_never_written_and_harms_nothing)
{
    /* SQLite lets a test put it at 64 KiB instead of 1 GiB. */
    sqlite3_test_control(SQLITE_TESTCTRL_PENDING_BYTE, 0x10000);
    sqlite3 *db = open_db("app.graft", "");
    run(db, "CREATE TABLE t(a)");
    for (int i = 0; i < 40; i++)
        run(db, "INSERT INTO t VALUES(randomblob(3000))");
    cr_assert_gt(number(db, "PRAGMA page_count"), 17);
    expect_rows(db, "PRAGMA integrity_check; SELECT count(*) FROM t", "ok 40");
    run(db, "VACUUM");
    close_db(db);
    db = open_db("app.graft", "");
    expect_rows(db, "PRAGMA integrity_check; SELECT count(*) FROM t", "ok 40");
    close_db(db);
}

static _Atomic bool woken;

static void *sleep_long(void *arg)
{
    sqlite3_vfs *vfs = arg;
    vfs->xSleep(vfs, 600 * 1000 * 1000);
    woken = true;
    return NULL;
}

Test(commit, a_sleeping_retry_wakes_when_the_writer_ends, .timeout = 60)
{
    sqlite3 *db = open_db("app.graft", "");
    run(db, "CREATE TABLE t(a); BEGIN IMMEDIATE");
    pthread_t sleeper;
    cr_assert_eq(pthread_create(&sleeper, NULL, sleep_long, sqlite3_vfs_find("graft")), 0);
    /* Whether it sleeps already or not, the end of some writer finds it asleep. */
    while (!woken) {
        run(db, "COMMIT");
        sched_yield();
        run(db, "BEGIN IMMEDIATE");
    }
    pthread_join(sleeper, NULL);
    run(db, "COMMIT");
    close_db(db);
}

static void *add_rows(void *arg)
{
    (void)arg;
    sqlite3 *db = open_db("app.graft", "");
    sqlite3_busy_timeout(db, 30000);
    for (int i = 0; i < 50; i++)
        run(db, "BEGIN IMMEDIATE; UPDATE t SET a=a+1; COMMIT");
    close_db(db);
    return NULL;
}

Test(commit, threads_that_wait_for_each_other_lose_no_update, .timeout = 120)
{
    sqlite3 *db = open_db("app.graft", "");
    run(db, "CREATE TABLE t(a); INSERT INTO t VALUES(0)");
    pthread_t threads[6];
    for (size_t i = 0; i < 6; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, add_rows, NULL), 0);
    for (size_t i = 0; i < 6; i++)
        pthread_join(threads[i], NULL);
    expect_rows(db, "SELECT a FROM t; PRAGMA integrity_check", "300 ok");
    close_db(db);
}

Test(commit, no_failing_allocation_tears_a_transaction, .timeout = 300)
{
    sqlite3 *db = open_db("app.graft", "");
    run(db, "PRAGMA cache_size=10; CREATE TABLE t(a)");
    sqlite3_int64 counted = 0;
    uint64_t nth = 1;
    for (; nth < 5000; nth += 1 + nth / 50) {
        graft_faultalloc_arm(&fix.faulty.alloc, nth, false);
        int code = run_code(db, "INSERT INTO t VALUES(randomblob(300000))");
        uint64_t failed = graft_faultalloc_disarm(&fix.faulty.alloc);
        if (code == SQLITE_OK)
            counted++;
        else
            cr_assert(code == SQLITE_NOMEM || code == SQLITE_IOERR_NOMEM, "%d", code);
        expect_rows(db,
                    "SELECT count(DISTINCT a)=count(*), min(length(a)) IN (300000, NULL) FROM t",
                    counted > 0 ? "1|1" : "1|-");
        cr_assert_eq(number(db, "SELECT count(*) FROM t"), counted);
        if (failed == 0)
            break;
    }
    expect_rows(db, "PRAGMA integrity_check", "ok");
    close_db(db);
}

Test(commit, a_failing_read_is_an_error_and_passes)
{
    sqlite3 *db = open_db("app.graft", "");
    run(db, "CREATE TABLE t(id INTEGER PRIMARY KEY, a);"
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < 200)"
            "INSERT INTO t SELECT i, zeroblob(2000) FROM n");
    close_db(db);
    int failures = 0;
    for (uint64_t nth = 1; nth < 500; nth++) {
        db = open_db("app.graft", "");
        graft_faults_arm(&fix.faulty.faults, GRAFT_FAULT_READ, nth, GRAFT_EIO, false);
        int code = run_code(db, "SELECT hex(a) FROM t ORDER BY id DESC");
        uint64_t failed = graft_faults_disarm(&fix.faulty.faults);
        cr_assert(code == SQLITE_OK || (code & 0xff) == SQLITE_IOERR, "%d", code);
        failures += code != SQLITE_OK;
        expect_rows(db, "SELECT sum(a=zeroblob(2000)) FROM t; PRAGMA integrity_check", "200 ok");
        close_db(db);
        if (failed == 0)
            break;
    }
    /* Backwards, as what is read ahead and fails is read again by itself. */
    cr_assert_gt(failures, 10);
}
