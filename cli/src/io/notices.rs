//! Notices to people and programs. Whoever sends one never waits: each receiver has a thread of its own and a short queue.

use super::clock::{Clock, SystemClock};
use super::post::{HttpPost, Post, host};
use crate::error::io_words;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

/// So many notices wait for a receiver; more are lost.
const QUEUE_MAX: usize = 64;
/// A server is waited for so long.
const POST_TIMEOUT: Duration = Duration::from_secs(5);
/// A command may run so long.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(30);
/// The time between two looks whether something has ended.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Who gets notices.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Receiver {
    /// A server, by POST.
    Url(String),
    /// A command for the shell, which gets the notice on its standard input.
    Command(String),
}

/// What is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Notice {
    /// The state that it is about.
    pub(crate) event: String,
    /// All of it, as JSON.
    pub(crate) json: String,
}

/// Sends notices.
pub(crate) trait Notices {
    /// Hands a notice over, and does not wait.
    ///
    /// # Errors
    /// It is lost, in a sentence: too many wait for this receiver.
    fn send(&self, receiver: &Receiver, notice: &Notice) -> Result<(), String>;
    /// What could not be delivered since this was asked last, as sentences.
    fn failures(&self) -> Vec<String>;
    /// Waits until all are delivered, but not longer than this; returns how many are not.
    fn flush(&self, at_most: Duration) -> usize;
}

/// Threads that deliver.
pub(crate) struct Couriers {
    by_receiver: RefCell<BTreeMap<Receiver, mpsc::SyncSender<Notice>>>,
    /// How many are not delivered yet.
    pending: Arc<AtomicUsize>,
    failures: (mpsc::Sender<String>, mpsc::Receiver<String>),
}

impl Couriers {
    pub(crate) fn new() -> Self {
        Self { by_receiver: RefCell::default(), pending: Arc::default(), failures: mpsc::channel() }
    }

    /// Starts the thread of a receiver. It ends with the program.
    fn start(&self, receiver: &Receiver) -> mpsc::SyncSender<Notice> {
        let (sender, queue) = mpsc::sync_channel::<Notice>(QUEUE_MAX);
        let (receiver, failures, pending) =
            (receiver.clone(), self.failures.0.clone(), Arc::clone(&self.pending));
        thread::spawn(move || {
            let post = HttpPost::new();
            for notice in queue {
                if let Err(words) = deliver(&post, &receiver, &notice) {
                    // Where nobody listens any more, nobody needs to know.
                    let _ = failures.send(words);
                }
                pending.fetch_sub(1, Ordering::SeqCst);
            }
        });
        sender
    }
}

impl Notices for Couriers {
    fn send(&self, receiver: &Receiver, notice: &Notice) -> Result<(), String> {
        let mut by_receiver = self.by_receiver.borrow_mut();
        let queue = by_receiver.entry(receiver.clone()).or_insert_with(|| self.start(receiver));
        self.pending.fetch_add(1, Ordering::SeqCst);
        queue.try_send(notice.clone()).map_err(|_| {
            self.pending.fetch_sub(1, Ordering::SeqCst);
            format!(
                "{}: a notice ({}) is lost, because {QUEUE_MAX} wait already",
                name(receiver),
                notice.event
            )
        })
    }

    fn failures(&self) -> Vec<String> {
        self.failures.1.try_iter().collect()
    }

    fn flush(&self, at_most: Duration) -> usize {
        let clock = SystemClock::start();
        loop {
            let pending = self.pending.load(Ordering::SeqCst);
            if pending == 0 || clock.elapsed() >= at_most {
                return pending;
            }
            thread::sleep(POLL_INTERVAL);
        }
    }
}

/// A receiver's name, without what may be a secret.
fn name(receiver: &Receiver) -> String {
    match receiver {
        Receiver::Url(url) => format!("--notify to {}", host(url)),
        Receiver::Command(_) => "--on-event".to_owned(),
    }
}

