/* SPDX-License-Identifier: Apache-2.0 */
/* What clients may ask of serial pools: to be made, opened, closed, burned; and of one number: that a person
 * settles it. Each is answered once, after it is in the record. */
#include "parts.h"

#include "alloc.h"
#include "await.h"
#include "bytes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_BYTES 63
#define NUMBER_MAX     999999999999999999LL
#define EUI48_MAX      0xffffffffffffLL
#define STEP_MAX       1000000
#define ITEMS_MAX      100000
#define BURN_MAX       1000000000

/* A name that goes into addresses, and for keys into a directory. */
static bool is_name(const char *text)
{
    size_t size = text ? strlen(text) : 0;

    return size > 0 && size <= NAME_MAX_BYTES && text[0] != '.' &&
           strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") == size;
}

/* --- what a pool must be ------------------------------------------------------------------ */

struct draft {
    struct farm *farm;
    const json_t *body;
    enum pool_kind kind;
    struct number_format format;
    int64_t first, last, step;
    json_t *ids; /* of keys: an object with a member for each */
};

/* An address as people write it, "02-00-5E-00-53-00", with - or : or nothing between; -1: it is none. */
static int64_t read_eui48(const char *text)
{
    int64_t address = 0;
    int digits = 0;

    for (; *text; text++) {
        int digit = hex_digit_value(*text);

        if (digit < 0 && (digits % 2 || (*text != ':' && *text != '-')))
            return -1;
        if (digit < 0)
            continue;
        if (++digits > 12)
            return -1;
        address = address << 4 | digit;
    }
    return digits == 12 ? address : -1;
}

static int read_bound(const struct draft *draft, const char *name, int64_t fallback, int64_t *number,
                      struct error *error)
{
    const json_t *value = json_object_get(draft->body, name);
    bool address = draft->kind == POOL_EUI48;
    int64_t most = address ? EUI48_MAX : NUMBER_MAX;

    *number = fallback;
    if (json_is_integer(value))
        *number = json_integer_value(value);
    else if (address && json_is_string(value))
        *number = read_eui48(json_string_value(value));
    else if (value && !json_is_null(value))
        *number = -1;
    if (*number < 0 || *number > most)
        return error_set(error, -EINVAL, "%s: expected %s", name,
                         address ? "an address such as \"00-00-5E-00-53-00\", or its number"
                                 : "a whole number from 0 to 999999999999999999");
    return 0;
}

static int check_step(struct draft *draft, struct error *error)
{
    const json_t *step = json_object_get(draft->body, "step");

    draft->step = step ? json_integer_value(step) : 1;
    if (draft->step < 1 || draft->step > STEP_MAX || (draft->kind != POOL_EUI48 && draft->step != 1))
        return error_set(error, -EINVAL, "step: expected %s",
                         draft->kind == POOL_EUI48 ? "how many addresses each unit takes, 1 to 1000000"
                                                   : "1, or nothing: a unit takes one number");
    return 0;
}

static int check_range(struct draft *draft, struct error *error)
{
    int64_t most;

    if (check_step(draft, error) < 0 ||
        read_bound(draft, "first", draft->kind == POOL_EUI48 ? -1 : 1, &draft->first, error) < 0 ||
        read_bound(draft, "last", -1, &draft->last, error) < 0)
        return error->code;
    if (draft->last < draft->first)
        return error_set(error, -EINVAL, "last: below first");
    if (draft->kind == POOL_EUI48)
        return number_eui48_check(draft->first, draft->last, draft->step,
                                  json_is_true(json_object_get(draft->body, "local")), error);
    most = number_format_max(&draft->format);
    if (draft->last > most)
        return error_set(error, -EINVAL, "last: the format's digits hold no more than %lld", (long long)most);
    return 0;
}

static int check_item(const json_t *items, size_t index, struct error *error)
{
    const json_t *item = json_array_get(items, index);
    const char *id = json_string_value(json_object_get(item, "id"));
    const char *sum = json_string_value(json_object_get(item, "sha256"));

    if (!is_name(id))
        return error_set(error, -EINVAL, "items[%zu].id: expected the name of a file in the key store",
                         index);
    if (!sum || strlen(sum) != 64 || strspn(sum, "0123456789abcdef") != 64)
        return error_set(error, -EINVAL, "items[%zu].sha256: expected 64 lower-case hexadecimal digits",
                         index);
    return 0;
}

