"""Builds and fetches what is to run, chooses ports, and starts the servers."""

import argparse
import dataclasses
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from demo.processes import CannotBeHad, Command, DemoError, Processes, free_port
from demo.screen import Screen
from demo.stage import SHIPPED, Ports, Stage

REPOSITORY = Path(__file__).resolve().parent.parent
ENVOY_VERSION = "1.40.0"
ENVOY_WORKERS = 2
VERSIONS = ("v1", "v2")
EXIT_SKIPPED = 77


@dataclass(frozen=True)
class Programs:
    tool: Path
    envoy: Path


async def build(processes: Processes, command: Command) -> str:
    status, stdout = await processes.run(command, REPOSITORY)
    if status != 0:
        raise DemoError(f"{command[0]} failed with status {status}; see above")
    return stdout


async def dependency(processes: Processes, name: str, *arguments: str) -> Path:
    status, stdout = await processes.run([REPOSITORY / "scripts" / "dependencies.sh", name, *arguments], REPOSITORY)
    if status == EXIT_SKIPPED:
        raise CannotBeHad(f"the demo needs {name}; see above")
    if status != 0:
        raise DemoError(f"scripts/dependencies.sh {name} failed with status {status}; see above")
    return Path(stdout.strip())


async def prepare(processes: Processes, screen: Screen) -> Programs:
    """Builds the filter and the tool, and finds or fetches Envoy."""
    screen.say("Building the filter and the tool")
    stdout = await build(processes, [REPOSITORY / "build.sh"])
    screen.say(f"  {stdout.splitlines()[-1]}")
    await build(processes, ["cargo", "build", "--quiet", "--locked", "--package", "llm-canary-cli"])
    tool = Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target")) / "debug" / "llm-canary"
    screen.say(f"  {tool}")
    return Programs(tool, await dependency(processes, "envoy", ENVOY_VERSION))


def choose_port(options: argparse.Namespace, name: str, shipped: int, taken: set[int]) -> int:
    """The port that was asked for; else the shipped one where it is free."""
    asked = getattr(options, f"{name}_port")
    port = free_port(shipped if asked is None else asked, taken)
    if asked and port != asked:
        raise DemoError(f"--{name}-port {asked}: this port is in use")
    return port


def choose_ports(options: argparse.Namespace, taken: set[int]) -> Ports:
    shipped = dataclasses.asdict(SHIPPED)
    return Ports(**{name: choose_port(options, name, port, taken) for name, port in shipped.items()})


async def start(processes: Processes, screen: Screen, programs: Programs, stage: Stage, ports: Ports) -> None:
    """Starts all servers and says where they listen."""
    for version in VERSIONS:
        server: Command = [sys.executable, REPOSITORY / "demo" / "model_server.py", "--version", version]
        await processes.start(f"model-{version}", [*server, "--port", str(getattr(ports, version))], stage.folder)
    workers = ("--concurrency", str(ENVOY_WORKERS))
    envoy: Command = [programs.envoy, "-c", "envoy/envoy.yaml", *workers, "--use-dynamic-base-id"]
    await processes.start("envoy", envoy, stage.folder)
    for version in VERSIONS:
        port = getattr(ports, version)
        await processes.ready(f"model-{version}", port, "/v1/models")
        screen.say(f"  model server {version}  http://127.0.0.1:{port}")
    await processes.ready("envoy", ports.admin, "/ready")
    screen.say(f"  Envoy            http://127.0.0.1:{ports.envoy} (admin page http://127.0.0.1:{ports.admin})")
