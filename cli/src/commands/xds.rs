//! `llm-canary xds`: the configuration from one place to many Envoys, by REST discovery.

use super::listening::{is_loopback, parse_address};
use crate::discovery::{DISCOVERY_PATH, Event, Files, Fleet, News, State};
use crate::error::Error;
use crate::io::World;
use crate::io::access::{cannot_read, kind_of_no_file};
use crate::io::desk::Desk;
use crate::io::server::Site;
use crate::plugin::{self, TEXT_BYTES_MAX};
use crate::serving::Gate;
use core::net::SocketAddr;
use llm_canary::timestamp::rfc3339;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Only this machine reaches it.
const DEFAULT_ADDRESS: &str = "127.0.0.1:9902";
/// Between two looks at the files.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// Give the configuration in FILE to many Envoys, by REST discovery.
///
/// FILE is what an Envoy on the same machine would watch (envoy/ecds/llm-canary.yaml, envoy/ecds-native/llm-canary.yaml). It stays the
/// truth: ramp, drain, stop, promote and run change it as before, and every Envoy that asks here has the change within its refresh_delay
/// to twice that, and 0.1 s. envoy/discovery.yaml is a bootstrap that asks here.
///
/// FILE is checked as `check` does before anything of it is served. Where it is not in order, each mistake is printed once, and the last good
/// version is served. An Envoy that gets no answer, or an error, keeps what it runs; so nothing happens to traffic when this ends, and
/// nothing when it is started again, because the same FILE has the same version.
///
/// There is no token, because Envoy's discovery sends none: whoever reaches the address can read the configuration. So let only Envoys reach
/// it. Requests of browsers are refused.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  llm-canary xds envoy/ecds/llm-canary.yaml
  llm-canary xds /etc/llm-canary/llm-canary.yaml --listen 0.0.0.0:9902
  llm-canary status --xds http://localhost:9902
  llm-canary stop envoy/ecds/llm-canary.yaml v2 --xds http://localhost:9902

In the bootstrap of each Envoy, which needs a node.id of its own:
  config_discovery:
    config_source:
      resource_api_version: V3
      api_config_source: { api_type: REST, transport_api_version: V3, cluster_names: [llm-canary-xds], refresh_delay: 0.5s }

Paths:
  /v3/discovery:extension_configs    what Envoys ask, by POST; 304 where nothing changed, 503 where no version of FILE is good
  /api/envoys                        files, versions, and which Envoy runs which; status --xds shows it
  /metrics                           llm_canary_xds_envoys, llm_canary_xds_envoys_unserved, llm_canary_xds_version_info,
                                     llm_canary_xds_file_error, llm_canary_xds_requests_total
  /healthz, /readyz                  whether it goes on; whether each FILE has a good version

With --json it prints a line for each event: at, event (serves, dropped, file_refused, file_mended, all_run, refused, mended, unserved), and what
it is about: file, resource, version, errors, envoy, runs, envoys, after_seconds.

Exit codes: 0 ended by SIGINT or SIGTERM; 2 usage error, or FILE cannot be read at the start.")]
pub(crate) struct Args {
    /// Files with the resources to serve; each resource has a name of its own
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Where to listen
    #[arg(long, value_name = "IP:PORT", value_parser = parse_address, default_value = DEFAULT_ADDRESS)]
    listen: SocketAddr,
    /// Print a line of JSON for each event
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) fn run(args: &Args, world: &mut World<'_>) -> Result<u8, Error> {
    for path in &args.files {
        check_path(world, path)?;
    }
    world.signals.watch().map_err(Error::refused)?;
    let gate = Gate { is_loopback: is_loopback(args.listen.ip()), can_approve: false, token: None };
    let desk = Desk::new(gate, (world.random)());
    let mut service = Service {
        args,
        desk: desk.clone(),
        files: Files::new(args.files.iter().map(|path| path.display().to_string())),
        awaited: BTreeMap::new(),
    };
    // Who asks first is given what there is.
    service.look(world);
    let server = (world.listen)(args.listen, Site::Discovery(desk))
        .map_err(|words| Error::refused(format!("--listen {}: it {words}", args.listen)))?;
    world.say(&format!("listening on http://{}; Envoys ask at {DISCOVERY_PATH}", server.address()));
    if !is_loopback(args.listen.ip()) {
        world
            .say("note: others can reach this address, and read the configuration; let only Envoys reach it");
    }
    while world.signals.take().is_none() {
        service.look(world);
        world.clock.sleep(LOOK_INTERVAL);
    }
    world.say("ended; Envoys go on with what they run");
    Ok(0)
}

/// Refuses what is no file that can be read: it will hardly become one.
fn check_path(world: &World<'_>, path: &Path) -> Result<(), Error> {
    let name = path.display().to_string();
    if name == "-" {
        return Err(Error::problem("-", "is standard input, which does not change; give the name of a file"));
    }
    if let Some(kind) = kind_of_no_file(path) {
        return Err(Error::problem(&name, format!("is {kind}, and no file")));
    }
    read(world, path).map(drop).map_err(|words| Error::problem(&name, words))
}

/// The bytes of a file, or why they cannot be read.
fn read(world: &World<'_>, path: &Path) -> Result<Vec<u8>, String> {
    // One more byte shows that it is too long.
    let bytes = super::input::read(world, path, TEXT_BYTES_MAX as u64 + 1)
        .map_err(|error| cannot_read(path, &error))?;
    if bytes.len() > TEXT_BYTES_MAX { Err(plugin::too_long()) } else { Ok(bytes) }
}

