/* SPDX-License-Identifier: Apache-2.0 */
/* One pass on the wire for many units: rs485_isp.md section 5.
 *
 * Sessions that come to write the same bytes gather on the line. The first one leads when all who are on
 * their way have come, or after three seconds: it makes the others' units members of a group with a new
 * number, and sends each block once to all. Then every session asks its own unit what it has missed. Who is
 * alone, or has other bytes, writes block by block by turns. */
#include "rs485_isp.h"

#include "bytes.h"
#include "port_rs485.h"

#include <errno.h>
#include <string.h>

#define MS           1000
#define BLOCKS_LEAST 4u /* a pass of fewer costs more than it saves */
#define BLOCKS_MOST  128u
#define STATUS_LEAST 6u
#define LOT          8u /* blocks between looks whether they arrive */

enum {
    GATHER_US = 3000 * MS, /* how long the first one waits for the others */
    LOOK_US = 500 * MS,
    SLACK_STEP_US = 5 * MS,
    SLACK_MOST_US = 30 * MS,
};

enum gather_state {
    GATHER_WAITING,
    GATHER_CLAIMED, /* somebody leads */
    GATHER_DONE,    /* the pass is over: look what was missed */
    GATHER_ALONE,   /* by turns */
};

/* One session that waits in write_range(); lives on its fiber's stack. */
struct gather {
    struct list node;
    struct session *session;
    uint32_t address, size;
    const uint8_t *bytes;
    uint32_t block; /* of the pass */
    int64_t since_us;
    enum gather_state state;
    const struct gather *leader; /* of the pass it is claimed for; there may be another with other bytes */
};

static struct gather *gather_of(struct list *node)
{
    return LIST_ENTRY(node, struct gather, node);
}

bool isp_gathered(const struct isp_line *line, uint8_t address)
{
    LIST_EACH (node, &line->gathering) {
        if (isp_of(gather_of(node)->session)->address == address)
            return true;
    }
    return false;
}

static bool in_pass_of(const struct gather *gather, const struct gather *leader)
{
    return gather->state == GATHER_CLAIMED && gather->leader == leader;
}

static uint32_t block_count(const struct gather *gather)
{
    return (gather->size + gather->block - 1) / gather->block;
}

static uint32_t block_size(const struct gather *gather, uint32_t number)
{
    uint32_t left = gather->size - number * gather->block;

    return left < gather->block ? left : gather->block;
}

/* What the erase has left there already need not be sent. */
static bool is_blank(const struct gather *gather, uint32_t number)
{
    uint8_t blank = gather->session->family->erased_value;
    const uint8_t *bytes = gather->bytes + (size_t)number * gather->block;

    for (uint32_t i = 0; i < block_size(gather, number); i++)
        if (bytes[i] != blank)
            return false;
    return true;
}

/* --- the leader --------------------------------------------------------------------------- */

static bool same_work(const struct gather *one, const struct gather *other)
{
    return one->address == other->address && one->size == other->size &&
           memcmp(one->bytes, other->bytes, one->size) == 0;
}

static void send_alone(struct gather *gather)
{
    gather->state = GATHER_ALONE;
    port_rs485_wake(gather->session->port);
}

/* JOIN, with a number that no unit can have from before. */
static int join(struct session *session, const struct gather *gather, uint8_t group, struct error *error)
{
    uint8_t data[6] = {group, 0, 0, (uint8_t)gather->block};
    const struct request request = {.address = isp_of(gather->session)->address,
                                    .command = ISP_JOIN,
                                    .data = data,
                                    .size = sizeof data,
                                    .what = "JOIN"};
    struct answer answer;
    int status;

    put_be16(data + 1, (uint16_t)gather->address);
    put_be16(data + 4, (uint16_t)block_count(gather));
    status = isp_ask(session, &request, &answer, error);
    unit_of(session, request.address)->joined = status == 0;
    return status;
}

