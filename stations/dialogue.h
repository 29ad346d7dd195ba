/* SPDX-License-Identifier: Apache-2.0 */
/* What stands on top of a dialogue, so that it can be played again without anything else: who spoke, in which
 * circumstances, and the image (tests/dialogues/README.md). */
#ifndef FLASHFARM_STATIONS_DIALOGUE_H
#define FLASHFARM_STATIONS_DIALOGUE_H

#include "plan.h"

/* The header for a run that is about to begin, lines without "# ". The caller frees it. `entry` is the
 * configuration's word. */
char *dialogue_header(const struct session *session, const struct order *order, const char *entry);

/* Where units have bytes of their own, the header leaves the image out: what it is, is known when the unit
 * has told who it is. So it stands at the end, and this writes it; elsewhere this does nothing. */
void dialogue_note_image(struct port *recorder, const struct order *order);

#endif
