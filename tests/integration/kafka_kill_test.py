"""The server is killed under Kafka clients again and again: nothing acknowledged is lost, nothing doubled."""

import collections
import threading
import time
import unittest

import confluent_kafka as ck
from kafka import KafkaProducer
from kafka_fixture import PATIENCE_SECONDS, KafkaTest

KILLS = 4
PARTITIONS = 3


class Load:
    """A producer on a thread of its own; it notes what was acknowledged."""

    def __init__(self, test):
        self.sent = 0
        self.acknowledged = set()
        self.failed = []
        self.is_ending = threading.Event()
        self.thread = threading.Thread(target=self.run, args=(test.address, test.topic))
        self.thread.start()
        test.addCleanup(self.end)

    def end(self):
        self.is_ending.set()
        self.thread.join()


class IdempotentLoad(Load):
    def run(self, address, topic):
        producer = ck.Producer({"bootstrap.servers": address, "enable.idempotence": True, "linger.ms": 5,
                                "compression.type": "lz4", "reconnect.backoff.max.ms": 200,
                                "retry.backoff.ms": 50, "log_level": 0})

        def told(error, message):
            if error is None:
                self.acknowledged.add(int(message.value()))
            else:
                self.failed.append(str(error))

        while not self.is_ending.is_set():
            producer.produce(topic, b"%d" % self.sent, key=b"%d" % self.sent, on_delivery=told)
            self.sent += 1
            producer.poll(0.002 if len(producer) < 2000 else 0.1)
        producer.flush(PATIENCE_SECONDS)


class PlainLoad(Load):
    def run(self, address, topic):
        producer = KafkaProducer(bootstrap_servers=address, acks="all", retries=1000, linger_ms=5,
                                 reconnect_backoff_max_ms=200, max_in_flight_requests_per_connection=1)
        while not self.is_ending.is_set():
            number = self.sent
            self.sent += 1
            producer.send(topic, b"%d" % number).add_callback(lambda _, n=number: self.acknowledged.add(n)) \
                .add_errback(lambda error: self.failed.append(repr(error)))
            self.is_ending.wait(0.002)
        producer.flush(PATIENCE_SECONDS)
        producer.close()


class KillTest(KafkaTest):
    def kill_and_restart(self):
        self.server.process.kill()
        self.server.process.wait()
        self.server.start((f"kafka.listen={self.address}",))
        self.assertEqual(self.server.listeners["kafka"], [self.address])

    def run_load(self, load):
        """Kills the server while the load runs; the values that are stored, by how often."""
        for _ in range(KILLS):
            before = len(load.acknowledged)
            self.wait_until(lambda: len(load.acknowledged) >= before + 300, "nothing is acknowledged")
            self.kill_and_restart()
        before = len(load.acknowledged)
        self.wait_until(lambda: len(load.acknowledged) > before, "nothing is acknowledged any more")
        load.end()
        self.assertEqual(load.failed, [])
        stored = collections.Counter(map(int, self.consumed_by_grpc("%v")))
        self.assertEqual(load.acknowledged - stored.keys(), set(), "acknowledged, and lost")
        return stored

    def test_an_idempotent_producer_loses_and_doubles_nothing(self):
        self.create(PARTITIONS)
        load = IdempotentLoad(self)
        stored = self.run_load(load)
        self.assertEqual({n: times for n, times in stored.items() if times > 1}, {}, "doubled")
        self.assertEqual(stored.keys(), set(range(load.sent)))

    def test_a_plain_producer_loses_nothing(self):
        self.create(PARTITIONS)
        self.run_load(PlainLoad(self))

    def test_a_group_reads_on_through_kills(self):
        self.create(PARTITIONS)
        load = IdempotentLoad(self)
        group = f"group-{self.topic}"
        consumer = ck.Consumer({"bootstrap.servers": self.address, "group.id": group, "session.timeout.ms": 6000,
                                "auto.offset.reset": "earliest", "enable.auto.commit": False,
                                "reconnect.backoff.max.ms": 200, "log_level": 0})
        self.addCleanup(consumer.close)
        consumer.subscribe([self.topic])
        read = collections.Counter()
        committed = {}
        kills = 0
        deadline = time.monotonic() + 2 * PATIENCE_SECONDS
        while not (load.is_ending.is_set() and len(read) == load.sent):
            self.assertLess(time.monotonic(), deadline, f"read {len(read)} of {load.sent}")
            for message in consumer.consume(100, 0.1):
                if message.error() is None:
                    read[int(message.value())] += 1
            try:
                for place in consumer.commit(asynchronous=False) or []:
                    if place.error is None:
                        committed[place.partition] = place.offset
            except ck.KafkaException:
                pass  # Nothing new, or no server at the moment.
            if kills < 2 and len(read) > 300 * (kills + 1):
                self.kill_and_restart()
                kills += 1
            if kills == 2 and len(read) > 900:
                load.end()
        self.assertEqual(read.keys(), set(range(load.sent)))
        stored = {p["partition"]: p["committed"] for p in self.run_json("group", "describe", group)["partitions"]}
        for partition, offset in committed.items():
            self.assertGreaterEqual(stored[partition], offset, "a committed offset went back")


if __name__ == "__main__":
    unittest.main()
