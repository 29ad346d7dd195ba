/* SPDX-License-Identifier: Apache-2.0 */
/* Every class of the lint with an order that deserves it and one beside it that does not, and real firmware
 * files, about which there must be nothing to say. */
#include "lint.h"

#include "bytes.h"
#include "test.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* The lint sees fields through these two only. */
struct fields {
    size_t count;
    const struct field_place *places;
};

size_t fields_count(const struct fields *fields)
{
    return fields->count;
}

struct field_place fields_place(const struct fields *fields, size_t index)
{
    return fields->places[index];
}

#define FLASH 0x08000000u
#define SIZE  0x1000u

/* A good order: 4 KiB for an STM32F103xB, vectors in front, the last KiB blank. */
struct scene {
    uint8_t bytes[SIZE];
    struct image_range ranges[2];
    struct image image;
    struct order order;
    struct chip_span keep[2];
    struct field_place places[3];
    struct fields fields;
    struct lint_pool pools[2];
    struct lint_subject subject;
};

static void put_le32(uint8_t *bytes, uint32_t value)
{
    for (int i = 0; i < 4; i++)
        bytes[i] = (uint8_t)(value >> 8 * i);
}

static struct scene *scene_new(const char *chip)
{
    struct scene *scene = calloc(1, sizeof *scene);

    for (size_t i = 0; i < SIZE; i++)
        scene->bytes[i] = i < SIZE - 1024 ? (uint8_t)(i * 7 + 1) : 0xFF;
    put_le32(scene->bytes, 0x20005000);
    put_le32(scene->bytes + 4, FLASH + 0x101);
    scene->order.chip = chip_find(chip);
    CHECK(scene->order.chip != NULL);
    scene->ranges[0] = (struct image_range){
        .address = scene->order.chip->family->flash_base, .size = SIZE, .data = scene->bytes};
    scene->image = (struct image){.count = 1, .ranges = scene->ranges};
    scene->order.image = &scene->image;
    scene->order.keep = scene->keep;
    scene->fields.places = scene->places;
    scene->subject =
        (struct lint_subject){.order = &scene->order, .fields = &scene->fields, .is_recipe = true};
    return scene;
}

/* "class:e class:w", in the order of the findings. */
static void check_findings(struct scene *scene, const char *want, const char *says)
{
    json_t *findings = lint_check(&scene->subject), *finding;
    char got[300] = "", *text = json_dumps(findings, JSON_COMPACT);
    struct error error = ERROR_NONE;
    size_t index;

    json_array_foreach (findings, index, finding) {
        const char *severity = json_string_value(json_object_get(finding, "severity"));

        (void)snprintf(got + strlen(got), sizeof got - strlen(got), "%s%s:%c", index ? " " : "",
                       json_string_value(json_object_get(finding, "class")), severity[0]);
        CHECK(json_object_size(finding) == 5);
        CHECK(json_string_length(json_object_get(finding, "place")) > 0);
        CHECK(json_string_length(json_object_get(finding, "remedy")) > 0);
    }
    CHECK_TEXT(got, want);
    if (!CHECK(strstr(text, says) != NULL))
        (void)fprintf(stderr, "  %s\n  lacks: %s\n", text, says);
    CHECK(lint_has_error(findings) == (strstr(want, ":e") != NULL));
    CHECK(lint_refuse(findings, &error) == (strstr(want, ":e") ? -EINVAL : 0));
    CHECK((error.text[0] != '\0') == (error.code != 0));
    free(text);
    json_decref(findings);
}

static void check_and_free(struct scene *scene, const char *want, const char *says)
{
    check_findings(scene, want, says);
    free(scene);
}

static struct scene *good(void)
{
    return scene_new("stm32f103xb");
}

static void add_field(struct scene *scene, struct field_place place)
{
    scene->places[scene->fields.count++] = place;
}

static void test_clean(void)
{
    struct scene *scene = good();

    scene->keep[0] = (struct chip_span){.address = FLASH + 0x2000, .size = 0x400};
    scene->order.keep_count = 1;
    scene->pools[0] = (struct lint_pool){.name = "sn", .left = 10, .wanted = 10};
    scene->subject.pools = scene->pools;
    scene->subject.wants_signature = scene->subject.has_signature = true;
    add_field(scene, (struct field_place){.name = "serial", .address = FLASH + 0xE00, .size = 16});
    add_field(scene, (struct field_place){.name = "key", .address = FLASH + 0x1800, .size = 32});
    add_field(scene, (struct field_place){.name = "crc",
                                          .address = FLASH + 0xFFC,
                                          .size = 4,
                                          .is_check = true,
                                          .range = {.address = FLASH, .size = 0xFFC}});
    check_and_free(scene, "", "[]");
}

