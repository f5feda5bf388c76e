"""The Go clients franz-go and sarama against the Kafka port."""

import unittest

from client_driver import ClientDriver, record_of
from driver_load import DriverLoad
from driver_tests import MANY, RECORDS, DriverTests
from foreign_clients import go_program
from kafka_fixture import KafkaTest
from kafka_wire import batch


class GoTests(DriverTests):
    """What holds for both; the subclass gives the program and its settings."""

    name = None
    long_poll = ()
    sessions = None  # Fetch sessions that a consumer opens.

    @classmethod
    def setUpClass(cls):
        cls.program = go_program(cls.name)
        super().setUpClass()

    def driver(self, *settings):
        return ClientDriver(self, [self.program], settings)

    def test_a_consumer_of_many_partitions_with_long_polls_misses_nothing(self):
        partitions, rounds = 50, 6
        self.create(partitions)
        reader = self.driver(*self.long_poll).start("consume", self.address, self.topic, partitions * rounds)
        self.assert_reads_in_rounds(reader, partitions, rounds)

    def test_a_consumer_reads_in_fetch_sessions_if_it_has_them(self):
        partitions = 10
        self.create(partitions)
        reader = self.driver().start("consume", self.address, self.topic, partitions + 1)
        for partition in range(partitions):
            self.assertEqual(self.wire().produce(self.topic, partition, batch(b"v")), (0, 0))
        self.wait_until(lambda: len(reader.lines) == partitions, reader.said())
        # franz-go takes out of its session for a while what it has not given away yet.
        self.wait_until(lambda: self.metric("talosmq_kafka_fetch_session_partitions") == self.sessions * partitions,
                        "the session has not all of them")
        self.assertEqual(self.metric("talosmq_kafka_fetch_sessions"), self.sessions)
        self.assertEqual(self.wire().produce(self.topic, 0, batch(b"v")), (0, 1))
        self.assertEqual(reader.wait(), 0, reader.said())

    def test_kill_9_loses_and_doubles_nothing_and_keeps_the_order(self):
        partitions = 3
        self.create(partitions)
        load = DriverLoad(self, self.driver(), "lz4", partitions)
        load.kill_server_again_and_again()
        load.end()
        load.assert_stored()

    def test_a_group_reads_on_through_kills(self):
        partitions = 4
        self.create(partitions)
        load = DriverLoad(self, self.driver(), "zstd", partitions)
        members = [self.driver().start("member", self.address, self.topic, self.topic) for _ in range(2)]
        self.wait_until(lambda: all(m.lines for m in members), "somebody reads nothing")
        load.kill_server_again_and_again()
        load.end()
        self.wait_until(lambda: self.committed() == self.ends(), "not everything is committed")
        for member in members:
            self.assertEqual(member.wait(), 0, member.said())
        read = {(r.partition, r.offset, int(r.value)) for m in members for r in map(record_of, m.lines)}
        self.assertEqual(read, {(p, o, n) for p, places in load.stored().items() for o, n in places})
        self.assertEqual(self.run_json("group", "describe", self.topic)["members"], [])


class FranzGoTest(GoTests, KafkaTest):
    name = "franz-go"
    one_batch = ("ProducerLinger=1m",)
    long_poll = ("FetchMaxWait=20s",)
    sessions = 1
    unknown_topic = "UNKNOWN_TOPIC_OR_PARTITION"
    refusal = "TRANSACTIONAL_ID_AUTHORIZATION_FAILED"


class SaramaTest(GoTests, KafkaTest):
    name = "sarama"
    one_batch = (f"Producer.Flush.Messages={len(RECORDS + MANY)}",)
    long_poll = ("Consumer.MaxWaitTime=20s",)
    sessions = 0
    no_patience = ("Metadata.Retry.Max=3",)
    unknown_topic = "nowhere: kafka server: Request was for a topic or partition that does not exist on this broker"
    refusal = "kafka server: Transactional ID authorization failed"


if __name__ == "__main__":
    unittest.main()
