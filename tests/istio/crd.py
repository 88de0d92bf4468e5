"""Checks a manifest against Istio's custom resource definitions as an API server would, and stricter.

What comes in: the definitions (OpenAPI v3 schemas with Kubernetes extensions) and a manifest.
What goes out: a list of errors, each with its path. An API server drops unknown fields in
silence; here they are errors, because a dropped `failStrategy` is a different failure strategy.
"""

import copy
from collections.abc import Hashable, Iterator
from typing import Any
from urllib.parse import urlsplit

import jsonschema
import yaml

from tests.harness import Json

# (apiVersion, kind) -> schema
Schemas = dict[tuple[str, str], Json]

INT32 = 2**31


class StrictLoader(yaml.SafeLoader):
    """Refuses a key that is given twice. PyYAML would keep the last of them."""


def _unique_keys(loader: yaml.SafeLoader, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
    keys = [loader.construct_object(key, deep=deep) for key, _ in node.value]
    twice = {key for key in keys if keys.count(key) > 1}
    if twice:
        raise yaml.YAMLError(f"{node.start_mark}: given twice: {sorted(twice)}")
    return yaml.SafeLoader.construct_mapping(loader, node, deep)


StrictLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _unique_keys)


def load(text: str) -> list[Json]:
    """Every document of a YAML file. Duplicate keys are refused."""
    return [doc for doc in yaml.load_all(text, StrictLoader) if doc is not None]


def by_kind(crds: list[Json]) -> Schemas:
    """(apiVersion, kind) -> schema, for every served version."""
    return {
        (f"{crd['spec']['group']}/{version['name']}", crd["spec"]["names"]["kind"]): version["schema"][
            "openAPIV3Schema"
        ]
        for crd in crds
        for version in crd["spec"]["versions"]
        if version["served"]
    }


def closed(schema: Json) -> Json:
    """The JSON Schema that means the same as the structural schema, and refuses unknown fields.

    It descends only where a structural schema has structure. What stands under oneOf, anyOf and not describes
    conditions on the same value and must stay open.
    """
    out = copy.copy(schema)
    if "properties" in schema:
        out["properties"] = {name: closed(sub) for name, sub in schema["properties"].items()}
    if isinstance(schema.get("additionalProperties"), dict):
        out["additionalProperties"] = closed(schema["additionalProperties"])
    elif schema.get("type") == "object" and not schema.get("x-kubernetes-preserve-unknown-fields"):
        out["additionalProperties"] = False
    if "items" in schema:
        out["items"] = closed(schema["items"])
    if schema.get("format") == "int32":
        out["minimum"] = max(schema.get("minimum", -INT32), -INT32)
        out["maximum"] = min(schema.get("maximum", INT32 - 1), INT32 - 1)
    if schema.get("nullable"):
        return {"anyOf": [{"type": "null"}, out]}
    return out


def validator(schemas: Schemas, identity: tuple[str, str]) -> jsonschema.Draft202012Validator:
    """The validator of a kind's form: name, fields, types, enums, patterns. It refuses unknown fields."""
    schema = closed(schemas[identity])
    metadata = METADATA
    if identity[1] in CLUSTER_KINDS:
        properties = {name: field for name, field in METADATA["properties"].items() if name != "namespace"}
        metadata = METADATA | {"required": ["name"], "properties": properties}
    schema["properties"] = {
        "apiVersion": {"type": "string"},
        "kind": {"type": "string"},
        "metadata": metadata,
        "spec": schema["properties"]["spec"],
    }
    schema["required"] = ["apiVersion", "kind", "metadata", "spec"]
    return jsonschema.Draft202012Validator(schema)


def form_errors(schemas: Schemas, manifest: Json) -> list[str]:
    """Errors of form: kind, name, fields, types, enums, patterns, list keys."""
    identity = (manifest.get("apiVersion", ""), manifest.get("kind", ""))
    if identity not in schemas:
        return [f"{identity}: no such resource is served"]
    errors = validator(schemas, identity).iter_errors(manifest)
    return [f"{error.json_path}: {error.message}" for error in errors] + repeated(schemas[identity], manifest)


