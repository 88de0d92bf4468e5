"""The manifests agree with one another, with envoy/ and with the filter.

No schema can see these mistakes, and Istio accepts them.
"""

import json
import re

import pytest
import yaml

from tests.harness import REPOSITORY, Json
from tests.istio import crd
from tests.istio.manifests import EXAMPLE_FILES, ISTIO, PLUGIN_FILES, documents, plugin_config

SHAPES = ["gateway", "sidecar"]
KINDS = ["WasmPlugin", "TrafficExtension"]

# The tags that Istio's own bootstrap defines, and labels of its standard metrics.
ISTIO_TAGS = {
    "authz_dry_run_action", "authz_dry_run_result", "authz_enforce_result", "cache", "cluster_name", "component",
    "destination_app", "destination_version", "http_conn_manager_listener_prefix", "http_conn_manager_prefix",
    "listener_address", "mongo_prefix", "reporter", "request_protocol", "response_code", "response_code_class",
    "response_flags", "source_app", "source_version", "tag", "tcp_prefix", "wasm_filter",
}  # fmt: skip


def plugin(shape: str, kind: str) -> Json:
    return documents(f"{shape}-{kind.lower()}.yaml")[kind]


def wasm(shape: str, kind: str) -> Json:
    spec = plugin(shape, kind)["spec"]
    return spec["wasm"] if kind == "TrafficExtension" else spec


def routes(shape: str) -> Json:
    return documents(f"{shape}-routes.yaml")["VirtualService"]["spec"]


def destination(route: Json) -> Json:
    (only,) = route["route"]
    return only["destination"]


def annotations() -> Json:
    (patch,) = crd.load((ISTIO / "stats-annotations.yaml").read_text())
    return patch["spec"]["template"]["metadata"]["annotations"]


def stat_tags() -> list[str]:
    return annotations()["sidecar.istio.io/extraStatTags"].split(",")


def buckets() -> dict[str, list[float]]:
    return json.loads(annotations()["sidecar.istio.io/statsHistogramBuckets"])


@pytest.mark.parametrize("shape", SHAPES)
def test_both_resources_say_the_same(shape: str) -> None:
    older, newer = (plugin(shape, kind) for kind in KINDS)
    lifted = {key: value for key, value in newer["spec"].items() if key != "wasm"} | newer["spec"]["wasm"]
    assert lifted == older["spec"]
    assert older["metadata"] == newer["metadata"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES)
class TestRouting:
    def test_every_version_has_a_route_and_every_route_a_version(self, shape: str, kind: str) -> None:
        config = plugin_config(plugin(shape, kind))
        header = config.get("version_header", "x-llm-version")
        versions = {version["name"] for rollout in config["rollouts"] for version in rollout["versions"]}
        by_header = {
            match["headers"][header]["exact"]: destination(route)["subset"]
            for route in routes(shape)["http"]
            for match in route.get("match", [])
        }
        assert by_header == {version: version for version in versions}

    def test_every_subset_exists(self, shape: str, kind: str) -> None:
        rule = documents("versions.yaml")["DestinationRule"]["spec"]
        subsets = {subset["name"] for subset in rule["subsets"]}
        for route in routes(shape)["http"]:
            assert destination(route)["host"] == rule["host"]
            assert destination(route)["subset"] in subsets

    def test_a_bypassed_filter_leaves_the_baseline(self, shape: str, kind: str) -> None:
        (rollout,) = plugin_config(plugin(shape, kind))["rollouts"]
        *_, last = routes(shape)["http"]
        assert "match" not in last, "the last route takes what no other took"
        assert destination(last)["subset"] == rollout["baseline"]
        assert all("match" in route for route in routes(shape)["http"][:-1]), "it hides the routes after it"

    def test_the_filter_and_the_routes_are_for_the_same_hosts(self, shape: str, kind: str) -> None:
        (rollout,) = plugin_config(plugin(shape, kind))["rollouts"]
        (host,) = routes(shape)["hosts"]
        assert host in rollout["match"]["hosts"]

    def test_nothing_cuts_a_long_stream_or_generates_twice(self, shape: str, kind: str) -> None:
        for route in routes(shape)["http"]:
            assert "timeout" not in route and "perTryTimeout" not in route["retries"]
            assert set(route["retries"]["retryOn"].split(",")) == {
                "connect-failure",
                "refused-stream",
                "reset-before-request",
            }

    def test_the_module_is_pinned(self, shape: str, kind: str) -> None:
        module = wasm(shape, kind)
        assert re.fullmatch(r"oci://registry\.example\.com/llm-canary:\d+\.\d+\.\d+", module["url"])
        assert module["pluginName"] == "llm-canary"
        text = (ISTIO / f"{shape}-{kind.lower()}.yaml").read_text()
        assert re.search(r'^ +sha256: "[0-9a-f]{64}"$', text, re.M), "sha256 must be quoted, or digits become a number"


