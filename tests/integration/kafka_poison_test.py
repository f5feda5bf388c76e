"""What no honest client sends to the Kafka port: each is refused as Kafka does, and nothing is stored."""

import gzip
import pathlib
import re
import struct
import unittest

import kafka_wire as wire
from kafka_fixture import KafkaTest
from kafka_wire import array, batch, changed, string

UNKNOWN_TOPIC_OR_PARTITION, CORRUPT_MESSAGE, UNSUPPORTED_VERSION = 3, 2, 35
MESSAGE_TOO_LARGE, INVALID_REQUIRED_ACKS = 10, 21
UNSUPPORTED_FOR_MESSAGE_FORMAT, UNSUPPORTED_COMPRESSION, INVALID_RECORD = 43, 76, 87
TRANSACTIONAL_ID_AUTHORIZATION_FAILED, INVALID_REQUEST = 53, 42
FRAME_BYTES_MAX = 100 << 20
REQUEST_BYTES_MAX = 4 << 20
MEMORY_GROWTH_MAX = 128 << 20


class PoisonTest(KafkaTest):
    def tearDown(self):
        self.assertIsNone(self.server.process.poll(), self.server.log()[-3000:])
        self.assertEqual(self.wire().api_versions()[0], 0)

    def assert_ends(self, data):
        connection = self.wire()
        connection.send(data)
        self.assertTrue(connection.is_closed(), f"the connection lives on after {data[:40]}")

    # Frames.

    def test_a_frame_of_an_impossible_size_ends_the_connection(self):
        for size in (-1, -(1 << 31), 0, 7, FRAME_BYTES_MAX + 1, (1 << 31) - 1):
            self.assert_ends(struct.pack(">i", size) + b"\0" * 16)

    def test_other_protocols_end_the_connection(self):
        self.assert_ends(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x11" * 64)
        self.assert_ends(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self.assert_ends(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        self.assertIn("GET ", self.server.log())

    def test_garbage_in_the_header_ends_the_connection(self):
        for frame in (b"\xff" * 8, b"\xff" * 64,
                      struct.pack(">hhih", wire.METADATA, 1, 1, 30_000),  # The client id is not there.
                      struct.pack(">hhih", wire.METADATA, 1, 1, -2)):
            self.assert_ends(struct.pack(">i", len(frame)) + frame)

    def test_an_unknown_api_ends_the_connection(self):
        for key, version in ((999, 0), (-1, 0), (4, 0), (wire.PRODUCE, 99), (wire.FETCH, 3), (wire.METADATA, -1)):
            connection = self.wire()
            connection.request(key, version, b"")
            self.assertTrue(connection.is_closed(), (key, version))

    def test_a_body_that_ends_early_or_late_ends_the_connection(self):
        whole = array(string("a"), string("b"))
        for body in (whole[:-1], whole[:5], whole[:2], b"", whole + b"\0", struct.pack(">i", 1 << 30),
                     struct.pack(">i", -2)):
            connection = self.wire()
            connection.request(wire.METADATA, 1, body)
            self.assertTrue(connection.is_closed(), body)

    def test_half_a_frame_and_goodbye_leaves_nothing_behind(self):
        for data in (b"", b"\0", b"\0\0\1\0", b"\0\0\1\0" + b"\0" * 100):
            connection = self.wire()
            connection.send(data)
            connection.close()

    def test_other_requests_than_produce_are_smaller(self):
        head = struct.pack(">ihhi", REQUEST_BYTES_MAX + 1, wire.METADATA, 1, 1)
        self.assert_ends(head)

    # A frame of 100 MiB, before any login, took the memory of millions of names.
    def test_no_request_takes_more_memory_than_stated(self):
        before = self.memory("VmRSS")
        names = (REQUEST_BYTES_MAX - 64) // 2
        for _ in range(8):
            connection = self.wire()
            connection.request(wire.METADATA, 1, struct.pack(">i", names) + b"\0" * (2 * names))
            self.assertTrue(connection.is_closed())
        # The most of a kind that is still decoded: names that there are not.
        names = 100_000
        for _ in range(8):
            self.wire().call(wire.METADATA, 1, struct.pack(">i", names) + string("abc") * names)
        # And one that there is, whose partitions were told once for each mention.
        self.create(partitions=1000, topic="wide")
        reply = self.wire().call(wire.METADATA, 1, struct.pack(">i", names) + string("wide") * names)
        self.assertLess(len(reply.rest()), 1 << 20)
        self.assertLess(self.memory("VmHWM") - before, MEMORY_GROWTH_MAX)

    def test_frames_that_are_announced_and_do_not_come_take_no_memory(self):
        before = self.memory("VmRSS")
        head = struct.pack(">ihhi", FRAME_BYTES_MAX, wire.PRODUCE, 3, 1)
        announcers = [self.wire() for _ in range(50)]
        for connection in announcers:
            connection.send(head)
        self.assertEqual(self.wire().api_versions()[0], 0)
        self.create()
        self.assertEqual(self.wire().produce(self.topic, 0, batch(b"sound"))[0], 0)
        self.assertLess(self.memory("VmHWM") - before, MEMORY_GROWTH_MAX)

    def memory(self, line):
        """A line of /proc/PID/status in bytes: VmRSS, or VmHWM for the most it ever was."""
        status = pathlib.Path(f"/proc/{self.server.process.pid}/status").read_text()
        return int(re.search(rf"{line}:\s+(\d+) kB", status)[1]) * 1024

    def test_the_newest_question_for_versions_is_answered_in_the_oldest_way(self):
        connection = self.wire()
        for version in (5, 99, 32767):
            error, ranges = connection.api_versions(version, b"\xee" * 20)
            self.assertEqual(error, UNSUPPORTED_VERSION)
            self.assertEqual(ranges[wire.API_VERSIONS], (0, 4))
        self.assertEqual(connection.api_versions()[0], 0, "and the connection lives on")

    def test_a_client_name_that_could_be_no_label_is_refused(self):
        connection = self.wire()
        for name in (b"", b"a b", b"-a", b"a\n", b'"'):
            body = b"\0" + bytes([len(name) + 1]) + name + b"\2" + b"1" + b"\0"  # Tags of the header first.
            reply = connection.call(wire.API_VERSIONS, 3, body)
            self.assertEqual(reply.take("h"), INVALID_REQUEST, name)

    # Batches.

    def assert_refused(self, error, records, **options):
        """By the error, on a connection that lives on, with nothing stored."""
        connection = self.wire()
        found, offset = connection.produce(self.topic, 0, records, **options)
        self.assertEqual((found, offset), (error, -1))
        self.assertEqual(connection.produce(self.topic, 0, batch(b"sound"))[0], 0)
        self.sound += 1
        self.assertEqual(self.ends(), [self.sound])
        self.assertEqual(connection.offset_at(self.topic, 0, -1), (0, -1, self.sound))

    def test_damaged_batches_are_refused(self):
        self.create()
        self.sound = 0
        good = batch(b"one", b"two")
        flipped = bytearray(good)
        flipped[-1] ^= 1
        self.assert_refused(CORRUPT_MESSAGE, bytes(flipped))
        self.assert_refused(CORRUPT_MESSAGE, good[:-1])
        self.assert_refused(CORRUPT_MESSAGE, good[:30])
        self.assert_refused(CORRUPT_MESSAGE, b"")
        self.assert_refused(CORRUPT_MESSAGE, None)
        for length in (0, 10, len(good) - 12 + 1, len(good) - 12 + 1000, (1 << 31) - 1, -1):
            self.assert_refused(CORRUPT_MESSAGE, changed(good, wire.LENGTH, "i", length))

    def test_old_formats_are_refused_by_name(self):
        self.create()
        self.sound = 0
        for magic in (0, 1):
            message = struct.pack(">Ibb", 0, magic, 0) + (struct.pack(">q", 5) if magic else b"") + b"\xff" * 4
            message += struct.pack(">i", 1) + b"v"
            self.assert_refused(UNSUPPORTED_FOR_MESSAGE_FORMAT, struct.pack(">qi", 0, len(message)) + message)
        self.assert_refused(CORRUPT_MESSAGE, changed(batch(b"v"), wire.MAGIC, "b", 3))

    def test_what_one_batch_must_not_be_is_refused(self):
        self.create()
        self.sound = 0
        good = batch(b"one", b"two")
        self.assert_refused(INVALID_RECORD, good + good)
        self.assert_refused(INVALID_RECORD, good + b"\0")
        self.assert_refused(INVALID_RECORD, changed(good, wire.COUNT, "i", 3))
        self.assert_refused(INVALID_RECORD, changed(good, wire.COUNT, "i", 0))
        self.assert_refused(INVALID_RECORD, changed(good, wire.COUNT, "i", 1 << 30))
        self.assert_refused(INVALID_RECORD, changed(good, wire.LAST_DELTA, "i", 5))
        self.assert_refused(INVALID_RECORD, changed(good, wire.ATTRIBUTES, "h", 0x20))  # Control.
        self.assert_refused(INVALID_RECORD, changed(good, wire.ATTRIBUTES, "h", 0x10))  # Transactional.
        for codec in (5, 6, 7):
            self.assert_refused(UNSUPPORTED_COMPRESSION, changed(good, wire.ATTRIBUTES, "h", codec))
        for codec in (1, 2, 3):  # Bytes that were never compressed.
            self.assert_refused(INVALID_RECORD, changed(good, wire.ATTRIBUTES, "h", codec))
        self.assert_refused(UNSUPPORTED_COMPRESSION, changed(good, wire.ATTRIBUTES, "h", 4), version=3)

    def test_bombs_are_refused(self):
        self.create()
        self.sound = 0
        self.assert_refused(MESSAGE_TOO_LARGE, self.compressed(b"\0" * (200 << 20)))

    @staticmethod
    def compressed(body):
        good = batch(b"x")
        data = good[:61] + gzip.compress(body, 6)
        data = data[:wire.LENGTH] + struct.pack(">i", len(data) - 12) + data[12:]
        return changed(data, wire.ATTRIBUTES, "h", 1)

    def test_requests_that_cannot_be_met_are_refused(self):
        self.create()
        self.sound = 0
        self.assert_refused(INVALID_REQUIRED_ACKS, batch(b"v"), acks=2)
        self.assert_refused(TRANSACTIONAL_ID_AUTHORIZATION_FAILED, batch(b"v"), transactional_id="t")
        connection = self.wire()
        for topic, partition in ((self.topic, 1), (self.topic, -1), ("nowhere", 0), ("", 0), ("a/b", 0)):
            self.assertEqual(connection.produce(topic, partition, batch(b"v")), (UNKNOWN_TOPIC_OR_PARTITION, -1))
            self.assertEqual(connection.fetch(topic, partition, 0)[0], UNKNOWN_TOPIC_OR_PARTITION)

    def test_a_failure_that_nobody_waits_for_ends_the_connection(self):
        self.create()
        connection = self.wire()
        connection.produce(self.topic, 0, batch(b"kept"), acks=0)
        self.assertEqual(connection.api_versions()[0], 0, "it was not answered, and the next request is")
        connection.produce(self.topic, 0, batch(b"lost")[:-1], acks=0)
        self.assertTrue(connection.is_closed())
        self.assertEqual(self.ends(), [1])

    def test_answers_come_in_the_order_of_the_requests(self):
        self.create()
        connection = self.wire()
        asked = string(self.topic) + array(struct.pack(">iqi", 0, 0, 1 << 20))
        connection.request(wire.FETCH, 4, struct.pack(">iiiib", -1, 300, 1, 1 << 20, 0) + array(asked))
        first = connection.correlation
        connection.request(wire.API_VERSIONS, 0, b"")
        for expected in (first, first + 1):
            frame = wire.Reader(connection.take(struct.unpack(">i", connection.take(4))[0]))
            self.assertEqual(frame.take("i"), expected)

    # The table of docs/kafka.md, and the gates that old clients test.

    def test_the_documented_versions_are_those_announced(self):
        page = pathlib.Path(__file__).resolve().parent.parent.parent / "docs" / "kafka.md"
        rows = re.findall(r"^\| (\d+) \| \w+ \| (\d+)-(\d+) \|", page.read_text(), re.MULTILINE)
        documented = {int(key): (int(lowest), int(highest)) for key, lowest, highest in rows}
        self.assertEqual(self.wire().api_versions()[1], documented)

    def test_old_clients_find_the_versions_that_they_look_for(self):
        ranges = self.wire().api_versions()[1]
        gates = {0: (0, 3, 7), 1: (4, 10), 2: (1,), 8: (1, 2), 9: (1,), 10: (0,), 11: (0,), 12: (0,), 13: (0,),
                 14: (0,), 18: (0,), 22: (0,)}
        for key, versions in gates.items():
            lowest, highest = ranges[key]
            for version in versions:
                self.assertTrue(lowest <= version <= highest, (key, version))


if __name__ == "__main__":
    unittest.main()
