"""What clients send rarely: sequences out of turn, calls of operators by hand; and who is told which address."""

import struct
import unittest
import urllib.request

import kafka_wire as wire
from kafka_fixture import KafkaTest
from kafka_wire import array, batch, string
from talosmq_process import Server

INIT_PRODUCER_ID, DELETE_RECORDS, INCREMENTAL_ALTER_CONFIGS, FIND_COORDINATOR = 22, 21, 44, 10
OFFSET_OUT_OF_RANGE, UNKNOWN_TOPIC_OR_PARTITION, INVALID_CONFIG, INVALID_REQUEST = 1, 3, 40, 42
OUT_OF_ORDER_SEQUENCE, INVALID_PRODUCER_EPOCH, TRANSACTIONAL_ID_AUTHORIZATION_FAILED = 45, 47, 53
TOPIC, SET, DELETE, APPEND = 2, 0, 1, 2


class SequenceTest(KafkaTest):
    def init_producer(self, transactional_id=None):
        """The error, the id of the producer and its epoch."""
        reply = self.wire().call(INIT_PRODUCER_ID, 0, string(transactional_id) + struct.pack(">i", 60_000))
        return reply.take("ihqh")[1:]

    @staticmethod
    def numbered(producer_id, epoch, sequence, *values):
        data = bytearray(batch(*values))
        struct.pack_into(">qhi", data, wire.PRODUCER_ID, producer_id, epoch, sequence)
        return wire.with_crc(bytes(data))

    def test_each_producer_has_an_id_of_its_own(self):
        found = [self.init_producer() for _ in range(10)]
        self.assertEqual({(error, epoch) for error, _, epoch in found}, {(0, 0)})
        self.assertEqual(len({producer_id for _, producer_id, _ in found}), 10)

    def test_a_retry_is_answered_as_the_first_time(self):
        self.create()
        _, producer, epoch = self.init_producer()
        connection = self.wire()
        first = self.numbered(producer, epoch, 0, b"a", b"b")
        second = self.numbered(producer, epoch, 2, b"c")
        self.assertEqual(connection.produce(self.topic, 0, first), (0, 0))
        self.assertEqual(connection.produce(self.topic, 0, second), (0, 2))
        for _ in range(3):
            self.assertEqual(connection.produce(self.topic, 0, first), (0, 0))
            self.assertEqual(self.wire().produce(self.topic, 0, second), (0, 2))
        self.assertEqual(self.ends(), [3])

    def test_a_gap_and_an_old_epoch_are_refused(self):
        self.create()
        _, producer, epoch = self.init_producer()
        connection = self.wire()
        self.assertEqual(connection.produce(self.topic, 0, self.numbered(producer, epoch + 1, 0, b"a")), (0, 0))
        self.assertEqual(connection.produce(self.topic, 0, self.numbered(producer, epoch + 1, 2, b"c")),
                         (OUT_OF_ORDER_SEQUENCE, -1))
        self.assertEqual(connection.produce(self.topic, 0, self.numbered(producer, epoch, 1, b"b")),
                         (INVALID_PRODUCER_EPOCH, -1))
        self.assertEqual(connection.produce(self.topic, 0, self.numbered(producer, epoch + 1, 1, b"b")), (0, 1))
        self.assertEqual(self.ends(), [2])

    def test_sequences_are_known_after_a_kill(self):
        self.create()
        _, producer, epoch = self.init_producer()
        first = self.numbered(producer, epoch, 0, b"a")
        self.assertEqual(self.wire().produce(self.topic, 0, first), (0, 0))
        self.server.process.kill()
        self.server.process.wait()
        self.server.start((f"kafka.listen={self.address}",))
        self.assertEqual(self.wire().produce(self.topic, 0, first), (0, 0))
        self.assertEqual(self.wire().produce(self.topic, 0, self.numbered(producer, epoch, 1, b"b")), (0, 1))
        self.assertNotEqual(self.init_producer()[1], producer)

    def test_a_transactional_id_is_refused_by_both_that_see_it_first(self):
        self.assertEqual(self.init_producer("t"), (TRANSACTIONAL_ID_AUTHORIZATION_FAILED, -1, -1))
        found = self.wire().call(FIND_COORDINATOR, 1, string("t") + b"\1")
        self.assertEqual(found.take("ih"), (0, TRANSACTIONAL_ID_AUTHORIZATION_FAILED))
        self.assertIn("transactions", found.string())

    # Operators.

    def delete_records(self, topic, partition, offset):
        """The error and the new start."""
        asked = array(string(topic) + array(struct.pack(">iq", partition, offset)))
        reply = self.wire().call(DELETE_RECORDS, 0, asked + struct.pack(">i", 30_000))
        reply.take("ii")
        reply.string()
        _, _, low_watermark, error = reply.take("iiqh")
        return error, low_watermark

    def test_records_are_deleted_up_to_an_offset(self):
        self.create()
        self.wire().produce(self.topic, 0, batch(*(b"%d" % i for i in range(10))))
        self.assertEqual(self.delete_records(self.topic, 0, 4), (0, 4))
        self.assertEqual(self.wire().offset_at(self.topic, 0, -2), (0, -1, 4))
        self.assertEqual(self.delete_records(self.topic, 0, 2), (0, 4))
        self.assertEqual(self.delete_records(self.topic, 0, 11), (OFFSET_OUT_OF_RANGE, -1))
        self.assertEqual(self.delete_records(self.topic, 1, 1), (UNKNOWN_TOPIC_OR_PARTITION, -1))
        self.assertEqual(self.delete_records(self.topic, 0, -1), (0, 10))
        self.assertEqual(self.wire().fetch(self.topic, 0, 3)[0], OFFSET_OUT_OF_RANGE)
        self.assertEqual(self.wire().fetch(self.topic, 0, 10), (0, 10, b""))

    def alter(self, name, *changes, validate_only=False):
        configs = array(*(string(key) + struct.pack(">b", operation) + string(value)
                          for key, operation, value in changes))
        asked = array(struct.pack(">b", TOPIC) + string(name) + configs)
        reply = self.wire().call(INCREMENTAL_ALTER_CONFIGS, 0, asked + bytes([validate_only]))
        self.assertEqual(reply.take("ii"), (0, 1))
        return reply.take("h")

    def configs(self):
        described = self.run_json("topic", "describe", self.topic)
        return {config["key"]: (config["value"], config["is_default"]) for config in described["configs"]}

    def test_settings_of_a_topic_are_changed_by_themselves(self):
        self.create(configs=("max.record.bytes=1000000",))
        default = self.configs()["retention.ms"]
        self.assertEqual(self.alter(self.topic, ("retention.ms", SET, "60000")), 0)
        self.assertEqual(self.configs()["retention.ms"], ("60000", False))
        self.assertEqual(self.configs()["max.record.bytes"], ("1000000", False))
        self.assertEqual(self.alter(self.topic, ("retention.ms", DELETE, None)), 0)
        self.assertEqual(self.configs()["retention.ms"], default)

    def test_settings_that_would_not_be_obeyed_are_refused(self):
        self.create()
        before = self.configs()
        self.assertEqual(self.alter(self.topic, ("no.such.key", SET, "1")), INVALID_CONFIG)
        self.assertEqual(self.alter(self.topic, ("retention.ms", SET, "60000"), ("compression.type", SET, "gzip")),
                         INVALID_CONFIG)
        self.assertEqual(self.alter(self.topic, ("cleanup.policy", APPEND, "compact")), INVALID_REQUEST)
        self.assertEqual(self.alter(self.topic, ("retention.ms", SET, None)), INVALID_REQUEST)
        self.assertEqual(self.alter(self.topic, ("retention.ms", SET, "60000"), validate_only=True), 0)
        self.assertEqual(self.alter(self.topic, ("retention.ms", SET, "soon"), validate_only=True), INVALID_CONFIG)
        self.assertEqual(self.alter("nowhere", ("retention.ms", SET, "60000")), UNKNOWN_TOPIC_OR_PARTITION)
        self.assertEqual(self.configs(), before)

    # Listeners.

    def test_each_listener_tells_its_own_address(self):
        server = Server(("kafka.listen=inside=127.0.0.1:0,outside=127.0.0.1:0",
                         "kafka.advertised=outside=queue.example:19092,inside=10.1.2.3:9092"))
        self.addCleanup(server.stop)
        for address, host, port in zip(server.listeners["kafka"], ("10.1.2.3", "queue.example"), (9092, 19092)):
            connection = wire.Wire(address)
            self.addCleanup(connection.close)
            reply = connection.call(wire.METADATA, 1, array())
            self.assertEqual(reply.take("ii"), (1, 0))
            self.assertEqual((reply.string(), reply.take("i")), (host, port))
            found = connection.call(FIND_COORDINATOR, 0, string("g"))
            self.assertEqual(found.take("hi"), (0, 0))
            self.assertEqual((found.string(), found.take("i")), (host, port))

    # Long polls.

    def test_a_waiting_fetch_ends_with_the_first_record(self):
        self.create()
        connection = self.wire()
        asked = string(self.topic) + array(struct.pack(">iqi", 0, 0, 1 << 20))
        connection.request(wire.FETCH, 4, struct.pack(">iiiib", -1, 25_000, 1, 1 << 20, 0) + array(asked))
        self.assertEqual(self.wire().produce(self.topic, 0, batch(b"news")), (0, 0))
        self.assertIn(b"news", connection.answer().rest())

    def test_clients_that_leave_while_they_wait_are_forgotten(self):
        self.create()
        asked = string(self.topic) + array(struct.pack(">iqi", 0, 0, 1 << 20))
        for _ in range(50):
            connection = self.wire()
            connection.request(wire.FETCH, 4, struct.pack(">iiiib", -1, 300_000, 1, 1 << 20, 0) + array(asked))
            connection.close()
        self.wait_until(lambda: self.waiting_fetches() == 0, "fetches wait for clients that have gone")

    def waiting_fetches(self):
        with urllib.request.urlopen(f"http://{self.server.http}/metrics", timeout=30) as page:
            for line in page.read().decode().splitlines():
                if line.startswith("talosmq_broker_waiting_fetches "):
                    return float(line.split()[1])
        self.fail("the metric is not there")


if __name__ == "__main__":
    unittest.main()
