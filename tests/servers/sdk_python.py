"""The official OpenAI and Anthropic clients in Python. They ask a server, and return what they report of its answers.

js/sdk.mjs does the same in JavaScript. An ask is {api, stream, usage, tools, conversation, prompt, seed, max_tokens}. A
view of its answer is {version, stream, finish, chars, input, cached_input, output, tool_calls}, and for a streamed chat
also {chunks}: how many there were.
"""

from typing import Any

import anthropic
import openai

from tests.servers.views import Ask, View

MODEL = "tiny"
CITY = {"type": "object", "properties": {"city": {"type": "string", "enum": ["Bern", "Zürich"]}}, "required": ["city"]}


def run(base_url: str, asks: list[Ask]) -> list[View]:
    """The views, in the order of the asks."""
    with (
        openai.OpenAI(base_url=f"{base_url}/v1", api_key="none", max_retries=0) as openai_client,
        anthropic.Anthropic(base_url=base_url, api_key="none", max_retries=0) as anthropic_client,
    ):
        clients = {"chat": openai_client, "completions": openai_client, "responses": openai_client}
        return [_view(clients.get(ask["api"], anthropic_client), ask) for ask in asks]


def _view(client: Any, ask: Ask) -> View:
    raw = _APIS[ask["api"]](client, ask, {"x-conversation-id": ask["conversation"]})
    answer = raw.parse()
    facts = _READERS[ask["api"], ask["stream"]](answer)
    return {"version": raw.headers["x-llm-version"], "stream": ask["stream"], **facts}


def _ask_chat(client: Any, ask: Ask, headers: dict[str, str]) -> Any:
    tool = {"type": "function", "function": {"name": "look_up", "parameters": CITY}}
    return client.chat.completions.with_raw_response.create(
        model=MODEL,
        messages=[{"role": "user", "content": ask["prompt"]}],
        max_tokens=ask["max_tokens"],
        seed=ask["seed"],
        extra_headers=headers,
        stream=ask["stream"],
        **({"tools": [tool], "tool_choice": "required"} if ask["tools"] else {}),
        **({"stream_options": {"include_usage": True}} if ask["stream"] and ask["usage"] else {}),
    )


def _ask_completions(client: Any, ask: Ask, headers: dict[str, str]) -> Any:
    return client.completions.with_raw_response.create(
        model=MODEL,
        prompt=ask["prompt"],
        max_tokens=ask["max_tokens"],
        seed=ask["seed"],
        extra_headers=headers,
        stream=ask["stream"],
        **({"stream_options": {"include_usage": True}} if ask["stream"] and ask["usage"] else {}),
    )


def _ask_responses(client: Any, ask: Ask, headers: dict[str, str]) -> Any:
    tool = {"type": "function", "name": "look_up", "parameters": CITY, "strict": False}
    return client.responses.with_raw_response.create(
        model=MODEL,
        input=ask["prompt"],
        max_output_tokens=ask["max_tokens"],
        extra_headers=headers,
        stream=ask["stream"],
        **({"tools": [tool], "tool_choice": "required"} if ask["tools"] else {}),
    )


def _ask_messages(client: Any, ask: Ask, headers: dict[str, str]) -> Any:
    tool = {"name": "look_up", "input_schema": CITY}
    return client.messages.with_raw_response.create(
        model=MODEL,
        messages=[{"role": "user", "content": ask["prompt"]}],
        max_tokens=ask["max_tokens"],
        extra_headers=headers,
        stream=ask["stream"],
        **({"tools": [tool], "tool_choice": {"type": "any"}} if ask["tools"] else {}),
    )


def _openai_facts(text: str, finish: str, usage: Any, tool_calls: int = 0) -> View:
    tokens = {"input": 0, "cached_input": 0, "output": 0}
    if usage is not None:
        tokens["input"], tokens["output"] = usage.prompt_tokens, usage.completion_tokens
        tokens["cached_input"] = usage.prompt_tokens_details.cached_tokens
    return {"chars": len(text), "finish": finish, "tool_calls": tool_calls, **tokens}


def _only(found: list[Any]) -> Any:
    assert len(found) <= 1
    return found[0] if found else None


def _chat_whole(answer: Any) -> View:
    [choice] = answer.choices
    calls = len(choice.message.tool_calls or [])
    return _openai_facts(choice.message.content or "", choice.finish_reason, answer.usage, calls)


def _chat_stream(chunks: Any) -> View:
    chunks = list(chunks)
    choices = [choice for chunk in chunks for choice in chunk.choices]
    text = "".join(choice.delta.content or "" for choice in choices)
    [finish] = [choice.finish_reason for choice in choices if choice.finish_reason]
    usage = _only([chunk.usage for chunk in chunks if chunk.usage])
    calls = {call.index for choice in choices for call in choice.delta.tool_calls or []}
    return _openai_facts(text, finish, usage, len(calls)) | {"chunks": len(chunks)}


def _completions_whole(answer: Any) -> View:
    [choice] = answer.choices
    return _openai_facts(choice.text, choice.finish_reason, answer.usage)


def _completions_stream(chunks: Any) -> View:
    chunks = list(chunks)
    choices = [choice for chunk in chunks for choice in chunk.choices]
    [finish] = [choice.finish_reason for choice in choices if choice.finish_reason]
    usage = _only([chunk.usage for chunk in chunks if chunk.usage])
    return _openai_facts("".join(choice.text for choice in choices), finish, usage)


def _responses_whole(answer: Any) -> View:
    return {
        "chars": len(answer.output_text),
        "finish": answer.status,
        "input": answer.usage.input_tokens,
        "cached_input": answer.usage.input_tokens_details.cached_tokens,
        "output": answer.usage.output_tokens,
        "tool_calls": sum(item.type == "function_call" for item in answer.output),
    }


def _responses_stream(events: Any) -> View:
    events = list(events)
    facts = _responses_whole(events[-1].response)
    deltas = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    assert len(deltas) == facts["chars"], "the stream's deltas are its answer"
    return facts


def _messages_whole(answer: Any) -> View:
    return {
        "chars": sum(len(block.text) for block in answer.content if block.type == "text"),
        "finish": answer.stop_reason,
        "input": answer.usage.input_tokens,  # of this API, without what came from a cache
        "cached_input": answer.usage.cache_read_input_tokens or 0,
        "output": answer.usage.output_tokens,
        "tool_calls": sum(block.type == "tool_use" for block in answer.content),
    }


def _messages_stream(events: Any) -> View:
    # llama.cpp leaves the first event out where the first token is only a part of a character.
    facts = {"chars": 0, "tool_calls": 0, "input": 0, "cached_input": 0}
    for event in events:
        match event.type:
            case "message_start":
                usage = event.message.usage
                facts |= {"input": usage.input_tokens, "cached_input": usage.cache_read_input_tokens or 0}
            case "content_block_start":
                facts["tool_calls"] += event.content_block.type == "tool_use"
            case "content_block_delta" if event.delta.type == "text_delta":
                facts["chars"] += len(event.delta.text)
            case "message_delta":
                facts |= {"finish": event.delta.stop_reason, "output": event.usage.output_tokens}
    return facts


_APIS = {
    "chat": _ask_chat,
    "completions": _ask_completions,
    "responses": _ask_responses,
    "messages": _ask_messages,
}
_READERS = {
    ("chat", False): _chat_whole,
    ("chat", True): _chat_stream,
    ("completions", False): _completions_whole,
    ("completions", True): _completions_stream,
    ("responses", False): _responses_whole,
    ("responses", True): _responses_stream,
    ("messages", False): _messages_whole,
    ("messages", True): _messages_stream,
}
