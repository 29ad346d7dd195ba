/* SPDX-License-Identifier: Apache-2.0 */
/* What one run has for its unit alone: its numbers, its place in units[], its bytes. Numbers that are taken
 * here are in nobody else's hands until they are in the record or given back. */
#ifndef FLASHFARM_JOBS_UNIT_DATA_H
#define FLASHFARM_JOBS_UNIT_DATA_H

#include "parts.h"

struct unit_number {
    struct pool *pool; /* NULL: whoever ordered gave the text */
    int64_t number;
    char text[NUMBER_TEXT_MAX];
    bool kept;     /* the chip had it before this run */
    bool in_doubt; /* and nobody knows how far that got */
    uint8_t *key;
    size_t key_size;
};

struct unit_data {
    struct job *job;
    struct unit *unit; /* NULL: the order lists none */
    size_t count;
    struct unit_number *numbers;
    bool taken, made;
    char serial[NUMBER_TEXT_MAX]; /* empty: the unit has none */
    char sha256[65];              /* of the bytes of its own; empty: none */
    /* What program_board() works on: the job's until unit_data_make(), the unit's from then on. */
    struct overlay overlay;
};

struct unit_data unit_data_begin(struct job *job, const struct plan *plan);
/* The unit and its numbers, those that the chip has already and new ones. With an error nothing is taken. May
 * wait. */
int unit_data_take(struct unit_data *data, const struct station *station, const char *uid,
                   const json_t *known, struct error *error);
/* The unit's bytes, order and plan. May wait. */
int unit_data_make(struct unit_data *data, const struct plan *plan, const uint8_t *uid, size_t uid_size,
                   struct error *error);
/* Whether a number that the chip has is one that the unit should have been given instead. */
bool unit_data_stands_against(const struct unit_data *data, const json_t *serial);
/* What the record says of it: adds `numbers`, `serial`, `unit` and `unit_data_sha256`. */
void unit_data_add(const struct unit_data *data, json_t *body);
/* The run is not in the record: its new numbers are free again, unless the record has their very text; such a
 * number is burned. May wait. */
void unit_data_give_back(struct unit_data *data);
/* The bytes go, and are zeroised; what is for the record stays. */
void unit_data_forget(struct unit_data *data);
void unit_data_clear(struct unit_data *data);
/* Whether what is known of the units when they are ordered fits their fields: -EINVAL. */
int unit_data_check(const struct job *job, struct error *error);
/* Whether the chip has the bytes that are its unit's own already: 1 or 0; an error when the dialogue is lost.
 * Before anything is written; `order` is the unit's. (readback.c) */
int readback_check(struct session *session, const struct order *order, struct error *error);
/* Whether units of the job take keys. */
bool unit_data_is_secret(const struct job *job);

#endif
