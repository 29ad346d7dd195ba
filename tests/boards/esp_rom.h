/* SPDX-License-Identifier: Apache-2.0 */
/* The serial loader in the ROM of ESP chips, without a stub: what esp_rom.c (SLIP, pins, log),
 * esp_rom_commands.c (dispatch, RAM, registers) and esp_rom_flash.c share. */
#ifndef SIM_ESP_ROM_H
#define SIM_ESP_ROM_H

#include "cells.h"
#include "esp_rom_chips.h"
#include "receiver.h"

#include <zlib.h>

enum esp_phase {
    ESP_HELD,  /* EN is low */
    ESP_FRESH, /* waits for a SYNC, at any rate */
    ESP_SYNCED,
    ESP_RUNNING,
    ESP_HUNG,
};

enum esp_error {
    ESP_GOOD = 0,
    ESP_MALFORMED = 0x05,
    ESP_FAILED = 0x06,
    ESP_CHECKSUM = 0x07,
    ESP_FLASH_WRITE = 0x08,
    ESP_FLASH_READ = 0x09,
    ESP_READ_LENGTH = 0x0A,
    ESP_INFLATE = 0x0B,
};

enum {
    ESP_RAM_BLOCK_BYTES = 0x1800,
    ESP_FLASH_BLOCK_BYTES = 0x400,
    ESP_DATA_HEAD_BYTES = 16, /* length, sequence, two words of nothing */
    ESP_FRAME_BYTES = 8 + ESP_DATA_HEAD_BYTES + ESP_RAM_BLOCK_BYTES,
    ESP_WRITTEN_REGISTERS = 32,
};

/* What a BEGIN has opened. */
enum esp_transfer { ESP_NO_TRANSFER, ESP_TO_RAM, ESP_TO_FLASH, ESP_DEFLATED };

struct esp {
    struct receiver receiver;
    const struct esp_chip *chip;
    struct cells flash;
    uint8_t mac[6];
    bool secure_download, attached;
    uint32_t flash_bytes; /* as SPI_SET_PARAMS has it */

    enum esp_phase phase;
    bool io0_low, en_low;
    uint64_t released_ns; /* when EN was let go */

    uint8_t *frame;
    size_t length;
    bool in_frame, escaped, too_long;

    struct esp_register written[ESP_WRITTEN_REGISTERS];
    size_t written_count;

    enum esp_transfer transfer;
    uint32_t at, left, block_bytes, blocks_left;
    z_stream inflater;
    bool inflating, inflated;
};

struct esp_request {
    uint8_t op;
    uint32_t checksum;
    const uint8_t *data;
    size_t count;
};

uint32_t esp_word(const uint8_t *bytes); /* little endian */

/* A response: the value, data, and the status behind it. */
void esp_respond(struct esp *esp, uint8_t op, uint32_t value, const uint8_t *data, size_t count,
                 enum esp_error error);

void esp_request(struct esp *esp, const struct esp_request *request);
void esp_boot(struct esp *esp, bool download, uint64_t at_ns);

/* esp_rom_flash.c. ESP_GOOD or why not; those with respond answer by themselves. */
enum esp_error esp_flash_begin(struct esp *esp, const struct esp_request *request);
enum esp_error esp_flash_end(struct esp *esp, const struct esp_request *request);
void esp_flash_data(struct esp *esp, const struct esp_request *request);
void esp_read_flash(struct esp *esp, const struct esp_request *request);
void esp_flash_md5(struct esp *esp, const struct esp_request *request);
void esp_end_transfer(struct esp *esp);

/* A block's payload and its checksum; NULL with the error in *error. */
const uint8_t *esp_payload(const struct esp_request *request, size_t *count, enum esp_error *error);

#endif
