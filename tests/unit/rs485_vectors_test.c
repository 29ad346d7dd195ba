/* SPDX-License-Identifier: Apache-2.0 */
/* The test vectors of stations/protocols/rs485_isp.md against rs485_packet.c: each is made by the code, and
 * must stand in the document, letter by letter. */
#include "rs485_packet.h"

#include <ctype.h>
#include <stdlib.h>

#include "test.h"

static char specification[65536];

static void read_specification(void)
{
    FILE *file = fopen(FLASHFARM_RS485_SPECIFICATION, "re");

    if (!CHECK(file))
        exit(1);
    CHECK(fread(specification, 1, sizeof specification - 1, file) > 10000);
    CHECK(feof(file));
    (void)fclose(file);
}

/* The line of the table of vectors that begins with `what`. */
static const char *row_of(const char *what)
{
    char start[128];

    (void)snprintf(start, sizeof start, "\n| %s |", what);
    return strstr(specification, start);
}

/* Whether `hex` stands between back ticks in that row. */
static bool row_has(const char *what, const char *hex)
{
    const char *row = row_of(what);
    char quoted[1024], line[2048];

    if (!row)
        return false;
    (void)snprintf(line, sizeof line, "%.*s", (int)strcspn(row + 1, "\n"), row + 1);
    (void)snprintf(quoted, sizeof quoted, "`%s`", hex);
    return strstr(line, quoted) != NULL;
}

static void to_hex(const uint8_t *bytes, size_t size, char *text)
{
    text[0] = '\0';
    for (size_t i = 0; i < size; i++)
        text += sprintf(text, "%s%02X", i ? " " : "", bytes[i]);
}

/* The bytes, and where they differ the escaped ones too. */
static bool stands(const char *what, const uint8_t *bytes, size_t size)
{
    uint8_t encoded[ISP_ENCODED_MAX];
    char text[3 * ISP_ENCODED_MAX + 1];
    size_t encoded_size = isp_encode(encoded, bytes, size);

    to_hex(bytes, size, text);
    if (!row_has(what, text))
        return false;
    to_hex(encoded, encoded_size, text);
    return encoded_size == size || row_has(what, text);
}

struct request_vector {
    const char *what;
    uint8_t address;
    enum isp_command command;
    uint8_t size;
    uint8_t data[8];
};

static const struct request_vector requests[] = {
    {"DESCRIBE", 17, ISP_DESCRIBE, 0, {0}},
    {"CHANGE ADDRESS to 42", 17, ISP_CHANGE_ADDRESS, 2, {0x2A, 0xD5}},
    {"ERASE SECTOR 0400", 17, ISP_ERASE_SECTOR, 2, {0x04, 0x00}},
    {"WRITE `02 1B 55 FF` at 041B", 17, ISP_WRITE, 6, {0x04, 0x1B, 0x02, 0x1B, 0x55, 0xFF}},
    {"READ 4 at 041B", 17, ISP_READ, 3, {0x04, 0x1B, 4}},
    {"PROTECT SECTOR 0400, all bits", 17, ISP_PROTECT_SECTOR, 3, {0x04, 0x00, 0x07}},
    {"COMPLETE", 17, ISP_COMPLETE, 0, {0}},
    {"CHECKSUM of 4 bytes at 041B", 17, ISP_CHECKSUM, 4, {0x04, 0x1B, 0, 4}},
    {"JOIN group 5, base 0000, blocks of 64, 10 of them", 17, ISP_JOIN, 6, {5, 0, 0, 64, 0, 10}},
    {"WRITE `02 00 06` at 0000 to group 5", 0, ISP_WRITE, 6, {5, 0, 0, 2, 0, 6}},
    {"GROUP STATUS", 17, ISP_GROUP_STATUS, 0, {0}},
    {"LEAVE", 17, ISP_LEAVE, 0, {0}},
    {"COMPLETE to group 5", 0, ISP_COMPLETE, 1, {5}},
};

static void test_requests(void)
{
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        const struct request_vector *vector = &requests[i];
        uint8_t packet[ISP_PACKET_MAX];
        size_t size = isp_request(packet, vector->address, vector->command, vector->data, vector->size);

        if (!CHECK(stands(vector->what, packet, size)))
            (void)fprintf(stderr, "  %s\n", vector->what);
        CHECK(isp_crc16(packet, size) == 0);
    }
}

/* Reads `hex` out of the document's own row, and puts it through the decoder and the check. */
static size_t answer_in(const char *what, uint8_t *bytes)
{
    const char *row = row_of(what);
    const char *at;
    size_t size = 0;

    if (!CHECK(row))
        return 0;
    at = row + 1 + strcspn(row + 1, "\n") - strlen("` |");
    while (at > row && *(at - 1) != '`') /* the last one of the row */
        at--;
    for (; isxdigit((unsigned char)*at); at += at[2] == ' ' ? 3 : 2)
        bytes[size++] = (uint8_t)strtoul(at, NULL, 16);
    return size;
}

