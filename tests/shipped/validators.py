"""Validators of shipped files, by what a file is. Each says what is wrong with the documents of a file, changed or not.

In: documents, and a `Workshop` with the programs. Out: errors. A validator refuses unknown fields; test_files.py puts
one into each mapping of each file, and wants to see it refused.
"""

import functools
import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import jsonschema
import kubernetes_validate
import yaml

from tests.harness import Json
from tests.harness.definitions import schemas
from tests.istio import crd
from tests.shipped import envoy_config, unpublished
from tests.shipped.places import Path as Place
from tests.shipped.places import Text, document_of

# The newest Kubernetes whose schemas the package has.
KUBERNETES = "1.37"
CHECK_SECONDS_MAX = 20


class Workshop(NamedTuple):
    """Programs, and a folder to put files for them."""

    tool: Path
    envoy: Path
    promtool: Path
    # Files that stand for those of other machines: see envoy_config.found_here.
    files: dict[str, Path]
    folder: Path

    def run(self, program: Path, *arguments: str | Path) -> str:
        """What a program says against its arguments; empty if nothing."""
        command = [program, *arguments]
        ran = subprocess.run(command, cwd=self.folder, capture_output=True, text=True, timeout=CHECK_SECONDS_MAX)
        return "" if ran.returncode == 0 else ran.stderr + ran.stdout or f"status {ran.returncode}"

    def checked(self, documents: list[Json], name: str = "checked.yaml") -> tuple[str, int]:
        """What `llm-canary check` says against documents, and how many configurations and policies it finds."""
        path = self.folder / name
        path.write_text(yaml.safe_dump_all(documents, sort_keys=False))
        ran = subprocess.run(
            [self.tool, "check", "--json", path], capture_output=True, text=True, timeout=CHECK_SECONDS_MAX
        )
        if "there is nothing to check" in ran.stderr:
            return "", 0
        if ran.returncode != 0:
            return ran.stderr, 0
        return "", len(json.loads(ran.stdout))

    def envoy_error(self, config: Json) -> str:
        return envoy_config.error(self.envoy, self.folder, config, self.files)


Errors = list[str]


class Validator:
    """What a file is."""

    def is_slow_at(self, place: Place) -> bool:
        """Whether a look at what has changed at a place takes a program its time."""
        return False

    def errors(self, documents: list[Json], shop: Workshop) -> Errors:
        raise NotImplementedError

    def configurations(self, documents: list[Json]) -> int:
        """How many configurations and policies of ours are in there, counted in another way than the tool's."""
        return sum(_rollouts(document) for document in documents)


def _rollouts(value: Any) -> int:
    """Mappings with rollouts, also in texts."""
    if isinstance(value, dict):
        return 1 if isinstance(value.get("rollouts"), list) else sum(map(_rollouts, value.values()))
    if isinstance(value, list):
        return sum(map(_rollouts, value))
    if isinstance(value, str) and (text := document_of(value)):
        return _rollouts(text.read(value))
    return 0


class Plugin(Validator):
    """The configuration itself."""

    def errors(self, documents: list[Json], shop: Workshop) -> Errors:
        return _some(shop.checked(documents)[0])


class Manifests(Validator):
    """Resources of Kubernetes, with what they hold for other programs."""

    def is_slow_at(self, place: Place) -> bool:
        return bool({"value", "config", "pluginConfig"} & set(place)) or any(isinstance(step, Text) for step in place)

    def errors(self, documents: list[Json], shop: Workshop) -> Errors:
        found = [error for document in documents for error in resource_errors(document)]
        # Only what has the right form is worth a look inside.
        if not found:
            found = [error for document in documents for error in inner_errors(document, shop)]
        return found or _some(shop.checked(documents)[0])


@functools.cache
def _closed(identity: tuple[str, str]) -> jsonschema.Draft202012Validator:
    """The validator of a kind, which refuses unknown fields."""
    return crd.validator(schemas(), identity)


def resource_errors(doc: Json) -> Errors:
    """What an API server would refuse, and what it would drop in silence."""
    identity = (doc.get("apiVersion", ""), doc.get("kind", ""))
    if identity not in schemas() and identity == unpublished.SERVICE:
        return unpublished.service_errors(doc, KUBERNETES)
    if identity in schemas():
        found = [f"{error.json_path}: {error.message}" for error in _closed(identity).iter_errors(doc)]
        return found or crd.repeated(schemas()[identity], doc) + crd.rule_errors(schemas(), doc)
    try:
        kubernetes_validate.validate(doc, KUBERNETES, strict=True)
    except kubernetes_validate.ValidationError as error:
        return [f"{list(error.path)}: {error.message}"]
    except (kubernetes_validate.SchemaNotFoundError, kubernetes_validate.InvalidSchemaError) as error:
        return [f"{identity}: no definition is known: {error}"]
    return []


