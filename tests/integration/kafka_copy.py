"""What the tests of Flink and Spark share: topics that a job copies, and what must have arrived."""

import base64
import collections
import contextlib
import json

import confluent_kafka as ck
from foreign_clients import java_classpath
from java_program import JavaProgram
from kafka_fixture import PATIENCE_SECONDS, KafkaTest
from kafka_wire import TIME_MS
from talosmq_process import talosmq

KILLS = 3
MEBIBYTE = 1 << 20
# What a job must not change, beside keys and values of plain text.
ODD = [(None, b"", []), (b"", None, [("a", None)]), (b"\xff\x00", b"\xfe", [("a", b"1"), ("a", b"2"), ("b", b"")])]


def raw(record, name):
    coded = record.get(f"{name}_base64")
    if coded is not None:
        return base64.b64decode(coded)
    return None if record.get(name) is None else record[name].encode()


class CopyTest(KafkaTest):
    """Topics A and B of a test; a job reads A and writes to B, into partitions of the same numbers.

    It puts "mapped " in front of each value that is not null and adds a header `from`, TOPIC-PARTITION@OFFSET.
    """

    client = main = None  # The folder under clients/ and the class in it that runs the jobs.
    flags = ()

    @classmethod
    def setUpClass(cls):
        cls.classpath = java_classpath(cls.client)
        super().setUpClass()
        cls.program = cls.start_program()

    @classmethod
    def tearDownClass(cls):
        cls.program.end()
        super().tearDownClass()

    @classmethod
    def start_program(cls):
        return JavaProgram(cls.classpath, cls.main, cls.address, flags=cls.flags)

    def setUp(self):
        super().setUp()
        self.copy = f"{self.topic}.copy"

    # Jobs.

    def expect(self, wanted, word, **values):
        self.assertEqual(self.program.ask(word, **values), wanted, self.program.log()[-5000:])

    def expect_failure(self, wanted, word, **values):
        self.assertRegex(self.program.ask(word, **values), f"^FAILED .*{wanted}")

    @contextlib.contextmanager
    def following(self, **values):
        """A job that goes on as long as the block."""
        self.expect("RUNNING", "follow", **values)
        try:
            yield
        finally:
            answer = self.program.ask("stop")
        self.assertEqual(answer, "STOPPED")

    # Topics.

    def create(self, partitions=1, topic=None):
        super().create(partitions, topic, ["retention.ms=-1"])  # TIME_MS is long ago.

    def create_both(self, partitions):
        self.create(partitions)
        self.create(partitions, topic=self.copy)

    def feed(self, count, partition=0, begin=0):
        """Odd records first, then plain ones until there are `count`, stamped TIME_MS + their number."""
        plain = [(b"key %d" % i, b"value %d" % i, [("n", b"%d" % i)]) for i in range(count - len(ODD))]
        self.send([(key, value, TIME_MS + number, headers)
                   for number, (key, value, headers) in enumerate(ODD + plain, begin)], partition, linger_ms=5)

    def feed_large(self, partition):
        """A batch of 10,000 records, and a record of 1 MiB."""
        self.send([(b"%d" % i, b"%d" % i, TIME_MS, []) for i in range(10_000)], partition, linger_ms=10_000)
        self.send([(b"large", b"x" * MEBIBYTE, TIME_MS, [])], partition, linger_ms=0)

    def send(self, records, partition, linger_ms):
        producer = ck.Producer({"bootstrap.servers": self.address, "acks": "all", "linger.ms": linger_ms,
                                "batch.num.messages": 10_000, "message.max.bytes": 2 * MEBIBYTE})
        failed = []
        for key, value, time, headers in records:
            producer.produce(self.topic, value, key, partition, timestamp=time, headers=headers,
                             on_delivery=lambda error, _: failed.append(error) if error else None)
        self.assertEqual(producer.flush(PATIENCE_SECONDS), 0)
        self.assertEqual(failed, [])

    def is_caught_up(self):
        return all(copied >= end for copied, end in zip(self.ends(self.copy), self.ends()))

    def records(self, topic):
        """What gRPC reads, by partition: (offset, timestamp, key, value, headers) in order."""
        found = collections.defaultdict(list)
        for line in self.run_ok("consume", topic, "-O", "start", "-e", "-o", "json").splitlines():
            record = json.loads(line)
            headers = [(header["key"], raw(header, "value")) for header in record["headers"]]
            found[record["partition"]].append((record["offset"], record["timestamp_ms"], raw(record, "key"),
                                               raw(record, "value"), headers))
        return found

    def expected(self):
        """What a copy of A is, by partition: {offset in A: (timestamp, key, value, headers)}."""
        return {partition: {offset: (time, key, None if value is None else b"mapped " + value,
                                     [*headers, ("from", f"{self.topic}-{partition}@{offset}".encode())])
                            for offset, time, key, value, headers in records}
                for partition, records in self.records(self.topic).items()}

    def copied(self, topic=None):
        """What is in B, by partition: the offsets in A, in B's order; each record must be as A has it."""
        expected = self.expected()
        found = collections.defaultdict(list)
        for partition, records in self.records(topic or self.copy).items():
            for _, time, key, value, headers in records:
                offset = int(headers[-1][1].rpartition(b"@")[2])
                self.assertEqual(self.comparable(time, key, value, headers),
                                 self.comparable(*expected[partition][offset]))
                found[partition].append(offset)
        return found

    def comparable(self, time, key, value, headers):
        return time, key, value, headers

    def assert_copied_once(self, topic=None):
        """Every record of A is in B once, in A's order."""
        self.assertEqual(self.copied(topic), {p: sorted(records) for p, records in self.expected().items()})

    def assert_copied(self):
        """Every record of A is in B at least once; how often, by place."""
        found = self.copied()
        for partition, records in self.expected().items():
            self.assertEqual(records.keys() - set(found[partition]), set(), f"lost from partition {partition}")
        return collections.Counter((p, offset) for p, offsets in found.items() for offset in offsets)

    def committed(self, group):
        """Where the group goes on with A, by partition; nothing while there is no such group."""
        status, out, err = talosmq(self.server, "group", "describe", group, "-o", "json")
        if status != 0:
            self.assertIn("there is no group", err)
            return {}
        return {place["partition"]: place["committed"] for place in json.loads(out)["partitions"]
                if place["topic"] == self.topic and place["committed"] is not None}

    def kill_the_server_under(self, load):
        """Again and again, while the load is copied; then it ends, and all of it is copied."""
        for _ in range(KILLS):
            before = sum(self.ends(self.copy))
            self.wait_until(lambda: sum(self.ends(self.copy)) >= before + 300, "nothing is copied")
            self.server.process.kill()
            self.server.process.wait()
            self.server.start((f"kafka.listen={self.address}",))
            self.assertEqual(self.server.listeners["kafka"], [self.address])
        load.end()
        self.assertEqual((load.failed, sum(self.ends())), ([], load.sent))
        self.wait_until(self.is_caught_up, "not everything is copied")
