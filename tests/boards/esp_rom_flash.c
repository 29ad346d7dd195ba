/* SPDX-License-Identifier: Apache-2.0 */
/* Flash through the ROM loader: erased as a whole at BEGIN, written block after block where the last one
 * ended (the sequence number is not looked at), plain or inflated on the way. */
#include "common.h"
#include "esp_rom.h"
#include "esp_rom_md5.h"

#include <stdlib.h>
#include <string.h>

enum { SECTOR_BYTES = 0x1000, BLOCK_BYTES = 0x10000, PAGE_BYTES = 256, READ_BYTES = 64 };

/* GD25Q32, GD25Q64: typical times. */
#define SECTOR_ERASE_NS (50 * NS_PER_MS)
#define BLOCK_ERASE_NS  (150 * NS_PER_MS)
#define PAGE_WRITE_NS   (600 * NS_PER_US)
/* Reading and summing one KiB. */
#define SUM_NS_PER_KIB NS_PER_MS

/* The ESP8266 forgets to count the sectors up to the first whole block: it erases them and as many as it was
 * told behind them. */
static uint32_t sectors_to_erase(const struct esp *esp, uint32_t at, uint32_t bytes)
{
    uint32_t sectors = (bytes + SECTOR_BYTES - 1) / SECTOR_BYTES;
    uint32_t head = BLOCK_BYTES / SECTOR_BYTES - at / SECTOR_BYTES % (BLOCK_BYTES / SECTOR_BYTES);

    if (esp->chip->family != ESP_8266)
        return sectors;
    return sectors + (sectors < head ? sectors : head);
}

static void erase(struct esp *esp, uint32_t at, uint32_t bytes)
{
    uint32_t from = at / SECTOR_BYTES * SECTOR_BYTES, sectors = sectors_to_erase(esp, at, bytes);
    uint64_t ns = 0;

    while (sectors && from < esp->chip->flash_bytes) {
        bool whole = from % BLOCK_BYTES == 0 && sectors >= BLOCK_BYTES / SECTOR_BYTES;
        uint32_t count = whole ? BLOCK_BYTES : SECTOR_BYTES;

        cells_erase(&esp->flash, from, count);
        ns += whole ? BLOCK_ERASE_NS : SECTOR_ERASE_NS;
        from += count;
        sectors -= count / SECTOR_BYTES;
        esp->receiver.board->counters.erases++;
    }
    receiver_spends_flash(&esp->receiver, ns);
}

void esp_end_transfer(struct esp *esp)
{
    if (esp->inflating)
        (void)inflateEnd(&esp->inflater);
    esp->inflating = false;
    esp->transfer = ESP_NO_TRANSFER;
}

static enum esp_error start_inflating(struct esp *esp)
{
    esp->inflater = (z_stream){.zalloc = Z_NULL};
    esp->inflated = false;
    esp->inflating = inflateInit(&esp->inflater) == Z_OK;
    return esp->inflating ? ESP_GOOD : ESP_FAILED;
}

/* Words: bytes to erase, blocks, bytes of a block, address, and on the later chips whether to encrypt. */
enum esp_error esp_flash_begin(struct esp *esp, const struct esp_request *request)
{
    size_t words = esp->chip->family == ESP_32X ? 5 : 4;
    uint32_t bytes, at;

    if (request->count != 4 * words)
        return ESP_MALFORMED;
    bytes = esp_word(request->data);
    at = esp_word(request->data + 12);
    esp_end_transfer(esp);
    if (!esp->attached || esp->receiver.board->faults[FAULT_NACK_ERASE].set)
        return ESP_FAILED;
    if (esp_word(request->data + 8) > ESP_FLASH_BLOCK_BYTES || at >= esp->flash_bytes ||
        bytes > esp->flash_bytes - at)
        return ESP_FAILED;
    esp->blocks_left = esp_word(request->data + 4);
    esp->block_bytes = esp_word(request->data + 8);
    esp->at = at;
    esp->transfer = request->op == 0x10 ? ESP_DEFLATED : ESP_TO_FLASH;
    if (bytes)
        erase(esp, at, bytes);
    return esp->transfer == ESP_DEFLATED ? start_inflating(esp) : ESP_GOOD;
}

static bool put(struct esp *esp, const uint8_t *bytes, size_t count)
{
    if (count > esp->flash_bytes - esp->at)
        return false;
    cells_program(&esp->flash, esp->at, bytes, (uint32_t)count);
    esp->receiver.board->counters.written_bytes += count;
    receiver_spends_flash(&esp->receiver, (count + PAGE_BYTES - 1) / PAGE_BYTES * PAGE_WRITE_NS);
    esp->at += (uint32_t)count;
    return true;
}

static enum esp_error inflate_block(struct esp *esp, enum fate fate, uint8_t *bytes, size_t count)
{
    uint8_t plain[4096];
    bool flip = fate == FATE_CORRUPTED;

