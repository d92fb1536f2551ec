"""Asks Python's protobuf about tests/editions/cases.txt: each message as text format has the JSON
that stands there, and that JSON is the message.

    editions.py FOLDER SET.binpb
"""

import json
import pathlib
import sys

from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory, text_format


def main(folder, descriptors):
    files = descriptor_pb2.FileDescriptorSet.FromString(pathlib.Path(descriptors).read_bytes())
    pool = descriptor_pool.DescriptorPool()
    for file in files.file:
        pool.Add(file)
    passed, name, message, wrong = 0, None, None, []
    for line in (pathlib.Path(folder) / "cases.txt").read_text(encoding="utf-8").splitlines():
        mark, rest = line[:1], line[1:].strip()
        if mark == "@":
            name = rest
        elif mark == ">":
            message = rest
        elif mark == "=":
            kind = message_factory.GetMessageClass(pool.FindMessageTypeByName(name))
            parsed = text_format.Parse(message, kind(), descriptor_pool=pool)
            printed = json.loads(json_format.MessageToJson(parsed, descriptor_pool=pool))
            read = json_format.Parse(rest, kind(), descriptor_pool=pool)
            if printed != json.loads(rest):
                wrong.append(f"{name} {message}\n  is {json.dumps(printed)}\n not {rest}")
            elif read != parsed:
                wrong.append(f"{name} {rest}\n  is {text_format.MessageToString(read, as_one_line=True)}")
            else:
                passed += 1
    for text in wrong:
        print(text)
    print(f"editions: {passed} passed, {len(wrong)} failed")
    return 1 if wrong or not passed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
