/* SPDX-License-Identifier: Apache-2.0 */
/* `flashfarm program` and `flashfarm submit`: upload, submit, follow, tell. */
#include "commands.h"

#include "alloc.h"
#include "bars.h"
#include "bytes.h"
#include "follow.h"
#include "show.h"
#include "upload.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define SUBMIT_TRIES 3

/* ---- the order ---- */

/* "A1,A2" as an array; "all" as it is. */
static json_t *read_stations(const char *text)
{
    json_t *names;

    if (!text || strcmp(text, "all") == 0)
        return json_string("all");
    names = json_array();
    while (*text) {
        size_t size = strcspn(text, ",");

        if (size)
            (void)json_array_append_new(names, json_stringn(text, size));
        text += size + (text[size] == ',');
    }
    return names;
}

/* "0x1FFFF800=A55AFF00" */
static int add_option_bytes(json_t *list, const char *text, struct error *error)
{
    size_t head = strcspn(text, "=");
    char *address_text = format_text("%.*s", (int)head, text);
    const char *hex = text + head + (text[head] == '=');
    int64_t address = 0;
    bool good = options_read_number(address_text, 0, UINT32_MAX, &address) && *hex && strlen(hex) % 2 == 0 &&
                strspn(hex, "0123456789abcdefABCDEF") == strlen(hex);

    free(address_text);
    if (!good)
        return error_set(error, -EINVAL, "--option-bytes is '%s'; expected ADDRESS=HEX: 0x1FFFF800=A55AFF00",
                         text);
    return json_array_append_new(list, json_pack("{s:I, s:s}", "address", (json_int_t)address, "hex", hex));
}

/* "0x0800F800+2048" */
static int add_keep(json_t *list, const char *text, struct error *error)
{
    size_t head = strcspn(text, "+");
    char *address_text = format_text("%.*s", (int)head, text);
    int64_t address = 0, size = 0;
    bool good = options_read_number(address_text, 0, UINT32_MAX, &address) && text[head] == '+' &&
                options_read_number(text + head + 1, 1, UINT32_MAX, &size);

    free(address_text);
    if (!good)
        return error_set(error, -EINVAL, "--keep is '%s'; expected ADDRESS+SIZE: 0x0800F800+2048", text);
    return json_array_append_new(
        list, json_pack("{s:I, s:I}", "address", (json_int_t)address, "size", (json_int_t)size));
}

static int add_repeated(json_t *order, const struct options *options, enum option option, const char *member,
                        int (*add)(json_t *list, const char *text, struct error *error), struct error *error)
{
    json_t *list = json_array();
    int status = 0;

    for (size_t i = 0; i < options->given_count && status == 0; i++)
        if (options->given[i].option == option)
            status = add(list, options->given[i].value, error);
    if (json_array_size(list))
        (void)json_object_set(order, member, list);
    json_decref(list);
    return status;
}

static int add_number(json_t *order, const struct options *options, enum option option, const char *member,
                      int64_t least, struct error *error)
{
    int64_t number = 0;
    int status = options_number(options, option, least, 1000000000, &number, error);

    if (status == 0 && options_value(options, option))
        (void)json_object_set_new(order, member, json_integer(number));
    return status;
}

static void add_text(json_t *order, const struct options *options, enum option option, const char *member)
{
    const char *text = options_value(options, option);

    if (text)
        (void)json_object_set_new(order, member, json_string(text));
}

