/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of daemon/jobs share with each other and with nobody else: the structures, and who may
 * change what. Each state has one writer: station_set_state() in station.c, job_set_state() in job.c, a
 * unit's in units.c; a run begins and ends in run.c; numbers leave their pools in pools.c. */
#ifndef FLASHFARM_JOBS_PARTS_H
#define FLASHFARM_JOBS_PARTS_H

#include "farm.h"
#include "fiber.h"
#include "fields.h"
#include "images.h"
#include "list.h"
#include "number_format.h"
#include "overlay.h"
#include "program.h"
#include "store.h"

#include <regex.h>

struct job;
struct station;

/* --- serial pools ----------------------------------------------------------------------------------------
 */

/* Numbers below pool->next that nobody has: they were taken for runs that could not be recorded. */
struct pool_gap {
    int64_t first, count; /* of units: first, first + step, … */
};

#define POOL_WARNINGS 3

/* A pool as it is between two facts: numbers in the hands of runs that are just being recorded have left it
 * already. The record has the truth; after a start, so has this. */
struct pool {
    struct list node; /* in farm->pools */
    struct farm *farm;
    char *name;
    enum pool_kind kind;
    struct number_format format;
    int64_t first, last, step, next;
    bool open;
    bool making;                     /* on its way into the record, and not to be found before it is there */
    int warn_percent[POOL_WARNINGS]; /* ascending; 0: none */
    int warned;                      /* the highest of them that was told */
    size_t gap_count;
    struct pool_gap *gaps; /* ascending */
    json_t *items;         /* of a key pool: [{id, sha256}] */
};

/* The kind of that word; false: there is none. */
bool pool_kind_of(const char *word, enum pool_kind *kind);
/* Takes up one pool as store_pool() describes it, or as pool.created does. */
int pool_add(struct farm *farm, const json_t *body, struct error *error);
/* Takes up the pools of the record (store_load()); -EINVAL: one of them makes no sense. */
int pools_load(struct farm *farm, const json_t *pools, struct error *error);
void pools_free(struct farm *farm);
struct pool *pool_find(const struct farm *farm, const char *name);
/* How many units it can still serve; 0 when it is closed. */
int64_t pool_left(const struct pool *pool);
/* How many numbers of that pool the open jobs still want, but for `except` (NULL: for none). */
int64_t pool_wanted(const struct farm *farm, const char *name, const struct job *except);
/* The next number, and its text at that time. FAILURE_SERIAL_EXHAUSTED: there is none. It comes
 * back by pool_give_back() unless it gets into the record. */
int pool_take(struct pool *pool, int64_t utc_us, int64_t *number, char text[NUMBER_TEXT_MAX],
              struct error *error);
/* The text that its last number would have. */
int pool_last(const struct pool *pool, int64_t utc_us, char text[NUMBER_TEXT_MAX]);
void pool_give_back(struct pool *pool, int64_t number);
void pool_give_back_range(struct pool *pool, int64_t first, int64_t count);
/* A pool that did not get into the record. */
void pool_discard(struct pool *pool);
/* The bytes of a key of a key pool, checked against their SHA-256: sodium_memzero() and free() them. */
int pool_read_key(const struct pool *pool, int64_t number, uint8_t **key, size_t *size, struct error *error);

/* --- jobs ------------------------------------------------------------------------------------------------
 */

enum job_state { JOB_RUNNING, JOB_HELD, JOB_DONE, JOB_CANCELLED };
enum job_trigger { TRIGGER_IMMEDIATE, TRIGGER_ON_INSERT, TRIGGER_ON_START };

/* The plan of a job for one protocol; stations of the same protocol share it. */
struct job_plan {
    const struct protocol *protocol;
    struct plan plan;
};

/* One station's part in a job. */
struct job_place {
    char station[STATION_NAME_MAX];
    bool served; /* has had its turn: for `immediate`, which gives each station one */
};

#define JOB_PLANS 4

/* What the order says of one unit of its own. */
enum unit_state { UNIT_FREE, UNIT_OUT, UNIT_DONE };
struct unit {
    const json_t *object;                           /* of units[], borrowed from the job's body */
    const char *serial, *station, *position, *code; /* NULL: not given */
    enum unit_state state;
    char uid[2 * BOARD_UID_MAX + 1]; /* of the board it was begun on, which alone may have it; or empty */
};

/* What a code that is read from a board must be. */
struct board_code {
    json_t *list; /* one of these texts; borrowed */
    bool has_pattern;
    regex_t pattern;
};

