/* SPDX-License-Identifier: Apache-2.0 */
/* See loader.h. Boot sections, clocks and rates are those of the boards that Debian's boards.txt names. */
#include "loader.h"

#include "common.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ARDUINO     "arduino/avr/bootloaders/"
#define MIGHTY      "mighty-1284p/bootloaders/"
#define CRYSTAL     16000000U
#define LOADER_ROOT "/usr/share/arduino/hardware/"

/* MAX_TIME_COUNT of ATmegaBOOT_168.c, and of ATmegaBOOT.c (ATmega8) and stk500boot.c. */
enum { PATIENCE_SHORT = CRYSTAL >> 4, PATIENCE_LONG = CRYSTAL >> 1 };

static const struct loader loaders[] = {
    /* Debian's own build of this one is 20 bytes too long, so it is built here from Debian's source. */
    {.chip = "atmega328p",
     .name = "optiboot",
     .core = "atmega328p",
     .file = "optiboot_atmega328p.hex",
     .protocol = "stk500v1",
     .baud = 115200,
     .frequency_hz = CRYSTAL,
     .boot_address = 0x7E00,
     .signature = {0x1E, 0x95, 0x0F},
     .sibling = 0x14},
    {.chip = "atmega328p",
     .name = "atmegaboot",
     .core = "atmega328p",
     .file = ARDUINO "atmega/ATmegaBOOT_168_atmega328.hex",
     .protocol = "stk500v1",
     .baud = 57600,
     .frequency_hz = CRYSTAL,
     .boot_address = 0x7800,
     .patience = PATIENCE_SHORT,
     .signature = {0x1E, 0x95, 0x0F},
     .sibling = 0x14},
    {.chip = "atmega168",
     .name = "atmegaboot",
     .core = "atmega168",
     .file = ARDUINO "atmega/ATmegaBOOT_168_diecimila.hex",
     .protocol = "stk500v1",
     .baud = 19200,
     .frequency_hz = CRYSTAL,
     .boot_address = 0x3800,
     .patience = PATIENCE_SHORT,
     .signature = {0x1E, 0x94, 0x06},
     .sibling = 0x0B},
    {.chip = "atmega1284p",
     .name = "optiboot",
     .core = "atmega1284p",
     .file = MIGHTY "optiboot/optiboot_atmega1284p.hex",
     .protocol = "stk500v1",
     .baud = 115200,
     .frequency_hz = CRYSTAL,
     .boot_address = 0x1FC00,
     .signature = {0x1E, 0x97, 0x05},
     .sibling = 0x06},
    {.chip = "atmega1284p",
     .name = "atmegaboot",
     .core = "atmega1284p",
     .file = MIGHTY "standard/ATmegaBOOT_1284P.hex",
     .protocol = "stk500v1",
     .baud = 57600,
     .frequency_hz = CRYSTAL,
     .boot_address = 0x1F800,
     .patience = PATIENCE_SHORT,
     .signature = {0x1E, 0x97, 0x05},
     .sibling = 0x06},
    {.chip = "atmega1280",
     .name = "atmegaboot",
     .core = "atmega1280",
     .file = ARDUINO "atmega/ATmegaBOOT_168_atmega1280.hex",
     .protocol = "stk500v1",
     .baud = 57600,
     .frequency_hz = CRYSTAL,
     .boot_address = 0x1F000,
     .patience = PATIENCE_SHORT,
     .signature = {0x1E, 0x97, 0x03},
     .sibling = 0x04},
    {.chip = "atmega2560",
     .name = "stk500v2",
     .core = "atmega2560",
     .file = ARDUINO "stk500v2/stk500boot_v2_mega2560.hex",
     .protocol = "stk500v2",
     .baud = 115200,
     .frequency_hz = CRYSTAL,
     .boot_address = 0x3E000,
     .patience = PATIENCE_LONG,
     .signature = {0x1E, 0x98, 0x01},
     .sibling = 0x02},
    {.chip = "atmega8",
     .name = "atmegaboot",
     .core = "atmega8",
     .file = ARDUINO "atmega8/ATmegaBOOT.hex",
     .protocol = "stk500v1",
     .baud = 19200,
     .frequency_hz = CRYSTAL,
     .boot_address = 0x1C00,
     .patience = PATIENCE_LONG,
     .signature = {0x1E, 0x93, 0x07},
     .sibling = 0x0A},
};

const struct loader *loader_at(size_t index)
{
    return index < sizeof loaders / sizeof loaders[0] ? &loaders[index] : NULL;
}

const struct loader *loader_find(const char *kind)
{
    size_t length = strcspn(kind, ":");

    for (size_t i = 0; i < sizeof loaders / sizeof loaders[0]; i++)
        if (strlen(loaders[i].chip) == length && !strncmp(loaders[i].chip, kind, length) &&
            (!kind[length] || !strcmp(loaders[i].name, kind + length + 1)))
            return &loaders[i];
    return NULL;
}

