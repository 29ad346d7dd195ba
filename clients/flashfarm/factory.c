/* SPDX-License-Identifier: Apache-2.0 */
/* Serial pools, recipes, signatures, backups: what is set up before and looked after besides the orders. */
#include "commands.h"

#include "alloc.h"
#include "show.h"
#include "upload.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* What can be done to a pool: "pool NAME close" is POST /v1/serial-pools/NAME/close. */
struct action {
    const char *word;
    const char *member[2]; /* of the body, from the options below, which must be given */
    enum option option[2];
};

/* ---- bodies ---- */

static int add_member(json_t *body, const struct options *options, const struct action *action, size_t index,
                      struct error *error)
{
    const char *text = options_value(options, action->option[index]);
    int64_t number;

    if (!text)
        return error_set(error, -EINVAL, "%s needs --%s", action->word, options_name(action->option[index]));
    if (action->option[index] != OPTION_NUMBERS)
        return json_object_set_new(body, action->member[index], json_string(text));
    if (!options_read_number(text, 1, INT64_MAX, &number))
        return error_set(error, -EINVAL, "--count is '%s'; expected a number from 1", text);
    return json_object_set_new(body, action->member[index], json_integer(number));
}

static int change_pool(struct server *server, const struct options *options, const struct action *action,
                       struct error *error)
{
    char *name = http_escape(options->words[1]);
    char *path = format_text("/v1/serial-pools/%s/%s", name, action->word);
    json_t *body = json_object();
    int status = 0;

    for (size_t i = 0; i < COUNT(action->member) && action->member[i] && status == 0; i++)
        status = add_member(body, options, action, i, error);
    if (status == 0)
        status = show_object(server, options, &(struct request){.method = "POST", .path = path, .body = body},
                             error);
    json_decref(body);
    free(path);
    free(name);
    return status;
}

static const struct action *find_action(const struct action *actions, size_t count, const char *word)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(actions[i].word, word) == 0)
            return &actions[i];
    return NULL;
}

/* ---- pools ---- */

static void add_text(json_t *object, const struct options *options, enum option option, const char *member)
{
    const char *text = options_value(options, option);

    if (text)
        (void)json_object_set_new(object, member, json_string(text));
}

static int add_number(json_t *object, const struct options *options, enum option option, const char *member,
                      struct error *error)
{
    int64_t number = 0;
    int status = options_number(options, option, 0, INT64_MAX, &number, error);

    if (status == 0 && options_value(options, option))
        (void)json_object_set_new(object, member, json_integer(number));
    return status;
}

/* The ends of a pool: addresses are written as such. */
static int add_end(json_t *pool, const struct options *options, enum option option, const char *member,
                   struct error *error)
{
    if (strcmp(value_text(pool, "kind"), "eui48") != 0)
        return add_number(pool, options, option, member, error);
    add_text(pool, options, option, member);
    return 0;
}

static int describe_format(json_t *format, const struct options *options, struct error *error)
{
    int status = add_number(format, options, OPTION_BASE, "base", error);

    add_text(format, options, OPTION_PREFIX, "prefix");
    add_text(format, options, OPTION_SUFFIX, "suffix");
    add_text(format, options, OPTION_DATE, "date");
    add_text(format, options, OPTION_CHECK, "check");
    add_text(format, options, OPTION_SEPARATOR, "separator");
    return status ? status : add_number(format, options, OPTION_DIGITS, "digits", error);
}

/* "70,85,95" */
static int add_warnings(json_t *pool, const struct options *options, struct error *error)
{
    char *text = copy_text(options_value(options, OPTION_WARN)), *rest = NULL;
    json_t *list = json_array();
    int status = 0;

    for (char *word = strtok_r(text, ",", &rest); word && !status; word = strtok_r(NULL, ",", &rest)) {
        int64_t percent;

        if (options_read_number(word, 1, 100, &percent))
            (void)json_array_append_new(list, json_integer(percent));
        else
            status = error_set(error, -EINVAL, "--warn has '%s'; expected percent: 70,85,95", word);
    }
    (void)json_object_set_new(pool, "warn_percent", list);
    free(text);
    return status;
}

