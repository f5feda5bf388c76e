"""Reads partitions that the application chose."""

import typing

from talosmq.errors import Reason, TalosError, invalid_argument
from talosmq.fetcher import Fetcher
from talosmq.offsets import find_offsets
from talosmq.record import END, START, TopicPartition

FETCH_BYTES_MAX = 20 << 20


class PartitionPosition(typing.NamedTuple):
    position: int  # of the next record that poll() returns
    high_watermark: int  # one past the last record that can be read, as last heard; 0 before


def check_fetch_options(fetch_bytes, out_of_range):
    if not 1 << 10 <= fetch_bytes <= FETCH_BYTES_MAX:
        raise invalid_argument(f"fetch_bytes: expected {1 << 10} to {FETCH_BYTES_MAX}, found {fetch_bytes}")
    if out_of_range not in ("fail", START, END):
        raise invalid_argument(f"out_of_range: expected \"fail\", START or END, found {out_of_range!r}")


class Consumer:
    """Reads partitions of any topics: those that had the names when they were assigned. Records of a
    partition come in the order of their offsets, each once. Positions are the application's to keep:
    nothing is stored on the server.

    A position is START, END, an offset, or a datetime with a zone: the first record stamped then or later.
    fetch_bytes: of records in one answer, 1 KiB to 20 MiB; one answer a server is fetched ahead.
    out_of_range: what to do when a position lies outside of the log: "fail", or go on at START or END.

    Thread-compatible: one thread at a time. Lives inside its Client.
    """

    def __init__(self, client, *, fetch_bytes=1 << 20, out_of_range="fail"):
        check_fetch_options(fetch_bytes, out_of_range)
        self._client = client
        self._fetcher = Fetcher(client, fetch_bytes, out_of_range)
        self._images = {}  # by name, of the assigned topics

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self._fetcher.close()

    def partitions_of(self, topic):
        """TopicPartitions of the topic, for assign(). UNKNOWN_TOPIC."""
        return [TopicPartition(topic, p) for p in range(len(self._client.find_topic(topic).leaders))]

    def assign(self, partitions, position=START):
        """Reads these TopicPartitions, and no others, each from `position`. UNKNOWN_TOPIC;
        UNKNOWN_PARTITION."""
        images = {name: self._client.find_topic(name) for name in {p.topic for p in partitions}}
        for topic, partition in partitions:
            count = len(images[topic].leaders)
            if not 0 <= partition < count:
                raise TalosError(Reason.UNKNOWN_PARTITION,
                                 f"topic {topic}: expected partition 0 to {count - 1}, found {partition}")
        offsets = find_offsets(self._client, [(images[topic].id, p, position) for topic, p in partitions])
        for key in list(self._fetcher.partitions):
            self._fetcher.remove(key)
        self._images = images
        for (topic, partition), offset in zip(partitions, offsets):
            self._fetcher.add(images[topic], partition, offset)

    def seek(self, partition, position):
        """Moves one assigned TopicPartition; a paused one stays so."""
        key = self._key(partition)
        (offset,) = find_offsets(self._client, [(*key, position)])
        self._fetcher.seek(key, offset)

    def pause(self, partition):
        """poll() returns nothing of it until resume()."""
        self._fetcher.pause(self._key(partition))

    def resume(self, partition):
        self._fetcher.resume(self._key(partition))

    def poll(self, timeout_s):
        """A list of ConsumedRecords, about fetch_bytes of them at most; empty when none came in time.

        An error of one partition (OFFSET_OUT_OF_RANGE, CORRUPT_DATA, UNKNOWN_TOPIC_ID when the topic was
        deleted) is raised once, after the records before it; that partition then waits for a seek, the
        others go on. Lost connections and new leaders are dealt with silently.
        """
        return self._fetcher.poll(timeout_s)

    def positions(self):
        """PartitionPosition of every assigned TopicPartition."""
        return {TopicPartition(state.image.name, state.partition):
                PartitionPosition(state.position, state.high_watermark)
                for state in self._fetcher.partitions.values()}

    def find_offset(self, partition, position):
        """Where a position of an assigned TopicPartition is now."""
        (offset,) = find_offsets(self._client, [(*self._key(partition), position)])
        return offset

    def _key(self, partition):
        image = self._images.get(partition.topic)
        key = (image.id, partition.partition) if image is not None else None
        if key not in self._fetcher.partitions:
            raise invalid_argument(f"topic {partition.topic} partition {partition.partition}: expected to be assigned, "
                                   "found that it is not")
        return key