static char *beside_program(const char *file)
{
    char path[4096];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    char *end;

    path[length > 0 ? length : 0] = '\0';
    end = strrchr(path, '/');
    if (end)
        *end = '\0';
    return sim_text("%s/%s", path, file);
}

char *loader_path(const struct loader *loader)
{
    if (loader->file[0] == '/')
        return sim_text("%s", loader->file);
    if (!strchr(loader->file, '/'))
        return beside_program(loader->file);
    return sim_text(LOADER_ROOT "%s", loader->file);
}

/* --- Intel HEX --- */

enum record {
    RECORD_DATA = 0,
    RECORD_END = 1,
    RECORD_SEGMENT = 2,
    RECORD_START = 3,
    RECORD_LINEAR = 4,
    RECORD_ENTRY = 5
};
enum { RECORD_MAX_BYTES = 5 + 255 };

struct reading {
    const char *path;
    unsigned line;
    uint8_t *flash;
    bool *written;
    size_t size;
    uint32_t base, highest, twice; /* twice: an address that was, as was said on that line */
    unsigned twice_line;
    bool ended;
};

static int digit(char c)
{
    const char *digits = "0123456789ABCDEF",
               *found = c ? strchr(digits, c >= 'a' && c <= 'f' ? c - 32 : c) : NULL;

    return found ? (int)(found - digits) : -1;
}

/* The bytes of a line, their number and sum checked; -1 when it is no record. */
static int parse(const char *line, uint8_t *bytes)
{
    unsigned sum = 0;
    int count = 0;

    if (*line++ != ':')
        return -1;
    for (; digit(line[0]) >= 0 && digit(line[1]) >= 0 && count < RECORD_MAX_BYTES; line += 2) {
        bytes[count] = (uint8_t)(digit(line[0]) << 4 | digit(line[1]));
        sum += bytes[count++];
    }
    if ((*line && *line != '\r' && *line != '\n') || count < 5 || count != bytes[0] + 5 || (sum & 0xFF))
        return -1;
    return count;
}

/* What is wrong is only noted here: how much lies outside is known at the end, and says more than the rest.
 */
static int place(struct reading *reading, const uint8_t *record)
{
    uint32_t address = reading->base + (uint32_t)(record[1] << 8 | record[2]);

    for (unsigned i = 0; i < record[0]; i++, address++) {
        if (address >= reading->highest)
            reading->highest = address + 1;
        if (address >= reading->size)
            continue;
        if (reading->written[address] && !reading->twice_line) {
            reading->twice = address;
            reading->twice_line = reading->line;
        }
        reading->written[address] = true;
        reading->flash[address] = record[4 + i];
    }
    return 0;
}

static int obey(struct reading *reading, const uint8_t *record)
{
    uint32_t value = (uint32_t)(record[4] << 8 | record[5]);

    switch (record[3]) {
    case RECORD_DATA:
        return place(reading, record);
    case RECORD_END:
        reading->ended = true;
        return 0;
    case RECORD_SEGMENT:
        reading->base = value << 4;
        return 0;
    case RECORD_LINEAR:
        reading->base = value << 16;
        return 0;
    case RECORD_START:
    case RECORD_ENTRY:
        return 0;
    default:
        return sim_complain("%s: line %u: unknown record %u", reading->path, reading->line, record[3]);
    }
}

static int read_lines(struct reading *reading, FILE *file)
{
    char line[2 * RECORD_MAX_BYTES + 8];
    uint8_t record[RECORD_MAX_BYTES + 2] = {0};

    while (!reading->ended && fgets(line, sizeof line, file)) {
        reading->line++;
        if (parse(line, record) < 0)
            return sim_complain("%s: line %u is no Intel HEX record", reading->path, reading->line);
        if (obey(reading, record))
            return -1;
    }
    if (!reading->ended)
        return sim_complain("%s: no end record", reading->path);
    if (reading->highest > reading->size)
        return sim_complain("%s: %zu bytes past the end of flash (0x%zx)", reading->path,
                            reading->highest - reading->size, reading->size);
    if (reading->twice_line)
        return sim_complain("%s: line %u: 0x%x is written twice", reading->path, reading->twice_line,
                            reading->twice);
    return reading->highest ? 0 : sim_complain("%s: empty", reading->path);
}

int loader_read(const char *path, uint8_t *flash, size_t size)
{
    struct reading reading = {.path = path, .flash = flash, .size = size};
    FILE *file = fopen(path, "re");
    int result;

    if (!file)
        return sim_complain("%s: %s", path, strerror(errno));
    reading.written = sim_allocate(size, sizeof(bool));
    result = read_lines(&reading, file);
    free(reading.written);
    (void)fclose(file);
    return result;
}
