/* SPDX-License-Identifier: Apache-2.0 */
/* Proves every chip row: names, sizes, layouts, times, addresses. A rule answers with the sentence of what is
 * broken, or NULL; the second half breaks copies of a good row one way at a time and expects that sentence,
 * so a rule that stopped looking is noticed too. Whether a number is the datasheet's only a reader can tell.
 */
#include "chip.h"

#include <stdlib.h>

#include "test.h"

#define KIB              1024u
#define FLASH_LIMIT      (16384u * KIB)
#define TRANSFER_MAX     256u  /* of the STM32 loader */
#define LONGEST_TRANSFER 4096u /* of any */
#define UID_SIZE         12u
#define WORD_SIZE        4u

static bool power_of_two(uint32_t value)
{
    return value != 0 && (value & (value - 1)) == 0;
}

/* Where STM32 keep what the factory wrote: system memory, options, UID. TrustZone parts have it lower. */
static bool factory_area(uint32_t address, uint32_t size)
{
    static const struct chip_span areas[] = {
        {.address = 0x1FF00000, .size = 0x00100000},
        {.address = 0x0BF80000, .size = 0x00080000},
    };

    for (size_t i = 0; i < sizeof(areas) / sizeof(areas[0]); i++)
        if (address >= areas[i].address && size <= areas[i].size &&
            address - areas[i].address <= areas[i].size - size)
            return true;
    return false;
}

static bool ram_area(struct chip_span span)
{
    return span.address >= 0x20000000 && span.size < 0x10000000 && span.address + span.size <= 0x30000000;
}

static bool overlap(struct chip_span a, struct chip_span b)
{
    return a.size > 0 && b.size > 0 && a.address < b.address + b.size && b.address < a.address + a.size;
}

static uint32_t family_flash(const struct chip_family *family)
{
    uint32_t size = 0;

    for (size_t i = 0; i < CHIP_SECTOR_RUNS; i++)
        size += family->sectors[i].count * family->sectors[i].size;
    return size;
}

static const char *text_fault(const struct chip_family *family)
{
    if (!family->name || !family->name[0])
        return "family without a name";
    if (!family->document || strlen(family->document) < 10)
        return "no document named";
    if (family->kind == CHIP_STM32 && !strstr(family->document, "AN2606"))
        return "no document named";
    return NULL;
}

/* What the loaders tell: 12 bits of AN3155's Get ID, three bytes of an AVR signature. */
static const char *id_fault(const struct chip_family *family)
{
    if (family->id == 0)
        return "no id";
    if (family->kind == CHIP_STM32 && family->id > 0xFFF)
        return "id is not 12 bits";
    if (family->kind == CHIP_AVR && family->id >> 16 != 0x1E)
        return "id is no signature of the maker";
    for (const uint32_t *other = family->other_ids; other && *other; other++)
        if (*other == family->id)
            return "id is there twice";
    return NULL;
}

static const char *run_fault(const struct chip_family *family, size_t run)
{
    const struct chip_sectors *sectors = &family->sectors[run];

    if (sectors->count == 0)
        return sectors->size || sectors->erase_us || sectors->erase_max_us ? "run without a count" : NULL;
    if (run > 0 && family->sectors[run - 1].count == 0)
        return "run after the end";
    if (!power_of_two(sectors->size))
        return "page size";
    if (sectors->erase_us == 0 || sectors->erase_us > sectors->erase_max_us)
        return "erase time";
    if (sectors->size < family->program_unit)
        return "page smaller than the program unit";
    return NULL;
}

static const char *layout_fault(const struct chip_family *family)
{
    if (family->sectors[0].count == 0)
        return "no erase units";
    if (family_flash(family) > FLASH_LIMIT)
        return "more flash than any";
    for (size_t i = 0; i < CHIP_SECTOR_RUNS; i++) {
        const char *fault = run_fault(family, i);

        if (fault)
            return fault;
    }
    return NULL;
}

static const char *program_fault(const struct chip_family *family)
{
    if (!power_of_two(family->program_unit) || family->program_unit > LONGEST_TRANSFER)
        return "program unit";
    if (family->program_us == 0 || family->program_us > family->program_max_us)
        return "program time";
    if (family->mass_erase_us > family->mass_erase_max_us)
        return "mass erase time";
    if (family->mass_erase_us == 0 && family->mass_erase_max_us > 0)
        return "mass erase time";
    if (family->kind == CHIP_STM32 &&
        (family->write_protect_unit == 0 || family->program_unit > TRANSFER_MAX))
        return "write protection unit";
    return NULL;
}

