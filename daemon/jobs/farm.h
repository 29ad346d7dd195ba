/* SPDX-License-Identifier: Apache-2.0 */
/* The farm: stations, jobs and runs of this host, and what may be asked of them. This is all that api/ and
 * main.c know of the domain. Everything runs on the loop's thread; what takes time answers by callback.
 *
 * Errors: -EINVAL for a request that makes no sense (the sentence names the member and the remedy), -ENOENT
 * for an unknown name or id, -EEXIST for a collision, -EBUSY when it is not the time for it (-EBUSY of a
 * station that runs, a job that has ended), -EAGAIN when the same Idempotency-Key is still in progress,
 * -EPERM when a key was used before with another body, -EACCES when the one who asks may not, -ESTALE when it
 * has changed since it was read, -ENOSPC/-EIO when the record could not be made. */
#ifndef FLASHFARM_JOBS_FARM_H
#define FLASHFARM_JOBS_FARM_H

#include "clock.h"
#include "log.h"
#include "result.h"
#include "settings.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct farm;
struct fibers;
struct store;

struct farm_options {
    uv_loop_t *loop;
    struct fibers *fibers;
    struct store *store;
    const struct clock *clock;
    const struct log_output *log;
    const char *state; /* directory; images are kept in <state>/images/<sha256> */
    /* Whose signatures are trusted: *.pub in this directory; NULL or empty: nobody's. */
    const char *trusted_keys;
    const char *key_store; /* directory of key material that key pools refer to; NULL: there is none */
    bool two_people;       /* a recipe is released by somebody else than who saved it */
    /* Only released recipes may be run by roles that are not allowed to order ad hoc (enum order_right). */
};

struct farm *farm_new(const struct farm_options *options);
/* Only after farm_stop() has called back. */
void farm_free(struct farm *farm);

/* Gives the farm its stations; again on SIGHUP: new stations start, vanished ones end and changed ones are
 * replaced as soon as their running unit is finished; unchanged ones do not notice. */
int farm_configure(struct farm *farm, const struct settings *settings, struct error *error);

/* Takes up the state of the record: runs that were in flight become `unknown`, open jobs go on. Records
 * daemon.started. `done` is called when that is durable and stations have begun to work. */
typedef void farm_done(void *context, int status, const struct error *error);
int farm_start(struct farm *farm, farm_done *done, void *context, struct error *error);

/* No new units; running ones may finish until `timeout_ms` from now, then they are cancelled. `done` is
 * called when every station is at rest and daemon.stopped is durable. Called again, it cancels at once. */
void farm_stop(struct farm *farm, int timeout_ms, farm_done *done, void *context);

/* What happens, for server-sent events and /metrics. Facts come in ledger order once they are durable;
 * progress is ephemeral, at most 5/s per station. All pointers are valid during the call only. */
struct farm_event {
    int64_t sequence;    /* of the ledger; 0 for progress */
    const char *utc;     /* of a fact; NULL for progress */
    const char *topic;   /* the fact's kind ("run.ended"), or "progress", or "station" (live state) */
    const char *station; /* of progress and live state: the newest of a topic and station stands for all
                            before it; NULL for a fact */
    const char *json;    /* the body: canonical text */
};
typedef void farm_listener(void *context, const struct farm_event *event);
void farm_set_listener(struct farm *farm, farm_listener *listener, void *context);

/* New references of live state. A station: {name, state, port, protocol, baud, entry, position, enabled,
 * job, run, phase, percent, chip, uid, serial, message, path, low_latency, latency_timer_ms, modem_lines,
 * last:{run,outcome,class,message,ended,gone}, counts:{pass,fail,aborted,unknown}, proven_baud,
 * recording, fixture, code}. State is one of
 * `starting`, `idle`, `waiting` (for a board, or for START), `identifying`, `running`, `recording`,
 * `removal` (of the finished board), `port-lost`, `disabled`, `stopped`. */
json_t *farm_stations(const struct farm *farm);                  /* array */
json_t *farm_station(const struct farm *farm, const char *name); /* NULL: unknown */

enum station_command { STATION_START, STATION_ENABLE, STATION_DISABLE, STATION_RECORD };
/* START presses the station's button (trigger on_start); farm_station_scan() does so with a code read from
 * the board or its panel. ENABLE and DISABLE are facts: a disabled station finishes its unit and takes no
 * other. RECORD keeps the dialogue of the station's next run (farm_dialogue). `done` once it is taken (START)
 * or durable. */
