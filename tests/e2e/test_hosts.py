"""Both hosts of the filter count the same, and leave the same bytes. tests/hosts.sh compares them for longer."""

import asyncio
from pathlib import Path

import pytest

from tests.harness.dependencies import Dependency
from tests.harness.hosts import HOSTS, NATIVE
from tests.harness.module import built
from tests.soak.hosts import SHORT_RECORDINGS, compare

SECONDS, CLIENTS = 4, 8


@pytest.mark.parametrize("version", [platform.version for platform in NATIVE.platforms])
async def test_the_same_traffic_through_both_hosts(dependency: Dependency, tmp_path: Path, version: str) -> None:
    for host in HOSTS:
        built(host)
    envoy = await asyncio.to_thread(dependency, "envoy", version)
    differences = await compare(envoy, tmp_path, SECONDS, CLIENTS, SHORT_RECORDINGS)
    assert differences == []