static int check_items(struct draft *draft, struct error *error)
{
    const json_t *items = json_object_get(draft->body, "items");
    int status = 0;

    draft->ids = json_object();
    draft->first = 0;
    draft->step = 1;
    draft->last = (int64_t)json_array_size(items) - 1;
    if (draft->last < 0 || draft->last >= ITEMS_MAX)
        status = error_set(error, -EINVAL, "items: expected a list of 1 to %d {id, sha256}", ITEMS_MAX);
    for (size_t i = 0; status == 0 && i < json_array_size(items); i++) {
        const char *id = json_string_value(json_object_get(json_array_get(items, i), "id"));

        status = check_item(items, i, error);
        if (status == 0 && json_object_get(draft->ids, id))
            status = error_set(error, -EINVAL, "items[%zu].id: \"%s\" is listed twice", i, id);
        else if (status == 0)
            (void)json_object_set_new(draft->ids, id, json_true());
    }
    return status;
}

static int check_members(const json_t *body, struct error *error)
{
    static const char *const members[] = {"name", "kind",         "format", "first", "last",
                                          "step", "warn_percent", "items",  "local", "reason"};
    const char *name;
    json_t *value;

    json_object_foreach ((json_t *)(uintptr_t)body, name, value) {
        size_t i = 0;

        while (i < sizeof members / sizeof *members && strcmp(members[i], name) != 0)
            i++;
        if (i == sizeof members / sizeof *members)
            return error_set(error, -EINVAL, "\"%s\" is not a member of a serial pool", name);
    }
    return 0;
}

static int check_warnings(const json_t *percents, struct error *error)
{
    json_int_t before = 0;
    bool good = !percents || json_is_null(percents) ||
                (json_is_array(percents) && json_array_size(percents) <= POOL_WARNINGS);

    for (size_t i = 0; good && i < json_array_size(percents); i++) {
        json_int_t percent = json_integer_value(json_array_get(percents, i));

        good = percent > before && percent <= 100;
        before = percent;
    }
    return good ? 0
                : error_set(error, -EINVAL,
                            "warn_percent: expected up to three rising whole numbers from 1 to "
                            "100, such as [70, 85, 95]");
}

/* Two pools that could give the same text to two units. */
static bool collides(const struct draft *draft, const struct pool *pool)
{
    bool overlap = draft->first <= pool->last && pool->first <= draft->last;

    if (pool->kind != draft->kind)
        return false;
    switch (draft->kind) {
    case POOL_EUI48:
        return overlap;
    case POOL_SERIAL: /* with a date between, no two days' numbers are the same, but one day's are */
        return overlap && draft->format.base == pool->format.base &&
               draft->format.digits == pool->format.digits && draft->format.date == pool->format.date &&
               draft->format.check == pool->format.check &&
               strcmp(draft->format.prefix, pool->format.prefix) == 0 &&
               strcmp(draft->format.suffix, pool->format.suffix) == 0;
    case POOL_KEY:
        break;
    }
    return false;
}

static bool has_key(const struct pool *pool, const json_t *ids)
{
    const json_t *item;
    size_t index;

    json_array_foreach (pool->items, index, item) {
        const char *id = json_string_value(json_object_get(item, "id"));

        if (id && json_object_get(ids, id))
            return true;
    }
    return false;
}

static int check_others(const struct draft *draft, struct error *error)
{
    const char *name = json_string_value(json_object_get(draft->body, "name"));

    LIST_EACH (node, &draft->farm->pools) {
        const struct pool *pool = LIST_ENTRY(node, struct pool, node);

        if (strcmp(pool->name, name) == 0)
            return error_set(error, -EEXIST, "name: there is a serial pool \"%s\" already", name);
        if (collides(draft, pool) || (draft->kind == POOL_KEY && has_key(pool, draft->ids)))
            return error_set(error, -EEXIST, "first: serial pool %s has some of these %s", pool->name,
                             draft->kind == POOL_KEY ? "keys" : "numbers");
    }
    return 0;
}