void farm_station_command(struct farm *farm, const char *name, enum station_command command, const char *by,
                          farm_done *done, void *context);

/* A code was read from the board (or, with `position`, from the panel in which it is at that place) that this
 * station works on next: it chooses the unit of units[] that names it, and must fit the recipe's board_code.
 */
void farm_station_scan(struct farm *farm, const char *name, const char *code, const char *position,
                       const char *by, farm_done *done, void *context);

/* `answer` is a new reference for the callee, or NULL with the error. */
typedef void farm_answer(void *context, json_t *answer, const struct error *error);

/* A code was read somewhere in the farm, from a board or from the panel that holds several: it goes to the
 * stations that it is for, as farm_station_scan() would, or to none. A code that units[] of a running job
 * name goes, for each of these units that is neither made nor in work, to the unit's `station`, or to the
 * job's station at its `position`, or else to the job's next station that waits, by position. Any other code
 * goes to the next station of the one job that waits for boards and takes such a code. `skip`: names of
 * stations that are left out (an array, borrowed; NULL: none). With `dry_run` nothing is done. Answers
 * {"assigned": [{"station", "position", "unit", "code"}], "repeated", "sentence"}: `unit` is its index in
 * units[] or null, `sentence` says what happens and what the operator does next. `repeated`: the code was
 * read before, `assigned` are the stations that have it, and nothing was done. -EINVAL: no order has a use
 * for that code. -EBUSY: not now; the sentence names station, state and remedy. */
void farm_scan(struct farm *farm, const char *code, const json_t *skip, bool dry_run, const char *by,
               farm_answer *answer, void *context);

/* Presses START of those stations (an array of names, borrowed; NULL: all that wait for it) but for `skip`.
 * Answers {"started": [names]}, by position. -EBUSY, and none is started: one of those that are named does
 * not wait for START, or, of all, not one. -EINVAL: there is no such station. */
void farm_start_stations(struct farm *farm, const json_t *names, const json_t *skip, const char *by,
                         farm_answer *answer, void *context);

/* Connects, reads who is there, lets go: {chip_id, chips:[names], uid, flash_size, bootloader, protected}. */
void farm_station_identify(struct farm *farm, const char *name, farm_answer *answer, void *context);

/* {"run", "dialogue"}: what was said during a run that was recorded (tests/dialogues/README.md); -ENOENT. */
void farm_dialogue(struct farm *farm, int64_t run, farm_answer *answer, void *context);

/* Ports found on this host now: {"items":[{name, device, description, usb_vendor, usb_product, usb_serial,
 * station, section}]}, station being who uses it or null; `section`, where nobody does, is what to add to the
 * configuration for it, else null. Runs in the pool. */
void farm_ports(struct farm *farm, farm_answer *answer, void *context);
/* The catalogue: {"items":[{name, family, document, id, flash_base, flash_size, protocol}]}. */
json_t *farm_chips(void);
json_t *farm_chip(const char *name); /* one item; NULL: unknown */

/* Takes over a file (by rename, same file system as <state>) as an image: hashes and parses it in the pool,
 * records image.added, answers {id, name, format, size, base, ranges, added, by, created: true or false for
 * one that was known}. -EINVAL: it cannot be parsed (line or offset in the sentence). The file is removed
 * in every case. A raw binary needs has_base. */
struct farm_upload {
    const char *path, *name, *by;
    bool has_base;
    uint32_t base;
};
void farm_image_add(struct farm *farm, const struct farm_upload *upload, farm_answer *answer, void *context);
/* Where the directory for unfinished uploads is; the farm empties it at start. */
const char *farm_upload_directory(const struct farm *farm);

/* Submits a job: POST /v1/jobs with the body of DESIGN section 6. `idempotency_key` may be NULL only with
 * "dry_run": true. Answers the job as store_job() does, plus "repeated": true when it is an earlier request's
 * answer. The body is borrowed. A dry run answers {"dry_run": true, "findings": [lint.h], "stations":
 * [{"name", "protocol", "floor_us", "phases": [{"name", "floor_us"}]}], "plan": [{"protocol", "erase_all",
 * "sectors", "blocks", "write_bytes", "verify_bytes", "digest"}], "units": n}; nothing is touched. An order
 * that the lint refuses is -EINVAL with its first error. ORDER_RELEASED: only by the name of a released
 * recipe, else -EACCES. */