static int make_order(json_t *order, const struct options *options, struct error *error)
{
    const char *trigger = options_value(options, OPTION_TRIGGER);
    int64_t address;
    int status = options_number(options, OPTION_ADDRESS, 0, UINT32_MAX, &address, error);

    add_text(order, options, OPTION_CHIP, "chip");
    add_text(order, options, OPTION_WORK_ORDER, "work_order");
    add_text(order, options, OPTION_PROTECT, "protect");
    add_text(order, options, OPTION_RECIPE, "recipe");
    add_text(order, options, OPTION_SERIAL_POOL, "serial_pool");
    add_text(order, options, OPTION_REWORK, "rework");
    (void)json_object_set_new(order, "trigger", json_string(trigger ? trigger : "immediate"));
    (void)json_object_set_new(order, "stations", read_stations(options_value(options, OPTION_STATIONS)));
    if (options_value(options, OPTION_UNPROTECT))
        (void)json_object_set_new(order, "unprotect", json_true());
    if (options_value(options, OPTION_RUN))
        (void)json_object_set_new(order, "run", json_true());
    if (status == 0)
        status = add_number(order, options, OPTION_QUANTITY, "quantity", 1, error);
    if (status == 0)
        status = add_number(order, options, OPTION_HOLD_AFTER_FAILURES, "hold_after_failures", 1, error);
    if (status == 0)
        status = add_number(order, options, OPTION_TIMEOUT, "timeout_s", 1, error);
    if (status == 0)
        status = add_repeated(order, options, OPTION_OPTION_BYTES, "option_bytes", add_option_bytes, error);
    if (status == 0)
        status = add_repeated(order, options, OPTION_KEEP, "keep", add_keep, error);
    return status;
}

/* An answer that is lost on the way must not order twice: the same key makes the daemon answer the same. */
static int submit(struct server *server, const json_t *order, json_t **job, struct error *error)
{
    uint8_t random[16];
    char key[2 * sizeof random + 1];
    struct request request = {.method = "POST", .path = "/v1/jobs", .body = order, .idempotency_key = key};
    const struct timespec pause = {.tv_nsec = 300000000};
    int status = -EHOSTUNREACH;

    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
        return error_set_errno(error, errno, "getrandom");
    bytes_to_hex(random, sizeof random, key);
    for (int i = 0; i < SUBMIT_TRIES && status == -EHOSTUNREACH; i++) {
        if (i)
            (void)nanosleep(&pause, NULL);
        status = http_call(server, &request, job, error);
    }
    if (status == 0 && value_number(*job, "id") <= 0)
        return error_set(error, -EPERM, "what answers is no flashfarmd: a job without id");
    return status;
}

/* ---- the result ---- */

static void print_results(const json_t *runs)
{
    static const struct column columns[] = {
        {.title = "STATION", .path = "station"},
        {.title = "OUTCOME", .path = "outcome"},
        {.title = "CLASS", .path = "class"},
        {.title = "RUN", .path = "id"},
        {.title = "SERIAL", .path = "serial"},
        {.title = "UID", .path = "uid"},
        {.title = "TIME", .path = "started", .format = AS_DURATION},
        {.title = "OF FLOOR", .path = "phases", .format = AS_FLOOR},
        {.title = "MESSAGE", .path = "message"},
    };
    json_t *items = json_object_get(runs, "items"), *forward = json_array();

    /* Oldest first: that is the order in which the boards lie on the table. */
    for (size_t i = json_array_size(items); i-- > 0;)
        (void)json_array_append(forward, json_array_get(items, i));
    value_print_table(stdout, forward, columns, sizeof columns / sizeof columns[0], "no unit was programmed");
    json_decref(forward);
}

static int64_t count_passes(const json_t *runs)
{
    int64_t passes = 0;
    size_t index;
    json_t *run;

    json_array_foreach (json_object_get(runs, "items"), index, run) {
        passes += strcmp(value_text(run, "outcome"), "pass") == 0;
    }
    return passes;
}

static void print_verdict(const struct followed *job, int64_t passes, int64_t asked)
{
    long long id = (long long)job->id;

    (void)fprintf(stderr, "job %lld %s: %lld of %lld passed\n", id, job->state, (long long)passes,
                  (long long)asked);
    if (strcmp(job->state, "held") == 0)
        (void)fprintf(stderr,
                      "go on with: flashfarm job %lld resume; give it up with: flashfarm job %lld cancel\n",
                      id, id);
}

/* Puts the job with its runs at the end of `results`. */
static int fetch_result(struct server *server, const struct followed *followed, json_t *results,
                        struct error *error)
{
    char path[64];
    json_t *runs = NULL, *job = NULL;
    int status;

    (void)snprintf(path, sizeof path, "/v1/jobs/%lld/runs", (long long)followed->id);
    status = http_get_list(server, path, 0, &runs, error);
    (void)snprintf(path, sizeof path, "/v1/jobs/%lld", (long long)followed->id);
    if (status == 0)
        status = http_get(server, path, &job, error);
    if (status == 0) {
        (void)json_object_set(runs, "job", job);
        (void)json_array_append(results, runs);
    }
    json_decref(job);
    json_decref(runs);
    return status;
}

