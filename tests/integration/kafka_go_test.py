"""The Go clients franz-go and sarama against the Kafka port."""

import unittest

from client_driver import ClientDriver
from driver_load import DriverLoad
from driver_tests import MANY, RECORDS, DriverTests
from foreign_clients import go_program
from kafka_fixture import KafkaTest


class GoTests(DriverTests):
    """What holds for both; the subclass gives the program and its settings."""

    name = None
    long_poll = ()

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

    def test_kill_9_loses_and_doubles_nothing_and_keeps_the_order(self):
        partitions = 3
        self.create(partitions)
        load = DriverLoad(self, self.driver(), "lz4", partitions)
        load.kill_server_again_and_again()
        load.end()
        load.assert_stored()


class FranzGoTest(GoTests, KafkaTest):
    name = "franz-go"
    one_batch = ("ProducerLinger=1m",)
    long_poll = ("FetchMaxWait=20s",)
    unknown_topic = "UNKNOWN_TOPIC_OR_PARTITION"
    refusal = "TRANSACTIONAL_ID_AUTHORIZATION_FAILED"


class SaramaTest(GoTests, KafkaTest):
    name = "sarama"
    one_batch = (f"Producer.Flush.Messages={len(RECORDS + MANY)}",)
    long_poll = ("Consumer.MaxWaitTime=20s",)
    no_patience = ("Metadata.Retry.Max=3",)
    unknown_topic = "nowhere: kafka server: Request was for a topic or partition that does not exist on this broker"
    refusal = "kafka server: Transactional ID authorization failed"


if __name__ == "__main__":
    unittest.main()
