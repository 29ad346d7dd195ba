/* SPDX-License-Identifier: Apache-2.0 */
/* AVR with a boot section, as their loaders see them. Sizes are bytes, also where a datasheet counts words.
 *
 * The id is the three signature bytes. Flash addresses are the datasheet's byte addresses, from 0; EEPROM
 * stands at 0x810000, the fuses at 0x820000 (low, high, extended) and the lock byte at 0x830000, as avr-gcc
 * puts them into its ELF files: option_bytes spans the last two, and between them is nothing.
 *
 * Times are those of self-programming, which is what a loader does. Every datasheet gives 3.7 to 4.5 ms for
 * one page erase, and the same for one page write ("SPM programming time"): the lower end is the typical one
 * here, so that a floor made from it is one. An EEPROM byte takes 26 368 cycles of the 8 MHz RC oscillator on
 * newer parts, and 8448 of the 1 MHz one on older. STK500 numbers are those of AVR061, annex "device codes",
 * or of the part whose number AVR tools use in its place. */
#include "chip_tables.h"

static const struct chip_avr mega128_avr = {
    .device_code = 0xB2,
    .boot_max = 8 * KIB,
    .eeprom_page = 8,
    .eeprom_us = 8500,
};

static const struct chip_family mega128 = {
    .name = "ATmega128",
    .document = "Atmel 2467 (ATmega128)",
    .kind = CHIP_AVR,
    .id = 0x1E9702,
    .sectors = {{.count = 512, .size = 256, .erase_us = 3700, .erase_max_us = 4500}},
    .program_unit = 256,
    .program_us = 3700,
    .program_max_us = 4500,
    .mass_erase_us = 512 * 3700,
    .mass_erase_max_us = 512 * 4500,
    .erased_value = 0xFF,
    .option_bytes = {.address = 0x820000, .size = 0x10001},
    .option_unit = 1,
    .eeprom = {.address = 0x810000, .size = 4096},
    .avr = &mega128_avr,
    .transfer_max = 256,
};

static const struct chip_avr mega1280_avr = {
    .boot_max = 8 * KIB,
    .eeprom_page = 8,
    .eeprom_us = 3300,
};

static const struct chip_family mega1280 = {
    .name = "ATmega1280",
    .document = "Atmel 2549 (ATmega640/1280/1281/2560/2561)",
    .kind = CHIP_AVR,
    .id = 0x1E9703,
    .sectors = {{.count = 512, .size = 256, .erase_us = 3700, .erase_max_us = 4500}},
    .program_unit = 256,
    .program_us = 3700,
    .program_max_us = 4500,
    .mass_erase_us = 512 * 3700,
    .mass_erase_max_us = 512 * 4500,
    .erased_value = 0xFF,
    .option_bytes = {.address = 0x820000, .size = 0x10001},
    .option_unit = 1,
    .eeprom = {.address = 0x810000, .size = 4096},
    .avr = &mega1280_avr,
    .transfer_max = 256,
};

static const struct chip_avr mega1284p_avr = {
    .device_code = 0x82,
    .boot_max = 8 * KIB,
    .eeprom_page = 8,
    .eeprom_us = 3300,
};

static const struct chip_family mega1284p = {
    .name = "ATmega1284P",
    .document = "Atmel 8272 (ATmega164A/PA/324A/PA/644A/PA/1284/P)",
    .kind = CHIP_AVR,
    .id = 0x1E9705,
    .sectors = {{.count = 512, .size = 256, .erase_us = 3700, .erase_max_us = 4500}},
    .program_unit = 256,
    .program_us = 3700,
    .program_max_us = 4500,
    .mass_erase_us = 512 * 3700,
    .mass_erase_max_us = 512 * 4500,
    .erased_value = 0xFF,
    .option_bytes = {.address = 0x820000, .size = 0x10001},
    .option_unit = 1,
    .eeprom = {.address = 0x810000, .size = 4096},
    .avr = &mega1284p_avr,
    .transfer_max = 256,
};

static const struct chip_avr mega16_avr = {
    .device_code = 0x82,
    .boot_max = 2 * KIB,
    .eeprom_page = 4,
    .eeprom_us = 8500,
};

static const struct chip_family mega16 = {
    .name = "ATmega16",
    .document = "Atmel 2466 (ATmega16)",
    .kind = CHIP_AVR,
    .id = 0x1E9403,
    .sectors = {{.count = 128, .size = 128, .erase_us = 3700, .erase_max_us = 4500}},
    .program_unit = 128,
    .program_us = 3700,
    .program_max_us = 4500,
    .mass_erase_us = 128 * 3700,
    .mass_erase_max_us = 128 * 4500,
    .erased_value = 0xFF,
    .option_bytes = {.address = 0x820000, .size = 0x10001},
    .option_unit = 1,
    .eeprom = {.address = 0x810000, .size = 512},
    .avr = &mega16_avr,
    .transfer_max = 128,
};