/* The next one that is claimed and has not been looked at; sessions may leave while we wait. */
static struct gather *next_unjoined(struct isp_line *line, const struct gather *leader, const bool *looked_at)
{
    LIST_EACH (node, &line->gathering) {
        struct gather *gather = gather_of(node);

        if (in_pass_of(gather, leader) && !looked_at[isp_of(gather->session)->address])
            return gather;
    }
    return NULL;
}

static unsigned claimed(const struct isp_line *line, const struct gather *leader)
{
    unsigned count = 0;

    LIST_EACH (node, &line->gathering) {
        count += in_pass_of(gather_of(node), leader);
    }
    return count;
}

static int join_all(const struct gather *leader, uint8_t group, struct error *error)
{
    struct session *session = leader->session;
    struct isp_line *line = isp_of(session)->line;
    bool looked_at[ADDRESSES] = {false};
    struct gather *gather;

    while ((gather = next_unjoined(line, leader, looked_at)) != NULL) {
        uint8_t address = isp_of(gather->session)->address;
        int status = join(session, gather, group, error);

        looked_at[address] = true;
        if (status == -ECANCELED || status == -ENODEV)
            return status;
        if (status == 0)
            continue;
        log_info(&session->log, "unit %u takes no part: %s", address, error->text);
        LIST_EACH (node, &line->gathering) /* if it is still there */
        {
            if (isp_of(gather_of(node)->session)->address == address)
                send_alone(gather_of(node));
        }
    }
    return 0;
}

/* The slowest unit sets the pace. */
static int64_t pace_us(const struct gather *leader, uint32_t address, uint32_t size)
{
    const struct isp_line *line = isp_of(leader->session)->line;
    int64_t most_us = 0;

    LIST_EACH (node, &line->gathering) {
        const struct gather *gather = gather_of(node);
        int64_t own_us = isp_write_us(&line->units[isp_of(gather->session)->address], address, size);

        if (in_pass_of(gather, leader) && own_us > most_us)
            most_us = own_us;
    }
    return most_us;
}

static void tell_progress(const struct gather *leader, uint32_t done)
{
    LIST_EACH (node, &isp_of(leader->session)->line->gathering) {
        struct gather *gather = gather_of(node);

        if (in_pass_of(gather, leader) && gather->session->advanced)
            gather->session->advanced(gather->session->advanced_context, done);
    }
}

static int send_block(const struct gather *leader, uint8_t group, uint32_t number, struct error *error)
{
    uint8_t data[3 + ISP_DATA_MAX] = {group};
    struct session *session = leader->session;
    uint32_t at = leader->address + number * leader->block, size = block_size(leader, number);
    const struct request request = {.command = ISP_WRITE,
                                    .data = data,
                                    .size = 3 + size,
                                    .own_us = pace_us(leader, at, size),
                                    .what = "WRITE to all"};
    int status = port_take(session->port, session->deadline_us, error);

    if (status < 0)
        return status;
    put_be16(data + 1, (uint16_t)at);
    memcpy(data + 3, leader->bytes + (size_t)number * leader->block, size);
    if (!isp_awake(session) || isp_of(session)->line->ears != EARS_ALL)
        status = isp_open_all(session, error);
    if (status == 0)
        status = isp_tell_all(session, &request, error);
    port_give(session->port);
    return status;
}

/* A unit of this line whose station has nothing to do now answers roll-call 0: as a member of a group that
 * nobody writes to it keeps silent. Who is no station's unit is not known, and stays what it is. */
static int quiet_bystander(struct session *session, uint8_t address, struct error *error)
{
    static const uint8_t nothing[6];
    const struct request request = {
        .address = address, .command = ISP_JOIN, .data = nothing, .size = sizeof nothing, .what = "JOIN"};
    struct unit *unit = unit_of(session, address);
    struct answer answer;
    int status;

    if (unit->joined || unit->asked || !port_rs485_knows(session->port, address))
        return 0;
    unit->asked = true;
    status = isp_ask_once(session, &request, &answer, error);
    unit->joined = status == 0 && answer.packet[3] == ISP_DONE;
    return status == -ECANCELED || status == -ENODEV ? status : 0;
}