/* Only the flash of P89LPC, and of STM32 L0 and L1, reads 0 when it is erased. */
static const char *erased_fault(const struct chip_family *family)
{
    bool zero = family->kind == CHIP_P89LPC || strncmp(family->name, "STM32L0", 7) == 0 ||
                strncmp(family->name, "STM32L1", 7) == 0;

    return family->erased_value == (zero ? 0x00 : 0xFF) ? NULL : "erased value";
}

static const char *span_fault(const struct chip_family *family)
{
    const struct chip_span spans[] = {
        {.address = family->flash_base, .size = family_flash(family)},
        family->ram,
        family->option_bytes,
        family->system_memory,
        family->eeprom,
    };

    for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++)
        for (size_t j = 0; j < i; j++)
            if (overlap(spans[i], spans[j]))
                return "spans overlap";
    if (family->option_unit && !power_of_two(family->option_unit))
        return "option unit";
    return NULL;
}

/* What only the STM32 loader needs. */
static const char *stm32_span_fault(const struct chip_family *family)
{
    if (family->ram.size > 0 && !ram_area(family->ram))
        return "RAM outside of RAM";
    if (family->system_memory.size < TRANSFER_MAX)
        return "no system memory for proof reads";
    if (!factory_area(family->system_memory.address, family->system_memory.size))
        return "system memory outside of its area";
    if (family->option_bytes.size > 0 &&
        !factory_area(family->option_bytes.address, family->option_bytes.size))
        return "option bytes outside of their area";
    return NULL;
}

/* The bytes that must be read to get at these, when reads are whole blocks. */
static bool readable(const struct chip_family *family, uint32_t address, uint32_t size)
{
    uint32_t block = family->read_alignment ? family->read_alignment : 1;
    uint32_t start = address / block * block;
    uint32_t end = (address + size + block - 1) / block * block;

    return factory_area(start, end - start) && end - start <= TRANSFER_MAX;
}

static const char *identity_fault(const struct chip_family *family)
{
    uint32_t third = family->uid_third_offset;
    uint32_t uid_size = third ? third + WORD_SIZE : UID_SIZE;

    if (family->read_alignment > 1 && !power_of_two(family->read_alignment))
        return "read alignment";
    if (family->transfer_max % WORD_SIZE || family->transfer_max > TRANSFER_MAX)
        return "transfer size";
    if (family->transfer_max > 0 && family->read_alignment > family->transfer_max)
        return "blocks cannot be read at once";
    if (third % WORD_SIZE || (third > 0 && third <= 2 * WORD_SIZE) || (third > 0 && !family->uid_address))
        return "third word of the UID";
    if (family->uid_address % WORD_SIZE ||
        (family->uid_address && !readable(family, family->uid_address, uid_size)))
        return "UID address";
    if (family->flash_size_address % 2 ||
        (family->flash_size_address && !readable(family, family->flash_size_address, 2)))
        return "size address";
    return NULL;
}

/* A page of flash is what the loaders write at a time, and nothing else. */
static const char *avr_fault(const struct chip_family *family)
{
    const struct chip_avr *avr = family->avr;

    if (!avr)
        return "an AVR without its loader's data";
    if (family->sectors[1].count || family->sectors[0].size != family->program_unit ||
        family->transfer_max != family->program_unit)
        return "an AVR is written page by page";
    if (!power_of_two(avr->boot_max) || avr->boot_max * 2 > family_flash(family))
        return "boot section";
    if (!power_of_two(family->eeprom.size) || family->eeprom.address != 0x810000)
        return "EEPROM";
    if (!power_of_two(avr->eeprom_page) || avr->eeprom_us == 0)
        return "EEPROM page or time";
    return NULL;
}

static const char *transfer_fault(const struct chip_family *family)
{
    if (family->kind != CHIP_AVR && family->avr)
        return "an AVR's data on another chip";
    if (family->transfer_max > LONGEST_TRANSFER ||
        (family->transfer_max && !power_of_two(family->transfer_max)))
        return "transfer size";
    return NULL;
}

typedef const char *family_rule(const struct chip_family *family);

