//! Files that cannot be replaced where the tool runs, as in a container: each is refused with a way out.

use crate::tool::Folder;
use std::io::{Write, stderr};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

const CHAT: &str = r#"{"rollouts": [{"name": "chat", "baseline": "v1",
  "versions": [{"name": "v1", "cluster": "a"}, {"name": "v2", "cluster": "b"}]}]}"#;

/// Runs a script in name spaces of its own. `None` if this machine does not let its users make any.
fn in_a_container(folder: &Folder, options: &[&str], script: &str) -> Option<(Option<i32>, String)> {
    let container = |script: &str| {
        let mut command = Command::new("unshare");
        command.arg("--user").args(options).args(["sh", "-ec", script, env!("CARGO_BIN_EXE_llm-canary")]);
        command.current_dir(&folder.path).output()
    };
    if !container("true").is_ok_and(|done| done.status.success()) {
        let _ = writeln!(stderr(), "skipped: unshare --user {} does not work here", options.join(" "));
        return None;
    }
    let done = container(script).expect("it ran before");
    Some((done.status.code(), String::from_utf8_lossy(&done.stderr).into_owned()))
}

#[test]
fn a_file_that_cannot_be_replaced_has_a_way_out() {
    let mounts = &["--map-root-user", "--mount"][..];
    for (name, options, script, words) in [
        (
            "mounted-file",
            mounts,
            "mount --bind chat.json chat.json; exec \"$0\" stop chat.json v2",
            "is mounted by itself, so no new file can take its place. Mount its folder, not the file",
        ),
        (
            "read-only",
            mounts,
            "mount --bind . .; mount -o remount,ro,bind .; cd \"$PWD\"; exec \"$0\" stop chat.json v2",
            "is read-only. Mount it to be written",
        ),
        ("another-user", &[], "exec \"$0\" stop chat.json v2", "this user may not replace files in "),
    ] {
        let folder = Folder::new(&format!("mounts-{name}"));
        folder.write("chat.json", CHAT);
        let mode =
            |mode| std::fs::set_permissions(&folder.path, std::fs::Permissions::from_mode(mode)).unwrap();
        mode(if options.is_empty() { 0o555 } else { 0o755 });
        let ran = in_a_container(&folder, options, script);
        mode(0o755);
        let Some((code, said)) = ran else { continue };
        assert_eq!(code, Some(2), "{name}: {said}");
        let last = said.lines().last().unwrap_or_default();
        assert!(last.starts_with("error: chat.json: cannot be replaced: "), "{name}: {said}");
        assert!(last.contains(words) && last.ends_with("; nothing was changed"), "{name}: {said}");
        assert_eq!(folder.read("chat.json"), CHAT);
        assert_eq!(std::fs::read_dir(&folder.path).unwrap().count(), 1, "no temporary file is left");
    }
}

#[test]
fn a_file_that_may_not_be_read_has_a_way_out() {
    let mode = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    for command in
        ["stop chat.json v2", "check chat.json", "explain chat.json", "simulate --keys chat.json good.json"]
    {
        let folder = Folder::new(&format!("mounts-unreadable-{}", command.len()));
        folder.write("chat.json", CHAT);
        folder.write("good.json", CHAT);
        mode(&folder.path.join("chat.json"), 0o200);
        let script = format!("exec \"$0\" {command}");
        let Some((code, said)) = in_a_container(&folder, &[], &script) else { return };
        let words = "may not be read by this user: it belongs to the user with the number (uid) ";
        assert!(
            code == Some(2) && said.contains(words) && said.contains("with the mode 200. Run the"),
            "{command}: {said}"
        );
        mode(&folder.path.join("chat.json"), 0o600);
    }
}
