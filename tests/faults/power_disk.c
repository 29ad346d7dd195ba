/* SPDX-License-Identifier: Apache-2.0 */
#include "power_disk.h"

#include "alloc.h"

#include <assert.h>
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FILES = 8, NAME_SIZE = 64, PATH_SIZE = 192, SECTOR = 512, BLOCK = 4096 };

enum event_kind {
    EVENT_WRITE,
    EVENT_TRUNCATE,
    EVENT_SYNC,
    EVENT_CREATE,
    EVENT_REMOVE,
    EVENT_NOTE,
    EVENT_WHOLE
};

struct event {
    enum event_kind kind;
    int file;
    bool folder; /* the folder is synced with it */
    int64_t at;  /* offset, size, or what was noted */
    size_t size;
    uint8_t *data;
};

struct bytes {
    uint8_t *data;
    size_t size, room;
};

struct disk {
    sqlite3_vfs vfs, *real;
    pthread_mutex_t mutex; /* the writer's thread and the readers' */
    char folder[PATH_SIZE];
    bool recording, lying;
    char names[FILES][NAME_SIZE]; /* relative to the folder */
    struct bytes first[FILES];    /* what was there when the recording began */
    bool first_there[FILES], was_there[FILES];
    int files;
    char watched[NAME_SIZE];
    struct bytes seen, seen_first; /* in the watched file; and when the recording began */
    struct event *events;
    size_t count, room;
};

struct power_file {
    sqlite3_file base;
    struct disk *disk;
    int file;         /* -1: not of the folder */
    bool with_folder; /* the first sync of a new log or journal syncs the folder too */
    sqlite3_file *real;
};

/* Bytes ---------------------------------------------------------------------------------------------------
 */

static void bytes_resize(struct bytes *bytes, size_t size)
{
    if (size > bytes->room) {
        bytes->room = size * 2;
        bytes->data = reallocate(bytes->data, bytes->room, 1);
    }
    if (size > bytes->size)
        memset(bytes->data + bytes->size, 0, size - bytes->size);
    bytes->size = size;
}

static void bytes_put(struct bytes *bytes, int64_t at, const uint8_t *data, size_t size)
{
    size_t end = (size_t)at + size;

    if (end > bytes->size)
        bytes_resize(bytes, end);
    if (size)
        memcpy(bytes->data + at, data, size);
}

static struct bytes bytes_copy(const struct bytes *bytes)
{
    struct bytes copy = {.data = NULL};

    bytes_put(&copy, 0, bytes->data, bytes->size);
    return copy;
}

static void bytes_free(struct bytes *bytes)
{
    free(bytes->data);
    *bytes = (struct bytes){.data = NULL};
}

static bool read_whole(const char *path, struct bytes *bytes)
{
    uint8_t buffer[BLOCK];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got;

    assert(fd >= 0);
    while ((got = read(fd, buffer, sizeof buffer)) > 0)
        bytes_put(bytes, (int64_t)bytes->size, buffer, (size_t)got);
    (void)close(fd);
    return bytes->size > 0;
}

static void write_whole(const char *folder, const char *name, const struct bytes *bytes)
{
    char path[PATH_SIZE + NAME_SIZE];
    int fd;

    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert(fd >= 0);
    for (size_t at = 0; at < bytes->size;) {
        ssize_t put = write(fd, bytes->data + at, bytes->size - at);

        assert(put > 0);
        at += (size_t)put;
    }
    (void)close(fd);
}

/* Remembering ---------------------------------------------------------------------------------------------
 */

/* The number of a file of the folder; -1: of another. SQLite's index of the log is memory, no file. */
static int file_of(struct disk *disk, const char *path)
{
    size_t length = strlen(disk->folder);
    const char *name;

    if (!path || !disk->recording || strncmp(path, disk->folder, length) != 0 || path[length] != '/')
        return -1;
    name = path + length + 1;
    for (int i = 0; i < disk->files; i++)
        if (strcmp(disk->names[i], name) == 0)
            return i;
    assert(disk->files < FILES && strlen(name) < NAME_SIZE);
    (void)snprintf(disk->names[disk->files], NAME_SIZE, "%s", name);
    return disk->files++;
}

