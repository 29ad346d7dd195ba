/* SPDX-License-Identifier: Apache-2.0 */
/* Comma-separated values as RFC 4180 has them, safe to open in a spreadsheet. */
#ifndef FLASHFARM_API_CSV_H
#define FLASHFARM_API_CSV_H

#include <jansson.h>
#include <stddef.h>

/* A growing text. */
struct csv {
    char *text;
    size_t size, room;
    size_t fields; /* in the line that is not ended yet */
};

/* Appends one field. A text that a spreadsheet would take for a formula gets an apostrophe in front. Arrays
 * become their items separated by blanks, objects their JSON, null and NULL nothing. */
void csv_field(struct csv *csv, const json_t *value);
/* Ends the line. */
void csv_end(struct csv *csv);

/* The heads of the columns of a run, and one run. */
void csv_run_head(struct csv *csv);
void csv_run(struct csv *csv, const json_t *run);

void csv_clear(struct csv *csv);

#endif