def inner_errors(doc: Json, shop: Workshop) -> Errors:
    """What is wrong in the configuration of Envoy, and in the files, that a resource holds."""
    for config in envoy_parts(doc):
        if error := shop.envoy_error(config):
            return [error]
    if doc["kind"] == "ConfigMap":
        return [error for name, text in doc.get("data", {}).items() for error in file_errors(name, text, shop)]
    return []


def envoy_parts(doc: Json) -> Iterator[Json]:
    """A bootstrap for each part of Envoy's configuration in a resource."""
    match doc["kind"]:
        case "EnvoyFilter":
            yield from envoy_config.of_envoy_filter(doc)
        case "EnvoyProxy" if added := doc["spec"].get("bootstrap"):
            yield envoy_config.merged(envoy_config.bootstrap([]), yaml.safe_load(added["value"]))


def file_errors(name: str, text: str, shop: Workshop) -> Errors:
    """What is wrong with a file in a ConfigMap."""
    kind = document_of(text)
    if not kind:
        return [f"data.{name}: nobody validates this file; add it to tests/shipped/validators.py"]
    read = kind.read(text)
    if {"static_resources", "admin", "node"} & set(read):
        return _some(shop.envoy_error(read))
    if "resources" in read:
        return Discovered().errors([read], shop)
    error, found = shop.checked([read])
    return _some(error) or ([] if found else [f"data.{name}: nobody validates this file"])


class Bootstrap(Validator):
    """What Envoy starts with."""

    def is_slow_at(self, place: Place) -> bool:
        return True

    def errors(self, documents: list[Json], shop: Workshop) -> Errors:
        [config] = documents
        return _some(shop.envoy_error(config))


class Discovered(Validator):
    """A file in which Envoy discovers filters."""

    def is_slow_at(self, place: Place) -> bool:
        return True

    def errors(self, documents: list[Json], shop: Workshop) -> Errors:
        [file] = documents
        kind = "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig"
        fields = {"@type", "name", "typed_config"}
        if set(file) != {"resources"} or any(set(one) != fields or one["@type"] != kind for one in file["resources"]):
            return ["a field of the discovery response or of its resources is unknown, or missing"]
        for config in envoy_config.of_discovered(file):
            if error := shop.envoy_error(config):
                return [error]
        return _some(shop.checked(documents)[0])


class PrometheusConfig(Validator):
    """What Prometheus starts with. The rules that it names are files of their own."""

    def errors(self, documents: list[Json], shop: Workshop) -> Errors:
        return _promtool(documents, shop, "config", "--syntax-only", "--lint=all", "--lint-fatal")


class PrometheusRules(Validator):
    """Rules and alerts."""

    def is_slow_at(self, place: Place) -> bool:
        return True

    def errors(self, documents: list[Json], shop: Workshop) -> Errors:
        return _promtool(documents, shop, "rules", "--lint=all", "--lint-fatal")


def _promtool(documents: list[Json], shop: Workshop, what: str, *options: str) -> Errors:
    path = shop.folder / "checked.yml"
    path.write_text(yaml.safe_dump_all(documents, sort_keys=False))
    return _some(shop.run(shop.promtool, "check", what, *options, path))


class ReferenceSet(Validator):
    """Questions for `watchdog`, in promptfoo's format. The tool passes over what it does not know there, as it must
    with other people's sets, so the fields that this one uses are named here.
    """

    SCHEMA = yaml.safe_load(
        """
        type: object
        additionalProperties: false
        required: [description, prompts, providers, tests]
        properties:
          description: {type: string}
          prompts: {type: array, items: {type: string}}
          providers:
            type: array
            items:
              type: object
              additionalProperties: false
              properties:
                id: {type: string}
                config:
                  type: object
                  additionalProperties: false
                  properties: {temperature: {type: number}, max_tokens: {type: integer}}
          defaultTest:
            type: object
            additionalProperties: false
            properties: {assert: {$ref: "#/$defs/checks"}}
          tests:
            type: array
            items:
              type: object
              additionalProperties: false
              required: [description, vars, assert]
              properties:
                description: {type: string}
                vars: {type: object, additionalProperties: {type: string}}
                assert: {$ref: "#/$defs/checks"}
        $defs:
          checks:
            type: array
            items:
              type: object
              additionalProperties: false
              required: [type]
              properties:
                type: {type: string}
                value:
                  type: [string, number, array, object]
                  additionalProperties: false
                  properties: {min: {type: number}, max: {type: number}}
        """
    )

    def errors(self, documents: list[Json], shop: Workshop) -> Errors:
        [one] = documents
        found = [error.message for error in jsonschema.Draft202012Validator(self.SCHEMA).iter_errors(one)]
        if found:
            return found
        path = shop.folder / "set.yaml"
        path.write_text(yaml.safe_dump(one, sort_keys=False))
        return _some(shop.run(shop.tool, "watchdog", "--set", path, "--dry-run"))


