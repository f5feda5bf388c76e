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


class Place(enum.Enum):
    """Where to begin when no offset is known."""

    START = "start"
    END = "end"


START = Place.START
END = Place.END