struct job {
    struct list node; /* in farm->jobs, by id */
    struct farm *farm;
    struct log log;
    int64_t id;
    enum job_state state;
    enum job_trigger trigger;
    char *work_order; /* may be empty */
    char *by;
    json_t *body;            /* as recorded in job.submitted */
    json_t *images;          /* array of ids, borrowed from body */
    json_t *sums;            /* of units that cannot be read: [{address, sum}], once they are known */
    int64_t taught_by;       /* the run that taught them; 0: the order */
    const json_t *recipe;    /* {name, version, hash}, borrowed from body; NULL: ad hoc */
    const json_t *signature; /* what signatures it wants, borrowed; NULL: none */
    const json_t *fixtures;  /* names of fixtures that may be used, borrowed; NULL: any */
    const char *serial_pool; /* of the unit's serial; borrowed; NULL: none of its own */
    const char *rework; /* why units that have shipped are programmed again; borrowed; NULL: they are not */
    bool dry_run;
    struct board_code board_code;
    struct fields *fields; /* NULL: all units are the same */
    size_t pool_count;
    const char **pools; /* whose numbers each unit takes, without repeats; texts borrowed */
    size_t unit_count;
    struct unit *units;
    int numbered; /* units in flight that have their numbers already */
    struct image image;
    uint8_t image_digest[32]; /* of the bytes in `image` when the order was checked */
    struct order order;
    struct chip_span *keep;
    size_t plan_count;
    struct job_plan plans[JOB_PLANS];
    size_t place_count;
    struct job_place *places;
    int commands; /* on their way into the record: until they are there the job does not end by itself */
    int quantity, in_flight, passed, failed;
    int hold_after_failures; /* 0: never */
    int failures_since_resume;
};

/* Reads the body of POST /v1/jobs (or of a recorded job) into a new job; -EINVAL names the member. Needs
 * the farm for the names of stations; loads nothing. */
int job_parse(struct farm *farm, const json_t *body, struct job **job, struct error *error);
/* As job_parse() for the content of a recipe, which names neither stations nor quantity: what the lint needs.
 */
int job_parse_recipe(struct farm *farm, const json_t *content, struct job **job, struct error *error);
/* Whether that member is a recipe's to say, so that an order by its name cannot. */
bool job_recipe_says(const char *member);
/* Loads the images (with room for the fields) and makes the plans, if it has stations; on a fiber. */
int job_prepare(struct job *job, struct error *error);
void job_free(struct job *job);

/* Whether the bytes in memory are those that job_prepare() has seen; may wait. */
bool job_image_intact(const struct job *job);
void job_note_image(struct job *job);

/* The only writer of job->state: checks the move, logs it, records the fact unless that is `recorded`. */
void job_set_state(struct job *job, enum job_state state, const char *reason, bool recorded);
json_t *job_state_body(int64_t id, enum job_state state, const char *reason);
const char *job_state_word(enum job_state state);

/* Whether the job has a unit for this station now. */
bool job_wants(const struct job *job, const struct station *station);
/* The oldest job that does, or NULL. */
struct job *jobs_for_station(struct farm *farm, const struct station *station);
/* A unit is handed out; and comes back with its outcome. Ends or holds the job when it is time, after which
 * the job may be gone. */
void job_claim(struct job *job, const struct station *station);
void job_settle(struct job *job, enum outcome outcome);
/* Ends the job if it has all it needs, and then frees it. */
void job_review(struct job *job);
/* Frees a job that has ended and has no unit out: the record keeps it. */
void job_reap(struct job *job);
const struct plan *job_plan(const struct job *job, const struct protocol *protocol);
struct job_place *job_place(const struct job *job, const char *station);
bool job_open(const struct job *job);
json_t *job_live(const struct job *job);

/* --- units of an order (units.c) */
int units_read(struct job *job, const json_t *list, struct error *error);
/* Whether the units have what the fields want of them. */
int units_check(const struct job *job, struct error *error);
/* Whether the stations that they name are the order's. */
int units_check_places(const struct job *job, struct error *error);
/* Whether one is left that could be for that station; true without units[]. */
bool units_left_for(const struct job *job, const struct station *station);
/* Whether a code must be read from the board before its work begins, and has not been. */
bool units_need_code(const struct job *job, const struct station *station);
/* A code was read at that station: -EINVAL when it cannot be right. */
int units_check_code(const struct job *job, const struct station *station, const char *code,
                     const char *position, struct error *error);
