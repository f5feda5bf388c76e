"""What each client writes with each of its codecs each client reads, byte for byte and by offset."""

import sys
import unittest

from client_driver import ClientDriver, Record
from foreign_clients import CLIENTS, go_program
from java_client import VERSIONS, driver_command
from kafka_fixture import KafkaTest
from kafkajs_client import install

MEBIBYTE = 1 << 20
CODECS = ("none", "gzip", "snappy", "lz4", "zstd")

# What cannot be written and read, and why.
LACKS = {
    ("kafka-python", "zstd"): "Debian has no zstd module for it",
    ("kafkajs", "zstd"): "its package @kafkajs/zstd does not compile on Node.js 20",
}

# Header values of one name stand together: kafkajs keeps no order between names.
RECORDS = [Record(b"key %d" % i, b"value %d " % i * (i % 20), (("n", b"%d" % i), ("n", b"again"), ("m", b"\x00\xff")))
           for i in range(300)]
RECORDS += [Record(None, None), Record(b"", b""), Record(None, b""), Record(b"", None), Record(b"k", None),
            Record(bytes(range(256)), bytes(reversed(range(256)))),
            Record(None, b"v", (("empty", b""), ("", b"nameless"))),
            Record(None, b"v", (("null", None),)), Record(b"large", bytes(range(256)) * (MEBIBYTE // 256))]


def sendable(name):
    """kafka-python refuses records with neither key nor value; it and kafkajs refuse null in headers."""
    records = RECORDS
    if name == "kafka-python":
        records = [r for r in records if (r.key, r.value) != (None, None)]
    if name in ("kafka-python", "kafkajs"):
        records = [r for r in records if all(value is not None for _, value in r.headers)]
    return records


def commands():
    """The drivers by the names of their clients."""
    python = CLIENTS / "python"
    return {
        f"Java {VERSIONS[0]}": driver_command(VERSIONS[0]),
        f"Java {VERSIONS[1]}": driver_command(VERSIONS[1]),
        "franz-go": [go_program("franz-go")],
        "sarama": [go_program("sarama")],
        "confluent-kafka": [sys.executable, python / "confluent.py"],
        "kafka-python": [sys.executable, python / "kafka_python.py"],
        "kafkajs": ["node", install() / "driver.js"],
    }


class MatrixTest(KafkaTest):
    @classmethod
    def setUpClass(cls):
        cls.commands = commands()
        super().setUpClass()

    def driver(self, name):
        return ClientDriver(self, self.commands[name])

    def clients_with(self, codec):
        return [name for name in self.commands if (name, codec) not in LACKS]

    def fill(self, codec):
        """A topic whose partitions have a producer each; what was acknowledged, by partition."""
        topic = f"{self.topic}.{codec}"
        producers = self.clients_with(codec)
        self.create(len(producers), topic)
        sent = {}
        for partition, name in enumerate(producers):
            records = [record._replace(partition=partition) for record in sendable(name)]
            sent[partition] = self.driver(name).produce(topic, records, codec)
            self.assertEqual([r.offset for r in sent[partition]], list(range(len(records))), f"{name} wrote {codec}")
            # librdkafka sends a batch as it is when compression does not make it smaller.
            self.assertEqual(self.stored_codecs(partition, topic) - {"none"}, {codec} - {"none"}, f"{name} wrote {codec}")
        return topic, sent

    # A topic for each codec rather than for each producer and codec: that is one start of each consumer.
    def test_each_client_reads_what_each_client_wrote(self):
        for codec in CODECS:
            topic, sent = self.fill(codec)
            for reader in self.clients_with(codec):
                found = self.driver(reader).consume(topic, sum(map(len, sent.values())))
                for partition, writer in enumerate(self.clients_with(codec)):
                    with self.subTest(codec=codec, writer=writer, reader=reader):
                        read = [r for r in found if r.partition == partition]
                        self.assertEqual([r.offset for r in read], [r.offset for r in sent[partition]])
                        different = [r.offset for r, s in zip(read, sent[partition]) if r != s]
                        self.assertEqual(different, [], "offsets of records that differ")

    def test_a_codec_that_a_client_lacks_is_told(self):
        self.create()
        self.driver("franz-go").produce(self.topic, RECORDS[:10], "zstd")
        for name, codec in LACKS:
            with self.subTest(name):
                for asked in (("produce", self.address, self.topic, codec), ("consume", self.address, self.topic, 10)):
                    status, lines, said = self.driver(name).run(*asked)
                    self.assertEqual((status, lines), (1, []), said)
                    self.assertRegex(said, "(?i)codec|zstd")


if __name__ == "__main__":
    unittest.main()
