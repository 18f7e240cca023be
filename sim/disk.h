/* Simulated disks, seen from outside: what drivers do to them and oracles look at. Processes use
 * the disk seam of their environment.
 *
 * What a disk promises is what POSIX, Linux and an honest drive promise, and no more:
 *
 * - A write is in the page cache. It reaches the disk at a sync of its file, or at any time before,
 *   page by page, in any order, and at a crash in mid-page in sectors of 512 bytes. Sectors are
 *   atomic, and bytes that were not written are safe (POWERSAFE_OVERWRITE).
 * - A length that was not synced may be the old one, the new one, or, when the file grew, one in
 *   between; what was not written there reads as zeros (crash_garbage: as anything). A file that
 *   was cut is cut, or as if it never had been.
 * - A name that was created, renamed or removed is so after a crash once its directory was synced;
 *   before, each change may be lost, though none before the changes of the same name that precede
 *   it. A rename is atomic. A sync of a file says nothing about its name.
 * - A failed sync may have written anything. What it did not write is not tried again: the cache
 *   shows the new bytes until they are evicted, the disk keeps the old ones. */
#ifndef GRAFT_SIM_DISK_H
#define GRAFT_SIM_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sim_machine;
struct sim_disk;

struct sim_disk *sim_machine_disk(struct sim_machine *machine);

/* Bytes that files may take, in blocks of 4096; UINT64_MAX (the beginning): no limit. */
void sim_disk_set_quota(struct sim_disk *disk, uint64_t bytes);
uint64_t sim_disk_used_bytes(const struct sim_disk *disk);
/* Files and directories, nameless ones included. */
uint64_t sim_disk_inode_count(const struct sim_disk *disk);

/* Looks at a file without being noticed; false when there is none. With `durable` what a crash that
 * keeps nothing would leave. `*got` is less than `size` at the end of the file. */
bool sim_disk_peek(struct sim_disk *disk, const char *path, bool durable, uint64_t offset,
                   void *bytes, size_t size, size_t *got);
/* The length likewise; UINT64_MAX when there is no such file. */
uint64_t sim_disk_peek_size(struct sim_disk *disk, const char *path, bool durable);

/* Damage at rest, seen at once by everybody. False when there is no such file, or no such byte on
 * the disk. */
bool sim_disk_flip(struct sim_disk *disk, const char *path, uint64_t offset, unsigned bit);
/* What was last written to the 4096 bytes at `from` went to those at `to`, and `from` is as it was
 * before (zeros, when there was nothing). */
bool sim_disk_misdirect(struct sim_disk *disk, const char *path, uint64_t from, uint64_t to);
/* Which files damage at rest may hit, for the rates of the plan: those whose path `may(arg, path)`
 * accepts; NULL, the beginning: all. */
typedef bool sim_disk_may_fn(void *arg, const char *name);
void sim_disk_set_rot_filter(struct sim_disk *disk, sim_disk_may_fn *may, void *arg);

#endif
