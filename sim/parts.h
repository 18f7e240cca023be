/* What the files of sim/ know of each other. Nobody outside includes it. */
#ifndef GRAFT_SIM_PARTS_H
#define GRAFT_SIM_PARTS_H

#include <setjmp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "env/env.h"
#include "sim/disk.h"
#include "sim/net.h"
#include "sim/plan.h"
#include "sim/rand.h"
#include "sim/trace.h"
#include "sim/world.h"

#if defined(__SANITIZE_ADDRESS__)
#define SIM_HAS_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SIM_HAS_ASAN 1
#endif
#endif

#define SIM_NAME_BYTES 32U
#define SIM_BLOCK_BYTES 4096U
#define SIM_SECTOR_BYTES 512U
#define SIM_CELL_BYTES_MAX (64U << 10)
#define SIM_CELL_SIZES 44U
#define SIM_REGION_BYTES (UINT64_C(256) << 20) /* the longest mapped file */

/* ---- Lists: a ring through its head. */

struct sim_link {
    struct sim_link *prev, *next; /* both NULL: in no list */
};

#define SIM_CONTAINER(link, type, member) ((type *)(void *)((char *)(link)-offsetof(type, member)))

static inline void sim_list_init(struct sim_link *head)
{
    head->prev = head->next = head;
}

static inline bool sim_list_is_empty(const struct sim_link *head)
{
    return head->next == head;
}

static inline void sim_list_append(struct sim_link *head, struct sim_link *link)
{
    link->prev = head->prev;
    link->next = head;
    head->prev->next = link;
    head->prev = link;
}

/* Accepts what is in no list. */
static inline void sim_list_remove(struct sim_link *link)
{
    if (link->next == NULL)
        return;
    link->prev->next = link->next;
    link->next->prev = link->prev;
    link->prev = link->next = NULL;
}

/* ---- Memory of the host (pool.c): aborts instead of failing. */

void *sim_host_alloc(size_t bytes); /* zeroed */
void *sim_host_realloc(void *old, size_t bytes);
char *sim_host_strdup(const char *text);
void sim_host_free(void *memory);

/* 4096 bytes, not cleared. */
void *sim_block_take(struct sim_pool *pool);
void sim_block_give(struct sim_pool *pool, void *block);
/* A cell of at least so many bytes, not cleared: kept by size, for the next who wants that much. Of
 * up to SIM_CELL_BYTES_MAX bytes; give it back with the same size. */
void *sim_cell_take(struct sim_pool *pool, size_t bytes);
void sim_cell_give(struct sim_pool *pool, void *cell, size_t bytes);
/* Whether cells of both sizes are the same. */
bool sim_cells_are_alike(size_t a, size_t b);
/* SIM_REGION_BYTES of zeros that cost only what is touched; `touched_bytes` from the start were. */
void *sim_region_take(struct sim_pool *pool);
void sim_region_give(struct sim_pool *pool, void *region, uint64_t touched_bytes);

/* ---- Contexts and stacks (fiber.c). */

struct sim_context {
    jmp_buf jump;
    const void *stack_bottom; /* for the address sanitizer */
    size_t stack_bytes;
    void *fake_stack;
};

struct sim_stack {
    struct sim_stack *next; /* in the pool */
    void *mapping;
    struct sim_context *returns_to; /* while it is being prepared */
    struct sim_context start;       /* where a fiber of this stack begins */
    void (*run)(void *arg);
    void *arg;
};

/* A stack whose first switch calls run(arg), which must never return. */
struct sim_stack *sim_stack_take(struct sim_pool *pool, void (*run)(void *arg), void *arg);
/* Whatever ran on it never runs again. */
void sim_stack_give(struct sim_pool *pool, struct sim_stack *stack);
void sim_stack_free(struct sim_stack *stack);
/* For the context of the thread itself, before the first switch from it. */
void sim_context_init_main(struct sim_context *context);
/* Leaves `from` and goes on in `to`; returns when something switches back. */
void sim_context_switch(struct sim_context *from, struct sim_context *to);

struct sim_pool {
    struct sim_stack *stacks;                /* idle */
    struct sim_block *blocks;                /* idle */
    struct sim_block *cells[SIM_CELL_SIZES]; /* idle */
    struct sim_slab *slabs;                  /* where blocks and cells come from */
    uint8_t *fresh;                          /* of the newest slab, what nobody took yet */
    size_t fresh_bytes;
    void **regions;
    size_t region_count;
    size_t region_capacity;
};

