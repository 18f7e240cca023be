/* The oracle: what every page of every snapshot of every replica really is.
 *
 * It stands beside the code under test and sees its calls (the linker's --wrap puts it in between,
 * see oracle_wrap.c): what was written, when it was acknowledged, what a push carried. From that it
 * knows the content of each local LSN of each replica and of each remote commit, and holds every
 * page that is read, at whatever snapshot, against it. It checks
 *
 * - each read, peek, fetch and install: the page is what that snapshot says, byte for byte (by a
 *   64-bit hash of the content and its length);
 * - a pinned snapshot never changes, nor does its page count;
 * - a session that begins sees every commit that was acknowledged before it began; what was
 *   acknowledged as durable is there after any crash; what was not may be lost to a crash of the
 *   machine alone, and then only as a suffix;
 * - what a replica knows of its remote never goes back, no two replicas believe in different
 * commits of one remote LSN, each remote commit follows the one before it, a pull that begins after
 * a push was acknowledged has it, and no pull drops a local commit;
 * - an error says "corrupt" or "foreign" only where something was damaged;
 * - no page version is fetched twice by a replica without a cause (oracle_fetch.c lists the
 * causes).
 *
 * Where a truth cannot be known (a commit that a kill caught in the middle) all that it may be are
 * candidates; each read narrows them down, and when none is left that is a violation. A violation
 * ends the run through sim_world_fail.
 *
 *     struct sim_oracle *oracle = sim_oracle_new(world);    before anything runs
 *     ... sim_world_run ...
 *     sim_oracle_free(oracle);                              before the world
 *
 * It learns by itself of kills, crashes and of faults that fired. It costs no virtual time, draws
 * nothing, and leaves the run as it was: the world's hash is the same with and without it. One
 * oracle at a time; without one, the calls pass. */
#ifndef GRAFT_SIM_ORACLE_H
#define GRAFT_SIM_ORACLE_H

#include <stdint.h>

struct sim_world;
struct sim_machine;
struct sim_oracle;

struct sim_oracle *sim_oracle_new(struct sim_world *world);
/* Accepts NULL. */
void sim_oracle_free(struct sim_oracle *oracle);

/* Promises that do not hold from now on, for damage that a driver does by its own hand. What the
 * plan's faults take away is known without being told. */
enum sim_oracle_mercy {
    SIM_ORACLE_LOSS = 1,   /* crashes may lose what was acknowledged, as after a lying sync */
    SIM_ORACLE_DAMAGE = 2, /* bytes were hurt at rest: errors may say so */
};

void sim_oracle_forgive(struct sim_oracle *oracle, unsigned mercy);
/* The driver took a database directory away (to clone it anew): what was in it may be gone. */
void sim_oracle_removed(struct sim_oracle *oracle, struct sim_machine *machine,
                        const char *directory);

/* What was checked, so that a test can tell that something was. */
struct sim_oracle_counts {
    uint64_t begins;      /* snapshots pinned */
    uint64_t reads;       /* pages held against the truth */
    uint64_t commits;     /* published, local ones and pulls */
    uint64_t in_doubt;    /* snapshots that had more than one candidate when they were first seen */
    uint64_t adopted;     /* commits that counted though whoever made them had died */
    uint64_t lost;        /* commits that a crash took, as it may */
    uint64_t pushes;      /* remote commits that a replica knows to be there */
    uint64_t pulls;       /* pulls and resets published */
    uint64_t fetches;     /* page versions asked of the remote */
    uint64_t installs;    /* pages delivered that were put into the image */
    uint64_t uninstalled; /* delivered, and not put there: busy, held, or a reader is older */
    uint64_t again;       /* versions delivered to a replica once more */
    uint64_t needless;    /* frames that came when all in them was held already */
};

const struct sim_oracle_counts *sim_oracle_counts(const struct sim_oracle *oracle);

#endif
