/* SPDX-License-Identifier: Apache-2.0 */
/* Log lines on standard error, each with the name of the object that speaks.
 *
 * Five levels, by what the reader is to do:
 *   error    something is lost or refused; a person must act
 *   warning  it goes on, but a person should look before the shift ends
 *   notice   what an operator would tell: jobs, runs, stations coming and going
 *   info     what an engineer asks for when a line behaves oddly
 *   debug    every step; not for production
 * Under systemd (JOURNAL_STREAM set) a line starts with "<n>" (sd-daemon(3)), else with time and level. */
#ifndef FLASHFARM_BASE_LOG_H
#define FLASHFARM_BASE_LOG_H

#include <stdbool.h>
#include <stdio.h>

enum log_level { LOG_ERROR, LOG_WARNING, LOG_NOTICE, LOG_INFO, LOG_DEBUG };

/* Where lines go; one per process, passed by reference to every `struct log`. */
struct log_output {
    FILE *file;
    enum log_level level; /* the least urgent level that is still written */
    bool journal;         /* "<n>" prefixes instead of time and level */
};

/* One object's voice; copied by value. */
struct log {
    const struct log_output *output;
    char name[48]; /* "station A1"; empty for the daemon itself */
};

/* Standard error at `level`; journal form when JOURNAL_STREAM is set. */
struct log_output log_output_stderr(enum log_level level);
struct log log_named(const struct log_output *output, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void log_write(const struct log *log, enum log_level level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define log_error(log, ...)   log_write(log, LOG_ERROR, __VA_ARGS__)
#define log_warning(log, ...) log_write(log, LOG_WARNING, __VA_ARGS__)
#define log_notice(log, ...)  log_write(log, LOG_NOTICE, __VA_ARGS__)
#define log_info(log, ...)    log_write(log, LOG_INFO, __VA_ARGS__)
#define log_debug(log, ...)   log_write(log, LOG_DEBUG, __VA_ARGS__)

#endif
