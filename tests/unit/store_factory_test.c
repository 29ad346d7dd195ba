/* SPDX-License-Identifier: Apache-2.0 */
/* Pools, numbers, recipes, signatures, webhooks: every move that a number can make and every one that it
 * cannot, the sum of states after each, and what is answered about them. */
#include "store_scene.h"

#include "database.h"

#include <errno.h>

#define IMAGE "0000000000000000000000000000000000000000000000000000000000000001"
#define SHA   "00000000000000000000000000000000000000000000000000000000000000ab"
#define SHA_2 "00000000000000000000000000000000000000000000000000000000000000cd"
#define NOON  "2026-11-21T12:00:00.000000Z"

/* A pool of serials 1 to 1000 (P), one of addresses, eight to a unit (M), and a job without limit. */
static void begin_factory(struct scene *scene)
{
    scene_begin(scene);
    CHECK(scene_append(scene, "image.added", image_added(1)) == 0);
    CHECK(scene_append(scene, "job.submitted", job_submitted(1, 1, 0, "WO-1")) == 0);
    CHECK(say(scene, "pool.created",
              "{'name':'P','kind':'serial','format':{'digits':4,'prefix':'S'},'first':1,'last':1000,'step':1,"
              "'by':'eva'}") == 0);
    CHECK(say(scene, "pool.created",
              "{'name':'M','kind':'eui48','first':%" PRId64 ",'last':%" PRId64 ",'step':8,'by':'eva'}",
              INT64_C(0x020000000000), INT64_C(0x020000000000) + 799) == 0);
}

/* A chip that cannot be told from others has no uid. */
static const char *quoted(const char *text, char quotes[40])
{
    (void)snprintf(quotes, 40, text ? "'%s'" : "null", text);
    return quotes;
}

/* Each run is alone at a station of its own. `more` is further members, each after a comma. */
static int start(struct scene *scene, int run, const char *uid, const char *numbers, const char *more)
{
    char quotes[40];

    return say(scene, "run.started",
               "{'id':%d,'job':1,'station':'S%d','chip':'c','images':['" IMAGE "'],'started':'" NOON
               "','by':'olga','uid':%s,'numbers':[%s]%s}",
               run, run, quoted(uid, quotes), numbers, more);
}

static int end(struct scene *scene, int run, const char *outcome, const char *uid)
{
    char quotes[40];

    return say(scene, "run.ended",
               "{'id':%d,'outcome':'%s','ended':'" NOON "','uid':%s,'verify':{'method':'crc'}}", run, outcome,
               quoted(uid, quotes));
}

static int settle(struct scene *scene, const char *serial, const char *state)
{
    return say(scene, "serial.settled",
               "{'serial':'%s','state':'%s','reason':'looked at it','by':'eva','how':'person'}", serial,
               state);
}

static const char *number_of_pool(int number, char text[80])
{
    (void)snprintf(text, 80, "{'pool':'P','number':%d,'text':'S%04d'}", number, number);
    return text;
}

/* Numbers that have each state in the table `serial` or are burned as a range, against what the pool counts.
 */
static bool counts_agree(sqlite3 *raw)
{
    return raw_integer(
               raw,
               "SELECT count(*) FROM pool AS p WHERE issued <> reserved + bound + pass + fail + unknown + "
               "burned "
               "+ returned OR issued <> (SELECT count(*) FROM serial WHERE pool = p.name) "
               "+ (SELECT coalesce(sum(count), 0) FROM burned WHERE pool = p.name) "
               "OR reserved <> (SELECT count(*) FROM serial WHERE pool = p.name AND state = 'reserved') "
               "OR bound <> (SELECT count(*) FROM serial WHERE pool = p.name AND state = 'bound') "
               "OR pass <> (SELECT count(*) FROM serial WHERE pool = p.name AND state = 'pass') "
               "OR fail <> (SELECT count(*) FROM serial WHERE pool = p.name AND state = 'fail') "
               "OR unknown <> (SELECT count(*) FROM serial WHERE pool = p.name AND state = 'unknown') "
               "OR returned <> (SELECT count(*) FROM serial WHERE pool = p.name AND state = 'returned')") ==
           0;
}

/* Every move of a number --------------------------------------------------------------------------------- */

enum state { RESERVED, BOUND, PASS, FAIL, UNKNOWN, BURNED, RETURNED, STATES };
enum event {
    START_SAME,
    START_REWORK,
    START_OTHER,
    START_OTHER_REWORK,
    START_BLIND, /* the chip's uid is not known */
    START_OTHER_TEXT,
    START_OTHER_NUMBER,
    SETTLE_PASS,
    SETTLE_FAIL,
    SETTLE_BURNED,
    SETTLE_UNKNOWN,
    SETTLE_RESERVED,
    END_PASS,
    END_FAIL,
    END_UNKNOWN,
    END_ABORTED,
    EVENTS
};

static const char *const state_words[STATES] = {
    [RESERVED] = "reserved", [BOUND] = "bound",   [PASS] = "pass",         [FAIL] = "fail",
    [UNKNOWN] = "unknown",   [BURNED] = "burned", [RETURNED] = "returned",
};

/* The state after; where nothing stands the move is refused. */
static const char *const moves[STATES][EVENTS] = {
    [RESERVED] =
        {[END_PASS] = "pass", [END_FAIL] = "fail", [END_UNKNOWN] = "unknown", [END_ABORTED] = "returned"},
    [BOUND] =
        {[END_PASS] = "pass", [END_FAIL] = "fail", [END_UNKNOWN] = "unknown", [END_ABORTED] = "returned"},
    [PASS] = {[START_REWORK] = "bound", [SETTLE_BURNED] = "burned"},
    [FAIL] = {[START_SAME] = "bound", [START_REWORK] = "bound", [SETTLE_BURNED] = "burned"},
    [UNKNOWN] = {[START_SAME] = "bound",
                 [START_REWORK] = "bound",
                 [SETTLE_PASS] = "pass",
                 [SETTLE_FAIL] = "fail",
                 [SETTLE_BURNED] = "burned"},
    [RETURNED] = {[START_SAME] = "bound", [START_REWORK] = "bound"},
};

/* One number, its chip, and the runs that the case may use. */
struct number {
    int number, run;
    char uid[16], text[16], member[80];
};

static struct number number_for(int index)
{
    struct number made = {.number = index, .run = 10 * index};

    (void)snprintf(made.uid, sizeof made.uid, "chip-%d", index);
    (void)snprintf(made.text, sizeof made.text, "S%04d", index);
    (void)number_of_pool(index, made.member);
    return made;
}

static void bring_to(struct scene *scene, const struct number *number, enum state state)
{
    static const char *const first_ends[STATES] = {
        [PASS] = "pass", [FAIL] = "fail", [UNKNOWN] = "unknown", [BURNED] = "fail", [RETURNED] = "aborted"};
    const char *uid = state == RESERVED ? NULL : number->uid;

    CHECK(start(scene, number->run, uid, number->member, "") == 0);
    if (first_ends[state])
        CHECK(end(scene, number->run, first_ends[state], uid) == 0);
    if (state == BURNED)
        CHECK(settle(scene, number->text, "burned") == 0);
}

static int happen(struct scene *scene, const struct number *number, enum event event)
{
    int next = number->run + 1;
    char other[80];

    switch (event) {
    case START_SAME:
        return start(scene, next, number->uid, number->member, "");
    case START_REWORK:
        return start(scene, next, number->uid, number->member, ",'rework':'new firmware'");
    case START_OTHER:
        return start(scene, next, "another", number->member, "");
    case START_OTHER_REWORK:
        return start(scene, next, "another", number->member, ",'rework':'new firmware'");
    case START_BLIND:
        return start(scene, next, NULL, number->member, "");
    case START_OTHER_TEXT:
        (void)snprintf(other, sizeof other, "{'pool':'P','number':%d,'text':'T%d'}", number->number,
                       number->number);
        return start(scene, next, number->uid, other, ",'rework':'new text'");
    case START_OTHER_NUMBER:
        (void)snprintf(other, sizeof other, "{'pool':'P','number':%d,'text':'%s'}", number->number + 500,
                       number->text);
        return start(scene, next, number->uid, other, ",'rework':'new number'");
    case SETTLE_PASS:
        return settle(scene, number->text, "pass");
    case SETTLE_FAIL:
        return settle(scene, number->text, "fail");
    case SETTLE_BURNED:
        return settle(scene, number->text, "burned");
    case SETTLE_UNKNOWN:
        return settle(scene, number->text, "unknown");
    case SETTLE_RESERVED:
        return settle(scene, number->text, "reserved");
    case END_PASS:
        return end(scene, number->run, "pass", number->uid);
    case END_FAIL:
        return end(scene, number->run, "fail", number->uid);
    case END_UNKNOWN:
        return end(scene, number->run, "unknown", number->uid);
    case END_ABORTED:
        return end(scene, number->run, "aborted", number->uid);
    case EVENTS:
        break;
    }
    return 0;
}

static json_t *get_serial(struct scene *scene, const char *text)
{
    struct reply reply = {.done = false};

    store_serial(scene->store, text, on_answer, &reply);
    return await(scene, &reply);
}

static void check_state(struct scene *scene, const char *text, const char *state)
{
    json_t *serial = get_serial(scene, text);

    CHECK_TEXT(text_of(serial, "state"), state);
    json_decref(serial);
}

