"""Members of one group in Python, in processes of their own, some of them killed: no record is skipped."""

import collections
import json
import pathlib
import subprocess
import sys
import threading
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import talosmq_package  # noqa: E402,F401  (makes the package importable)

import talosmq as sdk  # noqa: E402
from talosmq_process import Server  # noqa: E402

PATIENCE_S = 90
LEASE_S = 2
PARTITIONS = 12

MEMBER = """
import json, sys
sys.path.insert(0, sys.argv[1])
import talosmq
with talosmq.Client(sys.argv[2]) as client:
    consumer = talosmq.GroupConsumer(client, "g", lease_s=float(sys.argv[4]),
                                     start=getattr(talosmq, sys.argv[5]), auto_commit_s=float(sys.argv[6]))
    consumer.subscribe([sys.argv[3]])
    while True:
        for record in consumer.poll(0.2):
            print(json.dumps([record.partition, record.offset, record.value.decode()]), flush=True)
"""


class Member:
    """A process that prints what it reads."""

    def __init__(self, server, topic, start=sdk.START, auto_commit_s=0.2):
        self.process = subprocess.Popen(
            [sys.executable, "-c", MEMBER, talosmq_package.PATH, server.address, topic, str(LEASE_S), start.name,
             str(auto_commit_s)],
            stdout=subprocess.PIPE, text=True)
        self.records = []
        self.reading = threading.Thread(target=self.read)
        self.reading.start()

    def read(self):
        for line in self.process.stdout:
            if line.endswith("\n"):
                self.records.append(tuple(json.loads(line)))

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.reading.join()
        self.process.stdout.close()


