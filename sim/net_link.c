/* Links between machines, who listens at their ends, and the messages under way. */
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "sim/net_parts.h"

#define US UINT64_C(1000)

struct sim_net *sim_net_new(struct sim_world *world)
{
    struct sim_net *net = sim_host_alloc(sizeof *net);
    net->world = world;
    sim_list_init(&net->listeners);
    sim_list_init(&net->calls);
    return net;
}

void sim_net_free(struct sim_net *net)
{
    while (!sim_list_is_empty(&net->calls)) {
        struct sim_call *call = SIM_CONTAINER(net->calls.next, struct sim_call, in_net);
        call->refs = 1;
        sim_call_unref(call);
    }
    while (!sim_list_is_empty(&net->listeners)) {
        struct sim_link *at = net->listeners.next;
        sim_list_remove(at);
        sim_host_free(SIM_CONTAINER(at, struct sim_listener, in_net));
    }
    sim_host_free(net);
}

static uint64_t *cut_of(struct sim_net *net, const struct sim_machine *from,
                        const struct sim_machine *to)
{
    GRAFT_ASSERT(from->id < SIM_NET_MACHINES_MAX && to->id < SIM_NET_MACHINES_MAX);
    return &net->cut_until_ns[from->id][to->id];
}

void sim_net_cut(struct sim_world *world, const struct sim_machine *from,
                 const struct sim_machine *to, uint64_t ns)
{
    *cut_of(world->net, from, to) = ns == SIM_FOREVER ? SIM_FOREVER : world->now_ns + ns;
    sim_trace_note(world, "link %s -> %s is cut", from->name, to->name);
}

void sim_net_heal(struct sim_world *world)
{
    memset(world->net->cut_until_ns, 0, sizeof world->net->cut_until_ns);
}

bool sim_net_is_cut(const struct sim_world *world, const struct sim_machine *from,
                    const struct sim_machine *to)
{
    return *cut_of(world->net, from, to) > world->now_ns;
}

uint64_t sim_net_latency_ns(struct sim_world *world)
{
    if (world->plan.policy == SIM_POLICY_GIVEN)
        return SIM_MS;
    return sim_rng_skewed(&world->streams[SIM_STREAM_LATENCY], 500 * US, 60 * SIM_MS);
}

/* ---- Listeners. */

static struct sim_listener *listen_on(struct sim_machine *machine, const char *host)
{
    struct sim_net *net = machine->world->net;
    struct sim_listener *self = sim_host_alloc(sizeof *self);
    self->net = net;
    self->machine = machine;
    self->id = ++net->next_listener_id;
    sim_list_init(&self->queue);
    sim_list_init(&self->waiters);
    GRAFT_ASSERT(strlen(host) < sizeof self->host);
    (void)snprintf(self->host, sizeof self->host, "%s", host);
    sim_list_append(&net->listeners, &self->in_net);
    return self;
}

struct sim_listener *sim_net_listen(struct sim_machine *machine, const char *host,
                                    sim_serve_fn *serve, void *arg)
{
    struct sim_listener *self = listen_on(machine, host);
    self->serve = serve;
    self->arg = arg;
    return self;
}

struct sim_listener *sim_process_listen(struct sim_process *process, const char *host)
{
    struct sim_listener *self = listen_on(process->machine, host);
    self->process = process;
    return self;
}

void sim_listener_close(struct sim_listener *listener)
{
    struct sim_net *net = listener->net;
    struct sim_link *at = net->calls.next;
    while (at != &net->calls) {
        struct sim_call *call = SIM_CONTAINER(at, struct sim_call, in_net);
        at = at->next;
        if (call->listener != listener)
            continue;
        call->listener = NULL;
        if (call->has_server)
            sim_call_drop(call, true);
    }
    GRAFT_ASSERT(sim_list_is_empty(&listener->waiters));
    sim_list_remove(&listener->in_net);
    sim_host_free(listener);
}

void sim_listeners_drop(struct sim_process *process)
{
    struct sim_net *net = process->world->net;
    struct sim_link *at = net->listeners.next;
    while (at != &net->listeners) {
        struct sim_listener *self = SIM_CONTAINER(at, struct sim_listener, in_net);
        at = at->next;
        if (self->process == process)
            sim_listener_close(self);
    }
}

struct sim_call *sim_listener_accept(struct sim_listener *listener, uint32_t timeout_ms)
{
    struct sim_world *world = listener->net->world;
    uint64_t deadline =
        timeout_ms == GRAFT_WAIT_FOREVER
            ? SIM_FOREVER
            : world->now_ns + sim_machine_world_ns(listener->machine, timeout_ms * SIM_MS);
    while (sim_list_is_empty(&listener->queue)) {
        if (!sim_wait_in(world, &listener->waiters, deadline, SIM_WAIT_REQUEST, listener->id))
            return NULL;
    }
    struct sim_link *first = listener->queue.next;
    sim_list_remove(first);
    return SIM_CONTAINER(first, struct sim_call, in_queue);
}

/* The listener for a URL; `*host_bytes` is where the path begins, 0 when it is no URL. */
struct sim_listener *sim_listener_find(struct sim_net *net, const char *url, size_t *host_bytes)
{
    *host_bytes = 0;
    size_t scheme = strncmp(url, "http://", 7) == 0 ? 7 : strncmp(url, "https://", 8) == 0 ? 8 : 0;
    size_t length = strcspn(url + scheme, "/?#");
    if (scheme == 0 || length == 0)
        return NULL;
    *host_bytes = scheme + length;
    for (struct sim_link *at = net->listeners.next; at != &net->listeners; at = at->next) {
        struct sim_listener *self = SIM_CONTAINER(at, struct sim_listener, in_net);
        if (strlen(self->host) == length && memcmp(self->host, url + scheme, length) == 0)
            return self;
    }
    return NULL;
}

/* ---- Messages. */

static void arrive(struct sim_world *world, struct sim_timer *timer)
{
    struct sim_call *call = SIM_CONTAINER(timer, struct sim_call, arrival);
    struct sim_listener *listener = call->listener;
    sim_trace_event(world, SIM_EVENT_ARRIVE, call->id, call->is_copy, listener != NULL);
    if (listener == NULL || !listener->machine->up) {
        sim_call_drop(call, true);
    } else if (call->swallow || sim_net_is_cut(world, call->client_machine, listener->machine)) {
        sim_call_drop(call, false);
    } else if (listener->serve != NULL) {
        listener->serve(listener->arg, call);
    } else {
        sim_list_append(&listener->queue, &call->in_queue);
        (void)sim_wake_first(&listener->waiters);
    }
}

static void drop_message(struct sim_world *world, struct sim_timer *timer)
{
    (void)world;
    (void)timer; /* the network frees all calls */
}

void sim_call_post(struct sim_call *call, uint64_t ns)
{
    struct sim_world *world = call->net->world;
    call->has_server = true;
    call->refs++;
    call->arrival = (struct sim_timer){.fire = arrive, .drop = drop_message};
    sim_timer_set(world, &call->arrival, world->now_ns + ns);
}