/* One job is printed as ever; several as a list. */
static void print_all(const struct options *options, const json_t *results)
{
    const json_t *result;
    size_t index;

    if (options_value(options, OPTION_JSON)) {
        value_print_json(stdout, json_array_size(results) == 1 ? json_array_get(results, 0) : results);
        return;
    }
    json_array_foreach (results, index, result) {
        if (json_array_size(results) > 1)
            (void)printf("%sjob %lld: %s\n", index ? "\n" : "",
                         (long long)value_number(json_object_get(result, "job"), "id"),
                         value_text(json_object_get(result, "job"), "chip"));
        print_results(result);
    }
    (void)fflush(stdout);
}

static int tell(struct server *server, const struct options *options, const struct follow *follow,
                struct error *error)
{
    json_t *results = json_array();
    int status = 0, code = EXIT_OK;

    for (size_t i = 0; i < follow->job_count && status == 0; i++)
        status = fetch_result(server, &follow->jobs[i], results, error);
    if (status == 0)
        print_all(options, results);
    for (size_t i = 0; i < follow->job_count && status == 0; i++) {
        const json_t *result = json_array_get(results, i);
        int64_t passes = count_passes(result);
        int64_t asked = value_number(json_object_get(result, "job"), "quantity");

        print_verdict(&follow->jobs[i], passes, asked);
        if (passes < asked)
            code = EXIT_FAILED_UNITS;
    }
    json_decref(results);
    return status == 0 ? code : status;
}

/* ---- the command ---- */

/* Every station of the job has its bar from the start, not only once a board answers. */
static void make_bars(struct bars *bars, const json_t *job)
{
    const json_t *names = json_object_get(job, "stations");
    size_t index;
    json_t *name;

    json_array_foreach (names, index, name) {
        if (json_is_string(name))
            (void)bars_of(bars, json_string_value(name));
    }
}

static int submit_one(struct server *server, struct follow *follow, const json_t *order, struct error *error)
{
    json_t *job = NULL;
    int status = submit(server, order, &job, error);

    if (status == 0) {
        follow_add(follow, value_number(job, "id"));
        make_bars(follow->bars, job);
    }
    json_decref(job);
    return status;
}

/* Jobs that were submitted before one was refused are at work already: they are followed to their end. */
static int submit_and_follow(struct server *server, const struct options *options, const json_t *orders,
                             struct error *error)
{
    struct error refused = ERROR_NONE;
    size_t count = json_array_size(orders);
    struct bars bars;
    struct follow follow;
    int status, refusal = 0;

    bars_open(&bars, options_value(options, OPTION_QUIET) ? NULL : stderr);
    status = follow_open(&follow, server, &bars, error);
    for (size_t i = 0; i < count && status == 0 && refusal == 0; i++) {
        refusal = submit_one(server, &follow, json_array_get(orders, i), &refused);
        if (refusal < 0 && count > 1)
            (void)error_prefix(&refused, "job %zu of the file", i + 1);
    }
    if (status == 0 && follow.job_count > 0) {
        (void)snprintf(bars.title, sizeof bars.title, "job %lld", (long long)follow.jobs[0].id);
        status = follow_jobs(&follow, error);
    }
    bars_close(&bars);
    if (status == 0 && follow.job_count > 0)
        status = tell(server, options, &follow, error);
    else if (status == -EINTR) {
        (void)fprintf(stderr, "flashfarm: %s\n", error->text);
        status = EXIT_FAILED_UNITS;
    }
    follow_close(&follow);
    if (status >= 0 && refusal < 0) {
        *error = refused;
        status = refusal;
    }
    return status;
}

