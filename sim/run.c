/* Runs: the world of a case, its clients, and who kills and crashes them. The driver is no part of
 * the world: it lets the world run from one tick to the next and acts in between, so that nothing
 * of it can be hit by a fault. */
#include "sim/run.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "sim/disk.h"
#include "sim/net.h"
#include "sim/oracle.h"
#include "sim/parts.h"
#include "sim/run_parts.h"
#include "sim/s3.h"
#include "sim/sqlite.h"
#include "workloads/history.h"

/* As often as gives a run a dozen kills and crashes in a hundred transactions. */
#define TICK_NS (2800 * SIM_MS)
#define CRASH_LOOK_NS \
    (5 * SIM_MS) /* a machine is down so soon after the process that it takes along */
#define SETUP_NS (600 * SIM_SECOND)
#define KILL_POINTS_MAX 4000U
#define PAUSE_NS_MAX (150 * SIM_SECOND)
#define RESTART_NS_MAX (5 * SIM_SECOND)
#define DOWN_NS_MAX (20 * SIM_SECOND)
/* How many times longer than asked for clients may work to come to their transactions. */
#define WORK_TIMES_MAX 10U
/* Damage that comes again after so many clones is in the remote. */
#define CLONES_MAX 4U

#define DRIVER_STREAM 0x30000U
#define SLOT_STREAM 0x40000U

/* ---- Failures. */

bool run_has_failed(const struct run *run)
{
    return run->result->signature[0] != '\0';
}

void run_fail(struct run *run, const char *signature, const char *format, ...)
{
    struct sim_result *result = run->result;
    if (run_has_failed(run))
        return;
    (void)snprintf(result->signature, sizeof result->signature, "%s", signature);
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    GRAFT_ASSERT(file != NULL);
    va_list args;
    va_start(args, format);
    (void)vfprintf(file, format, args);
    va_end(args);
    uint32_t kept = run->line_count < RUN_LINES ? run->line_count : RUN_LINES;
    if (kept > 0)
        (void)fprintf(file, "\nlogged last:");
    for (uint32_t i = run->line_count - kept; i < run->line_count; i++)
        (void)fprintf(file, "\n  %s", run->lines[i % RUN_LINES]);
    GRAFT_ASSERT(fclose(file) == 0);
    result->report = text;
}

static void keep_line(void *arg, const struct sim_process *process, enum graft_log_level level,
                      const char *text)
{
    struct run *run = arg;
    (void)level;
    uint64_t now_ms = sim_world_now_ns(run->world) / SIM_MS;
    (void)snprintf(run->lines[run->line_count++ % RUN_LINES], RUN_LINE_BYTES, "%llu.%03u %s/%s %s",
                   (unsigned long long)(now_ms / 1000), (unsigned)(now_ms % 1000),
                   process->machine->name, process->name, text);
}

bool run_may_be_damaged(const struct run *run)
{
    const uint64_t *fired = sim_world_trace(run->world)->fired;
    return fired[SIM_FAULT_disk_sync_lie] + fired[SIM_FAULT_disk_rot] +
               fired[SIM_FAULT_disk_misdirect] >
           0;
}

/* The first line of what a world reports, without places and numbers: "assertion failed at f.c:12:
 * x" becomes "assert: f.c: x", "always: text (f.c:12)" becomes "always: text", "oracle: what: on
 * which" becomes "oracle: what". */
static void sign(const char *report, char out[SIM_SIGNATURE_BYTES])
{
    static const char failed_at[] = "assertion failed at ";
    size_t used = 0;
    if (strncmp(report, failed_at, sizeof failed_at - 1) == 0) {
        report += sizeof failed_at - 1;
        used = (size_t)snprintf(out, SIM_SIGNATURE_BYTES, "assert: ");
    }
    static const char oracle[] = "oracle: ";
    const char *end = report + strcspn(report, "\n");
    if (strncmp(report, oracle, sizeof oracle - 1) == 0 && strstr(report + 8, ": ") != NULL)
        end = strstr(report + 8, ": ");
    bool number = false;
    for (; report < end && used + 2 < SIM_SIGNATURE_BYTES; report++) {
        if (strncmp(report, " (core/", 7) == 0 || strncmp(report, " (/", 3) == 0)
            break;
        bool digit = *report >= '0' && *report <= '9';
        if (!digit || !number)
            out[used++] = digit ? 'N' : *report;
        number = digit;
    }
    out[used] = '\0';
}

