/* SPDX-License-Identifier: Apache-2.0 */
/* Recipes: draft, released, retired, and what an order by their name means. A request that changes one is
 * alone with it from the first look to the record: two people who make a new version at once get two. */
#include "recipes.h"

#include "parts.h"

#include "alloc.h"
#include "await.h"
#include "bytes.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define NAME_MAX_BYTES 63
#define HASH_TEXT      (2 * crypto_hash_sha256_BYTES + 1)

/* --- the record --------------------------------------------------------------------------- */

static json_t *find_recipe(const struct farm *farm, const char *name, int64_t version, struct error *error)
{
    struct await await = await_begin(farm->options.fibers, error);

    store_recipe(farm->options.store, name, version, await_answered, &await);
    return await_end(&await);
}

static const char *text_of(const json_t *recipe, const char *member)
{
    const char *text = json_string_value(json_object_get(recipe, member));

    return text ? text : "";
}

static int64_t number_of(const json_t *object, const char *member)
{
    return json_integer_value(json_object_get(object, member));
}

/* SHA-256 of the canonical text: sorted names, no blanks. */
static void hash_content(const json_t *content, char hash[HASH_TEXT])
{
    uint8_t bytes[crypto_hash_sha256_BYTES];
    char *text = json_dumps(content, JSON_COMPACT | JSON_SORT_KEYS);

    (void)crypto_hash_sha256(bytes, (const unsigned char *)text, strlen(text));
    bytes_to_hex(bytes, sizeof bytes, hash);
    free(text);
}

/* It goes into addresses and, with a version behind a slash, into orders. */
static bool is_name(const char *text)
{
    size_t size = strlen(text);

    return size > 0 && size <= NAME_MAX_BYTES && text[0] != '.' &&
           strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") == size;
}

/* --- resolving ---------------------------------------------------------------------------- */

struct recipe_name {
    char name[NAME_MAX_BYTES + 1];
    int64_t version;  /* 0: the newest released one */
    const char *hash; /* that it must have, or NULL */
};

static int refuse_name(struct error *error)
{
    return error_set(error, -EINVAL, "recipe: expected \"NAME\", \"NAME/VERSION\" or {name, version, hash}");
}

static bool read_version(const char *text, int64_t *version)
{
    size_t digits = strlen(text);

    *version = strtoll(text, NULL, 10);
    return digits > 0 && digits <= 9 && strspn(text, "0123456789") == digits && *version > 0;
}

static int read_name(struct recipe_name *read, const char *text, size_t size, struct error *error)
{
    if (size >= sizeof read->name)
        return refuse_name(error);
    memcpy(read->name, text, size);
    read->name[size] = '\0';
    return is_name(read->name) ? 0 : refuse_name(error);
}

/* What is said beside the name is not overheard: a hash that nobody compares would promise too much. */
static int read_hash(struct recipe_name *read, const json_t *named, struct error *error)
{
    static const char *const members[] = {"name", "version", "hash"};
    const json_t *hash = json_object_get(named, "hash");
    size_t known = 0;

    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        if (json_object_get(named, members[i]))
            known++;
    read->hash = json_string_value(hash);
    if (json_object_size(named) != known || (hash && !json_is_null(hash) && !read->hash))
        return refuse_name(error);
    return 0;
}

static int read_named(struct recipe_name *read, const json_t *named, struct error *error)
{
    const char *text = json_string_value(json_is_object(named) ? json_object_get(named, "name") : named);
    const char *slash = text && json_is_string(named) ? strchr(text, '/') : NULL;
    const json_t *version = json_object_get(named, "version");

    *read = (struct recipe_name){.version = 0};
    if (!text || (slash && !read_version(slash + 1, &read->version)))
        return refuse_name(error);
    if (version && !json_is_null(version)) {
        read->version = json_integer_value(version);
        if (read->version <= 0)
            return refuse_name(error);
    }
    if (read_hash(read, named, error) < 0)
        return error->code;
    return read_name(read, text, slash ? (size_t)(slash - text) : strlen(text), error);
}

/* Whether it may be run, by whoever asks. */
static int check_runnable(const json_t *recipe, enum order_right right, struct error *error)
{
    const char *state = text_of(recipe, "state"), *name = text_of(recipe, "name");
    long long version = number_of(recipe, "version");
    char hash[HASH_TEXT];

    if (strcmp(state, "retired") == 0)
        return error_set(error, -EINVAL, "recipe %s/%lld is retired: order a newer version", name, version);
    if (right == ORDER_RELEASED && strcmp(state, "released") != 0)
        return error_set(error, -EACCES, "recipe %s/%lld is a draft: an engineer has to release it first",
                         name, version);
    hash_content(json_object_get(recipe, "content"), hash);
    if (strcmp(hash, text_of(recipe, "hash")) != 0)
        return error_set(error, -EIO, "recipe %s/%lld has not the hash that it was saved with", name,
                         version);
    return 0;
}

