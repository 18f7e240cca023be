/* Workloads: what clients of Graft do, and what must hold whatever happens to them. Written once,
 * against SQLite, the public API and the environment; the simulator (graft-sim) runs them over
 * simulated machines, graft-workload over real files and remotes.
 *
 * A run has one remote and some replicas of it, each a database directory with one or several
 * client processes on it. A client can be killed at any moment, its machine can crash, any call can
 * fail: a workload never takes a failure of the system for a bug, only a broken promise. Every
 * draw comes from the environment's `rand`, every wait goes through its `tasks`. */
#ifndef GRAFT_WORKLOADS_WORKLOAD_H
#define GRAFT_WORKLOADS_WORKLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sqlite3;
struct graft_env;
struct workload_history;

/* Given to a client by whoever runs it; all is borrowed. */
struct workload_client {
    struct graft_env *env;
    const char *vfs;      /* name of Graft's VFS in this process */
    const char *database; /* URI of its replica, remote= included */
    uint32_t number;      /* unique among the clients of the run, those of the past included */
    uint32_t replica;     /* which replica `database` is */
    struct workload_history *history;
    uint32_t think_ms; /* mean pause after a transaction; 0: 1000 */
    /* Faults of this run that weaken a promise: disks that damage what they hold, so that an error
     * that says so is no violation; disks that lie about syncs, so that a crash may take
     * acknowledged commits that were not pushed. */
    bool may_report_damage;
    bool may_lose_commits;
    /* Asked before each transaction: false ends the client. */
    bool (*goes_on)(void *arg);
    /* A promise was broken; does not return in the simulator. `signature` is a literal that names
     * the promise, `details` says what was seen. */
    void (*violated)(void *arg, const char *signature, const char *details);
    void *arg;
};

/* Functions return 0, or an SQLite result code when the system failed them (which is no
 * violation: the runner may start the client again). */
struct workload {
    const char *name;
    const char *summary;
    /* Makes the schema and the first rows on the first replica, and pushes. Called again until it
     * has returned 0: what exists already is left as it is. */
    int (*setup)(struct workload_client *client);
    /* Works until told to stop: transactions, pushes, pulls, checks. */
    int (*drive)(struct workload_client *client);
    /* Checks what can be checked on any snapshot of any replica at any time. */
    int (*check)(struct workload_client *client);
    /* After faults have ended and all replicas have converged: checks this replica's final state
     * against the history. */
    int (*finish)(struct workload_client *client);
};

/* Pushes what this replica has (or gives it up, when the remote moved), and pulls. Called on each
 * replica in turn, and once more on each, when faults have ended: all are the same then, and
 * `finish` can be called. */
int workload_settle(struct workload_client *client);

/* All of them, ended by NULL. */
extern const struct workload *const workloads[];
const struct workload *workload_find(const char *name);

#endif
