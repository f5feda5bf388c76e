"""Just enough HTTP/2 over a raw socket to send what a proper client never would."""

import socket
import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
END_STREAM, END_HEADERS, ACK = 1, 4, 1
TIMEOUT_SECONDS = 10


def integer(value, prefix_bits, first=0):
    """RFC 7541 section 5.1."""
    top = (1 << prefix_bits) - 1
    if value < top:
        return bytes([first | value])
    out, value = [first | top], value - top
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out + [value])


def string(text):
    return integer(len(text), 7) + text


def literal(name, value):
    """A header that no table remembers."""
    return b"\x00" + string(name) + string(value)


def request_headers(method, extra=(), changed=()):
    pairs = {b":method": b"POST", b":scheme": b"http", b":path": method.encode(), b":authority": b"mq",
             b"te": b"trailers", b"content-type": b"application/grpc"}
    pairs |= dict(changed)
    return b"".join(literal(n, v) for n, v in pairs.items()) + b"".join(literal(n, v) for n, v in extra)


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def message(payload):
    """As gRPC puts it into DATA."""
    return struct.pack(">BI", 0, len(payload)) + payload


class Connection:
    """One connection; sending and receiving block for at most TIMEOUT_SECONDS."""

    def __init__(self, address, window=1 << 30, context=None):
        """Through TLS with a context."""
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)), timeout=TIMEOUT_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context is not None:
            self.socket = context.wrap_socket(self.socket, server_hostname=host)
        self.unread = b""
        settings = struct.pack(">HI", 4, min(window, (1 << 31) - 1))
        self.send(PREFACE + frame(SETTINGS, 0, 0, settings) +
                  frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", window)))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, octets):
        self.socket.sendall(octets)

    def send_frame(self, kind, flags, stream, payload=b""):
        self.send(frame(kind, flags, stream, payload))

    def receive(self):
        """The next frame as (kind, flags, stream, payload); None when the server has closed."""
        while len(self.unread) < 9 or len(self.unread) < 9 + int.from_bytes(self.unread[:3], "big"):
            try:
                more = self.socket.recv(1 << 20)
            except ConnectionError:
                more = b""
            if not more:
                return None
            self.unread += more
        size = int.from_bytes(self.unread[:3], "big")
        kind, flags, stream = struct.unpack(">BBI", self.unread[3:9])
        payload, self.unread = self.unread[9:9 + size], self.unread[9 + size:]
        if kind == SETTINGS and not flags & ACK:
            self.send_frame(SETTINGS, ACK, 0)
        return kind, flags, stream, payload

    def setting(self, wanted):
        """What the server's SETTINGS say under this number."""
        while True:
            kind, flags, _, payload = self.receive()
            if kind == SETTINGS and not flags & ACK:
                return dict(struct.iter_unpack(">HI", payload)).get(wanted)

    def is_alive(self):
        """Answers a ping. Frames that come before the answer are dropped."""
        try:
            self.send_frame(PING, 0, 0, b"alive?!?")
            while (got := self.receive()) is not None:
                if got[0] == PING and got[1] & ACK:
                    return True
                if got[0] == GOAWAY:
                    return False
        except (OSError, ValueError):
            pass
        return False

    def open(self, stream, method):
        self.send_frame(HEADERS, END_HEADERS, stream, request_headers(method))

    def send_headers(self, block, size=16384, stream=1):
        """A header block in HEADERS and CONTINUATION frames of this size."""
        kind = HEADERS
        for begin in range(0, len(block), size):
            flags = END_HEADERS if begin + size >= len(block) else 0
            self.send_frame(kind, flags, stream, block[begin:begin + size])
            kind = CONTINUATION

    def send_message(self, stream, payload, flags=END_STREAM):
        """In frames of 16 KiB, as far as the server's windows go; until the end or the call's."""
        self.send_body(stream, message(payload), flags)

    def send_body(self, stream, body, flags=0):
        room = {0: 65535, stream: 65535}
        sent = 0
        while sent < len(body):
            size = min(16384, len(body) - sent, *room.values())
            if size <= 0:
                if not self.widen(stream, room):
                    return
                continue
            last = sent + size == len(body)
            self.send_frame(DATA, flags if last else 0, stream, body[sent:sent + size])
            sent += size
            for key in room:
                room[key] -= size

    def widen(self, stream, room):
        """Takes one frame into account; False when the call is over."""
        got = self.receive()
        if got is None:
            return False
        kind, flags, where, payload = got
        if kind in (RST_STREAM, GOAWAY) or kind == HEADERS and flags & END_STREAM:
            return False
        if kind == WINDOW_UPDATE and where in room:
            room[where] += struct.unpack(">I", payload)[0]
        if kind == SETTINGS and not flags & ACK:
            room[stream] += dict(struct.iter_unpack(">HI", payload)).get(4, 65535) - 65535
        return True

    def wait_for_end(self, stream):
        """True when the stream ended in trailers, False when it was reset or the connection ended."""
        while (got := self.receive()) is not None:
            if got[2] == stream and got[0] in (HEADERS, RST_STREAM, DATA) and \
               (got[0] == RST_STREAM or got[1] & END_STREAM):
                return got[0] != RST_STREAM
            if got[0] == GOAWAY:
                return False
        return False

    def answer(self, stream):
        """Headers and trailers of the call's answer as they came, until it is over."""
        blocks = b""
        while (got := self.receive()) is not None:
            kind, flags, where, payload = got
            if where == stream and kind == HEADERS:
                blocks += payload
            if where == stream and (kind == RST_STREAM or kind == HEADERS and flags & END_STREAM):
                break
        return blocks

    def receive_kind(self, *kinds):
        """The kind of the first frame that is one of these; None when the server closes before."""
        while (got := self.receive()) is not None:
            if got[0] in kinds:
                return got[0]
        return None
