/* What the tests of workloads start from: a directory with a remote, replicas of it, and clients
 * that hardly wait, one at a time, over the real engine. */
#ifndef GRAFT_TESTS_WORKLOADS_KIT_H
#define GRAFT_TESTS_WORKLOADS_KIT_H

#include <criterion/criterion.h>
#include <sqlite3.h>

#include "graft/graft.h"
#include "support/testing.h"
#include "workloads/history.h"
#include "workloads/workload.h"

#define KIT_CLIENTS_MAX 64

struct kit {
    struct graft_env env; /* the real one, but for chance */
    _Atomic uint64_t random;
    struct graft_test_dir dir;
    struct graft_process *process;
    struct graft_vfs *vfs;
    struct workload_history *history;
    char database[8][512];
    uint32_t next_client;
    int transactions_left;
    char signature[128]; /* of the first violation; "" when there was none */
    char details[1024];
};

extern struct kit kit;

void kit_init(void);
void kit_fini(void);
/* A new client of a replica, which makes `transactions` rounds. */
struct workload_client kit_client(uint32_t replica, int transactions);
/* Any statement on a replica, past the workload. */
void kit_sql(uint32_t replica, const char *sql);

#endif
