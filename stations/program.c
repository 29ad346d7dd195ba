/* SPDX-License-Identifier: Apache-2.0 */
#include "program.h"

#include <errno.h>
#include <sodium.h>
#include <string.h>

#define BLOCK_ATTEMPTS   3
#define READ_ATTEMPTS    3
#define CONNECT_LIMIT_US 15000000

struct programming {
    struct session *session;
    const struct order *order;
    const struct plan *plan;
    const struct program_watcher *watcher;
    struct report *report;
    struct error *error;
    /* where the running phase began */
    enum phase_name phase;
    int64_t began_us;
    struct port_meter meter;
    /* weights for progress: floors of all phases at the rate in use */
    int64_t weight_us[PHASE_COUNT], weight_sum_us;
    unsigned percent;
    bool touched; /* something on the chip may have changed */
    crypto_hash_sha256_state digest;
};

static const char *const outcome_words[OUTCOME_COUNT] = {
    [OUTCOME_PASS] = "pass",
    [OUTCOME_FAIL] = "fail",
    [OUTCOME_ABORTED] = "aborted",
    [OUTCOME_UNKNOWN] = "unknown",
};

const char *outcome_word(enum outcome outcome)
{
    return outcome_words[outcome];
}

const char *verify_method_word(enum verify_method method)
{
    switch (method) {
    case VERIFY_NONE:
        return "none";
    case VERIFY_READ_BACK:
        return "read-back";
    case VERIFY_CHECKSUM:
        return "checksum";
    }
    return "";
}

/* --- phases, time, progress --------------------------------------------------------------- */

static int64_t now_us(const struct programming *work)
{
    return port_now_us(work->session->port);
}

static void end_phase(struct programming *work)
{
    struct phase_report *report = &work->report->phases[work->phase];
    const struct port_meter *meter = &work->session->port->meter;
    int64_t measured_us = now_us(work) - work->began_us;
    int64_t wire_us = meter->wire_us - work->meter.wire_us;
    int64_t waited_us = meter->waited_us - work->meter.waited_us;
    int64_t normal_us = measured_us - report->retry_us;

    report->measured_us += measured_us;
    /* Bytes of an unpaced simulation take no time: the line cannot have had more than there was. */
    wire_us = wire_us < normal_us ? wire_us : normal_us;
    report->wire_us += wire_us;
    report->host_us += normal_us > waited_us ? normal_us - waited_us : 0;
    if (report->host_us + report->wire_us > normal_us)
        report->host_us = normal_us - report->wire_us;
    report->target_us = report->measured_us - report->wire_us - report->host_us - report->retry_us;
}

static void tell_progress(struct programming *work, uint32_t done, uint32_t total)
{
    int64_t before_us = 0;
    unsigned percent;

    for (int phase = PHASE_CONNECT; phase < (int)work->phase; phase++)
        before_us += work->weight_us[phase];
    percent =
        work->weight_sum_us == 0
            ? 0
            : (unsigned)((before_us * 100 + (total ? work->weight_us[work->phase] * 100 / total * done : 0)) /
                         work->weight_sum_us);
    percent = percent > 99 ? 99 : percent; /* 100 is the outcome's to say */
    work->percent = percent > work->percent ? percent : work->percent;
    work->watcher->progress(
        work->watcher->context,
        &(struct progress){.phase = work->phase, .percent = work->percent, .done = done, .total = total});
}

static void begin_phase(struct programming *work, enum phase_name phase)
{
    work->phase = phase;
    work->began_us = now_us(work);
    work->meter = work->session->port->meter;
    work->report->phases[phase].entered = true;
    tell_progress(work, 0, 0);
}

static void weigh_phases(struct programming *work)
{
    for (int phase = PHASE_CONNECT; phase < PHASE_COUNT; phase++) {
        work->weight_us[phase] = plan_floor_us(work->plan, work->order, work->session->protocol,
                                               (enum phase_name)phase, work->report->baud, false);
        work->report->phases[phase].floor_us = work->weight_us[phase];
        work->weight_us[phase] += 20000; /* so that every phase moves the bar */
        work->weight_sum_us += work->weight_us[phase];
    }
}

/* --- failures ----------------------------------------------------------------------------- */

/* Codes that say what happened whatever was being done; the others get the phase's own class. */
static bool speaks_for_itself(int code)
{
    return code == -ENODEV || code == -ENXIO || code == -EIO || code == -ECANCELED || code == -ETIMEDOUT ||
           code == -EPROTO || code <= -ERROR_CLASS_BASE;
}

