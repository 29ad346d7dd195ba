/* SPDX-License-Identifier: Apache-2.0 */
/* A unit's image against the plain way of making one: copy everything, and write over it. */
#include "overlay.h"

#include "test.h"

#include "alloc.h"
#include "bytes.h"

#include <errno.h>
#include <malloc.h>
#include <sodium.h>
#include <stdlib.h>

/* --- copies are wiped --------------------------------------------------------------------- */

/* free() is ours here (--wrap): it looks whether a text that must not stay is in what is given back. */
void __real_free(void *memory);
void __wrap_free(void *memory);

static struct {
    const char *secret;
    bool left;
} wiped;

void __wrap_free(void *memory)
{
    if (wiped.secret && memory &&
        memmem(memory, malloc_usable_size(memory), wiped.secret, strlen(wiped.secret)))
        wiped.left = true;
    __real_free(memory);
}

/* --- a chip with sectors of two sizes, and EEPROM ------------------------------------------ */

enum {
    SMALL = 64,
    SMALL_COUNT = 8,
    LARGE = 512,
    LARGE_COUNT = 3,
    FLASH_SIZE = 512 + 3 * 512,
    EEPROM_SIZE = 64
};
#define FLASH_AT  0x08000000u
#define EEPROM_AT 0x08080000u
#define BLANK     0xEE

static const struct chip_family family = {
    .name = "made up",
    .document = "this file",
    .kind = CHIP_AVR,
    .flash_base = FLASH_AT,
    .sectors = {{.count = SMALL_COUNT, .size = SMALL, .erase_us = 4000, .erase_max_us = 8000},
                {.count = LARGE_COUNT, .size = LARGE, .erase_us = 9000, .erase_max_us = 9999}},
    .program_unit = 8,
    .program_us = 100,
    .erased_value = BLANK,
    .eeprom = {.address = EEPROM_AT, .size = EEPROM_SIZE},
    .transfer_max = 64,
};

static const struct chip chip = {.name = "madeup2", .family = &family, .flash_size = FLASH_SIZE};

static int no_read(struct session *session, uint32_t address, uint8_t *bytes, uint32_t size,
                   struct error *error)
{
    (void)session, (void)address, (void)bytes, (void)size, (void)error;
    return -ENOTSUP;
}

static int no_sum(struct session *session, const struct chip_sector *sector, uint32_t *sum,
                  struct error *error)
{
    (void)session, (void)sector, (void)sum, (void)error;
    return -ENOTSUP;
}

static uint32_t wire_bytes(const struct chip_family *ignored, enum wire_operation operation,
                           uint32_t size_or_count)
{
    (void)ignored, (void)operation;
    return size_or_count;
}

static struct port_line line_at(uint32_t baud)
{
    return (struct port_line){.baud = baud, .parity = PARITY_NONE, .stop_bits = 1};
}

static const struct protocol reading = {.name = "reading",
                                        .chips = CHIP_AVR,
                                        .transfer_max = 64,
                                        .read = no_read,
                                        .wire_bytes = wire_bytes,
                                        .line = line_at};
static const struct protocol summing = {.name = "summing",
                                        .chips = CHIP_AVR,
                                        .transfer_max = 64,
                                        .sum = no_sum,
                                        .wire_bytes = wire_bytes,
                                        .line = line_at};

static void add_range(struct image *image, uint32_t address, uint32_t size)
{
    struct image_range *range;

    image->ranges = reallocate(image->ranges, image->count + 1, sizeof *image->ranges);
    range = &image->ranges[image->count++];
    *range = (struct image_range){.address = address, .size = size, .data = allocate(size, 1)};
    for (uint32_t i = 0; i < size; i++)
        range->data[i] = (uint8_t)((address + i) * 13 + 5);
}

static bool well_formed(const struct image *image, bool may_touch)
{
    for (size_t i = 0; i < image->count; i++) {
        const struct image_range *range = &image->ranges[i];
        uint64_t end = i ? (uint64_t)range[-1].address + range[-1].size : 0;

        if (range->size == 0 || (i && (may_touch ? range->address < end : range->address <= end)))
            return false;
    }
    return true;
}

/* --- room in the template ----------------------------------------------------------------- */

static void check_ranges(const struct image *image, const struct chip_span *want, size_t count)
{
    CHECK(image->count == count && well_formed(image, false));
    for (size_t i = 0; i < count && i < image->count; i++)
        CHECK(image->ranges[i].address == want[i].address && image->ranges[i].size == want[i].size);
}

