/* Prefetching by structure: what a replica asks for, in requests and pages, when SQLite reads. The
 * remote is a directory, so that nothing is slow enough to be streamed on its own account; metered
 * rules streaming out altogether. */
#include <stdlib.h>
#include <string.h>

#include "fixture.h"
#include "vfs/btree.h"
#include "vfs/layout.h"

TestSuite(hints, .init = fixture_init, .fini = fixture_fini, .timeout = 120);

#define ROWS "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)"

/* Twenty thousand rows, a hundred bytes each that do not compress, an index in another order. */
static void make_source(void)
{
    sqlite3 *a = open_replica("a.graft", "repo/app");
    run(a, "CREATE TABLE t(id INTEGER PRIMARY KEY, k INT, pad BLOB);"
           "CREATE INDEX tk ON t(k);"
           "CREATE TABLE big(id INTEGER PRIMARY KEY, body BLOB); BEGIN;" ROWS
           "INSERT INTO t SELECT i, i * 7919 % 20000 / 20, randomblob(100) FROM n;"
           "INSERT INTO big VALUES(1, randomblob(400000)), (2, randomblob(10)); COMMIT;"
           "PRAGMA graft_push");
    close_db(a);
}

static sqlite3 *open_b(const char *prefetch)
{
    sqlite3 *b = open_replica("b.graft", "repo/app");
    char sql[64];
    snprintf(sql, sizeof sql, "PRAGMA graft_prefetch=%s", prefetch);
    run(b, sql);
    return b;
}

static sqlite3_int64 stat_of(sqlite3 *db, const char *name)
{
    char sql[128];
    snprintf(sql, sizeof sql, "SELECT value FROM graft_stats WHERE name = '%s'", name);
    return number(db, sql);
}

Test(hints, a_point_query_fetches_the_tops_of_the_trees_at_once_and_then_a_leaf)
{
    make_source();
    sqlite3 *b = open_b("metered");
    cr_assert_eq(number(b, "SELECT length(pad) FROM t WHERE id = 7777"), 100);
    cr_assert_leq(stat_of(b, "stalls"), 2);
    cr_assert_leq(stat_of(b, "fetches"), 2);
    cr_assert_leq(stat_of(b, "pages_fetched"), 16);
    close_db(b);
}

Test(hints, a_scan_is_foreseen_leaf_by_leaf)
{
    make_source();
    sqlite3 *b = open_b("auto");
    cr_assert_eq(number(b, "SELECT sum(length(pad)) FROM t"), 2000000);
    sqlite3_int64 leaves = 20000 * 110 / 4096;
    cr_assert_geq(stat_of(b, "prefetch_hits"), leaves * 3 / 4);
    cr_assert_leq(stat_of(b, "fetches"), leaves / 8);
    close_db(b);
}

Test(hints, a_scan_backwards_is_foreseen_too)
{
    make_source();
    sqlite3 *b = open_b("metered");
    cr_assert_eq(number(b, "SELECT sum(id) FROM (SELECT id, pad FROM t WHERE length(pad) = 100 "
                           "ORDER BY id DESC LIMIT 10000)"),
                 150005000);
    cr_assert_geq(stat_of(b, "prefetch_hits"), 10000 * 110 / 4096 / 2);
    close_db(b);
}

Test(hints, rows_that_an_index_names_come_together)
{
    make_source();
    /* Ten keys of twenty rows each, all over the table. */
    const char *sql = "SELECT sum(length(pad)) FROM t WHERE k BETWEEN 100 AND 109";
    sqlite3 *b = open_b("off");
    cr_assert_eq(number(b, sql), 20000);
    sqlite3_int64 stalls = stat_of(b, "stalls");
    close_db(b);
    graft_test_remove(graft_test_path(&fix.dir, "b.graft"));
    b = open_b("metered");
    cr_assert_eq(number(b, sql), 20000);
    cr_assert_geq(stat_of(b, "prefetch_hits"), 60);
    cr_assert_leq(stat_of(b, "pages_fetched"), 200 * 6);
    cr_assert_lt(stat_of(b, "stalls") * 2, stalls);
    close_db(b);
}

