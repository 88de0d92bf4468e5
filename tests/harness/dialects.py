"""The APIs of vendors: an answer → the documents that each sends, by its own documentation.

tests/harness/engines.py has those of inference servers.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from tests.harness.answers import Answer, Asked, Call, Dialect, Finish, Has, Stream, alternating, pieces
from tests.harness.wire import Document, array, chunk_messages, event_stream, lines, messages

Object = dict[str, Any]

MODEL = "chat-large"
SCHEMA: Object = {"type": "object", "properties": {"city": {"type": "string"}}}
DONE = Document("[DONE]")


def given(**fields: Any) -> Object:
    """The fields that are not empty."""
    return {name: value for name, value in fields.items() if value}


# --- OpenAI: chat completions, completions, Responses


def function(name: str) -> Object:
    return {"type": "function", "function": {"name": name, "description": "…", "parameters": SCHEMA}}


def ask_chat(asked: Asked) -> Object:
    schema = {"type": "json_schema", "json_schema": {"name": "a", "schema": SCHEMA}}
    return {
        "model": MODEL,
        "messages": [{"role": "user", "content": "Wie hoch steht der Fluss?"}],
        **given(tools=[function(name) for name in asked.tools]),
        **given(response_format=asked.json and schema),
    }


def _chat_chunk(index: int, delta: Object, finish: str | None = None) -> Document:
    choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}
    return Document({"id": "chatcmpl-1", "object": "chat.completion.chunk", "model": MODEL, "choices": [choice]})


def _chat_deltas(answer: Answer) -> Iterator[Object]:
    yield {"role": "assistant", "content": ""}
    yield from ({"reasoning_content": piece} for piece in pieces(answer.reasoning))
    yield from ({"content": piece} for piece in pieces(answer.text))
    for index, call in enumerate(answer.calls):
        function: Object = {"name": call.name, "arguments": ""}
        yield {"tool_calls": [{"id": f"call_{index}", "type": "function", "index": index, "function": function}]}
        for piece in pieces(call.arguments):
            yield {"tool_calls": [{"index": index, "function": {"arguments": piece}}]}


def stream_chat(answers: Sequence[Answer]) -> Stream:
    deltas = [[_chat_chunk(at, delta) for delta in _chat_deltas(answer)] for at, answer in enumerate(answers)]
    end = [_chat_chunk(at, {}, answer.finish) for at, answer in enumerate(answers)]
    return Stream(alternating(deltas), [*end, DONE])


def whole_chat(answers: Sequence[Answer]) -> Object:
    choices = []
    for at, answer in enumerate(answers):
        calls = [
            {"id": f"call_{i}", "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for i, call in enumerate(answer.calls)
        ]
        content = answer.text if answer.has_text_block else None
        message = {"role": "assistant", "content": content}
        message |= given(reasoning=answer.reasoning, tool_calls=calls)
        choices.append({"index": at, "message": message, "finish_reason": answer.finish})
    return {"id": "chatcmpl-1", "object": "chat.completion", "model": MODEL, "choices": choices}


def ask_completion(asked: Asked) -> Object:
    return {"model": MODEL, "prompt": "Der Fluss", **given(structured_outputs=asked.json and {"json": SCHEMA})}


def _completion(choices: list[Object]) -> Object:
    return {"id": "cmpl-1", "object": "text_completion", "model": MODEL, "choices": choices}


def stream_completion(answers: Sequence[Answer]) -> Stream:
    def chunk(at: int, text: str, finish: str | None = None) -> Document:
        return Document(_completion([{"index": at, "text": text, "logprobs": None, "finish_reason": finish}]))

    deltas = [[chunk(at, piece) for piece in ["", *pieces(answer.text)]] for at, answer in enumerate(answers)]
    return Stream(alternating(deltas), [*(chunk(at, "", answer.finish) for at, answer in enumerate(answers)), DONE])


def whole_completion(answers: Sequence[Answer]) -> Object:
    return _completion(
        [{"text": answer.text, "index": at, "finish_reason": answer.finish} for at, answer in enumerate(answers)]
    )


def ask_responses(asked: Asked) -> Object:
    return {
        "model": MODEL,
        "input": "Wie hoch steht der Fluss?",
        **given(tools=[{"type": "function", "name": name, "parameters": SCHEMA} for name in asked.tools]),
        **given(text=asked.json and {"format": {"type": "json_schema", "name": "a", "schema": SCHEMA}}),
    }


def _response(answer: Answer, output: list[Object], status: str = "") -> Object:
    status = status or ("incomplete" if answer.is_cut else "completed")
    reason = {"reason": "max_output_tokens"} if status == "incomplete" else None
    response = {"id": "resp_1", "object": "response", "status": status, "incomplete_details": reason, "error": None}
    return response | {"model": MODEL, "output": output, "usage": {"input_tokens": 9, "output_tokens": 12}}


def _items(answer: Answer) -> Iterator[Object]:
    if answer.reasoning:
        content = [{"type": "reasoning_text", "text": answer.reasoning}]
        yield {"id": "rs_1", "type": "reasoning", "summary": [], "content": content}
    if answer.has_text_block:
        part = {"type": "output_text", "annotations": [], "text": answer.text}
        yield {"id": "msg_1", "type": "message", "status": "completed", "role": "assistant", "content": [part]}
    for at, call in enumerate(answer.calls):
        ids = {"id": f"fc_{at}", "call_id": f"call_{at}"}
        yield {"type": "function_call", **ids, "name": call.name, "arguments": call.arguments, "status": "completed"}


def stream_responses(answers: Sequence[Answer]) -> Stream:
    [answer] = answers
    events: list[Object] = []

    def add(name: str, **fields: Any) -> None:
        events.append({"type": f"response.{name}", "sequence_number": len(events), **fields})

    items = list(_items(answer))
    add("created", response=_response(answer, [], "in_progress"))
    add("in_progress", response=_response(answer, [], "in_progress"))
    for at, item in enumerate(items):
        place = {"item_id": item["id"], "output_index": at}
        empty: Object = {"content": []} if "content" in item else {"arguments": ""}
        add("output_item.added", output_index=at, item=item | empty | {"status": "in_progress"})
        if item["type"] == "function_call":
            for piece in pieces(item["arguments"]):
                add("function_call_arguments.delta", **place, delta=piece)
            add("function_call_arguments.done", **place, arguments=item["arguments"])
        else:
            [part] = item["content"]
            place["content_index"] = 0
            kind = part["type"]
            add("content_part.added", **place, part=part | {"text": ""})
            for piece in pieces(part["text"]):
                add(f"{kind}.delta", **place, delta=piece)
            add(f"{kind}.done", **place, text=part["text"])
            add("content_part.done", **place, part=part)
        add("output_item.done", output_index=at, item=item)
    add("incomplete" if answer.is_cut else "completed", response=_response(answer, items))
    documents = [Document(event, event["type"]) for event in events]
    return Stream(documents[:-1], documents[-1:])


def whole_responses(answers: Sequence[Answer]) -> Object:
    [answer] = answers
    return _response(answer, list(_items(answer)))


# --- Anthropic

_ANTHROPIC_STOPS = {Finish.STOP: "end_turn", Finish.TOOL_CALLS: "tool_use", Finish.LENGTH: "max_tokens"}


def ask_messages(asked: Asked) -> Object:
    return {
        "model": MODEL,
        "max_tokens": 512,
        "messages": [{"role": "user", "content": "Wie hoch steht der Fluss?"}],
        **given(tools=[{"name": name, "input_schema": SCHEMA} for name in asked.tools]),
        **given(output_config=asked.json and {"format": {"type": "json_schema", "schema": SCHEMA}}),
    }


def _message(answer: Answer, content: list[Object], stop: str | None) -> Object:
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": MODEL, "content": content}
    return message | {"stop_reason": stop, "stop_sequence": None, "usage": {"input_tokens": 9, "output_tokens": 12}}


def _blocks(answer: Answer) -> Iterator[tuple[Object, list[Object]]]:
    """Each block as it starts, and its deltas."""
    if answer.reasoning:
        deltas = [{"type": "thinking_delta", "thinking": piece} for piece in pieces(answer.reasoning)]
        deltas.append({"type": "signature_delta", "signature": "c2ln"})
        yield {"type": "thinking", "thinking": "", "signature": ""}, deltas
    if answer.text:
        yield {"type": "text", "text": ""}, [{"type": "text_delta", "text": piece} for piece in pieces(answer.text)]
    for at, call in enumerate(answer.calls):
        start = {"type": "tool_use", "id": f"toolu_{at}", "name": call.name, "input": {}}
        yield start, [{"type": "input_json_delta", "partial_json": piece} for piece in ["", *pieces(call.arguments)]]


def stream_messages(answers: Sequence[Answer]) -> Stream:
    [answer] = answers
    events: list[Object] = [{"type": "message_start", "message": _message(answer, [], None)}, {"type": "ping"}]
    for at, (start, deltas) in enumerate(_blocks(answer)):
        events.append({"type": "content_block_start", "index": at, "content_block": start})
        events += ({"type": "content_block_delta", "index": at, "delta": delta} for delta in deltas)
        events.append({"type": "content_block_stop", "index": at})
    stop = {"stop_reason": _ANTHROPIC_STOPS[answer.finish], "stop_sequence": None}
    delta: Object = {"type": "message_delta", "delta": stop, "usage": {"output_tokens": 12}}
    documents = [Document(event, event["type"]) for event in [*events, delta, {"type": "message_stop"}]]
    return Stream(documents[: len(events)], documents[len(events) :])


def whole_messages(answers: Sequence[Answer]) -> Object:
    [answer] = answers
    content: list[Object] = []
    if answer.reasoning:
        content.append({"type": "thinking", "thinking": answer.reasoning, "signature": "c2ln"})
    if answer.text:
        content.append({"type": "text", "text": answer.text})
    for at, call in enumerate(answer.calls):
        content.append({"type": "tool_use", "id": f"toolu_{at}", "name": call.name, "input": call.object})
    return _message(answer, content, _ANTHROPIC_STOPS[answer.finish])


def ask_complete(_: Asked) -> Object:
    return {"model": MODEL, "prompt": "\n\nHuman: Wie hoch?\n\nAssistant:", "max_tokens_to_sample": 512}


def _completed(answer: Answer, text: str, is_end: bool) -> Object:
    stop = ("max_tokens" if answer.is_cut else "stop_sequence") if is_end else None
    return {"type": "completion", "id": "compl_1", "completion": text, "stop_reason": stop, "model": MODEL}


def stream_complete(answers: Sequence[Answer]) -> Stream:
    [answer] = answers
    documents = [Document(_completed(answer, piece, False), "completion") for piece in pieces(answer.text)]
    return Stream(documents, [Document(_completed(answer, "", True), "completion")])


def whole_complete(answers: Sequence[Answer]) -> Object:
    [answer] = answers
    return _completed(answer, answer.text, True)


# --- Gemini


def ask_gemini(asked: Asked) -> Object:
    return {
        "contents": [{"role": "user", "parts": [{"text": "Wie hoch steht der Fluss?"}]}],
        **given(tools=asked.tools and [{"functionDeclarations": [{"name": name} for name in asked.tools]}]),
        **given(generationConfig=asked.json and {"responseMimeType": "application/json", "responseSchema": SCHEMA}),
    }


def _candidate(at: int, parts: list[Object], finish: str | None) -> Object:
    content: Object = {**given(parts=parts), "role": "model"}
    return {"content": content, **given(finishReason=finish), "index": at}


def _generated(candidates: list[Object]) -> Object:
    usage = {"promptTokenCount": 9, "candidatesTokenCount": 12, "totalTokenCount": 21}
    return {"candidates": candidates, "usageMetadata": usage, "modelVersion": MODEL, "responseId": "r1"}


def _parts(answer: Answer, reasoning: list[str], text: list[str]) -> list[Object]:
    calls = [{"functionCall": {"name": call.name, "args": call.object}} for call in answer.calls]
    return [
        *({"thought": True, "text": piece} for piece in reasoning if piece),
        *({"text": piece} for piece in text if piece),
        *calls,
    ]


def _gemini_finish(answer: Answer) -> str:
    return "MAX_TOKENS" if answer.is_cut else "STOP"


def stream_gemini(answers: Sequence[Answer]) -> Stream:
    rows = []
    for at, answer in enumerate(answers):
        parts = _parts(answer, pieces(answer.reasoning), pieces(answer.text))
        rows.append([Document(_generated([_candidate(at, [part], None)])) for part in parts])
    end = [_candidate(at, [{"text": ""}], _gemini_finish(answer)) for at, answer in enumerate(answers)]
    return Stream(alternating(rows), [Document(_generated(end))])


def whole_gemini(answers: Sequence[Answer]) -> Object:
    return _generated(
        [
            _candidate(at, _parts(answer, [answer.reasoning], [answer.text]), _gemini_finish(answer))
            for at, answer in enumerate(answers)
        ]
    )


def ask_interactions(asked: Asked) -> Object:
    return {
        "model": MODEL,
        "input": "Wie hoch steht der Fluss?",
        **given(tools=[{"type": "function", "name": name, "parameters": SCHEMA} for name in asked.tools]),
        **given(response_format=asked.json and {"type": "text", "mime_type": "application/json", "schema": SCHEMA}),
    }


def _interaction(answer: Answer, status: str = "", **fields: Any) -> Object:
    done = {Finish.STOP: "completed", Finish.TOOL_CALLS: "requires_action", Finish.LENGTH: "incomplete"}
    usage = {"total_input_tokens": 9, "total_output_tokens": 12}
    status = status or done[answer.finish]
    return {"id": "v1_1", "status": status, "object": "interaction", "model": MODEL, **fields, "usage": usage}


def _steps(answer: Answer) -> Iterator[tuple[Object, list[Object]]]:
    """Each step as it starts, and its deltas."""
    if answer.reasoning:
        texts = [{"type": "text", "text": piece} for piece in pieces(answer.reasoning)]
        yield {"type": "thought"}, [{"type": "thought_summary", "content": text} for text in texts]
    if answer.has_text_block:
        yield {"type": "model_output"}, [{"type": "text", "text": piece} for piece in pieces(answer.text)]
    for at, call in enumerate(answer.calls):
        start = {"type": "function_call", "id": f"call_{at}", "name": call.name, "arguments": {}}
        yield start, [{"type": "arguments_delta", "arguments": piece} for piece in pieces(call.arguments)]


def stream_interactions(answers: Sequence[Answer]) -> Stream:
    [answer] = answers
    running = _interaction(answer, "in_progress")
    events: list[Object] = [{"interaction": running, "event_type": "interaction.created"}]
    for at, (start, deltas) in enumerate(_steps(answer)):
        events.append({"index": at, "step": start, "event_type": "step.start"})
        events += ({"index": at, "delta": delta, "event_type": "step.delta"} for delta in deltas)
        events.append({"index": at, "event_type": "step.stop"})
    events.append({"interaction": _interaction(answer), "event_type": "interaction.completed"})
    documents = [Document(event, event["event_type"]) for event in events]
    return Stream(documents[:-1], [documents[-1], Document("[DONE]", "done")])


def whole_interactions(answers: Sequence[Answer]) -> Object:
    [answer] = answers
    steps: list[Object] = []
    if answer.reasoning:
        steps.append({"type": "thought", "signature": "c2ln", "summary": [{"type": "text", "text": answer.reasoning}]})
    if answer.has_text_block:
        steps.append({"type": "model_output", "content": [{"type": "text", "text": answer.text}]})
    for at, call in enumerate(answer.calls):
        steps.append({"type": "function_call", "id": f"call_{at}", "name": call.name, "arguments": call.object})
    return _interaction(answer, steps=steps)


# --- Bedrock


def ask_converse(asked: Asked) -> Object:
    tools = [{"toolSpec": {"name": name, "inputSchema": {"json": SCHEMA}}} for name in asked.tools]
    schema = {"type": "json_schema", "structure": {"jsonSchema": {"schema": "{}", "name": "a"}}}
    return {
        "messages": [{"role": "user", "content": [{"text": "Wie hoch steht der Fluss?"}]}],
        **given(toolConfig=tools and {"tools": tools}),
        **given(outputConfig=asked.json and {"textFormat": schema}),
    }


_USAGE = {"inputTokens": 9, "outputTokens": 12, "totalTokens": 21}


def _converse_events(answer: Answer) -> Iterator[tuple[str, Object]]:
    """Each event's name, and what is in it."""
    blocks: list[tuple[Object, list[Object]]] = []
    if answer.reasoning:
        blocks.append(({}, [{"reasoningContent": {"text": piece}} for piece in pieces(answer.reasoning)]))
    if answer.text:
        blocks.append(({}, [{"text": piece} for piece in pieces(answer.text)]))
    for at, call in enumerate(answer.calls):
        start = {"toolUse": {"toolUseId": f"tooluse_{at}", "name": call.name}}
        blocks.append((start, [{"toolUse": {"input": piece}} for piece in pieces(call.arguments)]))
    yield "messageStart", {"role": "assistant"}
    for at, (start, deltas) in enumerate(blocks):
        if start:
            yield "contentBlockStart", {"contentBlockIndex": at, "start": start}
        yield from (("contentBlockDelta", {"contentBlockIndex": at, "delta": delta, "p": "abc"}) for delta in deltas)
        yield "contentBlockStop", {"contentBlockIndex": at}


