/* What power.c and power_image.c know of the machine. */
#ifndef GRAFT_TESTS_STORE_POWER_PARTS_H
#define GRAFT_TESTS_STORE_POWER_PARTS_H

#include "power.h"

#define FILES_MAX 16U
#define LOCKS_MAX 1100U
#define OWNERS_MAX 64U
#define MAP_BYTES (9U << 20)

struct pending {
    bool truncate;
    uint64_t offset; /* or the size */
    size_t size;
    uint8_t *bytes;
};

struct node {
    char path[512];
    bool used, directory, is_map;
    uint8_t *bytes, *durable; /* a map's are MAP_BYTES long */
    size_t size, durable_size, capacity, durable_capacity;
    struct pending *pending;
    size_t pending_count, pending_capacity;
};

struct power {
    struct graft_env env;
    struct graft_disk disk;
    struct graft_shm shm;
    struct kit_random random;
    bool makes_holes;
    unsigned fail_syncs;
    uint64_t syncs;
    void (*hook)(void *arg);
    void *hook_arg;
    unsigned rarely;
    struct kit_random hook_random;
    struct node nodes[FILES_MAX];
    /* 0 free, 1 shared, 2 exclusive */
    uint8_t held[OWNERS_MAX][LOCKS_MAX];
    bool owners[OWNERS_MAX];
};

void power_node_clear_pending(struct node *node);
struct pending *power_node_push(struct node *node);
/* The memory of a map, MAP_BYTES of zeros; and giving a file's or a map's back. */
uint8_t *power_node_map_bytes(void);
void power_node_free_bytes(const struct node *node, uint8_t *bytes);
void power_node_drop(struct node *node);
/* Makes it at least `wanted` bytes long, with zeros. */
void power_node_grow(uint8_t **bytes, size_t *size, size_t *capacity, size_t wanted);

#endif
