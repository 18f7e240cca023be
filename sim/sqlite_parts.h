/* What the two files about SQLite know of each other. */
#ifndef GRAFT_SIM_SQLITE_PARTS_H
#define GRAFT_SIM_SQLITE_PARTS_H

#include <stdbool.h>

bool sim_sqlite_is_set_up(void);
/* The default VFS: that of whichever process runs. */
void sim_sqlite_register_default(void);

#endif
