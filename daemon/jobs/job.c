/* SPDX-License-Identifier: Apache-2.0 */
/* A job: when it hands out a unit, and when it ends. */
#include "parts.h"

#include "await.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

static const char *const state_words[] = {
    [JOB_RUNNING] = "running",
    [JOB_HELD] = "held",
    [JOB_DONE] = "done",
    [JOB_CANCELLED] = "cancelled",
};

const char *job_state_word(enum job_state state)
{
    return state_words[state];
}

bool job_open(const struct job *job)
{
    return job->state == JOB_RUNNING || job->state == JOB_HELD;
}

json_t *job_state_body(int64_t id, enum job_state state, const char *reason)
{
    return json_pack("{s:I,s:s,s:s}", "id", (json_int_t)id, "state", state_words[state], "reason", reason);
}

void job_set_state(struct job *job, enum job_state state, const char *reason, bool recorded)
{
    if (job->state == state || !job_open(job))
        return;
    job->state = state;
    log_notice(&job->log, "%s%s%s", state_words[state], reason[0] ? ": " : "", reason);
    if (!recorded)
        farm_record(job->farm, "job.state", job_state_body(job->id, state, reason));
}

struct job_place *job_place(const struct job *job, const char *station)
{
    for (size_t i = 0; i < job->place_count; i++)
        if (strcmp(job->places[i].station, station) == 0)
            return &job->places[i];
    return NULL;
}

bool job_wants(const struct job *job, const struct station *station)
{
    const struct job_place *place = job_place(job, station->settings.name);

    return job->state == JOB_RUNNING && place && job_plan(job, station->protocol) &&
           job->passed + job->in_flight < job->quantity && units_left_for(job, station) &&
           (job->trigger != TRIGGER_IMMEDIATE || !place->served);
}

struct job *jobs_for_station(struct farm *farm, const struct station *station)
{
    LIST_EACH (node, &farm->jobs) {
        struct job *job = LIST_ENTRY(node, struct job, node);

        if (job_wants(job, station))
            return job;
    }
    return NULL;
}

const struct plan *job_plan(const struct job *job, const struct protocol *protocol)
{
    for (size_t i = 0; i < job->plan_count; i++)
        if (job->plans[i].protocol == protocol)
            return &job->plans[i].plan;
    return NULL;
}

void job_claim(struct job *job, const struct station *station)
{
    job->in_flight++;
    job_place(job, station->settings.name)->served = true;
}

/* Whether a station could still be given a unit, now or after it comes back. */
static bool has_turns_left(const struct job *job)
{
    if (job->trigger != TRIGGER_IMMEDIATE)
        return true;
    for (size_t i = 0; i < job->place_count; i++) {
        const struct station *station = farm_find_station(job->farm, job->places[i].station);

        if (!job->places[i].served && station && station->enabled && !station->leaving &&
            units_left_for(job, station) &&
            job_plan(job, station->protocol)) /* else it was given another protocol meanwhile */
            return true;
    }
    return false;
}

static void end_if_finished(struct job *job)
{
    if (job->in_flight > 0 || job->commands > 0 || !job_open(job))
        return;
    if (job->passed >= job->quantity)
        job_set_state(job, JOB_DONE, "", false);
    else if (job->state == JOB_RUNNING && !has_turns_left(job))
        job_set_state(job, JOB_DONE, "every station has had its turn", false);
    else if (job->state == JOB_RUNNING && !units_left(job))
        job_set_state(job, JOB_DONE,
                      "no unit is left: the others are made already, or not for this order to make", false);
}

static void brake(struct job *job)
{
    char reason[80];

    if (job->hold_after_failures <= 0 || job->failures_since_resume < job->hold_after_failures)
        return;
    (void)snprintf(reason, sizeof reason, "%d failures since it was started or resumed",
                   job->failures_since_resume);
    job->failures_since_resume = 0;
    if (job->state == JOB_RUNNING)
        job_set_state(job, JOB_HELD, reason, false);
}

void job_settle(struct job *job, enum outcome outcome)
{
    struct farm *farm = job->farm;
    enum job_state before = job->state;

    job->in_flight--;
    if (outcome == OUTCOME_PASS) {
        job->passed++;
    } else if (!farm->stopping) {
        job->failed++;
        job->failures_since_resume++;
        brake(job);
    }
    end_if_finished(job);
    /* A pass frees no unit. To wake everybody at the end of every run would be quadratic when all end at
     * once. */
    if (outcome != OUTCOME_PASS || job->state != before)
        farm_wake(farm);
    job_reap(job);
}

void job_review(struct job *job)
{
    end_if_finished(job);
    job_reap(job);
}

void job_reap(struct job *job)
{
    if (job_open(job) || job->in_flight > 0)
        return;
    list_remove(&job->node);
    job_free(job);
}

/* --- the image it was checked with ---------------------------------------------------------- */

struct summing {
    const struct image *image;
    uint8_t digest[crypto_hash_sha256_BYTES];
};

static void sum_image(void *argument)
{
    struct summing *summing = argument;
    crypto_hash_sha256_state state;

    (void)crypto_hash_sha256_init(&state);
    for (size_t i = 0; i < summing->image->count; i++)
        (void)crypto_hash_sha256_update(&state, summing->image->ranges[i].data,
                                        summing->image->ranges[i].size);
    (void)crypto_hash_sha256_final(&state, summing->digest);
}

void job_note_image(struct job *job)
{
    struct summing summing = {.image = &job->image};

    (void)await_work(job->farm->options.fibers, sum_image, &summing);
    memcpy(job->image_digest, summing.digest, sizeof job->image_digest);
}

bool job_image_intact(const struct job *job)
{
    struct summing summing = {.image = &job->image};

    (void)await_work(job->farm->options.fibers, sum_image, &summing);
    return memcmp(job->image_digest, summing.digest, sizeof job->image_digest) == 0;
}

json_t *job_live(const struct job *job)
{
    json_t *stations = json_array();
    int remaining = job->quantity - job->passed - job->in_flight;

    for (size_t i = 0; i < job->place_count; i++)
        (void)json_array_append_new(stations, json_string(job->places[i].station));
    return json_pack("{s:I,s:s,s:i,s:i,s:o}", "id", (json_int_t)job->id, "state", state_words[job->state],
                     "in_flight", job->in_flight, "remaining", remaining > 0 ? remaining : 0, "stations",
                     stations);
}

void job_free(struct job *job)
{
    if (!job)
        return;
    for (size_t i = 0; i < job->plan_count; i++)
        plan_clear(&job->plans[i].plan);
    image_clear(&job->image);
    fields_free(job->fields);
    if (job->board_code.has_pattern)
        regfree(&job->board_code.pattern);
    free(job->pools);
    free(job->units);
    json_decref(job->body);
    json_decref(job->sums);
    free(job->work_order);
    free(job->by);
    free(job->keep);
    free(job->places);
    free(job);
}
