"""Topics and groups, for operators."""

import typing

from talosmq.errors import error_of_message, invalid_argument
from talosmq.offsets import find_offsets
from talosmq.record import TopicPartition
from talosmq.v1 import consumer_pb2, topic_pb2

WHILE_LIVE = ("refuse", "force")


class GroupMember(typing.NamedTuple):
    member_id: str
    instance_id: str
    client_id: str
    host: str
    owned: list  # of TopicPartition


class GroupDescription(typing.NamedTuple):
    group: str
    kind: str  # none, native, classic
    state: str  # empty, rebalancing, stable
    generation: int
    protocol: str
    members: list  # of GroupMember
    committed: dict  # offset by TopicPartition: the next one to read


class Admin:
    """Every call blocks up to the client's request_timeout_s and fails with the server's own reason and
    words. Questions are repeated while that may help, changes are sent once. Topics are described by the
    messages of proto/talosmq/v1/topic.proto. Thread-safe. Lives inside its Client."""

    def __init__(self, client):
        self._client = client

    def create_topic(self, name, partitions=None, replicas=None, configs=None):
        """The topic's id. None: as the server does by default."""
        request = topic_pb2.CreateTopicRequest(name=name, partitions=partitions, replicas=replicas,
                                               configs=configs or {})
        return self._client.change(lambda s, timeout: s.topics.CreateTopic(request, timeout=timeout)).topic_id

    def list_topics(self):
        """TopicSummary messages, in the order of their names."""
        request = topic_pb2.ListTopicsRequest()
        return list(self._client.ask(lambda s, timeout: s.topics.ListTopics(request, timeout=timeout)).topics)

    def describe_topic(self, name):
        """A DescribeTopicResponse message. UNKNOWN_TOPIC."""
        request = topic_pb2.DescribeTopicRequest(name=name)
        return self._client.ask(lambda s, timeout: s.topics.DescribeTopic(request, timeout=timeout))

    def alter_topic(self, name, configs=None, unset=()):
        request = topic_pb2.AlterTopicRequest(name=name, set=configs or {}, unset=unset)
        self._client.change(lambda s, timeout: s.topics.AlterTopic(request, timeout=timeout))

    def add_partitions(self, name, total):
        request = topic_pb2.AddPartitionsRequest(name=name, total=total)
        self._client.change(lambda s, timeout: s.topics.AddPartitions(request, timeout=timeout))

    def delete_topic(self, name):
        request = topic_pb2.DeleteTopicRequest(name=name)
        self._client.change(lambda s, timeout: s.topics.DeleteTopic(request, timeout=timeout))

    def list_groups(self):
        """{group: state} of all groups."""
        request = consumer_pb2.ListGroupsRequest()
        groups = self._client.ask(lambda s, timeout: s.consumers.ListGroups(request, timeout=timeout)).groups
        return {found.group: _word(consumer_pb2.GroupState, found.state) for found in groups}

    def describe_group(self, group):
        """A GroupDescription; topics that are no more go by the hexadecimal form of their id.
        UNKNOWN_GROUP."""
        request = consumer_pb2.DescribeGroupRequest(group=group)
        found = self._client.ask(lambda s, timeout: s.consumers.DescribeGroup(request, timeout=timeout))
        names = {topic.topic_id: topic.name for topic in self.list_topics()}

        def place(of):
            return TopicPartition(names.get(of.topic_id, of.topic_id.hex()), of.partition)

        return GroupDescription(
            group=found.group.group,
            kind=_word(consumer_pb2.GroupKind, found.group.kind),
            state=_word(consumer_pb2.GroupState, found.group.state),
            generation=found.generation,
            protocol=found.protocol,
            members=[GroupMember(m.member_id, m.instance_id, m.client_id, m.host, [place(o) for o in m.owned])
                     for m in found.members],
            committed={place(o): o.offset for o in found.offsets if o.HasField("offset")})

    def reset_offsets(self, group, topic, position, partitions=None, while_live="refuse"):
        """Commits `position` (see Consumer) for these partitions of the topic, all when None; returns
        {TopicPartition: offset}. GROUP_NOT_EMPTY while the group has members, unless while_live is "force":
        then each lets go of these partitions and gets them again."""
        if while_live not in WHILE_LIVE:
            raise invalid_argument(f"while_live: expected one of {', '.join(WHILE_LIVE)}, found {while_live!r}")
        image = self._client.find_topic(topic)
        numbers = range(len(image.leaders)) if partitions is None else list(partitions)
        offsets = find_offsets(self._client, [(image.id, number, position) for number in numbers])
        resets = [consumer_pb2.OffsetReset(topic_id=image.id, partition=number, offset=offset)
                  for number, offset in zip(numbers, offsets)]
        request = consumer_pb2.ResetOffsetsRequest(group=group, offsets=resets, force=while_live == "force")
        response = self._client.change(lambda s, timeout: s.consumers.ResetOffsets(request, timeout=timeout))
        for answer in response.partitions:
            if answer.HasField("error"):
                raise error_of_message(answer.error).about(f"topic {topic} partition {answer.partition}")
        return {TopicPartition(topic, number): offset for number, offset in zip(numbers, offsets)}

    def delete_group(self, group):
        """With its committed offsets. GROUP_NOT_EMPTY; UNKNOWN_GROUP."""
        request = consumer_pb2.DeleteGroupRequest(group=group)
        self._client.change(lambda s, timeout: s.consumers.DeleteGroup(request, timeout=timeout))


def _word(enum, number):
    """GROUP_STATE_EMPTY as "empty"."""
    return enum.Name(number).rpartition("_")[2].lower() if number in enum.values() else str(number)
