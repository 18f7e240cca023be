/* The simulated object store: that it answers as S3 does, and that each of its faults fires. */
#include <stdio.h>
#include <string.h>

#include "sim/client.h"
#include "sim/s3.h"
#include "sim/scene.h"

#define URL "http://s3.sim/bucket/"

static struct scene scene;
static struct sim_s3 *s3;
static struct client client;

static void begin(void)
{
    scene_begin_planned(&scene);
    struct sim_machine *machine = sim_machine_new(scene.world, "store");
    s3 = sim_s3_new(machine, "s3.sim", "bucket", "key", "secret");
}

static void set_up(void)
{
    sim_plan_calm(&scene.plan, 21);
}

static void tear_down(void)
{
    scene_end(&scene);
    sim_s3_free(s3);
}

TestSuite(sim_s3, .init = set_up, .fini = tear_down);

static void use(struct sim_process *process)
{
    memset(&client, 0, offsetof(struct client, answer));
    client.env = sim_process_env(process);
    client.access_key = "key";
    client.secret_key = "secret";
}

static uint32_t ask(const char *method, const char *url)
{
    cr_assert_eq(client_ask(&client, method, url), GRAFT_OK, "%s", client.err.text);
    return client.status;
}

static uint32_t put(const char *url, const char *text, const char *if_none_match)
{
    struct graft_header header = {"If-None-Match", if_none_match};
    client.headers = &header;
    client.header_count = if_none_match != NULL;
    client.body = text;
    client.body_bytes = strlen(text);
    uint32_t status = ask("PUT", url);
    client.headers = NULL;
    client.header_count = 0;
    return status;
}

static uint32_t get_range(const char *url, const char *range)
{
    struct graft_header header = {"Range", range};
    client.headers = &header;
    client.header_count = 1;
    uint32_t status = ask("GET", url);
    client.headers = NULL;
    client.header_count = 0;
    return status;
}

/* ---- Verbs. */

static void use_objects(struct sim_process *process, void *arg)
{
    (void)arg;
    use(process);
    cr_assert_eq(ask("GET", URL "a"), 404);
    cr_assert_not_null(strstr(client.answer, "<Code>NoSuchKey</Code>"));
    cr_assert_eq(put(URL "a", "hello world", NULL), 200);
    char etag[64];
    memcpy(etag, client.etag, sizeof etag);
    cr_assert_eq(ask("GET", URL "a"), 200);
    cr_assert_str_eq(client.answer, "hello world");
    cr_assert_str_eq(client.etag, etag);
    cr_assert_eq(ask("HEAD", URL "a"), 200);
    cr_assert(client.size == 0 && strcmp(client.length, "11") == 0);
    cr_assert_eq(ask("HEAD", URL "b"), 404);
    cr_assert_eq(put(URL "a", "again", NULL), 200);
    cr_assert_str_neq(client.etag, etag);
    cr_assert_eq(ask("DELETE", URL "a"), 204);
    cr_assert_eq(ask("DELETE", URL "a"), 204);
    cr_assert_eq(ask("GET", URL "a"), 404);
    cr_assert_eq(ask("GET", "http://s3.sim/other/a"), 404);
    cr_assert_not_null(strstr(client.answer, "NoSuchBucket"));
    cr_assert_eq(put(URL "x%20y/%C3%BC", "odd", NULL), 200);
    size_t size = 0;
    cr_assert_not_null(sim_s3_find(s3, "x y/\xc3\xbc", &size));
}

Test(sim_s3, objects_are_put_got_and_deleted)
{
    begin();
    scene_run(&scene, use_objects, NULL);
}

static void put_if_absent(struct sim_process *process, void *arg)
{
    struct client *own = arg;
    struct graft_header header = {"If-None-Match", "*"};
    own->env = sim_process_env(process);
    own->access_key = "key";
    own->secret_key = "secret";
    own->headers = &header;
    own->header_count = 1;
    own->body = "x";
    own->body_bytes = 1;
    cr_assert_eq(client_ask(own, "PUT", URL "once"), GRAFT_OK);
}