fn deliver(post: &HttpPost, receiver: &Receiver, notice: &Notice) -> Result<(), String> {
    let done = match receiver {
        Receiver::Url(url) => match post.post(url, &[], &notice.json, POST_TIMEOUT) {
            Ok(answer) if (200..300).contains(&answer.status) => Ok(()),
            Ok(answer) => Err(format!("it answers with the status {}", answer.status)),
            Err(words) => Err(words),
        },
        Receiver::Command(command) => run(command, notice),
    };
    done.map_err(|words| {
        format!("{}: the notice ({}) was not delivered: {words}", name(receiver), notice.event)
    })
}

/// Runs a command to its end, or ends it.
fn run(command: &str, notice: &Notice) -> Result<(), String> {
    let mut shell = Command::new("sh");
    shell.args(["-c", command]).env("LLM_CANARY_EVENT", &notice.event);
    // Standard output is for data.
    shell.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::inherit());
    let mut child: Child = shell.spawn().map_err(|error| format!("sh {}", io_words(&error)))?;
    if let Some(mut stdin) = child.stdin.take() {
        let json = notice.json.clone();
        // A command that does not read is no failure, and must not hold this up.
        thread::spawn(move || stdin.write_all(json.as_bytes()));
    }
    let clock = SystemClock::start();
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Ok(()),
            Ok(Some(status)) => {
                return Err(match status.code() {
                    Some(code) => format!("the command ends with the exit code {code}"),
                    None => "the command was ended by a signal".to_owned(),
                });
            }
            Ok(None) if clock.elapsed() < COMMAND_TIMEOUT => thread::sleep(POLL_INTERVAL),
            Ok(None) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("the command was ended after {} s", COMMAND_TIMEOUT.as_secs()));
            }
            Err(error) => return Err(format!("the command {}", io_words(&error))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Clock, Couriers, Notice, Notices, QUEUE_MAX, Receiver, SystemClock};
    use crate::tests::server::{Reply, Server};
    use std::time::Duration;

    fn notice() -> Notice {
        Notice { event: "stopped".to_owned(), json: r#"{"text": "v2 is stopped"}"#.to_owned() }
    }

    #[test]
    fn notices_are_delivered_and_failures_are_said() {
        let (good, bad) =
            (Server::start(|_| Reply::ok("")), Server::start(|_| Reply::Http("500 No", Vec::new())));
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("got");
        let couriers = Couriers::new();
        let receivers = [
            Receiver::Url(good.url.clone()),
            Receiver::Url(format!("{}/secret", bad.url)),
            Receiver::Command(format!("(echo $LLM_CANARY_EVENT; cat) > {}", file.display())),
            Receiver::Command("exit 3".to_owned()),
        ];
        for receiver in &receivers {
            couriers.send(receiver, &notice()).unwrap();
        }
        assert_eq!(couriers.flush(Duration::from_secs(10)), 0);
        assert_eq!(good.heads().len(), 1);
        assert_eq!(std::fs::read_to_string(file).unwrap(), "stopped\n{\"text\": \"v2 is stopped\"}");
        let mut failures = couriers.failures();
        failures.sort();
        assert_eq!(
            failures,
            [
                "--notify to 127.0.0.1: the notice (stopped) was not delivered: it answers with the status 500",
                "--on-event: the notice (stopped) was not delivered: the command ends with the exit code 3",
            ]
        );
        assert!(couriers.failures().is_empty());
    }

    #[test]
    fn a_receiver_that_hangs_holds_nobody_up() {
        let hanging = Server::start(|_| Reply::Hang(Duration::from_secs(60)));
        let couriers = Couriers::new();
        let clock = SystemClock::start();
        let receiver = Receiver::Url(hanging.url.clone());
        let lost = (0..QUEUE_MAX + 10).filter(|_| couriers.send(&receiver, &notice()).is_err()).count();
        // One may be under way.
        assert!((9..=10).contains(&lost), "{lost}");
        let good = Server::start(|_| Reply::ok(""));
        couriers.send(&Receiver::Url(good.url.clone()), &notice()).unwrap();
        assert!(couriers.flush(Duration::from_millis(300)) > 0);
        assert_eq!(good.heads().len(), 1, "others are not held up");
        assert!(clock.elapsed() < Duration::from_secs(3));
    }
}
