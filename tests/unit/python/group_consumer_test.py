"""GroupConsumer against a broker that plays the coordinator's part as the test says."""

import pathlib
import sys
import threading
import time
import unittest
from unittest import mock

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))
import talosmq_package  # noqa: E402,F401  (makes the package importable)

import talosmq as sdk  # noqa: E402
from fake_broker import FakeBroker, topic_id  # noqa: E402

PATIENCE_S = 20
A, B = sdk.TopicPartition("t", 0), sdk.TopicPartition("t", 1)


class GroupConsumerTest(unittest.TestCase):
    def setUp(self):
        self.broker = FakeBroker()
        self.addCleanup(self.broker.stop)
        self.broker.topics["t"] = [[], []]
        self.client = sdk.Client(self.broker.address)
        self.addCleanup(self.client.close)
        self.told = []  # (what, partitions) in the order in which the callbacks ran

    def consumer(self, **options):
        def tell(what):
            return lambda partitions: self.told.append((what, sorted(partitions)))

        options = {"on_assigned": tell("assigned"), "on_revoked": tell("revoked"), "on_lost": tell("lost")} | options
        consumer = sdk.GroupConsumer(self.client, "g", **options)
        self.addCleanup(consumer.close)
        consumer.subscribe(["t"])
        return consumer

    def poll_until(self, consumer, condition, words):
        """Polls until the condition holds; what has come."""
        records = []
        deadline = time.monotonic() + PATIENCE_S
        while not condition(records):
            self.assertLess(time.monotonic(), deadline, f"waited in vain: {words}")
            records += consumer.poll(0.05)
        return [(record.topic_partition, record.offset, record.value) for record in records]

    def poll_records(self, consumer, count):
        return self.poll_until(consumer, lambda records: len(records) >= count, f"{count} records")

    def poll_told(self, consumer, what):
        return self.poll_until(consumer, lambda _: what in self.told, what)

    def last_heartbeat(self):
        return self.broker.requests("Heartbeat")[-1]

    def owned_in_last_heartbeat(self):
        return [owned.partition for owned in self.last_heartbeat().owned]

    def wait_for_heartbeat(self, condition, words):
        self.broker.wait_for(lambda: condition(self.last_heartbeat()), words)

    def assert_raises(self, reason, call, *arguments):
        with self.assertRaises(sdk.TalosError) as caught:
            call(*arguments)
        self.assertEqual(caught.exception.reason, reason, caught.exception)
        return caught.exception.message

    # What goes wrong.

    def test_a_silent_coordinator_ends_work_by_the_members_own_clock(self):
        self.broker.lease_ms = 1000
        self.broker.append("t", 0, b"0")
        self.broker.assign(A)
        consumer = self.consumer(lease_s=1, auto_commit_s=None)
        self.poll_records(consumer, 1)
        self.broker.refuse("Heartbeat", None)
        self.poll_told(consumer, ("lost", [A]))
        self.broker.append("t", 0, b"1")
        self.assertEqual(consumer.poll(0.2), [])
        self.assertEqual(consumer.assignment(), [])
        commits = len(self.broker.requests("CommitOffsets"))
        self.assert_raises(sdk.Reason.INVALID_ARGUMENT, consumer.commit, {A: 1})
        self.assertEqual(len(self.broker.requests("CommitOffsets")), commits)
        self.wait_for_heartbeat(lambda request: not request.owned, "a heartbeat that owns nothing")
        self.broker.refuse("Heartbeat")
        self.assertEqual(self.poll_records(consumer, 2)[-1], (A, 1, b"1"), "begins at what is committed: nothing")

    def test_a_lease_that_ends_during_a_poll_is_told_at_once(self):
        self.broker.lease_ms = 1000
        self.broker.assign(A)
        is_lost = threading.Event()
        consumer = self.consumer(lease_s=1, on_lost=lambda _: is_lost.set())
        self.poll_told(consumer, ("assigned", [A]))
        self.broker.refuse("Heartbeat", None)
        polling = threading.Thread(target=consumer.poll, args=(5,))
        polling.start()
        self.assertTrue(is_lost.wait(4))
        self.broker.refuse("Heartbeat")
        self.broker.append("t", 0, b"0")
        polling.join()

    def test_records_of_a_partition_that_goes_while_they_come_are_not_returned(self):
        self.broker.append("t", 0, b"0")
        self.broker.assign(A)
        consumer = self.consumer()
        fetch = consumer._fetcher.poll

        def fetch_and_lose(timeout_s):
            records = fetch(timeout_s)
            if records:
                self.broker.assign()
                self.wait_for_heartbeat(lambda request: request.generation == self.broker.generation, "has heard")
            return records

        consumer._fetcher.poll = fetch_and_lose
        self.assertEqual(self.poll_told(consumer, ("revoked", [A])), [])
        self.broker.wait_for(lambda: not self.last_heartbeat().owned, "confirmed")
        self.assertEqual(self.broker.committed.get(("t", 0), 0), 0)

    def test_records_that_came_during_a_revocation_which_is_taken_back_are_returned(self):
        # Their position had moved on with the fetch, and what was dropped was never read again.
        for partition in (0, 1):
            self.broker.append("t", partition, b"0", b"1")
        self.broker.assign(A, B)
        consumer = self.consumer(auto_commit_s=0)
        fetch = consumer._fetcher.poll

        mine = consumer._mine

        def assign_and_wait(*target):
            self.broker.assign(*target)
            self.wait_for_heartbeat(lambda request: request.generation == self.broker.generation, "has heard")

        def lose_and_get_back(records):
            if A not in [record.topic_partition for record in records]:
                return mine(records)
            consumer._mine = mine
            assign_and_wait(B)
            left = mine(records)
            assign_and_wait(A, B)
            return left

        consumer._mine = lose_and_get_back
        records = self.poll_records(consumer, 4)
        self.assertEqual(sorted(records), [(A, 0, b"0"), (A, 1, b"1"), (B, 0, b"0"), (B, 1, b"1")])
        self.assertEqual(self.told, [("assigned", [A, B])])
        consumer.poll(0)
        self.assertEqual(self.broker.committed, {("t", 0): 2, ("t", 1): 2})

    def test_a_member_that_stood_still_beyond_its_lease_neither_returns_nor_commits(self):
        self.broker.lease_ms = 1000
        self.broker.append("t", 0, b"0")
        self.broker.assign(A)
        consumer = self.consumer(lease_s=1, auto_commit_s=None)
        self.poll_records(consumer, 1)
        with consumer._lock:  # as a process that is stopped: no thread of it gets on
            threading.Event().wait(1.1)
            self.broker.append("t", 0, b"1")
            self.assert_raises(sdk.Reason.NOT_OWNER, consumer.commit)
            self.assertEqual(consumer.poll(0), [])
        self.assertIn(("lost", [A]), self.told)
        self.assertEqual(self.broker.requests("CommitOffsets"), [])

    def test_a_member_that_is_not_polled_in_time_leaves_and_joins_again_with_the_next_poll(self):
        self.broker.append("t", 0, b"0")
        self.broker.assign(A)
        consumer = self.consumer(poll_interval_max_s=1, auto_commit_s=0)
        self.poll_records(consumer, 1)
        first = consumer.member_id
        with self.assertLogs("talosmq", "WARNING") as logs:
            self.broker.wait_for(lambda: self.broker.requests("LeaveGroup"), "has left")
        self.assertIn("group g", logs.output[0])
        (left,) = self.broker.requests("LeaveGroup")
        self.assertEqual((left.member_id, left.keeps_partitions), (first, False))
        self.assert_raises(sdk.Reason.NOT_OWNER, consumer.commit)
        heartbeats = len(self.broker.requests("Heartbeat"))
        self.assertEqual(self.poll_records(consumer, 1), [(A, 0, b"0")], "it was not committed")
        self.assertEqual(self.told, [("assigned", [A]), ("lost", [A]), ("assigned", [A])])
        self.assertEqual(self.broker.requests("Heartbeat")[heartbeats].generation, 0)

    def test_a_poll_that_waits_for_long_is_a_poll(self):
        self.broker.assign(A)
        consumer = self.consumer(poll_interval_max_s=1)
        self.poll_told(consumer, ("assigned", [A]))
        self.assertEqual(consumer.poll(1.5), [])
        self.assertEqual(self.broker.requests("LeaveGroup"), [])

    def test_an_unknown_member_loses_all_and_joins_again(self):
        self.broker.assign(A)
        consumer = self.consumer()
        self.poll_told(consumer, ("assigned", [A]))
        self.broker.refuse("Heartbeat", sdk.Reason.UNKNOWN_MEMBER)
        self.broker.assign(A)
        self.poll_told(consumer, ("lost", [A]))
        self.poll_until(consumer, lambda _: self.told.count(("assigned", [A])) == 2, "assigned again")
        joins = [request for request in self.broker.requests("Heartbeat") if request.generation == 0]
        self.assertEqual([(list(join.owned), list(join.subscription.topics)) for join in joins], [([], ["t"])] * 2)
        self.assertNotEqual(joins[0].member_id, joins[1].member_id)

    def test_a_fenced_member_is_out_for_good(self):
        self.broker.assign(A)
        consumer = self.consumer(instance_id="i")
        self.poll_told(consumer, ("assigned", [A]))
        self.broker.refuse("Heartbeat", sdk.Reason.MEMBER_FENCED)
        self.broker.assign(A)
        for _ in range(2):
            with self.assertRaises(sdk.TalosError) as caught:
                self.poll_until(consumer, lambda _: False, "the end")
            self.assertEqual(caught.exception.reason, sdk.Reason.MEMBER_FENCED)
        self.assertIn(("lost", [A]), self.told)
        consumer.close()
        self.assertEqual(self.broker.requests("LeaveGroup"), [])

    def test_a_coordinator_that_is_not_available_is_asked_again(self):
        self.broker.append("t", 0, b"0")
        self.broker.refuse("Heartbeat", *[sdk.Reason.COORDINATOR_NOT_AVAILABLE] * 3)
        self.broker.refuse("FetchOffsets", *[sdk.Reason.COORDINATOR_NOT_AVAILABLE] * 3)
        self.broker.refuse("CommitOffsets", *[sdk.Reason.COORDINATOR_NOT_AVAILABLE] * 3)
        self.broker.assign(A)
        consumer = self.consumer(auto_commit_s=None)
        self.assertEqual(self.poll_records(consumer, 1), [(A, 0, b"0")])
        consumer.commit()
        self.assertEqual(self.broker.committed, {("t", 0): 1})

    def test_a_with_statement_that_ends_by_an_exception_commits_nothing(self):
        self.broker.append("t", 0, b"0", b"1")
        self.broker.assign(A)
        with self.assertRaises(ZeroDivisionError), self.consumer(auto_commit_s=PATIENCE_S) as consumer:
            self.assertEqual(len(self.poll_records(consumer, 2)), 2)
            1 / 0
        self.assertEqual(self.broker.committed, {})
        self.assertEqual(self.told, [("assigned", [A]), ("lost", [A])])
        self.assertEqual(len(self.broker.requests("LeaveGroup")), 1)
        self.assertEqual(len(self.poll_records(self.consumer(), 2)), 2, "somebody else gets them")

    def test_a_member_that_cannot_join_says_so_in_the_log(self):
        self.broker.refuse("Heartbeat", *[sdk.Reason.COORDINATOR_NOT_AVAILABLE] * 3)
        self.broker.assign(A)
        with self.assertLogs("talosmq", "WARNING") as logs:
            self.poll_told(self.consumer(), ("assigned", [A]))
        (line,) = logs.output
        self.assertIn("group g: not joined, asking on: COORDINATOR_NOT_AVAILABLE", line)

    def test_a_suspend_of_the_system_counts_for_the_lease(self):
        # The monotonic clock stands still during one, and the member went on with partitions of others.
        self.broker.append("t", 0, b"0")
        self.broker.assign(A)
        consumer = self.consumer(auto_commit_s=None)
        self.poll_records(consumer, 1)
        self.broker.append("t", 0, b"1")
        read = time.clock_gettime
        with consumer._lock, mock.patch("time.clock_gettime", lambda of: read(of) + 11 * (of == time.CLOCK_BOOTTIME)):
            self.assert_raises(sdk.Reason.NOT_OWNER, consumer.commit)
            self.assertEqual(consumer.poll(0), [])
            self.assertEqual(self.told[-1], ("lost", [A]))
        self.assertEqual(self.broker.requests("CommitOffsets"), [])

    def test_a_refused_commit_is_told_and_not_repeated(self):
        self.broker.append("t", 0, b"0")
        self.broker.assign(A)
        consumer = self.consumer(auto_commit_s=None)
        self.poll_records(consumer, 1)
        self.broker.refuse("CommitOffsets", sdk.Reason.NOT_OWNER)
        self.assert_raises(sdk.Reason.NOT_OWNER, consumer.commit)
        self.assertEqual(len(self.broker.requests("CommitOffsets")), 1)

    def test_a_commit_that_expects_something_is_sent_once_and_a_lost_answer_is_told(self):
        self.broker.assign(A)
        consumer = self.consumer(auto_commit_s=None)
        self.poll_told(consumer, ("assigned", [A]))
        for reason in (sdk.Reason.UNAVAILABLE, sdk.Reason.INTERNAL, sdk.Reason.STORAGE_FENCED):
            self.broker.refuse("CommitOffsets", reason)
            self.assert_raises(sdk.Reason.MAYBE_STORED, consumer.commit, {A: sdk.OffsetToCommit(1, expected=3)})
        self.broker.refuse("CommitOffsets", sdk.Reason.OVERLOADED)
        self.assert_raises(sdk.Reason.OVERLOADED, consumer.commit, {A: sdk.OffsetToCommit(1, expected=3)})
        self.assertEqual(len(self.broker.requests("CommitOffsets")), 4)
        self.assert_raises(sdk.Reason.CONFLICT, consumer.commit, {A: sdk.OffsetToCommit(1, expected=3)})

    def test_commits_that_wait_are_bounded_and_end_with_the_lease(self):
        self.broker.lease_ms = 1000
        self.broker.assign(A)
        consumer = self.consumer(lease_s=1, auto_commit_s=None)
        self.poll_told(consumer, ("assigned", [A]))
        self.broker.refuse("CommitOffsets", None)
        self.addCleanup(self.broker.refuse, "CommitOffsets")
        futures = [consumer.commit_async({A: offset}) for offset in range(1000)]
        self.assert_raises(sdk.Reason.OVERLOADED, consumer.commit_async, {A: 1})
        reasons = {future.exception(PATIENCE_S).reason for future in futures}
        self.assertEqual(reasons, {sdk.Reason.DEADLINE_EXCEEDED})

    def test_without_a_committed_offset_start_fail_tells(self):
        self.broker.assign(A)
        consumer = self.consumer(start="fail")
        with self.assertRaises(sdk.TalosError) as caught:
            self.poll_until(consumer, lambda _: False, "the end")
        self.assertEqual(caught.exception.reason, sdk.Reason.OFFSET_OUT_OF_RANGE)
        self.assertIn("topic t partition 0", caught.exception.message)

    def test_a_start_at_the_end_is_committed_before_anything_is_read(self):
        # Else who takes over begins at a later end, and skips what this one has not committed.
        self.broker.append("t", 0, b"old")
        self.broker.assign(A)
        consumer = self.consumer(start=sdk.END, auto_commit_s=None,
                                 on_assigned=lambda _: self.told.append(dict(self.broker.committed)))
        self.poll_told(consumer, {("t", 0): 1})
        self.broker.append("t", 0, b"new")
        self.assertEqual(self.poll_records(consumer, 1), [(A, 1, b"new")])

    def test_a_start_that_cannot_be_committed_is_found_again(self):
        self.broker.assign(A)
        self.broker.refuse("CommitOffsets", sdk.Reason.COORDINATOR_NOT_AVAILABLE, sdk.Reason.UNAVAILABLE,
                           sdk.Reason.NOT_OWNER)
        consumer = self.consumer(start=sdk.END, auto_commit_s=None)
        self.poll_told(consumer, ("assigned", [A]))
        self.assertEqual(self.broker.committed, {("t", 0): 0})
        self.assertEqual([one.offsets[0].expected_offset for one in self.broker.requests("CommitOffsets")], [-1] * 4)

    def test_an_assigned_topic_that_is_no_more_holds_nothing_up(self):
        self.broker.append("t", 0, b"0")
        self.broker.assign(("gone", 0), A)
        self.assertEqual(self.poll_records(self.consumer(), 1), [(A, 0, b"0")])

    def test_options_out_of_range_are_told_by_name(self):
        for option, value in (("lease_s", 0), ("poll_interval_max_s", 0), ("start", "middle"), ("reset", "fail"),
                              ("assignor", "best"), ("fetch_bytes", 0)):
            with self.assertRaises(sdk.TalosError) as caught:
                sdk.GroupConsumer(self.client, "g", **{option: value})
            self.assertIn(option, caught.exception.message)

    # What goes well.

    def test_a_member_begins_at_what_is_committed_and_else_at_start(self):
        for partition in (0, 1):
            self.broker.append("t", partition, b"0", b"1", b"2")
        self.broker.committed[("t", 1)] = 2
        self.broker.assign(A, B)
        self.assertEqual(sorted(self.poll_records(self.consumer(), 4)),
                         [(A, 0, b"0"), (A, 1, b"1"), (A, 2, b"2"), (B, 2, b"2")])

    def test_a_given_offset_goes_before_what_is_committed_and_holds_once(self):
        for partition in (0, 1):
            self.broker.append("t", partition, b"0", b"1", b"2")
        self.broker.committed |= {("t", 0): 2, ("t", 1): 2}
        self.broker.assign(A, B)
        consumer = self.consumer(given={A: 1}, auto_commit_s=None)
        self.assertEqual(sorted(self.poll_records(consumer, 3)), [(A, 1, b"1"), (A, 2, b"2"), (B, 2, b"2")])
        self.assertEqual(self.broker.committed, {("t", 0): 1, ("t", 1): 2}, "else a death would skip from 1 to 2")
        consumer.commit()
        self.broker.assign(B)
        self.poll_told(consumer, ("revoked", [A]))
        self.broker.append("t", 0, b"3")
        self.broker.assign(A, B)
        self.assertEqual(self.poll_records(consumer, 1), [(A, 3, b"3")])

    def test_a_reset_goes_before_all(self):
        self.broker.append("t", 0, b"0", b"1", b"2")
        self.broker.committed[("t", 0)] = 3
        self.broker.assign(A, B)
        consumer = self.consumer(reset=sdk.START, given={A: 1}, auto_commit_s=None)
        self.assertEqual([offset for _, offset, _ in self.poll_records(consumer, 3)], [0, 1, 2])
        self.assertEqual(self.broker.committed, {("t", 0): 0}, "B begins at START without being committed")
        consumer.commit()
        self.assertEqual(self.broker.committed[("t", 0)], 3)

    def test_a_revoked_partition_is_committed_let_go_and_confirmed_at_once(self):
        for partition in (0, 1):
            self.broker.append("t", partition, b"0")
        self.broker.assign(A, B)
        consumer = self.consumer(auto_commit_s=PATIENCE_S)
        self.poll_records(consumer, 2)
        self.wait_for_heartbeat(lambda request: len(request.owned) == 2, "both are owned")
        self.broker.assign(A)
        self.wait_for_heartbeat(lambda request: request.generation == self.broker.generation, "the change has come")
        parked = self.last_heartbeat()
        self.assertEqual(len(parked.owned), 2, "not let go before poll")
        self.broker.append("t", 1, b"1")
        self.assertEqual(consumer.poll(0.2), [])
        self.assertEqual(self.told[-1], ("revoked", [B]))
        self.assertEqual(self.broker.committed[("t", 1)], 1)
        self.broker.wait_for(lambda: self.owned_in_last_heartbeat() == [0], "confirmed")
        self.assertGreater(self.last_heartbeat().sequence, parked.sequence)
        self.broker.wait_for(lambda: parked.sequence in self.broker.cancelled, "the parked one was cancelled")
        commits = self.broker.requests("CommitOffsets")
        self.assertEqual({(commit.member_id, commit.generation) for commit in commits[-1:]},
                         {(consumer.member_id, self.broker.generation)})

    def test_on_revoked_may_commit_by_hand(self):
        self.broker.append("t", 0, b"0", b"1")
        self.broker.assign(A)
        consumer = self.consumer(auto_commit_s=None, on_revoked=lambda partitions: consumer.commit({A: 1}))
        self.poll_records(consumer, 2)
        self.broker.assign()
        self.broker.wait_for(lambda: self.broker.generation == self.last_heartbeat().generation, "the change has come")
        self.poll_until(consumer, lambda _: not consumer.assignment(), "let go")
        self.assertEqual(self.broker.committed, {("t", 0): 1})

    def test_commits_are_of_what_earlier_polls_returned(self):
        self.broker.append("t", 0, b"0", b"1")
        self.broker.assign(A)
        consumer = self.consumer(auto_commit_s=0)
        records = consumer.poll(PATIENCE_S)
        self.assertEqual(len(records), 2)
        self.assertNotEqual(self.broker.committed.get(("t", 0)), 2, "committed before it was processed")
        consumer.poll(0)
        self.assertEqual(self.broker.committed, {("t", 0): 2})
        last = self.broker.requests("CommitOffsets")[-1].offsets[0]
        self.assertEqual(last.leader_epoch_plus_one, 4)
        self.assertEqual(consumer.committed(), {A: sdk.CommittedOffset(2, "", 0)})

    def test_commits_carry_metadata_and_compare(self):
        self.broker.append("t", 0, b"0")
        self.broker.assign(A)
        consumer = self.consumer(auto_commit_s=None)
        self.poll_records(consumer, 1)
        consumer.commit({A: sdk.OffsetToCommit(5, "half", sdk.NOTHING_COMMITTED)})
        self.assertEqual(consumer.committed(), {A: sdk.CommittedOffset(5, "half", 0)})

    def test_commits_in_the_background_come_in_order_and_before_a_leave(self):
        self.broker.append("t", 0, b"0")
        self.broker.assign(A)
        consumer = self.consumer(auto_commit_s=None)
        self.poll_records(consumer, 1)
        futures = [consumer.commit_async({A: offset}) for offset in range(20)] + [consumer.commit_async()]
        consumer.close()
        self.assertEqual([future.done() and future.result() for future in futures], [None] * 21)
        self.assertEqual([one.offsets[0].offset for one in self.broker.requests("CommitOffsets")], [*range(20), 1])
        methods = [method for method, _ in self.broker.calls if method in ("CommitOffsets", "LeaveGroup")]
        self.assertEqual(methods[-1], "LeaveGroup")
        self.assert_raises(sdk.Reason.CLOSED, consumer.commit_async, {A: 1})

    def test_a_changed_subscription_is_told_at_once(self):
        self.broker.assign(A)
        consumer = self.consumer()
        self.poll_told(consumer, ("assigned", [A]))
        self.wait_for_heartbeat(lambda request: request.owned, "A is owned")
        consumer.subscribe(["u"], ["v.*"])
        self.wait_for_heartbeat(lambda request: request.HasField("subscription") and request.generation, "told")
        told = self.last_heartbeat().subscription
        self.assertEqual((list(told.topics), list(told.patterns)), (["u"], ["v.*"]))

    def test_heartbeats_go_on_while_nobody_polls(self):
        self.broker.lease_ms = 1000
        self.broker.append("t", 0, b"0")
        self.broker.assign(A)
        consumer = self.consumer(lease_s=1)
        self.poll_records(consumer, 1)
        count = len(self.broker.requests("Heartbeat"))
        self.broker.wait_for(lambda: len(self.broker.requests("Heartbeat")) >= count + 6, "six more heartbeats")
        self.broker.append("t", 0, b"1")
        self.assertEqual(self.poll_records(consumer, 1), [(A, 1, b"1")])
        self.assertNotIn(("lost", [A]), self.told)

    def test_close_commits_and_leaves(self):
        self.broker.append("t", 0, b"0")
        self.broker.assign(A)
        consumer = self.consumer(auto_commit_s=PATIENCE_S)
        self.poll_records(consumer, 1)
        consumer.close()
        self.assertEqual(self.broker.committed, {("t", 0): 1})
        self.assertEqual(self.told[-1], ("revoked", [A]))
        (left,) = self.broker.requests("LeaveGroup")
        self.assertEqual((left.group, left.member_id, left.keeps_partitions), ("g", consumer.member_id, False))
        consumer.close()
        self.assert_raises(sdk.Reason.CLOSED, consumer.poll, 0)

    def test_a_static_member_keeps_its_partitions_over_a_close(self):
        self.broker.append("t", 0, b"0")
        self.broker.assign(A)
        consumer = self.consumer(instance_id="i")
        self.poll_records(consumer, 1)
        self.wait_for_heartbeat(lambda request: request.owned, "A is owned")
        consumer.close()
        (left,) = self.broker.requests("LeaveGroup")
        self.assertTrue(left.keeps_partitions)
        self.assertEqual({request.instance_id for request in self.broker.requests("Heartbeat")}, {"i"})
        self.assertTrue(consumer._membership.owns((topic_id("t"), 0), time.monotonic()), "and has not let go of them")


if __name__ == "__main__":
    unittest.main()