int recipe_resolve(struct farm *farm, const json_t *named, enum order_right right, json_t **content,
                   json_t **recipe, struct error *error)
{
    struct recipe_name name;
    json_t *found;
    int status = read_named(&name, named, error);

    if (status < 0)
        return status;
    found = find_recipe(farm, name.name, name.version, error);
    if (!found)
        return error->code == -ENOENT ? error_set(error, -EINVAL, "recipe: there is no %s\"%s\"%s",
                                                  name.version ? "" : "released ", name.name,
                                                  name.version ? " of that version" : "")
                                      : error->code;
    status = check_runnable(found, right, error);
    if (status == 0 && name.hash && strcasecmp(name.hash, text_of(found, "hash")) != 0)
        status = error_set(error, -EINVAL, "recipe: %s/%lld has not that hash", text_of(found, "name"),
                           (long long)number_of(found, "version"));
    if (status == 0) {
        *content = json_deep_copy(json_object_get(found, "content"));
        *recipe = json_pack("{s:O,s:O,s:O,s:O}", "name", json_object_get(found, "name"), "version",
                            json_object_get(found, "version"), "hash", json_object_get(found, "hash"),
                            "state", json_object_get(found, "state"));
    }
    json_decref(found);
    return status;
}

/* --- how many ----------------------------------------------------------------------------- */

static bool same_thing(const struct job *job, const json_t *recipe, const char *image)
{
    const json_t *id;
    size_t index;

    if (recipe)
        return json_equal(json_object_get(job->recipe, "name"), json_object_get(recipe, "name")) &&
               json_equal(json_object_get(job->recipe, "version"), json_object_get(recipe, "version"));
    json_array_foreach (job->images, index, id) {
        if (strcmp(json_string_value(id), image) == 0)
            return true;
    }
    return false;
}

/* Units that the jobs of a list may still make of it. */
static int64_t promised_by(const struct list *jobs, const struct job *except, const json_t *recipe,
                           const char *image)
{
    int64_t sum = 0;

    LIST_EACH (node, jobs) {
        const struct job *job = LIST_ENTRY(node, struct job, node);

        if (job != except && job_open(job) && same_thing(job, recipe, image))
            sum += job->quantity - job->passed;
    }
    return sum;
}

static int64_t find_made(const struct farm *farm, const json_t *recipe, const char *image,
                         struct error *error)
{
    struct await await = await_begin(farm->options.fibers, error);
    json_t *answer;
    int64_t made;

    store_units_made(farm->options.store, recipe ? text_of(recipe, "name") : image,
                     recipe ? number_of(recipe, "version") : 0, await_answered, &await);
    answer = await_end(&await);
    made = answer ? number_of(answer, "count") : error->code;
    json_decref(answer);
    return made;
}

/* Units that passed while the record was asked may be missing in its answer, and in what the jobs still owe:
 * they are counted as if they were. */
static int check_count_of(struct job *job, const json_t *recipe, const char *image, int64_t most,
                          int quantity, struct error *error)
{
    struct farm *farm = job->farm;
    int64_t passed = farm->statistics.runs_by_outcome[OUTCOME_PASS];
    int64_t made = find_made(farm, recipe, image, error);
    int64_t promised;

    if (made < 0)
        return error->code;
    promised = promised_by(&farm->jobs, job, recipe, image) +
               promised_by(&farm->accepting, job, recipe, image) +
               farm->statistics.runs_by_outcome[OUTCOME_PASS] - passed;
    if (made + promised + quantity <= most)
        return 0;
    return error_set(
        error, -EINVAL,
        "quantity: no more than %lld boards may be made with this %s; %lld have been, and open jobs "
        "may make %lld more",
        (long long)most, recipe ? "version of the recipe" : "image", (long long)made, (long long)promised);
}

int recipe_check_count(struct job *job, const json_t *recipe, int quantity, struct error *error)
{
    struct signature_policy policy;
    const json_t *id;
    size_t index;

    if (signature_policy_parse(&policy, job->signature, error) < 0 || policy.max_units == 0)
        return error->code;
    if (recipe)
        return check_count_of(job, recipe, NULL, policy.max_units, quantity, error);
    json_array_foreach (job->images, index, id) {
        if (check_count_of(job, NULL, json_string_value(id), policy.max_units, quantity, error) < 0)
            return error->code;
    }
    return 0;
}

/* --- requests ----------------------------------------------------------------------------- */

