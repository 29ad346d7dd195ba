/* SPDX-License-Identifier: Apache-2.0 */
/* What the ROM loaders of LPC and ESP want of an image, before any board is touched: the vectors' sum and
 * code read protection of the one, the place and the chip of the bootloader of the other. */
#include "failure.h"
#include "plan.h"

#include "alloc.h"
#include "test.h"

#include <stdlib.h>

static void put_word(uint8_t *bytes, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(value >> 8 * i);
}

/* One range at `address`. */
struct content {
    uint8_t bytes[1024];
    struct image_range range;
    struct image image;
};

static void place(struct content *content, uint32_t address, uint32_t size)
{
    content->range = (struct image_range){.address = address, .size = size, .data = content->bytes};
    content->image = (struct image){.count = 1, .ranges = &content->range};
}

/* Vectors whose word `index` makes the sum of the first eight 0. */
static struct content *lpc_content(uint32_t index)
{
    struct content *content = allocate(1, sizeof *content);
    uint32_t sum = 0;

    memset(content->bytes, 0xFF, sizeof content->bytes);
    for (uint32_t i = 0; i < 8; i++) {
        uint32_t word = i == index ? 0 : 0x10000101 * (i + 1);

        put_word(content->bytes + (size_t)4 * i, word);
        sum += word;
    }
    put_word(content->bytes + (size_t)4 * index, 0 - sum);
    place(content, 0, sizeof content->bytes);
    return content;
}

static int check(const char *protocol, const char *chip, const struct content *content,
                 enum protection protect, struct error *error)
{
    const struct order order = {.chip = chip_find(chip), .image = &content->image, .protect = protect};

    *error = ERROR_NONE;
    if (!CHECK(order.chip))
        return 0;
    return protocol_find(protocol)->check(&order, error);
}

/* Refused as data, with all of these in the sentence. */
static bool refuses(int status, const struct error *error, const char *first, const char *second)
{
    bool good =
        status == FAILURE_CODE(FAILURE_DATA) && strstr(error->text, first) && strstr(error->text, second);

    if (!good)
        (void)fprintf(stderr, "  %d: %s\n", status, error->text);
    return good;
}

static int check_lpc(const char *chip, const struct content *content, struct error *error)
{
    return check("lpc-uart", chip, content, PROTECTION_NONE, error);
}

static void test_vector_sum(void)
{
    struct content *content = lpc_content(7);
    struct error error;

    CHECK(check_lpc("lpc1114", content, &error) == 0);
    put_word(content->bytes + 0x1C, 0);
    /* 0x10000101 * (1 + … + 7), negated */
    CHECK(refuses(check_lpc("lpc1114", content, &error), &error, "Put 0x3fffe3e4 at 0x0000001c",
                  "0x00000000 is"));
    /* On ARM7 it is another word that is to be changed. */
    CHECK(refuses(check_lpc("lpc2148", content, &error), &error, "at 0x00000014", "(0x60000606 is there)"));
    free(content);
    content = lpc_content(5);
    CHECK(check_lpc("lpc2148", content, &error) == 0);
    free(content);
}

static void test_part_of_the_vectors(void)
{
    struct content *content = lpc_content(7);
    struct error error;

    place(content, 0, 28);
    CHECK(refuses(check_lpc("lpc1114", content, &error), &error, "28 of the 32 bytes", "0x00000000"));
    place(content, 4, 100);
    CHECK(refuses(check_lpc("lpc1114", content, &error), &error, "28 of the 32 bytes", "all or none"));
    place(content, 0x1000, 100); /* data behind an application that stays */
    CHECK(check_lpc("lpc1114", content, &error) == 0);
    free(content);
}

static void test_code_read_protection(void)
{
    static const struct {
        uint32_t word;
        const char *name;
    } words[] = {{0x12345678, "CRP1"}, {0x87654321, "CRP2"}, {0x43218765, "CRP3"}, {0x4E697370, "NO_ISP"}};
    struct content *content = lpc_content(7);
    struct error error;

    CHECK(refuses(check("lpc-uart", "lpc1114", content, PROTECTION_READ, &error), &error, "0x000002fc",
                  "CRP1"));
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        put_word(content->bytes + 0x2FC, words[i].word);
        CHECK(refuses(check_lpc("lpc1114", content, &error), &error, words[i].name, "0x000002fc"));
        CHECK(check("lpc-uart", "lpc1114", content, PROTECTION_READ, &error) == 0);
    }
    put_word(content->bytes + 0x2FC, 0x12345679);
    CHECK(check_lpc("lpc1114", content, &error) == 0);
    free(content);
}

