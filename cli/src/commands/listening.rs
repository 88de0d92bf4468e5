//! `--listen` and `--token-file`: what `run` and `serve` share of their server.

use super::source::SourceArgs;
use crate::error::Error;
use crate::io::World;
use crate::io::access::cannot_read;
use crate::io::board::Board;
use crate::io::server::{Server, Site};
use crate::serving::Gate;
use core::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::time::Duration;

/// Only this machine reaches it.
pub(super) const DEFAULT_ADDRESS: &str = "127.0.0.1:8099";
/// A token is a line.
const TOKEN_BYTES_MAX: u64 = 64 << 10;
/// A look counts for three windows and so much more: what a slow source takes to answer.
const SLOW_SOURCE: Duration = Duration::from_secs(120);

/// Reads an address with its port.
pub(super) fn parse_address(text: &str) -> Result<SocketAddr, String> {
    let text = text.replace("localhost:", "127.0.0.1:");
    text.parse().map_err(|_| {
        format!("{text:?} is no address with a port; write one such as {DEFAULT_ADDRESS}, or 0.0.0.0:8099 with --token-file")
    })
}

/// So long a look at this source counts.
pub(super) fn good_for(source: &SourceArgs) -> Duration {
    if source.is_file() { Duration::MAX } else { source.span().saturating_mul(3).saturating_add(SLOW_SOURCE) }
}

/// Listens, until the server is dropped.
///
/// # Errors
/// The token is missing or cannot be read, or nobody can listen there.
pub(super) fn open(
    address: SocketAddr,
    token_file: Option<&Path>,
    can_approve: bool,
    good_for: Duration,
    world: &mut World<'_>,
) -> Result<(Board, Server), Error> {
    let is_loopback = is_loopback(address.ip());
    if !is_loopback && token_file.is_none() {
        return Err(Error::refused(format!(
            "--listen {address}: others can reach this address, so add --token-file FILE with a token, which approvals must have; or \
             listen on {DEFAULT_ADDRESS}"
        )));
    }
    let token = token_file.map(|path| read_token(world, path)).transpose()?;
    let board = Board::new(good_for);
    let gate = Gate { is_loopback, can_approve, token };
    let server = (world.listen)(address, Site::Release(board.clone(), gate))
        .map_err(|words| Error::refused(format!("--listen {address}: it {words}")))?;
    world.say(&format!("listening on http://{}", server.address()));
    Ok((board, server))
}

pub(super) fn is_loopback(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_loopback(),
        IpAddr::V6(address) => {
            address.is_loopback() || address.to_ipv4_mapped().is_some_and(|address| address.is_loopback())
        }
    }
}

/// A token of a file: one line.
pub(super) fn read_token(world: &World<'_>, path: &Path) -> Result<String, Error> {
    let wrong = |words: &str| Error::refused(format!("--token-file {}: {words}", path.display()));
    let bytes = super::input::read(world, path, TOKEN_BYTES_MAX)
        .map_err(|error| wrong(&cannot_read(path, &error)))?;
    let token = String::from_utf8_lossy(&bytes).trim().to_owned();
    if token.is_empty() || token.contains(|char: char| char.is_whitespace() || char.is_control()) {
        return Err(wrong("is not one line with a token"));
    }
    Ok(token)
}
