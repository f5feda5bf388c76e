"""Kafka's AdminClient in Java, and places by time, against the Kafka port."""

import unittest

from client_driver import Record
from java_client import VERSIONS, JavaClient, Operator
from kafka_fixture import KafkaTest
from kafka_wire import TIME_MS, batch

# Of each kind of thing that is not served one call that an operator would make.
UNSUPPORTED = ("describeAcls", "describeClientQuotas", "describeUserScramCredentials", "listPartitionReassignments",
               "electLeaders", "describeMetadataQuorum", "listTransactions", "createDelegationToken")


class AdminTests(JavaClient):
    """One operator makes the calls of all tests."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.admin = Operator([*cls.program("Operator"), cls.address])

    @classmethod
    def tearDownClass(cls):
        cls.admin.kill()
        super().tearDownClass()

    def fill(self, count, partitions=1):
        self.create(partitions)
        for partition in range(partitions):
            for i in range(count):
                self.assertEqual(self.wire().produce(self.topic, partition, batch(b"v", timestamp_ms=TIME_MS + i)),
                                 (0, i))

    # Topics.

    def test_topics_are_created_grown_described_and_deleted(self):
        topic = self.topic
        self.admin.call("createTopics", topic=topic, partitions=2, configs={"retention.ms": "60000"})
        self.assertEqual(self.admin.refusal("createTopics", topic=topic, partitions=2), "TopicExistsException")
        self.admin.call("createPartitions", topic=topic, total=4)
        self.assertEqual(self.admin.refusal("createPartitions", topic=topic, total=3), "InvalidPartitionsException")
        told = self.admin.call("describeTopics", topic=topic)
        self.assertEqual((told["partitions"], told["leaders"]), (4, [0]))
        self.assertNotEqual(told["id"], "AAAAAAAAAAAAAAAAAAAAAA", "a topic has an id")
        self.assertEqual(len(self.ends()), 4)
        self.assertIn(topic, self.admin.call("listTopics"))
        self.admin.call("deleteTopics", topic=topic)
        self.assertEqual(self.admin.refusal("deleteTopics", topic=topic), "UnknownTopicOrPartitionException")
        self.assertEqual(self.admin.refusal("describeTopics", topic=topic), "UnknownTopicOrPartitionException")
        self.assertNotIn(topic, self.admin.call("listTopics"))

    def test_what_would_not_be_obeyed_is_refused(self):
        for configs in ({"no.such.key": "1"}, {"retention.ms": "soon"}):
            self.assertEqual(self.admin.refusal("createTopics", topic=self.topic, partitions=1, configs=configs),
                             "InvalidConfigurationException")
        self.assertEqual(self.admin.refusal("createTopics", topic="no topic", partitions=1), "InvalidTopicException")
        self.assertNotIn(self.topic, self.admin.call("listTopics"))

    # Settings.

    def test_settings_are_changed_one_by_one(self):
        self.create(configs=("retention.ms=60000", "segment.ms=5000"))

        def told():
            configs = self.admin.call("describeConfigs", topic=self.topic)
            return {name: config["value"] for name, config in configs.items() if not config["default"]}

        self.admin.call("incrementalAlterConfigs", topic=self.topic, set={"retention.ms": "70000"})
        self.assertEqual(told(), {"retention.ms": "70000", "segment.ms": "5000"})
        self.admin.call("incrementalAlterConfigs", topic=self.topic, delete=["segment.ms"])
        self.assertEqual(told(), {"retention.ms": "70000"})
        self.assertEqual(self.admin.refusal("incrementalAlterConfigs", topic=self.topic, set={"no.key": "1"}),
                         "InvalidConfigurationException")
        self.assertEqual(told(), {"retention.ms": "70000"})
        self.assertEqual(self.admin.refusal("describeConfigs", topic="nowhere"), "UnknownTopicOrPartitionException")

    def test_settings_of_the_broker_are_told_and_not_changed(self):
        configs = self.admin.call("describeConfigs", broker="0")
        self.assertEqual(configs["log.dirs"]["value"], str(self.server.data))
        self.assertTrue(all(config["readOnly"] for config in configs.values()))
        self.assertEqual(self.admin.refusal("incrementalAlterConfigs", broker="0", set={"num.partitions": "1"}),
                         "InvalidRequestException")

    # The broker.

    def test_the_cluster_is_told(self):
        told = self.admin.call("describeCluster")
        self.assertEqual((told["nodes"], told["controller"]), ([self.address], 0))
        self.assertNotEqual(told["id"], "")

    def test_bytes_of_logs_are_told(self):
        self.fill(3, 2)
        directory, sizes = self.admin.call("describeLogDirs").popitem()
        self.assertEqual(directory, str(self.server.data))
        stored = len(self.stored())
        self.assertEqual([sizes[f"{self.topic}-{p}"] for p in range(2)], [stored, stored])

    def test_producers_are_told(self):
        self.create()
        self.assertEqual(self.admin.call("describeProducers", topic=self.topic), [])
        self.send_idempotently(5)
        self.assertEqual(self.admin.call("describeProducers", topic=self.topic), [{"epoch": 0, "lastSequence": 4}])

    def send_idempotently(self, count):
        self.driver().produce(self.topic, [Record(None, b"v")] * count)

    # Places.

    def test_places_are_found_by_time(self):
        self.fill(10)
        for time_ms, found in ((0, [0, TIME_MS]), (TIME_MS + 4, [4, TIME_MS + 4]), (TIME_MS + 9, [9, TIME_MS + 9]),
                               (TIME_MS + 10, None)):
            self.assertEqual(self.admin.call("offsetsForTimes", topic=self.topic, time=time_ms), found)
        self.assertEqual(self.admin.call("beginningOffsets", topic=self.topic), 0)
        self.assertEqual(self.admin.call("endOffsets", topic=self.topic), 10)
        for at, offset in (("earliest", 0), ("latest", 10), (f"{TIME_MS + 4}", 4), (f"{TIME_MS + 10}", -1)):
            self.assertEqual(self.admin.call("listOffsets", topic=self.topic, at=at), offset)

    # ListOffsets 7 would be needed.
    def test_the_largest_time_is_refused(self):
        self.fill(1)
        self.assertEqual(self.admin.refusal("listOffsets", topic=self.topic, at="maxTimestamp"),
                         "UnsupportedVersionException")

    def test_records_are_deleted_up_to_a_place(self):
        self.fill(10)
        self.assertEqual(self.admin.call("deleteRecords", topic=self.topic, before=4), 4)
        self.assertEqual(self.admin.call("beginningOffsets", topic=self.topic), 4)
        self.assertEqual(self.admin.refusal("deleteRecords", topic=self.topic, before=11), "OffsetOutOfRangeException")
        self.assertEqual(self.admin.call("deleteRecords", topic=self.topic, before=-1), 10)
        self.assertEqual(self.consumed_by_grpc(), [])

    # Groups.

    def test_offsets_of_a_group_are_set_told_and_forgotten(self):
        self.fill(10, 2)
        group = self.topic
        self.admin.call("alterConsumerGroupOffsets", group=group, topic=self.topic, partition=0, offset=3)
        self.admin.call("alterConsumerGroupOffsets", group=group, topic=self.topic, partition=1, offset=7)
        self.assertEqual(self.admin.call("listConsumerGroupOffsets", group=group),
                         {f"{self.topic}-0": 3, f"{self.topic}-1": 7})
        self.assertEqual(self.admin.call("listConsumerGroups")[group], "Empty")
        self.admin.call("deleteConsumerGroupOffsets", group=group, topic=self.topic, partition=1)
        self.assertEqual(self.admin.call("listConsumerGroupOffsets", group=group), {f"{self.topic}-0": 3})
        self.admin.call("deleteConsumerGroups", group=group)
        self.assertNotIn(group, self.admin.call("listConsumerGroups"))
        self.assertEqual(self.admin.refusal("deleteConsumerGroups", group=group), "GroupIdNotFoundException")

    def test_a_group_with_a_member_is_described_and_kept(self):
        self.fill(10, 3)
        group = self.topic
        member = self.member(group, "client.id=reader", "group.instance.id=one")
        self.wait_until(lambda: len(member.read) == 30, f"{member.read} {member.said()}")
        self.assertEqual(self.admin.call("describeConsumerGroups", group=group),
                         {"state": "Stable", "assignor": "range",
                          "members": [{"client": "reader", "instance": "one", "partitions": [0, 1, 2]}]})
        self.assertEqual(self.admin.refusal("deleteConsumerGroups", group=group), "GroupNotEmptyException")
        self.assertEqual(self.admin.refusal("deleteConsumerGroupOffsets", group=group, topic=self.topic, partition=0),
                         "GroupSubscribedToTopicException")
        self.assertEqual(
            self.admin.refusal("alterConsumerGroupOffsets", group=group, topic=self.topic, partition=0, offset=0),
            "UnknownMemberIdException")
        self.wait_until(lambda: self.admin.call("listConsumerGroupOffsets", group=group) ==
                        {f"{self.topic}-{p}": 10 for p in range(3)}, "not all is committed")
        member.kill()
        self.admin.call("removeMembers", group=group, instance="one")
        self.assertEqual(self.admin.call("describeConsumerGroups", group=group)["state"], "Empty")
        self.assertEqual(self.admin.refusal("removeMembers", group=group, instance="one"), "UnknownMemberIdException")
        self.admin.call("deleteConsumerGroups", group=group)

    def test_what_is_not_served_is_told_so_at_once(self):
        self.create()
        for name in UNSUPPORTED:
            with self.subTest(name):
                self.assertEqual(self.admin.refusal(name, topic=self.topic), "UnsupportedVersionException")


class Java3AdminTest(AdminTests, KafkaTest):
    version = VERSIONS[0]


class Java4AdminTest(AdminTests, KafkaTest):
    version = VERSIONS[1]


if __name__ == "__main__":
    unittest.main()
