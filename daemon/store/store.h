/* SPDX-License-Identifier: Apache-2.0 */
/* The record: an append-only, hash-chained ledger of facts in SQLite, and queries on its projections.
 *
 * The only thing that is ever written is a fact: a kind and a JSON body. Every other table is a projection
 * that the schema's own triggers make from the ledger (schema/migrations), inside the same transaction; so
 * replaying the ledger into an empty database must give the same tables, and `flashfarm audit verify` does
 * just that. One thread writes (group commit, synchronous=FULL); answers to queries are made on read-only
 * connections in libuv's pool. All functions are called on the loop's thread and all callbacks run there.
 *
 * Errors: -ENOSPC when there is no room, -EIO for other trouble of the disk, -EEXIST when a fact collides
 * with a unique one (an Idempotency-Key, an id), -EPROTO when the schema refuses it, -ENOENT for what is not
 * there, -EINVAL for a query that cannot be (a cursor, a time, a limit), -EBUSY when another process has the
 * record open. A fact that was refused is not in the ledger, not even in part. */
#ifndef FLASHFARM_STORE_STORE_H
#define FLASHFARM_STORE_STORE_H

#include "clock.h"
#include "log.h"
#include "result.h"

#include <jansson.h>
#include <stdint.h>
#include <uv.h>

struct fibers;
struct store;

struct store_options {
    const char *path; /* of the database file; made when missing, with its -wal and -shm beside it */
    uv_loop_t *loop;
    const struct clock *clock;
    struct log log;
    /* 32-byte seed of the Ed25519 key that signs checkpoints, borrowed until store_open() returns, and the
     * origin line of its notes ("flashfarm/HOST"); NULL: no checkpoints (tests). */
    const uint8_t *signing_seed;
    const char *origin;
    int checkpoint_every_records, checkpoint_every_s; /* 0: 256 and 60 */
    const char *restored; /* why the record is older than its mark says (--restored REASON); else NULL */
};

/* Opens, migrates (each numbered file in a transaction of its own; a database newer than the program is
 * refused), checks that the head of the chain is whole, and starts the writer thread. Blocks. */
int store_open(struct store **store, const struct store_options *options, struct error *error);

/* Commits what is queued, ends the writer thread, closes. Calls outstanding callbacks (-ECANCELED for queries
 * that were cut short). Blocks. The loop must run once more before it is closed. */
void store_close(struct store *store);

struct store_fact {
    const char *kind; /* a literal: "run.started" */
    json_t *body;     /* an object; store_append() takes the reference */
};

/* One row of the ledger, as committed. Valid during the callback only. */
struct store_record {
    int64_t sequence; /* from 1, without gap */
    const char *utc;  /* "2026-11-21T12:25:00.123456Z" */
    const char *kind;
    const char *body; /* canonical JSON: keys sorted, no spaces */
    const char *hash; /* 64 hexadecimal digits */
};

typedef void store_done(void *context, int status, const struct error *error);
typedef void store_listener(void *context, const struct store_record *record);
/* `answer` is a new reference for the callee, or NULL with the error. */
typedef void store_answer(void *context, json_t *answer, const struct error *error);

/* Appends facts in one transaction, all or none; `done` runs once they are durable or refused. Order of
 * calls is order in the ledger. After the callback of an append and before that of any later one, the
 * listener hears of its records, in order. No facts at all is a sign of life: `done` runs once the writer has
 * been through everything before. */
void store_append(struct store *store, const struct store_fact *facts, size_t count, store_done *done,
                  void *context);

/* As store_append(), waiting on the current fiber (fiber_await(): cancellation is held back). Outside a fiber
 * it blocks, and runs the callbacks of what is committed meanwhile; so not from a callback of the store. */
int store_append_wait(struct store *store, struct fibers *fibers, const struct store_fact *facts,
                      size_t count, struct error *error);

/* Who hears of every committed record; one listener (the farm, which passes it on). */
void store_set_listener(struct store *store, store_listener *listener, void *context);

/* What the farm needs to go on after a start: {"jobs":[bodies of jobs that have not ended, each with its
 * state, its counts and "served", the stations that had their turn], "runs":[runs without outcome],
 * "stations":[{name,enabled,served_job,served_uid}], "pools":[as store_pool(), with "gaps": [numbers below
 * next that are neither in a state nor burned, the first 1000 of them], and "items": [{id,sha256}] of a key
 * pool], "doubt":[serials in state unknown, reserved or bound], "last_job":n, "last_run":n, "clean":bool (the
 * last daemon stopped in good order, or there was none)}. Blocks; called once before the loop runs. */
int store_load(struct store *store, json_t **state, struct error *error);

/* A page of a list: answers {"items":[…], "next":cursor or null}. Cursors are opaque texts. */
struct store_page {
    const char *cursor; /* NULL: from the start */
    int limit;          /* 1..1000; 0: 100 */
};

/* What to look for; NULL or 0 means any. */
struct store_run_filter {
    int64_t job;
    const char *serial, *uid, *image, *work_order, *station;
    const char *by;     /* operator or key */
    const char *recipe; /* "NAME" or "NAME/VERSION" */
    const char *pool;
    const char *outcome;   /* "running": those without one */
    const char *from, *to; /* RFC 3339 times of the run's start; from included, to excluded */
    bool brief; /* not what is kept of each run, but id, job, station, outcome, class, message, serial,
                 * uid, chip, image, work_order, started, ended, by: a tenth of the time. `items` of the
                 * answer is then the text of the array, and `count` how many it has */
};

