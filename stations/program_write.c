/* SPDX-License-Identifier: Apache-2.0 */
/* Erasing and writing one board, and what is done when that goes wrong: never a blind retry where a second
 * look is possible. */
#include "programming.h"

#include "alloc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_ATTEMPTS 3

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

    if (status == 0 || !programming_recoverable(work, status))
        return status;
    first = *work->error;
    recovery = programming_begin_recovery(work);
    work->report->retries++;
    status = work->session->protocol->resync(work->session, work->error);
    if (status == 0) {
        work->session->link.resends++;
        status = erase_once(work);
        if (status < 0)
            *work->error = first;
    }
    programming_end_recovery(work, &recovery);
    return status;
}

#define BLANK_SAMPLE 16

/* Bootloaders acknowledge an erase that write protection made a no-op. A look at the first and the last
 * page finds it before the whole image has been sent in vain; what it misses, verify finds. */
static int sample_blank(struct programming *work, const struct chip_sector *sector)
{
    const struct chip_span *hidden = &work->session->board.hidden;
    uint8_t blank = work->order->chip->family->erased_value;
    uint32_t skip = sector->address == hidden->address ? hidden->size : 0;
    uint8_t found[BLANK_SAMPLE];
    int status = programming_read(work, sector->address + skip, found, sizeof found);

    for (size_t i = 0; status == 0 && i < sizeof found; i++)
        if (found[i] != blank)
            return error_set(work->error, FAILURE_CODE(FAILURE_ERASE),
                             "page %u at 0x%08x is not blank after its erase: write-protected? Order with "
                             "unprotect to remove that",
                             sector->number, sector->address);
    return status;
}

static int erase_and_sample(struct programming *work)
{
    const struct plan *plan = work->plan;
    int status = erase_patiently(work);

    if (status < 0 || !work->session->protocol->read)
        return status;
    status = sample_blank(work, &plan->sectors[0]);
    if (status == 0 && plan->sector_count > 1)
        status = sample_blank(work, &plan->sectors[plan->sector_count - 1]);
    return status;
}

int program_erase(struct programming *work)
{
    const struct protocol *protocol = work->session->protocol;
    int status = 0;

    work->touched = true;
    if (work->order->unprotect && protocol->write_unprotect)
        status = protocol->write_unprotect(work->session, work->error);
    if (status == 0 && !protocol_erases_by_writing(protocol))
        status = erase_and_sample(work);
    return status < 0 ? programming_failed(work, FAILURE_ERASE) : 0;
}

/* --- write -------------------------------------------------------------------------------- */

static void read_image(const struct programming *work, const struct plan_block *block)
{
    (void)image_read(work->order->image, block->address, work->wanted, block->size,
                     work->order->chip->family->erased_value);
}

static int write_once(struct programming *work, const struct plan_block *block)
{
    read_image(work, block);
    return work->session->protocol->write(work->session, block->address, work->wanted, block->size,
                                          work->error);
}

enum landed { LANDED_ALL, LANDED_NOTHING, LANDED_PARTLY };

/* Whether a block may be written over whatever is there now. */
static bool rewritable(const struct programming *work, const struct plan_block *block)
{
    return protocol_erases_by_writing(work->session->protocol) ||
           chip_is_eeprom(work->order->chip, block->address);
}

static bool all_equal(const uint8_t *bytes, uint32_t size, uint8_t value)
{
    for (uint32_t i = 0; i < size; i++)
        if (bytes[i] != value)
            return false;
    return true;
}

/* Nothing of the block can be looked at. */
static bool all_hidden(const struct programming *work, const struct plan_block *block)
{
    const struct chip_span *hidden = &work->session->board.hidden;
    uint32_t at = block->address - hidden->address;

    return at < hidden->size && block->size <= hidden->size - at;
}

static int look_what_landed(struct programming *work, const struct plan_block *block, enum landed *landed)
{
    const struct protocol *protocol = work->session->protocol;
    uint8_t blank = work->order->chip->family->erased_value;
    int status;

    /* A chip that cannot be read checks each write itself, and the same data over itself changes nothing. */
    *landed = LANDED_NOTHING;
    if (!protocol->read)
        return 0;
    status = protocol->read(work->session, block->address, work->found, block->size, work->error);
    if (status < 0)
        return status;
    read_image(work, block);
    programming_fill_hidden(work, block->address, work->found, work->wanted, block->size);
    if (!all_hidden(work, block) && memcmp(work->found, work->wanted, block->size) == 0) {
        *landed = LANDED_ALL;
        return 0;
    }
    memset(work->wanted, blank, block->size);
    programming_fill_hidden(work, block->address, work->found, work->wanted, block->size);
    if (!rewritable(work, block) && !all_equal(work->found, block->size, blank))
        *landed = LANDED_PARTLY;
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
        work->session->link.resends++;
        status = write_once(work, block);
        if (status == 0 || !programming_recoverable(work, status))
            return status;
        first = *work->error;
    }
    *work->error = first;
    return error_reclass(work->error, FAILURE_CODE(FAILURE_WRITE));
}

