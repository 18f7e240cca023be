/* B-tree pages, read without trust: every offset is checked against the page before it is used. */
#include "vfs/btree.h"

#include "base/checksum.h"

#define HEADER_PAGE_1 100U
#define LEAF_HEADER_BYTES 8U
#define INTERIOR_HEADER_BYTES 12U
#define USABLE_BYTES_MIN 480U
#define COLUMNS_MAX 64U

static uint32_t get_u16(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] << 8 | bytes[1];
}

static uint32_t get_u32(const uint8_t *bytes)
{
    return get_u16(bytes) << 16 | get_u16(bytes + 2);
}

/* A bounded place in the page. */
struct place {
    const uint8_t *at, *end;
    bool failed;
};

static uint64_t take_varint(struct place *place)
{
    uint64_t value = 0;
    for (int i = 0; i < 9; i++) {
        if (place->at >= place->end) {
            place->failed = true;
            return 0;
        }
        uint8_t byte = *place->at++;
        if (i == 8)
            return value << 8 | byte;
        value = value << 7 | (byte & 0x7f);
        if (byte < 0x80)
            return value;
    }
    return value;
}

static uint32_t header_bytes(enum graft_btree_type type)
{
    return graft_btree_is_interior((uint8_t)type) ? INTERIOR_HEADER_BYTES : LEAF_HEADER_BYTES;
}

bool graft_btree_open(struct graft_btree *tree, uint32_t page, const uint8_t *bytes,
                      uint32_t page_bytes, uint32_t usable)
{
    uint32_t header = page == 1 ? HEADER_PAGE_1 : 0;
    if (usable < USABLE_BYTES_MIN || usable > page_bytes)
        return false;
    uint8_t type = bytes[header];
    bool known = graft_btree_is_interior(type) || type == GRAFT_BTREE_INDEX_LEAF ||
                 type == GRAFT_BTREE_TABLE_LEAF;
    if (!known)
        return false;
    uint32_t cells = get_u16(bytes + header + 3);
    uint32_t content = get_u16(bytes + header + 5);
    uint32_t end = header + header_bytes((enum graft_btree_type)type) + 2 * cells;
    if (content == 0)
        content = 65536;
    if (end > usable || content < end || content > usable || bytes[header + 7] > 60)
        return false;
    *tree = (struct graft_btree){
        .bytes = bytes,
        .usable = usable,
        .page = page,
        .header = header,
        .cells = cells,
        .type = (enum graft_btree_type)type,
    };
    return true;
}

/* The cell, from its first byte to the end of the page. */
static struct place cell_at(const struct graft_btree *tree, uint32_t index)
{
    uint32_t pointers = tree->header + header_bytes(tree->type);
    uint32_t offset = get_u16(tree->bytes + pointers + (size_t)2 * index);
    bool inside = offset >= pointers + 2 * tree->cells && offset + 4 <= tree->usable;
    return (struct place){
        .at = tree->bytes + (inside ? offset : 0),
        .end = tree->bytes + tree->usable,
        .failed = !inside,
    };
}

bool graft_btree_children(const struct graft_btree *tree, uint32_t page_count, uint32_t *children,
                          int64_t *keys)
{
    if (!graft_btree_is_interior((uint8_t)tree->type))
        return false;
    for (uint32_t i = 0; i <= tree->cells; i++) {
        int64_t key = INT64_MAX;
        uint32_t child = get_u32(tree->bytes + tree->header + 8);
        if (i < tree->cells) {
            struct place cell = cell_at(tree, i);
            if (cell.failed)
                return false;
            child = get_u32(cell.at);
            cell.at += 4;
            if (tree->type == GRAFT_BTREE_TABLE_INTERIOR)
                key = (int64_t)take_varint(&cell);
            if (cell.failed)
                return false;
        }
        if (child < 2 || child > page_count || child == tree->page)
            return false;
        children[i] = child;
        if (keys != NULL)
            keys[i] = key;
    }
    return true;
}

