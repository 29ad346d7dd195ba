/* SPDX-License-Identifier: Apache-2.0 */
#include "api_fake.h"

#include "alloc.h"
#include "test.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* --- answering ------------------------------------------------------------------------------------------ */

struct owed {
    uv_timer_t timer;
    struct fake *fake;
    farm_answer *answer;
    farm_done *done;
    void *context;
    json_t *value;
};

static void free_owed(uv_handle_t *handle)
{
    free(handle->data);
}

static void give(const struct owed *owed)
{
    struct fake *fake = owed->fake;
    bool refused = fake->refusal.code || (!owed->value && owed->answer);
    struct error error = fake->refusal.code ? fake->refusal : ERROR_NONE;

    if (refused && !error.code)
        error_set(&error, -ENOENT, "there is no such thing");
    if (refused)
        json_decref(owed->value);
    fake->owed--;
    if (owed->answer)
        owed->answer(owed->context, refused ? NULL : owed->value, &error);
    else
        owed->done(owed->context, error.code, &error);
}

static void on_owed(uv_timer_t *timer)
{
    struct owed *owed = timer->data;

    if (owed->fake->mute) {
        (void)uv_timer_start(timer, on_owed, 1, 0);
        return;
    }
    give(owed);
    uv_close((uv_handle_t *)timer, free_owed);
}

static void owe(struct owed what)
{
    struct owed *owed;

    what.fake->owed++;
    if (what.fake->at_once) {
        give(&what);
        return;
    }
    owed = allocate(1, sizeof *owed);
    *owed = what;
    owed->timer.data = owed;
    (void)uv_timer_init(&what.fake->loop, &owed->timer);
    (void)uv_timer_start(&owed->timer, on_owed, 0, 0);
}

/* Takes the value; NULL is -ENOENT. */
static void answer_with(struct fake *fake, json_t *value, farm_answer *answer, void *context)
{
    owe((struct owed){.fake = fake, .answer = answer, .context = context, .value = value});
}

void fake_answer(struct fake *fake, json_t *value, farm_answer *answer, void *context)
{
    answer_with(fake, value, answer, context);
}

void fake_done(struct fake *fake, farm_done *done, void *context)
{
    owe((struct owed){.fake = fake, .done = done, .context = context});
}

/* --- the farm ------------------------------------------------------------------------------------------- */

json_t *farm_stations(const struct farm *farm)
{
    return json_pack("[O]", farm->fake->station);
}

json_t *farm_station(const struct farm *farm, const char *name)
{
    return strcmp(name, "A1") ? NULL : json_incref(farm->fake->station);
}

void farm_station_command(struct farm *farm, const char *name, enum station_command command, const char *by,
                          farm_done *done, void *context)
{
    struct fake *fake = farm->fake;

    if (strcmp(name, "A1") != 0) {
        done(context, -ENOENT, &(struct error){.code = -ENOENT, .text = "there is no such station"});
        return;
    }
    (void)snprintf(fake->by, sizeof fake->by, "%s", by);
    if (!fake->refusal.code)
        (void)json_object_set_new(fake->station, "enabled", json_boolean(command != STATION_DISABLE));
    owe((struct owed){.fake = fake, .done = done, .context = context});
}

void farm_station_identify(struct farm *farm, const char *name, farm_answer *answer, void *context)
{
    answer_with(farm->fake, strcmp(name, "A1") ? NULL : json_pack("{s:i}", "chip_id", 0x410), answer,
                context);
}

void farm_dialogue(struct farm *farm, int64_t run, farm_answer *answer, void *context)
{
    answer_with(farm->fake, run == 1 ? json_pack("{s:i,s:s}", "run", 1, "dialogue", "> 7F\n") : NULL, answer,
                context);
}

void farm_ports(struct farm *farm, farm_answer *answer, void *context)
{
    answer_with(farm->fake, json_pack("{s:[{s:s}]}", "items", "name", "serial:/dev/ttyS0"), answer, context);
}

json_t *farm_chips(void)
{
    return json_pack("{s:[{s:s}]}", "items", "name", "stm32f103xb");
}

json_t *farm_chip(const char *name)
{
    return strcmp(name, "stm32f103xb") ? NULL : json_pack("{s:s}", "name", name);
}

static void read_upload(struct fake *fake, const char *path)
{
    FILE *file = fopen(path, "rb");

    memset(fake->uploaded, 0, sizeof fake->uploaded);
    if (!CHECK(file != NULL))
        return;
    CHECK(fread(fake->uploaded, 1, sizeof fake->uploaded - 1, file) > 0);
    (void)fseek(file, 0, SEEK_END);
    fake->uploaded_size = ftell(file);
    (void)fclose(file);
}