def repeated(schema: Json, manifest: Json) -> list[str]:
    """Entries of lists that share their keys."""
    return list(_repeated(schema["properties"]["spec"], manifest.get("spec"), "$.spec"))


# Kinds without a namespace.
CLUSTER_KINDS = {"GatewayClass"}

METADATA: Json = {
    "type": "object",
    "required": ["name", "namespace"],
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string", "pattern": "^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", "maxLength": 253},
        "namespace": {"type": "string", "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", "maxLength": 63},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
        "annotations": {"type": "object", "additionalProperties": {"type": "string"}},
    },
}


def _children(schema: Json, value: Any, path: str) -> Iterator[tuple[Json, Any, str]]:
    """(schema, value, path) of everything below a value that its schema describes."""
    if isinstance(value, dict):
        more = schema.get("additionalProperties")
        for name, sub in value.items():
            known = schema.get("properties", {}).get(name, more if isinstance(more, dict) else None)
            if known is not None:
                yield known, sub, f"{path}.{name}"
    elif isinstance(value, list) and "items" in schema:
        for index, sub in enumerate(value):
            yield schema["items"], sub, f"{path}[{index}]"


def _repeated(schema: Json, value: Any, path: str) -> Iterator[str]:
    """Entries of a list with `x-kubernetes-list-type: map` that share their keys."""
    if schema.get("x-kubernetes-list-type") == "map" and isinstance(value, list):
        keys = [tuple(entry.get(key) for key in schema["x-kubernetes-list-map-keys"]) for entry in value]
        for key in {key for key in keys if keys.count(key) > 1}:
            yield f"{path}: {key} is there twice"
    for sub_schema, sub_value, sub_path in _children(schema, value, path):
        yield from _repeated(sub_schema, sub_value, sub_path)


def rules(schema: Json, value: Any, path: str = "$") -> Iterator[tuple[str, str, str, Any]]:
    """Every CEL rule (`x-kubernetes-validations`) that applies to a value: (path, rule, message, value)."""
    for validation in schema.get("x-kubernetes-validations", []):
        # Such a rule is about a change, and what is shipped is created.
        if "oldSelf" in validation["rule"]:
            continue
        yield path, validation["rule"], validation.get("message", validation["rule"]), value
    for sub_schema, sub_value, sub_path in _children(schema, value, path):
        yield from rules(sub_schema, sub_value, sub_path)


def with_defaults(schema: Json, value: Any) -> Any:
    """A value with the defaults of its schema, which an API server writes before it looks at rules."""
    if isinstance(value, dict):
        known = schema.get("properties", {})
        more = schema.get("additionalProperties")
        missing = {
            name: copy.deepcopy(sub["default"]) for name, sub in known.items() if "default" in sub and name not in value
        }
        return {
            name: with_defaults(known.get(name, more if isinstance(more, dict) else {}), sub)
            for name, sub in {**value, **missing}.items()
        }
    if isinstance(value, list):
        return [with_defaults(schema.get("items", {}), sub) for sub in value]
    return value


def rule_errors(schemas: Schemas, manifest: Json) -> list[str]:
    """Errors against the CEL rules. A rule that cannot be evaluated raises: it is never passed over."""
    schema = schemas[manifest["apiVersion"], manifest["kind"]]["properties"]["spec"]
    return [
        f"{path}: {message}"
        for path, rule, message, value in rules(schema, with_defaults(schema, manifest["spec"]), "$.spec")
        if not holds(rule, value)
    ]


def holds(rule: str, value: Any) -> bool:
    """One CEL rule for one value. Kubernetes adds a few functions to the language; these are the ones Istio uses."""
    import cel  # the package common-expression-language

    context = cel.Context()
    context.add_variable("self", value)
    context.add_function("isURL", lambda text: bool(urlsplit(text).scheme) or text.startswith("/"))
    context.add_function("url", lambda text: {"scheme": urlsplit(text).scheme})
    context.add_function("getScheme", lambda url: url["scheme"])
    context.add_function("substring", lambda text, start, end: text[start:end])
    verdict = cel.evaluate(rule, context)
    if not isinstance(verdict, bool):
        raise TypeError(f"{rule!r} gave {verdict!r} for {value!r}, not true or false")
    return verdict
