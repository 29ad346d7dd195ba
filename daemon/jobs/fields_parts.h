/* SPDX-License-Identifier: Apache-2.0 */
/* What fields.c, which reads the lists, and fields_encode.c, which makes a unit's bytes, share with each
 * other and with nobody else. */
#ifndef FLASHFARM_JOBS_FIELDS_PARTS_H
#define FLASHFARM_JOBS_FIELDS_PARTS_H

#include "fields.h"

enum field_encoding {
    ENCODING_ASCII,
    ENCODING_UTF16,
    ENCODING_BCD,
    ENCODING_LITTLE,
    ENCODING_BIG,
    ENCODING_BYTES,
    ENCODINGS
};

enum field_source { SOURCE_POOL, SOURCE_UNIT, SOURCE_UID, SOURCE_DATE, SOURCE_CONSTANT, SOURCES };

enum field_date { FIELD_DATE_ISO, FIELD_DATE_YYMMDD, FIELD_DATE_YYWW, FIELD_DATE_UNIX, FIELD_DATES };

enum check_algorithm {
    CHECK_CRC32,
    CHECK_CRC32_MPEG2,
    CHECK_CRC16_MODBUS,
    CHECK_CRC16_CCITT_FALSE,
    CHECK_CRC16_XMODEM,
    CHECK_CRC16_ARC,
    CHECK_SHA256,
    CHECK_ALGORITHMS
};

/* Where a field or a check is. */
struct place {
    char *name;
    uint32_t address, size;
    bool over_code;
};

struct field {
    struct place place;
    enum field_encoding encoding;
    enum field_source source;
    char *word;       /* name of the pool, or of the unit's member */
    json_t *constant; /* of SOURCE_CONSTANT */
    enum field_date date;
    int pad; /* -1: none given */
};

struct check {
    struct place place;
    enum check_algorithm algorithm;
    struct chip_span range;
    bool big;
};

struct fields {
    size_t field_count, check_count;
    struct field *fields;
    struct check *checks;
    size_t span_count;
    struct chip_span *spans;
    size_t pool_count;
    const char **pools; /* words of fields */
};

static inline bool field_is_text(enum field_encoding encoding)
{
    return encoding == ENCODING_ASCII || encoding == ENCODING_UTF16;
}

static inline bool field_is_binary(enum field_encoding encoding)
{
    return encoding == ENCODING_LITTLE || encoding == ENCODING_BIG;
}

/* Bytes that the result of an algorithm has. */
uint32_t check_size(enum check_algorithm algorithm);
/* Writes the field's bytes of one unit; -EINVAL without the field's name. */
int field_encode(const struct field *field, const struct field_values *values, uint8_t *bytes,
                 struct error *error);

#endif
