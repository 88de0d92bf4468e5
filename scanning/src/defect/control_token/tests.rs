//! Tokens that are used, and the same ones that are named.

use super::super::{AnswerEnd, Defect, Defects};
use super::*;

fn is_found(text: &str) -> bool {
    let mut defects = Defects::default();
    defects.answer(text.as_bytes());
    defects.finish(AnswerEnd { is_complete: true, is_cut: false }).has(Defect::ControlToken)
}

#[test]
fn by_what_is_around_it() {
    for (text, expected) in [
        ("Paris.{}", true),
        ("Paris. {}", true),
        ("Paris{}", true),
        ("Paris.\n{}", true),
        ("Paris.\n{}\nRome.", true),
        ("Paris.{}Rome.", true),
        ("Paris.{} Rome.", true),
        ("{}", true),
        ("\n\n{}\n", true),
        ("**Paris**{}", true),
        ("`Paris`{}", true),
        ("巴黎。{}", true),
        ("```\nParis\n```\n{}", true),
        ("```\nParis\n{}", true),
        ("the `{}` token", false),
        ("```\n{}\n```", false),
        ("\"{}\" is it", false),
        ("It is “{}”.", false),
        ("({})", false),
        ("the {} token", false),
        ("use {}, then", false),
        ("- {}: the end", false),
        ("| a | {} |", false),
        ("1. {} ends it", false),
        ("text...{}...", false),
        ("令牌{}表示结束", false),
        ("    {}\n    x\n\nA block.", false),
    ] {
        for token in ["<|im_end|>", "</think>", "<end_of_turn>", "<｜end▁of▁sentence｜>"] {
            assert_eq!(is_found(&text.replace("{}", token)), expected, "{text:?} with {token}");
        }
    }
}

#[test]
fn what_only_looks_like_one() {
    for text in [
        "<|>",
        "<||>",
        "<b>bold</b>",
        "a <| b |> c",
        "[INSTALL]",
        "[1]",
        "x[INST",
        "<",
        "[",
        "<|im_end",
        "<think",
        "<s>old</s>",
        "List<String>",
        "[ARGS]",
        "[PAD]",
        "<pad>",
        "<0x>",
        "<extra_id_>",
        "[[-f x]]",
        "</end>",
        "<unused>",
        "<think/ >",
        "<<SYS",
        "<unusually>",
        "a<b>c",
        "<tool>",
        "<answer>42</answer>",
        "|im_end|>",
    ] {
        assert!(!is_found(text), "{text}");
    }
}

#[test]
fn names_of_tools() {
    for (name, expected) in [
        ("get_weather", false),
        ("mcp__server.read-file:v2/x", false),
        ("найти", false),
        ("get<|channel|>commentary", true),
        ("search<｜tool▁sep｜>", true),
        ("[TOOL_CALLS]f", true),
    ] {
        assert_eq!(is_in_name(name.as_bytes()), expected, "{name}");
    }
}
