/* The network seam of a process: one exchange at a time, driven by the fiber that asks, as libcurl
 * is in host/. What can go wrong on the way is drawn once for each exchange, when it begins. */
#include "sim/net.h"

#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "sim/net_parts.h"

#define US UINT64_C(1000)
#define UPLOAD_BYTES (64U << 10)
/* Where the caller sets no limit, TCP's own patience ends it. */
#define CONNECT_PATIENCE_MS 120000U
#define STALL_PATIENCE_MS 900000U
#define RETRY_NS SIM_SECOND
#define BANDWIDTH (UINT64_C(25) << 20) /* bytes a second */
#define BANDWIDTH_MIN (UINT64_C(4) << 10)

static struct sim_exchange *exchange_of(struct graft_exchange *exchange)
{
    return (struct sim_exchange *)exchange;
}

static struct sim_process *process_of(const struct sim_exchange *self)
{
    return sim_process_of_net(self->exchange.net);
}

static enum graft_rc unreachable(const struct sim_exchange *self, const char *why,
                                 struct graft_err *err)
{
    return graft_err_set(err, GRAFT_EUNREACHABLE, "%s: %s", self->subject, why);
}

/* World time after the machine's clock has counted `ms`. */
static uint64_t deadline_in(const struct sim_process *process, uint32_t ms)
{
    return process->world->now_ns + sim_machine_world_ns(process->machine, ms * SIM_MS);
}

static uint32_t patience_ms(const struct sim_exchange *self)
{
    return self->stall_timeout_ms != 0 ? self->stall_timeout_ms : STALL_PATIENCE_MS;
}

static bool draw(const struct sim_exchange *self, enum sim_fault kind)
{
    return sim_machine_draw(process_of(self)->machine, kind,
                            self->call == NULL ? 0 : self->call->id);
}

static struct sim_rng *rng_of(const struct sim_exchange *self, enum sim_fault kind)
{
    return sim_fault_rng(process_of(self)->world, kind);
}

/* ---- Connecting and sending. */

static enum graft_rc connect_to(struct sim_exchange *self, struct sim_listener *listener,
                                uint32_t timeout_ms, struct graft_err *err)
{
    struct sim_process *process = process_of(self);
    struct sim_world *world = process->world;
    uint64_t deadline = deadline_in(process, timeout_ms != 0 ? timeout_ms : CONNECT_PATIENCE_MS);
    struct sim_machine *server = listener->machine;
    uint32_t id = listener->id;
    while (sim_net_is_cut(world, process->machine, server) ||
           sim_net_is_cut(world, server, process->machine)) {
        uint64_t until = world->now_ns + RETRY_NS < deadline ? world->now_ns + RETRY_NS : deadline;
        (void)sim_wait_in(world, NULL, until, SIM_WAIT_CONNECT, id);
        if (world->now_ns >= deadline)
            return unreachable(self, "connecting timed out", err);
    }
    sim_spend(world, sim_net_latency_ns(world), SIM_WAIT_CONNECT, id);
    if (!server->up)
        return unreachable(self, "connection refused", err);
    return GRAFT_OK;
}

/* Asks the caller's reader for the whole body, at the speed of the link. */
static enum graft_rc collect_body(struct sim_exchange *self, const struct graft_request *request,
                                  struct graft_err *err)
{
    struct sim_world *world = process_of(self)->world;
    struct sim_call *call = self->call;
    uint64_t left = request->body_bytes;
    while (left > 0) {
        uint8_t bytes[UPLOAD_BYTES / 16];
        size_t room = left < sizeof bytes ? (size_t)left : sizeof bytes;
        size_t got = 0;
        GRAFT_TRY(request->body(request->body_arg, bytes, room, &got, err));
        if (got == 0)
            return graft_err_set(err, GRAFT_EINVAL,
                                 "%s: the body ended %llu bytes before its length", self->subject,
                                 (unsigned long long)left);
        GRAFT_ASSERT(got <= room);
        sim_bytes_append(&call->body, bytes, got);
        left -= got;
        if (call->body.size % UPLOAD_BYTES < sizeof bytes)
            sim_spend(world, UPLOAD_BYTES * SIM_SECOND / self->bytes_per_second, SIM_WAIT_SEND,
                      call->id);
    }
    return GRAFT_OK;
}

