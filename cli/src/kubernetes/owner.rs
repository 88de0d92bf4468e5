//! Who else writes a resource, and what becomes of a change that they did not make.
//!
//! In: the resource's metadata. Out: a sentence. Labels and annotations are looked at first: they name the owner. The
//! managers of its fields are looked at next: who has once written a resource may have left it. Helm comes last: others apply
//! its charts, with the marks that a chart writes, and Helm itself undoes nothing before its next upgrade. An owner that a mark
//! tells to leave the resource alone is passed over, so that it hides no other.

use serde_json::Value;

/// A program that keeps resources as some source says.
struct Owner {
    /// Labels and annotations by which it marks its resources. A mark with a value needs that value.
    marks: &'static [(&'static str, Option<&'static str>)],
    /// What the names begin with under which it writes fields (`metadata.managedFields`).
    managers: &'static [&'static str],
    /// Marks by which a resource is exempt from it, as above.
    exempt: &'static [(&'static str, Option<&'static str>)],
    words: fn(&Metadata<'_>) -> String,
}

/// The metadata of a resource.
struct Metadata<'a>(&'a Value);

/// Those whose marks are the most special come first: Flux's helm-controller also leaves the marks of its Kustomization.
const OWNERS: [Owner; 9] = [
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
            ("kustomize.toolkit.fluxcd.io/reconcile", Some("disabled")),
            ("kustomize.toolkit.fluxcd.io/ssa", Some("Ignore")),
            ("kustomize.toolkit.fluxcd.io/ssa", Some("IfNotPresent")),
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
        exempt: &[
            ("configmanagement.gke.io/managed", Some("disabled")),
            ("client.lifecycle.config.k8s.io/mutation", Some("ignore")),
        ],
        words: |_| {
            "Config Sync manages it, and undoes this change at once, or refuses it. To keep the change, make it in the source of \
             truth as well"
                .to_owned()
        },
    },
    Owner {
        marks: &[("kapp.k14s.io/app", None)],
        managers: &["kapp"],
        exempt: &[("kapp.k14s.io/update-strategy", Some("skip")), ("kapp.k14s.io/noop", None)],
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
        marks: &[("app.kubernetes.io/managed-by", Some("pulumi"))],
        managers: &["pulumi-"],
        exempt: &[],
        words: |_| infrastructure("Pulumi", "pulumi up"),
    },
    Owner {
        marks: &[],
        managers: &["Terraform", "HashiCorp", "terraform-provider-"],
        exempt: &[],
        words: |_| infrastructure("Terraform", "terraform apply"),
    },
];

const HELM: Owner =
    Owner { marks: &[("meta.helm.sh/release-name", None)], managers: &["helm"], exempt: &[], words: helm };

/// What a chart writes. Helm writes its annotations as well since 3.2, so without these another program applied the chart.
const CHART: (&str, Option<&str>) = ("app.kubernetes.io/managed-by", Some("Helm"));

/// What becomes of a change of a resource that another program manages; `None` if none is known to.
pub(crate) fn warning(resource: &Value) -> Option<String> {
    let metadata = Metadata(resource.get("metadata")?);
    let is_exempt = |owner: &Owner| metadata.has_any(owner.exempt);
    let owners = || OWNERS.iter().filter(|owner| !is_exempt(owner));
    let marked = owners().find(|owner| metadata.has_any(owner.marks));
    let owner =
        marked.or_else(|| owners().find(|owner| metadata.is_managed_by(owner.managers))).or_else(|| {
            let is_of_helm = metadata.has_any(HELM.marks) || metadata.is_managed_by(HELM.managers);
            is_of_helm.then_some(&HELM)
        });
    let controlled = || {
        let controller = metadata.controller()?;
        Some(format!(
            "{controller} owns it, whose controller may undo this change at any time; change that resource instead"
        ))
    };
    let of_a_chart = || {
        let is_of_a_chart = metadata.has_any(&[CHART]) && note(resource).is_none();
        is_of_a_chart.then(|| {
            "it comes from a Helm chart, which another program than Helm has applied: that program can undo this change. To keep \
             the change, make it in the chart's values as well"
                .to_owned()
        })
    };
    owner.map(|owner| (owner.words)(&metadata)).or_else(controlled).or_else(of_a_chart)
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

    fn has_any(&self, marks: &[(&str, Option<&str>)]) -> bool {
        marks.iter().any(|(name, value)| self.has(name, *value))
    }

    fn managers(&self) -> impl Iterator<Item = (&str, &str)> {
        let entries = self.0.get("managedFields").and_then(Value::as_array).into_iter().flatten();
        entries.filter_map(|entry| Some((entry.get("manager")?.as_str()?, entry.get("operation")?.as_str()?)))
    }

    fn is_managed_by(&self, prefixes: &[&str]) -> bool {
        self.managers().any(|(manager, _)| prefixes.iter().any(|prefix| manager.starts_with(prefix)))
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
    // The mark exempts from the detection of drift only.
    let is_ignored = metadata.has("helm.toolkit.fluxcd.io/driftDetection", Some("disabled"));
    let undone = if is_ignored {
        "the next upgrade of the release can undo this change"
    } else {
        "it undoes this change at its next reconciliation if driftDetection.mode is enabled, otherwise the next upgrade of the \
         release can"
    };
    format!(
        "Flux manages it{named}: {undone}. To keep the change, make it in the values as well; to gain time, run this \
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
mod tests;
