/* SQLite inside the simulation: its memory, mutexes, randomness, time and files are those of the
 * simulated process that calls it. Everything that SQLite keeps for the whole (real) process is set
 * up here once, or seeded when a world begins.
 *
 * Each simulated process has a base VFS of its own, which puts plain database files on the
 * machine's disk and speaks SQLite's ordinary locking protocol (rollback journals; WAL only with
 * locking_mode=EXCLUSIVE). It is the VFS to register Graft's over, and the one that oracles use.
 * The default VFS is that of whichever process runs. */
#ifndef GRAFT_SIM_SQLITE_H
#define GRAFT_SIM_SQLITE_H

struct sim_process;

/* Once, before anything else calls SQLite, and before the first world; again: nothing. A
 * connection belongs to the process whose fiber opened it. */
void sim_sqlite_setup(void);
/* The name of the process's base VFS. */
const char *sim_process_base_vfs(const struct sim_process *process);

#endif
