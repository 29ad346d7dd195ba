/* SPDX-License-Identifier: Apache-2.0 */
/* Answers queries on libuv's pool, each on a read-only connection of its own. A request is made and submitted
 * on the loop's thread; its answer is built on a thread of the pool and handed over whole. */
#ifndef FLASHFARM_STORE_READER_H
#define FLASHFARM_STORE_READER_H

#include "database.h"
#include "list.h"
#include "store.h"

struct reader;
struct request;

/* Makes request->result from what the database says; runs on a thread of the pool. */
typedef int request_answer(struct database *database, struct request *request, struct error *error);

struct reader *reader_new(const char *path, uv_loop_t *loop);

/* Ends what is under way and answers all that is outstanding (-ECANCELED where it was cut short). The loop
 * must run once more before it is closed. */
void reader_free(struct reader *reader);

struct request *request_new(struct reader *reader, enum query query, request_answer *make,
                            store_answer *answer, void *context);

/* A value for the query; NULL leaves it out. Texts are copied, `name` is not. */
void request_text(struct request *request, const char *name, const char *text);
void request_integer(struct request *request, const char *name, int64_t value);
/* A bound of time; `otherwise` when it is left out. */
void request_time(struct request *request, const char *name, const char *text, const char *otherwise);
/* Which page: the query's :before and :limit. */
void request_page(struct request *request, const struct store_page *page);
/* What a request for one thing asks for, in the words of the error when it is not there. */
void request_subject(struct request *request, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Hands it to the pool; the answer comes on the loop, even when the request itself is wrong (-EINVAL). */
void request_submit(struct request *request);

/* For answers that are made elsewhere (evidence.c, backup.c): an integer and a text that the request was
 * given, a statement with all its values, and what it is answered with (takes the reference). */
int64_t request_value(const struct request *request, const char *name);
const char *request_given(const struct request *request, const char *name);
sqlite3_stmt *request_statement(struct database *database, enum query query, const struct request *request,
                                struct error *error);
void request_result(struct request *request, json_t *result);
/* One row as the answers have it: an object, without the cursor. */
json_t *reader_row(sqlite3_stmt *row);

/* The kinds of answer: {"items","next"}, the same with items as text and their "count", one thing, and the
 * history of a unit. */
request_answer answer_page, answer_text_page, answer_one, answer_unit;

/* On the calling thread: all rows as an array; NULL with the error. */
json_t *reader_rows(struct reader *reader, enum query query, struct error *error);

#endif
