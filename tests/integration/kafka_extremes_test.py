"""Sound requests with numbers and names at their limits: each is answered, and the server lives on."""

import itertools
import struct
import unittest

import kafka_wire as wire
from kafka_fixture import KafkaTest
from kafka_wire import array, batch, byte_string, string

OFFSET_COMMIT, OFFSET_FETCH, FIND_COORDINATOR, JOIN_GROUP, HEARTBEAT, LEAVE_GROUP, SYNC_GROUP = 8, 9, 10, 11, 12, 13, 14
DESCRIBE_GROUPS, CREATE_TOPICS, DELETE_TOPICS, DELETE_RECORDS, DESCRIBE_CONFIGS = 15, 19, 20, 21, 32
CREATE_PARTITIONS, DELETE_GROUPS = 37, 42
LOWEST_32, HIGHEST_32, LOWEST_64, HIGHEST_64 = -(1 << 31), (1 << 31) - 1, -(1 << 63), (1 << 63) - 1
NUMBERS_32 = (LOWEST_32, -2, -1, 0, 1, HIGHEST_32)
NUMBERS_64 = (LOWEST_64, -4, -3, -2, -1, 0, 1, HIGHEST_64)
NAMES = ("", ".", "..", "a/b", "x" * 249, "x" * 250, "x" * 30_000, "\0", "\u00e4\u00f6", "__consumer_offsets", "known")
OUT_OF_RANGE, INCONSISTENT_GROUP_PROTOCOL, INVALID_GROUP_ID, UNKNOWN_MEMBER_ID = 1, 23, 24, 25
INVALID_SESSION_TIMEOUT, UNSUPPORTED_VERSION, INVALID_PARTITIONS = 26, 35, 37