static int fail_as(struct programming *work, enum failure failure)
{
    if (!speaks_for_itself(work->error->code))
        return error_reclass(work->error, FAILURE_CODE(failure));
    return work->error->code;
}

static int out_of_time(struct programming *work)
{
    return error_set(work->error, FAILURE_CODE(FAILURE_TIMEOUT), "the run's deadline of %lld s has passed",
                     (long long)(work->plan->timeout_us / 1000000));
}

/* Whether looking at what landed and going on makes sense after this error. */
static bool recoverable(const struct programming *work, int status)
{
    return (status == -EBADMSG || status == -ETIMEDOUT || status == -EPROTO) &&
           now_us(work) < work->session->deadline_us;
}

struct recovery {
    int64_t began_us;
    struct port_meter meter;
};

static struct recovery begin_recovery(const struct programming *work)
{
    return (struct recovery){.began_us = now_us(work), .meter = work->session->port->meter};
}

/* Books the time since begin_recovery() as retry, and as nothing else. */
static void end_recovery(struct programming *work, const struct recovery *recovery)
{
    const struct port_meter *meter = &work->session->port->meter;

    work->report->phases[work->phase].retry_us += now_us(work) - recovery->began_us;
    work->meter.wire_us += meter->wire_us - recovery->meter.wire_us;
    work->meter.waited_us += meter->waited_us - recovery->meter.waited_us;
}

/* --- connect, identify, interlock --------------------------------------------------------- */

static int check_chip(struct programming *work)
{
    const struct chip *chip = work->order->chip;
    const struct board *board = &work->session->board;

    if (board->chip_id != chip->family->id)
        return error_set(work->error, FAILURE_CODE(FAILURE_WRONG_CHIP),
                         "chip id 0x%03x (%s) instead of 0x%03x (%s)", board->chip_id,
                         work->session->family ? work->session->family->name : "unknown", chip->family->id,
                         chip->family->name);
    if (board->flash_size && board->flash_size < chip->flash_size)
        return error_set(work->error, FAILURE_CODE(FAILURE_WRONG_CHIP),
                         "the chip has %u KiB of flash, %s has %u", board->flash_size >> 10, chip->name,
                         chip->flash_size >> 10);
    return 0;
}

/* Where no document gives the ordered chip a UID, what stands at its family's address identifies nobody. */
static void forget_doubtful_uid(struct programming *work)
{
    if (work->order->chip->no_uid)
        work->session->board.uid_size = 0;
}

static int connect_board(struct programming *work)
{
    struct session *session = work->session;
    int64_t run_deadline_us = session->deadline_us;
    int64_t limit_us = now_us(work) + CONNECT_LIMIT_US;
    int status;

    session->deadline_us = limit_us < run_deadline_us ? limit_us : run_deadline_us;
    status = session->protocol->connect(session, work->error);
    session->deadline_us = run_deadline_us;
    if (status < 0)
        return fail_as(work, FAILURE_PROTOCOL);
    work->report->baud = session->baud_proven;
    weigh_phases(work);
    status = session->protocol->identify(session, work->error);
    forget_doubtful_uid(work);
    work->report->board = session->board;
    work->report->family = session->family;
    if (status < 0)
        return fail_as(work, FAILURE_PROTOCOL);
    status = check_chip(work);
    if (status == 0 && session->board.read_protected && !work->order->unprotect)
        status = error_set(work->error, FAILURE_CODE(FAILURE_PROTECTED),
                           "the chip is read-protected; order with unprotect, which wipes it");
    return status;
}

static int interlock(struct programming *work)
{
    return work->watcher->interlock
               ? work->watcher->interlock(work->watcher->context, &work->session->board, work->error)
               : 0;
}

/* Removes read-out protection with the order's consent; only then UID and flash size can be read. */
static int open_protected(struct programming *work)
{
    struct session *session = work->session;

    work->touched = true;
    if (session->protocol->unprotect(session, work->error) < 0 ||
        session->protocol->identify(session, work->error) < 0)
        return fail_as(work, FAILURE_PROTECTED);
    forget_doubtful_uid(work);
    work->report->board = session->board;
    return check_chip(work) < 0 ? work->error->code : interlock(work);
}

