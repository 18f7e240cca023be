/* Everything a script prints goes through here, line by line, so that what differs from run to run
 * (the directory, and what the script masks) never reaches the expected output. The log callback of
 * SQLite is process-wide and may come from any thread, hence the one locked global below. */
#include "driver.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static struct {
    pthread_mutex_t mutex;
    char *lines; /* "code: text" lines, each ended by a newline */
    size_t size;
} logged = {.mutex = PTHREAD_MUTEX_INITIALIZER};

char *snapshot_replace(const char *text, const char *from, const char *to)
{
    size_t from_bytes = strlen(from), to_bytes = strlen(to), hits = 0;
    for (const char *p = strstr(text, from); p != NULL; p = strstr(p + from_bytes, from))
        hits++;
    char *out = malloc(strlen(text) + hits * to_bytes + 1);
    if (out == NULL)
        abort();
    char *at = out;
    for (;;) {
        const char *hit = strstr(text, from);
        if (hit == NULL)
            break;
        memcpy(at, text, (size_t)(hit - text));
        at += hit - text;
        memcpy(at, to, to_bytes);
        at += to_bytes;
        text = hit + from_bytes;
    }
    memcpy(at, text, strlen(text) + 1);
    return out;
}

char *snapshot_expand(const struct snapshot_run *run, const char *text, long i)
{
    char number[32];
    (void)snprintf(number, sizeof number, "%ld", i);
    char *a = snapshot_replace(text, "$DIR", run->directory);
    char *b = snapshot_replace(a, "$VFS", run->vfs == SNAPSHOT_GRAFT ? "graft" : "unix");
    char *c = snapshot_replace(b, "$I", number);
    free(a);
    free(b);
    return c;
}

static char *mask_apply(const struct snapshot_mask *mask, char *text)
{
    char *out = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&out, &size);
    if (stream == NULL)
        abort();
    const char *at = text;
    regmatch_t match;
    int flags = 0;
    while (*at != '\0' && regexec(&mask->regex, at, 1, &match, flags) == 0) {
        if (match.rm_eo == match.rm_so)
            break;
        (void)fwrite(at, 1, (size_t)match.rm_so, stream);
        (void)fputs(mask->text, stream);
        at += match.rm_eo;
        flags = REG_NOTBOL;
    }
    (void)fputs(at, stream);
    (void)fclose(stream);
    free(text);
    return out;
}

bool snapshot_mask_add(struct snapshot_run *run, const char *regex, const char *text)
{
    if (run->mask_count == SNAPSHOT_MASKS_MAX)
        return false;
    struct snapshot_mask *mask = &run->masks[run->mask_count];
    if (regcomp(&mask->regex, regex, REG_EXTENDED) != 0)
        return false;
    (void)snprintf(mask->text, sizeof mask->text, "%s", text);
    run->mask_count++;
    return true;
}

__attribute__((format(printf, 1, 0))) static char *format_text(const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int bytes = vsnprintf(NULL, 0, format, again);
    va_end(again);
    char *text = malloc((size_t)bytes + 1);
    if (text == NULL)
        abort();
    (void)vsnprintf(text, (size_t)bytes + 1, format, args);
    return text;
}

void snapshot_print(struct snapshot_run *run, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *raw = format_text(format, args);
    va_end(args);
    char *text = snapshot_replace(raw, run->directory, "$DIR");
    free(raw);
    for (size_t i = 0; i < run->mask_count; i++)
        text = mask_apply(&run->masks[i], text);
    (void)fprintf(run->out, "%s\n", text);
    free(text);
}

void snapshot_echo(struct snapshot_run *run, const char *text)
{
    (void)fprintf(run->out, "%s\n", text);
}

void snapshot_problem(struct snapshot_run *run, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = format_text(format, args);
    va_end(args);
    (void)fprintf(run->out, "MISTAKE %s\n", text);
    free(text);
    run->problems++;
}

static void log_line(void *arg, int code, const char *message)
{
    (void)arg;
    char *text = NULL;
    size_t size = 0;
    FILE *stream = open_memstream(&text, &size);
    if (stream == NULL)
        abort();
    /* A long text comes in several lines, cut where the length of the directory's name happens to
     * say: they are one line here. */
    bool more = strncmp(message, "graft: ...", 10) == 0;
    if (more)
        (void)fprintf(stream, "%s\n", message + 10);
    else
        (void)fprintf(stream, "log %s: %s\n", snapshot_code_name(code), message);
    (void)fclose(stream);

    (void)pthread_mutex_lock(&logged.mutex);
    if (more && logged.size > 0 && logged.lines[logged.size - 1] == '\n')
        logged.size--;
    char *lines = realloc(logged.lines, logged.size + size + 1);
    if (lines == NULL)
        abort();
    memcpy(lines + logged.size, text, size + 1);
    logged.lines = lines;
    logged.size += size;
    (void)pthread_mutex_unlock(&logged.mutex);
    free(text);
}

void snapshot_log_start(void)
{
    int rc = sqlite3_config(SQLITE_CONFIG_LOG, log_line, NULL);
    if (rc != SQLITE_OK)
        abort();
}

void snapshot_log_flush(struct snapshot_run *run)
{
    (void)pthread_mutex_lock(&logged.mutex);
    char *lines = logged.lines;
    logged.lines = NULL;
    logged.size = 0;
    (void)pthread_mutex_unlock(&logged.mutex);
    char *rest = NULL;
    for (char *line = lines == NULL ? NULL : strtok_r(lines, "\n", &rest); run->log && line != NULL;
         line = strtok_r(NULL, "\n", &rest))
        snapshot_print(run, "%s", line);
    free(lines);
}
