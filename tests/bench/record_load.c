/* SPDX-License-Identifier: Apache-2.0 */
/* Load on the record alone: so many stations, each of which reserves a run, ends it, and reserves the next,
 * as fast as the store makes it durable. Nothing is programmed. A plain loop of pwrite and fdatasync on the
 * same disk says what a commit must cost at least.
 *
 *     record_load FOLDER STATIONS MILLISECONDS
 *
 * Prints one object of JSON. */
#include "alloc.h"
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SYNCS = 200, SYNC_BYTES = 4096 };

struct samples {
    int64_t *us;
    size_t count, room;
};

struct load;

struct station {
    struct load *load;
    char name[16];
    int64_t run; /* 0: none is open */
    int64_t asked_us;
};

struct load {
    struct store *store;
    json_t *phases;
    int64_t end_us, last_run, failed;
    struct samples samples;
};

static int64_t now_us(void)
{
    return clock_monotonic_us(&clock_system);
}

static void add_sample(struct samples *samples, int64_t us)
{
    if (samples->count == samples->room) {
        samples->room = samples->room ? 2 * samples->room : 1024;
        samples->us = reallocate(samples->us, samples->room, sizeof *samples->us);
    }
    samples->us[samples->count++] = us;
}

static int by_value(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a, right = *(const int64_t *)b;

    return (left > right) - (left < right);
}

/* Of sorted samples. */
static int64_t at_share(const struct samples *samples, double share)
{
    return samples->count ? samples->us[(size_t)((double)(samples->count - 1) * share)] : 0;
}

static void print_samples(const char *name, struct samples *samples)
{
    if (samples->count)
        qsort(samples->us, samples->count, sizeof *samples->us, by_value);
    (void)printf(
        "\"%s\": {\"count\": %zu, \"p50_us\": %" PRId64 ", \"p99_us\": %" PRId64 ", \"max_us\": %" PRId64 "}",
        name, samples->count, at_share(samples, 0.5), at_share(samples, 0.99), at_share(samples, 1.0));
}

/* --- facts, of the size they have in a real run --------------------------------------------------------- */

#define IMAGE_ID "00000000000000000000000000000000000000000000000000000000000000aa"

static json_t *image_added(void)
{
    return json_pack("{s:s, s:s, s:s, s:i, s:[{s:I, s:i, s:I}], s:s}", "id", IMAGE_ID, "name", "bench.bin",
                     "format", "binary", "size", 65536, "ranges", "address", (json_int_t)0x08000000, "size",
                     65536, "crc32", (json_int_t)0x12345678, "by", "bench");
}

static json_t *job_submitted(void)
{
    return json_pack("{s:i, s:s, s:[s], s:[s], s:i, s:s, s:s, s:{}, s:s}", "id", 1, "chip", "stm32f103xb",
                     "images", IMAGE_ID, "stations", "all", "quantity", 0, "trigger", "immediate",
                     "work_order", "bench", "options", "by", "bench");
}

static void format_now(char text[28])
{
    clock_format_utc(clock_utc_us(&clock_system), text);
}

static json_t *run_started(const struct station *station)
{
    char now[28];

    format_now(now);
    return json_pack("{s:I, s:i, s:s, s:s, s:s, s:[s], s:s, s:s, s:s, s:s, s:s}", "id",
                     (json_int_t)station->run, "job", 1, "station", station->name, "port",
                     "serial:/dev/serial/by-path/bench", "chip", "stm32f103xb", "images", IMAGE_ID, "chip_id",
                     "0x410", "uid", station->name, "started", now, "by", "bench", "version",
                     FLASHFARM_VERSION);
}

static json_t *run_ended(const struct station *station)
{
    char now[28];

    format_now(now);
    return json_pack("{s:I, s:s, s:s, s:i, s:i, s:i, s:O, s:{s:f,s:f}, s:i, s:s, s:s, s:{s:s,s:s}}", "id",
                     (json_int_t)station->run, "outcome", "pass", "ended", now, "baud", 115200, "retries", 0,
                     "bytes", 65536, "phases", station->load->phases, "shares", "wire", 0.9, "target", 0.1,
                     "floor_us", 15000000, "uid", station->name, "chip_id", "0x410", "verify", "method",
                     "read-back", "digest", IMAGE_ID);
}

static json_t *phase(const char *name)
{
    return json_pack("{s:s, s:i, s:i, s:i, s:i, s:i, s:i}", "name", name, "us", 8123456, "floor_us", 8000000,
                     "wire_us", 6500000, "target_us", 1600000, "host_us", 23456, "retry_us", 0);
}

/* --- the load ------------------------------------------------------------------------------------------ */

static void next(struct station *station);

static void on_durable(void *context, int status, const struct error *error)
{
    struct station *station = context;
    struct load *load = station->load;

    add_sample(&load->samples, now_us() - station->asked_us);
    if (status < 0) {
        load->failed++;
        (void)fprintf(stderr, "record_load: %s\n", error->text);
        return;
    }
    if (now_us() < load->end_us || station->run > 0)
        next(station);
}

