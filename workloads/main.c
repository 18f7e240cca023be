/* graft-workload: runs a workload against real files and remotes. Each invocation is one command of
 * a test (setup once, any number of drives at a time, checks beside them, finish when they are
 * done), and its exit code says whether a promise was broken: that the system fails calls while
 * faults last is none.
 *
 * Processes share a directory: the replicas, the history, and a file per client, which gives it its
 * number and is locked for as long as it lives. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/limits.h"
#include "graft/graft.h"
#include "host/host.h"
#include "vfs/vfs.h"
#include "workloads/history.h"
#include "workloads/report.h"
#include "workloads/workload.h"

#define VFS_NAME "graft-workload"
#define CLIENTS_MAX 64U
#define REPLICAS_MAX 16U
#define CLIENT_NUMBERS_MAX 1000000U
#define RETRY_MS 500U

enum exit_code { EXIT_FINE, EXIT_VIOLATION, EXIT_USAGE, EXIT_SYSTEM };

struct options {
    const struct workload *workload;
    const char *command;
    const char *directory;
    const char *remote;
    char history[GRAFT_PATH_BYTES_MAX];
    uint64_t time_ms;
    uint64_t think_ms;
    unsigned clients;
    unsigned replicas;
};

struct program {
    struct options options;
    struct graft_env env;
    struct graft_host *host;
    struct graft_process *process;
    struct graft_vfs *vfs;
    uint64_t deadline_us;
    _Atomic bool violated;
};

/* One client, and the task that it runs in. */
struct seat {
    struct program *program;
    struct workload_client client;
    struct workload_history *history;
    struct graft_task *task;
    char database[2 * GRAFT_PATH_BYTES_MAX];
    int lock; /* file descriptor of its file */
    int sink; /* of the history */
    int rc;
};

/* ---- Clients ---- */

static bool goes_on(void *arg)
{
    struct seat *seat = arg;
    struct program *program = seat->program;
    return !program->violated &&
           graft_clock_monotonic_us(program->env.clock) < program->deadline_us;
}

static void violated(void *arg, const char *signature, const char *details)
{
    struct seat *seat = arg;
    const char *workload = seat->program->options.workload->name;
    seat->program->violated = true;
    (void)fprintf(stderr, "graft-workload %s: violation: %s: %s\n", workload, signature, details);
    workload_report_violation(workload, signature, details);
}

static bool append_line(void *arg, const char *line, size_t size)
{
    const int *file = arg;
    return write(*file, line, size) == (ssize_t)size;
}

static int open_in(const char *directory, unsigned number, int flags)
{
    char path[GRAFT_PATH_BYTES_MAX];
    (void)snprintf(path, sizeof path, "%s/client-%u", directory, number);
    return open(path, flags | O_RDWR | O_CLOEXEC, 0666);
}

