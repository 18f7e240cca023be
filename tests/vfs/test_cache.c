/* The pager's cache never outlives the snapshot that filled it. */
#include <string.h>

#include "fixture.h"

TestSuite(cache, .init = fixture_init, .fini = fixture_fini);

Test(cache, other_connections_see_a_commit_at_their_next_transaction)
{
    sqlite3 *a = open_db("app.graft", "");
    sqlite3 *b = open_db("app.graft", "");
    run(a, "CREATE TABLE t(a); INSERT INTO t VALUES(1)");
    expect_rows(b, "SELECT a FROM t", "1");
    run(a, "UPDATE t SET a=2");
    expect_rows(b, "SELECT a FROM t", "2");
    run(b, "UPDATE t SET a=3");
    expect_rows(a, "SELECT a FROM t", "3");
    close_db(a);
    close_db(b);
}

Test(cache, data_version_changes_for_others_commits_only)
{
    sqlite3 *a = open_db("app.graft", "");
    sqlite3 *b = open_db("app.graft", "");
    run(a, "CREATE TABLE t(a); INSERT INTO t VALUES(1)");
    sqlite3_int64 version = number(a, "PRAGMA data_version");
    run(a, "INSERT INTO t VALUES(2); INSERT INTO t VALUES(3)");
    cr_assert_eq(number(a, "PRAGMA data_version"), version);
    run(b, "INSERT INTO t VALUES(4)");
    cr_assert_neq(number(a, "PRAGMA data_version"), version);
    close_db(a);
    close_db(b);
}

/* The pages that a statement takes from the VFS, as the pager counts them. */
static int misses(sqlite3 *db, const char *sql)
{
    int count = 0, peak = 0;
    sqlite3_db_status(db, SQLITE_DBSTATUS_CACHE_MISS, &count, &peak, 1);
    (void)rows(db, sql);
    sqlite3_db_status(db, SQLITE_DBSTATUS_CACHE_MISS, &count, &peak, 1);
    return count;
}

Test(cache, what_is_unchanged_stays_cached)
{
    sqlite3 *a = open_db("app.graft", "");
    sqlite3 *b = open_db("app.graft", "");
    run(a, "CREATE TABLE t(a); INSERT INTO t VALUES(zeroblob(100000))");
    cr_assert_gt(misses(b, "SELECT sum(length(a)) FROM t"), 0);
    cr_assert_eq(misses(b, "SELECT sum(length(a)) FROM t"), 0);
    run(b, "INSERT INTO t VALUES(1)");
    cr_assert_eq(misses(b, "SELECT sum(length(a)) FROM t"), 0);
    run(a, "INSERT INTO t VALUES(2)");
    cr_assert_gt(misses(b, "SELECT sum(length(a)) FROM t"), 0);
    close_db(a);
    close_db(b);
}

Test(cache, a_pull_is_seen_by_every_open_connection)
{
    sqlite3 *origin = open_replica("one.graft", "repo/app");
    run(origin, "CREATE TABLE t(a); INSERT INTO t VALUES(1); PRAGMA graft_push");
    sqlite3 *a = open_replica("two.graft", "repo/app");
    sqlite3 *b = open_db("two.graft", "");
    expect_rows(a, "SELECT a FROM t", "1");
    expect_rows(b, "SELECT a FROM t", "1");
    run(origin, "UPDATE t SET a=2; PRAGMA graft_push");
    run(b, "BEGIN");
    expect_rows(b, "SELECT a FROM t", "1");
    run(a, "PRAGMA graft_pull");
    expect_rows(a, "SELECT a FROM t", "2");
    expect_rows(b, "SELECT a FROM t", "1");
    run(b, "COMMIT");
    expect_rows(b, "SELECT a FROM t", "2");
    close_db(a);
    close_db(b);
    close_db(origin);
}

