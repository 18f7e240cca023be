/* Inside core/format only: protobuf-c on our allocator, the envelope of objects and files, and the
 * page map as part of a message. */
#ifndef GRAFT_FORMAT_WIRE_H
#define GRAFT_FORMAT_WIRE_H

#include "base/buf.h"
#include "base/checksum.h"
#include "format/ids.h"
#include "format/pagemap.h"
#include "wire.pb-c.h"

#define GRAFT_ENVELOPE_BYTES 24U
#define GRAFT_MESSAGE_BYTES_MAX (256U << 20) /* bounds what a hostile message makes us allocate */

/* protobuf-c's view of a graft_alloc. It says "no memory" and "malformed" in the same way; `failed`
 * tells them apart. */
struct graft_wire_memory {
    ProtobufCAllocator protobuf;
    struct graft_alloc *alloc;
    bool failed;
};

void graft_wire_memory_init(struct graft_wire_memory *memory, struct graft_alloc *alloc);

/* Unpacks a message. ECORRUPT, ENOMEM; `what` is for the text. Free it with
 * protobuf_c_message_free_unpacked(message, &memory->protobuf). */
GRAFT_MUST_USE enum graft_rc graft_wire_unpack(struct graft_wire_memory *memory,
                                               const ProtobufCMessageDescriptor *descriptor,
                                               const uint8_t *bytes, size_t size, const char *what,
                                               ProtobufCMessage **out, struct graft_err *err);

/* Appends the bare message. */
GRAFT_MUST_USE enum graft_rc graft_wire_pack(const ProtobufCMessage *message,
                                             struct graft_buf *out);

/* Appends the envelope (8 bytes magic, u32 version, u32 message bytes, u64 XXH3-64 of the message)
 * and the message. ENOMEM; ELIMIT when the message is longer than GRAFT_MESSAGE_BYTES_MAX. */
GRAFT_MUST_USE enum graft_rc graft_wire_seal(const char *magic, uint32_t version,
                                             const ProtobufCMessage *message, struct graft_buf *out,
                                             struct graft_err *err);

/* Checks the envelope and borrows the message that stands in it. Bytes may follow the message.
 * ECORRUPT, EVERSION. */
GRAFT_MUST_USE enum graft_rc graft_wire_open(const char *magic, uint32_t version_max,
                                             const char *what, const uint8_t *bytes, size_t size,
                                             const uint8_t **message, size_t *message_bytes,
                                             struct graft_err *err);

/* A bytes field that borrows; protobuf-c's type is not const. */
ProtobufCBinaryData graft_wire_bytes(const void *bytes, size_t size);
/* As graft_wire_bytes, but 16 zeros are left out. */
ProtobufCBinaryData graft_wire_hash(const struct graft_hash *hash);
/* False unless the field has 16 bytes or, where it may be absent (then zeros), none. */
bool graft_wire_read_16(const ProtobufCBinaryData *field, bool may_be_absent, uint8_t out[16]);

/* A page map as a message, in canonical form. */
struct graft_wire_pagemap {
    Graft__PageMap message;
    struct graft_pagemap canonical;
    struct graft_buf entries;
    Graft__ObjectRef *objects;
    Graft__ObjectRef **object_pointers;
    uint32_t *frame_object;
    uint32_t *frame_bytes;
    uint64_t *frame_gap;
    int64_t *frame_lsn;
};

/* Builds the message. EBUG, with what is wrong, for a map that the decoder would refuse; ENOMEM.
 * Nothing to deinit on failure. */
GRAFT_MUST_USE enum graft_rc graft_wire_pagemap_init(struct graft_wire_pagemap *wire,
                                                     const struct graft_pagemap *map,
                                                     uint32_t page_count, uint64_t lsn_max,
                                                     struct graft_err *err);
void graft_wire_pagemap_deinit(struct graft_wire_pagemap *wire);
/* Replaces `map` with what the message says; NULL is an empty map. ECORRUPT, ENOMEM. */
GRAFT_MUST_USE enum graft_rc graft_wire_pagemap_read(struct graft_pagemap *map,
                                                     const Graft__PageMap *message,
                                                     uint32_t page_count, uint64_t lsn_max,
                                                     struct graft_err *err);

/* Sorts objects and frames, joins equal ones, drops those that no entry uses, joins entries.
 * ECORRUPT when two descriptions of a frame contradict each other; ENOMEM. The map is unchanged
 * then. Linear when objects and frames consist of few ascending runs. */
GRAFT_MUST_USE enum graft_rc graft_pagemap_normalise(struct graft_pagemap *map);

#endif