/* ---- Timers (timer.c). */

struct sim_timer {
    uint64_t at_ns;
    uint32_t slot; /* in the heap, from 1; 0: not set */
    void (*fire)(struct sim_world *world, struct sim_timer *timer);
    /* The world ends before it fires; NULL when somebody else sees to it. */
    void (*drop)(struct sim_world *world, struct sim_timer *timer);
};

struct sim_timer_slot {
    uint64_t at_ns;
    uint64_t serial; /* what was set first fires first */
    struct sim_timer *timer;
};

struct sim_timers {
    struct sim_timer_slot *slots;
    uint32_t count, capacity;
    uint64_t serial;
};

/* A timer that is set already is moved. */
void sim_timer_set(struct sim_world *world, struct sim_timer *timer, uint64_t at_ns);
void sim_timer_cancel(struct sim_world *world, struct sim_timer *timer);
struct sim_timer *sim_timer_pop(struct sim_world *world);

/* ---- Fibers and their scheduler (sched.c). */

/* Why a fiber waits; the second column is for reports. */
#define SIM_WAIT_TABLE(X)             \
    X(NOTHING, "nothing")             \
    X(SLEEP, "a sleep")               \
    X(DISK, "the disk")               \
    X(MUTEX, "a mutex")               \
    X(COND, "a condition")            \
    X(JOIN, "a task to end")          \
    X(WORD, "a shared word")          \
    X(PROCESS, "a process to end")    \
    X(CONNECT, "a connection")        \
    X(SEND, "a request to be sent")   \
    X(ANSWER, "an answer")            \
    X(BODY, "a body")                 \
    X(WINDOW, "a reader to catch up") \
    X(REQUEST, "a request to serve")  \
    X(SQLITE_MUTEX, "a mutex of SQLite")

enum sim_wait {
#define SIM_WAIT_ENUM(id, text) SIM_WAIT_##id,
    SIM_WAIT_TABLE(SIM_WAIT_ENUM)
#undef SIM_WAIT_ENUM
};

enum sim_fiber_state { SIM_FIBER_RUNNABLE, SIM_FIBER_WAITING, SIM_FIBER_DONE };

struct sim_fiber {
    struct sim_world *world;
    struct sim_process *process;
    struct sim_link in_process;
    struct sim_link waiting; /* in what it waits for */
    uint32_t id;
    uint32_t run_slot; /* among the runnable, from 1; 0: not there */
    uint64_t priority; /* PCT */
    enum sim_fiber_state state;
    enum sim_wait wait;
    uint64_t wait_subject;        /* for reports: which one */
    const _Atomic uint64_t *word; /* while it waits for a shared word */
    struct sim_timer timer;
    bool timed_out;
    struct sim_link joiners;
    graft_task_fn *run;
    void *arg;
    struct sim_stack *stack; /* NULL once it has ended */
    struct sim_context context;
    char name[SIM_NAME_BYTES];
};

/* A new fiber, runnable. */
struct sim_fiber *sim_fiber_new(struct sim_process *process, const char *name, graft_task_fn *run,
                                void *arg);
/* Takes it out of whatever it is in. */
void sim_fiber_free(struct sim_fiber *fiber);
/* Puts a waiting fiber among the runnable. */
void sim_fiber_wake(struct sim_fiber *fiber);
/* Puts what is runnable where the scheduler sees it, after its process was resumed; or hides it. */
void sim_fiber_show(struct sim_fiber *fiber);
void sim_fiber_hide(struct sim_fiber *fiber);

/* The running fiber waits in `list` (NULL: in none) until woken, or until `deadline_ns`
 * (SIM_FOREVER: for good); false on time-out. Must not be called while switching is held off. */
bool sim_wait_in(struct sim_world *world, struct sim_link *list, uint64_t deadline_ns,
                 enum sim_wait why, uint64_t subject);
/* Wakes the fibers of a list; returns how many. */
uint32_t sim_wake_all(struct sim_link *list);
uint32_t sim_wake_first(struct sim_link *list);
/* The running fiber spends so much time in a call of a device: a sleep and a yield point. */
void sim_spend(struct sim_world *world, uint64_t ns, enum sim_wait why, uint64_t subject);

