//! Any texts and calls as an answer: its defects are the same however the texts are cut, and an empty answer has no other.

use llm_canary::defect::{AnswerEnd, Arguments, Asked, Defect, DefectSet, Defects};
use llm_canary::request_facts::RequestReader;

use super::input::{Cuts, Input};

/// No UTF-8 has this byte. What follows it up to the next one is one step.
const STEP: u8 = 0xFF;

struct Case<'b> {
    asked: Option<Asked>,
    end: AnswerEnd,
    steps: Vec<&'b [u8]>,
}

impl Case<'_> {
    fn found(&self, cuts: Option<&Cuts>) -> DefectSet {
        let asked = self.asked.clone().unwrap_or_default();
        let mut defects = Defects::new(asked.json);
        for step in &self.steps {
            let Some((kind, text)) = step.split_first() else { continue };
            let pieces: Vec<&[u8]> = cuts.map_or_else(|| vec![text], |cuts| cuts.pieces(text).collect());
            match kind % 8 {
                1 => pieces.iter().for_each(|piece| defects.reasoning(piece)),
                2 => defects.call(asked.name_faults(text)),
                3 => {
                    let mut arguments = Arguments::default();
                    pieces.iter().for_each(|piece| arguments.push(piece));
                    defects.end_call(&arguments);
                }
                4 => defects.other(),
                5 => defects.end_item(),
                _ => pieces.iter().for_each(|piece| defects.answer(piece)),
            }
        }
        defects.finish(self.end)
    }
}

/// Steps, then as the last bytes: how texts are cut, how the answer ended, and what was asked for.
pub(crate) fn defects(bytes: &[u8]) {
    let mut input = Input(bytes);
    let cuts = Cuts::of(&mut input);
    let end = AnswerEnd { is_complete: !input.flag(), is_cut: input.flag() };
    let mut asked = input.flag().then(|| Asked { json: input.flag(), ..Asked::default() });
    let names = input.byte();
    if let Some(asked) = &mut asked {
        (0..names).for_each(|name| asked.names.add(&[b'f', name]));
    }
    let body = input.rest();
    let case = Case { asked, end, steps: body.split(|&byte| byte == STEP).collect() };
    let whole = case.found(None);
    assert_eq!(case.found(Some(&cuts)), whole, "cut, it has other defects than whole");

    let has = |defect| whole.has(defect);
    assert!(!(has(Defect::Empty) && has(Defect::ReasoningOnly)), "{whole:?}");
    let is_without_text = has(Defect::Empty) || has(Defect::ReasoningOnly);
    let of_text = [Defect::MixedScript, Defect::ReplacementChar];
    assert!(!(is_without_text && of_text.into_iter().any(has)), "{whole:?}");
    assert!(!has(Defect::JsonMissing) || case.asked.as_ref().is_some_and(|asked| asked.json), "{whole:?}");
    assert!(!has(Defect::ToolNameUnknown) || case.asked.is_some() && names > 0, "{whole:?}");
    reads_what_is_asked_for(body, &cuts);
}

fn reads_what_is_asked_for(body: &[u8], cuts: &Cuts) {
    let read = |pieces: &mut dyn Iterator<Item = &[u8]>| {
        let mut reader = RequestReader::new(true);
        pieces.for_each(|piece| reader.push(piece));
        (reader.facts(), reader.asked().map(|asked| asked.names.is_unknown(b"f")))
    };
    assert_eq!(read(&mut cuts.pieces(body)), read(&mut [body].into_iter()));
}
