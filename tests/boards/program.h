/* SPDX-License-Identifier: Apache-2.0 */
/* What flashfarm-sim and flashfarm-sim-avr differ in: two programs of one make, each with boards of its own
 * kind. A board is a pointer that only its program understands. */
#ifndef SIM_PROGRAM_H
#define SIM_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct farm;
struct option;
struct options;

/* What an operator can do with a board and ask of it. On -1, errno or why says what is wrong. */
struct operations {
    const char *(*name)(const void *board);
    const char *(*phase)(const void *board);
    void (*describe)(const void *board, char *text, size_t size);
    void (*reset)(void *board);
    void (*remove)(void *board);
    int (*insert)(void *board);
    void (*unplug)(void *board);
    int (*replug)(void *board);
    int (*set_fault)(const struct farm *farm, void *board, const char *text, char *why, size_t size);
    int (*fill)(void *board, int byte, FILE *content); /* from content, or with byte where it is NULL */
    int (*dump)(const void *board, FILE *file);
    int (*dump_eeprom)(const void *board, FILE *file); /* NULL: not asked for apart */
};

struct program {
    const char *name, *usage;
    const struct option *options; /* its own, beside those of options.c */
    int (*take)(struct options *options, int option, const char *text);
    void (*list_chips)(FILE *file, const char *indent);

    const char *control, *conf; /* what it calls these in the folder */
    bool owns_folder;           /* no other may be there */
    size_t boards_max;

    const struct operations *operations;
    /* CHIP and how many; kind is both as they were written. 1: the chip is not known. */
    int (*add)(struct farm *farm, const char *chip, size_t count, const char *kind);
    void (*free_board)(void *board);
    int (*write_conf)(const struct farm *farm, FILE *file);

    int (*open_output)(void); /* where "ready" goes; NULL: stdout */

    /* Boards that another program has, where there are such. NULL: never. */
    bool (*refer_fault)(struct farm *farm, const char *request); /* NAME=KIND[@N] */
    int (*start)(struct farm *farm);                             /* all is known that is asked of it */
    size_t (*others)(const struct farm *farm);
    bool (*ask)(const struct farm *farm, const char *line, char *answer, size_t size);
    void (*close)(struct farm *farm);
};

/* The whole life of either: its exit status. */
int program_run(const struct program *program, int count, char **arguments);

#endif
