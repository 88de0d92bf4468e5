"""The native APIs of inference servers: an answer → the documents that each sends, by its documentation and code."""

from collections.abc import Sequence
from typing import Any

from tests.harness.answers import Answer, Asked, Dialect, Has, Stream, alternating, pieces
from tests.harness.dialects import DONE, MODEL, SCHEMA, Object
from tests.harness.wire import Document, event_stream, lines

# --- Ollama


def _ask_ollama(asked: Asked, prompt: Object) -> Object:
    function = {"parameters": SCHEMA}
    tools = [{"type": "function", "function": {"name": name, **function}} for name in asked.tools]
    return {
        "model": MODEL,
        **prompt,
        **({"tools": tools} if tools else {}),
        **({"format": SCHEMA} if asked.json else {}),
    }


def ask_ollama_chat(asked: Asked) -> Object:
    return _ask_ollama(asked, {"messages": [{"role": "user", "content": "Wie hoch?"}]})


def ask_ollama_generate(asked: Asked) -> Object:
    return _ask_ollama(asked, {"prompt": "Der Fluss"})


def _ollama(answer: Answer, is_end: bool, **fields: Any) -> Object:
    line = {"model": MODEL, "created_at": "2026-01-01T00:00:00Z", **fields, "done": is_end}
    end = {"done_reason": "length" if answer.is_cut else "stop", "prompt_eval_count": 9, "eval_count": 12}
    return line | (end if is_end else {})


def _ollama_calls(answer: Answer) -> list[Object]:
    return [{"function": {"name": call.name, "arguments": call.object}} for call in answer.calls]


def stream_ollama_chat(answers: Sequence[Answer]) -> Stream:
    [answer] = answers
    assistant = {"role": "assistant"}
    said: list[Object] = [{**assistant, "content": "", "thinking": piece} for piece in pieces(answer.reasoning)]
    said += ({**assistant, "content": piece} for piece in pieces(answer.text))
    said += ({**assistant, "content": "", "tool_calls": [call]} for call in _ollama_calls(answer))
    end = _ollama(answer, True, message={**assistant, "content": ""})
    return Stream([Document(_ollama(answer, False, message=message)) for message in said], [Document(end)])


def whole_ollama_chat(answers: Sequence[Answer]) -> Object:
    [answer] = answers
    message: Object = {"role": "assistant", "content": answer.text}
    message |= {"thinking": answer.reasoning} if answer.reasoning else {}
    message |= {"tool_calls": _ollama_calls(answer)} if answer.calls else {}
    return _ollama(answer, True, message=message)


def stream_ollama_generate(answers: Sequence[Answer]) -> Stream:
    [answer] = answers
    said = [{"response": "", "thinking": piece} for piece in pieces(answer.reasoning)]
    said += ({"response": piece} for piece in pieces(answer.text))
    end = _ollama(answer, True, response="")
    return Stream([Document(_ollama(answer, False, **fields)) for fields in said], [Document(end)])


def whole_ollama_generate(answers: Sequence[Answer]) -> Object:
    [answer] = answers
    thinking = {"thinking": answer.reasoning} if answer.reasoning else {}
    return _ollama(answer, True, response=answer.text, **thinking)


# --- TGI


def ask_tgi(asked: Asked) -> Object:
    grammar = {"grammar": {"type": "json", "value": SCHEMA}} if asked.json else {}
    return {"inputs": "Der Fluss", "parameters": {"max_new_tokens": 512, **grammar}}


def _tgi_finish(answer: Answer) -> Object:
    return {"finish_reason": "length" if answer.is_cut else "eos_token", "generated_tokens": 12, "seed": None}


def stream_tgi(answers: Sequence[Answer]) -> Stream:
    [answer] = answers

    def token(text: str, is_special: bool, **fields: Any) -> Document:
        said = {"id": 7, "text": text, "logprob": -0.5, "special": is_special}
        return Document({"index": 1, "token": said, **({"generated_text": None, "details": None} | fields)})

    end = token("</s>", True, generated_text=answer.text, details=_tgi_finish(answer))
    return Stream([token(piece, False) for piece in pieces(answer.text)], [end])


def whole_tgi(answers: Sequence[Answer]) -> Object:
    [answer] = answers
    return {"generated_text": answer.text, "details": {**_tgi_finish(answer), "prefill": [], "tokens": []}}


# --- SGLang


def ask_sglang(asked: Asked) -> Object:
    schema = {"json_schema": "{}"} if asked.json else {}
    return {"text": "Der Fluss", "sampling_params": {"max_new_tokens": 512, **schema}}


def _sglang(answer: Answer, text: str, is_end: bool) -> Object:
    finish = (
        ({"type": "length", "length": 512} if answer.is_cut else {"type": "stop", "matched": 2}) if is_end else None
    )
    meta = {"id": "a", "finish_reason": finish, "prompt_tokens": 9, "completion_tokens": 12, "cached_tokens": 0}
    return {"text": text, "meta_info": meta}


def _stream_sglang(answers: Sequence[Answer], is_cumulative: bool) -> Stream:
    def event(at: int, text: str, is_end: bool = False) -> Document:
        index = {"index": at} if len(answers) > 1 else {}
        return Document({**_sglang(answers[at], text, is_end), **index})

    rows = []
    for at, answer in enumerate(answers):
        cut = pieces(answer.text)
        texts = ["".join(cut[: count + 1]) for count in range(len(cut))] if is_cumulative else cut
        rows.append([event(at, text) for text in texts])
    end = [event(at, answer.text if is_cumulative else "", True) for at, answer in enumerate(answers)]
    return Stream(alternating(rows), [*end, DONE])


