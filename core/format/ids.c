/* Identifiers and names: their text forms and what is allowed in them. */
#include "format/ids.h"

#include <string.h>

#include "base/limits.h"

void graft_hex_encode(const uint8_t *bytes, size_t count, char *text)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < count; i++) {
        text[2 * i] = digits[bytes[i] >> 4];
        text[2 * i + 1] = digits[bytes[i] & 15U];
    }
    text[2 * count] = '\0';
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

enum graft_rc graft_hex_decode(const char *text, uint8_t *bytes, size_t count)
{
    if (strlen(text) != 2 * count)
        return GRAFT_EINVAL;
    for (size_t i = 0; i < 2 * count; i++) {
        if (hex_digit(text[i]) < 0)
            return GRAFT_EINVAL;
    }
    for (size_t i = 0; i < count; i++)
        bytes[i] = (uint8_t)(hex_digit(text[2 * i]) << 4 | hex_digit(text[2 * i + 1]));
    return GRAFT_OK;
}

bool graft_volume_id_equal(const struct graft_volume_id *a, const struct graft_volume_id *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

bool graft_volume_id_is_none(const struct graft_volume_id *id)
{
    static const struct graft_volume_id none = {{0}};
    return graft_volume_id_equal(id, &none);
}

bool graft_page_size_valid(uint64_t page_bytes)
{
    return page_bytes >= GRAFT_PAGE_BYTES_MIN && page_bytes <= GRAFT_PAGE_BYTES_MAX &&
           (page_bytes & (page_bytes - 1)) == 0;
}

static bool is_name_byte(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
}

bool graft_volume_name_valid(const char *name)
{
    if (name[0] == '.' || name[0] == '_' || name[0] == '-')
        return false;
    size_t length = 0;
    while (length < GRAFT_NAME_BYTES_MAX && name[length] != '\0') {
        if (!is_name_byte(name[length]))
            return false;
        length++;
    }
    return length > 0 && length < GRAFT_NAME_BYTES_MAX;
}