struct recipe_request {
    struct farm *farm;
    char *name, *by, *reason;
    int64_t version, if_match;
    json_t *body;
    enum recipe_command command;
    int (*work)(struct recipe_request *request, json_t **answer, struct error *error);
    farm_answer *answer;
    void *context;
};

static void run_request(void *argument)
{
    struct recipe_request *request = argument;
    struct error error = ERROR_NONE;
    json_t *answer = NULL;

    if (request->work(request, &answer, &error) < 0) {
        json_decref(answer);
        answer = NULL;
    }
    (void)json_object_del(request->farm->recipes_in_progress, request->name);
    request->answer(request->context, answer, &error);
}

static void end_request(void *argument)
{
    struct recipe_request *request = argument;

    free(request->name);
    free(request->by);
    free(request->reason);
    json_decref(request->body);
    free(request);
}

/* Takes the members that `given` has; texts are copied. */
static void start_request(const struct recipe_request *given, const char *name, const char *by,
                          const char *reason)
{
    struct farm *farm = given->farm;
    struct recipe_request *request;
    struct error error = ERROR_NONE;

    if (!is_name(name))
        (void)error_set(&error, -EINVAL, "name: expected 1 to %d letters, digits, \".\", \"_\" or \"-\"",
                        NAME_MAX_BYTES);
    else if (json_object_get(farm->recipes_in_progress, name))
        (void)error_set(&error, -EBUSY, "recipe %s is being changed by another request", name);
    if (error.code) {
        given->answer(given->context, NULL, &error);
        return;
    }
    request = allocate(1, sizeof *request);
    *request = *given;
    request->name = copy_text(name);
    request->by = copy_text(by);
    request->reason = copy_text(reason ? reason : "");
    json_incref(request->body);
    (void)json_object_set_new(farm->recipes_in_progress, name, json_true());
    fiber_start(farm->options.fibers, "recipe", run_request, end_request, request);
}

/* The recipe of the request, if nobody has changed it since the caller saw it. */
static json_t *find_unchanged(const struct recipe_request *request, struct error *error)
{
    json_t *recipe = find_recipe(request->farm, request->name, request->version, error);

    if (recipe && request->if_match && number_of(recipe, "fact") != request->if_match) {
        (void)error_set(error, -ESTALE, "recipe %s/%lld has changed since you read it", request->name,
                        (long long)request->version);
        json_decref(recipe);
        recipe = NULL;
    }
    return recipe;
}

static int append(const struct recipe_request *request, const char *kind, json_t *body, struct error *error)
{
    struct store_fact fact = {.kind = kind, .body = body};
    int status =
        store_append_wait(request->farm->options.store, request->farm->options.fibers, &fact, 1, error);

    return status == -EPROTO ? error_reclass(error, -EBUSY) : status;
}

/* --- saving ------------------------------------------------------------------------------- */

/* Versions are made in order, so that the newest in the record is the highest. */
static int next_version(struct recipe_request *request, struct error *error)
{
    const struct store_page page = {.limit = 1};
    struct await await = await_begin(request->farm->options.fibers, error);
    json_t *found;

    store_recipes(request->farm->options.store, request->name, NULL, &page, await_answered, &await);
    found = await_end(&await);
    if (!found)
        return error->code;
    request->version = 1 + number_of(json_array_get(json_object_get(found, "items"), 0), "version");
    json_decref(found);
    return 0;
}

static int check_draft(const struct recipe_request *request, struct error *error)
{
    json_t *recipe = find_unchanged(request, error);

    if (recipe && strcmp(text_of(recipe, "state"), "draft") != 0)
        (void)error_set(error, -EBUSY, "recipe %s/%lld is %s and cannot be changed: save a new version",
                        request->name, (long long)request->version, text_of(recipe, "state"));
    json_decref(recipe);
    return error->code;
}

/* What is kept of a body: the members that say something, as a job would read them. NULL with the error. */
static json_t *content_of(const struct recipe_request *request, struct error *error)
{
    const json_t *name = json_object_get(request->body, "name");
    json_t *body = json_copy(request->body), *content = json_object(), *value;
    const char *member;
    struct job *job;

    if (!json_is_object(request->body))
        (void)error_set(error, -EINVAL, "expected an object with the recipe's content");
    else if (name && (!json_is_string(name) || strcmp(json_string_value(name), request->name) != 0))
        (void)error_set(error, -EINVAL, "name: expected \"%s\"", request->name);
    (void)json_object_del(body, "name");
    if (error->code == 0 && job_parse_recipe(request->farm, body, &job, error) == 0) {
        json_object_foreach (job->body, member, value) {
            if (!json_is_null(value))
                (void)json_object_set(content, member, value);
        }
        job_free(job);
    }
    json_decref(body);
    if (error->code == 0)
        return content;
    json_decref(content);
    return NULL;
}

