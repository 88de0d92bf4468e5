"""A copy of the repository in which the commands of a document are typed, with what the document takes for granted.

Ports that are named in a document may be in use here, so a command gets others in their place. `kubectl` and `docker`
are scripts: the one has a resource in a file, the other runs the tool as if it were in its image.
"""

import contextlib
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Mapping
from pathlib import Path

from pylib.http1 import HttpError
from tests.envoy.checkout import Checkout
from tests.envoy.model_server import ModelServer, ask
from tests.harness import REPOSITORY
from tests.harness.ports import free_port
from tests.istio import crd
from tests.istio.test_istio_tool import KUBECTL
from tests.shipped.commands import commands_of
from tests.shipped.entries import Runs

COMMAND_S_MAX = 40
TALK_S = 0.05
BOOTSTRAPS = {"docs/native.md": "envoy/native.yaml"}
DOCKER = """#!/bin/bash
# docker run --rm -v FROM:TO:ro -w TO IMAGE ARGUMENT...
[[ "$1 $2 $3" == "run --rm -v" && $4 == "$PWD:$6:ro" && $5 == -w ]] || exit 64
[[ $7 == registry.example.com/llm-canary-tool:* ]] || exit 64
exec llm-canary "${@:8}"
"""
# What docs/verdict.md checks.
POLICY = "alpha: 5%\nsignals: {refusal: {}}\nwarmup: 2\n"


