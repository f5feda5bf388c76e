#!/usr/bin/env python3
"""Writes the seeds of the fuzzers of Kafka's messages below corpus/kafka_request/ and
corpus/kafka_response/.

The sound inputs are those of tests/unit/kafka/golden_messages.txt: of each API the first version,
the last classic one and the last one, filled, with unknown tags where these are allowed. The others
break one thing each. What the fuzzers find is added as a file of its own, named after the fault.
"""

import pathlib
import struct

HERE = pathlib.Path(__file__).parent
GOLDEN = HERE.parent / "unit" / "kafka" / "golden_messages.txt"


def golden():
    """(api, direction, version, form) -> bytes."""
    lines = {}
    for line in GOLDEN.read_text().splitlines():
        if not line.startswith("#"):
            api, direction, version, form, *data = line.split()
            lines[api, direction, int(version), form] = bytes.fromhex("".join(data))
    return lines


def sound(lines, direction):
    """Of each API that is taken: name, version, header, message."""
    for name in dict.fromkeys(key[0] for key in lines):
        versions = sorted({key[2] for key in lines if key[0] == name})
        classic = [v for v in versions if (name, direction, v, "tags") not in lines]
        for version in sorted({versions[0], *classic[-1:], versions[-1]}):
            form = "full" if version in classic else "tags"
            yield name, version, lines[name, direction, version, "header"], lines[name, direction, version, form]


def requests(lines):
    for name, version, header, message in sound(lines, "request"):
        yield f"{name}_{version}", header + message
    fetch = lines["Fetch", "request", 12, "header"], lines["Fetch", "request", 12, "full"]
    yield "cut", fetch[0] + fetch[1][:-1]
    yield "longer", fetch[0] + fetch[1] + b"\0"
    yield "header_alone", fetch[0]
    yield "header_cut", fetch[0][:7]
    yield "api_unknown", struct.pack(">hhih", 4, 0, 1, -1)
    yield "api_versions_to_come", struct.pack(">hhih", 18, 99, 1, -1)
    yield "version_negative", struct.pack(">hhih", 0, -1, 1, -1)
    yield "topics_endless", struct.pack(">hhihi", 3, 1, 1, -1, 0x7FFFFFFF)
    yield "topics_endless_compact", struct.pack(">hhihb", 3, 9, 1, -1, 0) + b"\xff\xff\xff\xff\x0f\0\0\0\0"
    yield "tags_endless", struct.pack(">hhih", 18, 3, 1, -1) + b"\xff\xff\xff\xff\x0f"
    yield "tags_descend", struct.pack(">hhihb", 18, 3, 1, -1, 0) + b"\2a\2b\2\7\0\5\0"
    yield "varint_too_long", struct.pack(">hhihb", 18, 3, 1, -1, 0) + b"\x80\x80\x80\x80\x80\0"


def responses(lines):
    keys = {key[0]: data[:2] for key, data in lines.items() if key[1] == "request" and key[3] == "header"}
    for name, version, header, message in sound(lines, "response"):
        yield f"{name}_{version}", keys[name] + struct.pack(">h", version) + header + message


for folder, inputs in (("kafka_request", requests), ("kafka_response", responses)):
    (HERE / "corpus" / folder).mkdir(parents=True, exist_ok=True)
    for name, data in inputs(golden()):
        (HERE / "corpus" / folder / name).write_bytes(data)
