/* Cases: drawn, printed, and read back. */
#include "sim/case.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "sim/number.h"
#include "sim/rand.h"
#include "workloads/workload.h"

#define CASE_STREAM 0x20000U
#define CACHE_STREAM 0x20001U /* its own, so that older seeds stay as they were but for it */
#define TRANSACTIONS 100U

static const char *const remotes[SIM_REMOTE_COUNT] = {"file", "s3"};

static const char *draw_workload(struct sim_rng *rng)
{
    size_t count = 0;
    while (workloads[count] != NULL)
        count++;
    GRAFT_ASSERT(count > 0);
    return workloads[sim_rng_below(rng, count)]->name;
}

/* A third of the seeds has one, most of these less than the volume takes. */
static uint32_t draw_cache_limit(uint64_t seed)
{
    static const uint32_t limits[] = {65536, 65536, 98304, 131072, 262144};
    struct sim_rng rng;
    sim_rng_init(&rng, seed, CACHE_STREAM);
    if (sim_rng_below(&rng, 3) != 0)
        return 0;
    return limits[sim_rng_below(&rng, sizeof limits / sizeof *limits)];
}

void sim_case_draw(struct sim_case *out, uint64_t seed, const char *workload)
{
    static const uint32_t page_bytes[] = {512, 1024, 4096, 4096, 4096, 4096, 8192, 16384};
    struct sim_rng rng;
    sim_rng_init(&rng, seed, CASE_STREAM);
    *out = (struct sim_case){.seed = seed, .transactions = TRANSACTIONS};
    const char *drawn = draw_workload(&rng);
    (void)snprintf(out->workload, sizeof out->workload, "%s", workload == NULL ? drawn : workload);
    out->remote = (enum sim_remote)sim_rng_below(&rng, SIM_REMOTE_COUNT);
    out->replicas = 2 + (uint32_t)(sim_rng_below(&rng, 3) == 0);
    out->machines = (uint32_t)sim_rng_between(&rng, 2, out->replicas);
    out->processes = 1 + (uint32_t)(sim_rng_below(&rng, 3) == 0);
    out->page_bytes = page_bytes[sim_rng_below(&rng, sizeof page_bytes / sizeof *page_bytes)];
    out->seconds = (uint32_t)sim_rng_between(&rng, 25, 50);
    out->cache_limit = draw_cache_limit(seed);
    sim_plan_draw(&out->plan, seed);
}

void sim_case_print(const struct sim_case *self, char out[SIM_CASE_TEXT_BYTES])
{
    char plan[SIM_PLAN_TEXT_BYTES];
    sim_plan_print(&self->plan, plan);
    int used = snprintf(out, SIM_CASE_TEXT_BYTES,
                        "setup seed=%" PRIu64 " workload=%s remote=%s machines=%u replicas=%u "
                        "processes=%u page_bytes=%u cache_limit=%u seconds=%u transactions=%u\n"
                        "plan %s\n",
                        self->seed, self->workload, remotes[self->remote], self->machines,
                        self->replicas, self->processes, self->page_bytes, self->cache_limit,
                        self->seconds, self->transactions, plan);
    GRAFT_ASSERT(used > 0 && (size_t)used < SIM_CASE_TEXT_BYTES);
}

/* ---- Reading. */

static bool parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
    uint64_t value = 0;
    if (!sim_number_parse(text, strlen(text), max, &value) || value < min)
        return false;
    *out = value;
    return true;
}

static bool parse_count(struct sim_case *self, const char *name, const char *value)
{
    const struct {
        const char *name;
        uint32_t *at;
        uint32_t min, max;
    } counts[] = {
        {"machines", &self->machines, 1, SIM_MACHINES_MAX},
        {"replicas", &self->replicas, 1, SIM_REPLICAS_MAX},
        {"processes", &self->processes, 1, SIM_PROCESSES_MAX},
        {"page_bytes", &self->page_bytes, 512, 65536},
        {"cache_limit", &self->cache_limit, 0, UINT32_MAX},
        {"seconds", &self->seconds, 1, 1000000},
        {"transactions", &self->transactions, 1, 1000000},
    };
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        uint64_t number = 0;
        if (strcmp(counts[i].name, name) != 0)
            continue;
        if (!parse_number(value, counts[i].min, counts[i].max, &number))
            return false;
        *counts[i].at = (uint32_t)number;
        return true;
    }
    return false;
}

