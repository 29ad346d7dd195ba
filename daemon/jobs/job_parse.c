/* SPDX-License-Identifier: Apache-2.0 */
/* The body of POST /v1/jobs, member by member. Every refusal names the member, what it holds and what would
 * be taken. */
#include "parts.h"

#include "alloc.h"
#include "bytes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define QUANTITY_MAX  1000000
#define TIMEOUT_MAX_S 86400

struct member {
    const char *name;
    int (*read)(struct job *job, const json_t *value, struct error *error);
};

static int refuse(struct error *error, const char *member, const char *wanted)
{
    return error_set(error, -EINVAL, "%s: expected %s", member, wanted);
}

static bool is_sha256(const char *text)
{
    return strlen(text) == 64 && strspn(text, "0123456789abcdef") == 64;
}

static int read_chip(struct job *job, const json_t *value, struct error *error)
{
    if (!json_is_string(value))
        return refuse(error, "chip", "the name of a chip, such as \"stm32f103xb\"");
    job->order.chip = chip_find(json_string_value(value));
    if (!job->order.chip)
        return error_set(error, -EINVAL, "chip: \"%s\" is not known; GET /v1/chips lists them",
                         json_string_value(value));
    return 0;
}

static int read_images(struct job *job, const json_t *value, struct error *error)
{
    const json_t *id;
    size_t index;

    (void)job;
    if (!json_is_array(value) || json_array_size(value) == 0)
        return refuse(error, "images", "a list of image ids (SHA-256), as POST /v1/images answers them");
    json_array_foreach (value, index, id) {
        if (!json_is_string(id) || !is_sha256(json_string_value(id)))
            return error_set(error, -EINVAL, "images[%zu]: expected 64 lower-case hexadecimal digits", index);
    }
    return 0;
}

static int add_place(struct job *job, const char *name, struct error *error)
{
    const struct station *station = farm_find_station(job->farm, name);
    struct job_place *place;

    if (!station)
        return error_set(error, -EINVAL, "stations: there is no station \"%s\"; GET /v1/stations lists them",
                         name);
    if (job_place(job, name))
        return error_set(error, -EINVAL, "stations: \"%s\" is listed twice", name);
    job->places = reallocate(job->places, job->place_count + 1, sizeof *job->places);
    place = &job->places[job->place_count++];
    *place = (struct job_place){.served = false};
    (void)snprintf(place->station, sizeof place->station, "%s", name);
    return 0;
}

/* "all": every enabled station that can talk to such a chip. */
static int add_all_places(struct job *job, struct error *error)
{
    LIST_EACH (node, &job->farm->stations) {
        const struct station *station = LIST_ENTRY(node, struct station, node);

        if (station->enabled && station->protocol->chips == job->order.chip->family->kind &&
            add_place(job, station->settings.name, error) < 0)
            return error->code;
    }
    return job->place_count ? 0
                            : error_set(error, -EINVAL,
                                        "stations: none is configured and enabled that can "
                                        "program a %s",
                                        job->order.chip->name);
}

static int read_stations(struct job *job, const json_t *value, struct error *error)
{
    const json_t *name;
    size_t index;

    if (json_is_string(value) && strcmp(json_string_value(value), "all") == 0)
        return 0; /* which they are depends on the chip: check_whole() */
    if (!json_is_array(value) || json_array_size(value) == 0)
        return refuse(error, "stations", "\"all\" or a list of station names");
    json_array_foreach (value, index, name) {
        if (!json_is_string(name))
            return refuse(error, "stations", "\"all\" or a list of station names");
        if (add_place(job, json_string_value(name), error) < 0)
            return error->code;
    }
    return 0;
}

static int read_number(const char *name, const json_t *value, int least, int most, int *number,
                       struct error *error)
{
    if (!json_is_integer(value) || json_integer_value(value) < least || json_integer_value(value) > most)
        return error_set(error, -EINVAL, "%s: expected a whole number from %d to %d", name, least, most);
    *number = (int)json_integer_value(value);
    return 0;
}

static int read_quantity(struct job *job, const json_t *value, struct error *error)
{
    return read_number("quantity", value, 1, QUANTITY_MAX, &job->quantity, error);
}

static int read_hold(struct job *job, const json_t *value, struct error *error)
{
    return read_number("hold_after_failures", value, 0, QUANTITY_MAX, &job->hold_after_failures, error);
}

static int read_timeout(struct job *job, const json_t *value, struct error *error)
{
    int seconds = 0;
    int status = read_number("timeout_s", value, 1, TIMEOUT_MAX_S, &seconds, error);

    job->order.timeout_us = (int64_t)seconds * 1000000;
    return status;
}

