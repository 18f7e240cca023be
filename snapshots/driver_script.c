/* Reads a script line by line: what begins with `--@` is a directive, what begins with `--` a
 * comment, everything else SQL, which runs as soon as it is complete. Directives and statements are
 * printed in front of their results, so that the expected output reads like a session. */
#include "driver.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char *snapshot_read_file(const char *path, size_t *size)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return NULL;
    char *bytes = NULL;
    size_t total = 0;
    FILE *all = open_memstream(&bytes, &total);
    char chunk[1 << 14];
    size_t got = 0;
    while (all != NULL && (got = fread(chunk, 1, sizeof chunk, file)) > 0)
        (void)fwrite(chunk, 1, got, all);
    (void)fclose(file);
    if (all == NULL || fclose(all) != 0)
        return NULL;
    if (size != NULL)
        *size = total;
    return bytes;
}

/* Splits in place at blanks; '...' holds a word with blanks together. */
static size_t split(char *line, char **words)
{
    size_t count = 0;
    while (count < SNAPSHOT_WORDS_MAX) {
        while (isspace((unsigned char)*line))
            line++;
        if (*line == '\0')
            break;
        bool quoted = *line == '\'';
        if (quoted)
            line++;
        words[count++] = line;
        while (*line != '\0' && (quoted ? *line != '\'' : !isspace((unsigned char)*line)))
            line++;
        if (*line != '\0')
            *line++ = '\0';
    }
    return count;
}

/* `--@ repeat N SQL`: $I counts from 1. */
static void repeat(struct snapshot_run *run, const char *rest)
{
    char *sql = NULL;
    long times = strtol(rest, &sql, 10);
    for (long i = 1; i <= times; i++) {
        char *one = snapshot_expand(run, sql, i);
        snapshot_sql(run, one, true);
        free(one);
    }
}

/* Directives whose argument is the rest of the line; false when it is none of them. */
static bool obey_line(struct snapshot_run *run, const char *line)
{
    char *sql = snapshot_expand(run, line, 0);
    bool known = true;
    if (strncmp(line, "hold ", 5) == 0)
        snapshot_hold(run, sql + 5);
    else if (strncmp(line, "repeat ", 7) == 0)
        repeat(run, line + 7);
    else
        known = false;
    free(sql);
    return known;
}

static bool obey_words(struct snapshot_run *run, char **words, size_t count)
{
    const char *verb = words[0];
    const char *arg = count > 1 ? words[1] : NULL;
    if (strcmp(verb, "vfs") == 0 && count == 2)
        return true;
    if (strcmp(verb, "wal") == 0 && count == 1)
        run->wal = true;
    else if (strcmp(verb, "unprivileged") == 0 && count == 1)
        snapshot_unprivileged(run);
    else if (strcmp(verb, "log") == 0 && count == 2)
        run->log = strcmp(arg, "on") == 0;
    else if (strcmp(verb, "mask") == 0 && count == 3)
        return snapshot_mask_add(run, arg, words[2]);
    else if (strcmp(verb, "open") == 0 && count == 3)
        snapshot_open(run, arg, words[2]);
    else if (strcmp(verb, "on") == 0 && count == 2)
        snapshot_on(run, arg);
    else if (strcmp(verb, "close") == 0 && count <= 2)
        snapshot_close(run, arg);
    else if (strcmp(verb, "reopen") == 0 && count <= 2)
        snapshot_reopen(run, arg);
    else if (strcmp(verb, "release") == 0 && count == 1)
        snapshot_release(run);
    else if (strcmp(verb, "backup") == 0 && count == 3)
        snapshot_backup(run, arg, words[2]);
    else if (strcmp(verb, "blob-read") == 0 && count == 6)
        snapshot_blob(run, false, words + 1);
    else if (strcmp(verb, "blob-write") == 0 && count == 6)
        snapshot_blob(run, true, words + 1);
    else
        return snapshot_file_directive(run, words, count);
    return true;
}

static void obey(struct snapshot_run *run, const char *line)
{
    line += strlen("--@");
    while (isspace((unsigned char)*line))
        line++;
    if (obey_line(run, line))
        return;
    char *copy = snapshot_expand(run, line, 0);
    char *words[SNAPSHOT_WORDS_MAX];
    size_t count = split(copy, words);
    if (count == 0 || !obey_words(run, words, count))
        snapshot_problem(run, "not understood: %s", line);
    free(copy);
}

static void run_sql(struct snapshot_run *run, const char *sql)
{
    snapshot_echo(run, sql);
    char *expanded = snapshot_expand(run, sql, 0);
    snapshot_sql(run, expanded, false);
    free(expanded);
}

static void run_lines(struct snapshot_run *run, char *text)
{
    char *sql = calloc(1, strlen(text) + 2);
    size_t used = 0;
    if (sql == NULL)
        abort();
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        bool between = used == 0;
        if (between && strncmp(line, "--@", 3) == 0) {
            snapshot_echo(run, line);
            obey(run, line);
            continue;
        }
        if (between && strncmp(line, "--", 2) == 0)
            continue;
        if (!between)
            sql[used++] = '\n';
        memcpy(sql + used, line, strlen(line) + 1);
        used += strlen(line);
        if (used > 0 && sqlite3_complete(sql)) {
            run_sql(run, sql);
            used = 0;
        }
    }
    if (used > 0)
        snapshot_problem(run, "incomplete: %s", sql);
    free(sql);
}

bool snapshot_script_vfs(const char *path, bool *sqlite, bool *graft)
{
    char *text = snapshot_read_file(path, NULL);
    if (text == NULL)
        return false;
    *sqlite = strstr(text, "--@ vfs graft") == NULL;
    *graft = strstr(text, "--@ vfs sqlite") == NULL;
    free(text);
    return true;
}

static bool make_directory(struct snapshot_run *run)
{
    char template[] = "/tmp/graft-snapshot-XXXXXX";
    if (mkdtemp(template) == NULL)
        return false;
    char *real = realpath(template, NULL);
    (void)snprintf(run->directory, sizeof run->directory, "%s", real != NULL ? real : template);
    free(real);
    return true;
}

bool snapshot_script(const char *path, enum snapshot_vfs vfs, char **out)
{
    struct snapshot_run run = {.vfs = vfs};
    char *text = snapshot_read_file(path, NULL);
    if (text == NULL)
        return false;
    run.out = open_memstream(&run.bytes, &run.size);
    if (run.out == NULL || !make_directory(&run)) {
        free(text);
        return false;
    }
    /* SQLite appends these where it names a line of its own source. */
    (void)snapshot_mask_add(&run, "at line [0-9]+ of \\[[0-9a-f]+\\]", "at line N of [SOURCE]");
    run_lines(&run, text);
    snapshot_close_all(&run);
    snapshot_privileged();
    if (!snapshot_remove_tree(run.directory))
        snapshot_problem(&run, "the directory does not go away");
    for (size_t i = 0; i < run.mask_count; i++)
        regfree(&run.masks[i].regex);
    (void)fclose(run.out);
    free(text);
    *out = run.bytes;
    return run.problems == 0;
}
