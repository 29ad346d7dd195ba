/* SPDX-License-Identifier: Apache-2.0 */
/* The procedure that programs one board, whatever its protocol: connect → identify → interlock → reserve →
 * erase → write → verify → option bytes → protect → run (DESIGN section 5). All policy is here. */
#ifndef FLASHFARM_STATIONS_PROGRAM_H
#define FLASHFARM_STATIONS_PROGRAM_H

#include "failure.h"
#include "plan.h"
#include "protocol.h"

enum outcome { OUTCOME_PASS, OUTCOME_FAIL, OUTCOME_ABORTED, OUTCOME_UNKNOWN, OUTCOME_COUNT };
const char *outcome_word(enum outcome outcome);

/* What happened in one phase, in microseconds. wire + target + host + retry = measured. */
struct phase_report {
    bool entered;
    int64_t measured_us;
    int64_t floor_us;
    int64_t wire_us; /* bits on the line */
    int64_t
        target_us;   /* waiting for the board beyond that: its flash, its turnaround, the adapter's latency */
    int64_t host_us; /* this computer */
    int64_t retry_us; /* all of recovery, whoever's fault */
};

/* How it was verified. The last two are for chips that cannot be read: the second programming of the same
 * unit gave the same sums as the first, or the sums are those that such a unit, or the order itself, has
 * taught. */
enum verify_method { VERIFY_NONE, VERIFY_READ_BACK, VERIFY_CHECKSUM, VERIFY_TWICE, VERIFY_LEARNED };
const char *verify_method_word(enum verify_method method);

struct report {
    enum outcome outcome;
    enum failure failure;
    struct error error; /* the sentence; empty on pass */
    struct board board;
    const struct chip_family *family;
    struct phase_report phases[PHASE_COUNT];
    uint32_t baud; /* the rate that proved itself */
    uint32_t retries;
    struct link_counts link; /* attempts: until the board answered */
    uint32_t bytes_written;
    enum verify_method verify;
    uint8_t digest[32]; /* SHA-256 of what was verified; set when verify is not VERIFY_NONE */
};

struct progress {
    enum phase_name phase;
    unsigned percent;     /* of the whole run, by time; never falls */
    uint32_t done, total; /* bytes of this phase, where it has any */
};

/* What a chip that cannot be read says of one erase unit. */
struct sector_sum {
    uint32_t address;
    uint32_t sum;
};

/* Who is asked and told while it goes. All calls run on the station's fiber. */
struct program_watcher {
    /* Whether this very board may be worked on here, when its unique id has become known: before `reserve`,
     * or, on a chip that had to be opened first, after it. May be NULL. */
    int (*interlock)(void *context, const struct board *board, struct error *error);
    /* The board is known and right by the order's own checks. The last word before the first erase: 0 to go
     * on, or an error that aborts with nothing touched. May wait (the run is made durable here). */
    int (*reserve)(void *context, const struct board *board, struct error *error);
    void (*progress)(void *context, const struct progress *progress);
    /* Fills in the sums that a verified unit gave for this order's content; false: not all are known. And the
     * other way round: what this unit has taught. Both may be NULL. */
    bool (*known_sums)(void *context, struct sector_sum *sums, size_t count);
    void (*learn_sums)(void *context, const struct sector_sum *sums, size_t count);
    void *context;
};

/* Programs the board on session->port. Always fills the report; returns 0 on pass, else the error's code.
 * The session's lines are released in every case. */
int program_board(struct session *session, const struct order *order, const struct plan *plan,
                  const struct program_watcher *watcher, struct report *report);

#endif
