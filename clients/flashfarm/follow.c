/* SPDX-License-Identifier: Apache-2.0 */
#include "follow.h"

#include "clock.h"
#include "value.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#define TICK_MS          100
#define OPEN_PATIENCE_MS 3000
/* A daemon that is being restarted (an update, a crash) is worth waiting for: the job goes on with it. */
#define AWAY_PATIENCE_MS 60000

static int64_t now_us(void)
{
    return clock_monotonic_us(&clock_system);
}

static struct bar *bar_of_run(struct follow *follow, int64_t run)
{
    for (size_t i = 0; run && i < follow->bars->count; i++)
        if (follow->bars->bars[i].run == run)
            return &follow->bars->bars[i];
    return NULL;
}

static void copy_member(char *text, size_t size, const json_t *object, const char *path)
{
    (void)snprintf(text, size, "%s", value_text(object, path));
    (void)value_clean(text);
}

static void begin_run(struct follow *follow, const json_t *run)
{
    struct bar *bar = bars_of(follow->bars, value_text(run, "station"));

    if (bar->run == value_number(run, "id"))
        return;
    bar->run = value_number(run, "id");
    bar->state = BAR_RUNNING;
    bar->percent = 0;
    bar->started_us = now_us();
    (void)snprintf(bar->phase, sizeof bar->phase, "start");
    bars_changed(follow->bars, bar, true);
}

static void end_run(struct follow *follow, struct bar *bar, const json_t *run)
{
    const char *outcome = value_text(run, "outcome"), *class_word = value_text(run, "class");
    const char *message = value_text(run, "message");
    bool passed = strcmp(outcome, "pass") == 0;

    if (bar->state != BAR_RUNNING)
        return;
    bar->state = passed ? BAR_PASSED : BAR_FAILED;
    bar->ended_us = now_us();
    bar->passed += passed;
    bar->failed += !passed;
    if (passed)
        bar->percent = 100;
    (void)snprintf(bar->note, sizeof bar->note, "%s%s%s%s%s", outcome, *class_word ? " " : "", class_word,
                   *message ? ": " : "", message);
    (void)value_clean(bar->note);
    bars_changed(follow->bars, bar, true);
}

static void show_progress(struct follow *follow, const json_t *progress)
{
    struct bar *bar = bars_of(follow->bars, value_text(progress, "station"));
    bool other_phase;

    /* Progress may overtake the fact of its run's start, or trail that of its end. */
    if (bar->run == value_number(progress, "run") && bar->state != BAR_RUNNING)
        return;
    if (bar->state != BAR_RUNNING)
        bar->started_us = now_us();
    bar->state = BAR_RUNNING;
    bar->run = value_number(progress, "run");
    bar->percent = json_number_value(value_at(progress, "percent"));
    other_phase = strcmp(bar->phase, value_text(progress, "phase")) != 0;
    copy_member(bar->phase, sizeof bar->phase, progress, "phase");
    bars_changed(follow->bars, bar, other_phase);
}

static struct followed *find_job(struct follow *follow, int64_t id)
{
    for (size_t i = 0; i < follow->job_count; i++)
        if (follow->jobs[i].id == id)
            return &follow->jobs[i];
    return NULL;
}

static void change_job(struct follow *follow, struct followed *followed, const json_t *job)
{
    char before[sizeof followed->state], reason[200];

    memcpy(before, followed->state, sizeof before);
    copy_member(followed->state, sizeof followed->state, job, "state");
    copy_member(reason, sizeof reason, job, "reason");
    if (strcmp(before, followed->state) != 0 && strcmp(followed->state, "running") != 0)
        bars_say(follow->bars, "job %lld is %s%s%s", (long long)followed->id, followed->state,
                 *reason ? ": " : "", reason);
}

static void on_event(void *context, const struct event *event)
{
    struct follow *follow = context;
    const json_t *body = event->data;
    struct bar *bar;

    if (strcmp(event->name, "run.ended") == 0) {
        bar = bar_of_run(follow, value_number(body, "id"));
        if (bar)
            end_run(follow, bar, body);
    } else if (strcmp(event->name, "job.state") == 0) {
        struct followed *followed = find_job(follow, value_number(body, "id"));

        if (followed)
            change_job(follow, followed, body);
    } else if (!find_job(follow, value_number(body, "job"))) {
        return;
    } else if (strcmp(event->name, "run.started") == 0) {
        begin_run(follow, body);
    } else if (strcmp(event->name, "progress") == 0) {
        show_progress(follow, body);
    }
}

