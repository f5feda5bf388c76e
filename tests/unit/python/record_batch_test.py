"""The Python client's RecordBatch v2: golden bytes, round trips, and bytes that are no batch."""

import pathlib
import random
import re
import sys
import unittest
from unittest import mock

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))
from talosmq_package import ROOT  # noqa: E402  (makes the package importable)

from talosmq import codecs, crc32c, record_batch  # noqa: E402
from talosmq.errors import Reason, TalosError  # noqa: E402

GOLDEN = ROOT / "tests" / "compat" / "data" / "record_batch"
T0_MS = 1_700_000_000_000
ALL_CODECS = ("none", "gzip", "snappy", "lz4", "zstd")


def bytes_of_hex(text):
    return bytes.fromhex(re.sub(r"[;#].*", "", text))


def golden(name):
    return bytes_of_hex((GOLDEN / f"{name}.hex").read_text())


def build(records, codec="none", **stamp):
    builder = record_batch.BatchBuilder(codecs.parse_codec(codec))
    for timestamp_ms, key, value, headers in records:
        builder.append(key, value, headers, timestamp_ms)
    builder.seal()
    return builder.stamp(**stamp)


def read(data):
    return [record for batch in record_batch.read_batches(data) for record in batch.records]


def with_crc(batch):
    """The same after a change, with a CRC that holds."""
    return batch[:17] + crc32c.crc32c(batch[21:]).to_bytes(4, "big") + batch[21:]