static void describe_request(struct sim_exchange *self, const struct graft_request *request,
                             size_t host_bytes)
{
    struct sim_call *call = self->call;
    const char *path = request->url + host_bytes;
    size_t path_bytes = strcspn(path, "?#");
    (void)snprintf(call->method, sizeof call->method, "%s", request->method);
    call->path = path_bytes == 0 ? sim_host_strdup("/") : sim_host_strdup(path);
    if (path_bytes > 0)
        call->path[path_bytes] = '\0';
    const char *query = path[path_bytes] == '?' ? path + path_bytes + 1 : "";
    call->query = sim_host_strdup(query);
    call->query[strcspn(query, "#")] = '\0';
    for (size_t i = 0; i < request->header_count; i++) {
        const struct graft_header *header = &request->headers[i];
        sim_bytes_append(&call->headers, header->name, strlen(header->name) + 1);
        sim_bytes_append(&call->headers, header->value, strlen(header->value) + 1);
    }
    if (request->sigv4 != NULL) {
        call->access_key = sim_host_strdup(request->sigv4->access_key);
        call->secret_key = sim_host_strdup(request->sigv4->secret_key);
    }
    call->date_ms = sim_machine_now_ms(process_of(self)->machine);
}

/* One direction, or at times both, for some seconds or minutes. */
static void maybe_cut_link(const struct sim_exchange *self, const struct sim_machine *server)
{
    if (!draw(self, SIM_FAULT_net_partition))
        return;
    struct sim_world *world = process_of(self)->world;
    const struct sim_machine *here = process_of(self)->machine;
    struct sim_rng *rng = rng_of(self, SIM_FAULT_net_partition);
    uint64_t ns = sim_rng_skewed(rng, 100 * SIM_MS, 120 * SIM_SECOND);
    uint64_t which = sim_rng_below(rng, 3);
    if (which != 0)
        sim_net_cut(world, here, server, ns);
    if (which != 1)
        sim_net_cut(world, server, here, ns);
}

/* What happens to the request on its way; the connection may break before it is sent at all. */
static enum graft_rc send_request(struct sim_exchange *self, struct graft_err *err)
{
    struct sim_world *world = process_of(self)->world;
    struct sim_call *call = self->call;
    uint64_t ns = sim_net_latency_ns(world);
    if (draw(self, SIM_FAULT_net_slow))
        ns += sim_rng_skewed(rng_of(self, SIM_FAULT_net_slow), 10 * SIM_MS, 60 * SIM_SECOND);
    if (draw(self, SIM_FAULT_net_reset)) {
        struct sim_rng *rng = rng_of(self, SIM_FAULT_net_reset);
        switch (sim_rng_below(rng, 3)) {
        case 0:
            return unreachable(self, "connection reset by peer", err);
        case 1:
            call->reset_answer = true;
            break;
        default:
            self->cut_at = sim_rng_skewed(rng, 1, UPLOAD_BYTES) - 1;
        }
    }
    if (draw(self, SIM_FAULT_net_loss)) {
        if (sim_rng_below(rng_of(self, SIM_FAULT_net_loss), 2) == 0)
            call->swallow = true;
        else
            call->lose_answer = true;
    }
    if (draw(self, SIM_FAULT_net_half_close))
        call->swallow = true;
    if (draw(self, SIM_FAULT_net_duplicate))
        sim_call_repeat(call, ns + sim_rng_skewed(rng_of(self, SIM_FAULT_net_duplicate), 10 * US,
                                                  10 * SIM_SECOND));
    if (draw(self, SIM_FAULT_net_stall))
        self->stall_at = sim_rng_skewed(rng_of(self, SIM_FAULT_net_stall), 1, UPLOAD_BYTES) - 1;
    if (draw(self, SIM_FAULT_net_truncate))
        self->cut_at = sim_rng_skewed(rng_of(self, SIM_FAULT_net_truncate), 1, UPLOAD_BYTES) - 1;
    uint64_t hash = sim_trace_text(call->method) ^ sim_trace_text(call->path) * 3 ^
                    sim_trace_text(call->query) * 5 ^
                    sim_trace_bytes(call->headers.at, call->headers.size) * 7 ^
                    sim_trace_bytes(call->body.at, call->body.size) * 11;
    sim_trace_event(world, SIM_EVENT_REQUEST, call->id, call->listener->id, hash);
    sim_trace_note(world, "call %llu: %s %s?%s, body of %zu bytes", (unsigned long long)call->id,
                   call->method, call->path, call->query, call->body.size);
    sim_call_post(call, ns);
    return GRAFT_OK;
}

static enum graft_rc await_head(struct sim_exchange *self, struct graft_err *err)
{
    struct sim_process *process = process_of(self);
    uint64_t deadline = deadline_in(process, patience_ms(self));
    while (!self->head_in) {
        if (self->broken)
            return unreachable(self, "connection reset by peer", err);
        if (!sim_wait_in(process->world, &self->waiters, deadline, SIM_WAIT_ANSWER, self->call->id))
            return unreachable(self, "no answer in time", err);
    }
    return GRAFT_OK;
}