static int read_trigger(struct job *job, const json_t *value, struct error *error)
{
    static const char *const words[] = {"immediate", "on_insert", "on_start"};

    for (int i = 0; i < 3; i++)
        if (json_is_string(value) && strcmp(json_string_value(value), words[i]) == 0) {
            job->trigger = (enum job_trigger)i;
            return 0;
        }
    return refuse(error, "trigger", "\"immediate\", \"on_insert\" or \"on_start\"");
}

#define WORK_ORDER_MAX 128

static int read_work_order(struct job *job, const json_t *value, struct error *error)
{
    if (!json_is_string(value) || json_string_length(value) > WORK_ORDER_MAX)
        return refuse(error, "work_order", "a text of at most 128 bytes");
    free(job->work_order);
    job->work_order = copy_text(json_string_value(value));
    return 0;
}

static int read_flag(const char *name, const json_t *value, bool *flag, struct error *error)
{
    if (!json_is_boolean(value))
        return refuse(error, name, "true or false");
    *flag = json_is_true(value);
    return 0;
}

static int read_unprotect(struct job *job, const json_t *value, struct error *error)
{
    return read_flag("unprotect", value, &job->order.unprotect, error);
}

static int read_run(struct job *job, const json_t *value, struct error *error)
{
    return read_flag("run", value, &job->order.run, error);
}

static int read_protect(struct job *job, const json_t *value, struct error *error)
{
    const char *word = json_string_value(value);

    if (word && strcmp(word, "none") == 0)
        job->order.protect = PROTECTION_NONE;
    else if (word && (strcmp(word, "read") == 0 || strcmp(word, "rdp1") == 0)) /* as STM32 call it */
        job->order.protect = PROTECTION_READ;
    else if (word && strcmp(word, "write") == 0)
        job->order.protect = PROTECTION_WRITE;
    else
        return refuse(error, "protect", "\"none\", \"read\" (or \"rdp1\") or \"write\"");
    return 0;
}

/* An address is a number, or a text such as "0x08000000". */
static int read_address(const char *name, const json_t *value, uint32_t *address, struct error *error)
{
    char *end;
    unsigned long long number;

    if (json_is_integer(value) && json_integer_value(value) >= 0 && json_integer_value(value) <= UINT32_MAX) {
        *address = (uint32_t)json_integer_value(value);
        return 0;
    }
    if (json_is_string(value) && strncmp(json_string_value(value), "0x", 2) == 0) {
        number = strtoull(json_string_value(value), &end, 16);
        if (*end == '\0' && number <= UINT32_MAX && json_string_length(value) <= 10) {
            *address = (uint32_t)number;
            return 0;
        }
    }
    return refuse(error, name, "an address: a number, or a text such as \"0x08000000\"");
}

static int read_option(struct order_option *option, const json_t *value, struct error *error)
{
    const char *hex = json_string_value(json_object_get(value, "hex"));
    size_t digits = hex ? strlen(hex) : 0;

    if (read_address("option_bytes address", json_object_get(value, "address"), &option->address, error) < 0)
        return error->code;
    option->size = (uint32_t)(digits / 2);
    if (digits == 0 || digits / 2 > sizeof option->bytes || !bytes_from_hex(hex, option->bytes, digits / 2))
        return refuse(error, "option_bytes hex", "1 to 32 bytes in hexadecimal");
    return 0;
}

static int read_options(struct job *job, const json_t *value, struct error *error)
{
    const json_t *item;
    size_t index;

    if (!json_is_array(value) || json_array_size(value) > ORDER_OPTIONS)
        return refuse(error, "option_bytes", "a list of at most 8 {address, hex}");
    json_array_foreach (value, index, item) {
        if (read_option(&job->order.options[index], item, error) < 0)
            return error->code;
    }
    job->order.option_count = json_array_size(value);
    return 0;
}

#define KEEP_MAX 64

static int read_keep(struct job *job, const json_t *value, struct error *error)
{
    const json_t *item;
    size_t index;

    if (!json_is_array(value) || json_array_size(value) > KEEP_MAX)
        return refuse(error, "keep", "a list of at most 64 {address, size}");
    job->keep = reallocate(job->keep, json_array_size(value), sizeof *job->keep);
    json_array_foreach (value, index, item) {
        if (read_address("keep address", json_object_get(item, "address"), &job->keep[index].address, error) <
                0 ||
            read_address("keep size", json_object_get(item, "size"), &job->keep[index].size, error) < 0)
            return error->code;
    }
    job->order.keep = job->keep;
    job->order.keep_count = json_array_size(value);
    return 0;
}

#define SUMS_MAX 1024

/* {"address", "sum"} as in the record: from a unit that was verified by reading it with another programmer.
 */
