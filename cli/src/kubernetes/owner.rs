//! Who else writes a resource, and what becomes of a change that they did not make.
//!
//! In: the resource's metadata. Out: a sentence. Labels and annotations are looked at first: they name the owner. The
//! managers of its fields are looked at next: who has once written a resource may have left it.

use serde_json::Value;

/// A program that keeps resources as some source says.
struct Owner {
    /// Labels and annotations by which it marks its resources. A mark with a value needs that value.
    marks: &'static [(&'static str, Option<&'static str>)],
    /// What the names begin with under which it writes fields (`metadata.managedFields`).
    managers: &'static [&'static str],
    /// Marks by which a resource is exempt from it.
    exempt: &'static [(&'static str, &'static str)],
    words: fn(&Metadata<'_>) -> String,
}

/// The metadata of a resource.
struct Metadata<'a>(&'a Value);

/// Those whose marks are the most special come first: Flux's helm-controller also leaves Helm's marks, and Argo CD those of
/// a chart.
const OWNERS: [Owner; 10] = [
    Owner {
        marks: &[
            ("argocd.argoproj.io/tracking-id", None),
            ("argocd.argoproj.io/installation-id", None),
            ("argocd.argoproj.io/instance", None),
        ],
        managers: &["argocd-"],
        exempt: &[],
        words: argo_cd,
    },
    Owner {
        marks: &[("kustomize.toolkit.fluxcd.io/name", None)],
        managers: &["kustomize-controller"],
        exempt: &[
            ("kustomize.toolkit.fluxcd.io/reconcile", "disabled"),
            ("kustomize.toolkit.fluxcd.io/ssa", "Ignore"),
            ("kustomize.toolkit.fluxcd.io/ssa", "IfNotPresent"),
        ],
        words: flux_kustomization,
    },
    Owner {
        marks: &[("helm.toolkit.fluxcd.io/name", None)],
        managers: &["helm-controller"],
        exempt: &[],
        words: flux_helm_release,
    },
    Owner {
        marks: &[
            ("configmanagement.gke.io/managed", Some("enabled")),
            ("app.kubernetes.io/managed-by", Some("configmanagement.gke.io")),
        ],
        managers: &["configsync"],
        exempt: &[],
        words: |_| {
            "Config Sync manages it, and undoes this change at once, or refuses it. To keep the change, make it in the source of \
             truth as well"
                .to_owned()
        },
    },
    Owner {
        marks: &[("kapp.k14s.io/app", None)],
        managers: &["kapp"],
        exempt: &[],
        words: |_| {
            "kapp manages it: the next kapp deploy undoes this change, and kapp-controller does so at its next sync \
             (spec.syncPeriod of the App). To keep the change, make it in the source as well"
                .to_owned()
        },
    },
    Owner {
        marks: &[("objectset.rio.cattle.io/owner-gvk", Some("k3s.cattle.io/v1, Kind=Addon"))],
        managers: &["deploy@"],
        exempt: &[],
        words: |_| {
            "k3s deploys it from a file on its servers (/var/lib/rancher/k3s/server/manifests): a change of that file, or a start \
             of k3s, undoes this change. To keep the change, make it in the file as well"
                .to_owned()
        },
    },
    Owner {
        marks: &[("objectset.rio.cattle.io/id", None)],
        managers: &["fleetagent"],
        exempt: &[],
        words: |_| {
            "Rancher Fleet manages it: it undoes this change at once if correctDrift is enabled, otherwise at the next change in \
             Git. To keep the change, make it in Git as well"
                .to_owned()
        },
    },
    Owner {
        marks: &[("meta.helm.sh/release-name", None), ("app.kubernetes.io/managed-by", Some("Helm"))],
        managers: &["helm"],
        exempt: &[],
        words: helm,
    },
    Owner {
        marks: &[("app.kubernetes.io/managed-by", Some("pulumi"))],
        managers: &["pulumi-"],
        exempt: &[],
        words: |_| infrastructure("Pulumi", "pulumi up"),
    },
    Owner {
        marks: &[],
        managers: &["Terraform", "HashiCorp"],
        exempt: &[],
        words: |_| infrastructure("Terraform", "terraform apply"),
    },
];

/// What becomes of a change of a resource that another program manages; `None` if none is known to.
pub(crate) fn warning(resource: &Value) -> Option<String> {
    let metadata = Metadata(resource.get("metadata")?);
    let is_managed = |owner: &&Owner| owner.managers.iter().any(|manager| metadata.is_managed_by(manager));
    let is_marked = |owner: &&Owner| owner.marks.iter().any(|(name, value)| metadata.has(name, *value));
    let owner = OWNERS.iter().find(is_marked).or_else(|| OWNERS.iter().find(is_managed));
    if let Some(owner) = owner {
        let is_exempt = owner.exempt.iter().any(|(name, value)| metadata.has(name, Some(value)));
        return (!is_exempt).then(|| (owner.words)(&metadata));
    }
    metadata.controller().map(|controller| {
        format!("{controller} owns it, whose controller may undo this change at any time; change that resource instead")
    })
}

