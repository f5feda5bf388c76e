"""What holds for every client whose driver has all commands, except for kills of the server."""

import json
import struct
import time

from client_driver import Record, line_of, record_of
from kafka_wire import COUNT, batch

MEBIBYTE = 1 << 20
CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
REFUSED_SECONDS = 10  # Far below the 20 s that the drivers would wait.

RECORDS = [Record(b"key %d" % i, b"value %d " % i * 20, (("n", b"%d" % i), ("n", b"again"), ("", b"")))
           for i in range(200)]
RECORDS += [Record(None, None), Record(b"", b""), Record(None, b""), Record(b"k", None, (("null", None),)),
            Record(b"", None), Record(b"large", bytes(range(256)) * (MEBIBYTE // 256))]
MANY = [Record(None, b"%d" % i, (), 1) for i in range(10_000)]


class DriverTests:
    """A KafkaTest's other half; the subclass gives driver(*settings), its settings, and its words for a refusal."""

    one_batch = ()  # What is sent before the input ends is one batch of each partition.
    no_patience = ()
    refusal = unknown_topic = None

    def test_each_codec_keeps_every_record(self):
        for codec in CODECS:
            with self.subTest(codec):
                topic = f"{self.topic}.{codec}"
                self.create(2, topic)
                sent = self.driver(*self.one_batch).produce(topic, RECORDS + MANY, codec)
                self.assertEqual([r.offset for r in sent], [*range(len(RECORDS)), *range(len(MANY))])
                self.assertEqual(self.stored_codecs(0, topic), {codec})
                self.assertEqual(self.stored_codecs(1, topic), {codec})
                self.assertEqual(struct.unpack_from(">i", self.stored(1, topic), COUNT), (len(MANY),), "one batch")
                found = self.driver().consume(topic, len(sent))
                for partition in (0, 1):
                    self.assertEqual([r for r in found if r.partition == partition],
                                     [r for r in sent if r.partition == partition])

    def test_a_member_goes_on_where_the_last_one_committed(self):
        self.create()
        self.assertEqual(self.wire().produce(self.topic, 0, batch(*[b"v"] * 30)), (0, 0))
        first = self.driver().group(self.topic, self.topic, 12)
        self.assertEqual(self.committed(), [12])
        second = self.driver().group(self.topic, self.topic, 18)
        self.assertEqual([r.offset for r in first + second], list(range(30)))
        self.assertEqual(self.committed(), [30])
        self.assertEqual(self.run_json("group", "describe", self.topic)["members"], [])

    def committed(self):
        """By the group that is called as the topic."""
        return [p["committed"] for p in self.run_json("group", "describe", self.topic)["partitions"]]

    def test_a_transactional_id_is_refused_at_once(self):
        began = time.monotonic()
        self.assertEqual(self.driver().transaction(), self.refusal)
        self.assertLess(time.monotonic() - began, REFUSED_SECONDS)

    def test_a_topic_that_is_not_there_is_told(self):
        status, told, _ = self.driver(*self.no_patience).run("produce", self.address, "nowhere", "none",
                                                             stdin=line_of(Record(None, b"v")))
        self.assertEqual((status, [json.loads(line)["error"] for line in told]), (1, [self.unknown_topic]))
        self.assertNotIn("nowhere", [topic["topic"] for topic in self.run_json("topic", "list")])

    def assert_reads_in_rounds(self, reader, partitions, rounds):
        """One record to each partition in each round; the reader, which has read nothing yet, ends with the last."""
        connection = self.wire()
        for number in range(rounds):
            for partition in range(partitions):
                self.assertEqual(connection.produce(self.topic, partition, batch(b"%d" % number)), (0, number))
            self.wait_until(lambda: len(reader.lines) >= (number + 1) * partitions,
                            f"{len(reader.lines)} were read: {reader.said()}")
        self.assertEqual(reader.wait(), 0, reader.said())
        found = sorted((r.partition, r.offset, r.value) for r in map(record_of, reader.lines))
        self.assertEqual(found, [(p, o, b"%d" % o) for p in range(partitions) for o in range(rounds)])
