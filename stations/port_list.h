/* SPDX-License-Identifier: Apache-2.0 */
/* The part of port_list() that a test can try on a folder of its own. Internal to the ports. */
#ifndef FLASHFARM_STATIONS_PORT_LIST_H
#define FLASHFARM_STATIONS_PORT_LIST_H

#include <stdbool.h>
#include <stddef.h>

/* Finds the link in `folder` that leads to `device`; of several the first by name, so that the answer does
 * not change from one call to the next. `path` gets its full path; false when there is none that fits. */
bool port_list_link(const char *folder, const char *device, char *path, size_t size);

#endif
