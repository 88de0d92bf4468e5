//! The APIs that a server may be asked by: their names, paths and headers.

/// An API.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Api {
    /// OpenAI's chat completions, which most servers have.
    #[default]
    Chat,
    /// OpenAI's Responses.
    Responses,
    /// Anthropic's messages.
    Messages,
    /// Text completions.
    Completions,
    /// Ollama's own chat.
    Ollama,
}

/// The version of Anthropic's API whose forms are used here.
const ANTHROPIC_VERSION: &str = "2023-06-01";

impl Api {
    /// All of them.
    pub(crate) const ALL: [Self; 5] =
        [Self::Chat, Self::Responses, Self::Messages, Self::Completions, Self::Ollama];

    /// Its name on the command line and in results.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Responses => "responses",
            Self::Messages => "messages",
            Self::Completions => "completions",
            Self::Ollama => "ollama",
        }
    }

    /// The API of a name.
    ///
    /// # Errors
    /// A sentence with the names that there are.
    pub(crate) fn parse(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|api| api.name() == name);
        found.ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("{name:?} is no API; write one of {names}")
        })
    }

    /// The path where servers have it.
    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Chat => "/v1/chat/completions",
            Self::Responses => "/v1/responses",
            Self::Messages => "/v1/messages",
            Self::Completions => "/v1/completions",
            Self::Ollama => "/api/chat",
        }
    }

    /// The address of the API on a server. An address with a path is taken as its beginning; one that ends with the API's last
    /// words (`/chat/completions`) is the whole.
    pub(crate) fn url(self, server: &str) -> String {
        let (address, query) =
            server.split_once('?').map_or((server, None), |(url, query)| (url, Some(query)));
        let base = address.trim_end_matches('/');
        let path = self.path();
        let (version, last) =
            path.split_at(path.get(1..).and_then(|rest| rest.find('/')).map_or(0, |at| at + 1));
        let whole = if base.ends_with(last) {
            base.to_owned()
        } else if base.ends_with(version) {
            format!("{base}{last}")
        } else {
            format!("{base}{path}")
        };
        query.map_or(whole.clone(), |query| format!("{whole}?{query}"))
    }

    /// The headers that it needs, with the key as it wants it.
    pub(crate) fn headers(self, key: Option<&str>) -> Vec<(String, String)> {
        let header = |name: &str, value: String| (name.to_owned(), value);
        let mut headers = vec![header("content-type", "application/json".to_owned())];
        if self == Self::Messages {
            headers.push(header("anthropic-version", ANTHROPIC_VERSION.to_owned()));
            headers.extend(key.map(|key| header("x-api-key", key.to_owned())));
        }
        // Gateways in front of any API read this one.
        headers.extend(key.map(|key| header("authorization", format!("Bearer {key}"))));
        headers
    }
}

#[cfg(test)]
mod tests {
    use super::Api;

    #[test]
    fn an_address_may_be_a_server_a_base_or_the_whole() {
        for (api, server, expect) in [
            (Api::Chat, "http://a:1", "http://a:1/v1/chat/completions"),
            (Api::Chat, "http://a:1/", "http://a:1/v1/chat/completions"),
            (Api::Chat, "http://a:1/v1", "http://a:1/v1/chat/completions"),
            (Api::Chat, "http://a:1/v1/", "http://a:1/v1/chat/completions"),
            (Api::Chat, "http://a/openai/v1", "http://a/openai/v1/chat/completions"),
            (Api::Chat, "http://a/v1/chat/completions", "http://a/v1/chat/completions"),
            (Api::Chat, "http://a/models/m", "http://a/models/m/v1/chat/completions"),
            (
                Api::Chat,
                "http://a/d/chat/completions?api-version=1",
                "http://a/d/chat/completions?api-version=1",
            ),
            (Api::Responses, "http://a/v1", "http://a/v1/responses"),
            (Api::Messages, "http://a", "http://a/v1/messages"),
            (Api::Completions, "http://a/v1", "http://a/v1/completions"),
            (Api::Ollama, "http://a", "http://a/api/chat"),
            (Api::Ollama, "http://a/api", "http://a/api/chat"),
        ] {
            assert_eq!(api.url(server), expect);
        }
    }

    #[test]
    fn names_are_read() {
        for api in Api::ALL {
            assert_eq!(Api::parse(api.name()), Ok(api));
        }
        assert!(Api::parse("gemini").unwrap_err().contains("chat, responses, messages, completions, ollama"));
    }

    #[test]
    fn a_key_is_sent_as_the_api_wants_it() {
        let names = |api: Api, key| api.headers(key).into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(names(Api::Chat, Some("k")), ["content-type", "authorization"]);
        assert_eq!(names(Api::Chat, None), ["content-type"]);
        assert_eq!(
            names(Api::Messages, Some("k")),
            ["content-type", "anthropic-version", "x-api-key", "authorization"]
        );
    }
}
