/* SPDX-License-Identifier: Apache-2.0 */
#include "unit_data.h"

#include "alloc.h"
#include "await.h"
#include "bytes.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

struct unit_data unit_data_begin(struct job *job, const struct plan *plan)
{
    return (struct unit_data){.job = job, .overlay = {.order = job->order, .plan = *plan}};
}

/* --- numbers ------------------------------------------------------------------------------ */

static const char *text_of(const json_t *object, const char *member)
{
    const char *text = json_string_value(json_object_get(object, member));

    return text ? text : "";
}

/* The number of that pool that this chip has and may go on with: the newest, if there are several. */
static const json_t *find_kept(const struct job *job, const json_t *known, const char *pool)
{
    const json_t *serial, *found = NULL;
    size_t index;

    json_array_foreach (known, index, serial) {
        if (strcmp(text_of(serial, "pool"), pool) == 0 && interlock_may_keep(job, serial) &&
            (!found || json_integer_value(json_object_get(serial, "fact")) >
                           json_integer_value(json_object_get(found, "fact"))))
            found = serial;
    }
    return found;
}

static struct unit_number *add_number(struct unit_data *data)
{
    data->numbers = reallocate(data->numbers, data->count + 1, sizeof *data->numbers);
    data->numbers[data->count] = (struct unit_number){.pool = NULL};
    return &data->numbers[data->count++];
}

static int take_from_pool(struct unit_data *data, const char *name, const json_t *known, struct error *error)
{
    struct farm *farm = data->job->farm;
    struct pool *pool = pool_find(farm, name);
    const json_t *kept = find_kept(data->job, known, name);
    struct unit_number taken = {.pool = pool};

    if (!pool)
        return error_set(error, FAILURE_CODE(FAILURE_SERIAL_EXHAUSTED), "there is no serial pool \"%s\"",
                         name);
    if (kept) {
        taken.kept = true;
        taken.in_doubt = strcmp(text_of(kept, "state"), "unknown") == 0;
        taken.number = json_integer_value(json_object_get(kept, "number"));
        (void)snprintf(taken.text, sizeof taken.text, "%s", text_of(kept, "serial"));
    } else if (pool_take(pool, clock_utc_us(farm->options.clock), &taken.number, taken.text, error) < 0) {
        return error->code;
    }
    *add_number(data) = taken;
    return 0;
}

/* The serial that whoever ordered gave. */
static void add_given(struct unit_data *data, const json_t *known)
{
    struct unit_number *number = add_number(data);
    const json_t *serial;
    size_t index;

    (void)snprintf(number->text, sizeof number->text, "%s", data->unit->serial);
    json_array_foreach (known, index, serial) {
        if (strcmp(text_of(serial, "serial"), number->text) == 0) {
            number->kept = true;
            number->in_doubt = strcmp(text_of(serial, "state"), "unknown") == 0;
        }
    }
}

static void choose_serial(struct unit_data *data)
{
    const char *wanted = data->job->serial_pool;
    const char *serial = data->unit ? data->unit->serial : NULL;

    for (size_t i = 0; !serial && i < data->count; i++) {
        const struct pool *pool = data->numbers[i].pool;

        if (pool && (wanted ? strcmp(pool->name, wanted) == 0 : pool->kind == POOL_SERIAL))
            serial = data->numbers[i].text;
    }
    (void)snprintf(data->serial, sizeof data->serial, "%s", serial ? serial : "");
}

/* A unit has one serial. One that its chip was begun with, and that this order would not go on with, stands
 * in the way until a person has settled it. */
static int check_only_serial(const struct unit_data *data, const json_t *known, struct error *error)
{
    const json_t *serial;
    size_t index;

    json_array_foreach (known, index, serial) {
        const char *state = text_of(serial, "state"), *name = text_of(serial, "pool");
        const struct pool *pool = name[0] ? pool_find(data->job->farm, name) : NULL;
        bool open = strcmp(state, "fail") == 0 || strcmp(state, "unknown") == 0;

        if (data->serial[0] && open && (!name[0] || (pool && pool->kind == POOL_SERIAL)) &&
            strcmp(text_of(serial, "serial"), data->serial) != 0)
            return error_set(error, FAILURE_CODE(FAILURE_WRONG_BOARD),
                             "this chip was begun as %s (%s): finish it with an order that names that serial "
                             "or its pool, or settle the number as burned",
                             text_of(serial, "serial"), state);
    }
    return 0;
}

bool unit_data_stands_against(const struct unit_data *data, const json_t *serial)
{
    const char *name = text_of(serial, "pool");
    const struct pool *pool = name[0] ? pool_find(data->job->farm, name) : NULL;
    bool same_pool = false;

    for (size_t i = 0; i < data->job->pool_count; i++)
        same_pool = same_pool || strcmp(data->job->pools[i], name) == 0;
    return data->count > 0 && interlock_may_keep(data->job, serial) &&
           (same_pool || !name[0] || (pool && pool->kind == POOL_SERIAL));
}