static int visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* What a key pool knows of its keys: their names and what they sum up to. */
static int add_keys(json_t *pool, const char *folder, struct error *error)
{
    struct dirent **entries = NULL;
    int count = scandir(folder, &entries, visible, alphasort), status = 0;
    json_t *items = json_array();

    if (count < 0)
        status = error_set_errno(error, errno, "%s", folder);
    for (int i = 0; i < count; i++) {
        char *path = format_text("%s/%s", folder, entries[i]->d_name), hash[65];

        if (!status)
            status = show_hash_file(path, hash, error);
        if (!status)
            (void)json_array_append_new(items,
                                        json_pack("{s:s, s:s}", "id", entries[i]->d_name, "sha256", hash));
        free(path);
        free(entries[i]);
    }
    free(entries);
    (void)json_object_set_new(pool, "items", items);
    return status;
}

static int describe_pool(json_t *pool, const struct options *options, struct error *error)
{
    const char *keys = options_value(options, OPTION_KEYS);
    json_t *format = json_object();
    int status;

    add_text(pool, options, OPTION_KIND, "kind");
    add_text(pool, options, OPTION_REASON, "reason");
    if (options_value(options, OPTION_LOCAL))
        (void)json_object_set_new(pool, "local", json_true());
    status = describe_format(format, options, error);
    if (json_object_size(format))
        (void)json_object_set(pool, "format", format);
    json_decref(format);
    if (status == 0)
        status = add_end(pool, options, OPTION_FIRST, "first", error);
    if (status == 0)
        status = add_end(pool, options, OPTION_LAST, "last", error);
    if (status == 0)
        status = add_number(pool, options, OPTION_STEP, "step", error);
    if (status == 0 && options_value(options, OPTION_WARN))
        status = add_warnings(pool, options, error);
    return status == 0 && keys ? add_keys(pool, keys, error) : status;
}

static int create_pool(struct server *server, const struct options *options, struct error *error)
{
    json_t *pool = json_pack("{s:s}", "name", options->words[1]);
    int status = describe_pool(pool, options, error);

    if (status == 0)
        status =
            show_object(server, options,
                        &(struct request){.method = "POST", .path = "/v1/serial-pools", .body = pool}, error);
    json_decref(pool);
    return status;
}

int command_pools(struct server *server, const struct options *options, struct error *error)
{
    static const struct column columns[] = {
        {.title = "POOL", .path = "name"},
        {.title = "KIND", .path = "kind"},
        {.title = "STATE", .path = "state"},
        {.title = "LEFT", .path = "left"},
        {.title = "ISSUED", .path = "issued"},
        {.title = "PASS", .path = "counts.pass"},
        {.title = "FAIL", .path = "counts.fail"},
        {.title = "UNKNOWN", .path = "counts.unknown"},
        {.title = "BURNED", .path = "counts.burned"},
        {.title = "RETURNED", .path = "counts.returned"},
        {.title = "RESERVED", .path = "counts.reserved"},
        {.title = "BOUND", .path = "counts.bound"},
        {.title = "WARNING", .path = "warning"},
    };
    static const struct list list = {.path = "/v1/serial-pools",
                                     .columns = columns,
                                     .count = COUNT(columns),
                                     .none = "no serial pools",
                                     .paged = true};

    return show_list(server, options, &list, list.path, error);
}

static int list_serials(struct server *server, const struct options *options, struct error *error)
{
    static const struct column columns[] = {
        {.title = "SERIAL", .path = "serial"},     {.title = "STATE", .path = "state"},
        {.title = "UID", .path = "uid"},           {.title = "RUN", .path = "run"},
        {.title = "ATTEMPTS", .path = "attempts"}, {.title = "UPDATED", .path = "updated", .format = AS_TIME},
        {.title = "REASON", .path = "reason"},
    };
    static const struct list list = {
        .columns = columns, .count = COUNT(columns), .none = "no numbers of this kind", .paged = true};
    const char *state = options_value(options, OPTION_STATE);
    char *name = http_escape(options->words[1]), *word = http_escape(state ? state : "");
    char *path = format_text("/v1/serial-pools/%s/serials%s%s", name, state ? "?state=" : "", word);
    int status = show_list(server, options, &list, path, error);

    free(path);
    free(word);
    free(name);
    return status;
}

