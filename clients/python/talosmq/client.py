"""The connections of one application to one cluster."""

import random
import threading
import time
import typing

import grpc

from talosmq.errors import Reason, TalosError, error_of_call, error_of_message, invalid_argument
from talosmq.v1 import cluster_pb2, cluster_pb2_grpc, consumer_pb2_grpc, message_pb2_grpc, topic_pb2, topic_pb2_grpc

VERSION = "0.1.0"
PROTOCOL_VERSION = 1

_PAUSE_MIN_S = 0.01
_PAUSE_MAX_S = 1.0
_ASKED_MAX_S = 10.0  # a longer wait that a server asks for is not believed
_ATTEMPT_MAX_S = 5.0  # a server that says nothing is left for the next one
_CHANNEL_OPTIONS = [
    ("grpc.max_receive_message_length", 24 << 20),
    ("grpc.max_send_message_length", -1),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 1_000),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.use_local_subchannel_pool", 1),
]


def back_off_s(failures, error):
    """How long to wait after so many failures in a row, the last of them `error`."""
    pause = min(_PAUSE_MIN_S * 2 ** min(failures, 10), _PAUSE_MAX_S) * random.uniform(0.5, 1.0)
    return max(pause, min(error.retry_after_s, _ASKED_MAX_S) * random.uniform(1.0, 1.5))


class Leader(typing.NamedTuple):
    address: str  # empty: nobody is known to lead
    epoch: int


class TopicImage(typing.NamedTuple):
    """What is known of a topic at one moment."""

    name: str
    id: bytes
    leaders: tuple  # of Leader; index = partition


class Services:
    """The stubs of one server."""

    def __init__(self, channel):
        self.cluster = cluster_pb2_grpc.ClusterServiceStub(channel)
        self.topics = topic_pb2_grpc.TopicServiceStub(channel)
        self.messages = message_pb2_grpc.MessageServiceStub(channel)
        self.consumers = consumer_pb2_grpc.ConsumerServiceStub(channel)


