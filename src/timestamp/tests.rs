//! Times against jiff and uuid as oracles, and against tables.

mod client;

use super::*;
use proptest::prelude::*;

#[test]
fn text_is_read_as_rfc_3339_says() {
    for (text, expected) in [
        ("1970-01-01T00:00:00Z", 0),
        ("2026-11-23T09:00:00Z", 1_795_424_400_000),
        ("2026-11-23t09:00:00z", 1_795_424_400_000),
        ("2026-11-23 09:00:00Z", 1_795_424_400_000),
        ("2026-11-23T10:30:00+01:30", 1_795_424_400_000),
        ("2026-11-22T23:00:00-10:00", 1_795_424_400_000),
        ("2026-11-23T09:00:00-00:00", 1_795_424_400_000),
        ("2026-11-23T09:00:00.1Z", 1_795_424_400_100),
        ("2026-11-23T09:00:00.0129999999999999999999999Z", 1_795_424_400_012),
        ("2024-02-29T00:00:00Z", 1_709_164_800_000),
        ("2000-02-29T00:00:00Z", 951_782_400_000),
        ("9999-12-31T23:59:59.999Z", 253_402_300_799_999),
        // The RFC's own examples of leap seconds.
        ("1990-12-31T23:59:60Z", 662_687_999_999),
        ("1990-12-31T15:59:60-08:00", 662_687_999_999),
        ("1990-12-31T23:59:60.5Z", 662_687_999_999),
        ("1972-06-30T23:59:60Z", 78_796_799_999),
    ] {
        assert_eq!(parse_rfc3339(text), Some(expected), "{text}");
        let plausible = Some(expected).filter(|&time| time >= FIRST_MS);
        assert_eq!(parse(format!(" \t{text}\n").as_bytes()), plausible, "{text}");
    }
    for text in [
        "",
        "Z",
        "2026-11-23",
        "2026-11-23T09:00:00",
        "2026-11-23T09:00Z",
        "2026-11-23T09:00:00.Z",
        "2026-11-23T09:00:00,5Z",
        "2026-11-23T09:00:00+0100",
        "2026-11-23T09:00:00+01",
        "2026-11-23T09:00:00+24:00",
        "2026-11-23T09:00:00+01:60",
        "2026-11-23T09:00:00ZZ",
        "2026-11-23T09:00:00Z ",
        " 2026-11-23T09:00:00Z",
        "2026-11-23T09:00:00 Z",
        "2026-11-23_09:00:00Z",
        "2026-11-23T24:00:00Z",
        "2026-11-23T09:60:00Z",
        "2026-11-23T09:00:61Z",
        "2026-11-23T09:00:60Z",
        "2026-11-23T23:59:60Z",
        "2026-11-30T23:58:60Z",
        "2026-11-30T23:59:60+01:00",
        "2026-00-23T09:00:00Z",
        "2026-13-23T09:00:00Z",
        "2026-11-00T09:00:00Z",
        "2026-11-31T09:00:00Z",
        "2026-02-29T09:00:00Z",
        "2100-02-29T09:00:00Z",
        "1969-12-31T23:59:59Z",
        "1970-01-01T00:00:00+00:01",
        "12026-11-23T09:00:00Z",
        "+2026-11-23T09:00:00Z",
        "2026-1-23T09:00:00Z",
        "２026-11-23T09:00:00Z",
        "2026-11-23T09:00:00Z[UTC]",
    ] {
        assert_eq!(parse_rfc3339(text), None, "{text}");
    }
}

#[test]
fn every_day_of_four_centuries_is_written_and_read() {
    for day in 0..146_097_u64 {
        let time = day * DAY_MS;
        let timestamp = jiff::Timestamp::from_millisecond(i64::try_from(time).unwrap()).unwrap();
        assert_eq!(rfc3339(time), timestamp.to_string());
        assert_eq!(parse_rfc3339(&rfc3339(time)), Some(time));
    }
    assert_eq!(rfc3339(1_795_424_400_120), "2026-11-23T09:00:00.120Z");
    assert_eq!(rfc3339(253_402_300_800_000), "10000-01-01T00:00:00Z");
    assert!(!rfc3339(UnixMs::MAX).is_empty());
}