class DeploymentPatch(Validator):
    """A patch for a Deployment, whose annotations Istio turns into a part of Envoy's bootstrap."""

    BASE = yaml.safe_load(
        """
        apiVersion: apps/v1
        kind: Deployment
        metadata: {name: patched, namespace: llm}
        spec:
          selector: {matchLabels: {app: patched}}
          template:
            metadata: {labels: {app: patched}}
            spec: {containers: [{name: istio-proxy, image: registry.example.com/proxy}]}
        """
    )

    def errors(self, documents: list[Json], shop: Workshop) -> Errors:
        [patch] = documents
        doc = envoy_config.merged(self.BASE, patch)
        if found := resource_errors(doc):
            return found
        annotations = doc["spec"]["template"]["metadata"]["annotations"]
        tags = annotations["sidecar.istio.io/extraStatTags"].split(",")
        buckets = json.loads(annotations["sidecar.istio.io/statsHistogramBuckets"])
        stats = {
            "stats_tags": [{"tag_name": tag, "regex": rf"({tag}=\.=(.*?);\.;)"} for tag in tags],
            "histogram_bucket_settings": [
                {"match": {"prefix": prefix}, "buckets": bounds} for prefix, bounds in buckets.items()
            ],
        }
        return _some(shop.envoy_error(envoy_config.bootstrap([]) | {"stats_config": stats}))


class AccessLog(Validator):
    """Values for istiod's chart: a provider of an access log. The chart takes anything below meshConfig, so the fields
    are named here, as Istio's MeshConfig has them; what the format means is up to Envoy.
    """

    SCHEMA = yaml.safe_load(
        """
        type: object
        additionalProperties: false
        required: [meshConfig]
        properties:
          meshConfig:
            type: object
            additionalProperties: false
            required: [extensionProviders]
            properties:
              extensionProviders:
                type: array
                items:
                  type: object
                  additionalProperties: false
                  required: [name, envoyFileAccessLog]
                  properties:
                    name: {type: string}
                    envoyFileAccessLog:
                      type: object
                      additionalProperties: false
                      required: [path, logFormat]
                      properties:
                        path: {type: string}
                        logFormat:
                          type: object
                          additionalProperties: false
                          required: [labels]
                          properties:
                            labels: {type: object, additionalProperties: {type: string}}
        """
    )

    def errors(self, documents: list[Json], shop: Workshop) -> Errors:
        [values] = documents
        found = [error.message for error in jsonschema.Draft202012Validator(self.SCHEMA).iter_errors(values)]
        if found:
            return found
        [provider] = values["meshConfig"]["extensionProviders"]
        log = {
            "name": "envoy.access_loggers.stdout",
            "typed_config": {
                "@type": f"{envoy_config.TYPES}.extensions.access_loggers.stream.v3.StdoutAccessLog",
                "log_format": {
                    "json_format": provider["envoyFileAccessLog"]["logFormat"]["labels"],
                    # Istio adds it where the format asks for it.
                    "formatters": [
                        {
                            "name": "envoy.formatter.req_without_query",
                            "typed_config": {
                                "@type": f"{envoy_config.TYPES}.extensions.formatter.req_without_query.v3"
                                ".ReqWithoutQuery"
                            },
                        }
                    ],
                },
            },
        }
        return _some(shop.envoy_error(envoy_config.bootstrap([], {"access_log": [log]})))


class ChartValues(Validator):
    """Values for the chart of the vLLM production stack."""

    def errors(self, documents: list[Json], shop: Workshop) -> Errors:
        [values] = documents
        return unpublished.values_errors(values)


class Dashboard(Validator):
    """A dashboard of Grafana. Grafana publishes no schema that refuses unknown fields; test_prometheus.py and
    test_queries.py check what it says.
    """

    def errors(self, documents: list[Json], shop: Workshop) -> Errors:
        [board] = documents
        return [] if board.get("panels") and board.get("uid") else ["is no dashboard"]


def _some(error: str) -> Errors:
    return [error] if error else []
