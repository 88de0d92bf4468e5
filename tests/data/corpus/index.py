#!/usr/bin/env python3
"""Writes INDEX.tsv: what each recording here says, read without the code under test.

    python3 tests/data/corpus/index.py > tests/data/corpus/INDEX.tsv

Every recording was written for this repository. The reader below splits a whole body into its documents, parses each
with json, and takes the facts from there, dialect by dialect. Read the difference before you commit it: the facts are
a claim about the recording, not about the filter.

Last non-null usage wins. `text_chars` counts the characters of the answer in all choices, without reasoning, refusals
and arguments of tools. `finish_norm` is stop, length, tool, filter, error or other; of several choices each is named. A
refusal is one in a field of its own, or an answer that a filter stopped. `terminal` says whether a stream showed its
end, and is blank for whole bodies and for dialects without an end.
"""

import base64
import json
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Json = dict[str, Any]

HERE = Path(__file__).parent
COLUMNS = [
    "file",
    "dialect",
    "streaming",
    "status",
    "content_type",
    "output_tokens",
    "input_tokens",
    "cached_tokens",
    "reasoning_tokens",
    "finish_reason",
    "finish_norm",
    "tool_calls",
    "refusal",
    "error",
    "terminal",
    "text_chars",
    "n_choices",
    "n_events",
]
TYPES = {".json": "application/json", ".sse": "text/event-stream", ".ndjson": "application/x-ndjson"}
TYPES[".bin"] = "application/vnd.amazon.eventstream"
# Other than by its ending, or not 200.
STREAMED = {"gemini/gemini-array.json"}
CONTENT_TYPES = {"cohere-v1/answer.ndjson": "application/stream+json"}
STATUSES = {
    "anthropic-messages/overloaded.json": 529,
    "cohere-v2/unauthorized.json": 401,
    "gemini/error.json": 503,
    "openai-chat/unauthorized.json": 401,
    "openai-completions/bad-request.json": 400,
}
FINISHES = {
    "stop": ["stop", "completed", "end_turn", "stop_sequence", "eos_token", "complete", "finish", "finished"],
    "length": ["length", "max_tokens", "max_output_tokens"],
    "tool": ["tool_calls", "tool_use", "tool_call", "function_call"],
    "filter": ["content_filter", "refusal", "safety", "guardrail_intervened", "prohibited_content"],
    "error": ["error", "failed"],
}


def events(body: bytes) -> Iterator[str]:
    """The data of each event."""
    for block in body.decode().replace("\r\n", "\n").split("\n\n"):
        data = [line[5:].removeprefix(" ") for line in block.split("\n") if line.startswith("data:")]
        if data:
            yield "\n".join(data)


def messages(body: bytes) -> Iterator[tuple[dict[str, str], Json]]:
    """The headers and the payload of each of Amazon's binary messages."""
    while body:
        length, of_headers = struct.unpack(">II", body[:8])
        at, headers = 12, {}
        while at < 12 + of_headers:
            name_end = at + 1 + body[at]
            name = body[at + 1 : name_end].decode()
            (size,) = struct.unpack(">H", body[name_end + 1 : name_end + 3])
            at = name_end + 3 + size
            headers[name] = body[name_end + 3 : at].decode()
        yield headers, json.loads(body[at : length - 4])
        body = body[length:]


def documents(path: Path, body: bytes, dialect: str) -> tuple[list[Json], int]:
    """The documents of a body, and how many events they came in."""
    if path.suffix == ".sse":
        data = list(events(body))
        return [json.loads(event) for event in data if event != "[DONE]"], len(data)
    if path.suffix == ".ndjson":
        found = [json.loads(line) for line in body.splitlines()]
        return found, len(found)
    if path.suffix == ".bin":
        found = []
        for headers, payload in messages(body):
            if headers[":message-type"] == "exception":
                payload = {"error": headers[":exception-type"]}
            elif dialect == "bedrock-invoke":
                payload = json.loads(base64.b64decode(payload["bytes"]))
            found.append(payload)
        return found, len(found)
    whole = json.loads(body)
    return whole if isinstance(whole, list) else [whole], len(whole)