static int open_history(const struct options *options)
{
    return open(options->history, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
}

/* Whoever holds no lock on a client's file was killed, or came to an end: what it left open has no
 * further effect. */
static void bury(struct workload_history *history, const char *directory, unsigned number)
{
    int file = open_in(directory, number, 0);
    if (file < 0)
        return;
    struct stat status;
    bool dead = flock(file, LOCK_EX | LOCK_NB) == 0;
    /* A byte in the file says that this was done. */
    if (dead && fstat(file, &status) == 0 && status.st_size == 0) {
        workload_history_died(history, number);
        (void)!write(file, "x", 1);
    }
    (void)close(file);
}

/* Takes the next free number, and buries who had one before and is gone. */
static bool take_number(struct seat *seat)
{
    const char *directory = seat->program->options.directory;
    for (unsigned number = 0; number < CLIENT_NUMBERS_MAX; number++) {
        seat->lock = open_in(directory, number, O_CREAT | O_EXCL);
        if (seat->lock < 0 && errno != EEXIST)
            break;
        if (seat->lock < 0) {
            bury(seat->history, directory, number);
            continue;
        }
        seat->client.number = number;
        return flock(seat->lock, LOCK_EX) == 0;
    }
    perror("graft-workload: a client's file");
    return false;
}

static void leave_seat(struct seat *seat)
{
    workload_history_free(seat->history);
    if (seat->sink >= 0)
        (void)close(seat->sink);
    if (seat->lock >= 0)
        (void)close(seat->lock);
}

/* `kept`: the history to work with; NULL: one of its own, which goes to the file. */
static bool take_seat(struct program *program, struct seat *seat, unsigned replica,
                      struct workload_history *kept)
{
    const struct options *options = &program->options;
    *seat = (struct seat){.program = program, .lock = -1, .sink = -1};
    (void)snprintf(seat->database, sizeof seat->database, "file:%s/replica-%u.graft?remote=%s",
                   options->directory, replica, options->remote);
    seat->client = (struct workload_client){
        .env = &program->env,
        .vfs = VFS_NAME,
        .database = seat->database,
        .replica = replica,
        .history = kept,
        .think_ms = (uint32_t)options->think_ms,
        .goes_on = goes_on,
        .violated = violated,
        .arg = seat,
    };
    if (kept != NULL)
        return true;
    seat->sink = open_history(options);
    if (seat->sink < 0) {
        perror(options->history);
        return false;
    }
    seat->history = workload_history_to(program->env.alloc, append_line, &seat->sink);
    seat->client.history = seat->history;
    return seat->history != NULL && take_number(seat);
}

static void note(const struct program *program, const char *what, unsigned replica, int rc)
{
    (void)fprintf(stderr, "graft-workload %s: %s of replica %u: %s\n",
                  program->options.workload->name, what, replica, sqlite3_errstr(rc));
}

/* ---- Commands ---- */

typedef int step_fn(struct workload_client *client);

/* One step on one replica, again until it worked, or time is up. Returns its last code. */
static int persist(struct program *program, struct seat *seat, step_fn *step)
{
    int rc = step(&seat->client);
    while (rc != SQLITE_OK && goes_on(seat)) {
        graft_task_sleep_ms(program->env.tasks, RETRY_MS);
        rc = step(&seat->client);
    }
    return rc;
}

static enum exit_code verdict(const struct program *program, int rc)
{
    if (program->violated)
        return EXIT_VIOLATION;
    return rc == SQLITE_OK ? EXIT_FINE : EXIT_SYSTEM;
}

static enum exit_code run_setup(struct program *program)
{
    struct seat seat;
    int rc = SQLITE_CANTOPEN;
    if (take_seat(program, &seat, 0, NULL))
        rc = persist(program, &seat, program->options.workload->setup);
    if (rc != SQLITE_OK)
        note(program, "setup", 0, rc);
    leave_seat(&seat);
    return verdict(program, rc);
}

static void drive_seat(void *arg)
{
    struct seat *seat = arg;
    seat->rc = persist(seat->program, seat, seat->program->options.workload->drive);
}

static enum exit_code run_drive(struct program *program)
{
    static struct seat seats[CLIENTS_MAX];
    unsigned seated = 0;
    bool good = true;
    while (good && seated < program->options.clients) {
        struct seat *seat = &seats[seated];
        uint64_t draw = graft_rand_u64(program->env.rand);
        struct graft_err err = {.rc = GRAFT_OK};
        good = take_seat(program, seat, (unsigned)(draw % program->options.replicas), NULL) &&
               graft_task_spawn(program->env.tasks, "client", drive_seat, seat, &seat->task,
                                &err) == GRAFT_OK;
        if (good)
            seated++;
        else
            leave_seat(seat);
    }
    for (unsigned i = 0; i < seated; i++) {
        graft_task_join(seats[i].task);
        if (seats[i].rc != SQLITE_OK)
            note(program, "a client", seats[i].client.replica, seats[i].rc);
        leave_seat(&seats[i]);
    }
    return verdict(program, good ? SQLITE_OK : SQLITE_CANTOPEN);
}

static bool replica_exists(struct program *program, unsigned replica)
{
    char path[GRAFT_PATH_BYTES_MAX];
    (void)snprintf(path, sizeof path, "%s/replica-%u.graft", program->options.directory, replica);
    return graft_volume_exists(&program->env, path);
}

/* Looks once at each replica; one that cannot be read just now is no violation. */
static enum exit_code run_check(struct program *program)
{
    struct workload_history *none = workload_history_new(program->env.alloc);
    for (unsigned i = 0; none != NULL && i < program->options.replicas; i++) {
        struct seat seat;
        if (!replica_exists(program, i) || !take_seat(program, &seat, i, none))
            continue;
        int rc = program->options.workload->check(&seat.client);
        if (rc != SQLITE_OK)
            note(program, "check", i, rc);
        leave_seat(&seat);
    }
    workload_history_free(none);
    return verdict(program, none != NULL ? SQLITE_OK : SQLITE_NOMEM);
}

static bool read_history(struct program *program, struct workload_history *history)
{
    uint8_t *text = NULL;
    size_t size = 0;
    struct graft_err err = {.rc = GRAFT_OK};
    if (graft_disk_read_file(program->env.disk, program->env.alloc, program->options.history,
                             SIZE_MAX / 2, &text, &size, &err) != GRAFT_OK) {
        (void)fprintf(stderr, "graft-workload: %s\n", err.text);
        return false;
    }
    size_t left_out = workload_history_parse(history, (const char *)text, size);
    if (left_out > 0)
        (void)fprintf(stderr, "graft-workload: %zu lines of %s are cut off\n", left_out,
                      program->options.history);
    graft_free(program->env.alloc, text);
    return !workload_history_failed(history);
}

/* Twice over all replicas: what one pushes at its turn, those before it pull in the second round.
 */
static int settle_all(struct program *program)
{
    int rc = SQLITE_OK;
    for (unsigned i = 0; i < 2 * program->options.replicas && rc == SQLITE_OK; i++) {
        struct seat seat;
        unsigned replica = i % program->options.replicas;
        rc = take_seat(program, &seat, replica, NULL) ? persist(program, &seat, workload_settle)
                                                      : SQLITE_CANTOPEN;
        leave_seat(&seat);
        if (rc != SQLITE_OK)
            note(program, "converging", replica, rc);
    }
    return rc;
}

static enum exit_code run_finish(struct program *program)
{
    const struct workload *workload = program->options.workload;
    struct workload_history *history = workload_history_new(program->env.alloc);
    int rc = settle_all(program);
    if (rc == SQLITE_OK && (history == NULL || !read_history(program, history)))
        rc = SQLITE_CANTOPEN;
    for (unsigned i = 0; i < program->options.replicas && rc == SQLITE_OK; i++) {
        struct seat seat;
        if (!take_seat(program, &seat, i, history))
            continue;
        /* No client has this number: what it records is in memory only. */
        seat.client.number = CLIENT_NUMBERS_MAX + i;
        rc = persist(program, &seat, workload->finish);
        if (rc != SQLITE_OK)
            note(program, "finish", i, rc);
        leave_seat(&seat);
    }
    if (rc == SQLITE_OK && history != NULL)
        (void)printf("graft-workload %s: %zu operations, %u replicas, nothing is wrong\n",
                     workload->name, workload_history_count(history), program->options.replicas);
    workload_history_free(history);
    return verdict(program, rc);
}

static enum exit_code run_entrypoint(struct program *program)
{
    (void)program;
    workload_report_setup_complete();
    return EXIT_FINE;
}

/* ---- The program ---- */

static const struct {
    const char *name;
    enum exit_code (*run)(struct program *program);
    const char *what;
} commands[] = {
    {"setup", run_setup, "make the first replica and its first rows, and push them"},
    {"drive", run_drive, "let clients work on the replicas"},
    {"check", run_check, "check what holds at any time"},
    {"finish", run_finish, "let the replicas converge, and check all that was promised"},
    {"entrypoint", run_entrypoint, "report that the system is up (setup_complete)"},
};

static enum exit_code usage(const char *what, const char *value)
{
    if (what != NULL)
        (void)fprintf(stderr, "graft-workload: %s%s\n", what, value);
    (void)fprintf(
        stderr,
        "usage: graft-workload WORKLOAD COMMAND --dir DIR --remote URL [--time 10s]\n"
        "           [--think 1s] [--clients 2] [--replicas 3] [--history FILE]\n\nworkloads:\n");
    for (size_t i = 0; workloads[i] != NULL; i++)
        (void)fprintf(stderr, "  %-11s %s\n", workloads[i]->name, workloads[i]->summary);
    (void)fprintf(stderr, "commands:\n");
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        (void)fprintf(stderr, "  %-11s %s\n", commands[i].name, commands[i].what);
    (void)fprintf(stderr, "exit codes: 0 fine, 1 a promise was broken, 2 usage, 3 the system failed"
                          " for as long as --time\n");
    return EXIT_USAGE;
}

/* "1500ms", "10s", "2m", "1h". */
static bool parse_time(const char *text, uint64_t *out)
{
    static const struct {
        const char *unit;
        uint64_t ms;
    } units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}};
    char *end = NULL;
    unsigned long count = strtoul(text, &end, 10);
    for (size_t i = 0; text[0] >= '0' && text[0] <= '9' && i < 4; i++) {
        if (strcmp(end, units[i].unit) == 0 && count <= 1000000000UL) {
            *out = count * units[i].ms;
            return true;
        }
    }
    return false;
}

