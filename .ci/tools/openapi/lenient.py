"""The description with all that is understood besides: for requests that have to be refused.

A description says what a client should send. ProtoJSON understands more: null for whatever is not set,
integers as texts and texts of 64 bits as numbers, enums by number, numbers as texts. Usage:
lenient.py URL FILE
"""

import json
import sys
import urllib.request

INTEGER_TEXT = "^-?[0-9]+$"


def widen(schema):
    if not isinstance(schema, dict):
        return schema
    wide = dict(schema)
    # Two members of a oneof may stand there when one of them is null.
    wide.pop("not", None)
    for key in ("items", "additionalProperties"):
        if key in wide:
            wide[key] = widen(wide[key])
    if "properties" in wide:
        wide["properties"] = {name: optional(inner) for name, inner in wide["properties"].items()}
    return wide


def optional(schema):
    """A field: it may be null, and have the other forms of its type."""
    wide = widen(schema)
    beside = [{"type": "null"}]
    if wide.get("type") == "integer":
        beside.append({"type": "string", "pattern": INTEGER_TEXT})
    elif wide.get("type") == "number" or wide.get("type") == ["number", "null"]:
        beside.append({"type": "string"})
    elif wide.get("format") in ("int64", "uint64"):
        beside.append({"type": "integer"})
    elif wide.get("format") in ("byte", "date-time", "google-duration", "google-fieldmask"):
        beside.append({"type": "string"})
    elif "$ref" in wide:
        # A message, which the base of an enum does not fit, or an enum.
        beside.append({"type": "integer"}) if wide["$ref"] in ENUMS else None
    return {"anyOf": [wide, *beside]}


with urllib.request.urlopen(sys.argv[1]) as answer:
    document = json.load(answer)
schemas = document["components"]["schemas"]
ENUMS = {f"#/components/schemas/{name}" for name, schema in schemas.items() if "enum" in schema}
answers = {"Error"}
for name, schema in schemas.items():
    if name not in answers:
        schemas[name] = widen(schema)
for item in document["paths"].values():
    # A flag is understood in more words than two.
    item.pop("parameters", None)
    for operation in item.values():
        for media in operation.get("requestBody", {}).get("content", {}).values():
            media["schema"] = widen(media["schema"])
            if "items" in media["schema"]:
                # What a message of a stream lacks is told by the application in its answer.
                items = media["schema"]["items"]
                items = schemas.get(items.get("$ref", "").split("/")[-1], items)
                items = {key: value for key, value in items.items() if key != "required"}
                items = json.loads(json.dumps(items).replace('"minLength": 1', '"minLength": 0'))
                each = {"anyOf": [items, {"type": "null"}]}
                # A sequence of values is a stream, too (S5), so one alone is.
                media["schema"] = {"anyOf": [{"type": "array", "items": each}, *each["anyOf"]]}
with open(sys.argv[2], "w", encoding="utf-8") as file:
    json.dump(document, file)
