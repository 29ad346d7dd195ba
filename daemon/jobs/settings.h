/* SPDX-License-Identifier: Apache-2.0 */
/* What the configuration says, after it has been read and checked (daemon/config.c). */
#ifndef FLASHFARM_JOBS_SETTINGS_H
#define FLASHFARM_JOBS_SETTINGS_H

#include <stddef.h>
#include <stdint.h>

#define STATION_NAME_MAX 32

struct station_settings {
    char name[STATION_NAME_MAX]; /* 1-31 of A-Z a-z 0-9 . _ - : it goes into URLs */
    char port[300];              /* "serial:/dev/…" */
    char protocol[24];           /* a name of the protocol table */
    uint32_t baud;               /* the highest rate to try; 0: the protocol's own choice */
    char entry[160];   /* how to get into the bootloader: "none", "dtr-rts", … (stations/entry.h) */
    char power[160];   /* what switches the board's power: "gpio:gpiochip0/4"; empty: nothing does */
    int wakeup;        /* enum wakeup, for rs485-isp */
    char position[32]; /* fixture position, free text, may be empty */
    char fixture[64];  /* the fixture's own identity, for the record and the interlock; may be empty */
};

struct settings {
    char listen[128];   /* "127.0.0.1:8470" or "[::1]:8470" */
    char state[256];    /* absolute directory */
    char key_file[256]; /* API keys, one per line; empty: <state>/key, made by the daemon */
    char tls_certificate[256], tls_key[256]; /* PEM files; empty: plain HTTP, on loopback only */
    char tls_client_ca[256];                 /* PEM file: who may sign client certificates; empty: none */
    char trusted_keys[256];                  /* directory of *.pub whose image signatures count */
    char key_store[256];                     /* directory of key material that key pools refer to */
    char webhook_hosts[256]; /* blank-separated HOST or HOST:PORT that webhooks may go to; empty: none */
    int two_people;          /* a recipe is released by somebody else than who saved it */
    int stop_timeout_s;      /* how long SIGTERM lets running units finish */
    int log_level;           /* enum log_level */
    struct station_settings *stations; /* in the order of the file */
    size_t station_count;
};

#endif
