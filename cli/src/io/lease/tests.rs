//! A lease on a resource that lives in memory.

use super::{Lease, Place};
use crate::io::claim::Claim;
use crate::io::clock::Clock;
use crate::io::kubectl::{Kubectl, KubectlError};
use serde_json::{Value, json};
use std::sync::Mutex;
use std::time::Duration;

/// A resource, the time, and what another run does as time passes.
struct Cluster {
    resource: Mutex<Value>,
    elapsed: Mutex<Duration>,
    /// It renews its annotation.
    other_lives: bool,
}

impl Cluster {
    fn new(annotations: Option<Value>, other_lives: bool) -> Self {
        let mut metadata = json!({"name": "llm-canary", "resourceVersion": "1"});
        if let Some(annotations) = annotations {
            metadata["annotations"] = annotations;
        }
        let resource = Mutex::new(json!({"kind": "WasmPlugin", "metadata": metadata}));
        Self { resource, elapsed: Mutex::default(), other_lives }
    }

    fn annotation(&self) -> Value {
        let resource = self.resource.lock().unwrap();
        let text =
            resource["metadata"]["annotations"]["llm-canary/run.chat.lease"].as_str().unwrap().to_owned();
        serde_json::from_str(&text).unwrap()
    }

    fn set(&self, said: &Value) {
        self.resource.lock().unwrap()["metadata"]["annotations"]["llm-canary/run.chat.lease"] =
            said.to_string().into();
    }

    fn claim(&self) -> Result<Lease<'_>, String> {
        let place = Place {
            resource: "wasmplugin/llm-canary",
            namespace: Some("istio-ingress"),
            context: None,
            rollout: "chat".to_owned(),
        };
        Lease::claim(self, place, 7, self, &mut |_| ()).map_err(|error| error.to_string())
    }
}

impl Clock for Cluster {
    fn now(&self) -> u64 {
        0
    }

    fn elapsed(&self) -> Duration {
        *self.elapsed.lock().unwrap()
    }

    fn sleep(&self, duration: Duration) {
        *self.elapsed.lock().unwrap() += duration;
        let seconds = self.elapsed().as_secs();
        if self.other_lives && seconds.is_multiple_of(60) {
            self.set(&json!({"holder": "other", "renewals": seconds, "again": []}));
        }
    }
}

impl Kubectl for Cluster {
    fn run(&self, arguments: &[&str], input: &[u8]) -> Result<Vec<u8>, KubectlError> {
        assert!(arguments.windows(2).any(|pair| pair == ["--namespace", "istio-ingress"]), "{arguments:?}");
        let mut resource = self.resource.lock().unwrap();
        if arguments.contains(&"patch") {
            let patch: Value = serde_json::from_slice(input).unwrap();
            assert_eq!(patch[0]["path"], "/metadata/resourceVersion");
            assert_eq!(patch[0]["value"], resource["metadata"]["resourceVersion"], "nobody wrote meanwhile");
            match patch[1]["path"].as_str().unwrap() {
                "/metadata/annotations" => resource["metadata"]["annotations"] = patch[1]["value"].clone(),
                "/metadata/annotations/llm-canary~1run.chat.lease" => {
                    assert!(resource["metadata"]["annotations"].is_object(), "add needs its parent");
                    resource["metadata"]["annotations"]["llm-canary/run.chat.lease"] =
                        patch[1]["value"].clone();
                }
                path => panic!("{path}"),
            }
            let version: u32 = resource["metadata"]["resourceVersion"].as_str().unwrap().parse().unwrap();
            resource["metadata"]["resourceVersion"] = (version + 1).to_string().into();
        }
        Ok(resource.to_string().into_bytes())
    }
}

#[test]
fn a_lease_is_taken_renewed_and_given_back() {
    for annotations in [None, Some(json!({"a": "b"})), Some(json!({"llm-canary/run.chat.lease": "garbage"}))]
    {
        let cluster = Cluster::new(annotations, false);
        let mut lease = cluster.claim().unwrap();
        assert_eq!(cluster.annotation(), json!({"holder": "00000007", "renewals": 1, "again": []}));
        lease.remember("a new prompt").unwrap();
        lease.keep(&cluster).unwrap();
        assert_eq!(cluster.annotation()["renewals"], 2, "it is not renewed at each look");
        cluster.sleep(Duration::from_secs(60));
        lease.keep(&cluster).unwrap();
        assert_eq!(cluster.annotation()["renewals"], 3);
        drop(lease);
        assert_eq!(cluster.annotation(), json!({"holder": null, "renewals": 4, "again": ["a new prompt"]}));
        let next = cluster.claim().unwrap();
        assert_eq!(next.reasons(), ["a new prompt"]);
        assert!(cluster.elapsed() < Duration::from_secs(70), "nobody was waited for");
    }
}

#[test]
fn another_run_is_refused_while_it_lives_and_followed_when_it_is_gone() {
    let said = json!({"holder": "other", "renewals": 9, "again": []}).to_string();
    let annotations = || Some(json!({"llm-canary/run.chat.lease": said}));
    let refused = Cluster::new(annotations(), true).claim().err().unwrap();
    assert!(
        refused.contains("another run (other) has the rollout chat. Two plans at once would fight"),
        "{refused}"
    );
    let gone = Cluster::new(annotations(), false);
    let mut lease = gone.claim().unwrap();
    assert_eq!(gone.elapsed(), Duration::from_secs(100));
    // Who comes to life again finds that it is taken.
    gone.set(&json!({"holder": "other", "renewals": 10}));
    gone.sleep(Duration::from_secs(60));
    assert!(lease.keep(&gone).unwrap_err().contains("another run (other) has taken the rollout chat"));
    drop(lease);
    assert_eq!(gone.annotation()["holder"], "other");
}
