"""Fixtures: one event loop, two scripted model servers, and Envoys that must end every test with their VMs intact."""

import inspect
import json
import os
import subprocess
from pathlib import Path

import pytest
from harness import NEWEST, REPOSITORY, unavailable
from harness.client import Client
from harness.envoy import MODULE, Envoy
from harness.loop import LoopThread
from harness.upstream import ModelServer

EXIT_SKIPPED = 77  # of scripts/parts.sh: not to be had on this machine

_LOOP = LoopThread()


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    """Runs an `async def` test on the loop that also serves the model servers."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in inspect.signature(pyfuncitem.obj).parameters}
    _LOOP.run(pyfuncitem.obj(**arguments))
    return True


@pytest.fixture(scope="session")
def run():
    """Runs a coroutine on that loop, for a test that is itself no coroutine."""
    return _LOOP.run


def pytest_sessionfinish():
    _LOOP.stop()


@pytest.fixture(scope="session")
def envoy_binary():
    """Path of Envoy by version, installed on first use."""
    paths = {}

    def path(version):
        if version not in paths:
            found = subprocess.run(
                [REPOSITORY / "scripts" / "parts.sh", "envoy", version], stdout=subprocess.PIPE, text=True
            )
            if found.returncode not in (0, EXIT_SKIPPED):
                pytest.fail(f"scripts/parts.sh envoy {version} failed with status {found.returncode}")
            paths[version] = found.stdout.strip()
        if not paths[version]:
            unavailable(f"Envoy {version} cannot be had here")
        return paths[version]

    return path


@pytest.fixture(scope="session")
def module():
    """The built filter. Tests of a stale file would show nothing."""
    if not MODULE.exists():
        pytest.fail(f"{MODULE} is missing: run ./build.sh")
    sources = [*REPOSITORY.glob("src/**/*.rs"), REPOSITORY / "Cargo.toml"]
    newer = [path for path in sources if path.stat().st_mtime > MODULE.stat().st_mtime]
    if newer:
        pytest.fail(f"{MODULE} is older than {newer[0].relative_to(REPOSITORY)}: run ./build.sh")
    return MODULE


@pytest.fixture(scope="session")
def llm_canary():
    """Runs the operator's tool; returns what it printed on stdout, and whatever its exit status."""
    subprocess.run(["cargo", "build", "-q", "-p", "llm-canary-cli"], cwd=REPOSITORY, check=True)
    target = Path(os.environ.get("CARGO_TARGET_DIR", REPOSITORY / "target"))

    def run(*arguments):
        return subprocess.run(
            [target / "debug" / "llm-canary", *arguments], cwd=REPOSITORY, capture_output=True, text=True
        )

    return run


@pytest.fixture(scope="session")
def explain(llm_canary, tmp_path_factory):
    """{key: version} as the operator's tool says it, for keys without line ends."""

    def versions(configuration, keys):
        folder = tmp_path_factory.mktemp("explain")
        (folder / "config.json").write_text(json.dumps(configuration))
        (folder / "keys").write_bytes(b"".join(key + b"\n" for key in keys))
        said = llm_canary("explain", folder / "config.json", "--keys", folder / "keys")
        assert said.returncode == 0, said.stderr
        lines = [json.loads(line) for line in said.stdout.splitlines()]
        assert len(lines) == len(keys), f"{len(lines)} answers to {len(keys)} keys"
        return {key: line["version"].encode() for key, line in zip(keys, lines)}

    return versions


@pytest.fixture(scope="session")
def replies():
    """Replies that a request can ask for by name, the same on every model server."""
    return {}


@pytest.fixture(scope="session")
def servers(replies):
    started = {version: _LOOP.run(ModelServer(version, replies).start()) for version in ("v1", "v2")}
    yield started
    for server in started.values():
        _LOOP.run(server.stop())


@pytest.fixture(autouse=True)
def forget_requests(servers):
    for server in servers.values():
        server.received.clear()


_RUNNING = []


@pytest.fixture(scope="module")
def start_envoy(envoy_binary, module, servers, tmp_path_factory):
    """Starts an Envoy in front of both model servers; stopped when the module's tests are over."""
    mine = []

    def start(configuration, version=NEWEST, ports=None, **options):
        where = {f"llm-{name}": server.port for name, server in servers.items()} | (ports or {})
        envoy = Envoy(envoy_binary(version), tmp_path_factory.mktemp("envoy") / "run", configuration, where, **options)
        envoy.start()
        mine.append(envoy)
        _RUNNING.append(envoy)
        if envoy.discovery("update_rejected") or not envoy.discovery("config_reload"):
            pytest.fail(f"Envoy {version} did not take the configuration:\n{envoy.log()[-4000:]}")
        return envoy

    yield start
    for envoy in mine:
        _RUNNING.remove(envoy)
        envoy.stop()


@pytest.fixture(autouse=True)
def vms_survive():
    """No test passes while a VM trapped anywhere."""
    yield
    for envoy in _RUNNING:
        assert envoy.vm_failures() == [], f"a VM failed; see {envoy.log_path}"


@pytest.fixture
def client_of():
    """A client of an Envoy, closed when the test is over."""
    opened = []

    def client(envoy):
        opened.append(Client(envoy.port))
        return opened[-1]

    yield client
    for client in opened:
        _LOOP.loop.call_soon_threadsafe(client.close)
