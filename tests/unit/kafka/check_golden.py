#!/usr/bin/env python3
"""Has kafka-python read golden_messages.txt and write it again: one more implementation.

Usage: pip install kafka-python==3.0.12, then check_golden.py. Prints how many lines it read, and
which versions it does not know. It drops unknown tags, so that a "tags" line has to become the
"full" one. Left out is what it cannot read: an ApiVersions response with an error, which it takes
for version 0, and unknown tags within a tag.
"""

import importlib
import pathlib
import pkgutil
import sys

import kafka.protocol
from kafka.protocol.api_message import ApiMessage

for module in pkgutil.walk_packages(kafka.protocol.__path__, "kafka.protocol."):
    if ".old" not in module.name:
        importlib.import_module(module.name)


def messages(base=ApiMessage):
    for message in base.__subclasses__():
        yield message
        yield from messages(message)


UNREADABLE = [("ApiVersions", "response", "full"), ("ApiVersions", "response", "null"), ("ApiVersions", "response", "empty"),
              ("ApiVersions", "response", "tags"), ("Fetch", "response", "tags")]
BY_NAME = {message.__name__: message for message in messages()}


def main():
    read, unknown, differing, full_of = 0, set(), [], {}
    for line in (pathlib.Path(__file__).parent / "golden_messages.txt").read_text().splitlines():
        if line.startswith("#"):
            continue
        name, direction, version, form, *rest = line.split()
        message = BY_NAME.get(name + direction.capitalize())
        if form == "header" or (name, direction, form) in UNREADABLE:
            continue
        if message is None or not message.valid_versions[0] <= int(version) <= message.valid_versions[1]:
            unknown.add(f"{name} {version}")
            continue
        data = bytes.fromhex("".join(rest))
        if form == "full":
            full_of[name, direction, version] = data
        try:
            value = message.decode(data, version=int(version))
            value._header = None  # What decode() sets only if there is a header.
            again = value.encode(version=int(version))
        except Exception as error:  # Whatever it is, the line is told.
            differing.append(f"{line[:60]}: {error!r}")
            continue
        read += 1
        if bytes(again) != (full_of[name, direction, version] if form == "tags" else data):
            differing.append(f"{line[:60]}: written again as {bytes(again).hex()}")
    print("\n".join(differing))
    print(f"{read} messages read, {len(differing)} differ; not known: {', '.join(sorted(unknown))}")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
