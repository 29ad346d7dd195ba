/* SPDX-License-Identifier: Apache-2.0 */
/* Espressif chips with a ROM loader on a UART. Addresses are offsets in the SPI flash beside the chip, as
 * esptool counts them.
 *
 * Names are the chip and the size of that flash, which is the module's choice: "esp32-4mb", "esp32s3-8mb".
 * The loader tells the flash's own size, and a smaller one than ordered is refused.
 *
 * `id` is what the word at 0x40001000 reads (ESP8266, ESP32, ESP32-S2) or what GET_SECURITY_INFO tells (all
 * newer ones). Times are those of the usual 3 V flash chips (W25Q32JV datasheet, AC characteristics): sectors
 * of 4 KiB are erased sixteen at a time where they can be, in 150 ms; alone one may take 400 ms. */
#include "chip_tables.h"

#define MIB           (1024 * KIB)
#define SECTOR        (4 * KIB)
#define NO_IMAGE_CHIP 0xFFFF

/* The flash controller's registers for a command of one's own. */
#define LAYOUT_ESP8266(base)                                                                                 \
    .spi_base = (base), .spi_usr = 0x1C, .spi_usr1 = 0x20, .spi_usr2 = 0x24, .spi_w0 = 0x40
#define LAYOUT_ESP32(base)                                                                                   \
    .spi_base = (base), .spi_usr = 0x1C, .spi_usr1 = 0x20, .spi_usr2 = 0x24, .spi_miso_length = 0x2C,        \
    .spi_w0 = 0x80
#define LAYOUT_NEWER(base)                                                                                   \
    .spi_base = (base), .spi_usr = 0x18, .spi_usr1 = 0x1C, .spi_usr2 = 0x20, .spi_miso_length = 0x28,        \
    .spi_w0 = 0x58

#define FLASH(mib)                                                                                           \
    .kind = CHIP_ESP, .program_unit = 256, .program_us = 400, .program_max_us = 3000, .erased_value = 0xFF,  \
    .write_protect_unit = 1,                                                                                 \
    .sectors = {                                                                                             \
        {.count = (mib)*MIB / SECTOR, .size = SECTOR, .erase_us = 150000 / 16, .erase_max_us = 400000}}

static const struct chip_esp esp32_registers = {
    .bootloader_at = 0x1000,
    .image_chip = 0,
    .mac_address = 0x3FF5A004,
    LAYOUT_ESP32(0x3FF42000),
};
static const struct chip_family esp32 = {
    FLASH(16),
    .name = "ESP32",
    .document = "ESP32 Technical Reference Manual (SPI, eFuse); esptool, serial protocol",
    .id = 0x00F01D83,
    .esp = &esp32_registers,
};

static const struct chip_esp esp32c2_registers = {
    .bootloader_at = 0x0,
    .image_chip = 12,
    .mac_address = 0x60008840,
    LAYOUT_NEWER(0x60002000),
};
static const struct chip_family esp32c2 = {
    FLASH(4),
    .name = "ESP32-C2",
    .document = "ESP8684 Technical Reference Manual (SPI, eFuse); esptool, serial protocol",
    .id = 12,
    .esp = &esp32c2_registers,
};

static const struct chip_esp esp32c3_registers = {
    .bootloader_at = 0x0,
    .image_chip = 5,
    .mac_address = 0x60008844,
    LAYOUT_NEWER(0x60002000),
};
static const struct chip_family esp32c3 = {
    FLASH(16),
    .name = "ESP32-C3",
    .document = "ESP32-C3 Technical Reference Manual (SPI, eFuse); esptool, serial protocol",
    .id = 5,
    .esp = &esp32c3_registers,
};

static const struct chip_esp esp32c6_registers = {
    .bootloader_at = 0x0,
    .image_chip = 13,
    .mac_address = 0x600B0844,
    LAYOUT_NEWER(0x60003000),
};
static const struct chip_family esp32c6 = {
    FLASH(16),
    .name = "ESP32-C6",
    .document = "ESP32-C6 Technical Reference Manual (SPI, eFuse); esptool, serial protocol",
    .id = 13,
    .esp = &esp32c6_registers,
};

static const struct chip_esp esp32h2_registers = {
    .bootloader_at = 0x0,
    .image_chip = 16,
    .mac_address = 0x600B0844,
    LAYOUT_NEWER(0x60003000),
};
static const struct chip_family esp32h2 = {
    FLASH(4),
    .name = "ESP32-H2",
    .document = "ESP32-H2 Technical Reference Manual (SPI, eFuse); esptool, serial protocol",
    .id = 16,
    .esp = &esp32h2_registers,
};