static void test_outside(void)
{
    struct scene *scene = good();

    scene->ranges[0].address = FLASH + 0x20000 - SIZE + 1;
    check_and_free(scene, "outside-chip:e", "0x0801f001-0x08020000");

    scene = good();
    scene->ranges[1] = (struct image_range){.address = 0x1FFFF800, .size = 16, .data = scene->bytes};
    scene->image.count = 2;
    check_and_free(scene, "protected-area:e", "the option bytes of stm32f103xb");

    scene = good();
    scene->ranges[1] = (struct image_range){.address = 0x1FFFF000, .size = 16, .data = scene->bytes};
    scene->image.count = 2;
    check_and_free(scene, "protected-area:e", "the ROM loader");

    scene = scene_new("atmega328p");
    scene->ranges[1] = (struct image_range){.address = 0x820000, .size = 3, .data = scene->bytes};
    scene->image.count = 2;
    check_and_free(scene, "protected-area:e", "the fuses");

    scene = scene_new("atmega328p");
    scene->ranges[1] = (struct image_range){.address = 0x810000, .size = 16, .data = scene->bytes};
    scene->image.count = 2; /* EEPROM */
    check_and_free(scene, "", "[]");
}

static void test_blank(void)
{
    struct scene *scene = good();

    memset(scene->bytes, 0xFF, SIZE);
    check_and_free(scene, "blank-image:w", "blank");
    scene = good();
    scene->image.count = 0;
    check_and_free(scene, "blank-image:e", "blank");
}

static void test_fields(void)
{
    struct scene *scene = good();
    struct field_place serial = {.name = "serial", .address = FLASH + 0xE00, .size = 16};
    struct field_place mac = {.name = "mac", .address = FLASH + 0xE0F, .size = 6};

    add_field(scene, serial);
    add_field(scene, mac);
    check_and_free(scene, "field-overlap:e", "it lies on field serial");

    scene = good();
    mac.address++;
    add_field(scene, serial);
    add_field(scene, mac);
    check_and_free(scene, "", "[]");

    scene = good();
    serial.address = FLASH + SIZE - 1024 - 1;
    add_field(scene, serial);
    check_findings(scene, "field-over-code:e", "0x08000bff");
    scene->places[0].over_code = true;
    check_findings(scene, "", "[]");
    scene->places[0].address++;
    scene->places[0].over_code = false;
    check_and_free(scene, "", "[]");

    scene = good();
    serial.address = FLASH + 0x20000 - 15;
    add_field(scene, serial);
    check_and_free(scene, "field-outside:e", "field serial, 0x0801fff1-0x08020000");
}

static void test_check_range(void)
{
    struct scene *scene = good();
    struct field_place crc = {.name = "crc",
                              .address = FLASH + 0xE00,
                              .size = 4,
                              .is_check = true,
                              .range = {.address = FLASH, .size = SIZE}};

    add_field(scene, crc);
    check_findings(scene, "check-range:e", "own bytes are in it");
    scene->places[0].address = FLASH + SIZE;
    check_findings(scene, "", "[]");
    scene->places[0].address = FLASH + 0x2000;
    scene->places[0].range.size = SIZE + 1;
    check_findings(scene, "check-range:e", "nothing gives 0x08001000");
    /* what a page has beside the check is erased with it */
    scene->places[0].address = FLASH + SIZE + 8;
    check_findings(scene, "", "[]");
    scene->places[0].address = FLASH + 0x2000;
    /* a field may be what fills the gap */
    add_field(scene, (struct field_place){.name = "id", .address = FLASH + SIZE, .size = 1});
    check_findings(scene, "", "[]");
    scene->fields.count = 1;
    scene->places[0].range = (struct chip_span){.address = 0x1FFFF000, .size = 16};
    check_and_free(scene, "check-range:e", "not in the flash");
}