int follow_open(struct follow *follow, struct server *server, struct bars *bars, struct error *error)
{
    sigset_t signals;
    int status = 0;

    *follow = (struct follow){.server = server, .bars = bars, .signals = -1};
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGINT);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigprocmask(SIG_BLOCK, &signals, NULL);
    follow->signals = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
    if (follow->signals < 0)
        return error_set_errno(error, errno, "signalfd");
    follow->events = events_new(server, "run.,job.state,progress", NULL, on_event, follow);
    while (status == 0 && !events_connections(follow->events))
        status = events_wait(follow->events, TICK_MS, -1, OPEN_PATIENCE_MS, error);
    return status;
}

void follow_close(struct follow *follow)
{
    events_free(follow->events);
    if (follow->signals >= 0)
        (void)close(follow->signals);
    follow->events = NULL;
    follow->signals = -1;
}

static int catch_up_with(struct follow *follow, struct followed *followed, struct error *error)
{
    char path[64];
    json_t *job = NULL, *runs = NULL, *run;
    size_t index;
    int status;

    (void)snprintf(path, sizeof path, "/v1/jobs/%lld/runs", (long long)followed->id);
    status = http_get_list(follow->server, path, 0, &runs, error);
    /* Lists are newest first; the newest run of a station is to win. */
    for (index = json_array_size(json_object_get(runs, "items")); index-- > 0;) {
        struct bar *bar;

        run = json_array_get(json_object_get(runs, "items"), index);
        bar = bars_of(follow->bars, value_text(run, "station"));
        if (bar->run < value_number(run, "id"))
            begin_run(follow, run);
        if (bar->run == value_number(run, "id") && *value_text(run, "outcome"))
            end_run(follow, bar, run);
    }
    json_decref(runs);
    (void)snprintf(path, sizeof path, "/v1/jobs/%lld", (long long)followed->id);
    if (status == 0)
        status = http_get(follow->server, path, &job, error);
    if (status == 0)
        change_job(follow, followed, job);
    json_decref(job);
    return status;
}

/* What events could not tell: what happened before the stream was open or while it was broken. */
static int catch_up(struct follow *follow, struct error *error)
{
    int status = 0;

    for (size_t i = 0; i < follow->job_count && status == 0; i++)
        status = catch_up_with(follow, &follow->jobs[i], error);
    return status;
}

static void cancel(struct follow *follow, const struct followed *followed)
{
    struct error refused = ERROR_NONE;
    char path[64];

    bars_say(follow->bars, "cancelling job %lld; once more to leave at once", (long long)followed->id);
    (void)snprintf(path, sizeof path, "/v1/jobs/%lld/cancel", (long long)followed->id);
    if (http_call(follow->server, &(struct request){.method = "POST", .path = path}, NULL, &refused))
        bars_say(follow->bars, "%s", refused.text);
}

static bool has_ended(const struct followed *followed)
{
    return strcmp(followed->state, "done") == 0 || strcmp(followed->state, "cancelled") == 0;
}

static int pass_on_signal(struct follow *follow, struct error *error)
{
    struct signalfd_siginfo info;

    if (read(follow->signals, &info, sizeof info) != (ssize_t)sizeof info)
        return 0;
    if (follow->cancelled)
        return error_set(error, -EINTR, "left job %lld to the daemon; see flashfarm job %lld",
                         (long long)follow->jobs[0].id, (long long)follow->jobs[0].id);
    follow->cancelled = true;
    for (size_t i = 0; i < follow->job_count; i++)
        if (!has_ended(&follow->jobs[i]))
            cancel(follow, &follow->jobs[i]);
    return 0;
}

static bool any_running(const struct bars *bars)
{
    for (size_t i = 0; i < bars->count; i++)
        if (bars->bars[i].state == BAR_RUNNING)
            return true;
    return false;
}

static bool is_over(const struct follow *follow)
{
    bool running = any_running(follow->bars);

    for (size_t i = 0; i < follow->job_count; i++)
        if (!has_ended(&follow->jobs[i]) && (running || strcmp(follow->jobs[i].state, "held") != 0))
            return false;
    return true;
}

void follow_add(struct follow *follow, int64_t job)
{
    if (follow->job_count < FOLLOW_JOBS)
        follow->jobs[follow->job_count++] = (struct followed){.id = job};
    follow->seen_connections = 0; /* whatever came before the job's number was known is made up for */
}

int follow_jobs(struct follow *follow, struct error *error)
{
    int status = 0;

    while (status == 0 && !is_over(follow)) {
        if (follow->seen_connections != events_connections(follow->events)) {
            unsigned connections = events_connections(follow->events);

            status = catch_up(follow, error);
            if (status == 0)
                follow->seen_connections = connections;
            if (status == -EHOSTUNREACH)
                status = 0; /* the stream decides how long to wait for the daemon */
        }
        if (status == 0)
            status = pass_on_signal(follow, error);
        if (status == 0 && !is_over(follow))
            status = events_wait(follow->events, TICK_MS, follow->signals, AWAY_PATIENCE_MS, error);
        bars_draw(follow->bars, false);
    }
    bars_draw(follow->bars, true);
    return status;
}
