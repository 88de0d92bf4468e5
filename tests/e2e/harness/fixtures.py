"""Fixtures of every suite that drives a real Envoy: one event loop, the built module, and Envoys that must end each
test with their VMs intact. A suite's own `servers` says what stands behind Envoy: {version: anything with a `port`}."""

import inspect
import subprocess

import pytest

from . import NEWEST, REPOSITORY, unavailable
from .client import Client
from .envoy import MODULE, Envoy
from .loop import LoopThread

EXIT_SKIPPED = 77  # of scripts/dependencies.sh: not to be had on this machine

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
def dependency():
    """The path that scripts/dependencies.sh prints. It is fetched on first use; where it cannot be had, the test is skipped."""
    paths = {}

    def path(*arguments):
        if arguments not in paths:
            command = [REPOSITORY / "scripts" / "dependencies.sh", *arguments]
            found = subprocess.run(command, stdout=subprocess.PIPE, text=True)
            if found.returncode not in (0, EXIT_SKIPPED):
                pytest.fail(f"scripts/dependencies.sh {' '.join(arguments)} failed with status {found.returncode}")
            paths[arguments] = found.stdout.strip()
        if not paths[arguments]:
            unavailable(f"{' '.join(arguments)} cannot be had here")
        return paths[arguments]

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


_RUNNING = []


@pytest.fixture(scope="module")
def start_envoy(dependency, module, servers, tmp_path_factory):
    """Starts an Envoy in front of both model servers; stopped when the module's tests are over."""
    mine = []

    def start(configuration, version=NEWEST, ports=None, **options):
        where = {f"llm-{name}": server.port for name, server in servers.items()} | (ports or {})
        envoy = Envoy(dependency("envoy", version), tmp_path_factory.mktemp("envoy") / "run", configuration, where, **options)
        envoy.version = version
        envoy.start()
        mine.append(envoy)
        _RUNNING.append(envoy)
        if envoy.has_filter and (envoy.discovery("update_rejected") or not envoy.discovery("config_reload")):
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
