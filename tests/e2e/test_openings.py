"""Clients that send no id at all: all turns of a conversation are on one version, on whatever Envoy, because each turn
brings the whole history, and its opening with it."""

import json

import pytest
from harness.client import Client, request
from harness.config import config, rollout

TURNS, CONVERSATIONS = 10, 12
SYSTEM = "You are terse."
CACHED = {"cache_control": {"type": "ephemeral"}}


@pytest.fixture(scope="module")
def clients(start_envoy):
    """Of two Envoys. The opening is the only key, or the last, as the path says."""
    only = rollout(name="only", match={"path_prefix": "/only/"}, key=[{"first_message": True}], split={"v2": 50})
    after = rollout(name="after", match={"path_prefix": "/after/"}, split={"v2": 50})
    after["key"] = [{"header": "x-conversation-id"}, {"body": "/user"}, {"first_message": True}]
    return [Client(start_envoy(config(only, after)).port) for _ in range(2)]


def text(said, kind, cached=False):
    """As a string, or in parts, the last of them marked for the prompt cache."""
    if kind == "string":
        return said
    half = len(said) // 2
    parts = [{"type": "text", "text": said[:half]}, {"type": "text", "text": said[half:]}]
    if cached:
        parts[-1] |= CACHED
    return parts


def openai_chat(opening, turn, kind):
    """The history at a turn; the cache's marker moves on to the last message."""
    messages = [{"role": "system", "content": text(SYSTEM, kind)}]
    for at in range(turn + 1):
        said = opening if at == 0 else f"and then, {at}?"
        messages.append({"role": "user", "content": text(said, kind, cached=at == turn)})
        if at < turn:
            messages.append({"role": "assistant", "content": f"answer {at}"})
    return {"model": "chat-large", "stream": False, "messages": messages}


def anthropic(opening, turn, kind):
    """The same; this client sends the system's text last, and always marked."""
    chat = openai_chat(opening, turn, kind)
    system = [{"type": "text", "text": SYSTEM, **(CACHED if turn % 2 else {})}] if kind == "parts" else SYSTEM
    return {"model": "m", "max_tokens": 9, "messages": chat["messages"][1:], "system": system}


def gemini(opening, turn, kind):
    chat = openai_chat(opening, turn, kind)["messages"][1:]
    roles = {"user": "user", "assistant": "model"}

    def parts(content):
        texts = [content] if isinstance(content, str) else [part["text"] for part in content]
        return [{"text": text} for text in texts]

    contents = [{"role": roles[message["role"]], "parts": parts(message["content"])} for message in chat]
    return {"systemInstruction": {"parts": [{"text": SYSTEM}]}, "contents": contents}


async def versions(client, body, credential=b"Bearer a", path=b"/only/v1"):
    raw = request(target=path, headers=[(b"authorization", credential)], body=json.dumps(body).encode())
    exchange = await client.send(raw)
    assert exchange.status == 200
    return exchange.header(b"x-llm-version")


@pytest.mark.parametrize("kind", ["string", "parts"])
@pytest.mark.parametrize("api", [openai_chat, anthropic, gemini])
@pytest.mark.parametrize("path", [b"/only/v1", b"/after/v1"])
async def test_ten_turns_on_one_version(clients, api, kind, path):
    seen = {}
    for number in range(CONVERSATIONS):
        opening = f"Hello, this is number {number} of {api.__name__}."
        seen[number] = {
            await versions(clients[turn % 2], api(opening, turn, kind), path=path) for turn in range(TURNS)
        }
    assert all(len(versions) == 1 for versions in seen.values()), seen
    assert set.union(*seen.values()) == {b"v1", b"v2"}


async def test_text_in_a_string_and_in_parts_is_the_same(clients):
    """A client that begins to mark its prompt for the cache turns strings into parts."""
    for number in range(CONVERSATIONS):
        for api in [openai_chat, anthropic]:
            turns = [api(f"Hello {number}", turn, ["string", "parts"][turn % 2]) for turn in range(4)]
            assert len({await versions(clients[turn % 2], body) for turn, body in enumerate(turns)}) == 1


async def test_other_callers_and_other_openings_are_other_conversations(clients):
    """Everybody says hello: whose hello it is decides."""
    callers = [b"Bearer %d" % at for at in range(40)]
    of_callers = [await versions(clients[0], openai_chat("Hello", 0, "string"), caller) for caller in callers]
    again = [await versions(clients[1], openai_chat("Hello", 3, "parts"), caller) for caller in callers]
    assert of_callers == again and 8 <= of_callers.count(b"v2") <= 32
    openings = [openai_chat(f"Hello {at}", 0, "string") for at in range(40)]
    of_openings = [await versions(clients[0], body) for body in openings]
    assert 8 <= of_openings.count(b"v2") <= 32


async def test_what_has_no_opening_is_keyless(clients):
    for body in [{}, {"messages": []}, {"messages": [{"role": "user", "content": ""}]}, {"prompt": "hello"}]:
        assert await versions(clients[0], body) == b"v1"