static int open_all(struct session *session, struct error *error)
{
    int status = port_take(session->port, session->deadline_us, error);

    if (status < 0)
        return status;
    status = isp_open_all(session, error);
    port_give(session->port);
    return status;
}

/* Opens the ears of the group, and makes sure that nobody else listens. -EAGAIN: somebody unknown does. */
static int open_group(struct session *session, struct error *error)
{
    int status = open_all(session, error);

    if (status != -EAGAIN)
        return status;
    status = 0;
    for (unsigned address = 1; address < ADDRESSES && status == 0; address++)
        status = quiet_bystander(session, (uint8_t)address, error);
    return status < 0 ? status : open_all(session, error);
}

/* The bitmap of what has arrived; false when the answer is none to this pass. */
static bool take_bitmap(const struct gather *gather, const struct answer *answer, uint8_t *bitmap)
{
    size_t size = (block_count(gather) + 7) / 8;

    if (answer->packet[3] != ISP_DONE || answer->size != STATUS_LEAST + size)
        return false;
    memcpy(bitmap, answer->data + STATUS_LEAST, size);
    return true;
}

/* What was sent to all since somebody was asked whether it arrives. */
struct lot {
    uint8_t group;
    unsigned looks;
    size_t count;
    uint32_t numbers[LOT];
};

/* Who is asked: another one each time, and none that has been mute. 0: there is nobody. */
static uint8_t witness(const struct gather *leader, unsigned looks)
{
    const struct isp_line *line = isp_of(leader->session)->line;
    uint8_t addresses[ADDRESSES];
    unsigned count = 0;

    LIST_EACH (node, &line->gathering) {
        uint8_t address = isp_of(gather_of(node)->session)->address;

        if (in_pass_of(gather_of(node), leader) && line->units[address].mute == 0)
            addresses[count++] = address;
    }
    return count ? addresses[looks % count] : 0;
}

/* What arrived at one of them; nothing when two of them keep silent. -EAGAIN: there is nobody to ask. */
static int ask_witness(const struct gather *leader, struct lot *lot, uint8_t *bitmap, struct error *error)
{
    struct session *session = leader->session;
    struct request request = {.command = ISP_GROUP_STATUS, .what = "GROUP STATUS"};
    struct answer answer;
    int status = -ETIMEDOUT;

    for (int i = 0; i < 2 && (isp_silent(status) || status == -ETIMEDOUT); i++) {
        request.address = witness(leader, lot->looks++);
        if (!request.address)
            return -EAGAIN;
        status = isp_ask_once(session, &request, &answer, error);
        if (status < 0)
            log_info(&session->log, "unit %u: %s", request.address, error->text);
    }
    if (status == 0) /* one in another group by now is its own session's business */
        return take_bitmap(leader, &answer, bitmap) ? 0 : -EAGAIN;
    return isp_silent(status) || status == -ETIMEDOUT ? 0 : status;
}

/* Who lost a byte of a packet to all takes what follows for the rest of it, and misses all until the next
 * address frame. So one of them is asked now and then, and what it missed is sent to all once more. When much
 * was lost, the wire was not as empty as we thought, and packets came while the units were busy. */
