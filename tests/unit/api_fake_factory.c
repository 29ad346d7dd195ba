/* SPDX-License-Identifier: Apache-2.0 */
/* The fake's pools, recipes, evidence and webhooks: one of each, and facts that are appended. */
#include "api_fake.h"
#include "statistics.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static json_t *list_of(json_t *item)
{
    return item ? json_pack("{s:[o], s:n}", "items", item, "next")
                : json_pack("{s:[], s:n}", "items", "next");
}

static void fail(struct fake *fake, int code, const char *text, farm_answer *answer, void *context)
{
    struct error error = {.code = code};

    (void)fake;
    (void)snprintf(error.text, sizeof error.text, "%s", text);
    answer(context, NULL, &error);
}

/* --- the farm ------------------------------------------------------------------------------------------- */

void farm_station_scan(struct farm *farm, const char *name, const char *code, const char *position,
                       const char *by, farm_done *done, void *context)
{
    struct fake *fake = farm->fake;

    if (strcmp(name, "A1") != 0) {
        done(context, -ENOENT, &(struct error){.code = -ENOENT, .text = "there is no such station"});
        return;
    }
    (void)snprintf(fake->said, sizeof fake->said, "%s at %s by %s", code, position ? position : "-", by);
    fake_done(fake, done, context);
}

/* "A1,A3"; "all" for none. */
static void say_names(char *text, size_t size, const json_t *names)
{
    const json_t *name;
    size_t i;

    (void)snprintf(text, size, "%s", names ? "" : "all");
    json_array_foreach (names, i, name)
        (void)snprintf(text + strlen(text), size - strlen(text), "%s%s", i ? "," : "",
                       json_string_value(name));
}

void farm_scan(struct farm *farm, const char *code, const json_t *skip, bool dry_run, const char *by,
               farm_answer *answer, void *context)
{
    struct fake *fake = farm->fake;
    char names[64];

    say_names(names, sizeof names, skip);
    (void)snprintf(fake->said, sizeof fake->said, "%s%s but %s by %s", dry_run ? "try " : "", code, names,
                   by);
    if (!strcmp(code, "unknown"))
        fail(fake, -EINVAL, "no order has a use for that code", answer, context);
    else
        fake_answer(fake, json_pack("{s:[], s:b, s:s}", "assigned", "repeated", 0, "sentence", "done"),
                    answer, context);
}

void farm_start_stations(struct farm *farm, const json_t *names, const json_t *skip, const char *by,
                         farm_answer *answer, void *context)
{
    struct fake *fake = farm->fake;
    char wanted[64], left_out[64];

    say_names(wanted, sizeof wanted, names);
    say_names(left_out, sizeof left_out, skip);
    (void)snprintf(fake->said, sizeof fake->said, "start %s but %s by %s", wanted, left_out, by);
    if (!strcmp(wanted, "A2"))
        fail(fake, -EBUSY, "station A2 does not wait for START", answer, context);
    else
        fake_answer(fake, json_pack("{s:[s]}", "started", "A1"), answer, context);
}

static json_t *pool(void)
{
    return json_pack("{s:s, s:s, s:i, s:{s:i, s:i}}", "name", "boards/1", "state", "open", "left", 95,
                     "counts", "pass", 4, "unknown", 1);
}

void farm_pool_create(struct farm *farm, const json_t *body, const char *by, farm_answer *answer,
                      void *context)
{
    (void)by;
    if (!json_object_get(body, "kind"))
        fail(farm->fake, -EINVAL, "kind is missing", answer, context);
    else
        fake_answer(farm->fake, pool(), answer, context);
}

void farm_pool_command(struct farm *farm, const char *name, enum pool_command command, int64_t count,
                       const char *reason, const char *by, farm_answer *answer, void *context)
{
    static const char *const words[] = {"open", "close", "burn"};
    struct fake *fake = farm->fake;

    (void)snprintf(fake->said, sizeof fake->said, "%s %lld: %s, by %s", words[command], (long long)count,
                   reason, by);
    fake_answer(fake, strcmp(name, "boards/1") ? NULL : pool(), answer, context);
}

