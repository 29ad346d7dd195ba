/* SPDX-License-Identifier: Apache-2.0 */
/* Recipes and signed images on a whole farm with a record of its own: who may change what and when, what a
 * release refuses, what an order by a recipe's name gets, and that a signature counts for the very bytes
 * only. */
#include "recipes.h"

#include "bytes.h"
#include "fiber.h"
#include "sign_scene.h"
#include "store.h"

#include <errno.h>
#include <sodium.h>
#include <sys/stat.h>

/* What callbacks tell the test; one call at a time, but for those that count. */
struct hall {
    char directory[40];
    uv_loop_t loop;
    struct fibers *fibers;
    struct log_output output;
    struct store *store;
    struct farm *farm;
    struct error error;
    json_t *answer;
    int waiting, accepted;
    bool two_people;
    char good[65], odd[65]; /* images: with vectors that can be, and without */
};

static void on_done(void *context, int status, const struct error *error)
{
    struct hall *hall = context;

    hall->waiting--;
    hall->error = status < 0 ? *error : ERROR_NONE;
}

static void on_answer(void *context, json_t *answer, const struct error *error)
{
    struct hall *hall = context;

    hall->waiting--;
    json_decref(hall->answer);
    hall->answer = answer;
    hall->error = answer ? ERROR_NONE : *error;
}

static int wait_for(struct hall *hall)
{
    while (hall->waiting > 0)
        (void)uv_run(&hall->loop, UV_RUN_ONCE);
    return hall->error.code;
}

static const char *text(const struct hall *hall, const char *member)
{
    const char *value = json_string_value(json_object_get(hall->answer, member));

    return value ? value : "(none)";
}

static int64_t number(const struct hall *hall, const char *member)
{
    return json_integer_value(json_object_get(hall->answer, member));
}

static bool says(const struct hall *hall, const char *what)
{
    bool good = strstr(hall->error.text, what) != NULL;

    if (!good)
        (void)fprintf(stderr, "  \"%s\" does not say \"%s\"\n", hall->error.text, what);
    return good;
}

/* --- what is asked ------------------------------------------------------------------------ */

static int save(struct hall *hall, const char *name, int64_t version, json_t *body, int64_t if_match)
{
    hall->waiting++;
    farm_recipe_save(hall->farm, name, version, body, if_match, "anna", on_answer, hall);
    json_decref(body);
    return wait_for(hall);
}

static int command(struct hall *hall, const char *name, int64_t version, enum recipe_command command,
                   int64_t if_match, const char *by)
{
    hall->waiting++;
    farm_recipe_command(hall->farm, name, version, command, if_match, "because", by, on_answer, hall);
    return wait_for(hall);
}

static int add_image(struct hall *hall, const void *bytes, size_t size, char id[65])
{
    const struct farm_upload upload = {
        .path = "upload", .name = "fw.bin", .by = "anna", .has_base = true, .base = 0x08000000};

    scene_write("upload", bytes, size);
    hall->waiting++;
    farm_image_add(hall->farm, &upload, on_answer, hall);
    if (CHECK(wait_for(hall) == 0))
        (void)snprintf(id, 65, "%s", text(hall, "id"));
    return hall->error.code;
}

static int sign(struct hall *hall, const char *image, const char *file)
{
    struct scene_file signature;

    scene_read(file, &signature);
    signature.bytes[signature.size] = '\0';
    hall->waiting++;
    farm_image_sign(hall->farm, image, (const char *)signature.bytes, "anna", on_answer, hall);
    return wait_for(hall);
}

static int submit(struct hall *hall, json_t *body, enum order_right right)
{
    static const char *const keys[] = {"k1", "k2", "k3", "k4", "k5", "k6", "k7", "k8", "k9", "k10", "k11"};
    static size_t next;
    bool dry_run = json_is_true(json_object_get(body, "dry_run"));

    hall->waiting++;
    farm_job_submit(hall->farm, body, dry_run ? NULL : keys[next++ % 11], right, "anna", on_answer, hall);
    json_decref(body);
    return wait_for(hall);
}