/* The unit that this code names at that station, or NULL. `position`: where on its panel the code was read;
 * NULL or empty: where the station is. */
struct unit *units_by_code(const struct job *job, const struct station *station, const char *code,
                           const char *position);
/* The unit for this board, which is out from then on; NULL with the error. May wait. */
struct unit *units_choose(struct job *job, const struct station *station, const char *uid,
                          const json_t *known, struct error *error);
void units_settle(struct unit *unit, enum outcome outcome, bool recorded, const char *uid);
/* A person has settled this number (as the record tells it): orders may have nothing left to make. */
void units_note_settled(struct farm *farm, const json_t *serial);
/* Whether any unit is still to be made; true without units[]. */
bool units_left(const struct job *job);
/* Which of them are made, or begun on a chip, by the record of the job's runs; may wait. */
int units_remember(struct job *job, struct error *error);

/* Sums of chips that cannot be read (sums.c). Looks up what the record knows, when the protocol needs it; may
 * wait. */
void sums_prepare(struct job *job, const struct protocol *protocol);
/* Whether the order gives either no sums or one for every sector of the plan; -EINVAL. */
int sums_check(const struct job *job, const struct plan *plan, struct error *error);
/* Fills in the sums of those addresses; false: not all are known. */
bool sums_known(const struct job *job, struct sector_sum *sums, size_t count);
/* A unit has taught these; returns them as the record has them, a new reference. */
json_t *sums_learn(struct job *job, int64_t run, const struct sector_sum *sums, size_t count);

/* --- stations --------------------------------------------------------------------------------------------
 */

enum station_state {
    STATE_STARTING,
    STATE_IDLE,
    STATE_WAITING,
    STATE_IDENTIFYING,
    STATE_RUNNING,
    STATE_RECORDING,
    STATE_REMOVAL,
    STATE_PORT_LOST,
    STATE_DISABLED,
    STATE_STOPPED,
    STATE_COUNT
};

#define BOARD_CODE_MAX 127

struct station_counts {
    int64_t outcome[OUTCOME_COUNT];
    int64_t failure[FAILURE_COUNT];
};

/* Somebody who asked who is there and waits for the answer. */
struct identify_request {
    struct list node;
    farm_answer *answer;
    void *context;
};

struct station {
    struct list node; /* in farm->stations, in the order of the configuration */
    struct farm *farm;
    struct log log;
    struct station_settings settings;
    const struct protocol *protocol;
    struct entry *entry;
    enum station_state state;
    char message[200]; /* why it is in that state, for people */
    struct fiber *fiber;
    struct port *port; /* NULL while closed */
    struct port_traits traits;
    bool enabled, leaving; /* leaving: ends as soon as its unit is finished */
    bool start_pressed;
    char operator_name[64]; /* who pressed START or read the code, for the unit that follows; or empty */
    char code[BOARD_CODE_MAX + 1];          /* read from the board that is worked on next; empty: none */
    char code_position[BOARD_CODE_MAX + 1]; /* where on its panel that is; empty: where the station is */
    int64_t told_job;            /* the job whose turn it was when START was pressed or the code was read */
    bool sleeping;               /* in station_sleep(): a wake-up is welcome */
    bool record_next, recording; /* the next run's dialogue is asked for; `port` is a recording one */
    struct list identify_requests;
    uint32_t baud_proven;
    bool in_step;  /* a probe has just found a board */
    bool entered;  /* a probe has played the entry, and nobody its way out: lines may be held */
    bool half_way; /* a run was cut off: the board may wait for the rest of a command */
    /* the unit being worked on */
    struct job *job;
    int64_t run;
    char serial[NUMBER_TEXT_MAX]; /* of the unit, once it is reserved; empty: none */
    struct board board;
    bool board_known;
    bool board_served;  /* it was worked on, and has not been seen to leave */
    int64_t served_job; /* for which that board was worked on last */
    struct progress progress;
    bool dirty; /* progress or state changed since the last telling */
    /* what was */
    json_t *last;
    struct station_counts counts;
};

struct station *station_new(struct farm *farm, const struct station_settings *settings);
void station_free(struct station *station);
/* The board that the station served last, for that job, by the record: it may still be in the socket. Without
 * a UID (NULL or empty) only its removal tells it from the next. */
void station_remember_board(struct station *station, int64_t job, const char *uid);
/* A conversation that begins on the station's port, without a deadline yet; `state` is the caller's to free.
 */