/* Reading changes nothing, so a read that failed is repeated in step. */
static int read_patiently(struct programming *work, uint32_t address, uint8_t *bytes, uint32_t size)
{
    struct session *session = work->session;
    int status = session->protocol->read(session, address, bytes, size, work->error);

    for (int attempt = 1; attempt < READ_ATTEMPTS && status < 0 && recoverable(work, status); attempt++) {
        struct recovery recovery = begin_recovery(work);

        work->report->retries++;
        status = session->protocol->resync(session, work->error);
        if (status == 0)
            status = session->protocol->read(session, address, bytes, size, work->error);
        end_recovery(work, &recovery);
    }
    return status;
}

/* --- erase -------------------------------------------------------------------------------- */

static int erase_once(struct programming *work)
{
    struct session *session = work->session;

    return work->plan->erase_all ? session->protocol->erase_all(session, work->error)
                                 : session->protocol->erase(session, work->plan->sectors,
                                                            work->plan->sector_count, work->error);
}

/* An erase can be repeated without harm, so one that was refused is tried once more in step. */
static int erase_patiently(struct programming *work)
{
    struct recovery recovery;
    struct error first;
    int status = erase_once(work);

    if (status == 0 || !recoverable(work, status))
        return status;
    first = *work->error;
    recovery = begin_recovery(work);
    work->report->retries++;
    status = work->session->protocol->resync(work->session, work->error);
    if (status == 0) {
        status = erase_once(work);
        if (status < 0)
            *work->error = first;
    }
    end_recovery(work, &recovery);
    return status;
}

#define BLANK_SAMPLE 16

/* Bootloaders acknowledge an erase that write protection made a no-op. A look at the first and the last
 * page finds it before the whole image has been sent in vain; what it misses, verify finds. */
static int sample_blank(struct programming *work, const struct chip_sector *sector)
{
    uint8_t blank = work->order->chip->family->erased_value;
    uint8_t found[BLANK_SAMPLE];
    int status = read_patiently(work, sector->address, found, sizeof found);

    for (size_t i = 0; status == 0 && i < sizeof found; i++)
        if (found[i] != blank)
            return error_set(work->error, FAILURE_CODE(FAILURE_ERASE),
                             "page %u at 0x%08x is not blank after its erase: write-protected? Order with "
                             "unprotect to remove that",
                             sector->number, sector->address);
    return status;
}

static int erase_board(struct programming *work)
{
    const struct plan *plan = work->plan;
    int status = 0;

    work->touched = true;
    if (work->order->unprotect && work->session->protocol->write_unprotect)
        status = work->session->protocol->write_unprotect(work->session, work->error);
    if (status == 0)
        status = erase_patiently(work);
    if (status == 0)
        status = sample_blank(work, &plan->sectors[0]);
    if (status == 0 && plan->sector_count > 1)
        status = sample_blank(work, &plan->sectors[plan->sector_count - 1]);
    return status < 0 ? fail_as(work, FAILURE_ERASE) : 0;
}

/* --- write -------------------------------------------------------------------------------- */

static int write_once(struct programming *work, const struct plan_block *block)
{
    uint8_t bytes[256];

    image_read(work->order->image, block->address, bytes, block->size,
               work->order->chip->family->erased_value);
    return work->session->protocol->write(work->session, block->address, bytes, block->size, work->error);
}

enum landed { LANDED_ALL, LANDED_NOTHING, LANDED_PARTLY };

static int look_what_landed(struct programming *work, const struct plan_block *block, enum landed *landed)
{
    uint8_t wanted[256], found[256], blank[256];
    int status =
        work->session->protocol->read(work->session, block->address, found, block->size, work->error);

    if (status < 0)
        return status;
    image_read(work->order->image, block->address, wanted, block->size,
               work->order->chip->family->erased_value);
    memset(blank, work->order->chip->family->erased_value, sizeof blank);
    *landed = memcmp(found, wanted, block->size) == 0  ? LANDED_ALL
              : memcmp(found, blank, block->size) == 0 ? LANDED_NOTHING
                                                       : LANDED_PARTLY;
    return 0;
}

/* After a NACK or a time-out: get in step, and see. Never a blind retry: a second write into a cell that
 * took the first is an error on some families, and a lost ACK is no reason to write at all. */