class Facts:
    def __init__(self) -> None:
        self.text, self.calls = "", 0
        self.finishes: dict[int, str] = {}
        self.is_refused = self.is_error = self.is_ended = False
        self.tokens: dict[str, int | None] = dict.fromkeys(["input", "output", "cached", "reasoning"])

    def use(self, **tokens: int | None) -> None:
        self.tokens |= {kind: count for kind, count in tokens.items() if count is not None}

    def finish(self, reason: str | None, choice: int = 0) -> None:
        if reason:
            self.finishes[choice] = reason
            self.is_ended = True


def openai_chat(facts: Facts, document: Json) -> None:
    for choice in document.get("choices") or []:
        message = choice.get("delta") or choice.get("message") or {}
        facts.text += message.get("content") or ""
        facts.is_refused |= bool(message.get("refusal"))
        facts.calls += sum(1 for call in message.get("tool_calls") or [] if call.get("id"))
        facts.finish(choice.get("finish_reason"), choice["index"])
    openai_usage(facts, document)


def openai_completions(facts: Facts, document: Json) -> None:
    for choice in document.get("choices") or []:
        facts.text += choice["text"]
        facts.finish(choice["finish_reason"], choice["index"])
    openai_usage(facts, document)


def openai_usage(facts: Facts, document: Json) -> None:
    usage = document.get("usage") or {}
    facts.use(input=usage.get("prompt_tokens"), output=usage.get("completion_tokens"))
    facts.use(cached=(usage.get("prompt_tokens_details") or {}).get("cached_tokens"))
    facts.use(reasoning=(usage.get("completion_tokens_details") or {}).get("reasoning_tokens"))


def openai_responses(facts: Facts, document: Json) -> None:
    kind = document.get("type", "")
    if kind == "response.output_text.delta":
        facts.text += document["delta"]
    response = document.get("response") or (document if document.get("object") == "response" else {})
    if response.get("status") in ("completed", "incomplete", "failed"):
        facts.finish((response.get("incomplete_details") or {}).get("reason") or response["status"])
    facts.is_error |= bool(response.get("error"))
    for item in response.get("output", []):
        facts.calls += item["type"].endswith("_call")
        for part in item.get("content", []):
            facts.is_refused |= part["type"] == "refusal"
            if not kind and part["type"] == "output_text":
                facts.text += part["text"]
    # The last event of a stream need not repeat a call that came before it.
    if kind == "response.output_item.added" and document["item"]["type"].endswith("_call"):
        facts.calls += 1
    usage = response.get("usage") or {}
    facts.use(input=usage.get("input_tokens"), output=usage.get("output_tokens"))
    facts.use(cached=(usage.get("input_tokens_details") or {}).get("cached_tokens"))
    facts.use(reasoning=(usage.get("output_tokens_details") or {}).get("reasoning_tokens"))


def anthropic_messages(facts: Facts, document: Json) -> None:
    message = document.get("message") or document
    blocks = document.get("content") or [document.get("content_block"), document.get("delta")]
    for block in filter(None, blocks):
        kind = block.get("type")
        facts.text += block["text"] if kind in ("text", "text_delta") else ""
        facts.calls += kind == "tool_use"
    usage = message.get("usage") or {}
    facts.use(input=usage.get("input_tokens"), output=usage.get("output_tokens"))
    facts.use(cached=usage.get("cache_read_input_tokens"))
    facts.finish((document.get("delta") or document).get("stop_reason"))


def anthropic_complete(facts: Facts, document: Json) -> None:
    facts.text += document["completion"]
    facts.finish(document["stop_reason"])