void sim_sched_init(struct sim_world *world);
/* When a wait until `deadline_ns` really ends, should nobody wake it: earlier, at times. */
uint64_t sim_early_wake(struct sim_machine *machine, uint64_t deadline_ns, uint64_t subject);

/* The world whose fibers run; NULL when none does. */
struct sim_world *sim_world_current(void);
void sim_world_enter(struct sim_world *world);
/* Ends the run at the next look, with this report. From a fiber it returns. */
void sim_world_halt(struct sim_world *world, enum sim_outcome outcome, const char *report);
/* Never returns when a fiber runs: it goes to sleep for good. */
void sim_leave_for_good(struct sim_world *world);
bool sim_draw(struct sim_world *world, enum sim_fault kind, uint64_t subject);
/* As sim_draw, unless the machine is immune, or nobody runs (an inspection from outside). */
static inline bool sim_machine_draw(struct sim_machine *machine, enum sim_fault kind,
                                    uint64_t subject);
struct sim_rng *sim_fault_rng(struct sim_world *world, enum sim_fault kind);

struct sim_explorer;

struct sim_world {
    struct sim_pool *pool;
    struct sim_plan plan;
    bool faults_off;
    uint64_t now_ns;
    uint64_t until_ns;
    uint64_t steps;
    uint64_t steps_max;
    struct sim_timers timers;

    struct sim_fiber *running;
    struct sim_fiber **runnable;
    uint32_t runnable_count, runnable_capacity;
    uint32_t fibers_alive;
    uint32_t next_fiber_id;
    uint32_t held;           /* no switching while it is above 0 */
    uint32_t streak;         /* PCT: steps in a row of one fiber while others could run */
    uint64_t *change_points; /* PCT: ascending */
    uint32_t change_next;
    uint64_t lowest_priority;
    struct sim_explorer *explorer; /* borrowed; decides when the policy says so */
    struct sim_context main;

    bool halted; /* main must look */
    enum sim_outcome outcome;
    char *report;
    struct sim_fiber *ended; /* returned from its function; main frees its stack */
    struct sim_process *kill;
    struct sim_machine *crash;

    struct sim_link machines;
    struct sim_link processes;
    uint32_t next_process_id, next_machine_id, next_inode_id;
    struct sim_link word_waiters;
    struct sim_net *net;

    uint8_t *odd_points; /* catalogue.c; NULL until one was asked */

    sim_log_fn *log;
    void *log_arg;

    struct sim_rng streams[SIM_STREAM_COUNT];
    struct sim_rng fault_rngs[SIM_FAULT_COUNT];
    struct sim_trace trace;
};

/* ---- Machines (machine.c) and processes (process.c). */

#define SIM_MOUNTS_MAX 4U

struct sim_mount {
    char path[64];
    char shared[64];
    struct sim_machine *owner;
};

struct sim_machine {
    struct sim_world *world;
    struct sim_link in_world;
    struct sim_link processes; /* that run */
    uint32_t id;
    bool up;
    bool immune;
    struct sim_disk *disk;
    struct sim_mount mounts[SIM_MOUNTS_MAX];
    uint32_t mount_count;
    uint64_t boot_ns;
    int64_t skew_ms;
    int64_t drift_ppm;
    char name[SIM_NAME_BYTES];
};

static inline bool sim_machine_draw(struct sim_machine *machine, enum sim_fault kind,
                                    uint64_t subject)
{
    struct sim_world *world = machine->world;
    return world->plan.rate_ppm[kind] > 0 && world->running != NULL && !machine->immune &&
           sim_draw(world, kind, subject);
}

/* World time that passes while this machine's clock counts `ns`. */
uint64_t sim_machine_world_ns(const struct sim_machine *machine, uint64_t ns);
/* The true time, as milliseconds since 1970. */
uint64_t sim_world_wall_ms(const struct sim_world *world);
void sim_machine_free(struct sim_machine *machine);
void sim_machine_crash_now(struct sim_machine *machine);

struct sim_heap {
    struct graft_alloc alloc;
    struct sim_pool *pool;       /* NULL: all of it is malloc's */
    struct sim_process *process; /* NULL: the host's own */
    struct sim_link blocks;
    uint64_t live_blocks, live_bytes;
    uint64_t allocations;
    uint64_t allocated_bytes;
    uint64_t fail_nth; /* counts down */
    bool fail_from_then_on;
};

