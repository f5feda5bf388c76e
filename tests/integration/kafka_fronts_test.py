"""One log, two fronts: what came by gRPC goes out by Kafka's protocol and the reverse, groups included."""

import json
import pathlib
import sys
import unittest
import uuid

import confluent_kafka as ck
import grpc
from confluent_kafka import TopicPartition
from kafka_fixture import PATIENCE_SECONDS, KafkaTest
from kafka_wire import CODECS, TIME_MS
from talosmq_process import talosmq as command_line

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import talosmq_package  # noqa: E402,F401  (makes the package importable)

import talosmq as sdk  # noqa: E402
from talosmq.v1 import message_pb2, message_pb2_grpc  # noqa: E402

RECORDS = [(b"key %d" % i, b"value %d " % i * 10, [("n", b"%d" % i), ("n", b"again")]) for i in range(100)]
RECORDS += [(None, b"no key", []), (b"no value", None, []), (b"", b"", [("", b"")])]


class FrontsTest(KafkaTest):
    def consumer(self, **options):
        consumer = ck.Consumer({"bootstrap.servers": self.address, "group.id": f"group-{self.topic}",
                                "enable.auto.commit": False, "auto.offset.reset": "earliest"} | options)
        self.addCleanup(consumer.close)
        return consumer

    def client(self):
        client = sdk.Client(self.server.address)
        self.addCleanup(client.close)
        return client

    def read(self, consumer, count):
        messages = []
        self.wait_until(lambda: messages.extend(consumer.consume(count - len(messages), 0.2))
                        or len(messages) == count, f"{count} records never came")
        self.assertEqual([m.error() for m in messages if m.error()], [])
        return messages

    def write(self, count, partition=0):
        producer = ck.Producer({"bootstrap.servers": self.address})
        for i in range(count):
            producer.produce(self.topic, b"%d" % i, partition=partition)
        self.assertEqual(producer.flush(PATIENCE_SECONDS), 0)

    def test_what_the_sdk_wrote_kafka_clients_read(self):
        for codec in CODECS:
            topic = f"{self.topic}-{codec}"
            self.create(topic=topic)
            with sdk.Producer(self.client(), topic, compression=codec) as producer:
                for key, value, headers in RECORDS:
                    producer.send(value, key=key, headers=headers, partition=0, timestamp_ms=TIME_MS)
            consumer = self.consumer()
            consumer.assign([TopicPartition(topic, 0, 0)])
            found = self.read(consumer, len(RECORDS))
            self.assertEqual([(m.key(), m.value(), m.headers() or []) for m in found], RECORDS)
            self.assertEqual({m.timestamp()[1] for m in found}, {TIME_MS})

    def test_what_kafka_clients_wrote_the_command_line_reads(self):
        for codec in CODECS:
            topic = f"{self.topic}-{codec}"
            self.create(topic=topic)
            producer = ck.Producer({"bootstrap.servers": self.address, "compression.type": codec, "linger.ms": 50})
            for key, value, headers in RECORDS:
                producer.produce(topic, value, key, partition=0, headers=headers, timestamp=TIME_MS)
            self.assertEqual(producer.flush(PATIENCE_SECONDS), 0)
            lines = self.run_ok("consume", topic, "-O", "start", "-e", "-f", "%o|%k|%v|%h|%T\\n").splitlines()
            self.assertEqual(lines[:2], [f"{i}|key {i}|{f'value {i} ' * 10}|n={i},n=again|{TIME_MS}" for i in (0, 1)])
            self.assertEqual(len(lines), len(RECORDS))
            found = [json.loads(line) for line in
                     self.run_ok("consume", topic, "-O", "start", "-e", "-o", "json").splitlines()]
            self.assertEqual([record["offset"] for record in found], list(range(len(RECORDS))))

    def test_the_same_bytes_go_out_by_both(self):
        self.create()
        self.run_ok("produce", self.topic, stdin=b"a\nb\nc\n")
        topic_id = uuid.UUID(self.run_json("topic", "describe", self.topic)["topic_id"]).bytes
        with grpc.insecure_channel(self.server.address) as channel:
            fetched = message_pb2_grpc.MessageServiceStub(channel).FetchOnce(message_pb2.FetchOnceRequest(
                partitions=[message_pb2.Subscription(subscription_id=1, topic_id=topic_id, partition=0, offset=0)]))
        self.assertEqual(fetched.partitions[0].records, self.stored())

    def test_offsets_that_kafka_committed_are_the_groups(self):
        self.create()
        self.write(10)
        consumer = self.consumer()
        consumer.subscribe([self.topic])
        self.read(consumer, 10)
        consumer.commit(offsets=[TopicPartition(self.topic, 0, 7)], asynchronous=False)
        described = self.run_json("group", "describe", f"group-{self.topic}")
        self.assertEqual([(p["committed"], p["lag"]) for p in described["partitions"]], [(7, 3)])
        self.assertEqual(len(described["members"]), 1)
        consumer.close()
        self.assertIn(f"group-{self.topic}", self.run_ok("group", "list"))
        self.assertEqual(self.run_ok("consume", self.topic, "-g", f"group-{self.topic}", "-e").split(), ["7", "8", "9"])

    def test_offsets_that_grpc_committed_are_kafkas(self):
        self.create()
        self.write(10)
        self.run_ok("consume", self.topic, "-g", f"group-{self.topic}", "-n", "4")
        consumer = self.consumer()
        committed, = consumer.committed([TopicPartition(self.topic, 0)], PATIENCE_SECONDS)
        self.assertEqual(committed.offset, 4)
        consumer.subscribe([self.topic])
        self.assertEqual([m.offset() for m in self.read(consumer, 6)], [4, 5, 6, 7, 8, 9])

    def test_a_reset_by_the_command_line_moves_kafkas_group(self):
        self.create()
        self.write(10)
        self.consumer().commit(offsets=[TopicPartition(self.topic, 0, 9)], asynchronous=False)
        self.run_ok("group", "reset", f"group-{self.topic}", self.topic, "-O", "2")
        committed, = self.consumer().committed([TopicPartition(self.topic, 0)], PATIENCE_SECONDS)
        self.assertEqual(committed.offset, 2)

    def test_a_group_speaks_one_protocol_at_a_time(self):
        self.create()
        self.write(3)
        consumer = self.consumer()
        consumer.subscribe([self.topic])
        self.read(consumer, 3)
        status, _, err = command_line(self.server, "consume", self.topic, "-g", f"group-{self.topic}", "-e")
        self.assertEqual(status, 1, err)
        self.assertEqual(len(self.run_json("group", "describe", f"group-{self.topic}")["members"]), 1)


if __name__ == "__main__":
    unittest.main()
