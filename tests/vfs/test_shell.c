/* The loadable extension in programs as Debian ships them: the sqlite3 shell and Python. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <criterion/criterion.h>

#include "support/testing.h"

static struct graft_test_dir dir;

static void make(void)
{
    graft_test_dir_make(&dir);
}

static void remove_dir(void)
{
    graft_test_dir_remove(&dir);
}

TestSuite(shell, .init = make, .fini = remove_dir);

/* Runs a command in the directory with `input` on its standard input; returns what it prints. */
static const char *output_of(const char *command, const char *input)
{
    static char output[16384];
    char line[4096];
    FILE *script = fopen(graft_test_path(&dir, "input"), "w");
    cr_assert_not_null(script);
    fputs(input, script);
    fclose(script);
    snprintf(line, sizeof line, "cd %s && %s < input 2>&1", dir.path, command);
    FILE *pipe = popen(line, "r");
    cr_assert_not_null(pipe);
    size_t got = fread(output, 1, sizeof output - 1, pipe);
    output[got] = '\0';
    pclose(pipe);
    return output;
}

Test(shell, a_session_as_in_the_readme_works)
{
    char script[4096];
    snprintf(script, sizeof script,
             ".load %s\n"
             ".open 'file:app.graft?vfs=graft&remote=file://%s/repo/app'\n"
             "CREATE TABLE orders(id INTEGER PRIMARY KEY, item TEXT);\n"
             "INSERT INTO orders VALUES(7,'tea');\n"
             "PRAGMA graft_push;\n"
             ".open 'file:copy.graft?vfs=graft&remote=file://%s/repo/app'\n"
             "SELECT * FROM orders WHERE id=7;\n"
             "SELECT state, ahead, behind FROM graft_status;\n"
             "SELECT side, lsn FROM graft_log;\n"
             "ATTACH 'plain.db' AS p;\n"
             "CREATE TABLE p.t AS SELECT * FROM orders;\n"
             "PRAGMA journal_mode=WAL;\n"
             "PRAGMA integrity_check;\n",
             EXTENSION, dir.path, dir.path);
    cr_assert_str_eq(output_of("sqlite3 -batch -bail", script),
                     "pushed 2 commits, 2 pages: remote LSN 1\n"
                     "7|tea\n"
                     "synced|0|0\n"
                     "remote|1\n"
                     "delete\n"
                     "ok\n");
    cr_assert_eq(access(graft_test_path(&dir, "plain.db"), F_OK), 0);
}

Test(shell, loading_twice_and_from_two_connections_does_no_harm)
{
    char script[2048];
    snprintf(script, sizeof script,
             ".load %s\n.load %s\n.open a.db\n.load %s\n"
             "SELECT count(*) FROM graft_status;\nPRAGMA graft_version;\n"
             ".open 'file:app.graft?vfs=graft'\nPRAGMA graft_version;\n",
             EXTENSION, EXTENSION, EXTENSION);
    cr_assert_str_eq(output_of("sqlite3 -batch -bail", script), "0\ngraft 0.1.0\n");
}

Test(shell, the_reason_of_a_failed_open_is_in_the_log)
{
    char script[2048];
    snprintf(script, sizeof script,
             ".log stderr\n.load %s\n"
             ".open 'file:app.graft?vfs=graft&page_size=1000'\n"
             "SELECT 1;\n",
             EXTENSION);
    const char *output = output_of("sqlite3 -batch", script);
    cr_assert_not_null(strstr(output, "page_size=1000 is not allowed"), "%s", output);
    cr_assert_not_null(strstr(output, "unable to open"), "%s", output);
}

/* A stock program knows nothing of ASan, and refuses an extension that was built with it unless the
 * run-time is loaded first. (For `sqlite3`, ci/test puts a script in the path that does so.) */
#ifdef __SANITIZE_ADDRESS__
#define PYTHON \
    "LD_PRELOAD=$(gcc -print-file-name=libasan.so) ASAN_OPTIONS=detect_leaks=0 /usr/bin/python3 -"
#else
#define PYTHON "/usr/bin/python3 -"
#endif

Test(shell, python_loads_it_and_works_with_it)
{
    char script[4096];
    snprintf(script, sizeof script,
             "import sqlite3\n"
             "c = sqlite3.connect(':memory:')\n"
             "c.enable_load_extension(True)\n"
             "c.load_extension('%s')\n"
             "d = sqlite3.connect('file:app.graft?vfs=graft&remote=file://%s/repo/app', uri=True)\n"
             "d.execute('CREATE TABLE t(a)')\n"
             "d.executemany('INSERT INTO t VALUES(?)', [(i,) for i in range(1000)])\n"
             "d.commit()\n"
             "print(d.execute('PRAGMA graft_push').fetchone()[0].split()[0])\n"
             "e = sqlite3.connect('file:two.graft?vfs=graft&remote=file://%s/repo/app', uri=True)\n"
             "print(e.execute('SELECT sum(a) FROM t').fetchone()[0])\n"
             "print(e.execute('SELECT state FROM graft_status').fetchone()[0])\n"
             "d.execute('INSERT INTO t VALUES(1)')\n"
             "d.rollback()\n"
             "try:\n"
             "    e.execute('PRAGMA graft_fork')\n"
             "except sqlite3.OperationalError as error:\n"
             "    print(error)\n"
             "c.close(); e.close()\n"
             "print(d.execute('SELECT count(*) FROM t').fetchone()[0])\n",
             EXTENSION, dir.path, dir.path);
    cr_assert_str_eq(output_of(PYTHON, script),
                     "pushed\n499500\nsynced\n"
                     "graft_fork: not supported yet by graft 0.1.0\n1000\n");
}

/* The stock shell and Python, each a process of its own, on one database at once. */
Test(shell, the_shell_and_python_write_to_one_database_at_once)
{
    char script[4096];
    snprintf(script, sizeof script,
             "import sqlite3, subprocess\n"
             "first = sqlite3.connect(':memory:')\n"
             "first.enable_load_extension(True)\n"
             "first.load_extension('%s')\n"
             "db = sqlite3.connect('file:both.graft?vfs=graft', uri=True, timeout=60)\n"
             "db.execute('CREATE TABLE t(who TEXT, n INTEGER)')\n"
             "db.commit()\n"
             "lines = ['.load %s', '.open file:both.graft?vfs=graft', '.timeout 60000']\n"
             "lines += [\"INSERT INTO t VALUES('shell', %%d);\" %% i for i in range(300)]\n"
             "lines += ['SELECT count(*) > 0 FROM t WHERE who=\\'python\\';']\n"
             "shell = subprocess.Popen(['sqlite3'], stdin=subprocess.PIPE, text=True,\n"
             "                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT)\n"
             "shell.stdin.write('\\n'.join(lines) + '\\n')\n"
             "shell.stdin.close()\n"
             "for i in range(300):\n"
             "    db.execute('INSERT INTO t VALUES(?, ?)', ('python', i))\n"
             "    db.commit()\n"
             "print('shell said', shell.stdout.read().split(), shell.wait())\n"
             "print(db.execute('SELECT who, count(*), sum(n) FROM t GROUP BY who').fetchall())\n"
             "print(db.execute('PRAGMA integrity_check').fetchone())\n",
             EXTENSION, EXTENSION);
    const char *output = output_of(PYTHON, script);
    cr_assert_not_null(strstr(output, "shell said ['1'] 0"), "%s", output);
    cr_assert_not_null(strstr(output, "[('python', 300, 44850), ('shell', 300, 44850)]"), "%s",
                       output);
    cr_assert_not_null(strstr(output, "('ok',)"), "%s", output);
}