#define IMAGE_ID "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

void farm_image_add(struct farm *farm, const struct farm_upload *upload, farm_answer *answer, void *context)
{
    struct fake *fake = farm->fake;

    read_upload(fake, upload->path);
    (void)unlink(upload->path);
    (void)snprintf(fake->upload_name, sizeof fake->upload_name, "%s", upload->name);
    (void)snprintf(fake->by, sizeof fake->by, "%s", upload->by);
    fake->has_base = upload->has_base;
    fake->base = upload->base;
    answer_with(fake, json_pack("{s:s, s:b}", "id", IMAGE_ID, "created", !fake->repeated), answer, context);
}

const char *farm_upload_directory(const struct farm *farm)
{
    return farm->fake->directory;
}

void farm_job_submit(struct farm *farm, json_t *body, const char *idempotency_key, enum order_right right,
                     const char *by, farm_answer *answer, void *context)
{
    struct fake *fake = farm->fake;
    json_t *job = json_pack("{s:i, s:s, s:O}", "id", 7, "state", "running", "body", body);

    (void)right;
    if (json_is_true(json_object_get(body, "dry_run")))
        (void)json_object_set_new(job, "dry_run", json_true());
    (void)snprintf(fake->by, sizeof fake->by, "%s", by);
    (void)snprintf(fake->key, sizeof fake->key, "%s", idempotency_key ? idempotency_key : "");
    if (fake->repeated)
        (void)json_object_set_new(job, "repeated", json_true());
    answer_with(fake, job, answer, context);
}

json_t *farm_job_live(const struct farm *farm, int64_t id)
{
    (void)farm;
    return id == 7 ? json_pack("{s:i, s:i}", "id", 7, "in_flight", 3) : NULL;
}

void farm_job_command(struct farm *farm, int64_t id, enum job_command command, const char *by,
                      farm_answer *answer, void *context)
{
    static const char *const states[] = {"cancelled", "held", "running"};

    (void)by;
    answer_with(farm->fake, id == 7 ? json_pack("{s:i, s:s}", "id", 7, "state", states[command]) : NULL,
                answer, context);
}

struct farm_statistics farm_statistics(const struct farm *farm)
{
    (void)farm;
    return (struct farm_statistics){.stations = 1, .jobs_open = 2, .runs_by_outcome = {11, 3, 1, 0}};
}

void farm_failures(const struct farm *farm,
                   void (*each)(void *context, const char *station, const char *class_word, int64_t count),
                   void *context)
{
    (void)farm;
    each(context, "A1", "no-contact", 3);
}

/* --- the store ------------------------------------------------------------------------------------------ */

/* A page of `all`, which is in the order of the list; the cursor is an index. */
static json_t *page_of(const json_t *all, size_t first, int limit)
{
    json_t *items = json_array();
    size_t end = first + (size_t)limit;
    char cursor[24];

    for (size_t i = first; i < end && i < json_array_size(all); i++)
        (void)json_array_append(items, json_array_get(all, i));
    (void)snprintf(cursor, sizeof cursor, "%zu", end);
    return json_pack("{s:o, s:o}", "items", items, "next",
                     end < json_array_size(all) ? json_string(cursor) : json_null());
}

static size_t first_of(const struct store_page *page)
{
    return page->cursor ? (size_t)strtoul(page->cursor, NULL, 10) : 0;
}

void store_runs(struct store *store, const struct store_run_filter *filter, const struct store_page *page,
                store_answer *answer, void *context)
{
    struct fake *fake = store->fake;

    if (page->cursor && !strcmp(page->cursor, "nonsense")) {
        answer(context, NULL, &(struct error){.code = -EINVAL, .text = "this is no cursor"});
        return;
    }
    answer_with(fake, filter->serial ? page_of(NULL, 0, 1) : page_of(fake->runs, first_of(page), page->limit),
                answer, context);
}

void store_run(struct store *store, int64_t id, store_answer *answer, void *context)
{
    json_t *run = json_array_get(store->fake->runs, (size_t)id - 1);

    answer_with(store->fake, json_incref(run), answer, context);
}

void store_unit(struct store *store, const char *serial_or_uid, store_answer *answer, void *context)
{
    json_t *unit = strcmp(serial_or_uid, "SN/1") ? NULL : json_pack("{s:s, s:[]}", "serial", "SN/1", "runs");

    answer_with(store->fake, unit, answer, context);
}

