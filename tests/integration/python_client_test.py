"""The Python client against a real server, and against the command line in both directions."""

import base64
import collections
import contextlib
import datetime
import json
import pathlib
import random
import signal
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import talosmq_package  # noqa: E402,F401  (makes the package importable)

import talosmq as sdk  # noqa: E402
from talosmq_process import Server, talosmq  # noqa: E402

PATIENCE_S = 60
CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
TIME = 1_700_000_000_000


class Fixture(unittest.TestCase):
    """A server, a client, and a topic name of the test's own."""

    def setUp(self):
        self.client = self.connect(self.server)
        self.admin = sdk.Admin(self.client)
        self.topic = self.id().rpartition(".")[2]

    def connect(self, server, **options):
        client = sdk.Client(server.address, **options)
        self.addCleanup(client.close)
        return client

    def producer(self, client=None, **options):
        producer = sdk.Producer(client or self.client, self.topic, **options)
        self.addCleanup(self.close_producer, producer)
        return producer

    def close_producer(self, producer):
        with contextlib.suppress(sdk.TalosError):  # of deliveries that the test has looked at
            producer.close()

    def consumer(self, client=None, **options):
        consumer = sdk.Consumer(client or self.client, **options)
        self.addCleanup(consumer.close)
        return consumer

    def assert_raises(self, reason, call, *arguments, **options):
        with self.assertRaises(sdk.TalosError) as caught:
            call(*arguments, **options)
        self.assertEqual(caught.exception.reason, reason, caught.exception)
        return caught.exception.message

    def read(self, consumer, count):
        """Polls until `count` records have come and checks that no more do."""
        records = []
        deadline = time.monotonic() + PATIENCE_S
        while len(records) < count:
            self.assertLess(time.monotonic(), deadline, f"found {len(records)} of {count} records")
            records += consumer.poll(1)
        self.assertEqual(len(records + consumer.poll(0.05)), count)
        return records

    def read_all(self, topic, count, **options):
        consumer = self.consumer(**options)
        consumer.assign(consumer.partitions_of(topic))
        return self.read(consumer, count)

    def cli_lines(self, *arguments, stdin=b""):
        status, out, err = talosmq(self.server, *arguments, stdin=stdin)
        self.assertEqual(status, 0, err)
        return [json.loads(line) for line in out.splitlines()]