static bool parse_count(const char *text, unsigned max, unsigned *out)
{
    char *end = NULL;
    unsigned long count = strtoul(text, &end, 10);
    if (text[0] < '1' || text[0] > '9' || *end != '\0' || count > max)
        return false;
    *out = (unsigned)count;
    return true;
}

static bool set_option(struct options *options, int letter, const char *value)
{
    switch (letter) {
    case 'd':
        options->directory = value;
        return true;
    case 'r':
        options->remote = value;
        return true;
    case 'f':
        return snprintf(options->history, sizeof options->history, "%s", value) <
               (int)sizeof options->history;
    case 't':
        return parse_time(value, &options->time_ms);
    case 'p':
        return parse_time(value, &options->think_ms) && options->think_ms <= 3600000;
    case 'c':
        return parse_count(value, CLIENTS_MAX, &options->clients);
    case 'n':
        return parse_count(value, REPLICAS_MAX, &options->replicas);
    default:
        return false;
    }
}

static enum exit_code parse(int count, char **words, struct options *options)
{
    static const struct option known[] = {
        {"dir", required_argument, NULL, 'd'},     {"remote", required_argument, NULL, 'r'},
        {"history", required_argument, NULL, 'f'}, {"time", required_argument, NULL, 't'},
        {"clients", required_argument, NULL, 'c'}, {"replicas", required_argument, NULL, 'n'},
        {"think", required_argument, NULL, 'p'},   {NULL, 0, NULL, 0},
    };
    *options = (struct options){.time_ms = 10000, .clients = 2, .replicas = 3};
    int letter = 0;
    while ((letter = getopt_long(count, words, "", known, NULL)) != -1) {
        if (!set_option(options, letter, optarg))
            return usage("not understood: ", optarg == NULL ? words[optind - 1] : optarg);
    }
    if (count - optind != 2)
        return usage(NULL, "");
    options->workload = workload_find(words[optind]);
    options->command = words[optind + 1];
    if (options->workload == NULL)
        return usage("there is no workload ", words[optind]);
    bool needs_place = strcmp(options->command, "entrypoint") != 0;
    if (needs_place && (options->directory == NULL || options->remote == NULL))
        return usage("say where: --dir and --remote", "");
    if (options->history[0] == '\0' && options->directory != NULL)
        (void)snprintf(options->history, sizeof options->history, "%s/history", options->directory);
    return EXIT_FINE;
}

