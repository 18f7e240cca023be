/* Identifiers. Each is a one-field structure, so that two kinds cannot be mixed up. */
#ifndef GRAFT_FORMAT_IDS_H
#define GRAFT_FORMAT_IDS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/checksum.h"
#include "base/codes.h"

#define GRAFT_ID_TEXT_BYTES 33U /* 32 lower-case hex digits and a NUL */

struct graft_volume_id {
    uint8_t bytes[16]; /* random; all zeros = none */
};

struct graft_client_id {
    uint8_t bytes[16]; /* random, one per database directory */
};

struct graft_segment_id {
    uint8_t bytes[16]; /* the 128-bit hash of the segment object: equal content has one id */
};

void graft_hex_encode(const uint8_t *bytes, size_t count, char *text /* 2 * count + 1 */);
/* EINVAL unless `text` is exactly 2 * count lower-case hex digits. */
GRAFT_MUST_USE enum graft_rc graft_hex_decode(const char *text, uint8_t *bytes, size_t count);
bool graft_volume_id_equal(const struct graft_volume_id *a, const struct graft_volume_id *b);
bool graft_volume_id_is_none(const struct graft_volume_id *id);

/* True for a power of two from 512 to 65536. */
bool graft_page_size_valid(uint64_t page_bytes);

/* A volume's name: 1 to 127 bytes of [A-Za-z0-9._-], the first neither '.', '_' nor '-'. */
bool graft_volume_name_valid(const char *name);

#endif