static const char *first_fault(family_rule *const *rules, size_t count, const struct chip_family *family)
{
    for (size_t i = 0; i < count; i++) {
        const char *fault = rules[i](family);

        if (fault)
            return fault;
    }
    return NULL;
}

static const char *family_fault(const struct chip_family *family)
{
    static family_rule *const all[] = {text_fault,    id_fault,     layout_fault,
                                       program_fault, erased_fault, span_fault};
    static family_rule *const stm32[] = {stm32_span_fault, identity_fault};
    const char *fault = first_fault(all, sizeof(all) / sizeof(all[0]), family);

    if (!fault && family->kind == CHIP_STM32)
        fault = first_fault(stm32, sizeof(stm32) / sizeof(stm32[0]), family);
    if (!fault && family->kind == CHIP_AVR)
        fault = avr_fault(family);
    return fault ? fault : transfer_fault(family);
}

static uint32_t letter_size(char letter)
{
    static const struct {
        char letter;
        uint32_t kib;
    } sizes[] = {
        {'3', 8},   {'4', 16},  {'6', 32},  {'8', 64},   {'b', 128},  {'z', 192},  {'c', 256},
        {'d', 384}, {'e', 512}, {'f', 768}, {'g', 1024}, {'h', 1536}, {'i', 2048},
    };

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        if (sizes[i].letter == letter)
            return sizes[i].kib * KIB;
    return 0;
}

/* As ordered, in lower case, and beginning as all of its kind do. */
static const char *name_fault(const struct chip *chip)
{
    static const char allowed[] = "0123456789abcdefghijklmnopqrstuvwxyz-";
    static const char *const beginnings[CHIP_KINDS] = {[CHIP_STM32] = "stm32",
                                                       [CHIP_AVR] = "atmega",
                                                       [CHIP_P89LPC] = "p89lpc",
                                                       [CHIP_LPC] = "lpc",
                                                       [CHIP_ESP] = "esp"};
    const char *beginning = beginnings[chip->family->kind];
    size_t length = chip->name ? strlen(chip->name) : 0;

    if (length < 6 || strspn(chip->name, allowed) != length ||
        strncmp(chip->name, beginning, strlen(beginning)) != 0)
        return "name";
    return NULL;
}

/* stm32, line, x, size letter; L1 alone has a second die of the same size, ordered with -A. */
static const char *stm32_name_fault(const struct chip *chip)
{
    static const char allowed[] = "0123456789abcdefghijklmnopqrstuvwxyz";
    const char *name = chip->name;
    size_t length = strlen(name);

    if (length < 11 || strspn(name, allowed) != length || strncmp(name, "stm32", 5) != 0)
        return "name";
    if (strncmp(name, "stm32l1", 7) == 0 && length == 12 && name[11] == 'a')
        length = 11;
    if (length != 11 || name[9] != 'x')
        return "name";
    if (letter_size(name[10]) != chip->flash_size || chip->flash_size == 0)
        return "flash size is not the letter's";
    return NULL;
}

static const char *tiling_fault(const struct chip *chip)
{
    uint32_t count = chip_sector_count(chip);
    uint32_t address = chip->family->flash_base;
    uint32_t end = address + chip->flash_size;

    for (uint32_t i = 0; i < count; i++) {
        struct chip_sector sector = chip_sector(chip, i);

        if (sector.number != i || sector.address != address || sector.size > end - address)
            return "erase units do not follow each other";
        if (sector.address % sector.size)
            return "erase unit is not aligned to its size";
        if (sector.erase_us == 0 || sector.erase_us > sector.erase_max_us)
            return "erase time of a unit";
        address += sector.size;
    }
    if (address != end)
        return "erase units do not tile the flash";
    return chip->family->write_protect_unit && count % chip->family->write_protect_unit
               ? "write protection units do not tile the flash"
               : NULL;
}

static const char *chip_fault(const struct chip *chip)
{
    const char *fault = chip->family ? name_fault(chip) : "no family";

    if (!fault && chip->family->kind == CHIP_STM32)
        fault = stm32_name_fault(chip);
    if (!fault)
        fault = family_fault(chip->family);
    if (!fault && chip->flash_size > family_flash(chip->family))
        fault = "more flash than the family";
    if (!fault && chip->no_uid && chip->family->kind == CHIP_STM32 && !chip->family->uid_address)
        fault = "no_uid says nothing new";
    return fault ? fault : tiling_fault(chip);
}

