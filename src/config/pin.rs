//! Checks `pin`.

use super::headers::{cookie_name, output_header_name};
use super::json::Node;
use super::validator::Validator;
use super::{PIN_AGE_S, PIN_AGE_S_MAX, Pin, PinCookie};

pub(super) fn pin(v: &mut Validator<'_>, node: &Node) -> Option<Pin> {
    let object = v.object(node, &["cookie", "header", "response_id", "max_age_s"])?;
    let cookie = object.get("cookie").map(|node| cookie_name(v, node));
    let header = object.get("header").map(|node| {
        let text = v.string(node)?;
        output_header_name(v, node, text)
    });
    let response_id = object.get("response_id").map_or(Some(false), |node| v.bool(node));
    let max_age_s = object.get("max_age_s").map_or(Some(PIN_AGE_S), |node| age_s(v, node));
    if let (Some(node), None) = (object.get("max_age_s"), &cookie) {
        let remedy = "name a cookie, or remove this";
        v.error(node, format_args!("is the age of a cookie, but there is no \"cookie\"; {remedy}"));
    }
    if cookie.is_none() && header.is_none() && response_id == Some(false) {
        let remedy = "name a \"cookie\" or a \"header\", or write \"response_id\": true";
        v.error(object, format_args!("pins nothing; {remedy}"));
    }
    let max_age_s = max_age_s?;
    let cookie = cookie.flatten().map(|name| PinCookie { name, max_age_s });
    Some(Pin { cookie, header: header.flatten(), response_id: response_id? })
}

fn age_s(v: &mut Validator<'_>, node: &Node) -> Option<u32> {
    let age = v.number(node)?;
    let (age_s, is_whole) = age.in_units(0);
    let age_s = u32::try_from(age_s).ok().filter(|age_s| (1..=PIN_AGE_S_MAX).contains(age_s));
    if !is_whole || age.is_negative() || age_s.is_none() {
        let remedy = "write whole seconds from 1 to";
        v.error(node, format_args!("is {age}; {remedy} {PIN_AGE_S_MAX} (400 days)"));
        return None;
    }
    age_s
}
