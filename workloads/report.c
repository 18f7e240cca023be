/* Lines are built whole and written with one call, since several processes append to one file. Of
 * each point the first pass and the first failure are reported; the rest would say nothing new. */
#include "workloads/report.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/catalogue.h"
#include "graft/graft.h"

#define LINE_BYTES_MAX 4096
#define POINTS_MAX 1024U

static struct {
    int file; /* -1: none */
    uint64_t (*get_random)(void);
    void (*json_data)(const char *, size_t);
    void (*flush)(void);
    _Atomic unsigned char told[POINTS_MAX]; /* bit 0: a failure, bit 1: a pass */
} report = {.file = -1};

/* ---- Lines ---- */

struct line {
    char bytes[LINE_BYTES_MAX];
    size_t size;
    bool cut; /* did not fit: not sent */
};

static void put(struct line *line, const char *text)
{
    size_t size = strlen(text);
    if (size > sizeof line->bytes - 1 - line->size) {
        line->cut = true;
        return;
    }
    memcpy(line->bytes + line->size, text, size + 1);
    line->size += size;
}

static void put_text(struct line *line, const char *text)
{
    put(line, "\"");
    for (; *text != '\0'; text++) {
        unsigned char byte = (unsigned char)*text;
        char escaped[8] = {(char)byte, '\0'};
        if (byte == '"' || byte == '\\')
            (void)snprintf(escaped, sizeof escaped, "\\%c", byte);
        else if (byte < 0x20 || byte > 0x7e)
            (void)snprintf(escaped, sizeof escaped, "\\u%04x", byte);
        put(line, escaped);
    }
    put(line, "\"");
}

static void send(struct line *line)
{
    if (line->cut)
        return;
    if (report.json_data != NULL) {
        report.json_data(line->bytes, line->size);
        if (report.flush != NULL)
            report.flush();
        return;
    }
    if (report.file < 0)
        return;
    put(line, "\n");
    if (!line->cut && write(report.file, line->bytes, line->size) < 0) {
        (void)close(report.file);
        report.file = -1;
    }
}

/* ---- Points ---- */

static const struct {
    const char *assert_type;
    const char *display_type;
    bool must_hit;
} kinds[] = {
    [GRAFT_POINT_ALWAYS] = {"always", "Always", true},
    [GRAFT_POINT_SOMETIMES] = {"sometimes", "Sometimes", true},
    [GRAFT_POINT_REACHABLE] = {"reachability", "Reachable", true},
    [GRAFT_POINT_UNREACHABLE] = {"reachability", "Unreachable", false},
};

static bool is_assertion(const struct graft_point *point)
{
    return point->kind <= GRAFT_POINT_UNREACHABLE;
}

static const char *truth(bool value)
{
    return value ? "true" : "false";
}

static void send_point(const struct graft_point *point, bool hit, bool condition)
{
    struct line line = {.size = 0};
    char number[16];
    (void)snprintf(number, sizeof number, "%" PRIu32, point->line);
    put(&line, "{\"antithesis_assert\":{\"hit\":");
    put(&line, truth(hit));
    put(&line, ",\"must_hit\":");
    put(&line, truth(kinds[point->kind].must_hit));
    put(&line, ",\"assert_type\":");
    put_text(&line, kinds[point->kind].assert_type);
    put(&line, ",\"display_type\":");
    put_text(&line, kinds[point->kind].display_type);
    put(&line, ",\"message\":");
    put_text(&line, point->text);
    put(&line, ",\"condition\":");
    put(&line, truth(condition));
    put(&line, ",\"id\":");
    put_text(&line, point->text);
    put(&line, ",\"location\":{\"class\":\"\",\"function\":\"\",\"file\":");
    put_text(&line, point->file);
    put(&line, ",\"begin_line\":");
    put(&line, number);
    put(&line, ",\"begin_column\":0},\"details\":{}}}");
    send(&line);
}

