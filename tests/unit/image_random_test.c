/* SPDX-License-Identifier: Apache-2.0 */
/* Random sparse images, written as Intel HEX and S-record by small writers of the test's own, in random
 * order, and read again. Also the size that must not be slow. */
#include "image_cases.h"

#include <time.h>

/* The image under test is a window of memory with holes. */
#define WINDOW 0x30000u

struct memory {
    uint32_t base;
    bool *has;
    uint8_t *bytes;
};

struct span {
    uint32_t start;
    uint32_t size;
};

struct file {
    char *text;
    size_t size;
    size_t room;
};

/* `kind` goes before the digits, `record` is all of it but the checksum, which is `checksum`. */
static void write_record(struct file *file, const char *kind, const uint8_t *record, size_t size,
                         uint8_t checksum)
{
    if (file->size + 1024 > file->room) {
        file->room = 2 * file->room + 1024;
        file->text = realloc(file->text, file->room);
    }
    file->size += (size_t)sprintf(file->text + file->size, "%s", kind);
    for (size_t i = 0; i < size; i++) {
        file->text[file->size++] = "0123456789ABCDEF"[record[i] >> 4];
        file->text[file->size++] = "0123456789abcdef"[record[i] & 15];
    }
    file->size += (size_t)sprintf(file->text + file->size, "%02X\n", checksum);
}

static uint8_t sum_of(const uint8_t *record, size_t size)
{
    uint8_t sum = 0;

    for (size_t i = 0; i < size; i++)
        sum = (uint8_t)(sum + record[i]);
    return sum;
}

static void write_hex(struct file *file, uint8_t type, uint32_t offset, const uint8_t *data, size_t size)
{
    uint8_t record[260] = {(uint8_t)size, (uint8_t)(offset >> 8), (uint8_t)offset, type};

    if (size)
        memcpy(record + 4, data, size);
    write_record(file, ":", record, 4 + size, (uint8_t)-sum_of(record, 4 + size));
}

static void write_hex_base(struct file *file, uint8_t type, uint32_t base)
{
    const uint8_t data[2] = {(uint8_t)(base >> 8), (uint8_t)base};

    write_hex(file, type, 0, data, sizeof data);
}

/* Addresses below 1 MiB now and then by segment, else linear; a span of the test never ends past its base's
 * 64 KiB in a segment, for there it would wrap. */
static void write_hex_span(struct file *file, const struct memory *memory, struct span span, uint32_t *random)
{
    uint32_t address = memory->base + span.start;

    if (address < 0xF0000 && next_random(random) % 2) {
        write_hex_base(file, 2, address >> 4);
        write_hex(file, 0, address & 15, memory->bytes + span.start, span.size);
        return;
    }
    write_hex_base(file, 4, address >> 16);
    write_hex(file, 0, address & 0xFFFF, memory->bytes + span.start, span.size);
}

static void write_srec(struct file *file, unsigned type, uint32_t address, const uint8_t *data, size_t size)
{
    static const uint8_t address_sizes[10] = {2, 2, 3, 4, 0, 2, 3, 4, 3, 2};
    const char kind[3] = {'S', (char)('0' + type), '\0'};
    uint8_t record[260];
    size_t used = 1;

    for (uint8_t i = address_sizes[type]; i-- > 0;)
        record[used++] = (uint8_t)(address >> 8 * i);
    if (size)
        memcpy(record + used, data, size);
    used += size;
    record[0] = (uint8_t)used;
    write_record(file, kind, record, used, (uint8_t)~sum_of(record, used));
}

static void write_srec_span(struct file *file, const struct memory *memory, struct span span,
                            uint32_t *random)
{
    uint32_t address = memory->base + span.start;
    unsigned least = address > 0xFFFFFF ? 3 : address > 0xFFFF ? 2 : 1;

    write_srec(file, least + next_random(random) % (4 - least), address, memory->bytes + span.start,
               span.size);
}

static void shuffle(struct span *spans, size_t count, uint32_t *random)
{
    for (size_t i = count; i > 1; i--) {
        size_t j = next_random(random) % i;
        struct span held = spans[i - 1];

        spans[i - 1] = spans[j];
        spans[j] = held;
    }
}

static size_t make_spans(struct memory *memory, struct span *spans, uint32_t longest, uint32_t *random)
{
    size_t count = 0;

    memset(memory->has, 0, WINDOW);
    for (uint32_t at = 0; at < WINDOW;) {
        uint32_t size = 1 + next_random(random) % longest;

        if (size > WINDOW - at)
            size = WINDOW - at;
        if (next_random(random) % 4) {
            memset(memory->has + at, 1, size);
            spans[count++] = (struct span){.start = at, .size = size};
        }
        at += size;
    }
    for (uint32_t i = 0; i < WINDOW; i++)
        memory->bytes[i] = (uint8_t)next_random(random);
    return count;
}

