"""The batches of one partition that are under way."""

import dataclasses
import enum

from talosmq.errors import Reason, TalosError

IN_FLIGHT_MAX = 5  # as many as a broker remembers of each producer
_SEQUENCES = 1 << 31


class RefusalKind(enum.Enum):
    FINAL = enum.auto()  # sending it again cannot help
    SEQUENCE = enum.auto()  # the broker expects another sequence or producer epoch
    RETRY = enum.auto()  # nothing has changed; may be sent again
    UNKNOWN = enum.auto()  # may be stored or not


_KINDS = {
    Reason.OUT_OF_ORDER_SEQUENCE: RefusalKind.SEQUENCE,
    Reason.INVALID_PRODUCER_EPOCH: RefusalKind.SEQUENCE,
    Reason.NOT_LEADER: RefusalKind.RETRY,
    Reason.FENCED_EPOCH: RefusalKind.RETRY,
    Reason.UNKNOWN_EPOCH: RefusalKind.RETRY,
    Reason.TOPIC_DELETING: RefusalKind.RETRY,  # both are final only once the metadata says so too
    Reason.UNKNOWN_TOPIC_ID: RefusalKind.RETRY,
    Reason.OVERLOADED: RefusalKind.RETRY,
    Reason.SHUTTING_DOWN: RefusalKind.RETRY,
    Reason.NOT_ENOUGH_REPLICAS: RefusalKind.RETRY,
    Reason.METADATA_UNAVAILABLE: RefusalKind.RETRY,
    Reason.UNAVAILABLE: RefusalKind.RETRY,  # the stream ended before the batch had left
    Reason.DEADLINE_EXCEEDED: RefusalKind.RETRY,  # the broker did not begin in time
    Reason.STORAGE_FULL: RefusalKind.RETRY,
    Reason.STORAGE_FENCED: RefusalKind.UNKNOWN,  # the write may be found when the log is opened again
    Reason.MAYBE_STORED: RefusalKind.UNKNOWN,
}


def kind_of(error):
    return _KINDS.get(error.reason, RefusalKind.FINAL)


@dataclasses.dataclass
class Settled:
    """The end of a batch's story. error is None: stored, from base_offset on."""

    batch: object
    error: TalosError | None
    base_offset: int = -1


@dataclasses.dataclass(eq=False)
class _Entry:
    batch: object  # None: reported already, its outcome is awaited
    number: int  # of the batches of this window, in order
    attempt: int = 0  # the one that is out; 0: none
    has_left: bool = False  # that attempt was handed to the network
    may_be_stored: bool = False  # an attempt has ended without a certain answer
    last_error: TalosError | None = None


