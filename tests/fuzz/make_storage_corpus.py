#!/usr/bin/env python3
"""Writes the seeds of the segment, index, checkpoint and producer snapshot fuzzers below corpus/.

The sound inputs are the worked examples of docs/formats; the others break one thing each. What a
fuzzer finds is added as a file of its own, named after the fault.
"""

import pathlib
import re

HERE = pathlib.Path(__file__).parent
FORMATS = HERE.parent.parent / "docs" / "formats"


def example(page):
    text = (FORMATS / f"{page}.md").read_text()
    block = re.search(r"```hex\n(.*?)```", text, re.DOTALL).group(1)
    return bytes.fromhex("".join(line.split(";")[0] for line in block.splitlines()))


def at_zero(segment):
    """The batches from offset 0 on, where the fuzzer's log begins."""
    half = len(segment) // 2
    return b"".join(
        offset.to_bytes(8, "big") + segment[i * half + 8:(i + 1) * half]
        for i, offset in enumerate((0, 2)))


def flipped(data, position):
    return data[:position] + bytes([data[position] ^ 1]) + data[position + 1:]


def inputs():
    segment = at_zero(example("segment"))
    yield "segment", "empty", b""
    yield "segment", "two_batches", segment
    yield "segment", "zero_tail", segment + bytes(4096)
    yield "segment", "torn", segment[:-20]
    yield "segment", "first_damaged", flipped(segment, 80)
    yield "segment", "stale_block", segment + segment[:85]
    yield "segment", "length_largest", segment[:93] + b"\x7f\xff\xff\xff" + segment[97:]
    yield "segment", "zeros", bytes(300)
    index = example("index")
    yield "segment_index", "sound", index
    yield "segment_index", "entries", index[64:] + index[64:]
    yield "segment_index", "cut", index[:80]
    yield "segment_index", "zeros", bytes(96)
    yield "segment_index", "version_2", index[:4] + b"\x02" + index[5:]
    checkpoint = example("checkpoint")
    yield "checkpoint", "sound", checkpoint
    yield "checkpoint", "entry_damaged", flipped(checkpoint, 60)
    yield "checkpoint", "mark_damaged", flipped(checkpoint, 20)
    yield "checkpoint", "version_1", bytes.fromhex("544d5143010000000000000296515e23") + checkpoint[36:]
    yield "checkpoint", "cut", checkpoint[:-3]
    yield "checkpoint", "epochs", example("epochs")
    yield "checkpoint", "epochs_torn", example("epochs")[:-5]
    producers = example("producers")
    yield "producer_snapshot", "sound", producers
    yield "producer_snapshot", "body", b"\x01" + producers[48:]
    yield "producer_snapshot", "twice", b"\x02" + producers[48:] + producers[48:]
    yield "producer_snapshot", "count_wrong", b"\x07" + producers[48:]
    yield "producer_snapshot", "no_batches", b"\x01" + producers[48:58] + bytes(10)
    yield "producer_snapshot", "cut", b"\x01" + producers[48:88]


for fuzzer, name, content in inputs():
    folder = HERE / "corpus" / fuzzer
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)
