/* SPDX-License-Identifier: Apache-2.0 */
/* Questions that a factory asks of the record: pools and their numbers, recipes, signatures, webhooks,
 * backups. Like those in store.c they only become requests here; what a pool or a recipe may do is known to
 * the schema and to the farm. */
#include "inside.h"

#include <inttypes.h>
#include <string.h>

enum { WHOLE = 1000 }; /* rows of an answer that has no pages */

static struct request *page_request(struct store *store, enum query query, const struct store_page *page,
                                    store_answer *answer, void *context)
{
    struct request *request = request_new(store->reader, query, answer_page, answer, context);

    request_page(request, page);
    return request;
}

/* All that belongs to one thing, without pages. */
static struct request *whole_request(struct store *store, enum query query, store_answer *answer,
                                     void *context)
{
    return page_request(store, query, &(struct store_page){.limit = WHOLE}, answer, context);
}

void store_pools(struct store *store, const struct store_page *page, store_answer *answer, void *context)
{
    request_submit(page_request(store, QUERY_POOLS, page, answer, context));
}

void store_pool(struct store *store, const char *name, store_answer *answer, void *context)
{
    store_ask_by_text(store, QUERY_POOL, "serial pool", name, answer, context);
}

/* Nearly all numbers have passed, so that there is no index to those: whoever asks for them meets them
 * anyway. */
static enum query way_to_serials(const char *pool, const char *state)
{
    if (pool)
        return state ? QUERY_SERIALS_OF_POOL_BY_STATE : QUERY_SERIALS_OF_POOL;
    return state && strcmp(state, "pass") != 0 ? QUERY_SERIALS_BY_STATE : QUERY_SERIALS;
}

void store_serials(struct store *store, const char *pool, const char *state, const struct store_page *page,
                   store_answer *answer, void *context)
{
    struct request *request = page_request(store, way_to_serials(pool, state), page, answer, context);

    request_text(request, ":pool", pool);
    request_text(request, ":state", state);
    request_submit(request);
}

void store_serial(struct store *store, const char *serial, store_answer *answer, void *context)
{
    store_ask_by_text(store, QUERY_SERIAL, "serial", serial, answer, context);
}

void store_serials_of_uid(struct store *store, const char *uid, store_answer *answer, void *context)
{
    struct request *request = whole_request(store, QUERY_SERIALS_OF_UID, answer, context);

    request_text(request, ":id", uid);
    request_submit(request);
}

static enum query way_to_recipes(const char *name, const char *state)
{
    if (name)
        return QUERY_RECIPES_BY_NAME;
    return state ? QUERY_RECIPES_BY_STATE : QUERY_RECIPES;
}

void store_recipes(struct store *store, const char *name, const char *state, const struct store_page *page,
                   store_answer *answer, void *context)
{
    struct request *request = page_request(store, way_to_recipes(name, state), page, answer, context);

    request_text(request, ":name", name);
    request_text(request, ":state", state);
    request_submit(request);
}

void store_recipe(struct store *store, const char *name, int64_t version, store_answer *answer, void *context)
{
    struct request *request =
        request_new(store->reader, version ? QUERY_RECIPE : QUERY_RECIPE_NEWEST, answer_one, answer, context);

    request_text(request, ":id", name);
    if (version) {
        request_integer(request, ":version", version);
        request_subject(request, "recipe %.100s/%" PRId64, name, version);
    } else {
        request_subject(request, "a released version of recipe %.80s", name);
    }
    request_submit(request);
}

void store_signatures(struct store *store, const char *image, store_answer *answer, void *context)
{
    struct request *request = whole_request(store, QUERY_SIGNATURES, answer, context);

    request_text(request, ":id", image);
    request_submit(request);
}

void store_units_made(struct store *store, const char *thing, int64_t version, store_answer *answer,
                      void *context)
{
    struct request *request = request_new(store->reader, QUERY_UNITS_MADE, answer_one, answer, context);

    request_text(request, ":id", thing);
    request_integer(request, ":version", version);
    request_submit(request);
}

void store_webhooks(struct store *store, store_answer *answer, void *context)
{
    request_submit(whole_request(store, QUERY_WEBHOOKS, answer, context));
}

void store_backups(struct store *store, const struct store_page *page, store_answer *answer, void *context)
{
    request_submit(page_request(store, QUERY_BACKUPS, page, answer, context));
}
