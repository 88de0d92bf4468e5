"""The definitions of other people's resources, which are not in this repository."""

import functools
import os
from pathlib import Path

import yaml

from tests.harness import REPOSITORY, Json, unavailable

FOLDER = Path(os.environ.get("LLM_CANARY_CRDS", REPOSITORY.parent / "shared" / "crds"))

# (apiVersion, kind) -> schema
Schemas = dict[tuple[str, str], Json]


@functools.cache
def schemas() -> Schemas:
    """The schema of each kind that a definition in the folder has, for each version that is served."""
    files = sorted(FOLDER.glob("*.yaml"))
    if not files:
        unavailable(f"there are no definitions in {FOLDER}: name a folder with them in LLM_CANARY_CRDS")
    definitions = [doc for path in files for doc in yaml.load_all(path.read_text(), yaml.CSafeLoader) if doc]
    return {
        (f"{definition['spec']['group']}/{version['name']}", definition["spec"]["names"]["kind"]): version["schema"][
            "openAPIV3Schema"
        ]
        for definition in definitions
        if definition.get("kind") == "CustomResourceDefinition"
        for version in definition["spec"]["versions"]
        if version["served"]
    }