static json_t *content(const char *image)
{
    return json_pack("{s:s,s:[s],s:s}", "chip", "stm32f103xb", "images", image, "description", "for a test");
}

/* --- the hall ----------------------------------------------------------------------------- */

static void make_images(struct hall *hall)
{
    uint8_t bytes[600];

    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)(i * 13);
    (void)add_image(hall, bytes, sizeof bytes, hall->odd);
    memcpy(bytes, "\x00\x50\x00\x20\x01\x01\x00\x08", 8);
    (void)add_image(hall, bytes, sizeof bytes, hall->good);
    scene_write("good.bin", bytes, sizeof bytes);
}

static void configure(struct hall *hall)
{
    struct station_settings station = {
        .name = "A1", .port = "serial:/nowhere", .protocol = "stm32-uart", .baud = 115200, .entry = "none"};
    const struct settings settings = {.stations = &station, .station_count = 1};

    CHECK(farm_configure(hall->farm, &settings, &hall->error) == 0);
    hall->waiting++;
    CHECK(farm_start(hall->farm, on_done, hall, &hall->error) == 0);
    CHECK(wait_for(hall) == 0);
}

static void open_record(struct hall *hall)
{
    CHECK(store_open(&hall->store,
                     &(struct store_options){.path = "record.db",
                                             .loop = &hall->loop,
                                             .clock = &clock_system,
                                             .log = log_named(&hall->output, "store")},
                     &hall->error) == 0);
}

static void start_farm(struct hall *hall)
{
    const struct farm_options options = {.loop = &hall->loop,
                                         .fibers = hall->fibers,
                                         .store = hall->store,
                                         .clock = &clock_system,
                                         .log = &hall->output,
                                         .state = ".",
                                         .trusted_keys = "trusted",
                                         .two_people = hall->two_people};

    hall->farm = farm_new(&options);
    configure(hall);
}

static void stop_farm(struct hall *hall)
{
    hall->waiting++;
    farm_stop(hall->farm, 0, on_done, hall);
    CHECK(wait_for(hall) == 0);
    farm_free(hall->farm);
}

static struct hall *hall_open(bool two_people)
{
    struct hall *hall = calloc(1, sizeof *hall);

    hall->two_people = two_people;
    (void)strcpy(hall->directory, "/tmp/flashfarm-recipes-XXXXXX");
    scene_begin(hall->directory);
    CHECK(mkdir("trusted", 0700) == 0);
    hall->output = log_output_stderr(LOG_ERROR);
    (void)uv_loop_init(&hall->loop);
    hall->fibers = fibers_new(&hall->loop, &clock_system);
    open_record(hall);
    start_farm(hall);
    make_images(hall);
    return hall;
}

static void hall_close(struct hall *hall)
{
    stop_farm(hall);
    store_close(hall->store);
    fibers_free(hall->fibers);
    (void)uv_run(&hall->loop, UV_RUN_DEFAULT);
    CHECK(uv_loop_close(&hall->loop) == 0);
    json_decref(hall->answer);
    scene_end(hall->directory);
    free(hall);
}

/* --- drafts ------------------------------------------------------------------------------- */

static void check_hash(const struct hall *hall)
{
    char *canonical = json_dumps(json_object_get(hall->answer, "content"), JSON_COMPACT | JSON_SORT_KEYS);
    uint8_t hash[32];
    char hex[65];

    (void)crypto_hash_sha256(hash, (const unsigned char *)canonical, strlen(canonical));
    bytes_to_hex(hash, sizeof hash, hex);
    CHECK_TEXT(text(hall, "hash"), hex);
    free(canonical);
}

