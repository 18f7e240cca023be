/* The transactions of the load. Each writes its number into `journal`, and most of them rows of
 * several tables, so that half a transaction shows: single rows, transfers between accounts with an
 * index on the balance, bulk inserts and deletes, updates of every row, changes of the schema, and
 * transactions larger than every buffer. */
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checksum.h"

#define ACCOUNTS 200
#define BULK_BODY_BYTES 500
#define BIG_BLOB_BYTES 262144
#define BIG_BLOBS 40 /* 10 MB: more than a transaction keeps in memory */

uint64_t load_random_next(struct load_random *random)
{
    /* SplitMix64. */
    uint64_t value = random->state += 0x9e3779b97f4a7c15U;
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9U;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebU;
    return value ^ (value >> 31);
}

uint64_t load_random_below(struct load_random *random, uint64_t bound)
{
    return load_random_next(random) % bound;
}

uint64_t load_random_skewed(struct load_random *random, uint64_t bound)
{
    unsigned bits = 1;
    while (bits < 63 && (bound >> bits) != 0)
        bits++;
    uint64_t within = (uint64_t)1 << (1 + load_random_below(random, bits));
    return 1 + load_random_below(random, within > bound ? bound : within);
}

static int run(sqlite3 *db, const char *sql)
{
    return sqlite3_exec(db, sql, NULL, NULL, NULL);
}

/* Runs a statement with whole-number parameters, and a blob as its last one when there is one. */
static int run_with(sqlite3 *db, const char *sql, const sqlite3_int64 *numbers, int count,
                    const void *blob, int blob_bytes)
{
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
    for (int i = 0; rc == SQLITE_OK && i < count; i++)
        rc = sqlite3_bind_int64(statement, i + 1, numbers[i]);
    if (rc == SQLITE_OK && blob != NULL)
        rc = sqlite3_bind_blob(statement, count + 1, blob, blob_bytes, SQLITE_STATIC);
    if (rc == SQLITE_OK) {
        do {
            rc = sqlite3_step(statement);
        } while (rc == SQLITE_ROW);
        rc = rc == SQLITE_DONE ? SQLITE_OK : rc;
    }
    (void)sqlite3_finalize(statement);
    return rc;
}

static void fill(struct load_random *random, unsigned char *bytes, size_t size)
{
    for (size_t at = 0; at < size; at += sizeof(uint64_t)) {
        uint64_t word = load_random_next(random);
        memcpy(bytes + at, &word, size - at < sizeof word ? size - at : sizeof word);
    }
}

static int insert_journal(sqlite3 *db, struct load_random *random, uint64_t number)
{
    unsigned char body[64];
    fill(random, body, sizeof body);
    sqlite3_int64 numbers[1] = {(sqlite3_int64)number};
    return run_with(db, "INSERT INTO journal(number, body) VALUES(?, ?)", numbers, 1, body,
                    (int)load_random_below(random, sizeof body));
}

static int transfer(sqlite3 *db, struct load_random *random, uint64_t number)
{
    int rc = SQLITE_OK;
    uint64_t pairs = 1 + load_random_below(random, 12);
    for (uint64_t i = 0; rc == SQLITE_OK && i < pairs; i++) {
        sqlite3_int64 from = 1 + (sqlite3_int64)load_random_below(random, ACCOUNTS);
        sqlite3_int64 to = 1 + (sqlite3_int64)load_random_below(random, ACCOUNTS);
        sqlite3_int64 amount = 1 + (sqlite3_int64)load_random_below(random, 1000);
        rc = run_with(db, "UPDATE account SET balance = balance - ?2 WHERE id = ?1",
                      (sqlite3_int64[]){from, amount}, 2, NULL, 0);
        if (rc == SQLITE_OK)
            rc = run_with(db, "UPDATE account SET balance = balance + ?2 WHERE id = ?1",
                          (sqlite3_int64[]){to, amount}, 2, NULL, 0);
        if (rc == SQLITE_OK)
            rc = run_with(
                db, "INSERT INTO entry VALUES(?, ?, ?, ?, ?)",
                (sqlite3_int64[]){(sqlite3_int64)number, (sqlite3_int64)i, from, to, amount}, 5,
                NULL, 0);
    }
    return rc;
}

