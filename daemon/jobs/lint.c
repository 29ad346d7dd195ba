/* SPDX-License-Identifier: Apache-2.0 */
#include "lint.h"

#include "failure.h"
#include "vectors.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* One pass over a subject. */
struct pass {
    const struct lint_subject *subject;
    const struct order *order;
    const struct chip *chip;
    json_t *findings;
};

static void report(const struct pass *pass, enum lint_severity severity, const char *class, const char *place,
                   const char *remedy, const char *format, ...) __attribute__((format(printf, 6, 7)));

static void report(const struct pass *pass, enum lint_severity severity, const char *class, const char *place,
                   const char *remedy, const char *format, ...)
{
    char message[300];
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    (void)json_array_append_new(pass->findings,
                                json_pack("{s:s,s:s,s:s,s:s,s:s}", "class", class, "severity",
                                          severity == LINT_ERROR ? "error" : "warning", "place", place,
                                          "message", message, "remedy", remedy));
}

/* --- places ------------------------------------------------------------------------------- */

#define PLACE_MAX 120

/* "field serial, 0x08001000-0x0800100f", or without what it is. */
static const char *place_of(char place[PLACE_MAX], const char *what, const char *name, struct chip_span span)
{
    (void)snprintf(place, PLACE_MAX, "%s%s%s0x%08x-0x%08x", what, name, *what ? ", " : "", span.address,
                   span.address + (span.size ? span.size - 1 : 0));
    return place;
}

static bool overlaps(struct chip_span one, struct chip_span other)
{
    return (uint64_t)one.address < (uint64_t)other.address + other.size &&
           (uint64_t)other.address < (uint64_t)one.address + one.size;
}

static bool inside(struct chip_span span, struct chip_span area)
{
    return span.size && span.address >= area.address &&
           (uint64_t)span.address + span.size <= (uint64_t)area.address + area.size;
}

static struct chip_span flash_of(const struct chip *chip)
{
    return (struct chip_span){.address = chip->family->flash_base, .size = chip->flash_size};
}

static bool in_chip(const struct chip *chip, struct chip_span span)
{
    return inside(span, flash_of(chip)) || inside(span, chip->family->eeprom);
}

static struct chip_span span_of(const struct image_range *range)
{
    return (struct chip_span){.address = range->address, .size = range->size};
}

/* --- the image ---------------------------------------------------------------------------- */

/* Memory that an image must not bring along, though the chip has it; NULL: there is nothing of the kind. */
static const char *protected_area(const struct chip *chip, struct chip_span span)
{
    const struct chip_family *family = chip->family;
    const struct chip_span avr_lock = {.address = 0x830000, .size = 1},
                           avr_signature = {.address = 0x840000, .size = 3};

    if (overlaps(span, family->option_bytes))
        return family->kind == CHIP_AVR ? "the fuses" : "the option bytes";
    if (overlaps(span, family->system_memory))
        return "the ROM loader";
    if (family->kind == CHIP_AVR && overlaps(span, avr_lock))
        return "the lock bits";
    if (family->kind == CHIP_AVR && overlaps(span, avr_signature))
        return "the signature bytes";
    return NULL;
}

static void check_range(const struct pass *pass, const struct image_range *range)
{
    const struct chip *chip = pass->chip;
    const char *area = protected_area(chip, span_of(range));
    char place[PLACE_MAX];

    (void)place_of(place, "image", "", span_of(range));
    if (in_chip(chip, span_of(range)))
        return;
    if (area)
        report(pass, LINT_ERROR, "protected-area", place,
               "leave that part out of the file, and order it with \"option_bytes\" or \"protect\"",
               "the image has data for %s of %s", area, chip->name);
    else
        report(pass, LINT_ERROR, "outside-chip", place,
               "link the firmware for this chip, or order a chip with more flash",
               "the image has data outside the flash of %s (0x%08x-0x%08x)", chip->name,
               chip->family->flash_base, chip->family->flash_base + (chip->flash_size - 1));
}

static bool is_blank(const struct pass *pass, const struct image_range *range)
{
    for (uint32_t i = 0; i < range->size; i++)
        if (range->data[i] != pass->chip->family->erased_value)
            return false;
    return true;
}

