"""Clients that send no id at all. All turns of a conversation have one version, on any Envoy, because each turn sends
the whole history, and with it the conversation's opening.
"""

import json
from collections.abc import Callable

import pytest

from pylib.client import Client
from pylib.http1 import request
from tests.harness import Json
from tests.harness.config import config, rollout
from tests.harness.fixtures import StartEnvoy

TURNS, CONVERSATIONS = 10, 12
SYSTEM = "You are terse."
CACHED = {"cache_control": {"type": "ephemeral"}}


@pytest.fixture(scope="module")
def clients(start_envoy: StartEnvoy) -> list[Client]:
    """Clients of two Envoys. The path chooses whether the opening is the only key, or the last one."""
    only = rollout(name="only", match={"path_prefix": "/only/"}, key=[{"first_message": True}], split={"v2": 50})
    after = rollout(name="after", match={"path_prefix": "/after/"}, split={"v2": 50})
    after["key"] = [{"header": "x-conversation-id"}, {"body": "/user"}, {"first_message": True}]
    return [Client(start_envoy(config(only, after)).port) for _ in range(2)]


def text(said: str, kind: str, cached: bool = False) -> str | list[Json]:
    """The text as a string, or in parts, of which the last is marked for the prompt cache."""
    if kind == "string":
        return said
    half = len(said) // 2
    parts: list[Json] = [{"type": "text", "text": said[:half]}, {"type": "text", "text": said[half:]}]
    if cached:
        parts[-1] |= CACHED
    return parts


def openai_chat(opening: str, turn: int, kind: str) -> Json:
    """The history at a turn. The cache's marker moves to the last message."""
    messages = [{"role": "system", "content": text(SYSTEM, kind)}]
    for at in range(turn + 1):
        said = opening if at == 0 else f"and then, {at}?"
        messages.append({"role": "user", "content": text(said, kind, cached=at == turn)})
        if at < turn:
            messages.append({"role": "assistant", "content": f"answer {at}"})
    return {"model": "chat-large", "stream": False, "messages": messages}


def anthropic(opening: str, turn: int, kind: str) -> Json:
    """The same for Anthropic. This client sends the system's text last, and always marked."""
    chat = openai_chat(opening, turn, kind)
    system = [{"type": "text", "text": SYSTEM, **(CACHED if turn % 2 else {})}] if kind == "parts" else SYSTEM
    return {"model": "m", "max_tokens": 9, "messages": chat["messages"][1:], "system": system}


def gemini(opening: str, turn: int, kind: str) -> Json:
    chat = openai_chat(opening, turn, kind)["messages"][1:]
    roles = {"user": "user", "assistant": "model"}

    def parts(content: str | list[Json]) -> list[Json]:
        texts = [content] if isinstance(content, str) else [part["text"] for part in content]
        return [{"text": text} for text in texts]

    contents = [{"role": roles[message["role"]], "parts": parts(message["content"])} for message in chat]
    return {"systemInstruction": {"parts": [{"text": SYSTEM}]}, "contents": contents}


async def versions(
    client: Client, body: Json, credential: bytes = b"Bearer a", path: bytes = b"/only/v1"
) -> bytes | None:
    raw = request(target=path, headers=[(b"authorization", credential)], body=json.dumps(body).encode())
    exchange = await client.send(raw)
    assert exchange.status == 200
    return exchange.header(b"x-llm-version")


@pytest.mark.parametrize("kind", ["string", "parts"])
@pytest.mark.parametrize("api", [openai_chat, anthropic, gemini])
@pytest.mark.parametrize("path", [b"/only/v1", b"/after/v1"])
async def test_ten_turns_on_one_version(
    clients: list[Client], api: Callable[[str, int, str], Json], kind: str, path: bytes
) -> None:
    seen = {}
    for number in range(CONVERSATIONS):
        opening = f"Hello, this is number {number} of {api.__name__}."
        seen[number] = {await versions(clients[turn % 2], api(opening, turn, kind), path=path) for turn in range(TURNS)}
    assert all(len(versions) == 1 for versions in seen.values()), seen
    assert set.union(*seen.values()) == {b"v1", b"v2"}


async def test_text_in_a_string_and_in_parts_is_the_same(clients: list[Client]) -> None:
    """A client that begins to mark its prompt for the cache turns strings into parts."""
    for number in range(CONVERSATIONS):
        for api in [openai_chat, anthropic]:
            turns = [api(f"Hello {number}", turn, ["string", "parts"][turn % 2]) for turn in range(4)]
            assert len({await versions(clients[turn % 2], body) for turn, body in enumerate(turns)}) == 1


async def test_other_callers_and_other_openings_are_other_conversations(clients: list[Client]) -> None:
    """Everybody says hello. The caller's credential tells them apart."""
    callers = [b"Bearer %d" % at for at in range(40)]
    of_callers = [await versions(clients[0], openai_chat("Hello", 0, "string"), caller) for caller in callers]
    again = [await versions(clients[1], openai_chat("Hello", 3, "parts"), caller) for caller in callers]
    assert of_callers == again and 8 <= of_callers.count(b"v2") <= 32
    openings = [openai_chat(f"Hello {at}", 0, "string") for at in range(40)]
    of_openings = [await versions(clients[0], body) for body in openings]
    assert 8 <= of_openings.count(b"v2") <= 32


async def test_what_has_no_opening_is_keyless(clients: list[Client]) -> None:
    bodies: list[Json] = [{}, {"messages": []}, {"messages": [{"role": "user", "content": ""}]}, {"prompt": "hello"}]
    for body in bodies:
        assert await versions(clients[0], body) == b"v1"
