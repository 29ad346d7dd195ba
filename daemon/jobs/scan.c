/* SPDX-License-Identifier: Apache-2.0 */
/* Codes that are read and buttons that are pressed: which stations they are for, and whether those can take
 * them now. One code may stand for a panel of several boards; it goes to all of its stations or to none, and
 * where two readings of the same sign are possible it goes nowhere (law 6). */
#include "parts.h"

#include "alloc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- stations in the order that people count them ------------------------------------------ */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Digits compare as numbers, of any length; the rest byte by byte. */
static int compare_numbers(const char **a, const char **b)
{
    size_t a_size, b_size;
    int order;

    while (**a == '0')
        (*a)++;
    while (**b == '0')
        (*b)++;
    a_size = strspn(*a, "0123456789");
    b_size = strspn(*b, "0123456789");
    order = a_size == b_size ? strncmp(*a, *b, a_size) : a_size < b_size ? -1 : 1;
    *a += a_size;
    *b += b_size;
    return order;
}

static int compare_natural(const char *a, const char *b)
{
    int order = 0;

    while (order == 0 && *a && *b) {
        if (is_digit(*a) && is_digit(*b))
            order = compare_numbers(&a, &b);
        else
            order = (int)(unsigned char)*a++ - (int)(unsigned char)*b++;
    }
    return order ? order : (int)(unsigned char)*a - (int)(unsigned char)*b;
}

/* By position, those without one last; then by name. */
static int by_position(const void *left, const void *right)
{
    const struct station_settings *a = &(*(struct station *const *)left)->settings;
    const struct station_settings *b = &(*(struct station *const *)right)->settings;
    int order;

    if (!a->position[0] != !b->position[0])
        return a->position[0] ? -1 : 1;
    order = compare_natural(a->position, b->position);
    return order ? order : compare_natural(a->name, b->name);
}

/* --- names in requests ---------------------------------------------------------------------- */

static bool is_named(const json_t *names, const char *name)
{
    const json_t *one;
    size_t index;

    json_array_foreach (names, index, one) {
        if (strcmp(json_string_value(one), name) == 0)
            return true;
    }
    return false;
}

static int check_names(const struct farm *farm, const char *member, const json_t *names, struct error *error)
{
    const json_t *one;
    size_t index;

    if (names && !json_is_array(names))
        return error_set(error, -EINVAL, "%s: expected a list of station names", member);
    json_array_foreach (names, index, one) {
        if (!json_is_string(one))
            return error_set(error, -EINVAL, "%s: expected a list of station names", member);
        if (!farm_find_station(farm, json_string_value(one)))
            return error_set(error, -EINVAL, "%s: there is no station \"%s\"", member,
                             json_string_value(one));
    }
    return 0;
}

/* --- who can take a board's code, or START, now ---------------------------------------------- */

/* It was told of its board, for that job, and the work has not begun. */
static bool is_about_to_begin(const struct station *station, const struct job *job)
{
    bool told = job->trigger == TRIGGER_ON_START ? station->start_pressed : station->code[0] != '\0';

    return told && station->run == 0 && station->told_job == job->id;
}

/* Boards that the order still has to give out, beyond those on their way. */
static int room_in(const struct job *job)
{
    int room = job->quantity - job->passed - job->in_flight;

    LIST_EACH (node, &job->farm->stations) {
        const struct station *station = LIST_ENTRY(node, struct station, node);

        room -= is_about_to_begin(station, job);
    }
    return room > 0 ? room : 0;
}

static const char *find_trouble(const struct station *station)
{
    if (!station->enabled)
        return "is disabled: enable it, or leave it out";
    switch (station->state) {
    case STATE_STARTING:
        return "is only starting: try again in a moment";
    case STATE_IDENTIFYING:
        return "is looking who is there: try again in a moment";
    case STATE_RUNNING:
    case STATE_RECORDING:
        return "has a unit in work: wait until it has finished";
    case STATE_REMOVAL:
        return "still has its finished board: take that out first";
    case STATE_PORT_LOST:
        return "has lost its port: plug it in again, or leave the station out";
    case STATE_DISABLED:
    case STATE_STOPPED:
        return "is out of work: enable it, or leave it out";
    case STATE_IDLE:
    case STATE_WAITING:
    case STATE_COUNT:
        break;
    }
    return NULL;
}