static int look_at_lot(const struct gather *leader, struct lot *lot, struct error *error)
{
    struct isp_line *line = isp_of(leader->session)->line;
    uint8_t bitmap[(BLOCKS_MOST + 7) / 8] = {0};
    int status = ask_witness(leader, lot, bitmap, error);
    unsigned again = 0;

    for (size_t i = 0; i < lot->count && status == 0; i++)
        if (!(bitmap[lot->numbers[i] / 8] >> lot->numbers[i] % 8 & 1)) {
            if (++again == 2 && line->slack_us < SLACK_MOST_US)
                line->slack_us += SLACK_STEP_US;
            status = send_block(leader, lot->group, lot->numbers[i], error);
        }
    leader->session->link.resends += again;
    lot->count = 0;
    if (again)
        log_info(&leader->session->log, "%u blocks were sent to all again", again);
    return status == -EAGAIN && !again ? 0 : status;
}

/* Every block once; the first one, with the reset vector, last. */
static int pass(const struct gather *leader, uint8_t group, struct error *error)
{
    struct lot lot = {.group = group};
    uint32_t count = block_count(leader);
    int status = open_group(leader->session, error);

    isp_of(leader->session)->line->slack_us /= 2; /* it may have been a bad hour */
    for (uint32_t i = 1; i <= count && status == 0; i++) {
        if (!is_blank(leader, i % count)) {
            status = send_block(leader, group, i % count, error);
            lot.numbers[lot.count++] = i % count;
        }
        if (status == 0 && lot.count > 0 && (lot.count == LOT || i == count))
            status = look_at_lot(leader, &lot, error);
        tell_progress(leader, i * leader->block < leader->size ? i * leader->block : leader->size);
    }
    return status;
}

/* A number for this pass; the first one of a line is anybody's guess. */
static uint8_t next_group(struct session *session)
{
    struct isp_line *line = isp_of(session)->line;

    if (line->group == 0)
        line->group = (uint8_t)(port_now_us(session->port) / MS);
    line->group = (uint8_t)(line->group + 1);
    return line->group ? line->group : ++line->group;
}

/* Who has the same work as the leader is claimed; the block is what all of them can take. */
static unsigned claim(struct isp_line *line, struct gather *leader)
{
    uint32_t block = ISP_DATA_MAX;

    LIST_EACH (node, &line->gathering) {
        struct gather *gather = gather_of(node);

        if (gather->state == GATHER_WAITING && same_work(gather, leader)) {
            const struct unit *unit = &line->units[isp_of(gather->session)->address];

            gather->state = GATHER_CLAIMED;
            gather->leader = leader;
            block = unit->data_max < block ? unit->data_max : block;
        }
    }
    LIST_EACH (node, &line->gathering) {
        if (in_pass_of(gather_of(node), leader))
            gather_of(node)->block = block;
    }
    return claimed(line, leader);
}

/* However it ended, those who wait go on: to look what arrived, or block by block. */
static void release_claimed(const struct gather *leader, bool passed)
{
    LIST_EACH (node, &isp_of(leader->session)->line->gathering) {
        struct gather *gather = gather_of(node);

        if (in_pass_of(gather, leader))
            gather->state = passed ? GATHER_DONE : GATHER_ALONE;
    }
    port_rs485_wake(leader->session->port);
}

static int lead(struct gather *leader, struct error *error)
{
    struct session *session = leader->session;
    struct isp_line *line = isp_of(session)->line;
    uint8_t group = next_group(session);
    int status = claim(line, leader) > 1 && block_count(leader) <= BLOCKS_MOST
                     ? join_all(leader, group, error)
                     : error_set(error, -EAGAIN, "nobody has the same to write");

    if (status == 0 && claimed(line, leader) > 1 && leader->state == GATHER_CLAIMED) {
        log_info(&session->log, "one pass of %u blocks for %u units", block_count(leader),
                 claimed(line, leader));
        status = pass(leader, group, error);
    } else if (status == 0) {
        status = error_set(error, -EAGAIN, "too few units joined");
    }
    if (status == -EAGAIN || status == -EPROTO || status == -ETIMEDOUT)
        log_info(&session->log, "%s: by turns", error->text);
    release_claimed(leader, status == 0);
    return status == -EAGAIN || status == -EPROTO || status == -ETIMEDOUT ? 0 : status;
}

