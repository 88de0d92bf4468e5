//! Whether a request is a client's retry of an earlier one. In: its headers. Out: yes or no.
//!
//! * `x-stainless-retry-count`, sent by the SDKs that Stainless generates, such as OpenAI's and Anthropic's: 0 for the
//!   first attempt.
//! * `amz-sdk-request: attempt=2; max=3`, sent by the AWS SDKs, which clients of Bedrock use: 1 for the first attempt.
//!
//! `x-envoy-attempt-count` does not count: Envoy sets it for its own attempts.

const STAINLESS: &str = "x-stainless-retry-count";
const AWS: &str = "amz-sdk-request";

/// Whether the request is not the first attempt. `header` returns the value of a header.
pub fn is_retry<'h>(header: impl Fn(&str) -> Option<&'h [u8]>) -> bool {
    let is_above = |value: &[u8], first: u64| {
        let number = str::from_utf8(value.trim_ascii()).ok().and_then(|text| text.parse::<u64>().ok());
        number.is_some_and(|number| number > first)
    };
    header(STAINLESS).is_some_and(|retries| is_above(retries, 0))
        || header(AWS).is_some_and(|attempt| {
            let mut fields = attempt.split(|&b| b == b';');
            fields.any(|field| field.trim_ascii().strip_prefix(b"attempt=").is_some_and(|n| is_above(n, 1)))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_sdks_mark_retries() {
        for (name, value, expected) in [
            (STAINLESS, &b"0"[..], false),
            (STAINLESS, b"1", true),
            (STAINLESS, b" 12 ", true),
            (STAINLESS, b"-1", false),
            (STAINLESS, b"", false),
            (STAINLESS, b"\xff", false),
            (STAINLESS, b"99999999999999999999999", false),
            (AWS, b"attempt=1; max=3", false),
            (AWS, b"attempt=2; max=3", true),
            (AWS, b"max=3;attempt=10", true),
            (AWS, b"ttl=20230101T000000Z; attempt=3; max=3", true),
            (AWS, b"max=3", false),
            ("x-envoy-attempt-count", b"2", false),
        ] {
            let is_one = |header: &str| (header == name).then_some(value);
            assert_eq!(is_retry(is_one), expected, "{name}: {}", value.escape_ascii());
        }
    }
}
