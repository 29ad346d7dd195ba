/* SPDX-License-Identifier: Apache-2.0 */
/* The loader's commands except those on flash: synchronisation, RAM, registers (with the SPI controller
 * behind some of them), rate, security; and which of them a chip has. */
#include "common.h"
#include "esp_rom.h"

#include <string.h>

enum { SPI_CMD_USR = 1 << 18, RDID = 0x9F, READ = 0x03, SYNC_REPLIES = 8 };

/* The SPI controller of the ESP8266, as the SDK's spi_register.h has it: which parts a transaction of one's
 * own has, and how long they are. The address stands at the upper end of its register. */
enum {
    SPI_ADDR = 0x04,
    SPI_USER = 0x1C,
    SPI_USER1 = 0x20,
    SPI_USER_ADDR = 1 << 30,
    SPI_USER_MISO = 1 << 28,
    SPI_BUFFER_BYTES = 64,
};

#define MAGIC_AT   0x40001000U
#define RAM_FROM   0x3FC00000U /* of any of them */
#define SYNC_VALUE 0x20120707U

const uint8_t *esp_payload(const struct esp_request *request, size_t *count, enum esp_error *error)
{
    uint8_t sum = 0xEF;

    *error = ESP_MALFORMED;
    if (request->count < ESP_DATA_HEAD_BYTES ||
        esp_word(request->data) != request->count - ESP_DATA_HEAD_BYTES)
        return NULL;
    *count = request->count - ESP_DATA_HEAD_BYTES;
    for (size_t i = 0; i < *count; i++)
        sum ^= request->data[ESP_DATA_HEAD_BYTES + i];
    *error = ESP_CHECKSUM;
    return sum == request->checksum ? request->data + ESP_DATA_HEAD_BYTES : NULL;
}

static void respond(struct esp *esp, const struct esp_request *request, enum esp_error error)
{
    esp_respond(esp, request->op, 0, NULL, 0, error);
}

static void synchronise(struct esp *esp, const struct esp_request *request)
{
    static const uint8_t head[] = {0x07, 0x07, 0x12, 0x20};
    bool good = request->count == 36 && !memcmp(request->data, head, sizeof head);

    for (size_t i = 4; good && i < 36; i++)
        good = request->data[i] == 0x55;
    if (!good || (esp->phase == ESP_FRESH && board_baud(esp->receiver.board) > esp->chip->fastest_baud))
        return;
    if (esp->phase == ESP_FRESH)
        board_lock_baud(esp->receiver.board, true);
    esp->phase = ESP_SYNCED;
    for (unsigned i = 0; i < SYNC_REPLIES; i++)
        esp_respond(esp, request->op, SYNC_VALUE, NULL, 0, ESP_GOOD);
}

/* Bytes, blocks, bytes of a block, address. What arrives is counted and forgotten: nothing is executed. */
static void mem_begin(struct esp *esp, const struct esp_request *request)
{
    esp_end_transfer(esp);
    if (request->count != 16) {
        respond(esp, request, ESP_MALFORMED);
        return;
    }
    if (esp_word(request->data + 8) > ESP_RAM_BLOCK_BYTES || esp_word(request->data + 12) < RAM_FROM) {
        respond(esp, request, ESP_FAILED);
        return;
    }
    esp->transfer = ESP_TO_RAM;
    esp->left = esp_word(request->data);
    esp->blocks_left = esp_word(request->data + 4);
    esp->block_bytes = esp_word(request->data + 8);
    respond(esp, request, ESP_GOOD);
}

static void mem_data(struct esp *esp, const struct esp_request *request)
{
    enum esp_error error = ESP_GOOD;
    size_t count = 0;
    const uint8_t *payload = esp_payload(request, &count, &error);

    if (payload) {
        bool fits = esp->transfer == ESP_TO_RAM && esp->blocks_left && count <= esp->block_bytes &&
                    count <= esp->left;

        error = fits ? ESP_GOOD : ESP_FAILED;
        if (fits) {
            esp->blocks_left--;
            esp->left -= (uint32_t)count;
        }
    }
    respond(esp, request, error);
}

/* Whether there is no entry, and the entry: what was loaded has the chip then. */
static void mem_end(struct esp *esp, const struct esp_request *request)
{
    bool good = request->count == 8;

    respond(esp, request, good ? ESP_GOOD : ESP_MALFORMED);
    esp_end_transfer(esp);
    if (good && !esp_word(request->data))
        esp->phase = ESP_RUNNING;
}

static uint32_t magic(const struct esp *esp)
{
    const struct fault *wrong = &esp->receiver.board->faults[FAULT_WRONG_ID];

    if (!wrong->set)
        return esp->chip->magic;
    return wrong->number ? (uint32_t)wrong->number : esp->chip->wrong_magic;
}

