/* SPDX-License-Identifier: Apache-2.0 */
/* The bootloaders that boards come with: which file, for which chip, where it starts and how it talks. The
 * files are other people's, as Debian packages them; nothing of them is in this tree. */
#ifndef SIM_AVR_LOADER_H
#define SIM_AVR_LOADER_H

#include <stddef.h>
#include <stdint.h>

struct loader {
    const char *chip, *name; /* "atmega328p", "optiboot": the first of a chip is what it has by default */
    const char *core;        /* what simavr calls the chip */
    const char *file;        /* below the folder of Debian's bootloaders, or built beside the program */
    const char *protocol;    /* as flashfarm.conf names it */
    uint32_t baud, frequency_hz;
    uint32_t boot_address; /* first byte of the boot section, by the BOOTSZ fuses of the board */
    uint32_t patience;     /* a loop that waits for a byte gives up after so many turns; 0 = does not count */
    uint8_t signature[3];
    uint8_t sibling; /* third signature byte of a chip that could be taken for it */
};

const struct loader *loader_at(size_t index);

/* "atmega328p" or "atmega328p:atmegaboot"; NULL when there is none. */
const struct loader *loader_find(const char *kind);

/* Where its file is; to be freed. */
char *loader_path(const struct loader *loader);

/* Reads Intel HEX into flash, and refuses what does not fit. 0 or -1 with a complaint. */
int loader_read(const char *path, uint8_t *flash, size_t size);

#endif