bool run_judge(struct run *run, enum sim_outcome outcome)
{
    const char *report = sim_world_report(run->world);
    char signature[SIM_SIGNATURE_BYTES];
    switch (outcome) {
    case SIM_FAILED:
        sign(report, signature);
        run_fail(run, signature, "%s", report);
        return false;
    case SIM_DIVERGED:
        run_fail(run, "outcome: DIVERGED", "%s", report);
        return false;
    case SIM_DEADLOCKED:
        run_fail(run, "outcome: DEADLOCKED", "%s", report);
        return false;
    case SIM_RUNAWAY:
        run_fail(run, "outcome: RUNAWAY", "%s", report);
        return false;
    default:
        return true;
    }
}

/* ---- The world. */

static bool nothing_rots(void *arg, const char *name)
{
    (void)arg;
    (void)name;
    return false;
}

static void make_server(struct run *run)
{
    bool is_file = run->what->remote == SIM_REMOTE_FILE;
    run->server = sim_machine_new(run->world, is_file ? "share" : "s3");
    /* What the remote holds is what damage elsewhere is repaired from. */
    sim_disk_set_rot_filter(sim_machine_disk(run->server), nothing_rots, NULL);
    if (is_file) {
        for (uint32_t i = 0; i < run->what->machines; i++)
            sim_machine_mount(run->machines[i], "/share", run->server, "/");
        /* It crashes like the others; the object store is not ours to crash. */
        run->machines[run->machine_count++] = run->server;
    } else {
        sim_machine_set_immune(run->server, true);
        sim_net_set_keys(run->world, "key", "secret");
        run->s3 = sim_s3_new(run->server, "s3.sim", "bucket", "key", "secret");
    }
}

static void name_database(struct slot *slot)
{
    const struct sim_case *what = slot->run->what;
    char clone[16] = "";
    if (slot->generation > 0)
        (void)snprintf(clone, sizeof clone, ".%u", slot->generation);
    char limit[32] = "";
    if (what->cache_limit > 0)
        (void)snprintf(limit, sizeof limit, "&cache_limit=%u", what->cache_limit);
    (void)snprintf(slot->uri, sizeof slot->uri, "file:/replica%u%s.graft?page_size=%u%s&remote=%s",
                   slot->replica, clone, what->page_bytes, limit,
                   what->remote == SIM_REMOTE_FILE
                       ? "file:///share/repo/app"
                       : "s3://bucket/repo/app%3Fendpoint=http://s3.sim");
}

static void make_slots(struct run *run)
{
    const struct sim_case *what = run->what;
    GRAFT_ASSERT(what->machines > 0 && what->replicas > 0);
    for (uint32_t i = 0; i < what->replicas * what->processes; i++) {
        struct slot *slot = &run->slots[run->slot_count++];
        slot->run = run;
        slot->replica = i % what->replicas;
        slot->machine = run->machines[slot->replica % what->machines];
        sim_rng_init(&slot->rng, what->seed, SLOT_STREAM + i);
        name_database(slot);
    }
}

static void begin_trace(struct run *run, struct sim_run_options *options)
{
    if (options == NULL)
        return;
    if (options->trace != NULL)
        sim_trace_to(run->world, options->trace);
    if (options->record)
        sim_trace_record(run->world);
    if (options->expected != NULL)
        sim_trace_expect(run->world, options->expected, options->expected_count);
}

static void make_world(struct run *run, struct sim_pool *pool, struct sim_run_options *options)
{
    static const char *const names[SIM_MACHINES_MAX] = {"a", "b", "c", "d"};
    sim_sqlite_setup();
    run->world = sim_world_new(pool, &run->what->plan);
    begin_trace(run, options);
    sim_world_set_log(run->world, keep_line, run);
    sim_world_set_steps_max(run->world, 5000000);
    sim_rng_init(&run->rng, run->what->seed, DRIVER_STREAM);
    for (uint32_t i = 0; i < run->what->machines; i++)
        run->machines[i] = sim_machine_new(run->world, names[i]);
    run->machine_count = run->what->machines;
    make_server(run);
    make_slots(run);
    run->oracle = sim_oracle_new(run->world);
}

int64_t run_set_clock(struct sim_machine *machine)
{
    uint64_t now_ms = sim_machine_now_ms(machine);
    int64_t off_ms = (int64_t)(now_ms - sim_world_wall_ms(machine->world));
    sim_machine_jump_clock(machine, -off_ms);
    return off_ms;
}

static bool set_up(struct run *run)
{
    struct slot *slot = &run->slots[0];
    int64_t off_ms = run_set_clock(slot->machine);
    sim_world_set_faults(run->world, false);
    run_start(slot, run_task_setup, "setup");
    if (!run_until_idle(run, SETUP_NS, "setup: it does not end"))
        return false;
    sim_machine_jump_clock(slot->machine, off_ms);
    if (slot->code != 0)
        run_fail(run, "setup: it failed", "code %d: %s", slot->code, slot->error);
    sim_world_set_faults(run->world, true);
    return !run_has_failed(run);
}

/* ---- The main phase. */

