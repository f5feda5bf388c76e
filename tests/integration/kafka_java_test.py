"""Kafka's own Java client against the Kafka port, in its versions 3 and 4."""

import json
import pathlib
import tempfile
import unittest

from certificates import Authority
from client_driver import Record, line_of
from driver_load import DriverLoad
from driver_tests import MEBIBYTE, RECORDS, DriverTests
from java_client import VERSIONS, JavaClient
from kafka_fixture import KafkaTest
from kafka_wire import batch
from talosmq_process import talosmq

QUICK_MEMBER = ("heartbeat.interval.ms=200", "session.timeout.ms=10000")
PASSWORD = "correct horse = battery staple"
MECHANISMS = {"SCRAM-SHA-256": "scram.ScramLoginModule", "SCRAM-SHA-512": "scram.ScramLoginModule",
              "PLAIN": "plain.PlainLoginModule"}


class RecordTests(DriverTests, JavaClient):
    one_batch = ("linger.ms=60000", f"batch.size={8 * MEBIBYTE}")
    no_patience = ("max.block.ms=3000",)
    unknown_topic = "TimeoutException"
    refusal = "TransactionalIdAuthorizationException"

    def test_what_java_wrote_grpc_reads_and_the_reverse(self):
        self.create()
        self.driver().produce(self.topic, [Record(b"%d" % i, b"java %d" % i) for i in range(100)], "lz4")
        self.run_ok("produce", self.topic, stdin=b"".join(b"grpc %d\n" % i for i in range(100)))
        values = [f"java {i}" for i in range(100)] + [f"grpc {i}" for i in range(100)]
        self.assertEqual(self.consumed_by_grpc("%v"), values)
        self.assertEqual([r.value.decode() for r in self.driver().consume(self.topic, 200)], values)

    # It is the last one: were it the first of its batch, the client would split that into the same batch for ever.
    def test_a_record_that_is_too_large_fails_alone(self):
        self.create(configs=("max.message.bytes=100000",))
        lines = "".join(map(line_of, [Record(None, b"fits"), Record(None, b"too"), Record(None, b"x" * 200_000)]))
        status, told, _ = self.driver("linger.ms=0").run("produce", self.address, self.topic, "none", stdin=lines)
        self.assertEqual(status, 1)
        told = {answer["index"]: answer.get("error") for answer in map(json.loads, told)}
        self.assertEqual(told, {0: None, 1: None, 2: "RecordTooLargeException"})
        self.assertEqual(self.consumed_by_grpc("%v"), ["fits", "too"])

    # With 50 partitions a whole Fetch is above 1,500 bytes; one in a session names only what has changed.
    def test_a_consumer_of_many_partitions_reads_in_a_session(self):
        partitions, rounds = 50, 6
        self.create(partitions)
        reader = self.driver("fetch.max.wait.ms=100").start("consume", self.address, self.topic, partitions * rounds)
        self.wait_until(lambda: self.fetches() > 0, "nobody fetches")
        self.wait_until_idle()
        fetches, received = self.fetches(), self.metric("talosmq_kafka_received_bytes_total")
        self.wait_until(lambda: self.fetches() >= fetches + 10, "nobody fetches any more")
        each = (self.metric("talosmq_kafka_received_bytes_total") - received) / (self.fetches() - fetches)
        self.assertLess(each, 300, "bytes of a Fetch")
        self.assert_reads_in_rounds(reader, partitions, rounds)

    def wait_until_idle(self):
        """Until requests other than Fetch have ended: ten fetches in a row."""
        def others():
            return self.metric("talosmq_kafka_requests_total") - self.fetches()
        seen = [others(), self.fetches()]

        def holds():
            if others() != seen[0]:
                seen[:] = others(), self.fetches()
            return self.fetches() >= seen[1] + 10
        self.wait_until(holds, "the consumer does not settle")

    def fetches(self):
        return self.metric("talosmq_kafka_requests_total", 'api="Fetch"')


