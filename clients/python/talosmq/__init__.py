"""Client of TalosMQ. clients/python/README.md shows how to use it."""

from talosmq.admin import Admin
from talosmq.client import VERSION as __version__
from talosmq.client import Client
from talosmq.consumer import Consumer
from talosmq.errors import Reason, TalosError
from talosmq.group_consumer import GroupConsumer
from talosmq.producer import Producer
from talosmq.record import END, START, ConsumedRecord, Delivery, TopicPartition

__all__ = ["END", "START", "Admin", "Client", "ConsumedRecord", "Consumer", "Delivery", "GroupConsumer", "Producer",
           "Reason", "TalosError", "TopicPartition", "__version__"]