/* A unit that is programmed without a number of its own keeps its name. */
static void keep_name(struct unit_data *data, const json_t *known)
{
    const json_t *serial;
    size_t index;

    json_array_foreach (known, index, serial) {
        const char *name = text_of(serial, "pool");
        const struct pool *pool = name[0] ? pool_find(data->job->farm, name) : NULL;

        if (!data->serial[0] && (!name[0] || (pool && pool->kind == POOL_SERIAL)) &&
            strcmp(text_of(serial, "state"), "burned") != 0)
            (void)snprintf(data->serial, sizeof data->serial, "%s", text_of(serial, "serial"));
    }
}

static int take_all(struct unit_data *data, const json_t *known, struct error *error)
{
    const struct job *job = data->job;

    if (data->unit && data->unit->serial)
        add_given(data, known);
    for (size_t i = 0; i < job->pool_count; i++)
        if (take_from_pool(data, job->pools[i], known, error) < 0)
            return error->code;
    choose_serial(data);
    if (data->count == 0)
        keep_name(data, known);
    return check_only_serial(data, known, error);
}

static void return_numbers(struct unit_data *data)
{
    for (size_t i = 0; i < data->count; i++)
        if (data->numbers[i].pool && !data->numbers[i].kept)
            pool_give_back(data->numbers[i].pool, data->numbers[i].number);
    data->count = 0;
}

int unit_data_take(struct unit_data *data, const struct station *station, const char *uid,
                   const json_t *known, struct error *error)
{
    struct job *job = data->job;

    if (job->unit_count) {
        data->unit = units_choose(job, station, uid, known, error);
        if (!data->unit)
            return error->code;
    }
    if (take_all(data, known, error) < 0) {
        return_numbers(data);
        if (data->unit)
            units_settle(data->unit, OUTCOME_ABORTED, false, "");
        data->unit = NULL;
        return error->code;
    }
    job->numbered++;
    data->taken = true;
    return 0;
}

bool unit_data_is_secret(const struct job *job)
{
    for (size_t i = 0; i < job->pool_count; i++) {
        const struct pool *pool = pool_find(job->farm, job->pools[i]);

        if (pool && pool->kind == POOL_KEY)
            return true;
    }
    return false;
}

/* --- bytes -------------------------------------------------------------------------------- */

/* What is computed in the pool of threads: it reads the job and the unit, which stay as they are. */
struct making {
    struct unit_data *data;
    const struct plan *plan;
    struct field_values values;
    struct error error;
};

static void make(void *argument)
{
    struct making *making = argument;
    struct unit_data *data = making->data;
    const struct job *job = data->job;
    struct patch *patches = NULL;
    uint8_t digest[32];
    size_t count = 0;

    if (fields_encode(job->fields, &making->values, &job->image, job->order.chip->family->erased_value,
                      &patches, &count, &making->error) < 0)
        return;
    patches_digest(patches, count, digest);
    bytes_to_hex(digest, sizeof digest, data->sha256);
    data->made = overlay_make(&data->overlay, &job->order, making->plan, patches, count, &making->error) == 0;
    patches_free(patches, count);
}

static int read_keys(struct unit_data *data, struct error *error)
{
    for (size_t i = 0; i < data->count; i++) {
        struct unit_number *number = &data->numbers[i];

        if (number->pool && number->pool->kind == POOL_KEY && !number->key &&
            pool_read_key(number->pool, number->number, &number->key, &number->key_size, error) < 0)
            return error->code;
    }
    return 0;
}

static void forget_keys(struct unit_data *data)
{
    for (size_t i = 0; i < data->count; i++) {
        if (data->numbers[i].key)
            sodium_memzero(data->numbers[i].key, data->numbers[i].key_size);
        free(data->numbers[i].key);
        data->numbers[i].key = NULL;
    }
}

int unit_data_make(struct unit_data *data, const struct plan *plan, const uint8_t *uid, size_t uid_size,
                   struct error *error)
{
    const struct farm *farm = data->job->farm;
    struct field_number *numbers = allocate(data->count + 1, sizeof *numbers);
    struct making making = {.data = data, .plan = plan, .error = ERROR_NONE};

    if (read_keys(data, &making.error) == 0) {
        for (size_t i = 0; i < data->count; i++) {
            const struct unit_number *number = &data->numbers[i];

            numbers[i] = (struct field_number){.pool = number->pool ? number->pool->name : "",
                                               .text = number->text,
                                               .number = number->number,
                                               .key = number->key,
                                               .key_size = number->key_size};
        }
        making.values = (struct field_values){.unit = data->unit ? data->unit->object : NULL,
                                              .numbers = numbers,
                                              .number_count = data->count,
                                              .uid = uid,
                                              .uid_size = uid_size,
                                              .utc_us = clock_utc_us(farm->options.clock)};
        (void)await_work(farm->options.fibers, make, &making);
    }
    forget_keys(data);
    free(numbers);
    if (making.error.code) {
        *error = making.error;
        return error_reclass(error, FAILURE_CODE(FAILURE_DATA));
    }
    return 0;
}

