/* Finds the scripts under sql/, makes a Criterion test of each script and VFS, and with --bless
 * rewrites the expected output instead: from SQLite's own VFS wherever the script runs there, since
 * that is the reference that Graft is held to.
 *
 *   graft-snapshots [--only TEXT] [options of Criterion]
 *   graft-snapshots [--only TEXT] --bless
 *   graft-snapshots --only TEXT --print (the first such script under Graft, for a debugger) */
#include "driver.h"

#include <criterion/criterion.h>
#include <criterion/hooks.h>
#include <criterion/parameterized.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "graft/graft.h"
#include "host/host.h"
#include "vfs/rc.h"
#include "vfs/vfs.h"

#define SCRIPTS_MAX 400

struct snapshot_case {
    char script[SNAPSHOT_PATH_BYTES];
    enum snapshot_vfs vfs;
};

static char scripts[SCRIPTS_MAX][SNAPSHOT_PATH_BYTES];
static size_t script_count;
static const char *only;
static size_t passed, failed;

static int note_script(const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
    (void)stat;
    (void)ftw;
    size_t bytes = strlen(path);
    if (type != FTW_F || bytes < 4 || strcmp(path + bytes - 4, ".sql") != 0)
        return 0;
    if (only != NULL && strstr(path, only) == NULL)
        return 0;
    if (script_count == SCRIPTS_MAX || bytes >= SNAPSHOT_PATH_BYTES)
        return 1;
    memcpy(scripts[script_count++], path, bytes + 1);
    return 0;
}

static int compare_paths(const void *a, const void *b)
{
    return strcmp(a, b);
}

static bool find_scripts(void)
{
    script_count = 0;
    if (nftw(GRAFT_SNAPSHOTS_SQL, note_script, 16, FTW_PHYS) != 0)
        return false;
    qsort(scripts, script_count, sizeof scripts[0], compare_paths);
    return true;
}

static void expected_path(const char *script, char *path, size_t size)
{
    (void)snprintf(path, size, "%.*s.out", (int)(strlen(script) - 4), script);
}

/* The Graft VFS, registered in this process as `graft`. */
static struct {
    struct graft_host *host;
    struct graft_process *process;
    struct graft_vfs *vfs;
} graft;

/* What the environment logs stands with what SQLite logs, as it does in the extension. */
static void host_line(void *arg, enum graft_log_level level, const char *text)
{
    (void)arg;
    if (level == GRAFT_LOG_ERROR || level == GRAFT_LOG_WARN)
        graft_sqlite_log(level == GRAFT_LOG_ERROR ? SQLITE_ERROR : SQLITE_WARNING, text);
}

static void start(void)
{
    static const struct graft_host_options options = {.log_line = host_line};
    snapshot_log_start();
    struct graft_err err = {.rc = GRAFT_OK};
    if (graft_host_new(&options, &graft.host, &err) == GRAFT_OK &&
        graft_process_new(graft_host_env(graft.host), &graft.process, &err) == GRAFT_OK &&
        graft_vfs_register(graft.process, graft_host_env(graft.host), "graft", NULL, &graft.vfs,
                           &err) == GRAFT_OK)
        return;
    (void)fprintf(stderr, "the graft VFS does not register: %s\n", err.text);
    abort();
}

static void stop(void)
{
    graft_vfs_unregister(graft.vfs);
    graft_process_free(graft.process);
    graft_host_free(graft.host);
}

/* The first line in which the two differ, with what stands before it. */
static void print_difference(const char *expected, const char *actual, FILE *out)
{
    size_t line = 1, line_start = 0, at = 0;
    while (expected[at] != '\0' && expected[at] == actual[at]) {
        if (expected[at] == '\n') {
            line++;
            line_start = at + 1;
        }
        at++;
    }
    size_t context = line_start;
    for (int lines = 0; context > 0 && lines < 4; context--)
        if (expected[context - 1] == '\n' && ++lines == 4)
            break;
    (void)fprintf(out, "line %zu\n%.*sexpected> %.*s\nactual  > %.*s\n", line,
                  (int)(line_start - context), expected + context,
                  (int)strcspn(expected + line_start, "\n"), expected + line_start,
                  (int)strcspn(actual + line_start, "\n"), actual + line_start);
}

/* Runs and compares; what is wrong is told to `out`. */
static bool check(const struct snapshot_case *one, FILE *out)
{
    char path[SNAPSHOT_PATH_BYTES];
    expected_path(one->script, path, sizeof path);
    const char *name = one->script + strlen(GRAFT_SNAPSHOTS_SQL) + 1;
    const char *vfs = one->vfs == SNAPSHOT_GRAFT ? "graft" : "SQLite's VFS";
    char *actual = NULL, *expected = snapshot_read_file(path, NULL);
    bool ok = snapshot_script(one->script, one->vfs, &actual);
    if (!ok)
        (void)fprintf(out, "%s under %s: the script has mistakes\n", name, vfs);
    if (expected == NULL)
        (void)fprintf(out, "%s: no expected output, see --bless\n", name);
    else if (actual != NULL && strcmp(expected, actual) != 0) {
        (void)fprintf(out, "%s under %s: ", name, vfs);
        print_difference(expected, actual, out);
        ok = false;
    }
    ok = ok && expected != NULL;
    free(actual);
    free(expected);
    return ok;
}