static void check_move(struct scene *scene, const struct number *number, enum state state, enum event event)
{
    const char *after = moves[state][event];
    int code = happen(scene, number, event);

    if (!CHECK(code == (after ? 0 : -EPROTO)))
        (void)fprintf(stderr, "  a number in state %s, event %d: %s\n", state_words[state], (int)event,
                      scene->error.text);
    check_state(scene, number->text, after ? after : state_words[state]);
}

static void test_every_move(void)
{
    struct scene scene;
    sqlite3 *raw;
    int index = 0;

    begin_factory(&scene);
    raw = scene_raw(&scene);
    for (int state = 0; state < STATES; state++)
        for (int event = 0; event < EVENTS; event++) {
            struct number number = number_for(++index);

            bring_to(&scene, &number, (enum state)state);
            check_state(&scene, number.text, state_words[state]);
            check_move(&scene, &number, (enum state)state, (enum event)event);
            CHECK(counts_agree(raw));
        }
    CHECK(
        raw_integer(raw, "SELECT issued = 112 AND next = 113 AND gapless = 113 FROM pool WHERE name = 'P'"));
    (void)sqlite3_close(raw);
    scene_end(&scene);
}

/* An attempt that wrote nothing leaves a number where it was; the attempts count all the same. */
static void test_aborted_retries(void)
{
    static const enum state before[] = {PASS, FAIL, UNKNOWN, RETURNED};
    struct scene scene;

    begin_factory(&scene);
    for (size_t i = 0; i < sizeof before / sizeof *before; i++) {
        struct number number = number_for((int)i + 1);
        json_t *serial;

        bring_to(&scene, &number, before[i]);
        CHECK(happen(&scene, &number, START_REWORK) == 0);
        CHECK(end(&scene, number.run + 1, "aborted", number.uid) == 0);
        check_state(&scene, number.text, state_words[before[i]]);
        serial = get_serial(&scene, number.text);
        CHECK(json_integer_value(json_object_get(serial, "attempts")) == 2);
        CHECK(json_integer_value(json_object_get(serial, "run")) == number.run + 1);
        json_decref(serial);
    }
    scene_end(&scene);
}

/* A chip whose uid is read only in the end is known from then on. */
static void test_uid_comes_late(void)
{
    struct scene scene;
    struct number number = number_for(1);

    begin_factory(&scene);
    CHECK(start(&scene, 1, NULL, number.member, "") == 0);
    check_state(&scene, "S0001", "reserved");
    CHECK(end(&scene, 1, "fail", "late") == 0);
    CHECK(start(&scene, 2, "other", number.member, "") == -EPROTO);
    CHECK(start(&scene, 2, "late", number.member, "") == 0);
    check_state(&scene, "S0001", "bound");
    scene_end(&scene);
}

/* Serial, addresses and a text of the MES's in one run: one end for all of them. */
static void test_several_numbers(void)
{
    struct scene scene;
    struct reply of_uid = {.done = false}, by_address = of_uid, nobody = of_uid;
    static const char numbers[] = "{'pool':'P','number':1,'text':'S0001'},{'pool':'M','number':2199023255560,"
                                  "'text':'02:00:00:00:00:08'},"
                                  "{'pool':'M','number':2199023255568,'text':'02:00:00:00:00:10'},{'pool':"
                                  "null,'number':null,'text':'IMEI-7'}";
    sqlite3 *raw;

    begin_factory(&scene);
    raw = scene_raw(&scene);
    CHECK(start(&scene, 1, "chip-1", numbers, ",'serial':'S0001'") == 0);
    CHECK(counts_agree(raw));
    CHECK(raw_integer(raw, "SELECT bound = 2 AND next = 2199023255576 AND gapless = 2199023255552 FROM pool "
                           "WHERE name = 'M'"));
    CHECK(end(&scene, 1, "pass", "chip-1") == 0);
    CHECK(counts_agree(raw));
    check_state(&scene, "IMEI-7", "pass");
    check_json(get_serial(&scene, "02:00:00:00:00:10"),
               "{\"serial\":\"02:00:00:00:00:10\",\"pool\":\"M\",\"number\":2199023255568,\"state\":\"pass\","
               "\"run\":1,\"uid\":\"chip-1\",\"attempts\":1,\"job\":1,\"reason\":null,\"by\":\"olga\","
               "\"updated\":\"2026-11-21T12:25:11.000011Z\",\"fact\":6}");
    store_serials_of_uid(scene.store, "chip-1", on_answer, &of_uid);
    CHECK(json_array_size(json_object_get(await(&scene, &of_uid), "items")) == 4);
    json_decref(of_uid.answer);
    store_serials_of_uid(scene.store, "chip-2", on_answer, &nobody);
    CHECK(json_array_size(json_object_get(await(&scene, &nobody), "items")) == 0);
    json_decref(nobody.answer);
    store_unit(scene.store, "02:00:00:00:00:10", on_answer, &by_address);
    CHECK_TEXT(text_of(await(&scene, &by_address), "serial"), "S0001");
    json_decref(by_address.answer);
    (void)sqlite3_close(raw);
    scene_end(&scene);
}

/* A unit that went out under a serial is only touched for rework; one that has just an address may get its
 * serial in a later step. */
static void test_shipped(void)
{
    struct scene scene;

    begin_factory(&scene);
    CHECK(start(&scene, 1, "a", "{'pool':'M','number':2199023255552,'text':'02:0'}", "") == 0);
    CHECK(end(&scene, 1, "pass", "a") == 0);
    CHECK(start(&scene, 2, "a", "{'pool':'M','number':2199023255552,'text':'02:0'}", "") == -EPROTO);
    CHECK(strstr(scene.error.text, "a number has shipped") != NULL);
    CHECK(start(&scene, 2, "a", "{'pool':'P','number':1,'text':'S0001'}", "") == 0);
    CHECK(end(&scene, 2, "pass", "a") == 0);
    CHECK(start(&scene, 3, "a", "", "") == -EPROTO);
    CHECK(strstr(scene.error.text, "this unit has shipped") != NULL);
    CHECK(start(&scene, 3, "a", "", ",'rework':''") == -EPROTO);
    CHECK(start(&scene, 3, "a", "", ",'rework':'customer return 7'") == 0);
    CHECK(end(&scene, 3, "pass", "a") == 0);
    CHECK(start(&scene, 4, "b", "{'pool':null,'number':null,'text':'MES-1'}", "") == 0);
    CHECK(end(&scene, 4, "pass", "b") == 0);
    CHECK(start(&scene, 5, "b", "", "") == -EPROTO);
    /* scrapped: the chip may begin anew, under another number */
    CHECK(settle(&scene, "MES-1", "burned") == 0);
    CHECK(start(&scene, 5, "b", "{'pool':'P','number':2,'text':'S0002'}", "") == 0);
    scene_end(&scene);
}

/* Gaps and burned ranges --------------------------------------------------------------------------------- */

static json_t *load_pool(struct scene *scene, const char *key)
{
    json_t *state = NULL, *value;

    CHECK(store_load(scene->store, &state, &scene->error) == 0);
    value = json_incref(json_object_get(json_array_get(json_object_get(state, "pools"), 0), key));
    json_decref(state);
    return value;
}

static void test_gaps(void)
{
    struct scene scene;
    char text[80];
    json_t *pool;
    struct reply reply = {.done = false};

    begin_factory(&scene);
    check_json(load_pool(&scene, "gaps"), "[]");
    CHECK(start(&scene, 1, "a", number_of_pool(4, text), "") == 0);
    check_json(load_pool(&scene, "gaps"), "[1,2,3]");
    CHECK(start(&scene, 2, "b", number_of_pool(2, text), "") == 0);
    check_json(load_pool(&scene, "gaps"), "[1,3]");
    CHECK(say(&scene, "pool.burned", "{'name':'P','first':8,'last':9,'reason':'torn label','by':'eva'}") ==
          0);
    check_json(load_pool(&scene, "gaps"), "[1,3,5,6,7]");
    CHECK(say(&scene, "pool.burned", "{'name':'P','first':1,'last':1,'reason':'torn label','by':'eva'}") ==
          0);
    CHECK(say(&scene, "pool.burned", "{'name':'P','first':5,'last':6,'reason':'torn label','by':'eva'}") ==
          0);
    check_json(load_pool(&scene, "gaps"), "[3,7]");
    CHECK(start(&scene, 3, "c", number_of_pool(7, text), "") == 0);
    check_json(load_pool(&scene, "gaps"), "[3]");
    CHECK(start(&scene, 4, "d", number_of_pool(3, text), "") == 0);
    check_json(load_pool(&scene, "gaps"), "[]");
    check_json(load_pool(&scene, "next"), "10");
    CHECK(start(&scene, 5, "e", number_of_pool(900, text), "") == 0);
    pool = load_pool(&scene, "gaps");
    CHECK(json_array_size(pool) == 890 && json_integer_value(json_array_get(pool, 889)) == 899);
    json_decref(pool);
    store_pool(scene.store, "P", on_answer, &reply);
    pool = await(&scene, &reply);
    check_json(json_incref(json_object_get(pool, "left")), "990");
    check_json(
        json_incref(json_object_get(pool, "counts")),
        "{\"reserved\":0,\"bound\":5,\"pass\":0,\"fail\":0,\"unknown\":0,\"burned\":5,\"returned\":0}");
    json_decref(pool);
    scene_end(&scene);
}

