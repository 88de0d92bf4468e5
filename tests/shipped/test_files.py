"""Every file that is shipped for Envoy, Istio, Kubernetes and Prometheus is validated, and its validator refuses what
it does not know. Its configurations are read by the tool, which has the filter's own parser.
"""

from pathlib import Path

import pytest
import yaml

from tests.harness import REPOSITORY, Json
from tests.istio import crd
from tests.shipped.places import Path as Place
from tests.shipped.places import mappings, with_unknown_field, words
from tests.shipped.table import TABLE, shipped, validator_of
from tests.shipped.validators import Workshop

FILES = shipped()
# How many places are tried of those for which a validator starts a program.
PLACES_OF_SLOW_MAX = 6
# Mappings whose fields are free, by the end of their place. What a dashboard may have, only Grafana knows.
FREE: tuple[tuple[str, str], ...] = (
    ("envoy/grafana/*", ""),
    # Envoy's runtime, which takes any name.
    ("*.yaml", ".static_layer"),
    # What the stand-in for a model answers.
    ("kubernetes/quickstart.yaml", ".inline_string"),
    ("kubernetes/quickstart.yaml", ".inline_string.choices[0]"),
    ("kubernetes/quickstart.yaml", ".inline_string.choices[0].message"),
)


def name_of(path: Path) -> str:
    return path.relative_to(REPOSITORY).as_posix()


def documents_of(path: Path) -> list[Json]:
    return crd.load(path.read_text())


def is_free(name: str, place: Place) -> bool:
    return any(Path(name).match(pattern) and words(place).endswith(end) for pattern, end in FREE)


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_it_is_validated(path: Path, shop: Workshop) -> None:
    validator = validator_of(path)
    assert validator, f"nobody validates {name_of(path)}: add a row to tests/shipped/table.py"
    assert validator.errors(documents_of(path), shop) == []


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_the_tool_reads_its_configurations(path: Path, shop: Workshop) -> None:
    validator = validator_of(path)
    assert validator
    documents = documents_of(path)
    said, found = shop.checked(documents)
    assert said == ""
    assert found == validator.configurations(documents)


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_an_unknown_field_is_refused_wherever_it_stands(path: Path, shop: Workshop) -> None:
    validator = validator_of(path)
    assert validator
    documents = documents_of(path)
    places = [
        (at, place)
        for at, document in enumerate(documents)
        for place in mappings(document)
        if not is_free(name_of(path), place)
    ]
    slow = [(at, place) for at, place in places if validator.is_slow_at(place)]
    places = [one for one in places if one not in slow] + slow[:: max(1, len(slow) // PLACES_OF_SLOW_MAX)]
    accepted = []
    for at, place in places:
        # The documents of a file do not depend on one another here.
        if not validator.errors([with_unknown_field(documents[at], place)], shop):
            accepted.append(words((at, *place)))
    assert accepted == []


def test_each_row_is_needed() -> None:
    used = [validator_of(path) for path in FILES]
    for pattern, validator in TABLE:
        assert any(validator is one for one in used), f"no file is left for {pattern}"


def test_a_file_that_nobody_knows_is_seen() -> None:
    for name in ("envoy/other/new.yaml", "istio/new.json", "kubernetes/values/new.yaml"):
        assert validator_of(REPOSITORY / name) is None


def test_a_key_given_twice_is_seen() -> None:
    with pytest.raises(yaml.YAMLError, match="given twice"):
        crd.load("a: {b: 1, b: 2}")
