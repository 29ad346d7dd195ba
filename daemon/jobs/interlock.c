/* SPDX-License-Identifier: Apache-2.0 */
/* What is asked before the first erase, beyond what the chip says of itself: whether it is this board's turn,
 * here, now. Whatever is in doubt is refused, with a sentence that names what was found. */
#include "parts.h"

#include "await.h"
#include "bytes.h"

#include <errno.h>
#include <string.h>

#define WRONG_BOARD FAILURE_CODE(FAILURE_WRONG_BOARD)

json_t *interlock_numbers(struct farm *farm, const char *uid, struct error *error)
{
    struct await await = await_begin(farm->options.fibers, error);
    json_t *answer, *items;

    if (!uid[0])
        return json_array();
    store_serials_of_uid(farm->options.store, uid, await_answered, &await);
    answer = await_end(&await);
    if (!answer)
        return NULL;
    items = json_incref(json_object_get(answer, "items"));
    json_decref(answer);
    return items ? items : json_array();
}

static const char *text_of(const json_t *object, const char *member)
{
    const char *text = json_string_value(json_object_get(object, member));

    return text ? text : "";
}

bool interlock_may_keep(const struct job *job, const json_t *serial)
{
    const char *state = text_of(serial, "state");

    return strcmp(state, "fail") == 0 || strcmp(state, "unknown") == 0 || strcmp(state, "returned") == 0 ||
           (job->rework && strcmp(state, "pass") == 0);
}

/* What a unit is known by when it has left: its serial; or any number that this very order would give it once
 * more. */
static bool counts_as_shipped(const struct job *job, const json_t *serial)
{
    const char *name = text_of(serial, "pool");
    const struct pool *pool = name[0] ? pool_find(job->farm, name) : NULL;

    if (strcmp(text_of(serial, "state"), "pass") != 0)
        return false;
    if (!name[0] || (pool && pool->kind == POOL_SERIAL))
        return true;
    for (size_t i = 0; i < job->pool_count; i++)
        if (strcmp(job->pools[i], name) == 0)
            return true;
    return false;
}

static int check_shipped(const struct job *job, const json_t *known, struct error *error)
{
    const json_t *serial;
    size_t index;

    json_array_foreach (known, index, serial) {
        if (!job->rework && counts_as_shipped(job, serial))
            return error_set(error, WRONG_BOARD,
                             "this unit has shipped as %s (run %lld): order with \"rework\" and a reason to "
                             "program it again",
                             text_of(serial, "serial"),
                             (long long)json_integer_value(json_object_get(serial, "run")));
    }
    return 0;
}

static int check_fixture(const struct station *station, const struct job *job, struct error *error)
{
    const json_t *name;
    size_t index;

    if (!job->fixtures)
        return 0;
    json_array_foreach (job->fixtures, index, name) {
        if (station->settings.fixture[0] && strcmp(json_string_value(name), station->settings.fixture) == 0)
            return 0;
    }
    return error_set(error, WRONG_BOARD, "station %s has %s%s, which the recipe does not list",
                     station->settings.name, station->settings.fixture[0] ? "fixture " : "no fixture",
                     station->settings.fixture);
}

int interlock_alone(const struct station *station, const struct board *board, struct error *error)
{
    const struct station *other = farm_uid_in_use(station->farm, station, board);

    return other ? error_set(error, FAILURE_CODE(FAILURE_DUPLICATE_UID),
                             "station %s has a board with the same unique id in its hands",
                             other->settings.name)
                 : 0;
}

/* The bytes in memory are still those that the order was checked with. */
static int check_image(const struct job *job, struct error *error)
{
    const json_t *hash = json_object_get(job->recipe, "hash");

    if (!job_image_intact(job))
        return error_set(error, FAILURE_CODE(FAILURE_DATA),
                         "the image in memory is not the one that was ordered: start the daemon again");
    if (job->recipe && !json_is_string(hash))
        return error_set(error, FAILURE_CODE(FAILURE_DATA), "the order does not say which recipe it is");
    return 0;
}

static int check_code(const struct station *station, const struct job *job, struct error *error)
{
    if (units_need_code(job, station))
        return error_set(error, WRONG_BOARD, "no code has been read from this board");
    if (!station->code[0])
        return 0;
    if (units_check_code(job, station, station->code, station->code_position, error) < 0)
        return error_reclass(error, WRONG_BOARD);
    return 0;
}

int interlock_check(const struct station *station, const struct job *job, const json_t *known,
                    struct error *error)
{
    if (check_shipped(job, known, error) < 0 || check_fixture(station, job, error) < 0 ||
        check_code(station, job, error) < 0 || check_image(job, error) < 0)
        return error->code;
    if (!station->enabled)
        return error_set(error, -ECANCELED, "station %s was disabled", station->settings.name);
    return 0;
}
