//! What keeps a file from being read, and what to do about it.

use crate::error::io_words;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;

/// What stands where a file should, if it is none. Some of these would be waited for in silence.
pub(super) fn what_is_no_file(kind: fs::FileType) -> Option<&'static str> {
    if kind.is_fifo() {
        Some("a pipe")
    } else if kind.is_socket() {
        Some("a socket")
    } else if kind.is_char_device() || kind.is_block_device() {
        Some("a device")
    } else {
        None
    }
}

/// Why a file cannot be read, without its subject, and what to do about it.
pub(crate) fn cannot_read(path: &Path, error: &io::Error) -> String {
    if error.kind() != ErrorKind::PermissionDenied {
        return io_words(error);
    }
    match fs::metadata(path) {
        Ok(meta) => format!(
            "may not be read by this user: it belongs to the user with the number (uid) {}, with the mode {:03o}. Run the command as \
             that user, or let this user read the file (chmod, setfacl)",
            meta.uid(),
            meta.mode() & 0o7777
        ),
        Err(_) => "is in a folder that this user may not enter. Run the command as a user who may, or let this user in (chmod, \
                   setfacl)"
            .to_owned(),
    }
}

/// What there is under a name that is no file, such as a folder or a device; `None` for a file, and for nothing.
pub(crate) fn kind_of_no_file(path: &Path) -> Option<&'static str> {
    let kind = fs::metadata(path).ok()?.file_type();
    if kind.is_dir() { Some("a folder") } else { what_is_no_file(kind) }
}
