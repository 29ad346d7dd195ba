/* SPDX-License-Identifier: Apache-2.0 */
/* Runs at build time: turns schema/openapi.yaml into JSON, as a C array, and its x-roles into a table of who
 * may use which operation. The contract is written for people in YAML and served to programs in JSON. Takes
 * what JSON has: mappings with text keys, sequences, scalars; no anchors, no tags. A route of the daemon that
 * the contract does not have is an error: nobody has said who may use it. Usage: contract_json FILE.yaml
 * routes.c FILE.c */
#include "roles.h"

#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

static json_t *value_of(yaml_document_t *document, const yaml_node_t *node);

/* A plain scalar is what it looks like to JSON; a quoted one is a text. */
static json_t *scalar_of(const yaml_node_t *node)
{
    const char *text = (const char *)node->data.scalar.value;
    json_t *value = NULL;

    if (node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE) {
        value = json_loads(text, JSON_DECODE_ANY, NULL);
        if (value && json_is_string(value)) {
            json_decref(value);
            value = NULL;
        }
    }
    return value ? value : json_string(text);
}

static json_t *sequence_of(yaml_document_t *document, const yaml_node_t *node)
{
    json_t *array = json_array();

    for (const yaml_node_item_t *item = node->data.sequence.items.start; item < node->data.sequence.items.top;
         item++)
        (void)json_array_append_new(array, value_of(document, yaml_document_get_node(document, *item)));
    return array;
}

static json_t *mapping_of(yaml_document_t *document, const yaml_node_t *node)
{
    json_t *object = json_object();

    for (const yaml_node_pair_t *pair = node->data.mapping.pairs.start; pair < node->data.mapping.pairs.top;
         pair++) {
        const yaml_node_t *key = yaml_document_get_node(document, pair->key);
        const char *name = (const char *)key->data.scalar.value;

        if (key->type != YAML_SCALAR_NODE || json_object_get(object, name)) {
            (void)fprintf(stderr, "line %zu: a key that is no text, or is there twice\n",
                          key->start_mark.line + 1);
            exit(EXIT_FAILURE);
        }
        (void)json_object_set_new(object, name,
                                  value_of(document, yaml_document_get_node(document, pair->value)));
    }
    return object;
}

static json_t *value_of(yaml_document_t *document, const yaml_node_t *node)
{
    switch (node->type) {
    case YAML_SCALAR_NODE:
        return scalar_of(node);
    case YAML_SEQUENCE_NODE:
        return sequence_of(document, node);
    case YAML_MAPPING_NODE:
        return mapping_of(document, node);
    case YAML_NO_NODE:
        break;
    }
    return json_null();
}

static json_t *read_yaml(const char *path)
{
    FILE *file = fopen(path, "rb");
    yaml_parser_t parser;
    yaml_document_t document;
    json_t *value = NULL;

    if (!file || !yaml_parser_initialize(&parser)) {
        (void)fprintf(stderr, "%s: %s\n", path, strerror(errno));
        return NULL;
    }
    yaml_parser_set_input_file(&parser, file);
    if (yaml_parser_load(&parser, &document)) {
        value = value_of(&document, yaml_document_get_root_node(&document));
        yaml_document_delete(&document);
    } else {
        (void)fprintf(stderr, "%s:%zu:%zu: %s\n", path, parser.problem_mark.line + 1,
                      parser.problem_mark.column + 1, parser.problem);
    }
    yaml_parser_delete(&parser);
    (void)fclose(file);
    return value;
}

/* The bits of x-roles; without it all of them. Words that are no roles end the build. */
static unsigned roles_of_operation(const char *path, const json_t *operation)
{
    const json_t *list = json_object_get(operation, "x-roles");
    unsigned roles = list ? roles_of_list(list) : ROLES_ALL;

    if (roles)
        return roles;
    (void)fprintf(stderr, "%s: x-roles must be a list of operator, engineer, auditor, admin, mes\n", path);
    exit(EXIT_FAILURE);
}

static bool is_method(const char *word)
{
    return !strcmp(word, "get") || !strcmp(word, "post") || !strcmp(word, "put") || !strcmp(word, "patch") ||
           !strcmp(word, "delete");
}

static void write_operations(FILE *file, json_t *contract)
{
    const char *path, *method;
    json_t *item, *operation;

    (void)fprintf(file, "\nconst struct operation api_operations[] = {\n");
    json_object_foreach (json_object_get(contract, "paths"), path, item) {
        json_object_foreach (item, method, operation) {
            if (!is_method(method))
                continue;
            (void)fprintf(file, "    {\"");
            for (const char *letter = method; *letter; letter++)
                (void)fputc(toupper((unsigned char)*letter), file);
            (void)fprintf(file, "\", \"%s\", %u},\n", path, roles_of_operation(path, operation));
        }
    }
    (void)fprintf(file, "};\nconst size_t api_operation_count = sizeof api_operations / sizeof "
                        "api_operations[0];\n");
}

/* The text between quotes after `name` in a row of the routes. */
static bool read_member(const char *line, const char *name, char *text, size_t size)
{
    const char *start = strstr(line, name);
    size_t length;

    if (!start)
        return false;
    start += strlen(name);
    length = strcspn(start, "\"");
    return snprintf(text, size, "%.*s", (int)length, start) < (int)size;
}

static bool has_operation(const json_t *contract, const char *method, const char *path)
{
    const json_t *item = json_object_get(json_object_get(contract, "paths"), path);
    char word[16];
    size_t i;

    for (i = 0; method[i] && i + 1 < sizeof word; i++)
        word[i] = (char)tolower((unsigned char)method[i]);
    word[i] = '\0';
    return json_object_get(item, word) != NULL;
}

static int check_routes(const char *source, const json_t *contract)
{
    FILE *file = fopen(source, "r");
    char line[400], method[16], path[200];
    size_t rows = 0, missing = 0;

    if (!file)
        return -1;
    while (fgets(line, sizeof line, file)) {
        if (!read_member(line, ".method = \"", method, sizeof method) ||
            !read_member(line, ".path = \"", path, sizeof path))
            continue;
        rows++;
        if (has_operation(contract, method, path))
            continue;
        missing++;
        (void)fprintf(stderr, "%s: %s %s is not in the contract: nobody may use it\n", source, method, path);
    }
    (void)fclose(file);
    return rows && !missing ? 0 : -1;
}

static int write_array(const char *path, const char *text, json_t *contract)
{
    FILE *file = fopen(path, "w");

    if (!file)
        return -1;
    (void)fprintf(file, "#include \"roles.h\"\n\nextern const unsigned char api_contract[];\n"
                        "extern const size_t api_contract_size;\n\nconst unsigned char api_contract[] = {");
    for (size_t i = 0; text[i]; i++)
        (void)fprintf(file, "%s%d,", i % 24 ? "" : "\n    ", (unsigned char)text[i]);
    (void)fprintf(file, "\n};\nconst size_t api_contract_size = sizeof api_contract;\n");
    write_operations(file, contract);
    return fclose(file);
}

int main(int argc, char **argv)
{
    json_t *contract = argc == 4 ? read_yaml(argv[1]) : NULL;
    char *text = contract ? json_dumps(contract, JSON_COMPACT) : NULL;
    int status = text ? write_array(argv[3], text, contract) : -1;

    if (!status)
        status = check_routes(argv[2], contract);

    free(text);
    json_decref(contract);
    if (argc != 4)
        (void)fprintf(stderr, "usage: %s FILE.yaml routes.c FILE.c\n", argv[0]);
    return status ? EXIT_FAILURE : EXIT_SUCCESS;
}
