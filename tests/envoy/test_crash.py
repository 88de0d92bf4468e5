"""What the failure policy of the shipped file does when a VM traps. The filter offers no way to make it trap, so
another module takes its place, which traps when a request has very many headers.
"""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pylib.http1 import HttpError
from tests.envoy.checkout import Checkout
from tests.envoy.model_server import ask

HEADERS_TOO_MANY = 60
# The longest back-off of the shipped file, and a second for a busy machine.
SERVED_AGAIN_S_MAX = 0.1 + 1

I32 = 0x7F
UNREACHABLE, IF, END, LOCAL_GET, I32_CONST, I32_GT_U, NO_RESULT = 0x00, 0x04, 0x0B, 0x20, 0x41, 0x4B, 0x40


def section(number: int, *items: Sequence[Any]) -> bytes:
    body = bytes([len(items)]) + b"".join(bytes(item) for item in items)
    return bytes([number, *leb(len(body))]) + body


def leb(number: int) -> list[int]:
    return [number] if number < 0x80 else [number & 0x7F | 0x80, *leb(number >> 7)]


def exported(name: str, kind: int, index: int) -> list[int]:
    return [len(name), *name.encode(), kind, index]


def function(*code: int) -> list[int]:
    body = [0, *code, END]  # no locals
    return [*leb(len(body)), *body]


def fragile_module() -> bytes:
    """A proxy-wasm filter in WebAssembly's bytes. It lets every request pass, or traps."""
    nothing, allocate, on_headers = range(3)
    return b"\0asm\x01\0\0\0" + b"".join(
        [
            section(1, [0x60, 0, 0], [0x60, 1, I32, 1, I32], [0x60, 3, I32, I32, I32, 1, I32]),
            section(3, [nothing], [allocate], [on_headers]),
            section(5, [0, 1]),  # a page of memory
            section(
                7,
                exported("memory", 2, 0),
                exported("proxy_abi_version_0_2_1", 0, nothing),
                exported("proxy_on_memory_allocate", 0, allocate),
                exported("proxy_on_request_headers", 0, on_headers),
            ),
            section(
                10,
                function(),
                function(I32_CONST, 0),
                function(
                    LOCAL_GET,
                    1,
                    I32_CONST,
                    HEADERS_TOO_MANY // 2,
                    I32_GT_U,
                    IF,
                    NO_RESULT,
                    UNREACHABLE,
                    END,
                    I32_CONST,
                    0,
                ),
            ),
        ]
    )


def crash(port: int) -> None:
    try:
        status, _, _ = ask(port, {f"x-{at}": "x" for at in range(HEADERS_TOO_MANY)})
    except (ConnectionError, HttpError):
        return
    assert status >= 500, "the request that ended the VM"


def test_after_a_crash_the_next_requests_are_served(envoy: Path, checkout: Checkout) -> None:
    module = checkout.folder / "target" / "llm_canary.wasm"
    module.unlink()
    module.write_bytes(fragile_module())
    checkout.start(envoy)
    for _ in range(3):
        assert ask(checkout.port)[0] == 200
        crash(checkout.port)
        began = time.monotonic()
        checkout.wait_until(lambda: ask(checkout.port)[0] == 200, "a request to be served again")
        assert time.monotonic() - began < SERVED_AGAIN_S_MAX
    assert "unreachable" in checkout.log()