/* Nothing to write is not what anybody means; what is not in flash is none of flash's content. */
static void check_content(const struct pass *pass)
{
    const struct image *image = pass->order->image;
    bool content = false;

    for (size_t i = 0; i < image->count; i++) {
        check_range(pass, &image->ranges[i]);
        content |=
            overlaps(span_of(&image->ranges[i]), flash_of(pass->chip)) && !is_blank(pass, &image->ranges[i]);
    }
    if (!content)
        report(pass, image->count ? LINT_WARNING : LINT_ERROR, "blank-image", "images",
               "take the file with the firmware", "the image has nothing for the flash of %s but blank bytes",
               pass->chip->name);
}

static void check_vectors(const struct pass *pass)
{
    struct vectors_finding finding;
    char place[PLACE_MAX];

    /* An MCUboot image begins with a header; what starts it is in flash already, or checked on its own. */
    if (pass->subject->is_mcuboot || !vectors_check(pass->chip, pass->order->image, &finding))
        return;
    (void)snprintf(place, sizeof place, "image, 0x%08x", finding.address);
    report(pass, finding.is_sure && pass->subject->is_recipe ? LINT_ERROR : LINT_WARNING, finding.class,
           place, finding.remedy, "%s", finding.message);
}

/* --- fields and checks -------------------------------------------------------------------- */

static const char *kind_word(const struct field_place *place)
{
    return place->is_check ? "check " : "field ";
}

static struct chip_span field_span(const struct field_place *place)
{
    return (struct chip_span){.address = place->address, .size = place->size};
}

static void check_field_place(const struct pass *pass, const struct field_place *field)
{
    char place[PLACE_MAX];

    (void)place_of(place, kind_word(field), field->name, field_span(field));
    if (!in_chip(pass->chip, field_span(field)))
        report(pass, LINT_ERROR, "field-outside", place, "move it into the chip's flash",
               "it is outside the flash of %s (0x%08x-0x%08x)", pass->chip->name,
               pass->chip->family->flash_base, pass->chip->family->flash_base + (pass->chip->flash_size - 1));
}

/* The first byte of the image under a field that is not blank. */
static bool find_code(const struct pass *pass, const struct field_place *field, uint32_t *address)
{
    uint8_t blank = pass->chip->family->erased_value;

    for (uint32_t i = 0; i < field->size; i++) {
        uint8_t byte = blank;

        (void)image_read(pass->order->image, field->address + i, &byte, 1, blank);
        if (byte != blank) {
            *address = field->address + i;
            return true;
        }
    }
    return false;
}

static void check_field_code(const struct pass *pass, const struct field_place *field)
{
    char place[PLACE_MAX];
    uint32_t address;

    if (field->over_code || !find_code(pass, field, &address))
        return;
    report(pass, LINT_ERROR, "field-over-code",
           place_of(place, kind_word(field), field->name, field_span(field)),
           "keep the place blank in the firmware, or declare \"over_code\": true",
           "the image has data at 0x%08x, which it would replace", address);
}

static void check_field_overlap(const struct pass *pass, const struct field_place *field, size_t index)
{
    char place[PLACE_MAX];

    for (size_t i = 0; i < index; i++) {
        const struct field_place other = fields_place(pass->subject->fields, i);

        if (overlaps(field_span(field), field_span(&other)))
            report(pass, LINT_ERROR, "field-overlap",
                   place_of(place, kind_word(field), field->name, field_span(field)), "move one of them",
                   "it lies on %s%s", kind_word(&other), other.name);
    }
}

/* Who wants to write into a span: "the image", a field's name; NULL: nobody. */
static const char *writer_of(const struct pass *pass, struct chip_span span)
{
    size_t count = pass->subject->fields ? fields_count(pass->subject->fields) : 0;

    for (size_t i = 0; i < count; i++) {
        const struct field_place field = fields_place(pass->subject->fields, i);

        if (overlaps(span, field_span(&field)))
            return field.name;
    }
    for (size_t i = 0; i < pass->order->image->count; i++)
        if (overlaps(span, span_of(&pass->order->image->ranges[i])))
            return "the image";
    return NULL;
}

/* Moves `at` behind a span that it is in. */
static bool step_over(uint64_t *at, struct chip_span span)
{
    if (*at < span.address || *at >= (uint64_t)span.address + span.size)
        return false;
    *at = (uint64_t)span.address + span.size;
    return true;
}

