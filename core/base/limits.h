/* Every bound of Graft, in one place. */
#ifndef GRAFT_BASE_LIMITS_H
#define GRAFT_BASE_LIMITS_H

#define GRAFT_PAGE_BYTES_MIN 512U
#define GRAFT_PAGE_BYTES_MAX 65536U
#define GRAFT_PAGE_BYTES_DEFAULT 4096U
#define GRAFT_PAGES_MAX 0xfffffffeU /* as SQLite's largest page number */

#define GRAFT_PATH_BYTES_MAX 4096U /* a path or a URL, its NUL included */
#define GRAFT_NAME_BYTES_MAX 128U  /* a volume's name, its NUL included */

#define GRAFT_SESSIONS_MAX 1000U /* connections on one database directory, over all processes */

#define GRAFT_CACHE_LIMIT_MIN (64U << 10) /* least limit of what the image may take on the disk */
#define GRAFT_CACHE_LIMIT_MAX (UINT64_C(1) << 60)

#define GRAFT_TXN_BUFFER_BYTES \
    (8U << 20)                   /* dirty pages kept in memory before they spill to the log */
#define GRAFT_WRITER_WAIT_MS 10U /* in line for the writer role, where nothing is pinned yet */
#define GRAFT_LOG_HALF_BYTES (32U << 20)       /* a log half is folded once it is longer */
#define GRAFT_LOG_PREALLOCATE_BYTES (1U << 20) /* zeros written ahead of the log's end, at most */

#define GRAFT_FRAME_RAW_BYTES \
    (16U << 10) /* pages in a compressed frame, before compression (one page at least) */
#define GRAFT_FRAME_PAGES_MAX 64U /* pages in one frame, at most */
#define GRAFT_CODECS_IDLE_MAX 2U  /* that a process keeps for the next push or fetch */
#define GRAFT_INLINE_BYTES_MAX \
    (256U << 10) /* frames that travel inside the commit object, compressed */
#define GRAFT_SEGMENT_BYTES_MAX (16U << 20) /* a segment is closed once it is longer */
#define GRAFT_SINCE_BYTES_MAX \
    (64U << 10) /* map of pages since the checkpoint; past it, a checkpoint is due */
#define GRAFT_OBJECT_BYTES_MAX (1U << 30) /* an object read into memory */
#define GRAFT_GET_BYTES_MAX (4U << 20)    /* one coalesced ranged read */
#define GRAFT_LIST_KEYS_MAX 1000U         /* keys in one page of a listing */

#define GRAFT_REMOTE_TIMEOUT_MS 30000U
#define GRAFT_REMOTE_RETRIES_MAX 4U

#endif