class Stage:
    """The copy, and what runs in it."""

    def __init__(
        self,
        folder: Path,
        document: str,
        tool: Path,
        modules: Mapping[str, Path],
        servers: Mapping[str, ModelServer],
        programs: Mapping[str, Path],
    ) -> None:
        bootstrap = BOOTSTRAPS.get(document, "envoy/envoy.yaml")
        module = modules[".so" if bootstrap.endswith("native.yaml") else ".wasm"]
        self.checkout = Checkout(folder, module, servers, bootstrap)
        self.folder, self.servers, self.programs, self.document = folder, servers, programs, document
        self.listen_port = free_port()
        for name in ("istio", "kubernetes", "tests/data/corpus"):
            shutil.copytree(REPOSITORY / name, folder / name)
        self.kept = folder.parent / f"{folder.name}-shipped"
        shutil.copytree(folder / "envoy", self.kept)
        self._bin(tool)
        # A document may use a variable before it says what stands in it.
        assigned = [found for one in commands_of(document) if (found := re.fullmatch(r'([A-Z]+)=".*"', one.text))]
        self.variables = [f"export {found[0]}" for found in assigned]
        self._git("init", "--quiet")
        self.restore()
        self._git("add", "istio", "kubernetes", "envoy", "canary.yaml")
        self._git("commit", "--quiet", "-m", "as shipped")
        self.is_running = False
        self.is_over = threading.Event()

    def _bin(self, tool: Path) -> None:
        (self.folder / "bin").mkdir()
        (self.folder / "bin" / "llm-canary").symlink_to(tool)
        for name, script in (("kubectl", KUBECTL.replace("{python}", sys.executable)), ("docker", DOCKER)):
            (self.folder / "bin" / name).write_text(script)
            (self.folder / "bin" / name).chmod(0o755)
        self.environment = os.environ | {
            "PATH": f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "EDITOR": "true",
            "GIT_CONFIG_GLOBAL": os.devnull,
            **{
                f"GIT_{who}_{what}": "test@example.com" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
            },
        }

    def _git(self, *arguments: str) -> None:
        subprocess.run(["git", *arguments], cwd=self.folder, env=self.environment, check=True)

    def restore(self) -> None:
        """Puts the files back that commands change: as shipped, or as the text of the documents says."""
        for path in sorted(self.kept.rglob("*.yaml")):
            name = path.relative_to(self.kept)
            new = self.folder / "envoy" / f"{path.name}.new"
            shutil.copy(path, new)
            os.rename(new, self.folder / "envoy" / name)
        write = {
            "canary.yaml": (REPOSITORY / "istio" / "gateway-wasmplugin.yaml").read_text(),
            "policy.yaml": POLICY,
            "ids.txt": "".join(self._ids()),
            "evals/promptfooconfig.yaml": (self.kept / "reference-set.yaml").read_text(),
        }
        # The file that Envoy watches, by a shorter name.
        (self.folder / "llm.yaml").unlink(missing_ok=True)
        (self.folder / "llm.yaml").symlink_to("envoy/ecds/llm-canary.yaml")
        for written, text in write.items():
            (self.folder / written).parent.mkdir(exist_ok=True)
            (self.folder / written).write_text(text)

    @staticmethod
    def _ids() -> list[str]:
        """1,500 ids, of which 1,000 have their time in them."""
        timed = [str(uuid.UUID(int=(0x019A0A1B2C3D << 80) | (7 << 76) | (2 << 62) | at)) + "\n" for at in range(1000)]
        return timed + [f"conversation-{at}\n" for at in range(500)]

    def start(self, with_prometheus: bool) -> None:
        """Starts Envoy, and Prometheus if it is asked, as the documents say, with some conversations."""
        if self.is_running:
            return
        self.is_running = True
        if with_prometheus:
            self.checkout.replace("envoy/prometheus/prometheus.yml", "scrape_interval: 5s", "scrape_interval: 1s")
        self.checkout.start(self.programs["envoy"])
        for at in range(20):
            ask(self.checkout.port, {"x-conversation-id": f"c{at}"})
        if with_prometheus:
            self.checkout.start_prometheus(self.programs["prometheus"])
            threading.Thread(target=self._talk, daemon=True).start()

    def _talk(self) -> None:
        """Conversations, as long as the stage is there."""
        for at in itertools.count():
            if self.is_over.wait(TALK_S):
                return
            with contextlib.suppress(OSError, HttpError):
                ask(self.checkout.port, {"x-conversation-id": f"d{at}"})

    def here(self, text: str) -> str:
        """The command with this machine's ports."""
        one = f"--admin http://127.0.0.1:{self.checkout.admin_port}"
        text = re.sub(r"--admin http://envoy-1:9901( --admin http://envoy-\d:9901)*", one, text)
        text = text.replace(" --listen", f" --listen=127.0.0.1:{self.listen_port}")
        if " serve " in text:
            text += f" --listen=127.0.0.1:{self.listen_port}"
        ports = {9901: self.checkout.admin_port, 10000: self.checkout.port, 9090: self.checkout.prometheus_port}
        for shown, here in ports.items():
            text = re.sub(rf"\b(localhost|127\.0\.0\.1):{shown}\b", rf"\1:{here}", text)
        for version, server in self.servers.items():
            text = text.replace(f"http://llm-{version}:8000", f"http://127.0.0.1:{server.port}")
        return text

    def needs(self, text: str) -> None:
        """Starts what a command asks, and puts the resource where kubectl has it."""
        if re.search(r":9901|:10000|:9090|\$ENVOYS", text):
            self.start(with_prometheus=":9090" in text or self.document == "docs/operating.md")
        if found := re.search(r"--kubectl (\w+)/([\w-]+)", text):
            kind, file = {
                "wasmplugin": ("WasmPlugin", "istio/gateway-wasmplugin.yaml"),
                "configmap": ("ConfigMap", "kubernetes/quickstart.yaml"),
                "envoyextensionpolicy": ("EnvoyExtensionPolicy", "kubernetes/envoy-gateway.yaml"),
            }[found[1]]
            # A file speaks of the resource that it holds.
            file = file if self.document.endswith(".md") else self.document
            documents = crd.load((REPOSITORY / file).read_text())
            [resource] = [doc for doc in documents if (doc["kind"], doc["metadata"]["name"]) == (kind, found[2])]
            resource["metadata"]["resourceVersion"] = "1"
            (self.folder / "resource.json").write_text(json.dumps(resource))

    def run(self, text: str, how: Runs) -> tuple[int, str]:
        """Status and words of a command."""
        self.needs(text)
        if not how.goes_on:
            self.restore()
        # What is interrupted has to say so itself, and not the shell.
        command = ("exec " if how.until else "") + self.here(text)
        lines = ["set -o pipefail", *map(self.here, self.variables), self.here(how.after), command]
        log = self.folder / "command.log"
        with open(log, "wb") as output:
            process = subprocess.Popen(
                ["bash", "-c", "\n".join(line for line in lines if line)],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + COMMAND_S_MAX
        was_interrupted = False
        while process.poll() is None:
            said = log.read_text(errors="replace")
            if how.until and re.search(how.until, said, re.MULTILINE) and not was_interrupted:
                was_interrupted = True
                os.killpg(process.pid, signal.SIGINT)
            if time.monotonic() > deadline:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                raise AssertionError(f"{text}: it takes more than {COMMAND_S_MAX} s:\n{said[-3000:]}")
            time.sleep(0.02)
        return process.returncode, log.read_text(errors="replace")

    def stop(self) -> None:
        self.is_over.set()
        self.checkout.stop()
