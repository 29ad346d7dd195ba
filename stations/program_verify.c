/* SPDX-License-Identifier: Apache-2.0 */
/* Whether the image is on the chip: by a checksum that the chip makes, by reading it back, or, on a chip that
 * can do neither, by a sum of the chip's own that another unit has taught. */
#include "programming.h"

#include "alloc.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* --- by reading back ---------------------------------------------------------------------- */

static int differs_at(struct programming *work, uint32_t address, const uint8_t *wanted, const uint8_t *found,
                      uint32_t size)
{
    for (uint32_t i = 0; i < size; i++)
        if (wanted[i] != found[i])
            return error_set(work->error, FAILURE_CODE(FAILURE_VERIFY),
                             "verify at 0x%08x: 0x%02x instead of 0x%02x", address + i, found[i], wanted[i]);
    return 0;
}

/* A blank page is not written by a loader that has no erase of its own, in the hope that it is blank already.
 * Where it is not, it is written now, if the loader can. 1: done, read again. */
static int write_blank_page(struct programming *work, uint32_t address)
{
    const struct plan *plan = work->plan;
    uint32_t step = plan_transfer_size(work->order, work->session->protocol);
    struct plan_block page = {.address = address - address % step, .size = step};
    int status;

    if (!protocol_erases_by_writing(work->session->protocol) || chip_is_eeprom(work->order->chip, address))
        return 0;
    for (size_t i = 0; i < plan->block_count; i++)
        if (plan->blocks[i].address <= address && address - plan->blocks[i].address < plan->blocks[i].size)
            return 0;
    status = programming_write_block(work, &page);
    if (status < 0)
        return status == -ENOTSUP ? 0 : status;
    work->report->bytes_written += step;
    return 1;
}

static int read_piece(struct programming *work, const struct image_range *range, uint32_t at, uint32_t size)
{
    uint32_t address = range->address + at;
    int status = programming_read(work, address, work->found, size);

    if (status == 0)
        programming_fill_hidden(work, address, work->found, range->data + at, size);
    if (status == 0 && memcmp(work->found, range->data + at, size) != 0) {
        status = write_blank_page(work, address);
        if (status > 0)
            status = programming_read(work, address, work->found, size);
    }
    return status < 0 ? status : differs_at(work, address, range->data + at, work->found, size);
}

