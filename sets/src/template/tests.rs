use super::{Dialect, NoVariables, Templates, Variables};
use serde_json::{Map, Value, json};
use std::sync::Arc;

fn templates(dialect: Dialect) -> Templates {
    Templates::new(dialect, Map::new(), Arc::new(NoVariables))
}

fn nunjucks(template: &str) -> String {
    let variables = json!({
        "s": "Hello, World", "n": 3, "f": 3.0, "big": 1e21, "yes": true, "nothing": null, "empty": [], "o": {"a": {"b": [1, 2]}},
        "list": ["p", "q"], "objects": [{"user": "hi"}, {"assistant": "ho"}], "text": "{\"tone\": \"calm\"}", "t": " x\n", "length": 7,
    });
    let Value::Object(variables) = variables else { unreachable!() };
    templates(Dialect::Nunjucks).render(template, &variables).unwrap_or_else(|words| format!("ERROR {words}"))
}

/// What Nunjucks 3.2.4 prints for the same.
#[test]
fn nunjucks_templates_render_as_in_nunjucks() {
    for (template, expect) in [
        ("{{ s }}{{ missing }}{{ missing.x.y }}{{ nothing }}{{ nothing.x }}", "Hello, World"),
        ("{{ n }} {{ f }} {{ big }} {{ yes }} {{ 7 / 2 }} {{ 6 / 2 }}", "3 3 1e+21 true 3.5 3"),
        ("{{ list }} {{ o }} {{ [1, [2, 3]] }} {{ empty }}|", "p,q [object Object] 1,2,3 |"),
        ("{{ o.a.b[1] }}{{ o['a'].b[0] }}", "21"),
        ("{{ o | dump }}{{ s | dump }}{{ f | dump }}", "{\"a\":{\"b\":[1,2]}}\"Hello, World\"3"),
        ("{{ o.a | dump(2) }}", "{\n  \"b\": [\n    1,\n    2\n  ]\n}"),
        ("{{ (text | load).tone }}", "calm"),
        ("{% for x in list %}{{ loop.index }}{{ x }}{% if not loop.last %},{% endif %}{% endfor %}", "1p,2q"),
        (
            "{% for m in objects %}{% for role, content in m %}{{ role }}={{ content }};{% endfor %}{% endfor %}",
            "user=hi;assistant=ho;",
        ),
        ("{% for k, v in o %}{{ k }}{{ v | dump }}{% endfor %}", "a{\"b\":[1,2]}"),
        ("{% for k in o %}x{% endfor %}{% for k in missing %}x{% else %}none{% endfor %}", "none"),
        ("{% for a, b in [[1, 2], [3, 4]] %}{{ a }}-{{ b }} {% endfor %}", "1-2 3-4 "),
        (
            "{% if empty %}T{% else %}F{% endif %}{% if nothing %}T{% else %}F{% endif %}{% if '' %}T{% else %}F{% endif %}",
            "TFF",
        ),
        ("{% if n === 3 and s !== 'x' %}T{% elseif n == 4 %}E{% else %}F{% endif %}", "T"),
        (
            "{{ list.length }} {{ s.length }} {{ list | length }} {{ list[list.length - 1] }} {{ length }}",
            "2 12 2 q 7",
        ),
        (
            "{{ s | upper }} {{ s | lower }} {{ t | trim }} {{ 'abc def' | title }} {{ 'ABC' | capitalize }}",
            "HELLO, WORLD hello, world x Abc Def Abc",
        ),
        ("{{ list | join(', ') }} {{ list | first }}{{ list | last }} {{ list | join }}", "p, q pq pq"),
        (
            "{{ missing | default('d') }} {{ '' | default('d', true) }} {{ s | replace('l', 'L') }}",
            "d d HeLLo, WorLd",
        ),
        ("{{ s | truncate(5) }} {{ 'foo bar baz' | truncate(7) }}", "Hello... foo bar..."),
        ("{{ s ~ n }} {{ s[0] }} {{ n if yes else 2 }} {{ 1 if missing }}", "Hello, World3 H 3 "),
        (
            "{# c #}{% set z = 5 %}{{ z * 2 }}{% raw %}{{ s }}{% endraw %}{% verbatim %}{{ n }}{% endverbatim %}",
            "10{{ s }}{{ n }}",
        ),
        (
            "{{ s.toUpperCase() }} {{ s.split(', ')[1] }} {{ list.join('-') }} {{ s.includes('World') }} {{ s.slice(-5) }}",
            "HELLO, WORLD World p-q true World",
        ),
        (
            "{{ 2.5 | round }} {{ 2.4 | round }} {{ '3.7' | float }} {{ '3.7x' | int }} {{ [1,2] | sum }}",
            "3 2 3.7 3 3",
        ),
        ("a\n{%- if yes %} b{% endif -%}\n c\n", "a bc\n"),
        ("{{ \"}}\" }}{{ '{%' }} { x } }}", "}}{% { x } }}"),
        ("{{ x is defined }} {{ s is string }} {{ null }}", "false true "),
        ("{% macro m(a) %}<{{ a }}>{% endmacro %}{{ m(1) }}{{ range(3) }}", "<1>0,1,2"),
        (
            "{{ '<b>' | escape }} {{ '<b>x</b>' | striptags }} {{ 'a b&c' | urlencode }} {{ s | wordcount }}",
            "&lt;b&gt; x a%20b%26c 2",
        ),
    ] {
        assert_eq!(nunjucks(template), expect, "{template}");
    }
}