/* An erase unit that is written to is blank where nothing is written. */
static bool step_over_erased(const struct pass *pass, uint64_t *at)
{
    for (uint32_t number = 0; number < chip_sector_count(pass->chip); number++) {
        const struct chip_sector sector = chip_sector(pass->chip, number);
        const struct chip_span span = {.address = sector.address, .size = sector.size};
        uint64_t next = *at;

        if (step_over(&next, span) && writer_of(pass, span)) {
            *at = next;
            return true;
        }
    }
    return false;
}

/* Moves `at` on when the image, a field, another check or the erase gives its byte a value. */
static bool step_on(const struct pass *pass, uint64_t *at)
{
    const struct image *image = pass->order->image;

    for (size_t i = 0; i < image->count; i++)
        if (step_over(at, span_of(&image->ranges[i])))
            return true;
    for (size_t i = 0; i < fields_count(pass->subject->fields); i++) {
        const struct field_place field = fields_place(pass->subject->fields, i);

        if (step_over(at, field_span(&field)))
            return true;
    }
    return step_over_erased(pass, at);
}

/* The first address of a check's range whose content nobody has given. */
static bool find_gap(const struct pass *pass, struct chip_span range, uint32_t *address)
{
    uint64_t at = range.address;

    while (at < (uint64_t)range.address + range.size)
        if (!step_on(pass, &at)) {
            *address = (uint32_t)at;
            return true;
        }
    return false;
}

static void check_check_range(const struct pass *pass, const struct field_place *check)
{
    char place[PLACE_MAX];
    uint32_t address;

    (void)place_of(place, "range of check ", check->name, check->range);
    if (!in_chip(pass->chip, check->range))
        report(pass, LINT_ERROR, "check-range", place, "give a range in the chip's flash",
               "it is not in the flash of %s", pass->chip->name);
    else if (overlaps(check->range, field_span(check)))
        report(pass, LINT_ERROR, "check-range", place, "end the range before the check, or move the check",
               "the check's own bytes are in it: they would change the value they hold");
    else if (find_gap(pass, check->range, &address))
        report(pass, LINT_ERROR, "check-range", place,
               "fill the image up to the end of the range when it is built, or make the range smaller",
               "nothing gives 0x%08x its content, and the check covers it", address);
}

static void check_fields(const struct pass *pass)
{
    size_t count = pass->subject->fields ? fields_count(pass->subject->fields) : 0;

    for (size_t i = 0; i < count; i++) {
        const struct field_place field = fields_place(pass->subject->fields, i);

        check_field_place(pass, &field);
        check_field_overlap(pass, &field, i);
        check_field_code(pass, &field);
        if (field.is_check)
            check_check_range(pass, &field);
    }
}

/* --- what must survive -------------------------------------------------------------------- */

/* An erase unit goes as a whole. */
static void check_keep_sectors(const struct pass *pass, struct chip_span keep)
{
    char place[PLACE_MAX];

    for (uint32_t number = 0; number < chip_sector_count(pass->chip); number++) {
        const struct chip_sector sector = chip_sector(pass->chip, number);
        const struct chip_span span = {.address = sector.address, .size = sector.size};

        if (!overlaps(span, keep) || !writer_of(pass, span))
            continue;
        report(pass, LINT_ERROR, "keep-conflict", place_of(place, "keep", "", keep),
               "move one of them to another page",
               "page %u (0x%08x, %u bytes) has to be erased for %s, and holds what is to be kept", number,
               sector.address, sector.size, writer_of(pass, span));
        return;
    }
}

static void check_keep(const struct pass *pass)
{
    char place[PLACE_MAX];

    for (size_t i = 0; i < pass->order->keep_count; i++) {
        struct chip_span keep = pass->order->keep[i];

        if (!in_chip(pass->chip, keep))
            report(pass, LINT_ERROR, "keep-conflict", place_of(place, "keep", "", keep),
                   "give a part of the chip's flash", "there is no such flash in %s", pass->chip->name);
        else
            check_keep_sectors(pass, keep);
    }
}

/* --- protection --------------------------------------------------------------------------- */

/* The option byte that holds the level of read-out protection: its address and the value that means none
 * (PM0075, RM0091, RM0316: 0x1FFFF800; PM0081, RM0090: 0x1FFFC001; RM0038, RM0367: 0x1FF80000; RM0351,
 * RM0440, RM0444: 0x1FFF7800). 0: not known. */