/* ESP8266: the last byte on top of word 0, two before it low in word 1, the vendor's three in word 3. */
static bool mac_word(const struct esp *esp, uint32_t at, uint32_t *value)
{
    const uint8_t *mac = esp->mac;
    uint32_t low = (uint32_t)mac[2] << 24 | (uint32_t)mac[3] << 16 | (uint32_t)mac[4] << 8 | mac[5];
    uint32_t high = (uint32_t)mac[0] << 8 | mac[1];
    const uint32_t later[] = {low, high};
    const uint32_t old[] = {(uint32_t)mac[5] << 24, 1U << 16 | (uint32_t)mac[3] << 8 | mac[4], 0,
                            (uint32_t)mac[0] << 16 | (uint32_t)mac[1] << 8 | mac[2]};
    uint32_t index = (at - esp->chip->mac_at) / 4;

    if (at < esp->chip->mac_at || at % 4 || index >= (esp->chip->family == ESP_8266 ? 4 : 2))
        return false;
    *value = esp->chip->family == ESP_8266 ? old[index] : later[index];
    return true;
}

static struct esp_register *written(struct esp *esp, uint32_t at)
{
    for (size_t i = 0; i < esp->written_count; i++)
        if (esp->written[i].at == at)
            return &esp->written[i];
    return NULL;
}

static uint32_t get_register(struct esp *esp, uint32_t at)
{
    const struct esp_register *kept = written(esp, at);
    uint32_t value;

    if (at == MAGIC_AT)
        return magic(esp);
    if (mac_word(esp, at, &value))
        return value;
    for (size_t i = 0; i < sizeof esp->chip->registers / sizeof esp->chip->registers[0]; i++)
        if (esp->chip->registers[i].at == at && at)
            return esp->chip->registers[i].value;
    return kept ? kept->value : 0;
}

static void keep_register(struct esp *esp, uint32_t at, uint32_t value)
{
    struct esp_register *kept = written(esp, at);

    if (!kept && esp->written_count < ESP_WRITTEN_REGISTERS)
        kept = &esp->written[esp->written_count++];
    if (kept)
        *kept = (struct esp_register){.at = at, .value = value};
}

/* READ with three bytes of address, into the controller's buffer; ESP8266 only. */
static void read_cells(struct esp *esp)
{
    uint32_t base = esp->chip->spi_at, lengths = get_register(esp, base + SPI_USER1);
    uint32_t parts = get_register(esp, base + SPI_USER), wanted = SPI_USER_ADDR | SPI_USER_MISO;
    uint32_t at = get_register(esp, base + SPI_ADDR) >> 8, count = ((lengths >> 8 & 0x1FF) + 1) / 8;

    if ((parts & wanted) != wanted || lengths >> 26 != 23 || count > SPI_BUFFER_BYTES)
        return;
    for (uint32_t i = 0; i < count; i += 4) {
        uint32_t word = 0;

        for (uint32_t k = 0; k < 4 && i + k < count; k++)
            word |= (uint32_t)cells_get(&esp->flash, (at + i + k) % esp->chip->flash_bytes) << 8 * k;
        keep_register(esp, base + esp->chip->spi_w0 + i, word);
    }
}

/* The controller sends one command to the flash; its id is read, and on the ESP8266 its content. */
static void run_spi(struct esp *esp)
{
    const struct esp_chip *chip = esp->chip;
    uint32_t command = get_register(esp, chip->spi_at + chip->spi_usr2) & 0xFF;

    if (command == READ && chip->family == ESP_8266)
        read_cells(esp);
    else
        keep_register(esp, chip->spi_at + chip->spi_w0, command == RDID ? chip->flash_id : 0);
    keep_register(esp, chip->spi_at, 0);
}

static void read_register(struct esp *esp, const struct esp_request *request)
{
    bool good = request->count == 4 && esp_word(request->data) % 4 == 0;
    uint32_t value = good ? get_register(esp, esp_word(request->data)) : 0;

    esp_respond(esp, request->op, value, NULL, 0, good ? ESP_GOOD : ESP_MALFORMED);
}

/* Any number of: address, value, mask, delay. */
static void write_registers(struct esp *esp, const struct esp_request *request)
{
    if (!request->count || request->count % 16) {
        respond(esp, request, ESP_MALFORMED);
        return;
    }
    for (const uint8_t *four = request->data; four < request->data + request->count; four += 16) {
        uint32_t at = esp_word(four), mask = esp_word(four + 8);

        keep_register(esp, at, (get_register(esp, at) & ~mask) | (esp_word(four + 4) & mask));
        if (at == esp->chip->spi_at && get_register(esp, at) & SPI_CMD_USR)
            run_spi(esp);
        receiver_spends(&esp->receiver,
                        esp->receiver.board->options->pace ? esp_word(four + 12) * NS_PER_US : 0);
    }
    respond(esp, request, ESP_GOOD);
}