/* It stands still, so it is about orders. */
static int refuse_turn(const struct station *station, const struct job *job, struct error *error)
{
    const struct job *other = jobs_for_station(station->farm, station);
    const char *name = station->settings.name;

    if (job->state != JOB_RUNNING)
        return error_set(error, -EBUSY, "station %s: job %lld is held: resume it first", name,
                         (long long)job->id);
    if (!job_wants(job, station))
        return error_set(
            error, -EBUSY,
            "station %s has nothing to do for job %lld any more: its units are made or given out", name,
            (long long)job->id);
    if (other && other != job)
        return error_set(error, -EBUSY, "station %s works on job %lld first: finish that one, or hold it",
                         name, (long long)other->id);
    if (is_about_to_begin(station, job) && station->start_pressed)
        return error_set(error, -EBUSY, "station %s was started a moment ago: wait until it has finished",
                         name);
    if (is_about_to_begin(station, job))
        return error_set(error, -EBUSY,
                         "station %s waits for the board with code \"%s\": insert that one, or read another "
                         "code at the station itself",
                         name, station->code);
    return error_set(error, -EBUSY, "station %s is just getting ready: try again in a moment", name);
}

/* Whether the station waits for a board of that job, and for nothing else. */
static int check_waits(const struct station *station, const struct job *job, struct error *error)
{
    const char *trouble = find_trouble(station);

    if (trouble)
        return error_set(error, -EBUSY, "station %s %s", station->settings.name, trouble);
    if (station->state == STATE_WAITING && !is_about_to_begin(station, job) &&
        jobs_for_station(station->farm, station) == job)
        return 0;
    return refuse_turn(station, job, error);
}

static bool waits(const struct station *station, const struct job *job)
{
    struct error ignored = ERROR_NONE;

    return check_waits(station, job, &ignored) == 0;
}

/* Takes effect when the station is woken. */
static void give_code(struct station *station, const struct job *job, const char *code, const char *position,
                      const char *by)
{
    station->told_job = job->id;
    (void)snprintf(station->code, sizeof station->code, "%s", code);
    (void)snprintf(station->code_position, sizeof station->code_position, "%s", position ? position : "");
    (void)snprintf(station->operator_name, sizeof station->operator_name, "%s", by);
    station->start_pressed = job->trigger == TRIGGER_ON_START;
    log_info(&station->log, "code %s read by %s", code, by);
}

/* --- a code read at one station -------------------------------------------------------------- */

static int check_length(const char *code, const char *position, struct error *error)
{
    size_t size = strlen(code), place = position ? strlen(position) : 0;

    if (size == 0 || size > BOARD_CODE_MAX || place > BOARD_CODE_MAX)
        return error_set(error, -EINVAL, "code: expected a text of 1 to %d bytes", BOARD_CODE_MAX);
    return 0;
}

static int take_code(struct station *station, const char *code, const char *position, const char *by,
                     struct error *error)
{
    const struct job *job = jobs_for_station(station->farm, station);

    if (check_length(code, position, error) < 0)
        return error->code;
    if (station->run != 0)
        return error_set(error, -EBUSY, "station %s has a unit in work", station->settings.name);
    if (!job || !station->enabled)
        return error_set(error, -EBUSY, "station %s has no order to work on", station->settings.name);
    if (units_check_code(job, station, code, position, error) < 0)
        return error->code;
    give_code(station, job, code, position, by);
    station_wake(station);
    return 0;
}

void farm_station_scan(struct farm *farm, const char *name, const char *code, const char *position,
                       const char *by, farm_done *done, void *context)
{
    struct station *station = farm_find_station(farm, name);
    struct error error = ERROR_NONE;

    if (!station)
        (void)error_set(&error, -ENOENT, "there is no station \"%s\"", name);
    else
        (void)take_code(station, code, position, by, &error);
    done(context, error.code, &error);
}

