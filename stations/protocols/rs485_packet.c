/* SPDX-License-Identifier: Apache-2.0 */
#include "rs485_packet.h"

#include "bytes.h"

#include <string.h>

enum { ESCAPE = 0x1B, MARKED = 0x01 };

uint16_t isp_crc16(const uint8_t *bytes, size_t size)
{
    uint32_t crc = 0xFFFF;

    for (size_t i = 0; i < size; i++) {
        crc ^= (uint32_t)bytes[i] << 8;
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1;
    }
    return (uint16_t)crc;
}

size_t isp_request(uint8_t *packet, uint8_t address, enum isp_command command, const uint8_t *data,
                   size_t size)
{
    packet[0] = address;
    packet[1] = (uint8_t)(1 + size);
    packet[2] = (uint8_t)command;
    if (size)
        memcpy(packet + 3, data, size);
    put_be16(packet + 3 + size, isp_crc16(packet, 3 + size));
    return 3 + size + 2;
}

enum isp_answer isp_check_answer(const uint8_t *packet, size_t size, uint8_t address,
                                 enum isp_command command)
{
    if (isp_crc16(packet, size) != 0)
        return ISP_ANSWER_BAD_CRC;
    if (packet[0] != address || packet[2] != ((uint8_t)command | 0x80))
        return ISP_ANSWER_STRANGE;
    return ISP_ANSWER_GOOD;
}

size_t isp_encode(uint8_t *encoded, const uint8_t *bytes, size_t size)
{
    size_t at = 0;

    for (size_t i = 0; i < size; i++) {
        if (bytes[i] == ESCAPE)
            encoded[at++] = ESCAPE;
        encoded[at++] = bytes[i];
    }
    return at;
}

size_t isp_encode_address(uint8_t encoded[4], uint8_t address)
{
    encoded[0] = ESCAPE;
    encoded[1] = MARKED;
    return 2 + isp_encode(encoded + 2, &address, 1);
}

/* Units send data frames only: behind an escape there is nothing but an escape. */
enum isp_decoded isp_decode(bool *escaped, uint8_t byte)
{
    if (!*escaped && byte == ESCAPE) {
        *escaped = true;
        return ISP_DECODED_NOTHING;
    }
    if (*escaped && byte != ESCAPE)
        return ISP_DECODED_BAD;
    *escaped = false;
    return ISP_DECODED_BYTE;
}

uint32_t isp_rate(uint32_t baud)
{
    static const uint32_t rates[] = {115200, 57600, 38400, 28800, 19200, 14400, 9600, 4800, 2400};

    for (size_t i = 0; i < sizeof rates / sizeof *rates; i++)
        if (rates[i] <= baud)
            return rates[i];
    return 1200;
}
