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
};

struct settings {
    char listen[128];                  /* "127.0.0.1:8470" or "[::1]:8470" */
    char state[256];                   /* absolute directory */
    char key_file[256];                /* API keys, one per line; empty: <state>/key, made by the daemon */
    int stop_timeout_s;                /* how long SIGTERM lets running units finish */
    int log_level;                     /* enum log_level */
    struct station_settings *stations; /* in the order of the file */
    size_t station_count;
};

#endif