Test(sim_s3, of_many_conditional_puts_one_wins)
{
    static struct client clients[10];
    int won = 0;
    begin();
    for (int i = 0; i < 10; i++)
        sim_process_start(scene.machine, "racer", put_if_absent, &clients[i]);
    scene_expect(&scene, SIM_FINISHED);
    for (int i = 0; i < 10; i++) {
        cr_assert(clients[i].status == 200 || clients[i].status == 412);
        won += clients[i].status == 200;
    }
    cr_assert_eq(won, 1);
}

static void use_ranges(struct sim_process *process, void *arg)
{
    (void)arg;
    use(process);
    cr_assert_eq(put(URL "a", "0123456789", NULL), 200);
    cr_assert_eq(get_range(URL "a", "bytes=2-4"), 206);
    cr_assert_str_eq(client.answer, "234");
    cr_assert_str_eq(client.range, "bytes 2-4/10");
    cr_assert_eq(get_range(URL "a", "bytes=8-100"), 206);
    cr_assert_str_eq(client.answer, "89");
    cr_assert_eq(get_range(URL "a", "bytes=7-"), 206);
    cr_assert_str_eq(client.answer, "789");
    cr_assert_eq(get_range(URL "a", "bytes=-3"), 206);
    cr_assert_str_eq(client.answer, "789");
    cr_assert_eq(get_range(URL "a", "bytes=10-"), 416);
    cr_assert_eq(get_range(URL "a", "nonsense"), 200);
}

Test(sim_s3, ranges_are_honoured)
{
    begin();
    scene_run(&scene, use_ranges, NULL);
}

static void use_lists(struct sim_process *process, void *arg)
{
    char url[200];
    (void)arg;
    use(process);
    for (int i = 0; i < 10; i++) {
        (void)snprintf(url, sizeof url, URL "d/%d&", i);
        cr_assert_eq(put(url, "x", NULL), 200);
    }
    cr_assert_eq(put(URL "e/1", "x", NULL), 200);
    cr_assert_eq(ask("GET", "http://s3.sim/bucket?list-type=2&prefix=d%2F&max-keys=4"), 200);
    cr_assert_not_null(strstr(client.answer, "<KeyCount>4</KeyCount>"));
    cr_assert_not_null(strstr(client.answer, "<IsTruncated>true</IsTruncated>"));
    cr_assert_not_null(strstr(client.answer, "<Key>d/3&amp;</Key>"));
    const char *token = strstr(client.answer, "<NextContinuationToken>");
    cr_assert_not_null(token);
    token += strlen("<NextContinuationToken>");
    (void)snprintf(url, sizeof url,
                   "http://s3.sim/bucket?continuation-token=%.*s&list-type=2&prefix=d%%2F",
                   (int)strcspn(token, "<"), token);
    cr_assert_eq(ask("GET", url), 200);
    cr_assert_not_null(strstr(client.answer, "<KeyCount>6</KeyCount>"));
    cr_assert_not_null(strstr(client.answer, "<IsTruncated>false</IsTruncated>"));
    cr_assert_eq(ask("GET", "http://s3.sim/bucket/?list-type=2&start-after=d%2F8%26"), 200);
    cr_assert_not_null(strstr(client.answer, "<KeyCount>2</KeyCount>"));
    cr_assert_eq(ask("GET", "http://s3.sim/bucket/?delimiter=%2F&list-type=2"), 200);
    cr_assert_not_null(strstr(client.answer, "<CommonPrefixes><Prefix>e/</Prefix>"));
    cr_assert_not_null(strstr(client.answer, "<KeyCount>2</KeyCount>"));
    cr_assert_eq(ask("GET", "http://s3.sim/bucket?encoding-type=url&list-type=2&max-keys=1"), 200);
    cr_assert_not_null(strstr(client.answer, "<Key>d/0%26</Key>"));
    cr_assert_eq(ask("GET", "http://s3.sim/bucket?list-type=1"), 501);
}

Test(sim_s3, lists_come_in_pages)
{
    begin();
    scene_run(&scene, use_lists, NULL);
}