static void check_image(const struct image *image, const struct memory *memory)
{
    uint32_t at = 0, wrong = 0;

    for (size_t i = 0; i < image->count; i++) {
        const struct image_range *range = &image->ranges[i];
        uint32_t start = range->address - memory->base;

        if (!CHECK(start <= WINDOW && range->size <= WINDOW - start))
            return;
        CHECK(i == 0 || start > at); /* sorted, and not touching */
        for (; at < start; at++)
            wrong += memory->has[at];
        for (; at < start + range->size; at++)
            wrong += !memory->has[at] || range->data[at - start] != memory->bytes[at];
    }
    for (; at < WINDOW; at++)
        wrong += memory->has[at];
    CHECK(wrong == 0);
}

static void parse_and_check(struct file *file, const struct memory *memory, enum image_format format)
{
    const struct image_options options = {.has_base = true, .base = 0};
    struct error error = ERROR_NONE;
    struct image image;
    bool good = CHECK(parse_copy(&image, file->text, file->size, &options, &error) == 0);

    if (!good)
        (void)fprintf(stderr, "  %s\n", error.text);
    CHECK(!good || image.format == format);
    if (good)
        check_image(&image, memory);
    image_clear(&image);
    free(file->text);
}

static void round_trip(struct memory *memory, struct span *spans, uint32_t longest, uint32_t *random)
{
    size_t count = make_spans(memory, spans, longest, random);
    struct file hex = {.size = 0}, srec = {.size = 0};

    shuffle(spans, count, random);
    for (size_t i = 0; i < count; i++) {
        write_hex_span(&hex, memory, spans[i], random);
        write_srec_span(&srec, memory, spans[i], random);
    }
    write_hex(&hex, 1, 0, NULL, 0);
    write_srec(&srec, 6, (uint32_t)count, NULL, 0);
    write_srec(&srec, 9, 0, NULL, 0);
    parse_and_check(&hex, memory, IMAGE_INTEL_HEX);
    parse_and_check(&srec, memory, IMAGE_SREC);
}

static void round_trips(void)
{
    static const uint32_t bases[] = {0, 0x8000, 0xF0000, 0x08000000, 0xFFFFFFFF - WINDOW + 1};
    static const uint32_t longest[] = {1, 4, 32, 250};
    struct memory memory = {.has = calloc(WINDOW, sizeof *memory.has), .bytes = calloc(WINDOW, 1)};
    struct span *spans = calloc(WINDOW, sizeof *spans);
    uint32_t random = 20260501;

    for (size_t i = 0; i < sizeof bases / sizeof bases[0]; i++) {
        for (size_t j = 0; j < sizeof longest / sizeof longest[0]; j++) {
            memory.base = bases[i];
            round_trip(&memory, spans, longest[j], &random);
        }
    }
    free(memory.has);
    free(memory.bytes);
    free(spans);
}

#define BIG (16u << 20)

static void write_big(struct file *file, uint32_t block, const uint8_t *data)
{
    static const uint32_t record = 16;

    write_hex_base(file, 4, block);
    for (uint32_t at = 0; at < 0x10000; at += record)
        write_hex(file, 0, at, data + at, record);
}

static double seconds_now(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* 16 MiB in 64 KiB blocks, forwards and then backwards. The bound is loose, for sanitizers and busy hosts;
 * anything quadratic misses it by hours. */
static void big_file(bool backwards)
{
    const struct image_options options = {.has_base = false};
    struct file file = {.size = 0};
    struct error error = ERROR_NONE;
    uint8_t *data = calloc(1, 0x10000);
    struct image image;
    double started;

    for (uint32_t block = 0; block < BIG >> 16; block++) {
        memset(data, (int)block, 0x10000);
        write_big(&file, backwards ? (BIG >> 16) - 1 - block : block, data);
    }
    write_hex(&file, 1, 0, NULL, 0);
    started = seconds_now();
    CHECK(image_parse(&image, (const uint8_t *)file.text, file.size, &options, &error) == 0);
    started = seconds_now() - started;
    (void)printf("     %zu bytes of Intel HEX in %.0f ms\n", file.size, started * 1e3);
    CHECK(started < 20);
    CHECK(image.count == 1 && image.ranges[0].size == BIG);
    CHECK(image.count == 1 && image.ranges[0].data[BIG - 1] == (backwards ? 0 : 255));
    image_clear(&image);
    free(file.text);
    free(data);
}

static void big_files(void)
{
    big_file(false);
    big_file(true);
}

static const struct test tests[] = {
    {.name = "round trips", .run = round_trips},
    {.name = "big files", .run = big_files},
};
TEST_MAIN(tests)