/* --- a code read anywhere: the order and its units ------------------------------------------- */

/* Where one board goes. */
struct target {
    struct station *station;
    const struct unit *unit; /* that the code names; NULL: it names none */
};

/* One code, and what one order makes of it. */
struct reading {
    struct farm *farm;
    const char *code;
    const json_t *skip;
    struct job *job;
    size_t station_count;
    struct station **stations; /* of the job, by position, without those to skip */
    size_t count;
    struct target *targets; /* who gets the code now, by position */
    size_t hand_count;
    struct target *hands; /* who has it already */
    size_t made, elsewhere, left_out;
};

static void begin_reading(struct reading *reading, struct job *job)
{
    size_t most = job->place_count + 1;

    reading->job = job;
    reading->stations = allocate(most, sizeof *reading->stations);
    reading->targets = allocate(most, sizeof *reading->targets);
    reading->hands = allocate(most, sizeof *reading->hands);
    for (size_t i = 0; i < job->place_count; i++) {
        struct station *station = farm_find_station(job->farm, job->places[i].station);

        if (station && !is_named(reading->skip, station->settings.name))
            reading->stations[reading->station_count++] = station;
    }
    qsort(reading->stations, reading->station_count, sizeof *reading->stations, by_position);
}

static void end_reading(struct reading *reading)
{
    free(reading->stations);
    free(reading->targets);
    free(reading->hands);
    *reading = (struct reading){.farm = reading->farm, .code = reading->code, .skip = reading->skip};
}

static bool names_code(const struct job *job, const char *code)
{
    for (size_t i = 0; i < job->unit_count; i++)
        if (job->units[i].code && strcmp(job->units[i].code, code) == 0)
            return true;
    return false;
}

/* The station that was told this unit's code and has not finished with it. */
static struct station *holder_of(const struct reading *reading, const struct unit *unit)
{
    const struct job *job = reading->job;

    LIST_EACH (node, &job->farm->stations) {
        struct station *station = LIST_ENTRY(node, struct station, node);
        bool own = station->run ? station->job == job : is_about_to_begin(station, job);

        if (own && strcmp(station->code, reading->code) == 0 &&
            units_by_code(job, station, station->code, station->code_position) == unit)
            return station;
    }
    return NULL;
}

static bool is_target(const struct reading *reading, const struct station *station)
{
    for (size_t i = 0; i < reading->count; i++)
        if (reading->targets[i].station == station)
            return true;
    return false;
}

static int add_target(struct reading *reading, const struct unit *unit, struct station *station,
                      struct error *error)
{
    const struct job *job = reading->job;

    if (is_target(reading, station))
        return error_set(error, -EBUSY,
                         "code \"%s\" is for two boards of station %s: read it at the station, with the "
                         "board's position",
                         reading->code, station->settings.name);
    if (units_check_code(job, station, reading->code, unit->position, error) < 0 ||
        check_waits(station, job, error) < 0)
        return error->code;
    if (units_by_code(job, station, reading->code, unit->position) != unit)
        return error_set(
            error, -EBUSY,
            "code \"%s\" at station %s could be either of two units: read it at the station, with "
            "the board's position",
            reading->code, station->settings.name);
    reading->targets[reading->count++] = (struct target){.station = station, .unit = unit};
    return 0;
}

static int send_to_station(struct reading *reading, const struct unit *unit, struct error *error)
{
    struct station *station = farm_find_station(reading->farm, unit->station);

    if (!station)
        return error_set(error, -EBUSY, "station %s, which is to make this board, is not configured any more",
                         unit->station);
    if (!is_named(reading->skip, unit->station))
        return add_target(reading, unit, station, error);
    reading->left_out++;
    return 0;
}

static bool is_at(const struct station *station, const char *position)
{
    return strcmp(station->settings.position, position) == 0;
}