static bool all_blank(const uint8_t *bytes, uint32_t size)
{
    for (uint32_t i = 0; i < size; i++)
        if (bytes[i] != BLANK)
            return false;
    return true;
}

static void spans_get_room(void)
{
    /* before all, in a hole and over both of its ends, touching one, inside one, behind all, in EEPROM */
    static const struct chip_span spans[] = {{FLASH_AT, 4},        {FLASH_AT + 90, 130}, {FLASH_AT + 300, 10},
                                             {FLASH_AT + 350, 10}, {FLASH_AT + 600, 16}, {EEPROM_AT + 60, 4}};
    static const struct chip_span want[] = {
        {FLASH_AT, 4}, {FLASH_AT + 50, 260}, {FLASH_AT + 340, 60}, {FLASH_AT + 600, 16}, {EEPROM_AT + 60, 4}};
    struct image image = {.has_entry = true, .entry = 77};
    struct error error = ERROR_NONE;
    uint8_t bytes[260];

    add_range(&image, FLASH_AT + 50, 50);
    add_range(&image, FLASH_AT + 200, 100);
    add_range(&image, FLASH_AT + 340, 60);
    CHECK(overlay_reserve(&image, &chip, spans, 6, &error) == 0);
    check_ranges(&image, want, 5);
    CHECK(image.has_entry && image.entry == 77);
    CHECK(image_read(&image, FLASH_AT + 50, bytes, 260, 0) == 260);
    for (uint32_t i = 0; i < 260; i++) {
        bool had = i < 50 || (i >= 150 && i < 250);

        CHECK(bytes[i] == (had ? (uint8_t)((FLASH_AT + 50 + i) * 13 + 5) : BLANK));
    }
    CHECK(all_blank(image.ranges[0].data, 4) && all_blank(image.ranges[4].data, 4));
    CHECK(overlay_reserve(&image, &chip, spans, 6, &error) == 0); /* a second time: nothing to do */
    check_ranges(&image, want, 5);
    image_clear(&image);
}

static void spans_outside_are_refused(void)
{
    static const struct chip_span outside[] = {
        {FLASH_AT - 1, 2},  {FLASH_AT + FLASH_SIZE - 1, 2}, {0, 4}, {EEPROM_AT + 62, 4}, {0xFFFFFFFF, 1},
        {FLASH_AT + 20, 0},
    };
    struct image image = {.count = 0};

    add_range(&image, FLASH_AT, 16);
    for (size_t i = 0; i < sizeof outside / sizeof outside[0]; i++) {
        const struct chip_span spans[] = {{FLASH_AT + 100, 4}, outside[i]};
        struct error error = ERROR_NONE;

        CHECK(overlay_reserve(&image, &chip, spans, 2, &error) == -EINVAL && strstr(error.text, "madeup2"));
        CHECK(image.count == 1);
    }
    image_clear(&image);
}

/* --- one unit ----------------------------------------------------------------------------- */

struct scene {
    struct image image;
    struct order order;
    struct plan plan;
    struct overlay unit;
};

static struct scene *new_scene(const struct chip_span *variable, size_t count)
{
    struct scene *scene = allocate(1, sizeof *scene);

    add_range(&scene->image, FLASH_AT, 700);
    add_range(&scene->image, FLASH_AT + 1000, 600);
    add_range(&scene->image, EEPROM_AT + 8, 32);
    scene->order = (struct order){
        .chip = &chip, .image = &scene->image, .variable = variable, .variable_count = count, .run = true};
    return scene;
}

static bool make(struct scene *scene, const struct protocol *protocol, const struct patch *patches,
                 size_t count, struct error *error)
{
    return CHECK(overlay_reserve(&scene->image, &chip, scene->order.variable, scene->order.variable_count,
                                 error) == 0) &&
           CHECK(plan_make(&scene->plan, &scene->order, protocol, error) == 0) &&
           overlay_make(&scene->unit, &scene->order, &scene->plan, patches, count, error) == 0;
}

static void free_scene(struct scene *scene)
{
    overlay_clear(&scene->unit);
    plan_clear(&scene->plan);
    image_clear(&scene->image);
    free(scene);
}

static const struct chip_span two_spans[] = {{FLASH_AT + 100, 40}, {EEPROM_AT + 8, 4}};

