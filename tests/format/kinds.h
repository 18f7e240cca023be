/* What is asked of every encoded kind, by the tests and by the fuzz targets: that decoding either
 * refuses the bytes or yields an object that can be written and read again. */
#ifndef GRAFT_TESTS_FORMAT_KINDS_H
#define GRAFT_TESTS_FORMAT_KINDS_H

#include "base/buf.h"

struct format_kind {
    const char *name;
    /* Decodes the bytes and appends the encoding of what came out to `out`. The decoder's own
     * failures are returned as they are; ECANCELED means a valid object that is too large to be
     * encoded in a test. */
    enum graft_rc (*reencode)(const uint8_t *bytes, size_t size, struct graft_buf *out,
                              struct graft_err *err);
    /* Makes lengths and checksums fit, so that a fuzzer gets past them; NULL where there are none.
     */
    void (*repair)(uint8_t *bytes, size_t size);
};

extern const struct format_kind kind_pageset;
extern const struct format_kind kind_pagemap;
extern const struct format_kind kind_frame;
extern const struct format_kind kind_commit;
extern const struct format_kind kind_checkpoint;
extern const struct format_kind kind_config;
extern const struct format_kind kind_sync_state;
extern const struct format_kind kind_log_base;

#endif
