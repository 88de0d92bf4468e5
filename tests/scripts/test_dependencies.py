"""scripts/dependencies.sh: what it prints, and how it reports what cannot be had."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.harness import REPOSITORY

EXIT_SKIPPED = 77


def dependency(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs the script. ENVOY_PATH, PROMETHEUS_PATH and CI are unset unless given."""
    return subprocess.run(
        [REPOSITORY / "scripts" / "dependencies.sh", *arguments],
        env=os.environ | {"CI": "", "ENVOY_PATH": "", "PROMETHEUS_PATH": ""} | environment,
        capture_output=True,
        text=True,
    )


def program(path: Path, words: str) -> Path:
    path.write_text(f"#!/bin/sh\necho '{words}'\n")
    path.chmod(0o755)
    return path


def test_prints_one_path_and_nothing_else() -> None:
    found = dependency("envoy", "1.40.0")
    if found.returncode == EXIT_SKIPPED:
        pytest.skip("NOT TESTED: Envoy cannot be had here")
    assert found.stdout.count("\n") == 1
    said = subprocess.run([found.stdout.strip(), "--version"], capture_output=True, text=True).stdout
    assert "/1.40.0/" in said


def test_takes_the_envoy_it_is_given_and_says_so_where_the_version_differs(tmp_path: Path) -> None:
    mine = program(tmp_path / "my envoy", "envoy  version: 0/1.39.0/Clean/RELEASE/BoringSSL")
    found = dependency("envoy", "1.40.0", ENVOY_PATH=str(mine))
    assert (found.returncode, found.stdout) == (0, f"{mine}\n")
    assert "ENVOY_PATH is used where Envoy 1.40.0 was asked for" in found.stderr
    assert dependency("envoy", "1.39.0", ENVOY_PATH=str(mine)).stderr == ""


def test_refuses_an_envoy_that_is_no_program(tmp_path: Path) -> None:
    found = dependency("envoy", ENVOY_PATH=str(tmp_path))
    assert (found.returncode, found.stdout) == (1, "")
    assert "is not a program" in found.stderr


def test_takes_the_browser_it_is_given(tmp_path: Path) -> None:
    mine = program(tmp_path / "my chromium", "Chromium 1")
    assert dependency("chromium", CHROMIUM_PATH=str(mine)).stdout == f"{mine}\n"
    refused = dependency("chromium", CHROMIUM_PATH=str(tmp_path))
    assert refused.returncode == 1 and "is not a program" in refused.stderr


def test_takes_the_prometheus_it_is_given(tmp_path: Path) -> None:
    folder = tmp_path / "my prometheus"
    folder.mkdir()
    program(folder / "prometheus", "")
    missing = dependency("prometheus", PROMETHEUS_PATH=str(folder))
    assert missing.returncode == 1 and "no prometheus and promtool there" in missing.stderr
    program(folder / "promtool", "")
    for given in (folder, folder / "prometheus"):
        assert dependency("prometheus", PROMETHEUS_PATH=str(given)).stdout == f"{folder}\n"


def test_what_cannot_be_had_is_skipped_here_and_fatal_in_ci() -> None:
    here = dependency("envoy", "0.0.1")
    assert (here.returncode, here.stdout) == (EXIT_SKIPPED, "")
    assert "Envoy 0.0.1 cannot be had" in here.stderr and "set ENVOY_PATH" in here.stderr
    in_ci = dependency("envoy", "0.0.1", CI="true")
    assert (in_ci.returncode, in_ci.stdout) == (1, "")
    assert "fatal" in in_ci.stderr


def test_a_download_that_is_not_the_pinned_file_is_refused(tmp_path: Path) -> None:
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    for name in ("dependencies.sh", "lib.sh"):
        text = (REPOSITORY / "scripts" / name).read_text()
        (scripts / name).write_text(text.replace("a88a3ed5", "00000000"))
        (scripts / name).chmod(0o755)
    environment = os.environ | {"LLM_CANARY_CACHE": str(tmp_path / "cache"), "CI": "", "ENVOY_PATH": ""}
    if os.uname().machine != "x86_64":
        pytest.skip("the sum exchanged here is that of the x86_64 package")
    found = subprocess.run(
        [scripts / "dependencies.sh", "envoy", "1.40.0"], env=environment, capture_output=True, text=True
    )
    if "SHA-256" not in found.stderr:
        pytest.skip(f"NOT TESTED: nothing could be downloaded: {found.stderr[-200:]}")
    assert found.returncode == EXIT_SKIPPED and found.stdout == ""
    assert not list((tmp_path / "cache").rglob("bin/envoy")) and not list((tmp_path / "cache" / "envoy").rglob("envoy"))


def test_everything_is_fetched_on_a_bare_debian(tmp_path: Path, ci_only: None) -> None:
    """With an empty cache in a folder with a space, apt without package lists, and a python3 without ensurepip."""
    (tmp_path / "apt.conf").write_text(f'Dir::State::lists "{tmp_path}/no lists";\n')
    python = tmp_path / "bin" / "python3"
    python.parent.mkdir()
    program(python, "")
    command = ["python3", "-c", "import sys; print(sys.executable)"]
    real = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    python.write_text(f'#!/bin/sh\ncase "$*" in "-m venv --clear /"*) exit 1 ;; esac\nexec "{real}" "$@"\n')
    environment = {
        "LLM_CANARY_CACHE": str(tmp_path / "a cache"),
        "APT_CONFIG": str(tmp_path / "apt.conf"),
        "PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}",
        "CI": "true",
    }
    for arguments in (["envoy", "1.36.2"], ["prometheus"], ["buildah"], ["registry"], ["python"]):
        found = dependency(*arguments, **environment)
        assert found.returncode == 0, found.stderr
        path = Path(found.stdout.strip())
        assert path.exists() and str(tmp_path) in str(path)
        if arguments == ["python"]:
            assert "no ensurepip" in dependency("llama", **environment).stderr
            subprocess.run([path, "-c", "import pytest, openai, yaml, jsonschema"], check=True)
    again = dependency("envoy", "1.36.2", **environment)
    assert again.returncode == 0 and again.stderr == "", "what is there is not fetched again"