static int check_draft(struct draft *draft, struct error *error)
{
    const char *kind = json_string_value(json_object_get(draft->body, "kind"));
    const json_t *format = json_object_get(draft->body, "format");

    if (check_members(draft->body, error) < 0)
        return error->code;
    if (!is_name(json_string_value(json_object_get(draft->body, "name"))))
        return error_set(error, -EINVAL, "name: expected 1 to 63 of A-Z a-z 0-9 . _ -");
    if (!pool_kind_of(kind ? kind : "serial", &draft->kind))
        return error_set(error, -EINVAL, "kind: expected \"serial\", \"eui48\" or \"key\"");
    if (draft->kind == POOL_KEY && format && !json_is_null(format))
        return error_set(error, -EINVAL, "format: a key is named by its own id");
    if (number_format_parse(&draft->format, draft->kind, json_is_null(format) ? NULL : format, error) < 0 ||
        check_warnings(json_object_get(draft->body, "warn_percent"), error) < 0 ||
        (draft->kind == POOL_KEY ? check_items(draft, error) : check_range(draft, error)) < 0)
        return error->code;
    return check_others(draft, error);
}

static json_t *created_body(const struct draft *draft, const char *by)
{
    static const char *const kinds[] = {[POOL_SERIAL] = "serial", [POOL_EUI48] = "eui48", [POOL_KEY] = "key"};
    const json_t *format = json_object_get(draft->body, "format");
    const json_t *percents = json_object_get(draft->body, "warn_percent");
    const json_t *items = json_object_get(draft->body, "items");
    json_t *body = json_pack(
        "{s:O,s:s,s:o,s:I,s:I,s:I,s:o,s:s}", "name", json_object_get(draft->body, "name"), "kind",
        kinds[draft->kind], "format", json_is_object(format) ? json_deep_copy(format) : json_object(),
        "first", (json_int_t)draft->first, "last", (json_int_t)draft->last, "step", (json_int_t)draft->step,
        "warn_percent", json_is_array(percents) ? json_deep_copy(percents) : json_pack("[iii]", 70, 85, 95),
        "by", by);

    if (draft->kind == POOL_KEY)
        (void)json_object_set_new(body, "items", json_deep_copy(items));
    if (json_object_get(draft->body, "reason"))
        (void)json_object_set(body, "reason", json_object_get(draft->body, "reason"));
    return body;
}

/* --- requests ----------------------------------------------------------------------------- */

struct pool_request {
    struct farm *farm;
    json_t *(*act)(const struct pool_request *request, struct error *error);
    json_t *body; /* of a pool that is to be made */
    enum pool_command command;
    int64_t count;
    char *name, *state, *reason, *by; /* name: of the pool, or the number's text */
    farm_answer *answer;
    void *context;
};

static json_t *find_pool(const struct pool_request *request, const char *name, struct error *error)
{
    struct await await = await_begin(request->farm->options.fibers, error);

    store_pool(request->farm->options.store, name, await_answered, &await);
    return await_end(&await);
}

static int append(const struct pool_request *request, const char *kind, json_t *body, struct error *error)
{
    struct store_fact fact = {.kind = kind, .body = body};

    return store_append_wait(request->farm->options.store, request->farm->options.fibers, &fact, 1, error);
}

/* It is there, closed, while it is recorded: so that no second one can be made of the same numbers. Until
 * then nobody finds it, since it may have to go again. */
static json_t *create(const struct pool_request *request, struct error *error)
{
    struct draft draft = {.farm = request->farm, .body = request->body};
    json_t *body, *closed;
    const char *name;
    int status = check_draft(&draft, error);

    json_decref(draft.ids);
    if (status < 0)
        return NULL;
    body = created_body(&draft, request->by);
    name = json_string_value(json_object_get(request->body, "name"));
    closed = json_copy(body);
    (void)json_object_set_new(closed, "state", json_string("closed"));
    if (pool_add(request->farm, closed, error) == 0) {
        struct pool *pool = pool_find(request->farm, name);

        pool->making = true;
        pool->open = append(request, "pool.created", body, error) == 0;
        pool->making = false;
        if (!pool->open)
            pool_discard(pool);
    } else {
        json_decref(body);
    }
    json_decref(closed);
    if (error->code == -EPROTO) /* what only the record can see: another pool has one of these keys */
        (void)error_reclass(error, -EEXIST);
    if (error->code)
        return NULL;
    log_notice(&request->farm->log, "serial pool %s made by %s: %lld to %lld", name, request->by,
               (long long)draft.first, (long long)draft.last);
    return find_pool(request, name, error);
}