Test(hints, an_overflow_chain_comes_at_once)
{
    make_source();
    sqlite3 *b = open_b("metered");
    cr_assert_eq(number(b, "SELECT length(hex(body)) FROM big WHERE id = 1"), 800000);
    cr_assert_geq(stat_of(b, "prefetch_hits"), 60);
    cr_assert_leq(stat_of(b, "fetches"), 20);
    close_db(b);
}

Test(hints, what_is_held_is_never_asked_for_again)
{
    make_source();
    sqlite3 *b = open_b("auto");
    run(b, "PRAGMA graft_hydrate");
    sqlite3_int64 requests = stat_of(b, "requests");
    cr_assert_eq(number(b, "SELECT sum(length(pad)) FROM t"), 2000000);
    cr_assert_eq(number(b, "SELECT sum(length(pad)) FROM t WHERE k < 500"), 1000000);
    cr_assert_eq(stat_of(b, "requests"), requests);
    close_db(b);
}

Test(hints, a_replica_follows_what_others_change)
{
    make_source();
    sqlite3 *b = open_b("auto");
    cr_assert_eq(number(b, "SELECT sum(length(pad)) FROM t WHERE id < 3000"), 299900);
    sqlite3 *a = open_replica("a.graft", "repo/app");
    run(a, "DELETE FROM t WHERE id % 3 = 0; INSERT INTO t SELECT id + 30000, k, pad FROM t;"
           "PRAGMA graft_push");
    run(b, "PRAGMA graft_pull");
    const char *sql = "SELECT count(*), sum(id), sum(k), sum(length(pad)) FROM t";
    expect_rows(b, sql, rows(a, sql));
    expect_rows(b, "PRAGMA integrity_check", "ok");
    close_db(a);
    close_db(b);
}

Test(hints, a_small_push_leaves_the_first_pages_known)
{
    make_source();
    sqlite3 *a = open_replica("a.graft", "repo/app");
    for (int i = 0; i < 5; i++)
        run(a, "UPDATE t SET k = k + 1 WHERE id = 777; PRAGMA graft_push");
    close_db(a);
    sqlite3 *b = open_b("metered");
    cr_assert_eq(number(b, "SELECT length(pad) FROM t WHERE id = 7777"), 100);
    cr_assert_leq(stat_of(b, "stalls"), 2);
    close_db(b);
}

/* ---- Pages that are not what they seem ---- */

static uint8_t *read_pages(const char *name, size_t *size)
{
    FILE *file = fopen(graft_test_path(&fix.dir, name), "rb");
    cr_assert_not_null(file);
    fseek(file, 0, SEEK_END);
    *size = (size_t)ftell(file);
    rewind(file);
    uint8_t *bytes = malloc(*size);
    cr_assert_eq(fread(bytes, 1, *size, file), *size);
    fclose(file);
    return bytes;
}

static void look_at(uint32_t page, const uint8_t *bytes, uint32_t page_count)
{
    struct graft_btree tree;
    static uint32_t children[4096];
    static int64_t keys[4096];
    static struct graft_btree_entry entries[1024];
    if (!graft_btree_open(&tree, page, bytes, 4096, 4096))
        return;
    if (graft_btree_children(&tree, page_count, children, keys)) {
        for (uint32_t i = 0; i <= tree.cells; i++)
            cr_assert(children[i] >= 2 && children[i] <= page_count && children[i] != page);
    }
    cr_assert_leq(graft_btree_entries(&tree, entries, 1024), tree.cells);
    (void)graft_btree_overflow_pages(&tree, bytes[5]);
}

