/* SPDX-License-Identifier: Apache-2.0 */
/* Recipes. What has changed under a client's hands is not overwritten: the ETag of a version is the sequence
 * of the fact that made it what it is. */
#include "context.h"
#include "handlers.h"
#include "reply.h"

#include <stdio.h>
#include <string.h>

#define ETAG_MAX 24

static void name_etag(const json_t *recipe, char etag[ETAG_MAX])
{
    (void)snprintf(etag, ETAG_MAX, "\"%lld\"",
                   (long long)json_integer_value(json_object_get(recipe, "fact")));
}

static void add_etag(struct reply *reply, const json_t *recipe)
{
    char etag[ETAG_MAX];

    name_etag(recipe, etag);
    reply_add_header(reply, "ETag", "%s", etag);
}

/* The number in the address; 0 when it is none, which has been answered then. */
static int64_t version_of(struct request *request)
{
    const char *text = request->match.parts[1];
    int64_t version;

    if (parse_integer(text, 1, INT64_MAX, &version))
        return version;
    reply_problem(request, PROBLEM_NOT_FOUND, "no recipe has the version '%s'", text);
    return 0;
}

/* What If-Match wants: the sequence, 0 for any. False when a problem was answered. */
static bool read_if_match(struct request *request, bool required, int64_t *fact)
{
    const char *header = request_header(request, "If-Match");
    char text[ETAG_MAX];
    size_t length = header ? strlen(header) : 0;

    *fact = 0;
    if (!header && required)
        reply_problem(request, PROBLEM_NO_IF_MATCH,
                      "this needs If-Match with the ETag that was answered last, or * to take any");
    if (!header || !strcmp(header, "*"))
        return header || !required;
    if (length > 2 && length < sizeof text && header[0] == '"' && header[length - 1] == '"') {
        (void)snprintf(text, sizeof text, "%.*s", (int)length - 2, header + 1);
        if (parse_integer(text, 1, INT64_MAX, fact))
            return true;
    }
    reply_problem(request, PROBLEM_CHANGED, "If-Match is %s, which was never the ETag of a recipe", header);
    return false;
}

void get_recipes(struct request *request)
{
    static const char *const states = "draft released retired";
    const struct api *api = request->context;
    const char *state;
    struct store_page page;

    if (reply_state(request, states, &state) && reply_page(request, &page))
        store_recipes(api->store, target_parameter(&request->target, "name"), state, &page, reply_with_answer,
                      request);
}

static void on_recipe_created(void *context, json_t *answer, const struct error *error)
{
    struct request *request = context;
    struct reply reply = {.status = 201};
    char version[24];

    if (!answer) {
        reply_error(request, error);
        return;
    }
    (void)snprintf(version, sizeof version, "/%lld",
                   (long long)json_integer_value(json_object_get(answer, "version")));
    reply_add_location(&reply, "/v1/recipes/", json_string_value(json_object_get(answer, "name")), version);
    add_etag(&reply, answer);
    reply_json_with(request, answer, &reply);
}

void post_recipe(struct request *request)
{
    const struct api *api = request->context;
    const char *name = json_string_value(json_object_get(request->json, "name"));

    if (name && *name)
        farm_recipe_save(api->farm, name, 0, request->json, 0, request->by, on_recipe_created, request);
    else
        reply_problem(request, PROBLEM_INVALID, "name is missing: what the recipe is called");
}

static void on_recipe(void *context, json_t *answer, const struct error *error)
{
    struct request *request = context;
    struct reply reply = {.status = 200};

    if (!answer) {
        reply_error(request, error);
        return;
    }
    add_etag(&reply, answer);
    reply_json_with(request, answer, &reply);
}

static void on_recipe_asked(void *context, json_t *answer, const struct error *error)
{
    struct request *request = context;
    const char *if_none_match = request_header(request, "If-None-Match");
    struct reply reply = {.status = 200};
    char etag[ETAG_MAX];

    if (answer)
        name_etag(answer, etag);
    if (!answer || !if_none_match || !etag_matches(if_none_match, etag)) {
        on_recipe(request, answer, error);
        return;
    }
    add_etag(&reply, answer);
    json_decref(answer);
    reply_empty(request, 304, &reply);
}

void get_recipe(struct request *request)
{
    const struct api *api = request->context;
    int64_t version = version_of(request);

    if (version)
        store_recipe(api->store, request->match.parts[0], version, on_recipe_asked, request);
}

void put_recipe(struct request *request)
{
    const struct api *api = request->context;
    const char *name = json_string_value(json_object_get(request->json, "name"));
    int64_t version = version_of(request), fact;

    if (!version || !read_if_match(request, true, &fact))
        return;
    if (name && strcmp(name, request->match.parts[0]) != 0)
        reply_problem(request, PROBLEM_INVALID, "name: \"%s\" is not the recipe of this address", name);
    else
        farm_recipe_save(api->farm, request->match.parts[0], version, request->json, fact, request->by,
                         on_recipe, request);
}

static void command(struct request *request, enum recipe_command what)
{
    const struct api *api = request->context;
    int64_t version = version_of(request), fact;
    const char *reason;

    if (!version || !read_if_match(request, what == RECIPE_RELEASE, &fact) ||
        !body_members(request, "reason"))
        return;
    reason = body_reason(request, false);
    if (reason)
        farm_recipe_command(api->farm, request->match.parts[0], version, what, fact, reason, request->by,
                            on_recipe, request);
}

void post_recipe_release(struct request *request)
{
    command(request, RECIPE_RELEASE);
}

void post_recipe_retire(struct request *request)
{
    command(request, RECIPE_RETIRE);
}

void get_recipe_lint(struct request *request)
{
    const struct api *api = request->context;
    int64_t version = version_of(request);

    if (version)
        farm_recipe_lint(api->farm, request->match.parts[0], version, reply_with_answer, request);
}