static void only_touched_units_are_copied(void)
{
    static const uint8_t serial[] = "0123456789";
    const struct patch patch = {.address = FLASH_AT + 120, .size = 10, .bytes = serial};
    struct scene *scene = new_scene(two_spans, 2);
    struct error error = ERROR_NONE;

    if (CHECK(make(scene, &reading, &patch, 1, &error))) {
        const struct image *unit = &scene->unit.image, *shared = &scene->image;
        /* the span lies in the sectors at 64 and 128; EEPROM is copied whole */
        static const struct chip_span want[] = {{FLASH_AT, 64},
                                                {FLASH_AT + 64, 128},
                                                {FLASH_AT + 192, 508},
                                                {FLASH_AT + 1000, 600},
                                                {EEPROM_AT + 8, 32}};

        CHECK(scene->unit.copies_size == 128 + 32);
        CHECK(unit->count == 5 && well_formed(unit, true));
        for (size_t i = 0; i < 5 && i < unit->count; i++)
            CHECK(unit->ranges[i].address == want[i].address && unit->ranges[i].size == want[i].size);
        CHECK(unit->ranges[0].data == shared->ranges[0].data);
        CHECK(unit->ranges[2].data == shared->ranges[0].data + 192);
        CHECK(unit->ranges[3].data == shared->ranges[1].data);
        CHECK(memcmp(unit->ranges[1].data + 56, serial, 10) == 0);
        CHECK(scene->unit.order.image == unit && scene->unit.order.run);
        CHECK(scene->unit.plan.blocks == scene->plan.blocks &&
              scene->unit.plan.sectors == scene->plan.sectors);
    }
    free_scene(scene);
}

static void a_patch_must_be_where_the_order_says(void)
{
    static const uint8_t bytes[64];
    static const struct patch patches[] = {
        {.address = FLASH_AT + 99, .size = 2, .bytes = bytes},
        {.address = FLASH_AT + 139, .size = 2, .bytes = bytes},
        {.address = FLASH_AT + 300, .size = 4, .bytes = bytes},
        {.address = EEPROM_AT + 11, .size = 2, .bytes = bytes},
        {.address = FLASH_AT + 120, .size = 0, .bytes = bytes},
        {.address = 0xFFFFFFFF, .size = 2, .bytes = bytes},
    };

    for (size_t i = 0; i < sizeof patches / sizeof patches[0]; i++) {
        struct scene *scene = new_scene(two_spans, 2);
        struct error error = ERROR_NONE;

        CHECK(!make(scene, &reading, &patches[i], 1, &error) && error.code == -EINVAL);
        CHECK(scene->unit.copies == NULL && scene->unit.image.ranges == NULL);
        free_scene(scene);
    }
}

/* Room that nobody made is no place for bytes: they would not be written. */
static void a_patch_must_be_in_the_image(void)
{
    static const struct chip_span span = {FLASH_AT + 800, 8};
    static const uint8_t bytes[8];
    const struct patch patch = {.address = FLASH_AT + 800, .size = 8, .bytes = bytes};
    struct scene *scene = new_scene(&span, 1);
    struct error error = ERROR_NONE;

    CHECK(plan_make(&scene->plan, &scene->order, &reading, &error) == 0);
    CHECK(overlay_make(&scene->unit, &scene->order, &scene->plan, &patch, 1, &error) == -EINVAL);
    free_scene(scene);
}

static void without_patches_the_unit_is_the_template(void)
{
    struct scene *scene = new_scene(two_spans, 2);
    struct error error = ERROR_NONE;

    CHECK(make(scene, &reading, NULL, 0, &error));
    CHECK(memcmp(scene->unit.plan.digest, scene->plan.digest, 32) == 0);
    CHECK(well_formed(&scene->unit.image, true));
    free_scene(scene);
}

static void nothing_variable_is_nothing_copied(void)
{
    struct scene *scene = new_scene(NULL, 0);
    struct error error = ERROR_NONE;

    CHECK(make(scene, &reading, NULL, 0, &error));
    CHECK(scene->unit.copies_size == 0 && scene->unit.image.count == 3);
    CHECK(memcmp(scene->unit.plan.digest, scene->plan.digest, 32) == 0);
    free_scene(scene);
}

#define SECRET "a key that must not stay in memory"

