/* What this process says of itself while it runs in a container under test: the catalogue's points,
 * as the JSON lines that Antithesis reads; to libvoidstar.so where there is one, else to the file
 * that the environment names, else nowhere. Brings the catalogue's functions (base/catalogue.h).
 *
 * Any thread may call. */
#ifndef GRAFT_WORKLOADS_REPORT_H
#define GRAFT_WORKLOADS_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "env/rand.h"

/* Finds out where to, and declares every point; once, before anything else runs. */
void workload_report_start(void);
/* The entry point alone says this, when the system is up. */
void workload_report_setup_complete(void);
void workload_report_violation(const char *workload, const char *signature, const char *details);
/* Draws from the library at each call; NULL when there is none. */
struct graft_rand *workload_report_rand(void);

#endif
