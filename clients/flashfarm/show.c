/* SPDX-License-Identifier: Apache-2.0 */
/* The commands that ask and show. */
#include "commands.h"

#include "alloc.h"
#include "events.h"
#include "show.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

bool show_as_json(const struct options *options)
{
    return options_value(options, OPTION_JSON) != NULL;
}

/* ---- lists ---- */

int show_list(struct server *server, const struct options *options, const struct list *list, const char *path,
              struct error *error)
{
    json_t *body = NULL;
    int64_t limit = 100;
    int status = options_number(options, OPTION_LIMIT, 0, 1000000000, &limit, error);

    if (status == 0 && list->paged)
        status = http_get_list(server, path, limit, &body, error);
    else if (status == 0)
        status = http_get(server, path, &body, error);
    if (status)
        return status;
    if (show_as_json(options))
        value_print_json(stdout, body);
    else
        value_print_table(stdout, json_object_get(body, "items"), list->columns, list->count, list->none);
    if (!show_as_json(options) && !options_value(options, OPTION_LIMIT) &&
        json_is_string(json_object_get(body, "next")))
        (void)fprintf(stderr, "there are more; these are the newest %lld (--limit N)\n", (long long)limit);
    json_decref(body);
    return EXIT_OK;
}

int command_stations(struct server *server, const struct options *options, struct error *error)
{
    static const struct column columns[] = {
        {.title = "STATION", .path = "name"},     {.title = "STATE", .path = "state"},
        {.title = "JOB", .path = "job"},          {.title = "PHASE", .path = "phase"},
        {.title = "%", .path = "percent"},        {.title = "LAST", .path = "last.outcome"},
        {.title = "CLASS", .path = "last.class"}, {.title = "PASS", .path = "counts.pass"},
        {.title = "FAIL", .path = "counts.fail"}, {.title = "PROTOCOL", .path = "protocol"},
        {.title = "PORT", .path = "port"},
    };
    static const struct list list = {.path = "/v1/stations",
                                     .columns = columns,
                                     .count = COUNT(columns),
                                     .none = "no stations; the daemon's configuration names none"};

    return show_list(server, options, &list, list.path, error);
}

int command_ports(struct server *server, const struct options *options, struct error *error)
{
    static const struct column columns[] = {
        {.title = "PORT", .path = "name"},
        {.title = "DEVICE", .path = "device"},
        {.title = "STATION", .path = "station"},
        {.title = "VENDOR", .path = "usb_vendor", .format = AS_HEX},
        {.title = "PRODUCT", .path = "usb_product", .format = AS_HEX},
        {.title = "SERIAL", .path = "usb_serial"},
        {.title = "DESCRIPTION", .path = "description"},
    };
    static const struct list list = {.path = "/v1/ports",
                                     .columns = columns,
                                     .count = COUNT(columns),
                                     .none = "no ports on the daemon's host"};

    return show_list(server, options, &list, list.path, error);
}

int command_chips(struct server *server, const struct options *options, struct error *error)
{
    static const struct column columns[] = {
        {.title = "CHIP", .path = "name"},
        {.title = "FAMILY", .path = "family"},
        {.title = "ID", .path = "id", .format = AS_HEX},
        {.title = "FLASH", .path = "flash_size", .format = AS_BYTES},
        {.title = "AT", .path = "flash_base", .format = AS_HEX},
        {.title = "PROTOCOL", .path = "protocol"},
        {.title = "DOCUMENT", .path = "document"},
    };
    static const struct list list = {
        .path = "/v1/chips", .columns = columns, .count = COUNT(columns), .none = "no chips"};

    return show_list(server, options, &list, list.path, error);
}

int command_images(struct server *server, const struct options *options, struct error *error)
{
    static const struct column columns[] = {
        {.title = "IMAGE", .path = "id", .format = AS_DIGEST},
        {.title = "NAME", .path = "name"},
        {.title = "FORMAT", .path = "format"},
        {.title = "SIZE", .path = "size", .format = AS_BYTES},
        {.title = "ADDED", .path = "added", .format = AS_TIME},
        {.title = "BY", .path = "by"},
    };
    static const struct list list = {.path = "/v1/images",
                                     .columns = columns,
                                     .count = COUNT(columns),
                                     .none = "no images",
                                     .paged = true};

    return show_list(server, options, &list, list.path, error);
}

