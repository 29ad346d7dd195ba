/* SPDX-License-Identifier: Apache-2.0 */
/* The procedure (stations/program*.c) and its plan against a chip and a protocol made up for the purpose:
 * what is decided for loaders that erase by writing, want their pages in order, take whole ranges, or cannot
 * be read; and whether a chip that does not do what it acknowledges can ever pass. Time is virtual. */
#include "test.h"

#include "alloc.h"
#include "overlay.h"
#include "program.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

enum { PAGE = 64, PAGES = 16, FLASH_SIZE = PAGE * PAGES, EEPROM_SIZE = 64, OPTION_SIZE = 4 };
#define EEPROM_AT 0x810000u
#define OPTION_AT 0x820000u
#define NOWHERE   0xFFFFFFFFu

static const struct chip_avr avr = {.eeprom_us = 3300};

static const struct chip_family family = {
    .name = "made up",
    .document = "this file",
    .kind = CHIP_AVR,
    .id = 0x1234,
    .sectors = {{.count = PAGES, .size = PAGE, .erase_us = 4000, .erase_max_us = 8000}},
    .program_unit = 16,
    .program_us = 1000,
    .program_max_us = 2000,
    .erased_value = 0xFF,
    .option_bytes = {.address = OPTION_AT, .size = OPTION_SIZE},
    .option_unit = 1,
    .eeprom = {.address = EEPROM_AT, .size = EEPROM_SIZE},
    .avr = &avr,
    .transfer_max = PAGE,
};

static const struct chip chip = {.name = "madeup64", .family = &family, .flash_size = FLASH_SIZE};

/* --- the board and its loader --------------------------------------------------------------- */

/* The calls number `at` to `at + count - 1` of an operation, from 1, end with `status`. */
struct mishap {
    const char *operation;
    unsigned at, count;
    int status;
    bool after; /* when it was done all the same */
};

struct device {
    struct port port; /* first */
    struct clock clock;
    int64_t now_us;
    uint8_t flash[FLASH_SIZE], eeprom[EEPROM_SIZE], options[OPTION_SIZE];
    struct board board; /* what identify tells */
    bool erases, one_after_other;
    uint32_t erase_next;     /* one_after_other: the next page that a write erases */
    bool dead;               /* it acknowledges, and does nothing */
    bool same_sums;          /* every sum is the same */
    uint32_t weak_at;        /* this byte reads 0x00 … */
    unsigned weak_from;      /* … from that write on */
    unsigned refused_ranges; /* a bit for every call of write_range, from bit 0 */
    struct mishap mishap;
    unsigned mishap_calls, writes, ranges, sums, disconnects;
    char trace[2048];
};

static struct device *of(const struct session *session)
{
    return (struct device *)session->port;
}