class PythonClientTest(Fixture):
    @classmethod
    def setUpClass(cls):
        cls.server = Server()

    @classmethod
    def tearDownClass(cls):
        cls.server.stop()

    # What goes wrong.

    def test_a_server_that_is_not_there_is_told_in_time(self):
        words = self.assert_raises(sdk.Reason.UNAVAILABLE, sdk.Client, "127.0.0.1:1", request_timeout_s=0.3)
        self.assertIn("127.0.0.1:1", words)

    def test_one_server_of_the_list_suffices(self):
        client = sdk.Client(f"127.0.0.1:1,{self.server.address}")
        self.addCleanup(client.close)
        sdk.Admin(client).create_topic(self.topic)
        self.assertIn(self.topic, [topic.name for topic in sdk.Admin(client).list_topics()])

    def test_an_address_that_is_none_is_refused(self):
        for server in ("", "localhost", "localhost:0", ":9191", "a:1,b"):
            self.assert_raises(sdk.Reason.INVALID_ARGUMENT, sdk.Client, server)

    def test_unknown_topics_are_told_by_name(self):
        for call in (lambda: sdk.Producer(self.client, "nowhere"), lambda: self.consumer().partitions_of("nowhere"),
                     lambda: self.consumer().assign([sdk.TopicPartition("nowhere", 0)]),
                     lambda: self.admin.describe_topic("nowhere"), lambda: self.admin.delete_topic("nowhere")):
            self.assertIn("nowhere", self.assert_raises(sdk.Reason.UNKNOWN_TOPIC, call))

    def test_options_out_of_range_are_told_by_name(self):
        self.admin.create_topic(self.topic)
        for option, value in (("linger_s", -1), ("batch_bytes", 0), ("buffer_bytes", 1), ("delivery_timeout_s", 0),
                              ("compression", "brotli")):
            words = self.assert_raises(sdk.Reason.INVALID_ARGUMENT, sdk.Producer, self.client, self.topic,
                                       **{option: value})
            self.assertIn(option, words)
        for option, value in (("fetch_bytes", 0), ("out_of_range", "start")):
            self.assertIn(option, self.assert_raises(sdk.Reason.INVALID_ARGUMENT, sdk.Consumer, self.client,
                                                     **{option: value}))

    def test_what_send_refuses_is_not_stored(self):
        self.admin.create_topic(self.topic, 2)
        producer = self.producer()
        self.assert_raises(sdk.Reason.INVALID_ARGUMENT, producer.send, "text")
        self.assert_raises(sdk.Reason.INVALID_ARGUMENT, producer.send, bytes(20 << 20))
        self.assert_raises(sdk.Reason.UNKNOWN_PARTITION, producer.send, b"", partition=2)
        producer.close()
        self.assert_raises(sdk.Reason.CLOSED, producer.send, b"")
        self.assertEqual(self.read_all(self.topic, 0), [])

    def test_what_the_broker_refuses_fails_alone(self):
        self.admin.create_topic(self.topic, 1)
        producer = self.producer()
        before = producer.send(b"before")
        before.result(PATIENCE_S)
        refused = producer.send(b"", timestamp_ms=1 << 50)
        self.assert_raises(sdk.Reason.INVALID_TIMESTAMP, refused.result, PATIENCE_S)
        after = producer.send(b"after")
        self.assertEqual(after.result(PATIENCE_S).offset, 1)
        self.assert_raises(sdk.Reason.INVALID_TIMESTAMP, producer.flush)
        producer.flush()

    def test_what_follows_a_refused_batch_is_stored_in_order(self):
        self.admin.create_topic(self.topic, 1)
        producer = self.producer(batch_bytes=1 << 10)
        producer.send(b"before").result(PATIENCE_S)
        refused = producer.send(bytes(1000), timestamp_ms=1 << 50)
        following = [producer.send(b"%d" % number + bytes(1000)) for number in range(20)]
        self.assert_raises(sdk.Reason.INVALID_TIMESTAMP, refused.result, PATIENCE_S)
        self.assertEqual([future.result(PATIENCE_S).offset for future in following], list(range(1, 21)))

    def test_a_partition_must_be_assigned_to_be_moved(self):
        self.admin.create_topic(self.topic, 1)
        consumer = self.consumer()
        for call in (consumer.pause, consumer.resume, lambda p: consumer.seek(p, 0)):
            self.assert_raises(sdk.Reason.INVALID_ARGUMENT, call, sdk.TopicPartition(self.topic, 0))
        self.assert_raises(sdk.Reason.UNKNOWN_PARTITION, consumer.assign, [sdk.TopicPartition(self.topic, 1)])

    def test_a_position_outside_of_the_log_is_told_once_or_moved(self):
        self.admin.create_topic(self.topic, 2)
        producer = self.producer()
        for partition in (0, 1):
            producer.send(b"only", partition=partition)
        producer.flush()
        first, second = partitions = self.consumer().partitions_of(self.topic)
        consumer = self.consumer()
        consumer.assign(partitions)
        consumer.seek(first, 99)
        records = []
        words = None
        while words is None or not records:
            try:
                records += consumer.poll(PATIENCE_S)
            except sdk.TalosError as error:
                self.assertIsNone(words, "told twice")
                self.assertEqual(error.reason, sdk.Reason.OFFSET_OUT_OF_RANGE)
                words = error.message
        self.assertIn(f"topic {self.topic} partition 0 at offset 99", words)
        self.assertEqual([record.partition for record in records], [1])
        consumer.seek(first, sdk.START)
        self.assertEqual([record.topic_partition for record in self.read(consumer, 1)], [first])

        moved = self.consumer(out_of_range=sdk.START)
        moved.assign(partitions, 99)
        self.assertEqual({record.topic_partition for record in self.read(moved, 2)}, {first, second})

    def test_a_deleted_topic_ends_producers_and_consumers_for_good(self):
        self.admin.create_topic(self.topic, 1)
        producer, consumer = self.producer(), self.consumer()
        producer.send(b"old").result(PATIENCE_S)
        consumer.assign(consumer.partitions_of(self.topic))
        self.read(consumer, 1)
        self.admin.delete_topic(self.topic)
        self.admin.create_topic(self.topic, 1)
        self.assert_raises(sdk.Reason.UNKNOWN_TOPIC_ID, producer.send(b"late").result, PATIENCE_S)
        self.assert_raises(sdk.Reason.UNKNOWN_TOPIC_ID, producer.send, b"later")
        self.assert_raises(sdk.Reason.UNKNOWN_TOPIC_ID, consumer.poll, PATIENCE_S)
        self.assertEqual(self.read_all(self.topic, 0), [])

    def test_a_client_that_is_closed_first_leaves_nobody_waiting(self):
        self.admin.create_topic(self.topic, 1)
        client = sdk.Client(self.server.address)
        producer = sdk.Producer(client, self.topic)
        producer.send(b"stored").result(PATIENCE_S)
        client.close()
        self.assert_raises(sdk.Reason.CLOSED, producer.send(b"late").result, PATIENCE_S)
        self.assert_raises(sdk.Reason.CLOSED, producer.close)
        self.assert_raises(sdk.Reason.CLOSED, self.consumer(client).partitions_of, self.topic)

    # What Python writes, the command line reads, and the other way round.

    def test_the_command_line_reads_what_python_writes(self):
        draw = random.Random(1)
        for codec in CODECS:
            topic = f"{self.topic}.{codec}"
            self.admin.create_topic(topic, 1)
            records = [(None, None, ()), (b"", b"", (("", b""),)), (b"\0\xff", b"\xfe", (("ключ", b"1"), ("ключ", b"2"))),
                       (b"large", draw.randbytes(3 << 20), ()), (b"zeros", bytes(5 << 20), ())]
            records += [(draw.choice((None, b"k%d" % i)), draw.randbytes(draw.randrange(300)), (("n", b"%d" % i),))
                        for i in range(500)]
            with sdk.Producer(self.client, topic, compression=codec) as producer:
                futures = [producer.send(value, key, headers, timestamp_ms=TIME + i)
                           for i, (key, value, headers) in enumerate(records)]
            self.assertEqual([future.result().offset for future in futures], list(range(len(records))), codec)
            lines = self.cli_lines("consume", topic, "-e", "-o", "json")
            self.assertEqual([line["timestamp_ms"] for line in lines], [TIME + i for i in range(len(records))])
            found = [(bytes_of(line, "key"), bytes_of(line, "value"),
                      tuple((header["key"], bytes_of(header, "value")) for header in line["headers"])) for line in lines]
            self.assertTrue(found == records, codec)

    def test_python_reads_what_the_command_line_writes(self):
        for codec in CODECS:
            topic = f"{self.topic}.{codec}"
            self.admin.create_topic(topic, 3)
            lines = ["a:1", "b:", "c:" + "x" * 100_000, "ключ:значение"] + [f"key{i}:value {i}" for i in range(5000)]
            self.cli_lines("produce", topic, "-k", ":", "-z", codec, "-H", "h=1", "-H", "h=2", "-o", "json",
                           stdin="\n".join(lines).encode())
            records = self.read_all(topic, len(lines))
            found = sorted((record.key + b":" + record.value).decode() for record in records)
            self.assertEqual(found, sorted(lines), codec)
            self.assertEqual({record.headers for record in records}, {(("h", b"1"), ("h", b"2"))}, codec)

    def test_both_give_a_key_the_same_partition(self):
        self.admin.create_topic(self.topic, 7)
        keys = [f"key {i}" for i in range(300)] + ["ключ", "a", "ab", "abc", "abcd"]
        self.cli_lines("produce", self.topic, "-k", ":", "-o", "json", stdin="\n".join(k + ":" for k in keys).encode())
        by_cli = {record.key: record.partition for record in self.read_all(self.topic, len(keys))}
        producer = self.producer()
        futures = {key.encode(): producer.send(b"", key.encode()) for key in keys}
        producer.flush()
        self.assertEqual({key: future.result().partition for key, future in futures.items()}, by_cli)

    # Reading and writing.

    def test_a_batch_waits_for_company_as_long_as_linger_says_and_flush_cuts_it_short(self):
        self.admin.create_topic(self.topic, 1)
        producer = self.producer(linger_s=PATIENCE_S)
        is_sent = threading.Event()
        producer.send(b"first").add_done_callback(lambda _: is_sent.set())
        self.assertFalse(is_sent.wait(0.1))
        futures = [producer.send(b"%d" % i) for i in range(99)]
        producer.flush()
        self.assertTrue(all(future.done() for future in futures))

    def test_a_callback_may_send_on(self):
        self.admin.create_topic(self.topic, 1)
        producer = self.producer()
        last = threading.Event()

        def send_next(future, left=50):
            future.result()
            if left == 0:
                last.set()
            else:
                producer.send(b"%d" % left).add_done_callback(lambda done: send_next(done, left - 1))

        producer.send(b"first").add_done_callback(send_next)
        self.assertTrue(last.wait(PATIENCE_S))
        self.assertEqual([r.offset for r in self.read_all(self.topic, 51)], list(range(51)))

    def test_a_seek_and_a_pause_hold_for_what_was_fetched_ahead(self):
        self.admin.create_topic(self.topic, 2)
        producer = self.producer()
        for number in range(2000):
            producer.send(b"%d" % number + bytes(100), partition=number % 2)
        producer.flush()
        consumer = self.consumer(fetch_bytes=1 << 10)
        first, second = partitions = consumer.partitions_of(self.topic)
        consumer.assign(partitions)
        self.assertTrue(consumer.poll(PATIENCE_S))
        consumer.pause(first)
        consumer.seek(second, 500)
        records = self.read(consumer, 500)
        self.assertEqual([(r.topic_partition, r.offset) for r in records], [(second, n) for n in range(500, 1000)])
        position = consumer.positions()[first].position
        consumer.resume(first)
        records = self.read(consumer, 1000 - position)
        self.assertEqual([(r.topic_partition, r.offset) for r in records], [(first, n) for n in range(position, 1000)])
        self.assertEqual(consumer.positions()[first], (1000, 1000))

    def test_positions_are_found_by_time(self):
        self.admin.create_topic(self.topic, 1)
        producer = self.producer()
        for number in range(10):
            producer.send(b"", timestamp_ms=TIME + 1000 * number)
            producer.flush()
        consumer = self.consumer()
        moment = datetime.datetime.fromtimestamp((TIME + 3500) / 1000, datetime.timezone.utc)
        consumer.assign(consumer.partitions_of(self.topic), moment)
        self.assertEqual(self.read(consumer, 6)[0].offset, 4)
        partition = sdk.TopicPartition(self.topic, 0)
        self.assertEqual(consumer.find_offset(partition, sdk.END), 10)
        self.assert_raises(sdk.Reason.INVALID_ARGUMENT, consumer.find_offset, partition, moment.replace(tzinfo=None))

    def test_topics_are_made_described_changed_and_deleted(self):
        topic_id = self.admin.create_topic(self.topic, 2, configs={"retention.ms": "1000000"})
        self.assert_raises(sdk.Reason.TOPIC_EXISTS, self.admin.create_topic, self.topic)
        self.admin.alter_topic(self.topic, {"segment.ms": "100000"}, ["retention.ms"])
        self.admin.add_partitions(self.topic, 3)
        found = self.admin.describe_topic(self.topic)
        configs = {config.key: (config.value, config.is_default) for config in found.configs}
        self.assertEqual((found.topic_id, len(found.partitions)), (topic_id, 3))
        self.assertEqual(configs["segment.ms"], ("100000", False))
        self.assertTrue(configs["retention.ms"][1])
        self.admin.delete_topic(self.topic)
        self.assertNotIn(self.topic, [t.name for t in self.admin.list_topics() if t.state == 0])


