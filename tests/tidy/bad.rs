//! The rules, tried on small workspaces that break them.

use crate::crates::{Files, Workspace};
use crate::rules::{Breaches, Tables, breaches};
use crate::words;

/// A workspace that breaks nothing.
const GOOD: &[(&str, &str)] = &[
    (
        "Cargo.toml",
        "[workspace]\nmembers = [\"cli\", \"reading\", \"tests/tidy\"]\nexclude = [\"fuzz\"]\n\
        [package]\nname = \"canary\"\n[dependencies]\nreading = { path = \"reading\" }\nmemchr = \"2\"\nserde_json = \"1\"\n",
    ),
    ("src/lib.rs", "pub mod config; mod filter; pub mod key; pub mod route; pub use reading::{json};"),
    (
        "src/config.rs",
        "mod rules; mod steps; use crate::key::Key; pub struct Config(Key); fn read() { rules::check() }",
    ),
    ("src/config/rules.rs", "use super::Config; use super::steps; pub(super) fn check() { steps::read() }"),
    ("src/config/steps.rs", "use super::Config; pub(super) fn read() {}"),
    ("src/filter.rs", "mod host; use crate::{config, route as r}; fn on() { r::decide(); host::log() }"),
    ("src/filter/host.rs", "pub(super) fn log() { unsafe { proxy_log() } }"),
    (
        "src/key.rs",
        "use crate::json::Scanner; pub struct Key;\n\
        #[cfg(test)] mod tests { use crate::filter::host; fn f() { std::fs::read(\"x\"); } }",
    ),
    (
        "src/route.rs",
        "use crate::config::Config; pub fn decide() { memchr::memchr(1, b\"\"); }\n\
        #[cfg(test)]\nmod tests;",
    ),
    ("src/route/tests.rs", "use crate::filter;"),
    ("reading/Cargo.toml", "[package]\nname = \"reading\"\n"),
    ("reading/src/lib.rs", "pub mod json;"),
    ("reading/src/json.rs", "mod scanner; pub use scanner::Scanner; pub struct Value;"),
    ("reading/src/json/scanner.rs", "use super::Value; pub struct Scanner;"),
    (
        "cli/Cargo.toml",
        "[package]\nname = \"tool\"\n[dependencies]\ncanary = { path = \"..\" }\nclap = \"4\"\n",
    ),
    ("cli/src/main.rs", "mod commands; mod edit; mod io; mod render; fn main() { commands::ramp::run() }"),
    ("cli/src/commands.rs", "pub(crate) mod ramp;"),
    (
        "cli/src/commands/ramp.rs",
        "use clap::Args; use crate::io::files; use crate::{edit, render}; use canary::route;\n\
        pub(crate) fn run() { files::read() }",
    ),
    ("cli/src/edit.rs", "use canary::config::Config;"),
    ("cli/src/render.rs", "use crate::edit;"),
    ("cli/src/io.rs", "pub(crate) mod files;"),
    ("cli/src/io/files.rs", "use crate::edit; pub(crate) fn read() { std::fs::read(\"x\"); }"),
    ("tests/tidy/Cargo.toml", "[package]\nname = \"tidy\"\n"),
    ("fuzz/src/lib.rs", "use canary::config;"),
];

const TABLES: &str = "
| module | may import |
|---|---|
| key | reading/json |
| config | key |
| route | config |
| filter | everything |
| lib | everything |
| reading | nothing of ours |
| cli | everything but cli/commands, cli/io |
| cli/io | everything but cli/commands |
| cli/commands | everything |
| cli/main | everything |

| crate | only in |
|---|---|
| memchr | route |
| clap | cli/main, cli/commands |

| what | only in |
|---|---|
| unsafe code: … | filter/host |
| the world: … | cli/io, cli/main |
";

/// What is found where these files take the place of the good ones, or come beside them.
fn found(changes: &[(&str, &str)]) -> Breaches {
    let files = GOOD.iter().chain(changes).map(|(path, text)| (path.to_string(), text.to_string()));
    breaches(&Workspace::read(&files.collect::<Files>()), &Tables::read(TABLES))
}

#[track_caller]
fn check(changes: &[(&str, &str)], expected: &[&str]) {
    let found = found(changes);
    let missed: Vec<_> = expected.iter().filter(|what| !found.contains_key(**what)).collect();
    assert!(
        missed.is_empty() && found.len() == expected.len(),
        "missed {missed:?}, found:\n{}",
        words(&found)
    );
}

#[test]
fn the_good_workspace_breaks_nothing() {
    check(&[], &[]);
}

