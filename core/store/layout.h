/* What stands where in `table` and in the log halves: constants, the page word, and the record
 * header. docs/local-store.md says why. */
#ifndef GRAFT_STORE_LAYOUT_H
#define GRAFT_STORE_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"

/* ---- The page word ---- */

#define GRAFT_WORD_PRESENT (UINT64_C(1) << 63)
#define GRAFT_PLACE_MAX ((UINT32_C(1) << 30) - 1)

/* A place: bit 29 the half, bits 28..0 the offset in units of 64 bytes; 0 = none. */
static inline uint32_t graft_place_make(unsigned half, uint64_t offset)
{
    return (uint32_t)half << 29 | (uint32_t)(offset / 64);
}

static inline unsigned graft_place_half(uint32_t place)
{
    return place >> 29 & 1U;
}

static inline uint64_t graft_place_offset(uint32_t place)
{
    return (uint64_t)(place & ((UINT32_C(1) << 29) - 1)) * 64;
}

/* `sum` counts only when the image holds a version. Bit 32 makes the number of ones even. */
static inline uint64_t graft_word_make(bool present, uint32_t place, uint32_t sum)
{
    uint64_t word = (uint64_t)place << 33;
    if (present)
        word |= GRAFT_WORD_PRESENT | sum;
    return word | (uint64_t)(unsigned)__builtin_parityll(word) << 32;
}

static inline bool graft_word_valid(uint64_t word)
{
    return __builtin_parityll(word) == 0 &&
           ((word & GRAFT_WORD_PRESENT) != 0 || (uint32_t)word == 0);
}

static inline bool graft_word_present(uint64_t word)
{
    return (word & GRAFT_WORD_PRESENT) != 0;
}

static inline uint32_t graft_word_place(uint64_t word)
{
    return (uint32_t)(word >> 33) & GRAFT_PLACE_MAX;
}

static inline uint32_t graft_word_sum(uint64_t word)
{
    return (uint32_t)word;
}

/* ---- The table's header: 64 KiB of words ---- */

#define GRAFT_TABLE_HEADER_BYTES 65536U
#define GRAFT_TABLE_VERSION 1U
#define GRAFT_TABLE_MAGIC UINT64_C(0x4c42545446415247) /* "GRAFTTBL" */

