"""The window of an idempotent producer against a broker that follows the rules, over a network that does not."""

import pathlib
import random
import sys
import types
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "support"))
import talosmq_package  # noqa: E402,F401  (makes the package importable)

from talosmq.errors import Reason, TalosError  # noqa: E402
from talosmq.send_window import IN_FLIGHT_MAX, SendWindow  # noqa: E402


RETRIED = (Reason.OVERLOADED, Reason.NOT_LEADER)
FINAL_REFUSALS = (*RETRIED, Reason.INVALID_RECORD)


def batch(opened=0.0, count=2):
    return types.SimpleNamespace(count=count, opened=opened, sequence=None)


def error(reason):
    return TalosError(reason, "words")


class SendWindowTest(unittest.TestCase):
    def setUp(self):
        self.window = SendWindow()
        self.window.begin_identity(7, 0)

    def send(self, *batches):
        """Admits and sends; the attempts."""
        for one in batches:
            self.assertTrue(self.window.has_room)
            self.window.admit(one)
        return self.send_waiting()

    def send_waiting(self):
        attempts = []
        while (attempt := self.window.next_attempt()) is not None:
            self.assertTrue(self.window.note_leaving(attempt[0]))
            attempts.append(attempt)
        return attempts

    def prove(self):
        ((attempt, _),) = self.send(batch())
        self.window.settle(attempt, None, 0)

    def reasons(self, settled):
        return [end.error and end.error.reason for end in settled]

    def test_the_first_batch_is_alone_until_it_is_stored(self):
        ((attempt, _),) = self.send(batch())
        self.assertFalse(self.window.has_room)
        self.window.settle(attempt, None, 0)
        self.assertEqual(len(self.send(*(batch() for _ in range(IN_FLIGHT_MAX)))), IN_FLIGHT_MAX)
        self.assertFalse(self.window.has_room)

    def test_a_refusal_rewinds_and_repeats_the_same_sequences_in_order(self):
        self.prove()
        batches = [batch(), batch(), batch()]
        (first, _), (second, _), (third, _) = self.send(*batches)
        sequences = [one.sequence for one in batches]
        self.assertEqual(self.window.settle(first, error(Reason.NOT_LEADER)), [])
        self.assertIsNone(self.window.next_attempt(), "answers are still to come")
        self.window.settle(second, error(Reason.OUT_OF_ORDER_SEQUENCE))
        self.window.settle_unanswered(third, error(Reason.UNAVAILABLE))
        self.assertEqual([one for _, one in self.send_waiting()], batches)
        self.assertEqual([one.sequence for one in batches], sequences)

    def test_a_final_refusal_breaks_the_chain_and_hands_the_others_back(self):
        self.prove()
        batches = [batch(), batch()]
        (first, _), (second, _) = self.send(*batches)
        self.assertEqual(self.reasons(self.window.settle(first, error(Reason.INVALID_RECORD))), [Reason.INVALID_RECORD])
        self.assertEqual(self.window.hand_back(), [])
        self.window.settle(second, error(Reason.OUT_OF_ORDER_SEQUENCE))
        self.assertEqual(self.window.hand_back(), [batches[1]])
        self.assertTrue(self.window.needs_identity)
        self.window.begin_identity(8, 0)
        self.send(batches[1])
        self.assertEqual(batches[1].sequence, (8, 0, 0))

    def test_what_was_once_lost_never_ends_as_certainly_not_stored(self):
        self.prove()
        ((attempt, _),) = self.send(batch())
        self.window.settle_unanswered(attempt, error(Reason.UNAVAILABLE))
        ((attempt, _),) = self.send_waiting()
        self.assertEqual(self.reasons(self.window.settle(attempt, error(Reason.INVALID_RECORD))), [Reason.MAYBE_STORED])

    def test_what_never_left_is_certainly_not_stored(self):
        self.prove()
        self.window.admit(batch(opened=5))
        attempt, _ = self.window.next_attempt()
        self.assertEqual(self.reasons(self.window.expire(5)), [Reason.DEADLINE_EXCEEDED])
        self.assertFalse(self.window.note_leaving(attempt), "must not leave any more")
        self.assertTrue(self.window.needs_identity)

    def test_what_left_and_timed_out_may_be_stored_and_goes_on_if_it_was(self):
        self.prove()
        ((attempt, _),) = self.send(batch(opened=5))
        self.assertEqual(self.window.expire(4), [])
        self.assertEqual(self.reasons(self.window.expire(5)), [Reason.MAYBE_STORED])
        self.assertEqual(self.window.settle(attempt, None, 2), [])
        self.assertTrue(self.window.has_room)

    def test_random_networks_neither_lose_nor_double_nor_reorder(self):
        for seed in range(2000):
            with self.subTest(seed=seed):
                RandomRun(self, random.Random(seed), FINAL_REFUSALS).run()

    def test_random_networks_without_final_refusals_leave_no_doubt(self):
        """A batch that may be stored was once overtaken by so many that its broker forgot it: the answers to
        those between had come, and only how many were unsettled was bounded."""
        for seed in range(2000):
            with self.subTest(seed=seed):
                outcomes = RandomRun(self, random.Random(seed), refusals=RETRIED).run()
                self.assertEqual(set(outcomes.values()), {None})

    def test_a_batch_is_overtaken_by_four_at_most(self):
        self.prove()
        (first, _), *others = self.send(*(batch() for _ in range(IN_FLIGHT_MAX)))
        for attempt, _ in others:
            self.window.settle(attempt, None, 0)
        self.assertFalse(self.window.has_room)
        self.window.settle(first, None, 0)
        self.assertTrue(self.window.has_room)


