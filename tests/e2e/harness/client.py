"""An HTTP/1.1 client on raw sockets: sends any bytes at all, sees exactly the bytes that come back, and can hang up."""

import asyncio
import socket
import struct
import time

EXCHANGE_S_MAX = 30
HEAD_POLL_S = 0.002
HOST = b"llm.example.com"


def request(method=b"POST", target=b"/v1/chat/completions", headers=(), host=HOST, body=b"{}"):
    """The bytes of one request. Header values go out as given, valid or not."""
    lines = [method + b" " + target + b" HTTP/1.1", b"host: " + host]
    lines += [name + b": " + value for name, value in headers]
    if body or method == b"POST":
        lines += [b"content-type: application/json", b"content-length: %d" % len(body)]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


class Exchange:
    """One request and what came back of its response so far."""

    def __init__(self):
        self.status = None
        self.headers = []
        self.body = bytearray()
        self.complete = False
        self.is_expected = asyncio.Event()  # the server said 100: go on and send the body
        self.started_at = time.monotonic()
        self.ended_at = None
        self._ended = asyncio.get_running_loop().create_future()
        self._waiting = []

    def header(self, name):
        """The only value of a header, None where it is absent; sent twice is an error."""
        values = [value for n, value in self.headers if n == name]
        assert len(values) < 2, f"{name} came {len(values)} times: {values}"
        return values[0] if values else None

    async def ended(self):
        await asyncio.wait_for(asyncio.shield(self._ended), EXCHANGE_S_MAX)
        return self

    async def body_reaches(self, length):
        """Returns once that many body bytes have arrived."""
        if len(self.body) < length and not self._ended.done():
            reached = asyncio.get_running_loop().create_future()
            self._waiting.append((length, reached))
            await asyncio.wait_for(reached, EXCHANGE_S_MAX)
        assert len(self.body) >= length, f"the response ended after {len(self.body)} of {length} bytes"

    async def head_comes(self):
        """Returns once the status and the headers are there, or never will be."""
        while self.status is None and not self._ended.done():
            await asyncio.sleep(HEAD_POLL_S)

    def _progress(self):
        for length, reached in self._waiting:
            if len(self.body) >= length and not reached.done():
                reached.set_result(None)

    def _end(self, complete):
        self.complete = complete
        self.ended_at = time.monotonic()
        for _, reached in self._waiting:
            if not reached.done():
                reached.set_result(None)
        if not self._ended.done():
            self._ended.set_result(None)


class Connection(asyncio.Protocol):
    """Carries one exchange at a time, and may be used again after a complete one."""

    def __init__(self):
        self._input = bytearray()
        self._exchange = None
        self._left = None  # body bytes still to come: a number, "chunked", or "close"
        self._in_chunk = 0
        self.reusable = True

    @classmethod
    async def open(cls, port):
        _, connection = await asyncio.get_running_loop().create_connection(cls, "127.0.0.1", port)
        return connection

    def connection_made(self, transport):
        self._transport = transport
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def start(self, raw):
        assert self._exchange is None, "one exchange at a time"
        self._exchange = Exchange()
        self._left = None
        self._transport.write(raw)
        return self._exchange

    def send_more(self, raw):
        """More of the request that was begun."""
        self._transport.write(raw)

    def abort(self):
        """Hangs up with a reset, as a process that is killed does."""
        sock = self._transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    def half_close(self):
        """Says that nothing more will be sent, and goes on reading."""
        self._transport.write_eof()

    def stop_reading(self, stop=True):
        if stop:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def close(self):
        self._transport.close()

    def data_received(self, data):
        self._input += data
        exchange = self._exchange
        if exchange is None:
            return
        if self._left is None and not self._read_head(exchange):
            return
        if self._read_body(exchange):
            self._exchange = None
            exchange._end(complete=True)
        else:
            exchange._progress()

    def connection_lost(self, error):
        self.reusable = False
        if self._exchange is not None:
            self._exchange._end(complete=self._left == "close" and error is None)
            self._exchange = None

    def _read_head(self, exchange):
        end = self._input.find(b"\r\n\r\n")
        if end < 0:
            return False
        status_line, *lines = bytes(self._input[:end]).split(b"\r\n")
        del self._input[: end + 4]
        exchange.status = int(status_line.split(b" ", 2)[1])
        if exchange.status == 100:
            exchange.is_expected.set()
            return self._read_head(exchange)
        exchange.headers = [
            tuple(line.split(b": ", 1)) if b": " in line else (line.rstrip(b":"), b"") for line in lines
        ]
        fields = dict(exchange.headers)
        if fields.get(b"connection") == b"close":
            self.reusable = False
        if fields.get(b"transfer-encoding") == b"chunked":
            self._left, self._in_chunk = "chunked", 0
        elif exchange.status in (204, 304):
            self._left = 0
        elif b"content-length" in fields:
            self._left = int(fields[b"content-length"])
        else:
            self._left = "close"
        return True

    def _read_body(self, exchange):
        """Moves body bytes from the input to the exchange; True at the response's end."""
        if self._left == "chunked":
            return self._read_chunks(exchange)
        taken = bytes(self._input) if self._left == "close" else bytes(self._input[: self._left])
        del self._input[: len(taken)]
        exchange.body += taken
        if self._left == "close":
            return False
        self._left -= len(taken)
        return self._left == 0

    def _read_chunks(self, exchange):
        while True:
            if self._in_chunk > 2:
                taken = bytes(self._input[: self._in_chunk - 2])
                del self._input[: len(taken)]
                exchange.body += taken
                self._in_chunk -= len(taken)
                if self._in_chunk > 2:
                    return False
            if self._in_chunk:
                if len(self._input) < self._in_chunk:
                    return False
                del self._input[: self._in_chunk]
                self._in_chunk = 0
            line_end = self._input.find(b"\r\n")
            if line_end < 0:
                return False
            size = int(bytes(self._input[:line_end]), 16)
            if size == 0:
                if len(self._input) < line_end + 4:
                    return False
                del self._input[: line_end + 4]
                return True
            del self._input[: line_end + 2]
            self._in_chunk = size + 2  # the chunk and the line end behind it


class Client:
    """Keeps connections alive to one port; hands each exchange an idle one."""

    def __init__(self, port):
        self.port = port
        self._idle = []

    async def start(self, raw):
        """(connection, exchange) of a request whose response is still to come. The caller closes the connection."""
        connection = await Connection.open(self.port)
        return connection, connection.start(raw)

    async def send(self, raw):
        connection = await self._connection()
        exchange = connection.start(raw)
        await exchange.ended()
        if exchange.complete and connection.reusable:
            self._idle.append(connection)
        else:
            connection.close()
        return exchange

    async def send_all(self, raws, at_once=32):
        """The exchanges, in the order of the requests."""
        raws = list(raws)
        results = [None] * len(raws)
        remaining = iter(range(len(raws)))

        async def worker():
            for index in remaining:
                results[index] = await self.send(raws[index])

        await asyncio.gather(*(worker() for _ in range(min(at_once, len(raws)))))
        return results

    async def _connection(self):
        while self._idle:
            connection = self._idle.pop()
            if connection.reusable:
                return connection
            connection.close()
        return await Connection.open(self.port)

    def close(self):
        for connection in self._idle:
            connection.close()
        self._idle.clear()
