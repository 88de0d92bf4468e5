//! The time of creation that an id contains.

use super::UnixMs;

/// Bits behind the 48 bits of milliseconds, in all of these ids.
const RANDOM_BITS: u32 = 80;
const UUID_DIGITS: usize = 32;
/// Positions of a UUID's hyphens.
const HYPHENS: [usize; 4] = [8, 13, 18, 23];
const HYPHENATED_BYTES: usize = UUID_DIGITS + HYPHENS.len();
const URN: &[u8] = b"urn:uuid:";
/// Crockford's alphabet: no i, l, o, u.
const BASE32: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const BASE32_DIGITS: usize = 26;
const PREFIX_BYTES_MAX: usize = 63;

/// When an id was made; `None` unless it is a UUIDv7, a ULID or a TypeID.
#[must_use]
pub fn of_id(id: &[u8]) -> Option<UnixMs> {
    let value = uuid(id).filter(|&value| is_v7(value));
    let value = value.or_else(|| base32(id)).or_else(|| type_id(id).filter(|&value| is_v7(value)))?;
    u64::try_from(value >> RANDOM_BITS).ok()
}

/// Version 7 and RFC 9562's variant.
fn is_v7(uuid: u128) -> bool {
    (uuid >> 76) & 0xF == 7 && (uuid >> 62) & 0b11 == 0b10
}

/// 32 hexadecimal digits, the same with hyphens, or that with `urn:uuid:` before it. Case does not matter.
fn uuid(id: &[u8]) -> Option<u128> {
    if id.len() == UUID_DIGITS {
        return number::<4>(id.iter(), hex);
    }
    let is_urn = id.get(..URN.len()).is_some_and(|start| start.eq_ignore_ascii_case(URN));
    let id = if is_urn { id.get(URN.len()..)? } else { id };
    let has_hyphens = HYPHENS.iter().all(|&at| id.get(at) == Some(&b'-'));
    let digits = id.iter().filter(|&&byte| byte != b'-');
    // By both lengths, there are no other hyphens.
    let is_uuid = has_hyphens && digits.clone().count() == UUID_DIGITS && id.len() == HYPHENATED_BYTES;
    is_uuid.then(|| number::<4>(digits, hex)).flatten()
}

/// A ULID: 128 bits as 26 characters of Crockford's base 32. Case does not matter.
fn base32(id: &[u8]) -> Option<u128> {
    // The first digit has three bits.
    let fits = id.len() == BASE32_DIGITS && id.first().is_some_and(|&first| first <= b'7');
    let digit = |byte: u8| BASE32.iter().position(|&c| c == byte.to_ascii_lowercase());
    fits.then(|| number::<5>(id.iter(), |byte| digit(byte).and_then(|digit| u128::try_from(digit).ok())))
        .flatten()
}

/// `prefix_` and a UUID, written like a ULID in lower case. (Without a prefix it cannot be told from a ULID.)
fn type_id(id: &[u8]) -> Option<u128> {
    let at = id.iter().rposition(|&byte| byte == b'_')?;
    let (prefix, suffix) = id.split_at_checked(at)?;
    let suffix = suffix.strip_prefix(b"_")?;
    let is_letter = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_lowercase);
    let is_prefix = prefix.len() <= PREFIX_BYTES_MAX
        && is_letter(prefix.first())
        && is_letter(prefix.last())
        && prefix.iter().all(|&byte| byte == b'_' || byte.is_ascii_lowercase());
    let is_lower = !suffix.iter().any(u8::is_ascii_uppercase);
    (is_prefix && is_lower).then(|| base32(suffix)).flatten()
}

fn hex(byte: u8) -> Option<u128> {
    char::from(byte).to_digit(16).map(u128::from)
}

/// A number from digits of `BITS` bits each; together at most 128 bits.
fn number<'d, const BITS: u32>(
    mut digits: impl Iterator<Item = &'d u8>,
    digit: impl Fn(u8) -> Option<u128>,
) -> Option<u128> {
    digits.try_fold(0_u128, |number, &byte| Some((number << BITS) | digit(byte)?))
}
