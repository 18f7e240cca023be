/* What all messages share: memory for protobuf-c, the envelope, and 16-byte fields. */
#include "format/wire.h"

#include <string.h>

#include "base/cursor.h"

static void *protobuf_alloc(void *data, size_t bytes)
{
    struct graft_wire_memory *memory = data;
    void *got = graft_malloc(memory->alloc, bytes);
    if (got == NULL)
        memory->failed = true;
    return got;
}

static void protobuf_free(void *data, void *pointer)
{
    struct graft_wire_memory *memory = data;
    graft_free(memory->alloc, pointer);
}

void graft_wire_memory_init(struct graft_wire_memory *memory, struct graft_alloc *alloc)
{
    *memory = (struct graft_wire_memory){
        .protobuf = {.alloc = protobuf_alloc, .free = protobuf_free, .allocator_data = memory},
        .alloc = alloc,
    };
}

enum graft_rc graft_wire_unpack(struct graft_wire_memory *memory,
                                const ProtobufCMessageDescriptor *descriptor, const uint8_t *bytes,
                                size_t size, const char *what, ProtobufCMessage **out,
                                struct graft_err *err)
{
    memory->failed = false;
    if (size > GRAFT_MESSAGE_BYTES_MAX)
        return graft_err_set(err, GRAFT_ECORRUPT, "%s: a message of %zu bytes", what, size);
    ProtobufCMessage *message =
        protobuf_c_message_unpack(descriptor, &memory->protobuf, size, bytes);
    if (message == NULL && memory->failed)
        return graft_err_set(err, GRAFT_ENOMEM, "%s: out of memory", what);
    if (message == NULL)
        return graft_err_set(err, GRAFT_ECORRUPT, "%s: its message cannot be parsed", what);
    *out = message;
    return GRAFT_OK;
}

enum graft_rc graft_wire_pack(const ProtobufCMessage *message, struct graft_buf *out)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    GRAFT_TRY(graft_buf_reserve(out, size));
    if (size > 0)
        out->size += protobuf_c_message_pack(message, out->bytes + out->size);
    return GRAFT_OK;
}

enum graft_rc graft_wire_seal(const char *magic, uint32_t version, const ProtobufCMessage *message,
                              struct graft_buf *out, struct graft_err *err)
{
    size_t size = protobuf_c_message_get_packed_size(message);
    if (size > GRAFT_MESSAGE_BYTES_MAX)
        return graft_err_set(err, GRAFT_ELIMIT, "%s: a message of %zu bytes", magic, size);
    if (graft_buf_reserve(out, GRAFT_ENVELOPE_BYTES + size) != GRAFT_OK)
        return graft_err_set(err, GRAFT_ENOMEM, "%s: out of memory", magic);

    uint8_t *start = out->bytes + out->size;
    (void)protobuf_c_message_pack(message, start + GRAFT_ENVELOPE_BYTES);
    struct graft_writer_cursor cursor;
    graft_wcur_init(&cursor, start, GRAFT_ENVELOPE_BYTES);
    graft_wcur_bytes(&cursor, magic, 8);
    graft_wcur_u32(&cursor, version);
    graft_wcur_u32(&cursor, (uint32_t)size);
    graft_wcur_u64(&cursor, graft_checksum64(start + GRAFT_ENVELOPE_BYTES, size, 0));
    out->size += GRAFT_ENVELOPE_BYTES + size;
    return GRAFT_OK;
}

enum graft_rc graft_wire_open(const char *magic, uint32_t version_max, const char *what,
                              const uint8_t *bytes, size_t size, const uint8_t **message,
                              size_t *message_bytes, struct graft_err *err)
{
    struct graft_reader_cursor cursor;
    graft_rcur_init(&cursor, bytes, size);
    const uint8_t *found = graft_rcur_span(&cursor, 8);
    if (found == NULL || memcmp(found, magic, 8) != 0)
        return graft_err_set(err, GRAFT_ECORRUPT, "%s: does not begin with %s", what, magic);
    uint32_t version = graft_rcur_u32(&cursor);
    uint32_t declared_bytes = graft_rcur_u32(&cursor);
    uint64_t checksum = graft_rcur_u64(&cursor);
    if (cursor.failed || version == 0)
        return graft_err_set(err, GRAFT_ECORRUPT, "%s: malformed header", what);
    if (version > version_max) {
        return graft_err_set(
            err, GRAFT_EVERSION,
            "%s was written by a newer version (%u; this one reads up to %u): upgrade", what,
            version, version_max);
    }
    const uint8_t *span = graft_rcur_span(&cursor, declared_bytes);
    if (span == NULL)
        return graft_err_set(err, GRAFT_ECORRUPT, "%s: cut off at %zu bytes", what, size);
    if (graft_checksum64(span, declared_bytes, 0) != checksum)
        return graft_err_set(err, GRAFT_ECORRUPT, "%s: bad checksum", what);
    *message = span;
    *message_bytes = declared_bytes;
    return GRAFT_OK;
}

ProtobufCBinaryData graft_wire_bytes(const void *bytes, size_t size)
{
    return (ProtobufCBinaryData){.len = size, .data = (uint8_t *)(uintptr_t)bytes};
}

ProtobufCBinaryData graft_wire_hash(const struct graft_hash *hash)
{
    static const struct graft_hash none = {{0}};
    if (graft_hash_equal(hash, &none))
        return (ProtobufCBinaryData){0, NULL};
    return graft_wire_bytes(hash->bytes, sizeof hash->bytes);
}

bool graft_wire_read_16(const ProtobufCBinaryData *field, bool may_be_absent, uint8_t out[16])
{
    if (field->len == 16) {
        memcpy(out, field->data, 16);
        return true;
    }
    if (field->len != 0 || !may_be_absent)
        return false;
    memset(out, 0, 16);
    return true;
}
