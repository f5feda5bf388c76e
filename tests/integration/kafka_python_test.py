"""python3-kafka, a client in Python alone, against the Kafka port."""

import threading
import time
import unittest

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition, errors
from kafka.admin import ConfigResource, ConfigResourceType, NewPartitions, NewTopic
from kafka.structs import OffsetAndMetadata
from kafka_fixture import PATIENCE_SECONDS, KafkaTest
from kafka_wire import TIME_MS

MEBIBYTE = 1 << 20
CODECS = {"gzip": "gzip", "snappy": "snappy", "lz4": "lz4", None: "none"}  # Debian has no zstd for it.


class Member:
    """A consumer on a thread of its own, since its poll() waits until all members have joined."""

    def __init__(self, address, topic, group):
        self.consumer = KafkaConsumer(topic, bootstrap_servers=address, group_id=group, session_timeout_ms=6000,
                                      heartbeat_interval_ms=200)
        self.partitions = set()
        self.is_leaving = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.is_leaving.is_set():
            self.consumer.poll(50)
            self.partitions = self.consumer.assignment()
        self.consumer.close()

    def leave(self):
        self.is_leaving.set()
        self.thread.join()


class PythonKafkaCase(KafkaTest):
    def producer(self, **options):
        producer = KafkaProducer(bootstrap_servers=self.address, acks="all", **options)
        self.addCleanup(producer.close)
        return producer

    def consumer(self, *topics, **options):
        options = {"auto_offset_reset": "earliest", "enable_auto_commit": False} | options
        consumer = KafkaConsumer(*topics, bootstrap_servers=self.address, **options)
        self.addCleanup(consumer.close, autocommit=False)
        return consumer

    def admin(self):
        admin = KafkaAdminClient(bootstrap_servers=self.address)
        self.addCleanup(admin.close)
        return admin

    def send(self, producer, records, topic=None, partition=0):
        """The offsets of (key, value, headers) each."""
        sent = [producer.send(topic or self.topic, key=key, value=value, headers=headers, partition=partition,
                              timestamp_ms=TIME_MS + i) for i, (key, value, headers) in enumerate(records)]
        producer.flush(PATIENCE_SECONDS)
        return [each.get(PATIENCE_SECONDS).offset for each in sent]

    def read(self, consumer, count):
        records = []
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(records) < count:
            self.assertLess(time.monotonic(), deadline, f"found {len(records)} of {count} records")
            for batch in consumer.poll(500).values():
                records += batch
        return records

    def read_all(self, count, topic=None, partition=0, **options):
        consumer = self.consumer(**options)
        consumer.assign([TopicPartition(topic or self.topic, partition)])
        return self.read(consumer, count)