static const struct chip_avr mega162_avr = {
    .device_code = 0x83,
    .boot_max = 2 * KIB,
    .eeprom_page = 4,
    .eeprom_us = 8500,
};

static const struct chip_family mega162 = {
    .name = "ATmega162",
    .document = "Atmel 2513 (ATmega162)",
    .kind = CHIP_AVR,
    .id = 0x1E9404,
    .sectors = {{.count = 128, .size = 128, .erase_us = 3700, .erase_max_us = 4500}},
    .program_unit = 128,
    .program_us = 3700,
    .program_max_us = 4500,
    .mass_erase_us = 128 * 3700,
    .mass_erase_max_us = 128 * 4500,
    .erased_value = 0xFF,
    .option_bytes = {.address = 0x820000, .size = 0x10001},
    .option_unit = 1,
    .eeprom = {.address = 0x810000, .size = 512},
    .avr = &mega162_avr,
    .transfer_max = 128,
};

static const struct chip_avr mega164p_avr = {
    .device_code = 0x82,
    .boot_max = 2 * KIB,
    .eeprom_page = 4,
    .eeprom_us = 3300,
};

static const struct chip_family mega164p = {
    .name = "ATmega164P/PA",
    .document = "Atmel 8272 (ATmega164A/PA/324A/PA/644A/PA/1284/P)",
    .kind = CHIP_AVR,
    .id = 0x1E940A,
    .sectors = {{.count = 128, .size = 128, .erase_us = 3700, .erase_max_us = 4500}},
    .program_unit = 128,
    .program_us = 3700,
    .program_max_us = 4500,
    .mass_erase_us = 128 * 3700,
    .mass_erase_max_us = 128 * 4500,
    .erased_value = 0xFF,
    .option_bytes = {.address = 0x820000, .size = 0x10001},
    .option_unit = 1,
    .eeprom = {.address = 0x810000, .size = 512},
    .avr = &mega164p_avr,
    .transfer_max = 128,
};

static const struct chip_avr mega168_avr = {
    .device_code = 0x86,
    .boot_max = 2 * KIB,
    .eeprom_page = 4,
    .eeprom_us = 3300,
};

static const struct chip_family mega168 = {
    .name = "ATmega168/A",
    .document = "Atmel 2545 (ATmega48/88/168), 8271",
    .kind = CHIP_AVR,
    .id = 0x1E9406,
    .sectors = {{.count = 128, .size = 128, .erase_us = 3700, .erase_max_us = 4500}},
    .program_unit = 128,
    .program_us = 3700,
    .program_max_us = 4500,
    .mass_erase_us = 128 * 3700,
    .mass_erase_max_us = 128 * 4500,
    .erased_value = 0xFF,
    .option_bytes = {.address = 0x820000, .size = 0x10001},
    .option_unit = 1,
    .eeprom = {.address = 0x810000, .size = 512},
    .avr = &mega168_avr,
    .transfer_max = 128,
};

static const struct chip_avr mega168p_avr = {
    .device_code = 0x86,
    .boot_max = 2 * KIB,
    .eeprom_page = 4,
    .eeprom_us = 3300,
};

static const struct chip_family mega168p = {
    .name = "ATmega168P/PA",
    .document = "Atmel 8271 (ATmega48A/PA/88A/PA/168A/PA/328/P)",
    .kind = CHIP_AVR,
    .id = 0x1E940B,
    .sectors = {{.count = 128, .size = 128, .erase_us = 3700, .erase_max_us = 4500}},
    .program_unit = 128,
    .program_us = 3700,
    .program_max_us = 4500,
    .mass_erase_us = 128 * 3700,
    .mass_erase_max_us = 128 * 4500,
    .erased_value = 0xFF,
    .option_bytes = {.address = 0x820000, .size = 0x10001},
    .option_unit = 1,
    .eeprom = {.address = 0x810000, .size = 512},
    .avr = &mega168p_avr,
    .transfer_max = 128,
};

static const struct chip_avr mega2560_avr = {
    .device_code = 0xB2,
    .boot_max = 8 * KIB,
    .eeprom_page = 8,
    .eeprom_us = 3300,
};

static const struct chip_family mega2560 = {
    .name = "ATmega2560",
    .document = "Atmel 2549 (ATmega640/1280/1281/2560/2561)",
    .kind = CHIP_AVR,
    .id = 0x1E9801,
    .sectors = {{.count = 1024, .size = 256, .erase_us = 3700, .erase_max_us = 4500}},
    .program_unit = 256,
    .program_us = 3700,
    .program_max_us = 4500,
    .mass_erase_us = 1024 * 3700,
    .mass_erase_max_us = 1024 * 4500,
    .erased_value = 0xFF,
    .option_bytes = {.address = 0x820000, .size = 0x10001},
    .option_unit = 1,
    .eeprom = {.address = 0x810000, .size = 4096},
    .avr = &mega2560_avr,
    .transfer_max = 256,
};

