"""Consumer groups by the command line: members as processes that come, go and are killed."""

import json
import signal
import subprocess
import tempfile
import threading
import time
import unittest

from talosmq_process import BIN, Server, environment, talosmq

PATIENCE_SECONDS = 90


class Member:
    """`consume -g` as a process; its lines "PARTITION VALUE" come by a thread."""

    def __init__(self, server, topic, group, *arguments):
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [str(BIN / "talosmq"), "consume", topic, "-g", group, "-f", "%p %v\\n", *arguments],
            env=environment(server),
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
        )
        self.lines = []
        self.came = threading.Condition()
        self.thread = threading.Thread(target=self.read)
        self.thread.start()

    def read(self):
        for line in self.process.stdout:
            with self.came:
                self.lines.append(tuple(line.split()))
                self.came.notify_all()

    def wait_for(self, count):
        with self.came:
            if not self.came.wait_for(lambda: len(self.lines) >= count, PATIENCE_SECONDS):
                raise AssertionError(f"{len(self.lines)} lines instead of {count}: {self.said()}")

    def said(self):
        self.errors.seek(0)
        return self.errors.read().decode(errors="replace")

    def end(self, sent=signal.SIGINT):
        """The exit status."""
        self.process.send_signal(sent)
        status = self.process.wait(timeout=PATIENCE_SECONDS)
        self.thread.join()
        self.process.stdout.close()
        return status


