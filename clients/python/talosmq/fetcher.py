"""Reads partitions of any topics, each from a position; what Consumer and GroupConsumer stand on."""

import queue
import time

import grpc

from talosmq.client import back_off_s
from talosmq.errors import Reason, TalosError, error_of_call, error_of_message
from talosmq.offsets import find_offsets
from talosmq.record import ConsumedRecord, Place
from talosmq.record_batch import read_batches
from talosmq.v1 import message_pb2

_WAIT_MS = 5_000  # of one long poll
_CALL_SLACK_S = 10.0  # a server that says nothing for longer than the wait and this is given up
_QUESTION_S = 2.0

_GONE = {Reason.UNKNOWN_TOPIC_ID, Reason.TOPIC_DELETING}


class FetchedPartition:
    """One partition that is read."""

    def __init__(self, image, partition, position):
        self.image = image  # as last heard
        self.partition = partition
        self.position = position  # of the next record that poll() returns
        self.high_watermark = 0  # as last heard
        self.last_epoch = -1  # leader epoch of the last record that was returned
        self.is_paused = False
        self.has_stopped = False  # told an error, waits for a seek
        self.subscription = 0  # of the call that is out; 0: none
        self.wait_until = 0.0
        self.failures = 0
        self.needs_metadata = False

    @property
    def name(self):
        return f"topic {self.image.name} partition {self.partition} at offset {self.position}"