static const struct chip_avr mega32_avr = {
    .device_code = 0x91,
    .boot_max = 4 * KIB,
    .eeprom_page = 4,
    .eeprom_us = 8500,
};

static const struct chip_family mega32 = {
    .name = "ATmega32",
    .document = "Atmel 2503 (ATmega32)",
    .kind = CHIP_AVR,
    .id = 0x1E9502,
    .sectors = {{.count = 256, .size = 128, .erase_us = 3700, .erase_max_us = 4500}},
    .program_unit = 128,
    .program_us = 3700,
    .program_max_us = 4500,
    .mass_erase_us = 256 * 3700,
    .mass_erase_max_us = 256 * 4500,
    .erased_value = 0xFF,
    .option_bytes = {.address = 0x820000, .size = 0x10001},
    .option_unit = 1,
    .eeprom = {.address = 0x810000, .size = 1024},
    .avr = &mega32_avr,
    .transfer_max = 128,
};

static const struct chip_avr mega328_avr = {
    .device_code = 0x86,
    .boot_max = 4 * KIB,
    .eeprom_page = 4,
    .eeprom_us = 3300,
};

static const struct chip_family mega328 = {
    .name = "ATmega328",
    .document = "Atmel 8271 (ATmega48A/PA/88A/PA/168A/PA/328/P)",
    .kind = CHIP_AVR,
    .id = 0x1E9514,
    .sectors = {{.count = 256, .size = 128, .erase_us = 3700, .erase_max_us = 4500}},
    .program_unit = 128,
    .program_us = 3700,
    .program_max_us = 4500,
    .mass_erase_us = 256 * 3700,
    .mass_erase_max_us = 256 * 4500,
    .erased_value = 0xFF,
    .option_bytes = {.address = 0x820000, .size = 0x10001},
    .option_unit = 1,
    .eeprom = {.address = 0x810000, .size = 1024},
    .avr = &mega328_avr,
    .transfer_max = 128,
};

static const struct chip_avr mega328p_avr = {
    .device_code = 0x86,
    .boot_max = 4 * KIB,
    .eeprom_page = 4,
    .eeprom_us = 3300,
};

static const struct chip_family mega328p = {
    .name = "ATmega328P",
    .document = "Atmel 8271 (ATmega48A/PA/88A/PA/168A/PA/328/P)",
    .kind = CHIP_AVR,
    .id = 0x1E950F,
    .sectors = {{.count = 256, .size = 128, .erase_us = 3700, .erase_max_us = 4500}},
    .program_unit = 128,
    .program_us = 3700,
    .program_max_us = 4500,
    .mass_erase_us = 256 * 3700,
    .mass_erase_max_us = 256 * 4500,
    .erased_value = 0xFF,
    .option_bytes = {.address = 0x820000, .size = 0x10001},
    .option_unit = 1,
    .eeprom = {.address = 0x810000, .size = 1024},
    .avr = &mega328p_avr,
    .transfer_max = 128,
};

static const struct chip_avr mega32u4_avr = {
    .boot_max = 4 * KIB,
    .eeprom_page = 4,
    .eeprom_us = 3300,
};

static const struct chip_family mega32u4 = {
    .name = "ATmega32U4",
    .document = "Atmel 7766 (ATmega16U4/32U4)",
    .kind = CHIP_AVR,
    .id = 0x1E9587,
    .sectors = {{.count = 256, .size = 128, .erase_us = 3700, .erase_max_us = 4500}},
    .program_unit = 128,
    .program_us = 3700,
    .program_max_us = 4500,
    .mass_erase_us = 256 * 3700,
    .mass_erase_max_us = 256 * 4500,
    .erased_value = 0xFF,
    .option_bytes = {.address = 0x820000, .size = 0x10001},
    .option_unit = 1,
    .eeprom = {.address = 0x810000, .size = 1024},
    .avr = &mega32u4_avr,
    .transfer_max = 128,
};

static const struct chip_avr mega64_avr = {
    .device_code = 0xA0,
    .boot_max = 8 * KIB,
    .eeprom_page = 8,
    .eeprom_us = 8500,
};

static const struct chip_family mega64 = {
    .name = "ATmega64",
    .document = "Atmel 2490 (ATmega64)",
    .kind = CHIP_AVR,
    .id = 0x1E9602,
    .sectors = {{.count = 256, .size = 256, .erase_us = 3700, .erase_max_us = 4500}},
    .program_unit = 256,
    .program_us = 3700,
    .program_max_us = 4500,
    .mass_erase_us = 256 * 3700,
    .mass_erase_max_us = 256 * 4500,
    .erased_value = 0xFF,
    .option_bytes = {.address = 0x820000, .size = 0x10001},
    .option_unit = 1,
    .eeprom = {.address = 0x810000, .size = 2048},
    .avr = &mega64_avr,
    .transfer_max = 256,
};

