"""The ids of the demo are UUIDv7s, and a split gets its exact share of them."""

import csv
import uuid

import pytest

from demo.ids import LINE_PARTS, EvenIds
from demo.stage import ROLLOUT
from pylib.buckets import PARTS, bucket
from tests.harness import REPOSITORY

SALT = ROLLOUT.encode()
IDS = 500
MS = 1_700_000_000_000
# What is left to chance.
OFF_POINTS_MAX, OFF_CONVERSATIONS_MAX = 1.0, 3


@pytest.fixture(scope="module")
def places() -> list[int]:
    ids = EvenIds(SALT)
    return [bucket(SALT, ids.next(MS + at).encode()) for at in range(IDS)]


def test_an_id_carries_the_moment_at_which_its_conversation_begins() -> None:
    ids = EvenIds(SALT)
    for at in range(20):
        made = uuid.UUID(ids.next(MS + at))
        assert made.version == 7 and made.int >> 80 == MS + at


def test_any_hundred_in_a_row_are_one_in_each_part_of_the_line(places: list[int]) -> None:
    parts = [place * LINE_PARTS // PARTS for place in places]
    for start in range(IDS - LINE_PARTS + 1):
        assert len(set(parts[start : start + LINE_PARTS])) == LINE_PARTS


def off_conversations_max(places: list[int], percent: int, count: int) -> float:
    """How many conversations too many or too few that many in a row give, wherever they begin."""
    on_canary = [place < percent * PARTS // 100 for place in places]
    rows = (on_canary[start : start + count] for start in range(IDS - count))
    return max(abs(sum(row) - count * percent / 100) for row in rows)


@pytest.mark.parametrize("percent", [10, 25, 50])
def test_two_hundred_have_the_demos_shares_within_a_point(places: list[int], percent: int) -> None:
    for count in range(200, 300, 7):
        assert 100 * off_conversations_max(places, percent, count) / count <= OFF_POINTS_MAX


@pytest.mark.parametrize("percent", [1, 5, 25, 30, 33, 75, 90])
def test_any_number_has_any_share_within_three_conversations(places: list[int], percent: int) -> None:
    for count in range(1, 300, 7):
        assert off_conversations_max(places, percent, count) <= OFF_CONVERSATIONS_MAX


def test_the_buckets_are_those_of_the_filter() -> None:
    """A Rust test holds the filter to the same file."""
    with open(REPOSITORY / "tests" / "data" / "buckets.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) > 100
    for row in rows:
        assert bucket(bytes.fromhex(row["salt_hex"]), bytes.fromhex(row["key_hex"])) == int(row["bucket"])
