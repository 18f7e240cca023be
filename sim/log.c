/* Log lines of the processes: events like any other, and handed to whoever wants to read them. */
#include "sim/parts.h"

static void line(struct graft_log *log, enum graft_log_level level, const char *text)
{
    struct sim_process *process = SIM_CONTAINER(log, struct sim_process, log);
    struct sim_world *world = process->world;
    sim_trace_event(world, SIM_EVENT_LOG, process->id, level, sim_trace_text(text));
    sim_trace_note(world, "%s", text);
    if (world->log != NULL)
        world->log(world->log_arg, process, level, text);
}

const struct graft_log_ops sim_log_ops = {.line = line};

void sim_world_set_log(struct sim_world *world, sim_log_fn *log, void *arg)
{
    world->log = log;
    world->log_arg = arg;
}
