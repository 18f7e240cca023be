/* Whose a name is, and what opening does and refuses. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fixture.h"

#define CREATE (SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE)

TestSuite(open, .init = fixture_init, .fini = fixture_fini);

static const char *vfs_of(sqlite3 *db, const char *schema)
{
    static char text[64];
    char *name = NULL;
    sqlite3_file_control(db, schema, SQLITE_FCNTL_VFSNAME, &name);
    snprintf(text, sizeof text, "%s", name != NULL ? name : "-");
    sqlite3_free(name);
    return text;
}

Test(open, a_uri_with_our_vfs_makes_a_directory)
{
    sqlite3 *db = open_db("app", "");
    run(db, "CREATE TABLE t(a); INSERT INTO t VALUES(1)");
    expect_rows(db, "SELECT a FROM t", "1");
    cr_assert_not_null(graft_vfs_volume(db, NULL));
    close_db(db);
    cr_assert(graft_volume_exists(&fix.faulty.env, graft_test_path(&fix.dir, "app")));
}

Test(open, a_bare_path_is_ours_by_suffix_or_by_the_directory_that_is_there)
{
    char sql[2048];
    sqlite3 *other = open_db("named", "");
    run(other, "CREATE TABLE t(a); INSERT INTO t VALUES(7)");
    close_db(other);
    sqlite3 *db = open_db("main.graft", "");
    snprintf(sql, sizeof sql,
             "ATTACH '%s/named' AS n; ATTACH '%s/new.graft' AS g; ATTACH '%s/plain' AS p",
             fix.dir.path, fix.dir.path, fix.dir.path);
    run(db, sql);
    cr_assert_str_eq(vfs_of(db, "n"), "graft");
    cr_assert_str_eq(vfs_of(db, "g"), "graft");
    cr_assert_str_eq(vfs_of(db, "p"), "unix");
    expect_rows(db, "SELECT a FROM n.t", "7");
    run(db, "CREATE TABLE p.t(a); CREATE TABLE g.t(a)");
    close_db(db);
    struct stat entry;
    cr_assert_eq(stat(graft_test_path(&fix.dir, "plain"), &entry), 0);
    cr_assert(S_ISREG(entry.st_mode));
    cr_assert_eq(stat(graft_test_path(&fix.dir, "new.graft"), &entry), 0);
    cr_assert(S_ISDIR(entry.st_mode));
}

Test(open, temporary_files_are_the_default_vfs_business)
{
    sqlite3 *db = open_db("app.graft", "");
    run(db, "PRAGMA temp_store=FILE; CREATE TEMP TABLE t(a); INSERT INTO t VALUES(1),(2);"
            "CREATE TABLE u(a)");
    expect_rows(db, "SELECT a FROM t ORDER BY a DESC", "2 1");
    run(db, "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM c LIMIT 50000)"
            " INSERT INTO t SELECT hex(randomblob(40)) FROM c; CREATE INDEX temp.x ON t(a)");
    expect_rows(db, "SELECT count(*) FROM t", "50002");
    close_db(db);
    cr_assert_eq(count_files(""), 1);
}

Test(open, a_trailing_slash_names_the_same_database)
{
    sqlite3 *db = open_db("app.graft", "");
    run(db, "CREATE TABLE t(a); INSERT INTO t VALUES(1)");
    sqlite3 *again = open_db("app.graft/", "");
    expect_rows(again, "SELECT a FROM t", "1");
    close_db(again);
    close_db(db);
}

Test(open, without_create_a_missing_database_cannot_be_opened)
{
    cr_assert_eq(open_code("none.graft", "", SQLITE_OPEN_READWRITE), SQLITE_CANTOPEN);
    cr_assert(!there("none.graft"));
    cr_assert_not_null(strstr(fix.log, "none.graft"));
}

Test(open, mode_ro_reads_and_does_not_write)
{
    sqlite3 *db = open_db("app.graft", "");
    run(db, "CREATE TABLE t(a); INSERT INTO t VALUES(1)");
    sqlite3 *reader = open_db("app.graft", "&mode=ro");
    expect_rows(reader, "SELECT a FROM t", "1");
    cr_assert_eq(run_code(reader, "INSERT INTO t VALUES(2)"), SQLITE_READONLY);
    cr_assert_eq(run_code(reader, "PRAGMA graft_pull"), SQLITE_READONLY);
    run(db, "INSERT INTO t VALUES(3)");
    expect_rows(reader, "SELECT a FROM t", "1 3");
    close_db(reader);
    close_db(db);
}

Test(open, immutable_and_nolock_connections_work_without_locks)
{
    sqlite3 *db = open_db("app.graft", "");
    run(db, "CREATE TABLE t(a); INSERT INTO t VALUES(1)");
    sqlite3 *fixed = open_db("app.graft", "&immutable=1");
    expect_rows(fixed, "SELECT a FROM t", "1");
    run(db, "INSERT INTO t VALUES(2)");
    expect_rows(fixed, "SELECT a FROM t", "1");
    close_db(fixed);
    close_db(db);
    sqlite3 *alone = open_db("app.graft", "&nolock=1");
    run(alone, "INSERT INTO t VALUES(3); INSERT INTO t VALUES(4)");
    expect_rows(alone, "SELECT a FROM t", "1 2 3 4");
    close_db(alone);
    db = open_db("app.graft", "");
    expect_rows(db, "SELECT a FROM t; PRAGMA integrity_check", "1 2 3 4 ok");
    close_db(db);
}

Test(open, every_page_size_is_taken_from_the_uri)
{
    for (int size = 512; size <= 65536; size *= 2) {
        char name[32], parameters[32], wanted[32];
        snprintf(name, sizeof name, "p%d.graft", size);
        snprintf(parameters, sizeof parameters, "&page_size=%d", size);
        sqlite3 *db = open_db(name, parameters);
        run(db, "CREATE TABLE t(a); INSERT INTO t VALUES(randomblob(200000)),(1)");
        snprintf(wanted, sizeof wanted, "%d ok", size);
        expect_rows(db, "PRAGMA page_size; PRAGMA integrity_check", wanted);
        close_db(db);
        db = open_db(name, "");
        expect_rows(db, "PRAGMA page_size; PRAGMA integrity_check", wanted);
        expect_rows(db, "SELECT length(a) FROM t", "200000 1");
        close_db(db);
    }
}

Test(open, a_page_size_that_is_not_allowed_is_refused_by_name)
{
    static const char *const wrong[] = {"1000", "0", "131072", "-512",
                                        "abc",  "",  "4096x",  "99999999999"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char parameters[64];
        snprintf(parameters, sizeof parameters, "&page_size=%s", wrong[i]);
        fix.log[0] = '\0';
        cr_assert_eq(open_code("app.graft", parameters, CREATE), SQLITE_CANTOPEN);
        cr_assert_not_null(strstr(fix.log, "power of two from 512 to 65536"), "%s: %s", wrong[i],
                           fix.log);
    }
    cr_assert(!there("app.graft"));
}

Test(open, a_cache_limit_is_taken_from_the_uri_and_remembered)
{
    sqlite3 *db = open_db("app.graft", "&cache_limit=10M");
    expect_rows(db, "PRAGMA graft_cache_limit", "10485760");
    close_db(db);
    db = open_db("app.graft", "");
    expect_rows(db, "PRAGMA graft_cache_limit", "10485760");
    close_db(db);
    db = open_db("app.graft", "&cache_limit=0");
    expect_rows(db, "PRAGMA graft_cache_limit", "0");
    close_db(db);
    cr_assert_eq(open_code("new.graft", "&cache_limit=10MB", CREATE), SQLITE_CANTOPEN);
    cr_assert_not_null(strstr(fix.log, "10MB"), "%s", fix.log);
    cr_assert(!there("new.graft"));
}

Test(open, another_page_size_than_the_volume_has_is_refused)
{
    sqlite3 *db = open_db("app.graft", "&page_size=1024");
    run(db, "CREATE TABLE t(a)");
    close_db(db);
    cr_assert_eq(open_code("app.graft", "&page_size=4096", CREATE), SQLITE_CANTOPEN);
    cr_assert_not_null(strstr(fix.log, "1024"));
}

Test(open, pragma_page_size_chooses_before_the_first_table_and_not_after)
{
    sqlite3 *db = open_db("app.graft", "");
    run(db, "PRAGMA page_size=1024; CREATE TABLE t(a)");
    expect_rows(db, "PRAGMA page_size", "1024");
    expect_rows(db, "PRAGMA page_size=8192", "");
    cr_assert_not_null(strstr(fix.log, "page_size=8192 has no effect"));
    run(db, "VACUUM");
    expect_rows(db, "PRAGMA page_size; PRAGMA integrity_check", "1024 ok");
    close_db(db);
}

Test(open, a_second_connection_learns_the_page_size_that_the_first_chose)
{
    sqlite3 *a = open_db("app.graft", "");
    sqlite3 *b = open_db("app.graft", "");
    expect_rows(b, "SELECT count(*) FROM sqlite_schema", "0");
    run(a, "PRAGMA page_size=16384; CREATE TABLE t(a); INSERT INTO t VALUES(5)");
    expect_rows(b, "SELECT a FROM t; PRAGMA page_size", "5 16384");
    run(b, "INSERT INTO t VALUES(6)");
    expect_rows(a, "SELECT a FROM t; PRAGMA integrity_check", "5 6 ok");
    close_db(a);
    close_db(b);
}

Test(open, auto_vacuum_can_be_chosen_for_a_new_database)
{
    sqlite3 *db = open_db("app.graft", "");
    run(db, "PRAGMA auto_vacuum=FULL; CREATE TABLE t(a); INSERT INTO t VALUES(randomblob(500000))");
    expect_rows(db, "PRAGMA auto_vacuum", "1");
    sqlite3_int64 before = number(db, "PRAGMA page_count");
    run(db, "DELETE FROM t");
    cr_assert_lt(number(db, "PRAGMA page_count"), before / 10);
    cr_assert_eq(number(db, "SELECT pages FROM graft_status"), number(db, "PRAGMA page_count"));
    expect_rows(db, "PRAGMA integrity_check", "ok");
    close_db(db);
}

static void write_file(const char *name, const char *text)
{
    int file = open(graft_test_path(&fix.dir, name), O_CREAT | O_WRONLY | O_TRUNC, 0666);
    cr_assert_geq(file, 0);
    cr_assert_eq(write(file, text, strlen(text)), (ssize_t)strlen(text));
    close(file);
}

Test(open, what_is_no_graft_database_is_refused_and_left_alone)
{
    write_file("file.graft", "something else");
    cr_assert_neq(open_code("file.graft", "", CREATE), SQLITE_OK);
    cr_assert_not_null(strstr(fix.log, "file.graft"), "%s", fix.log);
    cr_assert_eq(mkdir(graft_test_path(&fix.dir, "dir.graft"), 0777), 0);
    write_file("dir.graft/notes.txt", "mine");
    cr_assert_neq(open_code("dir.graft", "", CREATE), SQLITE_OK);
    cr_assert_not_null(strstr(fix.log, "dir.graft"), "%s", fix.log);
    cr_assert_eq(count_files(""), 2);
}

Test(open, a_malformed_remote_is_refused_with_its_name)
{
    cr_assert_eq(open_code("app.graft", "&remote=nonsense", CREATE), SQLITE_CANTOPEN);
    cr_assert_not_null(strstr(fix.log, "nonsense"), "%s", fix.log);
    cr_assert(!there("app.graft"));
}

Test(open, no_failing_call_of_an_open_leaks_or_breaks_the_database)
{
    sqlite3 *db = open_db("app.graft", "");
    run(db, "CREATE TABLE t(a); INSERT INTO t VALUES(1)");
    close_db(db);
    uint64_t nth = 1;
    for (; nth < 500; nth++) {
        graft_faults_arm(&fix.faulty.faults, GRAFT_FAULT_ALL, nth, GRAFT_EIO, false);
        (void)open_code("app.graft", "", SQLITE_OPEN_READWRITE);
        if (graft_faults_disarm(&fix.faulty.faults) == 0)
            break;
        db = open_db("app.graft", "");
        expect_rows(db, "SELECT a FROM t; PRAGMA integrity_check", "1 ok");
        close_db(db);
    }
    cr_assert_gt(nth, 3);
    for (nth = 1; nth < 2000; nth++) {
        graft_faultalloc_arm(&fix.faulty.alloc, nth, false);
        (void)open_code("app.graft", "", SQLITE_OPEN_READWRITE);
        if (graft_faultalloc_disarm(&fix.faulty.alloc) == 0)
            break;
    }
    cr_assert_gt(nth, 3);
    db = open_db("app.graft", "");
    expect_rows(db, "SELECT a FROM t; PRAGMA integrity_check", "1 ok");
    close_db(db);
}
