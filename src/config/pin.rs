//! What a configuration may say of pins.

use super::reader::{Field, Reader, quoted};
use super::sources::cookie_name;
use super::{PIN_AGE_S, PIN_AGE_S_MAX, Pin, PinCookie};
use crate::headers::HeaderName;

pub(super) fn pin(r: &mut Reader, field: &Field<'_>, removed: &[HeaderName]) -> Option<Pin> {
    let object = r.object(field, &["cookie", "header", "response_id", "max_age_s"])?;
    let cookie = object.get("cookie").map(|field| cookie_name(r, &field));
    let header = object.get("header").map(|field| {
        let text = r.string(&field)?;
        output_header(r, &field.path, text, removed)
    });
    let response_id = match object.get("response_id") {
        Some(field) => r.bool(&field),
        None => Some(false),
    };
    let max_age_s = match object.get("max_age_s") {
        Some(field) => age_s(r, &field),
        None => Some(PIN_AGE_S),
    };
    if let (Some(field), None) = (object.get("max_age_s"), &cookie) {
        r.error(&field.path, "is a cookie's age, and there is no \"cookie\"; name one, or remove this");
    }
    if cookie.is_none() && header.is_none() && response_id == Some(false) {
        r.error(
            &object.path,
            "pins nothing; name a \"cookie\" or a \"header\", or write \"response_id\": true",
        );
    }
    let max_age_s = max_age_s?;
    let cookie = match cookie {
        Some(name) => Some(PinCookie { name: name?, max_age_s }),
        None => None,
    };
    let header = match header {
        Some(header) => Some(header?),
        None => None,
    };
    Some(Pin { cookie, header, response_id: response_id? })
}

/// A header the filter sets beside its own.
pub(super) fn output_header(
    r: &mut Reader,
    path: &str,
    text: &str,
    removed: &[HeaderName],
) -> Option<HeaderName> {
    let name =
        HeaderName::for_output(text).map_err(|e| r.error(path, format!("{} {e}", quoted(text)))).ok()?;
    if removed.contains(&name) {
        r.error(path, format!("{} is set by the filter already; use another header", quoted(text)));
        return None;
    }
    Some(name)
}

fn age_s(r: &mut Reader, field: &Field<'_>) -> Option<u32> {
    let age = r.number(field)?;
    let (age_s, is_whole) = age.in_units(0);
    let age_s = u32::try_from(age_s).ok().filter(|age_s| (1..=PIN_AGE_S_MAX).contains(age_s));
    if !is_whole || age.is_negative() || age_s.is_none() {
        let message = format!("is {age}; write whole seconds from 1 to {PIN_AGE_S_MAX}, which is 400 days");
        r.error(&field.path, message);
        return None;
    }
    age_s
}