/* --- each unit ---------------------------------------------------------------------------- */

/* What has arrived; nothing when the unit does not know of the group any more. */
static int ask_missing(struct session *session, const struct gather *gather, uint8_t *bitmap,
                       struct error *error)
{
    const struct request request = {
        .address = isp_of(session)->address, .command = ISP_GROUP_STATUS, .what = "GROUP STATUS"};
    struct answer answer;
    int status = isp_ask(session, &request, &answer, error);

    memset(bitmap, 0, (block_count(gather) + 7) / 8);
    if (status == 0)
        (void)take_bitmap(gather, &answer, bitmap);
    return status == -EBADMSG ? 0 : status;
}

static int write_missing(struct session *session, const struct gather *gather, struct error *error)
{
    uint8_t bitmap[(BLOCKS_MOST + 7) / 8];
    uint32_t again = 0, count = block_count(gather);
    int status = isp_same_unit(session, error); /* a pass takes long enough to replace it */

    if (status == 0)
        status = ask_missing(session, gather, bitmap, error);
    for (uint32_t i = 0; i < count && status == 0; i++) {
        uint32_t at = i * gather->block;

        if (bitmap[i / 8] >> i % 8 & 1 || is_blank(gather, i))
            continue;
        again++;
        status =
            isp_write_piece(session, gather->address + at, gather->bytes + at, block_size(gather, i), error);
    }
    session->link.resends += again;
    if (again)
        log_notice(&session->log, "%u of %u blocks did not arrive with the others' and were written again",
                   again, count);
    return status;
}

/* --- the gathering ------------------------------------------------------------------------ */

/* The one who has waited longest leads. */
static bool first_in_line(const struct isp_line *line, const struct gather *me)
{
    LIST_EACH (node, &line->gathering) {
        if (gather_of(node)->state == GATHER_WAITING)
            return gather_of(node) == me;
    }
    return false;
}

static bool time_to_lead(const struct gather *me)
{
    return first_in_line(isp_of(me->session)->line, me) &&
           (isp_expected(me->session) == 0 || port_now_us(me->session->port) - me->since_us >= GATHER_US);
}

/* Until the pass has been made, by us or by somebody else. */
static int gather_round(struct gather *me, struct error *error)
{
    struct session *session = me->session;
    int status = 0;

    while (status == 0 && (me->state == GATHER_WAITING || me->state == GATHER_CLAIMED)) {
        if (me->state == GATHER_WAITING && time_to_lead(me))
            return lead(me, error);
        status = port_rs485_wait(session->port, session_deadline(session, LOOK_US), error);
        if (status == -ETIMEDOUT && port_now_us(session->port) < session->deadline_us)
            status = me->state == GATHER_WAITING ? isp_keep_awake(session, error) : 0;
    }
    return status;
}

int isp_write_range(struct session *session, uint32_t address, const uint8_t *bytes, uint32_t size,
                    struct error *error)
{
    struct isp *isp = isp_of(session);
    struct gather me = {.session = session,
                        .address = address,
                        .size = size,
                        .bytes = bytes,
                        .since_us = port_now_us(session->port)};
    int status;

    if (!isp->shared || !session->family || size < BLOCKS_LEAST * ISP_DATA_MAX)
        return error_set(error, -ENOTSUP, "not worth a pass");
    if (isp_working(session, true) + isp->line->connecting == 0)
        return error_set(error, -ENOTSUP, "alone on the line");
    list_append(&isp->line->gathering, &me.node);
    port_rs485_wake(session->port);
    status = gather_round(&me, error);
    list_remove(&me.node);
    isp_set_phase(session, UNIT_BETWEEN);
    if (status == 0 && me.state == GATHER_ALONE)
        return error_set(error, -ENOTSUP, "nobody on the line has the same to write");
    return status < 0 ? status : write_missing(session, &me, error);
}
