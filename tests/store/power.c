/* See power.h. A file has what is read and what is durable, and between them the list of writes
 * that no sync has covered. Mapped words have the same, by sectors. After a failed sync the writes
 * that it covered are gone from the list, whatever became of them, as on Linux. */
#include "power_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/assert.h"

#define SECTOR 512U
#define BLOCK 4096U

struct open_file {
    struct graft_file file;
    struct node *node;
};

struct open_map {
    struct graft_map map;
    struct node *node;
};

struct open_locks {
    struct graft_locks locks;
    unsigned owner;
};

static struct power *of_disk(struct graft_disk *disk)
{
    return (struct power *)(void *)((char *)disk - offsetof(struct power, disk));
}

static struct power *of_shm(struct graft_shm *shm)
{
    return (struct power *)(void *)((char *)shm - offsetof(struct power, shm));
}

static void maybe_hook(struct power *power)
{
    if (power->hook == NULL || kit_below(&power->hook_random, power->rarely) != 0)
        return;
    void (*hook)(void *arg) = power->hook;
    power->hook = NULL;
    hook(power->hook_arg);
    power->hook = hook;
}

static struct node *find(struct power *power, const char *path)
{
    for (unsigned i = 0; i < FILES_MAX; i++) {
        if (power->nodes[i].used && strcmp(power->nodes[i].path, path) == 0)
            return &power->nodes[i];
    }
    return NULL;
}

static struct node *make(struct power *power, const char *path)
{
    for (unsigned i = 0; i < FILES_MAX; i++) {
        struct node *node = &power->nodes[i];
        if (node->used)
            continue;
        *node = (struct node){.used = true};
        (void)snprintf(node->path, sizeof node->path, "%s", path);
        return node;
    }
    abort();
}

void power_node_clear_pending(struct node *node)
{
    for (size_t i = 0; i < node->pending_count; i++)
        free(node->pending[i].bytes);
    node->pending_count = 0;
}