static enum graft_rc open_program(struct program *program, struct graft_err *err)
{
    GRAFT_TRY(graft_host_new(NULL, &program->host, err));
    program->env = *graft_host_env(program->host);
    if (workload_report_rand() != NULL)
        program->env.rand = workload_report_rand();
    if (program->options.directory != NULL)
        GRAFT_TRY(graft_disk_make_directories(program->env.disk, program->options.directory, err));
    GRAFT_TRY(graft_process_new(&program->env, &program->process, err));
    GRAFT_TRY(
        graft_vfs_register(program->process, &program->env, VFS_NAME, NULL, &program->vfs, err));
    program->deadline_us =
        graft_clock_monotonic_us(program->env.clock) + program->options.time_ms * 1000;
    return GRAFT_OK;
}

int main(int count, char **words)
{
    static struct program program;
    struct graft_err err = {.rc = GRAFT_OK};
    enum exit_code code = parse(count, words, &program.options);
    if (code != EXIT_FINE)
        return (int)code;
    size_t which = 0;
    while (which < sizeof commands / sizeof commands[0] &&
           strcmp(commands[which].name, program.options.command) != 0)
        which++;
    if (which == sizeof commands / sizeof commands[0])
        return (int)usage("there is no command ", program.options.command);
    workload_report_start();
    if (open_program(&program, &err) == GRAFT_OK) {
        code = commands[which].run(&program);
    } else {
        (void)fprintf(stderr, "graft-workload: %s\n", err.text);
        code = EXIT_SYSTEM;
    }
    graft_vfs_unregister(program.vfs);
    graft_process_free(program.process);
    graft_host_free(program.host);
    return (int)code;
}
