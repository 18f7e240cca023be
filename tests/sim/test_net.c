/* The simulated network, over a server that knows one page. */
#include <string.h>

#include "sim/client.h"
#include "sim/scene.h"

#define PAGE_BYTES 100000U

static struct scene scene;
static struct sim_machine *server;

/* What the server saw. */
static int arrivals;
static char page[PAGE_BYTES];

static void serve_page(void *arg, struct sim_call *call)
{
    (void)arg;
    arrivals++;
    sim_call_begin(call, 200);
    sim_call_add_header(call, "Content-Length", "%u", PAGE_BYTES);
    sim_call_set_length(call, PAGE_BYTES);
    (void)sim_call_send(call, page, PAGE_BYTES);
    sim_call_end(call);
}

static void begin(enum sim_fault kind, uint32_t rate_ppm)
{
    if (kind != SIM_FAULT_COUNT)
        scene.plan.rate_ppm[kind] = rate_ppm;
    scene_begin_planned(&scene);
    server = sim_machine_new(scene.world, "server");
    (void)sim_net_listen(server, "page.sim", serve_page, NULL);
    for (size_t i = 0; i < PAGE_BYTES; i++)
        page[i] = (char)(i * 31 >> 3);
}

static void set_up(void)
{
    sim_plan_calm(&scene.plan, 11);
}

static void tear_down(void)
{
    scene_end(&scene);
}

TestSuite(sim_net, .init = set_up, .fini = tear_down);

/* What became of many requests. */
struct tally {
    int asked;
    int good;
    int no_head;  /* failed before the head was in */
    int cut_body; /* failed after it */
    uint64_t slowest_ns;
};

static void ask_often(struct sim_process *process, void *arg)
{
    struct tally *tally = arg;
    static struct client client;
    client = (struct client){.env = sim_process_env(process)};
    for (int i = 0; i < tally->asked; i++) {
        uint64_t before = sim_world_now_ns(sim_process_world(process));
        enum graft_rc rc = client_ask(&client, "GET", "http://page.sim/p?q=1");
        uint64_t passed = sim_world_now_ns(sim_process_world(process)) - before;
        tally->slowest_ns = passed > tally->slowest_ns ? passed : tally->slowest_ns;
        cr_assert(rc == GRAFT_OK || rc == GRAFT_EUNREACHABLE);
        if (rc == GRAFT_OK) {
            tally->good++;
            cr_assert_eq(client.size, PAGE_BYTES);
            cr_assert_arr_eq(client.answer, page, PAGE_BYTES);
        } else if (client.has_head) {
            tally->cut_body++;
        } else {
            tally->no_head++;
        }
    }
}

static struct tally ask(int count)
{
    struct tally tally = {.asked = count};
    scene_run(&scene, ask_often, &tally);
    cr_assert_eq(tally.good + tally.no_head + tally.cut_body, count);
    return tally;
}

Test(sim_net, without_faults_every_answer_comes)
{
    begin(SIM_FAULT_COUNT, 0);
    struct tally tally = ask(50);
    cr_assert_eq(tally.good, 50);
    cr_assert_eq(arrivals, 50);
    cr_assert_lt(tally.slowest_ns, SIM_SECOND);
}

Test(sim_net, requests_and_answers_are_lost)
{
    begin(SIM_FAULT_net_loss, 200000);
    struct tally tally = ask(100);
    cr_assert(tally.no_head > 5 && tally.good > 50 && tally.cut_body == 0);
    cr_assert(arrivals > tally.good && arrivals < 100, "some acted, and nobody heard of it");
    cr_assert_geq(tally.slowest_ns, 20 * SIM_SECOND, "the sender waits for its time-out");
    cr_assert_eq(scene_fired(&scene, SIM_FAULT_net_loss), (uint64_t)tally.no_head);
}

