/* Databases from public data: Debian's unicode-data and package index as they are installed, a
 * generator in the manner of TPC-H's (the tables orders and lineitem, their keys and how they
 * refer to each other, are those of the TPC-H specification; the text is not), and a bank whose
 * transfers came in no order. Rows go in as an application would put them in: one after another,
 * indexes there from the beginning, so that trees grow into each other. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "remote.h"

const char *const remote_class_names[REMOTE_CLASSES] = {
    "point", "range-pk", "range-index", "join", "search", "scan", "hot",
};

#define FIELDS_MAX 32U

/* Splits in place; returns how many fields there are. */
static unsigned split(char *line, const char *separators, char **fields)
{
    unsigned count = 0;
    line[strcspn(line, "\r\n")] = '\0';
    for (char *at = line; count < FIELDS_MAX; at++) {
        size_t length = strcspn(at, separators);
        fields[count++] = at;
        at += length;
        if (*at == '\0')
            break;
        *at = '\0';
    }
    return count;
}

static void bind_text(sqlite3_stmt *statement, int index, const char *text)
{
    (void)sqlite3_bind_text(statement, index, text, -1, SQLITE_TRANSIENT);
}

/* ---- Unicode ---- */

static void load_characters(sqlite3 *db, FILE *file)
{
    char line[1024];
    char *fields[FIELDS_MAX];
    sqlite3_stmt *insert = bench_prepare(db, "INSERT INTO character VALUES(?1,?2,?3,?4,?5)");
    while (fgets(line, sizeof line, file) != NULL) {
        if (split(line, ";", fields) < 15)
            continue;
        (void)sqlite3_bind_int64(insert, 1, strtol(fields[0], NULL, 16));
        for (int i = 0; i < 4; i++) {
            static const int columns[] = {1, 2, 4, 5};
            bind_text(insert, i + 2, fields[columns[i]]);
        }
        bench_finish(db, insert);
    }
    (void)sqlite3_finalize(insert);
}

static void load_notes(sqlite3 *db, FILE *file)
{
    char line[1024];
    long code = -1;
    sqlite3_stmt *insert = bench_prepare(db, "INSERT INTO note(code, text) VALUES(?1, ?2)");
    while (fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\r\n")] = '\0';
        if (line[0] != '\t') {
            char *end = NULL;
            code = strtol(line, &end, 16);
            if (end == line || *end != '\t')
                code = -1;
        } else if (code >= 0) {
            (void)sqlite3_bind_int64(insert, 1, code);
            bind_text(insert, 2, line + 1);
            bench_finish(db, insert);
        }
    }
    (void)sqlite3_finalize(insert);
}

static void load_collation(sqlite3 *db, FILE *file)
{
    char line[1024];
    char *fields[FIELDS_MAX];
    sqlite3_stmt *insert = bench_prepare(db, "INSERT OR IGNORE INTO collation VALUES(?1,?2,?3)");
    while (fgets(line, sizeof line, file) != NULL) {
        if (line[0] == '#' || split(line, ";#", fields) < 3)
            continue;
        for (int i = 0; i < 3; i++)
            bind_text(insert, i + 1, fields[i]);
        bench_finish(db, insert);
    }
    (void)sqlite3_finalize(insert);
}

static bool build_unicode(sqlite3 *db, const struct remote_scale *scale)
{
    static const struct {
        const char *path;
        void (*load)(sqlite3 *db, FILE *file);
    } files[] = {
        {"/usr/share/unicode/UnicodeData.txt", load_characters},
        {"/usr/share/unicode/NamesList.txt", load_notes},
        {"/usr/share/unicode/allkeys.txt", load_collation},
    };
    (void)scale;
    bench_exec(db, "CREATE TABLE character(code INTEGER PRIMARY KEY, name TEXT, category TEXT,"
                   "    bidi TEXT, decomposition TEXT);"
                   "CREATE INDEX by_category ON character(category, name);"
                   "CREATE TABLE note(id INTEGER PRIMARY KEY, code INTEGER, text TEXT);"
                   "CREATE INDEX note_by_code ON note(code);"
                   "CREATE TABLE collation(codes TEXT PRIMARY KEY, weights TEXT, name TEXT)"
                   "    WITHOUT ROWID;"
                   "BEGIN");
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        FILE *file = fopen(files[i].path, "r");
        if (file == NULL)
            return false;
        files[i].load(db, file);
        (void)fclose(file);
    }
    bench_exec(db, "CREATE VIRTUAL TABLE search USING fts5(name);"
                   "INSERT INTO search(rowid, name) SELECT code, name FROM character;"
                   "COMMIT");
    return true;
}

/* ---- The package index ---- */

struct package {
    char name[128], version[128], section[64], maintainer[256], depends[16384], summary[512];
    long size;
};