/* Rules between rows: sorted and so unique; one id, one family; the largest member fills its family. */
static const char *list_fault(const struct chip *chips, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t largest = 0;

        if (i > 0 && strcmp(chips[i - 1].name, chips[i].name) >= 0)
            return "names are not sorted or not unique";
        for (size_t j = 0; j < count; j++) {
            if (chips[j].family != chips[i].family && chips[j].family->kind == chips[i].family->kind &&
                chips[j].family->id == chips[i].family->id)
                return "one id for two families";
            if (chips[j].family == chips[i].family && chips[j].flash_size > largest)
                largest = chips[j].flash_size;
        }
        if (largest != family_flash(chips[i].family))
            return "no member has the whole family's flash";
    }
    return NULL;
}

static bool no_fault(const char *fault, const char *name)
{
    if (fault)
        (void)fprintf(stderr, "  %s: %s\n", name, fault);
    return !fault;
}

static void test_every_row(void)
{
    CHECK(chip_count() > 0);
    for (size_t i = 0; i < chip_count(); i++)
        CHECK(no_fault(chip_fault(chip_at(i)), chip_at(i)->name));
}

static void test_rows_together(void)
{
    size_t count = chip_count();
    struct chip *chips = calloc(count, sizeof(*chips));

    if (!CHECK(chips))
        return;
    for (size_t i = 0; i < count; i++)
        chips[i] = *chip_at(i);
    CHECK(no_fault(list_fault(chips, count), "all rows"));
    free(chips);
}

static void test_tables(void)
{
    size_t count = 0;

    for (size_t i = 0; chip_tables[i]; i++) {
        CHECK(chip_tables[i]->count > 0);
        for (size_t j = 0; j < chip_tables[i]->count; j++)
            CHECK(chip_at(count++) == &chip_tables[i]->chips[j]);
    }
    CHECK(count == chip_count());
    CHECK(!chip_at(count));
}

/* CHIP_FILES lists stations/chips/: each file has its table, which starts with chips of the file's name. */
static void test_every_file_is_listed(void)
{
    const char *file = CHIP_FILES;
    size_t table = 0;

    while (*file) {
        size_t length = strcspn(file, " ");

        if (!CHECK(chip_tables[table]) ||
            !CHECK(strncmp(chip_tables[table]->chips[0].name, file, length) == 0))
            return;
        table++;
        file += length;
        file += strspn(file, " ");
    }
    CHECK(!chip_tables[table]);
}

static void test_find(void)
{
    for (size_t i = 0; i < chip_count(); i++)
        CHECK(chip_find(chip_at(i)->name) == chip_at(i));
    CHECK(!chip_find(""));
    CHECK(!chip_find("stm32f103x"));
    CHECK(!chip_find("stm32f103xbt6"));
    CHECK(!chip_find("STM32F103XB"));
}

struct known_sector {
    const char *chip;
    uint32_t number;
    uint32_t address;
    uint32_t size;
};

/* Layouts typed in once more from the reference manuals' flash tables, not taken from the rows. */
static void test_known_sectors(void)
{
    static const struct known_sector known[] = {
        {"stm32f103xb", 127, 0x0801FC00, 1 * KIB}, {"stm32f103xe", 255, 0x0807F800, 2 * KIB},
        {"stm32f407xg", 3, 0x0800C000, 16 * KIB},  {"stm32f407xg", 4, 0x08010000, 64 * KIB},
        {"stm32f407xg", 5, 0x08020000, 128 * KIB}, {"stm32f407xg", 11, 0x080E0000, 128 * KIB},
        {"stm32f429xi", 12, 0x08100000, 16 * KIB}, {"stm32f429xi", 23, 0x081E0000, 128 * KIB},
        {"stm32f746xg", 4, 0x08020000, 128 * KIB}, {"stm32f746xg", 7, 0x080C0000, 256 * KIB},
        {"stm32g071xb", 63, 0x0801F800, 2 * KIB},  {"stm32l476xg", 511, 0x080FF800, 2 * KIB},
        {"stm32l053x8", 511, 0x0800FF80, 128},     {"stm32l152xe", 2047, 0x0807FF00, 256},
        {"stm32h743xi", 8, 0x08100000, 128 * KIB},
    };

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        const struct chip *chip = chip_find(known[i].chip);
        struct chip_sector sector;

        if (!CHECK(chip) || !CHECK(known[i].number < chip_sector_count(chip)))
            continue;
        sector = chip_sector(chip, known[i].number);
        CHECK(sector.number == known[i].number && sector.address == known[i].address);
        CHECK(sector.size == known[i].size);
    }
}

