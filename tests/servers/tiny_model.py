"""Writes a tiny random model for llama.cpp. It loads at once, needs no download, and says noise in many scripts.

    python tiny_model.py OUT.gguf

The format is GGUF 3: a head of typed keys, a table of tensors, then their numbers, each tensor on a boundary of 32
bytes. Weights come from a fixed seed, so the file is always the same.
"""

import random
import struct
import sys
from array import array
from collections.abc import Iterator
from typing import Any

WIDTH, HEADS, LAYERS, INNER, CONTEXT_TOKENS = 64, 4, 2, 128, 2048
ALIGNMENT_BYTES = 32
SEED = 0

# Characters of one to four bytes, so that what a client counts as characters is not what it receives as bytes.
WORDS = [
    "well",
    "so",
    "größer",
    "naïve",
    "мир",
    "λόγος",
    "世界",
    "こんにちは",
    "한국어",
    "ไทย",
    "🚀",
    "👩‍🔬",
    "a",
    ",",
    ".",
]
COPIES = 12  # of each word, so that few tokens are single bytes
# Ways to begin a tool call. llama.cpp forces one in the end; with these tokens the model soon gets there.
TOOL_CALL_STARTS = ["<tool_call>", *(f"<tool_call>{space}" for space in (" ", "\n", "\n\n", "\n "))]

# llama.cpp's numbers for the kinds of tokens and of values.
NORMAL, UNKNOWN, CONTROL, BYTE = 1, 2, 3, 6
UINT32, INT32, FLOAT32, STRING, ARRAY = 4, 5, 6, 8, 9
TENSOR_F32 = 0

# Written like the templates of models that can call tools, so that llama.cpp lets this one call some.
TEMPLATE = """\
{% if tools %}system: <tools>{{ tools | tojson }}</tools>
{% endif %}\
{% for message in messages %}{{ message['role'] }}: {{ message['content'] or '' }}\
{% for call in message['tool_calls'] or [] %}\
<tool_call>{"name": "{{ call['function']['name'] }}", \
"arguments": {{ call['function']['arguments'] | tojson }}}</tool_call>\
{% endfor %}
{% endfor %}assistant:"""


def vocabulary() -> list[tuple[str, int]]:
    """(token, kind), the three special ones first."""
    tokens = [("<unk>", UNKNOWN), ("<s>", CONTROL), ("</s>", CONTROL)]
    tokens += [(f"<0x{byte:02X}>", BYTE) for byte in range(256)]
    for copy in range(COPIES):
        # A token is known by its text, so each copy has a number; "▁" stands for the space before a word.
        tokens += [(f"▁{word}{copy or ''}", NORMAL) for word in WORDS]
    return tokens + [(start, NORMAL) for start in TOOL_CALL_STARTS]


def keys(tokens: list[tuple[str, int]]) -> list[tuple[str, int, Any]]:
    """(key, kind, value) of the head; a list's kind is that of its elements."""
    return [
        ("general.architecture", STRING, "llama"),
        ("general.name", STRING, "tiny-noise"),
        ("llama.context_length", UINT32, CONTEXT_TOKENS),
        ("llama.embedding_length", UINT32, WIDTH),
        ("llama.block_count", UINT32, LAYERS),
        ("llama.feed_forward_length", UINT32, INNER),
        ("llama.attention.head_count", UINT32, HEADS),
        ("llama.attention.head_count_kv", UINT32, HEADS),
        ("llama.attention.layer_norm_rms_epsilon", FLOAT32, 1e-5),
        ("llama.rope.dimension_count", UINT32, WIDTH // HEADS),
        ("llama.vocab_size", UINT32, len(tokens)),
        ("tokenizer.ggml.model", STRING, "llama"),
        ("tokenizer.ggml.tokens", STRING, [token for token, _ in tokens]),
        ("tokenizer.ggml.scores", FLOAT32, [0.0] * len(tokens)),
        ("tokenizer.ggml.token_type", INT32, [kind for _, kind in tokens]),
        ("tokenizer.ggml.unknown_token_id", UINT32, 0),
        ("tokenizer.ggml.bos_token_id", UINT32, 1),
        ("tokenizer.ggml.eos_token_id", UINT32, 2),
        ("tokenizer.chat_template", STRING, TEMPLATE),
    ]


def tensors(tokens: int) -> Iterator[tuple[str, tuple[int, ...], "array[float]"]]:
    """(name, dimensions, numbers), the fastest dimension first."""
    dice = random.Random(SEED)

    def noise(*dimensions: int) -> tuple[tuple[int, ...], "array[float]"]:
        count = 1
        for dimension in dimensions:
            count *= dimension
        return dimensions, array("f", (dice.gauss(0, 0.2) for _ in range(count)))

    def ones() -> tuple[tuple[int, ...], "array[float]"]:
        return (WIDTH,), array("f", [1.0] * WIDTH)

    yield "token_embd.weight", *noise(WIDTH, tokens)
    yield "output_norm.weight", *ones()
    yield "output.weight", *noise(WIDTH, tokens)
    for layer in range(LAYERS):
        for name in ("attn_norm", "ffn_norm"):
            yield f"blk.{layer}.{name}.weight", *ones()
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            yield f"blk.{layer}.{name}.weight", *noise(WIDTH, WIDTH)
        for name in ("ffn_gate", "ffn_up"):
            yield f"blk.{layer}.{name}.weight", *noise(WIDTH, INNER)
        yield f"blk.{layer}.ffn_down.weight", *noise(INNER, WIDTH)


def text(value: str) -> bytes:
    encoded = value.encode()
    return struct.pack("<Q", len(encoded)) + encoded


def packed(kind: int, value: Any) -> bytes:
    formats = {UINT32: "<I", INT32: "<i", FLOAT32: "<f"}
    return text(value) if kind == STRING else struct.pack(formats[kind], value)


def key(name: str, kind: int, value: Any) -> bytes:
    if not isinstance(value, list):
        return text(name) + struct.pack("<I", kind) + packed(kind, value)
    head = struct.pack("<IIQ", ARRAY, kind, len(value))
    return text(name) + head + b"".join(packed(kind, element) for element in value)


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % ALIGNMENT_BYTES)


def model() -> bytes:
    tokens = vocabulary()
    head, table, numbers = keys(tokens), [], bytearray()
    for name, dimensions, values in tensors(len(tokens)):
        shape = struct.pack(f"<I{len(dimensions)}Q", len(dimensions), *dimensions)
        table.append(text(name) + shape + struct.pack("<IQ", TENSOR_F32, len(numbers)))
        if sys.byteorder == "big":
            values.byteswap()
        numbers += padded(values.tobytes())
    start = b"GGUF" + struct.pack("<IQQ", 3, len(table), len(head))
    return padded(start + b"".join(key(*entry) for entry in head) + b"".join(table)) + numbers


if __name__ == "__main__":
    with open(sys.argv[1], "wb") as out:
        out.write(model())
