# SPDX-License-Identifier: Apache-2.0
"""A checker for the part of JSON Schema that schema/openapi.yaml uses. A keyword it does not know is an error, so
that the contract cannot say what nobody checks."""
import re

ANNOTATIONS = {"description", "example", "default", "format"}
TYPES = {
    "object": lambda v: isinstance(v, dict),
    "array": lambda v: isinstance(v, list),
    "string": lambda v: isinstance(v, str),
    "integer": lambda v: isinstance(v, int) and not isinstance(v, bool),
    "number": lambda v: isinstance(v, (int, float)) and not isinstance(v, bool),
    "boolean": lambda v: isinstance(v, bool),
    "null": lambda v: v is None,
}


class Checker:
    """`strict`: a member that the schema does not name is a fault (of the contract, which forgot it)."""

    def __init__(self, document, strict=True):
        self.document = document
        self.strict = strict

    def resolve(self, node):
        while isinstance(node, dict) and "$ref" in node:
            target = self.document
            for part in node["$ref"].removeprefix("#/").split("/"):
                target = target[part]
            node = target
        return node

    def faults(self, value, schema, where="body"):
        """What is wrong with the value, as a list of sentences."""
        schema = self.resolve(schema)
        found = []
        for keyword, wanted in schema.items():
            if keyword in ANNOTATIONS:
                continue
            check = getattr(self, "check_" + keyword, None)
            if not check:
                found.append(f"{where}: the schema uses {keyword!r}, which this checker does not know")
                continue
            found += check(value, wanted, schema, where)
        return found

    def check_type(self, value, wanted, _schema, where):
        names = wanted if isinstance(wanted, list) else [wanted]
        return [] if any(TYPES[name](value) for name in names) else [f"{where}: {value!r} is not {wanted}"]

    def check_enum(self, value, wanted, _schema, where):
        return [] if value in wanted else [f"{where}: {value!r} is none of {wanted}"]

    def check_pattern(self, value, wanted, _schema, where):
        good = not isinstance(value, str) or re.search(wanted, value)
        return [] if good else [f"{where}: {value!r} does not match {wanted}"]

    def limit(self, value, good, where, words):
        return [] if good else [f"{where}: {value!r} {words}"]

    def check_minimum(self, value, wanted, _schema, where):
        return self.limit(value, not TYPES["number"](value) or value >= wanted, where, f"is below {wanted}")

    def check_maximum(self, value, wanted, _schema, where):
        return self.limit(value, not TYPES["number"](value) or value <= wanted, where, f"is above {wanted}")

    def check_minLength(self, value, wanted, _schema, where):
        return self.limit(value, not isinstance(value, str) or len(value) >= wanted, where, "is too short")

    def check_maxLength(self, value, wanted, _schema, where):
        return self.limit(value, not isinstance(value, str) or len(value) <= wanted, where, "is too long")

    def check_minItems(self, value, wanted, _schema, where):
        return self.limit(value, not isinstance(value, list) or len(value) >= wanted, where, "has too few items")

    def check_maxItems(self, value, wanted, _schema, where):
        return self.limit(value, not isinstance(value, list) or len(value) <= wanted, where, "has too many items")

    def check_required(self, value, wanted, _schema, where):
        if not isinstance(value, dict):
            return []
        return [f"{where}: {name} is missing" for name in wanted if name not in value]

    def check_properties(self, value, wanted, schema, where):
        if not isinstance(value, dict):
            return []
        found = []
        for name, member in value.items():
            if name in wanted:
                found += self.faults(member, wanted[name], f"{where}.{name}")
            elif (schema.get("additionalProperties") is False
                  or (self.strict and schema.get("additionalProperties") is not True)):
                found.append(f"{where}: {name} is not in the contract")
        return found

    def check_additionalProperties(self, _value, _wanted, _schema, _where):
        return []  # looked at with the properties

    def check_items(self, value, wanted, _schema, where):
        if not isinstance(value, list):
            return []
        return [fault for i, item in enumerate(value) for fault in self.faults(item, wanted, f"{where}[{i}]")]

    def check_oneOf(self, value, wanted, _schema, where):
        fitting = [schema for schema in wanted if not self.faults(value, schema, where)]
        return [] if len(fitting) == 1 else [f"{where}: {value!r} fits {len(fitting)} of the alternatives"]