static void test_keep(void)
{
    struct scene *scene = good();

    scene->order.keep_count = 1;
    scene->keep[0] = (struct chip_span){.address = FLASH + 0xC00, .size = 4};
    check_findings(scene, "keep-conflict:e",
                   "page 3 (0x08000c00, 1024 bytes) has to be erased for the image");
    scene->keep[0].address = FLASH + 0x1000;
    check_findings(scene, "", "[]");
    add_field(scene, (struct field_place){.name = "mac", .address = FLASH + 0x13FA, .size = 6});
    check_findings(scene, "keep-conflict:e", "for mac");
    scene->fields.count = 0;
    scene->keep[0].size = 0x20000;
    check_findings(scene, "keep-conflict:e", "no such flash");
    scene->keep[0].size = 4;
    scene->order.unprotect = true;
    check_findings(scene, "unprotect:e", "wipes the chip");
    scene->order.keep_count = 0;
    check_and_free(scene, "unprotect:w", "without a question");
}

static void test_lock(void)
{
    static const struct {
        const char *chip;
        uint32_t address, size;
        uint8_t open, at;
    } rows[] = {{"stm32f103xb", 0x1FFFF800, 16, 0xA5, 0},
                {"stm32f072xb", 0x1FFFF800, 16, 0xAA, 0},
                {"stm32f407xg", 0x1FFFC000, 8, 0xAA, 1},
                {"stm32l476xg", 0x1FFF7800, 8, 0xAA, 0},
                {"stm32l053x8", 0x1FF80000, 8, 0xAA, 0}};

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct scene *scene = scene_new(rows[i].chip);

        put_le32(scene->bytes, 0x20001000);
        scene->order.option_count = 1;
        scene->order.options[0] = (struct order_option){.address = rows[i].address, .size = rows[i].size};
        scene->order.options[0].bytes[rows[i].at] = rows[i].open;
        check_findings(scene, "", "[]");
        scene->order.options[0].bytes[rows[i].at] = 0xCC;
        check_findings(scene, "lock-before-verify:e", "0xcc at 0x1ff");
        scene->order.options[0].address += 0x10000000;
        check_and_free(scene, "outside-chip:e", "option bytes");
    }
}

static void check_start(const char *chip, uint32_t sp, uint32_t pc, const char *want)
{
    struct scene *scene = scene_new(chip);
    const bool is_lpc = strncmp(chip, "lpc", 3) == 0;
    uint32_t sum = 0;

    put_le32(scene->bytes, sp);
    put_le32(scene->bytes + 4, pc);
    if (is_lpc) {
        uint32_t vector = scene->order.chip->family->lpc->checksum_vector;

        memset(scene->bytes + 0x1FC, 0xFF, 4);
        memset(scene->bytes + 0x2FC, 0xFF, 4);
        put_le32(scene->bytes + (size_t)4 * vector, 0);
        for (size_t i = 0; i < 32; i += 4)
            sum += get_le32(scene->bytes + i);
        put_le32(scene->bytes + (size_t)4 * vector, 0 - sum);
    }
    check_findings(scene, want, "");
    if (strstr(want, "vector-table:e") || strstr(want, "wrong-family:e")) {
        scene->subject.is_recipe = false; /* an ad-hoc order may be a trial */
        want = strstr(want, "wrong") ? "wrong-family:w" : "vector-table:w";
        check_findings(scene, want, "");
    }
    free(scene);
}