/* Fixtures may count their positions alike: of several stations it is the one that waits. */
static int send_to_position(struct reading *reading, const struct unit *unit, struct error *error)
{
    struct station *first = NULL, *ready = NULL;
    bool left_out = false;

    for (size_t i = 0; i < reading->station_count; i++) {
        struct station *station = reading->stations[i];

        if (!is_at(station, unit->position))
            continue;
        if (ready && waits(station, reading->job))
            return error_set(error, -EBUSY,
                             "position %s is at stations %s and %s, which both wait: leave one of them out",
                             unit->position, ready->settings.name, station->settings.name);
        first = first ? first : station;
        ready = !ready && waits(station, reading->job) ? station : ready;
    }
    if (first)
        return add_target(reading, unit, ready ? ready : first, error);
    for (size_t i = 0; i < reading->job->place_count && !left_out; i++) {
        const struct station *station = farm_find_station(reading->farm, reading->job->places[i].station);

        left_out = station && is_at(station, unit->position);
    }
    reading->left_out += left_out;
    return left_out
               ? 0
               : error_set(error, -EBUSY,
                           "no station of job %lld is at position %s: say in the configuration which one "
                           "is, or read the code at the station",
                           (long long)reading->job->id, unit->position);
}

static int refuse_next(const struct reading *reading, struct error *error)
{
    struct error one = ERROR_NONE;

    if (reading->station_count == 0)
        return error_set(error, -EBUSY, "every station of job %lld is left out", (long long)reading->job->id);
    (void)check_waits(reading->stations[0], reading->job, &one);
    return error_set(error, -EBUSY, "no station of job %lld waits for another board: %s",
                     (long long)reading->job->id,
                     one.code ? one.text : "all of them are for other boards of this code");
}

static int send_to_next(struct reading *reading, const struct unit *unit, struct error *error)
{
    for (size_t i = 0; i < reading->station_count; i++) {
        struct station *station = reading->stations[i];

        if (!is_target(reading, station) && waits(station, reading->job) &&
            units_by_code(reading->job, station, reading->code, NULL) == unit)
            return add_target(reading, unit, station, error);
    }
    return refuse_next(reading, error);
}

/* Whether the unit is still to be given out; notes it where it is not. */
static bool is_open(struct reading *reading, const struct unit *unit)
{
    struct station *holder = holder_of(reading, unit);

    if (unit->state == UNIT_DONE)
        reading->made++;
    else if (holder)
        reading->hands[reading->hand_count++] = (struct target){.station = holder, .unit = unit};
    else if (unit->state == UNIT_OUT)
        reading->elsewhere++;
    else
        return true;
    return false;
}

enum aim { AIM_STATION, AIM_POSITION, AIM_NEXT };

static enum aim aim_of(const struct unit *unit)
{
    return unit->station ? AIM_STATION : unit->position ? AIM_POSITION : AIM_NEXT;
}

static int send_unit(struct reading *reading, const struct unit *unit, struct error *error)
{
    switch (aim_of(unit)) {
    case AIM_STATION:
        return send_to_station(reading, unit, error);
    case AIM_POSITION:
        return send_to_position(reading, unit, error);
    case AIM_NEXT:
        return send_to_next(reading, unit, error);
    }
    return 0;
}

/* A panel lies in one fixture. */
static int check_one_fixture(const struct reading *reading, struct error *error)
{
    const struct station_settings *first = NULL;

    for (size_t i = 0; i < reading->count; i++) {
        const struct station_settings *settings = &reading->targets[i].station->settings;

        if (aim_of(reading->targets[i].unit) != AIM_POSITION)
            continue;
        first = first ? first : settings;
        if (strcmp(first->fixture, settings->fixture) != 0)
            return error_set(error, -EBUSY,
                             "station %s waits in fixture %s and station %s in fixture %s: leave out the "
                             "stations that this panel does not lie at",
                             first->name, first->fixture[0] ? first->fixture : "(none)", settings->name,
                             settings->fixture[0] ? settings->fixture : "(none)");
    }
    return 0;
}