static int recover_write(struct programming *work, const struct plan_block *block)
{
    struct error first = *work->error;
    enum landed landed = LANDED_PARTLY;
    int status;

    for (int attempt = 1; attempt < BLOCK_ATTEMPTS; attempt++) {
        work->report->retries++;
        log_info(&work->session->log, "%s; looking at what landed", first.text);
        status = work->session->protocol->resync(work->session, work->error);
        if (status == 0)
            status = look_what_landed(work, block, &landed);
        if (status < 0)
            return status;
        if (landed == LANDED_ALL)
            return 0;
        if (landed == LANDED_PARTLY)
            break;
        status = write_once(work, block);
        if (status == 0 || !recoverable(work, status))
            return status;
        first = *work->error;
    }
    *work->error = first;
    return error_reclass(work->error, FAILURE_CODE(FAILURE_WRITE));
}

static int write_block(struct programming *work, const struct plan_block *block)
{
    struct recovery recovery;
    int status = write_once(work, block);

    if (status == 0 || !recoverable(work, status))
        return status;
    recovery = begin_recovery(work);
    status = recover_write(work, block);
    end_recovery(work, &recovery);
    return status;
}

static int write_board(struct programming *work)
{
    const struct plan *plan = work->plan;

    for (size_t i = 0; i < plan->block_count; i++) {
        if (write_block(work, &plan->blocks[i]) < 0)
            return fail_as(work, FAILURE_WRITE);
        work->report->bytes_written += plan->blocks[i].size;
        tell_progress(work, work->report->bytes_written, plan->write_bytes);
    }
    return 0;
}

/* --- verify ------------------------------------------------------------------------------- */

static int differs_at(struct programming *work, uint32_t address, const uint8_t *wanted, const uint8_t *found,
                      uint32_t size)
{
    for (uint32_t i = 0; i < size; i++)
        if (wanted[i] != found[i])
            return error_set(work->error, FAILURE_CODE(FAILURE_VERIFY),
                             "verify at 0x%08x: 0x%02x instead of 0x%02x", address + i, found[i], wanted[i]);
    return 0;
}

static int read_back_range(struct programming *work, const struct image_range *range, uint32_t *done)
{
    uint32_t limit = work->order->chip->family->transfer_max;
    uint32_t step = limit && limit < work->session->protocol->transfer_max
                        ? limit
                        : work->session->protocol->transfer_max;
    uint8_t found[256];

    for (uint32_t at = 0; at < range->size;) {
        uint32_t size = step - (range->address + at) % step; /* up to the next aligned address */
        int status;

        size = size < range->size - at ? size : range->size - at;
        status = read_patiently(work, range->address + at, found, size);
        if (status == 0)
            status = differs_at(work, range->address + at, range->data + at, found, size);
        if (status < 0)
            return fail_as(work, FAILURE_VERIFY);
        (void)crypto_hash_sha256_update(&work->digest, found, size);
        at += size;
        *done += size;
        tell_progress(work, *done, work->plan->verify_bytes);
    }
    return 0;
}

static int verify_by_reading(struct programming *work)
{
    uint32_t done = 0;
    int status = 0;

    (void)crypto_hash_sha256_init(&work->digest);
    for (size_t i = 0; status == 0 && i < work->order->image->count; i++)
        status = read_back_range(work, &work->order->image->ranges[i], &done);
    if (status < 0)
        return status;
    (void)crypto_hash_sha256_final(&work->digest, work->report->digest);
    work->report->verify = VERIFY_READ_BACK;
    return 0;
}

/* -ENOTSUP: the chip cannot, or not for these ranges; nothing was decided. */
static int verify_by_checksum(struct programming *work)
{
    const struct image *image = work->order->image;
    struct session *session = work->session;

    for (size_t i = 0; i < image->count; i++) {
        const struct image_range *range = &image->ranges[i];
        int status =
            session->protocol->compare(session, range->address, range->data, range->size, work->error);

        if (status > 0)
            return error_set(work->error, FAILURE_CODE(FAILURE_VERIFY),
                             "verify: checksum of 0x%08x-0x%08x is wrong", range->address,
                             range->address + (range->size - 1));
        if (status < 0)
            return status;
    }
    /* The chip's sums are equal to those of the image, hence so is the digest as far as 32 bits can tell;
     * the record says which it was. */
    memcpy(work->report->digest, work->plan->digest, sizeof work->report->digest);
    work->report->verify = VERIFY_CHECKSUM;
    work->report->phases[PHASE_VERIFY].floor_us =
        plan_floor_us(work->plan, work->order, session->protocol, PHASE_VERIFY, work->report->baud, true);
    return 0;
}

