"""What the demo has shown, in words, and whether that is what it promises."""

import re
from dataclasses import dataclass
from datetime import datetime

from demo.faults import FAULTS
from demo.processes import DemoError
from demo.release import Event
from demo.screen import Screen
from demo.traffic import Conversation, Turn

BASELINE, CANARY = "v1", "v2"
PLAN_PERCENT = (10.0, 25.0, 50.0)
EXIT_STOPPED = 1
# From the write of the stop to the last request on the version.
STOPPED_WITHIN_S_MAX = 1.0
REASONS_MAX = 3

STEP = re.compile(r'"at": "([^"]+)", "percent": ?\{ ?"v2": ([0-9.]+) ?\}')
STOPPED = re.compile(r'"name": "v2", "cluster": "llm-v2", "stopped": true')


@dataclass
class Findings:
    """Times are Unix seconds."""

    fault: str
    fault_at: float
    stopped_at: float  # when `run` wrote the stop
    exit_code: int  # of `run`
    events: list[Event]
    text: str  # the configuration at the end
    conversations: list[Conversation]

    @property
    def steps(self) -> list[tuple[float, float]]:
        """When each step of the configuration took effect, and its share."""
        return [(datetime.fromisoformat(at).timestamp(), float(percent)) for at, percent in STEP.findall(self.text)]

    @property
    def rises(self) -> list[float]:
        """When v2 got a greater share."""
        return [at for at, percent in self.steps if percent in PLAN_PERCENT]

    @property
    def turns(self) -> list[Turn]:
        """All that was answered and sent before the stop."""
        turns = (turn for one in self.conversations for turn in one.turns)
        return [turn for turn in turns if turn.version and turn.sent_at < self.stopped_at]

    @property
    def moved(self) -> list[Turn]:
        """Turns for which a conversation changed its version, though nobody had stopped it."""
        return [turn for one in self.conversations for turn in one.moved(self.stopped_at)]

    @property
    def over_a_step(self) -> list[Conversation]:
        rises = self.rises
        return [one for one in self.conversations if any(one.goes_over(rise) for rise in rises)]

    def canary_turns(self, since: float) -> list[Turn]:
        turns = (turn for one in self.conversations for turn in one.turns)
        return [turn for turn in turns if turn.version == CANARY and turn.sent_at >= since]

    @property
    def stop(self) -> Event | None:
        return next((event for event in self.events if event.name == "stopping"), None)

    @property
    def stop_s(self) -> float:
        return self.stopped_at - self.fault_at

    @property
    def last_after_s(self) -> float:
        """From the stop to the last request that reached v2 after it; 0 if there was none."""
        return max([0.0, *(turn.sent_at - self.stopped_at for turn in self.canary_turns(self.stopped_at))])

    def say(self, screen: Screen) -> None:
        """Prints the findings."""
        say = screen.say
        turns, begun = len(self.turns), sum(one.began_at < self.stopped_at for one in self.conversations)
        say()
        say("What clients saw:")
        say(
            f"  {turns:,} answers in {begun:,} conversations until the stop, each compared with the answer before; "
            f"{len(self.over_a_step)} conversations went on over a step"
        )
        say(f"  {len(self.moved)} conversations changed version")
        for (at, percent), until in zip(self.steps[1:], [at for at, _ in self.steps[2:]], strict=False):
            began = [one for one in self.conversations if at <= one.began_at < until and one.version]
            on_canary = sum(one.version == CANARY for one in began)
            say(f"  at {percent:g} % {len(began)} conversations began, {on_canary} of them on {CANARY}")
        reached = len(self.canary_turns(self.fault_at))
        say(f"  from the fault to the stop: {self.stop_s:.1f} s, in which {reached} requests reached {CANARY}")
        say(f"  from the stop to the last request on {CANARY}: {1000 * self.last_after_s:.0f} ms")
        held = [one for one in self.conversations if one.version == CANARY and one.turns[-1].sent_at > self.stopped_at]
        went_on = sum(one.turns[-1].version == BASELINE for one in held)
        say(f"  {went_on} conversations that were on {CANARY} went on with {BASELINE}, because a stop beats everything")
        running = [turn for turn in self.canary_turns(0.0) if turn.sent_at < self.stopped_at < (turn.ended_at or 0.0)]
        complete = sum(turn.complete for turn in running)
        say(f"  {len(running)} answers of {CANARY} were running at the stop; {complete} of them ended complete")
        if self.stop is not None:
            say("Why run stopped it:")
            for reason in self.stop.record["why"][:REASONS_MAX]:
                say(f"  {reason}", indent="    ")

    def check(self) -> None:
        """DemoError where the story did not happen."""
        if self.exit_code != EXIT_STOPPED or self.stop is None:
            raise DemoError(
                f"run ended with exit code {self.exit_code}, and {EXIT_STOPPED} says that it stopped {CANARY}"
            )
        worse = self.stop.worse
        if not FAULTS[self.fault].explains(worse):
            raise DemoError(
                f"{CANARY} was stopped because of {', '.join(sorted(worse))}, and the fault was {self.fault}"
            )
        expected = [0.0, *PLAN_PERCENT, 0.0]
        found = [percent for _, percent in self.steps]
        if found != expected or not STOPPED.search(self.text):
            raise DemoError(f"the configuration has the steps {found}, and should have {expected} and stop {CANARY}")
        if self.moved:
            raise DemoError(f"{len(self.moved)} times a conversation changed its version, and none should")
        if not self.over_a_step:
            raise DemoError("no conversation went on over a step, so nothing is known of them")
        if self.last_after_s > STOPPED_WITHIN_S_MAX:
            raise DemoError(f"{CANARY} was still used {self.last_after_s:.1f} s after it was stopped")
