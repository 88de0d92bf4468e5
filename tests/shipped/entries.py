"""What becomes of each command of the documents: it is run here, or by a test elsewhere, or cannot be run, and why.

A command without an entry fails test_commands.py, and so does an entry without a command. To add a document, add its
name with an entry for each of its commands, in any order.
"""

from typing import NamedTuple


class Runs(NamedTuple):
    """Run in a copy of the repository, with Envoy and Prometheus where the document has them."""

    # What its output must have, as regular expressions.
    says: tuple[str, ...] = ()
    status: tuple[int, ...] = (0,)
    # Every line that the document shows must be there: as it is, or with other numbers and times.
    shows: str = ""
    # What it says when it is far enough; then it is interrupted. For commands that go on.
    until: str = ""
    # It goes on from the command before. Any other begins with the shipped files.
    goes_on: bool = False
    # What is typed before it, which the text around the command says in its own words.
    after: str = ""


class Elsewhere(NamedTuple):
    """Run by a test: FILE::TEST."""

    test: str


class Cannot(NamedTuple):
    why: str


Entry = Runs | Elsewhere | Cannot

AS_IT_IS, IN_SHAPE = "as it is", "in shape"

BUILD = Cannot("./test.sh runs it before these tests, for minutes")
COMPILES = Cannot("compiles the tool for minutes; the tool that runs here is built from the same package")
CLUSTER = "needs a cluster; "
LONG = "takes minutes of an idle machine"

# A release begins without a share.
NO_SHARE = "llm-canary ramp llm.yaml v2 0 && sleep 3"
# It takes windows of a minute until `run` gives the first share; tests/e2e/ waits for that.
FIRST_LOOK = r"^\S+Z chat: v2 (is held at 0|gets \d) %"

PUSHED = "tests/scripts/test_images.py::test_each_image_is_pushed_as_it_was_written"
QUICKSTART = "tests/scripts/test_quickstart.py::test_ten_commands_lead_to_a_routed_request"
BESIDE_XDS = "tests/envoy/test_discovery.py::test_it_begins_without_the_server_and_takes_what_it_serves"

