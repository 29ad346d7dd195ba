/* SPDX-License-Identifier: Apache-2.0 */
/* Statistics, figures of stations, commands to many stations, and what /metrics counts itself: what the api
 * decides before and after it asks farm and store, which are fakes here. */
#include "alloc.h"
#include "api_fake.h"
#include "test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void begin(struct fake *fake)
{
    struct api_options options;

    fake_init(fake, &options);
    fake_start(fake, &options);
}

static void expect(struct fake *fake, const char *request, const char *body, int status, const char *want)
{
    const char *type = *body ? "Content-Type: application/json\r\n" : "";
    char *head = format_text("%s HTTP/1.1\r\n" AUTH "%sContent-Length: %zu\r\n", request, type, strlen(body));
    char *answer = fake_ask(fake, head, body);

    if (!CHECK(answer_status(answer) == status) || !CHECK(strstr(answer, want) != NULL))
        (void)fprintf(stderr, "  %s %s: %s\n", request, body, answer);
    free(answer);
    free(head);
}

static void test_statistics(void)
{
    struct fake fake;

    begin(&fake);
    expect(&fake, "GET /v1/statistics", "", 200,
           "\"definitions\":{\"first_pass_yield\":\"passed at once\",\"final_yield\":\"passed in the end\"}");
    CHECK_TEXT(fake.said, "0 - - - - - 0 all");
    expect(&fake,
           "GET "
           "/v1/statistics?job=7&work_order=MO-1&station=A1&recipe=con/3&from=f&to=t&bucket_s=600&by=station",
           "", 200, "\"bucket_s\":300");
    CHECK_TEXT(fake.said, "7 MO-1 A1 con/3 f t 600 each");
    fake.said[0] = '\0';
    expect(&fake, "GET /v1/statistics?job=0", "", 400, "job is '0'; expected a number from 1");
    expect(&fake, "GET /v1/statistics?bucket_s=301", "", 400,
           "bucket_s is '301'; expected a multiple of 300 from 300 to 86400");
    expect(&fake, "GET /v1/statistics?bucket_s=0", "", 400, "bucket_s is '0'");
    expect(&fake, "GET /v1/statistics?bucket_s=86700", "", 400, "bucket_s is '86700'");
    expect(&fake, "GET /v1/statistics?by=job", "", 400, "by is 'job'; expected station");
    CHECK_TEXT(fake.said, "");
    fake.refusal = (struct error){.code = -EINVAL, .text = "from is not before to"};
    expect(&fake, "GET /v1/statistics", "", 400, "problem:bad-parameter");
    expect(&fake, "GET /v1/statistics", "", 400, "from is not before to");
    fake_stop(&fake);
}

static void test_recent(void)
{
    struct fake fake;

    begin(&fake);
    expect(&fake, "GET /v1/stations?recent=20", "", 200,
           "\"recent\":[{\"run\":7,\"asked\":20}]}],\"next\":null}");
    expect(&fake, "GET /v1/stations?recent=0", "", 400, "recent is '0'; expected a number from 1 to 20");
    expect(&fake, "GET /v1/stations?recent=21", "", 400, "recent is '21'");
    fake.refusal = (struct error){.code = -EIO, .text = "the disk is broken"};
    expect(&fake, "GET /v1/stations?recent=1", "", 500, "the disk is broken");
    expect(&fake, "GET /v1/stations", "", 200, "\"A1\"");
    fake_stop(&fake);
}