def test_the_module_has_the_version_of_the_package() -> None:
    [version] = re.findall(r'^version = "(.+)"$', (REPOSITORY / "Cargo.toml").read_text(), re.M)
    for path in [*PLUGIN_FILES, *EXAMPLE_FILES]:
        assert f"/llm-canary:{version}\n" in path.read_text(), path.name


def test_the_gateway_runs_the_filter_the_routes_and_the_log_on_the_same_pods() -> None:
    gateway, log = documents("gateway-routes.yaml")["Gateway"], crd.load((ISTIO / "access-log.yaml").read_text())[0]
    strip = documents("gateway-strip.yaml")["EnvoyFilter"]
    pods = [(gateway["metadata"]["namespace"], gateway["spec"]["selector"])]
    pods += [(strip["metadata"]["namespace"], strip["spec"]["workloadSelector"]["labels"])]
    pods += [
        (doc["metadata"]["namespace"], doc["spec"]["selector"]["matchLabels"])
        for doc in [log, *(plugin("gateway", kind) for kind in KINDS)]
    ]
    assert all(pod == pods[0] for pod in pods), pods
    assert gateway["metadata"]["name"] in routes("gateway")["gateways"]
    (server,) = gateway["spec"]["servers"]
    assert set(routes("gateway")["hosts"]) <= set(server["hosts"])


def test_the_sidecar_runs_the_filter_where_the_route_is_chosen() -> None:
    for kind in KINDS:
        (match,) = plugin("sidecar", kind)["spec"]["match"]
        assert match["mode"] == "CLIENT"
        assert [port["number"] for port in match["ports"]] == [
            destination(route)["port"]["number"] for route in routes("sidecar")["http"][:1]
        ]
    assert routes("sidecar").get("gateways", ["mesh"]) == ["mesh"]
    log = crd.load((ISTIO / "access-log.yaml").read_text())[1]
    for kind in KINDS:
        assert log["metadata"]["namespace"] == plugin("sidecar", kind)["metadata"]["namespace"]
        assert log["spec"]["selector"] == plugin("sidecar", kind)["spec"]["selector"]


def pods(doc: Json) -> tuple[str, Json]:
    selector = doc["spec"].get("workloadSelector", {}).get("labels") or doc["spec"]["selector"]["matchLabels"]
    return doc["metadata"]["namespace"], selector