class RandomRun:
    """Batches with values 0, 1, 2 ... over connections that break between two brokers' answers."""

    def __init__(self, test, draw, refusals):
        self.test = test
        self.refusals = refusals
        self.draw = draw
        self.window = SendWindow()
        self.window.begin_identity(1, 0)
        self.identities = 1
        self.waiting = []
        self.wire = []  # (attempt, batch) that left and did not arrive
        self.answers = []  # (attempt, error) on their way back
        self.log = []  # values as stored
        self.last = {}  # by producer id: the next sequence, and the batches it remembers
        self.outcomes = {}
        self.now = 0

    def run(self):
        for value in range(self.draw.randrange(5, 25)):
            one = batch(opened=value, count=self.draw.randrange(1, 4))
            one.value = value
            self.waiting.append(one)
        count = len(self.waiting)
        for step in range(5000):
            if len(self.outcomes) == count and not self.wire and not self.answers:
                break
            self.step(is_kind=step > 300)
        stored = [value for value in range(count) if self.outcomes[value] is None]
        maybe = {value for value in range(count) if self.outcomes[value] == Reason.MAYBE_STORED}
        self.test.assertEqual(len(self.log), len(set(self.log)), "doubled")
        self.test.assertLessEqual(set(stored), set(self.log), "lost")
        self.test.assertLessEqual(set(self.log), set(stored) | maybe, "stored and told that it is not")
        self.test.assertEqual(self.log, sorted(self.log), "reordered")
        return self.outcomes

    def step(self, is_kind):
        self.waiting[:0] = self.window.hand_back()
        if self.window.needs_identity:
            self.identities += 1
            self.window.begin_identity(self.identities, 0)
        if self.waiting and self.window.has_room and self.draw.random() < 0.6:
            self.window.admit(self.waiting.pop(0))
        if (attempt := self.window.next_attempt()) is not None:
            if is_kind or self.draw.random() < 0.9:
                self.test.assertTrue(self.window.note_leaving(attempt[0]))
                self.wire.append(attempt)
            else:
                self.settle(self.window.settle_unanswered(attempt[0], error(Reason.UNAVAILABLE)))
        if self.wire and self.draw.random() < 0.6:
            self.arrive(*self.wire.pop(0), is_kind)
        if self.answers and self.draw.random() < 0.6:
            attempt, refused = self.answers.pop(self.draw.randrange(len(self.answers)))
            self.settle(self.window.settle(attempt, refused, 0))
        if not is_kind and self.draw.random() < 0.05:
            self.break_connection()

    def arrive(self, attempt, one, is_kind):
        if not is_kind and self.draw.random() < 0.15:
            self.answers.append((attempt, error(self.draw.choice(self.refusals))))
            return
        producer, _, sequence = one.sequence
        expected, remembered = self.last.get(producer, (sequence, []))
        if (sequence, one.value) in remembered:
            self.answers.append((attempt, None))
        elif sequence != expected:
            self.answers.append((attempt, error(Reason.OUT_OF_ORDER_SEQUENCE)))
        else:
            self.log.append(one.value)
            self.last[producer] = (sequence + one.count, (remembered + [(sequence, one.value)])[-IN_FLIGHT_MAX:])
            self.answers.append((attempt, None))

    def break_connection(self):
        """What is on the wire arrives up to some point; no answer does."""
        arrived = self.draw.randrange(len(self.wire) + 1)
        lost = [attempt for attempt, _ in self.answers] + [attempt for attempt, _ in self.wire]
        for attempt, one in self.wire[:arrived]:
            self.arrive(attempt, one, is_kind=True)
        self.wire, self.answers = [], []
        for attempt in lost:
            self.settle(self.window.settle_unanswered(attempt, error(Reason.UNAVAILABLE)))

    def settle(self, settled):
        for end in settled:
            self.test.assertNotIn(end.batch.value, self.outcomes, "two outcomes")
            self.outcomes[end.batch.value] = end.error and end.error.reason


if __name__ == "__main__":
    unittest.main()
