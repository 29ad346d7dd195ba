/* SPDX-License-Identifier: Apache-2.0 */
/* Every call by which the record reaches the disk or memory fails once: the first, the second, and so on
 * until a whole life passes without; and then the same with every call from there on. What was acknowledged
 * is there afterwards, what was refused was refused with a reason, and the same store goes on as soon as it
 * may.
 *
 *     store_sweep_test [POINTS]       so many n for each kind of call, evenly spread; 0: every n; 12 without
 *
 * The calls are those of SQLite's own unix VFS, which lets a test take them over; sync calls go through the
 * linker, and SQLite's memory through its configuration. */
#include "store.h"

#include "chain.h"
#include "store_scene.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

enum { POINTS = 12, APPENDS = 8 };

enum call {
    CALL_OPEN,
    CALL_READ,
    CALL_WRITE,
    CALL_SYNC,
    CALL_TRUNCATE,
    CALL_MAP,
    CALL_STAT,
    CALL_MEMORY,
    CALL_COUNT
};

static const char *const call_names[CALL_COUNT] = {
    [CALL_OPEN] = "open",         [CALL_READ] = "read", [CALL_WRITE] = "write", [CALL_SYNC] = "sync",
    [CALL_TRUNCATE] = "truncate", [CALL_MAP] = "map",   [CALL_STAT] = "stat",   [CALL_MEMORY] = "memory",
};

/* What fails next. SQLite's hooks take no context, so this one thing is everybody's: the writer's thread and
 * the readers' count in it too. */
static struct {
    _Atomic int call;  /* CALL_COUNT: nothing fails */
    _Atomic long left; /* calls until then */
    _Atomic long hits; /* how often it failed */
    _Atomic bool for_ever;
    _Atomic int with; /* errno */
} fault = {.call = CALL_COUNT};

static bool fails(enum call call)
{
    long left;

    if (atomic_load(&fault.call) != (int)call)
        return false;
    left = atomic_fetch_sub(&fault.left, 1);
    if (left > 1 || (left < 1 && !atomic_load(&fault.for_ever)))
        return false;
    (void)atomic_fetch_add(&fault.hits, 1);
    errno = atomic_load(&fault.with);
    return true;
}

static void arm(enum call call, long n, int with, bool for_ever)
{
    atomic_store(&fault.call, CALL_COUNT);
    atomic_store(&fault.left, n);
    atomic_store(&fault.hits, 0);
    atomic_store(&fault.for_ever, for_ever);
    atomic_store(&fault.with, with);
    atomic_store(&fault.call, (int)call);
}

static long disarm(void)
{
    atomic_store(&fault.call, CALL_COUNT);
    return atomic_load(&fault.hits);
}

/* The calls ---------------------------------------------------------------------------------------------- */

static int failing_open(const char *path, int flags, int mode)
{
    return fails(CALL_OPEN) ? -1 : open(path, flags, mode);
}

static ssize_t failing_pread(int fd, void *data, size_t size, off_t at)
{
    return fails(CALL_READ) ? -1 : pread(fd, data, size, at);
}

static ssize_t failing_pwrite(int fd, const void *data, size_t size, off_t at)
{
    return fails(CALL_WRITE) ? -1 : pwrite(fd, data, size, at);
}

static int failing_ftruncate(int fd, off_t size)
{
    return fails(CALL_TRUNCATE) ? -1 : ftruncate(fd, size);
}

static void *failing_mmap(void *address, size_t size, int protection, int flags, int fd, off_t at)
{
    return fails(CALL_MAP) ? MAP_FAILED : mmap(address, size, protection, flags, fd, at);
}

static int failing_fstat(int fd, struct stat *status)
{
    return fails(CALL_STAT) ? -1 : fstat(fd, status);
}

/* Nothing here loses its power, so that a sync need not happen. */
int fsync(int fd)
{
    (void)fd;
    return fails(CALL_SYNC) ? -1 : 0;
}

int fdatasync(int fd)
{
    return fsync(fd);
}

static void take_over(const char *name, sqlite3_syscall_ptr function)
{
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);

    CHECK(vfs->xSetSystemCall(vfs, name, function) == SQLITE_OK);
}

static sqlite3_mem_methods memory; /* SQLite's own, found once at the start */

static void *failing_malloc(int size)
{
    return fails(CALL_MEMORY) ? NULL : memory.xMalloc(size);
}

static void *failing_realloc(void *old, int size)
{
    return fails(CALL_MEMORY) ? NULL : memory.xRealloc(old, size);
}