static uint32_t level_address(const struct chip *chip, uint8_t *open)
{
    uint32_t area = chip->family->kind == CHIP_STM32 ? chip->family->option_bytes.address : 0;

    *open = strncmp(chip->name, "stm32f1", 7) == 0 ? 0xA5 : 0xAA;
    switch (area) {
    case 0x1FFFF800:
    case 0x1FF80000:
    case 0x1FFF7800:
        return area;
    case 0x1FFFC000:
        return area + 1;
    default:
        return 0;
    }
}

/* Option bytes are written before `protect` is obeyed, and read back: a lock among them would come too early,
 * and past the question whether the order wants one. */
static void check_options(const struct pass *pass)
{
    uint8_t open;
    uint32_t level = level_address(pass->chip, &open);
    char place[PLACE_MAX];

    for (size_t i = 0; i < pass->order->option_count; i++) {
        const struct order_option *option = &pass->order->options[i];
        const struct chip_span span = {.address = option->address, .size = option->size};
        const struct chip_span area = pass->chip->family->option_bytes;

        (void)place_of(place, "option_bytes", "", span);
        if (!inside(span, area))
            report(pass, LINT_ERROR, "outside-chip", place, "give an address among the chip's option bytes",
                   "they are outside those of %s (0x%08x, %u bytes)", pass->chip->name, area.address,
                   area.size);
        else if (level && level >= span.address && level - span.address < span.size &&
                 option->bytes[level - span.address] != open)
            report(pass, LINT_ERROR, "lock-before-verify", place,
                   "leave that byte as it is on an open chip, and order \"protect\": \"read\": it comes last",
                   "0x%02x at 0x%08x sets read-out protection (0x%02x is none)",
                   option->bytes[level - span.address], level, open);
    }
}

static void check_unprotect(const struct pass *pass)
{
    if (!pass->order->unprotect)
        return;
    if (pass->order->keep_count)
        report(pass, LINT_ERROR, "unprotect", "unprotect", "leave out \"unprotect\" or \"keep\"",
               "removing read-out protection wipes the chip, and with it what \"keep\" names");
    else
        report(pass, LINT_WARNING, "unprotect", "unprotect",
               "leave it out unless boards may come with protection set",
               "a board that is read-protected will be wiped without a question");
}

/* --- loaders ------------------------------------------------------------------------------ */

/* Whose error a loader's refusal is. */
static const char *class_of_refusal(const struct pass *pass, const struct protocol *protocol)
{
    if (protocol->chips != pass->chip->family->kind)
        return "wrong-family";
    if ((pass->order->protect == PROTECTION_READ && !protocol->protect) ||
        (pass->order->protect == PROTECTION_WRITE && !protocol->write_protect) ||
        (pass->order->option_count && !protocol->write_options))
        return "protected-area";
    if (!protocol->erase && protocol->erase_all && pass->order->keep_count)
        return "keep-conflict";
    if (!protocol->read && !protocol->compare)
        return "cannot-verify";
    return protocol->chips == CHIP_LPC ? "vector-table" : "wrong-family";
}

/* Whether a loader can do the order at all; what is wrong with the order itself has been said already. */
static bool can_do(const struct pass *pass, const struct protocol *protocol, struct error *error)
{
    struct plan plan = {.erase_all = false};

    if (plan_make(&plan, pass->order, protocol, error) < 0)
        return false;
    plan_clear(&plan);
    return true;
}

static void check_per_unit_sums(const struct pass *pass, const struct protocol *protocol)
{
    if (plan_by_sums(protocol) && pass->subject->fields && fields_count(pass->subject->fields))
        report(
            pass, LINT_WARNING, "cannot-verify", protocol->name,
            "allow for the time, order it without fields, or on stations of a loader that can read",
            "the loader behind %s tells only sums that one unit learns from another, and units that differ "
            "have none in common: each is programmed twice",
            protocol->name);
    if (!protocol->read && !protocol->compare && !protocol->sum)
        report(pass, LINT_ERROR, "cannot-verify", protocol->name, "order it on stations of another protocol",
               "the loader behind %s can neither read nor compare", protocol->name);
}

