/* SPDX-License-Identifier: Apache-2.0 */
/* What answers the routes, one file per resource. Each handler answers its request once, now or later. */
#ifndef FLASHFARM_API_HANDLERS_H
#define FLASHFARM_API_HANDLERS_H

struct request;

/* image_routes.c */
void post_image(struct request *request);
void get_images(struct request *request);
void get_image(struct request *request);
void get_signatures(struct request *request);
void post_signature(struct request *request);

/* station_routes.c */
void get_chips(struct request *request);
void get_chip(struct request *request);
void get_ports(struct request *request);
void get_stations(struct request *request);
void get_station(struct request *request);
void post_station_start(struct request *request);
void post_station_identify(struct request *request);
void post_station_enable(struct request *request);
void post_station_disable(struct request *request);
void post_station_record(struct request *request);
void post_station_scan(struct request *request);
void post_scan(struct request *request);
void post_start(struct request *request);

/* job_routes.c */
void post_job(struct request *request);
void get_jobs(struct request *request);
void get_job(struct request *request);
void get_job_runs(struct request *request);
void post_job_cancel(struct request *request);
void post_job_hold(struct request *request);
void post_job_resume(struct request *request);

/* pool_routes.c */
void get_pools(struct request *request);
void post_pool(struct request *request);
void get_pool(struct request *request);
void post_pool_open(struct request *request);
void post_pool_close(struct request *request);
void post_pool_burn(struct request *request);
void get_pool_serials(struct request *request);
void get_serial(struct request *request);
void post_serial_settle(struct request *request);

/* recipe_routes.c */
void get_recipes(struct request *request);
void post_recipe(struct request *request);
void get_recipe(struct request *request);
void put_recipe(struct request *request);
void get_recipe_lint(struct request *request);
void post_recipe_release(struct request *request);
void post_recipe_retire(struct request *request);

/* ledger_routes.c */
void get_checkpoint(struct request *request);
void post_checkpoint(struct request *request);
void get_ledger_key(struct request *request);
void get_proof(struct request *request);

/* backup_routes.c */
void get_backups(struct request *request);
void post_backup(struct request *request);
void get_backup(struct request *request);

/* webhook_routes.c */
void get_webhooks(struct request *request);
void post_webhook(struct request *request);
void delete_webhook(struct request *request);

/* run_routes.c */
void get_runs(struct request *request);
void get_run(struct request *request);
void get_run_dialogue(struct request *request);
void get_unit(struct request *request);
void get_ledger(struct request *request);
void get_ledger_head(struct request *request);

/* statistics_routes.c */
void get_statistics(struct request *request);
void get_station_health(struct request *request);

/* events.c */
void get_events(struct request *request);

/* metrics.c */
void get_metrics(struct request *request);

/* access_routes.c */
void post_session(struct request *request);
void get_session(struct request *request);
void delete_session(struct request *request);
void get_keys(struct request *request);
void post_key(struct request *request);
void delete_key(struct request *request);
void get_users(struct request *request);
void post_user(struct request *request);
void put_user(struct request *request);
void delete_user(struct request *request);
void post_user_password(struct request *request);

/* system_routes.c */
void get_health(struct request *request);
void get_contract(struct request *request);

/* page_routes.c */
void get_page(struct request *request);
void get_page_script(struct request *request);
void get_page_style(struct request *request);

#endif
