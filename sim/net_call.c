/* Calls as servers see them: the request, and the answer on its way back. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/assert.h"
#include "sim/net_parts.h"

/* How far a server in a fiber may run ahead of its reader. */
#define WINDOW_BYTES (256U << 10)

void sim_bytes_append(struct sim_bytes *bytes, const void *more, size_t size)
{
    if (size == 0)
        return;
    if (bytes->size + size > bytes->capacity) {
        size_t capacity = bytes->capacity == 0 ? 256 : bytes->capacity * 2;
        if (capacity < bytes->size + size)
            capacity = bytes->size + size;
        bytes->at = sim_host_realloc(bytes->at, capacity);
        bytes->capacity = capacity;
    }
    memcpy(bytes->at + bytes->size, more, size);
    bytes->size += size;
}

struct sim_call *sim_call_new(struct sim_net *net)
{
    struct sim_call *call = sim_host_alloc(sizeof *call);
    call->net = net;
    call->refs = 1;
    call->id = ++net->next_call_id;
    call->length = UINT64_MAX;
    sim_list_init(&call->senders);
    sim_list_append(&net->calls, &call->in_net);
    return call;
}

void sim_call_unref(struct sim_call *call)
{
    if (call == NULL || --call->refs > 0)
        return;
    struct sim_world *world = call->net->world;
    sim_timer_cancel(world, &call->arrival);
    sim_timer_cancel(world, &call->head);
    sim_list_remove(&call->in_net);
    sim_list_remove(&call->in_queue);
    sim_host_free(call->path);
    sim_host_free(call->query);
    sim_host_free(call->access_key);
    sim_host_free(call->secret_key);
    sim_host_free(call->headers.at);
    sim_host_free(call->body.at);
    sim_host_free(call->answer_headers.at);
    sim_host_free(call->answer.at);
    sim_host_free(call->segments);
    sim_host_free(call);
}

/* ---- The request. */

const char *sim_call_method(const struct sim_call *call)
{
    return call->method;
}

const char *sim_call_path(const struct sim_call *call)
{
    return call->path;
}

const char *sim_call_query(const struct sim_call *call)
{
    return call->query;
}

const char *sim_header_find(const struct sim_bytes *headers, const char *name)
{
    const char *at = (const char *)headers->at;
    const char *end = at + headers->size;
    while (at < end) {
        const char *value = at + strlen(at) + 1;
        if (strcasecmp(at, name) == 0)
            return value;
        at = value + strlen(value) + 1;
    }
    return NULL;
}

const char *sim_call_header(const struct sim_call *call, const char *name)
{
    return sim_header_find(&call->headers, name);
}

const void *sim_call_body(const struct sim_call *call, size_t *size)
{
    *size = call->body.size;
    return call->body.at;
}

const char *sim_call_access_key(const struct sim_call *call)
{
    return call->access_key;
}

const char *sim_call_secret_key(const struct sim_call *call)
{
    return call->secret_key;
}

uint64_t sim_call_date_ms(const struct sim_call *call)
{
    return call->date_ms;
}

struct sim_world *sim_call_world(const struct sim_call *call)
{
    return call->net->world;
}

/* ---- The answer. */

void sim_call_begin(struct sim_call *call, uint32_t status)
{
    GRAFT_ASSERT(call->state == SIM_ANSWER_NONE);
    call->state = SIM_ANSWER_BEGUN;
    call->status = call->turns_to_500 ? 500 : status;
}

void sim_call_add_header(struct sim_call *call, const char *name, const char *format, ...)
{
    char value[1024];
    va_list args;
    va_start(args, format);
    int length = vsnprintf(value, sizeof value, format, args);
    va_end(args);
    GRAFT_ASSERT(length >= 0 && (size_t)length < sizeof value);
    sim_bytes_append(&call->answer_headers, name, strlen(name) + 1);
    sim_bytes_append(&call->answer_headers, value, (size_t)length + 1);
}

void sim_call_delay(struct sim_call *call, uint64_t ns)
{
    call->delay_ns += ns;
}

void sim_call_set_length(struct sim_call *call, uint64_t bytes)
{
    call->length = bytes;
}

