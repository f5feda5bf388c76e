#!/usr/bin/env python3
"""Writes the seeds of the group record fuzzer below corpus/group_records/.

The sound inputs are the worked example of docs/formats/group-records.md; the others break one thing
each. What the fuzzer finds is added as a file of its own, named after the fault.
"""

import pathlib
import re

HERE = pathlib.Path(__file__).parent
PAGE = HERE.parent.parent / "docs" / "formats" / "group-records.md"


def example():
    """Of each record of the example its key and its value."""
    block = re.search(r"```hex\n(.*?)```", PAGE.read_text(), re.DOTALL).group(1)
    parts = re.split(r"^(?=01 .*; (?:key|value): version)", block, flags=re.MULTILINE)[1:]
    pieces = [bytes.fromhex("".join(line.split(";")[0] for line in part.splitlines())) for part in parts]
    return list(zip(pieces[::2], pieces[1::2]))


def inputs():
    (offset_key, offset), (group_key, group), (member_key, member) = example()
    for name, key, value in (("offset", offset_key, offset), ("group", group_key, group), ("member", member_key, member)):
        yield name, key, value
        yield f"{name}_gone", key, b""
        yield f"{name}_cut", key, value[:-1]
        yield f"{name}_longer", key, value + b"\0"
    yield "key_empty", b"", group
    yield "key_cut", offset_key[:-1], offset
    yield "key_version_2", b"\x02" + group_key[1:], group
    yield "value_version_2", group_key, b"\x02" + group[1:]
    yield "kind_0", b"\x01\x00" + group_key[2:], group
    yield "kind_4", b"\x01\x04" + group_key[2:], group
    yield "member_as_group", member_key, group
    yield "topics_endless", member_key, member.replace(b"\0\0\0\1\0\0\0\6orders", b"\xff\xff\xff\xff\0\0\0\6orders")
    yield "time_smallest", offset_key, offset[:13] + b"\x80" + bytes(7) + offset[21:]


folder = HERE / "corpus" / "group_records"
folder.mkdir(parents=True, exist_ok=True)
for name, key, value in inputs():
    (folder / name).write_bytes(bytes([len(key)]) + key + value)
