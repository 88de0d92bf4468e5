"""The ids of the demo's conversations: they carry a time, and a split gets its exact share of them.

The demo has a few hundred conversations. Of so few random ids, a split of 10 % gets anything from 6 to 15 % by chance.
A real service has tens of thousands of conversations, and there chance evens out; the demo has to even it out itself.
Each id is a UUIDv7: the moment at which its conversation begins, and random bits. The bits are drawn again until the
id's bucket lies in the part of the line whose turn it is. The line has a hundred parts, and any hundred ids in a row
have one in each.
"""

import random

from pylib.buckets import PARTS, bucket, uuid7

LINE_PARTS = 100
# Shares no factor with the number of parts, so it visits them all; and neighbours in time are far apart on the line.
STRIDE = 61


class EvenIds:
    """Makes ids for the rollout with this salt."""

    def __init__(self, salt: bytes, seed: int = 1) -> None:
        self._salt = salt
        self._dice = random.Random(seed)
        self._number = 0

    def next(self, ms: int) -> str:
        """The id of a conversation that begins at this Unix millisecond."""
        part = self._number * STRIDE % LINE_PARTS
        self._number += 1
        while True:
            drawn = uuid7(ms, self._dice)
            if bucket(self._salt, drawn) * LINE_PARTS // PARTS == part:
                return drawn.decode()
