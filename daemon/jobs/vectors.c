/* SPDX-License-Identifier: Apache-2.0 */
/* A Cortex-M starts with two words: its initial stack pointer and the address of its first instruction, odd
 * because that is how Thumb state is told (ARMv6-M and ARMv7-M Architecture Reference Manuals, "The vector
 * table"). An AVR and an ARM7 start with an instruction. Family ids of UF2 files are those of its published
 * list. */
#include "vectors.h"

#include "bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define KIB 1024u

static bool alarm(struct vectors_finding *finding, const char *class, const char *remedy, const char *format,
                  ...) __attribute__((format(printf, 4, 5)));

static bool alarm(struct vectors_finding *finding, const char *class, const char *remedy, const char *format,
                  ...)
{
    va_list arguments;

    finding->class = class;
    finding->remedy = remedy;
    finding->is_sure = true;
    va_start(arguments, format);
    (void)vsnprintf(finding->message, sizeof finding->message, format, arguments);
    va_end(arguments);
    return true;
}

static bool starts_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool is_one_of(const struct chip *chip, const char *const *prefixes)
{
    for (; *prefixes; prefixes++)
        if (starts_with(chip->name, *prefixes))
            return true;
    return false;
}

static bool is_cortex_m(const struct chip *chip)
{
    const struct chip_family *family = chip->family;

    return family->kind == CHIP_STM32 || (family->kind == CHIP_LPC && family->lpc->checksum_vector == 7);
}

/* A stack grows down: its pointer may be the address behind the last byte. */
static bool ends_in(uint32_t sp, uint32_t base, uint32_t size)
{
    return sp > base && sp - base <= size;
}

/* RAM from 0x20000000 on. Rows tell what the ROM loader leaves, up to where its own view of RAM ends; a
 * second block that follows has been at most as large again, but on STM32WB (192 and 64 KiB, DS11929). */
static uint32_t main_ram_size(const struct chip *chip)
{
    const struct chip_span *ram = &chip->family->ram;

    if (starts_with(chip->name, "stm32wb"))
        return 256 * KIB;
    return ram->size ? 2 * (ram->address + ram->size - 0x20000000u) : 1024 * KIB;
}

static bool sp_fits_stm32(const struct chip *chip, uint32_t sp)
{
    static const char *const without_low_ram[] = {"stm32c0", "stm32f0", "stm32f1", "stm32f2", "stm32g0",
                                                  "stm32l0", "stm32l1", "stm32wl", NULL};
    static const char *const with_high_ram[] = {"stm32h7", "stm32l5", NULL};

    if (ends_in(sp, 0x20000000, main_ram_size(chip)))
        return true;
    /* core-coupled memory, or SRAM2 of the L4 */
    if (ends_in(sp, 0x10000000, 128 * KIB) && !is_one_of(chip, without_low_ram))
        return true;
    return is_one_of(chip, with_high_ram) &&
           (ends_in(sp, 0x24000000, 1024 * KIB) || ends_in(sp, 0x30000000, 1024 * KIB) ||
            ends_in(sp, 0x38000000, 64 * KIB));
}

static bool sp_fits(const struct chip *chip, uint32_t sp)
{
    if (sp % 4)
        return false;
    if (chip->family->kind == CHIP_STM32)
        return sp_fits_stm32(chip, sp);
    /* LPC: the main block, and blocks on the AHB or for USB */
    return ends_in(sp, 0x10000000, 64 * KIB) || ends_in(sp, 0x20000000, 1024 * KIB);
}

/* Where in flash an address of code is: at its own place, or where the chip shows flash a second time. */
static bool code_offset(const struct chip *chip, uint32_t address, uint32_t *offset)
{
    const uint32_t views[] = {chip->family->flash_base, 0x00000000 /* boot from flash */,
                              starts_with(chip->name, "stm32f7") ? 0x00200000 : 0 /* on the ITCM bus */,
                              starts_with(chip->name, "stm32l5") ? 0x0C000000 : 0 /* secure */};

    for (size_t i = 0; i < sizeof views / sizeof *views; i++)
        if (address >= views[i] && address - views[i] < chip->flash_size) {
            *offset = address - views[i];
            return true;
        }
    return false;
}

static bool image_has(const struct image *image, uint32_t address)
{
    uint8_t byte;

    return image_read(image, address, &byte, 1, 0) == 1;
}

/* Another vendor's memory map, where both words agree on it. */
static const char *other_family(const struct chip *chip, uint32_t sp, uint32_t pc)
{
    bool is_stm32 = chip->family->kind == CHIP_STM32;

    if (!is_stm32 && (pc & 1) && pc >> 20 == 0x080)
        return "an STM32";
    if (is_stm32 && (pc & 1) && pc < 1024 * KIB && ends_in(sp, 0x10000000, 64 * KIB))
        return "an LPC";
    return NULL;
}