static void take_field(char *to, size_t room, const char *line, const char *name)
{
    size_t length = strlen(name);
    if (strncmp(line, name, length) == 0)
        (void)snprintf(to, room, "%s", line + length);
}

static void put_package(sqlite3 *db, sqlite3_stmt *const insert[2], const struct package *package)
{
    const char *const texts[] = {package->name, package->version, package->section,
                                 package->maintainer, package->summary};
    for (int i = 0; i < 5; i++)
        bind_text(insert[0], i + 1, texts[i]);
    (void)sqlite3_bind_int64(insert[0], 6, package->size);
    bench_finish(db, insert[0]);
    int64_t id = sqlite3_last_insert_rowid(db);
    char depends[sizeof package->depends];
    (void)snprintf(depends, sizeof depends, "%s", package->depends);
    char *rest = NULL;
    for (char *at = strtok_r(depends, ",|", &rest); at != NULL; at = strtok_r(NULL, ",|", &rest)) {
        at += strspn(at, " ");
        at[strcspn(at, " :(")] = '\0';
        (void)sqlite3_bind_int64(insert[1], 1, id);
        bind_text(insert[1], 2, at);
        bench_finish(db, insert[1]);
    }
}

static bool build_packages(sqlite3 *db, const struct remote_scale *scale)
{
    static struct package package, empty;
    FILE *list = popen("apt-cache dumpavail 2>/dev/null", "r");
    char *line = NULL;
    size_t room = 0;
    unsigned count = 0;
    if (list == NULL)
        return false;
    bench_exec(db, "CREATE TABLE package(id INTEGER PRIMARY KEY, name TEXT, version TEXT,"
                   "    section TEXT, maintainer TEXT, summary TEXT, size INTEGER);"
                   "CREATE INDEX package_by_name ON package(name);"
                   "CREATE INDEX package_by_section ON package(section);"
                   "CREATE INDEX package_by_maintainer ON package(maintainer);"
                   "CREATE TABLE depends(package INTEGER, needs TEXT);"
                   "CREATE INDEX depends_by_package ON depends(package);"
                   "CREATE INDEX depends_by_needs ON depends(needs); BEGIN");
    sqlite3_stmt *const insert[] = {
        bench_prepare(db, "INSERT INTO package(name, version, section, maintainer, summary, size)"
                          " VALUES(?1,?2,?3,?4,?5,?6)"),
        bench_prepare(db, "INSERT INTO depends VALUES(?1, ?2)"),
    };
    while (getline(&line, &room, list) >= 0) {
        line[strcspn(line, "\n")] = '\0';
        take_field(package.name, sizeof package.name, line, "Package: ");
        take_field(package.version, sizeof package.version, line, "Version: ");
        take_field(package.section, sizeof package.section, line, "Section: ");
        take_field(package.maintainer, sizeof package.maintainer, line, "Maintainer: ");
        take_field(package.depends, sizeof package.depends, line, "Depends: ");
        take_field(package.summary, sizeof package.summary, line, "Description: ");
        if (strncmp(line, "Size: ", 6) == 0)
            package.size = strtol(line + 6, NULL, 10);
        if (line[0] != '\0' || package.name[0] == '\0')
            continue;
        if (count++ % scale->divide == 0)
            put_package(db, insert, &package);
        package = empty;
    }
    free(line);
    (void)pclose(list);
    (void)sqlite3_finalize(insert[0]);
    (void)sqlite3_finalize(insert[1]);
    bench_exec(db, "CREATE VIRTUAL TABLE search USING fts5(summary);"
                   "INSERT INTO search(rowid, summary) SELECT id, summary FROM package; COMMIT");
    return count > 1000;
}

/* ---- In the manner of TPC-H, scale factor 0.05 ---- */

