/* The write load: a sequence of transactions, each a function of (seed, number) alone, so that a
 * plain SQLite database in memory that applied the first N says what a database that has N
 * transactions must contain. */
#ifndef GRAFT_TESTS_CRASH_LOAD_H
#define GRAFT_TESTS_CRASH_LOAD_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

struct load_random {
    uint64_t state;
};
uint64_t load_random_next(struct load_random *random);
/* In [0, bound). */
uint64_t load_random_below(struct load_random *random, uint64_t bound);
/* In [1, bound], small numbers as likely as large ones. */
uint64_t load_random_skewed(struct load_random *random, uint64_t bound);

/* What a caller wants to do around the commit of a transaction. */
struct load_hooks {
    void (*in_transaction)(void *arg);
    void (*in_autocommit)(void *arg);
    void (*before_commit)(void *arg);
    void (*after_commit)(void *arg);
    void *arg;
};

/* Makes the tables, as transaction 0. All return SQLite codes. */
int load_create(sqlite3 *db);
/* Applies transaction `number` (from 1). `hooks` may be NULL. */
int load_apply(sqlite3 *db, uint64_t seed, uint64_t number, const struct load_hooks *hooks);
/* Writes much and rolls it back: changes nothing. */
int load_roll_back(sqlite3 *db, uint64_t seed, uint64_t number);
/* The newest transaction that the database has; `*exists` is false before transaction 0. */
int load_newest(sqlite3 *db, bool *exists, uint64_t *number);
/* A checksum of every row of every table, and of the schema. */
int load_digest(sqlite3 *db, uint64_t *digest);

#endif