/* The reader has something to look at. */
static void wake_client(struct sim_call *call)
{
    if (call->client != NULL)
        (void)sim_wake_all(&call->client->waiters);
}

static void head_arrives(struct sim_world *world, struct sim_timer *timer)
{
    struct sim_call *call = SIM_CONTAINER(timer, struct sim_call, head);
    const struct sim_machine *server = call->listener == NULL ? NULL : call->listener->machine;
    bool lost = server != NULL && sim_net_is_cut(world, server, call->client_machine);
    if (call->client != NULL && call->reset_answer) {
        call->client->broken = true;
    } else if (call->client != NULL && !lost && !call->lose_answer) {
        call->client->head_in = true;
        sim_trace_event(world, SIM_EVENT_ANSWER, call->id, call->status, call->answer.size);
    }
    wake_client(call);
    sim_call_unref(call);
}

static void drop_message(struct sim_world *world, struct sim_timer *timer)
{
    (void)world;
    (void)timer; /* the network frees all calls */
}

/* The head leaves with the first byte of the body, or at the end. */
static void send_head(struct sim_call *call)
{
    struct sim_world *world = call->net->world;
    if (call->head_at_ns != 0)
        return;
    call->head_at_ns = world->now_ns + call->delay_ns + sim_net_latency_ns(world);
    call->head = (struct sim_timer){.fire = head_arrives, .drop = drop_message};
    call->refs++;
    sim_timer_set(world, &call->head, call->head_at_ns);
}

bool sim_call_send(struct sim_call *call, const void *bytes, size_t size)
{
    GRAFT_ASSERT(call->state == SIM_ANSWER_BEGUN);
    struct sim_world *world = call->net->world;
    send_head(call);
    if (size > 0) {
        sim_bytes_append(&call->answer, bytes, size);
        if (call->segment_count == call->segment_capacity) {
            call->segment_capacity = call->segment_capacity == 0 ? 4 : call->segment_capacity * 2;
            call->segments =
                sim_host_realloc(call->segments, call->segment_capacity * sizeof *call->segments);
        }
        /* As long under way as the head was: bytes do not overtake it. */
        uint64_t at_ns = world->now_ns > call->head_at_ns ? world->now_ns : call->head_at_ns;
        call->segments[call->segment_count++] =
            (struct sim_segment){.end = call->answer.size, .at_ns = at_ns};
        wake_client(call);
    }
    while (world->running != NULL && call->client != NULL &&
           call->answer.size - call->client->read > WINDOW_BYTES)
        (void)sim_wait_in(world, &call->senders, SIM_FOREVER, SIM_WAIT_WINDOW, call->id);
    return call->client != NULL;
}

static void part(struct sim_call *call)
{
    GRAFT_ASSERT(call->has_server);
    call->has_server = false;
    sim_list_remove(&call->in_queue);
    wake_client(call);
    sim_call_unref(call);
}

void sim_call_end(struct sim_call *call)
{
    GRAFT_ASSERT(call->state == SIM_ANSWER_BEGUN);
    send_head(call);
    call->state = SIM_ANSWER_ENDED;
    part(call);
}

void sim_call_drop(struct sim_call *call, bool reset)
{
    if (reset)
        call->state = SIM_ANSWER_RESET;
    if (reset && call->client != NULL)
        call->client->broken = true;
    part(call);
}

static void copy_bytes(struct sim_bytes *to, const struct sim_bytes *from)
{
    sim_bytes_append(to, from->at, from->size);
}

void sim_call_repeat(struct sim_call *call, uint64_t ns)
{
    struct sim_call *copy = sim_call_new(call->net);
    copy->is_copy = true;
    copy->client_machine = call->client_machine;
    copy->listener = call->listener;
    memcpy(copy->method, call->method, sizeof copy->method);
    copy->path = sim_host_strdup(call->path);
    copy->query = sim_host_strdup(call->query);
    copy_bytes(&copy->headers, &call->headers);
    copy_bytes(&copy->body, &call->body);
    copy->access_key = call->access_key == NULL ? NULL : sim_host_strdup(call->access_key);
    copy->secret_key = call->secret_key == NULL ? NULL : sim_host_strdup(call->secret_key);
    copy->date_ms = call->date_ms;
    sim_call_post(copy, ns);
    sim_call_unref(copy);
}
