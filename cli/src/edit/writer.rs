//! Turns a changed schedule into edits of the text.
//!
//! In: the text, the rollout's tree, the schedule before and after. Out: text edits. Only lines that differ are
//! replaced. A new step is one line, indented as the steps beside it.

use super::schedule::{Schedule, Step, StepsForm};
use super::spanned::{
    Content, Layout, Member, Quoting, SpannedNode, Syntax, begins_line, indent_of, line_end, line_start,
    newline,
};
use super::text_edit::TextEdit;
use llm_canary::split::percent;
use llm_canary::timestamp::rfc3339;

/// Words that YAML 1.1 does not read as text. `kubectl` reads YAML 1.1.
const YAML_WORDS: [&str; 10] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan"];

/// Writes the changes of one rollout into its text.
pub(super) struct RolloutWriter<'a> {
    pub(super) text: &'a str,
    pub(super) syntax: Syntax,
}

impl RolloutWriter<'_> {
    /// The edits that lead from one schedule to the other; `None` if the text uses a notation that cannot be edited.
    pub(super) fn edits(
        &self,
        rollout: &SpannedNode,
        old: &Schedule,
        new: &Schedule,
    ) -> Option<Vec<TextEdit>> {
        let mut edits = Vec::new();
        if old.baseline != new.baseline {
            edits.push(self.replace_scalar(rollout.get("baseline")?, &new.baseline)?);
        }
        let versions = rollout.get("versions")?.items();
        for (version, (before, after)) in versions.iter().zip(old.versions.iter().zip(&new.versions)) {
            if before != after {
                edits.extend(self.set_stopped(version, after.1)?);
            }
        }
        if old.steps != new.steps || old.form != new.form {
            edits.extend(self.steps(rollout, old, &new.steps)?);
        }
        Some(edits)
    }

    /// Replaces a scalar, in the same quotes.
    fn replace_scalar(&self, scalar: &SpannedNode, text: &str) -> Option<TextEdit> {
        let Content::Scalar { quoting, .. } = &scalar.content else { return None };
        let text = match quoting {
            Quoting::Double => json(text),
            Quoting::Single => format!("'{}'", text.replace('\'', "''")),
            Quoting::Plain => self.name(text),
            Quoting::Literal | Quoting::Folded => return None,
        };
        Some(TextEdit { range: scalar.span.clone(), text })
    }

    fn set_stopped(&self, version: &SpannedNode, stopped: bool) -> Option<Vec<TextEdit>> {
        if let Some(value) = version.get("stopped") {
            let is_scalar = matches!(value.content, Content::Scalar { .. });
            return is_scalar
                .then(|| vec![TextEdit { range: value.span.clone(), text: stopped.to_string() }]);
        }
        let Content::Object { members, layout } = &version.content else { return None };
        let last = members.last()?;
        Some(self.add_member(*layout, last, &format!("{}: {stopped}", self.name("stopped"))))
    }

    fn steps(&self, rollout: &SpannedNode, old: &Schedule, steps: &[Step]) -> Option<Vec<TextEdit>> {
        let Content::Object { members, layout } = &rollout.content else { return None };
        match old.form {
            StepsForm::Steps => self.edit_steps(rollout.member("steps")?, &old.steps, steps),
            StepsForm::Split => {
                let split = rollout.member("split")?;
                let range = split.key_span.start..split.value.span.end;
                // A comment after the split is about the split. It stays beside the step that replaces it.
                let (held, added) = steps.split_at_checked(match layout {
                    Layout::Block { .. } => old.steps.len().max(1),
                    Layout::Flow => steps.len(),
                })?;
                let begins_line = begins_line(self.text, range.start);
                let text = self.steps_member(rollout, *layout, range.start, begins_line, held);
                let mut edits = vec![TextEdit { range: range.clone(), text }];
                if let Layout::Block { column } = layout {
                    let dash = self.dash_column(rollout, *column);
                    let lines: String =
                        added.iter().map(|step| self.dashed(dash, &self.step(step))).collect();
                    if !lines.is_empty() {
                        edits.push(TextEdit::insert(line_end(self.text, range.end), lines));
                    }
                }
                Some(edits)
            }
            StepsForm::Absent => {
                let after = rollout.member("versions").or(members.last())?;
                let begins_line = begins_line(self.text, after.key_span.start);
                let member = self.steps_member(rollout, *layout, after.key_span.start, begins_line, steps);
                Some(self.add_member(*layout, after, &member))
            }
        }
    }

    /// Edits an existing list. Equal steps at the beginning and at the end are not touched.
    fn edit_steps(&self, member: &Member, old: &[Step], new: &[Step]) -> Option<Vec<TextEdit>> {
        let Content::List { items, layout } = &member.value.content else { return None };
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
            return Some(vec![TextEdit { range: member.value.span.clone(), text: list }]);
        }
        let separator = match layout {
            Layout::Block { column } => self.dashed(*column, ""),
            Layout::Flow => format!(",{}", self.flow_break(items, items.first()?)),
        };
        let before = prefix.checked_sub(1).and_then(|at| items.get(at));
        let after = items.get(items.len() - suffix);
        Some(match (gone, added.as_slice(), before, after) {
            ([first, .., last] | [first @ last], [_, ..], ..) => {
                vec![TextEdit { range: first.span.start..last.span.end, text: added.join(&separator) }]
            }
            ([], [_, ..], Some(before), None) => match layout {
                Layout::Block { column } => {
                    let lines = added.iter().map(|step| self.dashed(*column, step)).collect();
                    vec![TextEdit::insert(line_end(self.text, before.span.end), lines)]
                }
                Layout::Flow => self.flow_after(before.span.end, &self.flow_break(items, before), &added),
            },
            ([], [_, ..], _, Some(after)) => {
                vec![TextEdit::insert(after.span.start, format!("{}{separator}", added.join(&separator)))]
            }
            ([.., last], [], Some(before), _) => {
                let end = |item: &SpannedNode| match layout {
                    Layout::Block { .. } => line_end(self.text, item.span.end),
                    Layout::Flow => item.span.end,
                };
                vec![TextEdit { range: end(before)..end(last), text: String::new() }]
            }
            ([first, ..], [], None, Some(after)) => {
                vec![TextEdit { range: first.span.start..after.span.start, text: String::new() }]
            }
            _ => return None,
        })
    }

    /// The member `steps`, written at an offset.
    fn steps_member(
        &self,
        rollout: &SpannedNode,
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

    /// A list in brackets; one item a line if the list's member begins a line.
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

    /// The white space between an item's comma and the next item.
    fn flow_break(&self, items: &[SpannedNode], item: &SpannedNode) -> String {
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

    /// Adds items after another one. A comment after that one stays there.
    fn flow_after(&self, end: usize, line_break: &str, items: &[String]) -> Vec<TextEdit> {
        let line = line_end(self.text, end);
        let rest = self.text.get(end..line).unwrap_or_default().trim_start();
        let after_comma = rest.strip_prefix(',');
        let is_comment = self.syntax == Syntax::Yaml && line_break.contains('\n') && {
            after_comma.unwrap_or(rest).trim_start().starts_with('#')
        };
        let between = |item: &String| format!(",{line_break}{item}");
        if !is_comment {
            return vec![TextEdit::insert(end, items.iter().map(between).collect())];
        }
        let lines = items.join(&format!(",{line_break}"));
        if after_comma.is_some() {
            return vec![TextEdit::insert(line, format!("{line_break}{lines},"))];
        }
        vec![TextEdit::insert(end, ",".to_owned()), TextEdit::insert(line, format!("{line_break}{lines}"))]
    }

    fn add_member(&self, layout: Layout, after: &Member, member: &str) -> Vec<TextEdit> {
        let end = after.value.span.end;
        match layout {
            Layout::Block { column } => {
                let line = format!("{}{}{member}", newline(self.text), " ".repeat(column));
                vec![TextEdit::insert(line_end(self.text, end), line)]
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

    /// The column for the dashes of a new block: that of the versions' dashes.
    fn dash_column(&self, rollout: &SpannedNode, column: usize) -> usize {
        match rollout.get("versions").map(|versions| &versions.content) {
            Some(Content::List { layout: Layout::Block { column }, .. }) => *column,
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

    /// A name, quoted if YAML requires it.
    fn name(&self, name: &str) -> String {
        let is_plain = name.starts_with(|c: char| c.is_ascii_alphabetic())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
            && !YAML_WORDS.contains(&name.to_ascii_lowercase().as_str());
        if self.syntax == Syntax::Yaml && is_plain { name.to_owned() } else { json(name) }
    }
}

/// A JSON string, which YAML reads too.
fn json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