#[test]
fn what_a_template_may_not_do_is_an_error_with_words() {
    for (template, part) in [
        ("{{ s | allcaps }}", "the filter \"allcaps\""),
        ("{{ shout(s) }}", "the function \"shout\""),
        ("{% include '/etc/passwd' %}", "include"),
        (
            "{% for a in range(1000) %}{% for b in range(1000) %}{% for c in range(1000) %}x{% endfor %}{% endfor %}{% endfor %}",
            "does not end",
        ),
        (
            "{% for a in range(100000) %}{{ s }}{{ s }}{{ s }}{{ s }}{{ s }}{{ s }}{{ s }}{{ s }}{{ s }}{{ s }}{% endfor %}",
            "ERROR",
        ),
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "ERROR"),
        ("{{ 'x' * 100000000000 }}", "ERROR"),
        ("{{ s }", "ERROR"),
        ("{% if %}", "ERROR"),
    ] {
        let found = nunjucks(template);
        assert!(found.starts_with("ERROR") && found.contains(part), "{template}: {found}");
    }
}

#[derive(Debug)]
struct One;

impl Variables for One {
    fn get(&self, name: &str) -> Option<String> {
        (name == "HOME").then(|| "/home/x".to_owned())
    }
}

#[test]
fn the_environment_can_be_asked_and_not_listed() {
    let mut own = Map::new();
    own.insert("A".to_owned(), json!("own"));
    let templates = Templates::new(Dialect::Nunjucks, own, Arc::new(One));
    let render = |text: &str| templates.render(text, &Map::new()).unwrap();
    assert_eq!(render("{{ env.A }} {{ env.HOME }} {{ env.B }}|{{ env['A'] }}"), "own /home/x |own");
    assert_eq!(render("{{ env | dump }}{% for k, v in env %}{{ k }}{% endfor %}"), "{}");
}

#[test]
fn jinja_templates_render_as_in_python() {
    let Value::Object(variables) = json!({"answer": "so #### 42", "q": "Q?", "l": ["a", "b"]}) else {
        unreachable!()
    };
    let render = |text: &str| templates(Dialect::Jinja).render(text, &variables).unwrap();
    assert_eq!(render("{{answer.split('####')[-1].strip() if answer is defined else target}}"), "42");
    assert_eq!(render("Q: {{q}}\nA:"), "Q: Q?\nA:");
    assert_eq!(render("{{ l | join(', ') }}{% for x in l %}{{ loop.index0 }}{% endfor %}"), "a, b01");
}