/* Pins, and a word of which only the ROM knows the use. */
static void attach(struct esp *esp, const struct esp_request *request)
{
    esp->attached = esp->attached || request->count == 8;
    respond(esp, request, request->count == 8 ? ESP_GOOD : ESP_MALFORMED);
}

/* Id, size, block, sector, page, status mask. */
static void set_params(struct esp *esp, const struct esp_request *request)
{
    uint32_t bytes = request->count == 24 ? esp_word(request->data + 4) : 0;

    if (bytes)
        esp->flash_bytes = bytes < esp->chip->flash_bytes ? bytes : esp->chip->flash_bytes;
    respond(esp, request, bytes ? ESP_GOOD : ESP_MALFORMED);
}

/* New rate and, from a stub's client only, the old one. The answer still leaves at the old rate. */
static void change_baud(struct esp *esp, const struct esp_request *request)
{
    uint32_t baud = request->count == 8 ? esp_word(request->data) : 0;
    bool good = baud >= 1200 && baud <= esp->chip->fastest_baud && !esp_word(request->data + 4);

    respond(esp, request, good ? ESP_GOOD : ESP_MALFORMED);
    if (good)
        board_set_baud(esp->receiver.board, baud);
}

/* Flags (bit 2: secure download), count of encryptions, seven key purposes, chip id, version of the reply. */
static void security_info(struct esp *esp, const struct esp_request *request)
{
    const struct fault *wrong = &esp->receiver.board->faults[FAULT_WRONG_ID];
    uint8_t info[20] = {esp->secure_download ? 4 : 0};

    info[12] = (uint8_t)(wrong->set ? esp->chip->wrong_chip_id : esp->chip->chip_id);
    esp_respond(esp, request->op, 0, info, sizeof info, ESP_GOOD);
}

static void begin_flash(struct esp *esp, const struct esp_request *request)
{
    enum esp_error error = esp_flash_begin(esp, request);

    respond(esp, request, error);
}

static void end_flash(struct esp *esp, const struct esp_request *request)
{
    enum esp_error error = esp_flash_end(esp, request);

    respond(esp, request, error);
    if (error == ESP_GOOD && !esp_word(request->data))
        esp_boot(esp, false, esp->receiver.now_ns);
}

static const struct {
    uint8_t op;
    enum esp_family from; /* the oldest that has it */
    bool when_secure;     /* also in secure download mode */
    void (*run)(struct esp *esp, const struct esp_request *request);
} commands[] = {
    {.op = 0x02, .from = ESP_8266, .when_secure = true, .run = begin_flash},
    {.op = 0x03, .from = ESP_8266, .when_secure = true, .run = esp_flash_data},
    {.op = 0x04, .from = ESP_8266, .when_secure = true, .run = end_flash},
    {.op = 0x05, .from = ESP_8266, .run = mem_begin},
    {.op = 0x06, .from = ESP_8266, .run = mem_end},
    {.op = 0x07, .from = ESP_8266, .run = mem_data},
    {.op = 0x08, .from = ESP_8266, .when_secure = true, .run = synchronise},
    {.op = 0x09, .from = ESP_8266, .run = write_registers},
    {.op = 0x0A, .from = ESP_8266, .run = read_register},
    {.op = 0x0B, .from = ESP_32, .when_secure = true, .run = set_params},
    {.op = 0x0D, .from = ESP_32, .when_secure = true, .run = attach},
    {.op = 0x0E, .from = ESP_32, .run = esp_read_flash},
    {.op = 0x0F, .from = ESP_32, .when_secure = true, .run = change_baud},
    {.op = 0x10, .from = ESP_32, .when_secure = true, .run = begin_flash},
    {.op = 0x11, .from = ESP_32, .when_secure = true, .run = esp_flash_data},
    {.op = 0x12, .from = ESP_32, .when_secure = true, .run = end_flash},
    {.op = 0x13, .from = ESP_32, .run = esp_flash_md5},
    {.op = 0x14, .from = ESP_32X, .when_secure = true, .run = security_info},
};

/* What a ROM does not know it refuses eight times, as it greets, and not under the name of the command. */
static void refuse(struct esp *esp)
{
    for (unsigned i = 0; i < SYNC_REPLIES; i++)
        esp_respond(esp, 0, 0, NULL, 0, ESP_MALFORMED);
}

void esp_request(struct esp *esp, const struct esp_request *request)
{
    if (esp->phase == ESP_FRESH && request->op != 0x08)
        return;
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (commands[i].op == request->op && esp->chip->family >= commands[i].from &&
            (commands[i].when_secure || !esp->secure_download)) {
            commands[i].run(esp, request);
            return;
        }
    refuse(esp);
}
