//! Runs the tool as its users do, each test in a folder of its own.

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What a run left behind.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

/// A folder in which the tool runs.
pub struct Folder {
    pub path: PathBuf,
    /// Where programs are looked for, before those of the machine.
    programs: Option<PathBuf>,
}

impl Folder {
    pub fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).expect("a folder can be made");
        Self { path, programs: None }
    }

    /// The folder of tests whose files have names of their own.
    pub fn shared() -> Self {
        Self { path: PathBuf::from(env!("CARGO_TARGET_TMPDIR")), programs: None }
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path.join(name), text).expect("a file can be written");
    }

    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path.join(name)).expect("a file can be read")
    }

    /// Puts a program in front of those of the machine.
    pub fn program(&mut self, name: &str, script: &str) {
        use std::os::unix::fs::PermissionsExt;
        let programs = self.path.join("bin");
        std::fs::create_dir_all(&programs).expect("a folder can be made");
        let file = programs.join(name);
        std::fs::write(&file, script).expect("a script can be written");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).expect("it can be made one");
        self.programs = Some(programs);
    }

    pub fn run(&self, args: &[&str]) -> Ran {
        self.run_with_input(args, b"")
    }

    /// A run that finds no program of the machine.
    pub fn run_alone(&self, args: &[&str]) -> Ran {
        let programs = self.programs.clone().unwrap_or_default();
        self.run_where(args, b"", Some(programs.into()))
    }

    pub fn run_with_input(&self, args: &[&str], input: &[u8]) -> Ran {
        let path = self.programs.as_ref().map(|programs| {
            let mut path = OsString::from(programs);
            path.push(":");
            path.push(std::env::var_os("PATH").unwrap_or_default());
            path
        });
        self.run_where(args, input, path)
    }

    fn run_where(&self, args: &[&str], input: &[u8], path: Option<OsString>) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_llm-canary"));
        path.map(|path| command.env("PATH", path));
        let mut child = command
            .args(args)
            .current_dir(&self.path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the tool starts");
        // A tool that needs no input may be gone already.
        let _ = child.stdin.take().expect("stdin is piped").write_all(input);
        let done = child.wait_with_output().expect("the tool ends");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("output is UTF-8");
        Ran { code: done.status.code(), out: text(done.stdout), err: text(done.stderr) }
    }

    /// A run that does what it was asked to.
    #[track_caller]
    pub fn fine(&self, args: &[&str]) -> Ran {
        let ran = self.run(args);
        assert_eq!(ran.code, Some(0), "{args:?}: {ran:?}");
        ran
    }

    /// A run that is refused with these words.
    #[track_caller]
    pub fn refused(&self, args: &[&str], words: &str) {
        let ran = self.run(args);
        assert!(ran.code == Some(2) && ran.out.is_empty() && ran.err.contains(words), "{args:?}: {ran:?}");
    }
}

pub fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).expect(text)
}