Test(hints, any_bytes_may_be_taken_for_a_page)
{
    sqlite3 *plain = open_plain("plain.db");
    run(plain, "CREATE TABLE t(id INTEGER PRIMARY KEY, k TEXT, pad BLOB); CREATE INDEX tk ON t(k);"
               "BEGIN;" ROWS "INSERT INTO t SELECT i, hex(i * 7919), randomblob(i % 50) FROM n;"
               "INSERT INTO t VALUES(50000, 'x', zeroblob(20000)); COMMIT");
    close_db(plain);
    size_t size = 0;
    uint8_t *bytes = read_pages("plain.db", &size);
    uint32_t count = (uint32_t)(size / 4096);
    uint64_t random = 1;
    for (uint32_t page = 1; page <= count; page++) {
        /* A copy of its own, so that a read past it is noticed. */
        uint8_t *copy = malloc(4096);
        memcpy(copy, bytes + (size_t)(page - 1) * 4096, 4096);
        look_at(page, copy, count);
        for (int i = 0; i < 60; i++) {
            random = random * UINT64_C(6364136223846793005) + 1442695040888963407U;
            copy[(random >> 33) % (i < 30 ? 24 : 4096)] ^= (uint8_t)(1U << (random >> 60) % 8);
            look_at(page, copy, count);
        }
        free(copy);
    }
    free(bytes);
}

static uint8_t *arranged_bytes;

static enum graft_rc read_arranged(const struct graft_arrangement *arrangement, uint32_t page,
                                   void *bytes, struct graft_err *err)
{
    (void)err;
    memcpy(bytes, arranged_bytes + (size_t)(page - 1) * arrangement->page_bytes,
           arrangement->page_bytes);
    return GRAFT_OK;
}

Test(hints, an_arrangement_keeps_every_page_and_puts_the_trees_in_order)
{
    sqlite3 *plain = open_plain("plain.db");
    run(plain, "CREATE TABLE t(id INTEGER PRIMARY KEY, k TEXT, pad BLOB); CREATE INDEX tk ON t(k);"
               "BEGIN;" ROWS "INSERT INTO t SELECT i * 7919 % 20011, hex(i), randomblob(50) FROM n;"
               "COMMIT");
    close_db(plain);
    size_t size = 0;
    struct graft_err err = {0};
    arranged_bytes = read_pages("plain.db", &size);
    uint32_t count = (uint32_t)(size / 4096);
    uint32_t *pages = calloc(count, sizeof *pages);
    bool *seen = calloc(count + 1, sizeof *seen);
    for (uint32_t i = 0; i < count; i++)
        pages[i] = i + 1;
    struct graft_arrangement arrangement = {
        .page_bytes = 4096,
        .page_count = count,
        .pages = pages,
        .count = count,
        .read = read_arranged,
    };
    expect_ok(graft_layout_arrange(&fix.faulty.env, &arrangement, &err), &err);
    cr_assert_eq(pages[0], 1);
    cr_assert(arrangement.first_count >= 3 && arrangement.first_count < count / 20);
    for (uint32_t i = 0; i < count; i++) {
        cr_assert(pages[i] >= 1 && pages[i] <= count && !seen[pages[i]]);
        seen[pages[i]] = true;
    }
    /* The leaves of the table follow each other by rowid. */
    int64_t last = -1;
    uint32_t leaves = 0;
    for (uint32_t i = arrangement.first_count; i < count; i++) {
        const uint8_t *page = arranged_bytes + (size_t)(pages[i] - 1) * 4096;
        if (page[0] != GRAFT_BTREE_TABLE_LEAF)
            continue;
        size_t cell = (size_t)page[8] << 8 | page[9];
        int64_t rowid = 0;
        for (size_t at = cell + 1;; at++) {
            rowid = rowid << 7 | (page[at] & 0x7f);
            if (page[at] < 0x80)
                break;
        }
        cr_assert_gt(rowid, last);
        last = rowid;
        leaves++;
    }
    cr_assert_gt(leaves, 100);
    free(pages);
    free(seen);
    free(arranged_bytes);
}