@pytest.mark.parametrize("shape", SHAPES)
class TestBodies:
    def test_the_metadata_is_what_the_plugin_looks_for(self, shape: str) -> None:
        reader = documents(f"{shape}-body-metadata.yaml")["EnvoyFilter"]
        (patch,) = reader["spec"]["configPatches"]
        rules = patch["patch"]["value"]["typed_config"]["request_rules"]["rules"]
        told = {f"{to['metadata_namespace']}/{to['key']}" for to in (rule["on_present"] for rule in rules)}
        (rollout,) = plugin_config(plugin(shape, "WasmPlugin"))["rollouts"]
        keys = {key["metadata"]: key.get("kind") for key in rollout["key"] if "metadata" in key}
        assert set(keys) == told and keys["llm/user_id"] == "user"
        assert pods(reader) == pods(plugin(shape, "WasmPlugin"))

    def test_the_keys_are_the_default_ones_but_for_bodies(self, shape: str) -> None:
        """The default keys are those that the filter tries where a rollout names none."""
        source = (REPOSITORY / "src" / "config.rs").read_text()
        [listed] = re.findall(r"DEFAULT_KEYS: \[.*?= \[(.*?)\];", source, re.S)
        headers = re.findall(r'"(.+?)"', listed)
        (user,) = re.findall(r'DEFAULT_USER_KEY: &str = "(.+?)"', source)
        (rollout,) = plugin_config(plugin(shape, "WasmPlugin"))["rollouts"]
        assert [key["header"] for key in rollout["key"] if "header" in key] == [*headers, user]
        assert not [key for key in rollout["key"] if "body" in key or "first_message" in key], "nothing waits in vain"

    def test_the_metadata_is_of_the_default_places(self, shape: str) -> None:
        source = (REPOSITORY / "src" / "config.rs").read_text()
        (patch,) = documents(f"{shape}-body-metadata.yaml")["EnvoyFilter"]["spec"]["configPatches"]
        rules = patch["patch"]["value"]["typed_config"]["request_rules"]["rules"]
        for name, key in ("DEFAULT_BODY_KEYS", "conversation_id"), ("DEFAULT_USER_BODY_KEYS", "user_id"):
            [listed] = re.findall(name + r": \[.*?= \[(.*?)\];", source, re.S)
            pointers = re.findall(r'"(.+?)"', listed)
            places = [
                "".join(f"/{part['key']}" for part in rule["selectors"])
                for rule in rules
                if rule["on_present"]["key"] == key
            ]
            # The last place with a value wins, so the best place is last. Of the first two, at most one has a value.
            assert sorted(places[-2:]) == sorted(pointers[:2]) and places[:-2] == pointers[2:][::-1], name

    def test_the_envoy_filter_says_what_the_plugin_says(self, shape: str) -> None:
        manifest = documents(f"{shape}-envoyfilter.yaml")["EnvoyFilter"]
        placed, extension = manifest["spec"]["configPatches"]
        assert placed["patch"]["value"]["name"] == extension["patch"]["value"]["name"]
        assert placed["match"]["context"] == extension["match"]["context"]
        wasm_config = extension["patch"]["value"]["typed_config"]["config"]
        assert wasm_config["allow_on_headers_stop_iteration"] is True
        remote = wasm_config["vm_config"]["code"]["remote"]
        assert (remote["http_uri"]["uri"], remote["sha256"]) == (
            wasm(shape, "WasmPlugin")["url"],
            wasm(shape, "WasmPlugin")["sha256"],
        )
        assert wasm_config["failure_policy"] == wasm(shape, "WasmPlugin")["failStrategy"]
        (mine,) = json.loads(wasm_config["configuration"]["value"])["rollouts"]
        (theirs,) = plugin_config(plugin(shape, "WasmPlugin"))["rollouts"]
        assert {key: value for key, value in mine.items() if key != "pin"} == {
            key: value for key, value in theirs.items() if key != "key"
        }
        assert pods(manifest) == pods(plugin(shape, "WasmPlugin"))


@pytest.mark.parametrize("name", ["triton", "kserve"])
def test_an_example_is_that_of_the_standalone_envoy(name: str) -> None:
    """The tests run that one against real servers."""
    example = json.loads((REPOSITORY / "envoy" / "examples" / f"{name}.json").read_text())["rollouts"]
    config = plugin_config(documents(f"{name}-wasmplugin.yaml")["WasmPlugin"])
    for rollout in config["rollouts"]:
        assert rollout["match"].pop("hosts") == ["llm.example.com"]
    for rollout in [*example, *config["rollouts"]]:
        for version in rollout["versions"]:
            version["cluster"] = name
    if name == "kserve":
        example = example[:1]  # the second shows the other protocol
        del example[0]["match"]["models"]
        for version in example[0]["versions"]:
            del version["rewrite"]["model"]  # both services know it by one name
    assert config["rollouts"] == example