static void test_drafts(void)
{
    struct hall *hall = hall_open(false);
    json_t *body = content(hall->good);
    int64_t fact;

    (void)json_object_set_new(body, "name", json_string("door"));
    (void)json_object_set_new(body, "keep", json_null()); /* says nothing */
    CHECK(save(hall, "door", 0, body, 0) == 0);
    CHECK(number(hall, "version") == 1);
    CHECK_TEXT(text(hall, "state"), "draft");
    CHECK_TEXT(text(hall, "by"), "anna");
    CHECK(json_object_size(json_object_get(hall->answer, "content")) == 3);
    check_hash(hall);
    CHECK(save(hall, "door", 0, content(hall->good), 0) == 0 && number(hall, "version") == 2);
    fact = number(hall, "fact");
    CHECK(save(hall, "door", 2, content(hall->odd), fact + 1) == -ESTALE && says(hall, "has changed"));
    CHECK(save(hall, "door", 2, content(hall->odd), fact) == 0 && number(hall, "fact") > fact);
    check_hash(hall);
    CHECK(save(hall, "door", 2, content(hall->odd), fact) == -ESTALE);
    CHECK(save(hall, "door", 7, content(hall->odd), 0) == -ENOENT);
    hall_close(hall);
}

static void test_bad_drafts(void)
{
    struct hall *hall = hall_open(false);
    json_t *body = content(hall->good);

    (void)json_object_set_new(body, "quantity", json_integer(3));
    CHECK(save(hall, "door", 0, body, 0) == -EINVAL && says(hall, "quantity"));
    body = content(hall->good);
    (void)json_object_set_new(body, "name", json_string("gate"));
    CHECK(save(hall, "door", 0, body, 0) == -EINVAL && says(hall, "expected \"door\""));
    body = content(hall->good);
    (void)json_object_set_new(body, "chip", json_string("z80"));
    CHECK(save(hall, "door", 0, body, 0) == -EINVAL && says(hall, "z80"));
    body = content(hall->good);
    (void)json_object_set_new(body, "signature", json_pack("{s:b}", "requird", 1));
    CHECK(save(hall, "door", 0, body, 0) == -EINVAL && says(hall, "requird"));
    body = content(hall->good);
    (void)json_object_set_new(body, "signature", json_pack("{s:i}", "max_units", 0));
    CHECK(save(hall, "door", 0, body, 0) == -EINVAL && says(hall, "max_units"));
    CHECK(save(hall, "a/b", 0, content(hall->good), 0) == -EINVAL && says(hall, "name"));
    CHECK(save(hall, "", 0, content(hall->good), 0) == -EINVAL);
    CHECK(save(hall, "door", 0, json_array(), 0) == -EINVAL);
    CHECK(save(hall, "door", 0, json_object(), 0) == -EINVAL);
    hall_close(hall);
}

/* Two at once: one of them is told to come again, and nothing is overwritten. */
static void test_at_once(void)
{
    struct hall *hall = hall_open(false);
    json_t *body = content(hall->good);

    hall->waiting = 2;
    farm_recipe_save(hall->farm, "door", 0, body, 0, "anna", on_answer, hall);
    farm_recipe_save(hall->farm, "door", 0, body, 0, "berta", on_answer, hall);
    CHECK(hall->error.code == -EBUSY && says(hall, "another request"));
    CHECK(wait_for(hall) == 0 && number(hall, "version") == 1);
    CHECK_TEXT(text(hall, "by"), "anna");
    json_decref(body);
    hall_close(hall);
}

/* --- the state machine -------------------------------------------------------------------- */