void graft_point_reached(const struct graft_point *const *slot, bool condition)
{
    size_t number = (size_t)(slot - __start_graft_points);
    bool held = condition && (*slot)->kind != GRAFT_POINT_UNREACHABLE;
    unsigned char bit = held ? 2 : 1;
    if (number >= POINTS_MAX)
        return;
    if ((atomic_load_explicit(&report.told[number], memory_order_relaxed) & bit) != 0)
        return;
    if ((atomic_fetch_or(&report.told[number], bit) & bit) == 0)
        send_point(*slot, true, held);
}

/* Odd choices and planted bugs are the simulator's. */
bool graft_point_asked(const struct graft_point *const *slot)
{
    (void)slot;
    return false;
}

/* ---- The beginning ---- */

static void find_library(void)
{
    void *library = dlopen("/usr/lib/libvoidstar.so", RTLD_NOW);
    if (library == NULL)
        library = dlopen("libvoidstar.so", RTLD_NOW);
    if (library == NULL)
        return;
    /* ISO C has no conversion from an object's pointer to a function's. */
    void *symbol = dlsym(library, "fuzz_get_random");
    memcpy(&report.get_random, &symbol, sizeof symbol);
    symbol = dlsym(library, "fuzz_json_data");
    memcpy(&report.json_data, &symbol, sizeof symbol);
    symbol = dlsym(library, "fuzz_flush");
    memcpy(&report.flush, &symbol, sizeof symbol);
}

static void open_file(void)
{
    char path[4096];
    const char *file = getenv("ANTITHESIS_SDK_LOCAL_OUTPUT");
    const char *directory = getenv("ANTITHESIS_OUTPUT_DIR");
    if (file != NULL && file[0] != '\0')
        (void)snprintf(path, sizeof path, "%s", file);
    else if (directory != NULL && directory[0] != '\0')
        (void)snprintf(path, sizeof path, "%s/sdk.jsonl", directory);
    else
        return;
    report.file = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    if (report.file < 0)
        (void)fprintf(stderr, "graft-workload: %s cannot be written: assertions are not recorded\n",
                      path);
}

static void introduce(void)
{
    struct line line = {.size = 0};
    put(&line, "{\"antithesis_sdk\":{\"language\":{\"name\":\"C\",\"version\":\"C11\"},"
               "\"sdk_version\":");
    put_text(&line, GRAFT_VERSION);
    put(&line, ",\"protocol_version\":\"1.1.0\"}}");
    send(&line);
}

void workload_report_start(void)
{
    find_library();
    if (report.json_data == NULL)
        open_file();
    introduce();
    size_t count = (size_t)(__stop_graft_points - __start_graft_points);
    for (size_t i = 0; i < count; i++) {
        if (is_assertion(__start_graft_points[i]))
            send_point(__start_graft_points[i], false, false);
    }
    if (count > POINTS_MAX)
        (void)fprintf(stderr, "graft-workload: %zu points, of which %u are followed\n", count,
                      POINTS_MAX);
}

void workload_report_setup_complete(void)
{
    struct line line = {.size = 0};
    put(&line, "{\"antithesis_setup\":{\"status\":\"complete\",\"details\":{}}}");
    send(&line);
}

void workload_report_violation(const char *workload, const char *signature, const char *details)
{
    struct line line = {.size = 0};
    put(&line, "{\"violation\":{\"workload\":");
    put_text(&line, workload);
    put(&line, ",\"signature\":");
    put_text(&line, signature);
    put(&line, ",\"details\":");
    char beginning[512];
    (void)snprintf(beginning, sizeof beginning, "%s", details);
    put_text(&line, beginning);
    put(&line, "}}");
    send(&line);
}

/* ---- Randomness ---- */

static void fill_from_library(struct graft_rand *rand, void *bytes, size_t count)
{
    (void)rand;
    uint8_t *at = bytes;
    while (count > 0) {
        uint64_t word = report.get_random();
        size_t some = count < sizeof word ? count : sizeof word;
        memcpy(at, &word, some);
        at += some;
        count -= some;
    }
}

struct graft_rand *workload_report_rand(void)
{
    static const struct graft_rand_ops ops = {.fill = fill_from_library};
    static struct graft_rand rand = {.ops = &ops};
    return report.get_random != NULL ? &rand : NULL;
}
