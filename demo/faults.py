"""What can be made to go wrong with v2, and by what the tool must find it."""

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """At least one signal of `guards` must stop the version. Those of `also` may be worse, too, and no other may."""

    words: str
    guards: frozenset[str]
    also: frozenset[str] = frozenset()

    def explains(self, worse: Collection[str]) -> bool:
        """Whether these signals are worse because of this fault, and of nothing else."""
        return bool(self.guards & set(worse)) and set(worse) <= self.guards | self.also


def signals(*names: str) -> frozenset[str]:
    return frozenset(names)


# The names are those of demo/model_server.py, which says what each does to how many answers.
FAULTS = {
    "refusals": Fault("it refuses every second question", signals("refusals"), signals("response_chars")),
    "length": Fault(
        "it does not find an end: every second answer is cut off at the limit of their length",
        signals("length_stops"),
        signals("response_chars"),
    ),
    "slow": Fault(
        "its first token takes eight times as long",
        signals("time_to_first_token_ms"),
        signals("time_per_output_token_us"),
    ),
    "errors": Fault("every second request fails with status 500", signals("errors", "limit")),
    "loop": Fault(
        "every second answer says the same words over and over", signals("defects"), signals("response_chars")
    ),
    "empty": Fault("every second answer is empty, with status 200", signals("defects"), signals("response_chars")),
}