static void keep(struct disk *disk, struct event event)
{
    if (disk->count == disk->room) {
        disk->room = disk->room ? 2 * disk->room : 4096;
        disk->events = reallocate(disk->events, disk->room, sizeof disk->events[0]);
    }
    disk->events[disk->count++] = event;
}

static void look_at_watched(struct disk *disk)
{
    char path[PATH_SIZE + NAME_SIZE];
    struct bytes now = {.data = NULL};

    (void)snprintf(path, sizeof path, "%s/%s", disk->folder, disk->watched);
    if (!disk->watched[0] || access(path, R_OK) || !read_whole(path, &now) ||
        (now.size == disk->seen.size && memcmp(now.data, disk->seen.data, now.size) == 0)) {
        bytes_free(&now);
        return;
    }
    bytes_free(&disk->seen);
    disk->seen = bytes_copy(&now);
    keep(disk, (struct event){.kind = EVENT_WHOLE, .size = now.size, .data = now.data});
}

/* Under the mutex. */
static void remember(struct disk *disk, struct event event)
{
    if (!disk->recording)
        return;
    look_at_watched(disk);
    keep(disk, event);
}

static void remember_file(const struct power_file *file, struct event event)
{
    if (file->file < 0)
        return;
    event.file = file->file;
    (void)pthread_mutex_lock(&file->disk->mutex);
    remember(file->disk, event);
    (void)pthread_mutex_unlock(&file->disk->mutex);
}

/* The file's methods --------------------------------------------------------------------------------------
 */

static struct power_file *own(sqlite3_file *base)
{
    return (struct power_file *)base;
}

static int file_close(sqlite3_file *base)
{
    return own(base)->real->pMethods->xClose(own(base)->real);
}

static int file_read(sqlite3_file *base, void *data, int size, sqlite3_int64 at)
{
    return own(base)->real->pMethods->xRead(own(base)->real, data, size, at);
}

static int file_write(sqlite3_file *base, const void *data, int size, sqlite3_int64 at)
{
    struct power_file *file = own(base);
    int code = file->real->pMethods->xWrite(file->real, data, size, at);

    if (code == SQLITE_OK && file->file >= 0) {
        uint8_t *copy = allocate((size_t)size, 1);

        memcpy(copy, data, (size_t)size);
        remember_file(file,
                      (struct event){.kind = EVENT_WRITE, .at = at, .size = (size_t)size, .data = copy});
    }
    return code;
}

static int file_truncate(sqlite3_file *base, sqlite3_int64 size)
{
    int code = own(base)->real->pMethods->xTruncate(own(base)->real, size);

    if (code == SQLITE_OK)
        remember_file(own(base), (struct event){.kind = EVENT_TRUNCATE, .at = size});
    return code;
}

static int file_sync(sqlite3_file *base, int flags)
{
    struct power_file *file = own(base);

    (void)flags;
    if (!file->disk->lying)
        remember_file(file, (struct event){.kind = EVENT_SYNC, .folder = file->with_folder});
    file->with_folder = false;
    return SQLITE_OK;
}

static int file_size(sqlite3_file *base, sqlite3_int64 *size)
{
    return own(base)->real->pMethods->xFileSize(own(base)->real, size);
}

static int file_lock(sqlite3_file *base, int lock)
{
    return own(base)->real->pMethods->xLock(own(base)->real, lock);
}

static int file_unlock(sqlite3_file *base, int lock)
{
    return own(base)->real->pMethods->xUnlock(own(base)->real, lock);
}

static int file_check_lock(sqlite3_file *base, int *held)
{
    return own(base)->real->pMethods->xCheckReservedLock(own(base)->real, held);
}

static int file_control(sqlite3_file *base, int what, void *argument)
{
    return own(base)->real->pMethods->xFileControl(own(base)->real, what, argument);
}

