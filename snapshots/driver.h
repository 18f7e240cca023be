/* The snapshot driver: runs SQL scripts and compares what they print with what stands beside them.
 * The language is described in README.md. `driver.c` finds the scripts and is the Criterion
 * program; `driver_script.c` reads a script and obeys it; `driver_sql.c` owns connections and how
 * results are printed; `driver_files.c` has the directives that touch files; `driver_out.c` is the
 * masked output that all of them print to. */
#ifndef GRAFT_SNAPSHOTS_DRIVER_H
#define GRAFT_SNAPSHOTS_DRIVER_H

#include <regex.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#define SNAPSHOT_PATH_BYTES 1024
#define SNAPSHOT_CONNECTIONS_MAX 16
#define SNAPSHOT_MASKS_MAX 16
#define SNAPSHOT_WORDS_MAX 8

enum snapshot_vfs { SNAPSHOT_SQLITE, SNAPSHOT_GRAFT };

/* One connection of a script. `db` is NULL when opening failed or it was closed; `uri` stays, so
 * that it can be opened again. */
struct snapshot_connection {
    char name[32];
    char uri[2 * SNAPSHOT_PATH_BYTES];
    sqlite3 *db;
    sqlite3_stmt *held; /* the statement of `--@ hold` */
};

struct snapshot_mask {
    regex_t regex;
    char text[64];
};

/* One run of one script. */
struct snapshot_run {
    enum snapshot_vfs vfs;
    char directory[SNAPSHOT_PATH_BYTES]; /* the temporary directory, $DIR */
    bool wal;                            /* SQLite's own VFS runs this script in WAL mode */
    bool log;                            /* log lines are printed */
    FILE *out;
    char *bytes; /* what `out` has collected */
    size_t size;
    unsigned problems; /* mistakes of the script itself: never blessed */
    struct snapshot_connection connections[SNAPSHOT_CONNECTIONS_MAX];
    size_t connection_count;
    struct snapshot_connection *current;
    struct snapshot_mask masks[SNAPSHOT_MASKS_MAX];
    size_t mask_count;
};

/* ---- driver_out.c */

/* Prints a line of results: the directory becomes $DIR, then every mask applies. */
void snapshot_print(struct snapshot_run *run, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Prints a line of the script itself, as it stands. */
void snapshot_echo(struct snapshot_run *run, const char *text);
/* Prints and counts a mistake of the script. */
void snapshot_problem(struct snapshot_run *run, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
bool snapshot_mask_add(struct snapshot_run *run, const char *regex, const char *text);
/* `text` with every `from` replaced; the caller frees it. */
char *snapshot_replace(const char *text, const char *from, const char *to);
/* `text` with $DIR, $VFS and $I expanded; the caller frees it. */
char *snapshot_expand(const struct snapshot_run *run, const char *text, long i);
/* Collects what SQLite and Graft log from now on; once a process, before SQLite is initialised. */
void snapshot_log_start(void);
/* Prints (when the script asked for it) and forgets what was logged. */
void snapshot_log_flush(struct snapshot_run *run);

/* ---- driver_sql.c */

/* The name of an SQLite result code; a number for one that the table lacks. Static storage. */
const char *snapshot_code_name(int code);
void snapshot_open(struct snapshot_run *run, const char *name, const char *file);
void snapshot_reopen(struct snapshot_run *run, const char *name);
void snapshot_on(struct snapshot_run *run, const char *name);
void snapshot_close(struct snapshot_run *run, const char *name);
void snapshot_close_all(struct snapshot_run *run);
/* Runs all statements of `sql` on the current connection and prints their rows; `quiet` prints
 * failures only. */
void snapshot_sql(struct snapshot_run *run, const char *sql, bool quiet);
/* Starts a statement, prints its first row and leaves it open; release prints the others. */
void snapshot_hold(struct snapshot_run *run, const char *sql);
void snapshot_release(struct snapshot_run *run);
void snapshot_backup(struct snapshot_run *run, const char *from, const char *to);
/* words: TABLE COLUMN ROWID OFFSET, then TEXT (write) or SIZE (read). */
void snapshot_blob(struct snapshot_run *run, bool write, char **words);

/* ---- driver_files.c */

/* Obeys a directive that works on files of the directory; false when `words[0]` is none. */
bool snapshot_file_directive(struct snapshot_run *run, char **words, size_t count);
bool snapshot_remove_tree(const char *path);
/* Gives up the rights of the superuser, for which no directory is read-only. */
void snapshot_unprivileged(struct snapshot_run *run);
/* Takes them back at the end of the script. */
void snapshot_privileged(void);

/* ---- driver_script.c */

/* Runs the script; `*out` is what it printed (the caller frees it). False when the script has
 * mistakes or could not be run at all (`*out` may be NULL then). */
bool snapshot_script(const char *path, enum snapshot_vfs vfs, char **out);
/* Says which VFS a script is for; false when it cannot be read. */
bool snapshot_script_vfs(const char *path, bool *sqlite, bool *graft);
/* The whole file with a NUL behind it, or NULL. */
char *snapshot_read_file(const char *path, size_t *size);

#endif