def test_the_routes_to_kserve_are_for_the_hosts_that_the_filter_writes() -> None:
    config = plugin_config(documents("kserve-wasmplugin.yaml")["WasmPlugin"])
    (rollout,) = config["rollouts"]
    written = [version["rewrite"]["host"] for version in rollout["versions"]]
    spec = documents("kserve-routes.yaml")["VirtualService"]["spec"]
    assert spec["hosts"] == [*rollout["match"]["hosts"], *written]
    by_host, last = spec["http"]
    (match,) = by_host["match"]
    assert all(re.fullmatch(match["authority"]["regex"], host) for host in (*written, f"{written[0]}:443"))
    (baseline,) = [version["rewrite"] for version in rollout["versions"] if version["name"] == rollout["baseline"]]
    assert last["rewrite"] == {"uri": baseline["path_prefix"]["to"], "authority": baseline["host"]}
    assert all("timeout" not in route for route in spec["http"])


def test_what_the_filter_sets_is_stripped() -> None:
    (patch,) = documents("gateway-strip.yaml")["EnvoyFilter"]["spec"]["configPatches"]
    (early,) = patch["patch"]["value"]["typed_config"]["early_header_mutation_extensions"]
    removed = {mutation["remove"] for mutation in early["typed_config"]["mutations"]}
    config = plugin_config(plugin("gateway", "WasmPlugin"))
    ours = {config.get("version_header", "x-llm-version"), config.get("cluster_header", "x-llm-cluster")}
    cohorts = {override["header"] for rollout in config["rollouts"] for override in rollout.get("overrides", [])}
    assert removed == ours | cohorts | {"x-llm-cohort", "x-llm-pin", "x-conversation-started-at"}


def test_the_access_log_uses_the_format_that_the_mesh_defines() -> None:
    (values,) = crd.load((ISTIO / "mesh-values.yaml").read_text())
    (provider,) = values["meshConfig"]["extensionProviders"]
    for log in crd.load((ISTIO / "access-log.yaml").read_text()):
        assert [entry["name"] for logging in log["spec"]["accessLogging"] for entry in logging["providers"]] == [
            provider["name"]
        ]
    labels = provider["envoyFileAccessLog"]["logFormat"]["labels"]
    assert labels["llm_version"] == "%FILTER_STATE(wasm.llm_version:PLAIN)%"
    assert labels["llm_reason"] == "%FILTER_STATE(wasm.llm_reason:PLAIN)%"


def test_stat_tags_can_be_told_apart() -> None:
    """Istio makes an unanchored expression of each, so `version` would also cut into `llm_version`."""
    tags = stat_tags()
    assert all(re.fullmatch(r"llm_[a-z_]+", tag) for tag in tags), "no blanks: Istio keeps them"
    assert len(set(tags)) == len(tags)
    for tag in tags:
        for other in {*tags, *ISTIO_TAGS} - {tag}:
            assert not tag.endswith(other) and not other.endswith(tag), (tag, other)


def test_buckets_are_for_one_histogram_each() -> None:
    """Envoy takes the first prefix that fits, and Istio sorts them. So no prefix may be the beginning of another."""
    names = list(buckets())
    assert all(re.fullmatch(r"wasmcustom\.llm_[a-z_]+\.", name) for name in names)
    assert not [(a, b) for a in names for b in names if a != b and b.startswith(a)]
    for name, bounds in buckets().items():
        assert bounds == sorted(set(bounds)) and bounds[0] > 0, name
    assert buckets()["wasmcustom.llm_request_duration_ms."][-1] >= 600_000, "generations take minutes"


def standalone_stats() -> Json:
    """The same settings in envoy/envoy.yaml, which the end-to-end tests run."""
    return yaml.safe_load((REPOSITORY / "envoy" / "envoy.yaml").read_text())["stats_config"]


def test_istio_has_the_stat_tags_of_the_standalone_envoy() -> None:
    assert set(stat_tags()) == {tag["tag_name"] for tag in standalone_stats()["stats_tags"]}
    for tag in standalone_stats()["stats_tags"]:
        assert tag["regex"] == rf"({tag['tag_name']}=\.=(.*?);\.;)", "the expression that Istio makes of a tag"


def test_istio_has_the_buckets_of_the_standalone_envoy() -> None:
    theirs = {
        setting["match"]["prefix"]: setting["buckets"] for setting in standalone_stats()["histogram_bucket_settings"]
    }
    assert buckets() == theirs
