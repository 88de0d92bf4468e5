//! A configuration as text within YAML: quoted, in a block, over several lines, in base64.

use super::{RAMP, STOP, check, run};

#[test]
fn json_in_a_block_of_yaml() {
    let text = |stopped: &str, steps: &str| {
        format!(
            "# Envoy watches this file.\nresources:\n- name: llm-canary  # the filter\n  typed_config:\n    config:\n      \
             root_id: llm-canary\n      configuration:\n        \"@type\": type.googleapis.com/google.protobuf.StringValue\n        \
             value: |\n          {{\n            \"rollouts\": [{{\n              \"baseline\": \"v1\",\n\n              \
             \"versions\": [ {{ \"name\": \"v1\" }}, {{ \"name\": \"v2\"{stopped} }} ],\n              {steps}\n            }}]\n          \
             }}\n      vm_config: {{}} # last\n"
        )
    };
    check(
        &text(", \"stopped\": false", "\"split\": {\"v2\": 10}"),
        STOP,
        &text(
            ", \"stopped\": true",
            "\"steps\": [\n                {\"at\": \"1970-01-01T00:00:00Z\", \"percent\": {\"v2\": 10}},\n                \
             {\"at\": \"2026-11-23T09:00:00Z\", \"percent\": {\"v2\": 0}}\n              ]",
        ),
    );
    let windows = text("", "\"salt\": \"é\"").replace('\n', "\r\n");
    let expect = text("", "\"salt\": \"é\"").replace(
        " ],\n",
        " ],\n              \"steps\": [\n                {\"at\": \"2026-11-23T09:00:00Z\", \"percent\": {\"v2\": 5}}\n              ],\n",
    );
    check(&windows, RAMP, &expect.replace('\n', "\r\n"));
}

#[test]
fn json_in_a_quoted_text() {
    let json = r#"{"rollouts": [{"salt": "'\"\\é😀", "baseline": "v1", "versions": [{"name": "v1"}, {"name": "v2"}], "split": {"v2": 1}}]}"#;
    let expect = json.replace(
        r#""split": {"v2": 1}"#,
        r#""steps": [{"at": "1970-01-01T00:00:00Z", "percent": {"v2": 1}}, {"at": "2026-11-23T09:00:00Z", "percent": {"v2": 5}}]"#,
    );
    let double = |json: &str| serde_json::to_string(json).unwrap().replace('é', "\\u00e9");
    let single = |json: &str| format!("'{}'", json.replace('\'', "''"));
    let discovery = |value: &str| {
        format!(
            r#"{{"resources": [{{"typed_config": {{"config": {{"root_id": "r", "configuration":
            {{"@type": "type.googleapis.com/google.protobuf.StringValue", "value": {value}}}}}}}}}]}}"#
        )
    };
    // An emoji in ASCII: two escapes for one character.
    let ascii = |json: &str| discovery(&double(json).replace('😀', "\\ud83d\\ude00"));
    check(&ascii(json), RAMP, &ascii(&expect));
    let yaml = |value: &str| format!("%YAML 1.2\n---\n{}", discovery(value));
    check(&yaml(&double(json)), RAMP, &yaml(&double(&expect)));
    check(&yaml(&single(json)), RAMP, &yaml(&single(&expect)));
    // Pretty JSON in a quoted text keeps its lines.
    let pretty = |json: &str| discovery(&serde_json::to_string(json).unwrap());
    check(
        &pretty(
            "{\"rollouts\": [\n {\n  \"baseline\": \"v1\",\n  \"versions\": [{\"name\": \"v1\"}, {\"name\": \"v2\"}]\n }]}",
        ),
        RAMP,
        &pretty(
            "{\"rollouts\": [\n {\n  \"baseline\": \"v1\",\n  \"versions\": [{\"name\": \"v1\"}, {\"name\": \"v2\"}],\n  \"steps\": [\n    \
             {\"at\": \"2026-11-23T09:00:00Z\", \"percent\": {\"v2\": 5}}\n  ]\n }]}",
        ),
    );
}