def _converse_end(answer: Answer) -> list[tuple[str, Object]]:
    stop = {"stopReason": _ANTHROPIC_STOPS[answer.finish]}
    return [("messageStop", stop), ("metadata", {"usage": _USAGE, "metrics": {"latencyMs": 20}})]


def stream_converse(answers: Sequence[Answer]) -> Stream:
    [answer] = answers
    documents = [Document(data, name) for name, data in _converse_events(answer)]
    return Stream(documents, [Document(data, name) for name, data in _converse_end(answer)])


def stream_nova(answers: Sequence[Answer]) -> Stream:
    """The same events, each named by a key."""
    [answer] = answers
    documents = [Document({name: data}) for name, data in _converse_events(answer)]
    return Stream(documents, [Document({name: data}) for name, data in _converse_end(answer)])


def whole_converse(answers: Sequence[Answer]) -> Object:
    [answer] = answers
    content: list[Object] = []
    if answer.reasoning:
        content.append({"reasoningContent": {"reasoningText": {"text": answer.reasoning, "signature": "c2ln"}}})
    if answer.text:
        content.append({"text": answer.text})
    for at, call in enumerate(answer.calls):
        content.append({"toolUse": {"toolUseId": f"tooluse_{at}", "name": call.name, "input": call.object}})
    message = {"role": "assistant", "content": content}
    return {"output": {"message": message}, "stopReason": _ANTHROPIC_STOPS[answer.finish], "usage": _USAGE}