static void test_states(void)
{
    struct hall *hall = hall_open(false);
    int64_t fact;

    CHECK(save(hall, "door", 0, content(hall->odd), 0) == 0);
    CHECK(command(hall, "door", 1, RECIPE_RETIRE, 0, "anna") == -EBUSY && says(hall, "is a draft"));
    CHECK(command(hall, "door", 1, RECIPE_RELEASE, 0, "anna") == -EINVAL && says(hall, "vector-table: "));
    CHECK(save(hall, "door", 1, content(hall->good), 0) == 0);
    fact = number(hall, "fact");
    CHECK(command(hall, "door", 1, RECIPE_RELEASE, fact - 1, "anna") == -ESTALE);
    CHECK(command(hall, "door", 1, RECIPE_RELEASE, fact, "berta") == 0);
    CHECK_TEXT(text(hall, "state"), "released");
    CHECK_TEXT(text(hall, "released_by"), "berta");
    CHECK_TEXT(text(hall, "reason"), "because");
    CHECK(command(hall, "door", 1, RECIPE_RELEASE, 0, "anna") == -EBUSY && says(hall, "is released"));
    CHECK(save(hall, "door", 1, content(hall->odd), 0) == -EBUSY && says(hall, "save a new version"));
    CHECK(command(hall, "door", 1, RECIPE_RETIRE, 0, "anna") == 0);
    CHECK_TEXT(text(hall, "state"), "retired");
    CHECK(command(hall, "door", 1, RECIPE_RETIRE, 0, "anna") == -EBUSY);
    CHECK(command(hall, "door", 1, RECIPE_RELEASE, 0, "anna") == -EBUSY);
    CHECK(command(hall, "gate", 1, RECIPE_RELEASE, 0, "anna") == -ENOENT);
    hall_close(hall);
}

static void test_two_people(void)
{
    struct hall *hall = hall_open(true);

    CHECK(save(hall, "door", 0, content(hall->good), 0) == 0);
    CHECK(command(hall, "door", 1, RECIPE_RELEASE, 0, "anna") == -EACCES && says(hall, "somebody else"));
    CHECK(command(hall, "door", 1, RECIPE_RELEASE, 0, "berta") == 0);
    CHECK(command(hall, "door", 1, RECIPE_RETIRE, 0, "anna") == 0);
    hall_close(hall);
}

static void test_lint(void)
{
    struct hall *hall = hall_open(false);
    json_t *body = content(hall->odd);

    (void)json_object_set_new(body, "signature", json_pack("{s:b}", "required", 1));
    CHECK(save(hall, "door", 0, body, 0) == 0);
    hall->waiting++;
    farm_recipe_lint(hall->farm, "door", 1, on_answer, hall);
    if (CHECK(wait_for(hall) == 0)) {
        char *all = json_dumps(json_object_get(hall->answer, "findings"), JSON_COMPACT);

        CHECK(strstr(all, "\"vector-table\"") && strstr(all, "\"unsigned\""));
        free(all);
    }
    hall->waiting++;
    farm_recipe_lint(hall->farm, "door", 2, on_answer, hall);
    CHECK(wait_for(hall) == -ENOENT);
    hall_close(hall);
}

/* --- resolving ---------------------------------------------------------------------------- */

struct resolving {
    struct hall *hall;
    json_t *named;
    enum order_right right;
};

static void run_resolving(void *argument)
{
    struct resolving *resolving = argument;
    struct hall *hall = resolving->hall;
    json_t *found = NULL, *recipe = NULL;

    json_decref(hall->answer);
    hall->error = ERROR_NONE;
    if (recipe_resolve(hall->farm, resolving->named, resolving->right, &found, &recipe, &hall->error) == 0)
        CHECK_TEXT(json_string_value(json_object_get(found, "chip")), "stm32f103xb");
    json_decref(found);
    hall->answer = recipe;
    hall->waiting--;
}

static int resolve(struct hall *hall, json_t *named, enum order_right right)
{
    struct resolving resolving = {.hall = hall, .named = named, .right = right};

    hall->waiting++;
    fiber_start(hall->fibers, "resolve", run_resolving, NULL, &resolving);
    (void)wait_for(hall);
    json_decref(named);
    return hall->error.code;
}

