#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| llm_canary_fuzz::run("defects", bytes));