/* ---- filters ---- */

struct filter {
    enum option option;
    const char *parameter;
};

/* "/v1/jobs?state=held&work_order=W%201"; the caller frees it. */
static char *filtered(const char *path, const struct options *options, const struct filter *filters,
                      size_t count)
{
    char *whole = copy_text(path);

    for (size_t i = 0; i < count; i++) {
        const char *value = options_value(options, filters[i].option);
        char *escaped, *longer;

        if (!value)
            continue;
        escaped = http_escape(value);
        longer =
            format_text("%s%c%s=%s", whole, strchr(whole, '?') ? '&' : '?', filters[i].parameter, escaped);
        free(escaped);
        free(whole);
        whole = longer;
    }
    return whole;
}

int command_jobs(struct server *server, const struct options *options, struct error *error)
{
    static const struct column columns[] = {
        {.title = "JOB", .path = "id"},
        {.title = "STATE", .path = "state"},
        {.title = "CHIP", .path = "chip"},
        {.title = "IMAGE", .path = "images", .format = AS_DIGEST},
        {.title = "QUANTITY", .path = "quantity"},
        {.title = "PASSED", .path = "passed"},
        {.title = "FAILED", .path = "failed"},
        {.title = "WORK ORDER", .path = "work_order"},
        {.title = "SUBMITTED", .path = "submitted", .format = AS_TIME},
        {.title = "REASON", .path = "reason"},
    };
    static const struct list list = {
        .path = "/v1/jobs", .columns = columns, .count = COUNT(columns), .none = "no jobs", .paged = true};
    static const struct filter filters[] = {{.option = OPTION_STATE, .parameter = "state"},
                                            {.option = OPTION_WORK_ORDER, .parameter = "work_order"}};
    char *path = filtered(list.path, options, filters, COUNT(filters));
    int status = show_list(server, options, &list, path, error);

    free(path);
    return status;
}

static const struct column run_columns[] = {
    {.title = "RUN", .path = "id"},
    {.title = "JOB", .path = "job"},
    {.title = "STATION", .path = "station"},
    {.title = "OUTCOME", .path = "outcome"},
    {.title = "CLASS", .path = "class"},
    {.title = "SERIAL", .path = "serial"},
    {.title = "UID", .path = "uid"},
    {.title = "IMAGE", .path = "image|images", .format = AS_DIGEST},
    {.title = "STARTED", .path = "started", .format = AS_TIME},
    {.title = "TIME", .path = "started", .format = AS_DURATION},
    {.title = "OF FLOOR", .path = "phases", .format = AS_FLOOR},
    {.title = "MESSAGE", .path = "message"},
};
static const struct list run_list = {.path = "/v1/runs",
                                     .columns = run_columns,
                                     .count = COUNT(run_columns),
                                     .none = "no runs",
                                     .paged = true};

/* Its id or the start of it, or its name. */
static int find_image(struct server *server, const char *what, char id[65], struct error *error)
{
    json_t *body = NULL, *image;
    size_t index, found = 0;
    int status = http_get_list(server, "/v1/images", 0, &body, error);

    json_array_foreach (json_object_get(body, "items"), index, image) {
        const char *candidate = value_text(image, "id");

        if (strncmp(candidate, what, strlen(what)) == 0 || strcmp(value_text(image, "name"), what) == 0) {
            (void)snprintf(id, 65, "%s", candidate);
            found++;
        }
    }
    json_decref(body);
    if (status == 0 && found == 0)
        return error_set(error, -EPERM, "no image has the id or name '%s'; `flashfarm images` lists them",
                         what);
    if (found > 1)
        return error_set(error, -EINVAL, "'%s' means %zu images; give more of the id", what, found);
    return status;
}

