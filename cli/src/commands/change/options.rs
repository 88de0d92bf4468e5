//! The options of the commands that change a rollout.

use crate::time_args;
use std::time::Duration;

/// The options of every command that changes a rollout.
#[derive(clap::Args)]
pub(in crate::commands) struct ChangeOptions {
    /// The file that Envoy or kubectl reads; with --kubectl a live resource, such as wasmplugin/llm-canary
    #[arg(value_name = "FILE")]
    pub(super) target: String,
    /// The rollout to change, if FILE has several: NAME, or PLACE/NAME where several have this name
    ///
    /// PLACE is the name of a file in a ConfigMap, such as a.yaml/chat, or of a resource; the error lists what fits. A broken
    /// configuration elsewhere in FILE is passed over, with a warning.
    #[arg(long, value_name = "NAME")]
    pub(super) rollout: Option<String>,
    /// Show the change, and write nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Wait until the Envoy with this admin address, such as http://127.0.0.1:9901, runs the change; repeat for each Envoy
    #[arg(long = "admin", value_name = "URL")]
    pub(super) admins: Vec<String>,
    /// How long to wait for the Envoys of --admin and --xds
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = time_args::parse_duration, allow_hyphen_values = true)]
    pub(super) timeout: Duration,
    /// Wait until every Envoy that asks `llm-canary xds` at this address, such as http://127.0.0.1:9902, runs the change; may be repeated
    #[arg(long, value_name = "URL", conflicts_with = "kubectl")]
    pub(super) xds: Vec<String>,
    /// Change a live WasmPlugin, TrafficExtension, EnvoyFilter, EnvoyExtensionPolicy or ConfigMap with kubectl
    #[arg(long)]
    pub(super) kubectl: bool,
    /// The namespace of the resource, with --kubectl
    #[arg(long, short, requires = "kubectl", value_name = "NAMESPACE")]
    pub(super) namespace: Option<String>,
    /// The context in kubectl's configuration, with --kubectl: which cluster
    #[arg(long, requires = "kubectl", value_name = "CONTEXT")]
    pub(super) context: Option<String>,
    /// Print one JSON object
    #[arg(long)]
    pub(in crate::commands) json: bool,
}

/// The option of the commands that add steps.
#[derive(clap::Args)]
pub(in crate::commands) struct ForgetOption {
    /// Drop the steps before this time, to make room for new ones. Conversations that began under them may move
    ///
    /// A rollout has at most 256 steps. Steps that change nothing are dropped without this option. The step in force at
    /// this time stays, and conversations that began before that step go to the baseline. Other conversations may move
    /// once. The command says how many. Try it with --dry-run first.
    #[arg(long, value_name = "TIME")]
    pub(super) forget_before: Option<String>,
}

impl ChangeOptions {
    /// The options of changes that nobody waits for. With `kubectl` the target is a live resource.
    pub(in crate::commands) fn without_waiting(
        target: &str,
        rollout: Option<&str>,
        kubectl: Option<(Option<&str>, Option<&str>)>,
        admins: &[String],
        dry_run: bool,
    ) -> Self {
        let (namespace, context) = kubectl.unwrap_or_default();
        Self {
            target: target.to_owned(),
            rollout: rollout.map(str::to_owned),
            dry_run,
            admins: admins.to_vec(),
            xds: Vec::new(),
            timeout: Duration::ZERO,
            kubectl: kubectl.is_some(),
            namespace: namespace.map(str::to_owned),
            context: context.map(str::to_owned),
            json: false,
        }
    }

    /// The file or the resource, as the operator named it.
    pub(in crate::commands) fn target(&self) -> &str {
        &self.target
    }
}