static void test_vectors(void)
{
    check_start("stm32f103xb", 0x20005000, 0x08000101, "");
    check_start("stm32f103xb", 0x20005000, 0x00000101, "");               /* linked for where it is shown */
    check_start("stm32f103xb", 0x20005000, 0x08000100, "vector-table:e"); /* even */
    check_start("stm32f103xb", 0x20005000, 0x08020001, "vector-table:e"); /* behind the flash */
    check_start("stm32f103xb", 0x20005000, 0x08010001, "vector-table:w"); /* not in the image */
    check_start("stm32f103xb", 0x20020000, 0x08000101, "vector-table:e"); /* an STM32F407's */
    check_start("stm32f103xb", 0x2000A000, 0x08000101, ""); /* a second block might follow what the row has */
    check_start("stm32f103xb", 0x2000A004, 0x08000101, "vector-table:e");
    check_start("stm32f103xb", 0x20000000, 0x08000101, "vector-table:e");
    check_start("stm32f103xb", 0x20005002, 0x08000101, "vector-table:e");
    check_start("stm32f103xb", 0x00000000, 0x00000000, "vector-table:e");
    check_start("stm32f103xb", 0x10001000, 0x000001A5, "wrong-family:e"); /* an LPC's */
    check_start("stm32f103xb", 0xCF92CF92, 0x940C0034, "vector-table:e");
    check_start("stm32f103xb", 0xFFFFFFFF, 0xFFFFFFFF, "");
    check_start("stm32f407xg", 0x10010000, 0x08000101, "");
    check_start("stm32f407xg", 0x20020000, 0x08000101, "");
    check_start("stm32g431xb", 0x20008000, 0x08000101, ""); /* SRAM2 and CCM behind what the row has */
    check_start("stm32l433xc", 0x20010000, 0x08000101, "");
    check_start("stm32wb55xg", 0x20030000, 0x08000101, "");
    check_start("stm32h743xi", 0x24080000, 0x08000101, "");
    check_start("stm32f746xg", 0x20050000, 0x08000101, "");
    check_start("stm32f746xg", 0x20050000, 0x00200101, "");
    check_start("lpc1114", 0x10001000, 0x000001A5, "");
    check_start("lpc1768", 0x2007C000, 0x000001A5, "");
    check_start("lpc1114", 0x20005000, 0x080001A5, "wrong-family:e");
    check_start("lpc1114", 0x08000000, 0x000001A5, "vector-table:e");
    check_start("lpc2148", 0xE59FF018, 0xE59FF018, "");
    check_start("lpc2148", 0x10001000, 0x000001A5, "wrong-family:e");
    check_start("atmega328p", 0x005C940C, 0x006E940C, "");
    check_start("atmega328p", 0x20005000, 0x000001A5, "wrong-family:e");
}

static void test_uf2(void)
{
    struct scene *scene = good();

    scene->image.uf2_family = 0x5EE21072;
    check_findings(scene, "", "[]");
    scene->image.uf2_family = 0x57755A57;
    check_findings(scene, "wrong-family:e", "stm32f4");
    scene->image.uf2_family = 0x12345678; /* who knows */
    check_and_free(scene, "", "[]");
}

static void test_pools(void)
{
    struct scene *scene = good();

    scene->subject.pools = scene->pools;
    scene->pools[0] = (struct lint_pool){.name = "sn", .left = 9, .wanted = 10};
    check_findings(scene, "pool-short:e", "9 numbers are left, and 10 are wanted");
    scene->pools[0].left = 0;
    check_findings(scene, "pool-empty:e", "no number left");
    scene->pools[0].wanted = 0;
    check_findings(scene, "pool-empty:w", "pool sn");
    scene->pools[0].closed = true;
    check_findings(scene, "pool-empty:w", "it is closed");
    scene->pools[0].left = -1;
    check_and_free(scene, "pool-empty:e", "no such pool");
}

static void test_signatures(void)
{
    struct scene *scene = good();

    scene->subject.wants_signature = true;
    check_findings(scene, "unsigned:e", "required");
    scene->subject.signature_trouble = "by an unknown key";
    check_findings(scene, "signature:e", "by an unknown key");
    scene->subject.wants_signature = false;
    check_findings(scene, "signature:w", "by an unknown key");
    scene->subject.signature_trouble = NULL;
    scene->subject.is_mcuboot = true;
    check_findings(scene, "", "[]");
    scene->subject.mcuboot_trouble = "no hash";
    check_and_free(scene, "mcuboot:e", "no hash");
}

static void test_loaders(void)
{
    const struct protocol *p89[] = {protocol_find("p89lpc9xx"), NULL};
    const struct protocol *stm32[] = {protocol_find("stm32-uart"), NULL};
    const struct protocol *v1[] = {protocol_find("stk500v1"), NULL};
    struct scene *scene = scene_new("p89lpc922");

    memset(scene->bytes + 0xC00, 0, 0x400);
    scene->subject.protocols = p89;
    check_findings(scene, "", "[]");
    add_field(scene, (struct field_place){.name = "unit", .address = 0xE00, .size = 1});
    check_findings(scene, "cannot-verify:w", "sums");
    scene->subject.protocols = NULL; /* rs485-isp reads */
    check_findings(scene, "", "[]");
    scene->subject.protocols = stm32;
    check_and_free(scene, "wrong-family:e", "cannot program a p89lpc922");

    scene = scene_new("atmega328p");
    scene->order.protect = PROTECTION_READ;
    scene->subject.protocols = v1;
    check_and_free(scene, "protected-area:e", "cannot set that protection");

    scene = scene_new("lpc1114"); /* the sum over its vectors is wrong */
    put_le32(scene->bytes, 0x10001000);
    put_le32(scene->bytes + 4, 0x101);
    check_and_free(scene, "vector-table:e", "must sum up to 0");
}

