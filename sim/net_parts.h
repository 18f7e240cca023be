/* What the files of the network know of each other. */
#ifndef GRAFT_SIM_NET_PARTS_H
#define GRAFT_SIM_NET_PARTS_H

#include "sim/parts.h"

#define SIM_NET_MACHINES_MAX 64U

struct sim_net {
    struct sim_world *world;
    struct sim_link listeners;
    struct sim_link calls; /* all */
    uint64_t next_call_id;
    uint32_t next_listener_id;
    char access_key[64], secret_key[64]; /* of all processes */
    /* World time until which a direction is cut, by the machines' ids. */
    uint64_t cut_until_ns[SIM_NET_MACHINES_MAX][SIM_NET_MACHINES_MAX];
};

struct sim_listener {
    struct sim_net *net;
    struct sim_link in_net;
    struct sim_machine *machine;
    struct sim_process *process; /* NULL: not of a process */
    sim_serve_fn *serve;
    void *arg;
    struct sim_link queue;   /* calls that nobody accepted yet */
    struct sim_link waiters; /* fibers that would */
    uint32_t id;
    char host[128];
};

/* A growing run of bytes in the simulator's own memory. */
struct sim_bytes {
    uint8_t *at;
    size_t size, capacity;
};

void sim_bytes_append(struct sim_bytes *bytes, const void *more, size_t size);

/* From where on, and when, bytes of an answer are there for their reader. */
struct sim_segment {
    uint64_t end;
    uint64_t at_ns;
};

enum sim_answer_state {
    SIM_ANSWER_NONE,
    SIM_ANSWER_BEGUN,
    SIM_ANSWER_ENDED,
    SIM_ANSWER_RESET, /* the connection broke */
};

struct sim_call {
    struct sim_net *net;
    struct sim_link in_net;
    struct sim_link in_queue;
    uint32_t refs; /* the client, the server, and each message under way */
    uint64_t id;
    bool is_copy;
    struct sim_machine *client_machine;
    struct sim_listener *listener;
    struct sim_exchange *client; /* NULL: gone, or a copy */
    char method[8];
    char *path;
    char *query;
    struct sim_bytes headers; /* name, NUL, value, NUL, ... */
    struct sim_bytes body;
    char *access_key;
    char *secret_key;
    uint64_t date_ms;
    bool swallow; /* it arrives, and nothing comes of it */
    bool lose_answer;
    bool reset_answer;
    bool turns_to_500; /* it acts, and its answer says that something failed */
    /* The answer. */
    enum sim_answer_state state;
    uint32_t status;
    struct sim_bytes answer_headers;
    struct sim_bytes answer;
    struct sim_segment *segments;
    uint32_t segment_count, segment_capacity;
    uint64_t length; /* that was promised; UINT64_MAX: none */
    uint64_t delay_ns;
    uint64_t head_at_ns;
    struct sim_link senders; /* fibers that wait for the reader */
    struct sim_timer arrival;
    struct sim_timer head;
    bool has_server; /* the server still has it */
};

struct sim_exchange {
    struct graft_exchange exchange;
    struct sim_link in_process;
    struct sim_call *call;
    struct sim_link waiters; /* the fiber that reads */
    bool head_in;
    bool broken;   /* the answer will not come */
    uint64_t read; /* bytes of the body */
    uint64_t bytes_per_second;
    uint64_t stall_at; /* body byte at which nothing more comes; UINT64_MAX: never */
    uint64_t cut_at;   /* body byte at which the connection ends; UINT64_MAX: never */
    uint32_t stall_timeout_ms;
    char subject[160]; /* "<method> <url>", for errors */
};

struct sim_listener *sim_listener_find(struct sim_net *net, const char *url, size_t *host_bytes);
/* The value of a header of either side; NULL when it is not there. */
const char *sim_header_find(const struct sim_bytes *headers, const char *name);
uint64_t sim_net_latency_ns(struct sim_world *world);
struct sim_call *sim_call_new(struct sim_net *net);
void sim_call_unref(struct sim_call *call);
/* The request is under way and arrives in `ns`. */
void sim_call_post(struct sim_call *call, uint64_t ns);

#endif