/* Of a payload of so many bytes, those that stand in the page itself. */
static uint64_t local_bytes(const struct graft_btree *tree, uint64_t payload)
{
    uint64_t usable = tree->usable;
    uint64_t most =
        tree->type == GRAFT_BTREE_TABLE_LEAF ? usable - 35 : (usable - 12) * 64 / 255 - 23;
    if (payload <= most)
        return payload;
    uint64_t least = (usable - 12) * 32 / 255 - 23;
    uint64_t kept = least + (payload - least) % (usable - 4);
    return kept <= most ? kept : least;
}

static uint64_t serial_bytes(uint64_t type)
{
    static const uint8_t fixed[] = {0, 1, 2, 3, 4, 6, 8, 8, 0, 0, 0, 0};
    return type < 12 ? fixed[type] : (type - 12) / 2;
}

/* An integer column; false for anything else. */
static bool take_integer(uint64_t type, const uint8_t *bytes, int64_t *out)
{
    if (type == 8 || type == 9) {
        *out = (int64_t)(type - 8);
        return true;
    }
    if (type < 1 || type > 6)
        return false;
    uint64_t value = (bytes[0] & 0x80) != 0 ? UINT64_MAX : 0;
    for (uint64_t i = 0; i < serial_bytes(type); i++)
        value = value << 8 | bytes[i];
    *out = (int64_t)value;
    return true;
}

/* The record of an index cell: all columns but the last are the key, the last is the rowid. */
static bool read_entry(const struct graft_btree *tree, uint32_t index,
                       struct graft_btree_entry *out)
{
    struct place cell = cell_at(tree, index);
    uint64_t payload = take_varint(&cell);
    if (cell.failed || local_bytes(tree, payload) != payload ||
        payload > (uint64_t)(cell.end - cell.at))
        return false;
    const uint8_t *record = cell.at;
    struct place header = {.at = record, .end = record + payload};
    uint64_t header_size = take_varint(&header);
    if (header.failed || header_size > payload)
        return false;
    header.end = record + header_size;
    uint64_t columns = header_size;
    uint64_t last_type = 0;
    uint64_t last_at = 0;
    for (uint32_t i = 0; header.at < header.end; i++) {
        last_type = take_varint(&header);
        last_at = columns;
        if (header.failed || i == COLUMNS_MAX || serial_bytes(last_type) > payload - columns)
            return false;
        columns += serial_bytes(last_type);
    }
    out->key = graft_checksum64(record + header_size, (size_t)(last_at - header_size), 0);
    return last_at >= header_size && take_integer(last_type, record + last_at, &out->rowid);
}

uint32_t graft_btree_entries(const struct graft_btree *tree, struct graft_btree_entry *out,
                             uint32_t max)
{
    uint32_t count = 0;
    if (tree->type != GRAFT_BTREE_INDEX_LEAF)
        return 0;
    for (uint32_t i = 0; i < tree->cells && count < max; i++)
        count += read_entry(tree, i, &out[count]) ? 1 : 0;
    return count;
}

uint32_t graft_btree_overflow_pages(const struct graft_btree *tree, uint32_t first)
{
    bool leaf = tree->type == GRAFT_BTREE_TABLE_LEAF || tree->type == GRAFT_BTREE_INDEX_LEAF;
    for (uint32_t i = 0; leaf && i < tree->cells; i++) {
        struct place cell = cell_at(tree, i);
        uint64_t payload = take_varint(&cell);
        if (tree->type == GRAFT_BTREE_TABLE_LEAF)
            (void)take_varint(&cell);
        uint64_t local = local_bytes(tree, payload);
        if (cell.failed || local == payload || local + 4 > (uint64_t)(cell.end - cell.at) ||
            get_u32(cell.at + local) != first)
            continue;
        uint64_t room = tree->usable - 4;
        uint64_t pages = (payload - local + room - 1) / room;
        return pages > UINT32_MAX ? UINT32_MAX : (uint32_t)pages;
    }
    return 0;
}
