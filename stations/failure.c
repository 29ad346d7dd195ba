/* SPDX-License-Identifier: Apache-2.0 */
#include "failure.h"

#include <errno.h>

static const char *const words[FAILURE_COUNT] = {[FAILURE_NONE] = "",
#define X(name, word) [FAILURE_##name] = (word),
                                                 FAILURE_CLASSES(X)
#undef X
};

const char *failure_word(enum failure failure)
{
    return words[failure];
}

enum failure failure_of(int code)
{
    if (code <= -ERROR_CLASS_BASE && code > -(ERROR_CLASS_BASE + (int)FAILURE_COUNT))
        return (enum failure)(-code - ERROR_CLASS_BASE);
    switch (code) {
    case 0:
        return FAILURE_NONE;
    case -ENODEV:
    case -ENXIO:
    case -EIO:
        return FAILURE_PORT_LOST;
    case -ECANCELED:
        return FAILURE_CANCELLED;
    case -ETIMEDOUT:
        return FAILURE_TIMEOUT;
    case -EPROTO:
        return FAILURE_PROTOCOL;
    default:
        return FAILURE_INTERNAL;
    }
}