static int check_room(const struct reading *reading, struct error *error)
{
    int room = room_in(reading->job);

    if (reading->count <= (size_t)room)
        return 0;
    return error_set(
        error, -EBUSY,
        "job %lld wants %d more boards, and code \"%s\" is for %zu: leave stations out, or order "
        "more",
        (long long)reading->job->id, room, reading->code, reading->count);
}

static int by_target(const void *left, const void *right)
{
    const struct target *a = left, *b = right;

    return by_position(&a->station, &b->station);
}

/* Who makes the units that the code names: those with a place of their own first, the others find room beside
 * them. */
static int read_units(struct reading *reading, struct error *error)
{
    const struct job *job = reading->job;

    for (int aim = AIM_STATION; aim <= AIM_NEXT; aim++)
        for (size_t i = 0; i < job->unit_count; i++) {
            const struct unit *unit = &job->units[i];

            if (unit->code && strcmp(unit->code, reading->code) == 0 && (int)aim_of(unit) == aim &&
                is_open(reading, unit) && send_unit(reading, unit, error) < 0)
                return error->code;
        }
    qsort(reading->targets, reading->count, sizeof *reading->targets, by_target);
    qsort(reading->hands, reading->hand_count, sizeof *reading->hands, by_target);
    return check_one_fixture(reading, error) < 0 ? error->code : check_room(reading, error);
}

/* --- which order a code is for --------------------------------------------------------------- */

static bool has_turn(const struct job *job)
{
    for (size_t i = 0; i < job->place_count; i++) {
        const struct station *station = farm_find_station(job->farm, job->places[i].station);

        if (station && jobs_for_station(job->farm, station) == job)
            return true;
    }
    return false;
}

/* Whether the job is at work on a unit of this code, or still has one to give out. */
struct claim {
    bool in_hand, open;
};

static struct claim claim_of(struct reading *reading, struct job *job)
{
    struct claim claim = {.open = false};

    begin_reading(reading, job);
    for (size_t i = 0; i < job->unit_count; i++)
        if (job->units[i].code && strcmp(job->units[i].code, reading->code) == 0)
            claim.open = is_open(reading, &job->units[i]) || claim.open;
    claim.in_hand = reading->hand_count + reading->elsewhere > 0;
    end_reading(reading);
    return claim;
}

struct choice {
    struct job *job;            /* that the code is for */
    const struct job *rival;    /* another one that it could be for as well */
    const struct job *held;     /* names it, and is held */
    const struct job *finished; /* has made all of its boards */
};

/* A board of which one is in hand is nobody else's; then those whose turn it is; then any. */
static void weigh(struct choice *choice, struct reading *reading, struct job *job, int *best)
{
    struct claim claim = claim_of(reading, job);
    int weight = claim.in_hand ? 3 : !claim.open ? 0 : has_turn(job) ? 2 : 1;

    if (job->state == JOB_HELD && weight > 0 && !claim.in_hand) {
        choice->held = job;
    } else if (weight == 0) {
        choice->finished = job;
    } else if (weight > *best) {
        choice->job = job;
        choice->rival = NULL;
        *best = weight;
    } else if (weight == *best) {
        choice->rival = choice->rival ? choice->rival : job;
    }
}

static struct choice choose_by_units(struct reading *reading)
{
    struct choice choice = {.job = NULL};
    int best = 0;

    LIST_EACH (node, &reading->farm->jobs) {
        struct job *job = LIST_ENTRY(node, struct job, node);

        if (job_open(job) && names_code(job, reading->code))
            weigh(&choice, reading, job, &best);
    }
    if (best == 1) /* the oldest of those that stand behind others */
        choice.rival = NULL;
    return choice;
}

static bool asks_for_code(const struct job *job)
{
    return job->board_code.list || job->board_code.has_pattern;
}

