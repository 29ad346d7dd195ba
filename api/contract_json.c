/* SPDX-License-Identifier: Apache-2.0 */
/* Runs at build time: turns schema/openapi.yaml into JSON, as a C array. The contract is written for people
 * in YAML and served to programs in JSON. Takes what JSON has: mappings with text keys, sequences, scalars;
 * no anchors, no tags.  Usage: contract_json FILE.yaml FILE.c */
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

static int write_array(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    if (!file)
        return -1;
    (void)fprintf(file, "#include <stddef.h>\n\nextern const unsigned char api_contract[];\n"
                        "extern const size_t api_contract_size;\n\nconst unsigned char api_contract[] = {");
    for (size_t i = 0; text[i]; i++)
        (void)fprintf(file, "%s%d,", i % 24 ? "" : "\n    ", (unsigned char)text[i]);
    (void)fprintf(file, "\n};\nconst size_t api_contract_size = sizeof api_contract;\n");
    return fclose(file);
}

int main(int argc, char **argv)
{
    json_t *contract = argc == 3 ? read_yaml(argv[1]) : NULL;
    char *text = contract ? json_dumps(contract, JSON_COMPACT) : NULL;
    int status = text ? write_array(argv[2], text) : -1;

    free(text);
    json_decref(contract);
    if (status)
        (void)fprintf(stderr, "usage: %s FILE.yaml FILE.c\n", argv[0]);
    return status ? EXIT_FAILURE : EXIT_SUCCESS;
}
