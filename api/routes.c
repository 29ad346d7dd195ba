/* SPDX-License-Identifier: Apache-2.0 */
/* Every address of the daemon. schema/openapi.yaml says the same at length, and a test compares. */
#include "api.h"
#include "handlers.h"
#include "router.h"

#define RUN_QUERY                                                                                            \
    "serial uid image work_order station by recipe pool outcome from to limit cursor format brief"
#define PAGE_QUERY       "limit cursor"
#define UPLOAD_QUERY     "name address"
#define STATISTICS_QUERY "job work_order station recipe from to bucket_s by"

/* clang-format off */
const struct route api_routes[] = {
    {.method = "POST", .path = "/v1/images", .handler = post_image, .query = UPLOAD_QUERY, .body = BODY_FILE},
    {.method = "GET", .path = "/v1/images", .handler = get_images, .query = PAGE_QUERY},
    {.method = "GET", .path = "/v1/images/{id}", .handler = get_image},
    {.method = "GET", .path = "/v1/images/{id}/signatures", .handler = get_signatures},
    {.method = "POST", .path = "/v1/images/{id}/signatures", .handler = post_signature, .body = BODY_TEXT},
    {.method = "GET", .path = "/v1/chips", .handler = get_chips},
    {.method = "GET", .path = "/v1/chips/{name}", .handler = get_chip},
    {.method = "GET", .path = "/v1/ports", .handler = get_ports},
    {.method = "GET", .path = "/v1/stations", .handler = get_stations, .query = "recent"},
    {.method = "GET", .path = "/v1/stations/{name}", .handler = get_station},
    {.method = "POST", .path = "/v1/stations/{name}/start", .handler = post_station_start},
    {.method = "POST", .path = "/v1/stations/{name}/identify", .handler = post_station_identify},
    {.method = "POST", .path = "/v1/stations/{name}/enable", .handler = post_station_enable},
    {.method = "POST", .path = "/v1/stations/{name}/disable", .handler = post_station_disable},
    {.method = "POST", .path = "/v1/stations/{name}/record", .handler = post_station_record},
    {.method = "POST", .path = "/v1/stations/{name}/scan", .handler = post_station_scan, .body = BODY_JSON},
    {.method = "GET", .path = "/v1/station-health", .handler = get_station_health, .query = "runs"},
    {.method = "POST", .path = "/v1/scan", .handler = post_scan, .body = BODY_JSON},
    {.method = "POST", .path = "/v1/start", .handler = post_start, .body = BODY_JSON},
    {.method = "POST", .path = "/v1/jobs", .handler = post_job, .body = BODY_JSON},
    {.method = "GET", .path = "/v1/jobs", .handler = get_jobs, .query = "state work_order " PAGE_QUERY},
    {.method = "GET", .path = "/v1/jobs/{id}", .handler = get_job},
    {.method = "GET", .path = "/v1/jobs/{id}/runs", .handler = get_job_runs, .query = RUN_QUERY},
    {.method = "POST", .path = "/v1/jobs/{id}/cancel", .handler = post_job_cancel},
    {.method = "POST", .path = "/v1/jobs/{id}/hold", .handler = post_job_hold},
    {.method = "POST", .path = "/v1/jobs/{id}/resume", .handler = post_job_resume},
    {.method = "GET", .path = "/v1/serial-pools", .handler = get_pools, .query = PAGE_QUERY},
    {.method = "POST", .path = "/v1/serial-pools", .handler = post_pool, .body = BODY_JSON},
    {.method = "GET", .path = "/v1/serial-pools/{name}", .handler = get_pool},
    {.method = "POST", .path = "/v1/serial-pools/{name}/open", .handler = post_pool_open, .body = BODY_JSON},
    {.method = "POST", .path = "/v1/serial-pools/{name}/close", .handler = post_pool_close, .body = BODY_JSON},
    {.method = "POST", .path = "/v1/serial-pools/{name}/burn", .handler = post_pool_burn, .body = BODY_JSON},
    {.method = "GET", .path = "/v1/serial-pools/{name}/serials", .handler = get_pool_serials, .query = "state " PAGE_QUERY},
    {.method = "GET", .path = "/v1/serials/{serial}", .handler = get_serial},
    {.method = "POST", .path = "/v1/serials/{serial}/settle", .handler = post_serial_settle, .body = BODY_JSON},
    {.method = "GET", .path = "/v1/recipes", .handler = get_recipes, .query = "name state " PAGE_QUERY},
    {.method = "POST", .path = "/v1/recipes", .handler = post_recipe, .body = BODY_JSON},
    {.method = "GET", .path = "/v1/recipes/{name}/{version}", .handler = get_recipe},
    {.method = "PUT", .path = "/v1/recipes/{name}/{version}", .handler = put_recipe, .body = BODY_JSON},
    {.method = "GET", .path = "/v1/recipes/{name}/{version}/lint", .handler = get_recipe_lint},
    {.method = "POST", .path = "/v1/recipes/{name}/{version}/release", .handler = post_recipe_release, .body = BODY_JSON},
    {.method = "POST", .path = "/v1/recipes/{name}/{version}/retire", .handler = post_recipe_retire, .body = BODY_JSON},
    {.method = "GET", .path = "/v1/runs", .handler = get_runs, .query = "job " RUN_QUERY},
    {.method = "GET", .path = "/v1/runs/{id}", .handler = get_run},
    {.method = "GET", .path = "/v1/runs/{id}/dialogue", .handler = get_run_dialogue},
    {.method = "GET", .path = "/v1/statistics", .handler = get_statistics, .query = STATISTICS_QUERY},
    {.method = "GET", .path = "/v1/units/{serial}", .handler = get_unit},
    {.method = "GET", .path = "/v1/events", .handler = get_events, .query = "topics last_event_id"},
    {.method = "GET", .path = "/v1/ledger", .handler = get_ledger, .query = "from limit"},
    {.method = "GET", .path = "/v1/ledger/head", .handler = get_ledger_head},
    {.method = "GET", .path = "/v1/ledger/checkpoint", .handler = get_checkpoint},
    {.method = "POST", .path = "/v1/ledger/checkpoint", .handler = post_checkpoint},
    {.method = "GET", .path = "/v1/ledger/key", .handler = get_ledger_key},
    {.method = "GET", .path = "/v1/ledger/proof", .handler = get_proof, .query = "sequence serial"},
    {.method = "GET", .path = "/v1/backups", .handler = get_backups, .query = PAGE_QUERY},
    {.method = "POST", .path = "/v1/backups", .handler = post_backup},
    {.method = "GET", .path = "/v1/backups/{name}", .handler = get_backup},
    {.method = "GET", .path = "/v1/webhooks", .handler = get_webhooks},
    {.method = "POST", .path = "/v1/webhooks", .handler = post_webhook, .body = BODY_JSON},
    {.method = "DELETE", .path = "/v1/webhooks/{id}", .handler = delete_webhook},
    {.method = "POST", .path = "/v1/session", .handler = post_session, .body = BODY_JSON, .open = true},
    {.method = "GET", .path = "/v1/session", .handler = get_session},
    {.method = "DELETE", .path = "/v1/session", .handler = delete_session},
    {.method = "GET", .path = "/v1/keys", .handler = get_keys},
    {.method = "POST", .path = "/v1/keys", .handler = post_key, .body = BODY_JSON},
    {.method = "DELETE", .path = "/v1/keys/{id}", .handler = delete_key},
    {.method = "GET", .path = "/v1/users", .handler = get_users},
    {.method = "POST", .path = "/v1/users", .handler = post_user, .body = BODY_JSON},
    {.method = "PUT", .path = "/v1/users/{name}", .handler = put_user, .body = BODY_JSON},
    {.method = "DELETE", .path = "/v1/users/{name}", .handler = delete_user},
    {.method = "POST", .path = "/v1/users/{name}/password", .handler = post_user_password, .body = BODY_JSON},
    {.method = "GET", .path = "/metrics", .handler = get_metrics},
    {.method = "GET", .path = "/healthz", .handler = get_health, .open = true},
    {.method = "GET", .path = "/openapi.json", .handler = get_contract, .open = true},
    {.method = "GET", .path = "/", .handler = get_page, .open = true},
    {.method = "GET", .path = "/app.js", .handler = get_page_script, .open = true},
    {.method = "GET", .path = "/app.css", .handler = get_page_style, .open = true},
};
/* clang-format on */

const size_t api_route_count = sizeof api_routes / sizeof api_routes[0];

void api_print_routes(FILE *file)
{
    for (size_t i = 0; i < api_route_count; i++)
        (void)fprintf(file, "%s %s\n", api_routes[i].method, api_routes[i].path);
}