static int set_state(const struct pool_request *request, bool open, struct error *error)
{
    const char *word = open ? "open" : "closed";
    int status = append(request, "pool.state",
                        json_pack("{s:s,s:s,s:s,s:s}", "name", request->name, "state", word, "reason",
                                  request->reason, "by", request->by),
                        error);

    if (status == 0) {
        pool_find(request->farm, request->name)->open = open;
        log_notice(&request->farm->log, "serial pool %s: %s by %s: %s", request->name, word, request->by,
                   request->reason);
        farm_wake(request->farm);
    }
    return status == -EPROTO ? error_reclass(error, -EBUSY) : status; /* it is in that state already */
}

static json_t *burned_body(const struct pool_request *request, int64_t first, int64_t last)
{
    return json_pack("{s:s,s:I,s:I,s:s,s:s}", "name", request->name, "first", (json_int_t)first, "last",
                     (json_int_t)last, "reason", request->reason, "by", request->by);
}

/* The numbers leave the pool first, so that no run takes one while the record is made. Those that have come
 * back are burned too: who burns numbers does so because he does not know where they are. */
static int burn(const struct pool_request *request, struct error *error)
{
    struct pool *pool = pool_find(request->farm, request->name);
    size_t gaps = pool->gap_count;
    struct store_fact *facts = allocate(gaps + 1, sizeof *facts);
    int64_t first = pool->next, last = first + (request->count - 1) * pool->step;
    int64_t step = pool->step;
    struct pool_gap *taken = pool->gaps;
    int status;

    for (size_t i = 0; i < gaps; i++)
        facts[i] = (struct store_fact){
            .kind = "pool.burned",
            .body = burned_body(request, taken[i].first, taken[i].first + (taken[i].count - 1) * step)};
    facts[gaps] = (struct store_fact){.kind = "pool.burned", .body = burned_body(request, first, last)};
    pool->gaps = NULL;
    pool->gap_count = 0;
    pool->next = last + step;
    status = store_append_wait(request->farm->options.store, request->farm->options.fibers, facts, gaps + 1,
                               error);
    pool = pool_find(request->farm, request->name);
    if (status < 0)
        pool_give_back_range(pool, first, request->count);
    for (size_t i = 0; status < 0 && i < gaps; i++)
        pool_give_back_range(pool, taken[i].first, taken[i].count);
    free(taken);
    free(facts);
    return status;
}

static int check_burn(const struct pool_request *request, const struct pool *pool, struct error *error)
{
    int64_t most = pool->next > pool->last ? 0 : (pool->last - pool->next + 1) / pool->step;

    if (request->count < 1 || request->count > BURN_MAX || request->count > most)
        return error_set(error, -EINVAL, "count: expected a whole number from 1 to %lld, which are left",
                         (long long)(most < BURN_MAX ? most : BURN_MAX));
    return 0;
}

static int obey(const struct pool_request *request, struct error *error)
{
    const struct pool *pool = pool_find(request->farm, request->name);

    if (!pool)
        return error_set(error, -ENOENT, "there is no serial pool \"%s\"", request->name);
    if (!request->reason[0])
        return error_set(error, -EINVAL, "reason: expected a text that says why");
    switch (request->command) {
    case POOL_OPEN:
        return set_state(request, true, error);
    case POOL_CLOSE:
        return set_state(request, false, error);
    case POOL_BURN:
        return check_burn(request, pool, error) < 0 ? error->code : burn(request, error);
    }
    return 0;
}

static json_t *command_pool(const struct pool_request *request, struct error *error)
{
    return obey(request, error) < 0 ? NULL : find_pool(request, request->name, error);
}

/* --- one number --------------------------------------------------------------------------- */

static json_t *find_serial(const struct pool_request *request, struct error *error)
{
    struct await await = await_begin(request->farm->options.fibers, error);

    store_serial(request->farm->options.store, request->name, await_answered, &await);
    return await_end(&await);
}