static void test_resolving(void)
{
    struct hall *hall = hall_open(false);
    json_t *hash;

    for (int version = 1; version <= 3; version++)
        CHECK(save(hall, "door", 0, content(hall->good), 0) == 0);
    CHECK(resolve(hall, json_string("door"), ORDER_ANY) == -EINVAL && says(hall, "no released"));
    CHECK(command(hall, "door", 1, RECIPE_RELEASE, 0, "anna") == 0);
    CHECK(command(hall, "door", 2, RECIPE_RELEASE, 0, "anna") == 0);
    CHECK(resolve(hall, json_string("door"), ORDER_RELEASED) == 0 && number(hall, "version") == 2);
    CHECK(strlen(text(hall, "hash")) == 64);
    CHECK(resolve(hall, json_string("door/1"), ORDER_RELEASED) == 0 && number(hall, "version") == 1);
    CHECK(resolve(hall, json_pack("{s:s,s:i}", "name", "door", "version", 1), ORDER_RELEASED) == 0);
    CHECK(number(hall, "version") == 1);
    hash = json_incref(json_object_get(hall->answer, "hash"));
    CHECK(resolve(hall, json_pack("{s:s,s:i,s:O}", "name", "door", "version", 1, "hash", hash),
                  ORDER_RELEASED) == 0);
    CHECK(resolve(hall, json_pack("{s:s,s:n,s:n}", "name", "door", "version", "hash"), ORDER_RELEASED) == 0);
    json_decref(hash);
    CHECK(resolve(hall, json_pack("{s:s,s:s}", "name", "door", "hash", "00"), ORDER_ANY) == -EINVAL);
    CHECK(says(hall, "has not that hash"));
    CHECK(resolve(hall, json_pack("{s:s,s:i}", "name", "door", "hash", 1), ORDER_ANY) == -EINVAL);
    CHECK(resolve(hall, json_pack("{s:s,s:{}}", "name", "door", "content"), ORDER_ANY) == -EINVAL);
    CHECK(resolve(hall, json_string("door/3"), ORDER_RELEASED) == -EACCES && says(hall, "a draft"));
    CHECK(resolve(hall, json_string("door/3"), ORDER_ANY) == 0);
    CHECK(command(hall, "door", 2, RECIPE_RETIRE, 0, "anna") == 0);
    CHECK(resolve(hall, json_string("door"), ORDER_RELEASED) == 0 && number(hall, "version") == 1);
    CHECK(resolve(hall, json_string("door/2"), ORDER_ANY) == -EINVAL && says(hall, "retired"));
    CHECK(resolve(hall, json_string("door/x"), ORDER_ANY) == -EINVAL);
    CHECK(resolve(hall, json_string("/1"), ORDER_ANY) == -EINVAL);
    CHECK(resolve(hall, json_string("door/9"), ORDER_ANY) == -EINVAL);
    CHECK(resolve(hall, json_integer(3), ORDER_ANY) == -EINVAL);
    hall_close(hall);
}

/* --- signatures --------------------------------------------------------------------------- */

static void make_keys(void)
{
    static const char *const commands[][11] = {
        {"minisign", "-G", "-W", "-f", "-p", "trusted/release.pub", "-s", "release.key", NULL},
        {"minisign", "-G", "-W", "-f", "-p", "stranger.pub", "-s", "stranger.key", NULL},
        {"minisign", "-S", "-s", "release.key", "-m", "good.bin", "-x", "good.minisig", "-t", "v1.2", NULL},
        {"minisign", "-S", "-s", "stranger.key", "-m", "good.bin", "-x", "stranger.minisig", NULL},
    };

    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        CHECK(scene_run(commands[i]));
}

