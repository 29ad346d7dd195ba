/* SPDX-License-Identifier: Apache-2.0 */
/* Who may do what: five roles, as bits, so that somebody can have several. Which of them may use an operation
 * is written in schema/openapi.yaml (x-roles) and nowhere else. */
#ifndef FLASHFARM_API_ROLES_H
#define FLASHFARM_API_ROLES_H

#include <jansson.h>
#include <stddef.h>

enum role {
    ROLE_OPERATOR = 1,
    ROLE_ENGINEER = 2,
    ROLE_AUDITOR = 4,
    ROLE_ADMIN = 8,
    ROLE_MES = 16,
};
#define ROLES_ALL     31u
#define ROLES_MAX     48 /* "operator,engineer,auditor,admin,mes" */
#define ROLE_NAME_MAX 64 /* of who calls */

/* The bit of "engineer"; 0: no such role. */
unsigned role_of(const char *word, size_t length);
/* "engineer,auditor" (commas or blanks); 0 when one of them is none, or there is none. */
unsigned roles_parse(const char *text);
/* ["engineer", "auditor"] and back: new reference; 0 when it is not a list of such. */
json_t *roles_list(unsigned roles);
unsigned roles_of_list(const json_t *list);
/* "engineer, auditor" for sentences. */
const char *roles_text(unsigned roles, char text[ROLES_MAX]);

/* What the contract says of each operation, made at build time. A closed one has at least one role. */
struct operation {
    const char *method, *path;
    unsigned roles;
};
extern const struct operation api_operations[];
extern const size_t api_operation_count;

#endif
