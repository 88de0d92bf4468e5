//! Links the unwinder of GCC into the shared library: an image of Envoy without libgcc_s can load it.

use std::path::Path;
use std::process::Command;

const ARCHIVE: &str = "libgcc_eh.a";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=LLM_CANARY_NATIVE_CC");
    // Only build.sh asks for it: tests run on the machine that builds them.
    let Ok(compiler) = std::env::var("LLM_CANARY_NATIVE_CC") else { return };
    let asked = Command::new(&compiler).arg(format!("-print-file-name={ARCHIVE}")).output();
    let path = asked.ok().and_then(|answer| String::from_utf8(answer.stdout).ok()).unwrap_or_default();
    match Path::new(path.trim()).parent().filter(|folder| folder.is_absolute()) {
        Some(folder) => {
            println!("cargo::rustc-link-search=native={}", folder.display());
            println!("cargo::rustc-link-lib=static:+whole-archive=gcc_eh");
        }
        None => println!("cargo::error={compiler} has no {ARCHIVE}"),
    }
}