static void take_over_all(void)
{
    sqlite3_mem_methods failing;

    CHECK(sqlite3_config(SQLITE_CONFIG_GETMALLOC, &memory) == SQLITE_OK);
    failing = memory;
    failing.xMalloc = failing_malloc;
    failing.xRealloc = failing_realloc;
    CHECK(sqlite3_config(SQLITE_CONFIG_MALLOC, &failing) == SQLITE_OK);
    /* Small pieces would come from a piece of every connection's own, and never fail. */
    CHECK(sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0) == SQLITE_OK);
    CHECK(sqlite3_initialize() == SQLITE_OK);
    take_over("open", (sqlite3_syscall_ptr)failing_open);
    take_over("pread", (sqlite3_syscall_ptr)failing_pread);
    take_over("pread64", (sqlite3_syscall_ptr)failing_pread);
    take_over("pwrite", (sqlite3_syscall_ptr)failing_pwrite);
    take_over("pwrite64", (sqlite3_syscall_ptr)failing_pwrite);
    take_over("ftruncate", (sqlite3_syscall_ptr)failing_ftruncate);
    take_over("mmap", (sqlite3_syscall_ptr)failing_mmap);
    take_over("fstat", (sqlite3_syscall_ptr)failing_fstat);
}

/* One life ----------------------------------------------------------------------------------------------- */

struct life {
    struct scene scene;
    const char *what; /* for messages */
    long n;
    int with;
    bool for_ever;
    int64_t run;      /* the newest that was begun */
    int acknowledged; /* records */
    uint8_t last_hash[CHAIN_HASH_SIZE];
    int refused;
};

static void complain(const struct life *life, const char *words, const char *more)
{
    (void)fprintf(stderr, "  %s, %s, call %ld, %s: %s%s\n", life->what, strerror(life->with), life->n,
                  life->for_ever ? "for ever" : "once", words, more);
}

static void expect(const struct life *life, bool good, const char *words, const char *more)
{
    if (!CHECK(good))
        complain(life, words, more);
}

static void on_record(void *context, const struct store_record *record)
{
    struct life *life = context;
    size_t size = 0;

    expect(life, record->sequence == life->acknowledged + 1, "told out of order", "");
    life->acknowledged = (int)record->sequence;
    (void)sodium_hex2bin(life->last_hash, CHAIN_HASH_SIZE, record->hash, 64, NULL, &size, NULL);
}

static int append(struct life *life, const struct store_fact *facts, size_t count)
{
    struct scene *scene = &life->scene;
    int status;

    scene->error = ERROR_NONE;
    status = store_append_wait(scene->store, NULL, facts, count, &scene->error);
    if (status) {
        life->refused++;
        expect(life, status == -ENOSPC || status == -EIO, "refused as what it is not: ", scene->error.text);
        expect(life, scene->error.text[0] != 0, "refused without a word", "");
        expect(life, life->with != ENOSPC || strcmp(life->what, "write") != 0 || status == -ENOSPC,
               "no room is not called so: ", scene->error.text);
    }
    return status;
}

static int append_board(struct life *life)
{
    struct store_fact facts[2];

    life->run++;
    facts[0] =
        (struct store_fact){"run.started", run_started(life->run, 1, 1, "A1", "2026-11-21T12:25:00.000000Z")};
    facts[1] = (struct store_fact){"run.ended", run_ended(life->run, "pass", NULL)};
    return append(life, facts, 2);
}

static int begin_work(struct life *life)
{
    const struct store_fact facts[] = {{"daemon.started", parse("{\"version\":\"0.1.0\",\"clean\":true}")},
                                       {"image.added", image_added(1)},
                                       {"job.submitted", job_submitted(1, 1, 0, "WO-1")}};

    return append(life, facts, 3);
}

static void on_runs(void *context, json_t *answer, const struct error *error)
{
    int *answered = context;

    *answered = answer ? 1 : -1;
    CHECK((answer == NULL) == (error != NULL));
    CHECK(!error || error->text[0]);
    json_decref(answer);
}

static bool ask(struct life *life)
{
    int answered = 0;

    store_runs(life->scene.store, &(struct store_run_filter){.station = "A1"},
               &(struct store_page){.limit = 10}, on_runs, &answered);
    while (!answered)
        (void)uv_run(&life->scene.loop, UV_RUN_ONCE);
    return answered > 0;
}

static bool open_record(struct life *life)
{
    if (scene_open(&life->scene)) {
        expect(life, life->scene.error.text[0] != 0, "not opened, without a word", "");
        return false;
    }
    expect(life, store_head_sequence(life->scene.store) >= life->acknowledged,
           "acknowledged records are lost", "");
    life->acknowledged = (int)store_head_sequence(life->scene.store);
    store_set_listener(life->scene.store, on_record, life);
    return true;
}