static void use_multipart(struct sim_process *process, void *arg)
{
    char id[64];
    char url[200];
    char etags[2][64];
    char xml[600];
    (void)arg;
    use(process);
    cr_assert_eq(ask("POST", URL "big?uploads="), 200);
    const char *at = strstr(client.answer, "<UploadId>") + strlen("<UploadId>");
    (void)snprintf(id, sizeof id, "%.*s", (int)strcspn(at, "<"), at);
    for (int part = 2; part >= 1; part--) {
        (void)snprintf(url, sizeof url, URL "big?partNumber=%d&uploadId=%s", part, id);
        cr_assert_eq(put(url, part == 1 ? "first " : "second", NULL), 200);
        memcpy(etags[part - 1], client.etag, 64);
    }
    cr_assert_eq(ask("GET", URL "big"), 404, "not before it is complete");
    (void)snprintf(xml, sizeof xml,
                   "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>%s</ETag></Part>"
                   "<Part><PartNumber>2</PartNumber><ETag>&quot;%.32s&quot;</ETag></Part>"
                   "</CompleteMultipartUpload>",
                   etags[0], etags[1] + 1);
    (void)snprintf(url, sizeof url, URL "big?uploadId=%s", id);
    client.body = xml;
    client.body_bytes = strlen(xml);
    cr_assert_eq(ask("POST", url), 200);
    cr_assert_eq(ask("GET", URL "big"), 200);
    cr_assert_str_eq(client.answer, "first second");
    cr_assert_eq(ask("DELETE", url), 404, "the upload is over");
    client.body = "<Delete><Object><Key>big</Key></Object><Object><Key>no</Key></Object></Delete>";
    client.body_bytes = strlen(client.body);
    cr_assert_eq(ask("POST", "http://s3.sim/bucket?delete="), 200);
    cr_assert_eq(ask("GET", URL "big"), 404);
}

Test(sim_s3, uploads_in_parts_appear_whole)
{
    begin();
    scene_run(&scene, use_multipart, NULL);
}

static void use_wrong_keys(struct sim_process *process, void *arg)
{
    (void)arg;
    use(process);
    client.secret_key = "guess";
    cr_assert_eq(ask("GET", URL "a"), 403);
    cr_assert_not_null(strstr(client.answer, "SignatureDoesNotMatch"));
    client.access_key = "who";
    cr_assert_eq(ask("GET", URL "a"), 403);
    cr_assert_not_null(strstr(client.answer, "InvalidAccessKeyId"));
    client.access_key = NULL;
    cr_assert_eq(ask("GET", URL "a"), 403);
    cr_assert_not_null(strstr(client.answer, "AccessDenied"));
    use(process);
    sim_machine_jump_clock(sim_process_machine(process), 1000000);
    cr_assert_eq(ask("GET", URL "a"), 403);
    cr_assert_not_null(strstr(client.answer, "RequestTimeTooSkewed"));
    sim_machine_jump_clock(sim_process_machine(process), -1800000);
    cr_assert_eq(ask("GET", URL "a"), 404);
}

Test(sim_s3, who_has_no_key_or_no_clock_is_refused)
{
    begin();
    scene_run(&scene, use_wrong_keys, NULL);
}

/* ---- Faults. */

struct tally {
    int failed; /* no answer at all */
    int by_status[600];
    int wrong; /* 200 or 206 with other bytes than asked */
    int stale; /* lists without what was put before */
};

static void work(struct sim_process *process, void *arg)
{
    struct tally *tally = arg;
    char key[64];
    for (int i = 0; i < 150; i++) {
        use(process);
        (void)snprintf(key, sizeof key, URL "k%03d", i);
        client.body = "0123456789";
        client.body_bytes = 10;
        bool was_put = client_ask(&client, "PUT", key) == GRAFT_OK && client.status == 200;
        tally->failed += client.status == 0;
        tally->by_status[client.status]++;
        if (!was_put)
            continue;
        struct graft_header range = {"Range", "bytes=3-6"};
        client.headers = &range;
        client.header_count = 1;
        enum graft_rc rc = client_ask(&client, "GET", key);
        tally->failed += rc != GRAFT_OK;
        tally->by_status[client.status]++;
        tally->wrong +=
            rc == GRAFT_OK && client.status / 100 == 2 && strcmp(client.answer, "3456") != 0;
        client.header_count = 0;
        (void)snprintf(key, sizeof key, "http://s3.sim/bucket?list-type=2&prefix=k%03d", i);
        rc = client_ask(&client, "GET", key);
        tally->failed += rc != GRAFT_OK;
        tally->stale +=
            rc == GRAFT_OK && client.status == 200 && strstr(client.answer, "<KeyCount>1<") == NULL;
    }
}

