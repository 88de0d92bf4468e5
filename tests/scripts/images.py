"""Images as others read them: a registry, and a fetcher that takes a module out of an image as Envoy Gateway does.

By Envoy Gateway at 1.8, internal/wasm/imagefetcher.go: the one layer of an image of Docker or of OCI, gzip, a tar, and
in it the file plugin.wasm. Of scripts/image.sh only its output is read here.
"""

import contextlib
import gzip
import hashlib
import http.client
import io
import json
import os
import re
import subprocess
import tarfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from tests.harness import REPOSITORY, Json
from tests.harness.hosts import VERSION
from tests.harness.ports import free_port

INDEXES = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")
MANIFESTS = ("application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json")
LAYERS = ("application/vnd.oci.image.layer.v1.tar+gzip", "application/vnd.docker.image.rootfs.diff.tar.gzip")
START_S_MAX = 20.0
STOP_S_MAX = 10

SCRIPT = REPOSITORY / "scripts" / "image.sh"
NAMES = {
    "wasm": "llm-canary",
    "native": "llm-canary-native",
    "tool": "llm-canary-tool",
    "kubectl": "llm-canary-tool-kubectl",
}
MACHINE = os.uname().machine
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
ARCHITECTURE = ARCHITECTURES.pop(MACHINE)
[(OTHER, OTHER_ARCHITECTURE)] = ARCHITECTURES.items()


class FetchError(Exception):
    pass


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@dataclass
class Image:
    """A manifest by its digest, and the configuration that it names."""

    digest: str
    manifest: Json
    config: Json

    @property
    def labels(self) -> dict[str, str]:
        labels: dict[str, str] = self.config["config"]["Labels"]
        return labels


@dataclass
class Registry:
    """A client of a registry. Whatever it gets has the digest that was asked for."""

    port: int

    def get(self, path: str, *accept: str) -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request("GET", f"/v2/{path}", headers={"accept": ", ".join(accept) or "*/*"})
            response = connection.getresponse()
            content = response.read()
        finally:
            connection.close()
        if response.status != 200:
            raise FetchError(f"{path}: {response.status}")
        return content

    def blob(self, name: str, descriptor: Json) -> bytes:
        content = self.get(f"{name}/blobs/{descriptor['digest']}")
        assert (digest_of(content), len(content)) == (descriptor["digest"], descriptor["size"])
        return content

    def manifest(self, name: str, reference: str) -> tuple[str, Json]:
        content = self.get(f"{name}/manifests/{reference}", *MANIFESTS, *INDEXES)
        if reference.startswith("sha256:"):
            assert digest_of(content) == reference
        return digest_of(content), json.loads(content)

    def image(self, name: str, reference: str, architecture: str = "amd64") -> Image:
        digest, manifest = self.manifest(name, reference)
        if manifest["mediaType"] in INDEXES:
            [chosen] = [one for one in manifest["manifests"] if one["platform"]["architecture"] == architecture]
            digest, manifest = self.manifest(name, chosen["digest"])
        return Image(digest, manifest, json.loads(self.blob(name, manifest["config"])))

    def files(self, name: str, image: Image) -> dict[str, tuple[tarfile.TarInfo, bytes]]:
        """What is in the layers of an image, by its path."""
        found = {}
        for layer in image.manifest["layers"]:
            with tarfile.open(fileobj=io.BytesIO(gzip.decompress(self.blob(name, layer)))) as tar:
                for entry in tar:
                    file = tar.extractfile(entry)
                    found[entry.name] = (entry, file.read() if file else b"")
        return found

    def unpack(self, name: str, image: Image, folder: Path) -> None:
        """Makes a container's file system of an image."""
        for layer in image.manifest["layers"]:
            with tarfile.open(fileobj=io.BytesIO(gzip.decompress(self.blob(name, layer)))) as tar:
                tar.extractall(folder, filter="fully_trusted")

    def module(self, name: str, reference: str) -> bytes:
        """plugin.wasm, as Envoy Gateway's fetcher finds it."""
        _, manifest = self.manifest(name, reference)
        if manifest["mediaType"] not in MANIFESTS:
            raise FetchError(f"a {manifest['mediaType']} is no image of a module")
        if len(manifest["layers"]) != 1:
            raise FetchError(f"number of layers must be 1 but got {len(manifest['layers'])}")
        [layer] = manifest["layers"]
        if layer["mediaType"] not in LAYERS:
            raise FetchError(f"invalid media type {layer['mediaType']}")
        with tarfile.open(fileobj=io.BytesIO(gzip.decompress(self.blob(name, layer)))) as tar:
            for entry in tar:
                file = tar.extractfile(entry)
                if PurePosixPath(entry.name).name == "plugin.wasm" and file:
                    return file.read()
        raise FetchError("plugin.wasm not found in the archive")


@contextlib.contextmanager
def registry(program: Path, folder: Path) -> Iterator[Registry]:
    """A registry without TLS, on a free port of this machine."""
    port = free_port()
    settings = folder / "config.json"
    storage = {"filesystem": {"rootdirectory": str(folder / "storage")}}
    http_settings = {"addr": f"127.0.0.1:{port}"}
    settings.write_text(
        json.dumps({"version": "0.1", "log": {"level": "error"}, "storage": storage, "http": http_settings})
    )
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([program, "serve", settings], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + START_S_MAX
        while True:
            assert process.poll() is None and time.monotonic() < deadline, (folder / "log").read_text()
            with contextlib.suppress(OSError):
                Registry(port).get("")
                break
            time.sleep(0.05)
        yield Registry(port)
    finally:
        process.terminate()
        process.wait(STOP_S_MAX)


def image_sh(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    command: list[str | Path] = [SCRIPT, *arguments]
    return subprocess.run(
        command, env=os.environ | environment, cwd="/", stdin=subprocess.DEVNULL, capture_output=True, text=True
    )


def digests(ran: subprocess.CompletedProcess[str]) -> dict[str, str]:
    """What the lines of stdout say: reference -> digest."""
    assert ran.returncode == 0, ran.stderr
    lines = [re.fullmatch(r"(sha256:[0-9a-f]{64})  (\S+)", line) for line in ran.stdout.splitlines()]
    assert all(lines), ran.stdout
    return {line[2]: line[1] for line in lines if line}


@dataclass
class Pushed:
    """All images, in a folder and in a registry."""

    registry: Registry
    output: Path
    digests: dict[str, str]
    tool: Path  # the static program that is in the image

    def image(self, kind: str) -> Image:
        return self.registry.image(f"team/{NAMES[kind]}", VERSION, ARCHITECTURE)

    def files(self, kind: str) -> dict[str, Any]:
        return self.registry.files(f"team/{NAMES[kind]}", self.image(kind))

    def sbom(self, kind: str) -> Json:
        return json.loads((self.output / f"{NAMES[kind]}-{VERSION}.cdx.json").read_text())