static void test_cut(void)
{
    CHECK(chip_sector_count(chip_find("stm32f103xb")) == 128);
    CHECK(chip_sector_count(chip_find("stm32f103x8")) == 64);
    CHECK(chip_sector_count(chip_find("stm32f407xg")) == 12);
    CHECK(chip_sector_count(chip_find("stm32f407xe")) == 8);
    CHECK(chip_sector_count(chip_find("stm32f429xi")) == 24);
    CHECK(chip_sector_count(chip_find("stm32f410x8")) == 4);
}

/* One way to spoil a row, and the rule that has to notice. */
struct breakage {
    const char *fault;
    void (*apply)(struct chip *chip, struct chip_family *family);
};

#define BREAK(name, statement)                                                                               \
    static void name(struct chip *chip, struct chip_family *family)                                          \
    {                                                                                                        \
        (void)chip;                                                                                          \
        (void)family;                                                                                        \
        statement;                                                                                           \
    }

BREAK(upper_case, chip->name = "stm32F407xg")
BREAK(no_x, chip->name = "stm32f407vg")
BREAK(too_long, chip->name = "stm32f407xgt")
BREAK(too_short, chip->name = "stm32f407x")
BREAK(unknown_letter, chip->name = "stm32f407xy")
BREAK(other_letter, chip->name = "stm32f407xe")
BREAK(no_family, chip->family = NULL)
BREAK(too_large, (chip->name = "stm32f407xi", chip->flash_size = 2048 * KIB))
BREAK(does_not_tile,
      (chip->name = "stm32f407xb", chip->flash_size = 128 * KIB, family->sectors[1].size = 128 * KIB))
BREAK(unaligned, (chip->name = "stm32f407xe", chip->flash_size = 512 * KIB, family->sectors[0].count = 3))
BREAK(odd_protection, family->write_protect_unit = 5)
BREAK(uid_twice_absent, (chip->no_uid = true, family->uid_address = 0))
BREAK(no_name, family->name = NULL)
BREAK(no_document, family->document = NULL)
BREAK(empty_document, family->document = "")
BREAK(no_id, family->id = 0)
BREAK(wide_id, family->id = 0x1413)
BREAK(no_sectors, (family->sectors[0] = (struct chip_sectors){0}))
BREAK(huge, family->sectors[2].count = 200)
BREAK(odd_page, family->sectors[0].size = 15 * KIB)
BREAK(hole, (family->sectors[4] = family->sectors[0]))
BREAK(rest_of_run, family->sectors[4].size = KIB)
BREAK(no_erase_time, family->sectors[0].erase_us = 0)
BREAK(erase_max_below, family->sectors[0].erase_max_us = family->sectors[0].erase_us - 1)
BREAK(odd_unit, family->program_unit = 3)
BREAK(no_unit, family->program_unit = 0)
BREAK(small_page, (family->sectors[2].size = 64, family->program_unit = 128))
BREAK(no_program_time, family->program_us = 0)
BREAK(program_max_below, family->program_max_us = family->program_us - 1)
BREAK(mass_max_below, family->mass_erase_max_us = family->mass_erase_us - 1)
BREAK(mass_max_only, family->mass_erase_us = 0)
BREAK(no_protection_unit, family->write_protect_unit = 0)
BREAK(erased_zero, family->erased_value = 0x00)
BREAK(options_in_system, family->option_bytes.address = family->system_memory.address)
BREAK(ram_in_flash, family->ram.address = family->flash_base)
BREAK(ram_elsewhere, family->ram.address = 0x40000000)
BREAK(no_system_memory, family->system_memory.size = 0)
BREAK(system_elsewhere, family->system_memory.address = 0x00100000)
BREAK(options_elsewhere, family->option_bytes.address = 0x40023C14)
BREAK(odd_alignment, family->read_alignment = 100)
BREAK(odd_transfer, family->transfer_max = 130)
BREAK(small_transfer, family->transfer_max = 128)
BREAK(third_too_near, family->uid_third_offset = 4)
BREAK(third_too_far, family->uid_third_offset = 0x100)
BREAK(uid_unaligned, family->uid_address += 2)
BREAK(uid_elsewhere, family->uid_address = 0x20000000)
BREAK(size_unaligned, family->flash_size_address += 1)
BREAK(size_elsewhere, family->flash_size_address = 0x08000000)

