"""One member of a consumer group: what it may work on, and what it tells the coordinator."""

import dataclasses
import typing

from talosmq.client import back_off_s
from talosmq.errors import Reason, TalosError

_WAIT_MAX_S = 3.0
_WARNINGS_S = 30.0  # between two of them
_PACE_SHARE = 100  # of the lease: calls follow each other no faster, changes apart

# Joining again cannot help.
_FATAL = {
    Reason.MEMBER_FENCED, Reason.GROUP_KIND_MISMATCH, Reason.GROUP_FULL, Reason.INVALID_GROUP,
    Reason.INVALID_ARGUMENT, Reason.INVALID_SESSION_TIMEOUT, Reason.INCONSISTENT_PROTOCOL,
    Reason.UNSUPPORTED_VERSION, Reason.UNIMPLEMENTED, Reason.CLOSED,
}


class Call(typing.NamedTuple):
    """A heartbeat to be sent."""

    sequence: int
    member_id: str
    generation: int  # 0: join
    owned: tuple  # of partition keys, ascending
    tells_subscription: bool
    subscription_number: int
    sent_at: float


@dataclasses.dataclass
class Changes:
    """What the one who works on partitions has not taken in yet; {partition key: ticket} each."""

    lost: dict  # stop, somebody else may have it
    revoked: dict  # finish, commit and let go
    added: dict  # begin, then take