/* Of a map hardly anything is ever touched: what is not costs nothing. */
uint8_t *power_node_map_bytes(void)
{
    void *bytes = mmap(NULL, MAP_BYTES, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    GRAFT_ASSERT(bytes != MAP_FAILED);
    return bytes;
}

void power_node_free_bytes(const struct node *node, uint8_t *bytes)
{
    if (!node->is_map)
        free(bytes);
    else if (bytes != NULL)
        GRAFT_ASSERT(munmap(bytes, MAP_BYTES) == 0);
}

void power_node_drop(struct node *node)
{
    power_node_clear_pending(node);
    free(node->pending);
    power_node_free_bytes(node, node->bytes);
    power_node_free_bytes(node, node->durable);
    *node = (struct node){0};
}

void power_node_grow(uint8_t **bytes, size_t *size, size_t *capacity, size_t wanted)
{
    if (wanted > *size && wanted > *capacity) {
        *capacity = wanted * 2;
        *bytes = realloc(*bytes, *capacity);
        GRAFT_ASSERT(*bytes != NULL);
    }
    if (wanted > *size) {
        memset(*bytes + *size, 0, wanted - *size);
        *size = wanted;
    }
}

static void apply_durable(struct node *node, uint64_t offset, const uint8_t *bytes, size_t size)
{
    power_node_grow(&node->durable, &node->durable_size, &node->durable_capacity, offset + size);
    memcpy(node->durable + offset, bytes, size);
}

static void apply_pending(struct node *node, const struct pending *pending)
{
    if (!pending->truncate) {
        apply_durable(node, pending->offset, pending->bytes, pending->size);
        return;
    }
    if (node->durable_size > pending->offset)
        node->durable_size = pending->offset;
    else
        power_node_grow(&node->durable, &node->durable_size, &node->durable_capacity,
                        pending->offset);
}

/* Any sectors of the write. */
static void tear(struct power *power, struct node *node, const struct pending *pending)
{
    if (pending->truncate) {
        if (kit_below(&power->random, 2) == 0)
            apply_pending(node, pending);
        return;
    }
    size_t at = 0;
    while (at < pending->size) {
        uint64_t offset = pending->offset + at;
        size_t now = SECTOR - offset % SECTOR;
        now = now < pending->size - at ? now : pending->size - at;
        if (kit_below(&power->random, 2) == 0)
            apply_durable(node, offset, pending->bytes + at, now);
        at += now;
    }
}

static void lose(struct power *power, struct node *node)
{
    uint64_t manner = kit_below(&power->random, 4);
    for (size_t i = 0; i < node->pending_count; i++) {
        uint64_t fate = manner < 3 ? manner : kit_below(&power->random, 3);
        if (fate == 0)
            continue;
        if (fate == 1)
            apply_pending(node, &node->pending[i]);
        else
            tear(power, node, &node->pending[i]);
    }
    power_node_clear_pending(node);
}

/* ---- Disk ---- */

static enum graft_rc open_file(struct graft_disk *disk, const char *path, unsigned flags,
                               struct graft_file **out, struct graft_err *err)
{
    struct power *power = of_disk(disk);
    struct node *node = find(power, path);
    if (node == NULL && (flags & GRAFT_OPEN_CREATE) == 0)
        return graft_err_set(err, GRAFT_ENOTFOUND, "open %s: not found", path);
    if (node != NULL && (flags & GRAFT_OPEN_EXCLUSIVE) != 0)
        return graft_err_set(err, GRAFT_EEXIST, "open %s: exists", path);
    struct open_file *file = calloc(1, sizeof *file);
    *file = (struct open_file){.file.disk = disk, .node = node != NULL ? node : make(power, path)};
    *out = &file->file;
    return GRAFT_OK;
}

static void close_file(struct graft_file *file)
{
    free(file);
}

static struct node *node_of(struct graft_file *file)
{
    return ((struct open_file *)file)->node;
}

static enum graft_rc read_file(struct graft_file *file, uint64_t offset,
                               const struct graft_space *spaces, size_t count, size_t *got,
                               struct graft_err *err)
{
    (void)err;
    struct node *node = node_of(file);
    size_t total = 0;
    for (size_t i = 0; i < count; i++) {
        size_t left = offset < node->size ? node->size - (size_t)offset : 0;
        size_t now = spaces[i].size < left ? spaces[i].size : left;
        if (now > 0)
            memcpy(spaces[i].bytes, node->bytes + offset, now);
        total += now;
        offset += now;
    }
    *got = total;
    return GRAFT_OK;
}

struct pending *power_node_push(struct node *node)
{
    if (node->pending_count == node->pending_capacity) {
        node->pending_capacity = node->pending_capacity * 2 + 16;
        node->pending = realloc(node->pending, node->pending_capacity * sizeof *node->pending);
        GRAFT_ASSERT(node->pending != NULL);
    }
    return &node->pending[node->pending_count++];
}

static enum graft_rc write_file(struct graft_file *file, uint64_t offset,
                                const struct graft_span *spans, size_t count, struct graft_err *err)
{
    maybe_hook(of_disk(file->disk));
    (void)err;
    struct power *power = of_disk(file->disk);
    struct node *node = node_of(file);
    for (size_t i = 0; i < count; i++) {
        if (spans[i].size == 0)
            continue;
        power_node_grow(&node->bytes, &node->size, &node->capacity, offset + spans[i].size);
        memcpy(node->bytes + offset, spans[i].bytes, spans[i].size);
        uint8_t *copy = malloc(spans[i].size);
        memcpy(copy, spans[i].bytes, spans[i].size);
        *power_node_push(node) =
            (struct pending){.offset = offset, .size = spans[i].size, .bytes = copy};
        offset += spans[i].size;
    }
    /* At times the system writes something back by itself. */
    if (node->pending_count > 0 && kit_below(&power->random, 8) == 0)
        apply_pending(node, &node->pending[node->pending_count - 1]);
    return GRAFT_OK;
}

static enum graft_rc sync_file(struct graft_file *file, struct graft_err *err)
{
    maybe_hook(of_disk(file->disk));
    struct power *power = of_disk(file->disk);
    struct node *node = node_of(file);
    power->syncs++;
    if (kit_below(&power->random, 1000) < power->fail_syncs) {
        lose(power, node);
        return graft_err_set(err, GRAFT_EIO, "sync %s: input/output error", node->path);
    }
    for (size_t i = 0; i < node->pending_count; i++)
        apply_pending(node, &node->pending[i]);
    power_node_clear_pending(node);
    return GRAFT_OK;
}

static enum graft_rc file_size(struct graft_file *file, uint64_t *bytes, struct graft_err *err)
{
    (void)err;
    *bytes = node_of(file)->size;
    return GRAFT_OK;
}

/* What holds nothing but zeros may be a hole. */
static enum graft_rc file_space(struct graft_file *file, uint64_t *bytes, struct graft_err *err)
{
    (void)err;
    static const uint8_t zeros[BLOCK];
    const struct node *node = node_of(file);
    *bytes = 0;
    for (size_t at = 0; at < node->size; at += BLOCK) {
        size_t now = node->size - at < BLOCK ? node->size - at : BLOCK;
        *bytes += memcmp(node->bytes + at, zeros, now) == 0 ? 0 : BLOCK;
    }
    return GRAFT_OK;
}

static enum graft_rc truncate_file(struct graft_file *file, uint64_t bytes, struct graft_err *err)
{
    maybe_hook(of_disk(file->disk));
    (void)err;
    struct node *node = node_of(file);
    if (node->size > bytes)
        node->size = (size_t)bytes;
    else
        power_node_grow(&node->bytes, &node->size, &node->capacity, bytes);
    *power_node_push(node) = (struct pending){.truncate = true, .offset = bytes};
    return GRAFT_OK;
}

static enum graft_rc allocate_file(struct graft_file *file, uint64_t offset, uint64_t bytes,
                                   struct graft_err *err)
{
    return offset + bytes > node_of(file)->size ? truncate_file(file, offset + bytes, err)
                                                : GRAFT_OK;
}

static enum graft_rc punch_file(struct graft_file *file, uint64_t offset, uint64_t bytes,
                                struct graft_err *err)
{
    struct power *power = of_disk(file->disk);
    struct node *node = node_of(file);
    maybe_hook(power);
    if (!power->makes_holes)
        return graft_err_set(err, GRAFT_EUNSUPPORTED, "punch");
    if (offset >= node->size)
        return GRAFT_OK;
    size_t size = (size_t)(bytes < node->size - offset ? bytes : node->size - offset);
    memset(node->bytes + offset, 0, size);
    uint8_t *zeros = calloc(1, size);
    GRAFT_ASSERT(zeros != NULL);
    *power_node_push(node) = (struct pending){.offset = offset, .size = size, .bytes = zeros};
    return GRAFT_OK;
}

static enum graft_rc stat_path(struct graft_disk *disk, const char *path, struct graft_entry *out,
                               struct graft_err *err)
{
    struct node *node = find(of_disk(disk), path);
    if (node == NULL)
        return graft_err_set(err, GRAFT_ENOTFOUND, "stat %s: not found", path);
    *out = (struct graft_entry){.kind = node->directory ? GRAFT_ENTRY_DIRECTORY : GRAFT_ENTRY_FILE,
                                .size = node->size};
    return GRAFT_OK;
}

static enum graft_rc make_directory(struct graft_disk *disk, const char *path,
                                    struct graft_err *err)
{
    if (find(of_disk(disk), path) != NULL)
        return graft_err_set(err, GRAFT_EEXIST, "mkdir %s: exists", path);
    make(of_disk(disk), path)->directory = true;
    return GRAFT_OK;
}

static enum graft_rc remove_path(struct graft_disk *disk, const char *path, struct graft_err *err)
{
    struct node *node = find(of_disk(disk), path);
    if (node == NULL)
        return graft_err_set(err, GRAFT_ENOTFOUND, "remove %s: not found", path);
    power_node_drop(node);
    return GRAFT_OK;
}

static enum graft_rc rename_path(struct graft_disk *disk, const char *from, const char *to,
                                 bool replace, struct graft_err *err)
{
    struct node *node = find(of_disk(disk), from), *old = find(of_disk(disk), to);
    if (node == NULL)
        return graft_err_set(err, GRAFT_ENOTFOUND, "rename %s: not found", from);
    if (old != NULL && !replace)
        return graft_err_set(err, GRAFT_EEXIST, "rename %s: exists", to);
    if (old != NULL)
        power_node_drop(old);
    (void)snprintf(node->path, sizeof node->path, "%s", to);
    return GRAFT_OK;
}

static enum graft_rc sync_directory(struct graft_disk *disk, const char *path,
                                    struct graft_err *err)
{
    (void)disk;
    (void)path;
    (void)err;
    return GRAFT_OK;
}

static enum graft_rc list_path(struct graft_disk *disk, const char *path, graft_disk_list_fn *each,
                               void *arg, struct graft_err *err)
{
    (void)err;
    struct power *power = of_disk(disk);
    size_t length = strlen(path);
    for (unsigned i = 0; i < FILES_MAX; i++) {
        const struct node *node = &power->nodes[i];
        if (node->used && strncmp(node->path, path, length) == 0 && node->path[length] == '/')
            GRAFT_TRY(each(arg, node->path + length + 1, GRAFT_ENTRY_FILE));
    }
    return GRAFT_OK;
}

static const struct graft_disk_ops disk_ops = {
    .open = open_file,
    .close = close_file,
    .read = read_file,
    .write = write_file,
    .sync = sync_file,
    .size = file_size,
    .space = file_space,
    .truncate = truncate_file,
    .allocate = allocate_file,
    .punch = punch_file,
    .stat = stat_path,
    .make_directory = make_directory,
    .remove = remove_path,
    .rename = rename_path,
    .sync_directory = sync_directory,
    .list = list_path,
};

/* ---- Shared memory ---- */

static enum graft_rc open_map(struct graft_shm *shm, const char *path, bool create,
                              struct graft_map **out, struct graft_err *err)
{
    struct power *power = of_shm(shm);
    struct node *node = find(power, path);
    if (node == NULL && !create)
        return graft_err_set(err, GRAFT_ENOTFOUND, "open %s: not found", path);
    if (node == NULL) {
        node = make(power, path);
        node->is_map = true;
        node->bytes = power_node_map_bytes();
        node->durable = power_node_map_bytes();
    }
    struct open_map *map = calloc(1, sizeof *map);
    *map = (struct open_map){.map.shm = shm, .node = node};
    *out = &map->map;
    return GRAFT_OK;
}

static void close_map(struct graft_map *map)
{
    free(map);
}

static struct node *map_node(struct graft_map *map)
{
    return ((struct open_map *)map)->node;
}

static enum graft_rc view_map(struct graft_map *map, uint64_t offset, size_t bytes,
                              _Atomic uint64_t **out, struct graft_err *err)
{
    (void)err;
    GRAFT_ASSERT(offset + bytes <= MAP_BYTES);
    *out = (_Atomic uint64_t *)(void *)(map_node(map)->bytes + offset);
    return GRAFT_OK;
}

static enum graft_rc map_size(struct graft_map *map, uint64_t *bytes, struct graft_err *err)
{
    (void)err;
    *bytes = map_node(map)->size;
    return GRAFT_OK;
}

/* The size is durable at once, for simplicity. */
static enum graft_rc resize_map(struct graft_map *map, uint64_t bytes, struct graft_err *err)
{
    (void)err;
    struct node *node = map_node(map);
    if (bytes < node->size) {
        memset(node->bytes + bytes, 0, node->size - bytes);
        memset(node->durable + bytes, 0, node->size - bytes);
    }
    node->size = node->durable_size = (size_t)bytes;
    return GRAFT_OK;
}

static enum graft_rc allocate_map(struct graft_map *map, uint64_t offset, uint64_t bytes,
                                  struct graft_err *err)
{
    struct node *node = map_node(map);
    return offset + bytes > node->size ? resize_map(map, offset + bytes, err) : GRAFT_OK;
}

static enum graft_rc sync_map(struct graft_map *map, uint64_t offset, uint64_t bytes,
                              struct graft_err *err)
{
    maybe_hook(of_shm(map->shm));
    struct power *power = of_shm(map->shm);
    struct node *node = map_node(map);
    power->syncs++;
    if (bytes == 0)
        bytes = node->size > offset ? node->size - offset : 0;
    if (kit_below(&power->random, 1000) < power->fail_syncs)
        return graft_err_set(err, GRAFT_EIO, "sync %s: input/output error", node->path);
    memcpy(node->durable + offset, node->bytes + offset, bytes);
    return GRAFT_OK;
}

static uint64_t next_data(struct graft_map *map, uint64_t offset)
{
    static const uint8_t zeros[BLOCK];
    const struct node *node = map_node(map);
    while (offset < node->size && offset % BLOCK == 0 &&
           memcmp(node->bytes + offset, zeros, BLOCK) == 0)
        offset += BLOCK;
    return offset;
}

/* At times the system writes a page back by itself. */
static void before_store(struct graft_shm *shm, const _Atomic uint64_t *word)
{
    (void)word;
    struct power *power = of_shm(shm);
    maybe_hook(power);
    if (kit_below(&power->random, 64) != 0)
        return;
    for (unsigned i = 0; i < FILES_MAX; i++) {
        struct node *node = &power->nodes[i];
        if (!node->used || !node->is_map || node->size == 0)
            continue;
        size_t at = kit_below(&power->random, 2) == 0
                        ? 0
                        : (size_t)kit_below(&power->random, node->size / 4096) * 4096;
        memcpy(node->durable + at, node->bytes + at, 4096);
    }
}

static enum graft_rc locks_open(struct graft_shm *shm, const char *path, struct graft_locks **out,
                                struct graft_err *err)
{
    (void)err;
    struct power *power = of_shm(shm);
    if (find(power, path) == NULL)
        (void)make(power, path);
    for (unsigned i = 0; i < OWNERS_MAX; i++) {
        if (power->owners[i])
            continue;
        power->owners[i] = true;
        struct open_locks *locks = calloc(1, sizeof *locks);
        *locks = (struct open_locks){.locks.shm = shm, .owner = i};
        *out = &locks->locks;
        return GRAFT_OK;
    }
    abort();
}

static void locks_close(struct graft_locks *locks)
{
    struct power *power = of_shm(locks->shm);
    unsigned owner = ((struct open_locks *)locks)->owner;
    memset(power->held[owner], 0, LOCKS_MAX);
    power->owners[owner] = false;
    free(locks);
}

static enum graft_rc lock_try(struct graft_locks *locks, uint32_t index, bool exclusive,
                              bool *granted, struct graft_err *err)
{
    (void)err;
    struct power *power = of_shm(locks->shm);
    unsigned owner = ((struct open_locks *)locks)->owner;
    *granted = true;
    for (unsigned i = 0; i < OWNERS_MAX; i++) {
        if (i != owner && (power->held[i][index] == 2 || (exclusive && power->held[i][index] != 0)))
            *granted = false;
    }
    if (*granted)
        power->held[owner][index] = exclusive ? 2 : 1;
    return GRAFT_OK;
}

static void unlock(struct graft_locks *locks, uint32_t index)
{
    of_shm(locks->shm)->held[((struct open_locks *)locks)->owner][index] = 0;
}

static bool wait_word(struct graft_shm *shm, _Atomic uint64_t *word, uint64_t seen,
                      uint32_t timeout_ms)
{
    (void)shm;
    (void)word;
    (void)seen;
    (void)timeout_ms;
    return true;
}

static bool wake_word(struct graft_shm *shm, _Atomic uint64_t *word, uint32_t count)
{
    (void)shm;
    (void)word;
    (void)count;
    return false;
}

static const struct graft_shm_ops shm_ops = {
    .open = open_map,
    .close = close_map,
    .view = view_map,
    .size = map_size,
    .resize = resize_map,
    .allocate = allocate_map,
    .sync = sync_map,
    .next_data = next_data,
    .before_store = before_store,
    .locks_open = locks_open,
    .locks_close = locks_close,
    .lock_try = lock_try,
    .unlock = unlock,
    .wait = wait_word,
    .wake = wake_word,
};

/* ---- The machine ---- */

static void no_line(struct graft_log *log, enum graft_log_level level, const char *text)
{
    (void)log;
    (void)level;
    if (getenv("POWER_LOG") != NULL)
        fprintf(stderr, "  log: %s\n", text);
}

struct power *power_new(uint64_t seed)
{
    static const struct graft_log_ops log_ops = {.line = no_line};
    static struct graft_log quiet = {.ops = &log_ops};
    struct power *power = calloc(1, sizeof *power);
    power->env = *graft_test_env();
    power->env.disk = &power->disk;
    power->env.shm = &power->shm;
    power->env.log = &quiet;
    power->disk.ops = &disk_ops;
    power->shm.ops = &shm_ops;
    power->random.state = seed * UINT64_C(0xd1342543de82ef95) + 7;
    power->makes_holes = seed % 2 == 1;
    return power;
}

void power_free(struct power *power)
{
    for (unsigned i = 0; i < FILES_MAX; i++)
        power_node_drop(&power->nodes[i]);
    free(power);
}

struct graft_env *power_env(struct power *power)
{
    return &power->env;
}

static void lose_map(struct power *power, struct node *node)
{
    uint64_t manner = kit_below(&power->random, 3);
    for (size_t at = 0; at < node->size; at += SECTOR) {
        if (manner == 1 || (manner == 2 && kit_below(&power->random, 2) == 0))
            memcpy(node->durable + at, node->bytes + at, SECTOR);
    }
    memcpy(node->bytes, node->durable, node->size);
}

void power_fail(struct power *power)
{
    for (unsigned i = 0; i < FILES_MAX; i++) {
        struct node *node = &power->nodes[i];
        if (!node->used || node->directory)
            continue;
        if (node->is_map) {
            lose_map(power, node);
            continue;
        }
        lose(power, node);
        node->size = 0;
        power_node_grow(&node->bytes, &node->size, &node->capacity, node->durable_size);
        if (node->durable_size > 0)
            memcpy(node->bytes, node->durable, node->durable_size);
    }
}

void power_fail_syncs(struct power *power, unsigned per_thousand)
{
    power->fail_syncs = per_thousand;
}

uint64_t power_syncs(const struct power *power)
{
    return power->syncs;
}

uint8_t *power_bytes(struct power *power, const char *path, size_t *size)
{
    struct node *node = find(power, path);
    if (node == NULL)
        return NULL;
    *size = node->size;
    return node->bytes;
}

void power_set_size(struct power *power, const char *path, size_t size)
{
    struct node *node = find(power, path);
    GRAFT_ASSERT(node != NULL && size <= node->size);
    if (node->is_map)
        memset(node->bytes + size, 0, node->size - size);
    node->size = size;
}

void power_touch(struct power *power, const char *path)
{
    if (find(power, path) == NULL)
        (void)make(power, path);
}

void power_remove(struct power *power, const char *path)
{
    struct node *node = find(power, path);
    if (node != NULL)
        power_node_drop(node);
}

void power_hook(struct power *power, void (*hook)(void *arg), void *arg, unsigned rarely)
{
    power->hook = hook;
    power->hook_arg = arg;
    power->rarely = rarely;
    power->hook_random.state = power->random.state ^ 0x5555;
}