enum graft_table_word {
    /* Kept on disk; each is whole by itself. */
    GRAFT_W_MAGIC = 0,
    GRAFT_W_VERSION = 1,
    GRAFT_W_VOLUME = 2,       /* two words */
    GRAFT_W_IDENTITY_SUM = 4, /* of the four before */
    GRAFT_W_GENERATION = 5,   /* newest half's that was ever written to; self-checked */
    GRAFT_W_CLEAN = 6,        /* self-checked generation of a half that has no commits; else 0 */
    GRAFT_W_SYNCED = 7,       /* every commit up to here was synced; self-checked */
    GRAFT_W_DEAD = 8,         /* halves of this generation and older are not needed; self-checked */
    /* Made anew by the first opener. */
    GRAFT_W_HEAD = 9,        /* newest published LSN */
    GRAFT_W_SYNC_COUNT = 10, /* which of the two copies of the sync state counts */
    GRAFT_W_PAGE_BYTES = 11,
    GRAFT_W_CACHE_LIMIT = 12,  /* bytes that the image may take; 0 = any */
    GRAFT_W_HAND = 13,         /* page before which the last sweep ended */
    GRAFT_W_GIVING_UP = 14,    /* 1 while words were made zero that may not be so on the disk yet */
    GRAFT_W_GIVEN_UP = 15,     /* how often pages were given up */
    GRAFT_W_FLOOR = 16,        /* no mark below it may newly appear */
    GRAFT_W_REMOTE_FLOOR = 17, /* the same for the remote LSN in a mark */
    GRAFT_W_WRITER = 18,       /* who has the writer role: see writer.c */
    GRAFT_W_SYNCING = 19,      /* who syncs the log for all: see group.c */
    GRAFT_W_SYNC_ROUND = 20,   /* counts such syncs */
    GRAFT_W_DOUBT = 21,        /* newest commit whose shared sync failed after it was published */
    GRAFT_W_RESET = 22,        /* LSN of the newest reset since the first opener; 0 none */
    GRAFT_W_DEAD_KEPT = 23,    /* DEAD as it is on the disk for sure; 0 not known */
    GRAFT_W_HALF = 24,         /* the half that is appended to */
    GRAFT_W_END = 25,          /* where the next record goes in it */
    GRAFT_W_CHAIN = 26,        /* checksum of the record before it */
    GRAFT_W_LAST = 27,         /* place of the newest commit record, 0 = none in the log */
    GRAFT_W_SWITCHING = 28,    /* 1 while a half is being begun: no commit before it is done */
    GRAFT_W_POISON = 29,       /* generation of the half whose sync failed; 0 none */
    GRAFT_W_SUSPECT = 30,      /* 1 when a sync of the table failed */
    GRAFT_W_MARKED_DIRTY = 31, /* 1 when CLEAN = 0 is on the disk */
    GRAFT_W_PUBLISHING = 32,   /* LSN of the commit that is being published; 0 none, ~0 a note */
    GRAFT_W_PUBLISHING_START = 33,
    GRAFT_W_PUBLISHING_CHAIN = 34,
    GRAFT_W_VOID = 35,      /* 1 when records may stand behind the end, to be voided first */
    GRAFT_W_HEAL_HALF = 36, /* 1 + the half that the log was saved to; 0 none: see heal.c */
    GRAFT_W_HEAL_OLD_START = 37,
    GRAFT_W_HEAL_END = 38,
    GRAFT_W_HEAL_CHAIN = 39,
    GRAFT_W_HEAL_LAST = 43,
    GRAFT_W_FOLDED = 40,    /* every commit up to here is in the image, and the table synced */
    GRAFT_W_FORGOTTEN = 41, /* generation in which a page was last given up that the log may still
                               have; 0 none */
    GRAFT_W_HIGHEST = 42,   /* words of pages above it are zero */
    /* Newest commit that moved the remote base; 0 none since the first opener. */
    GRAFT_W_PULLED = 46,
    GRAFT_W_KEPT = 47,    /* SYNCED as it is on the disk, at least */
    GRAFT_W_HALVES = 48,  /* two of 8 words: see graft_half_word */
    GRAFT_W_SYNC = 64,    /* two copies of 8 words */
    GRAFT_W_PULLING = 80, /* 1 while a pull may stand in the log that is not published */
    GRAFT_W_CROWD = 81,   /* commits up to this LSN share syncs, as writers waited lately */
    /* Syncs under way: the side that they enter, and how many on each of the log and the table. */
    GRAFT_W_FLIGHT_SIDE = 82,
    GRAFT_W_FLIGHTS = 83, /* two a side; see flight.c */
    /* A process died in a sync of the log: who opened it since cannot tell by a sync of its own
     * that commits up to this LSN are durable; 0 none. */
    GRAFT_W_UNHEARD = 87,
};

#define GRAFT_PUBLISHING_NOTE UINT64_MAX
/* Beside the place in GRAFT_W_PUBLISHING_START: the commit was synced before. */
#define GRAFT_PUBLISHING_DURABLE UINT64_C(1)

enum graft_half_word {
    GRAFT_HALF_GENERATION = 0,
    GRAFT_HALF_BASE_LSN = 1,
    GRAFT_HALF_EXTENT = 2, /* bytes of the file that were written */
    GRAFT_HALF_START = 3,  /* offset of the first record */
    GRAFT_HALF_SUM = 4,    /* header's checksum: the chain's beginning */
};

#define GRAFT_RING_OFFSET 4096U
#define GRAFT_RING_SLOTS 256U
#define GRAFT_RING_WORDS 4U /* LSN, page count, remote LSN, spare */
#define GRAFT_MARKS_OFFSET 16384U
#define GRAFT_MARK_WORDS 4U /* LSN + 1 (0 = none), remote LSN, two spare */

_Static_assert(GRAFT_RING_OFFSET + GRAFT_RING_SLOTS * GRAFT_RING_WORDS * 8 <= GRAFT_MARKS_OFFSET,
               "the ring runs into the marks");
