#!/usr/bin/env python3
"""Writes buckets.csv: the buckets of keys, by an implementation of murmur3 that is not ours.

    pip install mmh3==5.3.1 && python3 tests/data/buckets.py > tests/data/buckets.csv

The file is frozen: a key that moves to another bucket is a conversation that changes its model. So lines may be added,
but none may change.
"""

import random
from collections.abc import Iterator

import mmh3

PARTS = 1_000_000
SHARDS = 32


def rows() -> Iterator[tuple[str, str, int, int]]:
    draw = random.Random(2026)
    keys = [b"", b"a", b"conversation-1", b"conv_01JD8Z9Q5T5E6V7W8X9Y0Z1A2B", b"0", b"00", b"Key", b"key"]
    keys += [b"019353a8-7c1e-7d2a-9b3c-4d5e6f708192", b"user@example.com", b" padded ", b"a:b", b":"]
    keys += ["对话".encode(), "会話-42".encode(), "대화".encode(), "Gespräch".encode(), "💬".encode()]
    keys += [b"\xff", b"\xff\xfe\xfd", b"a\xffb", b"\x00", b"\x00\x00\x00\x00", b"\x80" * 7]
    keys += [b"x" * n for n in range(1, 21)]
    keys += [b"long" * 64, b"long" * 1024 + b"!", bytes(range(256))]
    keys += [draw.randbytes(n % 40) for n in range(300)]
    for salt in [b"chat", b"", b"summaries-2026", "盐".encode(), b"a:b"]:
        for key in keys:
            place = mmh3.hash(salt + b":" + key, 0, signed=False) * PARTS >> 32
            shard = mmh3.hash(key, 2, signed=False) * SHARDS >> 32
            yield salt.hex(), key.hex(), place, shard


if __name__ == "__main__":
    print("salt_hex,key_hex,bucket,shard")
    for row in rows():
        print(*row, sep=",")