Test(sim_net, connections_are_reset_at_any_time)
{
    begin(SIM_FAULT_net_reset, 300000);
    struct tally tally = ask(100);
    cr_assert(tally.no_head > 5 && tally.cut_body > 2 && tally.good > 40);
    cr_assert(arrivals < 100 && arrivals > tally.good + tally.cut_body);
    cr_assert_lt(tally.slowest_ns, 5 * SIM_SECOND, "and nobody waits for long");
}

Test(sim_net, bodies_stall)
{
    begin(SIM_FAULT_net_stall, 200000);
    struct tally tally = ask(100);
    cr_assert(tally.no_head == 0 && tally.cut_body > 5 && tally.good > 50);
    cr_assert_geq(tally.slowest_ns, 20 * SIM_SECOND);
}

Test(sim_net, bodies_are_truncated)
{
    begin(SIM_FAULT_net_truncate, 200000);
    struct tally tally = ask(100);
    cr_assert(tally.no_head == 0 && tally.cut_body > 5 && tally.good > 50);
    cr_assert_lt(tally.slowest_ns, SIM_SECOND);
}

Test(sim_net, a_half_closed_connection_never_answers)
{
    begin(SIM_FAULT_net_half_close, 200000);
    struct tally tally = ask(100);
    cr_assert(tally.no_head > 5 && tally.cut_body == 0);
    cr_assert_eq(arrivals, tally.good);
}

Test(sim_net, requests_arrive_twice)
{
    begin(SIM_FAULT_net_duplicate, 200000);
    struct tally tally = ask(100);
    cr_assert_eq(tally.good, 100);
    cr_assert(arrivals > 105);
}

Test(sim_net, messages_are_slow)
{
    begin(SIM_FAULT_net_slow, 200000);
    struct tally tally = ask(100);
    cr_assert_gt(tally.good, 80);
    cr_assert_gt(tally.slowest_ns, 5 * SIM_SECOND);
}

Test(sim_net, bandwidth_runs_low)
{
    begin(SIM_FAULT_net_bandwidth, 300000);
    struct tally tally = ask(100);
    cr_assert_eq(tally.good, 100);
    cr_assert_gt(tally.slowest_ns, 5 * SIM_SECOND);
}

Test(sim_net, links_are_cut_for_a_while)
{
    begin(SIM_FAULT_net_partition, 100000);
    struct tally tally = ask(100);
    cr_assert_gt(scene_fired(&scene, SIM_FAULT_net_partition), 3);
    cr_assert(tally.no_head > 0 && tally.good > 50);
}

Test(sim_net, one_direction_can_be_cut_alone)
{
    begin(SIM_FAULT_COUNT, 0);
    sim_net_cut(scene.world, server, scene.machine, SIM_FOREVER);
    cr_assert(sim_net_is_cut(scene.world, server, scene.machine));
    cr_assert(!sim_net_is_cut(scene.world, scene.machine, server));
    cr_assert_eq(ask(1).no_head, 1);
    sim_net_heal(scene.world);
    cr_assert_eq(ask(1).good, 1);
}

Test(sim_net, a_server_that_is_down_refuses)
{
    begin(SIM_FAULT_COUNT, 0);
    sim_machine_crash(server);
    struct tally tally = ask(2);
    cr_assert(tally.no_head == 2 && tally.slowest_ns < SIM_SECOND);
    sim_machine_restart(server);
    cr_assert_eq(ask(1).good, 1);
}

static void ask_nonsense(struct sim_process *process, void *arg)
{
    static struct client client;
    (void)arg;
    client = (struct client){.env = sim_process_env(process)};
    cr_assert_eq(client_ask(&client, "GET", "http://nowhere.sim/"), GRAFT_EUNREACHABLE);
    cr_assert_not_null(strstr(client.err.text, "resolve"));
    cr_assert_eq(client_ask(&client, "GET", "ftp://page.sim/"), GRAFT_EINVAL);
}

Test(sim_net, unknown_hosts_and_schemes_are_told_apart)
{
    begin(SIM_FAULT_COUNT, 0);
    scene_run(&scene, ask_nonsense, NULL);
}