void sim_heap_init(struct sim_heap *heap, struct sim_pool *pool, struct sim_process *process);
/* Frees everything. */
void sim_heap_deinit(struct sim_heap *heap);
void *sim_heap_resize(struct sim_heap *heap, void *old, size_t bytes);
/* To the heap that it came from. */
void sim_heap_release(void *memory);
size_t sim_heap_size(const void *memory);
bool sim_heap_owns(const struct sim_heap *heap, const void *memory);

enum sim_process_state { SIM_PROCESS_RUNNING, SIM_PROCESS_ENDED, SIM_PROCESS_KILLED };

struct sim_process {
    struct sim_world *world;
    struct sim_machine *machine;
    struct sim_link in_world;
    struct sim_link in_machine;
    uint32_t id;
    enum sim_process_state state;
    bool paused;
    sim_process_fn *run;
    void *arg;
    struct sim_fiber *first;
    struct sim_link fibers;
    uint64_t points;
    uint64_t kill_at; /* 0: never */
    struct sim_link waiters;
    struct sim_holdings left;
    uint64_t mutexes;
    uint32_t next_mutex_id;
    struct sim_link files; /* struct sim_file and its like; see below */
    struct sim_link maps;
    struct sim_link locks;
    struct sim_link exchanges;
    struct sim_rng rng;
    struct graft_env env;
    struct sim_heap heap;
    struct graft_clock clock;
    struct graft_rand rand;
    struct graft_disk disk;
    struct graft_shm shm;
    struct graft_net net;
    struct graft_tasks tasks;
    struct graft_log log;
    void *sqlite; /* sqlite_vfs.c: its base VFS */
    char name[SIM_NAME_BYTES];
    char vfs_name[SIM_NAME_BYTES];
};

void sim_process_kill_now(struct sim_process *process);
/* After the first fiber has returned. */
void sim_process_finish(struct sim_process *process);
void sim_process_free(struct sim_process *process);

static inline struct sim_process *sim_process_of_rand(struct graft_rand *rand)
{
    return SIM_CONTAINER(rand, struct sim_process, rand);
}

static inline struct sim_process *sim_process_of_disk(struct graft_disk *disk)
{
    return SIM_CONTAINER(disk, struct sim_process, disk);
}

static inline struct sim_process *sim_process_of_shm(struct graft_shm *shm)
{
    return SIM_CONTAINER(shm, struct sim_process, shm);
}

static inline struct sim_process *sim_process_of_net(struct graft_net *net)
{
    return SIM_CONTAINER(net, struct sim_process, net);
}

static inline struct sim_process *sim_process_of_tasks(struct graft_tasks *tasks)
{
    return SIM_CONTAINER(tasks, struct sim_process, tasks);
}

struct sim_net *sim_net_new(struct sim_world *world);
void sim_net_free(struct sim_net *net);
/* Of a process that dies. */
void sim_listeners_drop(struct sim_process *process);

struct sim_disk *sim_disk_new(struct sim_world *world, uint32_t id);
void sim_disk_free(struct sim_disk *disk);
void sim_disk_crash(struct sim_disk *disk, bool immune);

/* ---- The seams, one file each, as in host/. */

extern const struct graft_alloc_ops sim_alloc_ops;
extern const struct graft_clock_ops sim_clock_ops;
extern const struct graft_rand_ops sim_rand_ops;
extern const struct graft_disk_ops sim_disk_ops;
extern const struct graft_shm_ops sim_shm_ops;
extern const struct graft_net_ops sim_net_ops;
extern const struct graft_tasks_ops sim_tasks_ops;
extern const struct graft_log_ops sim_log_ops;

/* What a dying process held, back to the world; its memory goes with its heap. */
void sim_files_drop(struct sim_process *process);
void sim_maps_drop(struct sim_process *process);
void sim_locks_drop(struct sim_process *process);
void sim_exchanges_drop(struct sim_process *process);
/* Nothing where SQLite was not set up. */
void sim_sqlite_drop(struct sim_process *process);
void sim_sqlite_start(struct sim_process *process);
/* A new world begins. */
void sim_sqlite_seed(struct sim_world *world);

#endif