/* The whole life with the fault somewhere in it: coming up, working, answering, going down. */
static void live_with_fault(struct life *life)
{
    json_t *state = NULL;

    if (!open_record(life))
        return;
    if (store_load(life->scene.store, &state, &life->scene.error))
        expect(life, life->scene.error.text[0] != 0, "not loaded, without a word", "");
    json_decref(state);
    if (begin_work(life) == 0)
        for (int i = 0; i < APPENDS; i++)
            (void)append_board(life);
    (void)ask(life);
}

/* The fault is over. The same store must go on, or the next. */
static void live_without(struct life *life)
{
    bool good = life->scene.store || open_record(life);

    expect(life, good, "it does not open afterwards: ", life->scene.error.text);
    if (!good)
        return;
    if (life->acknowledged == 0)
        good = begin_work(life) == 0;
    expect(life, good && append_board(life) == 0, "it does not go on: ", life->scene.error.text);
    expect(life, ask(life), "it does not answer afterwards", "");
}

static bool same_as_told(const struct life *life, sqlite3 *raw)
{
    sqlite3_stmt *row = NULL;
    bool same = sqlite3_prepare_v2(raw, "SELECT hash FROM ledger ORDER BY sequence DESC LIMIT 1", -1, &row,
                                   NULL) == SQLITE_OK &&
                sqlite3_step(row) == SQLITE_ROW && sqlite3_column_bytes(row, 0) == CHAIN_HASH_SIZE &&
                memcmp(sqlite3_column_blob(row, 0), life->last_hash, CHAIN_HASH_SIZE) == 0;

    (void)sqlite3_finalize(row);
    return same;
}

static void check_record(struct life *life)
{
    sqlite3 *raw = scene_raw(&life->scene);

    expect(life,
           raw_integer(raw, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'") == 0,
           "the file is damaged", "");
    expect(life, raw_integer(raw, "SELECT max(sequence) FROM ledger") == life->acknowledged,
           "the record is not what was acknowledged", "");
    expect(life, raw_integer(raw, "SELECT count(*) FROM run WHERE outcome IS NULL") == 0, "half an append",
           "");
    expect(life, raw_integer(raw, "SELECT passed - (SELECT count(*) FROM run) FROM job") == 0, "counts", "");
    expect(life, same_as_told(life, raw), "the last record is another than was told", "");
    (void)sqlite3_close(raw);
    expect(life, open_record(life), "it does not open again: ", life->scene.error.text);
}

/* Whether the n-th call came at all. */
static bool trial(enum call call, long n, int with, bool for_ever, int *refused)
{
    struct life life = {.what = call_names[call], .n = n, .with = with, .for_ever = for_ever};
    bool came;

    scene_prepare(&life.scene);
    life.scene.output = log_output_stderr(LOG_ERROR);
    arm(call, n, with, for_ever);
    live_with_fault(&life);
    if (n % 3 == 0) /* also while it is being closed */
        scene_close(&life.scene);
    came = disarm() > 0;
    live_without(&life);
    scene_close(&life.scene);
    check_record(&life);
    scene_unlink(&life.scene, "-journal");
    scene_end(&life.scene);
    *refused += life.refused;
    return came;
}

/* How many such calls a life without a fault makes. */
static long count_calls(enum call call)
{
    int refused = 0;

    (void)trial(call, 1000000000, EIO, false, &refused);
    return 1000000000 - atomic_load(&fault.left);
}

static void sweep(enum call call, int with, bool for_ever, long points)
{
    long calls = count_calls(call), stride = points && calls > points ? calls / points : 1, trials = 0, n = 1;
    int refused = 0;

    /* It must end by itself: behind the last call there is nothing to fail. */
    for (; trial(call, n, with, for_ever, &refused); n += stride)
        trials++;
    (void)printf("%-8s %-24s %-8s: %4ld of about %ld calls failed, %d appends refused\n", call_names[call],
                 strerror(with), for_ever ? "for ever" : "once", trials, calls, refused);
    CHECK(trials > 0);
}

int main(int argc, char **argv)
{
    static const struct {
        enum call call;
        int with;
    } faults[] = {{CALL_OPEN, EMFILE}, {CALL_OPEN, ENOSPC}, {CALL_READ, EIO},     {CALL_WRITE, ENOSPC},
                  {CALL_WRITE, EIO},   {CALL_SYNC, EIO},    {CALL_SYNC, ENOSPC},  {CALL_TRUNCATE, EIO},
                  {CALL_MAP, ENOMEM},  {CALL_STAT, EIO},    {CALL_MEMORY, ENOMEM}};
    long points = argc > 1 ? strtol(argv[1], NULL, 10) : POINTS;

    take_over_all();
    CHECK(sodium_init() >= 0);
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        sweep(faults[i].call, faults[i].with, false, points);
        sweep(faults[i].call, faults[i].with, true, points);
    }
    return test_failures ? 1 : 0;
}