static void print_plan(const json_t *answer)
{
    static const struct column plans[] = {
        {.title = "PROTOCOL", .path = "protocol"},
        {.title = "ERASE ALL", .path = "erase_all"},
        {.title = "SECTORS", .path = "sectors"},
        {.title = "BLOCKS", .path = "blocks"},
        {.title = "WRITE", .path = "write_bytes", .format = AS_BYTES},
        {.title = "VERIFY", .path = "verify_bytes", .format = AS_BYTES},
        {.title = "DIGEST", .path = "digest", .format = AS_DIGEST},
    };
    static const struct column stations[] = {
        {.title = "STATION", .path = "name"},
        {.title = "PROTOCOL", .path = "protocol"},
        {.title = "BAUD", .path = "baud"},
        {.title = "FLOOR", .path = "floor_us", .format = AS_SECONDS},
    };

    value_print_table(stdout, json_object_get(answer, "plan"), plans, sizeof plans / sizeof plans[0],
                      "no plan");
    (void)putchar('\n');
    value_print_table(stdout, json_object_get(answer, "stations"), stations,
                      sizeof stations / sizeof stations[0], "no station");
    (void)printf("\n%lld units\n", (long long)value_number(answer, "units"));
}

/* What would be done, and what speaks against it. Findings that would refuse the order are failures. */
static int show_dry_run(struct server *server, const struct options *options, json_t *order,
                        struct error *error)
{
    json_t *answer = NULL;
    bool refused;
    int status;

    (void)json_object_set_new(order, "dry_run", json_true());
    status = http_call(server, &(struct request){.method = "POST", .path = "/v1/jobs", .body = order},
                       &answer, error);
    if (status < 0)
        return status;
    if (!show_as_json(options))
        print_plan(answer);
    refused = show_findings(options, answer);
    json_decref(answer);
    return refused ? EXIT_FAILED_UNITS : EXIT_OK;
}

/* Either a recipe says what to do, or files and a chip. */
static int check_what(const struct options *options, struct error *error)
{
    bool files = options->word_count > 1;

    if (options_value(options, OPTION_RECIPE))
        return files || options_value(options, OPTION_CHIP)
                   ? error_set(error, -EINVAL, "the recipe says what to program; leave out FILE and --chip")
                   : 0;
    if (!files)
        return error_set(error, -EINVAL, "expected: flashfarm program FILE... --chip NAME, or --recipe NAME");
    if (!options_value(options, OPTION_CHIP))
        return error_set(error, -EINVAL, "program needs --chip NAME; `flashfarm chips` lists them");
    return 0;
}

int command_program(struct server *server, const struct options *options, struct error *error)
{
    json_t *order = json_object(), *orders = json_pack("[o]", order);
    int status = check_what(options, error);

    if (status == 0)
        status = make_order(order, options, error);
    if (status == 0 && !options_value(options, OPTION_RECIPE))
        status = upload_files(server, options, order, error);
    if (status == 0 && options_value(options, OPTION_DRY_RUN))
        status = show_dry_run(server, options, order, error);
    else if (status == 0)
        status = submit_and_follow(server, options, orders, error);
    json_decref(orders);
    return status;
}

/* ---- job files ---- */

/* A list of orders, or one; each as POST /v1/jobs takes it, with files in place of images. */
static json_t *read_job_file(const char *path, struct error *error)
{
    json_error_t why;
    json_t *file = json_load_file(path, JSON_REJECT_DUPLICATES, &why), *orders, *order;
    size_t index;

    if (!file) {
        (void)error_set(error, -EINVAL, "%s:%d: %s", path, why.line, why.text);
        return NULL;
    }
    orders = json_is_array(file) ? file : json_pack("[o]", file);
    json_array_foreach (orders, index, order) {
        if (!json_is_object(order))
            (void)error_set(error, -EINVAL, "%s: job %zu is no object; expected {\"chip\": …, \"image\": …}",
                            path, index + 1);
    }
    if (json_array_size(orders) == 0 || json_array_size(orders) > FOLLOW_JOBS)
        (void)error_set(error, -EINVAL, "%s has %zu jobs; expected 1 to %d", path, json_array_size(orders),
                        FOLLOW_JOBS);
    if (error->code) {
        json_decref(orders);
        return NULL;
    }
    return orders;
}

int command_submit(struct server *server, const struct options *options, struct error *error)
{
    const char *path = options->words[1];
    json_t *orders = read_job_file(path, error), *order;
    size_t index;
    int status = orders ? 0 : error->code;

    json_array_foreach (orders, index, order) {
        if (status == 0)
            status = upload_named(server, path, order, error);
    }
    if (status == 0)
        status = submit_and_follow(server, options, orders, error);
    json_decref(orders);
    return status;
}
