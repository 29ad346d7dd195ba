/* SPDX-License-Identifier: Apache-2.0 */
/* Files that are part of the program (schema/embed.cmake makes the tables). Bytes only: what they mean is the
 * business of whoever looks them up. */
#ifndef FLASHFARM_SCHEMA_EMBEDDED_H
#define FLASHFARM_SCHEMA_EMBEDDED_H

#include <stddef.h>
#include <string.h>

struct embedded_file {
    const char *name;           /* as listed: "migrations/0001_initial.sql"; NULL ends the table */
    const unsigned char *bytes; /* `size` of them and one 0, so that a text can be used as one */
    size_t size;
};

/* The library `schema`: the migrations, schema.sql, openapi.yaml. */
extern const struct embedded_file schema_files[];

/* NULL when the table has no file of that name. */
static inline const struct embedded_file *embedded_find(const struct embedded_file *files, const char *name)
{
    for (; files->name; files++)
        if (strcmp(files->name, name) == 0)
            return files;
    return NULL;
}

#endif