static int insert_bulk(sqlite3 *db, struct load_random *random, uint64_t number)
{
    int rc = SQLITE_OK;
    unsigned char body[BULK_BODY_BYTES];
    uint64_t rows = 20 + load_random_below(random, 150);
    for (uint64_t i = 0; rc == SQLITE_OK && i < rows; i++) {
        fill(random, body, sizeof body);
        rc = run_with(db, "INSERT INTO bulk(number, body) VALUES(?, ?)",
                      (sqlite3_int64[]){(sqlite3_int64)number}, 1, body,
                      (int)load_random_below(random, sizeof body));
    }
    return rc;
}

static int insert_big(sqlite3 *db, struct load_random *random)
{
    unsigned char *blob = malloc(BIG_BLOB_BYTES);
    if (blob == NULL)
        return SQLITE_NOMEM;
    int rc = run(db, "DELETE FROM big");
    for (int i = 0; rc == SQLITE_OK && i < BIG_BLOBS; i++) {
        fill(random, blob, BIG_BLOB_BYTES);
        rc = run_with(db, "INSERT INTO big(body) VALUES(?)", NULL, 0, blob, BIG_BLOB_BYTES);
    }
    free(blob);
    return rc;
}

static int change_schema(sqlite3 *db, uint64_t number)
{
    char sql[256];
    (void)snprintf(sql, sizeof sql,
                   "DROP TABLE IF EXISTS extra; CREATE TABLE extra(c%llu, seen INTEGER);"
                   "INSERT INTO extra SELECT body, number FROM bulk ORDER BY id LIMIT 200;"
                   "CREATE INDEX extra_seen ON extra(seen)",
                   (unsigned long long)number);
    return run(db, sql);
}

static int delete_some(sqlite3 *db, uint64_t number)
{
    sqlite3_int64 before[1] = {(sqlite3_int64)number - 60};
    int rc = run_with(db, "DELETE FROM bulk WHERE number < ?", before, 1, NULL, 0);
    return rc == SQLITE_OK ? run_with(db, "DELETE FROM entry WHERE number < ?", before, 1, NULL, 0)
                           : rc;
}

static int write_rows(sqlite3 *db, struct load_random *random, uint64_t kind, uint64_t number)
{
    if (kind < 50)
        return SQLITE_OK; /* the journal's row is all */
    if (kind < 78)
        return transfer(db, random, number);
    if (kind < 88)
        return insert_bulk(db, random, number);
    if (kind < 93)
        return delete_some(db, number);
    if (kind < 96)
        return run(db, "UPDATE account SET balance = balance * 3 % 100003, note = note || 'x'");
    if (kind < 98)
        return change_schema(db, number);
    return insert_big(db, random);
}

static void call(const struct load_hooks *hooks, void (*hook)(void *arg))
{
    if (hooks != NULL && hook != NULL)
        hook(hooks->arg);
}

int load_create(sqlite3 *db)
{
    return run(db,
               "BEGIN;"
               "CREATE TABLE journal(number INTEGER PRIMARY KEY, body BLOB);"
               "CREATE TABLE account(id INTEGER PRIMARY KEY, balance INTEGER, note TEXT);"
               "CREATE INDEX account_balance ON account(balance);"
               "CREATE TABLE entry(number INTEGER, part INTEGER, source INTEGER, target INTEGER,"
               " amount INTEGER, PRIMARY KEY(number, part)) WITHOUT ROWID;"
               "CREATE INDEX entry_source ON entry(source, target);"
               "CREATE TABLE bulk(id INTEGER PRIMARY KEY, number INTEGER, body BLOB);"
               "CREATE INDEX bulk_number ON bulk(number);"
               "CREATE TABLE big(id INTEGER PRIMARY KEY, body BLOB);"
               "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)"
               " INSERT INTO account SELECT i, 1000 + i, 'account ' || i FROM n;"
               "INSERT INTO journal VALUES(0, NULL);"
               "COMMIT");
}