static void drop(struct sim_exchange *self)
{
    sim_list_remove(&self->in_process);
    struct sim_call *call = self->call;
    if (call == NULL)
        return;
    call->client = NULL;
    (void)sim_wake_all(&call->senders);
    sim_call_unref(call);
}

void sim_exchanges_drop(struct sim_process *process)
{
    while (!sim_list_is_empty(&process->exchanges))
        drop(SIM_CONTAINER(process->exchanges.next, struct sim_exchange, in_process));
    sim_listeners_drop(process);
}

static enum graft_rc run(struct sim_exchange *self, const struct graft_request *request,
                         struct graft_err *err)
{
    struct sim_process *process = process_of(self);
    size_t host_bytes = 0;
    struct sim_listener *listener =
        sim_listener_find(process->world->net, request->url, &host_bytes);
    if (host_bytes == 0)
        return graft_err_set(err, GRAFT_EINVAL, "%s: not an HTTP URL", self->subject);
    if (listener == NULL) {
        sim_spend(process->world, sim_net_latency_ns(process->world), SIM_WAIT_CONNECT, 0);
        return unreachable(self, "could not resolve host", err);
    }
    maybe_cut_link(self, listener->machine);
    GRAFT_TRY(connect_to(self, listener, request->connect_timeout_ms, err));
    struct sim_call *call = self->call = sim_call_new(process->world->net);
    call->client = self;
    call->client_machine = process->machine;
    describe_request(self, request, host_bytes);
    if (draw(self, SIM_FAULT_net_bandwidth))
        self->bytes_per_second =
            sim_rng_skewed(rng_of(self, SIM_FAULT_net_bandwidth), BANDWIDTH_MIN, BANDWIDTH);
    GRAFT_TRY(collect_body(self, request, err));
    /* While time passed, whoever listened may have gone. */
    call->listener = sim_listener_find(process->world->net, request->url, &host_bytes);
    if (call->listener == NULL)
        return unreachable(self, "connection refused", err);
    GRAFT_TRY(send_request(self, err));
    return await_head(self, err);
}

static enum graft_rc start(struct graft_net *net, const struct graft_request *request,
                           struct graft_exchange **out, struct graft_err *err)
{
    struct sim_process *process = sim_process_of_net(net);
    GRAFT_ASSERT(process->world->running != NULL);
    struct sim_exchange *self = graft_malloc(process->env.alloc, sizeof *self);
    if (self == NULL)
        return graft_err_set(err, GRAFT_ENOMEM, "%s %s: out of memory", request->method,
                             request->url);
    *self = (struct sim_exchange){
        .exchange.net = net,
        .stall_at = UINT64_MAX,
        .cut_at = UINT64_MAX,
        .bytes_per_second = BANDWIDTH,
        .stall_timeout_ms = request->stall_timeout_ms,
    };
    (void)snprintf(self->subject, sizeof self->subject, "%s %.*s", request->method,
                   (int)strcspn(request->url, "?"), request->url);
    sim_list_init(&self->waiters);
    sim_list_append(&process->exchanges, &self->in_process);
    enum graft_rc rc = run(self, request, err);
    if (rc != GRAFT_OK) {
        drop(self);
        sim_heap_release(self);
        return rc;
    }
    *out = &self->exchange;
    return GRAFT_OK;
}

/* ---- The answer. */

static uint32_t status(struct graft_exchange *exchange)
{
    return exchange_of(exchange)->call->status;
}

static const char *header(struct graft_exchange *exchange, const char *name)
{
    struct sim_call *call = exchange_of(exchange)->call;
    const char *value = sim_header_find(&call->answer_headers, name);
    return value;
}

/* World time at which the next byte is there; SIM_FOREVER while that depends on the server, or it
 * never will be. */
static uint64_t next_byte_ns(const struct sim_exchange *self)
{
    const struct sim_call *call = self->call;
    if (self->read >= self->stall_at)
        return SIM_FOREVER;
    for (uint32_t i = 0; i < call->segment_count; i++) {
        if (self->read >= call->segments[i].end)
            continue;
        uint64_t flows_ns =
            call->head_at_ns + self->read * 1000 / (self->bytes_per_second / 1000000 + 1);
        if (self->bytes_per_second < 1000000)
            flows_ns = call->head_at_ns + self->read * 1000000 / self->bytes_per_second * 1000;
        return flows_ns > call->segments[i].at_ns ? flows_ns : call->segments[i].at_ns;
    }
    return SIM_FOREVER;
}