/// What becomes of a change of a resource that was made from a file.
pub(crate) fn note(resource: &Value) -> Option<String> {
    let metadata = Metadata(resource.get("metadata")?);
    let is_applied = metadata.has("kubectl.kubernetes.io/last-applied-configuration", None)
        || metadata.has("applyset.kubernetes.io/part-of", None)
        || metadata.is_applied_by("kubectl");
    is_applied.then(|| {
        "kubectl apply made it from a file; to apply the old file again undoes this change, so make it there as well".to_owned()
    })
}

impl Metadata<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        ["annotations", "labels"].iter().find_map(|list| self.0.get(list)?.get(name)?.as_str())
    }

    fn has(&self, name: &str, value: Option<&str>) -> bool {
        self.get(name).is_some_and(|found| value.is_none_or(|value| found.eq_ignore_ascii_case(value)))
    }

    fn managers(&self) -> impl Iterator<Item = (&str, &str)> {
        let entries = self.0.get("managedFields").and_then(Value::as_array).into_iter().flatten();
        entries.filter_map(|entry| Some((entry.get("manager")?.as_str()?, entry.get("operation")?.as_str()?)))
    }

    fn is_managed_by(&self, prefix: &str) -> bool {
        self.managers().any(|(manager, _)| manager.starts_with(prefix))
    }

    fn is_applied_by(&self, name: &str) -> bool {
        self.managers().any(|(manager, operation)| manager == name && operation == "Apply")
    }

    /// The kind and name of the resource that controls this one.
    fn controller(&self) -> Option<String> {
        let owners = self.0.get("ownerReferences")?.as_array()?;
        let owner =
            owners.iter().find(|owner| owner.get("controller").and_then(Value::as_bool) == Some(true))?;
        Some(format!("{} {}", owner.get("kind")?.as_str()?, owner.get("name")?.as_str()?))
    }
}

fn argo_cd(metadata: &Metadata<'_>) -> String {
    // `namespace_application` where applications may be in any namespace.
    let tracked = metadata.get("argocd.argoproj.io/tracking-id").and_then(|id| id.split(':').next());
    let tracked = tracked.map(|app| app.replace('_', "/"));
    // Others set the common label, too. It is the application's name only where Argo CD wrote the resource.
    let labels = ["argocd.argoproj.io/instance", "app.kubernetes.io/instance"];
    let app = tracked.or_else(|| labels.iter().find_map(|label| metadata.get(label)).map(str::to_owned));
    let named = app.as_ref().map(|app| format!(" (application {app})")).unwrap_or_default();
    let app = app.as_deref().unwrap_or("APPLICATION");
    format!(
        "Argo CD manages it{named}: it undoes this change within seconds if the application has selfHeal, otherwise at the next \
         sync. To keep the change, make it in the application's source as well; to gain time, run this first: argocd app \
         set {app} --sync-policy none"
    )
}

fn flux_kustomization(metadata: &Metadata<'_>) -> String {
    let (named, arguments) = flux_name(metadata, "kustomize.toolkit.fluxcd.io", "Kustomization");
    format!(
        "Flux manages it{named}: it undoes this change at its next reconciliation (spec.interval). To keep the change, make it \
         in the source as well; to gain time, run this first: flux suspend kustomization {arguments}"
    )
}

fn flux_helm_release(metadata: &Metadata<'_>) -> String {
    let (named, arguments) = flux_name(metadata, "helm.toolkit.fluxcd.io", "HelmRelease");
    format!(
        "Flux manages it{named}: it undoes this change at its next reconciliation if driftDetection.mode is enabled, otherwise \
         the next upgrade of the release can. To keep the change, make it in the values as well; to gain time, run this \
         first: flux suspend helmrelease {arguments}"
    )
}

/// ` (Kustomization apps in flux-system)`, and `apps -n flux-system`.
fn flux_name(metadata: &Metadata<'_>, group: &str, kind: &str) -> (String, String) {
    let label = |name| metadata.get(&format!("{group}/{name}"));
    match (label("name"), label("namespace")) {
        (Some(name), Some(namespace)) => {
            (format!(" ({kind} {name} in {namespace})"), format!("{name} -n {namespace}"))
        }
        (name, _) => {
            let name = name.unwrap_or("NAME");
            (String::new(), format!("{name} -n NAMESPACE"))
        }
    }
}

fn helm(metadata: &Metadata<'_>) -> String {
    let release = metadata.get("meta.helm.sh/release-name");
    let named = release.map(|release| format!(" (release {release})")).unwrap_or_default();
    format!(
        "Helm made it{named}: the change stays until the next helm upgrade or helm rollback, which can undo it. To keep the \
         change, make it in the chart's values as well"
    )
}

fn infrastructure(program: &str, command: &str) -> String {
    format!(
        "{program} manages it: the next {command} undoes this change. To keep the change, make it in the program as well"
    )
}

#[cfg(test)]
mod tests {
    use super::{note, warning};
    use serde_json::{Value, json};

    fn resource(metadata: Value) -> Value {
        json!({"kind": "WasmPlugin", "metadata": metadata})
    }

