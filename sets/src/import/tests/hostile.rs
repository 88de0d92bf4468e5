use super::{Source, figures, import, messages, read};
use crate::import::tests::Files;
use crate::template::{NoVariables, Variables};
use crate::tree::Tree;
use std::fmt::Write;
use std::sync::Arc;

const HEAD: &str = "providers: [openai:x]\n";

fn refused(text: &str) -> String {
    import("promptfooconfig.yaml", text, &[]).err().unwrap_or_else(|| "was read".to_owned())
}

#[test]
fn a_million_combinations_are_refused_with_the_number() {
    let list = "[a, b, c, d, e, f, g, h, i, j]";
    let vars: Vec<String> = (0..6).map(|n| format!("v{n}: {list}")).collect();
    let words =
        refused(&format!("{HEAD}prompts: ['{{{{v0}}}}']\ntests: [{{vars: {{{}}}}}]\n", vars.join(", ")));
    assert!(words.contains("1000000"), "{words}");
    let vars: Vec<String> = (0..60).map(|n| format!("v{n}: {list}")).collect();
    assert!(
        refused(&format!("{HEAD}prompts: [x]\ntests: [{{vars: {{{}}}}}]\n", vars.join(", ")))
            .contains("combinations")
    );
    assert!(
        refused(&format!(
            "{HEAD}prompts: [x]\ntests: [{{vars: {{a: b}}, options: {{repeat: 1000000000000}}}}]\n"
        ))
        .contains("1000000000000")
    );
    let many = format!(
        "{HEAD}prompts: [{}]\ntests: [{{vars: {{a: {list}, b: {list}, c: {list}, d: {list}}}}}]\n",
        (0..100).map(|n| format!("p{n}")).collect::<Vec<_>>().join(", ")
    );
    let (set, _) = import("promptfooconfig.yaml", &many, &[]).unwrap();
    assert!(crate::report::report(&set).unwrap_err().contains("1000000 requests"));
}

#[test]
fn what_multiplies_is_refused_before_it_exists() {
    let mut text = HEAD.to_owned();
    text.push_str("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let _ = writeln!(text, "a{level}: &a{level} [{}]", vec![format!("*a{}", level - 1); 10].join(", "));
    }
    assert!(refused(&text).contains("too large"));
    let large = "y".repeat(1 << 20);
    let list: Vec<String> = (0..300).map(|n| format!("'{n}'")).collect();
    let text =
        format!("{HEAD}prompts: [x]\ntests: [{{vars: {{big: '{large}', n: [{}]}}}}]\n", list.join(", "));
    assert!(refused(&text).contains("MiB of variables"));
    let deep = format!("{HEAD}a: {}{}\n", "[".repeat(5_000), "]".repeat(5_000));
    assert!(import("promptfooconfig.yaml", &deep, &[]).is_err());
    assert!(import("x.json", &format!("{}{}", "[".repeat(500_000), "]".repeat(500_000)), &[]).is_err());
}

#[test]
fn templates_that_loop_end() {
    let loops = "{% for a in range(10000) %}{% for b in range(10000) %}x{% endfor %}{% endfor %}";
    let text = format!("{HEAD}prompts: ['{loops}']\ntests: [{{vars: {{a: b}}}}]\n");
    assert!(messages("promptfooconfig.yaml", &text, &[])[0].as_str().unwrap().contains("does not end"));
    let doubling = "{% set a = 'xxxxxxxxxx' %}".to_owned() + &"{% set a = a ~ a %}".repeat(40) + "{{ a }}";
    let text = format!("{HEAD}prompts: [\"{doubling}\"]\ntests: [{{vars: {{a: b}}}}]\n");
    assert!(messages("promptfooconfig.yaml", &text, &[])[0].is_string());
    // Variables that name each other end after a few passes.
    let text = format!(
        "{HEAD}prompts: ['{{{{a}}}}']\ntests: [{{vars: {{a: '{{{{b}}}}{{{{b}}}}', b: '{{{{a}}}}{{{{a}}}}'}}}}]\n"
    );
    let _ = messages("promptfooconfig.yaml", &text, &[]);
}

#[test]
fn paths_outside_are_named_and_not_read() {
    let text = format!(
        "{HEAD}prompts: [file:///etc/passwd, file://../../secret.txt]\ntests: [../t.yaml, {{vars: {{a: file:///etc/shadow}}}}]\n"
    );
    let found = figures(
        "promptfooconfig.yaml",
        &text,
        &[("../../secret.txt", "secret"), ("../t.yaml", "- vars: {a: secret}")],
    );
    assert_eq!(
        found.warnings.iter().filter(|words| words.contains("outside")).count(),
        4,
        "{:?}",
        found.warnings
    );
    assert!(
        !format!("{:?}", messages("promptfooconfig.yaml", &text, &[("../../secret.txt", "secret")]))
            .contains("secret\"")
    );
}

#[test]
fn large_files_are_refused() {
    let files = Files(Vec::new());
    let tree = Tree::new(&files, false);
    let process: Arc<dyn Variables> = Arc::new(NoVariables);
    let source = Source { path: "a.jsonl", tree: &tree, process: &process };
    let words = read(&vec![b' '; 100 << 20], &source).err().unwrap_or_default();
    assert!(words.contains("larger than 32 MiB"), "{words}");
    let words = import("a.jsonl", &"{\"input\": \"x\", \"target\": \"y\"}\n".repeat(100_001), &[])
        .err()
        .unwrap_or_default();
    assert!(words.contains("100000 lines"), "{words}");
}

#[test]
fn secrets_are_in_no_error() {
    let secret = "sk-very-secret-0123456789";
    for text in [
        format!("{HEAD}apiKey: {secret}\napiKey: {secret}\n"),
        format!("{HEAD}a: [{secret}\n"),
        format!("{HEAD}a: !!int {secret}\nb: \"{secret}\n"),
        format!(
            "prompts: [x]\nproviders: [{{id: y, config: {{apiKey: {secret}, temperature: 1}}}}]\nenv: {{OPENAI_API_KEY: {secret}}}\ntests: [{{vars: {{a: 1}}, assert: [{{type: nope}}]}}]\n"
        ),
    ] {
        let said = match import("promptfooconfig.yaml", &text, &[]) {
            Ok((set, _)) => format!("{:?} {:?}", crate::report::report(&set), set.sampling),
            Err(words) => words,
        };
        let is_number = said.contains("which it is not");
        assert!(!said.contains(secret) || is_number, "{said}");
    }
}