class Fetcher:
    """Keeps one long poll out to each server that leads some of its partitions, and so one answer ahead.

    1. Records of a partition come in the order of their offsets, each once, from its position on; across
       lost connections and new leaders, too.
    2. An answer is taken only for a partition whose subscription is still the one that asked.
    3. What is fetched ahead is at most one answer of about bytes_max a server.

    out_of_range: "fail", or the Place where to go on when a position lies outside of the log.
    Thread-compatible: one thread calls; wake() may be called by any.
    """

    def __init__(self, client, bytes_max, out_of_range):
        self.partitions = {}  # by (topic id, partition), the one that waited longest first
        self._client = client
        self._bytes_max = bytes_max
        self._out_of_range = out_of_range
        self._calls = {}  # by address: what is out
        self._ended = queue.SimpleQueue()  # (address, call) each, or None by wake()
        self._last_subscription = 0
        self._errors = []

    def add(self, image, partition, position):
        self.partitions[(image.id, partition)] = FetchedPartition(image, partition, position)
        self._cancel(image.leaders[partition].address)

    def remove(self, key):
        state = self.partitions.pop(key)
        self._errors = [(of, error) for of, error in self._errors if of is not state]

    def seek(self, key, position):
        old = self.partitions[key]
        self.remove(key)
        self.add(old.image, old.partition, position)
        self.partitions[key].is_paused = old.is_paused

    def pause(self, key):
        self.partitions[key].is_paused = True
        self.partitions[key].subscription = 0

    def resume(self, key):
        state = self.partitions[key]
        state.is_paused = False
        self._cancel(state.image.leaders[state.partition].address)

    def wake(self):
        """Makes a poll() that waits return with what it has."""
        self._ended.put(None)

    def close(self):
        for call in self._calls.values():
            call.cancel()

    def poll(self, timeout_s):
        """Records of any partitions, or none when none came in time. An error of one partition is raised
        once, after the records before it; the partition then waits for a seek, the others go on."""
        deadline = time.monotonic() + timeout_s
        while True:
            self._start_calls(deadline)
            self._raise_error()
            now = time.monotonic()
            due = min([deadline] + [s.wait_until for s in self.partitions.values() if s.wait_until > now])
            try:
                ended = self._ended.get(timeout=max(0.0, due - now))
            except queue.Empty:
                if due >= deadline:
                    return []
                continue
            if ended is None:
                return []
            records = self._take(*ended)
            if records:
                self._start_calls(deadline)
                return records

    def _raise_error(self):
        if self._errors:
            state, error = self._errors.pop(0)
            raise error.about(state.name)

    def _cancel(self, address):
        """So that the next call has all partitions of this server."""
        call = self._calls.pop(address, None)
        if call is not None:
            call.cancel()

    def _start_calls(self, deadline):
        now = time.monotonic()
        wanted = {}
        for key, state in self.partitions.items():
            if state.is_paused or state.has_stopped or state.wait_until > now:
                continue
            if state.needs_metadata and not self._refresh(state, deadline):
                continue
            address = state.image.leaders[state.partition].address
            if not address:
                self._retry_later(state, TalosError(Reason.UNAVAILABLE, "nobody is known to lead"))
            else:
                wanted.setdefault(address, []).append(key)
        for address, keys in wanted.items():
            call = self._calls.get(address)
            if call is not None and all(self.partitions[key].subscription for key in keys):
                continue
            self._cancel(address)
            self._start_call(address, keys)

    def _start_call(self, address, keys):
        subscriptions = []
        for key in keys:
            state = self.partitions[key]
            self._last_subscription += 1
            state.subscription = self._last_subscription
            subscriptions.append(message_pb2.Subscription(
                subscription_id=state.subscription, topic_id=state.image.id, partition=state.partition,
                offset=state.position,
                known_leader_epoch_plus_one=state.image.leaders[state.partition].epoch + 1))
        request = message_pb2.FetchOnceRequest(partitions=subscriptions, bytes_max=self._bytes_max, wait_ms=_WAIT_MS)
        call = self._client.services(address).messages.FetchOnce.future(
            request, timeout=_WAIT_MS / 1000 + _CALL_SLACK_S)
        self._calls[address] = call
        call.add_done_callback(lambda done: self._ended.put((address, done)))

    def _take(self, address, call):
        is_current = self._calls.get(address) is call
        if is_current:
            del self._calls[address]
        try:
            answers = call.result().partitions
        except grpc.FutureCancelledError:
            return []  # by _cancel
        except grpc.RpcError as call_error:
            if is_current:
                self._fail_all(address, error_of_call(call_error))
            return []
        records = []
        asked = {state.subscription: key for key, state in self.partitions.items() if state.subscription}
        for answer in answers:
            key = asked.get(answer.subscription_id)
            if key is not None:
                records += self._take_partition(key, answer)
        return records

    def _fail_all(self, address, error):
        for state in self.partitions.values():
            if state.subscription and state.image.leaders[state.partition].address == address:
                state.subscription = 0
                self._retry_later(state, error)

    def _take_partition(self, key, answer):
        state = self.partitions[key]
        state.subscription = 0
        if answer.HasField("error"):
            self._on_error(state, error_of_message(answer.error))
            return []
        state.failures = 0
        state.high_watermark = answer.high_watermark
        if not answer.records:
            state.position = max(state.position, answer.next_offset)
            return []
        self.partitions[key] = self.partitions.pop(key)  # behind those that waited
        return self._read(state, answer)

    def _read(self, state, answer):
        records = []
        try:
            for batch in read_batches(answer.records):
                records += [ConsumedRecord(state.image.name, state.partition, *record)
                            for record in batch.records if record[0] >= state.position]
                state.last_epoch = batch.leader_epoch
                state.position = max(state.position, batch.next_offset)
            state.position = max(state.position, answer.next_offset)
        except TalosError as error:
            self._stop(state, error)
        return records

    def _on_error(self, state, error):
        if error.is_transient or error.reason in _GONE:
            self._retry_later(state, error)
        elif error.reason == Reason.OFFSET_OUT_OF_RANGE and isinstance(self._out_of_range, Place):
            self._reset(state)
        else:
            self._stop(state, error)

    def _reset(self, state):
        try:
            (state.position,) = find_offsets(
                self._client, [(state.image.id, state.partition, self._out_of_range)], _QUESTION_S)
        except TalosError as error:
            self._retry_later(state, error)  # and finds itself out of range again

    def _stop(self, state, error):
        state.has_stopped = True
        self._errors.append((state, error))

    def _retry_later(self, state, error):
        state.needs_metadata = True
        state.wait_until = time.monotonic() + back_off_s(state.failures, error)
        state.failures += 1

    def _refresh(self, state, deadline):
        """Asks who leads. False: not known now."""
        try:
            timeout_s = min(_QUESTION_S, max(0.1, deadline - time.monotonic()))
            image = self._client.refresh_topic(state.image.id, timeout_s)
        except TalosError as error:
            if error.is_transient or error.reason == Reason.DEADLINE_EXCEEDED:
                self._retry_later(state, error)
            else:
                self._stop(state, error)
            return False
        for other in self.partitions.values():
            if other.image.id == image.id and len(image.leaders) >= len(other.image.leaders):
                other.image = image
                other.needs_metadata = False
        return True