static int file_sector(sqlite3_file *base)
{
    return own(base)->real->pMethods->xSectorSize(own(base)->real);
}

static int file_traits(sqlite3_file *base)
{
    return own(base)->real->pMethods->xDeviceCharacteristics(own(base)->real);
}

static int file_map(sqlite3_file *base, int page, int size, int extend, void volatile **memory)
{
    return own(base)->real->pMethods->xShmMap(own(base)->real, page, size, extend, memory);
}

static int file_map_lock(sqlite3_file *base, int at, int count, int flags)
{
    return own(base)->real->pMethods->xShmLock(own(base)->real, at, count, flags);
}

static void file_barrier(sqlite3_file *base)
{
    own(base)->real->pMethods->xShmBarrier(own(base)->real);
}

static int file_unmap(sqlite3_file *base, int remove)
{
    return own(base)->real->pMethods->xShmUnmap(own(base)->real, remove);
}

static const sqlite3_io_methods methods = {.iVersion = 2, /* without mapped pages: all writes come by here */
                                           .xClose = file_close,
                                           .xRead = file_read,
                                           .xWrite = file_write,
                                           .xTruncate = file_truncate,
                                           .xSync = file_sync,
                                           .xFileSize = file_size,
                                           .xLock = file_lock,
                                           .xUnlock = file_unlock,
                                           .xCheckReservedLock = file_check_lock,
                                           .xFileControl = file_control,
                                           .xSectorSize = file_sector,
                                           .xDeviceCharacteristics = file_traits,
                                           .xShmMap = file_map,
                                           .xShmLock = file_map_lock,
                                           .xShmBarrier = file_barrier,
                                           .xShmUnmap = file_unmap};

/* The VFS -------------------------------------------------------------------------------------------------
 */

static int disk_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *base, int flags, int *out)
{
    struct disk *disk = vfs->pAppData;
    struct power_file *file = own(base);
    int code;

    file->disk = disk;
    file->real = (sqlite3_file *)(file + 1);
    file->with_folder = (flags & SQLITE_OPEN_CREATE) && !(flags & SQLITE_OPEN_MAIN_DB);
    (void)pthread_mutex_lock(&disk->mutex);
    file->file = file_of(disk, path);
    if (file->file >= 0 && !disk->was_there[file->file]) {
        disk->was_there[file->file] = true;
        remember(disk, (struct event){.kind = EVENT_CREATE, .file = file->file});
    }
    (void)pthread_mutex_unlock(&disk->mutex);
    code = disk->real->xOpen(disk->real, path, file->real, flags, out);
    base->pMethods = file->real->pMethods ? &methods : NULL;
    return code;
}

static int disk_remove(sqlite3_vfs *vfs, const char *path, int sync_folder)
{
    struct disk *disk = vfs->pAppData;
    int code = disk->real->xDelete(disk->real, path, 0), file;

    (void)pthread_mutex_lock(&disk->mutex);
    file = file_of(disk, path);
    if (code == SQLITE_OK && file >= 0) {
        disk->was_there[file] = false;
        remember(disk,
                 (struct event){.kind = EVENT_REMOVE, .file = file, .folder = sync_folder && !disk->lying});
    }
    (void)pthread_mutex_unlock(&disk->mutex);
    return code;
}

static int disk_access(sqlite3_vfs *vfs, const char *path, int flags, int *result)
{
    struct disk *disk = vfs->pAppData;

    return disk->real->xAccess(disk->real, path, flags, result);
}

static int disk_full_path(sqlite3_vfs *vfs, const char *path, int size, char *out)
{
    struct disk *disk = vfs->pAppData;

    return disk->real->xFullPathname(disk->real, path, size, out);
}

struct disk *disk_new(void)
{
    struct disk *disk = allocate(1, sizeof *disk);

