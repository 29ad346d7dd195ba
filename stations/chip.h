/* SPDX-License-Identifier: Apache-2.0 */
/* A chip is a row of data. Rows live in stations/chips/, one file per family; each names its documents.
 * Adding a chip is adding a row; tests/tables proves every row. */
#ifndef FLASHFARM_STATIONS_CHIP_H
#define FLASHFARM_STATIONS_CHIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A run of equal erase units ("pages" or "sectors") that follow each other. */
struct chip_sectors {
    uint32_t count;
    uint32_t size;         /* bytes each */
    uint32_t erase_us;     /* the datasheet's typical time for one; 0 ends the list together with count */
    uint32_t erase_max_us; /* and its maximum: deadlines are made from it */
};

#define CHIP_SECTOR_RUNS 8

struct chip_span {
    uint32_t address;
    uint32_t size; /* bytes; 0: there is none */
};

/* Which loader a chip understands; a protocol says whom it can talk to. */
enum chip_kind { CHIP_STM32, CHIP_AVR, CHIP_P89LPC, CHIP_LPC, CHIP_ESP, CHIP_KINDS };

/* What is said to an AVR loader, or counts, only for AVR. */
struct chip_avr {
    uint8_t device_code;  /* STK500's own number for the chip (AVR061); 0: it has none */
    uint32_t boot_max;    /* bytes of the largest boot section that the fuses can set */
    uint32_t eeprom_page; /* bytes */
    uint32_t eeprom_us;   /* datasheet's time to erase and write one byte, or one page where it has pages */
};

/* What an LPC's ISP loader wants, or counts, only for LPC. */
struct chip_lpc {
    bool raw_data;           /* memory is sent as it is, not uuencoded; there is a checksum command */
    uint8_t checksum_vector; /* the word that makes the first eight sum up to 0: 5 ARM7, 7 Cortex-M */
};

/* Where an ESP keeps what is read from it, or counts, only for ESP. */
struct chip_esp {
    uint32_t bootloader_at; /* offset in flash of the first image that the ROM loads */
    uint16_t image_chip;    /* what the image's extended header names; 0xFFFF: its images name none */
    uint32_t mac_address;   /* of the two efuse words that hold the MAC */
    uint32_t spi_base;      /* of the flash controller's registers; and from there to … */
    uint8_t spi_usr, spi_usr1, spi_usr2, spi_miso_length, spi_w0;
};

/* What one device id stands for: chips of one die, which differ in package and in how much flash is sold. */
struct chip_family {
    const char *name;     /* as the vendor's document heads its table: "STM32F10x medium-density" */
    const char *document; /* where the numbers are from: "AN2606 rev 60 table 22; RM0008; DS5319" */
    enum chip_kind kind;
    uint32_t
        id; /* what the chip answers about itself: the AN3155 product id, the AVR signature 0x1E950F, … */
    const uint32_t *other_ids; /* more ids of the same die, ended by 0; NULL: none */
    uint32_t flash_base;
    struct chip_sectors sectors[CHIP_SECTOR_RUNS]; /* from flash_base up, the largest member's;
                                                      count 0 ends the list unless it is full */
    uint32_t program_unit;                         /* bytes the flash writes at a time */
    uint32_t program_us;                           /* typical time of one unit, as the ROM loader writes it */
    uint32_t program_max_us;
    uint32_t mass_erase_us; /* typical, the largest member's; 0: the loader has none, or must not */
    uint32_t mass_erase_max_us;
    uint8_t erased_value;           /* what an erased byte reads */
    struct chip_span ram;           /* what a loader may use of RAM while the ROM loader runs; where members
                                       differ in RAM, the largest one's: stay near the start */
    struct chip_span option_bytes;  /* written as memory; AVR: the fuses, at 0x820000 as avr-gcc puts them */
    uint32_t option_unit;           /* option bytes are written in whole units of so many bytes; 0: words */
    struct chip_span eeprom;        /* data memory that is written without an erase of its own; AVR: at
                                       0x810000 as avr-gcc puts it. size 0: none, or not through the loader */
    const struct chip_avr *avr;     /* NULL unless kind is CHIP_AVR */
    const struct chip_lpc *lpc;     /* NULL unless kind is CHIP_LPC */
    const struct chip_esp *esp;     /* NULL unless kind is CHIP_ESP */
    struct chip_span system_memory; /* the ROM loader itself: proof reads are made here */
    uint32_t uid_address;           /* 96 bits; 0: none, or not readable through the loader */
    uint32_t uid_third_offset;   /* from uid_address to the UID's third word, where that does not follow the
                                    second one (L0, L1); 0: it does */
    uint32_t flash_size_address; /* 16 bits, KiB; 0: none or not to be trusted */
    uint32_t read_alignment;     /* reads of UID and size must be whole aligned blocks of so many bytes;
                                    0 or 1: any */
    uint32_t transfer_max;       /* bytes per loader read or write; 0: the protocol's own maximum */
    uint32_t write_protect_unit; /* pages or sectors covered by one write protection code */
};

struct chip {
    const char *name; /* as ordered, lower case, x for package and temperature: "stm32f103xb" */
    const struct chip_family *family;
    uint32_t flash_size; /* bytes */
    bool no_uid;         /* its family has a UID, but no document says that this one has */
};

struct chip_table {
    const struct chip *chips;
    size_t count;
};

/* Every family file's table, in alphabetical order of files; ends with NULL. */
extern const struct chip_table *const chip_tables[];

/* Every row of every table, in the order of names (index < chip_count()). */
size_t chip_count(void);
const struct chip *chip_at(size_t index);

/* The row of that name, or NULL. */
const struct chip *chip_find(const char *name);

/* One erase unit of a chip's flash. */
struct chip_sector {
    uint32_t number; /* as the loader counts them, from 0 */
    uint32_t address;
    uint32_t size;
    uint32_t erase_us;
    uint32_t erase_max_us;
};

/* How many erase units the chip's own flash_size has, and the one with that number (number < count). */
uint32_t chip_sector_count(const struct chip *chip);
struct chip_sector chip_sector(const struct chip *chip, uint32_t number);

#endif
