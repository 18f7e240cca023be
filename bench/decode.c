/* graft-bench decode: how fast frames are decoded, all checks included, beside zstd alone, which
 * decompresses the same payloads one by one, as `zstd -b` does with blocks of that size: the
 * context and the buffer are kept, and nothing is looked at. The frames are those that a push left
 * in a remote. */
#include <ftw.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "base/cursor.h"
#include "bench.h"
#include "format/frame.h"
#include "remote.h"
#include "remote/objects.h"

#define PAGE_BYTES 4096U
#define PAIRS_DEFAULT 31U
#define QUICK_PAIRS 3U
#define TURN_S 0.02 /* what a side's turn takes at least */
#define AIM 0.85    /* of zstd's rate */

struct pushed_frame {
    const uint8_t *bytes;
    uint32_t stored_bytes, content_bytes;
};

/* What a push of one database left in the remote. */
struct pushed {
    struct graft_objects *objects;
    struct graft_buf segments; /* one after another */
    struct pushed_frame *frames;
    size_t count;
    uint64_t stored_bytes, content_bytes;
};

struct decoding {
    struct bench bench;
    bool quick;
    const char *only; /* database */

    /* Made anew for each pair: where they lie in memory is worth some percent. */
    struct graft_codec *codec;
    ZSTD_DCtx *context;
    struct graft_buf content; /* as the codec's is */
};

static void must(enum graft_rc rc, const struct graft_err *err)
{
    if (rc != GRAFT_OK)
        bench_fail("decode", err->text);
}

/* ---- The frames ---- */

static void push(struct bench *bench, const struct remote_bytes *database, const char *url)
{
    char path[1024];
    struct graft_err err = {.rc = GRAFT_OK};
    struct graft_volume *volume = NULL;
    struct graft_session *session = NULL;
    struct graft_sync_result result;
    struct graft_volume_options options = {
        .create = true, .page_bytes = PAGE_BYTES, .remote_url = url};
    (void)snprintf(path, sizeof path, "%s/decode.graft", bench->directory);
    must(graft_volume_open(bench->process, path, &options, &volume, &err), &err);
    must(graft_session_open(volume, &session, &err), &err);
    must(graft_write_begin(session, &err), &err);
    for (size_t at = 0; at < database->size; at += PAGE_BYTES)
        must(graft_write_page(session, (uint32_t)(at / PAGE_BYTES) + 1, database->bytes + at,
                              PAGE_BYTES, &err),
             &err);
    must(graft_write_prepare(session, GRAFT_DURABILITY_NONE, NULL, &err), &err);
    graft_write_publish(session);
    graft_session_close(session);
    must(graft_push(volume, &result, &err), &err);
    graft_volume_close(volume);
}

static enum graft_rc take_segment(void *arg, const char *key, uint64_t size)
{
    struct pushed *pushed = arg;
    struct graft_err err = {.rc = GRAFT_OK};
    (void)size;
    must(graft_objects_get(pushed->objects, key, 0, 0, &pushed->segments, &err), &err);
    return GRAFT_OK;
}

/* The header of a frame tells where the next one begins. */
static void find_frames(struct pushed *pushed)
{
    const uint8_t *at = pushed->segments.bytes;
    const uint8_t *end = at + pushed->segments.size;
    pushed->frames =
        calloc(pushed->segments.size / GRAFT_FRAME_HEADER_BYTES + 1, sizeof *pushed->frames);
    if (pushed->frames == NULL)
        bench_fail("decode", "out of memory");
    while (at < end) {
        if (graft_segment_check(at, (size_t)(end - at), NULL) == GRAFT_OK) {
            at += GRAFT_SEGMENT_HEADER_BYTES;
            continue;
        }
        struct graft_reader_cursor cursor;
        graft_rcur_init(&cursor, at, (size_t)(end - at));
        (void)graft_rcur_u64(&cursor);
        struct pushed_frame *frame = &pushed->frames[pushed->count++];
        frame->bytes = at;
        frame->stored_bytes = graft_rcur_u32(&cursor) + GRAFT_FRAME_HEADER_BYTES;
        frame->content_bytes = graft_rcur_u32(&cursor);
        pushed->stored_bytes += frame->stored_bytes;
        pushed->content_bytes += frame->content_bytes;
        at += frame->stored_bytes;
    }
    if (pushed->count == 0)
        bench_fail("decode", "the push left no segment");
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    (void)type;
    (void)walk;
    return remove(path);
}