static void test_gaps_of_blocks(void)
{
    struct scene scene;
    json_t *state = NULL;

    begin_factory(&scene);
    CHECK(start(&scene, 1, "a", "{'pool':'M','number':2199023255576,'text':'m3'}", "") == 0);
    CHECK(say(&scene, "pool.burned",
              "{'name':'M','first':2199023255560,'last':2199023255560,'reason':'r','by':'eva'}") == 0);
    CHECK(store_load(scene.store, &state, &scene.error) == 0);
    check_json(json_incref(json_object_get(json_array_get(json_object_get(state, "pools"), 1), "gaps")),
               "[2199023255552,2199023255568]");
    check_json(json_incref(json_object_get(json_array_get(json_object_get(state, "pools"), 1), "left")),
               "98");
    CHECK(json_array_size(json_object_get(state, "doubt")) == 1);
    json_decref(state);
    scene_end(&scene);
}

/* A key has a name and no number that anybody sees; it is given to one chip. */
static void test_keys(void)
{
    struct scene scene;
    json_t *state = NULL;

    begin_factory(&scene);
    CHECK(say(&scene, "pool.created",
              "{'name':'K','kind':'key','first':0,'last':1,'step':1,'items':[{'id':'k1','sha256':'" SHA
              "'},{'id':'k2','sha256':'" SHA_2 "'}]}") == 0);
    CHECK(store_load(scene.store, &state, &scene.error) == 0);
    check_json(json_incref(json_object_get(json_array_get(json_object_get(state, "pools"), 2), "items")),
               "[{\"id\":\"k1\",\"sha256\":\"" SHA "\"},{\"id\":\"k2\",\"sha256\":\"" SHA_2 "\"}]");
    check_json(json_incref(json_object_get(json_array_get(json_object_get(state, "pools"), 0), "items")),
               "null");
    json_decref(state);
    CHECK(start(&scene, 1, "a", "{'pool':'K','number':1,'text':'k1'}", "") == -EPROTO);
    CHECK(start(&scene, 1, "a", "{'pool':'K','number':1,'text':'k2'}", "") == 0);
    CHECK(end(&scene, 1, "fail", "a") == 0);
    CHECK(start(&scene, 2, "b", "{'pool':'K','number':1,'text':'k2'}", "") == -EPROTO);
    CHECK(start(&scene, 2, "a", "{'pool':'K','number':1,'text':'k2'}", "") == 0);
    CHECK(start(&scene, 3, "b", "{'pool':'K','number':0,'text':'k1'}", "") == 0);
    CHECK(start(&scene, 4, "c", "{'pool':'K','number':2,'text':'k3'}", "") == -EPROTO);
    scene_end(&scene);
}

/* The highest of its marks that a pool has reached, burned numbers and all. */
static void test_warning(void)
{
    static const char *const warnings[] = {"null", "null", "null", "null", "null", "null",
                                           "null", "70",   "70",   "85",   "95"};
    struct scene scene;

    begin_factory(&scene);
    CHECK(say(&scene, "pool.created",
              "{'name':'T','kind':'eui48','first':0,'last':19,'step':2,'format':{'case':'lower'},'by':'eva',"
              "'warn_percent':[70,85,95]}") == 0);
    for (int i = 0; i < 11; i++) {
        struct reply reply = {.done = false};

        store_pool(scene.store, "T", on_answer, &reply);
        await(&scene, &reply);
        check_json(json_incref(json_object_get(reply.answer, "warning")), warnings[i]);
        json_decref(reply.answer);
        CHECK(i == 10 || say(&scene, "pool.burned", "{'name':'T','first':%d,'last':%d,'reason':'r','by':'e'}",
                             2 * i, 2 * i) == 0);
    }
    scene_end(&scene);
}

static void test_form_of_a_pool(void)
{
    struct scene scene;
    struct reply reply = {.done = false}, unknown = reply;

    begin_factory(&scene);
    store_pool(scene.store, "P", on_answer, &reply);
    check_json(await(&scene, &reply),
               "{\"name\":\"P\",\"kind\":\"serial\",\"format\":{\"digits\":4,\"prefix\":\"S\"},\"first\":1,"
               "\"last\":1000,\"step\":1,\"next\":1,\"state\":\"open\",\"reason\":null,"
               "\"warn_percent\":[70,85,95],\"warning\":null,\"by\":\"eva\","
               "\"created\":\"2026-11-21T12:25:05.000005Z\",\"fact\":3,\"left\":1000,\"issued\":0,"
               "\"counts\":{\"reserved\":0,\"bound\":0,\"pass\":0,\"fail\":0,\"unknown\":0,\"burned\":0,"
               "\"returned\":0}}");
    store_pool(scene.store, "nowhere", on_answer, &unknown);
    CHECK(await(&scene, &unknown) == NULL && unknown.error.code == -ENOENT);
    CHECK_TEXT(unknown.error.text, "serial pool nowhere is unknown");
    scene_end(&scene);
}

/* What happens to a hundred numbers at random, against a plain model of the rules -------------------------
 */

enum { MODEL_NUMBERS = 100, STEPS = 3000 };

struct model {
    enum state state[MODEL_NUMBERS + 1], before[MODEL_NUMBERS + 1]; /* STATES: none */
    int chip[MODEL_NUMBERS + 1], run[MODEL_NUMBERS + 1];            /* chip 0: none yet */
    bool range[MODEL_NUMBERS + 1];                                  /* burned without ever having been used */
    int next, last_run;
    unsigned seed;
};

static int draw(struct model *model, int limit)
{
    model->seed = model->seed * 1664525U + 1013904223U;
    return (int)((model->seed >> 8) % (unsigned)limit);
}

/* Chip c carries number c or nothing: which number a chip holds in the model, 0 for none. */
static int held_by(const struct model *model, int chip)
{
    for (int n = 1; n <= MODEL_NUMBERS; n++)
        if (model->chip[n] == chip && model->state[n] != STATES && model->state[n] != BURNED)
            return n;
    return 0;
}

static bool may_start(const struct model *model, int n, int chip, bool rework)
{
    enum state state = model->state[n];
    int held = held_by(model, chip);

    if (held && model->state[held] == PASS && !rework)
        return false;
    if (state == STATES)
        return held == 0 && !model->range[n];
    return model->chip[n] == chip &&
           (state == FAIL || state == UNKNOWN || state == RETURNED || (state == PASS && rework));
}

static void step_start(struct scene *scene, struct model *model)
{
    int n = 1 + draw(model, model->next + 3 > MODEL_NUMBERS ? MODEL_NUMBERS : model->next + 3);
    int chip = draw(model, 3) && model->chip[n] ? model->chip[n] : 1 + draw(model, MODEL_NUMBERS);
    bool rework = draw(model, 2), may = may_start(model, n, chip, rework);
    char uid[16], text[80];

    (void)snprintf(uid, sizeof uid, "chip-%d", chip);
    model->last_run++;
    CHECK(start(scene, model->last_run, uid, number_of_pool(n, text), rework ? ",'rework':'again'" : "") ==
          (may ? 0 : -EPROTO));
    if (!may)
        return;
    model->before[n] = model->state[n];
    model->state[n] = BOUND;
    model->chip[n] = chip;
    model->run[n] = model->last_run;
    model->next = n >= model->next ? n + 1 : model->next;
}

static void step_end(struct scene *scene, struct model *model)
{
    static const enum state ends[] = {PASS, FAIL, UNKNOWN, RETURNED};
    enum state becomes = ends[draw(model, 4)];
    int n = 1 + draw(model, MODEL_NUMBERS);
    bool may = model->state[n] == BOUND;
    char uid[16];

    if (model->state[n] == STATES)
        return;
    (void)snprintf(uid, sizeof uid, "chip-%d", model->chip[n]);
    CHECK(end(scene, model->run[n], becomes == RETURNED ? "aborted" : state_words[becomes], uid) ==
          (may ? 0 : -EPROTO));
    if (may)
        model->state[n] = becomes == RETURNED && model->before[n] != STATES ? model->before[n] : becomes;
}

static void step_settle(struct scene *scene, struct model *model)
{
    static const enum state wishes[] = {PASS, FAIL, BURNED};
    enum state wish = wishes[draw(model, 3)];
    int n = 1 + draw(model, MODEL_NUMBERS);
    enum state state = model->state[n];
    bool may = state == UNKNOWN || (wish == BURNED && (state == PASS || state == FAIL));
    char text[16];

    (void)snprintf(text, sizeof text, "S%04d", n);
    CHECK(settle(scene, text, state_words[wish]) == (may ? 0 : -EPROTO));
    if (may)
        model->state[n] = wish;
}

static void step_burn(struct scene *scene, struct model *model)
{
    int first = 1 + draw(model, model->next + 2), last = first + draw(model, 3);
    bool may = last <= MODEL_NUMBERS;

    for (int n = first; n <= last && n <= MODEL_NUMBERS; n++)
        may = may && model->state[n] == STATES && !model->range[n];
    if (last > MODEL_NUMBERS)
        return;
    CHECK(say(scene, "pool.burned", "{'name':'P','first':%d,'last':%d,'reason':'r','by':'e'}", first, last) ==
          (may ? 0 : -EPROTO));
    for (int n = first; may && n <= last; n++)
        model->range[n] = true;
    if (may && last >= model->next)
        model->next = last + 1;
}

static void check_model(struct scene *scene, const struct model *model, sqlite3 *raw)
{
    json_t *gaps = json_array();
    json_t *got = load_pool(scene, "gaps");
    char text[80];

    CHECK(counts_agree(raw));
    for (int n = 1; n < model->next; n++)
        if (model->state[n] == STATES && !model->range[n])
            (void)json_array_append_new(gaps, json_integer(n));
    CHECK(json_equal(gaps, got));
    json_decref(gaps);
    json_decref(got);
    for (int n = 1; n <= MODEL_NUMBERS; n++)
        if (model->state[n] != STATES) {
            (void)snprintf(text, sizeof text, "S%04d", n);
            check_state(scene, text, state_words[model->state[n]]);
        }
}