/// JSON that is broken over lines, in each of YAML's styles. (A plain text cannot begin with a brace.)
#[test]
fn json_over_several_lines() {
    let value = |value: &str| {
        format!(
            "resources:\n- root_id: r\n  configuration:\n    \"@type\": google.protobuf.StringValue # text\n    \
             value: {value}\n  vm_config: {{}} # end\n"
        )
    };
    let lines = |steps: &[&str], line: &str| {
        let mut lines = vec![
            r#"{"rollouts": [{"baseline": "v1","#,
            r#"  "salt": "two words it's","#,
            r#"  "versions": [{"name": "v1"}, {"name": "v2"}],"#,
        ];
        lines.extend(steps);
        lines.push("}]}");
        lines.join(line)
    };
    let first = r#"    {"at": "1970-01-01T00:00:00Z", "percent": {"v2": 1}}"#;
    let with_comma = format!("{first},");
    let added = r#"    {"at": "2026-11-23T09:00:00Z", "percent": {"v2": 5}}"#;
    let after = [r#"  "steps": ["#, &with_comma, added, "  ]"];
    let double = |text: &str| text.replace('"', "\\\"");
    let single = |text: &str| text.replace('\'', "''");
    let plain = |text: &str| text.to_owned();
    type Escape<'a> = &'a dyn Fn(&str) -> String;
    let styles: [(&str, &str, Escape<'_>, &str); 14] = [
        ("|\n      ", "\n      ", &plain, ""),
        ("|-\n      ", "\n      ", &plain, ""),
        ("|+\n      ", "\n      ", &plain, "\n"),
        ("|1\n     ", "\n     ", &plain, ""),
        ("|2-\n         ", "\n      ", &plain, ""),
        ("\n      |\n      ", "\n      ", &plain, ""),
        (">\n      ", "\n      ", &plain, ""),
        (">- # folded\n      ", "\n      ", &plain, "\n\n"),
        (">2+\n        ", "\n      ", &plain, "\n"),
        ("&anchor !!str |\n      ", "\n      ", &plain, ""),
        ("'", "\n      ", &single, "'"),
        ("\n      '", "  \n\n      ", &single, "' # quoted"),
        ("\"", "\n      ", &double, "\""),
        ("!!str \"", "\n\t      ", &double, "\""),
    ];
    for (start, line, escape, end) in styles {
        let text =
            |steps: &[&str], line: &str| value(&format!("{start}{}{end}", escape(&lines(steps, line))));
        // What stands between two lines is not repeated.
        let squeezed = |text: &str| text.replace("  \n\n", "\n");
        for before in [&[r#"  "split": {"v2": 1}"#][..], &[r#"  "steps": ["#, first, "  ]"]] {
            let before = text(before, line);
            let changed = run(&before, RAMP).unwrap_or_else(|words| panic!("{words}\n{before}"));
            assert_eq!(squeezed(&changed), squeezed(&text(&after, line)), "{start:?}\n{changed}");
            let windows = run(&before.replace('\n', "\r\n"), RAMP).unwrap();
            assert_eq!(windows, changed.replace('\n', "\r\n"));
        }
    }
    // A string of JSON that is broken, too, and a line that is continued.
    let folded = r#"{"rollouts": [{"baseline": "v1", "salt": "two words", "versions": [{"name": "v1"}, {"name": "v2"}]}]}"#;
    let ramped =
        folded.replace("}]}]}", r#"}], "steps": [{"at": "2026-11-23T09:00:00Z", "percent": {"v2": 5}}]}]}"#);
    let in_the_string = |text: &str| text.replace("two words", "two\n      words");
    for (start, escape, end) in
        [(">\n      ", &plain as &dyn Fn(&str) -> String, ""), ("'", &single, "'"), ("\"", &double, "\"")]
    {
        let text = |json: &str| value(&format!("{start}{}{end}", in_the_string(&escape(json))));
        check(&text(folded), RAMP, &text(&ramped));
    }
    let continued = |text: &str| {
        value(&format!("\"{}\"", double(text).replace("two words", "two\\\n      \\ wo\\x72ds")))
    };
    check(&continued(folded), RAMP, &continued(&ramped));
}

#[test]
fn base64_in_a_config_map() {
    let encode = |text: &str| crate::base64::encode(text.as_bytes());
    let json = r#"{"rollouts": [{"baseline": "v1", "versions": [{"name": "v1"}, {"name": "v2"}]}]}"#;
    let ramped = json
        .replace("\"v2\"}]", r#""v2"}], "steps": [{"at": "2026-11-23T09:00:00Z", "percent": {"v2": 5}}]"#);
    let alias = "v: &v [{name: v1}, {name: v2, stopped: true}]\nrollouts: [{baseline: v1, versions: *v}]\n";
    let lines = |text: &str| {
        let encoded = encode(text);
        let cut: Vec<String> =
            encoded.as_bytes().chunks(40).map(|line| String::from_utf8(line.to_vec()).unwrap()).collect();
        cut.join("\n    ")
    };
    let map = |value: &str| {
        format!(
            "# ours\nkind: ConfigMap\nbinaryData:\n  other: AAAA\n  llm.yaml: {value}\ndata: {{}} # end\n"
        )
    };
    check(&map(&encode(json)), RAMP, &map(&encode(&ramped)));
    check(
        &map(&format!("\"{}\" # text", encode(json))),
        RAMP,
        &map(&format!("\"{}\" # text", encode(&ramped))),
    );
    check(&map(&format!("'{}'", encode(json))), RAMP, &map(&format!("'{}'", encode(&ramped))));
    for block in ["|\n    ", "|-\n    ", ">\n    "] {
        check(&map(&format!("{block}{}", lines(json))), RAMP, &map(&format!("{block}{}", encode(&ramped))));
    }
    let in_json = |text: &str| {
        serde_json::json!({"kind": "ConfigMap", "binaryData": {"llm.json": encode(text)}}).to_string()
    };
    check(&in_json(json), RAMP, &in_json(&ramped));
    let with_stop = run(&map(&encode(alias)), |schedule| schedule.with_stopped("v2", false)).unwrap();
    assert!(
        with_stop
            .contains(&encode(&alias.replace("*v", r#"[{"name": "v1"}, {"name": "v2", "stopped": false}]"#)))
    );
}

/// Files of a ConfigMap, in each of YAML's styles.
#[test]
fn yaml_in_a_text() {
    let yaml = |steps: &str| {
        format!(
            "# it's ours\nrollouts:\n- baseline: v1\n  versions:\n  - name: v1\n  - name: v2\n{steps}  salt: \"a b\"\n"
        )
    };
    let (before, after) =
        (yaml(""), yaml("  steps:\n  - {at: \"2026-11-23T09:00:00Z\", percent: {v2: 5}}\n"));
    let value = |scalar: &str| format!("kind: ConfigMap\ndata:\n  llm.yaml: {scalar}\n  other: x # end\n");
    let lines = |text: &str, between: &str| text.trim_end().replace('\n', between);
    let double = |text: &str| serde_json::to_string(text).unwrap();
    let block = |text: &str| value(&format!("|-\n    {}", lines(text, "\n    ")));
    check(&block(&before), RAMP, &block(&after));
    check(&block(&before).replace('\n', "\r\n"), RAMP, &block(&after).replace('\n', "\r\n"));
    let quoted = |text: &str| value(&double(text));
    check(&quoted(&before), RAMP, &quoted(&after));
    // A line break is read where a line is not indented on either side, if it is written twice.
    let folded =
        |text: &str| value(&format!(">-\n    {}", lines(text, "\n    ").replacen("\n    ", "\n\n    ", 2)));
    check(&folded(&before), RAMP, &folded(&after));
    // Two styles within one another, and a line that is continued.
    let continued =
        |text: &str| value(&double(text).replace("\\n  - name: v2", "\\n\\\n      \\  - name: v2"));
    check(&continued(&before), RAMP, &continued(&after));
    let json = |steps: &str| {
        format!(
            r#"{{"rollouts": [{{"baseline": "v1", "versions": [{{"name": "v1"}}, {{"name": "v2"}}]{steps}}}]}}"#
        )
    };
    let discovery = |config: &str| {
        format!(
            "resources:\n- root_id: r\n  configuration:\n    \"@type\": google.protobuf.StringValue\n    value: '{config}'\n"
        )
    };
    let (before, after) =
        (json(""), json(r#", "steps": [{"at": "2026-11-23T09:00:00Z", "percent": {"v2": 5}}]"#));
    for nested in [&block, &quoted] as [&dyn Fn(&str) -> String; 2] {
        check(&nested(&discovery(&before)), RAMP, &nested(&discovery(&after)));
    }
}
