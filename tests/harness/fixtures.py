"""Fixtures of the suites that drive Envoy through the harness: one event loop, Envoys, and clients of them.

Every test ends with a look at the filters in all Envoys that run. A suite's own fixture `servers` says what stands
behind Envoy: {version: anything with a `port`}.
"""

import inspect
from collections.abc import Callable, Coroutine, Iterator, Mapping
from typing import Any, Protocol

import pytest

from pylib.client import Client
from tests.harness.dependencies import dependency
from tests.harness.envoy import Envoy
from tests.harness.hosts import HOSTS, PLATFORMS, Host, Platform, platforms_of
from tests.harness.loop import LoopThread
from tests.harness.module import built

Run = Callable[[Coroutine[Any, Any, Any]], Any]
StartEnvoy = Callable[..., Envoy]
ClientOf = Callable[[Envoy], Client]


class Server(Protocol):
    port: int


_LOOP = LoopThread()
_RUNNING: list[Envoy] = []


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "platforms(*platforms): where the test runs; see tests/harness/hosts.py")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Whatever starts an Envoy does so on each platform."""
    if "platform" in metafunc.fixturenames:
        marked = metafunc.definition.get_closest_marker("platforms")
        chosen = marked.args if marked else [host.current for host in HOSTS]
        platforms = platforms_of(metafunc.definition.path.name, chosen)
        metafunc.parametrize("platform", platforms, ids=str, indirect=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The tests of a file on one platform follow each other, so that what they share is started once."""
    files = {item.path: at for at, item in reversed([*enumerate(items)])}

    def place(item: pytest.Item) -> tuple[int, int]:
        parameters = item.callspec.params if hasattr(item, "callspec") else {}
        platform = parameters.get("platform")
        return files[item.path], PLATFORMS.index(platform) if platform else -1

    items.sort(key=place)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Runs an `async def` test on the loop that also serves the model servers."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in inspect.signature(pyfuncitem.obj).parameters}
    _LOOP.run(pyfuncitem.obj(**arguments))
    return True


@pytest.fixture(scope="session")
def run() -> Run:
    """Runs a coroutine on that loop, for a test that is itself no coroutine."""
    return _LOOP.run


def pytest_sessionfinish() -> None:
    _LOOP.stop()


@pytest.fixture(scope="module")
def platform(request: pytest.FixtureRequest) -> Platform:
    """The host that the filter runs in, and its Envoy."""
    return request.param


@pytest.fixture(scope="module")
def host(platform: Platform) -> Host:
    return platform.host


@pytest.fixture(scope="module")
def start_envoy(
    platform: Platform, servers: Mapping[str, Server], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[StartEnvoy]:
    """Starts an Envoy in front of the model servers: of the platform's version with the filter in the platform's host,
    unless others are asked for. It is stopped when the module's tests on this platform are over.
    """
    mine: list[Envoy] = []

    def start(
        configuration: object,
        version: str = platform.version,
        host: Host = platform.host,
        ports: Mapping[str, int] | None = None,
        **options: Any,
    ) -> Envoy:
        built(host)
        where = {f"llm-{name}": server.port for name, server in servers.items()} | dict(ports or {})
        folder = tmp_path_factory.mktemp("envoy") / "run"
        envoy = Envoy(dependency("envoy", version), folder, configuration, where, host=host, **options)
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
def filters_survive() -> Iterator[None]:
    """Fails a test where the filter of any running Envoy has trapped or panicked."""
    yield
    for envoy in _RUNNING:
        assert envoy.filter_failures() == [], f"the filter failed; see {envoy.log_path}"


@pytest.fixture
def client_of() -> Iterator[ClientOf]:
    """A client of an Envoy. It is closed when the test is over."""
    opened: list[Client] = []

    def client(envoy: Envoy) -> Client:
        opened.append(Client(envoy.port))
        return opened[-1]

    yield client
    for one in opened:
        _LOOP.loop.call_soon_threadsafe(one.close)