static void test_random_moves(void)
{
    struct scene scene;
    struct model model = {.next = 1, .seed = 20261121};
    sqlite3 *raw;

    for (int n = 0; n <= MODEL_NUMBERS; n++)
        model.state[n] = model.before[n] = STATES;
    begin_factory(&scene);
    raw = scene_raw(&scene);
    for (int i = 0; i < STEPS; i++) {
        int what = draw(&model, 100);

        if (what < 45)
            step_start(&scene, &model);
        else if (what < 85)
            step_end(&scene, &model);
        else if (what < 98)
            step_settle(&scene, &model);
        else
            step_burn(&scene, &model);
        if (i % 250 == 249)
            check_model(&scene, &model, raw);
    }
    CHECK(model.next > 50);
    CHECK(raw_integer(raw, "SELECT count(*) FROM serial WHERE attempts > 2") > 5);
    (void)sqlite3_close(raw);
    scene_end(&scene);
}

/* What else is refused ----------------------------------------------------------------------------------- */

#define POOL(kind) "{'name':'Q','kind':'" kind "','by':'e',"
#define RUN_50     "{'id':50,'job':1,'station':'Z','chip':'c','images':[],'started':'" NOON "','uid':'u50',"
#define RECIPE(version, rest)                                                                                \
    "{'name':'R','version':" #version ",'hash':'" SHA "','content':{},'by':'e'" rest "}"

/* Number 1 of P has passed on chip-1; 2 is with an open run; 3 is burned. K is a key pool of two items.
 * Recipe R/1 is released, R/2 a draft, R/3 retired. There is a checkpoint over 17 records, and
 * the last is 19. */
static const struct {
    const char *kind, *body, *words;
} refusals[] = {
    {"pool.created", POOL("card") "'first':1,'last':9,'step':1}", "kind of a pool"},
    {"pool.created", POOL("serial") "'first':9,'last':1,'step':1}", "from first to last"},
    {"pool.created", POOL("serial") "'first':-1,'last':9,'step':1}", "from first to last"},
    {"pool.created", POOL("serial") "'first':1,'last':9,'step':0}", "one number or more"},
    {"pool.created", POOL("serial") "'first':1,'last':3,'step':4}", "from first to last"},
    {"pool.created", POOL("serial") "'first':9999,'last':9223372036854775807,'step':1}",
     "from first to last"},
    {"pool.created", POOL("serial") "'first':1,'step':1}", "pool.last"},
    {"pool.created", POOL("serial") "'first':500,'last':1500,'step':1,'format':{'digits':4,'prefix':'S'}}",
     "overlap"},
    {"pool.created", POOL("eui48") "'first':2199023256351,'last':2199023257000,'step':1}", "overlap"},
    {"pool.created", POOL("eui48") "'first':1099511627776,'last':1099511627800,'step':1}", "not a group"},
    {"pool.created", POOL("eui48") "'first':281474976710656,'last':281474976710660,'step':1}", "EUI-48"},
    {"pool.created", POOL("key") "'first':0,'last':0,'step':1}", "numbers its items"},
    {"pool.created", POOL("key") "'first':0,'last':1,'step':1,'items':[{'id':'x','sha256':'" SHA_2 "'}]}",
     "numbers its items"},
    {"pool.created", POOL("key") "'first':1,'last':1,'step':1,'items':[{'id':'x'},{'id':'y'}]}", "from 0"},
    {"pool.created", POOL("key") "'first':0,'last':0,'step':1,'items':[{'id':'x','sha256':'short'}]}",
     "a key has a SHA-256"},
    {"pool.created", POOL("key") "'first':0,'last':0,'step':1,'items':[{'id':'','sha256':'" SHA_2 "'}]}",
     "a key has an id"},
    {"pool.created", POOL("serial") "'first':1,'last':9,'step':1,'items':[{'id':'x','sha256':'" SHA_2 "'}]}",
     "numbers its items"},
    {"pool.created", "{'name':'','kind':'serial','first':5001,'last':5009,'step':1}", "a pool has a name"},
    {"pool.created", POOL("serial") "'first':5001,'last':5009,'step':1,'format':[]}", "format is an object"},
    {"pool.created", POOL("serial") "'first':5001,'last':5009,'step':1,'warn_percent':{}}", "is an array"},
    {"pool.state", "{'name':'Q','state':'open','by':'e'}", "pool is unknown"},
    {"pool.state", "{'name':'P','state':'open','by':'e'}", "in that state already"},
    {"pool.state", "{'name':'P','state':'full','by':'e'}", "state of a pool"},
    {"pool.burned", "{'name':'Q','first':1,'last':1,'reason':'r'}", "pool is unknown"},
    {"pool.burned", "{'name':'P','first':2,'last':4,'reason':'r'}", "has a state"},
    {"pool.burned", "{'name':'P','first':3,'last':3,'reason':'r'}", "has a state"},
    {"pool.burned", "{'name':'P','first':4,'last':1001,'reason':'r'}", "numbers of the pool"},
    {"pool.burned", "{'name':'P','first':5,'last':4,'reason':'r'}", "numbers of the pool"},
    {"pool.burned", "{'name':'P','first':0,'last':4,'reason':'r'}", "numbers of the pool"},
    {"pool.burned", "{'name':'P','first':4,'last':4.5,'reason':'r'}", "numbers of the pool"},
    {"pool.burned", "{'name':'P','last':4,'reason':'r'}", "numbers of the pool"},
    {"pool.burned", "{'name':'M','first':2199023255556,'last':2199023255560,'reason':'r'}",
     "numbers of the pool"},
    {"pool.burned", "{'name':'P','first':4,'last':4,'reason':''}", "for a reason"},
    {"pool.burned", "{'name':'P','first':4,'last':4}", "burned.reason"},
    {"run.started", RUN_50 "'numbers':[{'pool':'Q','number':1,'text':'t'}]}", "pool of a number is unknown"},
    {"run.started", RUN_50 "'numbers':[{'pool':'P','number':0,'text':'t'}]}", "not one of its pool"},
    {"run.started", RUN_50 "'numbers':[{'pool':'P','number':1001,'text':'t'}]}", "not one of its pool"},
    {"run.started", RUN_50 "'numbers':[{'pool':'M','number':2199023255553,'text':'t'}]}",
     "not one of its pool"},
    {"run.started", RUN_50 "'numbers':[{'pool':'P','number':4,'text':null}]}", "has a text"},
    {"run.started", RUN_50 "'numbers':[{'pool':'P','number':4,'text':7}]}", "has a text"},
    {"run.started", RUN_50 "'numbers':[{'pool':'P','number':4,'text':''}]}", "has a text"},
    {"run.started", RUN_50 "'numbers':[{'pool':'P','text':'t'}]}", "its place in it"},
    {"run.started", RUN_50 "'numbers':[{'pool':'P','number':'4','text':'t'}]}", "its place in it"},
    {"run.started", RUN_50 "'numbers':[{'number':4,'text':'t'}]}", "its place in it"},
    {"run.started", RUN_50 "'numbers':[{'pool':'P','number':3,'text':'S0003'}]}", "is burned"},
    {"run.started", RUN_50 "'numbers':[{'pool':'C','number':9001,'text':'C1'}]}", "is closed"},
    {"run.started", RUN_50 "'numbers':[{'pool':'P','number':2,'text':'S0002'}]}", "not ended"},
    {"run.started", RUN_50 "'numbers':[{'pool':'P','number':1,'text':'S1'}]}", "under another text"},
    {"run.started", RUN_50 "'numbers':[{'pool':'P','number':4,'text':'S0001'}]}", "as another number"},
    {"run.started", RUN_50 "'numbers':[{'pool':null,'number':null,'text':'S0001'}]}", "as another number"},
    {"run.started", RUN_50 "'numbers':[{'pool':'K','number':0,'text':'k2'}]}", "named by its id"},
    {"run.started", RUN_50 "'serial':'S0009','numbers':[{'pool':'P','number':4,'text':'S0004'}]}",
     "not among"},
    {"run.started",
     RUN_50 "'numbers':[{'pool':'P','number':4,'text':'S0004'},{'pool':'P','number':4,'text':'S0004'}]}",
     "is twice"},
    {"run.started", RUN_50 "'numbers':{}}", "numbers is an array"},
    {"run.started", RUN_50 "'unit':'SN7'}", "unit is an object"},
    {"run.started", RUN_50 "'rework':''}", "rework has a reason"},
    {"run.started", RUN_50 "'recipe':{'name':'R','version':1,'hash':'" SHA "'}}", "not that of its job"},
    {"serial.settled", "{'serial':'S7777','state':'burned','reason':'r','by':'e','how':'person'}",
     "unknown to the"},
    {"serial.settled", "{'serial':'S0001','state':'burned','reason':'','by':'e','how':'person'}",
     "with a reason"},
    {"serial.settled", "{'serial':'S0001','state':'burned','reason':'r','how':'person'}", "by somebody"},
    {"serial.settled", "{'serial':'S0001','state':'burned','reason':'r','by':'e','how':'guess'}",
     "by somebody"},
    {"serial.settled", "{'serial':'S0001','state':'burned','reason':'r','by':'e'}", "by somebody"},
    {"serial.settled", "{'serial':'S0001','reason':'r','by':'e','how':'person'}", "does not go"},
    {"record.restored", "{'sequence':1,'by':'e'}", "for a reason"},
    {"recipe.saved", RECIPE(1, ""), "while it is a draft"},
    {"recipe.saved", RECIPE(3, ""), "while it is a draft"},
    {"recipe.saved", RECIPE(0, ""), "count from 1"},
    {"recipe.saved", "{'name':'R','version':9,'hash':'abc','content':{}}", "SHA-256"},
    {"recipe.saved", "{'name':'R','version':9,'hash':'" SHA "','content':[]}", "content is an object"},
    {"recipe.saved", "{'name':'','version':9,'hash':'" SHA "','content':{}}", "has a name"},
    {"recipe.state", "{'name':'R','version':9,'hash':'" SHA "','state':'released'}", "recipe is unknown"},
    {"recipe.state", "{'name':'R','version':2,'hash':'" SHA "','state':'retired'}", "from draft to released"},
    {"recipe.state", "{'name':'R','version':1,'hash':'" SHA "','state':'released'}",
     "from draft to released"},
    {"recipe.state", "{'name':'R','version':1,'hash':'" SHA "','state':'draft'}", "from draft to released"},
    {"recipe.state", "{'name':'R','version':3,'hash':'" SHA "','state':'released'}",
     "from draft to released"},
    {"recipe.state", "{'name':'R','version':2,'hash':'" SHA_2 "','state':'released'}", "another hash"},
    {"recipe.state", "{'name':'R','version':2,'state':'released'}", "another hash"},
    {"job.submitted",
     "{'id':9,'chip':'c','images':[],'stations':[],'trigger':'on_start','recipe':{'name':'R','version':3,'"
     "hash':'" SHA "'}}",
     "cannot be run"},
    {"job.submitted",
     "{'id':9,'chip':'c','images':[],'stations':[],'trigger':'on_start','recipe':{'name':'R','version':1,'"
     "hash':'" SHA_2 "'}}",
     "cannot be run"},
    {"job.submitted", "{'id':9,'chip':'c','images':[],'stations':[],'trigger':'on_start','serial_pool':'Q'}",
     "FOREIGN KEY"},
    {"image.signed", "{'image':'" SHA "','key_id':'1','signature':'s'}", "image is unknown"},
    {"image.signed", "{'image':'" IMAGE "','key_id':'1','signature':''}", "has a text"},
    {"image.signed", "{'image':'" IMAGE "','signature':'s'}", "key_id"},
    {"ledger.checkpoint", "{'size':18,'root':'" SHA "','note':'n','tiles':[]}", "covers all records"},
    {"ledger.checkpoint", "{'size':500,'root':'" SHA "','note':'n','tiles':['" SHA "']}",
     "covers all records"},
    {"ledger.checkpoint", "{'size':19,'root':'" SHA "','note':'n','tiles':['" SHA "']}", "complete since"},
    {"ledger.checkpoint", "{'size':19,'root':'" SHA "','note':'n'}", "complete since"},
    {"ledger.checkpoint", "{'size':19,'root':'xyz','note':'n','tiles':[]}", "root is a SHA-256"},
    {"ledger.checkpoint", "{'size':19,'root':'" SHA "','note':'','tiles':[]}", "has a note"},
    {"backup.made", "{'name':'','size':1,'sha256':'" SHA "','sequence':1}", "has a name"},
    {"backup.made", "{'name':'b','size':0,'sha256':'" SHA "','sequence':1}", "size > 0"},
    {"backup.made", "{'name':'b','size':1,'sha256':'short','sequence':1}", "is a SHA-256"},
    {"backup.made", "{'name':'b','size':1,'sha256':'" SHA "','sequence':99999}", "before its record"},
    {"webhook.state", "{'id':'w','url':'u','topics':[],'state':'asleep'}", "state of a webhook"},
    {"webhook.state", "{'id':'','url':'u','topics':[],'state':'active'}", "has an id"},
    {"webhook.state", "{'id':'w','url':'','topics':[],'state':'active'}", "has a URL"},
    {"webhook.state", "{'id':'w','url':'u','topics':{},'state':'active'}", "topics is an array"},
    {"webhook.state", "{'id':'old','url':'u','topics':[],'state':'active'}", "was removed"},
    {"access.door", "{}", "kind of fact is unknown"},
};

