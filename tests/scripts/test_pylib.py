"""What the demo and the tests share: reading responses in any pieces, and Prometheus text."""

import socket
import threading
from collections.abc import Iterator

import pytest

from pylib.http1 import HttpError, Response, get, request, send
from pylib.prometheus import Snapshot

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
SIZED = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nx-a: 1\r\n\r\nabcde"
CONTINUED = b"HTTP/1.1 100 Continue\r\n\r\n" + SIZED
WITHOUT_BODY = b"HTTP/1.1 204 No Content\r\n\r\n"


@pytest.mark.parametrize(
    ("raw", "status", "body"), [(CHUNKED, 200, b"abcde"), (SIZED, 200, b"abcde"), (WITHOUT_BODY, 204, b"")]
)
def test_a_response_is_read_in_any_pieces(raw: bytes, status: int, body: bytes) -> None:
    for size in range(1, len(raw) + 1):
        response = Response()
        for at in range(0, len(raw), size):
            assert not response.complete
            response.feed(raw[at : at + size])
        assert (response.complete, response.status, bytes(response.body)) == (True, status, body)
        assert response.reusable


def test_a_response_that_runs_to_the_end_of_its_connection() -> None:
    for cleanly in (True, False):
        response = Response()
        response.feed(b"HTTP/1.1 200 OK\r\n\r\nabc")
        assert not response.complete
        response.closed(cleanly)
        assert (response.complete, bytes(response.body), response.reusable) == (cleanly, b"abc", False)


def test_a_response_that_is_cut_is_not_complete() -> None:
    for raw in (CHUNKED, SIZED):
        response = Response()
        response.feed(raw[:-1])
        response.closed(cleanly=True)
        assert not response.complete


def test_an_answer_to_expect_is_no_response() -> None:
    response = Response()
    response.feed(CONTINUED[:30])
    assert response.continues and not response.status
    response.feed(CONTINUED[30:])
    assert response.complete and response.header(b"x-a") == b"1"


@pytest.fixture
def server() -> Iterator[tuple[int, list[bytes]]]:
    """A port, and the list of its answers, one for each connection. The server hangs up after each."""
    answers: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(1 << 16)
                    connection.sendall(answers.pop(0))

        threading.Thread(target=serve, daemon=True).start()
        yield listening.getsockname()[1], answers
        listening.shutdown(socket.SHUT_RDWR)


def test_what_is_no_whole_200_is_an_error_for_get_and_not_for_send(server: tuple[int, list[bytes]]) -> None:
    port, answers = server
    answers += [SIZED, SIZED[:-1], WITHOUT_BODY, b""]
    assert get(port, "/") == b"abcde"
    for _ in range(3):
        with pytest.raises(HttpError):
            get(port, "/")
    answers += [SIZED[:-1], b""]
    cut = send(port, request())
    assert (cut.status, cut.complete, bytes(cut.body)) == (200, False, b"abcd")
    with pytest.raises(HttpError):
        send(port, request())


TEXT = """\
# HELP a_total Of a.
# TYPE a_total counter
a_total{x="1",y="2"} 3
a_total{x="1",y="3"} 4 1700000000000
a_total{x="2",y="2"} 0

b 1e3
c{} 1
d_bucket{le="+Inf"} 5
"""


def test_samples_and_their_sums() -> None:
    snapshot = Snapshot.parse(TEXT)
    assert snapshot.sum("a_total") == 7 and snapshot.sum("a_total", x="1", y="3") == 4
    assert snapshot.by("a_total", "x") == {"1": 7} and snapshot.values_by("a_total", "x") == {"1": 7, "2": 0}
    assert (snapshot.sum("b"), snapshot.sum("c"), snapshot.sum("none")) == (1000, 1, 0)
    assert snapshot.values_by("d_bucket", "le") == {"+Inf": 5}
    assert (snapshot - snapshot).sum("a_total") == 0
    assert snapshot.series("a_") == {key for key in snapshot if key[0] == "a_total"}


def test_labels_may_hold_anything_escaped() -> None:
    assert Snapshot.parse(r'x{a="1, b=\"2\"",c="}",d="\\\n"} 3') == {
        ("x", frozenset({("a", '1, b="2"'), ("c", "}"), ("d", "\\\n")})): 3.0
    }


@pytest.mark.parametrize("line", ["a", "a b", 'a{b="1} 2', "a{b=1} 2", 'a{b="1"c="2"} 3', "1a 2"])
def test_what_is_no_sample_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="not a Prometheus sample"):
        Snapshot.parse(line)
