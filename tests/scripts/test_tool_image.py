"""The image of the tool, as a container: no root, nothing to write to, names by DNS, TLS."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.harness import REPOSITORY, unavailable
from tests.harness.hosts import VERSION
from tests.scripts.images import Pushed
from tests.scripts.pods import Container, Pod, pod

TOOL = "/usr/bin/llm-canary"
NAME = "prometheus.monitoring.svc"


@pytest.fixture(scope="module")
def root(pushed: Pushed, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tool")
    pushed.registry.unpack("team/llm-canary-tool", pushed.image("tool"), folder)
    folder.chmod(0o755)
    return folder


@pytest.fixture(scope="module")
def in_pod() -> Iterator[Pod]:
    with pod() as one:
        yield one


def test_it_starts_as_a_user_without_rights(pushed: Pushed, root: Path, in_pod: Pod) -> None:
    config = pushed.image("tool").config["config"]
    assert (config["User"], config["Entrypoint"], config["Env"]) == ("65532:65532", [TOOL], ["PATH=/usr/bin"])
    container = Container(root, {"/etc/llm-canary": REPOSITORY / "envoy" / "ecds"}, user=config["User"])
    said = in_pod.run(container.command([TOOL, "--version"]))
    assert said.stdout.startswith(f"llm-canary {VERSION}"), said
    checked = in_pod.run(container.command([TOOL, "check", "/etc/llm-canary/llm-canary.yaml"]))
    assert (checked.returncode, checked.stderr) == (0, ""), checked
    refused = in_pod.run(container.command([TOOL, "man", "--output", "/etc"]))
    assert refused.returncode == 2 and "cannot be written" in refused.stderr
    program = root / TOOL.lstrip("/")
    needs = subprocess.run(["readelf", "-ld", program], capture_output=True, text=True, check=True).stdout
    assert "NEEDED" not in needs and "INTERP" not in needs
    assert {entry.uid for entry, _ in pushed.files("tool").values()} == {0}


def test_kubectl_is_there_where_it_was_asked_for(pushed: Pushed) -> None:
    files = pushed.files("kubectl")
    entry, content = files["usr/bin/kubectl"]
    assert (entry.mode & 0o777, content == pushed.tool.read_bytes()) == (0o755, True)
    assert set(files) - set(pushed.files("tool")) == {"usr/bin/kubectl"}


@dataclass
class Certificates:
    authority: Path
    certificate: Path  # for NAME, by this authority
    key: Path


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    folder = tmp_path_factory.mktemp("certificates")
    folder.chmod(0o755)
    authority, certificate, key = folder / "ca.pem", folder / "server.pem", folder / "server.key"
    new: list[str | Path] = ["openssl", "req", "-x509", "-days", "2", "-nodes", "-newkey", "ec", "-pkeyopt"]
    new += ["ec_paramgen_curve:P-256"]
    of_server = ["-addext", f"subjectAltName=DNS:{NAME}", "-addext", "basicConstraints=critical,CA:FALSE"]
    signed: list[str | Path] = ["-CA", authority, "-CAkey", folder / "ca.key", *of_server]
    unsigned: list[str | Path] = []
    try:
        for name, arguments in (("ca", unsigned), ("server", signed)):
            files: list[str | Path] = ["-out", folder / f"{name}.pem", "-keyout", folder / f"{name}.key"]
            subprocess.run([*new, "-subj", f"/CN={name}", *files, *arguments], check=True, capture_output=True)
    except FileNotFoundError:
        unavailable("certificates need openssl")
    return Certificates(authority, certificate, key)


def test_it_resolves_names_and_speaks_tls(root: Path, in_pod: Pod, certificates: Certificates, tmp_path: Path) -> None:
    """glibc is linked into it, so that this has to be shown."""
    resolver = tmp_path / "resolv.conf"
    resolver.write_text("nameserver 127.0.0.1\n")
    container = Container(root, {"/etc/resolv.conf": resolver, "/etc/ca.pem": certificates.authority})
    names = ["--rollout", "chat", "--baseline", "v1", "--version", "v2", "--for", "10m"]
    analyze = [TOOL, "analyze", "--prometheus", f"https://{NAME}:9090", *names]
    served: list[str | Path] = [NAME, certificates.certificate, certificates.key]
    server = in_pod.inside([sys.executable, REPOSITORY / "tests" / "scripts" / "name_server.py", *served])
    with subprocess.Popen(server, stdout=subprocess.PIPE, text=True) as answering:
        assert answering.stdout is not None and answering.stdout.readline() == "ready\n"
        trusted = in_pod.run(container.command([*analyze, "--ca", "/etc/ca.pem"]))
        stranger = in_pod.run(container.command(analyze))
        unknown = in_pod.run(container.command([word.replace(NAME, "nowhere.test") for word in analyze]))
        answering.terminate()
        seen = answering.stdout.read()
    # It has read the answer, which is empty.
    assert "that the filter is loaded" in trusted.stderr, trusted
    assert f"dns {NAME}" in seen and "https /api/v1/" in seen
    assert stranger.returncode == 2 and "certificate" in stranger.stderr, stranger
    assert unknown.returncode == 2 and "dns nowhere.test" in seen, unknown
