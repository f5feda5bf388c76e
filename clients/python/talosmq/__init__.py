"""Client of TalosMQ. clients/python/README.md shows how to use it."""

from talosmq.admin import Admin
from talosmq.client import VERSION as __version__
from talosmq.client import Client
from talosmq.consumer import Consumer
from talosmq.errors import Reason, TalosError
from talosmq.group_consumer import GroupConsumer
from talosmq.producer import Producer
from talosmq.record import (END, NOTHING_COMMITTED, START, CommittedOffset, ConsumedRecord, Delivery, OffsetToCommit,
                            TopicPartition)

__all__ = ["END", "NOTHING_COMMITTED", "START", "Admin", "Client", "CommittedOffset", "ConsumedRecord", "Consumer",
           "Delivery", "GroupConsumer", "OffsetToCommit", "Producer", "Reason", "TalosError", "TopicPartition",
           "__version__"]
