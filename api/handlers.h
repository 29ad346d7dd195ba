/* SPDX-License-Identifier: Apache-2.0 */
/* What answers the routes, one file per resource. Each handler answers its request once, now or later. */
#ifndef FLASHFARM_API_HANDLERS_H
#define FLASHFARM_API_HANDLERS_H

struct request;

/* image_routes.c */
void post_image(struct request *request);
void get_images(struct request *request);
void get_image(struct request *request);

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

/* job_routes.c */
void post_job(struct request *request);
void get_jobs(struct request *request);
void get_job(struct request *request);
void get_job_runs(struct request *request);
void post_job_cancel(struct request *request);
void post_job_hold(struct request *request);
void post_job_resume(struct request *request);

/* run_routes.c */
void get_runs(struct request *request);
void get_run(struct request *request);
void get_run_dialogue(struct request *request);
void get_unit(struct request *request);
void get_ledger(struct request *request);
void get_ledger_head(struct request *request);

/* events.c */
void get_events(struct request *request);

/* metrics.c */
void get_metrics(struct request *request);

/* system_routes.c */
void get_health(struct request *request);
void get_contract(struct request *request);
void get_page(struct request *request);

#endif
