//! An HTTP server: moves bytes between sockets, and [`crate::serving`] or [`crate::discovery`].
//!
//! It has a thread of its own, so that a slow client holds up no release. Each connection carries one request, and has a time
//! by which it is over. Where there are too many, the oldest is closed: it is the one that is slow.

use super::board::{Board, Ticket};
use super::desk::Desk;
use crate::discovery::REQUEST_BYTES_MAX;
use crate::error::io_words;
use crate::serving::{Gate, Outcome, Reply, Request, answer, approved};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::collections::VecDeque;
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::thread::{self, JoinHandle};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

/// The head of a request, with its line.
const HEAD_BYTES_MAX: usize = 16 << 10;
const HEADERS_MAX: usize = 64;
/// The body of a request about a release. Flagger's are a few hundred bytes.
const BODY_BYTES_MAX: usize = 64 << 10;
/// Connections at a time.
const CONNECTIONS_MAX: usize = 128;
const HEAD_TIME: Duration = Duration::from_secs(5);
const BODY_TIME: Duration = Duration::from_secs(5);
/// A connection is over by then, its answer read or not.
const CONNECTION_TIME: Duration = Duration::from_secs(30);
/// An approval waits so long for the loop, which may be reading its source. `approve` waits ten seconds.
const APPROVAL_TIME: Duration = Duration::from_secs(8);
/// After a failure to accept, such as too many open files.
const PAUSE: Duration = Duration::from_millis(100);
/// At the end requests under way have so long.
const END_TIME: Duration = Duration::from_millis(500);

/// A server that listens until it is dropped.
pub(crate) struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What is served.
pub(crate) enum Site {
    /// A release: what the board shows.
    Release(Board, Gate),
    /// Configurations for Envoys.
    Discovery(Desk),
}

impl Site {
    /// The longest body of a request.
    fn body_bytes_max(&self) -> usize {
        match self {
            Self::Release(..) => BODY_BYTES_MAX,
            Self::Discovery(_) => REQUEST_BYTES_MAX,
        }
    }

    /// Lets nobody wait any more.
    fn close(&self) {
        if let Self::Release(board, _) = self {
            board.close();
        }
    }
}

/// Listens at an address, and answers by what the site has.
///
/// # Errors
/// Nobody can listen there, in words without a subject.
pub(crate) fn listen(address: SocketAddr, site: Site) -> Result<Server, String> {
    let words = |error| io_words(&error);
    let listener = std::net::TcpListener::bind(address).map_err(words)?;
    listener.set_nonblocking(true).map_err(words)?;
    let address = listener.local_addr().map_err(words)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(words)?;
    let listener = {
        let _guard = runtime.enter();
        TcpListener::from_std(listener).map_err(words)?
    };
    let (stop, stopped) = oneshot::channel();
    let site = Arc::new(site);
    let work = move || runtime.block_on(accept(&listener, &site, stopped));
    let thread = thread::Builder::new().name("http".to_owned()).spawn(work).map_err(words)?;
    Ok(Server { address, stop: Some(stop), thread: Some(thread) })
}

impl Server {
    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A server that failed has nothing more to end.
            let _ = thread.join();
        }
    }
}

async fn accept(listener: &TcpListener, site: &Arc<Site>, mut stopped: oneshot::Receiver<()>) {
    let mut connections: VecDeque<AbortHandle> = VecDeque::new();
    loop {
        let next = poll_fn(|context| match Pin::new(&mut stopped).poll(context) {
            Poll::Ready(_) => Poll::Ready(None),
            Poll::Pending => listener.poll_accept(context).map(Some),
        });
        match next.await {
            None => break,
            Some(Err(_)) => sleep(PAUSE).await,
            Some(Ok((stream, peer))) => {
                connections.retain(|connection| !connection.is_finished());
                if connections.len() >= CONNECTIONS_MAX
                    && let Some(oldest) = connections.pop_front()
                {
                    oldest.abort();
                }
                let connection = connection(stream, peer.ip(), Arc::clone(site));
                connections.push_back(tokio::spawn(connection).abort_handle());
            }
        }
    }
    site.close();
    let is_open = |connections: &VecDeque<AbortHandle>| connections.iter().any(|one| !one.is_finished());
    let last = async {
        while is_open(&connections) {
            sleep(Duration::from_millis(10)).await;
        }
    };
    let _ = timeout(END_TIME, last).await;
}

async fn connection(stream: TcpStream, peer: IpAddr, site: Arc<Site>) {
    let service = service_fn(move |request| respond(request, peer, Arc::clone(&site)));
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIME);
    builder.max_buf_size(HEAD_BYTES_MAX).max_headers(HEADERS_MAX).keep_alive(false);
    // What a client does wrong concerns nobody else.
    let _ = timeout(CONNECTION_TIME, builder.serve_connection(TokioIo::new(stream), service)).await;
}

async fn respond(
    request: hyper::Request<Incoming>,
    peer: IpAddr,
    site: Arc<Site>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    // It is read to its end also where nothing depends on it, so that the client reads the answer.
    let reply = match timeout(BODY_TIME, Limited::new(body, site.body_bytes_max()).collect()).await {
        Err(_) => Reply::refused(408, "the body took too long"),
        Ok(Err(_)) => Reply::refused(413, "the body is too long, or is broken off"),
        Ok(Ok(body)) => {
            let headers = head.headers.iter();
            let headers = headers.map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()));
            let request = Request {
                method: head.method.as_str().to_owned(),
                path: head.uri.path().to_owned(),
                query: head.uri.query().unwrap_or_default().to_owned(),
                headers: headers.collect(),
            };
            match &*site {
                Site::Discovery(desk) => desk.answer(&request, &body.to_bytes(), peer),
                Site::Release(board, gate) => {
                    let (view, moment) = board.view();
                    match answer(&request, &view, gate, moment) {
                        Outcome::Reply(reply) => reply,
                        Outcome::Approve => approve(board.approve()).await,
                    }
                }
            }
        }
    };
    Ok(response(reply))
}

/// Waits for what the loop says.
async fn approve(ticket: Option<Ticket>) -> Reply {
    let busy = "the release is busy, and nothing was approved; try again";
    let Some(mut ticket) = ticket else { return Reply::refused(503, busy) };
    let said = match timeout(APPROVAL_TIME, &mut ticket.answer).await {
        Ok(said) => said,
        Err(_) if ticket.withdraw() => return Reply::refused(503, busy),
        // The loop has it in hand.
        Err(_) => (&mut ticket.answer).await,
    };
    match said {
        Ok(said) => approved(said.as_deref().map_err(String::as_str)),
        Err(_) => Reply::refused(409, "the release has ended, and nothing was approved"),
    }
}

/// A body that several responses share.
struct Shareable(Arc<str>);

impl AsRef<[u8]> for Shareable {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

fn response(reply: Reply) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_owner(Shareable(reply.body))));
    *response.status_mut() = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    for (name, value) in reply.headers {
        // They are all ours, and valid.
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    response
}

#[cfg(test)]
mod tests;
