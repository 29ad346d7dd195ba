/* SPDX-License-Identifier: Apache-2.0 */
/* The ROM loader of ESP chips from reset to a request: the two pins and the transistors before them, the log,
 * SLIP; and its entry in the table of models. */
#include "esp_rom.h"

#include "cable.h"
#include "common.h"

#include <stdlib.h>
#include <string.h>

enum {
    FIFO_BYTES = 128,
    SLIP_END = 0xC0,
    SLIP_ESCAPE = 0xDB,
    SLIP_ESCAPED_END = 0xDC,
    SLIP_ESCAPED_ESCAPE = 0xDD
};

/* A capacitor lets EN rise slowly; until then IO0 may still change. */
#define RISE_NS (2 * NS_PER_MS)

uint32_t esp_word(const uint8_t *bytes)
{
    return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

static size_t slip(uint8_t *to, const uint8_t *bytes, size_t count)
{
    size_t length = 0;

    for (size_t i = 0; i < count; i++) {
        if (bytes[i] == SLIP_END || bytes[i] == SLIP_ESCAPE)
            to[length++] = SLIP_ESCAPE;
        to[length++] = bytes[i] == SLIP_END      ? SLIP_ESCAPED_END
                       : bytes[i] == SLIP_ESCAPE ? SLIP_ESCAPED_ESCAPE
                                                 : bytes[i];
    }
    return length;
}

void esp_respond(struct esp *esp, uint8_t op, uint32_t value, const uint8_t *data, size_t count,
                 enum esp_error error)
{
    size_t status_bytes = esp->chip->family == ESP_8266 ? 2 : 4, length = count + status_bytes;
    uint8_t plain[8 + 64 + 4] = {0x01, op, (uint8_t)length, 0}, coded[2 + 2 * sizeof plain] = {SLIP_END};
    size_t coded_bytes = 1;

    for (unsigned i = 0; i < 4; i++)
        plain[4 + i] = (uint8_t)(value >> (8 * i));
    if (count)
        memcpy(plain + 8, data, count);
    plain[8 + count] = error != ESP_GOOD;
    plain[8 + count + 1] = (uint8_t)error;
    coded_bytes += slip(coded + 1, plain, 8 + length);
    coded[coded_bytes++] = SLIP_END;
    receiver_says(&esp->receiver, coded, coded_bytes);
}

/* The log has a rate of its own, whatever the client's is. Before there is a client nobody hears it. */
static void say_log(struct esp *esp, const char *log)
{
    struct board *board = esp->receiver.board;

    board_lock_baud(board, false);
    if (!board_port_open(board))
        return;
    board_set_baud(board, esp->chip->log_baud);
    receiver_says(&esp->receiver, (const uint8_t *)log, strlen(log));
    board_lock_baud(board, false);
}

/* ESP32: the pin that would lead to the loader can be burnt away; the later ones keep a few commands. */
static bool loader_is_closed(const struct esp *esp)
{
    return esp->secure_download && esp->chip->family == ESP_32;
}

void esp_boot(struct esp *esp, bool download, uint64_t at_ns)
{
    esp_end_transfer(esp);
    receiver_restart(&esp->receiver, at_ns);
    esp->attached = esp->chip->family == ESP_8266;
    esp->flash_bytes = esp->chip->flash_bytes;
    esp->written_count = 0;
    esp->in_frame = false;
    esp->phase = download && !loader_is_closed(esp) ? ESP_FRESH : ESP_RUNNING;
    say_log(esp, esp->phase == ESP_FRESH ? esp->chip->download_log : esp->chip->run_log);
}

static void take_frame(struct esp *esp)
{
    struct esp_request request;
    bool whole = esp->length >= 8 && !esp->too_long && esp->frame[0] == 0;

    if (!whole)
        return;
    request = (struct esp_request){.op = esp->frame[1],
                                   .checksum = esp_word(esp->frame + 4),
                                   .data = esp->frame + 8,
                                   .count = esp->length - 8};
    if (request.count == (size_t)(esp->frame[2] | esp->frame[3] << 8))
        esp_request(esp, &request);
    else if (esp->phase == ESP_SYNCED)
        esp_respond(esp, request.op, 0, NULL, 0, ESP_MALFORMED);
}

static void start_frame(struct esp *esp)
{
    esp->in_frame = true;
    esp->escaped = false;
    esp->too_long = false;
    esp->length = 0;
}

static void take_framed(struct esp *esp, uint8_t byte)
{
    if (esp->escaped)
        byte = byte == SLIP_ESCAPED_END ? SLIP_END : byte == SLIP_ESCAPED_ESCAPE ? SLIP_ESCAPE : byte;
    else if (byte == SLIP_ESCAPE) {
        esp->escaped = true;
        return;
    }
    esp->escaped = false;
    if (esp->length == ESP_FRAME_BYTES)
        esp->too_long = true;
    else
        esp->frame[esp->length++] = byte;
}

/* An END right behind another starts the frame that it seemed to end. */
static void receive(void *state, uint8_t byte, uint64_t at_ns)
{
    struct esp *esp = state;

    if (!receiver_hears(&esp->receiver, at_ns) || (esp->phase != ESP_FRESH && esp->phase != ESP_SYNCED))
        return;
    if (byte != SLIP_END) {
        if (esp->in_frame)
            take_framed(esp, byte);
        return;
    }
    if (esp->in_frame && esp->length) {
        esp->in_frame = false;
        take_frame(esp);
    } else
        start_frame(esp);
}

static void reset(void *state, uint64_t at_ns)
{
    esp_boot(state, true, at_ns);
}

static void run(void *state, uint64_t at_ns)
{
    esp_boot(state, false, at_ns);
}

/* Two transistors: RTS alone pulls EN, DTR alone IO0, both together neither. What changes while EN still
 * rises decides anew which way it goes. */
static void modem(void *state, bool dtr, bool rts, uint64_t at_ns)
{
    struct esp *esp = state;
    bool en_low = rts && !dtr, io0_low = dtr && !rts, was_low = esp->en_low;
    bool rising = at_ns < esp->released_ns + RISE_NS && io0_low != esp->io0_low;

    esp->en_low = en_low;
    esp->io0_low = io0_low;
    if (en_low) {
        esp->phase = ESP_HELD;
        esp->released_ns = 0;
        return;
    }
    if (was_low)
        esp->released_ns = at_ns;
    if (was_low || (rising && esp->released_ns)) {
        cable_hush(esp->receiver.board->cable);
        esp_boot(esp, io0_low, at_ns + RISE_NS);
    }
}

static const char *conf_entry(bool remote)
{
    return remote ? "esp" : "none";
}

static const char *chip_name(size_t index)
{
    const struct esp_chip *chip = esp_chip_at(index);

    return chip ? chip->name : NULL;
}

static void *create(struct board *board, size_t chip_index)
{
    struct esp *esp = sim_allocate(1, sizeof *esp);

    esp->receiver = (struct receiver){.board = board, .depth = FIFO_BYTES};
    esp->chip = esp_chip_at(chip_index);
    esp->frame = sim_allocate(ESP_FRAME_BYTES, 1);
    cells_open(&esp->flash, esp->chip->flash_bytes);
    return esp;
}

static void destroy(void *state)
{
    struct esp *esp = state;

    esp_end_transfer(esp);
    cells_close(&esp->flash);
    free(esp->frame);
    free(esp);
}

static void renew(void *state)
{
    struct esp *esp = state;

    cells_renew(&esp->flash);
    esp->secure_download = false;
}

static void identify(void *state, uint64_t identity)
{
    static const uint8_t vendor[] = {0x24, 0x0A, 0xC4};
    struct esp *esp = state;
    uint64_t mixed = sim_mix(identity);

    memcpy(esp->mac, vendor, sizeof vendor);
    for (size_t i = 0; i < 3; i++)
        esp->mac[3 + i] = (uint8_t)(mixed >> (8 * i));
}

/* Nothing protects an ESP8266. */
static void lock(void *state)
{
    struct esp *esp = state;

    esp->secure_download = esp->chip->family != ESP_8266;
    if (loader_is_closed(esp))
        esp->phase = ESP_RUNNING;
}

static void spoil(void *state, uint64_t address)
{
    struct esp *esp = state;

    cells_spoil(&esp->flash, address, esp->chip->first_image_at + 4);
}

static int fill(void *state, int byte, FILE *content)
{
    struct esp *esp = state;

    return cells_fill(&esp->flash, byte, content);
}

static int dump(const void *state, FILE *file)
{
    const struct esp *esp = state;

    return cells_dump(&esp->flash, file);
}

static const char *phase(const void *state)
{
    static const char *const names[] = {[ESP_HELD] = "held",
                                        [ESP_FRESH] = "fresh",
                                        [ESP_SYNCED] = "synced",
                                        [ESP_RUNNING] = "running",
                                        [ESP_HUNG] = "hung"};
    const struct esp *esp = state;

    return names[esp->phase];
}

static void describe(const void *state, char *text, size_t size)
{
    const struct esp *esp = state;
    const uint8_t *mac = esp->mac;

    (void)snprintf(text, size, "protected=%d uid=%02x%02x%02x%02x%02x%02x", esp->secure_download, mac[0],
                   mac[1], mac[2], mac[3], mac[4], mac[5]);
}

const struct model esp_rom_model = {
    .protocol = "esp-rom",
    .frame_bits = 10,
    .chip_name = chip_name,
    .create = create,
    .destroy = destroy,
    .receive = receive,
    .reset = reset,
    .modem = modem,
    .run = run,
    .conf_entry = conf_entry,
    .renew = renew,
    .identify = identify,
    .lock = lock,
    .spoil = spoil,
    .fill = fill,
    .dump = dump,
    .phase = phase,
    .describe = describe,
};