static bool build_orders(sqlite3 *db, const struct remote_scale *scale)
{
    char sql[2048];
    bench_exec(db, "CREATE TABLE customer(id INTEGER PRIMARY KEY, name TEXT, nation INT,"
                   "    balance INT, comment TEXT);"
                   "CREATE TABLE orders(id INTEGER PRIMARY KEY, customer INT, day INT,"
                   "    price INT, clerk TEXT, comment TEXT);"
                   "CREATE INDEX orders_by_customer ON orders(customer);"
                   "CREATE INDEX orders_by_day ON orders(day);"
                   "CREATE TABLE lineitem(order_id INT, line INT, part INT, quantity INT,"
                   "    price INT, ship INT, mode TEXT, comment TEXT,"
                   "    PRIMARY KEY(order_id, line)) WITHOUT ROWID;"
                   "CREATE INDEX lineitem_by_ship ON lineitem(ship); BEGIN");
    (void)snprintf(
        sql, sizeof sql,
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %u)"
        "INSERT INTO customer SELECT i, printf('Customer#%%09d', i), i * 7919 %% 25,"
        "    i * 104729 %% 10000, hex(i * 2654435761 %% 4294967291) || ' carefully final'"
        "    FROM n;"
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %u)"
        "INSERT INTO orders SELECT (i - 1) / 8 * 32 + (i - 1) %% 8 + 1,"
        "    i * 48271 %% %u + 1, i * 69621 %% 2406, i * 16807 %% 500000,"
        "    printf('Clerk#%%09d', i * 31 %% 1000),"
        "    hex(i * 2654435761 %% 4294967291) || ' furiously regular deposits'"
        "    FROM n;"
        "INSERT INTO lineitem SELECT o.id, l.value, (o.id * 131 + l.value * 17) %% 10000,"
        "    (o.id + l.value) %% 50, o.price / 4, o.day + (o.id * 13 + l.value) %% 121,"
        "    'TRUCK', hex((o.id * 7 + l.value) * 2654435761 %% 4294967291)"
        "    FROM orders AS o, json_each('[1,2,3,4]') AS l WHERE l.value <= o.id %% 4 + 1;"
        "COMMIT",
        7500 * scale->times / scale->divide, 75000 * scale->times / scale->divide,
        7500 * scale->times / scale->divide);
    bench_exec(db, sql);
    return true;
}

/* ---- The bank ---- */

static bool build_bank(sqlite3 *db, const struct remote_scale *scale)
{
    bench_exec(db, "CREATE TABLE account(id INTEGER PRIMARY KEY, owner TEXT, sum INT, note TEXT);"
                   "CREATE TABLE transfer(token TEXT PRIMARY KEY, source INT, target INT,"
                   "    sum INT, at INT);"
                   "CREATE INDEX transfer_by_source ON transfer(source, at); BEGIN");
    uint64_t random = 7;
    sqlite3_stmt *account = bench_prepare(db, "INSERT OR IGNORE INTO account VALUES(?1,?2,?3,?4)");
    sqlite3_stmt *transfer = bench_prepare(db, "INSERT INTO transfer VALUES(?1,?2,?3,?4,?5)");
    char text[128];
    for (unsigned i = 0; i < 60000 * scale->times / scale->divide; i++) {
        uint64_t id = bench_random(&random) % 100000;
        (void)sqlite3_bind_int64(account, 1, (int64_t)id);
        (void)snprintf(text, sizeof text, "owner %08llx",
                       (unsigned long long)(bench_random(&random) & 0xffffffff));
        bind_text(account, 2, text);
        (void)sqlite3_bind_int64(account, 3, 1000);
        (void)snprintf(
            text, sizeof text, "%016llx%016llx%016llx", (unsigned long long)bench_random(&random),
            (unsigned long long)bench_random(&random), (unsigned long long)bench_random(&random));
        bind_text(account, 4, text);
        bench_finish(db, account);
        for (int k = 0; k < 4; k++) {
            (void)snprintf(text, sizeof text, "%016llx", (unsigned long long)bench_random(&random));
            bind_text(transfer, 1, text);
            (void)sqlite3_bind_int64(transfer, 2, (int64_t)(bench_random(&random) % 3000));
            (void)sqlite3_bind_int64(transfer, 3, (int64_t)(bench_random(&random) % 100000));
            (void)sqlite3_bind_int64(transfer, 4, (int64_t)(bench_random(&random) % 100));
            (void)sqlite3_bind_int64(transfer, 5, (int64_t)i * 4 + k);
            bench_finish(db, transfer);
        }
    }
    (void)sqlite3_finalize(account);
    (void)sqlite3_finalize(transfer);
    bench_exec(db, "COMMIT");
    return true;
}

/* ---- All ---- */

/* Two hundred reads of twenty rows. */
#define HOT(expression, table, key)                                                 \
    "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 199)" \
    "SELECT sum((SELECT length(" expression ") FROM " table " WHERE " key ")) FROM n"

