/* SPDX-License-Identifier: Apache-2.0 */
/* Failure classes of a run (DESIGN section 2), as error codes: -(ERROR_CLASS_BASE + class). */
#ifndef FLASHFARM_STATIONS_FAILURE_H
#define FLASHFARM_STATIONS_FAILURE_H

#include "result.h"

/* The words are in the database and in the API: never rename one. */
#define FAILURE_CLASSES(X)                                                                                   \
    X(NO_CONTACT, "no-contact")       /* nothing answered on the port */                                     \
    X(WRONG_CHIP, "wrong-chip")       /* another chip than ordered, or smaller than the image */             \
    X(DUPLICATE_UID, "duplicate-uid") /* the same chip UID is active at another station */                   \
    X(WRONG_BOARD, "wrong-board")     /* the board is not the one expected here */                           \
    X(PROTECTED, "protected")         /* read-out or write protection, and no consent to remove it */        \
    X(ERASE, "erase")                                                                                        \
    X(WRITE, "write")                                                                                        \
    X(VERIFY, "verify") /* what was read back is not what was written */                                     \
    X(OPTION_BYTES, "option-bytes")                                                                          \
    X(LOCK, "lock")           /* protection could not be set after a good verify */                          \
    X(TIMEOUT, "timeout")     /* the run's own deadline passed */                                            \
    X(PROTOCOL, "protocol")   /* the board answers, but not by its protocol */                               \
    X(PORT_LOST, "port-lost") /* the port vanished */                                                        \
    X(POWER, "power")                                                                                        \
    X(DATA, "data") /* the image or per-unit data does not fit the chip or the order */                      \
    X(SERIAL_EXHAUSTED, "serial-exhausted")                                                                  \
    X(RECORD, "record") /* the record could not be made durable */                                           \
    X(CANCELLED, "cancelled")                                                                                \
    X(INTERNAL, "internal")

enum failure {
    FAILURE_NONE = 0,
#define X(name, word) FAILURE_##name,
    FAILURE_CLASSES(X)
#undef X
        FAILURE_COUNT
};

/* The error code that stands for a class. */
#define FAILURE_CODE(class) (-(ERROR_CLASS_BASE + (int)(class)))

/* "no-contact"; "" for FAILURE_NONE. */
const char *failure_word(enum failure failure);

/* The class of an error code: its own class; for errno codes what they mean to a run (-ENODEV, -EIO:
 * port-lost; -ECANCELED: cancelled; -ETIMEDOUT: timeout; -EPROTO: protocol; else internal). */
enum failure failure_of(int code);

#endif
