/* SPDX-License-Identifier: Apache-2.0 */
/* The body of POST /v1/jobs, member by member. Every refusal names the member, what it holds and what would
 * be taken. */
#include "parts.h"
#include "recipes.h"

#include "alloc.h"
#include "bytes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define QUANTITY_MAX  1000000
#define TIMEOUT_MAX_S 86400

/* Who may say it: only an order, or its recipe too. */
enum whose { OF_ORDER, OF_RECIPE };

struct member {
    const char *name;
    enum whose whose;
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

/* --- recipe, units, numbers --------------------------------------------------------------- */

/* As recipe_resolve() gives it: what a client says of a recipe has been replaced by then. */
static int read_recipe(struct job *job, const json_t *value, struct error *error)
{
    if (!json_is_string(json_object_get(value, "name")) ||
        !json_is_integer(json_object_get(value, "version")) ||
        !json_is_string(json_object_get(value, "hash")))
        return refuse(error, "recipe", "the name of a released recipe");
    job->recipe = value;
    return 0;
}

static int read_serial_pool(struct job *job, const json_t *value, struct error *error)
{
    if (!json_is_string(value))
        return refuse(error, "serial_pool", "the name of a serial pool");
    job->serial_pool = json_string_value(value);
    return 0;
}

static int read_units(struct job *job, const json_t *value, struct error *error)
{
    return units_read(job, value, error);
}

#define REASON_MAX 200

static int read_rework(struct job *job, const json_t *value, struct error *error)
{
    if (!json_is_string(value) || json_string_length(value) == 0 || json_string_length(value) > REASON_MAX)
        return refuse(error, "rework", "a reason, a text of 1 to 200 bytes");
    job->rework = json_string_value(value);
    return 0;
}

static bool are_texts(const json_t *list)
{
    const json_t *item;
    size_t index;

    json_array_foreach (list, index, item) {
        if (!json_is_string(item) || json_string_length(item) == 0)
            return false;
    }
    return json_array_size(list) > 0;
}

#define BOARD_CODE_PATTERN_MAX 200

/* Back-references take time without bound, and a repeated repetition memory: codes of boards need neither. */
static bool is_tame(const char *pattern)
{
    const char *at = pattern;

    if (strlen(pattern) > BOARD_CODE_PATTERN_MAX || strstr(pattern, "){") || strstr(pattern, "}{"))
        return false;
    while ((at = strchr(at, '\\'))) {
        if (at[1] >= '0' && at[1] <= '9')
            return false;
        at += at[1] ? 2 : 1;
    }
    return true;
}

/* The expression must fit the whole code. */
static int read_board_code(struct job *job, const json_t *value, struct error *error)
{
    struct board_code *wanted = &job->board_code;
    char words[100];
    char *pattern;
    int status;

    if (are_texts(value)) {
        wanted->list = (json_t *)(uintptr_t)value;
        return 0;
    }
    if (!json_is_string(value) || json_string_length(value) == 0)
        return refuse(error, "board_code", "an extended regular expression (POSIX) or a list of codes");
    if (!is_tame(json_string_value(value)))
        return refuse(
            error, "board_code",
            "an expression of at most 200 characters, without back-references and without {n} behind "
            "a group or another {n}");
    pattern = format_text("^(%s)$", json_string_value(value));
    status = regcomp(&wanted->pattern, pattern, REG_EXTENDED | REG_NOSUB);
    free(pattern);
    wanted->has_pattern = status == 0;
    if (status == 0)
        return 0;
    (void)regerror(status, &wanted->pattern, words, sizeof words);
    return error_set(error, -EINVAL, "board_code: not an extended regular expression (POSIX): %s", words);
}

static int read_fixtures(struct job *job, const json_t *value, struct error *error)
{
    if (!are_texts(value))
        return refuse(error, "fixtures",
                      "a list of names of fixtures, as the stations' configuration has them");
    job->fixtures = value;
    return 0;
}

static int read_dry_run(struct job *job, const json_t *value, struct error *error)
{
    return read_flag("dry_run", value, &job->dry_run, error);
}

static int read_signature(struct job *job, const json_t *value, struct error *error)
{
    struct signature_policy policy;

    job->signature = value;
    return signature_policy_parse(&policy, value, error);
}

static int read_description(struct job *job, const json_t *value, struct error *error)
{
    (void)job;
    return json_is_string(value) ? 0 : refuse(error, "description", "a text");
}

/* fields_parse() takes both lists at once. */
static int read_fields(struct job *job, const json_t *value, struct error *error)
{
    (void)job;
    return json_is_array(value) ? 0 : refuse(error, "fields", "a list of fields");
}

static int read_checks(struct job *job, const json_t *value, struct error *error)
{
    (void)job;
    return json_is_array(value) ? 0 : refuse(error, "checks", "a list of checks");
}

static const struct member members[] = {
    {"chip", OF_RECIPE, read_chip},
    {"images", OF_RECIPE, read_images},
    {"stations", OF_ORDER, read_stations},
    {"trigger", OF_ORDER, read_trigger},
    {"quantity", OF_ORDER, read_quantity},
    {"work_order", OF_ORDER, read_work_order},
    {"hold_after_failures", OF_ORDER, read_hold},
    {"timeout_s", OF_RECIPE, read_timeout},
    {"unprotect", OF_RECIPE, read_unprotect},
    {"run", OF_RECIPE, read_run},
    {"protect", OF_RECIPE, read_protect},
    {"option_bytes", OF_RECIPE, read_options},
    {"keep", OF_RECIPE, read_keep},
    {"sums", OF_RECIPE, read_sums},
    {"recipe", OF_ORDER, read_recipe},
    {"serial_pool", OF_RECIPE, read_serial_pool},
    {"fields", OF_RECIPE, read_fields},
    {"checks", OF_RECIPE, read_checks},
    {"units", OF_ORDER, read_units},
    {"rework", OF_ORDER, read_rework},
    {"board_code", OF_RECIPE, read_board_code},
    {"fixtures", OF_RECIPE, read_fixtures},
    {"signature", OF_RECIPE, read_signature},
    {"dry_run", OF_ORDER, read_dry_run},
    {"description", OF_RECIPE, read_description},
};

static int read_member(struct job *job, const char *name, const json_t *value, enum whose whose,
                       struct error *error)
{
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        if (strcmp(members[i].name, name) == 0 && members[i].whose >= whose)
            return members[i].read(job, value, error);
    return error_set(error, -EINVAL, "\"%s\" is not a member of a %s", name,
                     whose == OF_RECIPE ? "recipe" : "job");
}

bool job_recipe_says(const char *member)
{
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        if (strcmp(members[i].name, member) == 0)
            return members[i].whose == OF_RECIPE;
    return false;
}

static void add_pool(struct job *job, const char *name)
{
    for (size_t i = 0; i < job->pool_count; i++)
        if (strcmp(job->pools[i], name) == 0)
            return;
    job->pools = reallocate(job->pools, job->pool_count + 1, sizeof *job->pools);
    job->pools[job->pool_count++] = name;
}

/* What differs from unit to unit, and whose numbers that takes. */
static int parse_fields(struct job *job, struct error *error)
{
    const json_t *list = json_object_get(job->body, "fields");
    const json_t *checks = json_object_get(job->body, "checks");
    const char *const *names;
    size_t count;

    list = json_array_size(list) ? list : NULL;
    checks = json_array_size(checks) ? checks : NULL;
    if (job->serial_pool)
        add_pool(job, job->serial_pool);
    if (!list && !checks)
        return 0;
    if (fields_parse(&job->fields, list, checks, error) < 0)
        return error->code;
    count = fields_pools(job->fields, &names);
    for (size_t i = 0; i < count; i++)
        add_pool(job, names[i]);
    job->order.variable = fields_spans(job->fields, &job->order.variable_count);
    if (job->sums)
        return error_set(error, -EINVAL, "sums: units with fields of their own have no sums in common");
    return 0;
}

static int check_content(struct job *job, struct error *error)
{
    if (!job->order.chip)
        return error_set(error, -EINVAL, "chip is missing: the name of the chip to program");
    if (!json_object_get(job->body, "images"))
        return error_set(error, -EINVAL, "images is missing: what to program");
    if (job->order.run && job->order.protect == PROTECTION_READ)
        return error_set(error, -EINVAL,
                         "run: a bootloader does not start the application of a chip that "
                         "\"protect\" has just locked; leave one of them out");
    return parse_fields(job, error);
}

static int check_quantity(struct job *job, struct error *error)
{
    if (job->quantity == 0)
        job->quantity = (int)(job->unit_count ? job->unit_count : job->place_count);
    if (job->unit_count && (size_t)job->quantity > job->unit_count)
        return error_set(error, -EINVAL, "quantity: %d is more than the %zu units", job->quantity,
                         job->unit_count);
    if (job->trigger == TRIGGER_IMMEDIATE && job->quantity > (int)job->place_count)
        return error_set(
            error, -EINVAL,
            "quantity: %d is more than the %zu stations, and \"immediate\" gives each one unit; use "
            "trigger \"on_insert\"",
            job->quantity, job->place_count);
    return 0;
}

/* What only makes sense together. */
static int check_whole(struct job *job, struct error *error)
{
    if (check_content(job, error) < 0)
        return error->code;
    for (size_t i = 0; i < job->pool_count; i++)
        if (!pool_find(job->farm, job->pools[i]))
            return error_set(error, -EINVAL,
                             "there is no serial pool \"%s\"; GET /v1/serial-pools lists them",
                             job->pools[i]);
    if (job->place_count == 0 && add_all_places(job, error) < 0)
        return error->code;
    return check_quantity(job, error) < 0 ? error->code : units_check(job, error);
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

static int parse(struct farm *farm, const json_t *body, enum whose whose, struct job **job,
                 struct error *error)
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
            status = read_member(made, name, value, whose, error);
    }
    if (status == 0)
        status = whose == OF_RECIPE ? check_content(made, error) : check_whole(made, error);
    made->images = json_object_get(made->body, "images");
    if (status < 0) {
        job_free(made);
        return status;
    }
    *job = made;
    return 0;
}

int job_parse(struct farm *farm, const json_t *body, struct job **job, struct error *error)
{
    return parse(farm, body, OF_ORDER, job, error);
}

int job_parse_recipe(struct farm *farm, const json_t *content, struct job **job, struct error *error)
{
    return parse(farm, content, OF_RECIPE, job, error);
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
    if (status == 0 && job->fields)
        status = overlay_reserve(&job->image, job->order.chip, job->order.variable, job->order.variable_count,
                                 error);
    if (status == 0)
        job_note_image(job);
    for (size_t i = 0; status == 0 && i < job->place_count; i++) {
        const struct station *station = farm_find_station(job->farm, job->places[i].station);

        if (station)
            status = add_plan(job, station->protocol, error);
    }
    /* To the one who submits, an image that does not fit is a request that makes no sense. */
    return status == FAILURE_CODE(FAILURE_DATA) ? error_reclass(error, -EINVAL) : status;
}