class SendWindow:
    """Which batches may be sent, which must be sent again, and what each came to (G4).

    The broker takes a batch of an identity (producer id and epoch) only when its sequence follows the
    one before, or when it does not know the identity at all; a repeated batch it answers as it did the
    first time, if it is among the last five. Hence:
    1. Batches get their sequences and are first sent in order, none more than four behind the oldest
       that is unsettled, whether those between are settled or not: so the broker remembers that one. The
       first batch of an identity is alone until it is stored.
    2. When one is refused or its outcome is lost, the window rewinds: it waits for the answers that
       are still to come, then sends all that are unsettled again, the same bytes in the same order. A
       sequence error of a later batch is then only the echo of the earlier refusal.
    3. The chain breaks when a batch that is not stored, for all we know, leaves the window. Nothing
       new is sent under that identity. What certainly was not stored is handed back, to go under the
       next one; what may be stored is sent on until it is answered. With the window empty, the next
       identity begins.
    4. A batch that times out while an attempt is out is reported at once and leaves its place: stored
       after all, and the chain goes on; anything else breaks it.

    A batch needs `count` (of its records), `opened` (monotonic seconds) and `sequence`, which the
    window sets to (producer id, epoch, sequence). Pure: outcomes and time in, attempts and settled
    batches out. Thread-compatible.
    """

    def __init__(self):
        self._entries = []
        self._identity = None
        self._next_sequence = 0
        self._next_number = 0
        self._last_attempt = 0
        self._is_proven = False  # a batch of this identity was stored
        self._is_broken = True  # nothing new under this identity
        self._is_rewinding = False  # waits for answers before anything is sent again

    def begin_identity(self, producer_id, producer_epoch):
        """For the batches to come. Only while needs_identity."""
        assert not self._entries, self._entries
        self._identity = (producer_id, producer_epoch)
        self._next_sequence = 0
        self._is_proven = self._is_broken = self._is_rewinding = False

    @property
    def needs_identity(self):
        return self._is_broken and not self._entries

    @property
    def has_room(self):
        if self._is_broken or self._is_rewinding:
            return False
        span = self._next_number - self._entries[0].number if self._entries else 0
        return span < (IN_FLIGHT_MAX if self._is_proven else 1)

    def admit(self, batch):
        """Takes a new batch behind the others. Only while has_room."""
        batch.sequence = (*self._identity, self._next_sequence)
        self._next_sequence = (self._next_sequence + batch.count) % _SEQUENCES
        self._entries.append(_Entry(batch, self._next_number))
        self._next_number += 1

    def next_attempt(self):
        """(attempt, batch) to be sent now; None when there is nothing."""
        if self._is_rewinding:
            if self._any_attempt_out():
                return None
            self._is_rewinding = False
        for entry in self._entries:
            if entry.attempt != 0 or (self._is_broken and not entry.may_be_stored):
                continue
            self._last_attempt += 1
            entry.attempt = self._last_attempt
            entry.has_left = False
            return entry.attempt, entry.batch
        return None

    def note_leaving(self, attempt):
        """It is about to be handed to the network: from now on the batch may come to be stored. False:
        it was given up meanwhile and must not leave; nothing will settle it."""
        entry = self._find(attempt)
        if entry is None:
            return False
        if entry.batch is None:
            self._entries.remove(entry)
            self._break()
            return False
        entry.has_left = True
        return True

    def settle(self, attempt, error, base_offset=-1):
        """The attempt was answered. Returns what is settled by it."""
        entry = self._find(attempt)
        if entry is None:
            return []
        entry.attempt = 0
        if error is not None:
            return self._settle_refused(entry, error, kind_of(error))
        self._is_proven = True
        self._entries.remove(entry)
        return [Settled(entry.batch, None, base_offset)] if entry.batch is not None else []

    def settle_unanswered(self, attempt, error):
        """The connection of the attempt ended before an answer."""
        entry = self._find(attempt)
        if entry is None:
            return []
        entry.attempt = 0
        return self._settle_refused(entry, error, RefusalKind.UNKNOWN if entry.has_left else RefusalKind.RETRY)

    def expire(self, cutoff):
        """Gives up the batches that were opened at or before `cutoff`. Returns them."""
        settled = []
        for entry in list(self._entries):
            if entry.batch is None or entry.batch.opened > cutoff:
                continue
            is_out = entry.attempt != 0
            if is_out and entry.has_left:
                entry.last_error = TalosError(Reason.DEADLINE_EXCEEDED, "no answer in time")
                entry.may_be_stored = True
            error = _maybe_stored(entry.last_error) if entry.may_be_stored else _not_stored(entry.last_error)
            if is_out:
                settled.append(Settled(entry.batch, error))
                entry.batch = None
            else:
                settled.append(self._end(entry, error))
                self._break()
        return settled

    def fail_all(self, error):
        """Gives up everything; answers that still come are ignored. Returns it."""
        settled = [Settled(entry.batch, error) for entry in self._entries if entry.batch is not None]
        self._entries.clear()
        self._break()
        return settled

    def hand_back(self):
        """After the chain broke: what certainly is not stored and may go under the next identity, in
        order. Nothing while answers are still to come."""
        batches = []
        if not self._is_broken or self._any_attempt_out():
            return batches
        while self._entries and not self._entries[-1].may_be_stored:
            batches.insert(0, self._entries.pop().batch)
        return batches

    @property
    def oldest_opened(self):
        return min((entry.batch.opened for entry in self._entries if entry.batch is not None), default=float("inf"))

    def _find(self, attempt):
        return next((entry for entry in self._entries if entry.attempt == attempt), None)

    def _any_attempt_out(self):
        return any(entry.attempt != 0 for entry in self._entries)

    def _settle_refused(self, entry, error, kind):
        if entry.batch is None:
            self._entries.remove(entry)
            self._break()
            return []
        entry.last_error = error
        if kind == RefusalKind.FINAL:
            self._break()
            return [self._end(entry, _maybe_stored(error) if entry.may_be_stored else error)]
        if kind == RefusalKind.SEQUENCE:
            return self._settle_sequence_error(entry, error)
        entry.may_be_stored = entry.may_be_stored or kind == RefusalKind.UNKNOWN
        self._is_rewinding = True
        return []

    def _settle_sequence_error(self, entry, error):
        self._is_rewinding = True
        is_echo = self._is_broken or entry is not self._entries[0]
        if is_echo and not (entry.may_be_stored and self._is_broken):
            return []
        self._break()
        return [self._end(entry, _maybe_stored(error) if entry.may_be_stored else error)]

    def _end(self, entry, error):
        self._entries.remove(entry)
        return Settled(entry.batch, error)

    def _break(self):
        self._is_broken = True
        self._is_rewinding = True


def _maybe_stored(last_error):
    return TalosError(Reason.MAYBE_STORED, f"the batch may or may not be stored; last heard: {last_error}")


def _not_stored(last_error):
    heard = last_error or "nothing, it could not be sent"
    return TalosError(Reason.DEADLINE_EXCEEDED, f"not stored within the delivery timeout; last heard: {heard}")
