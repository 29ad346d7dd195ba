/* SPDX-License-Identifier: Apache-2.0 */
#include "roles.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *word;
    enum role role;
} words[] = {
    {.word = "operator", .role = ROLE_OPERATOR}, {.word = "engineer", .role = ROLE_ENGINEER},
    {.word = "auditor", .role = ROLE_AUDITOR},   {.word = "admin", .role = ROLE_ADMIN},
    {.word = "mes", .role = ROLE_MES},
};
#define WORDS (sizeof words / sizeof words[0])

unsigned role_of(const char *word, size_t length)
{
    for (size_t i = 0; i < WORDS; i++)
        if (strlen(words[i].word) == length && !memcmp(words[i].word, word, length))
            return words[i].role;
    return 0;
}

unsigned roles_parse(const char *text)
{
    unsigned roles = 0;

    for (text += strspn(text, ", "); *text; text += strspn(text, ", ")) {
        size_t length = strcspn(text, ", ");
        unsigned role = role_of(text, length);

        if (!role)
            return 0;
        roles |= role;
        text += length;
    }
    return roles;
}

json_t *roles_list(unsigned roles)
{
    json_t *list = json_array();

    for (size_t i = 0; i < WORDS; i++)
        if (roles & words[i].role)
            (void)json_array_append_new(list, json_string(words[i].word));
    return list;
}

unsigned roles_of_list(const json_t *list)
{
    unsigned roles = 0;

    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *word = json_string_value(json_array_get(list, i));
        unsigned role = word ? role_of(word, strlen(word)) : 0;

        if (!role)
            return 0;
        roles |= role;
    }
    return roles;
}

const char *roles_text(unsigned roles, char text[ROLES_MAX])
{
    size_t used = 0;

    text[0] = '\0';
    for (size_t i = 0; i < WORDS; i++)
        if (roles & words[i].role)
            used += (size_t)snprintf(text + used, ROLES_MAX - used, "%s%s", used ? ", " : "", words[i].word);
    return text;
}
