/* Counts what core's points report, and answers what they ask. Which odd choices a seed has is
 * drawn from its text, so that neither the order of points in a program nor a new one changes what
 * the others do. */
#include "sim/catalogue.h"

#include <string.h>

#include "sim/parts.h"

static struct sim_point_count *counts;
static const struct graft_point *const *planted;
static bool lenient;

size_t sim_point_count(void)
{
    return (size_t)(__stop_graft_points - __start_graft_points);
}

const struct graft_point *sim_point_at(size_t number)
{
    return __start_graft_points[number];
}

static struct sim_point_count *count_of(size_t number)
{
    if (counts == NULL)
        counts = sim_host_alloc((sim_point_count() + 1) * sizeof *counts);
    return &counts[number];
}

struct sim_point_count sim_point_counted(size_t number)
{
    return *count_of(number);
}

void sim_point_clear(void)
{
    memset(count_of(0), 0, sim_point_count() * sizeof *counts);
}

size_t sim_point_find(enum graft_point_kind kind, const char *text)
{
    size_t number = 0;
    while (number < sim_point_count() && (__start_graft_points[number]->kind != kind ||
                                          strcmp(__start_graft_points[number]->text, text) != 0))
        number++;
    return number;
}

void sim_point_plant(size_t number)
{
    planted = number >= sim_point_count() ? NULL : &__start_graft_points[number];
}

void sim_point_set_strict(bool strict)
{
    lenient = !strict;
}

static bool broken(const struct graft_point *point, bool condition)
{
    return point->kind == GRAFT_POINT_UNREACHABLE ||
           (point->kind == GRAFT_POINT_ALWAYS && !condition);
}

void graft_point_reached(const struct graft_point *const *slot, bool condition)
{
    struct sim_world *world = sim_world_current();
    struct sim_point_count *count = count_of((size_t)(slot - __start_graft_points));
    count->reached++;
    count->held += condition;
    if (!lenient && broken(*slot, condition) && world != NULL && world->running != NULL)
        sim_world_fail(world, "%s: %s (%s:%u)",
                       (*slot)->kind == GRAFT_POINT_ALWAYS ? "always" : "unreachable",
                       (*slot)->text, (*slot)->file, (*slot)->line);
}

/* FNV-1a: what it mixes goes through a generator's seeding next. */
static uint64_t number_of_text(const char *text)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    for (; *text != '\0'; text++)
        hash = (hash ^ (unsigned char)*text) * UINT64_C(1099511628211);
    return hash;
}

/* Whether the world's seed has odd choices there: drawn once a world. */
static bool is_odd(struct sim_world *world, const struct graft_point *const *slot)
{
    enum { UNKNOWN, NEVER, AT_TIMES };
    if (world->odd_points == NULL)
        world->odd_points = sim_host_alloc(sim_point_count());
    uint8_t *known = &world->odd_points[slot - __start_graft_points];
    if (*known == UNKNOWN) {
        struct sim_rng site;
        sim_rng_init(&site, world->plan.seed, number_of_text((*slot)->text));
        *known = sim_rng_below(&site, 4) == 0 ? AT_TIMES : NEVER;
    }
    return *known == AT_TIMES;
}

bool graft_point_asked(const struct graft_point *const *slot)
{
    struct sim_point_count *count = count_of((size_t)(slot - __start_graft_points));
    count->reached++;
    bool yes = slot == planted;
    if ((*slot)->kind == GRAFT_POINT_BUGGIFY) {
        struct sim_world *world = sim_world_current();
        yes = world != NULL && world->plan.rate_ppm[SIM_FAULT_odd_choice] != 0 &&
              is_odd(world, slot) && sim_world_draw(world, SIM_FAULT_odd_choice);
    }
    count->held += yes;
    return yes;
}