    fn managed_by(manager: &str) -> Value {
        json!([{"manager": manager, "operation": "Update"}, {"manager": "kubectl-patch", "operation": "Update"}])
    }

    #[test]
    fn each_owner_is_named_with_what_it_will_do() {
        let label = |name: &str, value: &str| json!({"labels": {name: value}});
        let note = |name: &str, value: &str| json!({"annotations": {name: value}});
        for (metadata, words) in [
            (
                note("argocd.argoproj.io/tracking-id", "llm:extensions.istio.io/WasmPlugin:istio/llm-canary"),
                &[
                    "Argo CD manages it (application llm)",
                    "within seconds if",
                    "selfHeal",
                    "argocd app set llm --sync-policy none",
                ][..],
            ),
            (label("argocd.argoproj.io/instance", "llm"), &["Argo CD manages it (application llm)"]),
            (
                json!({"labels": {"app.kubernetes.io/instance": "llm"}, "managedFields": managed_by("argocd-controller")}),
                &["Argo CD manages it (application llm)"],
            ),
            (
                json!({"managedFields": managed_by("argocd-application-controller")}),
                &["Argo CD manages it:", "APPLICATION"],
            ),
            (
                json!({"labels": {"kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/namespace": "flux-system"}}),
                &[
                    "Flux manages it (Kustomization apps in flux-system)",
                    "at its next reconciliation (",
                    "flux suspend kustomization apps -n flux-system",
                ],
            ),
            (
                json!({"managedFields": managed_by("kustomize-controller")}),
                &["Flux manages it:", "flux suspend kustomization NAME"],
            ),
            (
                json!({"labels": {"helm.toolkit.fluxcd.io/name": "llm", "helm.toolkit.fluxcd.io/namespace": "llm",
                               "app.kubernetes.io/managed-by": "Helm"}, "annotations": {"meta.helm.sh/release-name": "llm"}}),
                &[
                    "Flux manages it (HelmRelease llm in llm)",
                    "driftDetection.mode",
                    "flux suspend helmrelease llm -n llm",
                ],
            ),
            (
                note("meta.helm.sh/release-name", "llm"),
                &["Helm made it (release llm)", "the next helm upgrade or helm rollback"],
            ),
            (label("app.kubernetes.io/managed-by", "Helm"), &["Helm made it:"]),
            (
                note("configmanagement.gke.io/managed", "enabled"),
                &["Config Sync manages it", "at once, or refuses it"],
            ),
            (label("kapp.k14s.io/app", "1700000000"), &["kapp manages it", "spec.syncPeriod"]),
            (
                note("objectset.rio.cattle.io/owner-gvk", "k3s.cattle.io/v1, Kind=Addon"),
                &["k3s deploys it from a file", "a start of k3s"],
            ),
            (label("objectset.rio.cattle.io/id", "x"), &["Rancher Fleet manages it", "correctDrift"]),
            (json!({"managedFields": managed_by("Terraform")}), &["Terraform manages it", "terraform apply"]),
            (
                json!({"managedFields": managed_by("pulumi-kubernetes-1a2b")}),
                &["Pulumi manages it", "pulumi up"],
            ),
            (
                json!({"ownerReferences": [{"kind": "Gateway", "name": "llm", "controller": true}]}),
                &["Gateway llm owns it"],
            ),
        ] {
            let found = warning(&resource(metadata.clone())).unwrap_or_default();
            assert!(words.iter().all(|words| found.contains(words)), "{metadata}: {found}");
        }
    }

    #[test]
    fn a_resource_of_nobody_is_not_warned_of() {
        for metadata in [
            json!({}),
            json!({"labels": {"app.kubernetes.io/instance": "llm", "app.kubernetes.io/managed-by": "hand"}}),
            json!({"annotations": {"configmanagement.gke.io/managed": "disabled"}}),
            json!({"labels": {"kustomize.toolkit.fluxcd.io/name": "apps"}, "annotations": {"kustomize.toolkit.fluxcd.io/reconcile": "disabled"}}),
            json!({"labels": {"kustomize.toolkit.fluxcd.io/name": "apps"}, "annotations": {"kustomize.toolkit.fluxcd.io/ssa": "ignore"}}),
            json!({"managedFields": [{"manager": "kubectl-edit", "operation": "Update"}, {"manager": 1}, null]}),
            json!({"ownerReferences": [{"kind": "Gateway", "name": "llm"}]}),
            json!({"labels": null, "annotations": [], "managedFields": {}}),
        ] {
            assert_eq!(warning(&resource(metadata.clone())), None, "{metadata}");
            assert_eq!(note(&resource(metadata.clone())), None, "{metadata}");
        }
        assert_eq!(warning(&json!({})), None);
    }

    #[test]
    fn an_applied_file_is_noted() {
        for metadata in [
            json!({"annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"}}),
            json!({"managedFields": [{"manager": "kubectl", "operation": "Apply"}]}),
            json!({"labels": {"applyset.kubernetes.io/part-of": "applyset-x"}}),
        ] {
            assert!(note(&resource(metadata.clone())).is_some(), "{metadata}");
        }
    }
}