const struct remote_data remote_data[] = {
    {.name = "unicode",
     .text = "characters, notes, collation keys, full text (unicode-data)",
     .build = build_unicode,
     .queries = {[REMOTE_POINT] = "SELECT name FROM character WHERE code = 0x1F980",
                 [REMOTE_RANGE_KEY] =
                     "SELECT sum(length(name)) FROM character WHERE code BETWEEN 8192 AND 12000",
                 [REMOTE_RANGE_INDEX] =
                     "SELECT sum(length(decomposition)) FROM character WHERE category = 'Sm'",
                 [REMOTE_JOIN] = "SELECT sum(length(text)) FROM character JOIN note USING(code) "
                                 "WHERE category = 'Sc'",
                 [REMOTE_SEARCH] =
                     "SELECT count(name) FROM search WHERE search MATCH 'arrow OR crab'",
                 [REMOTE_SCAN] = "SELECT sum(length(weights) + length(name)) FROM collation",
                 [REMOTE_HOT] = HOT("name", "character", "code = 9000 + i * 7 % 20 * 501")},
     .change = "UPDATE character SET bidi = 'x' || ?1 WHERE code = (?1 * 7919) % 60000",
     .overlap =
         "SELECT sum(length(name)) FROM character WHERE code BETWEEN ?1 * 100 AND ?1 * 100 + 50"},
    {.name = "packages",
     .text = "Debian's package index (apt-cache dumpavail)",
     .build = build_packages,
     .queries = {[REMOTE_POINT] = "SELECT summary FROM package WHERE name = 'sqlite3'",
                 [REMOTE_RANGE_KEY] =
                     "SELECT sum(length(summary)) FROM package WHERE id BETWEEN 20000 AND 22000",
                 [REMOTE_RANGE_INDEX] =
                     "SELECT sum(length(summary)) FROM (SELECT summary FROM package "
                     "WHERE section = 'science' LIMIT 1000)",
                 [REMOTE_JOIN] = "SELECT sum(length(p.summary)) FROM depends AS d JOIN package AS p"
                                 " ON p.id = d.package WHERE d.needs = 'libsqlite3-0'",
                 [REMOTE_SEARCH] = "SELECT count(summary) FROM search WHERE search MATCH 'sqlite'",
                 [REMOTE_SCAN] = "SELECT sum(length(maintainer) + size) FROM package",
                 [REMOTE_HOT] = HOT("summary", "package", "id = 100 + i * 7 % 20 * 1501")},
     .change = "UPDATE package SET size = size + 1 WHERE id = (?1 * 7919) % 30000 + 1",
     .overlap =
         "SELECT sum(length(summary)) FROM package WHERE id BETWEEN ?1 * 70 AND ?1 * 70 + 30"},
    {.name = "orders",
     .text = "customers, orders, lines in the manner of TPC-H",
     .build = build_orders,
     .queries =
         {[REMOTE_POINT] = "SELECT comment FROM orders WHERE id = 100002",
          [REMOTE_RANGE_KEY] =
              "SELECT sum(length(comment)) FROM lineitem WHERE order_id BETWEEN 100000 AND 102000",
          [REMOTE_RANGE_INDEX] =
              "SELECT sum(length(comment)) FROM orders WHERE day BETWEEN 1000 AND 1031",
          [REMOTE_JOIN] = "SELECT sum(l.price) FROM customer AS c JOIN orders AS o ON o.customer ="
                          " c.id JOIN lineitem AS l ON l.order_id = o.id WHERE c.id < 21",
          [REMOTE_SEARCH] = "SELECT count(*) FROM customer WHERE comment LIKE '%DEAD%'",
          [REMOTE_SCAN] = "SELECT sum(price) FROM lineitem",
          [REMOTE_HOT] = HOT("comment", "orders", "id = 32 + i * 7 % 20 * 8192 + 1")},
     .change = "UPDATE orders SET price = price + 1 WHERE id = (?1 * 7919) % 9000 * 32 + 1",
     .overlap =
         "SELECT sum(length(comment)) FROM orders WHERE id BETWEEN ?1 * 700 AND ?1 * 700 + 99"},
    {.name = "bank",
     .text = "accounts and transfers, whose keys came in no order",
     .build = build_bank,
     .queries = {[REMOTE_POINT] = "SELECT max(owner) FROM account WHERE id BETWEEN 50000 AND 50001",
                 [REMOTE_RANGE_KEY] =
                     "SELECT sum(length(note)) FROM account WHERE id BETWEEN 50000 AND 54000",
                 [REMOTE_RANGE_INDEX] =
                     "SELECT sum(sum) FROM transfer WHERE source BETWEEN 100 AND 112",
                 [REMOTE_JOIN] = "SELECT sum(length(note)) FROM transfer JOIN account"
                                 " ON account.id = transfer.target WHERE source = 77",
                 [REMOTE_SEARCH] = "SELECT count(*) FROM account WHERE owner LIKE '%dead%'",
                 [REMOTE_SCAN] = "SELECT sum(sum + length(token)) FROM transfer",
                 [REMOTE_HOT] =
                     HOT("note", "account", "id >= i * 7 % 20 * 5000 ORDER BY id LIMIT 1")},
     .change = "UPDATE account SET sum = sum + 1 WHERE id = (?1 * 7919) % 100000",
     .overlap =
         "SELECT sum(length(note)) FROM account WHERE id BETWEEN ?1 * 240 AND ?1 * 240 + 50"},
    {.name = NULL},
};