/* Whether this job could take a code that none of its units has, at some station whose turn is its own. */
static bool takes_any(struct reading *reading, struct job *job)
{
    struct error ignored = ERROR_NONE;
    bool takes = false;

    begin_reading(reading, job);
    for (size_t i = 0; i < reading->station_count && !takes; i++) {
        const struct station *station = reading->stations[i];

        takes = jobs_for_station(job->farm, station) == job &&
                (job->trigger == TRIGGER_ON_START || asks_for_code(job)) &&
                units_check_code(job, station, reading->code, NULL, &ignored) == 0;
    }
    end_reading(reading);
    return takes;
}

/* A job that asks for such codes comes before those that take any. */
static struct choice choose_by_waiting(struct reading *reading)
{
    struct choice choice = {.job = NULL};
    int best = 0;

    LIST_EACH (node, &reading->farm->jobs) {
        struct job *job = LIST_ENTRY(node, struct job, node);
        int weight = job->state == JOB_RUNNING && takes_any(reading, job) ? 1 + asks_for_code(job) : 0;

        if (weight > best) {
            choice.job = job;
            choice.rival = NULL;
            best = weight;
        } else if (weight > 0 && weight == best) {
            choice.rival = choice.rival ? choice.rival : job;
        }
    }
    return choice;
}

static int refuse_choice(const struct choice *choice, const struct reading *reading, struct error *error)
{
    const char *code = reading->code;

    if (choice->rival)
        return error_set(error, -EBUSY,
                         "code \"%s\" could be for job %lld or for job %lld: read it at the station, or hold "
                         "one of them",
                         code, (long long)choice->job->id, (long long)choice->rival->id);
    if (choice->held)
        return error_set(error, -EBUSY, "code \"%s\" is for job %lld, which is held: resume it first", code,
                         (long long)choice->held->id);
    if (choice->finished)
        return error_set(error, -EINVAL, "all boards of code \"%s\" have been made already, for job %lld",
                         code, (long long)choice->finished->id);
    return error_set(
        error, -EINVAL,
        "no running job takes code \"%s\": look whether it was read rightly, and its job submitted", code);
}

/* --- a code read anywhere: the answer -------------------------------------------------------- */

static char *list_names(const struct target *targets, size_t count)
{
    char *text = copy_text("");

    for (size_t i = 0; i < count; i++) {
        char *longer = format_text("%s%s%s", text, i ? ", " : "", targets[i].station->settings.name);

        free(text);
        text = longer;
    }
    return text;
}

static const char *what_next(const struct reading *reading, bool dry_run)
{
    if (dry_run)
        return "would take it; nothing was done";
    switch (reading->job->trigger) {
    case TRIGGER_ON_INSERT:
        return reading->count == 1 ? "expects it: insert the board there, if it is not in yet"
                                   : "expect it: insert the boards there, if they are not in yet";
    case TRIGGER_ON_START:
    case TRIGGER_IMMEDIATE:
        return reading->count == 1 ? "has begun: leave the board in until it has finished"
                                   : "have begun: leave the boards in until all have finished";
    }
    return "";
}

/* What became of the rest of the panel. */
static char *describe_rest(const struct reading *reading)
{
    size_t in_work = reading->hand_count + reading->elsewhere;
    char *made = reading->made ? format_text("; made already: %zu", reading->made) : copy_text("");
    char *work = in_work ? format_text("; in work: %zu", in_work) : copy_text("");
    char *left = reading->left_out ? format_text("; left out: %zu", reading->left_out) : copy_text("");
    char *text = format_text("%s%s%s", made, work, left);

    free(made);
    free(work);
    free(left);
    return text;
}

static json_t *describe_targets(const struct reading *reading, const struct target *targets, size_t count)
{
    json_t *list = json_array();

    for (size_t i = 0; i < count; i++) {
        const struct unit *unit = targets[i].unit;
        const struct station_settings *settings = &targets[i].station->settings;

        (void)json_array_append_new(
            list, json_pack("{s:s,s:s,s:o,s:s}", "station", settings->name, "position",
                            unit && unit->position ? unit->position : settings->position, "unit",
                            unit ? json_integer((json_int_t)(unit - reading->job->units)) : json_null(),
                            "code", reading->code));
    }
    return list;
}

