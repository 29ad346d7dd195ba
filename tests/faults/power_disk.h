/* SPDX-License-Identifier: Apache-2.0 */
/* A disk that loses its power, for tests of what SQLite leaves behind: a VFS that remembers every write, cut,
 * creation, removal and sync of the files in one folder, and a platter that plays them back up to any moment
 * and then keeps of everything unsynced only what chance lets it keep. Knows nothing of what is in the files.
 *
 * What is promised of a real disk is assumed, and no more: a sync makes all of its file durable, and its
 * name; a write leaves the bytes around it alone; names are created and removed whole, but unless the folder
 * is synced not before the power goes. */
#ifndef FLASHFARM_TESTS_POWER_DISK_H
#define FLASHFARM_TESTS_POWER_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct disk;
struct platter;

/* Becomes SQLite's default VFS until disk_free(). Nothing is ever synced for real. */
struct disk *disk_new(void);
void disk_free(struct disk *disk);

/* From here on what happens to files in `folder` is remembered; what is there now is durable. With `lying`,
 * syncs are remembered as if they had never been. Forgets what was remembered before. */
void disk_record(struct disk *disk, const char *folder, bool lying);
void disk_stop(struct disk *disk);

/* A file in the folder that is written past SQLite, whole, synced and renamed: what it holds at an event was
 * durable before. */
void disk_watch(struct disk *disk, const char *name);

/* An event of the test's own: everything before it was promised to somebody. */
void disk_note(struct disk *disk, int64_t value);

size_t disk_events(const struct disk *disk);
bool disk_is_sync(const struct disk *disk, size_t event);

/* Begins with what was durable when the recording began. */
struct platter *platter_new(const struct disk *disk);
void platter_free(struct platter *platter);
/* Goes on to the moment before `event`; the last note passed on the way, or the one before. */
int64_t platter_advance(struct platter *platter, size_t event);
/* The power goes: writes into `folder`, which is emptied first, what is left. `damage` is one of the ways
 * below `platter_damages`, `random` any number. */
extern const char *const platter_damages[];
enum { PLATTER_DAMAGES = 6 };
void platter_cut(const struct platter *platter, int damage, uint64_t random, const char *folder);

#endif
