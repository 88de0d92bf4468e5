use super::{Entry, Neighbours, Tree, Unreadable, join};

/// Files in memory.
struct Files(&'static [&'static str]);

impl Neighbours for Files {
    fn read(&self, path: &str, _: Option<&str>) -> Result<Vec<u8>, Unreadable> {
        self.0
            .iter()
            .find(|file| **file == path)
            .map(|file| file.as_bytes().to_vec())
            .ok_or(Unreadable::Missing)
    }

    fn list(&self, folder: &str, _: Option<&str>) -> Result<Vec<Entry>, Unreadable> {
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let below = self.0.iter().filter_map(|file| file.strip_prefix(prefix.as_str()));
        Ok(below
            .map(|rest| match rest.split_once('/') {
                Some((name, _)) => Entry { name: name.to_owned(), is_folder: true },
                None => Entry { name: rest.to_owned(), is_folder: false },
            })
            .collect())
    }
}

const FILES: Files = Files(&["a.txt", "b.txt", "sub/c.txt", "sub/deep/d.txt", "../out.txt"]);

#[test]
fn references_stay_in_the_folder_of_the_set() {
    let tree = Tree::new(&FILES, false);
    assert_eq!(tree.text("", "file://a.txt").unwrap(), "a.txt");
    assert_eq!(tree.text("sub", "./deep/../c.txt").unwrap(), "sub/c.txt");
    assert_eq!(tree.text("sub", "../a.txt").unwrap(), "a.txt");
    for path in [
        "../out.txt",
        "sub/../../out.txt",
        "/etc/passwd",
        "file:///etc/passwd",
        "\\\\host\\x",
        "C:\\x",
        "../../../etc/passwd",
    ] {
        assert!(tree.text("", path).unwrap_err().contains("outside"), "{path}");
    }
    assert_eq!(tree.text("", "none.txt").unwrap_err(), "does not exist");
    assert!(tree.text("", "a\0").is_err());
    assert_eq!(Tree::new(&FILES, true).text("", "../out.txt").unwrap(), "../out.txt");
}

#[test]
fn patterns_find_files() {
    let tree = Tree::new(&FILES, false);
    assert_eq!(tree.matching("", "*.txt").unwrap(), ["a.txt", "b.txt"]);
    assert_eq!(tree.matching("", "**/*.txt").unwrap(), ["a.txt", "b.txt", "sub/c.txt", "sub/deep/d.txt"]);
    assert_eq!(tree.matching("", "file://sub/*").unwrap(), ["sub/c.txt"]);
    assert_eq!(tree.matching("sub", "{c,x}.txt").unwrap(), ["sub/c.txt"]);
    assert!(tree.matching("", "../*").is_err());
    assert!(tree.has("", "sub/c.txt") && !tree.has("", "sub") && !tree.has("", "x"));
}

#[test]
fn paths_are_joined() {
    assert_eq!(join("a/b", "../c"), "a/c");
    assert_eq!(join("", "../../c"), "../../c");
    assert_eq!(join("/x", "./y"), "/x/y");
}