def ask_llama(_: Asked) -> Object:
    return {"prompt": "Der Fluss", "max_gen_len": 512}


def _generation(answer: Answer, text: str, is_end: bool) -> Object:
    stop = ("length" if answer.is_cut else "stop") if is_end else None
    return {"generation": text, "prompt_token_count": 9, "generation_token_count": 12, "stop_reason": stop}


def stream_llama(answers: Sequence[Answer]) -> Stream:
    [answer] = answers
    metrics = {"inputTokenCount": 9, "outputTokenCount": 12, "invocationLatency": 20, "firstByteLatency": 9}
    end = _generation(answer, "", True) | {"amazon-bedrock-invocationMetrics": metrics}
    return Stream([Document(_generation(answer, piece, False)) for piece in pieces(answer.text)], [Document(end)])


def whole_llama(answers: Sequence[Answer]) -> Object:
    [answer] = answers
    return _generation(answer, answer.text, True)


# --- Cohere

_COHERE_FINISHES = {Finish.STOP: "COMPLETE", Finish.TOOL_CALLS: "TOOL_CALL", Finish.LENGTH: "MAX_TOKENS"}


def ask_cohere(asked: Asked) -> Object:
    return {
        "model": MODEL,
        "messages": [{"role": "user", "content": "Wie hoch steht der Fluss?"}],
        **given(tools=[function(name) for name in asked.tools]),
        **given(response_format=asked.json and {"type": "json_object", "schema": SCHEMA}),
    }


