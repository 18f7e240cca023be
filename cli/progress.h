/* The progress bar: on standard error, and only when that is a terminal that can move its cursor.
 */
#ifndef GRAFT_CLI_PROGRESS_H
#define GRAFT_CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "cli.h"

struct cli_progress {
    const struct cli *cli;
    bool enabled; /* standard error is a terminal, and not a dumb one */
    bool color;   /* NO_COLOR is not set */
    bool shown;
    uint64_t drawn_us; /* when it was last drawn */

    /* Work that cannot say how far it is: a task shows the bytes that moved meanwhile. */
    struct graft_task *task;
    struct graft_mutex *mutex;
    struct graft_cond *cond;
    bool done; /* guarded by the mutex */
    uint64_t bytes_before;
};

/* Begins; from now on an interrupt from the keyboard cancels instead of killing. */
void cli_progress_begin(struct cli_progress *progress, const struct cli *cli);
/* Clears the bar. */
void cli_progress_end(struct cli_progress *progress);
/* A graft_progress_fn: `arg` is the struct cli_progress. False once the user interrupted. */
bool cli_progress_step(void *arg, uint64_t done, uint64_t total);
/* Shows bytes written so far until cli_progress_end, for a call that reports nothing itself. */
void cli_progress_watch(struct cli_progress *progress);

#endif