const V7: &str = "017F22E2-79B0-7CC3-98C4-DC0C0C07398F"; // RFC 9562, appendix A.6
const V7_MS: u64 = 0x017F_22E2_79B0;
const ULID: &str = "01ARZ3NDEKTSV4RRFFQ69G5FAV"; // the ULID specification's
const ULID_MS: u64 = 1_469_922_850_259;
const TYPE_ID: &str = "prefix_01h455vb4pex5vsknk084sn02q"; // the TypeID specification's
const TYPE_ID_MS: u64 = 0x0189_0a5d_ac96;

#[test]
fn an_id_tells_when_it_was_made() {
    let plain = V7.replace('-', "");
    let letters = "abcdefghi".repeat(7);
    for (id, expected) in [
        (V7.to_string(), V7_MS),
        (V7.to_lowercase(), V7_MS),
        (format!("urn:uuid:{V7}"), V7_MS),
        (format!("URN:UUID:{V7}"), V7_MS),
        (plain.clone(), V7_MS),
        (plain.to_lowercase(), V7_MS),
        (ULID.into(), ULID_MS),
        (ULID.to_lowercase(), ULID_MS),
        ("7ZZZZZZZZZZZZZZZZZZZZZZZZZ".into(), (1 << 48) - 1),
        (TYPE_ID.into(), TYPE_ID_MS),
        (TYPE_ID.replace("prefix", "pre_fix"), TYPE_ID_MS),
        (TYPE_ID.replace("prefix", "pre__fix"), TYPE_ID_MS),
        (TYPE_ID.replace("prefix", "p"), TYPE_ID_MS),
        (TYPE_ID.replace("prefix", &letters), TYPE_ID_MS),
        (TYPE_ID.replace("prefix_", ""), TYPE_ID_MS),
    ] {
        assert_eq!(of_id(id.as_bytes()), Some(expected), "{id}");
    }
    for id in [
        String::new(),
        "_".into(),
        "conv-1".into(),
        "1795424400000".into(),
        "d9428888-122b-11e1-b85c-61cd3cbb3210".into(), // version 1
        "919108f7-52d1-4320-9bac-f847db4148a8".into(), // version 4
        "1EC9414C-232A-6B00-B3C8-9F6BDECED846".into(), // version 6
        V7.replace("98C4", "18C4"),                    // another variant
        V7.replace("98C4", "D8C4"),
        format!("{{{V7}}}"),
        format!("urn:uuid:{plain}"),
        format!("urn-uuid-{V7}"),
        format!("{V7} "),
        "017F22E27-9B0-7CC3-98C4-DC0C0C07398F".into(),
        "017F22E2-79B0-7CC3-98C4-DC0C0C0-398F".into(),
        format!("8{}", &ULID[1..]),
        ULID.replace('A', "I"),
        format!("{ULID}0"),
        TYPE_ID.replace("prefix", ""),
        TYPE_ID.replace("prefix", "_prefix"),
        TYPE_ID.replace("prefix", "prefix_"),
        TYPE_ID.replace("prefix", "Prefix"),
        TYPE_ID.replace("prefix", "pre1fix"),
        TYPE_ID.replace("prefix", "préfix"),
        TYPE_ID.replace("prefix", &(letters + "a")),
        TYPE_ID.to_uppercase(),
        TYPE_ID.replace("01h4", "01H4"),
        TYPE_ID.replace("_01h4", "_81h4"),
        TYPE_ID.replace('_', "-"),
        "prefix_0123456789abcdefghjkmnpqrs".into(), // the specification's, but of version 5
        "prefix_00000000000000000000000000".into(),
    ] {
        assert_eq!(of_id(id.as_bytes()), None, "{id}");
    }
}

