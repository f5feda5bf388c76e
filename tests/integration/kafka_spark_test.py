"""Spark Structured Streaming's Kafka source and sink, in local mode, against the Kafka port."""

import base64
import json
import unittest

from kafka_copy import CopyTest
from kafka_kill_test import IdempotentLoad
from kafka_wire import TIME_MS

# Spark reaches into the JDK by reflection.
OPENED = ("java.lang", "java.lang.invoke", "java.lang.reflect", "java.io", "java.net", "java.nio", "java.util",
          "java.util.concurrent", "java.util.concurrent.atomic", "sun.nio.ch", "sun.nio.cs", "sun.security.action",
          "sun.util.calendar")
PACED = {".maxOffsetsPerTrigger": 200}


def decoded(text):
    return None if text is None else base64.b64decode(text)


def places(**offsets):
    """The JSON in which Spark is told offsets: {TOPIC: {PARTITION: OFFSET}}."""
    return json.dumps(offsets, separators=(",", ":"))


class Checkpoint:
    """The folder in which a query notes where each of its batches ends, and that it is done."""

    def __init__(self, folder):
        self.folder = folder

    def numbers(self, kind):
        return {int(file.name) for file in (self.folder / kind).glob("*") if file.name.isdigit()}

    def ends(self, number):
        """Partition: offset, after the batch; nothing before the first."""
        file = self.folder / "offsets" / str(number)
        if not file.exists():
            return {}
        (topic,) = json.loads(file.read_text().splitlines()[2]).values()
        return {int(partition): offset for partition, offset in topic.items()}

    def begun(self):
        """The places of the batch that is begun and not done, if any."""
        (number,) = self.numbers("offsets") - self.numbers("commits") or {None}
        if number is None:
            return set()
        starts = self.ends(number - 1)
        return {(p, offset) for p, end in self.ends(number).items() for offset in range(starts.get(p, 0), end)}


class SparkTest(CopyTest):
    client = "spark"
    main = "Queries"
    flags = (*[f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in OPENED],
             "--add-modules=jdk.incubator.vector")

    def comparable(self, time, key, value, headers):
        return key, value, headers  # Spark's sink has no column for the timestamp.

    def setUp(self):
        super().setUp()
        self.checkpoint = Checkpoint(self.program.folder / self.topic)

    # Batches.

    def read(self, **options):
        """What a batch finds, by partition, as records() has it."""
        self.program.tell("read", **{"from": self.topic, ".includeHeaders": "true"} | options)
        found = {}
        while (line := self.program.answer()) != "END":
            self.assertFalse(line.startswith("FAILED"), line)
            row = json.loads(line)
            headers = [(header["key"], decoded(header.get("value"))) for header in row.get("headers", [])]
            found.setdefault(row["partition"], []).append((row["offset"], row["ms"], decoded(row.get("key")),
                                                           decoded(row.get("value")), headers))
        return {partition: sorted(records) for partition, records in found.items()}

    def test_a_batch_reads_everything_as_it_is(self):
        self.create(4)
        self.feed(100, partition=0)
        self.feed(100, partition=2)
        self.feed_large(partition=3)
        self.run_ok("produce", self.topic, "--partition", "1", "-H", "front=grpc", stdin=b"one\ntwo\n")
        self.assertEqual(self.read(), self.records(self.topic))

    def test_a_batch_begins_and_ends_at_offsets(self):
        self.create(2)
        self.feed(50, partition=0)
        self.feed(50, partition=1)
        found = self.read(**{".startingOffsets": places(**{self.topic: {"0": 10, "1": -2}}),
                             ".endingOffsets": places(**{self.topic: {"0": 20, "1": -1}})})
        stored = self.records(self.topic)
        self.assertEqual(found, {0: stored[0][10:20], 1: stored[1]})

    def test_a_batch_begins_and_ends_at_times(self):
        self.create(2)
        self.feed(50, partition=0)
        self.feed(50, partition=1, begin=20)
        found = self.read(**{".startingTimestamp": TIME_MS + 30, ".endingTimestamp": TIME_MS + 45})
        stored = self.records(self.topic)
        self.assertEqual(found, {0: stored[0][30:45], 1: stored[1][10:25]})

    def test_a_time_after_all_records_is_an_error_or_the_end(self):
        self.create(1)
        self.feed(10)
        later = {"from": self.topic, ".startingTimestamp": TIME_MS + 1000}
        self.expect_failure("No offset matched", "read", **later)
        self.expect("END", "read", **later, **{".startingOffsetsByTimestampStrategy": "latest"})

    def test_a_topic_that_is_not_there_is_an_error(self):
        self.expect_failure("UnknownTopicOrPartitionException", "read", **{"from": self.topic})
        self.expect_failure(f"Topic {self.topic} not present in metadata", "write", to=self.topic, count=1,
                            **{".kafka.max.block.ms": 1000})

    def test_each_codec_is_written_and_read(self):
        for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
            with self.subTest(codec):
                topic = f"{self.topic}.{codec}"
                self.create(topic=topic)
                self.expect("END", "write", to=topic, count=300, **{".kafka.compression.type": codec})
                self.assertEqual(self.stored_codecs(topic=topic), {codec})
                self.assertEqual(sorted(self.consumed_by_grpc("%k=%v", topic)), sorted(f"{i}={i}" for i in range(300)))
                self.assertEqual(self.read(**{"from": topic}), self.records(topic))

    # Streams.

    def query(self, **options):
        return {"from": self.topic, "to": self.copy, "checkpoint": self.checkpoint.folder} | options

    def test_a_query_goes_on_from_its_checkpoint(self):
        self.create_both(3)
        for _ in range(2):
            for partition in range(3):
                self.feed(100, partition)
            self.expect("END", "copy", **self.query(), **PACED)
        self.assert_copied_once()
        self.assertEqual(self.checkpoint.ends(max(self.checkpoint.numbers("offsets"))), dict(enumerate(self.ends())))

    def test_a_running_query_is_stopped_and_started_again(self):
        self.create_both(3)
        load = IdempotentLoad(self)
        begun = set()
        for _ in range(3):
            before = sum(self.ends(self.copy))
            with self.following(**self.query(), **PACED):
                self.wait_until(lambda: sum(self.ends(self.copy)) >= before + 200, "nothing is copied")
            begun |= self.checkpoint.begun()
        load.end()
        self.assertEqual(load.failed, [])
        self.expect("END", "copy", **self.query())
        doubled = {place for place, count in self.assert_copied().items() if count > 1}
        self.assertEqual(doubled - begun, set(), "copied twice, outside of the batches that were cut short")

    def test_a_query_lives_through_kills_of_the_server(self):
        self.create_both(3)
        load = IdempotentLoad(self)
        with self.following(**self.query()):
            self.kill_the_server_under(load)
        # No batch was tried again, so the sink's idempotent producer had nothing to send twice.
        self.assert_copied_once()

    def test_records_that_are_gone_are_reported(self):
        self.create_both(1)
        self.feed(20)
        self.expect("END", "copy", **self.query())
        self.feed(20)
        self.run_ok("topic", "trim", self.topic, "--partition", "0", "--before", "30")
        self.expect_failure("failOnDataLoss", "copy", **self.query())
        self.assertEqual(self.ends(self.copy), [20])
        self.expect("END", "copy", **self.query(), **{".failOnDataLoss": "false"})
        self.assertEqual([headers[-1][1].rpartition(b"@")[2] for *_, headers in self.records(self.copy)[0][20:]],
                         [b"%d" % offset for offset in range(30, 40)])


if __name__ == "__main__":
    unittest.main()