static int check_settling(const struct pool_request *request, const json_t *serial, struct error *error)
{
    const char *from = json_string_value(json_object_get(serial, "state"));
    bool burned = strcmp(request->state, "burned") == 0;

    if (!burned && strcmp(request->state, "pass") != 0 && strcmp(request->state, "fail") != 0)
        return error_set(error, -EINVAL, "state: expected \"pass\", \"fail\" or \"burned\"");
    if (!request->reason[0])
        return error_set(error, -EINVAL, "reason: expected a text that says how you know");
    if (!from || (strcmp(from, "unknown") != 0 &&
                  !(burned && (strcmp(from, "fail") == 0 || strcmp(from, "pass") == 0))))
        return error_set(error, -EBUSY, "%s is %s: only one that is unknown can be settled%s", request->name,
                         from ? from : "nowhere", burned ? ", and one that passed or failed be burned" : "");
    return 0;
}

static json_t *settle(const struct pool_request *request, struct error *error)
{
    json_t *serial = find_serial(request, error);
    json_t *run;
    int status;

    if (!serial)
        return NULL;
    status = check_settling(request, serial, error);
    run = json_incref(json_object_get(serial, "run"));
    json_decref(serial);
    if (status == 0)
        status =
            append(request, "serial.settled",
                   json_pack("{s:s,s:s,s:s,s:s,s:s,s:o*}", "serial", request->name, "state", request->state,
                             "reason", request->reason, "by", request->by, "how", "person", "run", run),
                   error);
    else
        json_decref(run);
    if (status == -EPROTO) /* it has changed a moment ago */
        (void)error_reclass(error, -EBUSY);
    if (status < 0)
        return NULL;
    log_notice(&request->farm->log, "%s settled as %s by %s: %s", request->name, request->state, request->by,
               request->reason);
    serial = find_serial(request, error);
    units_note_settled(request->farm, serial);
    return serial;
}

/* --- on fibers of their own --------------------------------------------------------------- */

static void run_request(void *argument)
{
    struct pool_request *request = argument;
    struct error error = ERROR_NONE;
    json_t *answer = NULL;

    if (request->farm->stopping || !request->farm->started)
        (void)error_set(&error, -EBUSY, "the daemon is %s",
                        request->farm->stopping ? "stopping" : "starting");
    else
        answer = request->act(request, &error);
    request->answer(request->context, answer, &error);
}

static void end_request(void *argument)
{
    struct pool_request *request = argument;

    json_decref(request->body);
    free(request->name);
    free(request->state);
    free(request->reason);
    free(request->by);
    free(request);
}

static void begin_request(const struct pool_request *request)
{
    struct pool_request *kept = allocate(1, sizeof *kept);

    *kept = *request;
    (void)fiber_start(request->farm->options.fibers, "pool", run_request, end_request, kept);
}

void farm_pool_create(struct farm *farm, const json_t *body, const char *by, farm_answer *answer,
                      void *context)
{
    begin_request(&(struct pool_request){.farm = farm,
                                         .act = create,
                                         .body = json_deep_copy(body),
                                         .by = copy_text(by),
                                         .answer = answer,
                                         .context = context});
}

void farm_pool_command(struct farm *farm, const char *name, enum pool_command command, int64_t count,
                       const char *reason, const char *by, farm_answer *answer, void *context)
{
    begin_request(&(struct pool_request){.farm = farm,
                                         .act = command_pool,
                                         .command = command,
                                         .count = count,
                                         .name = copy_text(name),
                                         .reason = copy_text(reason ? reason : ""),
                                         .by = copy_text(by),
                                         .answer = answer,
                                         .context = context});
}

void farm_serial_settle(struct farm *farm, const char *serial, const char *state, const char *reason,
                        const char *by, farm_answer *answer, void *context)
{
    begin_request(&(struct pool_request){.farm = farm,
                                         .act = settle,
                                         .name = copy_text(serial),
                                         .state = copy_text(state ? state : ""),
                                         .reason = copy_text(reason ? reason : ""),
                                         .by = copy_text(by),
                                         .answer = answer,
                                         .context = context});
}