int show_hash_file(const char *path, char id[65], struct error *error)
{
    unsigned char block[4096], hash[crypto_hash_sha256_BYTES];
    crypto_hash_sha256_state state;
    size_t count;
    FILE *file = fopen(path, "re");
    bool bad;

    if (!file)
        return error_set_errno(error, errno, "%s", path);
    (void)crypto_hash_sha256_init(&state);
    while ((count = fread(block, 1, sizeof block, file)) > 0)
        (void)crypto_hash_sha256_update(&state, block, count);
    bad = ferror(file);
    (void)fclose(file);
    if (bad)
        return error_set(error, -EIO, "%s: cannot read", path);
    (void)crypto_hash_sha256_final(&state, hash);
    (void)sodium_bin2hex(id, 65, hash, sizeof hash);
    return 0;
}

int show_image_id(struct server *server, const char *what, char id[65], struct error *error)
{
    if (access(what, R_OK) == 0)
        return show_hash_file(what, id, error);
    if (strlen(what) == 64 && strspn(what, "0123456789abcdef") == 64) {
        memcpy(id, what, 65);
        return 0;
    }
    return find_image(server, what, id, error);
}

/* As the daemon writes it, however much it is. */
static int print_csv(struct server *server, const struct options *options, const char *path,
                     struct error *error)
{
    static const struct filter filters[] = {{.option = OPTION_LIMIT, .parameter = "limit"}};
    char *head = format_text("%s%cformat=csv", path, strchr(path, '?') ? '&' : '?');
    char *whole = filtered(head, options, filters, COUNT(filters));
    int status = http_download(server, whole, stdout, error);

    free(whole);
    free(head);
    return status;
}

int command_runs(struct server *server, const struct options *options, struct error *error)
{
    static const struct filter filters[] = {
        {.option = OPTION_SERIAL, .parameter = "serial"},
        {.option = OPTION_UID, .parameter = "uid"},
        {.option = OPTION_WORK_ORDER, .parameter = "work_order"},
        {.option = OPTION_STATION, .parameter = "station"},
        {.option = OPTION_BY, .parameter = "by"},
        {.option = OPTION_RECIPE, .parameter = "recipe"},
        {.option = OPTION_POOL, .parameter = "pool"},
        {.option = OPTION_OUTCOME, .parameter = "outcome"},
        {.option = OPTION_FROM, .parameter = "from"},
        {.option = OPTION_TO, .parameter = "to"},
    };
    const char *image = options_value(options, OPTION_IMAGE);
    char id[65] = "";
    char *head, *path;
    int status = image ? show_image_id(server, image, id, error) : 0;

    if (status)
        return status;
    head = format_text("/v1/runs%s%s", image ? "?image=" : "", id);
    path = filtered(head, options, filters, COUNT(filters));
    status = options_value(options, OPTION_CSV) ? print_csv(server, options, path, error)
                                                : show_list(server, options, &run_list, path, error);
    free(path);
    free(head);
    return status;
}

int command_where_used(struct server *server, const struct options *options, struct error *error)
{
    char id[65] = "", path[100];
    int status = show_image_id(server, options->words[1], id, error);

    if (status)
        return status;
    (void)snprintf(path, sizeof path, "/v1/runs?image=%s", id);
    return show_list(server, options, &run_list, path, error);
}

/* ---- one thing ---- */

int show_object(struct server *server, const struct options *options, const struct request *request,
                struct error *error)
{
    json_t *body = NULL;
    int status = http_call(server, request, &body, error);

    if (status)
        return status;
    if (body && show_as_json(options))
        value_print_json(stdout, body);
    else if (body)
        value_print_object(stdout, body);
    json_decref(body);
    return EXIT_OK;
}

bool show_findings(const struct options *options, const json_t *answer)
{
    static const struct column columns[] = {{.title = "SEVERITY", .path = "severity"},
                                            {.title = "CLASS", .path = "class"},
                                            {.title = "PLACE", .path = "place"},
                                            {.title = "MESSAGE", .path = "message"},
                                            {.title = "REMEDY", .path = "remedy"}};
    const json_t *findings = json_object_get(answer, "findings"), *finding;
    size_t index;
    bool refused = false;

    json_array_foreach (findings, index, finding) {
        refused |= strcmp(value_text(finding, "severity"), "error") == 0;
    }
    if (show_as_json(options))
        value_print_json(stdout, answer);
    else
        value_print_table(stdout, findings, columns, COUNT(columns), "nothing speaks against it");
    return refused;
}