/* A scanner reads twice easily: a second reading of what is in hand already does nothing and is no error. */
static json_t *describe_repeat(const struct reading *reading)
{
    char *names = list_names(reading->hands, reading->hand_count);
    char *text = format_text("%s was read before: %s %s it, and nothing was done now", reading->code,
                             reading->hand_count ? names : "another station",
                             reading->hand_count > 1 ? "have" : "has");
    json_t *answer =
        json_pack("{s:o,s:b,s:s}", "assigned", describe_targets(reading, reading->hands, reading->hand_count),
                  "repeated", true, "sentence", text);

    free(names);
    free(text);
    return answer;
}

static json_t *describe_reading(const struct reading *reading, bool dry_run)
{
    char *names = list_names(reading->targets, reading->count);
    char *rest = describe_rest(reading);
    char *text = format_text("%s: %s %s%s", reading->code, names, what_next(reading, dry_run), rest);
    json_t *answer =
        json_pack("{s:o,s:b,s:s}", "assigned", describe_targets(reading, reading->targets, reading->count),
                  "repeated", false, "sentence", text);

    free(names);
    free(rest);
    free(text);
    return answer;
}

/* All are told before the first begins: none shall find another one's work in its way. */
static void hand_out(const struct reading *reading, const char *by)
{
    for (size_t i = 0; i < reading->count; i++) {
        const struct unit *unit = reading->targets[i].unit;

        give_code(reading->targets[i].station, reading->job, reading->code, unit ? unit->position : NULL, by);
    }
    for (size_t i = 0; i < reading->count; i++)
        station_wake(reading->targets[i].station);
}

static json_t *finish(const struct reading *reading, bool dry_run, const char *by, struct error *error)
{
    json_t *answer;

    if (reading->count == 0 && reading->hand_count + reading->elsewhere > 0)
        return describe_repeat(reading);
    if (reading->count == 0) {
        (void)error_set(error, -EBUSY, "every station that code \"%s\" is for is left out", reading->code);
        return NULL;
    }
    answer = describe_reading(reading, dry_run); /* the units may be gone when the boards have begun */
    if (!dry_run)
        hand_out(reading, by);
    return answer;
}

static int read_next(struct reading *reading, struct error *error)
{
    for (size_t i = 0; i < reading->station_count; i++)
        if (waits(reading->stations[i], reading->job)) {
            reading->targets[reading->count++] = (struct target){.station = reading->stations[i]};
            return check_room(reading, error);
        }
    return refuse_next(reading, error);
}

static json_t *read_code(struct reading *reading, bool dry_run, const char *by, struct error *error)
{
    struct choice choice = choose_by_units(reading);
    bool named = choice.job || choice.held || choice.finished;
    json_t *answer = NULL;
    int status;

    if (!named)
        choice = choose_by_waiting(reading);
    if (!choice.job || choice.rival) {
        (void)refuse_choice(&choice, reading, error);
        return NULL;
    }
    begin_reading(reading, choice.job);
    status = named ? read_units(reading, error) : read_next(reading, error);
    if (status == 0)
        answer = finish(reading, dry_run, by, error);
    end_reading(reading);
    return answer;
}

static int check_ready(const struct farm *farm, struct error *error)
{
    if (farm->started && !farm->stopping)
        return 0;
    return error_set(error, -EBUSY, "the daemon is %s", farm->stopping ? "stopping" : "starting");
}

void farm_scan(struct farm *farm, const char *code, const json_t *skip, bool dry_run, const char *by,
               farm_answer *answer, void *context)
{
    struct reading reading = {.farm = farm, .code = code, .skip = skip};
    struct error error = ERROR_NONE;
    json_t *answered = NULL;

    if (check_length(code, NULL, &error) == 0 && check_names(farm, "skip", skip, &error) == 0 &&
        check_ready(farm, &error) == 0)
        answered = read_code(&reading, dry_run, by, &error);
    answer(context, answered, &error);
}