static int read_sums(struct job *job, const json_t *value, struct error *error)
{
    const json_t *item;
    size_t index;

    if (!json_is_array(value) || json_array_size(value) > SUMS_MAX)
        return refuse(error, "sums", "a list of at most 1024 {address, sum}");
    job->sums = json_array();
    json_array_foreach (value, index, item) {
        uint32_t address, sum;

        if (read_address("sums address", json_object_get(item, "address"), &address, error) < 0 ||
            read_address("sums sum", json_object_get(item, "sum"), &sum, error) < 0)
            return error->code;
        (void)json_array_append_new(
            job->sums, json_pack("{s:I,s:I}", "address", (json_int_t)address, "sum", (json_int_t)sum));
    }
    return 0;
}

static const struct member members[] = {
    {"chip", read_chip},
    {"images", read_images},
    {"stations", read_stations},
    {"trigger", read_trigger},
    {"quantity", read_quantity},
    {"work_order", read_work_order},
    {"hold_after_failures", read_hold},
    {"timeout_s", read_timeout},
    {"unprotect", read_unprotect},
    {"run", read_run},
    {"protect", read_protect},
    {"option_bytes", read_options},
    {"keep", read_keep},
    {"sums", read_sums},
};

static int read_member(struct job *job, const char *name, const json_t *value, struct error *error)
{
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        if (strcmp(members[i].name, name) == 0)
            return members[i].read(job, value, error);
    return error_set(error, -EINVAL, "\"%s\" is not a member of a job", name);
}

/* What only makes sense together. */
static int check_whole(struct job *job, struct error *error)
{
    if (!job->order.chip)
        return error_set(error, -EINVAL, "chip is missing: the name of the chip to program");
    if (!json_object_get(job->body, "images"))
        return error_set(error, -EINVAL, "images is missing: what to program");
    if (job->place_count == 0 && add_all_places(job, error) < 0)
        return error->code;
    if (job->quantity == 0)
        job->quantity = (int)job->place_count;
    if (job->trigger == TRIGGER_IMMEDIATE && job->quantity > (int)job->place_count)
        return error_set(
            error, -EINVAL,
            "quantity: %d is more than the %zu stations, and \"immediate\" gives each one unit; use "
            "trigger \"on_insert\"",
            job->quantity, job->place_count);
    if (job->order.run && job->order.protect == PROTECTION_READ)
        return error_set(error, -EINVAL,
                         "run: a bootloader does not start the application of a chip that "
                         "\"protect\" has just locked; leave one of them out");
    return 0;
}

/* "image" is the short form for one. */
static json_t *normalised(const json_t *body)
{
    json_t *copy = json_deep_copy(body);
    json_t *image = json_object_get(copy, "image");

    if (image && !json_object_get(copy, "images")) {
        (void)json_object_set_new(copy, "images", json_pack("[O]", image));
        (void)json_object_del(copy, "image");
    }
    return copy;
}

int job_parse(struct farm *farm, const json_t *body, struct job **job, struct error *error)
{
    struct job *made = allocate(1, sizeof *made);
    const char *name;
    json_t *value;
    int status = 0;

    list_init(&made->node);
    made->farm = farm;
    made->work_order = copy_text("");
    made->body = normalised(body);
    json_object_foreach (made->body, name, value) {
        if (status == 0 && !json_is_null(value))
            status = read_member(made, name, value, error);
    }
    if (status == 0)
        status = check_whole(made, error);
    made->images = json_object_get(made->body, "images");
    if (status < 0) {
        job_free(made);
        return status;
    }
    *job = made;
    return 0;
}

static int add_plan(struct job *job, const struct protocol *protocol, struct error *error)
{
    struct job_plan *made = &job->plans[job->plan_count];
    int status;

    if (job_plan(job, protocol))
        return 0;
    if (job->plan_count == JOB_PLANS)
        return error_set(error, -EINVAL, "stations: more than %d protocols in one job", JOB_PLANS);
    status = plan_make(&made->plan, &job->order, protocol, error);
    if (status < 0)
        return status;
    made->protocol = protocol;
    job->plan_count++;
    return plan_by_sums(protocol) ? sums_check(job, &made->plan, error) : 0;
}

int job_prepare(struct job *job, struct error *error)
{
    int status = images_load(job->farm->images, job->images, &job->image, error);

    job->order.image = &job->image;
    for (size_t i = 0; status == 0 && i < job->place_count; i++) {
        const struct station *station = farm_find_station(job->farm, job->places[i].station);

        if (station)
            status = add_plan(job, station->protocol, error);
    }
    /* To the one who submits, an image that does not fit is a request that makes no sense. */
    return status == FAILURE_CODE(FAILURE_DATA) ? error_reclass(error, -EINVAL) : status;
}