/* Pushes the database to a remote in the bench's directory, and reads the segments back. */
static void pushed_init(struct pushed *pushed, struct bench *bench,
                        const struct remote_bytes *database)
{
    char text[1024];
    struct graft_url url;
    struct graft_err err = {.rc = GRAFT_OK};
    *pushed = (struct pushed){.objects = NULL};
    graft_buf_init(&pushed->segments, bench->env->alloc);
    (void)snprintf(text, sizeof text, "file://%s/remote/app", bench->directory);
    push(bench, database, text);
    must(graft_url_parse(text, &url, &err), &err);
    must(graft_objects_open(bench->env, &url, &pushed->objects, &err), &err);
    must(graft_objects_list(pushed->objects, "_segments/", "", GRAFT_LIST_KEYS_MAX, take_segment,
                            pushed, &err),
         &err);
    graft_objects_close(pushed->objects);
    find_frames(pushed);
    bench_remove(bench, SIDE_GRAFT, "decode");
    (void)snprintf(text, sizeof text, "%s/remote", bench->directory);
    (void)nftw(text, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

static void pushed_deinit(struct pushed *pushed)
{
    free(pushed->frames);
    graft_buf_deinit(&pushed->segments);
}

/* ---- The two sides ---- */

static void run_zstd(struct decoding *decoding, const struct pushed *pushed)
{
    for (size_t i = 0; i < pushed->count; i++) {
        const struct pushed_frame *frame = &pushed->frames[i];
        if (graft_buf_reserve(&decoding->content, frame->content_bytes) != GRAFT_OK)
            bench_fail("decode", "out of memory");
        size_t got =
            ZSTD_decompressDCtx(decoding->context, decoding->content.bytes, frame->content_bytes,
                                frame->bytes + GRAFT_FRAME_HEADER_BYTES,
                                frame->stored_bytes - GRAFT_FRAME_HEADER_BYTES);
        if (got != frame->content_bytes)
            bench_fail("zstd", "a frame does not decompress");
    }
}

static void run_graft(struct decoding *decoding, const struct pushed *pushed)
{
    struct graft_err err = {.rc = GRAFT_OK};
    struct graft_frame decoded;
    for (size_t i = 0; i < pushed->count; i++) {
        const struct pushed_frame *frame = &pushed->frames[i];
        must(graft_frame_decode(decoding->codec, frame->bytes, frame->stored_bytes, PAGE_BYTES,
                                &decoded, &err),
             &err);
    }
}

static void open_side(struct decoding *decoding, enum side side)
{
    if (side == SIDE_GRAFT) {
        if (graft_codec_new(decoding->bench.env->alloc, &decoding->codec) != GRAFT_OK)
            bench_fail("decode", "out of memory");
        return;
    }
    decoding->context = ZSTD_createDCtx();
    graft_buf_init(&decoding->content, decoding->bench.env->alloc);
    if (decoding->context == NULL)
        bench_fail("decode", "out of memory");
}

static void close_sides(struct decoding *decoding)
{
    graft_buf_deinit(&decoding->content);
    (void)ZSTD_freeDCtx(decoding->context);
    graft_codec_free(decoding->codec);
}

static double time_turn(struct decoding *decoding, enum side side, const struct pushed *pushed,
                        unsigned passes)
{
    double start_s = bench_now_s(&decoding->bench);
    for (unsigned i = 0; i < passes; i++) {
        if (side == SIDE_GRAFT)
            run_graft(decoding, pushed);
        else
            run_zstd(decoding, pushed);
    }
    return bench_now_s(&decoding->bench) - start_s;
}

/* That the frames hold the database, each page once. */
static void check_frames(struct decoding *decoding, const struct pushed *pushed,
                         const struct remote_bytes *database)
{
    struct graft_err err = {.rc = GRAFT_OK};
    struct graft_frame decoded;
    size_t pages = 0;
    for (size_t i = 0; i < pushed->count; i++) {
        const struct pushed_frame *frame = &pushed->frames[i];
        must(graft_frame_decode(decoding->codec, frame->bytes, frame->stored_bytes, PAGE_BYTES,
                                &decoded, &err),
             &err);
        for (uint32_t k = 0; k < decoded.count; k++) {
            const struct graft_frame_page *page = &decoded.pages[k];
            size_t at = (size_t)(page->page - 1) * PAGE_BYTES;
            if (page->size != PAGE_BYTES || at >= database->size ||
                memcmp(page->bytes, database->bytes + at, PAGE_BYTES) != 0)
                bench_fail("decode", "a page is not the one that was pushed");
            pages++;
        }
    }
    if (pages != database->size / PAGE_BYTES)
        bench_fail("decode", "pages are missing from the frames");
}

static unsigned passes_of(const struct decoding *decoding, double once_s)
{
    return decoding->quick || once_s >= TURN_S ? 1 : 1 + (unsigned)(TURN_S / once_s);
}

static void run_database(struct decoding *decoding, const struct remote_data *data,
                         const struct remote_bytes *database)
{
    struct pushed pushed;
    double zstd_s[BENCH_PAIRS_MAX], graft_s[BENCH_PAIRS_MAX], ratios[BENCH_PAIRS_MAX];
    unsigned pairs = decoding->bench.pairs, passes = 1;
    pushed_init(&pushed, &decoding->bench, database);
    for (unsigned i = 0; i < pairs; i++) {
        enum side first = i % 2 == 0 ? SIDE_BARE : SIDE_GRAFT;
        enum side second = i % 2 == 0 ? SIDE_GRAFT : SIDE_BARE;
        double spent_s[SIDES];
        open_side(decoding, first);
        open_side(decoding, second);
        if (i == 0) {
            check_frames(decoding, &pushed, database);
            passes = passes_of(decoding, time_turn(decoding, SIDE_BARE, &pushed, 1));
        }
        spent_s[first] = time_turn(decoding, first, &pushed, passes);
        spent_s[second] = time_turn(decoding, second, &pushed, passes);
        close_sides(decoding);
        zstd_s[i] = spent_s[SIDE_BARE];
        graft_s[i] = spent_s[SIDE_GRAFT];
        ratios[i] = zstd_s[i] / graft_s[i];
    }
    double megabytes = (double)pushed.content_bytes * passes / 1e6;
    double ratio = bench_median(ratios, pairs);
    (void)printf("%-9s %7zu %8llu %8llu %10.0f %10.0f %7.3f %6.2f %s\n", data->name, pushed.count,
                 (unsigned long long)(pushed.content_bytes / pushed.count),
                 (unsigned long long)(pushed.stored_bytes / pushed.count),
                 megabytes / bench_median(zstd_s, pairs), megabytes / bench_median(graft_s, pairs),
                 ratio, AIM, ratio >= AIM ? "met" : "MISSED");
    (void)fflush(stdout);
    pushed_deinit(&pushed);
}

/* ---- The command ---- */

static void run_all(struct decoding *decoding)
{
    const struct remote_scale scale = {.times = 1, .divide = 1};
    (void)printf("%-9s %7s %8s %8s %10s %10s %7s %6s\n%-9s %7s %8s %8s %10s %10s\n", "database",
                 "frames", "bytes", "stored", "zstd", "Graft", "ratio", "aim", "", "", "a frame",
                 "a frame", "MB/s", "MB/s");
    for (size_t i = 0; remote_data[i].name != NULL; i++) {
        struct remote_bytes database;
        if (decoding->only != NULL && strcmp(decoding->only, remote_data[i].name) != 0)
            continue;
        if (!remote_build(&remote_data[i], &scale, &database, 1)) {
            (void)fprintf(stderr, "%s is left out: what it is made from is not installed\n",
                          remote_data[i].name);
            continue;
        }
        run_database(decoding, &remote_data[i], &database);
        free(database.bytes);
    }
}

static bool is_database(const char *name)
{
    for (size_t i = 0; remote_data[i].name != NULL; i++) {
        if (strcmp(remote_data[i].name, name) == 0)
            return true;
    }
    return false;
}

static bool parse(struct decoding *decoding, int argc, char **argv)
{
    static const struct option known[] = {
        {"pairs", required_argument, NULL, 'p'},
        {"quick", no_argument, NULL, 'q'},
        {"only", required_argument, NULL, 'o'},
        {NULL, 0, NULL, 0},
    };
    int letter = 0;
    while ((letter = getopt_long(argc, argv, "", known, NULL)) != -1) {
        if (letter == 'p') {
            decoding->bench.pairs = (unsigned)strtoul(optarg, NULL, 10);
        } else if (letter == 'q') {
            decoding->bench.pairs = QUICK_PAIRS;
            decoding->quick = true;
        } else if (letter == 'o') {
            decoding->only = optarg;
        } else {
            return false;
        }
    }
    return optind == argc && decoding->bench.pairs > 0 &&
           decoding->bench.pairs <= BENCH_PAIRS_MAX &&
           (decoding->only == NULL || is_database(decoding->only));
}

int decode_main(int argc, char **argv)
{
    struct decoding decoding = {.bench = {.pairs = PAIRS_DEFAULT, .scale = 1}};
    if (!parse(&decoding, argc, argv)) {
        (void)fprintf(stderr,
                      "usage: graft-bench decode [--pairs N] [--quick] [--only DATABASE]\n");
        return 2;
    }
    const char *parent = getenv("TMPDIR") != NULL ? getenv("TMPDIR") : "/tmp";
    char absolute[PATH_MAX];
    if (realpath(parent, absolute) == NULL)
        bench_fail(parent, "is not there");
    bench_start(&decoding.bench, absolute);
    run_all(&decoding);
    bench_stop(&decoding.bench);
    return 0;
}