static void copies_are_wiped(void)
{
    const struct patch patch = {
        .address = FLASH_AT + 100, .size = sizeof SECRET - 1, .bytes = (const uint8_t *)SECRET};
    struct scene *scene = new_scene(two_spans, 2);
    struct error error = ERROR_NONE;
    char *probe = copy_text(SECRET);

    wiped.secret = SECRET;
    free(probe);
    CHECK(wiped.left); /* the trap works */
    wiped.left = false;
    CHECK(make(scene, &reading, &patch, 1, &error));
    CHECK(memmem(scene->unit.copies, scene->unit.copies_size, SECRET, sizeof SECRET - 1) != NULL);
    overlay_clear(&scene->unit);
    CHECK(!wiped.left && scene->unit.copies == NULL);
    overlay_clear(&scene->unit); /* twice does no harm */
    wiped.secret = NULL;
    free_scene(scene);
}

/* --- the plan ----------------------------------------------------------------------------- */

static bool planned(const struct plan *plan, uint32_t address, uint32_t size)
{
    for (size_t i = 0; i < plan->block_count; i++)
        if (plan->blocks[i].address <= address &&
            plan->blocks[i].address + plan->blocks[i].size >= address + size)
            return true;
    return false;
}

/* The template is blank there, a unit is not: without `variable` its block would be skipped. */
static void variable_bytes_are_planned_where_the_template_is_blank(void)
{
    static const struct chip_span spans[] = {{FLASH_AT + 801, 6}, {FLASH_AT + 912, 1}};
    struct scene *scene = new_scene(spans, 2);
    struct error error = ERROR_NONE;

    CHECK(make(scene, &reading, NULL, 0, &error));
    CHECK(planned(&scene->plan, FLASH_AT + 800, 8) && planned(&scene->plan, FLASH_AT + 912, 8));
    CHECK(!planned(&scene->plan, FLASH_AT + 808, 1) && !planned(&scene->plan, FLASH_AT + 904, 1));
    CHECK(!planned(&scene->plan, FLASH_AT + 920, 1));
    plan_clear(&scene->plan);
    scene->order.variable_count = 0;
    CHECK(plan_make(&scene->plan, &scene->order, &reading, &error) == 0);
    CHECK(!planned(&scene->plan, FLASH_AT + 800, 8)); /* so it was for that reason */
    free_scene(scene);
}

static void digest_of_touched_sectors(const struct scene *scene, uint8_t digest[32])
{
    crypto_hash_sha256_state state;

    (void)crypto_hash_sha256_init(&state);
    for (uint32_t i = 0; i < chip_sector_count(&chip); i++) {
        struct chip_sector sector = chip_sector(&chip, i);
        uint8_t bytes[LARGE], head[4];

        if (image_read(&scene->unit.image, sector.address, bytes, sector.size, BLANK) == 0)
            continue;
        put_be32(head, sector.address);
        (void)crypto_hash_sha256_update(&state, head, 4);
        (void)crypto_hash_sha256_update(&state, bytes, sector.size);
    }
    (void)crypto_hash_sha256_final(&state, digest);
}

static void chips_known_by_sums_have_their_digest(void)
{
    static const struct chip_span span = {FLASH_AT + 100, 40};
    static const uint8_t bytes[] = "unit 7";
    const struct patch patch = {.address = FLASH_AT + 100, .size = 6, .bytes = bytes};
    struct scene *scene = allocate(1, sizeof *scene);
    struct error error = ERROR_NONE;
    uint8_t want[32];

    add_range(&scene->image, FLASH_AT, 700);
    scene->order =
        (struct order){.chip = &chip, .image = &scene->image, .variable = &span, .variable_count = 1};
    CHECK(make(scene, &summing, &patch, 1, &error));
    CHECK(scene->plan.by_sums);
    digest_of_touched_sectors(scene, want);
    CHECK(memcmp(scene->unit.plan.digest, want, 32) == 0);
    CHECK(memcmp(scene->plan.digest, want, 32) != 0);
    free_scene(scene);
}

/* --- many units, the plain way beside ----------------------------------------------------- */

static uint32_t next_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

#define SPANS 6

/* Ascending, with gaps of any size from 0: spans may touch. */
static size_t random_spans(struct chip_span spans[SPANS], uint32_t *state)
{
    uint32_t at = FLASH_AT;
    size_t count = 0;

    while (count < SPANS) {
        uint32_t size = 1 + next_random(state) % (next_random(state) % 8 ? 40 : 500);

        at += next_random(state) % 3 ? next_random(state) % 400 : 0;
        if (at + size > FLASH_AT + FLASH_SIZE)
            break;
        spans[count++] = (struct chip_span){.address = at, .size = size};
        at += size;
    }
    return count;
}

