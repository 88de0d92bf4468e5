//! Checks `pin`.

use super::headers::output_header_name;
use super::json::Node;
use super::validator::Validator;
use super::{Pin, cookie};

pub(super) fn pin(v: &mut Validator<'_>, node: &Node) -> Option<Pin> {
    let [max_age_s, secure, same_site, domain, path, partitioned] = cookie::FIELDS;
    let known = ["cookie", "header", "response_id", max_age_s, secure, same_site, domain, path, partitioned];
    let object = v.object(node, &known)?;
    let cookie = cookie::cookie(v, object);
    let header = object.get("header").map(|node| {
        let text = v.string(node)?;
        output_header_name(v, node, text)
    });
    let response_id = object.get("response_id").map_or(Some(false), |node| v.bool(node));
    if object.get("cookie").is_none() && header.is_none() && response_id == Some(false) {
        let remedy = "name a \"cookie\" or a \"header\", or write \"response_id\": true";
        v.error(object, format_args!("pins nothing; {remedy}"));
    }
    Some(Pin { cookie, header: header.flatten(), response_id: response_id? })
}