#[test]
fn an_import_across_the_wall_is_seen_however_it_is_written() {
    for code in [
        "use crate::filter;",
        "use crate::filter::host;",
        "use crate::{filter::host, config};",
        "use crate::{config::{self, Config}, filter::{host::{log}}};",
        "use crate::filter as f;",
        "use crate::filter::host as _;",
        "use crate::filter::*;",
        "use crate::*; fn f() { filter::on() }",
        "use crate as c; fn f() { c::filter::on() }",
        "use crate as c; use c::filter as f;",
        "extern crate self as own; fn f() { own::filter::on() }",
        "use super::filter;",
        "use super as up; fn f() { up::filter::on() }",
        "use self::super::filter::on;",
        "pub use crate::filter::on;",
        "pub(crate) use super::{filter::{on as off}};",
        "fn f() { crate::filter::on() }",
        "fn f() { use crate::{filter}; }",
        "fn f(of: &crate::filter::Filter) -> super::key::Key {}",
        "static F: fn() = super::filter::on;",
        "fn f() { vec![1, crate::filter::on()]; }",
        "macro_rules! m { () => { $crate::filter::on() } }",
        "#[derive(crate::filter::On)] struct S;",
        "mod inner { fn f() { super::super::filter::on() } }",
        "mod inner { use super::super::{filter as f}; }",
        "impl crate::filter::On for S { }",
        "#[cfg(not(test))] use crate::filter;",
        "fn f() -> impl Iterator + use<> { crate::filter::on() }",
    ] {
        let found = found(&[("src/route.rs", code)]);
        let is_seen = found.keys().any(|what| what.starts_with("route imports filter"));
        assert!(is_seen, "{code}\n{}", words(&found));
    }
}

#[test]
fn tests_and_what_only_looks_like_an_import_are_left_alone() {
    for code in [
        "#[cfg(test)] use crate::filter;",
        "#[cfg(all(test, unix))] fn f() { crate::filter::on() } pub fn decide() {}",
        "#[cfg(test)] mod tests { use crate::filter; } pub(in crate::filter) fn decide() {}",
        "//! See [`crate::filter`].\n/// And `use crate::filter;`\nfn f() { \"crate::filter::on\"; }",
        "mod filter { pub fn on() {} } fn f() { filter::on() } pub fn decide() {}",
        "struct S { filter: u8 } fn f(s: S) { s.filter; Self::filter(); <S as T>::filter(); }",
    ] {
        let found = found(&[("src/route.rs", code)]);
        assert!(found.is_empty(), "{code}\n{}", words(&found));
    }
}

#[test]
fn a_name_that_is_handed_on_is_that_of_its_module() {
    // `key` may not import `filter`, and through `config`, which hands it on, it may not either.
    check(
        &[("src/config.rs", "pub use crate::filter::host as world;")],
        &[
            "config imports filter/host",
            "src/config/rules.rs belongs to no crate of the workspace",
            "src/config/steps.rs belongs to no crate of the workspace",
        ],
    );
    // A name of another crate that the root hands on is that crate's.
    check(&[("src/route.rs", "use crate::json::Value; pub fn decide() {}")], &["route imports reading/json"]);
}

#[test]
fn an_upward_import_in_the_tool_is_seen() {
    for (file, code, expected) in [
        ("edit", "use crate::commands::ramp;", "cli/edit imports cli/commands/ramp"),
        ("edit", "use crate::{io::{files}};", "cli/edit imports cli/io/files"),
        ("edit", "use super::io as world; fn f() { world::files::read() }", "cli/edit imports cli/io/files"),
        (
            "io/files",
            "use crate::commands as c; fn f() { c::ramp::run() }",
            "cli/io/files imports cli/commands/ramp",
        ),
    ] {
        let found = found(&[(&format!("cli/src/{file}.rs"), code)]);
        assert!(found.contains_key(expected), "{code}\n{}", words(&found));
    }
    check(
        &[
            ("cli/src/main.rs", "mod commands; mod edit; mod io; mod render; struct Failure; fn main() {}"),
            ("cli/src/edit.rs", "use crate::Failure;"),
        ],
        &["cli/edit imports cli/main, the root of its crate"],
    );
}