void store_jobs(struct store *store, const char *state, const char *work_order, const struct store_page *page,
                store_answer *answer, void *context)
{
    (void)state, (void)work_order, (void)page;
    answer_with(store->fake, json_pack("{s:[{s:i}, {s:i}], s:n}", "items", "id", 7, "id", 6, "next"), answer,
                context);
}

void store_job(struct store *store, int64_t id, store_answer *answer, void *context)
{
    answer_with(store->fake,
                id == 6 || id == 7 ? json_pack("{s:I, s:s}", "id", (json_int_t)id, "state", "running") : NULL,
                answer, context);
}

void store_images(struct store *store, const struct store_page *page, store_answer *answer, void *context)
{
    (void)page;
    answer_with(store->fake, json_pack("{s:[], s:n}", "items", "next"), answer, context);
}

void store_image(struct store *store, const char *id, store_answer *answer, void *context)
{
    answer_with(store->fake, strcmp(id, IMAGE_ID) ? NULL : json_pack("{s:s}", "id", id), answer, context);
}

void store_ledger(struct store *store, int64_t from, int limit, store_answer *answer, void *context)
{
    store->fake->ledger_queries++;
    answer_with(store->fake, page_of(store->fake->ledger, (size_t)from - 1, limit), answer, context);
}

int64_t store_head_sequence(const struct store *store)
{
    return (int64_t)json_array_size(store->fake->ledger);
}

const char *store_head_hash(const struct store *store)
{
    (void)store;
    return IMAGE_ID;
}

struct store_statistics store_statistics(const struct store *store)
{
    (void)store;
    return (struct store_statistics){
        .records = 5, .commits = 4, .commit_us_sum = 2500000, .commit_us_max = 900};
}

/* --- putting it together -------------------------------------------------------------------------------- */

void fake_init(struct fake *fake, struct api_options *options)
{
    static const struct api_key key = {.name = "tester", .key = FAKE_KEY};

    *fake = (struct fake){.log = log_output_stderr(getenv("API_TEST_DEBUG") ? LOG_DEBUG : LOG_ERROR)};
    (void)uv_loop_init(&fake->loop);
    fake->farm.fake = fake->store.fake = fake;
    fake->ledger = json_array();
    fake->runs = json_array();
    fake->recipe_fact = 71;
    fake->station = json_pack("{s:s, s:s, s:b}", "name", "A1", "state", "idle", "enabled", true);
    (void)snprintf(fake->directory, sizeof fake->directory, "/tmp/flashfarm-api-XXXXXX");
    CHECK(mkdtemp(fake->directory) != NULL);
    *options = (struct api_options){.loop = &fake->loop,
                                    .farm = &fake->farm,
                                    .store = &fake->store,
                                    .clock = &clock_system,
                                    .log = &fake->log,
                                    .listen = "127.0.0.1:0",
                                    .version = "1.2.3",
                                    .keys = &key,
                                    .key_count = 1,
                                    .keys_are_generated = true};
}

void fake_start(struct fake *fake, const struct api_options *options)
{
    struct error error = ERROR_NONE;

    if (!CHECK(api_start(&fake->api, options, &error) == 0))
        (void)fprintf(stderr, "  %s\n", error.text);
}

static void on_stopped(void *context)
{
    struct fake *fake = context;

    fake->stops++;
    fake->api = NULL;
}

void fake_stop(struct fake *fake)
{
    fake->mute = false;
    if (fake->api)
        api_stop(fake->api, on_stopped, fake);
    (void)uv_run(&fake->loop, UV_RUN_DEFAULT);
    CHECK(fake->api == NULL);
    CHECK(fake->owed == 0);
    CHECK(uv_loop_close(&fake->loop) == 0);
    /* Nothing may be left of uploads. */
    CHECK(rmdir(fake->directory) == 0);
    json_decref(fake->ledger);
    json_decref(fake->runs);
    json_decref(fake->station);
}

static json_t *record(struct fake *fake, const char *kind, json_t *body)
{
    char *text = json_dumps(body, JSON_COMPACT | JSON_SORT_KEYS);
    json_t *made =
        json_pack("{s:I, s:s, s:s, s:o, s:s}", "sequence", (json_int_t)json_array_size(fake->ledger) + 1,
                  "utc", "2026-11-21T12:25:00.123456Z", "kind", kind, "body", body, "canonical", text);

    free(text);
    (void)json_array_append_new(fake->ledger, made);
    return made;
}