def _cohere_call(at: int, call: Call, arguments: str) -> Object:
    return {"id": f"call_{at}", "type": "function", "function": {"name": call.name, "arguments": arguments}}


def stream_cohere(answers: Sequence[Answer]) -> Stream:
    [answer] = answers
    events: list[Object] = []
    place = 0

    def add(name: str, **message: Any) -> None:
        events.append({"type": name, "index": place, "delta": {"message": message}})

    events.append({"id": "1", "type": "message-start", "delta": {"message": {"role": "assistant", "content": []}}})
    for kind, text in (("thinking", answer.reasoning), ("text", answer.text)):
        if text:
            add("content-start", content={"type": kind, kind: ""})
            for piece in pieces(text):
                add("content-delta", content={kind: piece})
            events.append({"type": "content-end", "index": place})
            place += 1
    for at, call in enumerate(answer.calls):
        add("tool-call-start", tool_calls=_cohere_call(at, call, ""))
        for piece in pieces(call.arguments):
            add("tool-call-delta", tool_calls={"function": {"arguments": piece}})
        events.append({"type": "tool-call-end", "index": place})
        place += 1
    usage = {"tokens": {"input_tokens": 9, "output_tokens": 12}}
    end = {"type": "message-end", "delta": {"finish_reason": _COHERE_FINISHES[answer.finish], "usage": usage}}
    return Stream([Document(event, event["type"]) for event in events], [Document(end, "message-end"), DONE])