class PythonKafkaTest(PythonKafkaCase):
    # Records.

    def test_each_codec_keeps_every_record(self):
        records = [(b"key %d" % i, b"value %d " % i * 20, [("n", b"%d" % i), ("n", b"again"), ("", b"")])
                   for i in range(200)]
        # It refuses to send what has neither a key nor a value, and headers without a value.
        records += [(b"", b"", []), (None, b"", []), (b"k", None, []), (b"", None, [])]
        for codec, stored in CODECS.items():
            topic = f"{self.topic}-{stored}"
            self.create(topic=topic)
            offsets = self.send(self.producer(compression_type=codec, linger_ms=200), records, topic)
            self.assertEqual(offsets, list(range(len(records))))
            self.assertEqual(self.stored_codecs(topic=topic), {stored})
            found = self.read_all(len(records), topic)
            self.assertEqual([(r.key, r.value, r.headers) for r in found], records)
            self.assertEqual([r.timestamp for r in found], [TIME_MS + i for i in range(len(records))])
            self.assertEqual([r.offset for r in found], offsets)

    def test_a_mebibyte_in_one_record(self):
        value = bytes(range(256)) * (MEBIBYTE // 256)
        for codec, stored in CODECS.items():
            topic = f"{self.topic}-{stored}"
            self.create(topic=topic)
            producer = self.producer(compression_type=codec, max_request_size=4 * MEBIBYTE, batch_size=4 * MEBIBYTE)
            self.send(producer, [(b"k", value, [])] * 3, topic)
            for small in ({}, {"fetch_max_bytes": 1000, "max_partition_fetch_bytes": 1000}):
                found = self.read_all(3, topic, **small)
                self.assertEqual([r.value == value for r in found], [True] * 3)

    def test_ten_thousand_records_in_one_batch(self):
        records = [(None, b"%d" % i, []) for i in range(10_000)]
        for codec, stored in CODECS.items():
            topic = f"{self.topic}-{stored}"
            self.create(topic=topic)
            self.send(self.producer(compression_type=codec, batch_size=4 * MEBIBYTE, linger_ms=3000), records, topic)
            self.assertEqual([r.value for r in self.read_all(10_000, topic)], [value for _, value, _ in records])

    def test_a_record_beyond_the_topics_limit_is_refused(self):
        self.create(configs=("max.message.bytes=100000", "max.record.bytes=90000"))
        producer = self.producer(retries=0)
        with self.assertRaises(errors.MessageSizeTooLargeError):
            producer.send(self.topic, b"x" * 200_000).get(PATIENCE_SECONDS)
        self.send(producer, [(None, b"small", [])])
        self.assertEqual(self.ends(), [1])

    def test_a_topic_that_is_not_there_is_told(self):
        producer = self.producer(max_block_ms=500)
        with self.assertRaises(errors.KafkaTimeoutError):
            producer.send("nowhere", b"v")
        self.assertNotIn("nowhere", self.consumer().topics())

    # Offsets.

    def test_beginnings_ends_and_times(self):
        self.create(2)
        self.send(self.producer(), [(None, b"%d" % i, []) for i in range(10)])
        consumer = self.consumer()
        one, other = TopicPartition(self.topic, 0), TopicPartition(self.topic, 1)
        self.assertEqual(consumer.beginning_offsets([one, other]), {one: 0, other: 0})
        self.assertEqual(consumer.end_offsets([one, other]), {one: 10, other: 0})
        found = consumer.offsets_for_times({one: TIME_MS + 4, other: TIME_MS})
        self.assertEqual((found[one].offset, found[one].timestamp), (4, TIME_MS + 4))
        self.assertIsNone(found[other])
        self.assertIsNone(consumer.offsets_for_times({one: TIME_MS + 10})[one])
        self.run_ok("topic", "trim", self.topic, "--partition", "0", "--before", "3")
        self.assertEqual(consumer.beginning_offsets([one]), {one: 3})
        self.assertEqual(consumer.offsets_for_times({one: 0})[one].offset, 3)

    def test_what_has_been_deleted_is_out_of_range(self):
        self.create()
        self.send(self.producer(), [(None, b"%d" % i, []) for i in range(10)])
        self.run_ok("topic", "trim", self.topic, "--partition", "0", "--before", "6")
        partition = TopicPartition(self.topic, 0)
        for place in (2, 11):
            consumer = self.consumer(auto_offset_reset="none")
            consumer.assign([partition])
            consumer.seek(partition, place)
            with self.assertRaises(errors.OffsetOutOfRangeError):
                self.read(consumer, 1)
        self.assertEqual([r.offset for r in self.read_all(4)], [6, 7, 8, 9])

    # Groups.

    def test_a_group_goes_on_where_it_has_committed(self):
        self.create(2)
        producer = self.producer()
        for partition in (0, 1):
            self.send(producer, [(None, b"%d" % i, []) for i in range(10)], partition=partition)
        group = f"group-{self.topic}"
        first = self.consumer(self.topic, group_id=group)
        self.read(first, 20)
        one, other = TopicPartition(self.topic, 0), TopicPartition(self.topic, 1)
        first.commit({one: OffsetAndMetadata(7, "seven"), other: OffsetAndMetadata(10, "")})
        self.assertEqual(first.committed(one, metadata=True), OffsetAndMetadata(7, "seven"))
        first.close(autocommit=False)
        second = self.consumer(self.topic, group_id=group)
        self.assertEqual([(r.partition, r.offset) for r in self.read(second, 3)], [(0, 7), (0, 8), (0, 9)])
        self.assertIsNone(second.committed(TopicPartition(self.topic, 5)))

    def test_members_share_partitions_and_take_over(self):
        self.create(4)
        group = f"group-{self.topic}"
        one, other = (Member(self.address, self.topic, group) for _ in range(2))
        self.addCleanup(one.leave)
        self.addCleanup(other.leave)
        self.wait_until(lambda: (len(one.partitions), len(other.partitions)) == (2, 2), "never shared")
        admin = self.admin()
        described, = admin.describe_consumer_groups([group])
        self.assertEqual((described.state, described.protocol_type, described.protocol, len(described.members)),
                         ("Stable", "consumer", "range", 2))
        self.assertEqual(sorted(p for member in described.members
                                for _, partitions in member.member_assignment.assignment for p in partitions),
                         [0, 1, 2, 3])
        self.assertIs(admin.delete_consumer_groups([group])[0][1], errors.NonEmptyGroupError)
        other.leave()
        self.wait_until(lambda: len(one.partitions) == 4, "never taken over")

    # Operators.

    def test_topics_are_created_grown_described_and_deleted(self):
        admin = self.admin()
        created = admin.create_topics([NewTopic(self.topic, 3, 1, topic_configs={"retention.ms": "60000"})])
        self.assertEqual([error for _, error, _ in created.topic_errors], [0])
        with self.assertRaises(errors.TopicAlreadyExistsError):
            admin.create_topics([NewTopic(self.topic, 3, 1)])
        admin.create_partitions({self.topic: NewPartitions(5)})
        self.assertEqual(self.run_json("topic", "describe", self.topic)["configs"][0].keys(),
                         {"key", "value", "is_default"})
        self.assertEqual(len(self.ends()), 5)
        with self.assertRaises(errors.InvalidPartitionsError):
            admin.create_partitions({self.topic: NewPartitions(4)})
        response, = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, self.topic)])
        (error, _, _, name, entries), = response.resources
        self.assertEqual((error, name), (0, self.topic))
        configs = {entry[0]: (entry[1], entry[3]) for entry in entries}
        self.assertEqual(configs["retention.ms"], ("60000", 1), "set on the topic")
        self.assertEqual(configs["cleanup.policy"], ("delete", 5), "a default")
        self.assertIn(self.topic, admin.list_topics())
        admin.delete_topics([self.topic])
        self.assertNotIn(self.topic, admin.list_topics())
        with self.assertRaises(errors.UnknownTopicOrPartitionError):
            admin.delete_topics([self.topic])

    def test_wrong_topics_are_refused_by_name(self):
        admin = self.admin()
        for topic, error in ((NewTopic("a/b", 1, 1), errors.InvalidTopicError),
                             (NewTopic(self.topic, 0, 1), errors.InvalidPartitionsError),
                             (NewTopic(self.topic, 1, 3), errors.InvalidReplicationFactorError),
                             (NewTopic(self.topic, 1, 1, topic_configs={"no.such.key": "1"}),
                              errors.InvalidConfigurationError),
                             (NewTopic(self.topic, 1, 1, topic_configs={"compression.type": "gzip"}),
                              errors.InvalidConfigurationError),
                             (NewTopic(self.topic, 1, 1, topic_configs={"retention.ms": "soon"}),
                              errors.InvalidConfigurationError)):
            with self.assertRaises(error, msg=str(vars(topic))):
                admin.create_topics([topic])
        self.assertNotIn(self.topic, admin.list_topics())

    def test_settings_are_replaced(self):
        self.create(configs=("segment.ms=5000",))
        admin = self.admin()
        change = ConfigResource(ConfigResourceType.TOPIC, self.topic, configs={"retention.ms": "70000"})
        response = admin.alter_configs([change])
        self.assertEqual([resource[0] for resource in response.resources], [0])
        set_now = {config["key"]: config["value"] for config in self.run_json("topic", "describe", self.topic)["configs"]
                   if not config["is_default"]}
        self.assertEqual(set_now, {"retention.ms": "70000"})

    def test_settings_of_the_broker_are_told(self):
        response, = self.admin().describe_configs([ConfigResource(ConfigResourceType.BROKER, "0")],
                                                  include_synonyms=True)
        (error, _, _, name, entries), = response.resources
        self.assertEqual((error, name), (0, "0"))
        configs = {entry[0]: entry[1] for entry in entries}
        self.assertEqual((configs["broker.id"], configs["num.partitions"]), ("0", "8"))

    def test_groups_are_listed_described_and_deleted(self):
        self.create()
        group = f"group-{self.topic}"
        self.send(self.producer(), [(None, b"v", [])] * 3)
        consumer = self.consumer(self.topic, group_id=group)
        self.read(consumer, 3)
        consumer.commit()
        consumer.close()
        admin = self.admin()
        self.assertIn((group, "consumer"), admin.list_consumer_groups())
        described, = admin.describe_consumer_groups([group])
        self.assertEqual((described.error_code, described.state, described.members), (0, "Empty", []))
        self.assertEqual(admin.list_consumer_group_offsets(group)[TopicPartition(self.topic, 0)].offset, 3)
        self.assertEqual(admin.delete_consumer_groups([group])[0][1], errors.NoError)
        self.assertNotIn((group, "consumer"), admin.list_consumer_groups())
        self.assertIs(admin.delete_consumer_groups([group])[0][1], errors.GroupIdNotFoundError)
        described, = admin.describe_consumer_groups([group])
        self.assertEqual(described.state, "Dead")


class AutoCreateTest(PythonKafkaCase):
    """Topics come by themselves where the operator wants it."""

    settings = ("kafka.auto_create_topics=true",)

    def test_a_topic_comes_with_the_first_record(self):
        self.assertEqual(self.send(self.producer(), [(None, b"v", [])]), [0])
        self.assertEqual(len(self.ends()), 8)
        configs = {entry[0]: entry[1] for entry in self.admin().describe_configs(
            [ConfigResource(ConfigResourceType.BROKER, "0")])[0].resources[0][4]}
        self.assertEqual(configs["auto.create.topics.enable"], "true")


if __name__ == "__main__":
    unittest.main()