static struct tally work_under(enum sim_fault kind, uint32_t rate_ppm)
{
    struct tally tally = {0};
    scene.plan.rate_ppm[kind] = rate_ppm;
    begin();
    scene_run(&scene, work, &tally);
    cr_assert_gt(scene_fired(&scene, kind), 0, "%s never fired", sim_fault_name(kind));
    return tally;
}

Test(sim_s3, is_busy_and_says_when_to_come_back)
{
    struct tally tally = work_under(SIM_FAULT_store_busy, 100000);
    cr_assert(tally.by_status[429] > 5 && tally.wrong == 0 && tally.failed == 0);
}

Test(sim_s3, fails_with_500_before_or_after_it_acts)
{
    struct tally tally = work_under(SIM_FAULT_store_error, 100000);
    cr_assert_gt(tally.by_status[500], 5);
    size_t size = 0;
    int acted = 0;
    for (int i = 0; i < 150; i++) {
        char key[8];
        (void)snprintf(key, sizeof key, "k%03d", i);
        acted += sim_s3_find(s3, key, &size) != NULL;
    }
    cr_assert(acted < 150 && acted > tally.by_status[200], "%d acted, %d said so", acted,
              tally.by_status[200]);
}

Test(sim_s3, has_storms_of_503)
{
    struct tally tally = work_under(SIM_FAULT_store_storm, 20000);
    cr_assert_gt(tally.by_status[503], 10);
}

Test(sim_s3, loses_answers_of_requests_that_acted)
{
    struct tally tally = work_under(SIM_FAULT_store_answer_lost, 100000);
    cr_assert_gt(tally.failed, 5);
    size_t size = 0;
    cr_assert_eq(sim_s3_count(s3)->puts, 150);
    cr_assert_not_null(sim_s3_find(s3, "k000", &size));
    cr_assert_not_null(sim_s3_find(s3, "k149", &size));
}

static void overwrite(struct sim_process *process, void *arg)
{
    (void)arg;
    use(process);
    cr_assert_eq(put(URL "a", "old", NULL), 200);
    cr_assert_eq(put(URL "a", "new", NULL), 200);
    cr_assert_eq(ask("DELETE", URL "a"), 204);
    graft_task_sleep_ms(client.env->tasks, 1200000);
    cr_assert_eq(ask("GET", URL "a"), 200, "a late copy brought it back");
}

Test(sim_s3, repeats_a_put_minutes_later)
{
    scene.plan.rate_ppm[SIM_FAULT_store_late_put] = 1000000;
    begin();
    scene_run(&scene, overwrite, NULL);
    cr_assert_eq(scene_fired(&scene, SIM_FAULT_store_late_put), 2);
}

Test(sim_s3, shortens_bodies)
{
    struct tally tally = work_under(SIM_FAULT_store_truncate, 100000);
    cr_assert(tally.wrong > 3 && tally.failed == 0);
}

Test(sim_s3, sends_other_ranges)
{
    struct tally tally = work_under(SIM_FAULT_store_wrong_range, 200000);
    cr_assert(tally.wrong > 3 && tally.failed == 0);
}

Test(sim_s3, lists_what_was_a_while_ago)
{
    struct tally tally = work_under(SIM_FAULT_store_stale_list, 300000);
    cr_assert(tally.stale > 5 && tally.stale < 100 && tally.wrong == 0);
}

Test(sim_s3, is_slow_to_answer)
{
    (void)work_under(SIM_FAULT_store_slow, 100000);
    cr_assert_gt(sim_world_now_ns(scene.world), 30 * SIM_SECOND);
}

Test(sim_s3, finds_the_time_of_a_request_odd)
{
    struct tally tally = work_under(SIM_FAULT_store_skew, 100000);
    cr_assert_gt(tally.by_status[403], 5);
}