def whole_cohere(answers: Sequence[Answer]) -> Object:
    [answer] = answers
    texts = (("thinking", answer.reasoning), ("text", answer.text))
    content = [{"type": kind, kind: text} for kind, text in texts if text]
    calls = [_cohere_call(at, call, call.arguments) for at, call in enumerate(answer.calls)]
    message = {"role": "assistant", **given(tool_calls=calls), "content": content}
    usage = {"tokens": {"input_tokens": 9, "output_tokens": 12}}
    return {"id": "1", "message": message, "finish_reason": _COHERE_FINISHES[answer.finish], "usage": usage}


def ask_cohere_v1(asked: Asked) -> Object:
    return {
        "model": MODEL,
        "message": "Wie hoch steht der Fluss?",
        **given(tools=[{"name": name, "description": "…", "parameter_definitions": {}} for name in asked.tools]),
        **given(response_format=asked.json and {"type": "json_object", "schema": SCHEMA}),
    }


def whole_cohere_v1(answers: Sequence[Answer]) -> Object:
    [answer] = answers
    calls = [{"name": call.name, "parameters": call.object} for call in answer.calls]
    finish = "MAX_TOKENS" if answer.is_cut else "COMPLETE"
    response = {"response_id": "1", "text": answer.text, "generation_id": "2", "chat_history": []}
    meta = {"tokens": {"input_tokens": 9, "output_tokens": 12}}
    return {**response, "finish_reason": finish, "meta": meta, **given(tool_calls=calls)}