    (void)pthread_mutex_init(&disk->mutex, NULL);
    disk->real = sqlite3_vfs_find(NULL);
    disk->vfs = *disk->real; /* random numbers, time and sleep as they are: they do not use the argument */
    disk->vfs.pNext = NULL;
    disk->vfs.zName = "power";
    disk->vfs.pAppData = disk;
    disk->vfs.szOsFile = (int)sizeof(struct power_file) + disk->real->szOsFile;
    disk->vfs.xOpen = disk_open;
    disk->vfs.xDelete = disk_remove;
    disk->vfs.xAccess = disk_access;
    disk->vfs.xFullPathname = disk_full_path;
    (void)sqlite3_vfs_register(&disk->vfs, 1);
    return disk;
}

static void forget(struct disk *disk)
{
    for (size_t i = 0; i < disk->count; i++)
        free(disk->events[i].data);
    for (int i = 0; i < disk->files; i++)
        bytes_free(&disk->first[i]);
    bytes_free(&disk->seen);
    bytes_free(&disk->seen_first);
    memset(disk->first_there, 0, sizeof disk->first_there);
    memset(disk->was_there, 0, sizeof disk->was_there);
    disk->count = 0;
    disk->files = 0;
}

void disk_free(struct disk *disk)
{
    (void)sqlite3_vfs_unregister(&disk->vfs);
    forget(disk);
    free(disk->events);
    (void)pthread_mutex_destroy(&disk->mutex);
    free(disk);
}

void disk_record(struct disk *disk, const char *folder, bool lying)
{
    char path[PATH_SIZE + NAME_SIZE];
    DIR *open_folder = opendir(folder);
    const struct dirent *entry;

    assert(open_folder && !disk->recording);
    forget(disk);
    (void)snprintf(disk->folder, sizeof disk->folder, "%s", folder);
    disk->recording = true;
    disk->lying = lying;
    while ((entry = readdir(open_folder))) {
        int file;

        (void)snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (strcmp(entry->d_name, disk->watched) == 0)
            (void)read_whole(path, &disk->seen_first);
        /* The index of the log is memory; what the store writes anew at each start is not its record. */
        if (!strstr(entry->d_name, ".db") || strstr(entry->d_name, "-shm"))
            continue;
        file = file_of(disk, path);
        (void)read_whole(path, &disk->first[file]);
        disk->first_there[file] = disk->was_there[file] = true;
    }
    (void)closedir(open_folder);
    disk->seen = bytes_copy(&disk->seen_first);
}

void disk_watch(struct disk *disk, const char *name)
{
    (void)snprintf(disk->watched, sizeof disk->watched, "%s", name);
}

void disk_stop(struct disk *disk)
{
    disk->recording = false;
}

void disk_note(struct disk *disk, int64_t value)
{
    (void)pthread_mutex_lock(&disk->mutex);
    remember(disk, (struct event){.kind = EVENT_NOTE, .at = value});
    (void)pthread_mutex_unlock(&disk->mutex);
}

size_t disk_events(const struct disk *disk)
{
    return disk->count;
}

bool disk_is_sync(const struct disk *disk, size_t event)
{
    return disk->events[event].kind == EVENT_SYNC;
}

/* The platter ---------------------------------------------------------------------------------------------
 */

/* A file as it is for sure, and what may be on its way. */
struct surface {
    bool exists, name_durable; /* now; and whether that it exists is durable */
    struct bytes durable, removed;
    bool removal_pending; /* `removed` may come back */
    size_t *pending, pending_count, pending_room;
};

struct platter {
    const struct disk *disk;
    size_t next;
    int64_t note;
    const struct event *whole; /* the watched file as it is; NULL: as at the beginning */
    struct surface surfaces[FILES];
};

static void apply(struct bytes *bytes, const struct event *event)
{
    if (event->kind == EVENT_WRITE)
        bytes_put(bytes, event->at, event->data, event->size);
    else if (event->kind == EVENT_TRUNCATE)
        bytes_resize(bytes, (size_t)event->at);
}

static void settle_folder(struct platter *platter)
{
    for (int i = 0; i < FILES; i++) {
        struct surface *surface = &platter->surfaces[i];

        surface->name_durable = surface->name_durable || surface->exists;
        surface->removal_pending = false;
        bytes_free(&surface->removed);
    }
}

