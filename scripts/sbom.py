#!/usr/bin/env python3
"""Makes the software bill of materials (SBOM) of one file that we ship, in CycloneDX 1.5, of what cargo-cyclonedx says.

cargo-cyclonedx takes the features that all packages of the workspace together ask for, so it also lists crates that are
not in this file. Here only those stay that `cargo tree` lists for this package and target. What cargo does not know is
added: the file's SHA-256, and libraries of the system that are linked into it. The result depends on the source alone:
it has no path of this machine, and no random number.
"""

import argparse
import hashlib
import json
import uuid
from pathlib import Path
from typing import Any

Json = Any


def crates(tree: str) -> set[tuple[str, str]]:
    """(name, version) of each line of `cargo tree --prefix none --format {p}`."""
    words = (line.split() for line in tree.splitlines() if line)
    return {(line[0], line[1].removeprefix("v")) for line in words}


def without_paths(node: Json, root: str) -> Json:
    """The same, where the folder of the source is /llm-canary."""
    if isinstance(node, dict):
        return {key: without_paths(value, root) for key, value in node.items()}
    if isinstance(node, list):
        return [without_paths(value, root) for value in node]
    return node.replace(f"path+file://{root}", "path+file:///llm-canary") if isinstance(node, str) else node


def pruned(bom: Json, kept: set[tuple[str, str]]) -> None:
    components = [one for one in bom["components"] if (one["name"], one["version"]) in kept]
    refs = {one["bom-ref"] for one in components} | {bom["metadata"]["component"]["bom-ref"]}
    bom["components"] = sorted(components, key=lambda one: one["bom-ref"])
    bom["dependencies"] = [
        {"ref": one["ref"], "dependsOn": sorted(set(one.get("dependsOn", [])) & refs)}
        for one in sorted(bom["dependencies"], key=lambda one: one["ref"])
        if one["ref"] in refs
    ]
    for one in bom["components"]:
        one["scope"] = "required"


def linked(library: str) -> Json:
    name, version, licence = library.split("=")
    return {
        "type": "library",
        "bom-ref": f"pkg:generic/{name}@{version}",
        "name": name,
        "version": version,
        "scope": "required",
        "licenses": [{"expression": licence}],
        "purl": f"pkg:generic/{name}@{version}",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--of", type=Path, required=True, metavar="FILE", help="the file that is shipped")
    parser.add_argument("--name", required=True, help="its name in the SBOM")
    parser.add_argument("--raw", type=Path, required=True, help="what cargo-cyclonedx wrote")
    parser.add_argument("--tree", type=Path, required=True, help="what cargo tree wrote")
    parser.add_argument("--root", required=True, help="the folder where cargo-cyclonedx ran")
    parser.add_argument("--linked", action="append", default=[], metavar="NAME=VERSION=LICENCE", help="another library")
    parser.add_argument("--output", type=Path, required=True)
    given = parser.parse_args()

    bom = without_paths(json.loads(given.raw.read_text()), given.root)
    pruned(bom, crates(given.tree.read_text()))
    main_ref = bom["metadata"]["component"]["bom-ref"]
    libraries = [linked(library) for library in given.linked]
    bom["components"] += libraries
    bom["dependencies"] += [{"ref": one["bom-ref"], "dependsOn": []} for one in libraries]
    for one in bom["dependencies"]:
        if one["ref"] == main_ref:
            one["dependsOn"] += [library["bom-ref"] for library in libraries]
    shipped = bom["metadata"]["component"]
    # cargo-cyclonedx lists the targets of the package; what is shipped is one file.
    shipped.pop("components", None)
    shipped["name"] = given.name
    shipped["hashes"] = [{"alg": "SHA-256", "content": hashlib.sha256(given.of.read_bytes()).hexdigest()}]
    bom.pop("serialNumber", None)
    bom["serialNumber"] = uuid.uuid5(uuid.NAMESPACE_OID, json.dumps(bom, sort_keys=True)).urn
    given.output.write_text(json.dumps(bom, indent=1, ensure_ascii=False, sort_keys=True) + "\n")


if __name__ == "__main__":
    main()