/* Bytes that may be handed out at once, now that the next one is there. */
static size_t readable(const struct sim_exchange *self, size_t size)
{
    const struct sim_call *call = self->call;
    uint64_t end = call->answer.size;
    for (uint32_t i = 0; i < call->segment_count; i++) {
        if (self->read < call->segments[i].end) {
            end = call->segments[i].end;
            break;
        }
    }
    if (end > self->cut_at)
        end = self->cut_at;
    if (end > self->stall_at)
        end = self->stall_at;
    uint64_t count = end - self->read < size ? end - self->read : size;
    /* In whatever pieces the network likes. */
    struct sim_rng *rng = &process_of(self)->world->streams[SIM_STREAM_DELIVERY];
    if (count > 1 && sim_rng_below(rng, 4) == 0)
        count = sim_rng_between(rng, 1, count);
    return (size_t)count;
}

enum look { LOOK_BYTES, LOOK_END, LOOK_CUT, LOOK_WAIT };

static enum look look_at(const struct sim_exchange *self)
{
    const struct sim_call *call = self->call;
    struct sim_world *world = process_of(self)->world;
    uint64_t end = call->length != UINT64_MAX ? call->length : call->answer.size;
    bool done = call->state == SIM_ANSWER_ENDED && self->read == call->answer.size;
    if (done && self->read >= end)
        return LOOK_END;
    if (done || self->read >= self->cut_at)
        return LOOK_CUT;
    if (self->read >= call->answer.size && self->broken)
        return LOOK_CUT;
    const struct sim_machine *here = process_of(self)->machine;
    if (call->listener != NULL && sim_net_is_cut(world, call->listener->machine, here))
        return LOOK_WAIT;
    return next_byte_ns(self) <= world->now_ns ? LOOK_BYTES : LOOK_WAIT;
}

static enum graft_rc read_body(struct graft_exchange *exchange, void *bytes, size_t size,
                               size_t *got, struct graft_err *err)
{
    struct sim_exchange *self = exchange_of(exchange);
    struct sim_process *process = process_of(self);
    struct sim_world *world = process->world;
    uint64_t deadline = deadline_in(process, patience_ms(self));
    sim_yield(world);
    enum look look = look_at(self);
    for (; look == LOOK_WAIT; look = look_at(self)) {
        if (world->now_ns >= deadline)
            return unreachable(self, "no byte in time", err);
        uint64_t until = next_byte_ns(self);
        if (until <= world->now_ns || until > world->now_ns + RETRY_NS)
            until = world->now_ns + RETRY_NS; /* a link may heal unannounced */
        if (until > deadline)
            until = deadline;
        (void)sim_wait_in(world, &self->waiters, until, SIM_WAIT_BODY, self->call->id);
    }
    if (look == LOOK_CUT)
        return unreachable(self, "the connection ended before the body did", err);
    size_t count = look == LOOK_END ? 0 : readable(self, size);
    if (count > 0)
        memcpy(bytes, self->call->answer.at + self->read, count);
    self->read += count;
    sim_trace_event(world, SIM_EVENT_BODY, self->call->id, count, sim_trace_bytes(bytes, count));
    (void)sim_wake_all(&self->call->senders);
    *got = count;
    return GRAFT_OK;
}

static void finish(struct graft_exchange *exchange)
{
    struct sim_exchange *self = exchange_of(exchange);
    drop(self);
    sim_heap_release(self);
}

void sim_net_set_keys(struct sim_world *world, const char *access_key, const char *secret_key)
{
    struct sim_net *net = world->net;
    GRAFT_ASSERT(strlen(access_key) < sizeof net->access_key);
    GRAFT_ASSERT(strlen(secret_key) < sizeof net->secret_key);
    memcpy(net->access_key, access_key, strlen(access_key) + 1);
    memcpy(net->secret_key, secret_key, strlen(secret_key) + 1);
}

static enum graft_rc aws(struct graft_net *net, struct graft_aws *out, struct graft_err *err)
{
    const struct sim_net *own = sim_process_of_net(net)->world->net;
    (void)err;
    memcpy(out->access_key, own->access_key, sizeof own->access_key);
    memcpy(out->secret_key, own->secret_key, sizeof own->secret_key);
    memcpy(out->region, "sim", sizeof "sim");
    memcpy(out->key_source, "the simulation", sizeof "the simulation");
    return GRAFT_OK;
}

const struct graft_net_ops sim_net_ops = {
    .start = start,
    .status = status,
    .header = header,
    .read = read_body,
    .finish = finish,
    .aws = aws,
};
