//! The commands that the pages tell people to type are commands of this tool, also those within text. `tests/shipped/` runs them.

use crate::Cli;
use clap::Parser;

const PAGES: [(&str, &str); 18] = [
    ("docs/discovery.md", include_str!("../../../docs/discovery.md")),
    ("docs/install.md", include_str!("../../../docs/install.md")),
    ("README.md", include_str!("../../../README.md")),
    ("docs/configuration.md", include_str!("../../../docs/configuration.md")),
    ("docs/defects.md", include_str!("../../../docs/defects.md")),
    ("docs/dialects.md", include_str!("../../../docs/dialects.md")),
    ("docs/gitops.md", include_str!("../../../docs/gitops.md")),
    ("docs/metrics.md", include_str!("../../../docs/metrics.md")),
    ("docs/native.md", include_str!("../../../docs/native.md")),
    ("docs/operating.md", include_str!("../../../docs/operating.md")),
    ("docs/security.md", include_str!("../../../docs/security.md")),
    ("docs/sources.md", include_str!("../../../docs/sources.md")),
    ("docs/stickiness.md", include_str!("../../../docs/stickiness.md")),
    ("docs/verdict.md", include_str!("../../../docs/verdict.md")),
    ("docs/watchdog.md", include_str!("../../../docs/watchdog.md")),
    ("envoy/README.md", include_str!("../../../envoy/README.md")),
    ("istio/README.md", include_str!("../../../istio/README.md")),
    ("kubernetes/README.md", include_str!("../../../kubernetes/README.md")),
];

/// The commands in a page: of lines in blocks, with or without a prompt, and of code within text.
fn commands(page: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut is_block = false;
    for line in page.lines() {
        if line.starts_with("```") {
            is_block = !is_block;
        } else if is_block {
            let line = line.strip_prefix("$ ").unwrap_or(line);
            found.extend(line.starts_with("llm-canary ").then(|| line.to_owned()));
        } else {
            let spans = line.split('`').skip(1).step_by(2).filter(|span| span.starts_with("llm-canary "));
            // Two words are a name.
            found.extend(spans.filter(|span| span.split(' ').count() > 2).map(str::to_owned));
        }
    }
    found
}

/// The words of a command up to a pipe or a redirection, with what stands for something put in.
fn words(command: &str) -> Vec<String> {
    let envoys = "--admin http://a:9901 --admin http://b:9901";
    let command = command.replace("$ENVOYS", envoys).replace(" SOURCE", " --admin http://a:9901");
    let mut words = vec![String::new()];
    let mut quote = None;
    for char in command.chars() {
        match (char, quote) {
            ('#' | '|' | '>', None) => break,
            ('\'' | '"', None) => quote = Some(char),
            (_, Some(open)) if char == open => quote = None,
            (' ', None) => words.push(String::new()),
            _ => words.last_mut().unwrap().push(char),
        }
    }
    // Three dots stand for what is left out.
    words.retain(|word| !word.is_empty() && word != "2" && word != "...");
    words
}

#[test]
fn every_command_of_the_pages_is_one() {
    let (mut count, mut wrong) = (0, Vec::new());
    for (name, page) in PAGES {
        let commands = commands(page);
        count += commands.len();
        for command in commands {
            // --version and --help are answered at once.
            if let Some(error) = Cli::try_parse_from(words(&command)).err().filter(clap::Error::use_stderr) {
                wrong.push(format!("{name}: {command}\n{error}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > 60, "{count}");
}
