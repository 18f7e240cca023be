/* One HTTP exchange, whole: what tests of the simulated network and store ask with. */
#ifndef GRAFT_TESTS_SIM_CLIENT_H
#define GRAFT_TESTS_SIM_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "env/env.h"

#define CLIENT_BODY_MAX 200000U

struct client {
    struct graft_env *env;
    /* What is asked. */
    const struct graft_header *headers;
    size_t header_count;
    const void *body;
    size_t body_bytes;
    const char *access_key; /* NULL: unsigned */
    const char *secret_key;
    uint32_t stall_timeout_ms;
    /* What came back. */
    uint32_t status;
    bool has_head; /* the head was in, whatever became of the body */
    char etag[64];
    char range[64];
    char retry_after[16];
    char length[24];
    size_t size;
    char answer[CLIENT_BODY_MAX + 1];
    struct graft_err err;
};

/* Sends it and reads the answer to its end. */
enum graft_rc client_ask(struct client *client, const char *method, const char *url);

#endif