static bool check_cortex_m(const struct chip *chip, const struct image *image,
                           struct vectors_finding *finding)
{
    static const char remedy[] = "take the file that is built and linked for this chip";
    uint8_t bytes[8];
    uint32_t sp, pc, offset = 0;

    finding->address = chip->family->flash_base;
    if (image_read(image, finding->address, bytes, sizeof bytes, 0xFF) != sizeof bytes)
        return false; /* another file's, or it stays as it is */
    sp = get_le32(bytes);
    pc = get_le32(bytes + 4);
    if (sp == UINT32_MAX && pc == UINT32_MAX)
        return false; /* blank */
    if (sp_fits(chip, sp) && (pc & 1) && code_offset(chip, pc - 1, &offset)) {
        if (image_has(image, chip->family->flash_base + offset))
            return false;
        (void)alarm(finding, "vector-table", "add the file with the code, or check that it is kept",
                    "the first instruction is to be at 0x%08x, where the image has nothing", pc - 1);
        finding->is_sure = false;
        return true;
    }
    if (other_family(chip, sp, pc))
        return alarm(finding, "wrong-family", remedy,
                     "stack pointer 0x%08x and first instruction 0x%08x are those of %s, not of %s", sp, pc,
                     other_family(chip, sp, pc), chip->name);
    finding->address += sp_fits(chip, sp) ? 4 : 0;
    return alarm(finding, "vector-table", remedy,
                 sp_fits(chip, sp)
                     ? "initial stack pointer 0x%08x, but first instruction 0x%08x is not an odd "
                       "address in the flash of %s"
                     : "initial stack pointer 0x%08x (first instruction 0x%08x) is not in the "
                       "RAM of %s",
                 sp, pc, chip->name);
}

/* Two words that an AVR or an ARM7 would never begin with, and a Cortex-M always does. */
static bool check_instructions(const struct chip *chip, const struct image *image,
                               struct vectors_finding *finding)
{
    uint8_t bytes[8];
    uint32_t sp, pc;

    finding->address = chip->family->flash_base;
    if (image_read(image, finding->address, bytes, sizeof bytes, 0xFF) != sizeof bytes)
        return false;
    sp = get_le32(bytes);
    pc = get_le32(bytes + 4);
    if (sp % 8 || !(pc & 1) || pc >= 2048 * KIB ||
        (!ends_in(sp, 0x10000000, 128 * KIB) && !ends_in(sp, 0x20000000, 512 * KIB)))
        return false;
    return alarm(finding, "wrong-family", "take the file that is built for this chip",
                 "stack pointer 0x%08x and first instruction 0x%08x are those of a Cortex-M, and %s is none",
                 sp, pc, chip->name);
}

/* What a UF2 file says of itself. */
static bool check_uf2(const struct chip *chip, const struct image *image, struct vectors_finding *finding)
{
    static const struct {
        uint32_t id;
        const char *prefix; /* of the chips' names */
    } rows[] = {
        {0x647824B6, "stm32f0"}, {0x5EE21072, "stm32f1"}, {0x5D1A0A2E, "stm32f2"}, {0x6B846188, "stm32f3"},
        {0x57755A57, "stm32f4"}, {0x6D0922FA, "stm32f4"}, {0x8FB060FE, "stm32f4"}, {0x53B80F00, "stm32f7"},
        {0x300F5633, "stm32g0"}, {0x4C71240A, "stm32g4"}, {0x6DB66082, "stm32h7"}, {0x202E3A91, "stm32l0"},
        {0x1E1F432D, "stm32l1"}, {0x00FF6919, "stm32l4"}, {0x04240BDF, "stm32l5"}, {0x70D16653, "stm32wb"},
        {0x21460FF0, "stm32wl"}, {0x7EAB61ED, "esp8266"}, {0x1C5F21B0, "esp32"},   {0xD42BA06C, "esp32c3"},
        {0xC47E5767, "esp32s3"}, {0xBFDD4EEE, "esp32s2"}, {0xE48BFF56, "rp2040"},  {0xADA52840, "nrf52840"},
        {0x68ED2B88, "samd21"},  {0x55114460, "samd51"},  {0x16573617, "atmega"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].id == image->uf2_family && !starts_with(chip->name, rows[i].prefix)) {
            finding->address = image->count ? image->ranges[0].address : 0;
            return alarm(finding, "wrong-family", "take the file that is built for this chip",
                         "the UF2 file says that it is for %s (family 0x%08x), and the chip is %s",
                         rows[i].prefix, image->uf2_family, chip->name);
        }
    return false;
}

bool vectors_check(const struct chip *chip, const struct image *image, struct vectors_finding *finding)
{
    *finding = (struct vectors_finding){.class = ""};
    if (image->uf2_family && check_uf2(chip, image, finding))
        return true;
    if (is_cortex_m(chip))
        return check_cortex_m(chip, image, finding);
    if (chip->family->kind == CHIP_AVR || chip->family->kind == CHIP_LPC)
        return check_instructions(chip, image, finding);
    return false;
}
