"""What may be wrong with an answer (docs/defects.md): for each, answers that have it, and answers that have not.

A response is encoded by each dialect that can carry all of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.harness.answers import Answer, Asked, Call, Has, Mode

TOOLS = Asked(tools=("get_level", "search"))
JSON = Asked(json=True)
ALL = Asked(TOOLS.tools, json=True)

LEVEL = '{"city": "Köln", "level": "hoch 🚀"}'
GOOD_CALL = Call("get_level", '{"city": "Köln", "note": "a \\"quoted\\" \\u00fc"}')
TEXT = "Grüße aus Köln: Der Rhein führt Hochwasser, und die Fähre fährt heute nicht. 🚀 Morgen wohl auch nicht."
THOUGHT = "Der Nutzer fragt nach dem Rhein. Ich sehe in den Pegeln nach."
GOOD = Answer(text=TEXT)
CHOICES = 60  # all that a stream of SGLang may have
LOOP = "I will look at the file again. " * 40


@dataclass(frozen=True)
class Sample:
    """The answers of one response, of which the first is looked at, and what the request asked for."""

    answers: tuple[Answer, ...]
    asked: Asked = field(default_factory=Asked)

    @property
    def needs(self) -> Has:
        needs = Has.CHOICES if len(self.answers) > 1 else Has.NOTHING
        needs |= Has.JSON if self.asked.json else Has.NOTHING
        needs |= Has.CALLS if self.asked.tools else Has.NOTHING
        for answer in self.answers:
            needs |= Has.REASONING if answer.reasoning else Has.NOTHING
            needs |= Has.CALLS if answer.calls else Has.NOTHING
            needs |= Has.FINISH if answer.is_cut else Has.NOTHING
            is_object = all(call.has_object for call in answer.calls)
            needs |= Has.NOTHING if is_object else Has.TEXT_ARGUMENTS
        return needs


@dataclass(frozen=True)
class Case:
    """Responses that all have these defects and no others."""

    name: str
    defects: frozenset[str]
    samples: tuple[Sample, ...]
    is_broken_off: bool = False  # before the end
    is_unseen: bool = False  # the request's body is not whole

    def carried_by(self, mode: Mode) -> list[Sample]:
        return [sample for sample in self.samples if sample.needs in mode.has]


def _one(answer: Answer, asked: Asked | None = None) -> Sample:
    return Sample((answer,), asked or Asked())


def _has(name: str, *samples: Sample, defect: str | None = None) -> Case:
    """Also where a second answer has nothing wrong."""
    with_others = [Sample((*sample.answers, GOOD), sample.asked) for sample in samples if not sample.answers[0].calls]
    return Case(name, frozenset({defect or name}), (*samples, *with_others))


CALLED = Answer(text="Ich sehe nach. ", calls=(GOOD_CALL, Call("search", "{}")))

CASES: Sequence[Case] = [
    Case(
        "ordinary",
        frozenset(),
        (
            _one(GOOD),
            _one(GOOD, TOOLS),
            _one(Answer(text=TEXT, reasoning=THOUGHT)),
            _one(Answer(text=LEVEL), JSON),
            _one(Answer(text=LEVEL, reasoning=THOUGHT), ALL),
            _one(Answer(calls=(GOOD_CALL,)), ALL),
            _one(CALLED, TOOLS),
            _one(Answer(reasoning=THOUGHT, text="Ich sehe nach. ", calls=CALLED.calls), TOOLS),
        ),
    ),
    _has("repetition", _one(Answer(text=LOOP)), _one(Answer(text="!" * 200))),
    Case(
        "repetition_of_reasoning",
        frozenset({"repetition"}),
        (_one(Answer(reasoning=LOOP, text=TEXT)), _one(Answer(reasoning="Ich zähle. " + "一" * 99, text="Neun."))),
    ),
    _has(
        "control_token",
        _one(Answer(text="Der Rhein steht hoch.<|im_end|>")),
        _one(Answer(text="<think>\nKöln liegt am Rhein.\n</think>\nDer Rhein steht hoch.")),
        _one(Answer(text="Der Rhein steht hoch.<｜end▁of▁sentence｜>")),
    ),
    Case(
        "control_token_in_name",
        frozenset({"control_token"}),
        (_one(Answer(calls=(Call("search<|channel|>"),)), Asked(tools=("search<|channel|>",))),),
    ),
    _has("mixed_script", _one(Answer(text="The forecast promiseнные sunny skies over the harbour until the evening."))),
    _has("replacement_char", _one(Answer(text="Die Stra\ufffde nach Köln ist gesperrt."))),
    _has("empty", _one(Answer()), _one(Answer(), TOOLS)),
    _has("reasoning_only", _one(Answer(reasoning=THOUGHT)), _one(Answer(reasoning=THOUGHT), TOOLS)),
    _has(
        "tool_args_invalid",
        _one(Answer(calls=(Call("get_level", '{"city": Köln}'),)), TOOLS),
        _one(Answer(calls=(Call("get_level", '{"city": "Köln"'),)), TOOLS),
        _one(Answer(text="Gut. ", calls=(GOOD_CALL, Call("search", '{"city": "Bonn"}}'), GOOD_CALL)), TOOLS),
    ),
    _has(
        "tool_name_unknown",
        _one(Answer(calls=(Call("get_time"),)), TOOLS),
        _one(Answer(text="Gut. ", calls=(GOOD_CALL, Call("Search", '{"city": "Bonn"}'))), TOOLS),
    ),
    _has("json_missing", _one(GOOD, JSON), _one(Answer(text=f"```json\n{LEVEL}\n```", reasoning="{}"), JSON)),
    Case(
        "cut_by_length",
        frozenset(),
        (
            _one(Answer(text='{"city": "Kö', is_cut=True), JSON),
            _one(Answer(calls=(Call("get_level", '{"city": "Kö'),), is_cut=True), TOOLS),
        ),
    ),
    Case(
        "broken_off",
        frozenset(),
        (
            _one(Answer()),
            _one(GOOD, JSON),
            _one(Answer(reasoning=THOUGHT)),
            _one(Answer(calls=(Call("get_level", '{"city": "Kö'),)), ALL),
        ),
        is_broken_off=True,
    ),
    Case(
        "unseen_request",
        frozenset(),
        (_one(GOOD, JSON), _one(Answer(calls=(Call("get_time"),)), TOOLS)),
        is_unseen=True,
    ),
    Case(
        "other_choice",
        frozenset(),
        (
            Sample((GOOD, Answer(text=LOOP), Answer(text="\ufffd<|im_end|>"))),
            Sample((GOOD, Answer())),
            Sample((Answer(text=LEVEL), GOOD), JSON),
            Sample((GOOD, Answer(reasoning=LOOP, calls=(Call("get_time", "{"),))), TOOLS),
            Sample((Answer(text="Ja."),) * CHOICES),
        ),
    ),
]
