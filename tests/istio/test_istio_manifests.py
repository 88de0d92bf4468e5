"""Istio's API server would accept every manifest of istio/; and the check can refuse."""

from typing import Any

import pytest
import yaml

from tests.harness import Json
from tests.istio import crd
from tests.istio.crd import Schemas
from tests.istio.manifests import FILES, ISTIO, NOT_MANIFESTS, PLUGIN_FILES, documents

MANIFESTS = [
    pytest.param(doc, id=f"{path.name}:{doc.get('kind')}/{doc.get('metadata', {}).get('namespace')}")
    for path in FILES
    for doc in crd.load(path.read_text())
]


def test_every_file_is_accounted_for() -> None:
    kinds = {doc["kind"] for path in FILES for doc in crd.load(path.read_text())}
    assert kinds == {
        "DestinationRule",
        "EnvoyFilter",
        "Gateway",
        "Telemetry",
        "TrafficExtension",
        "VirtualService",
        "WasmPlugin",
    }
    assert all((ISTIO / name).is_file() for name in NOT_MANIFESTS)
    assert len(PLUGIN_FILES) == 4, "one WasmPlugin and one TrafficExtension for each of the two shapes"


@pytest.mark.parametrize("manifest", MANIFESTS)
def test_the_form_is_right(schemas: Schemas, manifest: Json) -> None:
    assert crd.form_errors(schemas, manifest) == []


@pytest.mark.parametrize("manifest", MANIFESTS)
def test_the_rules_hold(schemas: Schemas, cel: object, manifest: Json) -> None:
    assert crd.rule_errors(schemas, manifest) == []


def changed(name: str, kind: str, path: Any, value: Any) -> Json:
    """The manifest with one value exchanged, or removed where the value is `None`."""
    manifest = documents(name)[kind]
    *parents, last = path
    node = manifest
    for key in parents:
        node = node[key]
    if value is None:
        del node[last]
    else:
        node[last] = value
    return manifest


PLUGIN = ("gateway-wasmplugin.yaml", "WasmPlugin")
EXTENSION = ("sidecar-trafficextension.yaml", "TrafficExtension")
ROUTES = ("gateway-routes.yaml", "VirtualService")
VERSIONS = ("versions.yaml", "DestinationRule")

WRONG_FORM = {
    "a typo": (*PLUGIN, ["spec", "failStratgy"], "FAIL_OPEN"),
    "a field of the other kind": (*EXTENSION, ["spec", "url"], "oci://registry.example.com/llm-canary:0.1.0"),
    "a typo deep inside": (*ROUTES, ["spec", "http", 0, "match", 0, "headers", "x-llm-version"], {"exat": "v1"}),
    "two kinds of match at once": (
        *ROUTES,
        ["spec", "http", 0, "match", 0, "headers", "x-llm-version"],
        {"exact": "v1", "prefix": "v"},
    ),
    "a typo in a subset": (*VERSIONS, ["spec", "subsets", 0, "label"], {"version": "v1"}),
    "a word that Envoy knows and Istio does not": (*PLUGIN, ["spec", "failStrategy"], "FAIL_CLOSED"),
    "no such direction": (*EXTENSION, ["spec", "match", 0, "mode"], "OUTBOUND"),
    "a sum without its quotes": (*PLUGIN, ["spec", "sha256"], 0),
    "a sum that is too short": (*PLUGIN, ["spec", "sha256"], "0" * 63),
    "a number for a header": (*ROUTES, ["spec", "http", 0, "match", 0, "headers", "x-llm-version", "exact"], 1),
    "text for a number": (*ROUTES, ["spec", "http", 0, "retries", "attempts"], "2"),
    "too large a number": (*ROUTES, ["spec", "http", 0, "retries", "attempts"], 2**31),
    "nowhere to go": (*ROUTES, ["spec", "http", 2, "route", 0, "destination", "host"], None),
    "no module": (*PLUGIN, ["spec", "url"], None),
    "a port twice": (*EXTENSION, ["spec", "match", 0, "ports"], [{"number": 8000}, {"number": 8000}]),
    "a version that is not served": (*ROUTES, ["apiVersion"], "networking.istio.io/v2"),
    "no namespace": (*PLUGIN, ["metadata", "namespace"], None),
}

AGAINST_A_RULE = {
    "no timeout, written out": (*ROUTES, ["spec", "http", 0, "timeout"], "0s"),
    "a scheme nobody fetches": (*PLUGIN, ["spec", "url"], "ftp://registry.example.com/llm-canary"),
    "two ways to choose pods": (*PLUGIN, ["spec", "targetRefs"], [{"kind": "Gateway", "name": "llm"}]),
    "two ways to choose pods, newer kind": (*EXTENSION, ["spec", "targetRefs"], [{"kind": "Gateway", "name": "llm"}]),
    "neither wasm nor lua": (*EXTENSION, ["spec", "wasm"], None),
    "a wildcard in a selector": (*PLUGIN, ["spec", "selector", "matchLabels", "istio"], "ingress*"),
}


@pytest.mark.parametrize("change", WRONG_FORM.values(), ids=WRONG_FORM.keys())
def test_a_wrong_form_is_refused(schemas: Schemas, change: Any) -> None:
    assert crd.form_errors(schemas, changed(*change)) != []


@pytest.mark.parametrize("change", AGAINST_A_RULE.values(), ids=AGAINST_A_RULE.keys())
def test_what_breaks_a_rule_is_refused(schemas: Schemas, cel: object, change: Any) -> None:
    manifest = changed(*change)
    assert crd.rule_errors(schemas, manifest) != []


def test_a_key_given_twice_is_refused() -> None:
    with pytest.raises(yaml.YAMLError, match="given twice: \\['a'\\]"):
        crd.load("spec: {a: 1, a: 2}")