class PythonGroupTest(unittest.TestCase):
    def setUp(self):
        self.server = Server()
        self.addCleanup(self.server.stop)
        self.client = sdk.Client(self.server.address)
        self.addCleanup(self.client.close)
        self.admin = sdk.Admin(self.client)
        self.admin.create_topic("t", PARTITIONS)

    def wait_for(self, condition, words):
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            self.assertLess(time.monotonic(), deadline, f"waited in vain: {words}")
            threading.Event().wait(0.05)

    def consumer(self, group="g", **options):
        consumer = sdk.GroupConsumer(self.client, group, lease_s=LEASE_S, **options)
        self.addCleanup(consumer.close)
        consumer.subscribe(["t"])
        return consumer

    def test_killed_members_skip_nothing_and_others_take_over(self):
        members = [Member(self.server, "t") for _ in range(3)]
        is_over = threading.Event()
        sent = []

        def load():
            with sdk.Producer(self.client, "t") as producer:
                while not is_over.is_set():
                    for _ in range(50):
                        sent.append(b"%d" % len(sent))
                        producer.send(sent[-1], key=sent[-1])
                    is_over.wait(0.02)

        loading = threading.Thread(target=load)
        loading.start()
        dead = []
        try:
            for _ in range(3):
                started = [len(member.records) for member in members]
                self.wait_for(lambda: all(len(m.records) > n + 200 for m, n in zip(members, started)), "all get records")
                dead.append(members.pop(0))
                dead[-1].kill()
                members.append(Member(self.server, "t"))
        finally:
            is_over.set()
            loading.join()
            everyone = dead + members
            try:
                self.wait_for(lambda: len({r for m in everyone for r in list(m.records)}) >= len(sent), "all records")
            finally:
                for member in members:
                    member.kill()
        seen = collections.Counter(record for member in everyone for record in member.records)
        self.assertEqual(sorted(int(value) for _, _, value in seen), list(range(len(sent))))
        committed = self.admin.describe_group("g").committed
        ends = {partition.partition: partition.high_watermark for partition in self.admin.describe_topic("t").partitions}
        self.assertTrue(all(offset <= ends[place.partition] for place, offset in committed.items()))

    def test_a_member_that_begins_at_the_end_and_dies_before_it_commits_skips_nothing(self):
        with sdk.Producer(self.client, "t") as producer:
            producer.send(b"old", partition=0).result(PATIENCE_S)
            member = Member(self.server, "t", start=sdk.END, auto_commit_s=600)
            number = 0
            try:
                def is_reading():
                    nonlocal number
                    producer.send(b"%d" % number, partition=0).result(PATIENCE_S)
                    number += 1
                    return member.records

                self.wait_for(is_reading, "a record is read")
            finally:
                member.kill()
            producer.send(b"last", partition=0).result(PATIENCE_S)
        consumer = self.consumer(start=sdk.END)
        records = []
        self.poll_until([consumer], lambda: b"last" in [record.value for record in records], records)
        self.assertEqual(records[0].offset, member.records[0][1])

    def test_partitions_move_one_by_one_and_a_leave_gives_them_back(self):
        first = self.consumer()
        self.poll_until([first], lambda: len(first.assignment()) == PARTITIONS)
        second = self.consumer()
        self.poll_until([first, second], lambda: len(first.assignment()) == len(second.assignment()) == PARTITIONS // 2)
        self.assertEqual(len(set(first.assignment()) | set(second.assignment())), PARTITIONS)
        second.close()
        self.poll_until([first], lambda: len(first.assignment()) == PARTITIONS)

    def test_commits_resets_and_deletion(self):
        with sdk.Producer(self.client, "t") as producer:
            for number in range(100):
                producer.send(b"%d" % number, partition=number % PARTITIONS)
        consumer = self.consumer(auto_commit_s=None)
        records = []
        self.poll_until([consumer], lambda: len(records) == 100, records)
        consumer.commit()
        self.assertEqual(sum(one.offset for one in consumer.committed().values()), 100)
        for call in (lambda: self.admin.delete_group("g"), lambda: self.admin.reset_offsets("g", "t", sdk.START)):
            with self.assertRaises(sdk.TalosError) as caught:
                call()
            self.assertEqual(caught.exception.reason, sdk.Reason.GROUP_NOT_EMPTY)
        found = self.admin.describe_group("g")
        self.assertEqual((found.kind, found.state, len(found.members)), ("native", "stable", 1))
        self.assertEqual(len(found.members[0].owned), PARTITIONS)
        self.assertEqual(sum(found.committed.values()), 100)
        consumer.close()
        self.assertEqual(self.admin.list_groups(), {"g": "empty"})
        self.admin.reset_offsets("g", "t", 3)
        again = []
        consumer = self.consumer()
        self.poll_until([consumer], lambda: len(again) == 100 - 3 * PARTITIONS, again)
        consumer.close()
        self.admin.delete_group("g")
        self.assertEqual(self.admin.list_groups(), {})

    def test_commits_carry_metadata_and_compare(self):
        with sdk.Producer(self.client, "t") as producer:
            for number in range(5):
                producer.send(b"%d" % number, partition=0)
        consumer = self.consumer(auto_commit_s=None)
        records = []
        self.poll_until([consumer], lambda: len(records) == 5, records)
        place = records[0].topic_partition
        consumer.commit({place: sdk.OffsetToCommit(2, "half", sdk.NOTHING_COMMITTED)})
        self.assertEqual(consumer.committed()[place][:2], (2, "half"))
        with self.assertRaises(sdk.TalosError) as caught:
            consumer.commit({place: sdk.OffsetToCommit(4, expected=3)})
        self.assertEqual(caught.exception.reason, sdk.Reason.CONFLICT)
        self.assertEqual(consumer.committed()[place].offset, 2)
        consumer.commit_async().result(PATIENCE_S)
        self.assertEqual(consumer.committed()[place][:2], (5, ""))

    def poll_until(self, consumers, condition, records=None):
        deadline = time.monotonic() + PATIENCE_S
        while not condition():
            self.assertLess(time.monotonic(), deadline, [consumer.assignment() for consumer in consumers])
            for consumer in consumers:
                came = consumer.poll(0.05)
                if records is not None:
                    records += came


if __name__ == "__main__":
    unittest.main()
