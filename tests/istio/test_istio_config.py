"""The filter's own parser takes the configuration of every manifest, and would not take another.

LLM_CANARY_BIN names the operator's tool where it is built already; otherwise cargo builds it.
"""

import copy
import json
import os
import shutil
import subprocess

import pytest

from manifests import EXAMPLE_FILES, ISTIO, PLUGIN_FILES, ROOT, plugin_config, unavailable
from crd import load

BUILD_SECONDS_MAX = 600
CHECK_SECONDS_MAX = 10


@pytest.fixture(scope="session")
def tool():
    """The path of the operator's tool."""
    if named := os.environ.get("LLM_CANARY_BIN"):
        assert os.access(named, os.X_OK), f"LLM_CANARY_BIN={named} is not a program"
        return named
    if not shutil.which("cargo"):
        unavailable("the configuration is checked by our own tool: install cargo or set LLM_CANARY_BIN")
    subprocess.run(["cargo", "build", "-q", "-p", "llm-canary-cli"], cwd=ROOT, check=True, timeout=BUILD_SECONDS_MAX)
    target = os.environ.get("CARGO_TARGET_DIR", ROOT / "target")
    return os.path.join(target, "debug", "llm-canary")


def check(tool, path):
    return subprocess.run([tool, "check", path], capture_output=True, text=True, timeout=CHECK_SECONDS_MAX)


def config_of(path):
    (manifest,) = load(path.read_text())
    return plugin_config(manifest)


@pytest.mark.parametrize("path", [*PLUGIN_FILES, *EXAMPLE_FILES], ids=lambda path: path.name)
def test_the_configuration_is_one_that_the_filter_loads(tool, path, tmp_path):
    as_istio_sends_it = tmp_path / "config.json"
    as_istio_sends_it.write_text(json.dumps(config_of(path), sort_keys=True))
    for what in (as_istio_sends_it, path):  # the JSON that reaches Envoy; the file that the README tells people to check
        result = check(tool, what)
        assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("path", [*ISTIO.glob("*-envoyfilter.yaml"), *(ROOT / "envoy" / "examples").glob("*.json")],
                         ids=lambda path: path.name)  # fmt: skip
def test_so_are_those_that_are_written_otherwise(tool, path):
    result = check(tool, path)
    assert result.returncode == 0 and "%" in result.stdout, result.stderr


WRONG = {
    "unknown version": (["split"], {"v3": 1}, "v3"),
    "too much given away": (["split"], {"v2": 101}, "101"),
    "unknown baseline": (["baseline"], "v0", "v0"),
    "unknown field": (["stoped"], True, "stoped"),
}


@pytest.mark.parametrize(("place", "value", "named"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_configuration_is_refused(tool, tmp_path, place, value, named):
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