/* Every loader of the order's stations must be able to do it. */
static void check_loaders(const struct pass *pass)
{
    const struct protocol *const *each = pass->subject->protocols;

    for (; *each; each++) {
        struct error error = ERROR_NONE;

        if (!can_do(pass, *each, &error))
            report(pass, LINT_ERROR, class_of_refusal(pass, *each), (*each)->name, "see what the loader says",
                   "%s", error.text);
        else
            check_per_unit_sums(pass, *each);
    }
}

/* No stations are known: one loader of the table that can do it is enough. */
static void check_any_loader(const struct pass *pass)
{
    const struct protocol *refusing = NULL;
    struct error first = ERROR_NONE;

    for (size_t i = 0; protocols[i]; i++) {
        struct error error = ERROR_NONE;

        if (protocols[i]->chips != pass->chip->family->kind)
            continue;
        if (can_do(pass, protocols[i], &error))
            return;
        if (!refusing) {
            refusing = protocols[i];
            first = error;
        }
    }
    if (refusing)
        report(pass, LINT_ERROR, class_of_refusal(pass, refusing), refusing->name, "see what the loader says",
               "%s", first.text);
}

/* --- pools and signatures ----------------------------------------------------------------- */

static void check_pools(const struct pass *pass)
{
    const struct lint_pool *pool = pass->subject->pools;
    char place[PLACE_MAX];

    for (; pool && pool->name; pool++) {
        (void)snprintf(place, sizeof place, "pool %s", pool->name);
        if (pool->left < 0)
            report(pass, LINT_ERROR, "pool-empty", place, "make it first (POST /v1/serial-pools)",
                   "there is no such pool");
        else if (pool->left == 0)
            report(pass, pool->wanted ? LINT_ERROR : LINT_WARNING, "pool-empty", place,
                   pool->closed ? "open it, or take another pool" : "take another pool",
                   pool->closed ? "it is closed" : "it has no number left");
        else if (pool->left < pool->wanted)
            report(pass, LINT_ERROR, "pool-short", place, "order fewer units, or take another pool",
                   "%lld numbers are left, and %lld are wanted", (long long)pool->left,
                   (long long)pool->wanted);
    }
}

static void check_signature(const struct pass *pass)
{
    const struct lint_subject *subject = pass->subject;

    if (subject->signature_trouble)
        report(pass, subject->wants_signature ? LINT_ERROR : LINT_WARNING, "signature", "images",
               "sign the file with a trusted key, and POST the .minisig file to "
               "/v1/images/{id}/signatures",
               "%s", subject->signature_trouble);
    else if (subject->wants_signature && !subject->has_signature)
        report(pass, LINT_ERROR, "unsigned", "images",
               "sign the file (minisign -S), and POST the .minisig file to /v1/images/{id}/signatures",
               "a signature is required, and the image has none");
    if (subject->is_mcuboot && subject->mcuboot_trouble)
        report(pass, LINT_ERROR, "mcuboot", "images", "sign the image for this product (imgtool sign)", "%s",
               subject->mcuboot_trouble);
}

/* --- all of it ---------------------------------------------------------------------------- */

json_t *lint_check(const struct lint_subject *subject)
{
    const struct pass pass = {
        .subject = subject, .order = subject->order, .chip = subject->order->chip, .findings = json_array()};

    check_content(&pass);
    check_fields(&pass);
    check_keep(&pass);
    check_options(&pass);
    check_unprotect(&pass);
    check_vectors(&pass);
    check_pools(&pass);
    check_signature(&pass);
    /* A loader would only say the same again, in other words. */
    if (lint_has_error(pass.findings))
        return pass.findings;
    if (subject->protocols)
        check_loaders(&pass);
    else
        check_any_loader(&pass);
    return pass.findings;
}

static const char *text_of(const json_t *finding, const char *member)
{
    return json_string_value(json_object_get(finding, member));
}

static const json_t *first_error(const json_t *findings)
{
    const json_t *finding;
    size_t index;

    json_array_foreach (findings, index, finding) {
        if (strcmp(text_of(finding, "severity"), "error") == 0)
            return finding;
    }
    return NULL;
}

bool lint_has_error(const json_t *findings)
{
    return first_error(findings) != NULL;
}

int lint_refuse(const json_t *findings, struct error *error)
{
    const json_t *finding = first_error(findings);

    return finding
               ? error_set(error, -EINVAL, "%s: %s (%s); %s", text_of(finding, "class"),
                           text_of(finding, "message"), text_of(finding, "place"), text_of(finding, "remedy"))
               : 0;
}