/* --- the record --------------------------------------------------------------------------- */

/* Without what may be a secret or large: texts and numbers only. */
static json_t *describe_unit(const struct unit_data *data)
{
    json_t *object = json_object();
    const char *name;
    json_t *value;

    json_object_foreach ((json_t *)(uintptr_t)data->unit->object, name, value) {
        if (json_is_string(value) || json_is_integer(value))
            (void)json_object_set(object, name, value);
    }
    (void)json_object_set_new(object, "index", json_integer(data->unit - data->job->units));
    return object;
}

void unit_data_add(const struct unit_data *data, json_t *body)
{
    json_t *numbers = json_array();

    for (size_t i = 0; i < data->count; i++) {
        const struct unit_number *number = &data->numbers[i];

        (void)json_array_append_new(
            numbers,
            json_pack("{s:s?,s:o,s:s}", "pool", number->pool ? number->pool->name : NULL, "number",
                      number->pool ? json_integer(number->number) : json_null(), "text", number->text));
    }
    if (data->count)
        (void)json_object_set(body, "numbers", numbers);
    json_decref(numbers);
    if (data->serial[0])
        (void)json_object_set_new(body, "serial", json_string(data->serial));
    if (data->sha256[0])
        (void)json_object_set_new(body, "unit_data_sha256", json_string(data->sha256));
    if (data->unit)
        (void)json_object_set_new(body, "unit", describe_unit(data));
}

/* --- giving back -------------------------------------------------------------------------- */

/* Handed out again it would be refused again, for ever. */
static bool text_is_taken(struct farm *farm, const char *text)
{
    struct error error = ERROR_NONE;
    struct await await = await_begin(farm->options.fibers, &error);
    json_t *serial;

    store_serial(farm->options.store, text, await_answered, &await);
    serial = await_end(&await);
    json_decref(serial);
    return serial != NULL;
}

static void burn(struct farm *farm, const struct unit_number *number)
{
    log_error(&farm->log, "serial pool %s: %s is in the record already, and is burned", number->pool->name,
              number->text);
    farm_record(farm, "pool.burned",
                json_pack("{s:s,s:I,s:I,s:s+,s:s}", "name", number->pool->name, "first",
                          (json_int_t)number->number, "last", (json_int_t)number->number, "reason",
                          number->text, " is in the record already, from elsewhere", "by", "flashfarmd"));
}

void unit_data_give_back(struct unit_data *data)
{
    struct farm *farm = data->job->farm;

    for (size_t i = 0; i < data->count; i++) {
        const struct unit_number *number = &data->numbers[i];

        if (!number->pool || number->kept)
            continue;
        if (text_is_taken(farm, number->text))
            burn(farm, number);
        else
            pool_give_back(number->pool, number->number);
    }
    data->count = 0;
    if (data->taken)
        data->job->numbered--;
    data->taken = false;
    if (data->unit)
        units_settle(data->unit, OUTCOME_ABORTED, false, "");
    data->unit = NULL;
    data->serial[0] = '\0';
}

void unit_data_forget(struct unit_data *data)
{
    forget_keys(data);
    if (data->made)
        overlay_clear(&data->overlay);
    data->made = false;
}

void unit_data_clear(struct unit_data *data)
{
    unit_data_forget(data);
    free(data->numbers);
}

/* --- when it is ordered ------------------------------------------------------------------- */

int unit_data_check(const struct job *job, struct error *error)
{
    struct field_number *numbers = allocate(job->pool_count + 1, sizeof *numbers);
    char(*texts)[NUMBER_TEXT_MAX] = allocate(job->pool_count + 1, sizeof *texts);
    struct field_values values = {.numbers = numbers, .utc_us = clock_utc_us(job->farm->options.clock)};
    int status = 0;

    for (size_t i = 0; job->fields && i < job->pool_count; i++) {
        const struct pool *pool = pool_find(job->farm, job->pools[i]);

        if (!pool || pool->kind == POOL_KEY || pool_last(pool, values.utc_us, texts[values.number_count]) < 0)
            continue; /* keys are looked at when they are taken */
        numbers[values.number_count] = (struct field_number){
            .pool = pool->name, .text = texts[values.number_count], .number = pool->last - pool->step + 1};
        values.number_count++;
    }
    for (size_t i = 0; job->fields && status == 0 && i < (job->unit_count ? job->unit_count : 1); i++) {
        values.unit = job->unit_count ? job->units[i].object : NULL;
        status = fields_check(job->fields, &values, error);
        if (status < 0 && job->unit_count)
            (void)error_prefix(error, "units[%zu]", i);
    }
    free(numbers);
    free(texts);
    return status;
}
