/* SPDX-License-Identifier: Apache-2.0 */
/* See esp_rom_chips.h. The flash chips are a GD25Q32 or GD25Q64. */
#include "esp_rom_chips.h"

#define MIB (1024U * 1024U)

static const struct esp_chip chips[] = {
    {
        .name = "esp8266",
        .family = ESP_8266,
        .magic = 0xFFF0C101,
        .wrong_magic = 0x00F01D83,
        .flash_bytes = 4 * MIB,
        .flash_id = 0x1640C8,
        .first_image_at = 0,
        .spi_at = 0x60000200,
        .spi_usr2 = 0x24,
        .spi_w0 = 0x40,
        .mac_at = 0x3FF00050,
        .registers = {{.at = 0x60000014, .value = 451}}, /* 52 MHz by 115200: a crystal of 26 MHz */
        .log_baud = 74880,
        .fastest_baud = 921600,
        .download_log = "\r\n ets Jan  8 2013,rst cause:2, boot mode:(1,6)\r\n\r\n",
        .run_log = "\r\n ets Jan  8 2013,rst cause:2, boot mode:(3,6)\r\n\r\n",
    },
    {
        .name = "esp32",
        .family = ESP_32,
        .magic = 0x00F01D83,
        .wrong_magic = 0x000007C6,
        .flash_bytes = 4 * MIB,
        .flash_id = 0x1640C8,
        .first_image_at = 0x1000,
        .spi_at = 0x3FF42000,
        .spi_usr2 = 0x24,
        .spi_w0 = 0x80,
        .mac_at = 0x3FF5A004,
        .registers = {{.at = 0x3FF5A00C, .value = 1U << 9 | 1U << 15}, /* D0WD, at least revision 1 */
                      {.at = 0x3FF5A014, .value = 1U << 20},           /* 2 */
                      {.at = 0x3FF6607C, .value = 1U << 31},           /* 3 */
                      {.at = 0x3FF40014, .value = 347}},               /* 40 MHz by 115200 */
        .log_baud = 115200,
        .fastest_baud = 2000000,
        .download_log = "ets Jul 29 2019 12:21:46\r\n\r\nrst:0x1 (POWERON_RESET),boot:0x3 "
                        "(DOWNLOAD_BOOT(UART0/UART1/SDIO_REI_REO_V2))\r\nwaiting for download\r\n",
        .run_log = "ets Jul 29 2019 12:21:46\r\n\r\nrst:0x1 (POWERON_RESET),boot:0x13 "
                   "(SPI_FAST_FLASH_BOOT)\r\n",
    },
    {
        .name = "esp32c3",
        .family = ESP_32X,
        .magic = 0x1B31506F,
        .wrong_magic = 0x6F51306F,
        .chip_id = 5,
        .wrong_chip_id = 12,
        .flash_bytes = 4 * MIB,
        .flash_id = 0x1640C8,
        .first_image_at = 0,
        .spi_at = 0x60002000,
        .spi_usr2 = 0x20,
        .spi_w0 = 0x58,
        .mac_at = 0x60008844,
        .registers = {{.at = 0x60008850, .value = 3U << 18}, {.at = 0x60000014, .value = 347}},
        .log_baud = 115200,
        .fastest_baud = 2000000,
        .download_log = "ESP-ROM:esp32c3-api1-20210207\r\nBuild:Feb  7 2021\r\nrst:0x1 (POWERON),boot:0x4 "
                        "(DOWNLOAD(USB/UART0/1))\r\nwaiting for download\r\n",
        .run_log = "ESP-ROM:esp32c3-api1-20210207\r\nBuild:Feb  7 2021\r\nrst:0x1 (POWERON),boot:0xc "
                   "(SPI_FAST_FLASH_BOOT)\r\n",
    },
    {
        .name = "esp32s3",
        .family = ESP_32X,
        .magic = 0x00000009,
        .wrong_magic = 0x6F51306F,
        .chip_id = 9,
        .wrong_chip_id = 12,
        .flash_bytes = 8 * MIB,
        .flash_id = 0x1740C8,
        .first_image_at = 0,
        .spi_at = 0x60002000,
        .spi_usr2 = 0x20,
        .spi_w0 = 0x58,
        .mac_at = 0x60007044,
        .registers = {{.at = 0x60007050, .value = 2U << 18}, {.at = 0x60000014, .value = 347}},
        .log_baud = 115200,
        .fastest_baud = 2000000,
        .download_log = "ESP-ROM:esp32s3-20210327\r\nBuild:Mar 27 2021\r\nrst:0x1 (POWERON),boot:0x0 "
                        "(DOWNLOAD(USB/UART0))\r\nwaiting for download\r\n",
        .run_log = "ESP-ROM:esp32s3-20210327\r\nBuild:Mar 27 2021\r\nrst:0x1 (POWERON),boot:0x8 "
                   "(SPI_FAST_FLASH_BOOT)\r\n",
    },
};

const struct esp_chip *esp_chip_at(size_t index)
{
    return index < sizeof chips / sizeof chips[0] ? &chips[index] : NULL;
}
