/* What the size of a database costs that is hardly touched: one of 2,621,440 pages (10 GB), nearly
 * all of them zeros in a sparse file, closed in order. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench.h"

#define PAGES 2621440U
#define PAGE_BYTES 4096U
#define TOUCHED 100000U
#define OPENS 50U

static void path_of(const struct bench *bench, char out[1024])
{
    (void)snprintf(out, 1024, "%s/large.graft", bench->directory);
}

static void must(enum graft_rc rc, const struct graft_err *err)
{
    if (rc != GRAFT_OK)
        bench_fail("large", err->text);
}

/* All pages are there, as zeros, and become one hole when the log is folded. */
static void build(struct bench *bench)
{
    char path[1024];
    struct stat status;
    path_of(bench, path);
    if (stat(path, &status) == 0)
        return;
    struct graft_err err = {.rc = GRAFT_OK};
    struct graft_volume *volume = NULL;
    struct graft_session *session = NULL;
    struct graft_volume_options options = {.create = true, .page_bytes = PAGE_BYTES};
    must(graft_volume_open(bench->process, path, &options, &volume, &err), &err);
    must(graft_session_open(volume, &session, &err), &err);
    must(graft_write_begin(session, &err), &err);
    must(graft_write_truncate(session, PAGES / bench->scale, &err), &err);
    must(graft_write_prepare(session, GRAFT_DURABILITY_FULL, NULL, &err), &err);
    graft_write_publish(session);
    graft_session_close(session);
    graft_volume_close(volume);
}

/* Opening and a first read; closing is not part of it. */
double bench_run_large(struct bench *bench, enum side side, unsigned round)
{
    (void)side;
    build(bench);
    char path[1024];
    path_of(bench, path);
    double spent_s = 0;
    for (unsigned i = 0; i < OPENS; i++) {
        struct graft_err err = {.rc = GRAFT_OK};
        struct graft_volume *volume = NULL;
        struct graft_session *session = NULL;
        struct graft_volume_options options = {.create = false};
        uint8_t bytes[PAGE_BYTES];
        size_t got = 0;
        double start_s = bench_now_s(bench);
        must(graft_volume_open(bench->process, path, &options, &volume, &err), &err);
        must(graft_session_open(volume, &session, &err), &err);
        must(graft_session_begin(session, NULL, &err), &err);
        must(graft_session_read(session, 1 + round, bytes, sizeof bytes, &got, &err), &err);
        spent_s += bench_now_s(bench) - start_s;
        graft_session_end(session);
        graft_session_close(session);
        graft_volume_close(volume);
    }
    return spent_s / OPENS;
}

static uint64_t resident_bytes(void)
{
    /* The size of the process, and what of it is resident, in pages. */
    char line[256] = "";
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fgets(line, sizeof line, file) == NULL)
        bench_fail("/proc/self/statm", "cannot be read");
    (void)fclose(file);
    char *at = line;
    (void)strtoull(at, &at, 10);
    uint64_t resident = strtoull(at, NULL, 10);
    return resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* Bytes of this process's resident memory a page that was read, over a run of neighbours. */
double bench_run_resident(struct bench *bench, enum side side, unsigned round)
{
    (void)side;
    (void)round;
    build(bench);
    char path[1024];
    path_of(bench, path);
    struct graft_err err = {.rc = GRAFT_OK};
    struct graft_volume *volume = NULL;
    struct graft_session *session = NULL;
    struct graft_volume_options options = {.create = false};
    uint8_t bytes[PAGE_BYTES];
    size_t got = 0;
    must(graft_volume_open(bench->process, path, &options, &volume, &err), &err);
    must(graft_session_open(volume, &session, &err), &err);
    must(graft_session_begin(session, NULL, &err), &err);
    must(graft_session_read(session, 1, bytes, sizeof bytes, &got, &err), &err);
    uint32_t count = TOUCHED / bench->scale;
    uint64_t before = resident_bytes();
    for (uint32_t page = 2; page <= count + 1; page++)
        must(graft_session_read(session, page, bytes, sizeof bytes, &got, &err), &err);
    uint64_t after = resident_bytes();
    graft_session_end(session);
    graft_session_close(session);
    graft_volume_close(volume);
    return after > before ? (double)(after - before) / count : 0;
}