static const struct chip_esp esp32s2_registers = {
    .bootloader_at = 0x1000,
    .image_chip = 2,
    .mac_address = 0x3F41A044,
    LAYOUT_NEWER(0x3F402000),
};
static const struct chip_family esp32s2 = {
    FLASH(16),
    .name = "ESP32-S2",
    .document = "ESP32-S2 Technical Reference Manual (SPI, eFuse); esptool, serial protocol",
    .id = 0x000007C6,
    .esp = &esp32s2_registers,
};

static const struct chip_esp esp32s3_registers = {
    .bootloader_at = 0x0,
    .image_chip = 9,
    .mac_address = 0x60007044,
    LAYOUT_NEWER(0x60002000),
};
static const struct chip_family esp32s3 = {
    FLASH(16),
    .name = "ESP32-S3",
    .document = "ESP32-S3 Technical Reference Manual (SPI, eFuse); esptool, serial protocol",
    .id = 9,
    .esp = &esp32s3_registers,
};

static const struct chip_esp esp8266_registers = {
    .bootloader_at = 0x0,
    .image_chip = NO_IMAGE_CHIP,
    .mac_address = 0x3FF00050,
    LAYOUT_ESP8266(0x60000200),
};
static const struct chip_family esp8266 = {
    FLASH(4),
    .name = "ESP8266",
    .document = "ESP8266 Technical Reference (SPI, eFuse); esptool, serial protocol",
    .id = 0xFFF0C101,
    .esp = &esp8266_registers,
};

static const struct chip chips[] = {
    {.name = "esp32-16mb", .family = &esp32, .flash_size = 16 * MIB},
    {.name = "esp32-2mb", .family = &esp32, .flash_size = 2 * MIB},
    {.name = "esp32-4mb", .family = &esp32, .flash_size = 4 * MIB},
    {.name = "esp32-8mb", .family = &esp32, .flash_size = 8 * MIB},
    {.name = "esp32c2-2mb", .family = &esp32c2, .flash_size = 2 * MIB},
    {.name = "esp32c2-4mb", .family = &esp32c2, .flash_size = 4 * MIB},
    {.name = "esp32c3-16mb", .family = &esp32c3, .flash_size = 16 * MIB},
    {.name = "esp32c3-2mb", .family = &esp32c3, .flash_size = 2 * MIB},
    {.name = "esp32c3-4mb", .family = &esp32c3, .flash_size = 4 * MIB},
    {.name = "esp32c3-8mb", .family = &esp32c3, .flash_size = 8 * MIB},
    {.name = "esp32c6-16mb", .family = &esp32c6, .flash_size = 16 * MIB},
    {.name = "esp32c6-4mb", .family = &esp32c6, .flash_size = 4 * MIB},
    {.name = "esp32c6-8mb", .family = &esp32c6, .flash_size = 8 * MIB},
    {.name = "esp32h2-2mb", .family = &esp32h2, .flash_size = 2 * MIB},
    {.name = "esp32h2-4mb", .family = &esp32h2, .flash_size = 4 * MIB},
    {.name = "esp32s2-16mb", .family = &esp32s2, .flash_size = 16 * MIB},
    {.name = "esp32s2-2mb", .family = &esp32s2, .flash_size = 2 * MIB},
    {.name = "esp32s2-4mb", .family = &esp32s2, .flash_size = 4 * MIB},
    {.name = "esp32s2-8mb", .family = &esp32s2, .flash_size = 8 * MIB},
    {.name = "esp32s3-16mb", .family = &esp32s3, .flash_size = 16 * MIB},
    {.name = "esp32s3-4mb", .family = &esp32s3, .flash_size = 4 * MIB},
    {.name = "esp32s3-8mb", .family = &esp32s3, .flash_size = 8 * MIB},
    {.name = "esp8266-1mb", .family = &esp8266, .flash_size = 1 * MIB},
    {.name = "esp8266-2mb", .family = &esp8266, .flash_size = 2 * MIB},
    {.name = "esp8266-4mb", .family = &esp8266, .flash_size = 4 * MIB},
};

const struct chip_table esp_chips = {.chips = chips, .count = sizeof chips / sizeof chips[0]};
