/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of daemon/jobs share with each other and with nobody else: the structures, and who may
 * change what. Each state has one writer: station_set_state() in station.c, job_set_state() in job.c; a run
 * begins and ends in run.c. */
#ifndef FLASHFARM_JOBS_PARTS_H
#define FLASHFARM_JOBS_PARTS_H

#include "farm.h"
#include "fiber.h"
#include "images.h"
#include "list.h"
#include "program.h"
#include "store.h"

struct job;
struct station;

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

struct job {
    struct list node; /* in farm->jobs, by id */
    struct farm *farm;
    struct log log;
    int64_t id;
    enum job_state state;
    enum job_trigger trigger;
    char *work_order; /* may be empty */
    char *by;
    json_t *body;      /* as recorded in job.submitted */
    json_t *images;    /* array of ids, borrowed from body */
    json_t *sums;      /* of units that cannot be read: [{address, sum}], once they are known */
    int64_t taught_by; /* the run that taught them; 0: the order */
    struct image image;
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
/* Loads the images and makes the plans; on a fiber. */
int job_prepare(struct job *job, struct error *error);
void job_free(struct job *job);

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

/* Puts a recorder between the session and the station's port, for the run that begins; and takes it away. */
void recording_begin(struct station *station, struct session *session, const struct order *order);
void recording_end(struct station *station, const struct report *report);

/* --- the farm ---------------------------------------------------------------------------------------------
 */

struct farm {
    struct farm_options options;
    struct log log;
    struct images *images;
    struct list stations, jobs;
    struct list retiring; /* stations that leave or are replaced */
    int64_t last_job, last_run;
    farm_listener *listener;
    void *listener_context;
    bool starting, started, stopping, stop_at_once, stopped;
    farm_done *stop_done;
    void *stop_context;
    uv_timer_t telling, stop_timer;
    struct farm_statistics statistics;
    json_t *remembered;       /* name -> {enabled}: what the record says of stations */
    json_t *keys_in_progress; /* Idempotency-Keys of requests that are being worked on */
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