static void prepare_refusals(struct scene *scene)
{
    char text[80];

    begin_factory(scene);
    CHECK(start(scene, 1, "chip-1", number_of_pool(1, text), "") == 0 &&
          end(scene, 1, "pass", "chip-1") == 0);
    CHECK(start(scene, 2, "chip-2", number_of_pool(2, text), "") == 0);
    CHECK(say(scene, "pool.burned", "{'name':'P','first':3,'last':3,'reason':'r','by':'e'}") == 0);
    CHECK(say(scene, "pool.created",
              "{'name':'K','kind':'key','first':0,'last':1,'step':1,'items':[{'id':'k1','sha256':'" SHA
              "'},{'id':'k2','sha256':'" IMAGE "'}]}") == 0);
    CHECK(say(scene, "pool.created", "{'name':'C','kind':'serial','first':9001,'last':9009,'step':1}") == 0);
    CHECK(say(scene, "pool.state", "{'name':'C','state':'closed','reason':'r','by':'e'}") == 0);
    for (int version = 1; version <= 3; version++)
        CHECK(say(scene, "recipe.saved", "{'name':'R','version':%d,'hash':'" SHA "','content':{},'by':'e'}",
                  version) == 0);
    CHECK(say(scene, "recipe.state", "{'name':'R','version':1,'hash':'" SHA "','state':'released'}") == 0);
    CHECK(say(scene, "recipe.state", "{'name':'R','version':3,'hash':'" SHA "','state':'released'}") == 0);
    CHECK(say(scene, "recipe.state", "{'name':'R','version':3,'hash':'" SHA "','state':'retired'}") == 0);
    CHECK(say(scene, "ledger.checkpoint", "{'size':17,'root':'" SHA "','note':'n','tiles':[]}") == 0);
    CHECK(say(scene, "webhook.state", "{'id':'old','url':'u','topics':[],'state':'removed'}") == 0);
}

static void test_refusals(void)
{
    struct scene scene;
    char text[80];
    sqlite3 *raw;

    prepare_refusals(&scene);
    CHECK(store_head_sequence(scene.store) == 19);
    raw = scene_raw(&scene);
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++) {
        int64_t head = store_head_sequence(scene.store);
        int code = say(&scene, refusals[i].kind, "%s", refusals[i].body);

        if (!CHECK(code == -EPROTO) || !CHECK(strstr(scene.error.text, refusals[i].words) != NULL))
            (void)fprintf(stderr, "  %s %s\n  gave %d: %s\n", refusals[i].kind, refusals[i].body, code,
                          scene.error.text);
        CHECK(store_head_sequence(scene.store) == head);
    }
    CHECK(counts_agree(raw));
    (void)sqlite3_close(raw);
    /* names and signatures that are taken have a code of their own */
    CHECK(say(&scene, "pool.created",
              POOL("key") "'first':0,'last':0,'step':1,'items':[{'id':'k1','sha256':'" SHA_2
                          "'}]}") == -EEXIST);
    CHECK(say(&scene, "pool.created",
              POOL("key") "'first':0,'last':0,'step':1,'items':[{'id':'k9','sha256':'" SHA
                          "'}]}") == -EEXIST);
    CHECK(say(&scene, "pool.created",
              POOL("key") "'first':0,'last':1,'step':1,'items':[{'id':'x','sha256':'" SHA_2
                          "'},{'id':'y','sha256':'" SHA_2 "'}]}") == -EEXIST);
    CHECK(say(&scene, "pool.created", "{'name':'P','kind':'serial','first':5000,'last':5001,'step':1}") ==
          -EEXIST);
    CHECK(say(&scene, "image.signed", "{'image':'" IMAGE "','key_id':'1','signature':'s'}") == 0);
    CHECK(say(&scene, "image.signed", "{'image':'" IMAGE "','key_id':'1','signature':'s'}") == -EEXIST);
    CHECK(say(&scene, "backup.made", "{'name':'b','size':1,'sha256':'" SHA "','sequence':3}") == 0);
    CHECK(say(&scene, "backup.made", "{'name':'b','size':1,'sha256':'" SHA "','sequence':3}") == -EEXIST);
    CHECK(end(&scene, 2, "pass", "chip-2") == 0);
    CHECK(start(&scene, 3, "chip-3", number_of_pool(4, text), "") == 0);
    scene_end(&scene);
}

/* A record that is older than the world: nothing is given out until a person has seen to each pool. */
static void test_restored(void)
{
    struct scene scene;
    char text[80];
    json_t *pool;
    struct reply reply = {.done = false};

    begin_factory(&scene);
    CHECK(start(&scene, 1, "a", number_of_pool(1, text), "") == 0 && end(&scene, 1, "fail", "a") == 0);
    CHECK(say(&scene, "record.restored", "{'sequence':5,'reason':'disk 3 died','by':'eva'}") == 0);
    store_pool(scene.store, "P", on_answer, &reply);
    pool = await(&scene, &reply);
    CHECK_TEXT(text_of(pool, "state"), "closed");
    CHECK_TEXT(text_of(pool, "reason"), "the record was restored: disk 3 died");
    json_decref(pool);
    CHECK(start(&scene, 2, "b", number_of_pool(2, text), "") == -EPROTO);
    /* a number that is out there already is worked on as before */
    CHECK(start(&scene, 2, "a", number_of_pool(1, text), "") == 0);
    CHECK(say(&scene, "pool.burned", "{'name':'P','first':2,'last':20,'reason':'in the field','by':'eva'}") ==
          0);
    CHECK(say(&scene, "pool.state", "{'name':'P','state':'open','reason':'2 to 20 burned','by':'eva'}") == 0);
    CHECK(start(&scene, 3, "b", number_of_pool(20, text), "") == -EPROTO);
    CHECK(start(&scene, 3, "b", number_of_pool(21, text), "") == 0);
    scene_end(&scene);
}