static bool parse_remote(struct sim_case *self, const char *value)
{
    for (unsigned i = 0; i < SIM_REMOTE_COUNT; i++) {
        if (strcmp(remotes[i], value) == 0) {
            self->remote = (enum sim_remote)i;
            return true;
        }
    }
    return false;
}

static bool parse_word(struct sim_case *self, const char *name, const char *value)
{
    if (strcmp(name, "seed") == 0)
        return true; /* read beforehand */
    if (strcmp(name, "workload") == 0) {
        if (workload_find(value) == NULL)
            return false;
        (void)snprintf(self->workload, sizeof self->workload, "%s", value);
        return true;
    }
    if (strcmp(name, "remote") == 0)
        return parse_remote(self, value);
    return parse_count(self, name, value);
}

/* Calls for each word of a line; false at the first that is refused, which `word` then holds. */
static bool each_word(const char *line, size_t length, struct sim_case *self, bool seed_only,
                      char word[64])
{
    const char *end = line + length;
    while (line < end) {
        size_t size = 0;
        while (line + size < end && line[size] != ' ')
            size++;
        if (size > 0) {
            (void)snprintf(word, 64, "%.*s", (int)size, line);
            char copy[64];
            (void)snprintf(copy, sizeof copy, "%s", word);
            char *equals = strchr(copy, '=');
            if (equals == NULL || size >= 64)
                return false;
            *equals = '\0';
            bool is_seed = strcmp(copy, "seed") == 0;
            if (is_seed && !parse_number(equals + 1, 0, UINT64_MAX, &self->seed))
                return false;
            if (!seed_only && !parse_word(self, copy, equals + 1))
                return false;
        }
        line += size + (line + size < end);
    }
    return true;
}

static bool starts(const char *line, size_t length, const char *word)
{
    size_t size = strlen(word);
    return length >= size && memcmp(line, word, size) == 0 && (length == size || line[size] == ' ');
}

static enum graft_rc parse_plan(const char *line, size_t length, struct sim_plan *out,
                                struct graft_err *err)
{
    char text[SIM_PLAN_TEXT_BYTES];
    if (length >= sizeof text)
        return graft_err_set(err, GRAFT_EINVAL, "case: the plan line is too long");
    memcpy(text, line, length);
    text[length] = '\0';
    return sim_plan_parse(text, out, err);
}

static enum graft_rc parse_line(const char *line, size_t length, struct sim_case *self,
                                struct graft_err *err)
{
    char word[64];
    if (length == 0 || line[0] == '#')
        return GRAFT_OK;
    if (starts(line, length, "plan"))
        return parse_plan(line + 4, length - 4, &self->plan, err);
    if (!starts(line, length, "setup"))
        return graft_err_set(err, GRAFT_EINVAL, "case: a line begins with neither setup nor plan");
    if (!each_word(line + 5, length - 5, self, true, word))
        return graft_err_set(err, GRAFT_EINVAL, "case: '%s' is not understood", word);
    sim_case_draw(self, self->seed, NULL);
    if (!each_word(line + 5, length - 5, self, false, word))
        return graft_err_set(err, GRAFT_EINVAL, "case: '%s' is not understood", word);
    return GRAFT_OK;
}

enum graft_rc sim_case_parse(const char *text, struct sim_case *out, struct graft_err *err)
{
    struct sim_case parsed;
    sim_case_draw(&parsed, 0, NULL);
    while (*text != '\0') {
        size_t length = strcspn(text, "\n");
        GRAFT_TRY(parse_line(text, length, &parsed, err));
        text += length;
        text += *text == '\n';
    }
    *out = parsed;
    return GRAFT_OK;
}
