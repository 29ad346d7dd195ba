/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the procedure share with each other and with nobody else: program.c has its course, its
 * phases and their times; program_write.c erases and writes; program_verify.c looks whether it is there. */
#ifndef FLASHFARM_STATIONS_PROGRAMMING_H
#define FLASHFARM_STATIONS_PROGRAMMING_H

#include "program.h"

#include <sodium.h>

struct programming {
    struct session *session;
    const struct order *order;
    const struct plan *plan;
    const struct program_watcher *watcher;
    struct report *report;
    struct error *error;
    /* where the running phase began */
    enum phase_name phase;
    int64_t began_us;
    struct port_meter meter;
    int64_t retry_us;
    /* weights for progress: floors of all phases at the rate in use */
    int64_t weight_us[PHASE_COUNT], weight_sum_us;
    unsigned percent;
    bool touched; /* something on the chip may have changed */
    crypto_hash_sha256_state digest;
    /* one transfer each: what should be there, and what is */
    uint8_t *wanted, *found;
};

/* The phases themselves; 0 or the error's code, which stands in work->error with its class. */
int program_erase(struct programming *work);
int program_write(struct programming *work);
int program_verify(struct programming *work);

/* --- for those three ---------------------------------------------------------------------- */

void programming_progress(struct programming *work, uint32_t done, uint32_t total);
/* Gives the error the phase's class, unless its code says what happened whatever was being done. */
int programming_failed(struct programming *work, enum failure failure);
/* Whether looking at what landed and going on makes sense after this error. */
bool programming_recoverable(const struct programming *work, int status);

struct recovery {
    int64_t began_us;
    struct port_meter meter;
};
/* Books the time from one to the other as retry, and as nothing else. */
struct recovery programming_begin_recovery(const struct programming *work);
void programming_end_recovery(struct programming *work, const struct recovery *recovery);

/* What covers a part of flash while the loader runs was read in its place: those bytes are taken to be as
 * they should, and counted. */
void programming_fill_hidden(const struct programming *work, uint32_t address, uint8_t *found,
                             const uint8_t *wanted, uint32_t size);
/* Reading changes nothing, so a read that failed is repeated in step. */
int programming_read(struct programming *work, uint32_t address, uint8_t *bytes, uint32_t size);
/* Writes one block of the image, whatever it holds, with the procedure's recovery. */
int programming_write_block(struct programming *work, const struct plan_block *block);

#endif
