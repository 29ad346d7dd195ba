/* SPDX-License-Identifier: Apache-2.0 */
/* The units of an order, when it lists them: which one this board is. A unit that was begun on a chip stays
 * with that chip; otherwise the code that was read decides, then the place, then the order of the list. */
#include "parts.h"

#include "alloc.h"
#include "await.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define UNITS_MAX   100000
#define WRONG_BOARD FAILURE_CODE(FAILURE_WRONG_BOARD)

/* --- reading ------------------------------------------------------------------------------ */

static int read_text(const json_t *object, size_t index, const char *member, size_t most, const char **text,
                     struct error *error)
{
    const json_t *value = json_object_get(object, member);
    size_t size = json_string_length(value);

    *text = NULL;
    if (!value || json_is_null(value))
        return 0;
    if (!json_is_string(value) || size == 0 || size > most)
        return error_set(error, -EINVAL, "units[%zu].%s: expected a text of 1 to %zu bytes", index, member,
                         most);
    *text = json_string_value(value);
    return 0;
}

static int read_unit(struct unit *unit, const json_t *object, size_t index, struct error *error)
{
    if (!json_is_object(object))
        return error_set(error, -EINVAL, "units[%zu]: expected an object", index);
    unit->object = object;
    if (read_text(object, index, "serial", NUMBER_TEXT_MAX - 1, &unit->serial, error) < 0 ||
        read_text(object, index, "station", STATION_NAME_MAX - 1, &unit->station, error) < 0 ||
        read_text(object, index, "position", BOARD_CODE_MAX, &unit->position, error) < 0 ||
        read_text(object, index, "code", BOARD_CODE_MAX, &unit->code, error) < 0)
        return error->code;
    return 0;
}

static bool same(const char *a, const char *b)
{
    return a && b && strcmp(a, b) == 0;
}

/* The same serial, or the same code and place, for two units. */
static int check_twice(const struct job *job, json_t *seen, size_t index, struct error *error)
{
    const struct unit *unit = &job->units[index];
    char *place = format_text("code %s at %s, station %s", unit->code ? unit->code : "",
                              unit->position ? unit->position : "", unit->station ? unit->station : "");
    char *serial = format_text("serial %s", unit->serial ? unit->serial : "");
    int status = 0;

    if (unit->serial && json_object_get(seen, serial))
        status = error_set(error, -EINVAL, "units[%zu].serial: \"%s\" is listed twice", index, unit->serial);
    else if (unit->code && json_object_get(seen, place))
        status = error_set(error, -EINVAL, "units[%zu].code: \"%s\" is listed twice for one place", index,
                           unit->code);
    (void)json_object_set_new(seen, serial, json_true());
    (void)json_object_set_new(seen, place, json_true());
    free(serial);
    free(place);
    return status;
}

int units_read(struct job *job, const json_t *list, struct error *error)
{
    size_t count = json_array_size(list);
    json_t *seen = json_object();
    int status = 0;

    if (!json_is_array(list) || count == 0 || count > UNITS_MAX)
        status = error_set(error, -EINVAL, "units: expected a list of 1 to %d objects", UNITS_MAX);
    else
        job->units = allocate(count, sizeof *job->units);
    for (size_t i = 0; status == 0 && i < count; i++) {
        status = read_unit(&job->units[i], json_array_get(list, i), i, error);
        if (status == 0)
            status = check_twice(job, seen, i, error);
        job->unit_count = i + 1;
    }
    json_decref(seen);
    return status;
}

static int check_member(const struct job *job, const json_t *field, struct error *error)
{
    const char *member = json_string_value(json_object_get(json_object_get(field, "source"), "unit"));
    const char *name = json_string_value(json_object_get(field, "name"));

    if (!member)
        return 0;
    if (job->unit_count == 0)
        return error_set(error, -EINVAL, "field %s wants \"%s\" of each unit: give the list units",
                         name ? name : "", member);
    for (size_t i = 0; i < job->unit_count; i++) {
        const json_t *value = json_object_get(job->units[i].object, member);

        if (!value || json_is_null(value))
            return error_set(error, -EINVAL, "units[%zu].%s: missing; field %s wants it", i, member,
                             name ? name : "");
    }
    return 0;
}