ENTRIES: dict[str, dict[str, Entry]] = {
    "README.md": {
        "./demo.sh --fault refusals": Elsewhere(
            "tests/scripts/test_demo.py::test_shows_a_release_that_goes_well_and_then_does_not"
        ),
        "llm-canary run envoy/ecds/llm-canary.yaml v2 --plan 10%,25%@5s,50%@5s,100%@1h --admin http://127.0.0.1:9901 "
        "...": Elsewhere("tests/scripts/test_demo.py::test_shows_a_release_that_goes_well_and_then_does_not"),
        "llm-canary watchdog envoy/ecds/llm-canary.yaml --set envoy/reference-set.yaml --via http://127.0.0.1:10000 "
        "--once ...": Elsewhere("tests/scripts/test_demo.py::test_shows_a_release_that_goes_well_and_then_does_not"),
        "./build.sh": BUILD,
        "envoy -c envoy/envoy.yaml": Elsewhere(
            "tests/envoy/test_shipped_files.py::test_it_starts_from_the_repository_root_and_routes_by_version"
        ),
        "curl -si localhost:10000/v1/chat/completions -H 'x-conversation-id: c-42' -H 'content-type: application/json' "
        '-d \'{"model": "m", "stream": true, "messages": [{"role": "user", "content": "hello"}]}\' '
        "| grep -i x-llm-version": Runs(says=(r"^x-llm-version: v[12]",)),
        "curl -s localhost:9901/stats/prometheus | grep ^llm_": Runs(
            says=(r"^llm_decisions_total\{", "^llm_config_hash")
        ),
        "llm-canary run envoy/ecds/llm-canary.yaml v2 --plan 10%,25%@30m,50%@1h,100% --admin http://localhost:9901 "
        "--listen": Runs(until="Z chat: v2 ", says=("listening on http",), status=(130,)),
        "cargo install --path cli": COMPILES,
        "llm-canary check envoy/ecds/llm-canary.yaml": Runs(says=("chat: v1 90 %.*v2 10 %",)),
        "llm-canary explain envoy/ecds/llm-canary.yaml --path /v1/chat/completions "
        "--header x-conversation-id=c-42": Runs(says=("chat", "v[12]")),
        "llm-canary replay tests/data/corpus/openai-chat/chat-stream.sse": Runs(says=("complete",)),
        "./test.sh": Cannot("runs these tests"),
        "cargo test": Cannot("./test.sh native runs it with options"),
    },
    "docs/cost.md": {
        "bench/run.sh --growth": Cannot(LONG),
        "bench/run.sh --compare all=MODULE.wasm no-template=MODULE.wasm ... sdk-touch-z raw-touch-z": Cannot(
            f"{LONG}, and modules of other commits"
        ),
    },
    "docs/discovery.md": {
        "llm-canary xds envoy/ecds/llm-canary.yaml": Elsewhere(BESIDE_XDS),
        "envoy -c envoy/discovery.yaml --service-node edge-1": Elsewhere(BESIDE_XDS),
        "llm-canary status --xds http://localhost:9902": Elsewhere(
            "tests/e2e/test_discovery.py::test_an_envoy_that_refuses_a_version_is_shown"
        ),
        "llm-canary stop envoy/ecds/llm-canary.yaml v2 --xds http://localhost:9902": Elsewhere(BESIDE_XDS),
        "kubectl exec -n llm deploy/llm-canary-xds -c llm-canary -- llm-canary stop "
        "/var/lib/llm-canary/llm-canary.yaml v2 --xds http://localhost:9902": Cannot(f"{CLUSTER}the stop itself runs"),
    },
    "docs/gitops.md": {
        "git ls-files -z '*.yaml' '*.yml' '*.json' | xargs -0 llm-canary check --skip-others": Runs(
            says=("EnvoyExtensionPolicy llm-canary: chat", "WasmPlugin llm-canary: chat")
        ),
        "cargo install --locked --path cli": COMPILES,
        "pre-commit install": Cannot("writes into .git/hooks; `pre-commit run` is what the hook calls"),
        "pre-commit run llm-canary-check --all-files": Elsewhere(
            "tests/shipped/test_hook.py::test_a_bad_file_is_refused_with_all_of_its_errors"
        ),
        "helm template chat charts/chat | llm-canary check -": Cannot("needs Helm and a chart of your own"),
        'docker run --rm -v "$PWD:/repository:ro" -w /repository registry.example.com/llm-canary-tool:0.1.0 check '
        "--skip-others $(git ls-files '*.yaml')": Runs(says=("WasmPlugin llm-canary: chat",)),
        "cargo install --locked --git https://git.example.com/llm-canary --tag v0.1.0 llm-canary-cli": Cannot(
            "the address is an example"
        ),
        "git ls-files -z '*.yaml' | xargs -0 llm-canary check --skip-others": Runs(
            says=("WasmPlugin llm-canary: chat",)
        ),
        "llm-canary ramp canary.yaml v2 25 --at +30m": Runs(says=("gets 25 % from .* \\(in 30 min\\)",)),
        "llm-canary simulate canary.yaml": Runs(says=(r" 24\.\d+ % ",), goes_on=True),
        'git commit -m "v2 gets 25 %" canary.yaml': Runs(says=("1 file changed",), goes_on=True),
    },
    "docs/install.md": {
        "scripts/image.sh --push registry.example.com": Elsewhere(PUSHED),
        "sed 's|registry.example.com|your.registry|' kubernetes/quickstart.yaml | kubectl apply -f -": Cannot(
            f"{CLUSTER}tests/scripts/test_quickstart.py starts its containers"
        ),
        "kubectl -n llm-quickstart rollout status deployment/llm-gateway": Cannot(f"{CLUSTER}it waits for the pod"),
        "kubectl -n llm-quickstart port-forward deployment/llm-gateway 10000 9901 8099 &": Cannot(
            f"{CLUSTER}it only forwards ports"
        ),
        "curl -si localhost:10000/v1/chat/completions -H 'x-conversation-id: c-42' -H 'content-type: application/json' "
        '-d \'{"model": "m", "messages": []}\'': Elsewhere(QUICKSTART),
        "curl -si localhost:10000/v1/chat/completions -H 'x-llm-cohort: staff' -H 'content-type: application/json' "
        '-d \'{"model": "m", "messages": []}\'': Elsewhere(QUICKSTART),
        "curl -s localhost:9901/stats/prometheus | grep ^llm_decisions_total": Elsewhere(QUICKSTART),
        "curl -s localhost:8099/api/verdict": Elsewhere(QUICKSTART),
        "kubectl -n llm-quickstart get configmap llm-canary -o yaml "
        '| sed \'s/"stopped": false/"stopped": true/\' | kubectl replace -f -': Cannot(
            f"{CLUSTER}tests/scripts/test_quickstart.py makes the edit"
        ),
        "kubectl delete namespace llm-quickstart": Cannot(f"{CLUSTER}it only removes what was made"),
        "llm-canary ramp --kubectl configmap/llm-canary -n llm-quickstart v2 25": Runs(says=("gets 25 % from",)),
        "llm-canary run configmap/llm-canary v2 --kubectl -n llm-quickstart --plan 10%,25%@30m,100% "
        "--prometheus http://localhost:9090": Cannot(
            f"{CLUSTER}tests/e2e/test_run.py runs releases, and cli/src/tests/ those of a ConfigMap"
        ),
        "cargo install --path cli --locked": COMPILES,
        "llm-canary --version": Runs(says=(r"^llm-canary \d+\.\d+\.\d+",)),
        "llm-canary completions bash > ~/.local/share/bash-completion/completions/llm-canary": Elsewhere(
            "tests/scripts/test_installed.py::test_bash_completes"
        ),
        "mkdir -p ~/.local/share/man/man1 && llm-canary man -o ~/.local/share/man/man1": Elsewhere(
            "tests/scripts/test_installed.py::test_manual_pages_are_read_without_complaints"
        ),
        "llm-canary man ramp | man -l -": Elsewhere(
            "tests/scripts/test_installed.py::test_manual_pages_are_read_without_complaints"
        ),
        "podman run --rm --read-only registry.example.com/llm-canary-tool:0.1.0 policy": Elsewhere(
            "tests/scripts/test_tool_image.py::test_it_starts_as_a_user_without_rights"
        ),
    },
    "docs/native.md": {
        "./build.sh --native": BUILD,
        "envoy -c envoy/native.yaml": Elsewhere(
            "tests/envoy/test_native.py::test_it_routes_and_the_tool_changes_its_file"
        ),
        "llm-canary ramp envoy/ecds-native/llm-canary.yaml v2 25 --admin http://localhost:9901": Runs(
            says=("gets 25 % from", "runs it after")
        ),
        "llm-canary stop envoy/ecds-native/llm-canary.yaml v2 --admin http://localhost:9901": Runs(
            says=("v2 is stopped", "runs it after")
        ),
    },
    "docs/operating.md": {
        "llm-canary run llm.yaml v2 --plan 1%,5%@10m,25%@30m,50%@1h,100% --prometheus http://localhost:9090 --journal "
        "release.jsonl --listen": Runs(after=NO_SHARE, until=FIRST_LOOK, says=("listening on http",), status=(130,)),
        'jq -r \'select(.event != "look") | [.at, .event, .percent, .undo // ""] | @tsv\' release.jsonl': Runs(
            goes_on=True, says=(r"Z\t",)
        ),
        "llm-canary run llm.yaml v2 --plan 5%,100% --prometheus http://localhost:9090 --watchdog "
        "evals/promptfooconfig.yaml --watchdog-via http://localhost:10000 --watchdog-out results.jsonl": Runs(
            after=NO_SHARE, until=FIRST_LOOK, status=(130,)
        ),
        "llm-canary approve http://127.0.0.1:8099": Elsewhere("cli/src/tests/approve.rs::it_is_what_run_listens_for"),
        "llm-canary run llm.yaml v2 --plan 1%,5%@10m,25%@30m,50%@1h,100% --prometheus http://localhost:9090 --again "
        '"prompt template fixed"': Runs(
            after=f"{NO_SHARE}; llm-canary stop llm.yaml v2", until=FIRST_LOOK, status=(130,)
        ),
        "llm-canary analyze envoy/ecds/llm-canary.yaml --prometheus http://localhost:9090 --window 10s": Runs(
            # The first window ends after more time than this has: cli/src/verdict_table/ has the table.
            status=(0, 1, 3),
            says=("chat v2 against v1",),
        ),
        "llm-canary status envoy/ecds/llm-canary.yaml --prometheus http://localhost:9090 --window 10s --once": Runs(
            status=(0, 1, 3), says=("^version +share ", "^v1 .* baseline$", "^v2 ")
        ),
        "llm-canary report envoy/ecds/llm-canary.yaml --prometheus http://localhost:9090 --journal release.jsonl -o "
        "release.html": Runs(after="touch release.jsonl"),
        "llm-canary plan --rate 20/s --share 50 --signal refusals --base 1% --detect 1.5": Runs(shows=AS_IT_IS),
        "llm-canary serve llm.yaml --prometheus http://localhost:9090": Runs(until="chat: v2 against v1"),
        "llm-canary stop envoy/ecds/llm-canary.yaml v2 --json $ENVOYS 2>/dev/null | jq -c '[.written, "
        ".envoys[].after_ms]'": Runs(says=(r"^\[true,[\d.]+",)),
        "llm-canary ramp envoy/ecds/llm-canary.yaml v3 5 --json 2>/dev/null | jq -c": Runs(status=(2,), shows=AS_IT_IS),
        'ENVOYS="--admin http://envoy-1:9901 --admin http://envoy-2:9901 --admin http://envoy-3:9901"': Runs(),
        "llm-canary ramp envoy/ecds/llm-canary.yaml v2 1 $ENVOYS": Runs(
            says=(r"^chat: v2 has 10 %, gets 1 % from .* \(in 2 s\)", r"runs it after \d+ ms")
        ),
        "llm-canary ramp envoy/ecds/llm-canary.yaml v2 --plan 5%,25%@+30m,50%@+2h $ENVOYS": Runs(
            says=(r"gets 5 % from .* \(in 2 s\), 25 % from .* \(in 30 min\), 50 % from .* \(in 2 h\)",)
        ),
        "llm-canary simulate envoy/ecds/llm-canary.yaml": Runs(goes_on=True, shows=IN_SHAPE),
        "llm-canary simulate envoy/ecds/llm-canary.yaml --keys ids.txt": Runs(goes_on=True, shows=IN_SHAPE),
        "sort -u ids.txt | llm-canary simulate envoy/ecds/llm-canary.yaml v2 --plan 1%,5%@+30m,25%@+2h --keys -": Runs(
            says=("chat: 1500 real keys", r" 24\.\d+ % | 25\.\d+ % | 26\.\d+ % ")
        ),
        "llm-canary ramp envoy/ecds/llm-canary.yaml v2 50": Elsewhere(
            "cli/src/tests/stop.rs::other_commands_offer_to_forget_old_steps"
        ),
        "llm-canary stop envoy/ecds/llm-canary.yaml v2 $ENVOYS": Runs(
            says=("^chat: v2 is stopped; v1 serves its conversations", r"runs it after \d+ ms")
        ),
        "llm-canary promote envoy/ecds/llm-canary.yaml v2 $ENVOYS": Runs(
            says=(r"^chat: v2 has 10 %, gets all new conversations from .* \(in 2 s\)",)
        ),
        "llm-canary promote envoy/ecds/llm-canary.yaml v2 --finish": Runs(
            goes_on=True, after="sleep 4", status=(2,), shows=IN_SHAPE
        ),
        "llm-canary promote envoy/ecds/llm-canary.yaml v2 --finish --held 2h": Runs(
            goes_on=True, status=(2,), says=("v2 has had 100 % for",)
        ),
        "llm-canary ramp --kubectl wasmplugin/llm-canary -n istio-ingress v2 5 --dry-run": Runs(
            says=("gets 5 % from",)
        ),
        "llm-canary ramp --kubectl wasmplugin/llm-canary -n istio-ingress v2 5": Runs(says=("gets 5 % from",)),
    },
    "docs/verdict.md": {
        "llm-canary check policy.yaml": Runs(status=(2,), shows=AS_IT_IS),
        "RUNS=400 cargo test -p llm-canary-verdict --test simulation -- --ignored --nocapture table": Cannot(LONG),
    },
    "docs/watchdog.md": {
        "llm-canary watchdog --set evals/promptfooconfig.yaml --dry-run": Runs(
            says=(
                r"^evals/promptfooconfig.yaml: promptfoo-config, \d+ cases, 1 prompts, \d+ requests to each version",
                r"^A round asks both versions \d+ requests: \d+ a day, with about \d+ tokens of prompts",
            )
        ),
        "llm-canary watchdog --set evals/promptfooconfig.yaml --target v1=http://llm-v1:8000 --target "
        "v2=http://llm-v2:8000 --once": Runs(
            status=(0, 3), says=("v2 against v1 after round 1: not enough data", r"\d+ prompts: \d+ worse, \d+ better")
        ),
        "llm-canary watchdog envoy/ecds/llm-canary.yaml --set evals/ --via http://localhost:10000 --out "
        "results.jsonl": Runs(until="^round 1: not enough data", status=(3,)),
        'echo \'{"output": "Paris.", "assert": [{"type": "contains", "value": "{{city}}"}], '
        '"vars": {"city": "Paris"}}\' '
        "| llm-canary grade -": Runs(shows=AS_IT_IS),
    },
    "envoy/README.md": {
        "./build.sh": BUILD,
        "envoy -c envoy/envoy.yaml": Elsewhere(
            "tests/envoy/test_shipped_files.py::test_it_starts_from_the_repository_root_and_routes_by_version"
        ),
        "prometheus --config.file=envoy/prometheus/prometheus.yml --storage.tsdb.path=target/prometheus": Elsewhere(
            "tests/envoy/test_queries.py::test_every_recorded_rule_has_a_value"
        ),
        "llm-canary ramp envoy/ecds/llm-canary.yaml v2 25": Runs(says=("gets 25 % from",)),
        "llm-canary stop envoy/ecds/llm-canary.yaml v2": Runs(says=("v2 is stopped",)),
        "cp envoy/ecds/llm-canary.yaml envoy/next.yaml": Runs(),
        '"${EDITOR:-vi}" envoy/next.yaml': Runs(goes_on=True),
        "mv envoy/next.yaml envoy/ecds/llm-canary.yaml": Runs(goes_on=True),
    },
    "istio/README.md": {
        "scripts/image.sh --push registry.example.com wasm": Elsewhere(PUSHED),
        "llm-canary check istio/gateway-wasmplugin.yaml": Runs(says=("WasmPlugin llm-canary: chat: v1 99 %",)),
        "kubectl apply -f istio/versions.yaml": Cannot(f"{CLUSTER}test_files.py validates the file"),
        "kubectl apply -f istio/gateway-routes.yaml": Cannot(f"{CLUSTER}test_files.py validates the file"),
        "kubectl -n istio-ingress patch deployment istio-ingressgateway "
        "--patch-file istio/stats-annotations.yaml": Cannot(f"{CLUSTER}test_files.py validates the file"),
        "kubectl apply -f istio/gateway-wasmplugin.yaml": Cannot(f"{CLUSTER}test_files.py validates the file"),
        'kubectl -n istio-ingress patch wasmplugin llm-canary --type json -p \'[{"op": "replace", "path": '
        '"/spec/pluginConfig/rollouts/0/split/v2", "value": 5}]\'': Elsewhere(
            "tests/istio/test_istio_readme.py::test_a_patch_changes_the_split_and_another_stops_the_canary"
        ),
        'kubectl -n istio-ingress patch wasmplugin llm-canary --type json -p \'[{"op": "add", "path": '
        '"/spec/pluginConfig/rollouts/0/versions/1/stopped", "value": true}]\'': Elsewhere(
            "tests/istio/test_istio_readme.py::test_a_patch_changes_the_split_and_another_stops_the_canary"
        ),
    },
    "kubernetes/README.md": {
        "llm-canary check kubernetes/envoy-gateway.yaml": Runs(
            says=("EnvoyExtensionPolicy llm-canary: chat: v1 90 %",)
        ),
        "kubectl apply -f kubernetes/envoy-gateway.yaml": Cannot(f"{CLUSTER}test_gateway.py gives it to Envoy"),
        "llm-canary ramp --kubectl envoyextensionpolicy/llm-canary -n models v2 25": Runs(says=("gets 25 % from",)),
        "llm-canary stop --kubectl envoyextensionpolicy/llm-canary -n models v2": Runs(says=("v2 is stopped",)),
    },
    "envoy/ecds/llm-canary.yaml": {
        "llm-canary ramp envoy/ecds/llm-canary.yaml v2 25": Runs(says=("gets 25 % from",)),
        "llm-canary stop envoy/ecds/llm-canary.yaml v2": Runs(says=("v2 is stopped",)),
        'cp envoy/ecds/llm-canary.yaml envoy/llm-canary.next.yaml && "$EDITOR" envoy/llm-canary.next.yaml': Runs(),
        "mv envoy/llm-canary.next.yaml envoy/ecds/llm-canary.yaml": Runs(goes_on=True),
    },
    "envoy/ecds-native/llm-canary.yaml": {
        "llm-canary ramp envoy/ecds-native/llm-canary.yaml v2 25": Runs(says=("gets 25 % from",)),
        "llm-canary stop envoy/ecds-native/llm-canary.yaml v2": Runs(says=("v2 is stopped",)),
        'cp envoy/ecds-native/llm-canary.yaml envoy/llm-canary.next.yaml && "$EDITOR" '
        "envoy/llm-canary.next.yaml": Runs(),
        "mv envoy/llm-canary.next.yaml envoy/ecds-native/llm-canary.yaml": Runs(goes_on=True),
    },
    "envoy/discovery.yaml": {
        "llm-canary xds envoy/ecds/llm-canary.yaml": Elsewhere(BESIDE_XDS),
        "envoy -c envoy/discovery.yaml --service-node edge-1": Elsewhere(BESIDE_XDS),
    },
    "envoy/envoy.yaml": {
        "envoy -c envoy/envoy.yaml": Elsewhere(
            "tests/envoy/test_shipped_files.py::test_it_starts_from_the_repository_root_and_routes_by_version"
        )
    },
    "envoy/native.yaml": {
        "envoy -c envoy/native.yaml": Elsewhere(
            "tests/envoy/test_native.py::test_it_routes_and_the_tool_changes_its_file"
        )
    },
    "envoy/prometheus/prometheus.yml": {
        "prometheus --config.file=envoy/prometheus/prometheus.yml --storage.tsdb.path=target/prometheus": Elsewhere(
            "tests/envoy/test_queries.py::test_every_recorded_rule_has_a_value"
        )
    },
    "envoy/reference-set.yaml": {
        "llm-canary watchdog envoy/ecds/llm-canary.yaml --set envoy/reference-set.yaml --via "
        "http://localhost:10000": Runs(until="^round 1: not enough data", status=(3,)),
    },
    "kubernetes/envoy-gateway.yaml": {
        "llm-canary check kubernetes/envoy-gateway.yaml": Runs(says=("chat: v1 90 %",)),
        "llm-canary ramp --kubectl envoyextensionpolicy/llm-canary -n models v2 25": Runs(says=("gets 25 % from",)),
    },
    "kubernetes/envoy-gateway-native.yaml": {
        "llm-canary check kubernetes/envoy-gateway-native.yaml": Runs(says=("chat: v1 90 %",)),
        "llm-canary ramp --kubectl envoyextensionpolicy/llm-canary -n models v2 25": Runs(says=("gets 25 % from",)),
    },
    "kubernetes/inference-pools.yaml": {
        "llm-canary check kubernetes/inference-pools.yaml": Runs(says=("WasmPlugin llm-canary: chat: v1 90 %",)),
        "llm-canary ramp --kubectl wasmplugin/llm-canary -n models v2 25": Runs(says=("gets 25 % from",)),
    },
    "kubernetes/values/production-stack.yaml": {
        "helm install llm-v1 vllm/vllm-stack -n models -f kubernetes/values/production-stack.yaml": Cannot(
            f"{CLUSTER}and Helm"
        ),
        "helm install llm-v2 vllm/vllm-stack -n models -f kubernetes/values/production-stack.yaml --set "
        "servingEngineSpec.modelSpec[0].modelURL=example/model-v2": Cannot(f"{CLUSTER}and Helm"),
    },
}
