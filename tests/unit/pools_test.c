/* SPDX-License-Identifier: Apache-2.0 */
/* The numbers of live pools: each is handed out once, what comes back is handed out first, and none appears
 * from nowhere. Compared with a table of who has what, over random takings, returns and burnings. */
#include "parts.h"
#include "test.h"

#include "alloc.h"

#include <stdlib.h>
#include <string.h>

#define UNITS 200

struct scene {
    struct farm farm;
    struct log_output log;
};

static void begin(struct scene *scene)
{
    *scene = (struct scene){.log = {.file = stderr, .level = LOG_ERROR}};
    list_init(&scene->farm.pools);
    list_init(&scene->farm.jobs);
    list_init(&scene->farm.accepting);
    scene->farm.log = log_named(&scene->log, "farm");
}

static struct pool *add(struct scene *scene, const char *text)
{
    json_t *body = json_loads(text, 0, NULL);
    struct error error = ERROR_NONE;
    int status = pool_add(&scene->farm, body, &error);

    CHECK(status == 0);
    json_decref(body);
    return status == 0 ? LIST_ENTRY(scene->farm.pools.prev, struct pool, node) : NULL;
}

static int64_t take(struct pool *pool)
{
    struct error error = ERROR_NONE;
    char text[NUMBER_TEXT_MAX];
    int64_t number = -1;
    int status = pool_take(pool, 0, &number, text, &error);

    CHECK(status == 0 || failure_of(status) == FAILURE_SERIAL_EXHAUSTED);
    return status == 0 ? number : -1;
}

static void test_order(void)
{
    struct scene scene;
    struct pool *pool;

    begin(&scene);
    pool = add(&scene, "{\"name\": \"p\", \"kind\": \"serial\", \"first\": 10, \"last\": 14, \"step\": 1}");
    CHECK(pool_left(pool) == 5);
    CHECK(take(pool) == 10 && take(pool) == 11 && take(pool) == 12);
    pool_give_back(pool, 10);
    CHECK(pool_left(pool) == 3 && pool->gap_count == 1);
    CHECK(take(pool) == 10);
    pool_give_back(pool, 11);
    pool_give_back(pool, 12);
    CHECK(pool->gap_count == 0 && pool->next == 11);
    for (int64_t number = 11; number <= 14; number++)
        CHECK(take(pool) == number);
    CHECK(take(pool) == -1 && pool_left(pool) == 0);
    pool->open = false;
    pool_give_back(pool, 14);
    CHECK(take(pool) == -1 && pool_left(pool) == 0);
    pools_free(&scene.farm);
}

static void test_record(void)
{
    struct scene scene;
    struct pool *pool;

    begin(&scene);
    pool = add(
        &scene,
        "{\"name\": \"m\", \"kind\": \"eui48\", \"first\": 256, \"last\": 287, \"step\": 8, \"next\": 280, "
        "\"state\": \"open\", \"gaps\": [256, 264], \"warn_percent\": [70, 85, 95]}");
    CHECK(pool_left(pool) == 3);
    CHECK(take(pool) == 256 && take(pool) == 264 && take(pool) == 280 && take(pool) == -1);
    CHECK(pool->warned == 95);
    pools_free(&scene.farm);
}

/* owner[i] is true while somebody has unit i. */
static void test_random(unsigned seed)
{
    struct scene scene;
    struct pool *pool;
    bool owned[UNITS] = {false};
    int count = 0;

    srand(seed);
    begin(&scene);
    pool =
        add(&scene, "{\"name\": \"r\", \"kind\": \"eui48\", \"first\": 1024, \"last\": 1823, \"step\": 4}");
    for (int step = 0; step < 5000; step++) {
        if (rand() % 5 < 3) {
            int64_t number = take(pool);
            int64_t unit = (number - 1024) / 4;

            CHECK((number == -1) == (count == UNITS));
            if (number == -1)
                continue;
            CHECK(number % 4 == 0 && unit >= 0 && unit < UNITS && !owned[unit]);
            owned[unit] = true;
            count++;
        } else {
            int unit = rand() % UNITS;

            if (!owned[unit])
                continue;
            pool_give_back(pool, 1024 + 4 * unit);
            owned[unit] = false;
            count--;
        }
        CHECK(pool_left(pool) == UNITS - count);
    }
    pools_free(&scene.farm);
}

static void test_many(void)
{
    for (unsigned seed = 1; seed <= 20; seed++)
        test_random(seed);
}

int main(void)
{
    static const struct test tests[] = {
        {"numbers come in order, and back", test_order},
        {"a pool as the record has it", test_record},
        {"nobody has a number twice", test_many},
    };

    return test_main(tests, sizeof tests / sizeof *tests);
}