#[test]
fn a_circle_is_seen_at_any_depth() {
    check(
        &[("cli/src/edit.rs", "fn f() { crate::render::f() }")],
        &["cli/edit → cli/render → cli/edit is a circle"],
    );
    check(
        &[("src/config/steps.rs", "use super::rules::check; pub(super) fn read() {}")],
        &["config/rules → config/steps → config/rules is a circle"],
    );
    // Behind a name that another module hands on.
    check(
        &[
            ("src/config.rs", "mod rules; mod steps; pub use rules::check; pub struct Config;"),
            ("src/config/steps.rs", "use super::check; pub(super) fn read() {}"),
        ],
        &["config/rules → config/steps → config/rules is a circle"],
    );
    // Of three.
    check(
        &[
            ("reading/src/lib.rs", "mod a; mod b; mod c; pub mod json;"),
            ("reading/src/a.rs", "use crate::b::B; pub struct A;"),
            ("reading/src/b.rs", "use crate::c::C; pub struct B;"),
            ("reading/src/c.rs", "use crate::a::A; pub struct C;"),
        ],
        &["reading/a → reading/b → reading/c → reading/a is a circle"],
    );
}

#[test]
fn a_host_outside_its_folder_is_seen() {
    for code in [
        "pub fn decide() { unsafe { f() } }",
        "extern \"C\" { fn f(); } pub fn decide() {}",
        "#[unsafe(no_mangle)] pub fn decide() {}",
        "pub fn decide() { proxy_log() }",
    ] {
        check(&[("src/route.rs", code)], &["route has unsafe code"]);
    }
    for code in [
        "pub fn decide() { std::time::Instant::now(); }",
        "use std::{fs::{self}}; pub fn decide() {}",
        "use std as s; pub fn decide() { s::env::var(\"x\") }",
        "pub fn decide() { ::std::process::exit(1) }",
        "use std::net as n; pub fn decide() { n::TcpStream::connect(\"x\") }",
    ] {
        check(&[("src/route.rs", code)], &["route touches the world"]);
    }
    check(&[("cli/src/edit.rs", "use std::time::SystemTime as T;")], &["cli/edit touches the world"]);
    check(&[("cli/src/edit.rs", "use std::process::ExitCode; use std::time::Duration;")], &[]);
}

#[test]
fn a_crate_where_its_row_does_not_allow_it_is_seen() {
    check(&[("src/key.rs", "use memchr::memchr; pub struct Key;")], &["key uses the crate memchr"]);
    check(
        &[("src/key.rs", "use memchr as m; pub struct Key; fn f() { m::memchr() }")],
        &["key uses the crate memchr"],
    );
    check(
        &[("src/key.rs", "pub struct Key; fn f() { serde_json::from_str(\"\") }")],
        &["key uses the crate serde_json"],
    );
    check(&[("cli/src/edit.rs", "#[derive(clap::Args)] struct A;")], &["cli/edit uses the crate clap"]);
}

#[test]
fn what_is_in_no_table_is_seen() {
    check(&[("src/extra.rs", "")], &["src/extra.rs belongs to no crate of the workspace"]);
    check(
        &[
            (
                "src/lib.rs",
                "pub mod config; pub mod extra; mod filter; pub mod key; pub mod route; pub use reading::json;",
            ),
            ("src/extra.rs", ""),
        ],
        &["extra is in no row of the table of imports"],
    );
    check(
        &[
            (
                "Cargo.toml",
                "members = [\"cli\", \"reading\", \"verdict\"]\nexclude = [\"fuzz\"]\n[package]\nname = \"canary\"\n[dependencies]\nreading = { path = \"reading\" }\nmemchr = \"2\"\n",
            ),
            ("verdict/Cargo.toml", "[package]\nname = \"verdict\"\n"),
            ("verdict/src/lib.rs", "mod windows;"),
            ("verdict/src/windows.rs", ""),
        ],
        &[
            "verdict/lib is in no row of the table of imports",
            "verdict/windows is in no row of the table of imports",
        ],
    );
    check(
        &[(
            "Cargo.toml",
            "members = [\"reading\"]\nexclude = [\"fuzz\", \"cli\"]\n[package]\nname = \"canary\"\n[dependencies]\nreading = { path = \"reading\" }\nmemchr = \"2\"\n",
        )],
        &[
            "cli is in a table, and no file has that name",
            "cli/commands is in a table, and no file has that name",
            "cli/io is in a table, and no file has that name",
            "cli/main is in a table, and no file has that name",
        ],
    );
    check(
        &[("src/route.rs", "#[path = \"key.rs\"] mod mine; pub fn decide() {}")],
        &["src/route.rs declares mine by #[path]"],
    );
    check(
        &[("src/key.rs", "include!(\"x.in\"); pub struct Key;")],
        &["src/key.rs includes code that nothing here can follow"],
    );
}