static int show_pool(struct server *server, const struct options *options, struct error *error)
{
    char *name = http_escape(options->words[1]);
    char *path = format_text("/v1/serial-pools/%s", name);
    int status = show_object(server, options, &(struct request){.path = path}, error);

    free(path);
    free(name);
    return status;
}

int command_pool(struct server *server, const struct options *options, struct error *error)
{
    static const struct action actions[] = {
        {.word = "open", .member = {"reason"}, .option = {OPTION_REASON}},
        {.word = "close", .member = {"reason"}, .option = {OPTION_REASON}},
        {.word = "burn", .member = {"reason", "count"}, .option = {OPTION_REASON, OPTION_NUMBERS}},
    };
    const char *word = options->word_count > 2 ? options->words[2] : "show";
    const struct action *action = find_action(actions, COUNT(actions), word);

    if (strcmp(word, "show") == 0)
        return show_pool(server, options, error);
    if (strcmp(word, "create") == 0)
        return create_pool(server, options, error);
    if (strcmp(word, "serials") == 0)
        return list_serials(server, options, error);
    if (!action)
        return error_set(error, -EINVAL,
                         "cannot '%s' a pool; expected show, create, serials, open, close or burn", word);
    return change_pool(server, options, action, error);
}

int command_serial(struct server *server, const struct options *options, struct error *error)
{
    char *name = http_escape(options->words[1]);
    char *path = format_text("/v1/serials/%s%s", name, options->word_count > 2 ? "/settle" : "");
    const char *reason = options_value(options, OPTION_REASON);
    struct request request = {.path = path};
    json_t *body = NULL;
    int status = 0;

    if (options->word_count == 3 || (options->word_count > 2 && strcmp(options->words[2], "settle") != 0)) {
        status =
            error_set(error, -EINVAL, "expected: flashfarm serial %s settle pass|fail|burned --reason TEXT",
                      options->words[1]);
    } else if (options->word_count > 3) {
        if (!reason)
            status = error_set(error, -EINVAL, "settle needs --reason");
        else
            body = json_pack("{s:s, s:s}", "state", options->words[3], "reason", reason);
        request.method = "POST";
        request.body = body;
    }
    if (status == 0)
        status = show_object(server, options, &request, error);
    json_decref(body);
    free(path);
    free(name);
    return status;
}

/* ---- recipes ---- */

int command_recipes(struct server *server, const struct options *options, struct error *error)
{
    static const struct column columns[] = {
        {.title = "RECIPE", .path = "name"},
        {.title = "VERSION", .path = "version"},
        {.title = "STATE", .path = "state"},
        {.title = "CHIP", .path = "content.chip"},
        {.title = "IMAGE", .path = "content.images", .format = AS_DIGEST},
        {.title = "HASH", .path = "hash", .format = AS_DIGEST},
        {.title = "BY", .path = "by"},
        {.title = "RELEASED BY", .path = "released_by"},
    };
    static const struct list list = {.path = "/v1/recipes",
                                     .columns = columns,
                                     .count = COUNT(columns),
                                     .none = "no recipes",
                                     .paged = true};
    const char *state = options_value(options, OPTION_STATE);
    char *word = http_escape(state ? state : "");
    char *path = format_text("%s%s%s", list.path, state ? "?state=" : "", word);
    int status = show_list(server, options, &list, path, error);

    free(path);
    free(word);
    return status;
}

/* Saves a file as the next version, or, when a version is named, in place of that draft as it is now.
 * Firmware files that it names are uploaded. */
