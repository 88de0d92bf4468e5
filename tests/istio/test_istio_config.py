"""The filter's own parser accepts the configuration of every manifest, and refuses wrong ones."""

import copy
import json
import subprocess
from pathlib import Path

import pytest

from tests.harness import REPOSITORY, Json
from tests.istio.crd import load
from tests.istio.manifests import EXAMPLE_FILES, ISTIO, PLUGIN_FILES, plugin_config

CHECK_SECONDS_MAX = 10


def check(tool: Path, path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([tool, "check", path], capture_output=True, text=True, timeout=CHECK_SECONDS_MAX)


def config_of(path: Path) -> Json:
    (manifest,) = load(path.read_text())
    return plugin_config(manifest)


@pytest.mark.parametrize("path", [*PLUGIN_FILES, *EXAMPLE_FILES], ids=lambda path: path.name)
def test_the_configuration_is_one_that_the_filter_loads(tool: Path, path: Path, tmp_path: Path) -> None:
    as_istio_sends_it = tmp_path / "config.json"
    as_istio_sends_it.write_text(json.dumps(config_of(path), sort_keys=True))
    for what in (
        as_istio_sends_it,
        path,
    ):  # the JSON that reaches Envoy; the file that the README tells people to check
        result = check(tool, what)
        assert result.returncode == 0, result.stderr


OTHERWISE_WRITTEN = [*ISTIO.glob("*-envoyfilter.yaml"), *(REPOSITORY / "envoy" / "examples").glob("*.json")]


@pytest.mark.parametrize("path", OTHERWISE_WRITTEN, ids=lambda path: path.name)
def test_so_are_those_that_are_written_otherwise(tool: Path, path: Path) -> None:
    result = check(tool, path)
    assert result.returncode == 0 and "%" in result.stdout, result.stderr


WRONG = {
    "unknown version": (["split"], {"v3": 1}, "v3"),
    "too much given away": (["split"], {"v2": 101}, "101"),
    "unknown baseline": (["baseline"], "v0", "v0"),
    "unknown field": (["stoped"], True, "stoped"),
}


@pytest.mark.parametrize(("place", "value", "named"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_configuration_is_refused(
    tool: Path, tmp_path: Path, place: list[str], value: object, named: str
) -> None:
    config = copy.deepcopy(config_of(PLUGIN_FILES[0]))
    node = config["rollouts"][0]
    for key in place[:-1]:
        node = node[key]
    node[place[-1]] = value
    wrong = tmp_path / "config.json"
    wrong.write_text(json.dumps(config))
    result = check(tool, wrong)
    assert result.returncode == 2
    assert "rollouts[0]" in result.stderr and named in result.stderr, result.stderr