Test(cache, divergent_histories_with_equal_change_counters_are_told_apart)
{
    sqlite3 *origin = open_replica("one.graft", "repo/app");
    run(origin, "CREATE TABLE t(a); INSERT INTO t VALUES('base'); PRAGMA graft_push");
    sqlite3 *a = open_replica("two.graft", "repo/app");
    sqlite3 *b = open_db("two.graft", "");
    expect_rows(a, "SELECT a FROM t", "base");
    run(origin, "UPDATE t SET a='their'; PRAGMA graft_push");
    run(a, "UPDATE t SET a='mine!'");
    /* Both have counted one change more, and are of one size: the 16 bytes are the same. */
    expect_rows(a, "SELECT a FROM t", "mine!");
    expect_rows(b, "SELECT a FROM t", "mine!");
    run(a, "PRAGMA graft_reset");
    expect_rows(b, "SELECT a FROM t", "their");
    expect_rows(a, "SELECT a FROM t; PRAGMA integrity_check", "their ok");
    close_db(a);
    close_db(b);
    close_db(origin);
}

static int read_version(sqlite3 *db, unsigned char out[16])
{
    sqlite3_file *file = NULL;
    sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file);
    return file->pMethods->xRead(file, out, 16, 24);
}

Test(cache, only_the_version_read_is_made_up_and_never_twice_the_same)
{
    sqlite3 *a = open_db("app.graft", "");
    sqlite3 *b = open_db("app.graft", "");
    run(a, "CREATE TABLE t(a); INSERT INTO t VALUES(1)");
    expect_rows(b, "SELECT a FROM t", "1");
    sqlite3_file *file = NULL;
    sqlite3_file_control(b, "main", SQLITE_FCNTL_FILE_POINTER, &file);
    unsigned char page[4096], first[16], second[16], real[16];
    run(a, "INSERT INTO t VALUES(2)");
    cr_assert_eq(file->pMethods->xLock(file, SQLITE_LOCK_SHARED), SQLITE_OK);
    cr_assert_eq(file->pMethods->xRead(file, page, sizeof page, 0), SQLITE_OK);
    cr_assert_eq(read_version(b, first), SQLITE_OK);
    cr_assert_neq(memcmp(first, page + 24, 16), 0);
    cr_assert_eq(read_version(b, real), SQLITE_OK);
    cr_assert_eq(memcmp(real, page + 24, 16), 0, "the second read of a snapshot is the real one");
    file->pMethods->xUnlock(file, SQLITE_LOCK_NONE);
    run(a, "INSERT INTO t VALUES(3)");
    cr_assert_eq(file->pMethods->xLock(file, SQLITE_LOCK_SHARED), SQLITE_OK);
    cr_assert_eq(read_version(b, second), SQLITE_OK);
    cr_assert_neq(memcmp(first, second, 16), 0);
    file->pMethods->xUnlock(file, SQLITE_LOCK_NONE);
    close_db(a);
    close_db(b);
}

Test(cache, any_part_of_the_file_can_be_read)
{
    sqlite3 *db = open_db("app.graft", "");
    run(db, "CREATE TABLE t(a); INSERT INTO t VALUES(randomblob(30000))");
    sqlite3_file *file = NULL;
    sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file);
    sqlite3_int64 size = 0;
    unsigned char all[65536], part[65536];
    cr_assert_eq(file->pMethods->xLock(file, SQLITE_LOCK_SHARED), SQLITE_OK);
    cr_assert_eq(file->pMethods->xFileSize(file, &size), SQLITE_OK);
    cr_assert(size > 30000 && size < 65536);
    cr_assert_eq(file->pMethods->xRead(file, all, (int)size, 0), SQLITE_OK);
    for (int offset = 0; offset < size; offset += 777) {
        for (int count = 1; offset + count <= size; count = count * 3 + 1) {
            cr_assert_eq(file->pMethods->xRead(file, part, count, offset), SQLITE_OK);
            cr_assert_eq(memcmp(part, all + offset, (size_t)count), 0);
        }
    }
    memset(part, 7, sizeof part);
    cr_assert_eq(file->pMethods->xRead(file, part, 100, size - 30), SQLITE_IOERR_SHORT_READ);
    cr_assert_eq(memcmp(part, all + size - 30, 30), 0);
    for (int i = 30; i < 100; i++)
        cr_assert_eq(part[i], 0);
    cr_assert_eq(file->pMethods->xRead(file, part, 100, size * 2), SQLITE_IOERR_SHORT_READ);
    file->pMethods->xUnlock(file, SQLITE_LOCK_NONE);
    close_db(db);
}