class GroupTests(JavaClient):
    def fill(self, partitions, count):
        self.create(partitions)
        for partition in range(partitions):
            self.assertEqual(self.wire().produce(self.topic, partition, batch(*[b"v"] * count)), (0, 0))

    def settle(self, sizes, *members):
        self.wait_until(lambda: sorted(len(m.owned) for m in members) == sizes,
                        f"{[(m.owned, m.said()) for m in members]}")

    def share(self, strategy):
        """Two members by the strategy, one after the other; how many partitions the first one lost for it."""
        self.fill(4, 50)
        settings = (f"partition.assignment.strategy=org.apache.kafka.clients.consumer.{strategy}", *QUICK_MEMBER)
        one = self.member(self.topic, *settings)
        self.wait_until(lambda: len(one.read) == 200, f"{len(one.read)} were read: {one.said()}")
        other = self.member(self.topic, *settings)
        self.settle([2, 2], one, other)
        moved = one.moved
        self.assertEqual(one.owned | other.owned, set(range(4)))
        self.assertEqual(len(self.run_json("group", "describe", self.topic)["members"]), 2)
        self.assertEqual(other.wait(), 0, other.said())
        self.settle([4], one)
        self.assertEqual(one.wait(), 0, one.said())
        self.assertEqual(sorted(one.read), [(p, o) for p in range(4) for o in range(50)])
        self.assertEqual(other.read, [], "what is committed comes once")
        self.assertEqual(self.committed(), [50] * 4)
        return moved

    def test_members_share_by_range(self):
        self.assertEqual(self.share("RangeAssignor"), 4)

    def test_members_share_cooperatively(self):
        self.assertEqual(self.share("CooperativeStickyAssignor"), 2, "only what moves is taken")

    def test_a_static_member_comes_back_to_its_partitions(self):
        self.create(4)
        settings = ("partition.assignment.strategy=org.apache.kafka.clients.consumer.RangeAssignor",
                    "heartbeat.interval.ms=200", "session.timeout.ms=30000")
        one = self.member(self.topic, "group.instance.id=one", *settings)
        self.settle([4], one)
        other = self.member(self.topic, "group.instance.id=two", *settings)
        self.settle([2, 2], one, other)
        had, moved = one.owned, other.moved
        one.kill()
        again = self.member(self.topic, "group.instance.id=one", *settings)
        self.settle([2, 2], again, other)
        self.assertEqual((again.owned, other.moved), (had, moved), "nothing moves")


class KillTests(JavaClient):
    def test_kill_9_loses_and_doubles_nothing_and_keeps_the_order(self):
        partitions = 3
        self.create(partitions)
        load = DriverLoad(self, self.driver("linger.ms=5"), "lz4", partitions)
        member = self.member(self.topic, *QUICK_MEMBER)
        load.kill_server_again_and_again()
        load.end()
        load.assert_stored()
        self.wait_until(lambda: len(set(member.read)) == load.sent, f"{len(set(member.read))} of {load.sent} were read")
        self.assertEqual(member.wait(), 0, member.said())
        self.assertEqual(self.committed(), self.ends())


class Java3Test(RecordTests, GroupTests, KillTests, KafkaTest):
    version = VERSIONS[0]


class Java4Test(RecordTests, GroupTests, KillTests, KafkaTest):
    version = VERSIONS[1]


class LoginTests(JavaClient):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="talosmq-java-test."))
        cls.ours, cls.theirs = (Authority(cls.folder, name) for name in ("ours", "theirs"))
        certificate, key = cls.ours.sign("server")
        cls.settings = ("kafka.sasl=all", f"tls.cert={certificate}", f"tls.key={key}", "http.tls=false")
        super().setUpClass()
        cls.command("user", "create", "alice", stdin=PASSWORD.encode())

    @classmethod
    def command(cls, *arguments, stdin=b""):
        status, out, err = talosmq(cls.server, "--tls-ca", cls.ours.ca, *arguments, stdin=stdin)
        assert status == 0, err
        return out

    def run_ok(self, *arguments, stdin=b""):
        return self.command(*arguments, stdin=stdin)

    def over_tls(self, mechanism, password=PASSWORD, authority=None):
        module = f"org.apache.kafka.common.security.{MECHANISMS[mechanism]}"
        return self.driver("security.protocol=SASL_SSL", "ssl.truststore.type=PEM",
                           f"ssl.truststore.location={(authority or self.ours).ca}", f"sasl.mechanism={mechanism}",
                           f'sasl.jaas.config={module} required username="alice" password="{password}";')

    def refusal(self, driver):
        status, told, _ = driver.run("produce", self.address, self.topic, "none", stdin=line_of(Record(None, b"v")))
        self.assertEqual(status, 1)
        return [json.loads(line)["error"] for line in told]

    def test_records_travel_with_each_mechanism(self):
        for mechanism in MECHANISMS:
            with self.subTest(mechanism):
                topic = f"{self.topic}.{mechanism}"
                self.create(topic=topic)
                driver = self.over_tls(mechanism)
                sent = driver.produce(topic, RECORDS, "none")
                self.assertEqual(driver.group(topic, topic, len(sent)), sent)

    def test_what_may_not_come_in_is_told_so(self):
        self.create()
        for mechanism in MECHANISMS:
            self.assertEqual(self.refusal(self.over_tls(mechanism, "troubador-and-3")), ["SaslAuthenticationException"])
        self.assertEqual(self.refusal(self.over_tls("PLAIN", authority=self.theirs)), ["SslAuthenticationException"])
        self.assertEqual(self.consumed_by_grpc(), [])


class Java3LoginTest(LoginTests, KafkaTest):
    version = VERSIONS[0]


class Java4LoginTest(LoginTests, KafkaTest):
    version = VERSIONS[1]


if __name__ == "__main__":
    unittest.main()