_Static_assert(GRAFT_MARKS_OFFSET + GRAFT_SESSIONS_MAX * GRAFT_MARK_WORDS * 8 <=
                   GRAFT_TABLE_HEADER_BYTES,
               "the marks run into the page words");

/* A number below 2^44 with 20 bits of checksum above it, so that it changes in one store. */
uint64_t graft_checked_word(uint64_t value, uint64_t seed, enum graft_table_word index);
/* False when the word does not verify (0 included). */
bool graft_checked_word_value(uint64_t word, uint64_t seed, enum graft_table_word index,
                              uint64_t *value);

/* ---- Locks ---- */

enum graft_lock_index {
    GRAFT_LOCK_OPEN = 0, /* shared while open; exclusive to create, recover, tidy */
    GRAFT_LOCK_FOLD = 2,
    GRAFT_LOCK_DOOR = 3,    /* whoever opens, or closes as the last one */
    GRAFT_LOCK_FLIGHTS = 4, /* shared while a sync is under way: see flight.c */
    GRAFT_LOCK_FLIGHTS_OTHER = 5,
    GRAFT_LOCK_MARKS = 16, /* + the index of the mark */
};

/* ---- The log ---- */

#define GRAFT_HALF_HEADER_BYTES 64U
#define GRAFT_HALF_BYTES_MAX ((uint64_t)GRAFT_PLACE_MAX / 2 * 64) /* what a place can name */
#define GRAFT_HALF_VERSION 1U
#define GRAFT_RECORD_BYTES 64U
#define GRAFT_RECORD_PAYLOAD_MAX (UINT32_C(1) << 30)

static inline uint64_t graft_align64(uint64_t bytes)
{
    return (bytes + 63) & ~UINT64_C(63);
}

struct graft_half_header {
    uint64_t generation;
    uint64_t live; /* oldest generation that still counts */
    uint32_t base_bytes;
    uint64_t base_sum;
    uint64_t sum; /* of the header itself */
};

enum graft_half_check { GRAFT_HALF_OK, GRAFT_HALF_DAMAGED, GRAFT_HALF_NEWER, GRAFT_HALF_FOREIGN };

void graft_half_header_encode(struct graft_half_header *header, const uint8_t volume[16],
                              uint8_t out[GRAFT_HALF_HEADER_BYTES]);
enum graft_half_check graft_half_header_decode(const uint8_t in[GRAFT_HALF_HEADER_BYTES],
                                               const uint8_t volume[16],
                                               struct graft_half_header *out);

enum graft_record_kind {
    GRAFT_RECORD_PAGE = 1,
    GRAFT_RECORD_REMOTE = 2, /* the remote has the page; not held */
    GRAFT_RECORD_ZEROS = 3,
    GRAFT_RECORD_COMMIT = 4,
    GRAFT_RECORD_NOTE = 5,
};

struct graft_record {
    enum graft_record_kind kind;
    uint32_t page; /* of a frame; the number of frames in a commit */
    uint64_t lsn;
    uint32_t payload_bytes;
    uint32_t prev_place;      /* the page's version before; a commit's: the commit record before */
    uint64_t prev_generation; /* of the half that prev_place is in; 0 with prev_place 0 */
    uint64_t payload_sum;
    uint64_t offset;
    uint64_t chain;
    uint64_t sum;
};

/* Sets record->sum. `seed` is graft_record_seed. */
void graft_record_encode(struct graft_record *record, uint64_t seed,
                         uint8_t out[GRAFT_RECORD_BYTES]);
/* False unless the checksum holds and the kind is known. */
bool graft_record_decode(const uint8_t in[GRAFT_RECORD_BYTES], uint64_t seed,
                         struct graft_record *out);

static inline uint64_t graft_record_seed(uint64_t volume_seed, uint64_t generation)
{
    return volume_seed ^ generation;
}

/* The bytes that a record takes in the log. */
static inline uint64_t graft_record_space(uint32_t payload_bytes)
{
    return GRAFT_RECORD_BYTES + graft_align64(payload_bytes);
}

/* Checksum of a page's bytes, the same in the log and (its low half) in the page word. */
uint64_t graft_page_sum(uint64_t volume_seed, uint32_t page, const void *bytes, size_t size);

#endif