static size_t decode(uint8_t *bytes, size_t size)
{
    bool escaped = false;
    size_t count = 0;

    for (size_t i = 0; i < size; i++)
        if (isp_decode(&escaped, bytes[i]) == ISP_DECODED_BYTE)
            bytes[count++] = bytes[i];
    CHECK(!escaped);
    return count;
}

static void test_answers(void)
{
    static const struct {
        const char *what;
        enum isp_command command;
        bool escaped; /* the row's last bytes are */
        size_t size;
    } answers[] = {
        {"its answer: 8 KB, sectors 1024, pages 64, M 64, span 1BF0, E 5 ms, P 2 ms, K 10 ms, unique number "
         "`00 1B 55 AA`",
         ISP_DESCRIBE, true, 27},
        {"done (from the old address)", ISP_CHANGE_ADDRESS, false, 6},
        {"refused", ISP_ERASE_SECTOR, false, 6},
        {"differs", ISP_WRITE, false, 6},
        {"the bytes", ISP_READ, true, 10},
        {"CRC-32 71F01D9A", ISP_CHECKSUM, false, 10},
        {"1 missing, number 2; 1 bad CRC; no refusal; bitmap `FB 03`", ISP_GROUP_STATUS, false, 14},
    };

    for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
        uint8_t bytes[ISP_ENCODED_MAX] = {0};
        size_t size = answer_in(answers[i].what, bytes);

        size = answers[i].escaped ? decode(bytes, size) : size;
        if (!CHECK(size == answers[i].size) || !CHECK(size == bytes[1] + 4u))
            (void)fprintf(stderr, "  %s: %zu\n", answers[i].what, size);
        CHECK(isp_check_answer(bytes, size, 17, answers[i].command) == ISP_ANSWER_GOOD);
        CHECK(isp_check_answer(bytes, size, 18, answers[i].command) == ISP_ANSWER_STRANGE);
        CHECK(isp_check_answer(bytes, size, 17, ISP_LEAVE) == ISP_ANSWER_STRANGE);
        bytes[3] ^= 0x10;
        CHECK(isp_check_answer(bytes, size, 17, answers[i].command) == ISP_ANSWER_BAD_CRC);
    }
}

static void test_crc(void)
{
    CHECK(isp_crc16((const uint8_t *)"123456789", 9) == 0x29B1);
    CHECK(isp_crc16(NULL, 0) == 0xFFFF);
    CHECK(isp_crc16((const uint8_t *)"\x11\x01\x07", 3) == 0xFB19);
    CHECK(row_of("CRC-16 of nothing; of `11 01 07`") && strstr(specification, "FFFF; FB19"));
}

static void test_address_frames(void)
{
    uint8_t encoded[4];
    char text[16];

    to_hex(encoded, isp_encode_address(encoded, 17), text);
    CHECK(row_has("roll-call 17, its answer", text));
    to_hex(encoded, isp_encode_address(encoded, 27), text);
    CHECK(row_has("roll-call 27, its answer", text));
    to_hex(encoded, isp_encode_address(encoded, 0), text);
    CHECK(row_has("roll-call 0", text));
}

static void test_decoder(void)
{
    bool escaped = false;

    CHECK(isp_decode(&escaped, 0x1B) == ISP_DECODED_NOTHING);
    CHECK(isp_decode(&escaped, 0x01) == ISP_DECODED_BAD); /* units send no address frames */
    escaped = false;
    CHECK(isp_decode(&escaped, 0x01) == ISP_DECODED_BYTE);
    for (unsigned value = 0; value < 256; value++) {
        uint8_t byte = (uint8_t)value, encoded[2];
        size_t size = isp_encode(encoded, &byte, 1);

        CHECK(decode(encoded, size) == 1 && encoded[0] == byte);
    }
}

static void test_rates(void)
{
    static const uint32_t rates[] = {1200, 2400, 4800, 9600, 14400, 19200, 28800, 38400, 57600, 115200};
    char row[16];

    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
        CHECK(isp_rate(rates[i]) == rates[i]);
        CHECK(isp_rate(rates[i] + 1) == rates[i]);
        CHECK(i == 0 || isp_rate(rates[i] - 1) == rates[i - 1]);
        (void)snprintf(row, sizeof row, "\n| %u |", (unsigned)rates[i]);
        CHECK(strstr(specification, row));
    }
    CHECK(isp_rate(300) == 1200);
}

static const struct test tests[] = {
    {"crc", test_crc},         {"requests", test_requests},
    {"answers", test_answers}, {"address frames", test_address_frames},
    {"decoder", test_decoder}, {"rates", test_rates},
};

int main(void)
{
    read_specification();
    return test_main(tests, sizeof tests / sizeof tests[0]);
}