static uint64_t skewed_ns(struct run *run, uint64_t max_ns)
{
    return sim_rng_skewed(&run->rng, SIM_MS, max_ns);
}

static void crash(struct run *run, struct sim_machine *machine)
{
    uint64_t now_ns = sim_world_now_ns(run->world);
    for (uint32_t i = 0; i < run->machine_count; i++) {
        if (run->machines[i] == machine)
            run->up_ns[i] = now_ns + skewed_ns(run, DOWN_NS_MAX);
    }
    sim_machine_crash(machine);
}

/* What an operator does with a database that is damaged: its programs are stopped, and the remote
 * is cloned into another directory. That drops what was not pushed, as a reset does. */
static void clone_again(struct run *run, uint32_t replica)
{
    uint64_t now_ns = sim_world_now_ns(run->world);
    for (uint32_t i = 0; i < run->slot_count; i++) {
        struct slot *slot = &run->slots[i];
        if (slot->replica != replica)
            continue;
        if (slot->process != NULL)
            sim_process_kill(slot->process);
        slot->process = NULL;
        slot->resume_ns = 0;
        slot->crash_after = false;
        slot->restart_ns = now_ns + skewed_ns(run, RESTART_NS_MAX);
        slot->generation++;
        name_database(slot);
    }
    uint32_t by = run->next_client++;
    workload_history_invoke(run->history, by, replica, WORKLOAD_RESET, 0);
    workload_history_end(run->history, by, WORKLOAD_OK);
}

/* Processes that have ended, and what that has in tow. */
static void reap_all(struct run *run)
{
    uint64_t now_ns = sim_world_now_ns(run->world);
    for (uint32_t i = 0; i < run->slot_count; i++) {
        struct slot *slot = &run->slots[i];
        if (slot->process == NULL || !run_reap(slot))
            continue;
        slot->resume_ns = 0;
        slot->restart_ns = now_ns + skewed_ns(run, RESTART_NS_MAX);
        if (slot->crash_after && sim_machine_is_up(slot->machine))
            crash(run, slot->machine);
        slot->crash_after = false;
        if (run_found_damage(slot) && slot->generation < CLONES_MAX)
            clone_again(run, slot->replica);
    }
}

/* Brings up what is due by `now_ns`. */
static void revive(struct run *run, uint64_t now_ns)
{
    for (uint32_t i = 0; i < run->machine_count; i++) {
        if (!sim_machine_is_up(run->machines[i]) && run->up_ns[i] <= now_ns)
            sim_machine_restart(run->machines[i]);
    }
    for (uint32_t i = 0; i < run->slot_count; i++) {
        struct slot *slot = &run->slots[i];
        if (slot->process != NULL && slot->resume_ns != 0 && slot->resume_ns <= now_ns) {
            slot->resume_ns = 0;
            sim_process_resume(slot->process);
        }
        if (slot->process == NULL && !run->stopping && slot->restart_ns <= now_ns &&
            sim_machine_is_up(slot->machine))
            run_start(slot, run_task_drive, "client");
    }
}

