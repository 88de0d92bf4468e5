"""The bucket of an id, computed by other code than the filter's own, and ids that carry a time."""

import random
import uuid

PARTS = 1_000_000
_MASK = 0xFFFFFFFF


def bucket(salt: bytes, key: bytes) -> int:
    """A key's place on the line, in parts per million. The salt is the rollout's name, unless it sets one."""
    return murmur3(salt + b":" + key, 0) * PARTS >> 32


def murmur3(data: bytes, seed: int) -> int:
    """MurmurHash3 of 32 bits."""
    h = seed

    def scramble(block: int) -> int:
        block = block * 0xCC9E2D51 & _MASK
        return (block << 15 | block >> 17) * 0x1B873593 & _MASK

    whole = len(data) - len(data) % 4
    for at in range(0, whole, 4):
        h ^= scramble(int.from_bytes(data[at : at + 4], "little"))
        h = ((h << 13 | h >> 19) * 5 + 0xE6546B64) & _MASK
    h ^= scramble(int.from_bytes(data[whole:], "little")) ^ len(data)
    h = (h ^ h >> 16) * 0x85EBCA6B & _MASK
    h = (h ^ h >> 13) * 0xC2B2AE35 & _MASK
    return h ^ h >> 16


def uuid7(ms: int, dice: random.Random) -> bytes:
    """A UUIDv7 of a moment in Unix milliseconds."""
    value = ms << 80 | 7 << 76 | dice.getrandbits(12) << 64 | 0b10 << 62 | dice.getrandbits(62)
    return str(uuid.UUID(int=value)).encode()