/* Only stations that there are, each with its protocol. */
static void test_health(void)
{
    struct fake fake;

    begin(&fake);
    (void)json_object_set_new(fake.station, "protocol", json_string("swd"));
    expect(&fake, "GET /v1/station-health?runs=200", "", 200,
           "{\"items\":[{\"station\":\"A1\",\"chip\":\"stm32f103xb\",\"runs\":200,\"protocol\":\"swd\","
           "\"odd\":[]}],"
           "\"next\":null}");
    expect(&fake, "GET /v1/station-health", "", 200, "\"runs\":50");
    (void)json_object_set_new(fake.station, "name", json_string("B1"));
    expect(
        &fake, "GET /v1/station-health", "", 200,
        "{\"station\":\"B1\",\"chip\":null,\"runs\":0,\"passed\":0,\"measures\":{\"contact_attempts\":null,"
        "\"naks\":null,\"retries\":null,\"excess_us\":null,\"contact_us\":null},\"protocol\":\"swd\"");
    expect(&fake, "GET /v1/station-health?runs=201", "", 400,
           "runs is '201'; expected a number from 1 to 200");
    fake.refusal = (struct error){.code = -EIO, .text = "the disk is broken"};
    expect(&fake, "GET /v1/station-health", "", 500, "the disk is broken");
    fake_stop(&fake);
}

static void test_scan(void)
{
    struct fake fake;

    begin(&fake);
    expect(&fake, "POST /v1/scan", "{\"code\": \"P-1\"}", 200, "\"sentence\":\"done\"");
    CHECK_TEXT(fake.said, "P-1 but all by tester");
    expect(&fake, "POST /v1/scan", "{\"code\": \"P-1\", \"skip\": [\"A1\", \"A3\"], \"dry_run\": true}", 200,
           "done");
    CHECK_TEXT(fake.said, "try P-1 but A1,A3 by tester");
    expect(&fake, "POST /v1/scan", "{\"code\": \"unknown\"}", 422, "no order has a use for that code");
    fake.said[0] = '\0';
    expect(&fake, "POST /v1/scan", "{}", 422, "code: expected a text of 1 to 127 bytes");
    expect(&fake, "POST /v1/scan", "{\"code\": \"\"}", 422, "code:");
    expect(&fake, "POST /v1/scan", "{\"code\": \"P\", \"skip\": \"A1\"}", 422,
           "skip: expected a list of at most 256 names of stations");
    expect(&fake, "POST /v1/scan", "{\"code\": \"P\", \"skip\": [1]}", 422, "skip:");
    expect(&fake, "POST /v1/scan", "{\"code\": \"P\", \"dry_run\": 1}", 422,
           "dry_run: expected true or false");
    expect(&fake, "POST /v1/scan", "{\"code\": \"P\", \"station\": \"A1\"}", 422,
           "\\\"station\\\" is not a member");
    CHECK_TEXT(fake.said, "");
    fake_stop(&fake);
}

static char *many_names(int count)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    (void)fprintf(out, "{\"stations\": [");
    for (int i = 0; i < count; i++)
        (void)fprintf(out, "%s\"A1\"", i ? "," : "");
    (void)fprintf(out, "]}");
    (void)fclose(out);
    return text;
}

static void test_start(void)
{
    struct fake fake;
    char *names;

    begin(&fake);
    expect(&fake, "POST /v1/start", "{\"stations\": \"all\", \"skip\": []}", 200, "{\"started\":[\"A1\"]}");
    CHECK_TEXT(fake.said, "start all but  by tester");
    expect(&fake, "POST /v1/start", "{\"stations\": [\"A1\", \"A2\"], \"skip\": [\"A2\"]}", 200, "A1");
    CHECK_TEXT(fake.said, "start A1,A2 but A2 by tester");
    expect(&fake, "POST /v1/start", "{\"stations\": [\"A2\"]}", 409, "station A2 does not wait for START");
    fake.said[0] = '\0';
    expect(&fake, "POST /v1/start", "{}", 422,
           "stations: expected a list of 1 to 256 names of stations, or \\\"all\\\"");
    expect(&fake, "POST /v1/start", "{\"stations\": []}", 422, "stations:");
    expect(&fake, "POST /v1/start", "{\"stations\": \"A1\"}", 422, "stations:");
    expect(&fake, "POST /v1/start", "{\"stations\": [\"A1\", null]}", 422, "stations:");
    expect(&fake, "POST /v1/start", "{\"stations\": \"all\", \"skip\": {}}", 422, "skip:");
    names = many_names(257);
    expect(&fake, "POST /v1/start", names, 422, "stations: expected a list of 1 to 256");
    free(names);
    CHECK_TEXT(fake.said, "");
    names = many_names(256);
    expect(&fake, "POST /v1/start", names, 200, "A1");
    free(names);
    fake_stop(&fake);
}