int programming_write_block(struct programming *work, const struct plan_block *block)
{
    struct recovery recovery;
    int status = write_once(work, block);

    if (status == 0 || !programming_recoverable(work, status))
        return status;
    recovery = programming_begin_recovery(work);
    status = recover_write(work, block);
    programming_end_recovery(work, &recovery);
    return status;
}

/* --- whole ranges ------------------------------------------------------------------------- */

static void on_advanced(void *context, uint32_t done)
{
    struct programming *work = context;

    programming_progress(work, work->report->bytes_written + done, work->plan->write_bytes);
}

static int range_once(struct programming *work, const struct image_range *range)
{
    struct session *session = work->session;
    int status;

    session->advanced = on_advanced;
    session->advanced_context = work;
    status = session->protocol->write_range(session, range->address, range->data, range->size, work->error);
    session->advanced = NULL;
    return status;
}

/* A range that erases itself can be sent again from its start, which is all that such loaders understand. */
static int range_patiently(struct programming *work, const struct image_range *range)
{
    struct recovery recovery;
    int status = range_once(work, range);

    if (status == 0 || !programming_recoverable(work, status) ||
        !protocol_erases_by_writing(work->session->protocol))
        return status;
    recovery = programming_begin_recovery(work);
    work->report->retries++;
    log_info(&work->session->log, "%s; sending the range again", work->error->text);
    status = work->session->protocol->resync(work->session, work->error);
    work->session->link.resends += status == 0;
    if (status == 0)
        status = range_once(work, range);
    programming_end_recovery(work, &recovery);
    return status;
}

static bool block_in(const struct plan_block *block, const struct image_range *range)
{
    return (uint64_t)block->address < (uint64_t)range->address + range->size &&
           (uint64_t)range->address < (uint64_t)block->address + block->size;
}

/* Whether all that a block has of the image went with whole ranges: `taken[i]` tells which those were. Two
 * may meet in one block. */
static bool block_sent(const struct programming *work, const struct plan_block *block, const bool *taken)
{
    const struct image *image = work->order->image;
    bool sent = false;

    for (size_t i = 0; i < image->count; i++)
        if (block_in(block, &image->ranges[i])) {
            if (!taken[i])
                return false;
            sent = true;
        }
    return sent;
}

static void count_sent(struct programming *work, const struct image_range *range, const bool *taken)
{
    for (size_t i = 0; i < work->plan->block_count; i++) {
        const struct plan_block *block = &work->plan->blocks[i];

        if (block_in(block, range) && block_sent(work, block, taken))
            work->report->bytes_written += block->size;
    }
}

/* Sends what the protocol takes as whole ranges. */
static int write_ranges(struct programming *work, bool *taken)
{
    const struct image *image = work->order->image;

    for (size_t i = 0; i < image->count; i++) {
        const struct image_range *range = &image->ranges[i];
        int status =
            chip_is_eeprom(work->order->chip, range->address) ? -ENOTSUP : range_patiently(work, range);

        if (status == -ENOTSUP)
            continue;
        if (status < 0)
            return status;
        taken[i] = true;
        count_sent(work, range, taken);
    }
    return 0;
}

static int write_blocks(struct programming *work, const bool *taken)
{
    const struct plan *plan = work->plan;

    for (size_t i = 0; i < plan->block_count; i++) {
        int status;

        if (block_sent(work, &plan->blocks[i], taken))
            continue;
        status = programming_write_block(work, &plan->blocks[i]);
        if (status < 0)
            return status;
        work->report->bytes_written += plan->blocks[i].size;
        programming_progress(work, work->report->bytes_written, plan->write_bytes);
    }
    return 0;
}

int program_write(struct programming *work)
{
    bool *taken = allocate(work->order->image->count, sizeof *taken);
    int status = 0;

    work->touched = true;
    if (work->session->protocol->write_range)
        status = write_ranges(work, taken);
    if (status == 0)
        status = write_blocks(work, taken);
    free(taken);
    return status < 0 ? programming_failed(work, FAILURE_WRITE) : 0;
}