class RecordBatchTest(unittest.TestCase):
    def assert_refused(self, data, reason, *words):
        with self.assertRaises(TalosError) as caught:
            read(data)
        self.assertEqual(caught.exception.reason, reason)
        for word in words:
            self.assertIn(word, caught.exception.message)
        return caught.exception

    def setUp(self):
        self.batch = build([(T0_MS, b"k", b"hello", (("h", b"1"),)), (T0_MS + 1, None, b"", ())])

    def test_a_flipped_bit_behind_the_crc_is_told(self):
        for at in range(21, len(self.batch)):
            broken = bytearray(self.batch)
            broken[at] ^= 1
            self.assert_refused(bytes(broken), Reason.CORRUPT_BATCH, "crc")

    def test_a_batch_that_is_cut_off_is_told(self):
        for size in range(1, len(self.batch)):
            self.assert_refused(self.batch[:size], Reason.CORRUPT_BATCH, f"found {size}" if size < 61 else f"to {size} bytes")

    def test_another_magic_is_told(self):
        self.assert_refused(self.batch[:16] + b"\1" + self.batch[17:], Reason.CORRUPT_BATCH, "magic 2", "found 1")

    def test_codec_five_is_refused(self):
        broken = self.batch[:22] + b"\5" + self.batch[23:]
        self.assert_refused(with_crc(broken), Reason.UNSUPPORTED_COMPRESSION, "found 5")

    def test_an_inside_that_makes_no_sense_names_the_offsets(self):
        random_bytes = random.Random(7)
        inside = range(record_batch.HEADER_BYTES, len(self.batch))
        found = 0
        for _ in range(2000):
            broken = bytearray(self.batch)
            broken[random_bytes.choice(inside)] = random_bytes.randrange(256)
            try:
                read(with_crc(bytes(broken)))
            except TalosError as error:
                self.assertEqual((error.reason, error.corrupt_range), (Reason.INVALID_RECORD, (0, 2)))
                found += 1
        self.assertGreater(found, 500)

    def test_more_or_fewer_records_than_counted_are_told(self):
        for count in (0, 1, 3, 2**31 - 1):
            broken = self.batch[:57] + count.to_bytes(4, "big") + self.batch[61:]
            self.assert_refused(with_crc(broken), Reason.INVALID_RECORD)

    def test_a_record_that_does_not_end_where_its_length_says_is_told(self):
        record = record_batch.encode_record(0, 0, b"k", b"v", ())
        longer = bytes([record[0] + 2]) + record[1:] + b"\0"
        builder = record_batch.BatchBuilder(codecs.Codec.NONE)
        builder.append(b"k", b"v", (), T0_MS)
        builder.seal()
        broken = builder.stamp()[:61] + longer
        self.assert_refused(with_crc(broken[:8] + (len(broken) - 12).to_bytes(4, "big") + broken[12:]),
                            Reason.INVALID_RECORD, "expected to end")

    def test_offsets_that_do_not_grow_or_leave_the_batch_are_told(self):
        beyond = self.batch[:23] + (0).to_bytes(4, "big") + self.batch[27:]
        self.assert_refused(with_crc(beyond), Reason.INVALID_RECORD, "offset delta of 1 to 0, found 1")
        standing = build([(T0_MS, None, None, ())])
        record = standing[61:]
        twice = with_crc(standing[:8] + (len(standing) - 12 + len(record)).to_bytes(4, "big") + standing[12:57]
                         + (2).to_bytes(4, "big") + record * 2)
        self.assert_refused(twice, Reason.INVALID_RECORD, "found 0")

    def test_a_varint_beyond_its_width_is_told(self):
        for varint in (b"\xff\xff\xff\xff\x10", b"\xff\xff\xff\xff\xff\x01"):
            broken = self.batch[:61] + varint + self.batch[62:]
            length = (len(broken) - 12).to_bytes(4, "big")
            self.assert_refused(with_crc(broken[:8] + length + broken[12:]), Reason.INVALID_RECORD, "varint")

    def test_a_stream_that_inflates_beyond_the_cap_is_told(self):
        for codec in ALL_CODECS[1:]:
            data = codecs.compress(codecs.parse_codec(codec), bytes(1 << 20))
            self.assertEqual(codecs.inflate(codecs.parse_codec(codec), data, 1 << 20), bytes(1 << 20), codec)
            with self.assertRaises(TalosError, msg=codec) as caught:
                codecs.inflate(codecs.parse_codec(codec), data, (1 << 20) - 1)
            self.assertEqual(caught.exception.reason, Reason.BATCH_TOO_LARGE, codec)

    def test_a_compressed_stream_that_is_cut_off_or_goes_on_is_told(self):
        data = random.Random(3).randbytes(5000) * 2
        for codec in ALL_CODECS[1:]:
            number = codecs.parse_codec(codec)
            whole = codecs.compress(number, data)
            for broken in (whole[:-1], whole[:len(whole) // 2], whole + b"\0\1\2\3", b""):
                with self.assertRaises(TalosError, msg=f"{codec} {len(broken)}") as caught:
                    codecs.inflate(number, broken)
                self.assertEqual(caught.exception.reason, Reason.INVALID_RECORD, codec)

    def test_a_snappy_block_that_declares_too_much_allocates_nothing(self):
        for block in (b"\xff\xff\xff\xff\x0f" + bytes(10), b"\xff\xff\x7f" + bytes(10)):
            with mock.patch("snappy.uncompress") as uncompress, self.assertRaises(TalosError):
                codecs.inflate(codecs.Codec.SNAPPY, block)
            uncompress.assert_not_called()

    def test_a_codec_without_its_package_is_refused_by_name(self):
        with mock.patch.dict(sys.modules, {"snappy": None}):
            with self.assertRaises(TalosError) as caught:
                codecs.parse_codec("snappy")
        self.assertEqual(caught.exception.reason, Reason.UNSUPPORTED_COMPRESSION)
        self.assertIn("python3-snappy", caught.exception.message)

    def test_an_unknown_codec_lists_the_names(self):
        with self.assertRaises(TalosError) as caught:
            codecs.parse_codec("brotli")
        for name in ALL_CODECS:
            self.assertIn(name, caught.exception.message)

    def test_what_is_no_record_is_refused(self):
        for key, value, headers, timestamp_ms in (
            ("text", b"", (), 0),
            (None, "text", (), 0),
            (None, b"", ((b"h", b""),), 0),
            (None, b"", (("h",),), 0),
            (None, b"", (), -1),
            (None, b"", (), 1 << 63),
        ):
            with self.assertRaises(TalosError) as caught:
                record_batch.check_record(key, value, headers, timestamp_ms)
            self.assertEqual(caught.exception.reason, Reason.INVALID_ARGUMENT)

    def test_the_documents_example_is_what_is_built(self):
        page = (ROOT / "docs" / "formats" / "record-batch.md").read_text()
        example = bytes_of_hex(page.split("```hex\n")[1].split("```")[0])
        built = build([(T0_MS, b"k", b"hello", (("h", b"1"),)), (T0_MS + 1, None, b"", ())],
                      producer_id=4711, producer_epoch=0, base_sequence=0)
        self.assertEqual(built, example)

    def test_golden_batches_of_all_codecs_say_the_same(self):
        expected = read(golden("none"))
        self.assertEqual([r[0] for r in expected], [0, 1, 2, 3, 4])
        self.assertEqual(expected[3], (3, T0_MS + 1000, b"k2", None,
                                       (("trace", b"a"), ("trace", b"b"), ("", None), ("empty", b""))))
        for name in ("gzip", "gzip_members", "lz4", "lz4_content_size", "snappy_raw", "snappy_xerial", "zstd",
                     "zstd_frames"):
            self.assertEqual(read(golden(name)), expected, name)

    def test_golden_batches_of_brokers_are_read(self):
        self.assertEqual(read(golden("commit_marker")), [])
        self.assertEqual(read(golden("emptied")), [])
        self.assertEqual(len({timestamp_ms for _, timestamp_ms, _, _, _ in read(golden("log_append_time"))}), 1)
        stamped = with_crc(self.batch[:22] + b"\x08" + self.batch[23:])
        self.assertEqual([timestamp_ms for _, timestamp_ms, _, _, _ in read(stamped)], [T0_MS + 1] * 2)
        offsets = [record[0] for record in read(golden("compacted"))]
        self.assertEqual(offsets, sorted(set(offsets)))

    def test_random_records_come_back_in_every_codec(self):
        draw = random.Random(11)

        def field(bytes_max):
            return draw.choice((None, b"", draw.randbytes(draw.randrange(bytes_max))))

        for codec in ALL_CODECS:
            records = [(T0_MS + draw.randrange(-10_000, 10_000), field(200), field(20_000),
                        tuple((draw.choice(("", "h", "ключ")), field(100)) for _ in range(draw.randrange(4))))
                       for _ in range(300)]
            batches = build(records[:200], codec) + build(records[200:], codec)
            self.assertEqual([record[1:] for record in read(batches)], records, codec)

    def test_the_table_gives_the_same_crc(self):
        draw = random.Random(5)
        for size in (0, 1, 7, 64, 1000):
            data = draw.randbytes(size)
            self.assertEqual(crc32c.crc32c_by_table(data), crc32c.crc32c(data))
        self.assertEqual(crc32c.crc32c_by_table(b"123456789"), 0xE3069283)


if __name__ == "__main__":
    unittest.main()
