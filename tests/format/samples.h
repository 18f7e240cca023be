/* One small volume's remote objects and local files, made the way the engine makes them: what the
 * fixtures are written from, and what tests damage. */
#ifndef GRAFT_TESTS_FORMAT_SAMPLES_H
#define GRAFT_TESTS_FORMAT_SAMPLES_H

#include "base/buf.h"
#include "format/commit.h"
#include "format/frame.h"

#define SAMPLE_PAGE_BYTES 4096U

/* Encoded bytes of each kind. The first commit (LSN 1) has pages 1 to 5 in two inline frames; the
 * second (LSN 2) pages 2, 6 to 9 and 11 to 12 of 12 in three frames of the segment; the checkpoint
 * stands at LSN 2. */
struct samples {
    struct graft_buf frame; /* pages 1 to 4 */
    struct graft_buf commit_inline;
    struct graft_buf segment;
    struct graft_buf commit_segments;
    struct graft_buf checkpoint;
    struct graft_buf config;
    struct graft_buf sync_state;
    struct graft_buf log_base;
    struct graft_buf pageset;
    struct graft_buf pagemap; /* of the checkpoint */
};

/* Aborts when anything fails. */
void samples_make(struct samples *samples, struct graft_alloc *alloc);
void samples_free(struct samples *samples);

/* Fills a page with text that tells its number and the LSN of its version. */
void sample_page(uint8_t page[SAMPLE_PAGE_BYTES], uint32_t number, uint64_t lsn);
/* Bytes first, first + 1, ... */
void sample_id(uint8_t id[16], uint8_t first);

/* xorshift64: the same numbers for the same seed everywhere. `state` is not 0. */
uint64_t sample_random(uint64_t *state);
/* 0 to below - 1 */
uint32_t sample_random_below(uint64_t *state, uint32_t below);

#endif
