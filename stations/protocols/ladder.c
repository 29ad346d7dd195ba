/* SPDX-License-Identifier: Apache-2.0 */
#include "ladder.h"

#include <errno.h>

bool rate_to_blame(const struct session *session, int status)
{
    return (status == -EAGAIN || status == -EPROTO || status == -EBADMSG || status == -ETIMEDOUT) &&
           port_now_us(session->port) < session->deadline_us;
}

uint32_t ladder_top(const struct session *session, const struct ladder *ladder)
{
    return session->baud_max ? session->baud_max : ladder->top;
}

uint32_t ladder_first(const struct session *session, const struct ladder *ladder)
{
    uint32_t top = ladder_top(session, ladder);

    return session->baud_proven && session->baud_proven <= top ? session->baud_proven : top;
}

int ladder_descend(struct session *session, const struct ladder *ladder, enum effort effort,
                   struct error *error)
{
    uint32_t first = ladder_first(session, ladder);
    int status = ladder->try_rate(session, first, effort, error);

    for (size_t i = 0; status < 0 && rate_to_blame(session, status) && i < ladder->count; i++)
        if (ladder->rates[i] < first) {
            struct error lower;
            int lower_status = ladder->try_rate(session, ladder->rates[i], effort, &lower);

            /* Of two failures the one that heard something tells more. */
            if (lower_status == 0 || status == -EAGAIN || !rate_to_blame(session, lower_status)) {
                status = lower_status;
                *error = lower;
            }
        }
    return status;
}
