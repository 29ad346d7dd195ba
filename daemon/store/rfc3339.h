/* SPDX-License-Identifier: Apache-2.0 */
/* Times as people and programs write them (RFC 3339), brought to the one form the record sorts by. */
#ifndef FLASHFARM_STORE_RFC3339_H
#define FLASHFARM_STORE_RFC3339_H

#include <stdbool.h>

/* "2026-11-21T14:25:00.5+02:00" becomes "2026-11-21T12:25:00.500000Z"; digits beyond microseconds are cut.
 * False when `text` is no such time. */
bool rfc3339_to_utc(const char *text, char utc[28]);

#endif