def bedrock_converse(facts: Facts, document: Json) -> None:
    for block in document.get("output", {}).get("message", {}).get("content", []):
        facts.text += block.get("text", "")
        facts.calls += "toolUse" in block
    facts.text += document.get("delta", {}).get("text", "")
    facts.calls += "toolUse" in document.get("start", {})
    facts.finish(document.get("stopReason"))
    usage = document.get("usage", {})
    facts.use(input=usage.get("inputTokens"), output=usage.get("outputTokens"))
    facts.use(cached=usage.get("cacheReadInputTokens"))


def bedrock_invoke(facts: Facts, document: Json) -> None:
    facts.text += document.get("generation", "")
    facts.finish(document.get("stop_reason"))
    facts.use(input=document.get("prompt_token_count"), output=document.get("generation_token_count"))
    for result in document.get("results", []):
        facts.text += result["outputText"]
        facts.finish(result["completionReason"])
        facts.use(input=document["inputTextTokenCount"], output=result["tokenCount"])
    metrics = document.get("amazon-bedrock-invocationMetrics", {})
    facts.use(input=metrics.get("inputTokenCount"), output=metrics.get("outputTokenCount"))


def cohere_v1(facts: Facts, document: Json) -> None:
    facts.text += document.get("text", "")
    facts.calls += len(document.get("tool_calls", []))
    facts.finish(document.get("finish_reason"))
    tokens = (document.get("meta") or document.get("response", {}).get("meta", {})).get("tokens", {})
    facts.use(input=tokens.get("input_tokens"), output=tokens.get("output_tokens"))


def cohere_v2(facts: Facts, document: Json) -> None:
    delta = document.get("delta") or document
    message = delta.get("message") or {}
    if isinstance(message, str):  # of an error
        return
    content = message.get("content") or []
    for part in content if isinstance(content, list) else [content]:
        facts.text += part.get("text", "")
    calls = message.get("tool_calls") or []
    facts.calls += sum("id" in call for call in (calls if isinstance(calls, list) else [calls]))
    facts.finish(delta.get("finish_reason"))
    usage = delta.get("usage", {})
    facts.use(**{kind: usage.get("tokens", {}).get(f"{kind}_tokens") for kind in ("input", "output")})
    facts.use(cached=usage.get("cached_tokens"))


def gemini(facts: Facts, document: Json) -> None:
    for candidate in document.get("candidates", []):
        for part in candidate.get("content", {}).get("parts", []):
            facts.text += "" if part.get("thought") else part.get("text", "")
            facts.calls += "functionCall" in part
        facts.finish(candidate.get("finishReason"), candidate["index"])
    facts.finish(document.get("promptFeedback", {}).get("blockReason"))
    usage = document.get("usageMetadata", {})
    facts.use(input=usage.get("promptTokenCount"), output=usage.get("candidatesTokenCount"))
    facts.use(cached=usage.get("cachedContentTokenCount"), reasoning=usage.get("thoughtsTokenCount"))


def gemini_interactions(facts: Facts, document: Json) -> None:
    interaction = document.get("interaction") or document
    for step in interaction.get("steps", []):
        parts = step.get("content", []) if step["type"] == "model_output" else []
        facts.text += "".join(part["text"] for part in parts)
    delta = document.get("delta", {})
    facts.text += delta["text"] if delta.get("type") == "text" else ""
    if interaction.get("status") == "completed":
        facts.finish("completed")
    usage = interaction.get("usage", {})
    facts.use(input=usage.get("total_input_tokens"), output=usage.get("total_output_tokens"))
    facts.use(cached=usage.get("total_cached_tokens"), reasoning=usage.get("total_thought_tokens"))


def ollama(facts: Facts, document: Json) -> None:
    message = document.get("message", {})
    facts.text += message.get("content") or document.get("response", "")
    facts.calls += len(message.get("tool_calls", []))
    facts.finish(document.get("done_reason"))
    facts.use(input=document.get("prompt_eval_count"), output=document.get("eval_count"))


def tgi(facts: Facts, document: Json) -> None:
    token = document.get("token")
    if token:
        facts.text += "" if token["special"] else token["text"]
    else:
        facts.text += document.get("generated_text") or ""
    details = document.get("details") or {}
    facts.finish(details.get("finish_reason"))
    facts.use(output=details.get("generated_tokens"), input=details.get("input_length"))