static int verify_board(struct programming *work)
{
    int status = verify_by_checksum(work);

    if (status == 0 || failure_of(status) == FAILURE_VERIFY)
        return status;
    if (status != -ENOTSUP) {
        if (!recoverable(work, status) || work->session->protocol->resync(work->session, work->error) < 0)
            return fail_as(work, FAILURE_VERIFY);
        work->report->retries++;
    }
    return verify_by_reading(work);
}

/* --- the last steps ----------------------------------------------------------------------- */

static int write_option_bytes(struct programming *work)
{
    const struct order *order = work->order;
    struct session *session = work->session;
    uint8_t found[sizeof order->options[0].bytes];

    for (size_t i = 0; i < order->option_count; i++) {
        const struct order_option *option = &order->options[i];
        int status = session->protocol->write_options(session, option->address, option->bytes, option->size,
                                                      work->error);

        if (status == 0)
            status = read_patiently(work, option->address, found, option->size);
        if (status == 0 && memcmp(found, option->bytes, option->size) != 0)
            status = error_set(work->error, FAILURE_CODE(FAILURE_OPTION_BYTES),
                               "option bytes at 0x%08x read back different", option->address);
        if (status < 0)
            return fail_as(work, FAILURE_OPTION_BYTES);
    }
    return 0;
}

static int protect_board(struct programming *work)
{
    const struct protocol *protocol = work->session->protocol;
    int status = work->order->protect == PROTECTION_READ
                     ? protocol->protect(work->session, work->error)
                     : protocol->write_protect(work->session, work->plan->sectors, work->plan->sector_count,
                                               work->error);

    return status < 0 ? fail_as(work, FAILURE_LOCK) : 0;
}

static int run_board(struct programming *work)
{
    int status =
        work->session->protocol->run(work->session, work->order->chip->family->flash_base, work->error);

    return status < 0 ? fail_as(work, FAILURE_PROTOCOL) : 0;
}

static int do_phase(struct programming *work, enum phase_name phase,
                    int (*phase_function)(struct programming *))
{
    int status;

    begin_phase(work, phase);
    status = phase_function(work);
    end_phase(work);
    if (status < 0 && now_us(work) >= work->session->deadline_us && failure_of(status) == FAILURE_TIMEOUT)
        status = out_of_time(work);
    return status;
}

static int reserve(struct programming *work)
{
    return work->watcher->reserve(work->watcher->context, &work->session->board, work->error);
}

static int program_steps(struct programming *work)
{
    const struct order *order = work->order;
    bool was_protected;
    int status = do_phase(work, PHASE_CONNECT, connect_board);

    was_protected = work->session->board.read_protected;
    if (status == 0)
        status = interlock(work);
    if (status == 0)
        status = reserve(work);
    if (status == 0 && was_protected)
        status = do_phase(work, PHASE_ERASE, open_protected);
    if (status == 0)
        status = do_phase(work, PHASE_ERASE, erase_board);
    if (status == 0)
        status = do_phase(work, PHASE_WRITE, write_board);
    if (status == 0)
        status = do_phase(work, PHASE_VERIFY, verify_board);
    if (status == 0 && order->option_count)
        status = do_phase(work, PHASE_OPTIONS, write_option_bytes);
    if (status == 0 && order->protect != PROTECTION_NONE)
        status = do_phase(work, PHASE_PROTECT, protect_board);
    if (status == 0 && order->run)
        status = do_phase(work, PHASE_RUN, run_board);
    return status;
}

int program_board(struct session *session, const struct order *order, const struct plan *plan,
                  const struct program_watcher *watcher, struct report *report)
{
    struct programming work = {.session = session,
                               .order = order,
                               .plan = plan,
                               .watcher = watcher,
                               .report = report,
                               .error = &report->error};
    int status;

    *report = (struct report){.outcome = OUTCOME_PASS};
    session->deadline_us = port_now_us(session->port) + plan->timeout_us;
    status = program_steps(&work);
    if (status < 0) {
        report->failure = failure_of(status);
        report->outcome = work.touched ? OUTCOME_FAIL : OUTCOME_ABORTED;
    } else {
        report->error = ERROR_NONE; /* of what was tried and could be done without */
    }
    /* Clean-up has its own time: the deadline may be the reason why we are here. */
    session->deadline_us = port_now_us(session->port) + 1000000;
    session->protocol->disconnect(session);
    return status;
}
