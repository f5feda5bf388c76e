"""Reads topics together with the other members of a group."""

import contextlib
import logging
import threading
import time
import uuid

from talosmq import group_offsets, lease_clock
from talosmq.client import back_off_s
from talosmq.commit_queue import CommitQueue
from talosmq.consumer import PartitionPosition, check_fetch_options
from talosmq.errors import Reason, TalosError, invalid_argument
from talosmq.fetcher import Fetcher
from talosmq.heartbeats import Heartbeats
from talosmq.membership import Membership, lease_ended
from talosmq.offsets import check_position, find_offsets
from talosmq.record import END, NOTHING_COMMITTED, START, OffsetToCommit, TopicPartition
from talosmq.v1 import consumer_pb2

ASSIGNORS = ("sticky", "range", "round_robin", "lag_aware")
_QUESTION_S = 2.0
_LEAVE_S = 5.0
# The partition is another member's already, or something was committed meanwhile; that will be heard.
_BEGIN_LATER = {
    Reason.DEADLINE_EXCEEDED, Reason.MAYBE_STORED, Reason.CONFLICT, Reason.NOT_OWNER, Reason.ILLEGAL_GENERATION,
    Reason.UNKNOWN_MEMBER,
}
_log = logging.getLogger("talosmq")


class GroupConsumer:
    """A member of a consumer group: the coordinator gives it partitions of the topics it subscribes to, each
    to one member at a time.

    1. A thread of its own renews the lease; the application may take its time between polls, up to
       poll_interval_max_s. A member that is not polled for longer leaves the group, so that one that hangs
       does not keep its partitions for ever; its next poll() calls on_lost and joins again.
    2. When a partition is to go to another member, the next poll() calls on_revoked, commits what earlier
       polls returned (with auto_commit_s), and lets go; until then nobody else gets it.
    3. When the lease ended unrenewed (this process, the system or the coordinator stood still), poll() returns
       nothing more of its partitions and calls on_lost; they may be somebody else's. It then joins again.
    4. Every record is returned at least once to some member; twice only what was not committed. So that this
       holds from the first record on, a start but at START is committed before anything is returned.

    group: its name. instance_id: makes it a static member, which keeps its partitions over a close() and a
    start within its lease. lease_s: 1 to 600. poll_interval_max_s: at least 1; None: no limit.

    Where it begins with a partition is the first of these that says something. reset: a position (see
    Consumer), whatever is committed; for each partition the first time that this member gets it, also from
    another member, so it is for members that begin together (Admin.reset_offsets moves a whole group once).
    given: {TopicPartition: offset}, the first time only. What the group has committed. start: a position, or
    "fail".

    out_of_range, fetch_bytes: as in Consumer. auto_commit_s: how often poll() commits what earlier polls
    returned; None: only commit() does. on_assigned, on_revoked, on_lost: called inside of poll() or close()
    with a list of TopicPartitions; they may commit and seek.

    Thread-compatible: one thread at a time. Lives inside its Client. close() it, or use it in a with
    statement: else its partitions wait until the lease ends.
    """

    def __init__(self, client, group, *, instance_id="", client_id="talosmq-python", assignor="sticky", lease_s=10.0,
                 poll_interval_max_s=300.0, reset=None, given=None, start=START, out_of_range="fail",
                 fetch_bytes=1 << 20, auto_commit_s=5.0, on_assigned=None, on_revoked=None, on_lost=None):
        check_fetch_options(fetch_bytes, out_of_range)
        if assignor not in ASSIGNORS:
            raise invalid_argument(f"assignor: expected one of {', '.join(ASSIGNORS)}, found {assignor!r}")
        if start != "fail":
            check_position("start", start)
        if reset is not None:
            check_position("reset", reset)
        if not 1 <= lease_s <= 600:
            raise invalid_argument(f"lease_s: expected 1 to 600, found {lease_s}")
        if poll_interval_max_s is not None and poll_interval_max_s < 1:
            raise invalid_argument(f"poll_interval_max_s: expected at least 1, or None, found {poll_interval_max_s}")
        self._client = client
        self._group = group
        self._instance_id = instance_id
        self._client_id = client_id
        self._assignor = assignor
        self._lease_s = lease_s
        self._reset = reset
        self._given = dict(given or {})
        self._start = start
        self._begun = set()  # keys that it has had
        self._auto_commit_s = auto_commit_s
        self._next_auto_commit = time.monotonic() + (auto_commit_s or 0)
        self._on_assigned = on_assigned or (lambda partitions: None)
        self._on_revoked = on_revoked or (lambda partitions: None)
        self._on_lost = on_lost or (lambda partitions: None)
        self._fetcher = Fetcher(client, fetch_bytes, out_of_range)
        self._returned = {}  # by key: the OffsetToCommit behind what poll() has returned
        self._committed = {}  # by key: the last of these offsets that was committed, and waited for
        self._commits = CommitQueue(client, group)
        self._next_begin = 0.0
        self._begin_failures = 0
        self._is_closed = False
        self._lock = threading.RLock()
        poll_interval_max_s = float("inf") if poll_interval_max_s is None else poll_interval_max_s
        self._wait_max_s = poll_interval_max_s / 2  # in one step of a poll
        self._membership = Membership(lease_s, lambda: uuid.uuid4().hex, poll_interval_max_s)
        self._subscription = None
        self._heartbeats = None

    def __enter__(self):
        return self

    def __exit__(self, error_type, *_):
        if error_type is None:
            self.close()
        else:  # in the middle of records that are not processed
            self._end(self._abandon)

    @property
    def member_id(self):
        """Another one after each time that the coordinator forgot this member."""
        return self._membership.member_id

    def subscribe(self, topics=(), patterns=()):
        """Joins the group, or changes what is subscribed to. patterns: RE2 expressions that a whole topic name
        must match."""
        self._check_open()
        subscription = consumer_pb2.GroupSubscription(
            topics=topics, patterns=patterns,
            assignor=consumer_pb2.Assignor.Value(f"ASSIGNOR_{self._assignor.upper()}"))
        with self._lock:
            self._subscription = subscription
            self._membership.note_poll(lease_clock.now())
            if self._heartbeats is None:
                self._heartbeats = Heartbeats(self._client, self._group, self._membership, self._lock,
                                              self._heartbeat_request, self._leave_unpolled, self._fetcher.wake)
            else:
                self._membership.tell_subscription()
                self._heartbeats.notify()

    def poll(self, timeout_s):
        """A list of ConsumedRecords; empty when none came in time. Errors of one partition are raised as
        Consumer.poll raises them. An error of the group (MEMBER_FENCED: another process has taken the
        instance id; INSTANCE_IN_USE: another one has had it for two leases;
        GROUP_KIND_MISMATCH, ...) is raised by every poll: the member is out of the group for good."""
        self._check_open()
        deadline = time.monotonic() + timeout_s
        while True:
            self._note_poll()
            self._take_in_changes()
            if self._auto_commit_s is not None and time.monotonic() >= self._next_auto_commit:
                self._next_auto_commit = time.monotonic() + self._auto_commit_s
                self._auto_commit(list(self._returned))
            now = time.monotonic()
            due = min(deadline, self._next_begin) if self._next_begin > now else deadline
            records = self._mine(self._fetcher.poll(min(max(0.0, due - now), self._wait_max_s)))
            if records or time.monotonic() >= deadline:
                return records

    def commit(self, offsets=None):
        """Commits what poll() has returned so far, or {TopicPartition: offset or OffsetToCommit}, each offset
        the next one to read; after all that commit_async() was given. NOT_OWNER: the partition, or the lease,
        is gone; its records will be read again by who has it. CONFLICT: not what was expected; MAYBE_STORED:
        an expected offset was given, and the answer was lost. An error is the first; others may be committed."""
        self._commit(self._chosen(offsets))

    def commit_async(self, offsets=None):
        """The same in the background: returns a concurrent.futures.Future of None. Its callbacks run on a thread
        of the consumer's own, and must neither block nor call the consumer. NOT_OWNER, INVALID_ARGUMENT and
        OVERLOADED, when 1,000 commits wait, are raised at once. What is let go of, or left by close(), waits for
        these commits."""
        return self._submit(self._chosen(offsets))

    def committed(self):
        """{TopicPartition: CommittedOffset} of the assigned ones that have one."""
        keys = list(self._fetcher.partitions)
        found = group_offsets.fetch_committed(self._client, self._group, keys) if keys else {}
        return {self._name(key): committed for key, committed in found.items()}

    def assignment(self):
        """The TopicPartitions that poll() reads."""
        return [self._name(key) for key in self._fetcher.partitions]

    def positions(self):
        """PartitionPosition of every assigned TopicPartition."""
        return {self._name(key): PartitionPosition(state.position, state.high_watermark)
                for key, state in self._fetcher.partitions.items()}

    def seek(self, partition, position):
        """Moves one assigned TopicPartition; see Consumer for positions."""
        key = self._key(partition)
        (offset,) = find_offsets(self._client, [(*key, position)])
        self._fetcher.seek(key, offset)
        self._returned[key] = OffsetToCommit(offset)

    def pause(self, partition):
        """poll() returns nothing of it until resume(), or until it was revoked."""
        self._fetcher.pause(self._key(partition))

    def resume(self, partition):
        self._fetcher.resume(self._key(partition))

    def close(self):
        """Calls on_revoked, commits what poll() has returned (with auto_commit_s), and leaves the group; a
        static member keeps its partitions for its lease. May be repeated. The end of a with statement does
        the same; but one that ends by an exception commits nothing and calls on_lost instead."""
        self._end(self._finish)

    def _end(self, finish):
        """Leaves the group once `finish` has run for the keys that are still owned. They stay so until then,
        so that a static member keeps them."""
        if self._is_closed:
            return
        self._is_closed = True
        try:
            self._drop_lost(self._changes().lost)
            finish(list(self._fetcher.partitions))
        finally:
            self._commits.close()
            if self._heartbeats is not None:
                self._heartbeats.stop()
            self._fetcher.close()
            if self._heartbeats is not None and self._membership.failure is None:
                with contextlib.suppress(TalosError):  # else the lease ends it
                    group_offsets.leave(self._client, self._group, self.member_id, bool(self._instance_id), _LEAVE_S)

    def _check_open(self):
        if self._is_closed:
            raise TalosError(Reason.CLOSED, f"the consumer of group {self._group} is closed")

    def _heartbeat_request(self, call):
        return consumer_pb2.HeartbeatRequest(
            group=self._group, member_id=call.member_id, sequence=call.sequence, generation=call.generation,
            instance_id=self._instance_id, client_id=self._client_id,
            subscription=self._subscription if call.tells_subscription else None,
            owned=[consumer_pb2.GroupPartition(topic_id=t, partition=p) for t, p in call.owned],
            lease_ms=int(self._lease_s * 1000), wait_ms=int(self._membership.wait_s * 1000))

    def _note_poll(self):
        with self._lock:
            if self._membership.note_poll(lease_clock.now()):
                self._heartbeats.notify()

    def _leave_unpolled(self, member_id):
        _log.warning("group %s: left it, poll() was not called in time", self._group)
        return group_offsets.begin_to_leave(self._client, self._group, member_id, bool(self._instance_id), _LEAVE_S)

    # What the coordinator has changed.

    def _take_in_changes(self):
        self._drop_lost(self._changes().lost)
        if self._membership.failure is not None:
            raise self._membership.failure.about(f"group {self._group}")
        self._let_go(list(self._changes().revoked))
        added = self._changes().added
        if added and time.monotonic() >= self._next_begin:
            self._begin(added)

    def _changes(self):
        with self._lock:
            self._membership.expire(lease_clock.now())
            return self._membership.changes()

    def _drop_lost(self, lost):
        if lost:
            names = self._forget(lost)
            self._on_lost(names)

    def _let_go(self, keys):
        try:
            self._finish(keys)
        finally:
            if keys:
                self._commits.drain()
            self._forget(keys)

    def _finish(self, keys):
        if keys:
            self._on_revoked([self._name(key) for key in keys])
        if self._auto_commit_s is not None:
            self._auto_commit(keys)

    def _abandon(self, keys):
        if keys:
            self._on_lost([self._name(key) for key in keys])

    def _forget(self, keys):
        if not keys:
            return []
        names = [self._name(key) for key in keys]
        for key in keys:
            self._fetcher.remove(key)
            self._returned.pop(key, None)
            self._committed.pop(key, None)
        with self._lock:
            self._membership.let_go(keys)
            if self._heartbeats is not None:
                self._heartbeats.notify()
        return names

    def _begin(self, added):
        try:
            images = self._images_of({topic_id for topic_id, _ in added})
            keys = [key for key in added if key[0] in images and key[1] < len(images[key[0]].leaders)]
            found = group_offsets.fetch_committed(self._client, self._group, keys, _QUESTION_S) if keys else {}
            committed = {key: one.offset for key, one in found.items()}
            offsets, committed = self._starts(images, keys, committed)
            self._begin_failures = 0
        except TalosError as error:
            if not error.is_transient and error.reason not in _BEGIN_LATER:
                raise
            self._next_begin = time.monotonic() + back_off_s(self._begin_failures, error)
            self._begin_failures += 1
            return
        self._next_begin = 0.0 if len(keys) == len(added) else time.monotonic() + _QUESTION_S
        begun = [key for key in keys if self._take(key, added[key])]
        for key in begun:
            self._fetcher.add(images[key[0]], key[1], offsets[key])
            self._returned[key] = OffsetToCommit(offsets[key])
            self._committed[key] = committed.get(key)
            self._begun.add(key)
        if begun:
            self._on_assigned([self._name(key) for key in begun])

    def _take(self, key, ticket):
        with self._lock:
            return self._membership.take(key, ticket)

    def _images_of(self, topic_ids):
        """By id; without those that were deleted, which the coordinator will hear of, too."""
        images = {}
        for topic_id in topic_ids:
            try:
                images[topic_id] = self._client.refresh_topic(topic_id, _QUESTION_S)
            except TalosError as error:
                if error.reason != Reason.UNKNOWN_TOPIC_ID:
                    raise
        return images

    def _starts(self, images, keys, committed):
        """Where to begin with each, and what is committed then. The first of the reset, what is given, what is
        committed, and the start. All but a start at START is committed before anything is read: who gets the
        partition when this member dies before its first commit would begin elsewhere, and skip what lies in
        between."""
        positions = {key: self._position_of(key, images[key[0]].name, committed) for key in keys}
        found = find_offsets(self._client, [(*key, position) for key, position in positions.items()], _QUESTION_S)
        offsets = dict(zip(positions, found))
        unsaid = {key: offset for key, offset in offsets.items()
                  if offset != committed.get(key) and (positions[key] is not START or key in committed)}
        self._commit_starts({key: OffsetToCommit(offset, expected=committed.get(key, NOTHING_COMMITTED))
                             for key, offset in unsaid.items()})
        return offsets, committed | unsaid

    def _position_of(self, key, topic, committed):
        if key not in self._begun and self._reset is not None:
            return self._reset
        place = TopicPartition(topic, key[1])
        if key not in self._begun and place in self._given:
            return self._given[place]
        if key in committed:
            return committed[key]
        if self._start == "fail":
            raise TalosError(Reason.OFFSET_OUT_OF_RANGE, f"group {self._group} topic {topic} partition {key[1]}: "
                             "expected a committed offset, found none")
        return self._start

    def _commit_starts(self, offsets):
        if offsets:
            with self._lock:
                member_id, generation = self._membership.member_id, self._membership.generation
            group_offsets.commit(self._client, self._group, member_id, generation, offsets, _QUESTION_S)

    # What was returned and committed.

    def _mine(self, records):
        """Those of partitions that this member may work on; notes that they are being returned. The others
        go back, as they are due again when a revocation is taken back before it was heard here."""
        now = lease_clock.now()
        with self._lock:
            mine = {key for key in self._fetcher.partitions if self._membership.may_work(key, now)}
        for key, state in list(self._fetcher.partitions.items()):
            if key in mine:
                self._returned[key] = OffsetToCommit(state.position, leader_epoch=state.last_epoch)
            elif state.position != self._returned[key].offset:
                self._fetcher.seek(key, self._returned[key].offset)
        names = {self._name(key) for key in mine}
        return [record for record in records if record.topic_partition in names]

    def _auto_commit(self, keys):
        try:
            self._commit({key: self._returned[key] for key in keys
                          if self._committed.get(key) != self._returned[key].offset})
        except TalosError as error:
            _log.warning("group %s: not committed, will be read again: %s", self._group, error)

    def _chosen(self, offsets):
        if offsets is None:
            return {key: position for key, position in self._returned.items()
                    if self._committed.get(key) != position.offset}
        return {self._key(partition): to if isinstance(to, OffsetToCommit) else OffsetToCommit(to)
                for partition, to in offsets.items()}

    def _commit(self, offsets):
        if offsets:
            self._submit(offsets).result()
            for key, position in offsets.items():
                self._committed[key] = position.offset

    def _submit(self, offsets):
        now = lease_clock.now()
        with self._lock:
            member_id, generation = self._membership.member_id, self._membership.generation
            lease_left_s = self._membership.lease_left_s(now)
            if not all(self._membership.owns(key, now) for key in offsets):
                raise lease_ended(self._group)
        return self._commits.submit(member_id, generation, offsets, min(lease_left_s, self._client.request_timeout_s))

    def _name(self, key):
        state = self._fetcher.partitions[key]
        return TopicPartition(state.image.name, state.partition)

    def _key(self, partition):
        for key in self._fetcher.partitions:
            if self._name(key) == partition:
                return key
        raise invalid_argument(f"topic {partition.topic} partition {partition.partition}: expected to be assigned, "
                               "found that it is not")
