"""python3-confluent-kafka, that is librdkafka with callbacks, against the Kafka port."""

import subprocess
import time
import unittest

import confluent_kafka as ck
from confluent_kafka import KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewPartitions, NewTopic
from kafka_fixture import PATIENCE_SECONDS, KafkaTest
from kafka_wire import CODECS, TIME_MS

MEBIBYTE = 1 << 20


class Member:
    """A consumer of a group, with the partitions that it has by what it was told."""

    def __init__(self, test, group, strategy, **options):
        self.owned = set()
        self.read = []
        self.moved = 0
        is_cooperative = strategy == "cooperative-sticky"
        self.consumer = ck.Consumer({"bootstrap.servers": test.address, "group.id": group,
                                     "partition.assignment.strategy": strategy, "auto.offset.reset": "earliest",
                                     "session.timeout.ms": 6000, "heartbeat.interval.ms": 200} | options)
        self.is_closed = False
        test.addCleanup(self.close)

        def assigned(consumer, partitions):
            (consumer.incremental_assign if is_cooperative else consumer.assign)(partitions)
            self.owned |= {p.partition for p in partitions}

        def revoked(consumer, partitions):
            (consumer.incremental_unassign(partitions) if is_cooperative else consumer.unassign())
            self.owned -= {p.partition for p in partitions}
            self.moved += len(partitions)

        self.consumer.subscribe([test.topic], on_assign=assigned, on_revoke=revoked)

    def poll(self):
        message = self.consumer.poll(0.02)
        if message is not None and message.error() is None:
            self.read.append((message.partition(), message.offset(), message.value()))

    def close(self):
        if not self.is_closed:
            self.is_closed = True
            self.consumer.close()


