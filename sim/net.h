/* The simulated network, seen from outside: who listens, which links are cut, and what a server
 * gets and says. Processes reach it through the network seam of their environment, by the name in
 * the URL ("http://s3.sim/bucket/key" or "https://s3.sim:8080/..."; TLS changes nothing here).
 *
 * A request is collected whole, travels as a message, and acts when it arrives, which may be long
 * after its sender gave up or died, may be twice, or never. The answer travels back and is read as
 * it arrives, so that a server which streams feels its reader's speed. */
#ifndef GRAFT_SIM_NET_H
#define GRAFT_SIM_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/codes.h"

struct sim_world;
struct sim_machine;
struct sim_process;
struct sim_net;
struct sim_listener;
struct sim_call; /* one request, and its answer */

/* ---- Links. Directions are cut one by one. */

/* Nothing gets from `from` to `to` until sim_net_heal, or for `ns` (SIM_FOREVER: until then). */
void sim_net_cut(struct sim_world *world, const struct sim_machine *from,
                 const struct sim_machine *to, uint64_t ns);
/* All links are whole again. */
void sim_net_heal(struct sim_world *world);
bool sim_net_is_cut(const struct sim_world *world, const struct sim_machine *from,
                    const struct sim_machine *to);

/* What the processes of this world sign requests to a store with; nothing at first. */
void sim_net_set_keys(struct sim_world *world, const char *access_key, const char *secret_key);

/* ---- Servers. */

/* Takes the requests for `host` ("s3.sim" or "s3.sim:8080", as URLs have it); `serve(arg, call)` is
 * called when one arrives, from no fiber, and answers at once or keeps the call for later. */
typedef void sim_serve_fn(void *arg, struct sim_call *call);
struct sim_listener *sim_net_listen(struct sim_machine *machine, const char *host,
                                    sim_serve_fn *serve, void *arg);
/* The same for a process, which accepts requests in its fibers; it stops listening when it dies,
 * and whoever waits for its answer sees a reset. */
struct sim_listener *sim_process_listen(struct sim_process *process, const char *host);
/* The next request, to be answered with the functions below; NULL after `timeout_ms`. */
struct sim_call *sim_listener_accept(struct sim_listener *listener, uint32_t timeout_ms);
/* Requests that wait for it are reset. */
void sim_listener_close(struct sim_listener *listener);

/* ---- What came; all borrowed until sim_call_end. */

const char *sim_call_method(const struct sim_call *call);
const char *sim_call_path(const struct sim_call *call);  /* as in the URL: encoded, from '/' */
const char *sim_call_query(const struct sim_call *call); /* without the '?'; "" for none */
const char *sim_call_header(const struct sim_call *call, const char *name); /* NULL: none */
const void *sim_call_body(const struct sim_call *call, size_t *size);
/* The keys that the request was signed with; NULL when it was not. */
const char *sim_call_access_key(const struct sim_call *call);
const char *sim_call_secret_key(const struct sim_call *call);
/* The sender's wall clock when it signed. */
uint64_t sim_call_date_ms(const struct sim_call *call);
struct sim_world *sim_call_world(const struct sim_call *call);

/* ---- What goes back: begin, headers, any number of sends, end. */

void sim_call_begin(struct sim_call *call, uint32_t status);
void sim_call_add_header(struct sim_call *call, const char *name, const char *format, ...)
    GRAFT_PRINTF(3, 4);
/* The answer leaves so much later. Before the first send. */
void sim_call_delay(struct sim_call *call, uint64_t ns);
/* The length that the body will have; an answer that ends earlier is cut off for its reader.
 * Without it the body is what was sent until the end. */
void sim_call_set_length(struct sim_call *call, uint64_t bytes);
/* In a fiber it waits while the reader is too far behind. False when nobody reads any more. */
bool sim_call_send(struct sim_call *call, const void *bytes, size_t size);
/* Done with; also without an answer (`reset`: the connection breaks; else the sender waits). */
void sim_call_end(struct sim_call *call);
void sim_call_drop(struct sim_call *call, bool reset);
/* A second arrival of the same request in `ns`, whose answer goes nowhere. */
void sim_call_repeat(struct sim_call *call, uint64_t ns);

#endif