int units_check(const struct job *job, struct error *error)
{
    const json_t *field;
    size_t index;

    json_array_foreach (json_object_get(job->body, "fields"), index, field) {
        if (check_member(job, field, error) < 0)
            return error->code;
    }
    for (size_t i = 0; i < job->unit_count; i++)
        if (job->units[i].serial && job->serial_pool)
            return error_set(error, -EINVAL,
                             "units[%zu].serial: the serial comes from serial_pool already; leave one out",
                             i);
    return 0;
}

/* Only when it is ordered: a station that leaves the configuration later ends no order. */
int units_check_places(const struct job *job, struct error *error)
{
    for (size_t i = 0; i < job->unit_count; i++)
        if (job->units[i].station && !job_place(job, job->units[i].station))
            return error_set(error, -EINVAL, "units[%zu].station: \"%s\" is not one of the order's stations",
                             i, job->units[i].station);
    return 0;
}

/* --- whose turn --------------------------------------------------------------------------- */

/* Whether the unit is for another place than this station, wherever a code may come from. */
static bool is_elsewhere(const struct unit *unit, const struct station *station)
{
    if (unit->station)
        return strcmp(unit->station, station->settings.name) != 0;
    return unit->position && !unit->code && strcmp(unit->position, station->settings.position) != 0;
}

bool units_left_for(const struct job *job, const struct station *station)
{
    for (size_t i = 0; i < job->unit_count; i++)
        if (job->units[i].state == UNIT_FREE && !is_elsewhere(&job->units[i], station))
            return true;
    return job->unit_count == 0;
}

bool units_left(const struct job *job)
{
    for (size_t i = 0; i < job->unit_count; i++)
        if (job->units[i].state != UNIT_DONE)
            return true;
    return job->unit_count == 0;
}

static bool has_codes(const struct job *job, const struct station *station)
{
    for (size_t i = 0; i < job->unit_count; i++)
        if (job->units[i].state != UNIT_DONE && job->units[i].code && !is_elsewhere(&job->units[i], station))
            return true;
    return false;
}

bool units_need_code(const struct job *job, const struct station *station)
{
    bool asked = job->board_code.list || job->board_code.has_pattern || has_codes(job, station);

    return asked && !station->code[0];
}

static bool fits_board_code(const struct board_code *wanted, const char *code)
{
    const json_t *one;
    size_t index;

    if (wanted->has_pattern)
        return regexec(&wanted->pattern, code, 0, NULL, 0) == 0;
    json_array_foreach (wanted->list, index, one) {
        if (same(json_string_value(one), code))
            return true;
    }
    return !wanted->list;
}

/* One code may stand for a whole panel: then the place on it tells the units apart, and who says his place
 * comes before who says none. */
struct unit *units_by_code(const struct job *job, const struct station *station, const char *code,
                           const char *position)
{
    const char *place = position && position[0] ? position : station->settings.position;
    struct unit *best = NULL;
    int most = 0;

    for (size_t i = 0; i < job->unit_count; i++) {
        struct unit *unit = &job->units[i];
        int fit = 1 + (unit->station != NULL) + (unit->position != NULL);

        if (fit > most && same(unit->code, code) && (!unit->position || strcmp(unit->position, place) == 0) &&
            (!unit->station || strcmp(unit->station, station->settings.name) == 0)) {
            best = unit;
            most = fit;
        }
    }
    return best;
}

int units_check_code(const struct job *job, const struct station *station, const char *code,
                     const char *position, struct error *error)
{
    const struct unit *unit;

    if (!fits_board_code(&job->board_code, code))
        return error_set(error, -EINVAL, "code \"%s\" is not of the boards that this order is for", code);
    if (!has_codes(job, station))
        return 0;
    unit = units_by_code(job, station, code, position);
    if (!unit)
        return error_set(error, -EINVAL, "no unit of the order has code \"%s\" at this place", code);
    if (unit->state == UNIT_DONE)
        return error_set(error, -EINVAL, "the unit with code \"%s\" has been made already", code);
    return 0;
}

/* --- which one this board is -------------------------------------------------------------- */

static bool is_known_as(const struct unit *unit, const struct job *job, const json_t *known)
{
    const json_t *serial;
    size_t index;

    json_array_foreach (known, index, serial) {
        if (same(unit->serial, json_string_value(json_object_get(serial, "serial"))) &&
            interlock_may_keep(job, serial))
            return true;
    }
    return false;
}

