//! Who runs what: as JSON, and as a table. `status --xds` reads the JSON that the server gives.

use super::envoys::{Envoys, State};
use super::offer::Offer;
use crate::table::{Canvas, Cell, Column, Tone, lines};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What is served, and every Envoy.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Fleet {
    pub(crate) files: Vec<ShownFile>,
    pub(crate) envoys: Vec<ShownEnvoy>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct ShownFile {
    pub(crate) file: String,
    /// What is wrong with it now; what was good before is served.
    pub(crate) error: Option<String>,
    pub(crate) resources: Vec<ShownResource>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct ShownResource {
    pub(crate) name: String,
    pub(crate) version: String,
}

/// An Envoy, and one resource that it asks for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct ShownEnvoy {
    pub(crate) id: String,
    pub(crate) cluster: String,
    pub(crate) address: String,
    /// Envoy's own version; empty if it does not say it.
    pub(crate) envoy: String,
    pub(crate) resource: String,
    /// The version that it took last; null: none yet.
    pub(crate) runs: Option<String>,
    /// `current`, `behind`, `refused`, `unserved`, `silent`.
    pub(crate) state: String,
    pub(crate) seen_seconds_ago: f64,
}

impl Fleet {
    pub(crate) fn new(offer: &Offer, envoys: &mut Envoys, now: Duration) -> Self {
        let resource =
            |one: &super::Resource| ShownResource { name: one.name.clone(), version: one.version.clone() };
        let files = offer.files.iter().map(|file| ShownFile {
            file: file.name.clone(),
            error: file.error.clone(),
            resources: file.resources.iter().map(resource).collect(),
        });
        let envoys = envoys.rows(offer, now).map(|((id, address, resource), row, state)| ShownEnvoy {
            id: id.clone(),
            cluster: row.cluster.clone(),
            address: address.clone(),
            envoy: row.envoy.clone(),
            resource: resource.clone(),
            runs: Some(row.runs.clone()).filter(|version| !version.is_empty()),
            state: state.name().to_owned(),
            seen_seconds_ago: (now.saturating_sub(row.seen).as_secs_f64() * 10.0).round() / 10.0,
        });
        Self { files: files.collect(), envoys: envoys.collect() }
    }

    pub(crate) fn value(&self) -> serde_json::Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    /// The version in which a resource is served.
    pub(crate) fn version_of(&self, resource: &str) -> Option<&str> {
        let mut resources = self.files.iter().flat_map(|file| &file.resources);
        resources.find(|one| one.name == resource).map(|one| one.version.as_str())
    }

    /// How many Envoys that ask for a resource are in a state.
    pub(crate) fn count(&self, resource: &str, state: State) -> usize {
        self.of(resource).filter(|envoy| envoy.is(state)).count()
    }

    /// The Envoys that ask for a resource.
    pub(crate) fn of(&self, resource: &str) -> impl Iterator<Item = &ShownEnvoy> {
        self.envoys.iter().filter(move |envoy| envoy.resource == resource)
    }

    /// Only what concerns these resources.
    pub(crate) fn only(mut self, resources: &[String]) -> Self {
        for file in &mut self.files {
            file.resources.retain(|one| resources.contains(&one.name));
        }
        self.files.retain(|file| !file.resources.is_empty() || file.error.is_some());
        self.envoys.retain(|envoy| resources.contains(&envoy.resource));
        self
    }
}

impl ShownEnvoy {
    pub(crate) fn is(&self, state: State) -> bool {
        self.state == state.name()
    }

    /// How it stands, in words.
    pub(crate) fn words(&self) -> &'static str {
        match State::ALL.into_iter().find(|state| self.is(*state)) {
            Some(State::Current) => "runs it",
            Some(State::Behind) => "does not run it yet",
            Some(State::Refused) => "refused it: see update_rejected and the log of this Envoy",
            Some(State::Unserved) => "asks for what is not served",
            Some(State::Silent) => "has not asked for a while",
            None => "is in a state that this tool does not know",
        }
    }
}

/// The table for a person.
pub(crate) fn text(fleet: &Fleet, canvas: &Canvas) -> String {
    let mut all = Vec::new();
    for file in &fleet.files {
        for resource in &file.resources {
            let count = |state| match fleet.count(&resource.name, state) {
                0 => None,
                count => Some(format!("{count} {}", state.name())),
            };
            let counts: Vec<String> = State::ALL.into_iter().filter_map(count).collect();
            let counts =
                if counts.is_empty() { "no Envoy asks for it".to_owned() } else { counts.join(", ") };
            all.push(format!("{}: {} in version {}: {counts}", file.file, resource.name, resource.version));
        }
        if let Some(error) = &file.error {
            let words = match file.resources.is_empty() {
                true => "nothing is served",
                false => "its last good version is served",
            };
            let line = format!("{} is not in order, and {words}: {error}", file.file);
            all.push(canvas.paint(&line, Tone::Bad));
        }
    }
    if !fleet.envoys.is_empty() {
        let column = |heading, rank| Column { heading, is_right: false, rank };
        let columns = [
            column("id", 0),
            column("cluster", 5),
            column("address", 3),
            column("Envoy", 4),
            column("resource", 1),
            column("runs", 0),
            column("", 0),
            Column { heading: "asked", is_right: true, rank: 2 },
        ];
        let rows: Vec<Vec<Cell>> = fleet.envoys.iter().map(cells).collect();
        all.push(String::new());
        all.extend(lines(&columns, &rows, canvas));
    }
    all.join("\n")
}

fn cells(envoy: &ShownEnvoy) -> Vec<Cell> {
    let tone = match State::ALL.into_iter().find(|state| envoy.is(*state)) {
        Some(State::Current) => Tone::Good,
        Some(State::Behind) => Tone::Open,
        Some(State::Refused | State::Unserved) => Tone::Bad,
        Some(State::Silent) | None => Tone::Faint,
    };
    vec![
        Cell::new(envoy.id.as_str()),
        Cell::new(envoy.cluster.as_str()),
        Cell::new(envoy.address.as_str()),
        Cell::new(envoy.envoy.as_str()),
        Cell::new(envoy.resource.as_str()),
        Cell::new(envoy.runs.as_deref().unwrap_or("nothing")),
        Cell { text: envoy.words().to_owned(), tone },
        Cell::new(format!("{:.0} s ago", envoy.seen_seconds_ago)),
    ]
}