def stream_sglang(answers: Sequence[Answer]) -> Stream:
    return _stream_sglang(answers, is_cumulative=True)


def stream_sglang_incremental(answers: Sequence[Answer]) -> Stream:
    """With the server's option `--incremental-streaming-output`."""
    return _stream_sglang(answers, is_cumulative=False)


def whole_sglang(answers: Sequence[Answer]) -> Any:
    """A list of prompts gets a list."""
    bodies = [_sglang(answer, answer.text, True) for answer in answers]
    return bodies if len(bodies) > 1 else bodies[0]


# --- Triton, KServe


def ask_triton(_: Asked) -> Object:
    return {"text_input": "Der Fluss", "parameters": {"stream": True}}


def _triton(text: str) -> Object:
    return {"model_name": "llm", "model_version": "1", "text_output": text}


def stream_triton(answers: Sequence[Answer]) -> Stream:
    """Nothing says that it is complete."""
    [answer] = answers
    return Stream([Document(_triton(piece)) for piece in pieces(answer.text)], [Document(_triton(""))])


def whole_triton(answers: Sequence[Answer]) -> Object:
    [answer] = answers
    return _triton(answer.text)


def ask_infer(_: Asked) -> Object:
    return {"inputs": [{"name": "text_input", "datatype": "BYTES", "shape": [1], "data": ["Der Fluss"]}]}


def whole_infer(answers: Sequence[Answer]) -> Object:
    texts = [answer.text for answer in answers]
    output = {"name": "text_output", "datatype": "BYTES", "shape": [len(texts)], "data": texts}
    return {"model_name": "llm", "model_version": "1", "outputs": [output]}


def ask_predict(_: Asked) -> Object:
    return {"instances": ["Der Fluss"]}


def whole_predict(answers: Sequence[Answer]) -> Object:
    return {"predictions": [answer.text for answer in answers]}


def whole_predict_items(answers: Sequence[Answer]) -> Object:
    return {"model_name": "llm", "predictions": [{"generated_text": answer.text} for answer in answers]}


# --- llama.cpp


def ask_llama_cpp(asked: Asked) -> Object:
    return {"prompt": "Der Fluss", "n_predict": 512, **({"json_schema": SCHEMA} if asked.json else {})}


def _llama_cpp(at: int, content: str, is_end: bool = False) -> Object:
    return {"index": at, "content": content, "tokens": [7], "stop": is_end, "id_slot": 0, "tokens_evaluated": 9}


def _llama_cpp_end(at: int, answer: Answer, content: str) -> Object:
    stop = {"stop_type": "limit" if answer.is_cut else "eos", "stopping_word": "", "tokens_predicted": 12}
    return {**_llama_cpp(at, content, True), "model": MODEL, "prompt": "Der Fluss", "truncated": False, **stop}


def stream_llama_cpp(answers: Sequence[Answer]) -> Stream:
    rows = [[Document(_llama_cpp(at, piece)) for piece in pieces(answer.text)] for at, answer in enumerate(answers)]
    end = [Document(_llama_cpp_end(at, answer, "")) for at, answer in enumerate(answers)]
    return Stream(alternating(rows), end)


def whole_llama_cpp(answers: Sequence[Answer]) -> Any:
    """A list of prompts gets a list."""
    bodies = [_llama_cpp_end(at, answer, answer.text) for at, answer in enumerate(answers)]
    return bodies if len(bodies) > 1 else bodies[0]


_TEXT = Has.FINISH | Has.END
_ENGINE = Has.JSON | _TEXT

ENGINES = [
    Dialect(
        "ollama-chat",
        "ollama",
        "/api/chat",
        ask_ollama_chat,
        _ENGINE | Has.CALLS | Has.REASONING,
        whole_ollama_chat,
        stream_ollama_chat,
        lines,
        "application/x-ndjson",
    ),
    Dialect(
        "ollama-generate",
        "ollama",
        "/api/generate",
        ask_ollama_generate,
        _ENGINE | Has.REASONING,
        whole_ollama_generate,
        stream_ollama_generate,
        lines,
        "application/x-ndjson",
    ),
    Dialect(
        "tgi",
        "tgi",
        "/generate_stream",
        ask_tgi,
        _ENGINE,
        whole_tgi,
        stream_tgi,
        event_stream(space=b""),
    ),
    Dialect(
        "sglang",
        "sglang",
        "/generate",
        ask_sglang,
        _ENGINE | Has.CHOICES,
        whole_sglang,
        stream_sglang,
    ),
    Dialect(
        "sglang-incremental",
        "sglang",
        "/generate",
        ask_sglang,
        _ENGINE | Has.CHOICES,
        None,
        stream_sglang_incremental,
    ),
    Dialect(
        "triton",
        "triton",
        "/v2/models/llm/generate_stream",
        ask_triton,
        Has.NOTHING,
        whole_triton,
        stream_triton,
    ),
    Dialect("kserve-v2", "triton", "/v2/models/llm/infer", ask_infer, Has.CHOICES, whole_infer),
    Dialect("kserve-v1", "kserve-v1", "/v1/models/llm:predict", ask_predict, Has.CHOICES, whole_predict),
    Dialect("kserve-v1-objects", "kserve-v1", "/v1/models/llm:predict", ask_predict, Has.CHOICES, whole_predict_items),
    Dialect(
        "llama-cpp",
        "llama-cpp",
        "/completion",
        ask_llama_cpp,
        _ENGINE | Has.CHOICES,
        whole_llama_cpp,
        stream_llama_cpp,
    ),
]