static int save_recipe(struct server *server, const struct options *options, const char *name,
                       const char *path, int64_t fact, struct error *error)
{
    json_error_t why;
    json_t *content =
        options->word_count > 3 ? json_load_file(options->words[3], JSON_REJECT_DUPLICATES, &why) : NULL;
    struct request request = {.method = fact ? "PUT" : "POST", .path = fact ? path : "/v1/recipes"};
    int status;

    if (options->word_count <= 3)
        return error_set(error, -EINVAL, "expected: flashfarm recipe %s save FILE.json", options->words[1]);
    if (!content)
        return error_set(error, -EINVAL, "%s:%d: %s", options->words[3], why.line, why.text);
    if (!json_is_object(content)) {
        json_decref(content);
        return error_set(error, -EINVAL, "%s holds no object; expected {\"chip\": …, \"images\": […], …}",
                         options->words[3]);
    }
    if (!fact)
        (void)json_object_set_new(content, "name", json_string(name));
    request.body = content;
    request.if_match = fact;
    status = upload_named(server, options->words[3], content, error);
    if (status == 0)
        status = show_object(server, options, &request, error);
    json_decref(content);
    return status;
}

/* What is released or retired is what the daemon has now, and nothing that comes in between. */
static int read_fact(struct server *server, const char *path, int64_t *fact, struct error *error)
{
    json_t *recipe = NULL;
    int status = http_get(server, path, &recipe, error);

    *fact = value_number(recipe, "fact");
    json_decref(recipe);
    return status;
}

static int change_recipe(struct server *server, const struct options *options, const char *path,
                         const char *word, struct error *error)
{
    const char *reason = options_value(options, OPTION_REASON);
    char *target = format_text("%s/%s", path, word);
    json_t *body = json_pack("{s:s}", "reason", reason ? reason : "");
    struct request request = {.method = "POST", .path = target, .body = body};
    int status = read_fact(server, path, &request.if_match, error);

    if (status == 0)
        status = show_object(server, options, &request, error);
    json_decref(body);
    free(target);
    return status;
}

static int lint_recipe(struct server *server, const struct options *options, const char *path,
                       struct error *error)
{
    char *target = format_text("%s/lint", path);
    json_t *answer = NULL;
    int status = http_get(server, target, &answer, error);

    if (status == 0)
        status = show_findings(options, answer) ? EXIT_FAILED_UNITS : EXIT_OK;
    json_decref(answer);
    free(target);
    return status;
}

static int act_on_recipe(struct server *server, const struct options *options, const char *name,
                         const char *path, bool versioned, struct error *error)
{
    const char *word = options->word_count > 2 ? options->words[2] : "show";
    int64_t fact = 0;
    int status = 0;

    if (strcmp(word, "save") == 0) {
        if (versioned)
            status = read_fact(server, path, &fact, error);
        return status ? status : save_recipe(server, options, name, path, fact, error);
    }
    if (!versioned)
        return error_set(error, -EINVAL, "which version? expected: flashfarm recipe %s/VERSION %s", name,
                         word);
    if (strcmp(word, "show") == 0)
        return show_object(server, options, &(struct request){.path = path}, error);
    if (strcmp(word, "release") == 0 || strcmp(word, "retire") == 0)
        return change_recipe(server, options, path, word, error);
    if (strcmp(word, "lint") == 0)
        return lint_recipe(server, options, path, error);
    return error_set(error, -EINVAL, "cannot '%s' a recipe; expected show, save, lint, release or retire",
                     word);
}

int command_recipe(struct server *server, const struct options *options, struct error *error)
{
    const char *slash = strrchr(options->words[1], '/');
    char *name = slash ? format_text("%.*s", (int)(slash - options->words[1]), options->words[1])
                       : copy_text(options->words[1]);
    char *escaped = http_escape(name);
    char *path = format_text("/v1/recipes/%s/%s", escaped, slash ? slash + 1 : "");
    int64_t version = 0;
    int status;

    if (slash && !options_read_number(slash + 1, 1, INT64_MAX, &version))
        status = error_set(error, -EINVAL, "'%s' is no version; expected NAME/1", slash + 1);
    else
        status = act_on_recipe(server, options, name, path, slash != NULL, error);
    free(path);
    free(escaped);
    free(name);
    return status;
}