def stream_cohere_v1(answers: Sequence[Answer]) -> Stream:
    [answer] = answers
    whole = whole_cohere_v1(answers)

    def event(name: str, is_finished: bool = False, **fields: Any) -> Document:
        return Document({"is_finished": is_finished, "event_type": name, **fields})

    documents = [event("stream-start", generation_id="2")]
    documents += (event("text-generation", text=piece) for piece in pieces(answer.text))
    if answer.calls:
        documents.append(event("tool-calls-generation", tool_calls=whole["tool_calls"]))
    end = event("stream-end", True, finish_reason=whole["finish_reason"], response=whole)
    return Stream(documents, [end])


# --- Mistral's conversations, Workers AI


def ask_conversation(asked: Asked) -> Object:
    return {
        "model": MODEL,
        "inputs": "Wie hoch steht der Fluss?",
        **given(tools=[function(name) for name in asked.tools]),
        **given(completion_args=asked.json and {"response_format": {"type": "json_object"}}),
    }


def stream_conversation(answers: Sequence[Answer]) -> Stream:
    [answer] = answers
    events: list[Object] = [{"type": "conversation.response.started", "conversation_id": "conv_1"}]
    for piece in pieces(answer.reasoning):
        thinking = {"type": "thinking", "thinking": [{"type": "text", "text": piece}]}
        events.append(_output_delta(0, content_index=0, content=thinking))
    for piece in pieces(answer.text):
        events.append(_output_delta(0, content_index=1, content=piece))
    for at, call in enumerate(answer.calls, start=1):
        ids = {"output_index": at, "id": f"fc_{at}", "name": call.name, "tool_call_id": f"call_{at}"}
        for piece in pieces(call.arguments):
            events.append({"type": "function.call.delta", **ids, "arguments": piece})
    end: Object = {"type": "conversation.response.done", "usage": {"prompt_tokens": 9, "completion_tokens": 12}}
    return Stream([Document(event, event["type"]) for event in events], [Document(end, end["type"])])


