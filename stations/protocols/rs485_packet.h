/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes of the networked ISP, as rs485_isp.md writes them down: packets with their CRC, the escapes of
 * adapters without a ninth bit, the ten rates. Knows no port. */
#ifndef FLASHFARM_STATIONS_PROTOCOLS_RS485_PACKET_H
#define FLASHFARM_STATIONS_PROTOCOLS_RS485_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ISP_DATA_MAX    128u                /* section 3: the largest that a unit may announce */
#define ISP_LENGTH_MAX  (4u + ISP_DATA_MAX) /* of the length byte */
#define ISP_PACKET_MAX  (2u + ISP_LENGTH_MAX + 2u)
#define ISP_ENCODED_MAX (2u * ISP_PACKET_MAX)
#define ISP_AUTOBAUD    0x55u

enum isp_command { /* section 4 */
                   ISP_CHANGE_ADDRESS = 0x01,
                   ISP_ERASE_SECTOR = 0x02,
                   ISP_WRITE = 0x03,
                   ISP_READ = 0x04,
                   ISP_PROTECT_SECTOR = 0x05,
                   ISP_COMPLETE = 0x06,
                   ISP_DESCRIBE = 0x07,
                   ISP_CHECKSUM = 0x08,
                   ISP_JOIN = 0x09,
                   ISP_GROUP_STATUS = 0x0A,
                   ISP_LEAVE = 0x0B,
};

enum isp_status { /* section 3.1 */
                  ISP_DONE = 0x00,
                  ISP_BAD_PARAMETER = 0x01,
                  ISP_BAD_ADDRESS = 0x02,
                  ISP_REFUSED = 0x03,
                  ISP_NOT_BLANK = 0x04,
                  ISP_DIFFERS = 0x05,
                  ISP_UNKNOWN_COMMAND = 0x06,
};

/* Section 3: 0x1021, from 0xFFFF, most significant bit first. */
uint16_t isp_crc16(const uint8_t *bytes, size_t size);

/* A whole request; returns its size, at most ISP_PACKET_MAX. */
size_t isp_request(uint8_t *packet, uint8_t address, enum isp_command command, const uint8_t *data,
                   size_t size);

/* Whether a whole answer, 2 + length + 2 bytes, is one to that command of that unit. */
enum isp_answer { ISP_ANSWER_GOOD, ISP_ANSWER_BAD_CRC, ISP_ANSWER_STRANGE };
enum isp_answer isp_check_answer(const uint8_t *packet, size_t size, uint8_t address,
                                 enum isp_command command);

/* Section 1.2. Encodes data frames; returns the size, at most twice as much. */
size_t isp_encode(uint8_t *encoded, const uint8_t *bytes, size_t size);
size_t isp_encode_address(uint8_t encoded[4], uint8_t address);

/* Decodes data frames byte by byte. */
enum isp_decoded { ISP_DECODED_BYTE, ISP_DECODED_NOTHING, ISP_DECODED_BAD };
enum isp_decoded isp_decode(bool *escaped, uint8_t byte);

/* Section 1.3: the highest of the ten rates that is not above `baud`, or the lowest one. */
uint32_t isp_rate(uint32_t baud);

#endif
