/* Transactions over several files, and a crash between their phases. The crash is made in a child
 * process, by a parent VFS that ends it when the super-journal is to be deleted: that deletion is
 * the moment of the commit. */
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"

TestSuite(super, .init = fixture_init, .fini = fixture_fini);

enum moment { BEFORE_DELETION, AFTER_DELETION };

static enum moment moment;
static sqlite3_vfs crashing;

static int crashing_delete(sqlite3_vfs *vfs, const char *name, int sync_directory)
{
    (void)vfs;
    sqlite3_vfs *unix_vfs = sqlite3_vfs_find("unix");
    bool is_super = strstr(name, "-mj") != NULL;
    if (is_super && moment == BEFORE_DELETION)
        _exit(0);
    int code = unix_vfs->xDelete(unix_vfs, name, sync_directory);
    if (is_super)
        _exit(0);
    return code;
}

static void attach(sqlite3 *db, const char *name, const char *as)
{
    char sql[1200];
    snprintf(sql, sizeof sql, "ATTACH '%s/%s' AS %s", fix.dir.path, name, as);
    run(db, sql);
}

static sqlite3 *open_three(void)
{
    sqlite3 *db = open_db("app.graft", "");
    attach(db, "second.graft", "g");
    attach(db, "plain.db", "p");
    return db;
}

static void crash_in_commit(void)
{
    struct graft_err err = {0};
    struct graft_process *process = NULL;
    struct graft_vfs *vfs = NULL;
    crashing = *sqlite3_vfs_find("unix");
    crashing.zName = "crashing";
    crashing.xDelete = crashing_delete;
    graft_vfs_unregister(fix.vfs);
    if (sqlite3_vfs_register(&crashing, 0) != SQLITE_OK ||
        graft_process_new(&fix.faulty.env, &process, &err) != GRAFT_OK ||
        graft_vfs_register(process, &fix.faulty.env, "graft", "crashing", &vfs, &err) != GRAFT_OK)
        _exit(2);
    sqlite3 *db = open_three();
    (void)run_code(db, "BEGIN; UPDATE t SET a=1; UPDATE u SET a=1; UPDATE v SET a=1; COMMIT");
    _exit(3);
}

static void crash_at(enum moment at)
{
    sqlite3 *db = open_three();
    run(db, "CREATE TABLE t(a); CREATE TABLE g.u(a); CREATE TABLE p.v(a);"
            "INSERT INTO t VALUES(0); INSERT INTO u VALUES(0); INSERT INTO v VALUES(0)");
    close_db(db);
    moment = at;
    pid_t child = fork();
    cr_assert_geq(child, 0);
    if (child == 0)
        crash_in_commit();
    int status = 0;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFEXITED(status));
    cr_assert_eq(WEXITSTATUS(status), 0, "the commit did not get as far as the super-journal");
}

/* Opens each database alone, in the order of the letters: a app.graft, s second.graft, p plain.db.
 */
static void expect_after(const char *order, const char *wanted)
{
    char found[64] = "";
    for (const char *at = order; *at != '\0'; at++) {
        sqlite3 *db = *at == 'p'   ? open_plain("plain.db")
                      : *at == 'a' ? open_db("app.graft", "")
                                   : open_db("second.graft", "");
        const char *table = *at == 'p' ? "v" : *at == 'a' ? "t" : "u";
        char sql[64];
        snprintf(sql, sizeof sql, "SELECT a FROM %s; PRAGMA integrity_check", table);
        snprintf(found + strlen(found), sizeof found - strlen(found), "%s ", rows(db, sql));
        close_db(db);
    }
    cr_assert_str_eq(found, wanted);
    cr_assert_eq(count_files("app.graft"), 1, "a journal or a super-journal is left");
    cr_assert_eq(count_files("second.graft"), 1);
    cr_assert_eq(count_files("plain.db"), 1);
}

Test(super, a_crash_before_the_commit_rolls_back_all_whichever_is_opened_first)
{
    static const char *const orders[] = {"pas", "aps", "spa", "sap"};
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
        crash_at(BEFORE_DELETION);
        expect_after(orders[i], "0 ok 0 ok 0 ok ");
        graft_test_remove(graft_test_path(&fix.dir, "app.graft"));
        graft_test_remove(graft_test_path(&fix.dir, "second.graft"));
        graft_test_remove(graft_test_path(&fix.dir, "plain.db"));
    }
}

Test(super, a_crash_after_the_commit_keeps_all)
{
    static const char *const orders[] = {"pas", "aps", "spa"};
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
        crash_at(AFTER_DELETION);
        expect_after(orders[i], "1 ok 1 ok 1 ok ");
        graft_test_remove(graft_test_path(&fix.dir, "app.graft"));
        graft_test_remove(graft_test_path(&fix.dir, "second.graft"));
        graft_test_remove(graft_test_path(&fix.dir, "plain.db"));
    }
}

Test(super, the_super_journal_is_a_file_while_it_counts)
{
    crash_at(BEFORE_DELETION);
    cr_assert_eq(count_files("app.graft-mj"), 1);
    cr_assert_eq(count_files("app.graft-journal"), 1);
    cr_assert_eq(count_files("plain.db-journal"), 1);
    /* All three through one connection, which recovers them in the order of their use. */
    sqlite3 *db = open_three();
    expect_rows(db, "SELECT v.a, t.a, u.a FROM v, t, u", "0|0|0");
    run(db, "BEGIN; UPDATE t SET a=5; UPDATE u SET a=5; UPDATE v SET a=5; COMMIT");
    expect_rows(db, "SELECT v.a, t.a, u.a FROM v, t, u", "5|5|5");
    close_db(db);
    cr_assert_eq(count_files(""), 3);
}