class Membership:
    """Replies, errors and time in; calls and changes out. Pure. Thread-compatible.

    1. Works on what the last reply that was applied assigned, and only until that reply's lease has
       ended by this clock, counted from when its call was sent (G6).
    2. A partition that is not assigned any more is reported as owned until it is let go, if it was taken,
       and not at all if it was not.
    3. At most one call is out; the next one gives it up, and the reply to a call that was given up is
       never applied. Sequences rise with each call.
    4. A partition that is lost and assigned again is another ticket: nothing of the old work goes on.
    5. It joins, anew as well, by a call of generation 0; what it joins as it chooses itself, by
       new_member_id(), so that a join whose answer was lost can be repeated.
    6. When nobody has polled for poll_interval_max_s, it leaves: all is lost, and it is silent until the
       next poll, which joins anew.
    """

    def __init__(self, lease_s, new_member_id, poll_interval_max_s=float("inf")):
        self.member_id = new_member_id()
        self.generation = 0
        self._new_member_id = new_member_id
        self.failure = None  # the TalosError that ended it for good
        self._lease_s = lease_s
        self._lease_until = float("inf")
        self._sequence = 0
        self._call = None  # that is out
        self._next_call_at = 0.0
        self._failures = 0
        self._subscription_number = 1
        self._subscription_told = 0
        self._assigned = frozenset()
        self._owned = {}  # ticket by partition key
        self._taken = {}  # those that are worked on, with the ticket at the time
        self._last_ticket = 0
        self._poll_interval_max_s = poll_interval_max_s
        self._polls_until = float("inf")
        self._has_left = False
        self._next_warning_at = 0.0
        self._in_use_since = None  # since when joining has met with nothing but INSTANCE_IN_USE

    @property
    def wait_s(self):
        """How long the coordinator may park a call."""
        return min(_WAIT_MAX_S, self._lease_s / 3)

    @property
    def answer_timeout_s(self):
        """After which a call is given up, so that another one has time before the lease ends."""
        return self.wait_s + self._lease_s / 3

    def tell_subscription(self):
        """It has changed."""
        self._subscription_number += 1
        self._next_call_at = 0.0

    def next_event_at(self):
        """When a call is due, the lease ends or the time between polls does."""
        if self._has_left:
            return float("inf")
        return min(self._next_call_at, self._lease_until, self._polls_until)

    def next_call(self, now):
        """The call to be sent now; None: not yet."""
        if self.failure is not None or self._has_left or now < self._next_call_at:
            return None
        self._sequence += 1
        self._next_call_at = float("inf")
        self._call = Call(self._sequence, self.member_id, self.generation, tuple(sorted(self._owned)),
                          self.generation == 0 or self._subscription_told != self._subscription_number,
                          self._subscription_number, now)
        return self._call

    def on_reply(self, call, member_id, generation, lease_s, assigned, now):
        """Returns whether there are changes."""
        if call is not self._call:
            return False
        self._call = None
        if now >= call.sent_at + lease_s:
            self._next_call_at = now
            return self.expire(now)
        self._failures = 0
        self._next_warning_at = 0.0
        self._in_use_since = None
        self._subscription_told = call.subscription_number
        self.member_id = member_id
        self.generation = generation
        self._lease_s = lease_s
        self._lease_until = call.sent_at + lease_s
        has_changed = self._apply(frozenset(assigned))
        has_more_to_tell = has_changed or self._subscription_told != self._subscription_number
        self._next_call_at = now if has_more_to_tell else max(now, call.sent_at + lease_s / _PACE_SHARE)
        return has_changed

    def on_error(self, call, error, now):
        """Returns whether there are changes."""
        if call is not self._call:
            return False
        self._call = None
        self._next_call_at = now + back_off_s(self._failures, error)
        self._failures += 1
        if error.reason in _FATAL or self._is_in_use_for_long(error, now):
            self.failure = error
            return self._lose_all() or True
        if error.reason == Reason.UNKNOWN_MEMBER:
            self.member_id = self._new_member_id()
            return self._lose_all()
        return self.expire(now)

    def takes_warning(self, call, now):
        """Whether people should read that this call failed: the first of those that could not join, then one
        each 30 s."""
        if call.generation != 0 or now < self._next_warning_at:
            return False
        self._next_warning_at = now + _WARNINGS_S
        return True

    def expire(self, now):
        """Stops when the lease ended unrenewed, and joins anew. Returns whether there are changes."""
        if now < self._lease_until:
            return False
        self._call = None  # it reports as owned what is not any more
        self._next_call_at = min(self._next_call_at, now)
        return self._lose_all()

    def note_poll(self, now):
        """Returns whether there is a call to be sent."""
        self._polls_until = now + self._poll_interval_max_s
        has_left, self._has_left = self._has_left, False
        if has_left:
            self._next_call_at = now
        return has_left

    def leave_unpolled(self, now):
        """The id under which the group is to be left, when nobody has polled for too long; None: not now."""
        if self._has_left or self.failure is not None or now < self._polls_until:
            return None
        self._has_left = True
        self._call = None
        self._lose_all()
        left, self.member_id = self.member_id, self._new_member_id()
        return left

    def may_work(self, key, now):
        """Whether records of this partition may be handed out."""
        return self.owns(key, now) and key in self._assigned

    def owns(self, key, now):
        """Whether offsets of this partition may be committed."""
        return now < self._lease_until and key in self._taken and self._owned.get(key) == self._taken[key]

    def lease_left_s(self, now):
        return self._lease_until - now

    def changes(self):
        return Changes(
            lost={key: ticket for key, ticket in self._taken.items() if self._owned.get(key) != ticket},
            revoked={key: ticket for key, ticket in self._taken.items()
                     if self._owned.get(key) == ticket and key not in self._assigned},
            added={key: ticket for key, ticket in self._owned.items() if key not in self._taken})

    def take(self, key, ticket):
        """Work on an added partition begins. False: it is not there any more."""
        if self._owned.get(key) != ticket:
            return False
        self._taken[key] = ticket
        return True

    def let_go(self, keys):
        """Work on lost or revoked partitions has ended; those revoked are confirmed by the next call, which
        is due at once."""
        for key in keys:
            ticket = self._taken.pop(key)
            if self._owned.get(key) == ticket:
                del self._owned[key]
                self._next_call_at = 0.0

    def _apply(self, assigned):
        before = (self._assigned, set(self._owned))
        self._assigned = assigned
        for key in list(self._owned):
            if key not in assigned and key not in self._taken:
                del self._owned[key]
        for key in assigned:
            if key not in self._owned:
                self._last_ticket += 1
                self._owned[key] = self._last_ticket
        return (assigned, set(self._owned)) != before

    def _is_in_use_for_long(self, error, now):
        """One that was killed is forgotten after a lease; what stays for two is another process at work."""
        if error.reason != Reason.INSTANCE_IN_USE:
            self._in_use_since = None
            return False
        if self._in_use_since is None:
            self._in_use_since = now
        return now >= self._in_use_since + 2 * self._lease_s

    def _lose_all(self):
        had_any = bool(self._owned)
        self.generation = 0
        self._owned.clear()
        self._assigned = frozenset()
        self._lease_until = float("inf")
        return had_any


def lease_ended(group):
    return TalosError(Reason.NOT_OWNER, f"group {group}: the lease has ended, or the partition is another member's")