struct session station_session(const struct station *station);
/* Starts the station's fiber. */
void station_begin(struct station *station);
/* Something changed that the station may have been waiting for. */
void station_wake(struct station *station);
/* The only writer of station->state. */
void station_set_state(struct station *station, enum station_state state, const char *message);
json_t *station_describe(const struct station *station);
/* What was said of the board that would be worked on next is true no longer: START, its code, who said so. */
void station_forget_board(struct station *station);
/* Presses START, where that is what the station waits for (scan.c). */
void station_press_start(struct station *station, const char *by, farm_done *done, void *context);
/* The station is working on a board or about to say so in the record. */
bool station_busy(const struct station *station);

/* --- runs
 * --------------------------------------------------------------------------------------------------- */

/* One attempt: claims a unit of the job, programs the board, and does not return before the outcome is
 * durable (or the daemon is told to stop without). On the station's fiber, port open. */
enum outcome run_unit(struct station *station, struct job *job);
/* A run that cannot even begin, recorded all the same: the port is not there. */
void run_without_port(struct station *station, struct job *job, const struct error *error);
/* A run of an earlier daemon that has no outcome: it is unknown, for ever. */
json_t *run_unknown_fact(const json_t *run, const struct clock *clock);

/* Whether nobody else has this board in his hands. Asked the moment it is known, and only then: who comes
 * second goes away, and who was first goes on. (interlock.c) */
int interlock_alone(const struct station *station, const struct board *board, struct error *error);
/* Whether it may be worked on here, by all else that is known before the first erase: it has not shipped, its
 * code and its fixture are as ordered. `known` are the numbers that its chip has, as the record knows them.
 */
int interlock_check(const struct station *station, const struct job *job, const json_t *known,
                    struct error *error);
/* The numbers that a chip has, by its UID (empty: []): a new reference, or NULL with the error; may wait. */
json_t *interlock_numbers(struct farm *farm, const char *uid, struct error *error);
/* Whether a number in that state stays with its chip and may be used on it again. */
bool interlock_may_keep(const struct job *job, const json_t *serial);

/* Puts a recorder between the session and the station's port, for the run that begins; and takes it away. */
void recording_begin(struct station *station, struct session *session, const struct order *order);
void recording_end(struct station *station, const struct report *report);

/* A section of the configuration for that port, with a choice of protocols to be made in it (ports.c). */
char *ports_section(const char *name, const char *port);

/* --- the farm ---------------------------------------------------------------------------------------------
 */

struct farm {
    struct farm_options options;
    struct log log;
    struct images *images;
    struct list stations, jobs, pools;
    struct list accepting; /* jobs on their way into the record */
    struct list retiring;  /* stations that leave or are replaced */
    int64_t last_job, last_run;
    farm_listener *listener;
    void *listener_context;
    bool starting, started, stopping, stop_at_once, stopped;
    farm_done *stop_done;
    void *stop_context;
    uv_timer_t telling, stop_timer;
    struct farm_statistics statistics;
    json_t *remembered;          /* name -> {enabled}: what the record says of stations */
    json_t *keys_in_progress;    /* Idempotency-Keys of requests that are being worked on */
    json_t *recipes_in_progress; /* names of recipes that a request is changing */
    struct list late; /* facts on their way into the record, and the timer of the one that waits for room */
    uv_timer_t retry;
};

/* Appends one fact, again and again until it is durable: for facts that have happened already. Takes the
 * body. Never blocks; the order of calls is kept. */
void farm_record(struct farm *farm, const char *kind, json_t *body);
/* Something may be to do for stations: wakes them all. */
void farm_wake(struct farm *farm);
/* Stations came, went or were disabled: a job may have nothing left to wait for. */
void farm_review_jobs(struct farm *farm);
/* Whether a station of the same name or port is still finishing its unit. */
bool farm_retiring(const struct farm *farm, const struct station *station);
/* A station's fiber has ended. */
void farm_station_ended(struct farm *farm, struct station *station);
/* Progress or live state changed: it is told within 200 ms. */
void farm_tell(struct farm *farm);
/* Another station that has a board with this UID in its hands, or NULL. */
const struct station *farm_uid_in_use(const struct farm *farm, const struct station *asking,
                                      const struct board *board);
struct station *farm_find_station(const struct farm *farm, const char *name);
struct job *farm_find_job(const struct farm *farm, int64_t id);

#endif