void fake_old_fact(struct fake *fake, const char *kind, json_t *body)
{
    (void)record(fake, kind, body);
}

void fake_fact(struct fake *fake, const char *kind, json_t *body)
{
    json_t *made = record(fake, kind, body);
    struct farm_event event = {.sequence = json_integer_value(json_object_get(made, "sequence")),
                               .utc = "2026-11-21T12:25:00.123456Z",
                               .topic = kind,
                               .json = json_string_value(json_object_get(made, "canonical"))};

    api_publish(fake->api, &event);
}

void fake_progress(struct fake *fake, const char *station, int percent)
{
    char *json = format_text("{\"percent\":%d,\"station\":\"%s\"}", percent, station);
    struct farm_event event = {.topic = "progress", .station = station, .json = json};

    api_publish(fake->api, &event);
    free(json);
}

void fake_add_run(struct fake *fake, json_t *run)
{
    (void)json_array_append_new(fake->runs, run);
}

/* --- the client ----------------------------------------------------------------------------------------- */

int client_open(const struct fake *fake)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)api_bound_port(fake->api)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    CHECK(connect(fd, (const struct sockaddr *)&address, sizeof address) == 0);
    CHECK(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
    return fd;
}

/* One turn of the loop; sleeps a little when nothing was to do, since the client has no handle on the loop.
 */
static void turn(struct fake *fake, int fd)
{
    struct pollfd wait = {.fd = fd, .events = POLLIN};

    (void)uv_run(&fake->loop, UV_RUN_NOWAIT);
    (void)poll(&wait, 1, 1);
}

void client_send(struct fake *fake, int fd, const char *text, size_t size)
{
    while (size) {
        ssize_t count = send(fd, text, size, MSG_NOSIGNAL);

        if (count < 0 && errno != EAGAIN)
            return;
        if (count < 0) {
            turn(fake, fd);
            continue;
        }
        text += count;
        size -= (size_t)count;
    }
}

size_t client_receive(struct fake *fake, int fd, char *buffer, size_t size, const char *want)
{
    int64_t end_us = clock_monotonic_us(&clock_system) + 10000000;
    size_t used = strlen(buffer);

    while (clock_monotonic_us(&clock_system) < end_us && used + 1 < size) {
        ssize_t count = recv(fd, buffer + used, size - 1 - used, 0);

        if (count == 0 || (count < 0 && errno != EAGAIN))
            break;
        if (count > 0) {
            used += (size_t)count;
            buffer[used] = '\0';
        }
        if (want && strstr(buffer, want))
            break;
        turn(fake, fd);
    }
    return used;
}

void client_idle(struct fake *fake, int ms)
{
    int64_t end_us = clock_monotonic_us(&clock_system) + ms * INT64_C(1000);

    while (clock_monotonic_us(&clock_system) < end_us)
        turn(fake, -1);
}

bool client_closed(struct fake *fake, int fd)
{
    int64_t end_us = clock_monotonic_us(&clock_system) + 5000000;
    char buffer[4096];

    while (clock_monotonic_us(&clock_system) < end_us) {
        ssize_t count = recv(fd, buffer, sizeof buffer, 0);

        if (count == 0 || (count < 0 && errno != EAGAIN))
            return true;
        turn(fake, fd);
    }
    return false;
}

char *fake_ask(struct fake *fake, const char *head, const char *body)
{
    size_t size = 1 << 20;
    char *answer = allocate(1, size);
    char *request = format_text("%sConnection: close\r\n\r\n%s", head, body);
    int fd = client_open(fake);

    client_send(fake, fd, request, strlen(request));
    (void)client_receive(fake, fd, answer, size, NULL);
    (void)close(fd);
    free(request);
    return answer;
}

char *fake_get(struct fake *fake, const char *request)
{
    char *head = format_text("%s HTTP/1.1\r\n" AUTH, request);
    char *answer = fake_ask(fake, head, "");

    free(head);
    return answer;
}

int answer_status(const char *answer)
{
    return strncmp(answer, "HTTP/1.1 ", 9) ? 0 : atoi(answer + 9);
}

const char *answer_body(const char *answer)
{
    const char *empty = strstr(answer, "\r\n\r\n");

    return empty ? empty + 4 : "";
}

bool answer_has(const char *answer, const char *header)
{
    const char *body = answer_body(answer);
    char *line = format_text("\r\n%s\r\n", header);
    const char *found = strstr(answer, line);

    free(line);
    return found && found < body;
}