static json_t *ended(int id, const char *outcome, int us)
{
    return json_pack("{s:i, s:s, s:i, s:[{s:i}, {s:i}]}", "id", id, "outcome", outcome, "floor_us", 300000,
                     "phases", "us", 100000, "us", us - 100000);
}

/* Times of runs come from the facts, and only those of this daemon's own runs are a station's. */
static void test_run_times(void)
{
    struct fake fake;

    begin(&fake);
    for (int i = 1; i <= 3; i++)
        fake_fact(&fake, "run.started", json_pack("{s:i, s:s}", "id", i, "station", i == 2 ? "A2" : "A1"));
    fake_fact(&fake, "run.ended", ended(1, "pass", 400000));
    fake_fact(&fake, "run.ended", ended(2, "fail", 700000000));
    fake_fact(&fake, "run.ended", ended(3, "pass", 500001));
    fake_fact(&fake, "run.ended", ended(4, "pass", 250000));
    /* What has ended is forgotten: the same number again, as in a record that was restored, is another run.
     */
    fake_fact(&fake, "run.started", json_pack("{s:i, s:s}", "id", 3, "station", "A2"));
    fake_fact(&fake, "run.ended", ended(3, "pass", 300000));
    fake_fact(&fake, "run.ended", json_pack("{s:i, s:s}", "id", 5, "outcome", "unknown"));
    expect(&fake, "GET /metrics", "", 200,
           "\nflashfarm_run_seconds_bucket{outcome=\"pass\",le=\"0.250\"} 1\n");
    expect(&fake, "GET /metrics", "", 200, "_bucket{outcome=\"pass\",le=\"0.500\"} 3\n");
    expect(&fake, "GET /metrics", "", 200, "_bucket{outcome=\"pass\",le=\"1.000\"} 4\n");
    expect(&fake, "GET /metrics", "", 200,
           "{outcome=\"pass\",le=\"+Inf\"} 4\nflashfarm_run_seconds_sum{outcome=\"pass\"} 1.450001\n");
    expect(&fake, "GET /metrics", "", 200,
           "{outcome=\"fail\",le=\"600.000\"} 0\nflashfarm_run_seconds_bucket{outcome=\"fail\",le=\"+Inf\"} "
           "1\n");
    expect(&fake, "GET /metrics", "", 200, "\nflashfarm_run_seconds_count{outcome=\"unknown\"} 0\n");
    expect(&fake, "GET /metrics", "", 200,
           "\nflashfarm_station_run_seconds_total{station=\"A1\"} 0.900001\n");
    expect(&fake, "GET /metrics", "", 200,
           "\nflashfarm_station_floor_seconds_total{station=\"A1\"} 0.600000\n");
    expect(&fake, "GET /metrics", "", 200,
           "\nflashfarm_station_run_seconds_total{station=\"A2\"} 0.300000\n");
    fake_stop(&fake);
}

static void test_metrics_of_pools(void)
{
    struct fake fake;

    begin(&fake);
    expect(&fake, "GET /metrics", "", 200, "\nflashfarm_station_state{station=\"A1\",state=\"idle\"} 1\n");
    expect(&fake, "GET /metrics", "", 200,
           "\nflashfarm_pool_numbers{pool=\"boards/1\",state=\"left\"} 95\n"
           "flashfarm_pool_numbers{pool=\"boards/1\",state=\"pass\"} 4\n");
    fake.refusal = (struct error){.code = -EIO, .text = "the disk is broken"};
    expect(&fake, "GET /metrics", "", 200, "\nflashfarm_stations{state=\"idle\"} 1\n");
    fake_stop(&fake);
}

static const struct test tests[] = {
    {"statistics", test_statistics},
    {"recent runs", test_recent},
    {"station health", test_health},
    {"scan", test_scan},
    {"start", test_start},
    {"times of runs", test_run_times},
    {"metrics of pools", test_metrics_of_pools},
};

TEST_MAIN(tests)
