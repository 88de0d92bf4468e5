"""An HTTP/2 client on raw sockets: one request at a time, its body in the pieces a test gives, with trailers or without.

Headers go out as literals, which every decoder knows. Of a response's head it reads the status alone."""

import asyncio
import struct

RESPONSE_S_MAX = 30
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
_DATA, _HEADERS, _RESET, _SETTINGS, _PING, _GOAWAY, _WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
_ACK = _END_STREAM = 1
_END_HEADERS = 4
_INITIAL_WINDOW_SIZE = 4
_FRAME_BYTES_MAX = 16_384
_STATUS = {0x88: 200, 0x89: 204, 0x8C: 400, 0x8D: 404, 0x8E: 500}  # RFC 7541, appendix A
STREAM = 1


class Http2Error(Exception):
    pass


async def post(port, headers, pieces, trailers=(), target=b"/v1/chat/completions"):
    """(status, body) of the answer. A piece that is a number is a pause in seconds."""
    client = _Client(*await asyncio.open_connection("127.0.0.1", port))
    try:
        return await asyncio.wait_for(client.post(headers, pieces, trailers, target), RESPONSE_S_MAX)
    finally:
        client.close()


class _Client:
    def __init__(self, reader, writer):
        self._reader, self._writer = reader, writer
        self._windows = {0: 65_535, STREAM: 65_535}
        self._window_grew = asyncio.Event()
        self._reading = asyncio.create_task(self._read())
        writer.write(_PREFACE + _frame(_SETTINGS, 0, 0, b""))

    def close(self):
        self._reading.cancel()
        self._writer.close()

    async def post(self, headers, pieces, trailers, target):
        head = [(b":method", b"POST"), (b":scheme", b"http"), (b":authority", b"llm.example.com"), (b":path", target)]
        self._write(_HEADERS, _END_HEADERS, _block([*head, (b"content-type", b"application/json"), *headers]))
        sending = asyncio.create_task(self._send(pieces, trailers))
        try:
            return await self._reading
        finally:
            sending.cancel()

    async def _send(self, pieces, trailers):
        for piece in pieces:
            if not isinstance(piece, bytes):
                await asyncio.sleep(piece)
                continue
            for at in range(0, len(piece), _FRAME_BYTES_MAX):
                await self._send_data(piece[at : at + _FRAME_BYTES_MAX])
        if trailers:
            self._write(_HEADERS, _END_HEADERS | _END_STREAM, _block(trailers))
        else:
            self._write(_DATA, _END_STREAM, b"")

    async def _send_data(self, data):
        while min(self._windows.values()) < len(data):
            self._window_grew.clear()
            await self._window_grew.wait()
        for window in self._windows:
            self._windows[window] -= len(data)
        self._write(_DATA, 0, data)
        await self._writer.drain()

    def _write(self, kind, flags, payload):
        self._writer.write(_frame(kind, flags, STREAM, payload))

    async def _read(self):
        status, body = None, bytearray()
        while True:
            head = await self._reader.readexactly(9)
            kind, flags, stream = head[3], head[4], struct.unpack(">I", head[5:])[0]
            payload = await self._reader.readexactly(int.from_bytes(head[:3], "big"))
            if kind == _SETTINGS and not flags & _ACK:
                for name, value in struct.iter_unpack(">HI", payload):
                    if name == _INITIAL_WINDOW_SIZE:
                        self._grow(STREAM, value - 65_535)
                self._writer.write(_frame(_SETTINGS, _ACK, 0, b""))
            elif kind == _WINDOW_UPDATE:
                self._grow(stream, struct.unpack(">I", payload)[0])
            elif kind == _PING and not flags & _ACK:
                self._writer.write(_frame(_PING, _ACK, 0, payload))
            elif kind in (_RESET, _GOAWAY):
                raise Http2Error(f"frame {kind} came instead of an answer: {payload!r}")
            elif kind == _HEADERS and status is None:
                status = _STATUS.get(payload[0])
            elif kind == _DATA:
                body += payload
            if kind in (_HEADERS, _DATA) and flags & _END_STREAM:
                return status, bytes(body)

    def _grow(self, stream, by):
        self._windows[stream] = self._windows.get(stream, 0) + by
        self._window_grew.set()


def _frame(kind, flags, stream, payload):
    return len(payload).to_bytes(3, "big") + struct.pack(">BBI", kind, flags, stream) + payload


def _block(headers):
    """Literal fields without indexing, names and values as they are (RFC 7541, 6.2.2)."""
    return b"".join(b"\0" + _string(name) + _string(value) for name, value in headers)


def _string(text):
    assert len(text) < 127, "longer ones need more than one byte of length"
    return bytes([len(text)]) + text
