/* SPDX-License-Identifier: Apache-2.0 */
/* Dialogues of runs: what was said on the port, word for word, in <state>/dialogues/<run>.dialogue. An
 * engineer asks for the next run of one station; the file is for finding out what went wrong, and is no part
 * of the record. */
#include "parts.h"

#include "alloc.h"
#include "await.h"
#include "dialogue.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define DIALOGUE_LIMIT (64 << 20) /* bytes that are handed out */

static char *dialogue_path(const struct farm *farm, int64_t run)
{
    return format_text("%s/dialogues/%lld.dialogue", farm->options.state, (long long)run);
}

void recording_begin(struct station *station, struct session *session, const struct order *order)
{
    struct farm *farm = station->farm;
    char *folder = format_text("%s/dialogues", farm->options.state);
    char *path = dialogue_path(farm, station->run);
    char *header = dialogue_header(session, order, station->settings.entry);
    struct error error = ERROR_NONE;
    struct port *recorder;

    station->record_next = false;
    (void)mkdir(folder, 0750);
    if (port_record(&recorder, station->port, path, header, &error) == 0) {
        station->port = recorder;
        session->port = recorder;
        station->recording = true;
        log_notice(&station->log, "run %lld is recorded in %s", (long long)station->run, path);
    } else {
        log_warning(&station->log, "run %lld is not recorded: %s", (long long)station->run, error.text);
    }
    free(header);
    free(path);
    free(folder);
}

void recording_end(struct station *station, const struct report *report)
{
    char note[100];
    int status;

    if (!station->recording)
        return;
    (void)snprintf(note, sizeof note, "expect: %s %s", outcome_word(report->outcome),
                   failure_word(report->failure));
    port_record_note(station->port, note);
    status = port_record_end(station->port, &station->port);
    station->recording = false;
    if (status < 0)
        log_warning(&station->log, "the recording is not whole: %s", strerror(-status));
}

struct dialogue_request {
    struct farm *farm;
    int64_t run;
    char *path, *text;
    size_t size;
    struct error error;
    farm_answer *answer;
    void *context;
};

static void read_dialogue(void *argument)
{
    struct dialogue_request *request = argument;
    FILE *file = fopen(request->path, "re");
    struct stat status;

    if (!file) {
        (void)error_set(&request->error, -ENOENT, "run %lld was not recorded", (long long)request->run);
        return;
    }
    if (fstat(fileno(file), &status) == 0 && status.st_size <= DIALOGUE_LIMIT) {
        request->text = allocate(1, (size_t)status.st_size + 1);
        request->size = fread(request->text, 1, (size_t)status.st_size, file);
    } else {
        (void)error_set(&request->error, -EIO, "%s cannot be read", request->path);
    }
    (void)fclose(file);
}

static void run_dialogue_request(void *argument)
{
    struct dialogue_request *request = argument;
    json_t *answer = NULL;

    (void)await_work(request->farm->options.fibers, read_dialogue, request);
    if (request->text)
        answer = json_pack("{s:I,s:s%}", "run", (json_int_t)request->run, "dialogue", request->text,
                           (size_t)request->size);
    request->answer(request->context, answer, &request->error);
}

static void end_dialogue_request(void *argument)
{
    struct dialogue_request *request = argument;

    free(request->path);
    free(request->text);
    free(request);
}

void farm_dialogue(struct farm *farm, int64_t run, farm_answer *answer, void *context)
{
    struct dialogue_request *request = allocate(1, sizeof *request);

    *request = (struct dialogue_request){
        .farm = farm, .run = run, .path = dialogue_path(farm, run), .answer = answer, .context = context};
    (void)fiber_start(farm->options.fibers, "dialogue", run_dialogue_request, end_dialogue_request, request);
}
