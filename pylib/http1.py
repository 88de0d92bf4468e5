"""HTTP/1.1 in bytes: `request` builds a request, `Response` reads a response, `send` and `get` do one exchange.

`Response` does no I/O and takes bytes in any pieces. `send` and `get` block; pylib.client does the same on asyncio, for
many exchanges at once. No TLS, no redirects, no HTTP/2 (tests/harness/http2.py speaks that).
"""

import contextlib
import socket
from collections.abc import Iterable
from enum import Enum, auto

HOST = b"llm.example.com"
TIMEOUT_S = 30.0
PIECE_BYTES_MAX = 1 << 16

Header = tuple[bytes, bytes]


class HttpError(Exception):
    """There is no response, or not the one that was asked for."""


def request(
    method: bytes = b"POST",
    target: bytes = b"/v1/chat/completions",
    headers: Iterable[Header] = (),
    host: bytes = HOST,
    body: bytes = b"{}",
) -> bytes:
    """The bytes of a request. Header values are sent as given, valid or not."""
    headers = list(headers)
    lines = [method + b" " + target + b" HTTP/1.1", b"host: " + host]
    lines += [name + b": " + value for name, value in headers]
    if body or method == b"POST":
        if not any(name.lower() == b"content-type" for name, _ in headers):
            lines.append(b"content-type: application/json")
        lines.append(b"content-length: %d" % len(body))
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


class _Body(Enum):
    """How the end of a body without a length is known."""

    CHUNKED = auto()
    UNTIL_CLOSE = auto()


class Response:
    """One response, as far as it has arrived."""

    def __init__(self) -> None:
        self.status = 0  # until the head is there
        self.headers: list[Header] = []  # names as they came
        self.body = bytearray()
        self.complete = False
        self.continues = False  # the server answered 100: it waits for the request's body
        self.reusable = True  # the connection can carry another exchange
        self._input = bytearray()
        self._left: int | _Body = 0  # of the body
        self._chunk_left = 0  # of the current chunk and the line end behind it, in bytes

    def header(self, name: bytes) -> bytes | None:
        """The only value of a header; None where it is absent. `name` is in lower case. A header that came twice is an
        error.
        """
        values = [value for n, value in self.headers if n.lower() == name]
        assert len(values) < 2, f"{name!r} came {len(values)} times: {values}"
        return values[0] if values else None

    def feed(self, data: bytes) -> None:
        """Takes the next bytes from the connection. `complete` says when the response is whole."""
        self._input += data
        if not self.status and not self._read_head():
            return
        self.complete = self._read_body()
        if self.complete and self._input:
            self.reusable = False  # nobody asked for more

    def closed(self, cleanly: bool) -> None:
        """The server closed the connection, which ends a body of unknown length."""
        self.reusable = False
        if self.status and not self.complete:
            self.complete = cleanly and self._left is _Body.UNTIL_CLOSE

    def _read_head(self) -> bool:
        end = self._input.find(b"\r\n\r\n")
        if end < 0:
            return False
        status_line, *lines = bytes(self._input[:end]).split(b"\r\n")
        del self._input[: end + 4]
        status = int(status_line.split(b" ", 2)[1])
        if status == 100:
            self.continues = True
            return self._read_head()
        self.status = status
        self.headers = [_header(line) for line in lines]
        fields = {name.lower(): value for name, value in self.headers}
        if fields.get(b"connection") == b"close":
            self.reusable = False
        if fields.get(b"transfer-encoding") == b"chunked":
            self._left = _Body.CHUNKED
        elif status in (204, 304):
            self._left = 0
        elif b"content-length" in fields:
            self._left = int(fields[b"content-length"])
        else:
            self._left = _Body.UNTIL_CLOSE
        return True

    def _read_body(self) -> bool:
        """Moves bytes from the input to the body; True at the response's end."""
        if self._left is _Body.CHUNKED:
            return self._read_chunks()
        if self._left is _Body.UNTIL_CLOSE:
            self._take(len(self._input))
            return False
        assert isinstance(self._left, int)
        self._left -= self._take(self._left)
        return self._left == 0

    def _read_chunks(self) -> bool:
        while True:
            if self._chunk_left > 2:
                self._chunk_left -= self._take(self._chunk_left - 2)
                if self._chunk_left > 2:
                    return False
            if self._chunk_left:
                if len(self._input) < self._chunk_left:
                    return False
                del self._input[: self._chunk_left]
                self._chunk_left = 0
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
            self._chunk_left = size + 2

    def _take(self, most: int) -> int:
        taken = bytes(self._input[:most])
        del self._input[: len(taken)]
        self.body += taken
        return len(taken)


def _header(line: bytes) -> Header:
    name, _, value = line.partition(b":")
    return name, value.removeprefix(b" ")


def send(port: int, raw: bytes, hang_up_after_bytes: int | None = None, timeout_s: float = TIMEOUT_S) -> Response:
    """Sends a request on a connection of its own and returns the response.

    The response is incomplete where the server hangs up before its end, or where we do so after that many bytes of its
    body. HttpError where not even its head came.
    """
    response = Response()
    with socket.create_connection(("127.0.0.1", port), timeout_s) as connection:
        # A server may answer, and hang up, before it has read all.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            connection.sendall(raw)
        while not response.complete:
            if hang_up_after_bytes is not None and len(response.body) >= hang_up_after_bytes:
                break
            try:
                data, cleanly = connection.recv(PIECE_BYTES_MAX), True
            except ConnectionResetError:
                data, cleanly = b"", False
            if not data:
                response.closed(cleanly)
                break
            response.feed(data)
    if not response.status:
        raise HttpError("the server closed the connection before its response")
    return response


def get(port: int, path: str, timeout_s: float = TIMEOUT_S) -> bytes:
    """The body of a whole 200 response of a server on this machine."""
    raw = request(b"GET", path.encode(), [(b"connection", b"close")], host=b"127.0.0.1:%d" % port, body=b"")
    response = send(port, raw, timeout_s=timeout_s)
    if response.status != 200 or not response.complete:
        raise HttpError(f"GET {path}: status {response.status}, {bytes(response.body[:200])!r}")
    return bytes(response.body)
