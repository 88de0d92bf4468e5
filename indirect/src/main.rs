//! `llm-canary-indirect IN.wasm OUT.wasm`: see the library.

use std::process::ExitCode;

use llm_canary_indirect::indirect;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    let [input, output] = arguments.as_slice() else {
        return fail("usage: llm-canary-indirect IN.wasm OUT.wasm");
    };
    let written = std::fs::read(input)
        .map_err(|error| format!("{}: {error}", input.display()))
        .and_then(|module| indirect(&module).map_err(|error| format!("{}: {error}", input.display())))
        .and_then(|module| {
            std::fs::write(output, module).map_err(|error| format!("{}: {error}", output.display()))
        });
    match written {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&format!("error: {error}")),
    }
}

#[expect(clippy::print_stderr, reason = "a command's messages")]
fn fail(message: &str) -> ExitCode {
    eprintln!("{message}");
    ExitCode::FAILURE
}
