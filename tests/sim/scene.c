/* Worlds for tests. */
#include "sim/scene.h"

void scene_begin_planned(struct scene *scene)
{
    scene->pool = sim_pool_new();
    scene->world = NULL;
    scene_again(scene);
}

void scene_begin(struct scene *scene, uint64_t seed)
{
    sim_plan_calm(&scene->plan, seed);
    scene_begin_planned(scene);
}

void scene_again(struct scene *scene)
{
    sim_world_free(scene->world);
    scene->world = sim_world_new(scene->pool, &scene->plan);
    scene->machine = sim_machine_new(scene->world, "a");
}

void scene_end(struct scene *scene)
{
    sim_world_free(scene->world);
    sim_pool_free(scene->pool);
}

void scene_expect(struct scene *scene, enum sim_outcome wanted)
{
    enum sim_outcome outcome = sim_world_run(scene->world, SIM_FOREVER);
    cr_assert(outcome == wanted, "%s instead of %s: %s", sim_outcome_name(outcome),
              sim_outcome_name(wanted), sim_world_report(scene->world));
}

void scene_run(struct scene *scene, sim_process_fn *run, void *arg)
{
    struct sim_process *process = sim_process_start(scene->machine, "test", run, arg);
    scene_expect(scene, SIM_FINISHED);
    struct sim_holdings left;
    sim_process_holdings(process, &left);
    cr_assert(sim_holdings_are_none(&left), "%lu blocks, %lu files left",
              (unsigned long)left.blocks, (unsigned long)left.files);
}

uint64_t scene_fired(struct scene *scene, enum sim_fault kind)
{
    return sim_world_trace(scene->world)->fired[kind];
}
