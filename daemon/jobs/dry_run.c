/* SPDX-License-Identifier: Apache-2.0 */
/* What an order would do, without a port being touched. */
#include "parts.h"
#include "recipes.h"

#include "bytes.h"

#include <sodium.h>

/* Where nothing has been proven and nothing is configured. */
#define USUAL_BAUD 115200u

static uint32_t baud_of(const struct station *station)
{
    uint32_t most = station->settings.baud ? station->settings.baud : USUAL_BAUD;

    return station->baud_proven ? station->baud_proven : most;
}

/* A loader that has a checksum may not offer it on every board; one that cannot read has nothing else. */
static bool by_checksum(const struct protocol *protocol)
{
    return protocol->compare && !protocol->read;
}

static json_t *describe_station(const struct job *job, const struct station *station)
{
    const struct plan *plan = job_plan(job, station->protocol);
    json_t *phases = json_array();
    int64_t sum_us = 0;

    for (int phase = 0; plan && phase < PHASE_COUNT; phase++) {
        int64_t floor_us = plan_floor_us(plan, &job->order, station->protocol, (enum phase_name)phase,
                                         baud_of(station), by_checksum(station->protocol));

        sum_us += floor_us;
        if (floor_us)
            (void)json_array_append_new(phases,
                                        json_pack("{s:s,s:I}", "name", phase_word((enum phase_name)phase),
                                                  "floor_us", (json_int_t)floor_us));
    }
    return json_pack("{s:s,s:s,s:I,s:I,s:o}", "name", station->settings.name, "protocol",
                     station->protocol->name, "baud", (json_int_t)baud_of(station), "floor_us",
                     (json_int_t)sum_us, "phases", phases);
}

static json_t *describe_stations(const struct job *job)
{
    json_t *stations = json_array();

    for (size_t i = 0; i < job->place_count; i++) {
        const struct station *station = farm_find_station(job->farm, job->places[i].station);

        if (station)
            (void)json_array_append_new(stations, describe_station(job, station));
    }
    return stations;
}

static json_t *describe_plan(const struct job_plan *made)
{
    char digest[2 * sizeof made->plan.digest + 1];

    bytes_to_hex(made->plan.digest, sizeof made->plan.digest, digest);
    return json_pack("{s:s,s:b,s:I,s:I,s:I,s:I,s:s}", "protocol", made->protocol->name, "erase_all",
                     made->plan.erase_all, "sectors", (json_int_t)made->plan.sector_count, "blocks",
                     (json_int_t)made->plan.block_count, "write_bytes", (json_int_t)made->plan.write_bytes,
                     "verify_bytes", (json_int_t)made->plan.verify_bytes, "digest", digest);
}

json_t *job_dry_run(const struct job *job, json_t *findings)
{
    json_t *plans = json_array();

    for (size_t i = 0; i < job->plan_count; i++)
        (void)json_array_append_new(plans, describe_plan(&job->plans[i]));
    return json_pack("{s:b,s:o,s:o,s:o,s:i}", "dry_run", 1, "findings", findings, "stations",
                     describe_stations(job), "plan", plans, "units", job->quantity);
}