/* What was queued before the state is loaded is part of it. */
static void test_load_waits(void)
{
    struct scene scene;
    struct store_fact fact;

    begin_factory(&scene);
    fact =
        (struct store_fact){.kind = "record.restored", .body = quick("{'sequence':1,'reason':'r','by':'e'}")};
    store_append(scene.store, &fact, 1, NULL, NULL);
    check_json(load_pool(&scene, "state"), "\"closed\"");
    scene_end(&scene);
}

/* By hand ------------------------------------------------------------------------------------------------ */

/* Each is refused by the rule of its table, and not by chance. The last ones pretend to be the newest fact.
 */
static const char *const by_hand[] = {
    "INSERT INTO pool (name, kind, first, last, step, next, gapless, state, warn_percent, created, fact) "
    "VALUES ('X', 'serial', 1, 2, 1, 1, 1, 'open', '[]', '', 1)",
    "UPDATE pool SET state = 'closed'",
    "UPDATE pool SET state = 'closed', fact = 3",
    "DELETE FROM pool",
    "INSERT INTO serial (text, state, run, attempts, job, updated, fact) VALUES ('x', 'pass', 1, 1, 1, '', "
    "1)",
    "INSERT OR REPLACE INTO serial (id, text, state, run, attempts, job, updated, fact) "
    "VALUES (1, 'S0001', 'returned', 1, 1, 1, '', 1)",
    "UPDATE serial SET state = 'returned' WHERE id = 1",
    "DELETE FROM serial",
    "INSERT INTO burned VALUES ('P', 50, 60, 11, 'r', 'e', '', 1)",
    "UPDATE burned SET last = first",
    "DELETE FROM burned",
    "INSERT INTO recipe (name, version, state, hash, content, created, fact) "
    "VALUES ('Z', 1, 'draft', '" SHA "', '{}', '', 1)",
    "UPDATE recipe SET content = '{}'",
    "DELETE FROM recipe",
    "INSERT INTO image_signature (image, signature, key_id, added, fact) VALUES ('" IMAGE
    "', 'z', '1', '', 1)",
    "UPDATE image_signature SET key_name = 'x'",
    "DELETE FROM image_signature",
    "INSERT INTO units_made VALUES ('x', 0, 1, 1)",
    "UPDATE units_made SET count = 1",
    "DELETE FROM units_made",
    "INSERT INTO checkpoint VALUES (2, '" SHA "', 'n', 3)",
    "UPDATE checkpoint SET root = '" SHA_2 "'",
    "DELETE FROM checkpoint",
    "INSERT INTO tile VALUES (7, '" SHA "', 1)",
    "UPDATE tile SET hash = '" SHA_2 "'",
    "DELETE FROM tile",
    "INSERT INTO webhook VALUES ('x', 'u', '[]', 'active', NULL, NULL, '', '', 1)",
    "UPDATE webhook SET state = 'active'",
    "DELETE FROM webhook",
    "INSERT INTO backup VALUES (1, 'x', 1, '" SHA "', 0, 'e', '')",
    "UPDATE backup SET size = 2",
    "DELETE FROM backup",
    "UPDATE run_pool SET run = 3",
    "DELETE FROM run_pool",
    "UPDATE run SET rework = 'r'",
    "UPDATE serial SET text = 'other', fact = (SELECT max(sequence) FROM ledger) WHERE id = 1",
    "UPDATE serial SET number = 77, fact = (SELECT max(sequence) FROM ledger) WHERE id = 1",
    "UPDATE serial SET pool = 'C', fact = (SELECT max(sequence) FROM ledger) WHERE id = 1",
    "UPDATE serial SET uid = 'other', fact = (SELECT max(sequence) FROM ledger) WHERE id = 1",
    "UPDATE serial SET state = 'pass', fact = (SELECT max(sequence) FROM ledger) WHERE state = 'burned'",
};

static void test_by_hand(void)
{
    struct scene scene;
    char text[80];
    sqlite3 *raw;

    prepare_refusals(&scene);
    CHECK(say(&scene, "image.signed", "{'image':'" IMAGE "','key_id':'1','signature':'s'}") == 0);
    CHECK(start(&scene, 3, "chip-3", number_of_pool(4, text), "") == 0 &&
          end(&scene, 3, "fail", "chip-3") == 0);
    CHECK(settle(&scene, "S0004", "burned") == 0);
    for (int i = 0; i < 256; i++)
        CHECK(say(&scene, "access.logout", "{'name':'eva'}") == 0);
    CHECK(say(&scene, "ledger.checkpoint", "{'size':%" PRId64 ",'root':'" SHA "','note':'n','tiles':['xyz']}",
              store_head_sequence(scene.store)) == -EPROTO);
    CHECK(strstr(scene.error.text, "hash of a tile") != NULL);
    CHECK(say(&scene, "ledger.checkpoint",
              "{'size':%" PRId64 ",'root':'" SHA "','note':'n','tiles':['" SHA "']}",
              store_head_sequence(scene.store)) == 0);
    CHECK(say(&scene, "backup.made", "{'name':'b','size':1,'sha256':'" SHA "','sequence':3}") == 0);
    raw = scene_raw(&scene);
    for (size_t i = 0; i < sizeof by_hand / sizeof *by_hand; i++)
        if (!CHECK(sqlite3_exec(raw, by_hand[i], NULL, NULL, NULL) == SQLITE_CONSTRAINT) ||
            !CHECK(strstr(sqlite3_errmsg(raw), "is made from the ledger") ||
                   strstr(sqlite3_errmsg(raw), "a number is what it is")))
            (void)fprintf(stderr, "  %s: %s\n", by_hand[i], sqlite3_errmsg(raw));
    CHECK(counts_agree(raw));
    (void)sqlite3_close(raw);
    scene_end(&scene);
}

/* The sums of a pool, should a trigger ever count wrong: each as if the newest fact had done it. */
static void test_sums_hold(void)
{
    static const struct {
        const char *change, *words;
    } wrong[] = {
        {"pass = pass + 1", "issued is the sum of the states"},
        {"issued = issued - 1", "issued is the sum of the states"},
        {"bound = bound - 1", "issued is the sum of the states"},
        {"bound = bound + 1, fail = fail - 1", "fail >= 0"},
        {"bound = bound + 1, unknown = unknown - 1", "unknown >= 0"},
        {"bound = bound + 1, returned = returned - 1", "returned >= 0"},
        {"bound = bound + 1, reserved = reserved - 1", "reserved >= 0"},
        {"pass = pass + 2, bound = bound - 2", "bound >= 0"},
        {"pass = pass - 2, bound = bound + 2", "pass >= 0"},
        {"burned = burned - 2, bound = bound + 2", "burned >= 0"},
        {"issued = issued + 1, bound = bound + 1", "no more is issued than the pool has passed"},
        {"next = last + 2", "next stays inside the pool"},
        {"gapless = next + 1", "gapless lies between first and next"},
        {"gapless = first - 1", "gapless lies between first and next"},
    };
    struct scene scene;
    sqlite3 *raw;

    prepare_refusals(&scene);
    raw = scene_raw(&scene);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        char *sql =
            format_text("UPDATE pool SET %s, fact = (SELECT max(sequence) FROM ledger) WHERE name = 'P'",
                        wrong[i].change);

        if (!CHECK(sqlite3_exec(raw, sql, NULL, NULL, NULL) == SQLITE_CONSTRAINT) ||
            !CHECK(strstr(sqlite3_errmsg(raw), wrong[i].words) != NULL))
            (void)fprintf(stderr, "  %s: %s\n", wrong[i].change, sqlite3_errmsg(raw));
        free(sql);
    }
    (void)sqlite3_close(raw);
    scene_end(&scene);
}

/* Answers ------------------------------------------------------------------------------------------------ */

/* The texts of one member of all items, page after page. */
static void check_pages(struct scene *scene,
                        void (*ask)(struct scene *, const struct store_page *, struct reply *),
                        const char *member, const char *want)
{
    char got[400] = "", cursor[24] = "";
    size_t used = 0;

    do {
        struct reply reply = {.done = false};
        const json_t *item;
        size_t index;

        ask(scene, &(struct store_page){.cursor = *cursor ? cursor : NULL, .limit = 2}, &reply);
        CHECK(json_array_size(json_object_get(await(scene, &reply), "items")) <= 2);
        json_array_foreach (json_object_get(reply.answer, "items"), index, item)
            used += (size_t)snprintf(got + used, sizeof got - used, "%s ", text_of(item, member));
        (void)snprintf(cursor, sizeof cursor, "%s",
                       json_is_null(json_object_get(reply.answer, "next")) ? ""
                                                                           : text_of(reply.answer, "next"));
        json_decref(reply.answer);
    } while (*cursor && used < sizeof got);
    CHECK_TEXT(got, want);
}

static void ask_pools(struct scene *scene, const struct store_page *page, struct reply *reply)
{
    store_pools(scene->store, page, on_answer, reply);
}

static void ask_all_serials(struct scene *scene, const struct store_page *page, struct reply *reply)
{
    store_serials(scene->store, NULL, NULL, page, on_answer, reply);
}