/* ---- Servers in processes. */

static void serve_in_process(struct sim_process *process, void *arg)
{
    struct sim_listener *listener = sim_process_listen(process, "proc.sim:8080");
    (void)arg;
    for (;;) {
        struct sim_call *call = sim_listener_accept(listener, GRAFT_WAIT_FOREVER);
        size_t size = 0;
        const char *body = sim_call_body(call, &size);
        cr_assert_str_eq(sim_call_method(call), "POST");
        cr_assert_str_eq(sim_call_path(call), "/echo");
        cr_assert_str_eq(sim_call_header(call, "x-test"), "yes");
        sim_call_begin(call, 201);
        /* Piece by piece, far more than its reader takes at once. */
        for (int i = 0; i < 100 && sim_call_send(call, body, size); i++)
            sim_sleep_ns(sim_process_world(process), SIM_MS);
        sim_call_end(call);
    }
}

static void post_once(struct sim_process *process, void *arg)
{
    static struct client client;
    static char body[1000];
    const struct graft_header header = {"X-Test", "yes"};
    memset(body, 'b', sizeof body);
    client = (struct client){.env = sim_process_env(process),
                             .headers = &header,
                             .header_count = 1,
                             .body = body,
                             .body_bytes = sizeof body};
    *(enum graft_rc *)arg = client_ask(&client, "POST", "https://proc.sim:8080/echo");
    if (*(enum graft_rc *)arg != GRAFT_OK)
        return;
    cr_assert_eq(client.status, 201);
    cr_assert_eq(client.size, 100000);
    cr_assert_eq(client.answer[99999], 'b');
}

Test(sim_net, a_process_serves_and_streams)
{
    enum graft_rc rc = GRAFT_OK;
    begin(SIM_FAULT_COUNT, 0);
    struct sim_process *process = sim_process_start(server, "serve", serve_in_process, NULL);
    (void)sim_world_run(scene.world, SIM_SECOND);
    sim_process_start(scene.machine, "client", post_once, &rc);
    (void)sim_world_run(scene.world, 10 * SIM_SECOND);
    cr_assert_eq(rc, GRAFT_OK);
    sim_process_kill(process);
    scene_expect(&scene, SIM_FINISHED);
}

Test(sim_net, the_death_of_a_server_resets_who_waits_for_it)
{
    enum graft_rc rc = GRAFT_OK;
    begin(SIM_FAULT_COUNT, 0);
    struct sim_process *process = sim_process_start(server, "serve", serve_in_process, NULL);
    (void)sim_world_run(scene.world, SIM_SECOND);
    sim_process_start(scene.machine, "client", post_once, &rc);
    while (sim_world_trace(scene.world)->events[SIM_EVENT_ANSWER] == 0)
        (void)sim_world_run(scene.world, sim_world_now_ns(scene.world) + SIM_MS);
    sim_process_kill(process);
    scene_expect(&scene, SIM_FINISHED);
    cr_assert_eq(rc, GRAFT_EUNREACHABLE);
    cr_assert_lt(sim_world_now_ns(scene.world), 5 * SIM_SECOND);
}

static void sleep_long(struct sim_process *process, void *arg)
{
    (void)arg;
    graft_task_sleep_ms(sim_process_env(process)->tasks, 120000);
}

Test(sim_net, a_request_acts_although_its_sender_died)
{
    begin(SIM_FAULT_net_slow, 1000000);
    struct tally tally = {.asked = 1};
    struct sim_process *process = sim_process_start(scene.machine, "client", ask_often, &tally);
    while (sim_world_trace(scene.world)->events[SIM_EVENT_REQUEST] == 0)
        (void)sim_world_run(scene.world, sim_world_now_ns(scene.world) + SIM_MS);
    sim_process_kill(process);
    cr_assert_eq(arrivals, 0);
    scene_run(&scene, sleep_long, NULL);
    cr_assert_eq(arrivals, 1);
}