class ExtremesTest(KafkaTest):
    def setUp(self):
        super().setUp()
        self.topic = "known"
        if "known" not in [topic["topic"] for topic in self.run_json("topic", "list")]:
            self.create(2)
            self.assertEqual(self.wire().produce("known", 0, batch(b"a", b"b", b"c")), (0, 0))
        self.connection = self.wire()
        # The topic of the groups comes into being with the first of them.
        self.wait_until(lambda: self.commit("first") == 0, "no group can commit")

    def tearDown(self):
        self.assertIsNone(self.server.process.poll(), self.server.log()[-3000:])
        self.assertEqual(self.wire().produce("known", 1, batch(b"alive"))[0], 0)

    def call(self, key, version, body):
        return self.connection.call(key, version, body)

    def test_places_to_fetch_from(self):
        for offset, bytes_max in itertools.product(NUMBERS_64, NUMBERS_32):
            error, _, records = self.connection.fetch("known", 0, offset, bytes_max=bytes_max)
            self.assertEqual(error, 0 if 0 <= offset <= 3 else OUT_OF_RANGE, offset)
            self.assertEqual(bool(records), 0 <= offset < 3, "a first batch comes whole, whatever the limit")

    def test_waits(self):
        for wait, least in itertools.product((LOWEST_32, -1, 0, 1), NUMBERS_32):
            asked = string("known") + array(struct.pack(">iqi", 0, 3, 1000))
            reply = self.call(wire.FETCH, 4, struct.pack(">iiiib", -1, wait, least, 1000, 0) + array(asked))
            self.assertEqual(reply.take("ii"), (0, 1))

    def test_a_partition_that_is_named_twice(self):
        place = struct.pack(">iqi", 0, 0, 1000)
        asked = string("known") + array(place, place)
        reply = self.call(wire.FETCH, 4, struct.pack(">iiiib", -1, 0, 1, 100_000, 0) + array(asked, asked))
        self.assertEqual(reply.take("ii"), (0, 1), "the topic comes once")
        self.assertEqual((reply.string(), reply.take("i")), ("known", 1), "and so does the partition")
        records = struct.pack(">i", 1) + byte_string(batch(b"twice"))
        asked = string("known") + array(records, records)
        before = self.ends()[1]
        self.call(wire.PRODUCE, 3, string(None) + struct.pack(">hi", -1, 30_000) + array(asked))
        self.assertEqual(self.ends()[1], before + 2)

    def test_nothing_at_all(self):
        self.call(wire.PRODUCE, 3, string(None) + struct.pack(">hi", -1, 0) + array())
        self.call(wire.PRODUCE, 3, string(None) + struct.pack(">hi", -1, 0) + array(string("known") + array()))
        self.call(wire.FETCH, 4, struct.pack(">iiiib", -1, 1000, 1, 1000, 0) + array())
        self.call(wire.LIST_OFFSETS, 1, struct.pack(">i", -1) + array())
        self.call(wire.METADATA, 1, array())
        self.call(OFFSET_COMMIT, 2, string("g") + struct.pack(">i", -1) + string("") + struct.pack(">q", -1) + array())
        self.call(OFFSET_FETCH, 1, string("g") + array())
        self.call(LEAVE_GROUP, 3, string("g") + array())
        for key, version in ((DESCRIBE_GROUPS, 0), (DELETE_GROUPS, 0)):
            self.call(key, version, array())
        self.call(CREATE_TOPICS, 0, array() + struct.pack(">i", 0))
        self.call(DELETE_TOPICS, 0, array() + struct.pack(">i", 0))
        self.call(DELETE_RECORDS, 0, array() + struct.pack(">i", 0))
        self.call(DESCRIBE_CONFIGS, 0, array())
        self.call(CREATE_PARTITIONS, 0, array() + struct.pack(">ib", 0, 0))

    def test_times_to_look_for(self):
        for time_ms in NUMBERS_64:
            error, _, offset = self.connection.offset_at("known", 0, time_ms)
            self.assertEqual((error, offset), {-1: (0, 3), -2: (0, 0), 0: (0, 0), 1: (0, 0), HIGHEST_64: (0, -1)}.get(
                time_ms, (UNSUPPORTED_VERSION, -1)), time_ms)

    def test_names_of_topics_everywhere(self):
        for name in NAMES:
            self.connection.produce(name, 5, batch(b"v"))
            self.connection.fetch(name, 5, 0)
            self.connection.offset_at(name, 5, -1)
            self.call(wire.METADATA, 1, array(string(name)))
            self.call(DESCRIBE_CONFIGS, 0, array(b"\2" + string(name) + struct.pack(">i", -1)))
            grown = array(string(name) + struct.pack(">ii", 0, -1))
            self.call(CREATE_PARTITIONS, 0, grown + struct.pack(">ib", 1000, 0))
            if name not in ("known", "__consumer_offsets"):
                self.call(DELETE_TOPICS, 0, array(string(name)) + struct.pack(">i", 1000))

    def test_the_groups_own_topic_is_nobodys(self):
        self.commit("g", offset=1)  # So that it is there.
        self.assertNotEqual(self.connection.produce("__consumer_offsets", 0, batch(b"v"))[0], 0)
        reply = self.call(DELETE_TOPICS, 0, array(string("__consumer_offsets")) + struct.pack(">i", 30_000))
        reply.take("i")
        reply.string()
        self.assertNotEqual(reply.take("h"), 0)
        self.assertEqual(self.commit("g", offset=2), 0)

    def test_numbers_of_partitions(self):
        for count in NUMBERS_32:
            if count in (-1, 1):
                continue
            body = array(string(f"many{count}") + struct.pack(">ihii", count, 1, 0, 0)) + struct.pack(">i", 5000)
            reply = self.call(CREATE_TOPICS, 0, body)
            reply.take("i")
            reply.string()
            self.assertEqual(reply.take("h"), INVALID_PARTITIONS, count)
        for count in NUMBERS_32:
            reply = self.call(CREATE_PARTITIONS, 0,
                              array(string("known") + struct.pack(">ii", count, -1)) + struct.pack(">ib", 5000, 0))
            reply.take("ii")
            reply.string()
            self.assertEqual(reply.take("h"), INVALID_PARTITIONS, count)

    # Groups.

    def commit(self, group, partition=0, offset=0, generation=-1, member="", metadata=""):
        place = struct.pack(">iq", partition, offset) + string(metadata)
        reply = self.call(OFFSET_COMMIT, 2, string(group) + struct.pack(">i", generation) + string(member)
                          + struct.pack(">q", -1) + array(string("known") + array(place)))
        reply.take("i")
        reply.string()
        reply.take("ii")
        return reply.take("h")

    def committed(self, group, partition=0):
        """The offset and the error."""
        reply = self.call(OFFSET_FETCH, 1, string(group) + array(string("known") + array(struct.pack(">i", partition))))
        reply.take("i")
        reply.string()
        reply.take("ii")
        offset = reply.take("q")
        reply.string()
        return offset, reply.take("h")

    def test_offsets_to_commit(self):
        for offset in NUMBERS_64:
            error = self.commit("offsets", offset=offset)
            self.assertEqual(error == 0, offset >= 0, (offset, error))
        self.assertEqual(self.committed("offsets"), (HIGHEST_64, 0))
        for metadata in (None, "", "m" * 4096):
            self.assertEqual(self.commit("offsets", offset=1, metadata=metadata), 0)
        self.assertNotEqual(self.commit("offsets", offset=2, metadata="m" * 32_000), 0)
        self.assertEqual(self.committed("offsets"), (1, 0))

    def test_what_nobody_committed_is_minus_one(self):
        self.assertEqual(self.committed("never heard of"), (-1, 0))
        self.commit("heard of", 0, 1)
        self.assertEqual(self.committed("heard of", 1), (-1, 0))
        self.assertEqual(self.committed("heard of", 7)[0], -1)

    def test_names_and_members_of_groups(self):
        for group, member in itertools.product(("", "x" * 30_000, "\0", "g"), ("", "nobody", "x" * 30_000)):
            self.commit(group, generation=5, member=member)
            self.committed(group)
            for generation in NUMBERS_32:
                reply = self.call(HEARTBEAT, 0, string(group) + struct.pack(">i", generation) + string(member))
                self.assertNotEqual(reply.take("h"), 0)
            self.assertNotEqual(self.call(LEAVE_GROUP, 0, string(group) + string(member)).take("h"), 0)
            reply = self.call(SYNC_GROUP, 0, string(group) + struct.pack(">i", 1) + string(member) + array())
            self.assertNotEqual(reply.take("h"), 0)
            self.call(DESCRIBE_GROUPS, 0, array(string(group)))
            self.call(DELETE_GROUPS, 0, array(string(group)))
            self.call(FIND_COORDINATOR, 0, string(group))
        self.assertEqual(self.call(HEARTBEAT, 0, string("") + struct.pack(">i", 1) + string("m")).take("h"),
                         INVALID_GROUP_ID)

    def test_joins_that_no_group_can_have(self):
        def join(group="g", session=10_000, member="", kind="consumer", protocols=((("range", b""),))):
            wanted = array(*(string(name) + byte_string(data) for name, data in protocols))
            return self.call(JOIN_GROUP, 0, string(group) + struct.pack(">i", session) + string(member) + string(kind)
                             + wanted).take("h")
        for session in (LOWEST_32, -1, 0, 1, HIGHEST_32):
            self.assertEqual(join(session=session), INVALID_SESSION_TIMEOUT, session)
        self.assertEqual(join(group=""), INVALID_GROUP_ID)
        self.assertEqual(join(member="nobody"), UNKNOWN_MEMBER_ID)
        self.assertEqual(join(protocols=()), INCONSISTENT_GROUP_PROTOCOL)
        self.assertEqual(join(kind=""), INCONSISTENT_GROUP_PROTOCOL)


if __name__ == "__main__":
    unittest.main()