/// What is served, and to whom.
struct Service<'a> {
    args: &'a Args,
    desk: Desk,
    files: Files,
    /// The resources with a new version that not every Envoy runs yet: the version, and since when.
    awaited: BTreeMap<String, (String, Duration)>,
}

impl Service<'_> {
    /// Looks at the files, and at what Envoys did.
    fn look(&mut self, world: &mut World<'_>) {
        let mut news = Vec::new();
        for (index, path) in self.args.files.iter().enumerate() {
            news.extend(self.files.look(index, read(world, path)));
        }
        if !news.is_empty() {
            self.desk.offer(self.files.offer());
        }
        for event in self.desk.beat() {
            self.tell_event(&event, world);
        }
        for one in &news {
            self.tell_news(one, world);
        }
        if !self.awaited.is_empty() {
            self.tell_who_runs(world);
        }
    }

    fn tell_news(&mut self, news: &News, world: &mut World<'_>) {
        match news {
            News::Serves { file, resources } => {
                for (resource, version) in resources {
                    self.awaited.insert(resource.clone(), (version.clone(), world.clock.elapsed()));
                    let fields = json!({"file": file, "resource": resource, "version": version});
                    self.tell(
                        "serves",
                        &format!("{file}: serves {resource} in version {version}"),
                        fields,
                        world,
                    );
                }
            }
            News::Refused { file, errors, serves_old } => {
                let fields = json!({"file": file, "errors": errors});
                let words = match serves_old {
                    true => "is not in order; its last good version is served",
                    false => "is not in order; nothing of it is served, and Envoys keep what they run",
                };
                let lines = errors.iter().map(|error| format!("error: {error}\n"));
                let text = lines.collect::<String>() + &format!("{file}: {words}");
                self.tell("file_refused", &text, fields, world);
            }
            News::Dropped { file, resource } => {
                self.awaited.remove(resource);
                let text = format!(
                    "{file}: does not have {resource} any more; Envoys that ask for it keep what they run"
                );
                self.tell("dropped", &text, json!({"file": file, "resource": resource}), world);
            }
            News::Mended { file } => {
                let text = format!("{file}: is in order again, and the same as what is served");
                self.tell("file_mended", &text, json!({"file": file}), world);
            }
            News::Warning(words) => world.say(&format!("warning: {words}")),
        }
    }

    fn tell_event(&self, event: &Event, world: &mut World<'_>) {
        match event {
            Event::Refused { envoy, resource, version, runs } => {
                let keeps = match runs.as_str() {
                    "" => {
                        "it has no version of it, so it answers by its default_config, or with 500".to_owned()
                    }
                    runs => format!("it goes on with {runs}"),
                };
                let text = format!(
                    "{envoy} does not take {resource} in version {version}: {keeps}. Look at update_rejected on its admin page, and at \
                     its log"
                );
                let fields = json!({"envoy": envoy, "resource": resource, "version": version, "runs": runs});
                self.tell("refused", &text, fields, world);
            }
            Event::Mended { envoy, resource, version } => {
                let fields = json!({"envoy": envoy, "resource": resource, "version": version});
                self.tell("mended", &format!("{envoy} runs {resource} in version {version}"), fields, world);
            }
            Event::Unserved { envoy, resource } => {
                let text = format!(
                    "{envoy} asks for {resource}, which no file has; the filter's name in the listener must be the resource's name"
                );
                self.tell("unserved", &text, json!({"envoy": envoy, "resource": resource}), world);
            }
        }
    }

    /// Says when every Envoy runs a new version.
    fn tell_who_runs(&mut self, world: &mut World<'_>) {
        let fleet = self.desk.fleet();
        let done = self.awaited.iter().filter_map(|(resource, (version, since))| {
            let count = running(&fleet, resource)?;
            Some((resource.clone(), version.clone(), count, world.clock.elapsed().saturating_sub(*since)))
        });
        for (resource, version, count, after) in done.collect::<Vec<_>>() {
            self.awaited.remove(&resource);
            let seconds = (after.as_secs_f64() * 10.0).round() / 10.0;
            let who =
                if count == 1 { "the Envoy runs".to_owned() } else { format!("all {count} Envoys run") };
            let text = format!("{who} {resource} in version {version}, after {seconds} s");
            let fields =
                json!({"resource": resource, "version": version, "envoys": count, "after_seconds": seconds});
            self.tell("all_run", &text, fields, world);
        }
    }

    fn tell(&self, event: &str, text: &str, mut fields: Value, world: &mut World<'_>) {
        if !self.args.json {
            world.say(text);
            return;
        }
        let mut line = json!({"at": rfc3339(world.clock.now()), "event": event});
        if let (Some(line), Some(fields)) = (line.as_object_mut(), fields.as_object_mut()) {
            line.append(fields);
        }
        // Where it cannot be written, the server still tells it.
        let _ = world.print(&line.to_string()).and_then(|()| world.out.flush());
    }
}

/// How many Envoys run a resource as it is served; `None` while one of those that ask does not, or none asks.
fn running(fleet: &Fleet, resource: &str) -> Option<usize> {
    let current = fleet.count(resource, State::Current);
    let silent = fleet.count(resource, State::Silent);
    (current > 0 && current + silent == fleet.of(resource).count()).then_some(current)
}