/* Lists are newest first, the ledger oldest first. */
void store_runs(struct store *store, const struct store_run_filter *filter, const struct store_page *page,
                store_answer *answer, void *context);
void store_run(struct store *store, int64_t id, store_answer *answer, void *context);
/* The history of one board by its serial, or else by its chip UID: {"serial","uid","runs":[…]}; -ENOENT. */
void store_unit(struct store *store, const char *serial_or_uid, store_answer *answer, void *context);
/* Jobs of a list have no `units` among their options; `units` of a job is {"count", "codes"} or null. */
void store_jobs(struct store *store, const char *state, const char *work_order, const struct store_page *page,
                store_answer *answer, void *context);
void store_job(struct store *store, int64_t id, store_answer *answer, void *context);
void store_images(struct store *store, const struct store_page *page, store_answer *answer, void *context);
void store_image(struct store *store, const char *id, store_answer *answer, void *context);
/* {"key","body_sha256","job"}; -ENOENT when the key is unknown. */
void store_idempotency(struct store *store, const char *key, store_answer *answer, void *context);
/* What a unit that was programmed twice has taught about a content, named by the digest of the image, a blank
 * and the chip: {"run","sums":[{"address","sum"}]}; -ENOENT. */
void store_taught(struct store *store, const char *content, store_answer *answer, void *context);
/* Records from sequence `from` on (included): items {"sequence","utc","monotonic_us","clock","boot","kind",
 * "body","hash"}, body as an object, and "canonical" the very text that was hashed. */
void store_ledger(struct store *store, int64_t from, int limit, store_answer *answer, void *context);

/* Pools and their numbers. A pool: {name, kind, format, first, last, step, next, state, reason, warn_percent,
 * warning, by, created, fact, left, issued, counts:{reserved, bound, pass, fail, unknown, burned, returned}};
 * issued is the sum of the counts, which the schema itself checks; warning is the highest of warn_percent
 * that is reached, or null. Without a pool: all numbers, also those that the MES supplied. A serial: {serial,
 * pool, number, state, run, uid, attempts, job, reason, by, updated, fact}. */
void store_pools(struct store *store, const struct store_page *page, store_answer *answer, void *context);
void store_pool(struct store *store, const char *name, store_answer *answer, void *context);
void store_serials(struct store *store, const char *pool, const char *state, const struct store_page *page,
                   store_answer *answer, void *context);
void store_serial(struct store *store, const char *serial, store_answer *answer, void *context);
/* Every serial and address that this chip has, by its UID: {"items": [serials]}; not an error when empty. */
void store_serials_of_uid(struct store *store, const char *uid, store_answer *answer, void *context);

/* Recipes: {name, version, state: "draft" | "released" | "retired", hash, content:{…}, by, created,
 * released_by, released, reason, fact}. `version` 0: the newest released one. */
void store_recipes(struct store *store, const char *name, const char *state, const struct store_page *page,
                   store_answer *answer, void *context);
void store_recipe(struct store *store, const char *name, int64_t version, store_answer *answer,
                  void *context);
/* {"items": [{image, key_id, key_name, comment, signature, by, added}]} */
void store_signatures(struct store *store, const char *image, store_answer *answer, void *context);
/* {"count": n}: runs that passed under that version of a recipe (`thing` its name), or with an image (`thing`
 * its id, version 0); kept as a counter. A unit that passes again counts again. */
void store_units_made(struct store *store, const char *thing, int64_t version, store_answer *answer,
                      void *context);
void store_webhooks(struct store *store, store_answer *answer, void *context);
void store_backups(struct store *store, const struct store_page *page, store_answer *answer, void *context);

/* The newest checkpoint: {"size", "root", "note", "sequence"}; -ENOENT before the first. */
void store_checkpoint(struct store *store, store_answer *answer, void *context);
/* Makes one now over everything that is durable. Not without a signing seed. */
void store_checkpoint_now(struct store *store, store_done *done, void *context);
/* Inclusion of record `sequence` in the newest checkpoint that covers it: {"sequence", "index", "size",
 * "hashes": [hex], "note", "record": {…, "canonical"}, "previous_hash"}. */
void store_proof(struct store *store, int64_t sequence, store_answer *answer, void *context);
/* 32 bytes of the public key; and "ORIGIN+KEYID+KEY", by which others check the notes. NULL without a seed.
 */
const uint8_t *store_public_key(const struct store *store);
const char *store_verifier_key(const struct store *store);

/* Copies the live database to `path` (which must not exist) on a connection of its own, in one step, in the
 * pool; then fsync. Answers {"size", "sha256", "sequence", "hash"}. Runs go on meanwhile. */
void store_backup(struct store *store, const char *path, store_answer *answer, void *context);

/* The newest committed record as the loop knows it, without asking the database. */
int64_t store_head_sequence(const struct store *store);
const char *store_head_hash(const struct store *store);

/* For /metrics: commits and records so far, the longest and the sum of commit times. */
struct store_statistics {
    int64_t records, commits, commit_us_sum, commit_us_max, refused;
};
struct store_statistics store_statistics(const struct store *store);

#endif