int command_sign(struct server *server, const struct options *options, struct error *error)
{
    char id[65] = "";
    int status = show_image_id(server, options->words[1], id, error);
    char *path = format_text("/v1/images/%s/signatures", id);
    struct request request = {.method = "POST", .path = path, .type = "text/plain"};

    if (status == 0) {
        request.file = fopen(options->words[2], "re");
        status = request.file ? show_object(server, options, &request, error)
                              : error_set_errno(error, errno, "%s", options->words[2]);
    }
    if (request.file)
        (void)fclose(request.file);
    free(path);
    return status;
}

/* ---- stations ---- */

int command_scan(struct server *server, const struct options *options, struct error *error)
{
    const char *position = options_value(options, OPTION_POSITION);
    char *name = http_escape(options->words[1]);
    char *path = format_text("/v1/stations/%s/scan", name);
    json_t *body = json_pack("{s:s, s:s*}", "code", options->words[2], "position", position);
    int status =
        show_object(server, options, &(struct request){.method = "POST", .path = path, .body = body}, error);

    json_decref(body);
    free(path);
    free(name);
    return status;
}

/* ---- backups ---- */

int command_backups(struct server *server, const struct options *options, struct error *error)
{
    static const struct column columns[] = {
        {.title = "BACKUP", .path = "name"},
        {.title = "SIZE", .path = "size", .format = AS_BYTES},
        {.title = "RECORDS", .path = "sequence"},
        {.title = "SHA-256", .path = "sha256", .format = AS_DIGEST},
        {.title = "MADE", .path = "made", .format = AS_TIME},
        {.title = "BY", .path = "by"},
    };
    static const struct list list = {.path = "/v1/backups",
                                     .columns = columns,
                                     .count = COUNT(columns),
                                     .none = "no backups",
                                     .paged = true};

    return show_list(server, options, &list, list.path, error);
}

/* Whether the file is what the daemon says that it sent. */
static int check_hash(const char *path, const char *expected, struct error *error)
{
    char hash[65];
    int status = show_hash_file(path, hash, error);

    if (status == 0 && strcmp(hash, expected) != 0)
        return error_set(error, -EIO, "%s is not what the daemon has: SHA-256 %s; expected %s", path, hash,
                         expected);
    return status;
}

/* A half-written copy must not look like one: it gets its name when it is whole. */
static int download_backup(struct server *server, const json_t *backup, const char *output,
                           struct error *error)
{
    char *escaped = http_escape(value_text(backup, "name"));
    char *path = format_text("/v1/backups/%s", escaped), *part = format_text("%s.part", output);
    FILE *file = fopen(part, "wbxe");
    int status;

    if (!file) {
        status = error_set_errno(error, errno, "%s", part);
    } else {
        status = http_download(server, path, file, error);
        if (status == 0 && (fflush(file) || fsync(fileno(file))))
            status = error_set_errno(error, errno, "%s", part);
        (void)fclose(file);
        if (status == 0)
            status = check_hash(part, value_text(backup, "sha256"), error);
        if (status == 0 && rename(part, output))
            status = error_set_errno(error, errno, "%s", output);
        if (status < 0)
            (void)unlink(part);
    }
    free(part);
    free(path);
    free(escaped);
    return status;
}

/* A checkpoint first: what nobody has signed proves nothing. */
static int make_backup(struct server *server, json_t **backup, struct error *error)
{
    int status =
        http_call(server, &(struct request){.method = "POST", .path = "/v1/ledger/checkpoint"}, NULL, error);

    return status
               ? status
               : http_call(server, &(struct request){.method = "POST", .path = "/v1/backups"}, backup, error);
}

int command_backup(struct server *server, const struct options *options, struct error *error)
{
    const char *output = options_value(options, OPTION_OUTPUT);
    json_t *backup = NULL;
    int status;

    if (output && access(output, F_OK) == 0)
        return error_set(error, -EEXIST, "%s is there already, and backups replace nothing", output);
    status = make_backup(server, &backup, error);
    if (status == 0 && output)
        status = download_backup(server, backup, output, error);
    if (status == 0 && show_as_json(options))
        value_print_json(stdout, backup);
    else if (status == 0)
        value_print_object(stdout, backup);
    json_decref(backup);
    return status;
}
