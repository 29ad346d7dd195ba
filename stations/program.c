/* SPDX-License-Identifier: Apache-2.0 */
#include "programming.h"

#include "alloc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define READ_ATTEMPTS    3
#define CONNECT_LIMIT_US 15000000

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
    case VERIFY_TWICE:
        return "programmed-twice";
    case VERIFY_LEARNED:
        return "learned-sums";
    }
    return "";
}

/* --- phases, time, progress --------------------------------------------------------------- */

static int64_t now_us(const struct programming *work)
{
    return port_now_us(work->session->port);
}

static int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* A phase may be entered twice (a protected chip is opened, then erased): each time adds its own part. */
static void end_phase(struct programming *work)
{
    struct phase_report *report = &work->report->phases[work->phase];
    const struct port_meter *meter = &work->session->port->meter;
    int64_t measured_us = now_us(work) - work->began_us;
    int64_t normal_us = measured_us - (report->retry_us - work->retry_us);
    /* Bytes of an unpaced simulation take no time: the line cannot have had more than there was. */
    int64_t wire_us = least(meter->wire_us - work->meter.wire_us, normal_us);
    int64_t waited_us = least(meter->waited_us - work->meter.waited_us, normal_us);

    report->measured_us += measured_us;
    report->wire_us += wire_us;
    report->host_us += least(normal_us - waited_us, normal_us - wire_us);
    report->target_us = report->measured_us - report->wire_us - report->host_us - report->retry_us;
}

