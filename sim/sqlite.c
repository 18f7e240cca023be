/* SQLite under control: SQLITE_CONFIG_MALLOC, so that a process that dies takes its connections
 * with it and allocations can fail; SQLITE_CONFIG_MUTEX, so that mutexes make fibers wait and not
 * the thread; its generator, seeded by each world. Lookaside is off, since it made the course of
 * things depend on addresses.
 *
 * The state that is left here is SQLite's own, one for all: it is why there is one world at a time.
 */
#include "sim/sqlite.h"

#include <sqlite3.h>
#include <string.h>

#include "base/assert.h"
#include "sim/parts.h"
#include "sim/sqlite_parts.h"

/* Types from SQLITE_MUTEX_STATIC_MAIN on are static; 3.40 has twelve. */
#define STATICS_MAX 16

struct sqlite3_mutex {
    int type;
    struct sim_fiber *owner;
    uint32_t depth;
    struct sim_link waiters;
};

static bool is_set_up;
static struct sim_heap host_heap; /* what is SQLite's, and no process's */
static struct sqlite3_mutex statics[STATICS_MAX];

bool sim_sqlite_is_set_up(void)
{
    return is_set_up;
}

/* ---- Memory. */

static struct sim_heap *heap_now(void)
{
    struct sim_process *process = sim_process_current();
    return process == NULL ? &host_heap : &process->heap;
}

static void *mem_malloc(int bytes)
{
    return sim_heap_resize(heap_now(), NULL, (size_t)bytes);
}

static void *mem_realloc(void *old, int bytes)
{
    return sim_heap_resize(heap_now(), old, (size_t)bytes);
}

static int mem_size(void *memory)
{
    return (int)sim_heap_size(memory);
}

static int mem_roundup(int bytes)
{
    return (bytes + 7) & ~7;
}

static int mem_init(void *arg)
{
    (void)arg;
    return SQLITE_OK;
}

static void mem_shutdown(void *arg)
{
    (void)arg;
}

static sqlite3_mem_methods memory = {
    .xMalloc = mem_malloc,
    .xFree = sim_heap_release,
    .xRealloc = mem_realloc,
    .xSize = mem_size,
    .xRoundup = mem_roundup,
    .xInit = mem_init,
    .xShutdown = mem_shutdown,
};

/* ---- Mutexes. */

static int mutex_init(void)
{
    for (int i = 0; i < STATICS_MAX; i++) {
        statics[i].type = i;
        sim_list_init(&statics[i].waiters);
    }
    return SQLITE_OK;
}

static int mutex_end(void)
{
    return SQLITE_OK;
}

static sqlite3_mutex *mutex_alloc(int type)
{
    if (type != SQLITE_MUTEX_FAST && type != SQLITE_MUTEX_RECURSIVE) {
        GRAFT_ASSERT(type < STATICS_MAX);
        return &statics[type];
    }
    struct sqlite3_mutex *mutex = sim_heap_resize(heap_now(), NULL, sizeof *mutex);
    if (mutex == NULL)
        return NULL;
    *mutex = (struct sqlite3_mutex){.type = type};
    sim_list_init(&mutex->waiters);
    return mutex;
}

static bool is_static(const struct sqlite3_mutex *mutex)
{
    return mutex->type != SQLITE_MUTEX_FAST && mutex->type != SQLITE_MUTEX_RECURSIVE;
}

static struct sim_world *world_running(void)
{
    struct sim_world *world = sim_world_current();
    return world == NULL || world->running == NULL ? NULL : world;
}

/* False when it would have to wait. */
static bool take(struct sqlite3_mutex *mutex, struct sim_world *world)
{
    struct sim_fiber *running = world == NULL ? NULL : world->running;
    if (is_static(mutex)) {
        /* Static mutexes guard what all processes share in here and would not share outside: none
         * of them may lose the processor while it holds one. */
        if (world != NULL)
            sim_hold(world);
        mutex->depth++;
        return true;
    }
    if (mutex->depth > 0 && mutex->owner != running)
        return false;
    GRAFT_ASSERT(mutex->depth == 0 || mutex->type == SQLITE_MUTEX_RECURSIVE);
    mutex->owner = running;
    mutex->depth++;
    return true;
}

