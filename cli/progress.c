/* Draws one line again and again, at most ten times a second, and takes it away at the end, so that
 * a terminal keeps nothing but results, and a log file never sees it. */
#include "progress.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BAR_CELLS 30
#define DRAW_EVERY_US 100000U
#define DRAW_EVERY_MS 100U

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

/* One shot: a second interrupt kills, for work that does not ask. */
static void catch_interrupt(bool catch)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = catch ? on_interrupt : SIG_DFL;
    action.sa_flags = (int)((unsigned)SA_RESTART | (unsigned)SA_RESETHAND);
    (void)sigaction(SIGINT, &action, NULL);
}

static bool environment_has(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0';
}

void cli_progress_begin(struct cli_progress *progress, const struct cli *cli)
{
    const char *terminal = getenv("TERM");
    *progress = (struct cli_progress){
        .cli = cli,
        .enabled = isatty(STDERR_FILENO) == 1 && terminal != NULL && strcmp(terminal, "dumb") != 0,
        .color = !environment_has("NO_COLOR"),
    };
    interrupted = 0;
    catch_interrupt(true);
}

static bool is_due(struct cli_progress *progress)
{
    uint64_t now_us = graft_clock_monotonic_us(progress->cli->env->clock);
    if (progress->shown && now_us - progress->drawn_us < DRAW_EVERY_US)
        return false;
    progress->drawn_us = now_us;
    progress->shown = true;
    return true;
}

bool cli_progress_step(void *arg, uint64_t done, uint64_t total)
{
    struct cli_progress *progress = arg;
    if (progress->enabled && total > 0 && is_due(progress)) {
        uint64_t part = done > total ? total : done;
        double share = (double)part / (double)total;
        int cells = (int)(share * BAR_CELLS);
        char bar[BAR_CELLS + 1];
        memset(bar, ' ', BAR_CELLS);
        memset(bar, '=', (size_t)cells);
        bar[BAR_CELLS] = '\0';
        (void)fprintf(stderr, "\r\033[K%s [%s%s%s] %3d%%  %" PRIu64 " of %" PRIu64 " pages",
                      progress->cli->command->name, progress->color ? "\033[32m" : "", bar,
                      progress->color ? "\033[0m" : "", (int)(share * 100), part, total);
        (void)fflush(stderr);
    }
    return interrupted == 0;
}

static uint64_t bytes_written(const struct cli_progress *progress)
{
    return progress->cli->env->disk->counts.bytes_written;
}

static void watch(void *arg)
{
    struct cli_progress *progress = arg;
    graft_mutex_lock(progress->mutex);
    while (!progress->done) {
        (void)graft_cond_wait(progress->cond, progress->mutex, DRAW_EVERY_MS);
        if (progress->done || !is_due(progress))
            continue;
        double megabytes = (double)(bytes_written(progress) - progress->bytes_before) / 1e6;
        (void)fprintf(stderr, "\r\033[K%s  %.1f MB written", progress->cli->command->name,
                      megabytes);
        (void)fflush(stderr);
    }
    graft_mutex_unlock(progress->mutex);
}

void cli_progress_watch(struct cli_progress *progress)
{
    /* The work runs to its end in any case: an interrupt kills, as the engine can bear that. */
    catch_interrupt(false);
    if (!progress->enabled)
        return;
    struct graft_tasks *tasks = progress->cli->env->tasks;
    progress->bytes_before = bytes_written(progress);
    /* What cannot be had here costs the bar, and nothing else. */
    if (graft_mutex_new(tasks, &progress->mutex) != GRAFT_OK ||
        graft_cond_new(tasks, &progress->cond) != GRAFT_OK ||
        graft_task_spawn(tasks, "progress", watch, progress, &progress->task, NULL) != GRAFT_OK)
        progress->task = NULL;
}

void cli_progress_end(struct cli_progress *progress)
{
    if (progress->task != NULL) {
        graft_mutex_lock(progress->mutex);
        progress->done = true;
        graft_cond_broadcast(progress->cond);
        graft_mutex_unlock(progress->mutex);
        graft_task_join(progress->task);
        progress->task = NULL;
    }
    graft_cond_free(progress->cond);
    graft_mutex_free(progress->mutex);
    progress->cond = NULL;
    progress->mutex = NULL;
    if (progress->shown) {
        (void)fputs("\r\033[K", stderr);
        (void)fflush(stderr);
        progress->shown = false;
    }
    catch_interrupt(false);
}