static void note(struct device *device, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void note(struct device *device, const char *format, ...)
{
    size_t used = strlen(device->trace);
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(device->trace + used, sizeof device->trace - used, format, arguments);
    va_end(arguments);
}

/* 0, or the status of the mishap that hits this call. */
static int mishap_of(struct device *device, const char *operation, struct error *error)
{
    const struct mishap *mishap = &device->mishap;

    device->now_us += 1000;
    if (!mishap->operation || strcmp(mishap->operation, operation) != 0)
        return 0;
    device->mishap_calls++;
    if (device->mishap_calls < mishap->at || device->mishap_calls - mishap->at >= mishap->count)
        return 0;
    return error_set(error, mishap->status, "%s went wrong", operation);
}

/* The chip's memory at that address, which must be all inside. */
static uint8_t *memory_at(struct device *device, uint32_t address, uint32_t size)
{
    if (address + size <= FLASH_SIZE)
        return device->flash + address;
    if (address >= EEPROM_AT && address + size <= EEPROM_AT + EEPROM_SIZE)
        return device->eeprom + (address - EEPROM_AT);
    if (address >= OPTION_AT && address + size <= OPTION_AT + OPTION_SIZE)
        return device->options + (address - OPTION_AT);
    (void)CHECK(size == 0); /* the chip has nothing there */
    return NULL;
}

static void wear(struct device *device)
{
    if (device->weak_at != NOWHERE && device->writes >= device->weak_from)
        *memory_at(device, device->weak_at, 1) = 0x00;
}

static int fake_connect(struct session *session, struct error *error)
{
    session->baud_proven = 115200;
    return mishap_of(of(session), "connect", error);
}

static int fake_identify(struct session *session, struct error *error)
{
    session->board = of(session)->board;
    session->family = &family;
    return mishap_of(of(session), "identify", error);
}

static int fake_resync(struct session *session, struct error *error)
{
    note(of(session), "resync ");
    return mishap_of(of(session), "resync", error);
}

static uint8_t *page_of(struct device *device, size_t page)
{
    return device->flash + page * PAGE;
}

static void erase_page(struct device *device, uint32_t page)
{
    if (!device->dead)
        memset(page_of(device, page), 0xFF, PAGE);
}

static int fake_erase(struct session *session, const struct chip_sector *sectors, size_t count,
                      struct error *error)
{
    note(of(session), "erase:%zu ", count);
    for (size_t i = 0; i < count; i++)
        erase_page(of(session), sectors[i].number);
    wear(of(session));
    return mishap_of(of(session), "erase", error);
}

/* Flash bits go from 1 to 0 only; EEPROM takes what it is given. */
static void put(struct device *device, uint32_t address, const uint8_t *bytes, uint32_t size)
{
    uint8_t *memory = memory_at(device, address, size);

    if (!memory || device->dead)
        return;
    if (address < FLASH_SIZE && !device->erases)
        erase_page(device, device->one_after_other ? device->erase_next++ : address / PAGE);
    for (uint32_t i = 0; i < size; i++)
        memory[i] = address < FLASH_SIZE ? memory[i] & bytes[i] : bytes[i];
}

static int fake_write(struct session *session, uint32_t address, const uint8_t *bytes, uint32_t size,
                      struct error *error)
{
    struct device *device = of(session);
    int status = mishap_of(device, "write", error);

    note(device, "w%x+%u ", address, size);
    (void)CHECK(size > 0 && size <= PAGE && address / PAGE == (address + size - 1) / PAGE);
    device->writes++;
    if (status == 0 || device->mishap.after)
        put(device, address, bytes, size);
    wear(device);
    return status;
}

static int fake_write_range(struct session *session, uint32_t address, const uint8_t *bytes, uint32_t size,
                            struct error *error)
{
    struct device *device = of(session);
    int status;

    if (device->refused_ranges >> device->ranges++ & 1)
        return error_set(error, -ENOTSUP, "not this range");
    note(device, "r%x+%u ", address, size);
    status = mishap_of(device, "range", error);
    for (uint32_t at = 0; status == 0 && at < size;) {
        uint32_t piece = PAGE - (address + at) % PAGE;

        piece = piece < size - at ? piece : size - at;
        put(device, address + at, bytes + at, piece);
        at += piece;
        session->advanced(session->advanced_context, at);
    }
    wear(device);
    return status;
}

static int fake_read(struct session *session, uint32_t address, uint8_t *bytes, uint32_t size,
                     struct error *error)
{
    struct device *device = of(session);
    const struct chip_span *hidden = &device->board.hidden;
    uint8_t *memory = memory_at(device, address, size);

    if (memory)
        memcpy(bytes, memory, size);
    for (uint32_t i = 0; i < size; i++)
        if (address + i - hidden->address < hidden->size)
            bytes[i] = 0x5A;
    return mishap_of(device, "read", error);
}

static int fake_sum(struct session *session, const struct chip_sector *sector, uint32_t *sum,
                    struct error *error)
{
    struct device *device = of(session);

    *sum = 0x811C9DC5u;
    for (uint32_t i = 0; i < sector->size && !device->same_sums; i++)
        *sum = (*sum ^ device->flash[sector->address + i]) * 0x01000193u;
    device->sums++;
    return mishap_of(device, "sum", error);
}

static int fake_compare(struct session *session, uint32_t address, const uint8_t *bytes, uint32_t size,
                        struct error *error)
{
    struct device *device = of(session);
    int status = mishap_of(device, "compare", error);

    return status < 0 ? status : memcmp(memory_at(device, address, size), bytes, size) != 0;
}

static int fake_write_options(struct session *session, uint32_t address, const uint8_t *bytes, uint32_t size,
                              struct error *error)
{
    note(of(session), "options ");
    memcpy(memory_at(of(session), address, size), bytes, size);
    return mishap_of(of(session), "options", error);
}

static void fake_disconnect(struct session *session)
{
    of(session)->disconnects++;
}

static uint32_t fake_wire_bytes(const struct chip_family *ignored, enum wire_operation operation,
                                uint32_t size_or_count)
{
    (void)ignored;
    return operation == WIRE_WRITE ? size_or_count + 8 : 8;
}

static struct port_line fake_line(uint32_t baud)
{
    return (struct port_line){.baud = baud, .parity = PARITY_NONE, .stop_bits = 1};
}

static int64_t fake_time(void *context)
{
    return ((const struct device *)context)->now_us;
}

/* What every loader here has; the cases add to it. */
#define LOADER                                                                                               \
    .name = "made up", .chips = CHIP_AVR, .transfer_max = 256, .connect = fake_connect,                      \
    .identify = fake_identify, .resync = fake_resync, .write = fake_write, .disconnect = fake_disconnect,    \
    .wire_bytes = fake_wire_bytes, .line = fake_line

static const struct protocol by_pages = {LOADER, .read = fake_read};
static const struct protocol in_order = {LOADER, .read = fake_read, .in_order = true};
static const struct protocol erasing = {LOADER, .erase = fake_erase, .read = fake_read};
static const struct protocol by_ranges = {LOADER, .erase = fake_erase, .write_range = fake_write_range,
                                          .read = fake_read};
static const struct protocol page_ranges = {LOADER, .write_range = fake_write_range, .read = fake_read};
static const struct protocol summing = {LOADER, .erase = fake_erase, .sum = fake_sum,
                                        .write_options = fake_write_options};
static const struct protocol comparing = {LOADER, .erase = fake_erase, .compare = fake_compare};
static const struct protocol blind = {LOADER, .erase = fake_erase};

/* --- one run -------------------------------------------------------------------------------- */

struct bench {
    struct device device;
    struct image image;
    struct order order;
    struct plan plan;
    struct report report;
    struct error refused;        /* by the plan */
    const struct patch *patches; /* what the unit has of its own */
    size_t patch_count;
    bool holds; /* all that the unit's image has is on the chip */
    unsigned reserved, learned, progress_calls;
    bool too_much; /* progress told more than there is */
    bool know;     /* `known` holds the sums of all pages … */
    unsigned know_from;
    unsigned asked;
    uint32_t known[PAGES], taught[PAGES];
};

static struct bench new_bench(void)
{
    struct bench bench = {.order = {.chip = &chip}};

    memset(bench.device.flash, 0xFF, FLASH_SIZE);
    memset(bench.device.eeprom, 0xFF, EEPROM_SIZE);
    bench.device.weak_at = NOWHERE;
    bench.device.board = (struct board){.chip_id = family.id, .flash_size = FLASH_SIZE};
    return bench;
}

/* `fill`: every byte of it; -1: bytes that are never blank and differ from each other. */
static void add_range(struct bench *bench, uint32_t address, uint32_t size, int fill)
{
    struct image *image = &bench->image;
    struct image_range *range;

    image->ranges = reallocate(image->ranges, image->count + 1, sizeof *image->ranges);
    range = &image->ranges[image->count++];
    *range = (struct image_range){.address = address, .size = size, .data = allocate(size, 1)};
    for (uint32_t i = 0; i < size; i++)
        range->data[i] = fill < 0 ? (uint8_t)((address + i) % 199 + (address + i) / PAGE) : (uint8_t)fill;
}

static struct image_range *last_range(struct bench *bench)
{
    return &bench->image.ranges[bench->image.count - 1];
}

static int count_reserve(void *context, const struct board *board, struct error *error)
{
    (void)board, (void)error;
    ((struct bench *)context)->reserved++;
    return 0;
}

static void watch_progress(void *context, const struct progress *progress)
{
    struct bench *bench = context;

    bench->progress_calls++;
    bench->too_much |= progress->done > progress->total || progress->percent > 99;
}

static bool known_sums(void *context, struct sector_sum *sums, size_t count)
{
    struct bench *bench = context;

    if (!bench->know || ++bench->asked < bench->know_from)
        return false;
    for (size_t i = 0; i < count; i++)
        sums[i].sum = bench->known[sums[i].address / PAGE];
    return true;
}

static void learn_sums(void *context, const struct sector_sum *sums, size_t count)
{
    struct bench *bench = context;

    bench->learned++;
    for (size_t i = 0; i < count; i++)
        bench->taught[sums[i].address / PAGE] = sums[i].sum;
}

/* Everything that the image has is there. */
static bool holds(struct device *device, const struct image *image)
{
    for (size_t i = 0; i < image->count; i++) {
        const struct image_range *range = &image->ranges[i];

        if (memcmp(memory_at(device, range->address, range->size), range->data, range->size) != 0)
            return false;
    }
    return true;
}

/* As in the daemon: the job's order and plan, with the unit's bytes. */
static void program_unit(struct bench *bench, struct session *session, const struct program_watcher *watcher)
{
    struct overlay unit;

    if (!CHECK(overlay_make(&unit, &bench->order, &bench->plan, bench->patches, bench->patch_count,
                            &bench->refused) == 0))
        return;
    (void)program_board(session, &unit.order, &unit.plan, watcher, &bench->report);
    bench->holds = holds(&bench->device, &unit.image);
    (void)CHECK(bench->report.verify == VERIFY_NONE ||
                memcmp(bench->report.digest, unit.plan.digest, sizeof unit.plan.digest) == 0);
    overlay_clear(&unit);
}

static void run(struct bench *bench, const struct protocol *protocol)
{
    struct device *device = &bench->device;
    const struct port_kind kind = {.scheme = "made up"};
    const struct program_watcher watcher = {.reserve = count_reserve,
                                            .progress = watch_progress,
                                            .known_sums = known_sums,
                                            .learn_sums = learn_sums,
                                            .context = bench};
    struct session session = {.port = &device->port, .protocol = protocol};

    device->clock = (struct clock){.monotonic_us = fake_time, .utc_us = fake_time, .context = device};
    device->port.kind = &kind;
    device->port.clock = &device->clock;
    device->port.line = fake_line(115200);
    device->erases = protocol->erase != NULL;
    device->one_after_other = protocol->in_order;
    device->trace[0] = '\0';
    device->disconnects = 0;
    bench->order.image = &bench->image;
    bench->report = (struct report){.outcome = OUTCOME_UNKNOWN};
    bench->refused = ERROR_NONE;
    if (plan_make(&bench->plan, &bench->order, protocol, &bench->refused) < 0)
        return;
    program_unit(bench, &session, &watcher);
    (void)CHECK(device->disconnects == 1);
    (void)CHECK(!bench->too_much);
    (void)CHECK((bench->report.outcome == OUTCOME_PASS) == (bench->report.error.text[0] == '\0'));
    plan_clear(&bench->plan);
}

static bool passed(struct bench *bench, enum verify_method verify)
{
    const struct report *report = &bench->report;
    bool good =
        report->outcome == OUTCOME_PASS && report->verify == verify && bench->reserved == 1 && bench->holds;

    if (!good)
        (void)fprintf(stderr, "  %s %s: %s %s [%s]\n", outcome_word(report->outcome),
                      failure_word(report->failure), report->error.text, bench->refused.text,
                      bench->device.trace);
    return good;
}

/* `about`: what the sentence must speak of. */
static bool failed(const struct bench *bench, enum outcome outcome, enum failure failure, const char *about)
{
    const struct report *report = &bench->report;
    bool good = report->outcome == outcome && report->failure == failure &&
                strstr(report->error.text, about) && report->verify == VERIFY_NONE;

    if (!good)
        (void)fprintf(stderr, "  %s %s: %s [%s]\n", outcome_word(report->outcome),
                      failure_word(report->failure), report->error.text, bench->device.trace);
    return good;
}

static void clear(struct bench *bench)
{
    image_clear(&bench->image);
}

static bool all_are(const uint8_t *bytes, uint32_t size, uint8_t value)
{
    for (uint32_t i = 0; i < size; i++)
        if (bytes[i] != value)
            return false;
    return true;
}

/* --- units with bytes of their own ---------------------------------------------------------- */

static const struct protocol *const loaders[] = {&by_pages,    &in_order, &erasing,  &by_ranges,
                                                 &page_ranges, &summing,  &comparing};

/* Across two pages, where the template is blank; in a page of two ranges; in a page that the image has
 * nothing else in. The second unit is blank there. */
static void run_own_bytes(const struct protocol *protocol, bool blank, unsigned refused)
{
    static const struct chip_span spans[] = {{PAGE - 4, 8}, {3 * PAGE + 17, 20}, {9 * PAGE + 3, 5}};
    struct patch patches[3];
    uint8_t bytes[20];
    struct bench bench = new_bench();
    struct error error = ERROR_NONE;

    for (size_t i = 0; i < 3; i++)
        patches[i] = (struct patch){.address = spans[i].address, .size = spans[i].size, .bytes = bytes};
    for (uint32_t i = 0; i < sizeof bytes; i++)
        bytes[i] = blank ? 0xFF : (uint8_t)(0xC0 + i);
    add_range(&bench, 0, 3 * PAGE + 20, -1);
    memset(last_range(&bench)->data + PAGE - 10, 0xFF, PAGE);
    add_range(&bench, 3 * PAGE + 30, 40, -1);
    bench.device.refused_ranges = refused;
    bench.order.variable = spans;
    bench.order.variable_count = 3;
    bench.patches = patches;
    bench.patch_count = 3;
    (void)CHECK(overlay_reserve(&bench.image, &chip, spans, 3, &error) == 0);
    memset(page_of(&bench.device, 9), protocol->erase ? 0xFF : 0x00, PAGE); /* not blank before */
    run(&bench, protocol);
    if (!CHECK(bench.report.outcome == OUTCOME_PASS && bench.holds))
        (void)fprintf(stderr, "  %s [%s]\n", bench.report.error.text, bench.device.trace);
    clear(&bench);
}

static void test_own_bytes(void)
{
    for (size_t i = 0; i < sizeof loaders / sizeof *loaders; i++)
        for (unsigned refused = 0; refused < (loaders[i]->write_range ? 64 : 1); refused++) {
            run_own_bytes(loaders[i], false, refused);
            run_own_bytes(loaders[i], true, refused);
        }
}

/* --- loaders that erase by writing ---------------------------------------------------------- */

/* Page 0 and 3 hold data, 1 and 2 are blank. */
static void add_blank_in_between(struct bench *bench)
{
    add_range(bench, 0, 4 * PAGE, -1);
    memset(last_range(bench)->data + PAGE, 0xFF, (size_t)2 * PAGE);
}

static void test_blank_pages_are_left_out(void)
{
    struct bench bench = new_bench();

    add_blank_in_between(&bench);
    run(&bench, &by_pages);
    (void)CHECK(passed(&bench, VERIFY_READ_BACK));
    CHECK_TEXT(bench.device.trace, "wc0+64 w0+64 "); /* the vectors last */
    (void)CHECK(bench.report.bytes_written == 2 * PAGE);
    clear(&bench);
}

static void test_dirty_blank_pages_are_written(void)
{
    struct bench bench = new_bench();

    memset(bench.device.flash, 0x00, FLASH_SIZE);
    add_blank_in_between(&bench);
    run(&bench, &by_pages);
    (void)CHECK(passed(&bench, VERIFY_READ_BACK));
    CHECK_TEXT(bench.device.trace, "wc0+64 w0+64 w40+64 w80+64 ");
    (void)CHECK(bench.report.bytes_written == 4 * PAGE);
    (void)CHECK(all_are(page_of(&bench.device, 4), FLASH_SIZE - 4 * PAGE, 0x00)); /* nobody's business */
    clear(&bench);
}

/* Of page 1 the image has the blank second half; of page 4 the blank first half, and data before and behind.
 */
static void test_dirty_blank_parts_of_pages(void)
{
    struct bench bench = new_bench();

    memset(bench.device.flash, 0x00, FLASH_SIZE);
    add_range(&bench, 0, 16, -1);
    add_range(&bench, PAGE + 32, 32, 0xFF);
    add_range(&bench, 3 * PAGE, 80, -1);
    memset(last_range(&bench)->data + PAGE, 0xFF, 16);
    add_range(&bench, 4 * PAGE + 50, 10, -1);
    run(&bench, &by_pages);
    (void)CHECK(passed(&bench, VERIFY_READ_BACK));
    CHECK_TEXT(bench.device.trace, "wc0+64 w130+16 w0+16 w40+64 ");
    clear(&bench);
}

static void test_blank_page_that_stays_dirty(void)
{
    struct bench bench = new_bench();

    bench.device.weak_at = PAGE + 5;
    add_blank_in_between(&bench);
    run(&bench, &by_pages);
    (void)CHECK(failed(&bench, OUTCOME_FAIL, FAILURE_VERIFY, "verify at 0x00000045: 0x00 instead of 0xff"));
    clear(&bench);
}

/* A loader of ranges may have no way to write a page by itself: then the place is what is said. */
static void test_blank_page_that_cannot_be_written(void)
{
    struct bench bench = new_bench();

    bench.device.weak_at = PAGE + 5;
    bench.device.mishap = (struct mishap){.operation = "write", .at = 1, .count = 99, .status = -ENOTSUP};
    add_blank_in_between(&bench);
    run(&bench, &page_ranges);
    (void)CHECK(failed(&bench, OUTCOME_FAIL, FAILURE_VERIFY, "verify at 0x00000045: 0x00 instead of 0xff"));
    (void)CHECK(bench.report.bytes_written == 2 * PAGE);
    clear(&bench);
}

static void test_lost_answer_of_a_page(void)
{
    struct bench bench = new_bench();

    bench.device.mishap =
        (struct mishap){.operation = "write", .at = 1, .count = 1, .status = -ETIMEDOUT, .after = true};
    add_range(&bench, 0, 2 * PAGE, -1);
    run(&bench, &by_pages);
    (void)CHECK(passed(&bench, VERIFY_READ_BACK));
    CHECK_TEXT(bench.device.trace, "w40+64 resync w0+64 "); /* what landed is not written again */
    clear(&bench);
}

static void test_refused_page(void)
{
    struct bench bench = new_bench();

    memset(bench.device.flash, 0x33, FLASH_SIZE); /* looks partly written, but a write erases it */
    bench.device.mishap = (struct mishap){.operation = "write", .at = 1, .count = 2, .status = -EBADMSG};
    add_range(&bench, 0, PAGE, -1);
    run(&bench, &by_pages);
    (void)CHECK(passed(&bench, VERIFY_READ_BACK));
    (void)CHECK(bench.report.retries == 2);
    bench.device.mishap = (struct mishap){.operation = "write", .at = 1, .count = 99, .status = -EBADMSG};
    bench.device.mishap_calls = 0;
    bench.reserved = 0;
    memset(bench.device.flash, 0x33, FLASH_SIZE);
    run(&bench, &by_pages);
    (void)CHECK(failed(&bench, OUTCOME_FAIL, FAILURE_WRITE, "write went wrong"));
    clear(&bench);
}

static void test_in_order(void)
{
    struct bench bench = new_bench();

    memset(bench.device.flash, 0x00, FLASH_SIZE);
    add_range(&bench, PAGE, PAGE, -1);
    add_range(&bench, 3 * PAGE + 20, 10, -1);
    run(&bench, &in_order);
    (void)CHECK(passed(&bench, VERIFY_READ_BACK));
    CHECK_TEXT(bench.device.trace, "w0+64 w40+64 w80+64 wc0+64 ");
    (void)CHECK(*page_of(&bench.device, 4) == 0x00);
    clear(&bench);
}

/* --- EEPROM --------------------------------------------------------------------------------- */

static void test_eeprom(void)
{
    struct bench bench = new_bench();

    memset(bench.device.eeprom, 0x11, EEPROM_SIZE);
    add_range(&bench, 0, PAGE, -1);
    add_range(&bench, EEPROM_AT + 3, 20, -1);
    memset(last_range(&bench)->data + 4, 0xFF, 8); /* its cells are not erased before: blank is data */
    run(&bench, &by_pages);
    (void)CHECK(passed(&bench, VERIFY_READ_BACK));
    CHECK_TEXT(bench.device.trace, "w0+64 w810003+20 ");
    (void)CHECK(bench.device.eeprom[2] == 0x11 && bench.device.eeprom[23] == 0x11);
    clear(&bench);
}

static void test_weak_eeprom(void)
{
    struct bench bench = new_bench();

    bench.device.weak_at = EEPROM_AT + 7;
    add_range(&bench, 0, PAGE, -1);
    add_range(&bench, EEPROM_AT, 20, 0xFF); /* not mended as a blank page of flash would be */
    run(&bench, &by_pages);
    (void)CHECK(failed(&bench, OUTCOME_FAIL, FAILURE_VERIFY, "verify at 0x00810007"));
    CHECK_TEXT(bench.device.trace, "w0+64 w810000+20 ");
    clear(&bench);
}

static void test_loader_without_eeprom(void)
{
    struct bench bench = new_bench();

    bench.device.board.no_eeprom = true;
    add_range(&bench, 0, PAGE, -1);
    run(&bench, &by_pages);
    (void)CHECK(passed(&bench, VERIFY_READ_BACK));
    add_range(&bench, EEPROM_AT, 20, -1);
    run(&bench, &by_pages);
    (void)CHECK(failed(&bench, OUTCOME_ABORTED, FAILURE_DATA, "EEPROM"));
    (void)CHECK(bench.reserved == 1 && bench.device.trace[0] == '\0');
    clear(&bench);
}

static void test_eeprom_that_nobody_can_verify(void)
{
    struct bench bench = new_bench();

    add_range(&bench, 0, PAGE, -1);
    add_range(&bench, EEPROM_AT, 20, -1);
    run(&bench, &summing);
    (void)CHECK(bench.refused.code == FAILURE_CODE(FAILURE_DATA) && strstr(bench.refused.text, "EEPROM"));
    run(&bench, &comparing);
    (void)CHECK(passed(&bench, VERIFY_CHECKSUM));
    clear(&bench);
}

/* --- the loader's own place ------------------------------------------------------------------ */

static void test_loader_in_flash(void)
{
    struct bench bench = new_bench();

    bench.device.board.loader = (struct chip_span){.address = FLASH_SIZE - PAGE, .size = PAGE};
    add_range(&bench, FLASH_SIZE - 2 * PAGE, PAGE, -1);
    run(&bench, &by_pages);
    (void)CHECK(passed(&bench, VERIFY_READ_BACK));
    add_range(&bench, FLASH_SIZE - 1, 1, 0xFF); /* blank, but a dirty page would be repaired */
    run(&bench, &by_pages);
    (void)CHECK(failed(&bench, OUTCOME_ABORTED, FAILURE_DATA, "0x000003c0"));
    (void)CHECK(bench.reserved == 1 && bench.device.trace[0] == '\0');
    clear(&bench);
}

/* Half a page of loader: the other half goes with it when the page is erased. */
static void test_loader_in_half_a_page(void)
{
    struct bench bench = new_bench();

    bench.device.board.loader = (struct chip_span){.address = FLASH_SIZE - 32, .size = 32};
    add_range(&bench, FLASH_SIZE - PAGE, 16, -1);
    run(&bench, &erasing);
    (void)CHECK(failed(&bench, OUTCOME_ABORTED, FAILURE_DATA, "loader"));
    (void)CHECK(bench.reserved == 0);
    clear(&bench);
}

/* What shows something else while the loader runs can be written, but not looked at. */
static void test_hidden_flash(void)
{
    struct bench bench = new_bench();

    bench.device.board.hidden = (struct chip_span){.address = 0, .size = 32};
    add_range(&bench, 0, 2 * PAGE, -1);
    run(&bench, &erasing);
    (void)CHECK(passed(&bench, VERIFY_READ_BACK));
    bench.device.weak_at = 32;
    bench.reserved = 0;
    run(&bench, &erasing);
    (void)CHECK(failed(&bench, OUTCOME_FAIL, FAILURE_ERASE, "page 0 at 0x00000000"));
    clear(&bench);
}

/* And where nothing of the image can be looked at, there is no pass. */
static void test_all_hidden(void)
{
    struct bench bench = new_bench();

    bench.device.board.hidden = (struct chip_span){.address = 0, .size = 32};
    add_range(&bench, 0, 32, -1);
    run(&bench, &erasing);
    (void)CHECK(failed(&bench, OUTCOME_FAIL, FAILURE_VERIFY, "nothing of it can be looked at"));
    clear(&bench);
}

/* --- whole ranges ----------------------------------------------------------------------------- */

static void test_ranges(void)
{
    struct bench bench = new_bench();

    add_range(&bench, 0, 200, -1);
    memset(last_range(&bench)->data + 20, 0xFF, 160); /* progress counts the range, the plan does not */
    add_range(&bench, 5 * PAGE, PAGE, -1);
    run(&bench, &by_ranges);
    (void)CHECK(passed(&bench, VERIFY_READ_BACK));
    CHECK_TEXT(bench.device.trace, "erase:5 r0+200 r140+64 ");
    clear(&bench);
}

/* Two ranges in one page, of which only the first, or only the second, goes as a range: the other's bytes
 * have no other way than the block. */
static void test_refused_ranges(void)
{
    for (unsigned refused = 0; refused < 4; refused++) {
        struct bench bench = new_bench();

        bench.device.refused_ranges = refused;
        add_range(&bench, 0, PAGE + 20, -1);
        add_range(&bench, PAGE + 30, 20, -1);
        run(&bench, &by_ranges);
        (void)CHECK(passed(&bench, VERIFY_READ_BACK));
        clear(&bench);
    }
}

static void test_broken_range(void)
{
    struct bench bench = new_bench();

    bench.device.mishap = (struct mishap){.operation = "range", .at = 1, .count = 1, .status = -ETIMEDOUT};
    add_range(&bench, 0, PAGE, -1);
    run(&bench, &page_ranges); /* erases what it writes: again, from the start */
    (void)CHECK(passed(&bench, VERIFY_READ_BACK));
    CHECK_TEXT(bench.device.trace, "r0+64 resync r0+64 ");
    (void)CHECK(bench.report.retries == 1);
    bench.device.mishap_calls = 0;
    run(&bench, &by_ranges); /* what landed of it cannot be erased again */
    (void)CHECK(failed(&bench, OUTCOME_FAIL, FAILURE_TIMEOUT, "range went wrong"));
    CHECK_TEXT(bench.device.trace, "erase:1 r0+64 ");
    clear(&bench);
}

/* --- learned sums ------------------------------------------------------------------------------ */

static void add_two_sectors(struct bench *bench)
{
    add_range(bench, 0, 100, -1);
    add_range(bench, 4 * PAGE, PAGE, 0xFF); /* blank, and so after the erase as before it */
}

static void test_teaching(void)
{
    struct bench bench = new_bench();

    memset(bench.device.flash, 0x00, FLASH_SIZE);
    add_two_sectors(&bench);
    run(&bench, &summing);
    (void)CHECK(passed(&bench, VERIFY_TWICE));
    CHECK_TEXT(bench.device.trace, "erase:3 w40+48 w0+64 erase:3 w40+48 w0+64 ");
    (void)CHECK(bench.learned == 1 && all_are(page_of(&bench.device, 4), PAGE, 0xFF));
    memcpy(bench.known, bench.taught, sizeof bench.known);
    bench.know = true;
    bench.reserved = 0;
    run(&bench, &summing);
    (void)CHECK(passed(&bench, VERIFY_LEARNED));
    CHECK_TEXT(bench.device.trace, "erase:3 w40+48 w0+64 ");
    (void)CHECK(bench.learned == 1);
    clear(&bench);
}

static void test_wrong_sum(void)
{
    struct bench bench = new_bench();

    add_two_sectors(&bench);
    run(&bench, &summing);
    memcpy(bench.known, bench.taught, sizeof bench.known);
    bench.know = true;
    bench.device.weak_at = 4 * PAGE + 1; /* in a blank part: a sum sees it */
    run(&bench, &summing);
    (void)CHECK(failed(&bench, OUTCOME_FAIL, FAILURE_VERIFY, "the sum of the sector at 0x00000100"));
    (void)CHECK(bench.learned == 1);
    clear(&bench);
}

/* The second time it comes out otherwise than the first. */
static void test_unsteady_teacher(void)
{
    struct bench bench = new_bench();

    bench.device.weak_at = 70;
    bench.device.weak_from = 3;
    add_two_sectors(&bench);
    run(&bench, &summing);
    (void)CHECK(failed(&bench, OUTCOME_FAIL, FAILURE_VERIFY, "the first time's"));
    (void)CHECK(bench.learned == 0);
    clear(&bench);
}

/* A chip that acknowledges everything and does nothing gives the same sums twice, too. */
static void test_teacher_that_does_nothing(void)
{
    struct bench bench = new_bench();

    bench.device.dead = true;
    memset(bench.device.flash, 0x44, FLASH_SIZE);
    add_two_sectors(&bench);
    run(&bench, &summing);
    (void)CHECK(failed(&bench, OUTCOME_FAIL, FAILURE_VERIFY, "0x00000000"));
    (void)CHECK(bench.learned == 0);
    clear(&bench);
}

static void test_sums_that_mean_nothing(void)
{
    struct bench bench = new_bench();

    bench.device.same_sums = true;
    add_two_sectors(&bench);
    run(&bench, &summing);
    (void)CHECK(failed(&bench, OUTCOME_FAIL, FAILURE_VERIFY, "did not change"));
    (void)CHECK(bench.learned == 0);
    clear(&bench);
}

/* Two stations teach at once: the one that ends later is measured by the other. */
static void test_taught_meanwhile(void)
{
    struct bench bench = new_bench();

    add_two_sectors(&bench);
    run(&bench, &summing);
    memcpy(bench.known, bench.taught, sizeof bench.known);
    bench.know = true;
    bench.know_from = 2;
    bench.reserved = 0;
    run(&bench, &summing);
    (void)CHECK(passed(&bench, VERIFY_TWICE) && bench.asked == 2);
    bench.asked = 0;
    bench.known[1]++;
    run(&bench, &summing);
    (void)CHECK(failed(&bench, OUTCOME_FAIL, FAILURE_VERIFY, "another unit's"));
    clear(&bench);
}

static void digest_of(uint32_t first, uint32_t second, uint8_t digest[32])
{
    struct bench bench = new_bench();
    struct error error = ERROR_NONE;

    add_range(&bench, first, 8, 0x12);
    add_range(&bench, second, 8, 0x34);
    bench.order.image = &bench.image;
    (void)CHECK(plan_make(&bench.plan, &bench.order, &summing, &error) == 0);
    memcpy(digest, bench.plan.digest, 32);
    plan_clear(&bench.plan);
    clear(&bench);
}

/* Sums are kept under the digest: it must tell apart what gives different sums. */
static void test_digest_of_sums(void)
{
    uint8_t one[32], same[32], moved[32], other_page[32];

    digest_of(0, 20, one);
    digest_of(0, 20, same);
    digest_of(0, 24, moved);
    digest_of(PAGE, PAGE + 20, other_page);
    (void)CHECK(memcmp(one, same, 32) == 0);
    (void)CHECK(memcmp(one, moved, 32) != 0);
    (void)CHECK(memcmp(one, other_page, 32) != 0);
}

/* What the run must take at least is what it does: sums, and not reading back what cannot be read. */
static void test_floor_of_sums(void)
{
    struct bench bench = new_bench();
    int64_t learned_us, taught_us;

    add_range(&bench, 0, FLASH_SIZE, -1);
    run(&bench, &summing);
    taught_us = bench.report.phases[PHASE_VERIFY].floor_us;
    memcpy(bench.known, bench.taught, sizeof bench.known);
    bench.know = true;
    run(&bench, &summing);
    learned_us = bench.report.phases[PHASE_VERIFY].floor_us;
    (void)CHECK(bench.report.verify == VERIFY_LEARNED);
    (void)CHECK(learned_us == (int64_t)PAGES * 8 * 10 * 1000000 / 115200);
    (void)CHECK(taught_us == 3 * learned_us + bench.report.phases[PHASE_ERASE].floor_us +
                                 bench.report.phases[PHASE_WRITE].floor_us);
    clear(&bench);
}

/* --- no way to look ----------------------------------------------------------------------------- */

static void test_checksum_only(void)
{
    struct bench bench = new_bench();

    add_range(&bench, 0, PAGE, -1);
    run(&bench, &comparing);
    (void)CHECK(passed(&bench, VERIFY_CHECKSUM));
    bench.device.weak_at = 9;
    run(&bench, &comparing);
    (void)CHECK(failed(&bench, OUTCOME_FAIL, FAILURE_VERIFY, "0x00000000-0x0000003f"));
    bench.device.weak_at = NOWHERE;
    bench.reserved = 0;
    bench.device.mishap = (struct mishap){.operation = "compare", .at = 1, .count = 1, .status = -EPROTO};
    run(&bench, &comparing);
    (void)CHECK(passed(&bench, VERIFY_CHECKSUM) && bench.report.retries == 1);
    bench.device.mishap.count = 99;
    bench.device.mishap.status = -ENOTSUP;
    run(&bench, &comparing);
    (void)CHECK(failed(&bench, OUTCOME_FAIL, FAILURE_VERIFY, "compare went wrong"));
    clear(&bench);
}

static void test_no_way_to_verify(void)
{
    struct bench bench = new_bench();

    add_range(&bench, 0, PAGE, -1);
    run(&bench, &blind);
    (void)CHECK(failed(&bench, OUTCOME_FAIL, FAILURE_VERIFY, "made up"));
    clear(&bench);
}

static void test_options_without_reading(void)
{
    struct bench bench = new_bench();

    add_range(&bench, 0, PAGE, -1);
    bench.order.option_count = 1;
    bench.order.options[0] = (struct order_option){.address = OPTION_AT, .size = 1, .bytes = {0x6A}};
    run(&bench, &summing);
    (void)CHECK(passed(&bench, VERIFY_TWICE) && bench.device.options[0] == 0x6A);
    (void)CHECK(strstr(bench.device.trace, "options ") != NULL);
    bench.device.mishap = (struct mishap){.operation = "options", .at = 1, .count = 1, .status = -EBADMSG};
    run(&bench, &summing);
    (void)CHECK(bench.report.failure == FAILURE_OPTION_BYTES && bench.report.outcome == OUTCOME_FAIL);
    clear(&bench);
}

/* --- loaders that erase on command --------------------------------------------------------------- */

static void test_erase_that_does_nothing(void)
{
    struct bench bench = new_bench();

    bench.device.dead = true;
    memset(bench.device.flash, 0x44, FLASH_SIZE);
    add_range(&bench, 0, PAGE, -1);
    run(&bench, &erasing);
    (void)CHECK(failed(&bench, OUTCOME_FAIL, FAILURE_ERASE, "page 0"));
    clear(&bench);
}

/* Cells that took a part of a block cannot be written again. */
static void test_block_that_landed_in_part(void)
{
    struct bench bench = new_bench();

    bench.device.mishap = (struct mishap){.operation = "write", .at = 1, .count = 1, .status = -EBADMSG};
    bench.device.weak_at = PAGE + 3;
    bench.device.weak_from = 1;
    add_range(&bench, PAGE, PAGE, -1);
    run(&bench, &erasing);
    (void)CHECK(failed(&bench, OUTCOME_FAIL, FAILURE_WRITE, "write went wrong"));
    CHECK_TEXT(bench.device.trace, "erase:1 w40+64 resync ");
    clear(&bench);
}

static const struct test tests[] = {
    {"blank pages are left out", test_blank_pages_are_left_out},
    {"dirty blank pages are written", test_dirty_blank_pages_are_written},
    {"own bytes", test_own_bytes},
    {"dirty blank parts of pages", test_dirty_blank_parts_of_pages},
    {"a blank page that stays dirty", test_blank_page_that_stays_dirty},
    {"a blank page that cannot be written", test_blank_page_that_cannot_be_written},
    {"lost answer of a page", test_lost_answer_of_a_page},
    {"refused page", test_refused_page},
    {"pages in order", test_in_order},
    {"EEPROM", test_eeprom},
    {"weak EEPROM", test_weak_eeprom},
    {"loader without EEPROM", test_loader_without_eeprom},
    {"EEPROM that nobody can verify", test_eeprom_that_nobody_can_verify},
    {"loader in flash", test_loader_in_flash},
    {"loader in half a page", test_loader_in_half_a_page},
    {"hidden flash", test_hidden_flash},
    {"nothing but hidden flash", test_all_hidden},
    {"ranges", test_ranges},
    {"refused ranges", test_refused_ranges},
    {"broken range", test_broken_range},
    {"teaching sums", test_teaching},
    {"wrong sum", test_wrong_sum},
    {"unsteady teacher", test_unsteady_teacher},
    {"teacher that does nothing", test_teacher_that_does_nothing},
    {"sums that mean nothing", test_sums_that_mean_nothing},
    {"taught meanwhile", test_taught_meanwhile},
    {"digest of sums", test_digest_of_sums},
    {"floor of sums", test_floor_of_sums},
    {"checksum only", test_checksum_only},
    {"no way to verify", test_no_way_to_verify},
    {"options without reading", test_options_without_reading},
    {"erase that does nothing", test_erase_that_does_nothing},
    {"block that landed in part", test_block_that_landed_in_part},
};

TEST_MAIN(tests)