def _output_delta(output: int, **fields: Any) -> Object:
    ids = {"output_index": output, "id": "msg_1", "model": MODEL, "role": "assistant"}
    return {"type": "message.output.delta", **ids, **fields}


def whole_conversation(answers: Sequence[Answer]) -> Object:
    [answer] = answers
    outputs: list[Object] = []
    if answer.reasoning or answer.has_text_block:
        content: Any = answer.text
        if answer.reasoning:
            content = [{"type": "thinking", "thinking": [{"type": "text", "text": answer.reasoning}]}]
            content += [{"type": "text", "text": answer.text}] if answer.text else []
        outputs.append({"type": "message.output", "id": "msg_1", "role": "assistant", "content": content})
    for at, call in enumerate(answer.calls):
        ids = {"id": f"fc_{at}", "tool_call_id": f"call_{at}"}
        outputs.append({"type": "function.call", **ids, "name": call.name, "arguments": call.arguments})
    usage = {"prompt_tokens": 9, "completion_tokens": 12}
    return {"object": "conversation.response", "conversation_id": "conv_1", "outputs": outputs, "usage": usage}


def ask_workers(asked: Asked) -> Object:
    return {
        "messages": [{"role": "user", "content": "Wie hoch steht der Fluss?"}],
        **given(tools=[{"name": name, "description": "…", "parameters": SCHEMA} for name in asked.tools]),
        **given(response_format=asked.json and {"type": "json_schema", "json_schema": SCHEMA}),
    }


def stream_workers(answers: Sequence[Answer]) -> Stream:
    [answer] = answers
    documents = [Document({"response": piece, "p": "abcdef"}) for piece in pieces(answer.text)]
    usage = {"prompt_tokens": 9, "completion_tokens": 12, "total_tokens": 21}
    return Stream(documents, [Document({"response": "", "usage": usage}), DONE])


def whole_workers(answers: Sequence[Answer]) -> Object:
    [answer] = answers
    calls = [{"name": call.name, "arguments": call.object} for call in answer.calls]
    result = {"response": answer.text if answer.has_text_block else None, **given(tool_calls=calls)}
    result["usage"] = {"prompt_tokens": 9, "completion_tokens": 12, "total_tokens": 21}
    return {"result": result, "success": True, "errors": [], "messages": []}


_TOOLS = Has.CALLS | Has.JSON
_ALL = Has.REASONING | _TOOLS | Has.FINISH | Has.END

BINARY = "application/vnd.amazon.eventstream"

