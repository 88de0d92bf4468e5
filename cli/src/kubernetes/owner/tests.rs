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
        (json!({"managedFields": managed_by("helm")}), &["Helm made it:"]),
        (
            label("app.kubernetes.io/managed-by", "Helm"),
            &["it comes from a Helm chart, which another program than Helm has applied"],
        ),
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
        (json!({"managedFields": managed_by("pulumi-kubernetes-1a2b")}), &["Pulumi manages it", "pulumi up"]),
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
fn who_applies_a_chart_is_named_and_not_helm() {
    let chart = json!({"app.kubernetes.io/managed-by": "Helm", "app.kubernetes.io/instance": "llm", "helm.sh/chart": "llm-1"});
    // A chart that Helm installed before, too.
    for annotations in [json!({}), json!({"meta.helm.sh/release-name": "llm"})] {
        for (manager, words) in [
            ("argocd-controller", "Argo CD manages it (application llm)"),
            ("argocd-application-controller", "Argo CD manages it (application llm)"),
            ("kustomize-controller", "Flux manages it"),
            ("helm-controller", "Flux manages it"),
            ("fleetagent", "Rancher Fleet manages it"),
            ("kapp", "kapp manages it"),
            ("terraform-provider-helm_v2.12.1_x5", "Terraform manages it"),
        ] {
            let metadata =
                json!({"labels": chart, "annotations": annotations, "managedFields": managed_by(manager)});
            let found = warning(&resource(metadata)).unwrap_or_default();
            assert!(found.starts_with(words), "{manager}: {found}");
        }
        let owned = json!({"labels": chart, "ownerReferences": [{"kind": "Gateway", "name": "llm", "controller": true}]});
        assert!(warning(&resource(owned)).unwrap().starts_with("Gateway llm owns it"));
    }
    // helm template | kubectl apply
    let applied =
        json!({"labels": chart, "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"}});
    assert_eq!(warning(&resource(applied.clone())), None);
    assert!(note(&resource(applied)).is_some());
}

#[test]
fn an_owner_that_leaves_it_alone_hides_no_other() {
    for (labels, annotations) in [
        (
            json!({"kustomize.toolkit.fluxcd.io/name": "apps"}),
            json!({"kustomize.toolkit.fluxcd.io/reconcile": "disabled"}),
        ),
        (
            json!({"kustomize.toolkit.fluxcd.io/name": "apps", "kustomize.toolkit.fluxcd.io/ssa": "Ignore"}),
            json!({}),
        ),
        (json!({"kapp.k14s.io/app": "1"}), json!({"kapp.k14s.io/update-strategy": "skip"})),
        (json!({"kapp.k14s.io/app": "1"}), json!({"kapp.k14s.io/noop": ""})),
        (
            json!({}),
            json!({"configmanagement.gke.io/managed": "enabled", "client.lifecycle.config.k8s.io/mutation": "ignore"}),
        ),
    ] {
        for (more, words) in [
            (json!({"meta.helm.sh/release-name": "llm"}), "Helm made it (release llm)"),
            (json!({"argocd.argoproj.io/tracking-id": "llm:x"}), "Argo CD manages it (application llm)"),
            (json!({"objectset.rio.cattle.io/id": "x"}), "Rancher Fleet manages it"),
            (json!({}), ""),
        ] {
            let mut annotations = annotations.clone();
            let members = more.as_object().unwrap().clone();
            annotations.as_object_mut().unwrap().extend(members);
            let metadata = json!({"labels": labels, "annotations": annotations});
            let found = warning(&resource(metadata.clone())).unwrap_or_default();
            assert!(found.starts_with(words) && found.is_empty() == words.is_empty(), "{metadata}: {found}");
        }
    }
    let release = json!({"labels": {"helm.toolkit.fluxcd.io/name": "llm"}, "annotations": {"helm.toolkit.fluxcd.io/driftDetection": "disabled"}});
    let found = warning(&resource(release)).unwrap();
    assert!(
        found.contains("the next upgrade of the release can undo this change") && !found.contains("mode")
    );
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
