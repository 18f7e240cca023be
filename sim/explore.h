/* Exhaustive search of small scenarios: the same scenario is run again and again, each time with
 * another list of schedule choices, until every list (with at most so many switches away from a
 * fiber that could have gone on) was tried.
 *
 *     struct sim_explorer *explorer = sim_explorer_new(2);
 *     do {
 *         struct sim_world *world = sim_world_new(pool, &calm_plan_with_policy_given);
 *         sim_explorer_attach(explorer, world);
 *         ... the scenario ...
 *     } while (sim_explorer_next(explorer)); */
#ifndef GRAFT_SIM_EXPLORE_H
#define GRAFT_SIM_EXPLORE_H

#include <stdbool.h>
#include <stdint.h>

struct sim_world;
struct sim_fiber;
struct sim_explorer;

#define SIM_NO_BOUND UINT32_MAX

/* `preemptions_max`: how often, in one schedule, the running fiber may lose the processor although
 * it could go on (most bugs need one or two). */
struct sim_explorer *sim_explorer_new(uint32_t preemptions_max);
void sim_explorer_free(struct sim_explorer *explorer); /* accepts NULL */
/* The world's choices are this explorer's from now on; its plan says SIM_POLICY_GIVEN. */
void sim_explorer_attach(struct sim_explorer *explorer, struct sim_world *world);
/* After a run: prepares the next schedule; false when all were tried. */
bool sim_explorer_next(struct sim_explorer *explorer);
uint64_t sim_explorer_runs(const struct sim_explorer *explorer);
/* The choices of the last run, for a report; and to run exactly one schedule again. Past the end of
 * a given list the running fiber goes on, or else the first one that can. */
const uint16_t *sim_explorer_choices(const struct sim_explorer *explorer, uint32_t *count);
void sim_explorer_set(struct sim_explorer *explorer, const uint16_t *choices, uint32_t count);

/* For the scheduler: the index among `count` (2 at least) runnable fibers. */
uint32_t sim_explorer_pick(struct sim_explorer *explorer, struct sim_fiber *const *runnable,
                           uint32_t count, const struct sim_fiber *running);

#endif
