/* Numbers in plans, cases and on the command line: decimal digits and nothing else. */
#ifndef GRAFT_SIM_NUMBER_H
#define GRAFT_SIM_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* False, and `*out` as it was, for what is no number or above `max`. */
bool sim_number_parse(const char *text, size_t length, uint64_t max, uint64_t *out);

#endif