void farm_serial_settle(struct farm *farm, const char *serial, const char *state, const char *reason,
                        const char *by, farm_answer *answer, void *context)
{
    struct fake *fake = farm->fake;

    (void)snprintf(fake->said, sizeof fake->said, "%s is %s: %s, by %s", serial, state, reason, by);
    fake_answer(fake, json_pack("{s:s, s:s}", "serial", serial, "state", state), answer, context);
}

static json_t *recipe(const struct fake *fake)
{
    return json_pack("{s:s, s:i, s:I}", "name", "con/troller", "version", 3, "fact",
                     (json_int_t)fake->recipe_fact);
}

static bool is_recipe(const char *name, int64_t version)
{
    return !strcmp(name, "con/troller") && version == 3;
}

/* A change by somebody who has seen `if_match`. */
static void change_recipe(struct fake *fake, const char *name, int64_t version, int64_t if_match,
                          farm_answer *answer, void *context)
{
    if (!is_recipe(name, version)) {
        fail(fake, -ENOENT, "there is no such recipe", answer, context);
    } else if (if_match && if_match != fake->recipe_fact) {
        fail(fake, -ESTALE, "it has changed", answer, context);
    } else {
        fake->recipe_fact++;
        fake_answer(fake, recipe(fake), answer, context);
    }
}

void farm_recipe_save(struct farm *farm, const char *name, int64_t version, const json_t *body,
                      int64_t if_match, const char *by, farm_answer *answer, void *context)
{
    (void)body, (void)by;
    change_recipe(farm->fake, name, version ? version : 3, if_match, answer, context);
}

void farm_recipe_command(struct farm *farm, const char *name, int64_t version, enum recipe_command command,
                         int64_t if_match, const char *reason, const char *by, farm_answer *answer,
                         void *context)
{
    static const char *const words[] = {"release", "retire"};

    (void)snprintf(farm->fake->said, sizeof farm->fake->said, "%s: %s, by %s", words[command], reason, by);
    change_recipe(farm->fake, name, version, if_match, answer, context);
}

void farm_recipe_lint(struct farm *farm, const char *name, int64_t version, farm_answer *answer,
                      void *context)
{
    fake_answer(farm->fake, is_recipe(name, version) ? json_pack("{s:[]}", "findings") : NULL, answer,
                context);
}

void farm_image_sign(struct farm *farm, const char *id, const char *text, const char *by, farm_answer *answer,
                     void *context)
{
    (void)id, (void)by;
    if (strstr(text, "forged"))
        fail(farm->fake, -EKEYREJECTED, "by an unknown key", answer, context);
    else
        fake_answer(farm->fake, json_pack("{s:s}", "comment", text), answer, context);
}

/* --- the store ------------------------------------------------------------------------------------------ */

void store_pools(struct store *store, const struct store_page *page, store_answer *answer, void *context)
{
    (void)page;
    fake_answer(store->fake, list_of(pool()), answer, context);
}

const char *const statistics_first_pass_yield = "passed at once";
const char *const statistics_final_yield = "passed in the end";

void store_tally(struct store *store, const struct store_tally_query *query, store_answer *answer,
                 void *context)
{
    struct fake *fake = store->fake;

    (void)snprintf(fake->said, sizeof fake->said, "%lld %s %s %s %s %s %d %s", (long long)query->job,
                   query->work_order ? query->work_order : "-", query->station ? query->station : "-",
                   query->recipe ? query->recipe : "-", query->from ? query->from : "-",
                   query->to ? query->to : "-", query->bucket_s, query->by_station ? "each" : "all");
    fake_answer(fake, json_pack("{s:i}", "bucket_s", 300), answer, context);
}

void store_recent(struct store *store, int count, store_answer *answer, void *context)
{
    fake_answer(store->fake, json_pack("{s:[{s:i, s:i}], s:[]}", "A1", "run", 7, "asked", count, "gone"),
                answer, context);
}

void store_station_measures(struct store *store, int runs, store_answer *answer, void *context)
{
    fake_answer(store->fake,
                json_pack("{s:[{s:s, s:s, s:i}, {s:s, s:s, s:i}], s:n}", "items", "station", "gone", "chip",
                          "stm32f103xb", "runs", 1, "station", "A1", "chip", "stm32f103xb", "runs", runs,
                          "next"),
                answer, context);
}