/* --- real files --------------------------------------------------------------------------- */

#define FILE_MAX (2u << 20)

/* Reads a file and moves it; 0 for what is there already. False when it is not on this host. */
static bool load(const char *path, uint32_t base, uint32_t shift, struct image *image)
{
    const struct image_options options = {.has_base = true, .base = base};
    uint8_t *bytes = malloc(FILE_MAX);
    FILE *file = fopen(path, "rb");
    size_t size = file ? fread(bytes, 1, FILE_MAX, file) : 0;
    struct error error = ERROR_NONE;

    if (file)
        (void)fclose(file);
    if (file && !CHECK(image_parse(image, bytes, size, &options, &error) == 0))
        (void)fprintf(stderr, "  %s: %s\n", path, error.text);
    free(bytes);
    for (size_t i = 0; file && i < image->count; i++)
        image->ranges[i].address += shift;
    return file != NULL;
}

/* What is not for this chip's flash (another one's configuration words) is not the question here, and the
 * word that an LPC's vectors need is put in by whoever programs them. */
static void make_fit(struct image *image, const struct chip *chip)
{
    uint32_t sum = 0;

    while (image->count &&
           image->ranges[image->count - 1].address - chip->family->flash_base >= chip->flash_size)
        free(image->ranges[--image->count].data);
    if (!chip->family->lpc || image->count == 0)
        return;
    for (size_t i = 0; i < 32; i += 4)
        sum += get_le32(image->ranges[0].data + i);
    put_le32(image->ranges[0].data + 28, get_le32(image->ranges[0].data + 28) - sum);
}

static void check_real(const char *chip, const char *path, uint32_t base, uint32_t shift)
{
    struct order order = {.chip = chip_find(chip)};
    struct lint_subject subject = {.order = &order, .is_recipe = true};
    struct image image = {.count = 0};
    json_t *findings;
    char *text;

    if (!load(path, base, shift, &image)) {
        (void)printf("     (%s is not here)\n", path);
        return;
    }
    make_fit(&image, order.chip);
    order.image = &image;
    findings = lint_check(&subject);
    text = json_dumps(findings, JSON_COMPACT);
    if (!CHECK(json_array_size(findings) == 0))
        (void)fprintf(stderr, "  %s for %s: %s\n", path, chip, text);
    free(text);
    json_decref(findings);
    image_clear(&image);
}

#define ARDUINO "/usr/share/arduino/hardware/arduino/avr/bootloaders/"

static void test_real_files(void)
{
    static const struct {
        const char *chip, *path;
        uint32_t base, shift;
    } rows[] = {
        {"stm32f103xe", "/usr/share/firmware-microbit-micropython/firmware.hex", 0, FLASH},
        {"lpc1756", "/usr/share/ubertooth/firmware/bootloader.bin", 0, 0},
        {"atmega168", ARDUINO "atmega/ATmegaBOOT_168_diecimila.hex", 0, 0},
        {"atmega1284p", "/usr/share/arduino/hardware/mighty-1284p/bootloaders/standard/ATmegaBOOT_1284P.hex",
         0, 0},
        {"atmega328p", ARDUINO "atmega/ATmegaBOOT_168_atmega328.hex", 0, 0},
        {"atmega328p", ARDUINO "atmega/ATmegaBOOT_168_atmega328.hex", 0, 0u - 0x7800},
        {"atmega1280", ARDUINO "atmega/ATmegaBOOT_168_atmega1280.hex", 0, 0},
        {"atmega2560", ARDUINO "stk500v2/stk500boot_v2_mega2560.hex", 0, 0},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (CHECK(chip_find(rows[i].chip) != NULL))
            check_real(rows[i].chip, rows[i].path, rows[i].base, rows[i].shift);
}

static const struct test tests[] = {
    {"a good order", test_clean},
    {"outside the chip, protected areas", test_outside},
    {"blank images", test_blank},
    {"fields", test_fields},
    {"ranges of checks", test_check_range},
    {"keep and unprotect", test_keep},
    {"a lock among the option bytes", test_lock},
    {"vectors", test_vectors},
    {"what a UF2 file says of itself", test_uf2},
    {"pools", test_pools},
    {"signatures", test_signatures},
    {"loaders", test_loaders},
    {"real firmware", test_real_files},
};

TEST_MAIN(tests)