int load_apply(sqlite3 *db, uint64_t seed, uint64_t number, const struct load_hooks *hooks)
{
    struct load_random random = {.state = seed ^ (number * 0xd1342543de82ef95U)};
    uint64_t kind = load_random_below(&random, 100);
    if (kind < 25) {
        /* One row, without BEGIN: the statement and its commit are one step. */
        call(hooks, hooks != NULL ? hooks->in_autocommit : NULL);
        int rc = insert_journal(db, &random, number);
        if (rc == SQLITE_OK)
            call(hooks, hooks != NULL ? hooks->after_commit : NULL);
        return rc;
    }
    call(hooks, hooks != NULL ? hooks->in_transaction : NULL);
    int rc = run(db, "BEGIN");
    if (rc == SQLITE_OK)
        rc = insert_journal(db, &random, number);
    if (rc == SQLITE_OK)
        rc = write_rows(db, &random, kind, number);
    if (rc != SQLITE_OK)
        return rc;
    call(hooks, hooks != NULL ? hooks->before_commit : NULL);
    rc = run(db, "COMMIT");
    if (rc == SQLITE_OK)
        call(hooks, hooks != NULL ? hooks->after_commit : NULL);
    return rc;
}

int load_roll_back(sqlite3 *db, uint64_t seed, uint64_t number)
{
    struct load_random random = {.state = ~seed ^ number};
    int rc = run(db, "BEGIN; DELETE FROM journal; UPDATE account SET balance = 0");
    if (rc == SQLITE_OK)
        rc = load_random_below(&random, 4) == 0 ? insert_big(db, &random)
                                                : insert_bulk(db, &random, number);
    return rc == SQLITE_OK ? run(db, "ROLLBACK") : rc;
}

int load_newest(sqlite3 *db, bool *exists, uint64_t *number)
{
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(db, "SELECT 1 FROM sqlite_schema WHERE name = 'journal'", -1,
                                &statement, NULL);
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(statement);
        *exists = rc == SQLITE_ROW;
        (void)sqlite3_finalize(statement);
    }
    if (rc != SQLITE_ROW)
        return rc == SQLITE_DONE ? SQLITE_OK : rc;
    rc = sqlite3_prepare_v2(db, "SELECT max(number), count(*) FROM journal", -1, &statement, NULL);
    if (rc != SQLITE_OK)
        return rc;
    rc = sqlite3_step(statement);
    if (rc == SQLITE_ROW)
        *number = (uint64_t)sqlite3_column_int64(statement, 0);
    (void)sqlite3_finalize(statement);
    return rc == SQLITE_ROW ? SQLITE_OK : rc;
}

static uint64_t mix(uint64_t digest, const void *bytes, size_t size)
{
    return graft_checksum64(bytes, size, digest);
}

static int digest_query(sqlite3 *db, const char *sql, uint64_t *digest)
{
    sqlite3_stmt *statement = NULL;
    int rc = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
    if (rc != SQLITE_OK)
        return rc;
    while ((rc = sqlite3_step(statement)) == SQLITE_ROW) {
        for (int i = 0; i < sqlite3_column_count(statement); i++) {
            int type = sqlite3_column_type(statement, i);
            const void *bytes = sqlite3_column_blob(statement, i);
            int size = sqlite3_column_bytes(statement, i);
            *digest = mix(*digest, &type, sizeof type);
            *digest = mix(*digest, bytes != NULL ? bytes : "", (size_t)size);
        }
    }
    (void)sqlite3_finalize(statement);
    return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

int load_digest(sqlite3 *db, uint64_t *digest)
{
    static const char *const queries[] = {
        "SELECT type, name, sql FROM sqlite_schema ORDER BY name",
        "SELECT * FROM journal ORDER BY number",
        "SELECT * FROM account ORDER BY id",
        "SELECT id, balance FROM account INDEXED BY account_balance ORDER BY balance, id",
        "SELECT * FROM entry ORDER BY number, part",
        "SELECT * FROM bulk ORDER BY id",
        "SELECT * FROM big ORDER BY id",
    };
    uint64_t sum = 0;
    int rc = SQLITE_OK;
    for (size_t i = 0; rc == SQLITE_OK && i < sizeof queries / sizeof queries[0]; i++)
        rc = digest_query(db, queries[i], &sum);
    sqlite3_stmt *extra = NULL;
    if (rc == SQLITE_OK &&
        sqlite3_prepare_v2(db, "SELECT * FROM extra", -1, &extra, NULL) == SQLITE_OK) {
        (void)sqlite3_finalize(extra);
        rc = digest_query(db, "SELECT * FROM extra ORDER BY rowid", &sum);
    }
    if (rc == SQLITE_OK)
        *digest = sum;
    return rc;
}