static void ask_unknown_serials(struct scene *scene, const struct store_page *page, struct reply *reply)
{
    store_serials(scene->store, NULL, "unknown", page, on_answer, reply);
}

static void ask_passed_serials(struct scene *scene, const struct store_page *page, struct reply *reply)
{
    store_serials(scene->store, NULL, "pass", page, on_answer, reply);
}

static void ask_serials_of_pool(struct scene *scene, const struct store_page *page, struct reply *reply)
{
    store_serials(scene->store, "P", NULL, page, on_answer, reply);
}

static void ask_failed_of_pool(struct scene *scene, const struct store_page *page, struct reply *reply)
{
    store_serials(scene->store, "P", "fail", page, on_answer, reply);
}

static void test_lists_of_numbers(void)
{
    static const char *const ends[] = {"fail", "pass",    "unknown", "fail",
                                       "pass", "unknown", "fail",    "unknown"};
    struct scene scene;
    char text[80], uid[16];

    begin_factory(&scene);
    for (int i = 0; i < 8; i++) {
        (void)snprintf(uid, sizeof uid, "chip-%d", i);
        CHECK(start(&scene, i + 1, uid, number_of_pool(8 - i, text), "") == 0);
        CHECK(end(&scene, i + 1, ends[i], uid) == 0);
    }
    CHECK(start(&scene, 9, "z", "{'text':'MES'}", "") == 0);
    check_pages(&scene, ask_pools, "name", "M P ");
    check_pages(&scene, ask_all_serials, "serial", "MES S0001 S0002 S0003 S0004 S0005 S0006 S0007 S0008 ");
    check_pages(&scene, ask_unknown_serials, "serial", "S0001 S0003 S0006 ");
    check_pages(&scene, ask_passed_serials, "serial", "S0004 S0007 ");
    check_pages(&scene, ask_serials_of_pool, "serial", "S0008 S0007 S0006 S0005 S0004 S0003 S0002 S0001 ");
    check_pages(&scene, ask_failed_of_pool, "serial", "S0008 S0005 S0002 ");
    scene_end(&scene);
}

static void ask_recipes(struct scene *scene, const struct store_page *page, struct reply *reply)
{
    store_recipes(scene->store, NULL, NULL, page, on_answer, reply);
}

static void ask_recipes_named(struct scene *scene, const struct store_page *page, struct reply *reply)
{
    store_recipes(scene->store, "R", NULL, page, on_answer, reply);
}

static void ask_drafts(struct scene *scene, const struct store_page *page, struct reply *reply)
{
    store_recipes(scene->store, NULL, "draft", page, on_answer, reply);
}

static void ask_drafts_named(struct scene *scene, const struct store_page *page, struct reply *reply)
{
    store_recipes(scene->store, "R", "draft", page, on_answer, reply);
}

static json_t *get_recipe(struct scene *scene, const char *name, int64_t version, struct error *error)
{
    struct reply reply = {.done = false};

    store_recipe(scene->store, name, version, on_answer, &reply);
    await(scene, &reply);
    *error = reply.error;
    return reply.answer;
}

static void save_recipe(struct scene *scene, const char *name, int version, const char *note)
{
    CHECK(say(scene, "recipe.saved",
              "{'name':'%s','version':%d,'hash':'" SHA
              "','content':{'chip':'c','description':'%s'},'by':'eva'}",
              name, version, note) == 0);
}

static void release(struct scene *scene, const char *name, int version)
{
    CHECK(say(scene, "recipe.state",
              "{'name':'%s','version':%d,'hash':'" SHA "','state':'released','reason':'tried','by':'adam'}",
              name, version) == 0);
}

static void test_recipes(void)
{
    struct scene scene;
    struct error error;

    begin_factory(&scene);
    save_recipe(&scene, "R", 1, "first");
    save_recipe(&scene, "R", 2, "second");
    save_recipe(&scene, "T", 1, "other");
    CHECK(get_recipe(&scene, "R", 0, &error) == NULL && error.code == -ENOENT);
    CHECK_TEXT(error.text, "a released version of recipe R is unknown");
    release(&scene, "R", 1);
    save_recipe(&scene, "R", 2, "better");
    save_recipe(&scene, "R", 3, "third");
    check_pages(&scene, ask_recipes, "name", "R T R R ");
    check_pages(&scene, ask_recipes_named, "state", "draft draft released ");
    check_pages(&scene, ask_drafts, "name", "R T R ");
    check_pages(&scene, ask_drafts_named, "state", "draft draft ");
    check_json(get_recipe(&scene, "R", 0, &error),
               "{\"name\":\"R\",\"version\":1,\"state\":\"released\",\"hash\":\"" SHA
               "\",\"content\":{\"chip\":\"c\",\"description\":\"first\"},\"by\":\"eva\","
               "\"created\":\"2026-11-21T12:25:09.000009Z\",\"released_by\":\"adam\","
               "\"released\":\"2026-11-21T12:25:15.000015Z\",\"reason\":\"tried\",\"fact\":8}");
    check_json(get_recipe(&scene, "R", 2, &error),
               "{\"name\":\"R\",\"version\":2,\"state\":\"draft\",\"hash\":\"" SHA
               "\",\"content\":{\"chip\":\"c\",\"description\":\"better\"},\"by\":\"eva\","
               "\"created\":\"2026-11-21T12:25:11.000011Z\",\"released_by\":null,\"released\":null,"
               "\"reason\":null,\"fact\":9}");
    CHECK(get_recipe(&scene, "R", 4, &error) == NULL && error.code == -ENOENT);
    CHECK_TEXT(error.text, "recipe R/4 is unknown");
    scene_end(&scene);
}

static void check_made(struct scene *scene, const char *thing, int64_t version, int64_t count)
{
    struct reply reply = {.done = false};

    store_units_made(scene->store, thing, version, on_answer, &reply);
    CHECK(json_integer_value(json_object_get(await(scene, &reply), "count")) == count);
    json_decref(reply.answer);
}

/* Job 2 is of recipe R/1; its runs pass, fail, pass. One of job 1 has the image only. */
static void run_by_recipe(struct scene *scene)
{
    static const char *const ends[] = {"pass", "fail", "pass"};

    save_recipe(scene, "R", 1, "first");
    release(scene, "R", 1);
    CHECK(say(scene, "job.submitted",
              "{'id':2,'chip':'c','images':['" IMAGE
              "'],'stations':['A'],'trigger':'on_start','serial_pool':'P',"
              "'recipe':{'name':'R','version':1,'hash':'" SHA "'}}") == 0);
    for (int i = 0; i < 3; i++) {
        CHECK(say(scene, "run.started",
                  "{'id':%d,'job':2,'station':'A','chip':'c','images':['" IMAGE "'],'started':'" NOON
                  "','by':'line-%d','recipe':{'name':'R','version':1,'hash':'" SHA
                  "'},'fixture':'F-7','code':'B%d','unit':{'mac':'m'},'unit_data_sha256':'" SHA_2
                  "','uid':'u%d','serial':'S%04d','numbers':[{'pool':'P','number':%d,'text':'S%04d'}]}",
                  i + 1, i, i, i, i + 1, i + 1, i + 1) == 0);
        CHECK(end(scene, i + 1, ends[i], NULL) == 0);
    }
    CHECK(start(scene, 4, "u9", "", "") == 0);
    CHECK(end(scene, 4, "pass", "u9") == 0);
}

static void check_runs(struct scene *scene, const struct store_run_filter *filter, const char *want)
{
    struct reply reply = {.done = false};
    const json_t *run;
    size_t index, used = 0;
    char got[100] = "";

    store_runs(scene->store, filter, &(struct store_page){.limit = 0}, on_answer, &reply);
    await(scene, &reply);
    json_array_foreach (json_object_get(reply.answer, "items"), index, run)
        used += (size_t)snprintf(got + used, sizeof got - used, "%" JSON_INTEGER_FORMAT " ",
                                 json_integer_value(json_object_get(run, "id")));
    CHECK_TEXT(got, want);
    json_decref(reply.answer);
}

static void test_runs_of_recipes(void)
{
    struct scene scene;
    struct reply run = {.done = false}, job = run;

    begin_factory(&scene);
    run_by_recipe(&scene);
    check_runs(&scene, &(struct store_run_filter){.recipe = "R"}, "3 2 1 ");
    check_runs(&scene, &(struct store_run_filter){.recipe = "R/1"}, "3 2 1 ");
    check_runs(&scene, &(struct store_run_filter){.recipe = "R/2"}, "");
    check_runs(&scene, &(struct store_run_filter){.recipe = "R/x"}, "");
    check_runs(&scene, &(struct store_run_filter){.pool = "P"}, "3 2 1 ");
    check_runs(&scene, &(struct store_run_filter){.pool = "M"}, "");
    check_runs(&scene, &(struct store_run_filter){.by = "line-1"}, "2 ");
    check_runs(&scene, &(struct store_run_filter){.by = "olga"}, "4 ");
    check_runs(&scene, &(struct store_run_filter){.by = "olga", .pool = "P"}, "");
    check_runs(&scene, &(struct store_run_filter){.pool = "P", .outcome = "pass"}, "3 1 ");
    check_runs(&scene, &(struct store_run_filter){.image = IMAGE, .recipe = "R/1", .by = "line-2"}, "3 ");
    check_made(&scene, "R", 1, 2);
    check_made(&scene, "R", 2, 0);
    check_made(&scene, IMAGE, 0, 3);
    store_run(scene.store, 1, on_answer, &run);
    await(&scene, &run);
    check_json(json_incref(json_object_get(run.answer, "recipe")),
               "{\"name\":\"R\",\"version\":1,\"hash\":\"" SHA "\"}");
    check_json(json_incref(json_object_get(run.answer, "numbers")),
               "[{\"pool\":\"P\",\"number\":1,\"text\":\"S0001\"}]");
    check_json(json_incref(json_object_get(run.answer, "unit")), "{\"mac\":\"m\"}");
    CHECK_TEXT(text_of(run.answer, "fixture"), "F-7");
    CHECK_TEXT(text_of(run.answer, "code"), "B0");
    CHECK_TEXT(text_of(run.answer, "unit_data_sha256"), SHA_2);
    json_decref(run.answer);
    store_job(scene.store, 2, on_answer, &job);
    CHECK_TEXT(text_of(await(&scene, &job), "serial_pool"), "P");
    CHECK_TEXT(text_of(json_object_get(job.answer, "recipe"), "name"), "R");
    json_decref(job.answer);
    scene_end(&scene);
}