static void test_signing(void)
{
    struct hall *hall = hall_open(false);
    struct scene_file file;
    char path[80];

    make_keys();
    CHECK(sign(hall, hall->good, "stranger.minisig") == -EKEYREJECTED && says(hall, "not among the trusted"));
    CHECK(sign(hall, hall->odd, "good.minisig") == -EKEYREJECTED && says(hall, "is not of this file"));
    CHECK(sign(hall, hall->good, "good.bin") == -EINVAL);
    CHECK(sign(hall, "0000", "good.minisig") == -ENOENT);
    CHECK(sign(hall, hall->good, "good.minisig") == 0);
    CHECK_TEXT(text(hall, "key_name"), "release");
    CHECK_TEXT(text(hall, "comment"), "v1.2");
    CHECK_TEXT(text(hall, "image"), hall->good);
    CHECK(sign(hall, hall->good, "good.minisig") == 0); /* again is no trouble */
    /* the signed bytes under another image's name */
    scene_read("good.bin", &file);
    (void)snprintf(path, sizeof path, "images/%s", hall->odd);
    scene_write(path, file.bytes, file.size);
    CHECK(sign(hall, hall->odd, "good.minisig") == -EIO && says(hall, "was changed"));
    CHECK(unlink(path) == 0);
    CHECK(sign(hall, hall->odd, "good.minisig") == -EIO && says(hall, "cannot be read"));
    hall_close(hall);
}

static json_t *signed_content(const char *image, json_t *policy)
{
    json_t *body = content(image);

    (void)json_object_set_new(body, "signature", policy);
    return body;
}

static json_t *order(const char *recipe, int quantity)
{
    return json_pack("{s:s,s:[s],s:i,s:s}", "recipe", recipe, "stations", "A1", "quantity", quantity,
                     "trigger", "on_insert");
}

static void test_required(void)
{
    struct hall *hall = hall_open(false);
    char path[80];

    make_keys();
    CHECK(save(hall, "door", 0,
               signed_content(hall->good, json_pack("{s:b,s:[s]}", "required", 1, "keys", "release")),
               0) == 0);
    CHECK(command(hall, "door", 1, RECIPE_RELEASE, 0, "anna") == -EINVAL && says(hall, "unsigned: "));
    CHECK(sign(hall, hall->good, "good.minisig") == 0);
    CHECK(command(hall, "door", 1, RECIPE_RELEASE, 0, "anna") == 0);
    CHECK(save(hall, "gate", 0,
               signed_content(hall->good, json_pack("{s:b,s:[s]}", "required", 1, "keys", "other")), 0) == 0);
    CHECK(command(hall, "gate", 1, RECIPE_RELEASE, 0, "anna") == -EINVAL && says(hall, "signature: "));
    CHECK(submit(hall, order("door", 1), ORDER_RELEASED) == 0);
    /* the key is trusted no longer */
    CHECK(rename("trusted/release.pub", "release.pub") == 0);
    CHECK(submit(hall, order("door", 1), ORDER_RELEASED) < 0 && says(hall, "not among the trusted"));
    CHECK(rename("release.pub", "trusted/release.pub") == 0);
    CHECK(submit(hall, order("door", 1), ORDER_RELEASED) == 0);
    /* the file is not the one that was signed */
    (void)snprintf(path, sizeof path, "images/%s", hall->good);
    scene_write(path, "\x00\x50\x00\x20\x01\x01\x00\x08", 8);
    CHECK(submit(hall, order("door", 1), ORDER_RELEASED) < 0 && says(hall, "changed"));
    hall_close(hall);
}

static const char *job_state(struct hall *hall, int64_t id)
{
    hall->waiting++;
    store_append(hall->store, NULL, 0, on_done, hall); /* until all that was said is in the record */
    (void)wait_for(hall);
    hall->waiting++;
    store_job(hall->store, id, on_answer, hall);
    (void)wait_for(hall);
    return text(hall, "state");
}