/* A patch in each span, of random bytes, and the same in `plain`. */
static void random_patches(struct patch *patches, const struct chip_span *spans, size_t count, uint8_t *bytes,
                           uint8_t *plain, uint32_t *state)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t skip = next_random(state) % spans[i].size;
        uint32_t size = 1 + next_random(state) % (spans[i].size - skip);
        uint32_t address = spans[i].address + skip;

        for (uint32_t k = 0; k < size; k++)
            bytes[address - FLASH_AT + k] = (uint8_t)next_random(state);
        memcpy(plain + (address - FLASH_AT), bytes + (address - FLASH_AT), size);
        patches[i] = (struct patch){.address = address, .size = size, .bytes = bytes + (address - FLASH_AT)};
    }
}

static void digest_of_plain(const struct scene *scene, const uint8_t *plain, uint8_t digest[32])
{
    crypto_hash_sha256_state state;

    (void)crypto_hash_sha256_init(&state);
    for (size_t i = 0; i < scene->image.count; i++) {
        const struct image_range *range = &scene->image.ranges[i];

        (void)crypto_hash_sha256_update(
            &state, range->address < EEPROM_AT ? plain + (range->address - FLASH_AT) : range->data,
            range->size);
    }
    (void)crypto_hash_sha256_final(&state, digest);
}

static uint64_t sum_of(const struct image *image)
{
    uint64_t sum = 14695981039346656037u;

    for (size_t i = 0; i < image->count; i++)
        for (uint32_t k = 0; k < image->ranges[i].size; k++)
            sum = (sum ^ image->ranges[i].data[k]) * 1099511628211u;
    return sum;
}

static void one_random_unit(uint32_t *state)
{
    struct chip_span spans[SPANS];
    struct patch patches[SPANS];
    uint8_t bytes[FLASH_SIZE], plain[FLASH_SIZE], found[FLASH_SIZE], want[32];
    size_t count = random_spans(spans, state);
    struct scene *scene = new_scene(spans, count);
    struct error error = ERROR_NONE;
    uint64_t before;

    (void)overlay_reserve(&scene->image, &chip, spans, count, &error);
    (void)image_read(&scene->image, FLASH_AT, plain, FLASH_SIZE, BLANK);
    before = sum_of(&scene->image);
    random_patches(patches, spans, count, bytes, plain, state);
    if (CHECK(make(scene, &reading, patches, count, &error))) {
        CHECK(image_read(&scene->unit.image, FLASH_AT, found, FLASH_SIZE, BLANK) ==
              image_read(&scene->image, FLASH_AT, bytes, FLASH_SIZE, BLANK));
        CHECK(memcmp(found, plain, FLASH_SIZE) == 0);
        CHECK(well_formed(&scene->unit.image, true) && well_formed(&scene->image, false));
        digest_of_plain(scene, plain, want);
        CHECK(memcmp(scene->unit.plan.digest, want, 32) == 0);
        CHECK(sum_of(&scene->image) == before);
        for (size_t i = 0; i < count; i++)
            for (uint32_t k = 0; k < spans[i].size; k++)
                CHECK(planned(&scene->plan, spans[i].address + k, 1));
    }
    free_scene(scene);
}

static void units_are_as_if_copied_whole(void)
{
    uint32_t state = 411;
    int before = test_failures;

    for (int round = 0; round < 2000 && test_failures == before; round++)
        one_random_unit(&state);
}

static const struct test tests[] = {
    {"spans get room", spans_get_room},
    {"spans outside are refused", spans_outside_are_refused},
    {"only touched units are copied", only_touched_units_are_copied},
    {"a patch must be where the order says", a_patch_must_be_where_the_order_says},
    {"a patch must be in the image", a_patch_must_be_in_the_image},
    {"without patches the unit is the template", without_patches_the_unit_is_the_template},
    {"nothing variable is nothing copied", nothing_variable_is_nothing_copied},
    {"copies are wiped", copies_are_wiped},
    {"variable bytes are planned where the template is blank",
     variable_bytes_are_planned_where_the_template_is_blank},
    {"chips known by sums have their digest", chips_known_by_sums_have_their_digest},
    {"units are as if copied whole", units_are_as_if_copied_whole},
};

TEST_MAIN(tests)