class ConfluentTest(KafkaTest):
    def producer(self, **options):
        return ck.Producer({"bootstrap.servers": self.address} | options)

    def consumer(self, **options):
        consumer = ck.Consumer({"bootstrap.servers": self.address, "group.id": f"group-{self.topic}",
                                "enable.auto.commit": False, "auto.offset.reset": "earliest"} | options)
        self.addCleanup(consumer.close)
        return consumer

    def admin(self):
        return AdminClient({"bootstrap.servers": self.address})

    def send(self, producer, records, topic=None, partition=0):
        """The offsets of (key, value, headers) each."""
        told = []
        for i, (key, value, headers) in enumerate(records):
            producer.produce(topic or self.topic, key=key, value=value, headers=headers, partition=partition,
                             timestamp=TIME_MS + i, on_delivery=lambda error, message: told.append((error, message)))
        self.assertEqual(producer.flush(PATIENCE_SECONDS), 0)
        self.assertEqual([error for error, _ in told if error], [])
        return [message.offset() for _, message in told]

    def read_all(self, count, topic=None, **options):
        consumer = self.consumer(**options)
        consumer.assign([TopicPartition(topic or self.topic, 0, 0)])
        messages = []
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(messages) < count:
            self.assertLess(time.monotonic(), deadline, f"found {len(messages)} of {count}")
            for message in consumer.consume(count - len(messages), 1):
                self.assertIsNone(message.error())
                messages.append(message)
        return messages

    # Records.

    def test_each_codec_keeps_every_record(self):
        records = [(b"key %d" % i, b"value %d " % i * 20, [("n", b"%d" % i), ("n", b"again"), ("", b"")])
                   for i in range(200)]
        records += [(None, None, None), (b"", b"", None), (None, b"", None), (b"k", None, [("null", None)]),
                    (b"", None, None)]
        for codec in CODECS:
            topic = f"{self.topic}-{codec}"
            self.create(topic=topic)
            producer = self.producer(**{"compression.type": codec, "enable.idempotence": True, "linger.ms": 100})
            self.assertEqual(self.send(producer, records, topic), list(range(len(records))))
            self.assertIn(codec, self.stored_codecs(topic=topic))
            found = self.read_all(len(records), topic)
            self.assertEqual([(m.key(), m.value(), m.headers()) for m in found], records)
            self.assertEqual([m.timestamp()[1] for m in found], [TIME_MS + i for i in range(len(records))])

    def test_a_mebibyte_in_one_record(self):
        value = bytes(range(256)) * (MEBIBYTE // 256)
        for codec in CODECS:
            topic = f"{self.topic}-{codec}"
            self.create(topic=topic)
            producer = self.producer(**{"compression.type": codec, "message.max.bytes": 4 * MEBIBYTE})
            self.send(producer, [(b"k", value, None)] * 3, topic)
            self.assertEqual([m.value() == value for m in self.read_all(3, topic)], [True] * 3)

    def test_ten_thousand_records_in_one_batch(self):
        for codec in CODECS:
            topic = f"{self.topic}-{codec}"
            self.create(topic=topic)
            producer = self.producer(**{"compression.type": codec, "batch.num.messages": 10_000, "linger.ms": 1000})
            self.send(producer, [(None, b"%d" % i, None) for i in range(10_000)], topic)
            self.assertEqual([m.value() for m in self.read_all(10_000, topic)], [b"%d" % i for i in range(10_000)])

    def test_a_place_behind_the_end_is_told_when_no_reset_is_wanted(self):
        self.create()
        self.send(self.producer(), [(None, b"v", None)])
        consumer = self.consumer(**{"auto.offset.reset": "error"})
        consumer.assign([TopicPartition(self.topic, 0, 5)])
        message = consumer.poll(PATIENCE_SECONDS)
        self.assertEqual(message.error().code(), KafkaError._AUTO_OFFSET_RESET)

    # Groups.

    def test_members_share_by_each_strategy(self):
        for strategy in ("range", "roundrobin", "cooperative-sticky"):
            self.topic = f"shared-{strategy}"
            self.create(4)
            producer = self.producer()
            for partition in range(4):
                self.send(producer, [(None, b"%d" % i, None) for i in range(50)], partition=partition)
            one = Member(self, f"group-{strategy}", strategy)
            self.settle((one,), {4})
            self.wait_until(lambda one=one: one.poll() or len(one.read) == 200, f"{strategy}: not all is read")
            kept = set(one.owned)
            other = Member(self, f"group-{strategy}", strategy)
            self.settle((one, other), {2})
            self.assertEqual(one.owned & other.owned, set())
            if strategy == "cooperative-sticky":
                self.assertEqual(one.moved, 2, "only what moved was taken")
                self.assertLess(one.owned, kept)
            described = self.run_json("group", "describe", f"group-{strategy}")
            self.assertEqual(len(described["members"]), 2)
            other.close()
            self.settle((one,), {4})
            one.close()
            self.assertEqual(len(one.read), 200, "what was committed comes once")
            self.assertEqual(sorted(p["committed"] for p in
                                    self.run_json("group", "describe", f"group-{strategy}")["partitions"]), [50] * 4)

    def settle(self, members, sizes):
        def holds():
            for member in members:
                member.poll()
            return {len(member.owned) for member in members} == sizes
        self.wait_until(holds, f"{self.topic}: {[member.owned for member in members]}")

    def test_a_member_that_is_killed_is_missed(self):
        self.create(3)
        group = f"group-{self.topic}"
        one, other = (Member(self, group, "range") for _ in range(2))
        with subprocess.Popen(["kcat", "-b", self.address, "-q", "-X", "session.timeout.ms=6000", "-X",
                               "partition.assignment.strategy=range", "-G", group, self.topic]) as third:
            self.addCleanup(third.kill)
            self.settle((one, other), {1})
            third.kill()
        self.settle((one, other), {1, 2})
        self.assertEqual(len(self.run_json("group", "describe", group)["members"]), 2)

    def test_a_static_member_comes_back_to_its_partitions(self):
        self.create(4)
        static = {"group.instance.id": "one", "session.timeout.ms": 30_000}
        one = Member(self, f"group-{self.topic}", "range", **static)
        other = Member(self, f"group-{self.topic}", "range", **{"group.instance.id": "two"})
        self.settle((one, other), {2})
        had, moved = set(one.owned), other.moved
        one.close()
        again = Member(self, f"group-{self.topic}", "range", **static)
        self.settle((again, other), {2})
        self.assertEqual((again.owned, other.moved), (had, moved), "nothing moves")

    def test_commits_are_read_back(self):
        self.create(2)
        self.send(self.producer(), [(None, b"v", None)] * 10)
        consumer = self.consumer()
        consumer.commit(offsets=[TopicPartition(self.topic, 0, 7)], asynchronous=False)
        one, other = consumer.committed([TopicPartition(self.topic, 0), TopicPartition(self.topic, 1)], 20)
        self.assertEqual((one.offset, other.offset), (7, ck.OFFSET_INVALID))
        self.assertEqual(consumer.get_watermark_offsets(TopicPartition(self.topic, 0), 20), (0, 10))
        with self.assertRaises(KafkaException) as raised:
            consumer.commit(offsets=[TopicPartition("nowhere", 0, 7)], asynchronous=False)
        self.assertEqual(raised.exception.args[0].code(), KafkaError.UNKNOWN_TOPIC_OR_PART)

    def test_a_time_is_a_place(self):
        self.create()
        self.send(self.producer(), [(None, b"%d" % i, None) for i in range(10)])
        consumer = self.consumer()
        for time_ms, expected in ((0, 0), (TIME_MS + 4, 4), (TIME_MS + 9, 9), (TIME_MS + 10, ck.OFFSET_END)):
            found, = consumer.offsets_for_times([TopicPartition(self.topic, 0, time_ms)], 20)
            self.assertEqual(found.offset, expected)

    # Operators.

    def outcome(self, futures):
        """The name of the error of the only future, or nothing."""
        future, = futures.values()
        try:
            future.result(PATIENCE_SECONDS)
            return None
        except KafkaException as error:
            return error.args[0].name()

    def test_topics_are_created_grown_described_and_deleted(self):
        admin = self.admin()
        create = [NewTopic(self.topic, 2, 1, config={"retention.ms": "60000"})]
        self.assertIsNone(self.outcome(admin.create_topics(create)))
        self.assertEqual(self.outcome(admin.create_topics(create)), "TOPIC_ALREADY_EXISTS")
        self.assertIsNone(self.outcome(admin.create_partitions([NewPartitions(self.topic, 4)])))
        self.assertEqual(self.outcome(admin.create_partitions([NewPartitions(self.topic, 3)])), "INVALID_PARTITIONS")
        self.assertEqual(len(admin.list_topics(timeout=20).topics[self.topic].partitions), 4)
        described, = admin.describe_configs([ConfigResource(ConfigResource.Type.TOPIC, self.topic)]).values()
        configs = described.result(PATIENCE_SECONDS)
        self.assertEqual((configs["retention.ms"].value, configs["retention.ms"].is_default), ("60000", False))
        self.assertTrue(configs["cleanup.policy"].is_default)
        self.assertIsNone(self.outcome(admin.delete_topics([self.topic])))
        self.assertEqual(self.outcome(admin.delete_topics([self.topic])), "UNKNOWN_TOPIC_OR_PART")
        self.assertNotIn(self.topic, admin.list_topics(timeout=20).topics)

    def test_what_is_not_there_is_refused_by_name(self):
        admin = self.admin()
        self.assertEqual(self.outcome(admin.create_topics([NewTopic(self.topic, 1, 2)])),
                         "INVALID_REPLICATION_FACTOR")
        self.assertEqual(self.outcome(admin.create_topics([NewTopic(self.topic, 1, 1, config={"no.key": "1"})])),
                         "INVALID_CONFIG")
        self.assertNotIn(self.topic, admin.list_topics(timeout=20).topics)
        self.assertEqual(self.outcome(admin.describe_configs([ConfigResource(ConfigResource.Type.TOPIC, "nowhere")])),
                         "UNKNOWN_TOPIC_OR_PART")

    def test_what_is_only_validated_does_not_come(self):
        admin = self.admin()
        self.assertIsNone(self.outcome(admin.create_topics([NewTopic(self.topic, 1, 1)], validate_only=True)))
        self.assertNotIn(self.topic, admin.list_topics(timeout=20).topics)
        self.create(2)
        self.assertEqual(self.outcome(admin.create_topics([NewTopic(self.topic, 1, 1)], validate_only=True)),
                         "TOPIC_ALREADY_EXISTS")
        self.assertIsNone(self.outcome(admin.create_partitions([NewPartitions(self.topic, 3)], validate_only=True)))
        self.assertEqual(len(self.ends()), 2)

    def test_settings_are_replaced(self):
        self.create(configs=("retention.ms=60000", "segment.ms=5000"))
        admin = self.admin()

        def resource(**configs):
            named = {key.replace("_", "."): value for key, value in configs.items()}
            return ConfigResource(ConfigResource.Type.TOPIC, self.topic, set_config=named)

        def settings():
            told, = admin.describe_configs([resource()]).values()
            return {name: entry.value for name, entry in told.result(PATIENCE_SECONDS).items()
                    if not entry.is_default}

        self.assertIsNone(self.outcome(admin.alter_configs([resource(retention_ms="70000")], validate_only=True)))
        self.assertEqual(settings(), {"retention.ms": "60000", "segment.ms": "5000"})
        self.assertIsNone(self.outcome(admin.alter_configs([resource(retention_ms="70000")])))
        self.assertEqual(settings(), {"retention.ms": "70000"})
        self.assertEqual(self.outcome(admin.alter_configs([resource(retention_ms="soon")])), "INVALID_CONFIG")
        self.assertEqual(settings(), {"retention.ms": "70000"})

    def test_settings_of_the_broker_are_told_and_not_changed(self):
        admin = self.admin()
        broker = ConfigResource(ConfigResource.Type.BROKER, "0")
        told, = admin.describe_configs([broker]).values()
        configs = told.result(PATIENCE_SECONDS)
        self.assertEqual(configs["auto.create.topics.enable"].value, "false")
        self.assertEqual(configs["log.dirs"].value, str(self.server.data))
        self.assertTrue(all(entry.is_read_only for entry in configs.values()))
        change = ConfigResource(ConfigResource.Type.BROKER, "0", set_config={"num.partitions": "1"})
        self.assertEqual(self.outcome(admin.alter_configs([change])), "INVALID_REQUEST")

    def test_groups_are_listed(self):
        self.create(2)
        one = Member(self, f"group-{self.topic}", "range")
        self.settle((one,), {2})
        group, = self.admin().list_groups(f"group-{self.topic}", 20)
        self.assertEqual((group.state, group.protocol_type, group.protocol, len(group.members)),
                         ("Stable", "consumer", "range", 1))
        self.assertIn(f"group-{self.topic}", [g.id for g in self.admin().list_groups(timeout=20)])

    # Transactions.

    def test_a_transactional_id_is_refused_at_once(self):
        producer = self.producer(**{"transactional.id": "t"})
        began = time.monotonic()
        with self.assertRaises(KafkaException) as raised:
            producer.init_transactions(PATIENCE_SECONDS)
        error = raised.exception.args[0]
        self.assertEqual((error.code(), error.fatal(), error.retriable()),
                         (KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED, True, False))
        self.assertIn("transactions are not supported", error.str())
        self.assertLess(time.monotonic() - began, 10)


if __name__ == "__main__":
    unittest.main()
