/* SPDX-License-Identifier: Apache-2.0 */
/* Reads flashfarm.conf: INI, one table of keys, from which the defaults, the checks and the help come. It
 * knows no port, protocol or board; what those are called is asked of the callbacks it is given. */
#ifndef FLASHFARM_CONFIG_H
#define FLASHFARM_CONFIG_H

#include "result.h"
#include "settings.h"

#include <stdio.h>

#define CONFIG_DEFAULT_PATH "/etc/flashfarm/flashfarm.conf"

/* Says whether a value is one that the stations understand: 0, or negative with a sentence that tells what
 * was expected. A NULL callback accepts everything (the command line reads only [daemon]). */
typedef int config_check(const char *value, struct error *error);
struct config_checks {
    config_check *port, *protocol, *entry, *power;
};

/* Reads a whole file. On success `settings` owns its memory: settings_clear() frees it. On failure it is
 * empty, and the sentence reads "FILE:LINE: what was found; what is expected". A file without stations is
 * good. The error is -EINVAL for what is written in it, else the errno of reading it. */
int config_read(const char *path, const struct config_checks *checks, struct settings *settings,
                struct error *error);
void settings_clear(struct settings *settings);

/* Every section and key with its default and meaning. */
void config_print_help(FILE *out);

#endif