static void ask_backups(struct scene *scene, const struct store_page *page, struct reply *reply)
{
    store_backups(scene->store, page, on_answer, reply);
}

static void test_signatures_webhooks_backups(void)
{
    struct scene scene;
    struct reply signatures = {.done = false}, webhooks = signatures;

    begin_factory(&scene);
    CHECK(say(&scene, "image.signed",
              "{'image':'" IMAGE
              "','key_id':'AB','key_name':'release','comment':'v1','signature':'s','by':'eva'}") == 0);
    store_signatures(scene.store, IMAGE, on_answer, &signatures);
    check_json(
        await(&scene, &signatures),
        "{\"items\":[{\"image\":\"" IMAGE "\",\"key_id\":\"AB\",\"key_name\":\"release\",\"comment\":\"v1\","
        "\"signature\":\"s\",\"by\":\"eva\",\"added\":\"2026-11-21T12:25:09.000009Z\"}],\"next\":null}");
    CHECK(say(&scene, "webhook.state", "{'id':'a','url':'u','topics':['run.ended'],'state':'active'}") == 0);
    CHECK(say(&scene, "webhook.state", "{'id':'b','url':'u','topics':[],'state':'active'}") == 0);
    CHECK(say(&scene, "webhook.state",
              "{'id':'a','url':'u2','topics':[],'state':'disabled','reason':'410'}") == 0);
    CHECK(say(&scene, "webhook.state", "{'id':'b','url':'u','topics':[],'state':'removed'}") == 0);
    store_webhooks(scene.store, on_answer, &webhooks);
    check_json(
        await(&scene, &webhooks),
        "{\"items\":[{\"id\":\"a\",\"url\":\"u2\",\"topics\":[],\"state\":\"disabled\",\"reason\":\"410\","
        "\"by\":null,\"created\":\"2026-11-21T12:25:11.000011Z\",\"updated\":\"2026-11-21T12:25:15.000015Z\"}"
        "],"
        "\"next\":null}");
    for (int i = 0; i < 5; i++)
        CHECK(say(&scene, "backup.made", "{'name':'b%d','size':1,'sha256':'" SHA "','sequence':3,'by':'eva'}",
                  i) == 0);
    check_pages(&scene, ask_backups, "name", "b4 b3 b2 b1 b0 ");
    CHECK(say(&scene, "access.login", "{'name':'eva','result':'refused'}") == 0);
    scene_end(&scene);
}

/* The way that each question takes ------------------------------------------------------------------------
 */

static char *plan_of(sqlite3 *raw, const char *sql)
{
    char *explain = format_text("EXPLAIN QUERY PLAN %s", sql), *plan = copy_text("");
    sqlite3_stmt *rows = NULL;

    CHECK(sqlite3_prepare_v2(raw, explain, -1, &rows, NULL) == SQLITE_OK);
    while (sqlite3_step(rows) == SQLITE_ROW) {
        char *grown = format_text("%s  %s\n", plan, (const char *)sqlite3_column_text(rows, 3));

        free(plan);
        plan = grown;
    }
    (void)sqlite3_finalize(rows);
    free(explain);
    return plan;
}

/* Whether it reads all of a table that grows with what is made, or sorts what it found. */
static bool goes_through_all(const char *plan)
{
    static const char *const grow[] = {"SCAN run",        "SCAN serial",    "SCAN ledger", "SCAN image",
                                       "SCAN job",        "SCAN used",      "SCAN backup", "SCAN idempotency",
                                       "SCAN checkpoint", "SCAN tile",      "SCAN burned", "SCAN pool",
                                       "SCAN recipe",     "SCAN pool_item", "TEMP B-TREE"};

    for (size_t i = 0; i < sizeof grow / sizeof *grow; i++)
        if (strstr(plan, grow[i]))
            return true;
    return false;
}

/* Those that take the newest row of a table walk it from its end, one step. */
static bool takes_one(enum query query)
{
    const char *sql = queries[query];
    size_t length = strlen(sql);

    return length > 8 && strcmp(sql + length - 7, "LIMIT 1") == 0;
}

static void test_no_scans(void)
{
    struct scene scene;
    sqlite3 *raw;
    int checked = 0;

    begin_factory(&scene);
    raw = scene_raw(&scene);
    for (int query = QUERY_RUN; query < QUERY_LOAD_JOBS; query++) {
        char *plan = plan_of(raw, queries[query]);

        checked++;
        if (!takes_one((enum query)query) && !CHECK(!goes_through_all(plan)))
            (void)fprintf(stderr, "  %s\n%s", queries[query], plan);
        CHECK(strstr(queries[query], "count(*)") == NULL);
        free(plan);
    }
    CHECK(checked > 40);
    (void)sqlite3_close(raw);
    scene_end(&scene);
}

static void test_ways(void)
{
    static const struct {
        enum query query;
        const char *way;
    } plans[] = {
        {QUERY_RUNS_BY_WHO, "SEARCH run USING INDEX run_by (by=? AND started>? AND started<?)"},
        {QUERY_RUNS_BY_RECIPE, "SEARCH run USING INDEX run_recipe (recipe=? AND rowid<?)"},
        {QUERY_RUNS_BY_RECIPE_VERSION,
         "SEARCH run USING INDEX run_recipe_version (recipe=? AND recipe_version=? AND rowid<?)"},
        {QUERY_RUNS_BY_POOL, "SEARCH used USING PRIMARY KEY (pool=? AND run<?)"},
        {QUERY_RUNS_BY_NUMBER, "SEARCH run USING INDEX run_uid (uid=? AND rowid<?)"},
        {QUERY_POOL, "SEARCH pool USING INDEX sqlite_autoindex_pool_1 (name=?)"},
        {QUERY_SERIAL, "SEARCH serial USING INDEX sqlite_autoindex_serial_1 (text=?)"},
        {QUERY_SERIALS_BY_STATE, "SEARCH serial USING INDEX serial_not_passed (state=? AND rowid<?)"},
        {QUERY_SERIALS_OF_POOL, "SEARCH serial USING INDEX serial_number (pool=? AND number<?)"},
        {QUERY_SERIALS_OF_POOL_BY_STATE,
         "SEARCH serial USING INDEX serial_state (pool=? AND state=? AND number<?)"},
        {QUERY_SERIALS_OF_UID, "SEARCH serial USING INDEX serial_uid (uid=? AND rowid<?)"},
        {QUERY_RECIPE_NEWEST, "SEARCH recipe USING INDEX sqlite_autoindex_recipe_1 (name=?)"},
        {QUERY_SIGNATURES, "SEARCH image_signature USING PRIMARY KEY (image=?)"},
        {QUERY_UNITS_MADE, "SEARCH units_made USING PRIMARY KEY (thing=? AND version=?)"},
        {QUERY_LOAD_DOUBT, "SEARCH serial USING INDEX serial_not_passed (state=?)"},
    };
    struct scene scene;
    sqlite3 *raw;

    begin_factory(&scene);
    raw = scene_raw(&scene);
    for (size_t i = 0; i < sizeof plans / sizeof *plans; i++) {
        char *plan = plan_of(raw, queries[plans[i].query]);

        if (!CHECK(strstr(plan, plans[i].way) != NULL))
            (void)fprintf(stderr, "  wanted %s\n%s", plans[i].way, plan);
        free(plan);
    }
    (void)sqlite3_close(raw);
    scene_end(&scene);
}

static const struct test tests[] = {
    {"every move of a number", test_every_move},
    {"an aborted retry changes no state", test_aborted_retries},
    {"a uid that comes late", test_uid_comes_late},
    {"several numbers in one run", test_several_numbers},
    {"a unit that has shipped", test_shipped},
    {"gaps", test_gaps},
    {"gaps of blocks", test_gaps_of_blocks},
    {"keys", test_keys},
    {"marks that a pool has reached", test_warning},
    {"form of a pool", test_form_of_a_pool},
    {"numbers at random", test_random_moves},
    {"refused facts", test_refusals},
    {"a restored record", test_restored},
    {"a state is loaded whole", test_load_waits},
    {"by hand, nothing is written", test_by_hand},
    {"sums of a pool", test_sums_hold},
    {"lists of numbers", test_lists_of_numbers},
    {"recipes", test_recipes},
    {"runs of recipes and pools", test_runs_of_recipes},
    {"signatures, webhooks, backups", test_signatures_webhooks_backups},
    {"no question goes through everything", test_no_scans},
    {"ways of the questions", test_ways},
};

TEST_MAIN(tests)