/* An order that goes on after a start must still be signed, by the keys that are trusted then. */
static void test_after_a_start(void)
{
    struct hall *hall = hall_open(false);
    int64_t job;

    make_keys();
    CHECK(sign(hall, hall->good, "good.minisig") == 0);
    CHECK(save(hall, "door", 0, signed_content(hall->good, json_pack("{s:b}", "required", 1)), 0) == 0);
    CHECK(command(hall, "door", 1, RECIPE_RELEASE, 0, "anna") == 0);
    CHECK(submit(hall, order("door", 1), ORDER_RELEASED) == 0);
    job = number(hall, "id");
    stop_farm(hall);
    start_farm(hall);
    CHECK_TEXT(job_state(hall, job), "running");
    stop_farm(hall);
    CHECK(unlink("trusted/release.pub") == 0);
    hall->output.file = fopen("/dev/null", "w"); /* it will complain */
    start_farm(hall);
    CHECK_TEXT(job_state(hall, job), "cancelled");
    CHECK(strstr(text(hall, "reason"), "not among the trusted keys") != NULL);
    (void)fclose(hall->output.file);
    hall->output.file = stderr;
    hall_close(hall);
}

static void test_mcuboot(void)
{
    struct hall *hall = hall_open(false);
    struct scene_file file;
    char image[65];
    json_t *policy = json_pack("{s:b,s:i}", "mcuboot", 1, "counter", 7);

    CHECK(scene_run((const char *const[]){FLASHFARM_PYTHON, FLASHFARM_MCUBOOT_MAKE, ".", NULL}));
    scene_read("good.bin", &file);
    CHECK(add_image(hall, file.bytes, file.size, image) == 0);
    CHECK(save(hall, "slot", 0, signed_content(image, json_incref(policy)), 0) == 0);
    CHECK(command(hall, "slot", 1, RECIPE_RELEASE, 0, "anna") == -EINVAL && says(hall, "mcuboot: "));
    CHECK(rename("keys/board.pub", "trusted/board.pub") == 0);
    CHECK(command(hall, "slot", 1, RECIPE_RELEASE, 0, "anna") == 0);
    (void)json_object_set_new(policy, "counter", json_integer(8));
    CHECK(save(hall, "slot", 0, signed_content(image, json_incref(policy)), 0) == 0);
    CHECK(command(hall, "slot", 2, RECIPE_RELEASE, 0, "anna") == -EINVAL && says(hall, "counter 7"));
    CHECK(save(hall, "slot", 2, signed_content(hall->good, policy), 0) == 0);
    CHECK(command(hall, "slot", 2, RECIPE_RELEASE, 0, "anna") == -EINVAL && says(hall, "no MCUboot image"));
    /* a field in what was signed */
    CHECK(save(hall, "slot", 2,
               json_pack("{s:s,s:[s],s:{s:s},s:[{s:s,s:s,s:i,s:s,s:{s:s},s:b}]}", "chip", "stm32f103xb",
                         "images", image, "signature", "mcuboot", "0x08000000", "fields", "name", "sn",
                         "address", "0x08000080", "width", 4, "encoding", "ascii", "source", "constant",
                         "0000", "over_code", 1),
               0) == 0);
    CHECK(command(hall, "slot", 2, RECIPE_RELEASE, 0, "anna") == -EINVAL &&
          says(hall, "field sn lies in it"));
    hall_close(hall);
}

/* --- how many, and trying ----------------------------------------------------------------- */

static void test_count(void)
{
    struct hall *hall = hall_open(false);

    CHECK(save(hall, "door", 0, signed_content(hall->good, json_pack("{s:i}", "max_units", 5)), 0) == 0);
    CHECK(command(hall, "door", 1, RECIPE_RELEASE, 0, "anna") == 0);
    CHECK(submit(hall, order("door", 6), ORDER_RELEASED) == -EINVAL && says(hall, "no more than 5"));
    CHECK(submit(hall, order("door", 3), ORDER_RELEASED) == 0);
    CHECK(submit(hall, order("door", 3), ORDER_RELEASED) == -EINVAL && says(hall, "3 more"));
    CHECK(submit(hall, order("door", 2), ORDER_RELEASED) == 0);
    CHECK(submit(hall, order("door", 1), ORDER_RELEASED) == -EINVAL);
    /* another version has a limit of its own */
    CHECK(save(hall, "door", 0, signed_content(hall->good, json_pack("{s:i}", "max_units", 5)), 0) == 0);
    CHECK(command(hall, "door", 2, RECIPE_RELEASE, 0, "anna") == 0);
    CHECK(submit(hall, order("door/2", 5), ORDER_RELEASED) == 0);
    CHECK(submit(hall, order("door/2", 1), ORDER_RELEASED) == -EINVAL);
    hall_close(hall);
}

