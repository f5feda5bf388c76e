"""One member of a group: what it may work on and what it tells, on a clock that the test turns."""

import pathlib
import random
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))
import talosmq_package  # noqa: E402,F401  (makes the package importable)

from talosmq.errors import Reason, TalosError  # noqa: E402
from talosmq.membership import Membership  # noqa: E402

LEASE_S = 10
A, B, C = ((b"t", number) for number in range(3))


class MembershipTest(unittest.TestCase):
    def setUp(self):
        self.now = 100.0
        self.member = Membership(LEASE_S, map("m{}".format, range(1000)).__next__)

    def call(self):
        call = self.member.next_call(self.now)
        self.assertIsNotNone(call)
        return call

    def reply(self, call, *assigned, generation=1):
        return self.member.on_reply(call, call.member_id, generation, LEASE_S, assigned, self.now)

    def error(self, call, reason):
        return self.member.on_error(call, TalosError(reason, "words"), self.now)

    def pass_time(self, seconds):
        self.now += seconds

    def take_all(self):
        for key, ticket in self.member.changes().added.items():
            self.assertTrue(self.member.take(key, ticket))

    def join(self, *assigned):
        self.reply(self.call(), *assigned)
        self.take_all()

    def works_on(self):
        return [key for key in (A, B, C) if self.member.may_work(key, self.now)]

    def assert_lost(self, *keys):
        self.assertEqual(sorted(self.member.changes().lost), sorted(keys))

    # What goes wrong.

    def test_work_stops_by_the_members_own_clock_when_the_lease_ended(self):
        self.join(A)
        self.pass_time(LEASE_S - 0.001)
        self.assertFalse(self.member.expire(self.now))
        self.assertEqual(self.works_on(), [A])
        self.pass_time(0.001)
        self.assertEqual(self.works_on(), [], "also before anybody has called expire")
        self.assertFalse(self.member.owns(A, self.now))
        self.assertTrue(self.member.expire(self.now))
        self.assert_lost(A)

    def test_the_lease_counts_from_when_the_call_was_sent(self):
        call = self.call()
        self.pass_time(4)
        self.reply(call, A)
        self.take_all()
        self.pass_time(LEASE_S - 4)
        self.assertEqual(self.works_on(), [])

    def test_a_reply_that_comes_after_its_lease_is_not_applied(self):
        call = self.call()
        self.pass_time(LEASE_S)
        self.assertFalse(self.reply(call, A))
        self.assertEqual(self.member.changes().added, {})
        self.assertEqual(self.call().generation, 0)

    def test_a_reply_to_a_call_that_was_given_up_is_never_applied(self):
        self.join(A, B)
        parked = self.call()
        self.reply(parked, A, generation=2)
        late = self.call()
        self.member.let_go([B])
        following = self.call()
        self.assertFalse(self.reply(late, A, B, C, generation=3))
        self.assertFalse(self.error(late, Reason.UNKNOWN_MEMBER))
        self.assertEqual(self.works_on(), [A])
        self.reply(following, A, generation=2)
        self.assertEqual((self.works_on(), self.member.generation), ([A], 2))

    def test_the_call_that_is_out_when_the_lease_ends_is_given_up(self):
        self.join(A)
        self.pass_time(LEASE_S / 2)
        late = self.call()
        self.pass_time(LEASE_S / 2)
        self.member.expire(self.now)
        self.assertFalse(self.reply(late, A))
        self.assert_lost(A)
        following = self.call()
        self.assertEqual((following.member_id, following.generation, following.owned), ("m0", 0, ()))

    def test_what_was_lost_and_comes_again_is_new_work(self):
        self.join(A)
        self.pass_time(LEASE_S)
        self.member.expire(self.now)
        self.reply(self.call(), A)
        self.assertEqual(self.works_on(), [], "the old work must end first")
        self.assert_lost(A)
        self.member.let_go([A])
        self.assert_lost()
        self.assertEqual(list(self.member.changes().added), [A])
        self.take_all()
        self.assertEqual(self.works_on(), [A])

    def test_an_unknown_member_loses_all_and_joins_again(self):
        self.join(A)
        self.pass_time(1)
        self.error(self.call(), Reason.UNKNOWN_MEMBER)
        self.assert_lost(A)
        self.pass_time(1)
        call = self.call()
        self.assertEqual((call.member_id, call.generation, call.owned, call.tells_subscription), ("m1", 0, (), True))

    def test_a_coordinator_that_cannot_answer_is_asked_again_and_the_lease_holds(self):
        self.join(A)
        for reason in (Reason.COORDINATOR_NOT_AVAILABLE, Reason.UNAVAILABLE, Reason.DEADLINE_EXCEEDED, Reason.CONFLICT,
                       Reason.INTERNAL):
            self.pass_time(1)
            self.error(self.call(), reason)
            self.assertIsNone(self.member.next_call(self.now), "without a pause")
            self.assertEqual(self.works_on(), [A])
        self.pass_time(1)
        self.reply(self.call(), A)
        self.pass_time(LEASE_S - 1)
        self.assertEqual(self.works_on(), [A])

    def test_a_fenced_member_ends_for_good(self):
        for reason in (Reason.MEMBER_FENCED, Reason.GROUP_KIND_MISMATCH, Reason.INVALID_ARGUMENT):
            self.setUp()
            self.join(A)
            self.pass_time(1)
            self.assertTrue(self.error(self.call(), reason))
            self.assert_lost(A)
            self.assertEqual(self.member.failure.reason, reason)
            self.pass_time(100)
            self.assertIsNone(self.member.next_call(self.now))

    def test_a_join_without_an_answer_is_repeated_by_the_same_member(self):
        first = self.call()
        self.error(first, Reason.UNAVAILABLE)
        self.pass_time(1)
        again = self.call()
        self.assertEqual((again.member_id, again.generation, again.tells_subscription), (first.member_id, 0, True))
        self.assertGreater(again.sequence, first.sequence)

    def test_an_instance_that_is_in_use_is_waited_for(self):
        self.error(self.call(), Reason.INSTANCE_IN_USE)
        self.assertIsNone(self.member.failure)
        self.pass_time(1)
        self.assertEqual(self.call().generation, 0)

    def test_an_instance_that_is_in_use_for_two_leases_ends_it_for_good(self):
        # It asked on for ever, and said nothing.
        self.error(self.call(), Reason.INSTANCE_IN_USE)
        self.pass_time(LEASE_S)
        self.error(self.call(), Reason.UNAVAILABLE)
        for seconds in (LEASE_S, 1.9 * LEASE_S):
            self.pass_time(seconds)
            self.error(self.call(), Reason.INSTANCE_IN_USE)
            self.assertIsNone(self.member.failure, "the coordinator was not there all the time")
        self.pass_time(0.1 * LEASE_S + 0.001)
        self.assertTrue(self.error(self.member.next_call(self.now + 1), Reason.INSTANCE_IN_USE))
        self.assertEqual(self.member.failure.reason, Reason.INSTANCE_IN_USE)

    def test_a_member_that_cannot_join_warns_at_once_and_every_30_seconds(self):
        warnings = []
        for second in range(70):
            call = self.call()
            if self.member.takes_warning(call, self.now):
                warnings.append(second)
            self.error(call, Reason.COORDINATOR_NOT_AVAILABLE)
            self.pass_time(1)
        self.assertEqual(warnings, [0, 30, 60])
        self.join(A)
        self.pass_time(1)
        call = self.call()
        self.assertFalse(self.member.takes_warning(call, self.now), "it is a member")
        self.error(call, Reason.UNKNOWN_MEMBER)
        self.pass_time(1)
        self.assertTrue(self.member.takes_warning(self.call(), self.now))

    def test_a_member_that_nobody_polls_leaves_and_is_silent_until_the_next_poll(self):
        # A handler that hangs kept its partitions for ever, as heartbeats went on.
        self.member = Membership(LEASE_S, map("m{}".format, range(1000)).__next__, poll_interval_max_s=5)
        self.member.note_poll(self.now)
        self.join(A)
        self.pass_time(4)
        self.assertFalse(self.member.note_poll(self.now))
        parked = self.call()
        self.pass_time(4.9)
        self.assertIsNone(self.member.leave_unpolled(self.now))
        self.assertAlmostEqual(self.member.next_event_at() - self.now, 0.1)
        self.pass_time(0.1)
        self.assertEqual(self.member.leave_unpolled(self.now), "m0")
        self.assertIsNone(self.member.leave_unpolled(self.now), "once")
        self.assert_lost(A)
        self.assertFalse(self.member.owns(A, self.now))
        self.assertFalse(self.reply(parked, A, generation=2))
        self.pass_time(100)
        self.assertIsNone(self.member.next_call(self.now))
        self.assertEqual(self.member.next_event_at(), float("inf"))
        self.assertTrue(self.member.note_poll(self.now))
        call = self.call()
        self.assertEqual((call.member_id, call.generation, call.owned), ("m1", 0, ()))

    # What goes well.

    def test_a_revoked_partition_is_owned_until_it_is_let_go(self):
        self.join(A, B)
        self.pass_time(1)
        self.assertTrue(self.reply(self.call(), A, generation=2))
        self.assertEqual(self.works_on(), [A])
        self.assertTrue(self.member.owns(B, self.now), "it may still commit")
        self.assertEqual(list(self.member.changes().revoked), [B])
        self.assertEqual(self.call().owned, (A, B))
        self.member.let_go([B])
        self.assertFalse(self.member.owns(B, self.now))
        self.assertEqual(self.call().owned, (A,))

    def test_what_was_never_taken_is_let_go_at_once(self):
        self.reply(self.call(), A, B)
        ticket = self.member.changes().added[B]
        self.pass_time(1)
        self.reply(self.call(), A, generation=2)
        self.assertEqual(self.call().owned, (A,))
        self.assertFalse(self.member.take(B, ticket))

    def test_a_revocation_that_is_taken_back_disturbs_nothing(self):
        self.join(A, B)
        self.pass_time(1)
        self.reply(self.call(), A, generation=2)
        self.reply(self.call(), A, B, generation=3)
        changes = self.member.changes()
        self.assertEqual((changes.lost, changes.revoked, changes.added), ({}, {}, {}))
        self.assertEqual(self.works_on(), [A, B])

    def test_sequences_rise_with_each_call(self):
        sequences = []
        for _ in range(5):
            call = self.call()
            sequences.append(call.sequence)
            self.reply(call, A)
            self.pass_time(1)
            sequences.append(self.call().sequence)
            self.error(self.member._call, Reason.UNKNOWN_MEMBER)
            self.pass_time(2)
        self.assertEqual(sequences, sorted(set(sequences)))

    def test_the_subscription_is_told_until_a_reply_has_come(self):
        first = self.call()
        self.assertTrue(first.tells_subscription)
        self.error(first, Reason.UNAVAILABLE)
        self.pass_time(1)
        call = self.call()
        self.assertTrue(call.tells_subscription)
        self.reply(call)
        self.pass_time(1)
        parked = self.call()
        self.assertFalse(parked.tells_subscription)
        self.member.tell_subscription()
        changed = self.call()
        self.assertTrue(changed.tells_subscription)
        self.assertFalse(self.reply(parked))
        self.member.tell_subscription()
        self.reply(changed)
        again = self.call()
        self.assertTrue(again.tells_subscription, "it changed again while the call was out")
        self.reply(again)
        self.pass_time(1)
        self.assertFalse(self.call().tells_subscription)

    def test_a_coordinator_that_does_not_park_is_not_asked_all_the_time(self):
        self.join(A)
        self.pass_time(1)
        self.assertFalse(self.reply(self.call(), A))
        self.assertIsNone(self.member.next_call(self.now))
        self.pass_time(LEASE_S / 100)
        self.call()

    def test_a_change_is_confirmed_at_once(self):
        self.reply(self.call(), A)
        self.assertEqual(self.call().owned, (A,))

    def test_random_events_keep_the_rules(self):
        for seed in range(300):
            self.setUp()
            self.draw = random.Random(seed)
            with self.subTest(seed=seed):
                self.run_random_events()

    def run_random_events(self):
        """The coordinator here grants what it likes; it only believes what the member has reported last."""
        self.member = Membership(LEASE_S, map("m{}".format, range(1000)).__next__, poll_interval_max_s=20)
        calls, granted_until = [], {}
        last_sequence = 0
        for step in range(2, 300):
            event = self.draw.randrange(7)
            if event == 0:
                self.pass_time(self.draw.choice((0.01, 0.2, 1, 6)))
            elif event == 1 and (call := self.member.next_call(self.now)) is not None:
                self.assertGreater(call.sequence, last_sequence)
                last_sequence = call.sequence
                calls.append(call)
            elif event == 2 and calls:
                call = self.draw.choice(calls)
                assigned = [key for key in (A, B, C) if self.draw.random() < 0.5]
                self.reply(call, *assigned, generation=step)
                if self.member.generation == step:
                    self.assertIs(call, calls[-1], "applied the reply to a call that was given up")
                    granted_until = {key: call.sent_at + LEASE_S for key in assigned}
            elif event == 3 and calls:
                reason = self.draw.choice((Reason.UNAVAILABLE, Reason.UNKNOWN_MEMBER, Reason.CONFLICT))
                self.error(self.draw.choice(calls), reason)
            elif event == 4:
                self.take_all()
            elif event == 5:
                self.member.note_poll(self.now)
            else:
                changes = self.member.changes()
                self.member.let_go([*changes.lost, *changes.revoked])
            for key in self.works_on():
                self.assertLess(self.now, granted_until.get(key, 0.0), "works on what it has no lease for")
            self.member.expire(self.now)
            if self.member.leave_unpolled(self.now) is not None:
                self.assertEqual(self.works_on(), [])


if __name__ == "__main__":
    unittest.main()