void store_pool(struct store *store, const char *name, store_answer *answer, void *context)
{
    fake_answer(store->fake, strcmp(name, "boards/1") ? NULL : pool(), answer, context);
}

void store_serials(struct store *store, const char *name, const char *state, const struct store_page *page,
                   store_answer *answer, void *context)
{
    (void)name, (void)page;
    fake_answer(store->fake, list_of(json_pack("{s:s?}", "state", state)), answer, context);
}

void store_serial(struct store *store, const char *serial, store_answer *answer, void *context)
{
    json_t *made = strcmp(serial, "SN/1") ? NULL : json_pack("{s:s, s:i}", "serial", "SN/1", "fact", 2);

    fake_answer(store->fake, made, answer, context);
}

void store_recipes(struct store *store, const char *name, const char *state, const struct store_page *page,
                   store_answer *answer, void *context)
{
    (void)name, (void)state, (void)page;
    fake_answer(store->fake, list_of(recipe(store->fake)), answer, context);
}

void store_recipe(struct store *store, const char *name, int64_t version, store_answer *answer, void *context)
{
    fake_answer(store->fake, is_recipe(name, version) ? recipe(store->fake) : NULL, answer, context);
}

void store_signatures(struct store *store, const char *image, store_answer *answer, void *context)
{
    fake_answer(store->fake, list_of(json_pack("{s:s}", "image", image)), answer, context);
}

/* The newest state of each, as the ledger has it. */
void store_webhooks(struct store *store, store_answer *answer, void *context)
{
    json_t *by_id = json_object(), *items = json_array(), *item;
    const char *id;
    const json_t *fact;
    size_t i;

    json_array_foreach (store->fake->ledger, i, fact) {
        json_t *body = json_object_get(fact, "body");

        if (!strcmp(json_string_value(json_object_get(fact, "kind")), "webhook.state"))
            (void)json_object_set(by_id, json_string_value(json_object_get(body, "id")), body);
    }
    json_object_foreach (by_id, id, item) {
        if (strcmp(json_string_value(json_object_get(item, "state")), "removed") != 0)
            (void)json_array_append(items, item);
    }
    json_decref(by_id);
    fake_answer(store->fake, json_pack("{s:o, s:n}", "items", items, "next"), answer, context);
}

void store_backups(struct store *store, const struct store_page *page, store_answer *answer, void *context)
{
    (void)page;
    fake_answer(store->fake, list_of(NULL), answer, context);
}

void store_backup(struct store *store, const char *path, store_answer *answer, void *context)
{
    FILE *file = fopen(path, "wbx");

    if (file) {
        (void)fputs("SQLite format 3", file);
        (void)fclose(file);
    }
    fake_answer(
        store->fake,
        file ? json_pack("{s:i, s:s, s:i, s:s}", "size", 15, "sha256", "00", "sequence", 1, "hash", "11")
             : NULL,
        answer, context);
}

void store_checkpoint(struct store *store, store_answer *answer, void *context)
{
    fake_answer(store->fake, json_pack("{s:s}", "note", "flashfarm/here\n1\nroot\n"), answer, context);
}

void store_checkpoint_now(struct store *store, store_done *done, void *context)
{
    fake_done(store->fake, done, context);
}

void store_proof(struct store *store, int64_t sequence, store_answer *answer, void *context)
{
    fake_answer(store->fake, sequence > 2 ? NULL : json_pack("{s:I}", "sequence", (json_int_t)sequence),
                answer, context);
}

const char *store_verifier_key(const struct store *store)
{
    (void)store;
    return "flashfarm/here+01234567+AQ==";
}

void store_append(struct store *store, const struct store_fact *facts, size_t count, store_done *done,
                  void *context)
{
    struct fake *fake = store->fake;

    for (size_t i = 0; i < count; i++) {
        if (fake->refusal.code)
            json_decref(facts[i].body);
        else
            fake_fact(fake, facts[i].kind, facts[i].body);
    }
    fake_done(fake, done, context);
}