/// 128 bits in base 32, digit by digit from the end.
fn base32(mut value: u128) -> String {
    let mut digits: Vec<char> = (0..26)
        .map(|_| {
            let digit = char::from(b"0123456789abcdefghjkmnpqrstvwxyz"[(value % 32) as usize]);
            value /= 32;
            digit
        })
        .collect();
    digits.reverse();
    digits.into_iter().collect()
}

/// The time of a UUIDv7, as another crate reads it.
fn oracle(uuid: uuid::Uuid) -> Option<u64> {
    let is_v7 = uuid.get_version_num() == 7 && uuid.get_variant() == uuid::Variant::RFC4122;
    let (seconds, nanos) = uuid.get_timestamp().filter(|_| is_v7)?.to_unix();
    Some(seconds * 1000 + u64::from(nanos) / 1_000_000)
}

/// Each byte of a good id replaced by each other one: read as others read it, or not at all.
#[test]
fn a_corrupted_id_is_read_as_what_it_then_is() {
    let corrupted = |id: &str, check: &dyn Fn(&[u8])| {
        for at in 0..id.len() {
            for byte in 0..=u8::MAX {
                let mut id = id.as_bytes().to_vec();
                id[at] = byte;
                check(&id);
            }
            check(&[&id.as_bytes()[..at], &id.as_bytes()[at + 1..]].concat()); // one is missing
        }
    };
    for id in [V7.to_string(), V7.to_lowercase(), V7.replace('-', ""), format!("urn:uuid:{V7}")] {
        corrupted(&id, &|id| {
            let text = str::from_utf8(id).unwrap_or("none");
            // The other crate takes the urn in lower case only.
            let text = text
                .get(..9)
                .filter(|urn| urn.eq_ignore_ascii_case("urn:uuid:"))
                .map_or_else(|| text.to_string(), |urn| text.replace(urn, "urn:uuid:"));
            assert_eq!(of_id(id), text.parse().ok().and_then(oracle), "{}", id.escape_ascii());
        });
    }
    let naive = |digits: &str| {
        let value = |c: char| "0123456789abcdefghjkmnpqrstvwxyz".find(c).map(|digit| digit as u128);
        let digits: Option<Vec<u128>> = digits.chars().map(value).collect();
        let digits = digits.filter(|digits| digits.len() == 26 && digits[0] < 8)?;
        Some(digits.into_iter().fold(0, |sum, digit| sum * 32 + digit))
    };
    for id in [ULID.to_string(), ULID.to_lowercase()] {
        corrupted(&id, &|id| {
            let text = str::from_utf8(id).unwrap_or("none").to_ascii_lowercase();
            assert_eq!(of_id(id), naive(&text).map(|value| (value >> 80) as u64), "{}", id.escape_ascii());
        });
    }
    for id in [TYPE_ID.to_string(), TYPE_ID.replace("prefix", "a_b")] {
        corrupted(&id, &|id| {
            let text = str::from_utf8(id).unwrap_or("none");
            let parts = text.rsplit_once('_').filter(|(prefix, _)| {
                let is_edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase());
                prefix.chars().all(|c| "abcdefghijklmnopqrstuvwxyz_".contains(c))
                    && is_edge(prefix.chars().next())
                    && is_edge(prefix.chars().last())
            });
            let value = parts.and_then(|(_, suffix)| naive(suffix));
            let expected = value.and_then(|value| oracle(uuid::Uuid::from_u128(value)));
            assert_eq!(of_id(id), expected, "{}", id.escape_ascii());
        });
    }
}

