/* Events of a history as lines of text, for histories that several processes write. Inside
 * workloads/history.c only. */
#ifndef GRAFT_WORKLOADS_HISTORY_TEXT_H
#define GRAFT_WORKLOADS_HISTORY_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "workloads/history.h"

/* Each makes `line` the event's line; empty when memory is short. */
void workload_text_invoke(struct graft_buf *line, const struct workload_record *record);
void workload_text_did(struct graft_buf *line, uint32_t client, const struct workload_step *steps,
                       size_t count);
void workload_text_end(struct graft_buf *line, uint32_t client, enum workload_outcome outcome);
/* Applies one line, without its newline, to the history. False when it is not whole. */
bool workload_text_parse(struct workload_history *history, struct graft_alloc *alloc,
                         const char *line, size_t length);

#endif
