/* The life of a client, the same for all workloads: what differs between them is a schema, a
 * transaction and a check. */
#ifndef GRAFT_WORKLOADS_DRIVE_H
#define GRAFT_WORKLOADS_DRIVE_H

#include "workloads/session.h"

/* Which transactions are in the database, in their order; every workload has it. */
#define WORKLOAD_OP_TABLE \
    "CREATE TABLE IF NOT EXISTS op(place INTEGER PRIMARY KEY, id INTEGER NOT NULL)"

struct workload_design {
    /* Makes tables that are not there; run within a transaction. */
    const char *schema;
    const char *const *sql; /* prepared statements, ended by NULL */
    /* Adds the first rows that are not there, within the same transaction; may be NULL. */
    int (*fill)(struct workload_session *session);
    /* One transaction, from workload_begin to workload_end. */
    int (*transact)(struct workload_session *session);
    /* What holds on every snapshot; in a transaction of its own, or none. */
    int (*check)(struct workload_session *session);
    /* Checks the final state against the history, which is sound by itself; may be NULL. `order`:
     * the records of all transactions in the database, in their order. */
    int (*finish)(struct workload_session *session, const size_t *order, size_t count);
};

int workload_design_setup(struct workload_client *client, const struct workload_design *design);
int workload_design_drive(struct workload_client *client, const struct workload_design *design);
int workload_design_check(struct workload_client *client, const struct workload_design *design);
int workload_design_finish(struct workload_client *client, const struct workload_design *design);

/* Makes `workload_NAME` out of a design. */
#define WORKLOAD_DEFINE(name_, summary_, design_)             \
    static int name_##_setup(struct workload_client *client)  \
    {                                                         \
        return workload_design_setup(client, &(design_));     \
    }                                                         \
    static int name_##_drive(struct workload_client *client)  \
    {                                                         \
        return workload_design_drive(client, &(design_));     \
    }                                                         \
    static int name_##_check(struct workload_client *client)  \
    {                                                         \
        return workload_design_check(client, &(design_));     \
    }                                                         \
    static int name_##_finish(struct workload_client *client) \
    {                                                         \
        return workload_design_finish(client, &(design_));    \
    }                                                         \
    const struct workload workload_##name_ = {                \
        .name = #name_,                                       \
        .summary = (summary_),                                \
        .setup = name_##_setup,                               \
        .drive = name_##_drive,                               \
        .check = name_##_check,                               \
        .finish = name_##_finish,                             \
    };

extern const struct workload workload_append;
extern const struct workload workload_bank;
extern const struct workload workload_register;
extern const struct workload workload_sql;

#endif
