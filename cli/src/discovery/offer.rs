//! What is served now: the resources of all files, and what is wrong with files.

use super::TYPE_URL;
use super::resources::{Resource, version};
use serde_json::json;

/// What is served.
#[derive(Clone, Debug, Default)]
pub(crate) struct Offer {
    pub(super) files: Vec<OfferedFile>,
}

/// A file as it is served.
#[derive(Clone, Debug, Default)]
pub(super) struct OfferedFile {
    pub(super) name: String,
    /// The last good ones; none before the first.
    pub(super) resources: Vec<Resource>,
    /// What is wrong with its text now, in words.
    pub(super) error: Option<String>,
}

/// What an Envoy is given.
pub(super) struct Found<'a> {
    pub(super) version: String,
    resources: Vec<&'a Resource>,
}

impl Offer {
    /// The resources with these names; all, if there are none. Of those that nobody has the rest is given, as Envoy expects.
    ///
    /// # Errors
    /// There is nothing to give: the status, and why.
    pub(super) fn find(&self, names: &[String]) -> Result<Found<'_>, (u16, String)> {
        let is_asked = |resource: &&Resource| names.is_empty() || names.contains(&resource.name);
        let resources: Vec<&Resource> = self.resources().filter(is_asked).collect();
        if resources.is_empty() {
            // The file that has it may be the one that cannot be read.
            return Err(match self.missing() {
                Some(words) => (503, words),
                None => (404, self.unserved(names)),
            });
        }
        let versions: Vec<&str> = resources.iter().map(|resource| resource.version.as_str()).collect();
        let version = match versions.as_slice() {
            [one] => (*one).to_owned(),
            several => version(several.join(",").as_bytes()),
        };
        Ok(Found { version, resources })
    }

    /// The version in which one resource is served.
    pub(super) fn version_of(&self, name: &str) -> Option<&str> {
        self.resources().find(|resource| resource.name == name).map(|resource| resource.version.as_str())
    }

    fn resources(&self) -> impl Iterator<Item = &Resource> {
        self.files.iter().flat_map(|file| &file.resources)
    }

    /// Why a file has nothing to be served; `None` where each has something.
    pub(super) fn missing(&self) -> Option<String> {
        let missing = self.files.iter().find(|file| file.resources.is_empty())?;
        let why = missing.error.as_deref().unwrap_or("it has not been read yet");
        Some(format!("there is no good version of {}: {why}", missing.name))
    }

    fn unserved(&self, names: &[String]) -> String {
        let served: Vec<&str> = self.resources().map(|resource| resource.name.as_str()).collect();
        format!(
            "no file has the resource {}; these are served: {}. The filter's name in the listener must be the resource's name",
            names.join(", "),
            served.join(", ")
        )
    }
}

impl Found<'_> {
    /// A DiscoveryResponse in JSON; each number gives other bytes with the same meaning.
    pub(super) fn body(&self, variant: u16) -> String {
        let items: Vec<String> = self.resources.iter().map(|resource| resource.variant(variant)).collect();
        let (version, items) = (json!(self.version), items.join(","));
        format!(r#"{{"version_info":{version},"resources":[{items}],"type_url":"{TYPE_URL}"}}"#)
    }
}
