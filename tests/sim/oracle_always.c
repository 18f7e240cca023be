/* Linked into a test of the simulated system, this puts an oracle into each of its worlds (the
 * linker sends sim_world_new and sim_world_free here), so that the same scenarios are checked page
 * by page. GRAFT_ORACLE=0 leaves it out, to see what it costs. */
#include <stdlib.h>
#include <string.h>

#include "sim/oracle.h"
#include "sim/world.h"

struct sim_world *__real_sim_world_new(struct sim_pool *pool, const struct sim_plan *plan);
struct sim_world *__wrap_sim_world_new(struct sim_pool *pool, const struct sim_plan *plan);
void __real_sim_world_free(struct sim_world *world);
void __wrap_sim_world_free(struct sim_world *world);

/* Of the one world that there is. */
static struct sim_oracle *oracle;

struct sim_world *__wrap_sim_world_new(struct sim_pool *pool, const struct sim_plan *plan)
{
    const char *wanted = getenv("GRAFT_ORACLE");
    struct sim_world *world = __real_sim_world_new(pool, plan);
    if (wanted == NULL || strcmp(wanted, "0") != 0)
        oracle = sim_oracle_new(world);
    return world;
}

void __wrap_sim_world_free(struct sim_world *world)
{
    sim_oracle_free(oracle);
    oracle = NULL;
    __real_sim_world_free(world);
}