/* The fact that follows in this station's day. A run is ended even when the time is over. */
static void next(struct station *station)
{
    bool open = station->run > 0;
    struct store_fact fact = {.kind = open ? "run.ended" : "run.started"};

    if (open) {
        fact.body = run_ended(station);
        station->run = 0;
    } else {
        station->run = ++station->load->last_run;
        fact.body = run_started(station);
    }
    station->asked_us = now_us();
    store_append(station->load->store, &fact, 1, on_durable, station);
}

static int submit(struct load *load, struct error *error)
{
    struct store_fact facts[] = {{.kind = "image.added", .body = image_added()},
                                 {.kind = "job.submitted", .body = job_submitted()}};

    load->phases = json_pack("[o,o,o,o]", phase("connect"), phase("erase"), phase("write"), phase("verify"));
    return store_append_wait(load->store, NULL, facts, 2, error);
}

static void print_result(struct load *load, size_t stations, int64_t took_us,
                         const struct store_statistics *before)
{
    struct store_statistics statistics = store_statistics(load->store);
    int64_t records = statistics.records - before->records, commits = statistics.commits - before->commits;

    (void)printf("\"stations\": %zu, \"records\": %" PRId64 ", \"commits\": %" PRId64
                 ", \"refused\": %" PRId64 ", \"took_us\": %" PRId64 ", \"commit_us_sum\": %" PRId64
                 ", \"commit_us_max\": %" PRId64 ", ",
                 stations, records, commits, load->failed, took_us,
                 statistics.commit_us_sum - before->commit_us_sum, statistics.commit_us_max);
    print_samples("append", &load->samples);
}

static int run_load(uv_loop_t *loop, struct load *load, size_t count, int64_t duration_us)
{
    struct station *stations = allocate(count, sizeof *stations);
    struct store_statistics before = store_statistics(load->store);
    int64_t begun_us = now_us();

    load->end_us = begun_us + duration_us;
    for (size_t i = 0; i < count; i++) {
        stations[i].load = load;
        (void)snprintf(stations[i].name, sizeof stations[i].name, "S%zu", i + 1);
        next(&stations[i]);
    }
    (void)uv_run(loop, UV_RUN_DEFAULT); /* until nothing is outstanding */
    print_result(load, count, now_us() - begun_us, &before);
    free(stations);
    return load->failed ? -EIO : 0;
}

/* What the disk itself takes for the smallest durable write. */
static int measure_disk(const char *folder, struct error *error)
{
    char *path = format_text("%s/sync", folder);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    struct samples samples = {.count = 0};
    char bytes[SYNC_BYTES];
    bool good = fd >= 0;

    memset(bytes, 'x', sizeof bytes);
    for (int i = 0; good && i < SYNCS; i++) {
        int64_t begun_us = now_us();

        good = pwrite(fd, bytes, sizeof bytes, (off_t)i * SYNC_BYTES) == SYNC_BYTES && fdatasync(fd) == 0;
        add_sample(&samples, now_us() - begun_us);
    }
    if (!good)
        (void)error_set_errno(error, errno, "%s", path);
    print_samples("disk", &samples);
    free(samples.us);
    if (fd >= 0)
        (void)close(fd);
    (void)unlink(path);
    free(path);
    return good ? 0 : error->code;
}

static int run(const char *folder, size_t stations, int64_t duration_us, struct error *error)
{
    char *path = format_text("%s/record.db", folder);
    struct log_output output = log_output_stderr(LOG_WARNING);
    uv_loop_t loop;
    struct load load = {.failed = 0};
    const struct store_options options = {
        .path = path, .loop = &loop, .clock = &clock_system, .log = log_named(&output, "store")};
    int status;

    (void)uv_loop_init(&loop);
    status = store_open(&load.store, &options, error);
    if (status == 0) {
        status = submit(&load, error);
        if (status == 0)
            status = run_load(&loop, &load, stations, duration_us);
        store_close(load.store);
    }
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    (void)uv_loop_close(&loop);
    json_decref(load.phases);
    free(load.samples.us);
    free(path);
    return status;
}

int main(int count, char **arguments)
{
    struct error error = ERROR_NONE;
    int status;

    if (count != 4)
        return fputs("usage: record_load FOLDER STATIONS MILLISECONDS\n", stderr), EXIT_FAILURE;
    (void)printf("{");
    status = measure_disk(arguments[1], &error);
    (void)printf(", ");
    if (status == 0)
        status =
            run(arguments[1], strtoul(arguments[2], NULL, 10), strtol(arguments[3], NULL, 10) * 1000, &error);
    (void)printf("}\n");
    if (status < 0)
        (void)fprintf(stderr, "record_load: %s\n", error.text);
    return status < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