enum order_right { ORDER_ANY, ORDER_RELEASED };
void farm_job_submit(struct farm *farm, json_t *body, const char *idempotency_key, enum order_right right,
                     const char *by, farm_answer *answer, void *context);
/* The live part of a job that has not ended: {id, state, in_flight, remaining, stations:[…]}; NULL when the
 * farm does not hold it (ended or unknown: ask the store). */
json_t *farm_job_live(const struct farm *farm, int64_t id);

/* Serial pools: {name, kind: "serial" | "eui48" | "key", first, last, step, format:{…},
 * warn_percent:[70,85,95], items:[{id, sha256}] of a key pool, local: true for locally administered
 * addresses, reason}. Addresses may be texts ("00-00-5E-00-53-00"). Answers the pool as store_pool() does.
 * -EEXIST: the name is taken, or the numbers (EUI-48) overlap another pool's. */
void farm_pool_create(struct farm *farm, const json_t *body, const char *by, farm_answer *answer,
                      void *context);
/* CLOSE: no more numbers from it. BURN: the next `count` numbers are never used. `reason` is not empty. */
enum pool_command { POOL_OPEN, POOL_CLOSE, POOL_BURN };
void farm_pool_command(struct farm *farm, const char *name, enum pool_command command, int64_t count,
                       const char *reason, const char *by, farm_answer *answer, void *context);
/* A person decides on a number in doubt (`unknown`: pass, fail, burned) or scraps one (`fail`, `pass`:
 * burned). `state` is the word. -EBUSY: not from the state it is in. Answers the serial as store_serial(). */
void farm_serial_settle(struct farm *farm, const char *serial, const char *state, const char *reason,
                        const char *by, farm_answer *answer, void *context);

/* Recipes: {name, chip, images:[id], fields, checks, serial_pool, protect, unprotect, option_bytes, keep,
 * run, timeout_s, board_code, fixtures, signature:{required, keys:[name], mcuboot, counter, max_units}, sums,
 * description}. SAVE makes a draft: version 0 the next one, else replaces that draft. `if_match`: the `fact`
 * that the caller has seen; 0: any. -ESTALE: it has changed since. -EBUSY: it is released or retired. Answers
 * as store_recipe(). */
void farm_recipe_save(struct farm *farm, const char *name, int64_t version, const json_t *body,
                      int64_t if_match, const char *by, farm_answer *answer, void *context);
/* RELEASE: lint first (-EINVAL with the first error); with two_people -EACCES for who saved it. RETIRE: jobs
 * that run go on. `reason` may be empty. */
enum recipe_command { RECIPE_RELEASE, RECIPE_RETIRE };
void farm_recipe_command(struct farm *farm, const char *name, int64_t version, enum recipe_command command,
                         int64_t if_match, const char *reason, const char *by, farm_answer *answer,
                         void *context);
/* {"findings": […]} of a recipe as saved. */
void farm_recipe_lint(struct farm *farm, const char *name, int64_t version, farm_answer *answer,
                      void *context);

/* A detached signature of an image that is here already: `text` is the .minisig file. -EINVAL, -EKEYREJECTED.
 * Answers {"image", "key_id", "key_name", "comment", "by"}. */
void farm_image_sign(struct farm *farm, const char *id, const char *text, const char *by, farm_answer *answer,
                     void *context);

enum job_command { JOB_CANCEL, JOB_HOLD, JOB_RESUME };
/* CANCEL ends the job; units in flight are cancelled too. HOLD lets them finish. Answers the job. */
void farm_job_command(struct farm *farm, int64_t id, enum job_command command, const char *by,
                      farm_answer *answer, void *context);

/* Numbers for /metrics. */
struct farm_statistics {
    size_t stations, stations_running, stations_lost, stations_disabled;
    size_t jobs_open;
    int64_t runs_by_outcome[4]; /* pass, fail, aborted, unknown: since the daemon started */
    int64_t bytes_written;      /* to chips, since the daemon started */
};
struct farm_statistics farm_statistics(const struct farm *farm);
/* Calls `each` for every (station, class) pair with failures since the daemon started. */
void farm_failures(const struct farm *farm,
                   void (*each)(void *context, const char *station, const char *class_word, int64_t count),
                   void *context);

#endif
