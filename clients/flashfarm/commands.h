/* SPDX-License-Identifier: Apache-2.0 */
/* The commands of `flashfarm`. Each returns an exit code, or a negative errno with its sentence: main.c
 * prints it and finds the exit code (http.h says which number means what). */
#ifndef FLASHFARM_CLIENT_COMMANDS_H
#define FLASHFARM_CLIENT_COMMANDS_H

#include "http.h"
#include "options.h"

enum {
    EXIT_OK = 0,
    EXIT_FAILED_UNITS = 1,
    EXIT_USAGE = 2,
    EXIT_UNREACHABLE = 3,
    EXIT_REFUSED = 4,
    EXIT_NOT_VERIFIED = 5,
};

struct command {
    const char *name;
    const char *operands; /* for the help: "SERIAL_OR_UID" */
    size_t least, most;   /* how many operands */
    unsigned takes;       /* FOR_… of options.h */
    bool offline;         /* needs no daemon */
    int (*run)(struct server *server, const struct options *options, struct error *error);
    const char *help;
};

extern const struct command commands[];
extern const size_t command_count;

int command_program(struct server *server, const struct options *options, struct error *error);
int command_upload(struct server *server, const struct options *options, struct error *error);
int command_whoami(struct server *server, const struct options *options, struct error *error);
int command_submit(struct server *server, const struct options *options, struct error *error);
int command_record(struct server *server, const struct options *options, struct error *error);
int command_watch(struct server *server, const struct options *options, struct error *error);
int command_stations(struct server *server, const struct options *options, struct error *error);
int command_station(struct server *server, const struct options *options, struct error *error);
int command_ports(struct server *server, const struct options *options, struct error *error);
int command_chips(struct server *server, const struct options *options, struct error *error);
int command_images(struct server *server, const struct options *options, struct error *error);
int command_jobs(struct server *server, const struct options *options, struct error *error);
int command_job(struct server *server, const struct options *options, struct error *error);
int command_runs(struct server *server, const struct options *options, struct error *error);
int command_trace(struct server *server, const struct options *options, struct error *error);
int command_where_used(struct server *server, const struct options *options, struct error *error);
int command_pools(struct server *server, const struct options *options, struct error *error);
int command_pool(struct server *server, const struct options *options, struct error *error);
int command_serial(struct server *server, const struct options *options, struct error *error);
int command_recipes(struct server *server, const struct options *options, struct error *error);
int command_recipe(struct server *server, const struct options *options, struct error *error);
int command_sign(struct server *server, const struct options *options, struct error *error);
int command_scan(struct server *server, const struct options *options, struct error *error);
int command_keys(struct server *server, const struct options *options, struct error *error);
int command_key(struct server *server, const struct options *options, struct error *error);
int command_users(struct server *server, const struct options *options, struct error *error);
int command_user(struct server *server, const struct options *options, struct error *error);
int command_webhooks(struct server *server, const struct options *options, struct error *error);
int command_webhook(struct server *server, const struct options *options, struct error *error);
int command_backups(struct server *server, const struct options *options, struct error *error);
int command_backup(struct server *server, const struct options *options, struct error *error);
int command_audit(struct server *server, const struct options *options, struct error *error);

/* The result table of runs; `--json` prints the body instead. */
void print_runs(const struct options *options, const json_t *body);

#endif
