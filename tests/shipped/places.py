"""Places in a document: each mapping in it, also in a text that is a document itself; and one field more there."""

import copy
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import yaml

# A name that no schema has, with a value that no map of texts, numbers or quantities takes.
UNKNOWN = "llmNobodyKnowsThis"
VALUE = {"a": 1}


class Text(NamedTuple):
    """A step of a path into the document that a text is."""

    is_json: bool

    def read(self, text: str) -> Any:
        return json.loads(text) if self.is_json else yaml.load(text, yaml.CSafeLoader)

    def write(self, value: Any) -> str:
        return json.dumps(value) if self.is_json else yaml.safe_dump(value, sort_keys=False)


Path = tuple[str | int | Text, ...]


def document_of(text: str) -> Text | None:
    """How a text is read, if it is a mapping of JSON or, on several lines, of YAML."""
    for kind in (Text(is_json=True), Text(is_json=False)):
        if not kind.is_json and "\n" not in text.strip():
            continue
        try:
            read = kind.read(text)
        except (ValueError, yaml.YAMLError):
            continue
        if isinstance(read, dict):
            return kind
    return None


def mappings(value: Any, path: Path = ()) -> Iterator[Path]:
    """The path to each mapping, the outermost first."""
    if isinstance(value, dict):
        yield path
        for name, inner in value.items():
            yield from mappings(inner, (*path, name))
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from mappings(inner, (*path, at))
    elif isinstance(value, str) and (text := document_of(value)):
        yield from mappings(text.read(value), (*path, text))


def at(value: Any, path: Path) -> Any:
    """What stands at a path."""
    for step in path:
        value = step.read(value) if isinstance(step, Text) else value[step]
    return value


def with_unknown_field(value: Any, path: Path) -> Any:
    """A copy in which the mapping at a path has one field more."""
    if not path:
        return {**value, UNKNOWN: VALUE}
    step, rest = path[0], path[1:]
    if isinstance(step, Text):
        return step.write(with_unknown_field(step.read(value), rest))
    changed = copy.copy(value)
    changed[step] = with_unknown_field(value[step], rest)
    return changed


def words(path: Path) -> str:
    """`spec.rules[0].name`, for messages and for what a table says of a place."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif not isinstance(step, Text):
            text += f".{step}" if text else step
    return text
