/* SPDX-License-Identifier: Apache-2.0 */
/* Signed notes as C2SP's signed-note and tlog-checkpoint define them, from the reader's side: a key by which
 * notes are checked, and what a checkpoint says. */
#ifndef FLASHFARM_CLIENTS_AUDIT_NOTE_H
#define FLASHFARM_CLIENTS_AUDIT_NOTE_H

#include "audit_tree.h"
#include "result.h"

#include <stddef.h>

struct audit_key {
    char text[320]; /* "ORIGIN+KEYID+KEY"; empty: no key */
    char origin[201];
    uint8_t id[4], key[32];
};

/* From such a text; -EINVAL. */
int audit_key_parse(struct audit_key *key, const char *text, struct error *error);
/* From such a text, or from a file that holds it in its first line. */
int audit_key_find(struct audit_key *key, const char *text_or_file, struct error *error);

struct audit_note {
    char origin[201];
    int64_t size;
    uint8_t root[AUDIT_HASH];
};

/* What a note says, and whether it is signed with `key` (NULL: not looked at). -EBADMSG with a sentence. */
int audit_note_read(struct audit_note *note, const char *text, const struct audit_key *key,
                    struct error *error);

#endif