static int save(struct recipe_request *request, json_t **answer, struct error *error)
{
    char hash[HASH_TEXT];
    json_t *content = content_of(request, error);
    int status = error->code;

    if (!content)
        return status;
    status = request->version ? check_draft(request, error) : next_version(request, error);
    if (status == 0) {
        hash_content(content, hash);
        status = append(request, "recipe.saved",
                        json_pack("{s:s,s:I,s:O,s:s,s:s}", "name", request->name, "version",
                                  (json_int_t)request->version, "content", content, "hash", hash, "by",
                                  request->by),
                        error);
    }
    json_decref(content);
    if (status == 0)
        *answer = find_recipe(request->farm, request->name, request->version, error);
    return error->code;
}

void farm_recipe_save(struct farm *farm, const char *name, int64_t version, const json_t *body,
                      int64_t if_match, const char *by, farm_answer *answer, void *context)
{
    const struct recipe_request request = {.farm = farm,
                                           .version = version,
                                           .if_match = if_match,
                                           .body = (json_t *)(uintptr_t)body,
                                           .work = save,
                                           .answer = answer,
                                           .context = context};

    start_request(&request, name, by, NULL);
}

/* --- releasing and retiring --------------------------------------------------------------- */

/* Somebody else's eyes, and the lint's. */
static int check_release(const struct recipe_request *request, const json_t *recipe, struct error *error)
{
    json_t *findings;

    if (request->farm->options.two_people && strcmp(text_of(recipe, "by"), request->by) == 0)
        return error_set(error, -EACCES, "recipe %s/%lld was saved by %s: somebody else has to release it",
                         request->name, (long long)request->version, request->by);
    findings = recipe_lint(request->farm, json_object_get(recipe, "content"), error);
    if (findings)
        (void)lint_refuse(findings, error);
    json_decref(findings);
    return error->code;
}

static int check_move(const struct recipe_request *request, const json_t *recipe, struct error *error)
{
    const char *wanted = request->command == RECIPE_RELEASE ? "draft" : "released";

    if (strcmp(text_of(recipe, "state"), wanted) != 0)
        return error_set(
            error, -EBUSY, "recipe %s/%lld is %s, not %s", request->name, (long long)request->version,
            strcmp(text_of(recipe, "state"), "draft") == 0 ? "a draft" : text_of(recipe, "state"),
            request->command == RECIPE_RELEASE ? "a draft" : "released");
    return request->command == RECIPE_RELEASE ? check_release(request, recipe, error) : 0;
}

static int move(struct recipe_request *request, json_t **answer, struct error *error)
{
    json_t *recipe = find_unchanged(request, error);

    if (!recipe)
        return error->code;
    if (check_move(request, recipe, error) == 0)
        (void)append(request, "recipe.state",
                     json_pack("{s:s,s:I,s:s,s:s,s:s,s:s}", "name", request->name, "version",
                               (json_int_t)request->version, "hash", text_of(recipe, "hash"), "state",
                               request->command == RECIPE_RELEASE ? "released" : "retired", "reason",
                               request->reason, "by", request->by),
                     error);
    json_decref(recipe);
    if (error->code == 0)
        *answer = find_recipe(request->farm, request->name, request->version, error);
    return error->code;
}

void farm_recipe_command(struct farm *farm, const char *name, int64_t version, enum recipe_command command,
                         int64_t if_match, const char *reason, const char *by, farm_answer *answer,
                         void *context)
{
    const struct recipe_request request = {.farm = farm,
                                           .version = version,
                                           .if_match = if_match,
                                           .command = command,
                                           .work = move,
                                           .answer = answer,
                                           .context = context};

    start_request(&request, name, by, reason);
}

/* --- lint --------------------------------------------------------------------------------- */

static void run_lint(void *argument)
{
    struct recipe_request *request = argument;
    struct error error = ERROR_NONE;
    json_t *recipe = find_recipe(request->farm, request->name, request->version, &error);
    json_t *findings = recipe ? recipe_lint(request->farm, json_object_get(recipe, "content"), &error) : NULL;

    json_decref(recipe);
    request->answer(request->context, findings ? json_pack("{s:o}", "findings", findings) : NULL, &error);
}

void farm_recipe_lint(struct farm *farm, const char *name, int64_t version, farm_answer *answer,
                      void *context)
{
    struct recipe_request *request = allocate(1, sizeof *request);

    *request = (struct recipe_request){
        .farm = farm, .name = copy_text(name), .version = version, .answer = answer, .context = context};
    fiber_start(farm->options.fibers, "lint", run_lint, end_request, request);
}
