"""Sends records to one topic."""

import collections
import concurrent.futures
import random
import threading
import time

from talosmq import codecs
from talosmq.client import back_off_s
from talosmq.errors import Reason, TalosError, invalid_argument
from talosmq.partitioner import partition_of_key
from talosmq.produce_stream import ProduceStream
from talosmq.record import Delivery
from talosmq.record_batch import HEADER_BYTES, BatchBuilder, check_record
from talosmq.send_window import RefusalKind, SendWindow, Settled, kind_of
from talosmq.v1 import message_pb2

BATCH_BYTES_MAX = 20 << 20
_RECORD_OVERHEAD_BYTES = 32  # lengths, deltas and attributes of a record at most
_HEADER_OVERHEAD_BYTES = 10
_QUESTION_S = 2.0  # the sender asks servers no longer at a time

_ASKS_FOR_METADATA = {
    Reason.NOT_LEADER, Reason.FENCED_EPOCH, Reason.UNKNOWN_EPOCH, Reason.UNKNOWN_TOPIC_ID, Reason.TOPIC_DELETING,
    Reason.UNAVAILABLE, Reason.SHUTTING_DOWN,
}


class Producer:
    """Sends records to the topic that has the name when it is made. Idempotent, acknowledged when durable
    on every in-sync replica (acks=all).

    1. Every record that send() accepted gets exactly one outcome, at the latest about
       delivery_timeout_s after it: a Delivery, or a TalosError. MAYBE_STORED: it left and was not
       answered; after any other reason it is not stored.
    2. A retry neither duplicates nor reorders; records of one partition keep the order of their sends.
    3. Keyed records go to the partition that Kafka's Java client would choose; records without key stay
       with one partition for a batch.
    4. All that is accepted and not yet delivered is within buffer_bytes.
    5. Should the topic be deleted, everything fails with UNKNOWN_TOPIC_ID, for good.

    compression: none, gzip, snappy, lz4, zstd. linger_s: how long a batch waits for company while the
    window of five batches has room, 0 to 60. batch_bytes: a batch is sent when it holds this much, 1 KiB
    to 20 MiB. buffer_bytes: at least batch_bytes. partitioner(key, partition_count): the partition of a
    record that is sent without one; None: as without a partitioner.

    Thread-safe. Lives inside its Client. close() it, or use it in a with statement: what is not delivered
    when the process ends may be lost.
    """

    def __init__(self, client, topic, *, compression="none", linger_s=0.0, batch_bytes=1 << 20,
                 buffer_bytes=256 << 20, delivery_timeout_s=120.0, partitioner=None):
        _check_range("linger_s", linger_s, 0, 60)
        _check_range("batch_bytes", batch_bytes, 1 << 10, BATCH_BYTES_MAX)
        _check_range("buffer_bytes", buffer_bytes, batch_bytes, 64 << 30)
        _check_range("delivery_timeout_s", delivery_timeout_s, 0.1, 3600)
        self._client = client
        self._codec = codecs.parse_codec(compression)
        self._linger_s = linger_s
        self._batch_bytes = batch_bytes
        self._buffer_bytes = buffer_bytes
        self._delivery_timeout_s = delivery_timeout_s
        self._partitioner = partitioner
        self._image = client.find_topic(topic)
        self._identity = self._new_identity(None)

        self.lock = threading.Lock()
        self._work = threading.Condition(self.lock)  # for the sender
        self._progress = threading.Condition(self.lock)  # for who waits for room, or for deliveries
        self._lanes = {}  # by partition; made at the first record
        self._active = {}  # those of them with something to send or to hear
        self._streams = {}  # by address
        self._live = set()  # batches without outcome
        self._buffered_bytes = 0
        self._sticky = 0
        self._first_error = None  # since the last flush
        self._failed = None  # the topic is gone
        self._is_closed = False
        self._is_stopping = False
        self._thread_state = threading.local()
        self._sender = threading.Thread(target=self._run, name="talosmq-producer", daemon=True)
        self._sender.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    @property
    def partition_count(self):
        return len(self._image.leaders)

    def send(self, value, key=None, headers=(), *, partition=None, timestamp_ms=None, wait_s=None):
        """Accepts a record and returns the concurrent.futures.Future of its Delivery.

        value, key: bytes or None; headers: (str, bytes or None) each. timestamp_ms: since 1970, now when
        there is none. Waits only while the buffer is full, wait_s at most (None: as long as it takes;
        never in a callback of a future): then OVERLOADED. INVALID_ARGUMENT: not a record, or too large;
        UNKNOWN_PARTITION; CLOSED. An error means: not accepted.
        """
        timestamp_ms = int(time.time() * 1000) if timestamp_ms is None else timestamp_ms
        headers = tuple(headers)
        check_record(key, value, headers, timestamp_ms)
        size = _encoded_bytes_max(key, value, headers)
        self._check_size(size)
        partition = self._partition_of(key, partition)
        future = concurrent.futures.Future()
        future.set_running_or_notify_cancel()  # what was accepted cannot be taken back
        with self.lock:
            self._wait_for_room(size, wait_s)
            chosen = self._sticky % self.partition_count if partition is None else partition
            self._append(self._lane(chosen), size, future, key, value, headers, timestamp_ms)
        return future

    def flush(self):
        """Sends what waits and returns when everything accepted before has its outcome. Raises the first
        delivery error since the last flush, if there was one. Not for callbacks of futures."""
        with self.lock:
            awaited = set(self._live)
            for batch in awaited:
                batch.is_due = True
            self._work.notify()
            self._progress.wait_for(lambda: awaited.isdisjoint(self._live))
            error, self._first_error = self._first_error, None
        if error is not None:
            raise error

    def close(self):
        """flush(), then refuse. May be repeated."""
        with self.lock:
            self._is_closed = True
            self._progress.notify_all()
        try:
            self.flush()
        finally:
            with self.lock:
                self._is_stopping = True
                self._work.notify()
            self._sender.join()
            for stream in list(self._streams.values()):
                stream.close()
                stream.join()

    # What a stream asks and tells.

    def leaving(self, lane, attempt):
        return lane.window.note_leaving(attempt)

    def on_answer(self, lane, attempt, error, base_offset):
        with self.lock:
            settled = lane.window.settle(attempt, error, base_offset)
            lane.note_outcome(error)
            self._work.notify()
        self._deliver(lane, settled)

    def on_closed(self, stream, error):
        error = TalosError(Reason.UNAVAILABLE, error.message)
        settled = []
        with self.lock:
            if self._streams.get(stream.address) is stream:
                del self._streams[stream.address]
            for lane, attempt in stream.take_out():
                settled.append((lane, lane.window.settle_unanswered(attempt, error)))
                lane.note_outcome(error)
            self._work.notify()
        for lane, batches in settled:
            self._deliver(lane, batches)

    # Accepting.

    def _check_size(self, size):
        size_max = min(BATCH_BYTES_MAX, self._buffer_bytes) - HEADER_BYTES
        if size > size_max:
            raise invalid_argument(f"record: expected at most {size_max} bytes once encoded, found {size}")

    def _partition_of(self, key, partition):
        count = self.partition_count
        if partition is None and self._partitioner is not None:
            partition = self._partitioner(key, count)
        if partition is None and key is not None:
            partition = partition_of_key(key, count)
        if partition is not None and not 0 <= partition < count:
            raise TalosError(Reason.UNKNOWN_PARTITION,
                             f"topic {self._image.name}: expected partition 0 to {count - 1}, found {partition}")
        return partition

    def _wait_for_room(self, size, wait_s):
        def may_go_on():
            return self._is_closed or self._failed or self._buffered_bytes + size <= self._buffer_bytes

        if not may_go_on():
            is_in_callback = getattr(self._thread_state, "is_delivering", False)
            if not self._progress.wait_for(may_go_on, 0 if is_in_callback else wait_s):
                raise TalosError(Reason.OVERLOADED, f"buffer: expected room for {size} bytes, found "
                                 f"{self._buffered_bytes} of {self._buffer_bytes} bytes taken")
        if self._failed:
            raise self._failed
        if self._is_closed:
            raise TalosError(Reason.CLOSED, f"the producer of topic {self._image.name} is closed")

    def _lane(self, partition):
        if partition not in self._lanes:
            self._lanes[partition] = _Lane(self._image.id, partition, self._identity)
        return self._lanes[partition]

    def _append(self, lane, size, future, key, value, headers, timestamp_ms):
        if lane.waiting and lane.waiting[-1].encoded_bytes + size > self._batch_bytes:
            lane.waiting[-1].is_due = True
        if not lane.waiting or lane.waiting[-1].is_due:
            lane.waiting.append(_Batch(self._codec, time.monotonic()))
            self._live.add(lane.waiting[-1])
            self._active[lane.partition] = lane
            self._work.notify()
        lane.waiting[-1].append(size, future, key, value, headers, timestamp_ms)
        self._buffered_bytes += size
        if lane.waiting[-1].encoded_bytes >= self._batch_bytes:
            lane.waiting[-1].is_due = True
            self._work.notify()

    # Sending: the sender's thread.

    def _run(self):
        next_refresh = time.monotonic() + self._client.metadata_age_max_s
        while True:
            settled = []
            with self.lock:
                if self._is_stopping:
                    return
                now = time.monotonic()
                due = min(self._pump(now, settled), next_refresh)
                asking = [lane for lane in self._active.values() if lane.asks(now)]
                if not settled and not asking and due > now:
                    self._work.wait(min(due - now, self._client.metadata_age_max_s))
            for lane, batches in settled:
                self._deliver(lane, batches)
            if asking or time.monotonic() >= next_refresh:
                next_refresh = time.monotonic() + self._client.metadata_age_max_s
                self._ask(asking)

    def _pump(self, now, settled):
        """Sends what may be sent; returns when there is something to do without being told."""
        due = float("inf")
        for lane in list(self._active.values()):
            settled.append((lane, self._failed_batches(lane) if self._failed else self._expired(lane, now)))
            lane.waiting.extendleft(reversed(lane.window.hand_back()))
            if now >= lane.wait_until and not lane.asks(now):
                self._send_what_fits(lane, now)
            if lane.is_idle:
                del self._active[lane.partition]
            else:
                due = min(due, lane.next_due(now, self._linger_s, self._delivery_timeout_s))
        settled[:] = [(lane, batches) for lane, batches in settled if batches]
        return due

    def _failed_batches(self, lane):
        return lane.window.fail_all(self._failed) + lane.drop_waiting(self._failed)

    def _expired(self, lane, now):
        cutoff = now - self._delivery_timeout_s
        late = TalosError(Reason.DEADLINE_EXCEEDED, "not sent within the delivery timeout")
        return lane.window.expire(cutoff) + lane.drop_waiting(late, cutoff)

    def _send_what_fits(self, lane, now):
        leader = self._image.leaders[lane.partition]
        if not leader.address:
            lane.note_outcome(TalosError(Reason.UNAVAILABLE, "nobody is known to lead"))
            return
        try:
            stream = self._stream_to(leader.address)
        except TalosError as error:
            lane.note_outcome(TalosError(Reason.UNAVAILABLE, error.message))
            return
        lane.leader_epoch = leader.epoch
        while True:
            while (attempt := lane.window.next_attempt()) is not None:
                stream.send(lane, *attempt)
            if not lane.window.has_room or not lane.waiting or not lane.waiting[0].may_leave(now, self._linger_s):
                return
            batch = lane.waiting.popleft()
            batch.is_due = True
            lane.window.admit(batch)
            if lane.partition == self._sticky:
                self._sticky = random.randrange(self.partition_count)

    def _stream_to(self, address):
        if address not in self._streams:
            self._streams[address] = ProduceStream(self, address, self._client.services(address),
                                                   self._delivery_timeout_s)
        return self._streams[address]

    def _ask(self, lanes):
        """Asks servers what the lanes need to know: who leads, and new identities."""
        error = None
        image = None
        try:
            image = self._client.refresh_topic(self._image.id, _QUESTION_S)
        except TalosError as refused:
            error = refused
        for lane in lanes:
            if error is None and lane.window.needs_identity:
                try:
                    identity = self._new_identity(_QUESTION_S)
                    with self.lock:
                        lane.window.begin_identity(*identity)
                except TalosError as refused:
                    error = refused
        with self.lock:
            if image is not None and len(image.leaders) >= self.partition_count:  # fewer: an older answer
                self._image = image
            if error is not None and error.reason in (Reason.UNKNOWN_TOPIC_ID, Reason.CLOSED):
                self._failed = error
                self._progress.notify_all()
            for lane in lanes:
                lane.note_asked(error)

    def _new_identity(self, timeout_s):
        answer = self._client.ask(
            lambda services, call_timeout_s: services.messages.InitProducer(message_pb2.InitProducerRequest(),
                                                                            timeout=call_timeout_s), timeout_s)
        return answer.producer_id, answer.producer_epoch

    def _deliver(self, lane, settled):
        if not settled:
            return
        self._thread_state.is_delivering = True
        for end in settled:
            end.batch.deliver(self._image.name, lane.partition, end.error, end.base_offset)
        self._thread_state.is_delivering = False
        with self.lock:
            for end in settled:
                self._live.discard(end.batch)
                self._buffered_bytes -= end.batch.taken_bytes
                self._first_error = self._first_error or end.error
            self._progress.notify_all()