def sglang(facts: Facts, document: Json) -> None:
    facts.text = document["text"]
    meta = document["meta_info"]
    facts.finish((meta["finish_reason"] or {}).get("type"))
    facts.use(input=meta["prompt_tokens"], output=meta["completion_tokens"], cached=meta["cached_tokens"])


def triton(facts: Facts, document: Json) -> None:
    facts.text += document.get("text_output", "")


def llama_cpp(facts: Facts, document: Json) -> None:
    facts.text += document["content"]
    facts.finish({"eos": "stop", "limit": "length"}.get(document.get("stop_type", "")))
    facts.use(input=document["tokens_evaluated"], output=document["tokens_predicted"])
    facts.use(cached=document.get("timings", {}).get("cache_n"))


def mistral_conversations(facts: Facts, document: Json) -> None:
    kind = document.get("type", "")
    entries = document.get("outputs") or ([document] if kind == "message.output.delta" else [])
    for entry in entries:
        content = entry.get("content") or []
        for chunk in content if isinstance(content, list) else [content]:
            facts.text += chunk if isinstance(chunk, str) else chunk.get("text", "")
        facts.calls += entry["type"] == "function.call"
    # Each fragment has the call's name. Only the first does not continue an object.
    facts.calls += kind == "function.call.delta" and document["arguments"].startswith("{")
    facts.is_ended |= kind == "conversation.response.done"
    openai_usage(facts, document)


def workers_ai(facts: Facts, document: Json) -> None:
    answer = document.get("result") or document
    facts.text += answer["response"] or ""
    facts.calls += len(answer.get("tool_calls", []))
    openai_usage(facts, answer)


def kserve_v1(facts: Facts, document: Json) -> None:
    for prediction in document["predictions"]:
        facts.text += prediction if isinstance(prediction, str) else prediction["generated_text"]


def row(path: Path) -> dict[str, object]:
    file, dialect = path.relative_to(HERE).as_posix(), path.parent.name
    body, status = path.read_bytes(), STATUSES.get(file, 200)
    is_stream = path.suffix != ".json" or file in STREAMED
    found, count = documents(path, body, dialect)
    facts = Facts()
    facts.is_error = status >= 400
    for document in found:
        facts.is_error |= bool(document.get("error")) or document.get("type") == "error"
        globals()[dialect.replace("-", "_")](facts, document)
    facts.is_ended |= facts.is_error or b"[DONE]" in body
    norms = {
        norm
        for reason in facts.finishes.values()
        for norm in [next((norm for norm, words in FINISHES.items() if reason.lower() in words), "other")]
    }
    yes_no = {True: "y", False: "n"}
    # A recording without a word for its end, in a dialect that has none.
    terminal = "" if not is_stream or dialect == "triton" else yes_no[facts.is_ended and not facts.is_error]
    return {
        "file": file,
        "dialect": dialect,
        "streaming": yes_no[is_stream],
        "status": status,
        "content_type": CONTENT_TYPES.get(file, TYPES[path.suffix]),
        **{f"{kind}_tokens": "" if count is None else count for kind, count in facts.tokens.items()},
        "finish_reason": "|".join(str(reason) for _, reason in sorted(facts.finishes.items())),
        "finish_norm": "|".join(sorted(norms)),
        "tool_calls": facts.calls,
        "refusal": yes_no[facts.is_refused or "filter" in norms],
        "error": yes_no[facts.is_error],
        "terminal": terminal,
        "text_chars": len(facts.text),
        "n_choices": max(len(facts.finishes), 1),
        "n_events": count if is_stream else "",
    }


def main() -> None:
    sys.stdout.write("\t".join(COLUMNS) + "\n")
    for path in sorted(HERE.glob("*/*")):
        cells = row(path)
        sys.stdout.write("\t".join(str(cells[column]) for column in COLUMNS) + "\n")


if __name__ == "__main__":
    main()
