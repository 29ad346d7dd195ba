/* SPDX-License-Identifier: Apache-2.0 */
#include "log.h"

#include "clock.h"

#include <stdarg.h>
#include <stdlib.h>

/* syslog(3) priorities for journald. */
static const struct {
    int priority;
    const char *word;
} levels[] = {
    [LOG_ERROR] = {3, "error"}, [LOG_WARNING] = {4, "warning"}, [LOG_NOTICE] = {5, "notice"},
    [LOG_INFO] = {6, "info"},   [LOG_DEBUG] = {7, "debug"},
};

struct log_output log_output_stderr(enum log_level level)
{
    return (struct log_output){.file = stderr, .level = level, .journal = getenv("JOURNAL_STREAM") != NULL};
}

struct log log_named(const struct log_output *output, const char *format, ...)
{
    struct log log = {.output = output};
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(log.name, sizeof log.name, format, arguments);
    va_end(arguments);
    return log;
}

void log_write(const struct log *log, enum log_level level, const char *format, ...)
{
    char line[512];
    char now[28];
    va_list arguments;

    if (!log->output || level > log->output->level)
        return;
    va_start(arguments, format);
    (void)vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    /* A name or a board's answer may hold anything; a log line is one line. */
    for (char *c = line; *c; c++)
        if ((unsigned char)*c < ' ')
            *c = ' ';
    if (log->output->journal) {
        (void)fprintf(log->output->file, "<%d>%s%s%s\n", levels[level].priority, log->name,
                      log->name[0] ? ": " : "", line);
    } else {
        clock_format_utc(clock_utc_us(&clock_system), now);
        (void)fprintf(log->output->file, "%.23sZ %-7s %s%s%s\n", now, levels[level].word, log->name,
                      log->name[0] ? ": " : "", line);
    }
}
