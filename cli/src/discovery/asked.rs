//! Envoy's DiscoveryRequest, as far as it matters.

use super::TYPE_URL;
use serde::Deserialize;

/// The longest name that is kept of what an Envoy says. Of a longer one the rest is cut off.
const NAME_CHARS_MAX: usize = 256;
/// More resources are not asked for at once: Envoy asks for one.
const NAMES_MAX: usize = 64;

/// What an Envoy asks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    /// The name that the Envoy has given itself, and that of its group.
    pub(crate) id: String,
    pub(crate) cluster: String,
    /// Its version, such as `1.40.0`.
    pub(crate) envoy: String,
    /// The resources, in order and each once; none: all.
    pub(crate) names: Vec<String>,
    /// The version of them that it took last; empty before the first.
    pub(crate) version: String,
}

/// Its JSON. Envoy sends more, such as a long list of extensions, which is passed over.
#[derive(Deserialize)]
struct Wire {
    #[serde(default)]
    version_info: String,
    #[serde(default)]
    node: WireNode,
    #[serde(default)]
    resource_names: Vec<String>,
    #[serde(default)]
    type_url: String,
}

#[derive(Default, Deserialize)]
struct WireNode {
    #[serde(default)]
    id: String,
    #[serde(default)]
    cluster: String,
    #[serde(default)]
    user_agent_build_version: WireBuild,
}

#[derive(Default, Deserialize)]
struct WireBuild {
    #[serde(default)]
    version: WireVersion,
}

/// A number that is 0 is left out.
#[derive(Default, Deserialize)]
struct WireVersion {
    #[serde(default)]
    major_number: u32,
    #[serde(default)]
    minor_number: u32,
    #[serde(default)]
    patch: u32,
}

impl Asked {
    /// Reads a request's body.
    ///
    /// # Errors
    /// It is none of Envoy's requests, or asks for something else, in a sentence.
    pub(super) fn read(body: &[u8]) -> Result<Self, String> {
        let wire: Wire = serde_json::from_slice(body)
            .map_err(|error| format!("the body is no DiscoveryRequest in JSON: {error}"))?;
        if !wire.type_url.is_empty() && wire.type_url != TYPE_URL {
            return Err(format!("type_url is {:?}; this serves {TYPE_URL}", cut(&wire.type_url)));
        }
        if wire.node.id.is_empty() {
            return Err(
                "node.id is empty; give each Envoy a name of its own (node: { id, cluster })".to_owned()
            );
        }
        let mut names = wire.resource_names;
        if names.len() > NAMES_MAX {
            return Err(format!(
                "resource_names has {} names; at most {NAMES_MAX} are served at once",
                names.len()
            ));
        }
        names.sort();
        names.dedup();
        let WireVersion { major_number, minor_number, patch } = wire.node.user_agent_build_version.version;
        let is_known = (major_number, minor_number, patch) != (0, 0, 0);
        Ok(Self {
            id: cut(&wire.node.id),
            cluster: cut(&wire.node.cluster),
            envoy: if is_known { format!("{major_number}.{minor_number}.{patch}") } else { String::new() },
            names,
            version: cut(&wire.version_info),
        })
    }
}

/// A text that is shown and kept: no control characters, and not too long.
fn cut(text: &str) -> String {
    text.chars().take(NAME_CHARS_MAX).map(|char| if char.is_control() { ' ' } else { char }).collect()
}