static const struct chip_avr mega644_avr = {
    .device_code = 0x82,
    .boot_max = 8 * KIB,
    .eeprom_page = 8,
    .eeprom_us = 3300,
};

static const struct chip_family mega644 = {
    .name = "ATmega644/A",
    .document = "Atmel 2593 (ATmega644), 8272",
    .kind = CHIP_AVR,
    .id = 0x1E9609,
    .sectors = {{.count = 256, .size = 256, .erase_us = 3700, .erase_max_us = 4500}},
    .program_unit = 256,
    .program_us = 3700,
    .program_max_us = 4500,
    .mass_erase_us = 256 * 3700,
    .mass_erase_max_us = 256 * 4500,
    .erased_value = 0xFF,
    .option_bytes = {.address = 0x820000, .size = 0x10001},
    .option_unit = 1,
    .eeprom = {.address = 0x810000, .size = 2048},
    .avr = &mega644_avr,
    .transfer_max = 256,
};

static const struct chip_avr mega644p_avr = {
    .device_code = 0x82,
    .boot_max = 8 * KIB,
    .eeprom_page = 8,
    .eeprom_us = 3300,
};

static const struct chip_family mega644p = {
    .name = "ATmega644P/PA",
    .document = "Atmel 8011 (ATmega164P/324P/644P), 8272",
    .kind = CHIP_AVR,
    .id = 0x1E960A,
    .sectors = {{.count = 256, .size = 256, .erase_us = 3700, .erase_max_us = 4500}},
    .program_unit = 256,
    .program_us = 3700,
    .program_max_us = 4500,
    .mass_erase_us = 256 * 3700,
    .mass_erase_max_us = 256 * 4500,
    .erased_value = 0xFF,
    .option_bytes = {.address = 0x820000, .size = 0x10001},
    .option_unit = 1,
    .eeprom = {.address = 0x810000, .size = 2048},
    .avr = &mega644p_avr,
    .transfer_max = 256,
};

static const struct chip_avr mega8_avr = {
    .device_code = 0x70,
    .boot_max = 2 * KIB,
    .eeprom_page = 4,
    .eeprom_us = 8500,
};

static const struct chip_family mega8 = {
    .name = "ATmega8/A",
    .document = "Atmel 2486 (ATmega8)",
    .kind = CHIP_AVR,
    .id = 0x1E9307,
    .sectors = {{.count = 128, .size = 64, .erase_us = 3700, .erase_max_us = 4500}},
    .program_unit = 64,
    .program_us = 3700,
    .program_max_us = 4500,
    .mass_erase_us = 128 * 3700,
    .mass_erase_max_us = 128 * 4500,
    .erased_value = 0xFF,
    .option_bytes = {.address = 0x820000, .size = 0x10001},
    .option_unit = 1,
    .eeprom = {.address = 0x810000, .size = 512},
    .avr = &mega8_avr,
    .transfer_max = 64,
};

static const struct chip rows[] = {
    {.name = "atmega128", .family = &mega128, .flash_size = 128 * KIB},
    {.name = "atmega1280", .family = &mega1280, .flash_size = 128 * KIB},
    {.name = "atmega1284p", .family = &mega1284p, .flash_size = 128 * KIB},
    {.name = "atmega16", .family = &mega16, .flash_size = 16 * KIB},
    {.name = "atmega162", .family = &mega162, .flash_size = 16 * KIB},
    {.name = "atmega164p", .family = &mega164p, .flash_size = 16 * KIB},
    {.name = "atmega168", .family = &mega168, .flash_size = 16 * KIB},
    {.name = "atmega168p", .family = &mega168p, .flash_size = 16 * KIB},
    {.name = "atmega2560", .family = &mega2560, .flash_size = 256 * KIB},
    {.name = "atmega32", .family = &mega32, .flash_size = 32 * KIB},
    {.name = "atmega328", .family = &mega328, .flash_size = 32 * KIB},
    {.name = "atmega328p", .family = &mega328p, .flash_size = 32 * KIB},
    {.name = "atmega32u4", .family = &mega32u4, .flash_size = 32 * KIB},
    {.name = "atmega64", .family = &mega64, .flash_size = 64 * KIB},
    {.name = "atmega644", .family = &mega644, .flash_size = 64 * KIB},
    {.name = "atmega644p", .family = &mega644p, .flash_size = 64 * KIB},
    {.name = "atmega8", .family = &mega8, .flash_size = 8 * KIB},
};

const struct chip_table atmega_chips = {.chips = rows, .count = sizeof(rows) / sizeof(rows[0])};
