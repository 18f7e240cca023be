/* What the simulator's own tests start from: a world with a calm plan, to which each test adds what
 * it is about. */
#ifndef GRAFT_TESTS_SIM_SCENE_H
#define GRAFT_TESTS_SIM_SCENE_H

#include "sim/disk.h"
#include "sim/net.h"
#include "sim/plan.h"
#include "sim/trace.h"
#include "sim/world.h"
#include "support/expect.h"

struct scene {
    struct sim_pool *pool;
    struct sim_plan plan;
    struct sim_world *world;
    struct sim_machine *machine;
};

/* A world with one machine, "a". */
void scene_begin(struct scene *scene, uint64_t seed);
/* The same with the plan as it stands in `scene->plan`. */
void scene_begin_planned(struct scene *scene);
void scene_end(struct scene *scene);
/* The next world, with the same pool. */
void scene_again(struct scene *scene);
/* Runs `run` as the only process, and checks that it came to its end. */
void scene_run(struct scene *scene, sim_process_fn *run, void *arg);
/* Runs until the outcome, which must be `wanted`. */
void scene_expect(struct scene *scene, enum sim_outcome wanted);
/* How often the fault fired. */
uint64_t scene_fired(struct scene *scene, enum sim_fault kind);

#endif