int command_whoami(struct server *server, const struct options *options, struct error *error)
{
    return show_object(server, options, &(struct request){.path = "/v1/session"}, error);
}

static bool is_one_of(const char *word, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(word, words[i]) == 0)
            return true;
    return false;
}

int command_station(struct server *server, const struct options *options, struct error *error)
{
    static const char *const actions[] = {"start", "identify", "enable", "disable"};
    const char *action = options->word_count > 2 ? options->words[2] : NULL;
    char *name = http_escape(options->words[1]);
    char *path = format_text("/v1/stations/%s%s%s", name, action ? "/" : "", action ? action : "");
    int status;

    if (action && !is_one_of(action, actions, COUNT(actions)))
        status = error_set(error, -EINVAL,
                           "cannot '%s' a station; expected start, identify, enable or disable", action);
    else
        status = show_object(server, options,
                             &(struct request){.method = action ? "POST" : NULL, .path = path}, error);
    free(path);
    free(name);
    return status;
}

static int job_action(struct server *server, const struct options *options, int64_t job, const char *action,
                      struct error *error)
{
    static const char *const actions[] = {"cancel", "hold", "resume"};
    char path[80];

    if (strcmp(action, "show") == 0) {
        (void)snprintf(path, sizeof path, "/v1/jobs/%lld", (long long)job);
        return show_object(server, options, &(struct request){.path = path}, error);
    }
    if (strcmp(action, "runs") == 0) {
        (void)snprintf(path, sizeof path, "/v1/jobs/%lld/runs", (long long)job);
        return show_list(server, options, &run_list, path, error);
    }
    if (!is_one_of(action, actions, COUNT(actions)))
        return error_set(error, -EINVAL, "cannot '%s' a job; expected show, runs, cancel, hold or resume",
                         action);
    (void)snprintf(path, sizeof path, "/v1/jobs/%lld/%s", (long long)job, action);
    return show_object(server, options, &(struct request){.method = "POST", .path = path}, error);
}

int command_job(struct server *server, const struct options *options, struct error *error)
{
    const char *action = options->word_count > 2 ? options->words[2] : "show";
    int64_t job;

    if (!options_read_number(options->words[1], 1, INT64_MAX, &job))
        return error_set(error, -EINVAL, "job is '%s'; expected its number, as `flashfarm jobs` shows it",
                         options->words[1]);
    return job_action(server, options, job, action, error);
}

/* ---- the history of a board ---- */

static void print_fact(const json_t *run, const char *label, const struct column *column)
{
    char *text = value_format(run, column);

    if (strcmp(text, "-") != 0)
        (void)printf("  %-12s %s\n", label, text);
    free(text);
}

static void print_phases(const json_t *run)
{
    const json_t *phases = value_at(run, "phases");
    size_t index;
    json_t *phase;

    if (!json_array_size(phases))
        return;
    (void)printf("  %-12s", "phases");
    json_array_foreach (phases, index, phase) {
        char *name = value_clean(copy_text(value_text(phase, "name")));

        (void)printf("%s %s %.3f s", index ? "," : "", name, (double)value_number(phase, "us") / 1e6);
        free(name);
    }
    (void)putchar('\n');
}

static void print_numbers(const json_t *run)
{
    const json_t *numbers = value_at(run, "numbers");
    size_t index;
    json_t *number;

    json_array_foreach (numbers, index, number) {
        const char *pool = value_text(number, "pool");
        char *text =
            value_clean(format_text("%s of %s", value_text(number, "text"), *pool ? pool : "the order"));

        (void)printf("  %-12s %s\n", index ? "" : "numbers", text);
        free(text);
    }
}

static void print_recipe(const json_t *run)
{
    const json_t *recipe = value_at(run, "recipe");
    char *text =
        value_clean(format_text("%s/%lld, %s", value_text(recipe, "name"),
                                (long long)value_number(recipe, "version"), value_text(recipe, "hash")));

    if (recipe)
        (void)printf("  %-12s %s\n", "recipe", text);
    free(text);
}