void programming_progress(struct programming *work, uint32_t done, uint32_t total)
{
    int64_t before_us = 0;
    unsigned percent;

    done = done < total ? done : total; /* a range counts its blank parts, and teaching writes twice */
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
    work->retry_us = work->report->phases[phase].retry_us;
    work->report->phases[phase].entered = true;
    programming_progress(work, 0, 0);
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

int programming_failed(struct programming *work, enum failure failure)
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
bool programming_recoverable(const struct programming *work, int status)
{
    return (status == -EBADMSG || status == -ETIMEDOUT || status == -EPROTO) &&
           now_us(work) < work->session->deadline_us;
}

struct recovery programming_begin_recovery(const struct programming *work)
{
    return (struct recovery){.began_us = now_us(work), .meter = work->session->port->meter};
}

/* Books the time since programming_begin_recovery() as retry, and as nothing else. */
void programming_end_recovery(struct programming *work, const struct recovery *recovery)
{
    const struct port_meter *meter = &work->session->port->meter;

    work->report->phases[work->phase].retry_us += now_us(work) - recovery->began_us;
    work->meter.wire_us += meter->wire_us - recovery->meter.wire_us;
    work->meter.waited_us += meter->waited_us - recovery->meter.waited_us;
}

/* --- connect, identify, interlock --------------------------------------------------------- */

static bool has_id(const struct chip_family *family, uint32_t id)
{
    const uint32_t *other = family->other_ids;

    while (other && *other && *other != id)
        other++;
    return id == family->id || (other && *other);
}

/* A loader that lives in the flash would be overwritten under its own feet. */
static int check_loader(struct programming *work)
{
    const struct chip_span *loader = &work->session->board.loader;
    const struct plan *plan = work->plan;

    for (size_t i = 0; loader->size && i < plan->sector_count; i++) {
        const struct chip_sector *sector = &plan->sectors[i];

        if (sector->address < loader->address + loader->size &&
            loader->address < sector->address + sector->size)
            return error_set(work->error, FAILURE_CODE(FAILURE_DATA),
                             "the image reaches 0x%08x, where the loader itself lives (0x%08x-0x%08x): leave "
                             "it out of the image",
                             sector->address, loader->address, loader->address + (loader->size - 1));
    }
    return 0;
}

static int check_eeprom(struct programming *work)
{
    const struct plan *plan = work->plan;

    for (size_t i = 0; work->session->board.no_eeprom && i < plan->block_count; i++)
        if (chip_is_eeprom(work->order->chip, plan->blocks[i].address))
            return error_set(
                work->error, FAILURE_CODE(FAILURE_DATA),
                "the image has EEPROM data (0x%08x), which this board's loader cannot write: leave "
                "it out of the image, or replace the loader",
                plan->blocks[i].address);
    return 0;
}

static int check_chip(struct programming *work)
{
    const struct chip *chip = work->order->chip;
    const struct board *board = &work->session->board;

    if (!has_id(chip->family, board->chip_id))
        return error_set(work->error, FAILURE_CODE(FAILURE_WRONG_CHIP),
                         "chip id 0x%03x (%s) instead of 0x%03x (%s)", board->chip_id,
                         work->session->family ? work->session->family->name : "unknown", chip->family->id,
                         chip->family->name);
    if (board->flash_size && board->flash_size < chip->flash_size)
        return error_set(work->error, FAILURE_CODE(FAILURE_WRONG_CHIP),
                         "the chip has %u KiB of flash, %s has %u", board->flash_size >> 10, chip->name,
                         chip->flash_size >> 10);
    return check_loader(work) < 0 ? work->error->code : check_eeprom(work);
}

/* Where no document gives the ordered chip a UID, what stands at its family's address identifies nobody. */
static void forget_doubtful_uid(struct programming *work)
{
    if (work->order->chip->no_uid)
        work->session->board.uid_size = 0;
}

static int check_protection(struct programming *work)
{
    const struct session *session = work->session;

    if (!session->board.read_protected || (work->order->unprotect && session->protocol->unprotect))
        return 0;
    return error_set(work->error, FAILURE_CODE(FAILURE_PROTECTED), "the chip is read-protected; %s",
                     session->protocol->unprotect ? "order with unprotect, which wipes it"
                                                  : "this loader cannot remove that");
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
    /* What gets back into step later is no contact sought. */
    work->report->link.attempts = session->link.attempts ? session->link.attempts : 1;
    if (status < 0)
        return programming_failed(work, FAILURE_PROTOCOL);
    work->report->baud = session->baud_proven;
    weigh_phases(work);
    status = session->protocol->identify(session, work->error);
    forget_doubtful_uid(work);
    work->report->board = session->board;
    work->report->family = session->family;
    if (status < 0)
        return programming_failed(work, FAILURE_PROTOCOL);
    status = check_chip(work);
    return status < 0 ? status : check_protection(work);
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
        return programming_failed(work, FAILURE_PROTECTED);
    forget_doubtful_uid(work);
    work->report->board = session->board;
    return check_chip(work) < 0 ? work->error->code : interlock(work);
}

void programming_fill_hidden(const struct programming *work, uint32_t address, uint8_t *found,
                             const uint8_t *wanted, uint32_t size)
{
    const struct chip_span *hidden = &work->session->board.hidden;

    for (uint32_t i = 0; i < size; i++)
        if (address + i - hidden->address < hidden->size)
            found[i] = wanted[i];
}

/* Reading changes nothing, so a read that failed is repeated in step. */
int programming_read(struct programming *work, uint32_t address, uint8_t *bytes, uint32_t size)
{
    struct session *session = work->session;
    int status = session->protocol->read(session, address, bytes, size, work->error);

    for (int attempt = 1; attempt < READ_ATTEMPTS && status < 0 && programming_recoverable(work, status);
         attempt++) {
        struct recovery recovery = programming_begin_recovery(work);

        work->report->retries++;
        status = session->protocol->resync(session, work->error);
        session->link.resends += status == 0;
        if (status == 0)
            status = session->protocol->read(session, address, bytes, size, work->error);
        programming_end_recovery(work, &recovery);
    }
    return status;
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

        if (status < 0)
            return programming_failed(work, FAILURE_OPTION_BYTES);
        if (!session->protocol->read) /* then the protocol has checked them by its own means */
            continue;
        status = programming_read(work, option->address, found, option->size);
        if (status == 0 && memcmp(found, option->bytes, option->size) != 0)
            status = error_set(work->error, FAILURE_CODE(FAILURE_OPTION_BYTES),
                               "option bytes at 0x%08x read back different", option->address);
        if (status < 0)
            return programming_failed(work, FAILURE_OPTION_BYTES);
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

    return status < 0 ? programming_failed(work, FAILURE_LOCK) : 0;
}

static int run_board(struct programming *work)
{
    const struct protocol *protocol = work->session->protocol;
    int status = protocol->run
                     ? protocol->run(work->session, work->order->chip->family->flash_base, work->error)
                     : 0; /* disconnecting is all it takes */

    return status < 0 ? programming_failed(work, FAILURE_PROTOCOL) : 0;
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

/* A loader that unpacks what it gets needs fewer bytes on the wire than the image has. */
static void lower_write_floor(struct programming *work)
{
    struct phase_report *report = &work->report->phases[PHASE_WRITE];
    int64_t packed_us = report->wire_us + plan_chip_us(work->plan, work->order);

    if (work->session->protocol->packs && packed_us < report->floor_us)
        report->floor_us = packed_us;
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
        status = do_phase(work, PHASE_ERASE, program_erase);
    if (status == 0)
        status = do_phase(work, PHASE_WRITE, program_write);
    lower_write_floor(work);
    if (status == 0)
        status = do_phase(work, PHASE_VERIFY, program_verify);
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
                               .error = &report->error,
                               .wanted = allocate(2, PROTOCOL_TRANSFER_MAX)};
    int status;

    work.found = work.wanted + PROTOCOL_TRANSFER_MAX;

    *report = (struct report){.outcome = OUTCOME_PASS};
    session->deadline_us = port_now_us(session->port) + plan->timeout_us;
    status = program_steps(&work);
    report->link.naks = session->link.naks;
    report->link.resends = session->link.resends;
    if (status < 0) {
        report->failure = failure_of(status);
        report->outcome = work.touched ? OUTCOME_FAIL : OUTCOME_ABORTED;
    } else {
        report->error = ERROR_NONE; /* of what was tried and could be done without */
    }
    /* Clean-up has its own time: the deadline may be the reason why we are here. */
    session->deadline_us = port_now_us(session->port) + 1000000;
    session->protocol->disconnect(session);
    sodium_memzero(work.wanted, (size_t)2 * PROTOCOL_TRANSFER_MAX); /* a key may have passed through */
    free(work.wanted);
    return status;
}
