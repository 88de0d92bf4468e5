from typing import Any

from tests.harness import Json

"""The plugin's configuration that most tests start from."""

CLUSTERS = {"v1": "llm-v1", "v2": "llm-v2"}


def rollout(**fields: Any) -> Json:
    return {
        "name": "chat",
        "key": [{"header": "x-conversation-id"}],
        "baseline": "v1",
        "versions": [{"name": name, "cluster": cluster} for name, cluster in CLUSTERS.items()],
        **fields,
    }


def config(*rollouts: Json, **fields: Any) -> Json:
    return {"rollouts": list(rollouts) or [rollout()], **fields}
