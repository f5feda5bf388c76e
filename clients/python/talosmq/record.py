"""Records, and where they are."""

import enum
import typing


class TopicPartition(typing.NamedTuple):
    topic: str
    partition: int


class ConsumedRecord(typing.NamedTuple):
    topic: str
    partition: int
    offset: int
    timestamp_ms: int  # since 1970
    key: bytes | None
    value: bytes | None
    headers: tuple  # of (str, bytes | None), in their order; names may repeat

    @property
    def topic_partition(self):
        return TopicPartition(self.topic, self.partition)


class Delivery(typing.NamedTuple):
    """Where a record is stored, durably."""

    topic: str
    partition: int
    offset: int


NOTHING_COMMITTED = -1


class OffsetToCommit(typing.NamedTuple):
    """How far a group has come with one partition."""

    offset: int  # of the next record to read
    metadata: str = ""  # of the application, at most 4 KiB
    expected: int | None = None  # refused with CONFLICT unless this is committed now; or NOTHING_COMMITTED
    leader_epoch: int = -1  # of the record before it; -1: not known


class CommittedOffset(typing.NamedTuple):
    """What a group has committed of one partition."""

    offset: int  # of the next record to read
    metadata: str
    committed_ms: int  # since 1970


class Place(enum.Enum):
    """Where to begin when no offset is known."""

    START = "start"
    END = "end"


START = Place.START
END = Place.END