DIALECTS = [
    Dialect(
        "openai-chat",
        "openai-chat",
        "/v1/chat/completions",
        ask_chat,
        _ALL | Has.TEXT_ARGUMENTS | Has.CHOICES,
        whole_chat,
        stream_chat,
    ),
    Dialect(
        "openai-completions",
        "openai-completions",
        "/v1/completions",
        ask_completion,
        Has.JSON | Has.FINISH | Has.END | Has.CHOICES,
        whole_completion,
        stream_completion,
    ),
    Dialect(
        "openai-responses",
        "openai-responses",
        "/v1/responses",
        ask_responses,
        _ALL | Has.TEXT_ARGUMENTS,
        whole_responses,
        stream_responses,
    ),
    Dialect(
        "anthropic-messages",
        "anthropic-messages",
        "/v1/messages",
        ask_messages,
        _ALL,
        whole_messages,
        stream_messages,
        only_streamed=Has.TEXT_ARGUMENTS,
    ),
    Dialect(
        "anthropic-complete",
        "anthropic-complete",
        "/v1/complete",
        ask_complete,
        Has.FINISH | Has.END,
        whole_complete,
        stream_complete,
        event_stream(b"\r\n"),
    ),
    Dialect(
        "gemini",
        "gemini",
        "/v1beta/models/m:streamGenerateContent?alt=sse",
        ask_gemini,
        _ALL | Has.CHOICES,
        whole_gemini,
        stream_gemini,
        event_stream(b"\r\n"),
    ),
    Dialect(
        "gemini-array",
        "gemini",
        "/v1beta/models/m:streamGenerateContent",
        ask_gemini,
        _ALL | Has.CHOICES,
        None,
        stream_gemini,
        array,
        "application/json",
    ),
    Dialect(
        "gemini-interactions",
        "gemini-interactions",
        "/v1beta/interactions",
        ask_interactions,
        _ALL,
        whole_interactions,
        stream_interactions,
        only_streamed=Has.TEXT_ARGUMENTS,
    ),
    Dialect(
        "bedrock-converse",
        "bedrock-converse",
        "/model/m/converse-stream",
        ask_converse,
        _ALL,
        whole_converse,
        stream_converse,
        messages,
        BINARY,
        only_streamed=Has.TEXT_ARGUMENTS,
    ),
    Dialect(
        "bedrock-invoke-anthropic",
        "anthropic-messages",
        "/model/m/invoke-with-response-stream",
        ask_messages,
        _ALL,
        whole_messages,
        stream_messages,
        chunk_messages,
        BINARY,
        only_streamed=Has.TEXT_ARGUMENTS,
    ),
    Dialect(
        "bedrock-invoke-nova",
        "bedrock-converse",
        "/model/m/invoke-with-response-stream",
        ask_converse,
        _ALL,
        whole_converse,
        stream_nova,
        chunk_messages,
        BINARY,
        only_streamed=Has.TEXT_ARGUMENTS,
    ),
    Dialect(
        "bedrock-invoke-llama",
        "bedrock-invoke",
        "/model/m/invoke-with-response-stream",
        ask_llama,
        Has.FINISH | Has.END,
        whole_llama,
        stream_llama,
        chunk_messages,
        BINARY,
    ),
    Dialect(
        "cohere-v2",
        "cohere-v2",
        "/v2/chat",
        ask_cohere,
        _ALL | Has.TEXT_ARGUMENTS,
        whole_cohere,
        stream_cohere,
    ),
    Dialect(
        "cohere-v1",
        "cohere-v1",
        "/v1/chat",
        ask_cohere_v1,
        _TOOLS | Has.FINISH | Has.END,
        whole_cohere_v1,
        stream_cohere_v1,
        lines,
        "application/stream+json",
    ),
    Dialect(
        "mistral-conversations",
        "mistral-conversations",
        "/v1/conversations",
        ask_conversation,
        Has.REASONING | _TOOLS | Has.TEXT_ARGUMENTS | Has.END,
        whole_conversation,
        stream_conversation,
    ),
    Dialect(
        "workers-ai",
        "workers-ai",
        "/client/v4/accounts/a/ai/run/m",
        ask_workers,
        Has.END,
        whole_workers,
        stream_workers,
        only_whole=_TOOLS,
    ),
]