class LostServerTest(Fixture):
    """With a server of its own for each test, to be halted, killed and started again."""

    def setUp(self):
        self.server = Server()
        self.addCleanup(self.server.stop)
        self.server.listen = self.server.address  # the next one is found where this one was
        super().setUp()
        self.admin.create_topic(self.topic, 3)

    def kill(self):
        self.server.process.kill()
        self.server.process.wait()

    def halt(self):
        self.server.process.send_signal(signal.SIGSTOP)
        self.addCleanup(self.go_on)

    def go_on(self):
        self.server.process.send_signal(signal.SIGCONT)

    def test_what_left_may_be_stored_and_what_did_not_leave_is_not(self):
        producer = self.producer(delivery_timeout_s=1)
        self.halt()
        left = producer.send(b"left", partition=0)
        # The first batch of a producer is alone until it is answered, and so another one waits here.
        kept = producer.send(bytes(1 << 20), partition=0)
        self.assert_raises(sdk.Reason.MAYBE_STORED, left.result, PATIENCE_S)
        self.assert_raises(sdk.Reason.DEADLINE_EXCEEDED, kept.result, PATIENCE_S)
        self.go_on()
        after = producer.send(b"after", partition=0)
        after.result(PATIENCE_S)
        values = [record.value for record in self.read_all(self.topic, 2)]
        self.assertEqual(values, [b"left", b"after"])

    def test_a_full_buffer_is_told_and_holds_all_that_it_took(self):
        producer = self.producer(buffer_bytes=1 << 20)
        self.halt()
        futures = []
        with self.assertRaises(sdk.TalosError) as caught:
            while True:
                futures.append(producer.send(bytes(10_000), wait_s=0))
        self.assertEqual(caught.exception.reason, sdk.Reason.OVERLOADED)
        self.assertEqual(len(futures), (1 << 20) // 10_032)
        self.assert_raises(sdk.Reason.OVERLOADED, producer.send, bytes(10_000), wait_s=0.05)
        waiting = threading.Thread(target=lambda: futures.append(producer.send(bytes(10_000))))
        waiting.start()
        self.go_on()
        waiting.join(PATIENCE_S)
        producer.flush()
        self.assertEqual(len({(f.result().partition, f.result().offset) for f in futures}), len(futures))
        self.read_all(self.topic, len(futures))

    def test_kills_under_load_lose_and_double_nothing(self):
        client = self.connect(self.server)
        consumer = self.consumer(client)
        consumer.assign(consumer.partitions_of(self.topic))
        producer = self.producer(batch_bytes=1 << 14, compression="lz4")
        is_over = threading.Event()
        futures = {}
        completions = collections.Counter()

        def load():
            number = 0
            while not is_over.is_set():
                key, value = b"key %d" % (number % 50), b"%d" % number
                futures[value] = producer.send(value, key)
                futures[value].add_done_callback(lambda _, value=value: completions.update([value]))
                number += 1
                if number % 2000 == 0:
                    is_over.wait(0.02)

        loading = threading.Thread(target=load)
        loading.start()
        records = []
        try:
            for _ in range(4):
                goal = len(records) + 5000
                deadline = time.monotonic() + PATIENCE_S
                while len(records) < goal:
                    self.assertLess(time.monotonic(), deadline, f"found {len(records)} records")
                    records += consumer.poll(1)
                self.kill()
                self.server.start()
        finally:
            is_over.set()
            loading.join()
        producer.flush()
        records += self.read(consumer, len(futures) - len(records))

        self.assertEqual(set(completions.values()), {1})
        self.assertEqual(len(completions), len(futures))
        found = {record.value: (record.partition, record.offset) for record in records}
        self.assertEqual(len(found), len(records), "a record is there twice")
        told = {value: (f.result().partition, f.result().offset) for value, f in futures.items()}
        self.assertTrue(found == told, "what was told is not what is there")
        by_key = collections.defaultdict(list)
        for record in records:
            by_key[record.key].append(int(record.value))
        for key, numbers in by_key.items():
            self.assertEqual(numbers, sorted(numbers), key)
        self.assertEqual(sorted(self.read_all(self.topic, len(records))), sorted(records))


def bytes_of(line, name):
    """A field of the command line's JSON: text, base64 when it is none, or null."""
    if f"{name}_base64" in line:
        return base64.b64decode(line[f"{name}_base64"])
    return None if line[name] is None else line[name].encode()


if __name__ == "__main__":
    unittest.main()