proptest! {
    #[test]
    fn any_time_is_written_as_others_write_it_and_read_back(ms in 0..253_402_300_800_000_u64) {
        let text = rfc3339(ms);
        prop_assert_eq!(parse_rfc3339(&text), Some(ms));
        let timestamp: jiff::Timestamp = text.parse().unwrap();
        prop_assert_eq!(u64::try_from(timestamp.as_millisecond()).unwrap(), ms);
    }

    #[test]
    fn any_text_that_looks_like_a_time_is_read_as_others_read_it(
        (year, month, day) in (1960..2500_u32, 0..14_u32, 0..33_u32),
        (hour, minute, second) in (0..25_u32, 0..61_u32, 0..60_u32),
        fraction in prop_oneof![Just(String::new()), "\\.[0-9]{1,9}"],
        offset in prop_oneof![Just("Z".to_string()), "[+-](0[0-9]|1[0-9]|2[0-3]):[0-6][0-9]"],
        between in prop::sample::select(vec!['T', 't', ' ']),
    ) {
        let text = format!("{year:04}-{month:02}-{day:02}{between}{hour:02}:{minute:02}:{second:02}{fraction}{offset}");
        let other = text.parse::<jiff::Timestamp>().ok().and_then(|timestamp| {
            let ms = timestamp.as_nanosecond().div_euclid(1_000_000);
            u64::try_from(ms).ok().filter(|_| year >= 1970)
        });
        prop_assert_eq!(parse_rfc3339(&text), other, "{}", text);
    }

    #[test]
    fn what_is_read_of_a_damaged_text_others_read_too(ms in 0..253_402_300_800_000_u64, at: prop::sample::Index,
            with in prop::sample::select(b"0123456789-:+TtZz. ,\xff".to_vec())) {
        let mut text = rfc3339(ms).into_bytes();
        let at = at.index(text.len());
        text[at] = with;
        let ours = str::from_utf8(&text).ok().and_then(parse_rfc3339);
        // Jiff takes a leap second anywhere.
        let is_leap = text[17..19] == *b"60";
        let theirs = str::from_utf8(&text).ok().and_then(|text| text.trim().parse::<jiff::Timestamp>().ok());
        if let (Some(ours), false) = (ours, is_leap) {
            prop_assert_eq!(theirs.map(|timestamp| timestamp.as_millisecond()), i64::try_from(ours).ok());
        }
    }

    #[test]
    fn the_time_of_any_uuid_is_what_others_read(value: u128, is_v7: bool) {
        let value = if is_v7 { value & !(0xF << 76) & !(0b11 << 62) | 7 << 76 | 0b10 << 62 } else { value };
        let uuid = uuid::Uuid::from_u128(value);
        prop_assert_eq!(of_id(uuid.to_string().as_bytes()), oracle(uuid));
        prop_assert_eq!(of_id(uuid.simple().to_string().as_bytes()), oracle(uuid));
        prop_assert_eq!(of_id(uuid.urn().to_string().as_bytes()), oracle(uuid));
        prop_assert_eq!(of_id(format!("conv_{}", base32(value)).as_bytes()), oracle(uuid));
        prop_assert_eq!(of_id(base32(value).as_bytes()), Some((value >> 80) as u64));
        prop_assert_eq!(oracle(uuid).is_some(), is_v7 || value >> 76 & 0xF == 7 && value >> 62 & 3 == 2);
    }

    #[test]
    fn any_bytes_are_accepted(bytes in prop::collection::vec(any::<u8>(), 0..80), text in "[0-9a-zA-Z_:. +-]{0,40}") {
        for bytes in [&bytes[..], text.as_bytes()] {
            let _ = (parse(bytes), of_id(bytes));
        }
        let _ = parse_rfc3339(&text);
    }
}

/// docs/stickiness.md names the share of random ids that look like a ULID of the past.
#[test]
fn few_ids_read_as_ulids_of_the_past_by_chance() {
    const NOW: UnixMs = 1_795_000_000_000;
    const IDS: u32 = 1_000_000;
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut letter = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        b"abcdefghijklmnopqrstuvwxyz0123456789"[((state >> 32) % 36) as usize]
    };
    let mut id = || -> [u8; 26] { std::array::from_fn(|_| letter()) };
    let past = (0..IDS).filter(|_| of_id(&id()).is_some_and(|made| made <= NOW)).count();
    assert!((20..100).contains(&past), "{past} of {IDS}");
}