static void on_counted(void *context, json_t *answer, const struct error *error)
{
    struct hall *hall = context;

    hall->waiting--;
    hall->accepted += answer != NULL;
    CHECK(answer || error->code == -EINVAL);
    json_decref(answer);
}

/* Orders that come at the same moment share what is left. */
static void test_count_at_once(void)
{
    static const char *const keys[] = {"o1", "o2", "o3", "o4"};
    struct hall *hall = hall_open(false);
    json_t *body = order("door", 3);

    CHECK(save(hall, "door", 0, signed_content(hall->good, json_pack("{s:i}", "max_units", 7)), 0) == 0);
    CHECK(command(hall, "door", 1, RECIPE_RELEASE, 0, "anna") == 0);
    for (size_t i = 0; i < 4; i++) {
        hall->waiting++;
        farm_job_submit(hall->farm, body, keys[i], ORDER_RELEASED, "anna", on_counted, hall);
    }
    (void)wait_for(hall);
    CHECK(hall->accepted == 2);
    json_decref(body);
    hall_close(hall);
}

static void test_dry_run(void)
{
    struct hall *hall = hall_open(false);
    json_t *body = order("door", 2);
    const json_t *station, *plan;
    int64_t before;

    CHECK(save(hall, "door", 0, content(hall->good), 0) == 0);
    CHECK(command(hall, "door", 1, RECIPE_RELEASE, 0, "anna") == 0);
    before = store_head_sequence(hall->store);
    (void)json_object_set_new(body, "dry_run", json_true());
    CHECK(submit(hall, body, ORDER_RELEASED) == 0);
    CHECK(store_head_sequence(hall->store) == before);
    CHECK(json_is_true(json_object_get(hall->answer, "dry_run")) && number(hall, "units") == 2);
    CHECK(json_array_size(json_object_get(hall->answer, "findings")) == 0);
    station = json_array_get(json_object_get(hall->answer, "stations"), 0);
    CHECK_TEXT(json_string_value(json_object_get(station, "name")), "A1");
    /* 600 bytes at 115200 baud, 8E1, there and back: 11 bits each take 114.6 ms at least */
    CHECK(json_integer_value(json_object_get(station, "floor_us")) > 114583);
    CHECK(json_integer_value(json_object_get(station, "floor_us")) < 300000);
    CHECK(json_array_size(json_object_get(station, "phases")) == 3);
    plan = json_array_get(json_object_get(hall->answer, "plan"), 0);
    CHECK(json_integer_value(json_object_get(plan, "sectors")) == 1);
    CHECK(json_integer_value(json_object_get(plan, "verify_bytes")) == 600);
    hall_close(hall);
}

static const struct test tests[] = {
    {"drafts", test_drafts},
    {"drafts that are none", test_bad_drafts},
    {"two at once", test_at_once},
    {"draft, released, retired", test_states},
    {"two people", test_two_people},
    {"the lint of a recipe", test_lint},
    {"by name and version", test_resolving},
    {"signatures come in", test_signing},
    {"signatures are required", test_required},
    {"still signed after a start", test_after_a_start},
    {"MCUboot images", test_mcuboot},
    {"how many", test_count},
    {"how many, at once", test_count_at_once},
    {"a dry run", test_dry_run},
};

int main(void)
{
    return sodium_init() < 0 ? 1 : test_main(tests, sizeof tests / sizeof tests[0]);
}
