#!/usr/bin/env python3
"""Writes the seeds of the fuzzers of a data directory's files below corpus/.

The sound inputs are the worked examples of docs/formats; the others break one thing each. What a
fuzzer finds is added as a file of its own, named after the fault.
"""

import json
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
    epochs = example("epochs")
    yield "epochs", "sound", epochs
    yield "epochs", "torn", epochs[:-5]
    yield "epochs", "entries", epochs[32:]
    yield "epochs", "epoch_goes_down", epochs[48:] + epochs[32:48]
    yield "epochs", "negative", b"\xff" * 32
    producers = example("producers")
    yield "producer_snapshot", "sound", producers
    yield "producer_snapshot", "body", b"\x01" + producers[48:]
    yield "producer_snapshot", "twice", b"\x02" + producers[48:] + producers[48:]
    yield "producer_snapshot", "count_wrong", b"\x07" + producers[48:]
    yield "producer_snapshot", "no_batches", b"\x01" + producers[48:58] + bytes(10)
    yield "producer_snapshot", "cut", b"\x01" + producers[48:88]
    # As journal_files_fuzz.cc reads them: file, sequence - 1, before, oldest, sections, damage, what is cut off.
    group = lambda sequence, before, oldest=1, damage=0, cut=0, file=0: bytes(
        [file, sequence - 1, before, oldest, 1, 5, 6, 90, 1, damage, cut])
    yield "journal_files", "empty", b""
    yield "journal_files", "identity", b"TMQK\x01" + bytes(23)
    yield "journal_files", "chain", group(1, 0) + group(2, 1) + group(3, 2)
    yield "journal_files", "two_files", group(3, 2, file=1) + group(1, 0) + group(2, 1)
    yield "journal_files", "hole", group(1, 0) + group(3, 2)
    yield "journal_files", "before_itself", group(3, 3) + group(3, 4)
    yield "journal_files", "oldest_is_newer", group(3, 2, oldest=9)
    yield "journal_files", "header_damaged", group(1, 0, damage=9) + group(2, 1)
    yield "journal_files", "copy_cut", group(1, 0, cut=255) + group(2, 1, cut=255)
    node = {"format": 2, "cluster_id": "c", "broker_id": 0, "directory_id": "d", "metadata_store": "rocksdb:",
            "boot_counter": 3, "clean_stop": True, "store_writes": 5, "store_manifest": "MANIFEST-000004",
            "store_manifest_bytes": 100, "store_manifest_crc32c": 7, "crc32c": ""}
    yield "node_files", "node", json.dumps(node).encode()
    yield "node_files", "node_of_format_1", json.dumps(node | {"format": 1}).encode()
    yield "node_files", "node_bytes", json.dumps(node).encode().replace(b'"c"', b'"\xff\xc3"')
    yield "node_files", "node_large", json.dumps(node | {"boot_counter": 2**63}).encode()
    yield "node_files", "deep", b"[" * 10_000
    starts = {"format": 2, "failed_starts": 4, "last_error": "it ended", "crc32c": ""}
    yield "node_files", "starts", json.dumps(starts).encode()
    yield "node_files", "starts_many", json.dumps(starts | {"failed_starts": 2**64 - 2}).encode()


for fuzzer, name, content in inputs():
    folder = HERE / "corpus" / fuzzer
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)
