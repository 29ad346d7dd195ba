/* SPDX-License-Identifier: Apache-2.0 */
/* What the simulator knows of ESP chips and the flash beside them: our own reading of the technical reference
 * manuals and of Espressif's description of the serial protocol. Knows no wire. */
#ifndef SIM_ESP_ROM_CHIPS_H
#define SIM_ESP_ROM_CHIPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A register that reads as it does on this chip, whatever is written to it. */
struct esp_register {
    uint32_t at, value;
};

enum esp_family {
    ESP_8266, /* 2 status bytes; no attach, no compression, no MD5, no other rate, no reading of flash */
    ESP_32,   /* 4 status bytes */
    ESP_32X,  /* S3, C3: GET_SECURITY_INFO; the BEGINs say whether data is to be encrypted */
};

struct esp_chip {
    const char *name;
    enum esp_family family;
    uint32_t magic, wrong_magic; /* at 0x40001000 */
    uint32_t chip_id, wrong_chip_id;
    uint32_t flash_bytes, flash_id; /* manufacturer, type, capacity from the low byte up */
    uint32_t first_image_at;

    uint32_t spi_at, spi_usr2, spi_w0; /* the controller's base; offsets in it */
    uint32_t mac_at;                   /* two words; on the ESP8266 four */
    struct esp_register registers[6];

    uint32_t log_baud, fastest_baud;
    const char *download_log, *run_log;
};

/* NULL past the end. */
const struct esp_chip *esp_chip_at(size_t index);

#endif
