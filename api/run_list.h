/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of runs: a page of JSON, or all of them as CSV, streamed page by page. */
#ifndef FLASHFARM_API_RUN_LIST_H
#define FLASHFARM_API_RUN_LIST_H

#include "http.h"

/* Answers with the runs that the request's parameters ask for; of one job when `job` is not 0. */
void run_list_answer(struct request *request, int64_t job);

#endif