class GroupCliTest(unittest.TestCase):
    def setUp(self):
        self.server = Server()
        self.addCleanup(self.server.stop)
        self.members = []
        self.addCleanup(self.kill_members)
        self.stored = 0

    def kill_members(self):
        for member in self.members:
            if member.process.poll() is None:
                member.end(signal.SIGKILL)
            member.errors.close()

    def join(self, *arguments):
        member = Member(self.server, "orders", "billing", *arguments)
        self.members.append(member)
        return member

    def create(self, partitions):
        status, _, err = talosmq(self.server, "topic", "create", "orders", "-p", partitions)
        self.assertEqual(status, 0, err)

    def store(self, count):
        """The next numbers, spread over the partitions by key."""
        lines = "".join(f"{n}:{n}\n" for n in range(self.stored, self.stored + count))
        status, _, err = talosmq(self.server, "produce", "orders", "-k", ":", stdin=lines.encode())
        self.assertEqual(status, 0, err)
        self.stored += count

    def read_to_end(self):
        status, out, err = talosmq(self.server, "consume", "orders", "-g", "billing", "-e",
                                   "-f", "%p %v\\n", timeout=PATIENCE_SECONDS)
        self.assertEqual(status, 0, err)
        return [tuple(line.split()) for line in out.splitlines()], err

    def describe(self):
        status, out, err = talosmq(self.server, "group", "describe", "billing", "-o", "json")
        self.assertEqual(status, 0, err)
        return json.loads(out)

    def wait_for_sharing(self, members):
        """Until so many members have partitions."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            status, out, _ = talosmq(self.server, "group", "describe", "billing", "-o", "json")
            group = json.loads(out) if status == 0 else {"members": []}
            if sum(bool(member["partitions"]) for member in group["members"]) == members:
                return group
            self.assertLess(time.monotonic(), deadline, group)

    def assert_each_once(self, lines):
        self.assertEqual(sorted(int(value) for _, value in lines), list(range(self.stored)))

    def test_twice_prints_each_record_once(self):
        self.create(3)
        self.store(100)
        first, _ = self.read_to_end()
        self.assert_each_once(first)
        nothing, err = self.read_to_end()
        self.assertEqual(nothing, [])
        self.assertIn("group 'billing' has read topic 'orders' to its end", err)
        self.store(50)
        second, _ = self.read_to_end()
        self.assert_each_once(first + second)

    def test_a_count_commits_what_was_printed_and_no_more(self):
        self.create(1)
        self.store(100)
        lines = []
        for _ in range(4):
            status, out, err = talosmq(self.server, "consume", "orders", "-g", "billing",
                                       "-n", 25, "-f", "%p %v\\n")
            self.assertEqual(status, 0, err)
            lines += [tuple(line.split()) for line in out.splitlines()]
        self.assert_each_once(lines)

    def test_who_stays_takes_over_when_one_leaves(self):
        self.create(4)
        for sent in (signal.SIGINT, signal.SIGTERM):
            one, other = self.join(), self.join()
            self.wait_for_sharing(2)
            before = len(one.lines)
            self.store(100)
            deadline = time.monotonic() + PATIENCE_SECONDS
            while len(one.lines) - before + len(other.lines) < 100:
                self.assertLess(time.monotonic(), deadline)
                with one.came:
                    one.came.wait(0.05)
            self.assertEqual(other.end(sent), 0, other.said())
            self.assertIn("which are committed", other.said())
            seen = len(one.lines)
            self.store(100)
            one.wait_for(seen + 100)
            self.assertEqual(one.end(sent), 0, one.said())
        self.assert_each_once([line for member in self.members for line in member.lines])

    def test_nothing_is_skipped_when_members_are_killed_under_load(self):
        self.create(6)
        members = [self.join() for _ in range(3)]
        self.wait_for_sharing(3)
        load = threading.Thread(target=lambda: [self.store(500) for _ in range(10)])
        load.start()
        for victim in members[:2]:
            victim.wait_for(100)
            victim.end(signal.SIGKILL)
        load.join()
        rest, _ = self.read_to_end()
        members[2].end()
        lines = [line for member in members for line in member.lines] + rest
        self.assertEqual({int(value) for _, value in lines}, set(range(self.stored)))

    def test_a_paused_member_wakes_up_with_nothing(self):
        self.create(2)
        one, other = self.join(), self.join()
        self.wait_for_sharing(2)
        self.store(100)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(one.lines) + len(other.lines) < 100:
            self.assertLess(time.monotonic(), deadline)
            with one.came:
                one.came.wait(0.05)
        one.process.send_signal(signal.SIGSTOP)
        seen = len(other.lines)
        self.store(100)
        other.wait_for(seen + 100)  # When the lease of the other one has ended.
        one.process.send_signal(signal.SIGCONT)
        self.wait_for_sharing(2)
        self.store(100)
        while len(one.lines) + len(other.lines) < 300:
            self.assertLess(time.monotonic(), deadline)
            with one.came:
                one.came.wait(0.05)
        for member in (one, other):
            self.assertEqual(member.end(), 0, member.said())
        lines = one.lines + other.lines
        self.assertEqual({int(value) for _, value in lines}, set(range(300)))
        stale = [value for _, value in one.lines if 100 <= int(value) < 200]
        self.assertEqual(stale, [], "what was sent to it meanwhile is not its own")
        self.assertEqual(self.describe()["lag"], 0)

    def test_a_killed_server_costs_no_record(self):
        self.create(3)
        member = self.join()
        self.store(300)
        member.wait_for(300)
        for _ in range(2):
            self.server.process.kill()
            self.server.process.wait()
            self.server.listen = self.server.address
            self.server.start()
            seen = len(member.lines)
            self.store(300)
            member.wait_for(seen + 300)
        self.assertEqual(member.end(), 0, member.said())
        rest, _ = self.read_to_end()
        lines = member.lines + rest
        self.assertEqual({int(value) for _, value in lines}, set(range(self.stored)))

    def test_groups_are_listed_described_reset_and_deleted(self):
        self.create(2)
        self.store(20)
        status, out, err = talosmq(self.server, "group", "list", "-o", "json")
        self.assertEqual((status, json.loads(out)), (0, []))
        self.assertIn("there are no groups", err)
        status, _, err = talosmq(self.server, "group", "describe", "billing")
        self.assertEqual(status, 1)
        self.assertIn("`talosmq group list` shows the groups there are", err)

        member = self.join()
        member.wait_for(20)
        group = self.wait_for_sharing(1)
        self.assertEqual(group["state"], "stable")
        self.assertEqual(group["members"][0]["partitions"], ["orders/0", "orders/1"])
        self.assertIn("127.0.0.1", group["members"][0]["host"])
        status, _, err = talosmq(self.server, "group", "reset", "billing", "orders", "-O", "start")
        self.assertEqual(status, 1)
        self.assertIn("--force", err)
        status, _, err = talosmq(self.server, "group", "delete", "billing")
        self.assertEqual(status, 1)
        status, _, err = talosmq(self.server, "group", "reset", "billing", "orders", "-O", "start",
                                 "--force")
        self.assertEqual(status, 0, err)
        member.wait_for(40)
        self.assertEqual(member.end(), 0, member.said())

        group = self.describe()
        self.assertEqual((group["state"], group["members"], group["lag"]), ("empty", [], 0))
        self.assertEqual(sum(row["committed"] for row in group["partitions"]), 20)
        self.store(10)
        self.assertEqual(self.describe()["lag"], 10)
        status, out, err = talosmq(self.server, "group", "reset", "billing", "orders", "-O", "end",
                                   "--partition", 1, "-o", "json")
        self.assertEqual(status, 0, err)
        self.assertEqual([row["partition"] for row in json.loads(out)["partitions"]], [1])
        status, _, err = talosmq(self.server, "group", "reset", "billing", "orders", "-O", "1000")
        self.assertEqual(status, 1)
        self.assertIn("found 1000", err)
        status, out, _ = talosmq(self.server, "group", "describe", "billing")
        for word in ("committed", "end", "lag", "orders"):
            self.assertIn(word, out)

        status, out, err = talosmq(self.server, "group", "delete", "billing")
        self.assertEqual(status, 0, err)
        status, out, _ = talosmq(self.server, "group", "list", "-o", "json")
        self.assertEqual(json.loads(out), [])

    def test_what_does_not_go_with_a_group_is_wrong_usage(self):
        for arguments, word in (
            (("--partition", "1"), "--partition"),
            (("-O", "-5"), "--offset"),
            (("-O", "1..5"), "--offset"),
        ):
            status, _, err = talosmq(self.server, "consume", "orders", "-g", "billing", *arguments)
            self.assertEqual(status, 2, arguments)
            self.assertIn(word, err)

    def test_an_unknown_topic_is_told(self):
        status, _, err = talosmq(self.server, "consume", "nowhere", "-g", "billing")
        self.assertEqual(status, 1)
        self.assertIn("nowhere", err)


if __name__ == "__main__":
    unittest.main()