/* --- START ------------------------------------------------------------------------------------ */

/* The job that START would begin at that station; NULL with the error. */
static struct job *job_to_start(const struct station *station, struct error *error)
{
    struct job *job = jobs_for_station(station->farm, station);
    const char *name = station->settings.name;

    if (!job || job->trigger != TRIGGER_ON_START) {
        (void)error_set(error, -EBUSY, "station %s is not waiting for START", name);
        return NULL;
    }
    if (check_waits(station, job, error) < 0)
        return NULL;
    if (units_need_code(job, station)) {
        (void)error_set(error, -EBUSY, "station %s is not waiting for START: read the board's code", name);
        return NULL;
    }
    if (room_in(job) > 0)
        return job;
    (void)error_set(error, -EBUSY,
                    "station %s is not waiting for START: job %lld has given out its last board", name,
                    (long long)job->id);
    return NULL;
}

static void press(struct station *station, const struct job *job, const char *by)
{
    station->told_job = job->id;
    station->start_pressed = true;
    (void)snprintf(station->operator_name, sizeof station->operator_name, "%s", by);
}

void station_press_start(struct station *station, const char *by, farm_done *done, void *context)
{
    struct error error = ERROR_NONE;
    const struct job *job = job_to_start(station, &error);

    if (job) {
        press(station, job, by);
        station_wake(station);
    }
    done(context, error.code, &error);
}

struct starters {
    struct farm *farm;
    size_t count;
    struct station **stations;
};

static struct starters starters_of(struct farm *farm, const json_t *names, const json_t *skip)
{
    struct starters starters = {.farm = farm};
    size_t most = 1;

    LIST_EACH (node, &farm->stations) {
        most++;
    }
    starters.stations = allocate(most, sizeof *starters.stations);
    LIST_EACH (other, &farm->stations) {
        struct station *station = LIST_ENTRY(other, struct station, node);

        if ((!names || is_named(names, station->settings.name)) && !is_named(skip, station->settings.name))
            starters.stations[starters.count++] = station;
    }
    qsort(starters.stations, starters.count, sizeof *starters.stations, by_position);
    return starters;
}

/* Presses START of those that wait; with `all_or_none` the first that does not undoes it. */
static void press_all(struct starters *starters, bool all_or_none, const char *by, struct error *error)
{
    size_t pressed = 0;

    for (size_t i = 0; i < starters->count; i++) {
        struct station *station = starters->stations[i];
        struct error one = ERROR_NONE;
        const struct job *job = job_to_start(station, &one);

        if (job) {
            press(station, job, by);
            starters->stations[pressed++] = station;
        } else if (all_or_none) {
            *error = one;
            break;
        }
    }
    for (size_t i = 0; error->code && i < pressed; i++)
        station_forget_board(starters->stations[i]);
    starters->count = error->code ? 0 : pressed;
    if (error->code == 0 && pressed == 0)
        (void)error_set(error, -EBUSY, "no station waits for START");
}

static json_t *start_all(struct starters *starters)
{
    json_t *names = json_array();

    for (size_t i = 0; i < starters->count; i++)
        (void)json_array_append_new(names, json_string(starters->stations[i]->settings.name));
    for (size_t i = 0; i < starters->count; i++)
        station_wake(starters->stations[i]);
    return json_pack("{s:o}", "started", names);
}

void farm_start_stations(struct farm *farm, const json_t *names, const json_t *skip, const char *by,
                         farm_answer *answer, void *context)
{
    struct error error = ERROR_NONE;
    struct starters starters;
    json_t *answered = NULL;

    if (check_names(farm, "stations", names, &error) < 0 || check_names(farm, "skip", skip, &error) < 0 ||
        check_ready(farm, &error) < 0) {
        answer(context, NULL, &error);
        return;
    }
    starters = starters_of(farm, names, skip);
    press_all(&starters, names != NULL, by, &error);
    if (error.code == 0)
        answered = start_all(&starters);
    free(starters.stations);
    answer(context, answered, &error);
}