static void mutex_enter(sqlite3_mutex *mutex)
{
    struct sim_world *world = world_running();
    while (!take(mutex, world)) {
        GRAFT_ASSERT(world != NULL);
        (void)sim_wait_in(world, &mutex->waiters, SIM_FOREVER, SIM_WAIT_SQLITE_MUTEX, 0);
    }
}

static int mutex_try(sqlite3_mutex *mutex)
{
    return take(mutex, world_running()) ? SQLITE_OK : SQLITE_BUSY;
}

static void mutex_leave(sqlite3_mutex *mutex)
{
    struct sim_world *world = world_running();
    GRAFT_ASSERT(mutex->depth > 0);
    mutex->depth--;
    if (is_static(mutex)) {
        if (world != NULL)
            sim_release(world);
    } else if (mutex->depth == 0) {
        mutex->owner = NULL;
        (void)sim_wake_first(&mutex->waiters);
    }
}

static void mutex_free(sqlite3_mutex *mutex)
{
    GRAFT_ASSERT(!is_static(mutex) && mutex->depth == 0);
    sim_heap_release(mutex);
}

static int mutex_held(sqlite3_mutex *mutex)
{
    return mutex->depth > 0;
}

static int mutex_not_held(sqlite3_mutex *mutex)
{
    return mutex->depth == 0;
}

static sqlite3_mutex_methods mutexes = {
    .xMutexInit = mutex_init,
    .xMutexEnd = mutex_end,
    .xMutexAlloc = mutex_alloc,
    .xMutexFree = mutex_free,
    .xMutexEnter = mutex_enter,
    .xMutexTry = mutex_try,
    .xMutexLeave = mutex_leave,
    .xMutexHeld = mutex_held,
    .xMutexNotheld = mutex_not_held,
};

/* ---- Once, each world, each process. */

/* SQLite keeps automatic extensions in a list that grows by realloc: begun here, it belongs to no
 * process, whoever adds to it. */
static int no_extension(sqlite3 *db, const char **error, const struct sqlite3_api_routines *api)
{
    (void)db;
    (void)error;
    (void)api;
    return SQLITE_OK;
}

/* What SQLite logs is a line of the process that ran into it. */
static void log_line(void *arg, int code, const char *text)
{
    (void)arg;
    struct sim_process *process = sim_process_current();
    if (process != NULL)
        graft_log_write(&process->log, GRAFT_LOG_INFO, "SQLite: (%d) %s", code, text);
}

void sim_sqlite_setup(void)
{
    if (is_set_up)
        return;
    sim_heap_init(&host_heap, NULL, NULL);
    GRAFT_ASSERT(sqlite3_config(SQLITE_CONFIG_MALLOC, &memory) == SQLITE_OK);
    GRAFT_ASSERT(sqlite3_config(SQLITE_CONFIG_MUTEX, &mutexes) == SQLITE_OK);
    GRAFT_ASSERT(sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0) == SQLITE_OK);
    GRAFT_ASSERT(sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0) == SQLITE_OK);
    GRAFT_ASSERT(sqlite3_config(SQLITE_CONFIG_URI, 1) == SQLITE_OK);
    GRAFT_ASSERT(sqlite3_config(SQLITE_CONFIG_LOG, log_line, NULL) == SQLITE_OK);
    GRAFT_ASSERT(sqlite3_initialize() == SQLITE_OK);
    GRAFT_ASSERT(sqlite3_auto_extension((void (*)(void))no_extension) == SQLITE_OK);
    sim_sqlite_register_default();
    is_set_up = true;
}

void sim_sqlite_seed(struct sim_world *world)
{
    uint64_t drawn = sim_rng_u64(&world->streams[SIM_STREAM_IDS]);
    if (!is_set_up)
        return;
    /* 0 would mean: not seeded. */
    int seed = (int)(drawn >> 34 | 1);
    (void)sqlite3_test_control(SQLITE_TESTCTRL_PRNG_SEED, seed, (sqlite3 *)NULL);
}