class Client:
    """One for each process and cluster; producers, consumers and admins are made from it.

    server: "HOST:PORT[,HOST:PORT...]", tried in turn until one answers. request_timeout_s: for calls
    that answer at once, retries included. metadata_age_max_s: how old what is known of topics and
    leaders may become. tls_ca, tls_cert, tls_key: PEM files, read once; with tls_ca every connection
    is TLS, the other two are for servers that ask for a certificate.

    Thread-safe. Outlives what is made from it. After fork() a child must not touch it.
    """

    def __init__(self, server="127.0.0.1:9191", *, request_timeout_s=30.0, metadata_age_max_s=30.0,
                 tls_ca=None, tls_cert=None, tls_key=None):
        self.request_timeout_s = request_timeout_s
        self.metadata_age_max_s = metadata_age_max_s
        self._servers = _parse_servers(server)
        self._current = 0
        self._credentials = _credentials(tls_ca, tls_cert, tls_key)
        self._lock = threading.Lock()
        self._channels = {}
        self._is_closed = False
        try:
            self._shake_hands()
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Ends the connections; calls under way fail."""
        with self._lock:
            self._is_closed = True
            channels, self._channels = self._channels, {}
        for channel, _ in channels.values():
            channel.close()

    def services(self, address=None):
        """Of the server at `address`; of the one that answered last when there is none."""
        with self._lock:
            if self._is_closed:
                raise _closed()
            address = address or self._servers[self._current]
            if address not in self._channels:
                channel = self._open(address)
                self._channels[address] = (channel, Services(channel))
            return self._channels[address][1]

    def ask(self, call, timeout_s=None):
        """The answer of call(services, timeout_s), asked again of one server after the other while
        that may help and the time is not over. Only for what does no harm when it is done twice."""
        deadline = time.monotonic() + (self.request_timeout_s if timeout_s is None else timeout_s)
        failures = 0
        while True:
            try:
                return self._ask_once(call, deadline - time.monotonic())
            except TalosError as error:
                pause = back_off_s(failures // len(self._servers), error)
                may_help = error.is_transient or error.reason == Reason.DEADLINE_EXCEEDED
                if not may_help or time.monotonic() + pause >= deadline:
                    raise
            failures += 1
            time.sleep(pause)

    def change(self, call, timeout_s=None):
        """The answer of call(services, timeout_s), which is sent once, to a server that answers."""
        deadline = time.monotonic() + (self.request_timeout_s if timeout_s is None else timeout_s)
        self._shake_hands(timeout_s)
        try:
            return call(self.services(), max(deadline - time.monotonic(), 0.001))
        except grpc.RpcError as error:
            raise error_of_call(error) from None

    def try_next_server(self):
        """The one that answered last does not any more."""
        with self._lock:
            self._current = (self._current + 1) % len(self._servers)

    def find_topic(self, name):
        """TopicImage of the topic that has this name now. UNKNOWN_TOPIC; TOPIC_DELETING."""
        return self._topic(topic_pb2.GetMetadataRequest(names=[name]), Reason.TOPIC_DELETING)

    def refresh_topic(self, topic_id, timeout_s=None):
        """TopicImage of the topic with this id. UNKNOWN_TOPIC_ID: it was deleted, for good."""
        return self._topic(topic_pb2.GetMetadataRequest(topic_ids=[topic_id]), Reason.UNKNOWN_TOPIC_ID, timeout_s)

    def _ask_once(self, call, left_s):
        try:
            return call(self.services(), max(min(left_s, _ATTEMPT_MAX_S), 0.001))
        except grpc.RpcError as call_error:
            error = error_of_call(call_error)
            if error.reason in (Reason.UNAVAILABLE, Reason.DEADLINE_EXCEEDED, Reason.SHUTTING_DOWN):
                self.try_next_server()
            raise error from None
        except ValueError:  # how gRPC says that the channel is closed
            if self._is_closed:
                raise _closed() from None
            raise

    def _shake_hands(self, timeout_s=None):
        request = cluster_pb2.GetServerInfoRequest(client_name="talosmq-python", client_version=VERSION)
        info = self.ask(lambda services, left_s: services.cluster.GetServerInfo(request, timeout=left_s), timeout_s)
        if not info.protocol_version_min <= PROTOCOL_VERSION <= info.protocol_version_max:
            raise TalosError(
                Reason.UNSUPPORTED_VERSION,
                f"server {info.version} speaks protocol versions {info.protocol_version_min} to "
                f"{info.protocol_version_max}, this client ({VERSION}) speaks {PROTOCOL_VERSION}")

    def _topic(self, request, reason_when_deleting, timeout_s=None):
        def call(services, timeout_s):
            return _read_topic(services.topics.GetMetadata(request, timeout=timeout_s), reason_when_deleting)

        return self.ask(call, timeout_s)

    def _open(self, address):
        if self._credentials is None:
            return grpc.insecure_channel(address, _CHANNEL_OPTIONS)
        return grpc.secure_channel(address, self._credentials, _CHANNEL_OPTIONS)


def _closed():
    return TalosError(Reason.CLOSED, "the client is closed")


def _parse_servers(text):
    servers = [entry.strip() for entry in text.split(",")]
    for entry in servers:
        host, _, port = entry.rpartition(":")
        if not host or not port.isdecimal() or not 1 <= int(port) <= 65535:
            raise invalid_argument(
                f"server: expected HOST:PORT[,HOST:PORT...] with ports 1 to 65535, found {entry!r}")
    return servers


def _credentials(ca, cert, key):
    if (cert is None) != (key is None) or (cert is not None and ca is None):
        raise invalid_argument("tls_cert, tls_key: expected both or neither, and only with tls_ca")
    if ca is None:
        return None
    return grpc.ssl_channel_credentials(*(_contents(path) for path in (ca, key, cert)))


def _contents(path):
    if path is None:
        return None
    with open(path, "rb") as file:
        return file.read()


def _read_topic(response, reason_when_deleting):
    if len(response.topics) != 1:
        raise TalosError(Reason.INTERNAL, f"metadata: expected one topic, found {len(response.topics)}")
    topic = response.topics[0]
    if topic.HasField("error"):
        raise error_of_message(topic.error)
    if topic.state == topic_pb2.TOPIC_STATE_DELETING:
        raise TalosError(reason_when_deleting, f"topic {topic.name} is being deleted")
    addresses = {broker.broker: broker.address for broker in response.brokers}
    leaders = tuple(Leader(addresses.get(p.leader, ""), p.leader_epoch) for p in topic.partitions)
    return TopicImage(topic.name, topic.topic_id, leaders)
