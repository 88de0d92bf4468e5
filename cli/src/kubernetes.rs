//! What this tool knows of Kubernetes: which resources it can change, who else writes them, and what kubectl's failures mean.
//!
//! In: names, a resource's JSON, kubectl's messages. Out: words for the operator. Nothing here runs kubectl.

pub(crate) mod failure;
pub(crate) mod owner;
pub(crate) mod shown;

/// The kinds of resources that may hold a configuration.
pub(crate) const KINDS: &str =
    "a wasmplugin, a trafficextension, an envoyfilter, an envoyextensionpolicy or a configmap";

/// A kind of resource that may hold a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A control plane, Istio's or Envoy Gateway's, gives it to each proxy.
    ControlPlane,
    /// It is mounted into Pods as files.
    ConfigMap,
}

impl Kind {
    /// Reads a kind as kubectl does: one or many, with or without its group, in any case.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let name = text.split('.').next().unwrap_or_default().to_ascii_lowercase();
        match name.strip_suffix('s').unwrap_or(&name) {
            "wasmplugin" | "trafficextension" | "envoyfilter" => Some(Self::ControlPlane),
            "envoyextensionpolicy" | "envoyextensionpolicie" | "eep" => Some(Self::ControlPlane),
            "configmap" | "cm" => Some(Self::ConfigMap),
            _ => None,
        }
    }

    /// How long a change takes until every Envoy has it, with room to spare, in milliseconds.
    pub(crate) fn lead_ms(self) -> u64 {
        match self {
            // The control plane gathers changes before it pushes them.
            Self::ControlPlane => 15_000,
            // A kubelet looks once a minute, or half a minute later.
            Self::ConfigMap => 120_000,
        }
    }
}

/// The kind and the name in `wasmplugin/llm-canary`; `None` if this is no name of a resource.
pub(crate) fn split_name(text: &str) -> Option<(&str, &str)> {
    let (kind, name) = text.split_once('/')?;
    let is_name = !kind.is_empty() && !name.is_empty() && !name.contains('/');
    is_name.then_some((kind, name))
}

/// Whether a text that should be a file names a resource.
pub(crate) fn is_resource(text: &str) -> bool {
    split_name(text).is_some_and(|(kind, _)| Kind::parse(kind).is_some())
}

#[cfg(test)]
mod tests {
    use super::{Kind, is_resource};

    #[test]
    fn resources_are_told_from_files() {
        for (kind, expect) in [
            ("wasmplugin", Some(Kind::ControlPlane)),
            ("WasmPlugins", Some(Kind::ControlPlane)),
            ("wasmplugins.extensions.istio.io", Some(Kind::ControlPlane)),
            ("wasmplugin.v1alpha1.extensions.istio.io", Some(Kind::ControlPlane)),
            ("trafficextension", Some(Kind::ControlPlane)),
            ("envoyfilter", Some(Kind::ControlPlane)),
            ("envoyextensionpolicies.gateway.envoyproxy.io", Some(Kind::ControlPlane)),
            ("EnvoyExtensionPolicy", Some(Kind::ControlPlane)),
            ("eep", Some(Kind::ControlPlane)),
            ("cm", Some(Kind::ConfigMap)),
            ("configmaps", Some(Kind::ConfigMap)),
            ("secret", None),
            ("wasmpluginx", None),
            ("", None),
        ] {
            assert_eq!(Kind::parse(kind), expect, "{kind}");
            assert_eq!(is_resource(&format!("{kind}/llm-canary")), expect.is_some(), "{kind}");
        }
        for file in
            ["wasmplugin", "wasmplugin/", "./wasmplugin/x", "/wasmplugin/x", "wasmplugin/a/b", "istio/x.yaml"]
        {
            assert!(!is_resource(file), "{file}");
        }
    }
}