class _Batch:
    """Records of one partition that travel together, and the futures of their deliveries."""

    def __init__(self, codec, opened):
        self.opened = opened
        self.sequence = None  # (producer id, epoch, sequence), once it was admitted to a window
        self.is_due = False  # takes no more records
        self.taken_bytes = 0  # of the buffer
        self._builder = BatchBuilder(codec)
        self._is_sealed = False
        self._futures = []

    @property
    def count(self):
        return self._builder.count

    @property
    def encoded_bytes(self):
        return self._builder.encoded_bytes

    def append(self, size, future, *record):
        self._builder.append(*record)
        self._futures.append(future)
        self.taken_bytes += size

    def may_leave(self, now, linger_s):
        return self.is_due or now >= self.opened + linger_s

    def to_bytes(self):
        if not self._is_sealed:
            self._builder.seal()
            self._is_sealed = True
        return self._builder.stamp(*self.sequence)

    def deliver(self, topic, partition, error, base_offset):
        for number, future in enumerate(self._futures):
            if error is None:
                future.set_result(Delivery(topic, partition, base_offset + number))
            else:
                future.set_exception(error)


class _Lane:
    """What is on its way to one partition: batches that wait, then those in the window."""

    def __init__(self, topic_id, partition, identity):
        self.topic_id = topic_id
        self.partition = partition
        self.leader_epoch = -1
        self.waiting = collections.deque()
        self.window = SendWindow()
        self.window.begin_identity(*identity)
        self.wait_until = 0.0
        self._failures = 0
        self._needs_metadata = False

    @property
    def is_idle(self):
        return not self.waiting and self.window.oldest_opened == float("inf")

    def asks(self, now):
        """Whether servers must be asked something before the next attempt."""
        return now >= self.wait_until and (self._needs_metadata or self.window.needs_identity)

    def note_outcome(self, error):
        if error is None:
            self._failures = 0
        elif kind_of(error) != RefusalKind.FINAL:
            self._needs_metadata = self._needs_metadata or error.reason in _ASKS_FOR_METADATA
            self._wait_after(error)

    def note_asked(self, error):
        self._needs_metadata = error is not None
        if error is not None:
            self._wait_after(error)

    def drop_waiting(self, error, cutoff=float("inf")):
        """The batches that were opened at or before `cutoff`, settled with the error."""
        dropped = []
        while self.waiting and self.waiting[0].opened <= cutoff:
            dropped.append(Settled(self.waiting.popleft(), error))
        return dropped

    def next_due(self, now, linger_s, delivery_timeout_s):
        due = self.window.oldest_opened + delivery_timeout_s
        if self.waiting:
            due = min(due, self.waiting[0].opened + delivery_timeout_s)
            lingers_until = self.waiting[0].opened + linger_s
            # Later it waits for the window, not for time.
            due = min(due, lingers_until) if lingers_until > now else due
        return min(due, self.wait_until) if self.wait_until > now else due

    def _wait_after(self, error):
        now = time.monotonic()
        if now >= self.wait_until:
            self.wait_until = now + back_off_s(self._failures, error)
            self._failures += 1


def _encoded_bytes_max(key, value, headers):
    size = _RECORD_OVERHEAD_BYTES + len(key or b"") + len(value or b"")
    for name, content in headers:
        size += _HEADER_OVERHEAD_BYTES + 4 * len(name) + len(content or b"")
    return size


def _check_range(name, value, least, most):
    if not least <= value <= most:
        raise invalid_argument(f"{name}: expected {least} to {most}, found {value}")