static void settle_file(struct platter *platter, struct surface *surface)
{
    for (size_t i = 0; i < surface->pending_count; i++)
        apply(&surface->durable, &platter->disk->events[surface->pending[i]]);
    surface->pending_count = 0;
    surface->name_durable = true;
    surface->removal_pending = false; /* the name is another file's now */
    bytes_free(&surface->removed);
}

static void remove_file(struct surface *surface)
{
    bytes_free(&surface->removed);
    if (surface->name_durable) {
        surface->removed = surface->durable;
        surface->removal_pending = true;
    } else {
        bytes_free(&surface->durable);
    }
    surface->durable = (struct bytes){.data = NULL};
    surface->pending_count = 0;
    surface->exists = surface->name_durable = false;
}

static void pend(struct surface *surface, size_t event)
{
    if (surface->pending_count == surface->pending_room) {
        surface->pending_room = surface->pending_room ? 2 * surface->pending_room : 64;
        surface->pending = reallocate(surface->pending, surface->pending_room, sizeof surface->pending[0]);
    }
    surface->pending[surface->pending_count++] = event;
}

static void step(struct platter *platter)
{
    const struct event *event = &platter->disk->events[platter->next];
    struct surface *surface = &platter->surfaces[event->file];

    switch (event->kind) {
    case EVENT_WRITE:
    case EVENT_TRUNCATE:
        pend(surface, platter->next);
        break;
    case EVENT_SYNC:
        settle_file(platter, surface);
        break;
    case EVENT_CREATE:
        surface->exists = true;
        break;
    case EVENT_REMOVE:
        remove_file(surface);
        break;
    case EVENT_NOTE:
        platter->note = event->at;
        break;
    case EVENT_WHOLE:
        platter->whole = event;
        break;
    }
    if (event->folder)
        settle_folder(platter);
    platter->next++;
}

struct platter *platter_new(const struct disk *disk)
{
    struct platter *platter = allocate(1, sizeof *platter);

    platter->disk = disk;
    for (int i = 0; i < FILES; i++) {
        struct surface *surface = &platter->surfaces[i];

        surface->durable = bytes_copy(&disk->first[i]);
        surface->exists = surface->name_durable = disk->first_there[i];
    }
    return platter;
}

void platter_free(struct platter *platter)
{
    for (int i = 0; i < FILES; i++) {
        bytes_free(&platter->surfaces[i].durable);
        bytes_free(&platter->surfaces[i].removed);
        free(platter->surfaces[i].pending);
    }
    free(platter);
}

int64_t platter_advance(struct platter *platter, size_t event)
{
    while (platter->next < event)
        step(platter);
    return platter->note;
}

/* The cut -------------------------------------------------------------------------------------------------
 */

enum damage { DAMAGE_LOST, DAMAGE_NONE, DAMAGE_TORN, DAMAGE_REORDERED, DAMAGE_SECTORS, DAMAGE_BLOCKS };

const char *const platter_damages[] = {
    [DAMAGE_LOST] = "all unsynced writes are lost",
    [DAMAGE_NONE] = "nothing is lost",
    [DAMAGE_TORN] = "the last write is torn at a sector of 512 bytes",
    [DAMAGE_REORDERED] = "some of the unsynced writes are lost, early or late",
    [DAMAGE_SECTORS] = "some sectors of 512 bytes of the unsynced writes are lost",
    [DAMAGE_BLOCKS] = "some blocks of 4 KiB of the unsynced writes are lost or junk",
};

/* SplitMix64: any number is a seed, and no state hides anywhere. */
static uint64_t chance(uint64_t *random)
{
    uint64_t x = *random += 0x9e3779b97f4a7c15;

    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    return x ^ (x >> 31);
}

static void put_junk(struct bytes *bytes, int64_t at, size_t size, uint64_t *random)
{
    uint8_t junk[BLOCK];

    for (size_t i = 0; i < size; i++)
        junk[i] = (uint8_t)chance(random);
    bytes_put(bytes, at, junk, size);
}