static int read_back_range(struct programming *work, const struct image_range *range, uint32_t *done)
{
    uint32_t step = plan_transfer_size(work->order, work->session->protocol);

    for (uint32_t at = 0; at < range->size;) {
        uint32_t size = step - (range->address + at) % step; /* up to the next aligned address */

        size = size < range->size - at ? size : range->size - at;
        if (read_piece(work, range, at, size) < 0)
            return programming_failed(work, FAILURE_VERIFY);
        (void)crypto_hash_sha256_update(&work->digest, work->found, size);
        at += size;
        *done += size;
        programming_progress(work, *done, work->plan->verify_bytes);
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

/* --- by the chip's own checksum ----------------------------------------------------------- */

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
    /* The chip's sums are equal to those of the image, hence so is the digest as far as they can tell; the
     * record says which it was. */
    memcpy(work->report->digest, work->plan->digest, sizeof work->report->digest);
    work->report->verify = VERIFY_CHECKSUM;
    work->report->phases[PHASE_VERIFY].floor_us =
        plan_floor_us(work->plan, work->order, session->protocol, PHASE_VERIFY, work->report->baud, true);
    return 0;
}

/* --- by learned sums ---------------------------------------------------------------------- */

static int read_sums(struct programming *work, struct sector_sum *sums)
{
    struct session *session = work->session;

    for (size_t i = 0; i < work->plan->sector_count; i++) {
        const struct chip_sector *sector = &work->plan->sectors[i];
        int status = session->protocol->sum(session, sector, &sums[i].sum, work->error);

        if (status < 0)
            return programming_failed(work, FAILURE_VERIFY);
        sums[i].address = sector->address;
        programming_progress(work, (uint32_t)i + 1, (uint32_t)work->plan->sector_count);
    }
    return 0;
}

static int compare_sums(struct programming *work, const struct sector_sum *wanted,
                        const struct sector_sum *found, const char *whose)
{
    for (size_t i = 0; i < work->plan->sector_count; i++)
        if (wanted[i].sum != found[i].sum)
            return error_set(work->error, FAILURE_CODE(FAILURE_VERIFY),
                             "verify: the sum of the sector at 0x%08x is 0x%08" PRIx32
                             " instead of %s 0x%08" PRIx32,
                             found[i].address, found[i].sum, whose, wanted[i].sum);
    return 0;
}

/* Whether the image leaves a sector as an erase does. */
static bool leaves_blank(struct programming *work, const struct chip_sector *sector)
{
    uint8_t blank = work->order->chip->family->erased_value;

    for (uint32_t at = 0; at < sector->size; at += PROTOCOL_TRANSFER_MAX) {
        uint32_t left = sector->size - at, size = left < PROTOCOL_TRANSFER_MAX ? left : PROTOCOL_TRANSFER_MAX;

        (void)image_read(work->order->image, sector->address + at, work->wanted, size, blank);
        for (uint32_t i = 0; i < size; i++)
            if (work->wanted[i] != blank)
                return false;
    }
    return true;
}

/* An erase that was only acknowledged shows in a sum that stays: then writing may be as idle, and sums that
 * are equal twice say nothing. */
static int check_erased(struct programming *work, const struct sector_sum *once, struct sector_sum *erased)
{
    int status = read_sums(work, erased);

    for (size_t i = 0; status == 0 && i < work->plan->sector_count; i++)
        if (erased[i].sum == once[i].sum && !leaves_blank(work, &work->plan->sectors[i]))
            return error_set(work->error, FAILURE_CODE(FAILURE_VERIFY),
                             "verify: the sum of the sector at 0x%08x (0x%08" PRIx32
                             ") did not change when it was erased: is it protected?",
                             erased[i].address, erased[i].sum);
    return status;
}

/* Who was taught at another station meanwhile has sums to be measured by, too. */
static int compare_with_others(struct programming *work, const struct sector_sum *again,
                               struct sector_sum *others)
{
    const struct program_watcher *watcher = work->watcher;
    size_t count = work->plan->sector_count;

    memcpy(others, again, count * sizeof *others); /* for the addresses */
    if (!watcher->known_sums || !watcher->known_sums(watcher->context, others, count))
        return 0;
    return compare_sums(work, others, again, "another unit's");
}

/* What teaching adds to the floor of a single look: an erase, a write, and two more looks. */
static void raise_verify_floor(struct programming *work)
{
    struct phase_report *phases = work->report->phases;

    phases[PHASE_VERIFY].floor_us +=
        2 * phases[PHASE_VERIFY].floor_us + phases[PHASE_ERASE].floor_us + phases[PHASE_WRITE].floor_us;
}

/* Nobody has taught the sums of this content yet. A unit that gives the same ones after it was erased and
 * written a second time, and others in between, holds, as far as can be known without reading, what was sent
 * twice. */
static int teach_sums(struct programming *work, const struct sector_sum *once)
{
    const struct program_watcher *watcher = work->watcher;
    size_t count = work->plan->sector_count;
    struct sector_sum *again = allocate(2 * count, sizeof *again), *other = again + count;
    int status;

    raise_verify_floor(work);
    status = program_erase(work);
    if (status == 0)
        status = check_erased(work, once, other);
    if (status == 0)
        status = program_write(work);
    if (status == 0)
        status = read_sums(work, again);
    if (status == 0)
        status = compare_sums(work, once, again, "the first time's");
    if (status == 0)
        status = compare_with_others(work, again, other);
    if (status == 0) {
        work->report->verify = VERIFY_TWICE;
        if (watcher->learn_sums)
            watcher->learn_sums(watcher->context, again, count);
    }
    free(again);
    return status;
}

static int verify_by_sums(struct programming *work)
{
    const struct program_watcher *watcher = work->watcher;
    size_t count = work->plan->sector_count;
    struct sector_sum *sums = allocate(2 * count, sizeof *sums), *taught = sums + count;
    int status = read_sums(work, sums);

    memcpy(taught, sums, count * sizeof *sums); /* for the addresses */
    if (status == 0 && watcher->known_sums && watcher->known_sums(watcher->context, taught, count)) {
        status = compare_sums(work, taught, sums, "the learned");
        work->report->verify = status == 0 ? VERIFY_LEARNED : VERIFY_NONE;
    } else if (status == 0) {
        status = teach_sums(work, sums);
    }
    free(sums);
    if (status == 0)
        memcpy(work->report->digest, work->plan->digest, sizeof work->report->digest);
    return status;
}

/* --- which -------------------------------------------------------------------------------- */

/* An image that lies wholly where the loader shows something else would pass without one byte of it having
 * been looked at. */
static int check_sight(struct programming *work)
{
    const struct chip_span *hidden = &work->session->board.hidden;

    for (size_t i = 0; i < work->order->image->count; i++) {
        const struct image_range *range = &work->order->image->ranges[i];
        uint32_t at = range->address - hidden->address;

        if (at >= hidden->size || range->size > hidden->size - at)
            return 0;
    }
    return error_set(
        work->error, FAILURE_CODE(FAILURE_VERIFY),
        "verify: the loader hides 0x%08x-0x%08x, where all of the image is: nothing of it can be "
        "looked at; fill the image up with bytes behind that",
        hidden->address, hidden->address + (hidden->size - 1));
}

int program_verify(struct programming *work)
{
    const struct protocol *protocol = work->session->protocol;
    int status = check_sight(work);

    if (status < 0)
        return status;
    status = protocol->compare ? verify_by_checksum(work) : -ENOTSUP;
    if (status == 0 || failure_of(status) == FAILURE_VERIFY)
        return status;
    if (status != -ENOTSUP) {
        if (!programming_recoverable(work, status) || protocol->resync(work->session, work->error) < 0)
            return programming_failed(work, FAILURE_VERIFY);
        work->report->retries++;
    }
    if (protocol->read)
        return verify_by_reading(work);
    if (protocol->sum)
        return verify_by_sums(work);
    if (!protocol->compare)
        return error_set(work->error, FAILURE_CODE(FAILURE_VERIFY),
                         "verify: %s has no way to look at what was written", protocol->name);
    if (status == -ENOTSUP)
        return error_reclass(work->error, FAILURE_CODE(FAILURE_VERIFY));
    status = verify_by_checksum(work);
    return status < 0 ? programming_failed(work, FAILURE_VERIFY) : 0;
}