static void print_run(const json_t *run)
{
    static const struct column columns[] = {
        {.title = "outcome", .path = "outcome"},
        {.title = "class", .path = "class"},
        {.title = "message", .path = "message"},
        {.title = "job", .path = "job"},
        {.title = "work order", .path = "work_order"},
        {.title = "station", .path = "station"},
        {.title = "port", .path = "port"},
        {.title = "started", .path = "started"},
        {.title = "ended", .path = "ended"},
        {.title = "took", .path = "started", .format = AS_DURATION},
        {.title = "of floor", .path = "phases", .format = AS_FLOOR},
        {.title = "serial", .path = "serial"},
        {.title = "rework", .path = "rework"},
        {.title = "fixture", .path = "fixture"},
        {.title = "code", .path = "code"},
        {.title = "unit", .path = "unit"},
        {.title = "own bytes", .path = "unit_data_sha256"},
        {.title = "chip", .path = "chip"},
        {.title = "chip id", .path = "chip_id", .format = AS_HEX},
        {.title = "uid", .path = "uid"},
        {.title = "images", .path = "images|image"},
        {.title = "verified by", .path = "verify.method"},
        {.title = "digest", .path = "verify.digest"},
        {.title = "baud", .path = "baud"},
        {.title = "retries", .path = "retries"},
        {.title = "by", .path = "by"},
        {.title = "daemon", .path = "version"},
        {.title = "records", .path = "records"},
    };

    (void)printf("run %lld\n", (long long)value_number(run, "id"));
    for (size_t i = 0; i < COUNT(columns); i++)
        print_fact(run, columns[i].title, &columns[i]);
    print_numbers(run);
    print_recipe(run);
    print_phases(run);
}

int command_trace(struct server *server, const struct options *options, struct error *error)
{
    static const struct column serial = {.path = "serial"}, uid = {.path = "uid"};
    char *escaped = http_escape(options->words[1]);
    char *path = format_text("/v1/units/%s", escaped);
    json_t *unit = NULL, *run;
    size_t index;
    int status = http_get(server, path, &unit, error);

    free(path);
    free(escaped);
    if (status)
        return status;
    if (show_as_json(options)) {
        value_print_json(stdout, unit);
    } else {
        size_t count = json_array_size(json_object_get(unit, "runs"));
        char *serial_text = value_format(unit, &serial), *uid_text = value_format(unit, &uid);

        (void)printf("unit serial %s, uid %s, %zu run%s\n", serial_text, uid_text, count,
                     count == 1 ? "" : "s");
        json_array_foreach (json_object_get(unit, "runs"), index, run) {
            print_run(run);
        }

        free(serial_text);
        free(uid_text);
    }
    json_decref(unit);
    return EXIT_OK;
}

/* ---- events ---- */

static void print_event(void *context, const struct event *event)
{
    static const char *const members[] = {"station",  "name",   "id",     "job",     "run",     "chip",
                                          "quantity", "state",  "phase",  "percent", "outcome", "class",
                                          "uid",      "serial", "reason", "message", "version"};
    const struct options *options = context;

    if (show_as_json(options)) {
        json_t *line =
            json_pack("{s:s?, s:s, s:O}", "id", event->id, "event", event->name, "data", event->data);

        (void)json_dumpf(line, stdout, JSON_COMPACT);
        (void)putchar('\n');
        json_decref(line);
    } else {
        char *name = value_clean(copy_text(event->name));

        (void)printf("%8s  %-15s", event->id ? event->id : "", name);
        free(name);
        for (size_t i = 0; i < COUNT(members); i++) {
            char *text = value_format(event->data, &(struct column){.path = members[i]});

            if (strcmp(text, "-") != 0)
                (void)printf(" %s=%s", members[i], text);
            free(text);
        }
        (void)putchar('\n');
    }
    (void)fflush(stdout);
}

int command_watch(struct server *server, const struct options *options, struct error *error)
{
    union {
        const struct options *in;
        void *out;
    } context = {.in = options};
    struct events *events =
        events_new(server, options_value(options, OPTION_TOPICS), NULL, print_event, context.out);
    int status = 0;

    /* Whoever watches wants to see the daemon come back; only the first connection must not take long. */
    while (status == 0)
        status = events_wait(events, 1000, -1, events_connections(events) ? INT32_MAX : 3000, error);
    events_free(events);
    return status;
}
