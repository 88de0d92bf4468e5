//! A changed plan as changes of the text it is written in.
//!
//! In: the text, the rollout's tree, the plan before and after. Out: splices. Only the lines of what
//! differs are written anew; a step is one line, beside its neighbours and in their indentation.

use super::plan::{Plan, Step, Written};
use super::splice::Splice;
use super::tree::{
    Kind, Layout, Member, Style, Syntax, Tree, begins_line, indent_of, line_end, line_start, newline,
};
use llm_canary::split::percent;
use llm_canary::timestamp::rfc3339;

/// Words that YAML 1.1 reads as something else than text; `kubectl` is among its readers.
const YAML_WORDS: [&str; 10] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan"];

/// Writes changes into one text.
pub(super) struct Writer<'a> {
    pub(super) text: &'a str,
    pub(super) syntax: Syntax,
}

impl Writer<'_> {
    /// Everything that leads from one plan to the other; `None` where the text is written in a way that
    /// is not edited.
    pub(super) fn splices(&self, rollout: &Tree, old: &Plan, new: &Plan) -> Option<Vec<Splice>> {
        let mut splices = Vec::new();
        if old.baseline != new.baseline {
            splices.push(self.scalar(rollout.get("baseline")?, &new.baseline)?);
        }
        let versions = rollout.get("versions")?.items();
        for (version, (before, after)) in versions.iter().zip(old.versions.iter().zip(&new.versions)) {
            if before != after {
                splices.extend(self.stopped(version, after.1)?);
            }
        }
        if old.steps != new.steps || old.written != new.written {
            splices.extend(self.steps(rollout, old, &new.steps)?);
        }
        Some(splices)
    }

    /// Another text in the same quotes.
    fn scalar(&self, scalar: &Tree, text: &str) -> Option<Splice> {
        let Kind::Scalar { style, .. } = &scalar.kind else { return None };
        let text = match style {
            Style::Double => json(text),
            Style::Single => format!("'{}'", text.replace('\'', "''")),
            Style::Plain => self.name(text),
            Style::Literal | Style::Other => return None,
        };
        Some(Splice { range: scalar.span.clone(), text })
    }

    fn stopped(&self, version: &Tree, stopped: bool) -> Option<Vec<Splice>> {
        if let Some(value) = version.get("stopped") {
            let is_scalar = matches!(value.kind, Kind::Scalar { .. });
            return is_scalar.then(|| vec![Splice { range: value.span.clone(), text: stopped.to_string() }]);
        }
        let Kind::Object { members, layout } = &version.kind else { return None };
        let last = members.last()?;
        Some(self.add_member(*layout, last, &format!("{}: {stopped}", self.name("stopped"))))
    }

    fn steps(&self, rollout: &Tree, old: &Plan, steps: &[Step]) -> Option<Vec<Splice>> {
        let Kind::Object { members, layout } = &rollout.kind else { return None };
        match old.written {
            Written::Steps => self.edit_steps(rollout.member("steps")?, &old.steps, steps),
            Written::Split => {
                let split = rollout.member("split")?;
                let range = split.key_span.start..split.value.span.end;
                // What stands behind the split in its line is about the split, and stays beside it.
                let (held, added) = steps.split_at_checked(match layout {
                    Layout::Block { .. } => old.steps.len().max(1),
                    Layout::Flow => steps.len(),
                })?;
                let begins_line = begins_line(self.text, range.start);
                let text = self.steps_member(rollout, *layout, range.start, begins_line, held);
                let mut splices = vec![Splice { range: range.clone(), text }];
                if let Layout::Block { column } = layout {
                    let dash = self.dash_column(rollout, *column);
                    let lines: String =
                        added.iter().map(|step| self.dashed(dash, &self.step(step))).collect();
                    if !lines.is_empty() {
                        splices.push(Splice::insert(line_end(self.text, range.end), lines));
                    }
                }
                Some(splices)
            }
            Written::Nothing => {
                let after = rollout.member("versions").or(members.last())?;
                let begins_line = begins_line(self.text, after.key_span.start);
                let member = self.steps_member(rollout, *layout, after.key_span.start, begins_line, steps);
                Some(self.add_member(*layout, after, &member))
            }
        }
    }

    /// Changes an existing list: what is the same before and after the difference is not touched.
    fn edit_steps(&self, member: &Member, old: &[Step], new: &[Step]) -> Option<Vec<Splice>> {
        let Kind::List { items, layout } = &member.value.kind else { return None };
        if items.len() != old.len() {
            return None;
        }
        let prefix = old.iter().zip(new).take_while(|(a, b)| a == b).count();
        let most = old.len().min(new.len()) - prefix;
        let suffix = old.iter().rev().zip(new.iter().rev()).take(most).take_while(|(a, b)| a == b).count();
        let (gone, added) = (items.get(prefix..items.len() - suffix)?, new.get(prefix..new.len() - suffix)?);
        let added: Vec<String> = added.iter().map(|step| self.step(step)).collect();
        if items.is_empty() {
            let start = member.key_span.start;
            let list = self.flow_list(start, begins_line(self.text, start), &added);
            return Some(vec![Splice { range: member.value.span.clone(), text: list }]);
        }
        let separator = match layout {
            Layout::Block { column } => self.dashed(*column, ""),
            Layout::Flow => format!(",{}", self.flow_break(items, items.first()?)),
        };
        let before = prefix.checked_sub(1).and_then(|at| items.get(at));
        let after = items.get(items.len() - suffix);
        Some(match (gone, added.as_slice(), before, after) {
            ([first, .., last] | [first @ last], [_, ..], ..) => {
                vec![Splice { range: first.span.start..last.span.end, text: added.join(&separator) }]
            }
            ([], [_, ..], Some(before), None) => match layout {
                Layout::Block { column } => {
                    let lines = added.iter().map(|step| self.dashed(*column, step)).collect();
                    vec![Splice::insert(line_end(self.text, before.span.end), lines)]
                }
                Layout::Flow => self.flow_after(before.span.end, &self.flow_break(items, before), &added),
            },
            ([], [_, ..], _, Some(after)) => {
                vec![Splice::insert(after.span.start, format!("{}{separator}", added.join(&separator)))]
            }
            ([.., last], [], Some(before), _) => {
                let end = |item: &Tree| match layout {
                    Layout::Block { .. } => line_end(self.text, item.span.end),
                    Layout::Flow => item.span.end,
                };
                vec![Splice { range: end(before)..end(last), text: String::new() }]
            }
            ([first, ..], [], None, Some(after)) => {
                vec![Splice { range: first.span.start..after.span.start, text: String::new() }]
            }
            _ => return None,
        })
    }

    /// `steps` and its list, as a member that begins at a place.
    fn steps_member(
        &self,
        rollout: &Tree,
        layout: Layout,
        at: usize,
        begins_line: bool,
        steps: &[Step],
    ) -> String {
        let steps: Vec<String> = steps.iter().map(|step| self.step(step)).collect();
        match layout {
            Layout::Flow => format!("{}: {}", self.name("steps"), self.flow_list(at, begins_line, &steps)),
            Layout::Block { column } => {
                let dash = self.dash_column(rollout, column);
                let lines: String = steps.iter().map(|step| self.dashed(dash, step)).collect();
                format!("{}:{lines}", self.name("steps"))
            }
        }
    }

    /// A list between brackets, an item a line where the place it stands at has lines of its own.
    fn flow_list(&self, at: usize, begins_line: bool, items: &[String]) -> String {
        if !begins_line {
            return format!("[{}]", items.join(", "));
        }
        let outer = indent_of(self.text, at);
        let unit = if outer.ends_with('\t') { "\t" } else { "  " };
        let newline = newline(self.text);
        let inner = format!("{newline}{outer}{unit}");
        format!("[{inner}{}{newline}{outer}]", items.join(&format!(",{inner}")))
    }

    /// What stands between one item's comma and the next item.
    fn flow_break(&self, items: &[Tree], item: &Tree) -> String {
        if begins_line(self.text, item.span.start) {
            return format!("{}{}", newline(self.text), indent_of(self.text, item.span.start));
        }
        let Some(first) = items.first().filter(|_| self.text.trim_end().contains('\n')) else {
            return " ".to_owned();
        };
        let before = self.text.get(line_start(self.text, first.span.start)..first.span.start);
        let column = before.unwrap_or_default().chars().map(|c| if c == '\t' { '\t' } else { ' ' });
        format!("{}{}", newline(self.text), column.collect::<String>())
    }

    /// Items after another. A comment behind that one stays behind it.
    fn flow_after(&self, end: usize, line_break: &str, items: &[String]) -> Vec<Splice> {
        let line = line_end(self.text, end);
        let rest = self.text.get(end..line).unwrap_or_default().trim_start();
        let behind_comma = rest.strip_prefix(',');
        let is_comment = self.syntax == Syntax::Yaml && line_break.contains('\n') && {
            behind_comma.unwrap_or(rest).trim_start().starts_with('#')
        };
        let between = |item: &String| format!(",{line_break}{item}");
        if !is_comment {
            return vec![Splice::insert(end, items.iter().map(between).collect())];
        }
        let lines = items.join(&format!(",{line_break}"));
        if behind_comma.is_some() {
            return vec![Splice::insert(line, format!("{line_break}{lines},"))];
        }
        vec![Splice::insert(end, ",".to_owned()), Splice::insert(line, format!("{line_break}{lines}"))]
    }

    fn add_member(&self, layout: Layout, after: &Member, member: &str) -> Vec<Splice> {
        let end = after.value.span.end;
        match layout {
            Layout::Block { column } => {
                let line = format!("{}{}{member}", newline(self.text), " ".repeat(column));
                vec![Splice::insert(line_end(self.text, end), line)]
            }
            Layout::Flow => {
                let start = after.key_span.start;
                let line_break = if begins_line(self.text, start) {
                    format!("{}{}", newline(self.text), indent_of(self.text, start))
                } else {
                    " ".to_owned()
                };
                self.flow_after(end, &line_break, &[member.to_owned()])
            }
        }
    }

    /// A block's dashes stand where those of the versions do.
    fn dash_column(&self, rollout: &Tree, column: usize) -> usize {
        match rollout.get("versions").map(|versions| &versions.kind) {
            Some(Kind::List { layout: Layout::Block { column }, .. }) => *column,
            _ => column + 2,
        }
    }

    fn dashed(&self, column: usize, item: &str) -> String {
        format!("{}{}- {item}", newline(self.text), " ".repeat(column))
    }

    fn step(&self, step: &Step) -> String {
        let shares: Vec<String> = step
            .shares
            .iter()
            .map(|(name, parts)| format!("{}: {}", self.name(name), percent(*parts)))
            .collect();
        let (at, of) = (self.name("at"), self.name("percent"));
        format!("{{{at}: {}, {of}: {{{}}}}}", json(&rfc3339(step.at)), shares.join(", "))
    }

    /// A name, quoted where it must be.
    fn name(&self, name: &str) -> String {
        let is_plain = name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
            && !YAML_WORDS.contains(&name.to_ascii_lowercase().as_str());
        if self.syntax == Syntax::Yaml && is_plain { name.to_owned() } else { json(name) }
    }
}

/// A JSON string, which is one of YAML's too.
fn json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