/* A result that is to be printed, in a process of its own: SQLite is configured once a process. */
static bool bless_one(const char *script, enum snapshot_vfs vfs)
{
    start();
    char path[SNAPSHOT_PATH_BYTES];
    expected_path(script, path, sizeof path);
    char *actual = NULL;
    if (!snapshot_script(script, vfs, &actual)) {
        (void)fprintf(stderr, "%s: the script has mistakes, not blessed\n%s", script,
                      actual != NULL ? actual : "");
        return false;
    }
    FILE *file = fopen(path, "we");
    bool ok = file != NULL && fputs(actual, file) >= 0;
    ok = file != NULL && fclose(file) == 0 && ok;
    free(actual);
    stop();
    return ok;
}

static int bless(void)
{
    unsigned failed = 0, blessed = 0;
    for (size_t i = 0; i < script_count; i++) {
        bool sqlite = false, graft = false;
        pid_t child = -1;
        if (snapshot_script_vfs(scripts[i], &sqlite, &graft) && (child = fork()) == 0)
            _exit(bless_one(scripts[i], sqlite ? SNAPSHOT_SQLITE : SNAPSHOT_GRAFT) ? 0 : 1);
        int status = 1;
        if (child < 0 || waitpid(child, &status, 0) != child || status != 0) {
            (void)fprintf(stderr, "%s: status %d\n", scripts[i], status);
            failed++;
        } else {
            blessed++;
        }
    }
    (void)printf("%u blessed, %u failed\n", blessed, failed);
    return failed == 0 ? 0 : 1;
}

static int print_first(void)
{
    if (script_count == 0)
        return 2;
    start();
    char *actual = NULL;
    bool ok = snapshot_script(scripts[0], SNAPSHOT_GRAFT, &actual);
    (void)fputs(actual != NULL ? actual : "", stdout);
    free(actual);
    stop();
    return ok ? 0 : 1;
}

ParameterizedTestParameters(snapshots, script_prints_what_is_expected)
{
    struct snapshot_case *cases = cr_calloc(2 * script_count + 1, sizeof *cases);
    size_t count = 0;
    for (size_t i = 0; i < script_count; i++) {
        bool on[2] = {false, false};
        if (!snapshot_script_vfs(scripts[i], &on[SNAPSHOT_SQLITE], &on[SNAPSHOT_GRAFT]))
            continue;
        for (int vfs = SNAPSHOT_SQLITE; vfs <= SNAPSHOT_GRAFT; vfs++) {
            if (!on[vfs])
                continue;
            memcpy(cases[count].script, scripts[i], sizeof scripts[i]);
            cases[count++].vfs = (enum snapshot_vfs)vfs;
        }
    }
    return cr_make_param_array(struct snapshot_case, cases, count, NULL);
}

ParameterizedTest(struct snapshot_case *one, snapshots, script_prints_what_is_expected,
                  .timeout = 120)
{
    char *told = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&told, &size);
    cr_assert(out != NULL);
    start();
    bool ok = check(one, out);
    stop();
    (void)fclose(out);
    cr_expect(ok, "%s", told);
    free(told);
}

ReportHook(POST_ALL)(struct criterion_global_stats *stats)
{
    passed = stats->tests_passed;
    failed = stats->nb_tests - stats->tests_skipped - stats->tests_passed;
}

/* Criterion enters its workers by replacing the symbol `main`, so it must see this one. */
__attribute__((visibility("default"))) int main(int argc, char **argv)
{
    bool blessing = false, printing = false;
    int kept = 1;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--bless") == 0)
            blessing = true;
        else if (strcmp(argv[i], "--print") == 0)
            printing = true;
        else if (strcmp(argv[i], "--only") == 0 && i + 1 < argc)
            only = argv[++i];
        else
            argv[kept++] = argv[i];
    }
    argv[kept] = NULL;
    if (!find_scripts()) {
        (void)fprintf(stderr, "cannot list %s\n", GRAFT_SNAPSHOTS_SQL);
        return 2;
    }
    if (blessing || printing)
        return blessing ? bless() : print_first();
    struct criterion_test_set *tests = criterion_initialize();
    int status = 0;
    if (criterion_handle_args(kept, argv, true))
        status = criterion_run_all_tests(tests) ? 0 : 1;
    criterion_finalize(tests);
    (void)fflush(NULL);
    (void)printf("%zu passed, %zu failed\n", passed, failed);
    return status;
}