/* On ARM7 the word stands elsewhere, and the older ones obey but one. */
static void test_code_read_protection_of_arm7(void)
{
    struct content *content = lpc_content(5);
    struct error error;

    put_word(content->bytes + 0x2FC, 0x87654321); /* nothing but data there */
    CHECK(check_lpc("lpc2148", content, &error) == 0);
    CHECK(refuses(check("lpc-uart", "lpc2148", content, PROTECTION_READ, &error), &error, "0x000001fc",
                  "0x87654321"));
    put_word(content->bytes + 0x1FC, 0x12345678);
    CHECK(refuses(check_lpc("lpc2148", content, &error), &error, "CRP1", "0x000001fc"));
    CHECK(refuses(check("lpc-uart", "lpc2148", content, PROTECTION_READ, &error), &error, "0x000001fc",
                  "0x87654321"));
    put_word(content->bytes + 0x1FC, 0x87654321);
    CHECK(refuses(check_lpc("lpc2148", content, &error), &error, "CRP2", "0x000001fc"));
    CHECK(check("lpc-uart", "lpc2148", content, PROTECTION_READ, &error) == 0);
    free(content);
}

/* The start of an application image: magic, segments, mode, size; entry; pins; the chip. */
static struct content *esp_content(uint32_t address, uint8_t chip)
{
    struct content *content = allocate(1, sizeof *content);

    content->bytes[0] = 0xE9;
    content->bytes[12] = chip;
    place(content, address, sizeof content->bytes);
    return content;
}

static int check_esp(const char *chip, uint32_t address, uint8_t image_chip, uint8_t magic,
                     struct error *error)
{
    struct content *content = esp_content(address, image_chip);
    int status;

    content->bytes[0] = magic;
    status = check("esp-rom", chip, content, PROTECTION_NONE, error);
    free(content);
    return status;
}

static void test_bootloader(void)
{
    struct error error;

    CHECK(check_esp("esp32-4mb", 0x1000, 0, 0xE9, &error) == 0);
    CHECK(check_esp("esp32c3-4mb", 0, 5, 0xE9, &error) == 0);
    CHECK(check_esp("esp8266-4mb", 0, 77, 0xE9, &error) == 0);    /* its images name no chip */
    CHECK(check_esp("esp32-4mb", 0x10000, 0, 0xE9, &error) == 0); /* only an application */
    CHECK(refuses(check_esp("esp32-4mb", 0x1000, 0, 0xEA, &error), &error, "0xea instead of 0xe9", "0x1000"));
    CHECK(
        refuses(check_esp("esp32c3-4mb", 0, 9, 0xE9, &error), &error, "is for chip 9", "ESP32-C3 is chip 5"));
    CHECK(refuses(check_esp("esp32-4mb", 0, 0, 0xE9, &error), &error, "an image starts at 0x0",
                  "none at 0x1000"));
    CHECK(refuses(check_esp("esp32c3-4mb", 0x1000, 5, 0xE9, &error), &error, "starts at 0x1000",
                  "none at 0x0"));
}

/* The ESP8266's ROM erases one sector more where it was told an odd number of them. */
static void test_kept_behind_an_image(void)
{
    struct content *content = esp_content(0, 0);
    struct chip_span keep = {.address = 0x1800, .size = 16};
    struct order order = {
        .chip = chip_find("esp8266-4mb"), .image = &content->image, .keep = &keep, .keep_count = 1};
    struct error error;

    CHECK(
        refuses(protocol_find("esp-rom")->check(&order, &error), &error, "0x1800 is to be kept", "ESP8266"));
    keep.address = 0x2000;
    CHECK(protocol_find("esp-rom")->check(&order, &error) == 0);
    free(content);
}

static const struct test tests[] = {
    {"LPC: sum of the vectors", test_vector_sum},
    {"LPC: part of the vectors", test_part_of_the_vectors},
    {"LPC: code read protection", test_code_read_protection},
    {"LPC: code read protection of ARM7 parts", test_code_read_protection_of_arm7},
    {"ESP: bootloader", test_bootloader},
    {"ESP8266: kept behind an image", test_kept_behind_an_image},
};

TEST_MAIN(tests)