/* The unit that was begun on this chip. */
static struct unit *find_begun(const struct job *job, const char *uid, const json_t *known)
{
    for (size_t i = 0; i < job->unit_count; i++) {
        struct unit *unit = &job->units[i];

        if (unit->state == UNIT_FREE && ((uid[0] && same(unit->uid, uid)) || is_known_as(unit, job, known)))
            return unit;
    }
    return NULL;
}

enum nearness { NEAR_STATION, NEAR_POSITION, NEAR_NEXT };

static bool is_near(const struct unit *unit, const struct station *station, enum nearness nearness)
{
    if (unit->state != UNIT_FREE || unit->uid[0] || unit->code)
        return false;
    switch (nearness) {
    case NEAR_STATION:
        return unit->station && !is_elsewhere(unit, station);
    case NEAR_POSITION:
        return !unit->station && unit->position && !is_elsewhere(unit, station);
    case NEAR_NEXT:
        return !unit->station && !unit->position;
    }
    return false;
}

static struct unit *find_next(const struct job *job, const struct station *station)
{
    for (int nearness = NEAR_STATION; nearness <= NEAR_NEXT; nearness++)
        for (size_t i = 0; i < job->unit_count; i++)
            if (is_near(&job->units[i], station, (enum nearness)nearness))
                return &job->units[i];
    return NULL;
}

/* What the record says of the unit's serial decides whether it is still to be made, and on which chip. */
static bool still_to_be_made(struct job *job, struct unit *unit, const char *uid, struct error *error)
{
    struct await await = await_begin(job->farm->options.fibers, error);
    json_t *serial;
    const char *state, *holder;
    bool good;

    if (!unit->serial)
        return true;
    store_serial(job->farm->options.store, unit->serial, await_answered, &await);
    serial = await_end(&await);
    if (!serial) {
        good = error->code == -ENOENT;
        if (good)
            *error = ERROR_NONE;
        return good;
    }
    state = json_string_value(json_object_get(serial, "state"));
    holder = json_string_value(json_object_get(serial, "uid"));
    good = holder && uid[0] && strcmp(holder, uid) == 0 && interlock_may_keep(job, serial);
    if (same(state, "reserved") || same(state, "bound"))
        (void)error_set(error, FAILURE_CODE(FAILURE_DATA),
                        "%s is in work at another station, for another order", unit->serial);
    else if (!good && holder && interlock_may_keep(job, serial))
        (void)snprintf(unit->uid, sizeof unit->uid, "%s", holder);
    else if (!good)
        unit->state = UNIT_DONE;
    json_decref(serial);
    return good;
}

static struct unit *find_unit(struct job *job, const struct station *station, const char *uid,
                              const json_t *known, struct error *error)
{
    struct unit *begun = find_begun(job, uid, known);
    struct unit *coded =
        station->code[0] ? units_by_code(job, station, station->code, station->code_position) : NULL;

    if (coded && begun && coded != begun)
        (void)error_set(error, WRONG_BOARD, "the code read is that of %s, but this chip was begun as %s",
                        coded->serial ? coded->serial : coded->code,
                        begun->serial ? begun->serial : "another unit");
    else if (coded && coded->uid[0] && strcmp(coded->uid, uid) != 0)
        (void)error_set(error, WRONG_BOARD, "the unit with code \"%s\" was begun on another chip (%s)",
                        coded->code, coded->uid);
    else if (coded && coded->state != UNIT_FREE)
        (void)error_set(error, WRONG_BOARD, "the unit with code \"%s\" is %s", coded->code,
                        coded->state == UNIT_OUT ? "at another station" : "made already");
    if (error->code)
        return NULL;
    return coded ? coded : begun ? begun : find_next(job, station);
}

struct unit *units_choose(struct job *job, const struct station *station, const char *uid,
                          const json_t *known, struct error *error)
{
    struct unit *unit;

    while ((unit = find_unit(job, station, uid, known, error))) {
        unit->state = UNIT_OUT; /* nobody else's while the record is asked */
        if (still_to_be_made(job, unit, uid, error))
            return unit;
        if (unit->state == UNIT_OUT)
            unit->state = UNIT_FREE;
        if (error->code)
            return NULL;
    }
    if (!error->code)
        (void)error_set(error, FAILURE_CODE(FAILURE_DATA),
                        "no unit of the order is left for this board: the others are made, or belong to "
                        "other chips or places");
    return NULL;
}