static const struct breakage breakages[] = {
    {"name", upper_case},
    {"name", no_x},
    {"name", too_long},
    {"name", too_short},
    {"flash size is not the letter's", unknown_letter},
    {"flash size is not the letter's", other_letter},
    {"no family", no_family},
    {"more flash than the family", too_large},
    {"erase units do not tile the flash", does_not_tile},
    {"erase unit is not aligned to its size", unaligned},
    {"write protection units do not tile the flash", odd_protection},
    {"no_uid says nothing new", uid_twice_absent},
    {"family without a name", no_name},
    {"no document named", no_document},
    {"no document named", empty_document},
    {"no id", no_id},
    {"id is not 12 bits", wide_id},
    {"no erase units", no_sectors},
    {"more flash than any", huge},
    {"page size", odd_page},
    {"run after the end", hole},
    {"run without a count", rest_of_run},
    {"erase time", no_erase_time},
    {"erase time", erase_max_below},
    {"program unit", odd_unit},
    {"program unit", no_unit},
    {"page smaller than the program unit", small_page},
    {"program time", no_program_time},
    {"program time", program_max_below},
    {"mass erase time", mass_max_below},
    {"mass erase time", mass_max_only},
    {"write protection unit", no_protection_unit},
    {"erased value", erased_zero},
    {"spans overlap", options_in_system},
    {"spans overlap", ram_in_flash},
    {"RAM outside of RAM", ram_elsewhere},
    {"no system memory for proof reads", no_system_memory},
    {"system memory outside of its area", system_elsewhere},
    {"option bytes outside of their area", options_elsewhere},
    {"read alignment", odd_alignment},
    {"transfer size", odd_transfer},
    {"blocks cannot be read at once", small_transfer},
    {"third word of the UID", third_too_near},
    {"UID address", third_too_far},
    {"UID address", uid_unaligned},
    {"UID address", uid_elsewhere},
    {"size address", size_unaligned},
    {"size address", size_elsewhere},
};

static void test_broken_rows_are_noticed(void)
{
    const struct chip *good = chip_find("stm32f407xg");

    if (!CHECK(good) || !CHECK(!chip_fault(good)))
        return;
    for (size_t i = 0; i < sizeof(breakages) / sizeof(breakages[0]); i++) {
        struct chip_family family = *good->family;
        struct chip chip = {.name = good->name, .family = &family, .flash_size = good->flash_size};
        const char *fault;

        breakages[i].apply(&chip, &family);
        fault = chip_fault(&chip);
        CHECK_TEXT(fault ? fault : "(none)", breakages[i].fault);
    }
}

static void test_broken_lists_are_noticed(void)
{
    const struct chip *small = chip_find("stm32f401xe");
    const struct chip *large = chip_find("stm32f407xg");

    if (!CHECK(small) || !CHECK(large))
        return;
    struct chip_family twin = *small->family;
    struct chip same_id = {.name = "stm32f402xe", .family = &twin, .flash_size = small->flash_size};
    const struct chip good[] = {*small, *large};
    const struct chip unsorted[] = {*large, *small};
    const struct chip twice[] = {*large, *large};
    const struct chip ids[] = {*small, same_id};
    const struct chip partial[] = {*chip_find("stm32f407xe")};

    CHECK(!list_fault(good, 2));
    CHECK_TEXT(list_fault(unsorted, 2), "names are not sorted or not unique");
    CHECK_TEXT(list_fault(twice, 2), "names are not sorted or not unique");
    CHECK_TEXT(list_fault(ids, 2), "one id for two families");
    CHECK_TEXT(list_fault(partial, 1), "no member has the whole family's flash");
}

static const struct test tests[] = {
    {"every row", test_every_row},
    {"rows together", test_rows_together},
    {"tables", test_tables},
    {"every file is listed", test_every_file_is_listed},
    {"find", test_find},
    {"known sectors", test_known_sectors},
    {"cut to what is sold", test_cut},
    {"broken rows are noticed", test_broken_rows_are_noticed},
    {"broken lists are noticed", test_broken_lists_are_noticed},
};

TEST_MAIN(tests)