    esp->inflater.next_in = bytes;
    esp->inflater.avail_in = (unsigned)count;
    do {
        int result;

        esp->inflater.next_out = plain;
        esp->inflater.avail_out = sizeof plain;
        result = inflate(&esp->inflater, Z_SYNC_FLUSH);
        if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR)
            return ESP_INFLATE;
        esp->inflated = result == Z_STREAM_END;
        size_t made = sizeof plain - esp->inflater.avail_out;

        if (flip && made)
            plain[made / 2] ^= 0x10;
        flip = flip && !made;
        if (!put(esp, plain, made))
            return ESP_FLASH_WRITE;
    } while (!esp->inflated && esp->inflater.avail_out == 0);
    return esp->inflater.avail_in ? ESP_INFLATE : ESP_GOOD; /* data behind the end of the stream */
}

static enum esp_error write_block(struct esp *esp, enum fate fate, uint8_t *bytes, size_t count)
{
    if (fate == FATE_HANGS)
        return ESP_GOOD;
    if (fate == FATE_REFUSED)
        return ESP_FLASH_WRITE;
    if (esp->transfer == ESP_DEFLATED)
        return inflate_block(esp, fate, bytes, fate == FATE_TORN ? count / 2 : count);
    return put(esp, bytes, fate_applied(fate, bytes, (uint32_t)count)) ? ESP_GOOD : ESP_FLASH_WRITE;
}

static void answer_block(struct esp *esp, uint8_t op, enum fate fate, enum esp_error error)
{
    if (receiver_dies(&esp->receiver, fate))
        esp->phase = ESP_HUNG;
    else if (fate != FATE_UNANSWERED)
        esp_respond(esp, op, 0, NULL, 0, error);
}

void esp_flash_data(struct esp *esp, const struct esp_request *request)
{
    enum esp_transfer kind = request->op == 0x11 ? ESP_DEFLATED : ESP_TO_FLASH;
    enum esp_error error = ESP_GOOD;
    size_t count = 0;
    const uint8_t *payload = esp_payload(request, &count, &error);
    uint8_t bytes[ESP_FLASH_BLOCK_BYTES];
    enum fate fate;

    if (payload && (esp->transfer != kind || !esp->blocks_left || count > esp->block_bytes)) {
        payload = NULL;
        error = ESP_FAILED;
    }
    if (!payload) {
        esp_respond(esp, request->op, 0, NULL, 0, error);
        return;
    }
    memcpy(bytes, payload, count);
    fate = next_fate(esp->receiver.board);
    error = write_block(esp, fate, bytes, count);
    if (error == ESP_GOOD)
        esp->blocks_left--;
    answer_block(esp, request->op, fate, error);
}

/* One word: 1 stays in the loader, 0 restarts into the application. */
enum esp_error esp_flash_end(struct esp *esp, const struct esp_request *request)
{
    bool torn_off = esp->transfer == ESP_DEFLATED && !esp->inflated;

    if (request->count != 4)
        return ESP_MALFORMED;
    esp_end_transfer(esp);
    return torn_off ? ESP_INFLATE : ESP_GOOD;
}

/* READ_FLASH_SLOW: always 64 bytes, of which those asked for count. */
void esp_read_flash(struct esp *esp, const struct esp_request *request)
{
    uint8_t bytes[READ_BYTES] = {0};
    uint32_t at, count;

    if (request->count != 8) {
        esp_respond(esp, request->op, 0, NULL, 0, ESP_MALFORMED);
        return;
    }
    at = esp_word(request->data);
    count = esp_word(request->data + 4);
    if (count > READ_BYTES || !esp->attached || at >= esp->flash_bytes || count > esp->flash_bytes - at) {
        esp_respond(esp, request->op, 0, NULL, 0, count > READ_BYTES ? ESP_READ_LENGTH : ESP_FLASH_READ);
        return;
    }
    for (uint32_t i = 0; i < count; i++)
        bytes[i] = cells_get(&esp->flash, at + i);
    esp_respond(esp, request->op, 0, bytes, sizeof bytes, ESP_GOOD);
}

/* Address, size and two words of nothing; the sum as 32 letters. */
void esp_flash_md5(struct esp *esp, const struct esp_request *request)
{
    struct md5 md5;
    uint8_t sum[16];
    char text[33];
    uint32_t at, count;

    if (request->count != 16) {
        esp_respond(esp, request->op, 0, NULL, 0, ESP_MALFORMED);
        return;
    }
    at = esp_word(request->data);
    count = esp_word(request->data + 4);
    if (!esp->attached || at >= esp->flash_bytes || count > esp->flash_bytes - at) {
        esp_respond(esp, request->op, 0, NULL, 0, ESP_FLASH_READ);
        return;
    }
    md5_start(&md5);
    for (uint32_t i = 0; i < count; i++)
        md5_take(&md5, cells_get(&esp->flash, at + i));
    md5_end(&md5, sum);
    for (size_t i = 0; i < sizeof sum; i++)
        (void)snprintf(text + 2 * i, 3, "%02x", sum[i]);
    receiver_spends_flash(&esp->receiver, count / 1024 * SUM_NS_PER_KIB);
    esp_respond(esp, request->op, 0, (const uint8_t *)text, 32, ESP_GOOD);
}