void units_settle(struct unit *unit, enum outcome outcome, bool recorded, const char *uid)
{
    unit->state = outcome == OUTCOME_PASS ? UNIT_DONE : UNIT_FREE;
    if (recorded && !unit->uid[0])
        (void)snprintf(unit->uid, sizeof unit->uid, "%s", uid);
}

/* --- settled by a person -------------------------------------------------------------------- */

/* Whether the unit is known by that number: the one that it was ordered with, or that its chip was given. */
static bool is_named(const struct job *job, const struct unit *unit, const json_t *serial)
{
    const char *name = json_string_value(json_object_get(serial, "pool"));
    const struct pool *pool = name ? pool_find(job->farm, name) : NULL;

    if (unit->serial)
        return same(unit->serial, json_string_value(json_object_get(serial, "serial")));
    return pool && pool->kind == POOL_SERIAL && unit->uid[0] &&
           same(unit->uid, json_string_value(json_object_get(serial, "uid"))) &&
           json_integer_value(json_object_get(serial, "job")) == job->id;
}

/* One that has passed is made. One whose own serial is burned never will be; a chip that was given a number
 * by a pool gets another. */
static void note_settled(struct job *job, struct unit *unit, const json_t *serial)
{
    const char *state = json_string_value(json_object_get(serial, "state"));

    if (unit->state == UNIT_FREE && is_named(job, unit, serial) &&
        (same(state, "pass") || (unit->serial && same(state, "burned"))))
        unit->state = UNIT_DONE;
}

void units_note_settled(struct farm *farm, const json_t *serial)
{
    LIST_EACH (node, &farm->jobs) {
        struct job *job = LIST_ENTRY(node, struct job, node);

        for (size_t i = 0; !job->rework && i < job->unit_count; i++)
            note_settled(job, &job->units[i], serial);
    }
    farm_review_jobs(farm);
}

/* --- after a start ------------------------------------------------------------------------ */

/* What became of the number of a run that did not pass: a person may have settled it since. */
static void remember_settled(struct job *job, struct unit *unit, const json_t *run)
{
    struct error error = ERROR_NONE; /* not known: it is looked up again when a board comes */
    struct await await = await_begin(job->farm->options.fibers, &error);
    const char *text = json_string_value(json_object_get(run, "serial"));
    json_t *serial;

    if (!text || job->rework || unit->state != UNIT_FREE)
        return;
    store_serial(job->farm->options.store, text, await_answered, &await);
    serial = await_end(&await);
    note_settled(job, unit, serial);
    json_decref(serial);
}

static void remember_run(struct job *job, const json_t *run)
{
    const json_t *index = json_object_get(json_object_get(run, "unit"), "index");
    const char *outcome = json_string_value(json_object_get(run, "outcome"));
    const char *uid = json_string_value(json_object_get(run, "uid"));
    struct unit *unit;

    if (!json_is_integer(index) || json_integer_value(index) < 0 ||
        json_integer_value(index) >= (json_int_t)job->unit_count)
        return;
    unit = &job->units[json_integer_value(index)];
    if (same(outcome, "pass"))
        unit->state = UNIT_DONE;
    if (uid && !unit->uid[0])
        (void)snprintf(unit->uid, sizeof unit->uid, "%s", uid);
    remember_settled(job, unit, run);
}

int units_remember(struct job *job, struct error *error)
{
    const struct store_run_filter filter = {.job = job->id};
    char *cursor = NULL;
    int status = 0;

    if (job->unit_count == 0)
        return 0;
    do {
        struct await await = await_begin(job->farm->options.fibers, error);
        const char *next;
        json_t *page;
        const json_t *run;
        size_t index;

        store_runs(job->farm->options.store, &filter, &(struct store_page){.cursor = cursor, .limit = 1000},
                   await_answered, &await);
        page = await_end(&await);
        free(cursor);
        cursor = NULL;
        if (!page) {
            status = error->code;
            break;
        }
        json_array_foreach (json_object_get(page, "items"), index, run) {
            remember_run(job, run);
        }
        next = json_string_value(json_object_get(page, "next"));
        cursor = next ? copy_text(next) : NULL;
        json_decref(page);
    } while (cursor);
    return status;
}
