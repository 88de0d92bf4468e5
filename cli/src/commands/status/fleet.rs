//! `status --xds`: which Envoys run which version of the configuration.

use super::{Args, CLEAR_ALL, CLEAR_BELOW, CLEAR_LINE, HOME};
use crate::commands::input::read_file;
use crate::discovery::{self, Fleet, Resource};
use crate::error::Error;
use crate::io::World;
use crate::io::admin::check_address;
use crate::io::fleet;
use crate::table::{Canvas, Tone};
use serde_json::{Value, json};
use std::time::Duration;

/// Between two looks. Envoys ask each half second to second.
const INTERVAL: Duration = Duration::from_secs(1);

pub(super) fn run(args: &Args, url: &str, world: &mut World<'_>) -> Result<(), Error> {
    check_address(url).map_err(|_| {
        Error::refused(format!("--xds {url}: this is no address; write one such as http://127.0.0.1:9902"))
    })?;
    let mut is_first = true;
    loop {
        let own = match args.subject.file() {
            Some(file) => discovery::read(&file.display().to_string(), &read_file(world, file)?)?.0,
            None => Vec::new(),
        };
        let fleet =
            fleet::read(world.admin, url).map_err(|words| Error::refused(format!("--xds {url}: {words}")))?;
        let fleet = match args.subject.file() {
            Some(_) => fleet.only(&own.iter().map(|one| one.name.clone()).collect::<Vec<_>>()),
            None => fleet,
        };
        let canvas = (world.canvas)();
        if args.json {
            world.print_json(&value(&fleet, &own))?;
            return Ok(());
        }
        let text = text(&fleet, &own, &canvas);
        if args.once || !canvas.is_terminal {
            world.print(&text)?;
            return Ok(());
        }
        let start = if is_first { CLEAR_ALL } else { "" };
        let lines: String = text.lines().map(|line| format!("{line}{CLEAR_LINE}\n")).collect();
        world.print(&format!("{start}{HOME}{lines}{CLEAR_BELOW}"))?;
        world.out.flush()?;
        is_first = false;
        world.clock.sleep(INTERVAL);
    }
}

/// The resources of FILE that are served in another version, or not at all.
fn not_served<'a>(fleet: &'a Fleet, own: &'a [Resource]) -> impl Iterator<Item = &'a Resource> {
    own.iter().filter(|one| fleet.version_of(&one.name) != Some(one.version.as_str()))
}

fn value(fleet: &Fleet, own: &[Resource]) -> Value {
    let mut value = fleet.value();
    let missing = not_served(fleet, own).map(|one| json!({"name": one.name, "version": one.version}));
    if let Some(fields) = value.as_object_mut() {
        fields.insert("not_served".to_owned(), missing.collect());
    }
    value
}

fn text(fleet: &Fleet, own: &[Resource], canvas: &Canvas) -> String {
    let missing = not_served(fleet, own).map(|one| {
        let line = match fleet.version_of(&one.name) {
            Some(served) => {
                format!("FILE has {} in version {}, and {served} is served", one.name, one.version)
            }
            None => format!("FILE has {}, which is not served", one.name),
        };
        canvas.paint(&line, Tone::Bad)
    });
    let lines: Vec<String> =
        missing.chain([discovery::text(fleet, canvas)]).filter(|line| !line.is_empty()).collect();
    lines.join("\n")
}
