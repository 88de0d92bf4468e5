//! What the proxy says of an exchange that has ended: Envoy's response flags and response code details.

use super::host::Host;
use crate::observe::End;

/// The flags of a client that closed its connection (`DC`) or reset its HTTP/2 stream (`DR`).
const FLAGS_CLIENT_GONE: u64 = 0x4000 | 0x1000_0000;
/// The flag of an upstream that closed its connection (`UC`).
const FLAG_UPSTREAM_CLOSED: u64 = 0x40;
/// The details of a response that came from the upstream.
const DETAILS_VIA_UPSTREAM: &[u8] = b"via_upstream";
/// The details of a pass that ended in an internal redirect; the request then passes again.
const DETAILS_INTERNAL_REDIRECT: &[u8] = b"internal_redirect";

/// Which side broke off an exchange whose end did not arrive.
pub(super) fn interruption(host: impl Host) -> End {
    let is_client = host.response_flags() & FLAGS_CLIENT_GONE != 0;
    if is_client { End::ClientAbort } else { End::UpstreamReset }
}

/// How a connection ended that is no WebSocket and that a request upgraded. `has_ended`: the upstream ended its side in
/// order. Their protocols are not read, and most end when the upstream closes.
pub(super) fn of_upgraded(host: impl Host, has_ended: bool) -> End {
    let flags = host.response_flags();
    if flags & FLAGS_CLIENT_GONE != 0 {
        End::ClientAbort
    } else if has_ended || flags & FLAG_UPSTREAM_CLOSED != 0 {
        End::Complete
    } else {
        End::UpstreamReset
    }
}

/// Whether Envoy answered in place of the upstream.
pub(super) fn is_local_reply(host: impl Host) -> bool {
    host.response_code_details(|details| details != DETAILS_VIA_UPSTREAM).unwrap_or(false)
}

/// Whether the pass ended in an internal redirect.
pub(super) fn is_internal_redirect(host: impl Host) -> bool {
    host.response_code_details(|details| details == DETAILS_INTERNAL_REDIRECT).unwrap_or(false)
}
