/* SPDX-License-Identifier: Apache-2.0 */
/* `flashfarm record`: arms a station, waits for its next run, and fetches what was said. */
#include "commands.h"

#include "alloc.h"
#include "events.h"
#include "value.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TICK_MS          1000
#define OPEN_PATIENCE_MS 3000
#define AWAY_PATIENCE_MS 60000

struct recording {
    const char *station;
    int64_t run; /* that began after the station was armed; 0: none yet */
    bool armed, ended;
};

static void on_event(void *context, const struct event *event)
{
    struct recording *recording = context;
    const json_t *body = event->data;

    if (recording->armed && !recording->run && strcmp(event->name, "run.started") == 0 &&
        strcmp(value_text(body, "station"), recording->station) == 0)
        recording->run = value_number(body, "id");
    if (recording->run && strcmp(event->name, "run.ended") == 0 && value_number(body, "id") == recording->run)
        recording->ended = true;
}

static int arm(struct server *server, const char *station, struct error *error)
{
    char *name = http_escape(station);
    char *path = format_text("/v1/stations/%s/record", name);
    int status = http_call(server, &(struct request){.method = "POST", .path = path}, NULL, error);

    free(path);
    free(name);
    return status;
}

/* Listens before it arms, so that the run cannot slip through in between. */
static int wait_for_run(struct server *server, struct recording *recording, struct error *error)
{
    struct events *events = events_new(server, "run.", NULL, on_event, recording);
    int status = 0;

    while (status == 0 && !events_connections(events))
        status = events_wait(events, TICK_MS, -1, OPEN_PATIENCE_MS, error);
    if (status == 0)
        status = arm(server, recording->station, error);
    recording->armed = status == 0;
    if (recording->armed)
        (void)fprintf(stderr, "waiting for the next run at %s\n", recording->station);
    while (status == 0 && !recording->ended)
        status = events_wait(events, TICK_MS, -1, AWAY_PATIENCE_MS, error);
    events_free(events);
    return status;
}

static int fetch(struct server *server, const struct recording *recording, const char *path,
                 struct error *error)
{
    char *url = format_text("/v1/runs/%lld/dialogue", (long long)recording->run);
    json_t *body = NULL;
    int status = http_get(server, url, &body, error);
    FILE *file = status == 0 ? fopen(path, "we") : NULL;

    if (status == 0 && !file)
        status = error_set_errno(error, errno, "%s", path);
    if (file) {
        const char *text = value_text(body, "dialogue");

        bool written = fputs(text, file) >= 0;

        if (fclose(file) != 0 || !written)
            status = error_set_errno(error, errno, "%s", path);
    }
    if (status == 0)
        (void)printf("%s\n", path);
    json_decref(body);
    free(url);
    return status;
}

int command_record(struct server *server, const struct options *options, struct error *error)
{
    struct recording recording = {.station = options->words[1]};
    const char *asked = options_value(options, OPTION_OUTPUT);
    int status = wait_for_run(server, &recording, error);

    if (status == 0) {
        char *path = asked ? copy_text(asked)
                           : format_text("%s-%lld.dialogue", recording.station, (long long)recording.run);

        status = fetch(server, &recording, path, error);
        free(path);
    }
    return status;
}
