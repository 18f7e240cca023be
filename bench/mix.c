/* A mix of what SQL does all day, after the idea of SQLite's speedtest1 (its statements are not
 * used): filling tables in order and at random, counting, LIKE, sorting, building indexes, reading
 * and changing by index, joins, deletes, refilling. */
#include <stdio.h>
#include <string.h>

#include "bench.h"

#define ROWS 20000U

/* How a parameter comes about, letter by letter of `parameters`: i the number of the run, r random
 * in 1..ROWS, e that random number + 20, t a text that spells a random number, p a pattern for
 * LIKE.
 */
struct step {
    const char *sql;
    const char *parameters;
    unsigned times; /* 0: once, whatever the scale */
};

static const struct step steps[] = {
    {"CREATE TABLE a(x INTEGER, y INTEGER, z TEXT)", "", 0},
    {"CREATE TABLE b(x INTEGER PRIMARY KEY, y INTEGER, z TEXT)", "", 0},
    {"CREATE TABLE c(x TEXT PRIMARY KEY, y INTEGER) WITHOUT ROWID", "", 0},
    {"INSERT INTO a VALUES(?, ?, ?)", "irt", ROWS},
    {"INSERT INTO b VALUES(?, ?, ?)", "irt", ROWS},
    {"INSERT OR REPLACE INTO c VALUES(?, ?)", "tr", ROWS},
    {"SELECT count(*), avg(x), sum(length(z)) FROM a WHERE y BETWEEN ? AND ?", "re", 50},
    {"SELECT count(*), avg(x) FROM a WHERE z LIKE ?", "p", 50},
    {"SELECT x, y, z FROM a WHERE z LIKE ? ORDER BY z", "p", 20},
    {"SELECT x, y, z FROM a ORDER BY z LIMIT 10", "", 10},
    {"CREATE UNIQUE INDEX a_x ON a(x)", "", 0},
    {"CREATE INDEX a_y ON a(y)", "", 0},
    {"CREATE INDEX b_z ON b(z, y)", "", 0},
    {"SELECT count(*), avg(x), sum(length(z)) FROM a WHERE y BETWEEN ? AND ?", "re", ROWS / 4},
    {"SELECT count(*), avg(x) FROM b WHERE x BETWEEN ? AND ?", "re", ROWS / 4},
    {"SELECT y FROM b WHERE z = ?", "t", ROWS / 4},
    {"SELECT y FROM c WHERE x = ?", "t", ROWS / 2},
    {"UPDATE a SET y = y + 1 WHERE x BETWEEN ? AND ?", "re", ROWS / 20},
    {"UPDATE b SET z = ?2 WHERE x = ?1", "rt", ROWS / 2},
    {"UPDATE b SET y = y + ?", "r", 1},
    {"INSERT INTO a SELECT x + 1000000, y, z FROM b", "", 0},
    {"SELECT a.z, b.z FROM a, b, c WHERE a.x = ? AND b.x = a.y AND c.x = b.z", "r", ROWS / 4},
    {"SELECT (SELECT count(*) FROM b WHERE b.x < a.x AND b.x > a.x - 5) FROM a WHERE a.x BETWEEN ? "
     "AND ?",
     "re", ROWS / 20},
    {"SELECT x, count(DISTINCT y) FROM a GROUP BY x % 100", "", 0},
    {"DELETE FROM a WHERE x BETWEEN ? AND ?", "re", ROWS / 40},
    {"DELETE FROM c WHERE x = ?", "t", ROWS / 4},
    {"DELETE FROM b WHERE y % 3 = ? % 3", "r", 1},
    {"INSERT OR IGNORE INTO b SELECT x, y, z FROM a", "", 0},
    {"DROP INDEX b_z", "", 0},
    {"ANALYZE", "", 0},
    {"PRAGMA integrity_check", "", 0},
};

/* "four two seven" for 427: text that compresses and sorts like words. */
static int spell(uint64_t number, char *out, size_t size)
{
    static const char *const digits[] = {"zero", "one", "two",   "three", "four",
                                         "five", "six", "seven", "eight", "nine"};
    int used = 0;
    do {
        used += snprintf(out + used, size - (size_t)used, "%s%s", used > 0 ? " " : "",
                         digits[number % 10]);
        number /= 10;
    } while (number > 0);
    return used;
}

static void bind(sqlite3_stmt *statement, const struct step *step, unsigned run, unsigned rows,
                 uint64_t *state)
{
    uint64_t number = 0;
    char text[128];
    for (int i = 0; step->parameters[i] != '\0'; i++) {
        char letter = step->parameters[i];
        if (letter != 'e')
            number = 1 + bench_random(state) % rows;
        if (letter == 'i') {
            (void)sqlite3_bind_int64(statement, i + 1, (sqlite3_int64)run);
        } else if (letter == 'r') {
            (void)sqlite3_bind_int64(statement, i + 1, (sqlite3_int64)number);
        } else if (letter == 'e') {
            (void)sqlite3_bind_int64(statement, i + 1, (sqlite3_int64)number + 20);
        } else {
            int used = 0;
            if (letter == 'p')
                text[used++] = '%';
            used += spell(letter == 'p' ? number % 1000 : number, text + used, 100);
            if (letter == 'p')
                text[used++] = '%';
            (void)sqlite3_bind_text(statement, i + 1, text, used, SQLITE_TRANSIENT);
        }
    }
}

double bench_run_mix(struct bench *bench, enum side side, unsigned round)
{
    (void)round;
    uint64_t state = 7;
    unsigned rows = ROWS / bench->scale;
    bench_remove(bench, side, "mix");
    sqlite3 *db = bench_open(bench, side, "mix", BENCH_FULL);
    double start_s = bench_now_s(bench);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        const struct step *step = &steps[i];
        unsigned times = step->times / bench->scale;
        if (times == 0)
            times = 1;
        bench_exec(db, "BEGIN");
        sqlite3_stmt *statement = bench_prepare(db, step->sql);
        for (unsigned run = 1; run <= times; run++) {
            bind(statement, step, run, rows, &state);
            bench_finish(db, statement);
        }
        (void)sqlite3_finalize(statement);
        bench_exec(db, "COMMIT");
    }
    double spent_s = bench_now_s(bench) - start_s;
    bench_close(db);
    bench_remove(bench, side, "mix");
    return spent_s;
}
