"""Forms of which no package that the tests can install has the definition, with the fields that our files use.

KServe's package for Python has the kind LLMInferenceService without its specification, and the chart of the vLLM
production stack comes with its repository only. The fields are named as their sources have them. Where the definitions
are at hand in the folder of the others (see tests/harness/definitions.py), they are used, too: KServe's as any other,
and the chart's schema under the name production-stack-values.schema.json.
"""

import functools
import json
from typing import Any

import jsonschema
import kubernetes_validate
import yaml

from tests.harness import Json
from tests.harness.definitions import FOLDER
from tests.istio import crd

SERVICE = ("serving.kserve.io/v1alpha2", "LLMInferenceService")
VALUES_SCHEMA = "production-stack-values.schema.json"

_SERVICE = yaml.safe_load(
    """
    type: object
    additionalProperties: false
    required: [apiVersion, kind, metadata, spec]
    properties:
      apiVersion: {type: string}
      kind: {type: string}
      metadata: {}
      spec:
        type: object
        additionalProperties: false
        required: [model]
        properties:
          model:
            type: object
            additionalProperties: false
            required: [uri]
            properties: {uri: {type: string, format: uri}, name: {type: string}}
          replicas: {type: integer, minimum: 0}
          router:
            type: object
            additionalProperties: false
            properties:
              scheduler: {type: object, additionalProperties: false}
          template: {type: object}
    """
)
_VALUES = yaml.safe_load(
    """
    type: object
    additionalProperties: false
    properties:
      servingEngineSpec:
        type: object
        additionalProperties: false
        properties:
          modelSpec:
            type: array
            items:
              type: object
              additionalProperties: false
              required: [name, repository, tag, modelURL, replicaCount, requestCPU, requestMemory, requestGPU]
              properties:
                name: {type: string}
                repository: {type: string}
                tag: {type: string}
                modelURL: {type: string}
                replicaCount: {type: integer}
                requestCPU: {type: integer}
                requestMemory: {type: string}
                requestGPU: {type: integer}
                vllmConfig:
                  type: object
                  additionalProperties: false
                  properties: {extraArgs: {type: array, items: {type: string}}}
      routerSpec:
        type: object
        additionalProperties: false
        properties:
          enableRouter: {type: boolean}
          routingLogic: {enum: [roundrobin, session, prefixaware]}
          sessionKey: {type: string}
    """
)


def service_errors(doc: Json, version: str) -> list[str]:
    """What is wrong with an LLMInferenceService, as far as it is known. Its template is the specification of a pod."""
    schema = {**_SERVICE, "properties": _SERVICE["properties"] | {"metadata": crd.METADATA}}
    found = [
        f"{error.json_path}: {error.message}" for error in jsonschema.Draft202012Validator(schema).iter_errors(doc)
    ]
    if found:
        return found
    template = doc["spec"].get("template", {})
    # KServe's presets give the container what it lacks here.
    containers = [{"image": "set-by-a-preset", **container} for container in template.get("containers", [])]
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": {**template, "containers": containers}}
    try:
        kubernetes_validate.validate(pod, version, strict=True)
    except kubernetes_validate.ValidationError as error:
        return [f"spec.template: {list(error.path)}: {error.message}"]
    return []


@functools.cache
def _chart_schema() -> Json | None:
    path = FOLDER / VALUES_SCHEMA
    return _closed(json.loads(path.read_text())) if path.is_file() else None


def _closed(schema: Any) -> Any:
    """The schema with unknown fields refused wherever it names fields."""
    if isinstance(schema, list):
        return [_closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {name: _closed(value) for name, value in schema.items()}
    if isinstance(schema.get("properties"), dict):
        closed.setdefault("additionalProperties", False)
    return closed


def values_errors(values: Json) -> list[str]:
    """What is wrong with values for the production stack's chart."""
    schemas = [_VALUES, *([schema] if (schema := _chart_schema()) else [])]
    return [
        f"{error.json_path}: {error.message}"
        for schema in schemas
        for error in jsonschema.Draft202012Validator(schema).iter_errors(values)
    ]