static uint64_t sooner(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* When the driver has to look again. */
static uint64_t next_look_ns(const struct run *run, uint64_t tick_ns)
{
    uint64_t next = tick_ns;
    for (uint32_t i = 0; i < run->machine_count; i++) {
        if (!sim_machine_is_up(run->machines[i]))
            next = sooner(next, run->up_ns[i]);
    }
    for (uint32_t i = 0; i < run->slot_count; i++) {
        const struct slot *slot = &run->slots[i];
        if (slot->crash_after)
            next = sooner(next, sim_world_now_ns(run->world) + CRASH_LOOK_NS);
        if (slot->process != NULL && slot->resume_ns != 0)
            next = sooner(next, slot->resume_ns);
        if (slot->process == NULL && sim_machine_is_up(slot->machine))
            next = sooner(next, slot->restart_ns);
    }
    return next;
}

static void draw_for_process(struct run *run, struct slot *slot)
{
    if (sim_world_draw(run->world, SIM_FAULT_process_kill))
        sim_process_kill_at(slot->process, sim_rng_skewed(&run->rng, 1, KILL_POINTS_MAX));
    if (slot->resume_ns == 0 && sim_world_draw(run->world, SIM_FAULT_process_pause)) {
        slot->resume_ns = sim_world_now_ns(run->world) + skewed_ns(run, PAUSE_NS_MAX);
        sim_process_pause(slot->process);
    }
}

/* A machine crashes at once, or as soon as one of its processes has come to some point, which finds
 * it at work. */
static void draw_for_machine(struct run *run, struct sim_machine *machine)
{
    if (!sim_machine_is_up(machine) || !sim_world_draw(run->world, SIM_FAULT_machine_crash))
        return;
    uint32_t first = (uint32_t)sim_rng_below(&run->rng, run->slot_count);
    bool at_once = sim_rng_below(&run->rng, 4) == 0;
    for (uint32_t i = 0; i < run->slot_count && !at_once; i++) {
        struct slot *slot = &run->slots[(first + i) % run->slot_count];
        if (slot->machine != machine || slot->process == NULL || slot->resume_ns != 0)
            continue;
        slot->crash_after = true;
        sim_process_kill_at(slot->process, sim_rng_skewed(&run->rng, 1, KILL_POINTS_MAX));
        return;
    }
    crash(run, machine);
}

static void draw_faults(struct run *run)
{
    for (uint32_t i = 0; i < run->slot_count; i++) {
        struct slot *slot = &run->slots[i];
        if (slot->process != NULL && sim_process_is_running(slot->process) && !slot->crash_after)
            draw_for_process(run, slot);
    }
    for (uint32_t i = 0; i < run->machine_count; i++)
        draw_for_machine(run, run->machines[i]);
}

bool run_is_over(const struct run *run)
{
    uint64_t passed_ns = sim_world_now_ns(run->world) - run->began_ns;
    uint64_t wanted_ns = run->what->seconds * SIM_SECOND;
    return passed_ns >= WORK_TIMES_MAX * wanted_ns ||
           (passed_ns >= wanted_ns &&
            workload_history_committed(run->history) >= run->what->transactions);
}

/* Whether something that is under way for the driver could let the others go on. */
static bool something_is_due(const struct run *run)
{
    for (uint32_t i = 0; i < run->slot_count; i++) {
        if (run->slots[i].process == NULL || run->slots[i].resume_ns != 0)
            return true;
    }
    return false;
}

static void work_under_faults(struct run *run)
{
    uint64_t tick_ns = sim_world_now_ns(run->world) + TICK_NS;
    run->began_ns = sim_world_now_ns(run->world);
    revive(run, run->began_ns);
    while (!run_is_over(run)) {
        uint64_t look_ns = next_look_ns(run, tick_ns);
        enum sim_outcome outcome = sim_world_run(run->world, look_ns);
        /* Time stands still when nobody is left, or when all wait for one that is paused. */
        bool stuck =
            outcome == SIM_FINISHED || (outcome == SIM_DEADLOCKED && something_is_due(run));
        if (!stuck && outcome != SIM_STOPPED && !run_judge(run, outcome))
            return;
        reap_all(run);
        if (run_has_failed(run))
            return;
        revive(run, stuck ? SIM_FOREVER : sim_world_now_ns(run->world));
        if (sim_world_now_ns(run->world) >= tick_ns) {
            draw_faults(run);
            tick_ns = sim_world_now_ns(run->world) + TICK_NS;
        }
    }
}

/* ---- All of it. */

static void make_report(struct run *run)
{
    struct sim_result *result = run->result;
    const struct sim_trace *trace = sim_world_trace(run->world);
    result->hash = sim_world_hash(run->world);
    result->events = trace->serial;
    result->transactions = workload_history_committed(run->history);
    result->simulated_ns = sim_world_now_ns(run->world);
    memcpy(result->fired, trace->fired, sizeof result->fired);
}

static void end_trace(struct run *run, struct sim_run_options *options)
{
    if (options == NULL)
        return;
    if (options->expected != NULL && !run_has_failed(run) && !sim_trace_is_complete(run->world))
        run_fail(run, "outcome: DIVERGED", "%s", sim_world_report(run->world));
    if (options->record)
        options->recorded = sim_trace_take(run->world, &options->recorded_count);
}

void sim_run(struct sim_pool *pool, const struct sim_case *what, struct sim_run_options *options,
             struct sim_result *out)
{
    struct run *run = calloc(1, sizeof *run);
    GRAFT_ASSERT(run != NULL);
    *out = (struct sim_result){0};
    run->what = what;
    run->result = out;
    run->workload = workload_find(what->workload);
    GRAFT_ASSERT(run->workload != NULL);
    sim_heap_init(&run->heap, pool, NULL);
    run->history = workload_history_new(&run->heap.alloc);
    make_world(run, pool, options);
    if (set_up(run)) {
        work_under_faults(run);
        if (!run_has_failed(run))
            run_end(run);
    }
    end_trace(run, options);
    make_report(run);
    sim_oracle_free(run->oracle);
    sim_world_free(run->world);
    sim_s3_free(run->s3);
    workload_history_free(run->history);
    sim_heap_deinit(&run->heap);
    free(run);
}

uint64_t sim_result_fired(const struct sim_result *result)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < SIM_FAULT_COUNT; i++)
        sum += result->fired[i];
    return sum;
}

void sim_result_deinit(struct sim_result *result)
{
    free(result->report);
    result->report = NULL;
}
