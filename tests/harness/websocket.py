"""WebSocket (RFC 6455) as far as tests need it: a scripted server, a client, and the bytes of frames."""

import asyncio
import contextlib
import socket
import struct

from tests.harness.upstream import Ending, Step

TEXT, CLOSE, PING = 1, 8, 9
WAIT_S_MAX = 10
_MASK = b"\x88\x01\x02\x03"
_ACCEPTED = b"HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: "


def frame(opcode: int, payload: bytes = b"", is_masked: bool = False) -> bytes:
    """One whole frame. Those of clients are masked."""
    mask_bit = 0x80 if is_masked else 0
    if len(payload) < 126:
        length = struct.pack(">B", mask_bit | len(payload))
    elif len(payload) < 1 << 16:
        length = struct.pack(">BH", mask_bit | 126, len(payload))
    else:
        length = struct.pack(">BQ", mask_bit | 127, len(payload))
    if not is_masked:
        return bytes([0x80 | opcode]) + length + payload
    masked = bytes(byte ^ _MASK[at % 4] for at, byte in enumerate(payload))
    return bytes([0x80 | opcode]) + length + _MASK + masked


def reset(writer: asyncio.StreamWriter) -> None:
    """Hangs up with a reset, as a process that is killed does."""
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


class WebSocketServer:
    """Accepts each upgrade, plays `steps`, and writes down what comes."""

    def __init__(self) -> None:
        self.steps: tuple[Step, ...] = ()
        self.received = bytearray()

    async def start(self) -> "WebSocketServer":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def stop(self) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            [protocol] = [line.split(b": ", 1)[1] for line in head.split(b"\r\n") if line.startswith(b"upgrade: ")]
            writer.write(_ACCEPTED + protocol + b"\r\n\r\n")
            playing = asyncio.create_task(self._play(writer))
            while piece := await reader.read(1 << 16):
                self.received += piece
            await playing
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _play(self, writer: asyncio.StreamWriter) -> None:
        for step in self.steps:
            match step:
                case bytes():
                    writer.write(step)
                    await writer.drain()
                case asyncio.Event():
                    await step.wait()
                case float() | int():
                    await asyncio.sleep(step)
                case Ending.FIN:
                    writer.close()
                case Ending.RESET:
                    reset(writer)


class WebSocketClient:
    """A connection that asks for an upgrade."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self.writer = reader, writer

    @classmethod
    async def open(cls, port: int, protocol: bytes = b"websocket") -> tuple["WebSocketClient", int]:
        """Returns the client and the status of the answer."""
        client = cls(*await asyncio.open_connection("127.0.0.1", port))
        client.writer.write(
            b"GET /v1/realtime?model=m HTTP/1.1\r\nhost: llm.example.com\r\nx-conversation-id: c1\r\n"
            b"connection: Upgrade\r\nupgrade: " + protocol + b"\r\nsec-websocket-version: 13\r\n"
            b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        head = await asyncio.wait_for(client._reader.readuntil(b"\r\n\r\n"), WAIT_S_MAX)
        return client, int(head.split(b" ", 2)[1])

    async def read(self, length: int) -> bytes:
        return await asyncio.wait_for(self._reader.readexactly(length), WAIT_S_MAX)

    async def read_to_end(self) -> None:
        """Returns when the other side has closed."""
        with contextlib.suppress(ConnectionError):
            await asyncio.wait_for(self._reader.read(-1), WAIT_S_MAX)
