"""Where recorded responses are read from, and that a test without them is skipped with a reason, or fails in CI."""

from pathlib import Path

import pytest

from tests.harness import corpus, unavailable


@pytest.fixture
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path, Path]:
    """The corpus beside the checkout, the repository's own, and another one. None has an index yet."""
    beside, own, other = (tmp_path / name for name in ("beside", "own", "other"))
    for place in (beside, own, other):
        place.mkdir()
    monkeypatch.delenv("LLM_CANARY_CORPUS", raising=False)
    monkeypatch.setattr(corpus, "BESIDE", beside)
    monkeypatch.setattr(corpus, "OWN", own)
    return beside, own, other


def test_the_large_corpus_comes_before_the_repositorys_own(
    places: tuple[Path, Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    beside, own, other = places
    assert corpus.folder() == own and not corpus.is_there()
    (own / corpus.INDEX).touch()
    assert corpus.folder() == own and corpus.is_there()
    (beside / corpus.INDEX).touch()
    assert corpus.folder() == beside and corpus.is_there()
    monkeypatch.setenv("LLM_CANARY_CORPUS", str(other))
    assert corpus.folder() == other and not corpus.is_there()


def test_what_cannot_be_tested_is_said_and_fatal_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "")
    with pytest.raises(pytest.skip.Exception, match="NOT TESTED: no corpus"):
        unavailable("no corpus")
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="no corpus"):
        unavailable("no corpus")
