//! What is read from headers, paths and ids: any bytes are read without harm, and what is written comes back.

use llm_canary::bucket::{self, Murmur3, PARTS, SHARDS};
use llm_canary::headers::HeaderName;
use llm_canary::pin::{Endpoint, TAG_BYTES, Token, untag_id, untag_path};
use llm_canary::{key, refusal, retry, rewrite, timestamp};

use super::input::Input;

const BASE32: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// The end of the year 9999, which is RFC 3339's last.
const LAST_MS: u64 = 253_402_300_799_999;

/// The text that is read, then choices.
pub(crate) fn keys(bytes: &[u8]) {
    let mut input = Input(bytes);
    let id = u128::from(input.u64()) << 64 | u128::from(input.u64());
    let name_bytes = input.below(12);
    let text = input.rest();
    let (name, rest) = text.split_at(name_bytes.min(text.len()));
    reads_anything(name, rest);
    reads_cookies_and_queries_back(name, rest);
    reads_moments_back(text, id);
    reads_ids_back(id);
    reads_marks_back(rest, id as u32);
    hashes_in_pieces(name, rest);
}

fn is_within(part: &[u8], whole: &[u8]) -> bool {
    part.is_empty() || whole.windows(part.len()).any(|window| window == part)
}

fn reads_anything(name: &[u8], text: &[u8]) {
    if let Some(value) = key::cookie(text, name) {
        assert!(!value.is_empty() && is_within(value, text) && !value.contains(&b';'));
    }
    if let Some(value) = key::query(text, name) {
        assert!(!value.is_empty() && value.len() <= text.len());
    }
    if let Some(value) = key::value(text) {
        assert!(!value.is_empty() && value == text.trim_ascii());
    }
    if let Some(id) = key::id(text) {
        assert_eq!(key::value(text), Some(id));
        assert_eq!(key::joined("x", [text, id].into_iter()).as_deref(), Some(id));
    }
    if let Some(token) = Token::parse(text) {
        assert_eq!(token.to_string().as_bytes(), text);
    }
    if let Some((id, token)) = untag_id(text) {
        assert_eq!([id, b"-llm-", token.to_string().as_bytes()].concat(), text);
    }
    if let Some((path, _)) = untag_path(text, |_| true) {
        let taken_off = text.len() - path.len();
        assert!(taken_off > 0 && taken_off.is_multiple_of(TAG_BYTES));
        assert!(untag_path(text, |_| false).is_none());
    }
    if let Some(path) = rewrite::path_prefix(text, name, b"/to") {
        assert_eq!(path.strip_prefix(b"/to"), text.strip_prefix(name));
    }
    if let Ok(Ok(name)) = std::str::from_utf8(text).map(HeaderName::new) {
        assert!(name.as_bytes().iter().all(|byte| byte.is_ascii_graphic() && !byte.is_ascii_uppercase()));
    }
    let _ = (Endpoint::of(text), refusal::is_refusal(text), retry::is_retry(|_| Some(text)));
    let _ = retry::is_retry(|header| (header.as_bytes() == name).then_some(text));
}

fn reads_cookies_and_queries_back(name: &[u8], value: &[u8]) {
    let is_token = |byte: &u8| byte.is_ascii_graphic() && !b";=\"".contains(byte);
    let name: Vec<u8> = name.iter().copied().filter(is_token).collect();
    let plain: Vec<u8> = value.iter().copied().filter(is_token).collect();
    if !name.is_empty() && !plain.is_empty() {
        let header = [b"_other=1; ", &name[..], b"=", &plain, b";last=2"].concat();
        if name != b"_other" {
            assert_eq!(key::cookie(&header, &name), Some(&plain[..]));
        }
    }
    let escape = |bytes: &[u8]| bytes.iter().map(|byte| format!("%{byte:02X}")).collect::<String>();
    if !value.is_empty() && name != b"x" {
        let path = format!("/p?x=1&{}={}&y=2#z", escape(&name), escape(value));
        assert_eq!(key::query(path.as_bytes(), &name).as_deref(), Some(value));
    }
}

fn reads_moments_back(text: &[u8], random: u128) {
    if let Some(ms) = timestamp::parse(text) {
        assert!((timestamp::FIRST_MS..=LAST_MS).contains(&ms));
        assert_eq!(timestamp::parse(timestamp::rfc3339(ms).as_bytes()), Some(ms));
    }
    let ms = random as u64;
    let _ = timestamp::rfc3339(ms);
    let ms = ms % (LAST_MS + 1);
    assert_eq!(timestamp::parse_rfc3339(&timestamp::rfc3339(ms)), Some(ms));
    if let Some(ms) = timestamp::of_id(text) {
        assert!(ms < 1 << 48);
    }
}

/// An id of each kind tells the moment that was put into it.
fn reads_ids_back(random: u128) {
    let ms = (random >> 80) as u64;
    let base32 = |id: u128| -> String {
        (0..26).rev().map(|digit| char::from(BASE32[(id >> (digit * 5)) as usize & 31])).collect()
    };
    let ulid = base32(random);
    assert_eq!(timestamp::of_id(ulid.as_bytes()), Some(ms));
    assert_eq!(timestamp::of_id(ulid.to_uppercase().as_bytes()), Some(ms));
    let v7 = random & !(0xF << 76) & !(0b11 << 62) | 7 << 76 | 0b10 << 62;
    assert_eq!(timestamp::of_id(format!("conv_{}", base32(v7)).as_bytes()), Some(ms));
    let hex = format!("{v7:032x}");
    let uuid = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-");
    for id in [hex, uuid.clone(), uuid.to_uppercase(), format!("urn:uuid:{uuid}")] {
        assert_eq!(timestamp::of_id(id.as_bytes()), Some(ms), "{id}");
    }
    // Of version 4, nothing.
    let v4 = format!("{:032x}", v7 & !(0xF << 76) | 4 << 76);
    assert_eq!(timestamp::of_id(v4.as_bytes()), None);
}

fn reads_marks_back(id: &[u8], number: u32) {
    let text = format!("{number:08x}");
    let token = Token::parse(text.as_bytes()).unwrap();
    assert_eq!(token.to_string(), text);
    let id: Vec<u8> = id.iter().copied().filter(|byte| !b"/?".contains(byte)).collect();
    if id.is_empty() {
        return;
    }
    let marked = [&id[..], b"-llm-", text.as_bytes()].concat();
    assert_eq!(untag_id(&marked), Some((&id[..], token)));
    for (before, after) in [("/v1/responses/", "?x=-llm-00000000"), ("/x/conversations/", "/items/a-llm-0")] {
        let path = |id: &[u8]| [before.as_bytes(), id, after.as_bytes()].concat();
        assert_eq!(untag_path(&path(&marked), |known| known == token), Some((path(&id), token)));
        assert_eq!(untag_path(&path(&marked), |known| known != token), None);
    }
}

fn hashes_in_pieces(salt: &[u8], key: &[u8]) {
    assert!(bucket::bucket(salt, key) < PARTS && bucket::shard(key) < SHARDS);
    let mut hash = Murmur3::new(0);
    hash.push(salt);
    hash.push(b":");
    key.chunks(3).for_each(|piece| hash.push(piece));
    assert_eq!(bucket::scale(hash.finish()), bucket::bucket(salt, key));
}