/* Parts of the write land, as cut by the disk's own grid. */
static void apply_parts(struct bytes *bytes, const struct event *event, size_t grid, bool junk,
                        uint64_t *random)
{
    for (size_t done = 0, size; done < event->size; done += size) {
        uint64_t luck = chance(random) % 8;

        size = grid - ((size_t)event->at + done) % grid;
        if (size > event->size - done)
            size = event->size - done;
        if (luck < 4)
            bytes_put(bytes, event->at + (int64_t)done, event->data + done, size);
        else if (junk && luck == 4)
            put_junk(bytes, event->at + (int64_t)done, size, random);
    }
}

static void apply_torn(struct bytes *bytes, const struct event *event, uint64_t *random)
{
    struct event part = *event;

    part.size = chance(random) % (event->size / SECTOR + 1) * SECTOR;
    apply(bytes, &part);
}

/* What is left of one unsynced write or cut; the last that the disk was at may be torn. */
static void apply_by_luck(struct bytes *bytes, const struct event *event, enum damage damage, bool last,
                          uint64_t *random)
{
    bool is_write = event->kind == EVENT_WRITE, lucky = chance(random) % 2;

    switch (damage) {
    case DAMAGE_LOST:
        break;
    case DAMAGE_NONE:
        apply(bytes, event);
        break;
    case DAMAGE_TORN:
        if (last && is_write)
            apply_torn(bytes, event, random);
        else
            apply(bytes, event);
        break;
    case DAMAGE_REORDERED:
        if (lucky)
            apply(bytes, event);
        break;
    case DAMAGE_SECTORS:
    case DAMAGE_BLOCKS:
        if (is_write)
            apply_parts(bytes, event, damage == DAMAGE_SECTORS ? SECTOR : BLOCK, damage == DAMAGE_BLOCKS,
                        random);
        else if (lucky)
            apply(bytes, event);
        break;
    }
}

static void apply_pending(const struct platter *platter, const struct surface *surface, enum damage damage,
                          uint64_t *random, struct bytes *bytes)
{
    size_t kept = surface->pending_count;

    if (damage == DAMAGE_TORN)
        kept = chance(random) % (kept + 1);
    for (size_t i = 0; i < kept; i++)
        apply_by_luck(bytes, &platter->disk->events[surface->pending[i]], damage, i + 1 == kept, random);
}

static void empty_folder(const char *folder)
{
    char path[PATH_SIZE + 256];
    DIR *open_folder = opendir(folder);
    const struct dirent *entry;

    assert(open_folder);
    while ((entry = readdir(open_folder)))
        if (entry->d_name[0] != '.') {
            (void)snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
            (void)unlink(path);
        }
    (void)closedir(open_folder);
}

static void cut_file(const struct platter *platter, int file, enum damage damage, uint64_t *random,
                     const char *folder)
{
    const struct surface *surface = &platter->surfaces[file];
    bool unlucky = damage != DAMAGE_NONE && (damage == DAMAGE_LOST || chance(random) % 2);
    struct bytes bytes;

    if (surface->removal_pending && unlucky) {
        write_whole(folder, platter->disk->names[file], &surface->removed);
    } else if (surface->exists && (surface->name_durable || !unlucky)) {
        bytes = bytes_copy(&surface->durable);
        apply_pending(platter, surface, damage, random, &bytes);
        write_whole(folder, platter->disk->names[file], &bytes);
        bytes_free(&bytes);
    }
}

void platter_cut(const struct platter *platter, int damage, uint64_t random, const char *folder)
{
    empty_folder(folder);
    for (int file = 0; file < platter->disk->files; file++)
        cut_file(platter, file, (enum damage)damage, &random, folder);
    if (platter->whole)
        write_whole(folder, platter->disk->watched,
                    &(struct bytes){.data = platter->whole->data, .size = platter->whole->size});
    else if (platter->disk->seen_first.size)
        write_whole(folder, platter->disk->watched, &platter->disk->seen_first);
}
