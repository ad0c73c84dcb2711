//! The journal of a migration: it has the names before they move, and the outcomes afterwards.
//!
//! It consists of lines of text. The first is the header as JSON; then steps for the operator after
//! `#`; then, for each page of keys:
//!
//! ```text
//! > 17 5b2c9d01 0:page:1 0+page:2 1:celery     page 17, its checksum, rule:name of each key
//! < 17 1-conflict 2-gone                       done, but for the second and third
//! ```
//!
//! and at the end `= {…}`, the report as JSON, or `u {…}` after an undo. Names are written by
//! [`crate::escape`]. A page without its last line was in progress when the run was interrupted. A
//! last line without a newline was being written, and none of its keys has been touched.
//!
//! A `+` marks a key that its target has already. A key that is in both places after an interruption is
//! therefore known to be a copy of this migration, or to be the target's own.
//!
//! With a feed, there are further lines. `o` instead of `>` begins a page of keys that are copied over the
//! targets' values, and about which nothing is marked. `s` has the `Life` of the source's server (run id, number of
//! evicted keys). `m` has copied keys with a mark of each (its digest and expiry; `-` for a key that the
//! source no longer has); the last mark of a key counts. `r`, with the `Life` of each target's server, says
//! that the feed ended after the last write to the source. `d` says that an undo has removed from the
//! source the keys that were deleted in the targets.

mod past;
mod writer;

use std::collections::HashSet;
use std::io::Write;
use std::path::{Path, PathBuf};

use compartment_files::LockedFile;
use serde::{Deserialize, Serialize};

use super::{Item, Migration};
use crate::{AdminError, Place, Result, escape};

pub(crate) use past::{Past, PastPage};
pub(crate) use writer::{Outcomes, Writer};

/// Describes a migration, so that it can be resumed and undone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// The version of this format: 1.
    pub compartment_journal: u32,
    /// The source.
    pub source: JournalPlace,
    /// The targets, in the order of the rules' indexes.
    pub targets: Vec<JournalPlace>,
    /// The groups by the index of their rule, each with the index of its target.
    pub groups: Vec<(String, usize)>,
    /// Both forms of a renaming.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rename: Option<(String, String)>,
    /// Whether the keys also stay in their old place.
    pub keep: bool,
}

impl Header {
    /// The header of a migration.
    pub(crate) fn of(migration: &Migration) -> Self {
        let place = |place: &Place| JournalPlace {
            label: place.label().to_owned(),
            server: place.server().url().to_string(),
            index: place.index(),
            prefix: escape(place.prefix()),
        };
        let rename = migration.routes.rename().map(|rename| {
            let (from, to) = rename.forms();
            (from.to_owned(), to.to_owned())
        });
        Self {
            compartment_journal: 1,
            source: place(&migration.source),
            targets: migration.targets.iter().map(place).collect(),
            groups: migration.routes.groups(),
            rename,
            keep: migration.options.keep,
        }
    }
}

/// The identification of a place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JournalPlace {
    /// Its label.
    pub label: String,
    /// The server, any password hidden.
    pub server: String,
    /// Its index.
    pub index: u32,
    /// Prefix of its keys, escaped.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub prefix: String,
}

/// Keys that are written to the journal together.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) number: u64,
    pub(crate) items: Vec<Item>,
    /// Positions of the keys that their targets have already; `None` if the keys are copied over the
    /// targets' values.
    pub(crate) had: Option<HashSet<usize>>,
}

/// FNV-1a: sufficient to detect an incomplete line.
fn checksum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x811c_9dc5, |sum, byte| (sum ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
}

/// A journal file, open for writing.
#[derive(Debug)]
pub(crate) struct Journal {
    pub(super) path: PathBuf,
    pub(super) file: LockedFile,
    /// Number of the next page.
    pub(crate) next_page: u64,
    /// Whether the file existed, so that the run resumes.
    pub(crate) resumed: bool,
}

impl Journal {
    /// Creates the journal, or opens it to resume the same migration.
    pub(crate) fn open(path: &Path, header: &Header, instructions: &[String]) -> Result<Self> {
        if path.exists() {
            let past = Past::open(path)?;
            let file = past.take()?;
            let state = past.state()?;
            if past.header != *header {
                return Err(bad(
                    path,
                    "this journal is of another migration; name another file with --journal",
                ));
            }
            if state.undone || state.deletions_done {
                return Err(bad(path, "this migration was undone: start a new journal"));
            }
            // Discards a line that was being written when the run was interrupted.
            file.set_len(state.whole).map_err(AdminError::file("write", path))?;
            let next_page = state.next_page;
            return Ok(Self { path: path.to_owned(), file, next_page, resumed: true });
        }
        let file = compartment_files::create_new(path).map_err(AdminError::file("create", path))?;
        compartment_files::lock(&file).map_err(AdminError::file("lock", path))?;
        let mut file = LockedFile::new(file);
        let mut text =
            serde_json::to_string(header).map_err(|error| bad(path, &error.to_string()))?;
        for line in instructions.iter().flat_map(|text| text.lines()) {
            text += "\n# ";
            text += line;
        }
        writeln!(file, "{text}")
            .and_then(|()| file.sync_all())
            .map_err(AdminError::file("write", path))?;
        Ok(Self { path: path.to_owned(), file, next_page: 1, resumed: false })
    }
}

fn bad(path: &Path, problem: &str) -> AdminError {
    AdminError::BadFile { path: path.to_owned(), problem: problem.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migrate::Outcome;
    use tokio::sync::mpsc;

    fn header() -> Header {
        let place = |index| JournalPlace {
            label: format!("index {index}"),
            server: "redis://x".into(),
            index,
            prefix: String::new(),
        };
        Header {
            compartment_journal: 1,
            source: place(0),
            targets: vec![place(1)],
            groups: vec![("all".into(), 0)],
            rename: None,
            keep: false,
        }
    }

    fn item(name: &[u8]) -> Item {
        Item { name: name.to_vec(), rule: 0 }
    }

    fn page(number: u64, items: Vec<Item>) -> Page {
        Page { number, items, had: Some(HashSet::new()) }
    }

    async fn write(path: &Path, pages: Vec<Page>, done: &[(u64, Vec<Outcome>)]) {
        let journal = Journal::open(path, &header(), &["do this".into()]).unwrap();
        let (send, pages_in) = mpsc::channel(1);
        let (written, mut out) = mpsc::channel(100);
        let writer = Writer::start(journal, pages_in, written);
        for page in pages {
            send.send(page).await.unwrap();
        }
        drop(send);
        while out.recv().await.is_some() {}
        for (page, outcomes) in done {
            writer.outcomes().done(*page, outcomes.clone());
        }
        writer.finish().await.unwrap();
    }

    fn read(path: &Path) -> Vec<PastPage> {
        let mut pages = Vec::new();
        Past::open(path)
            .unwrap()
            .for_each_page(|page| {
                pages.push(page);
                Ok(())
            })
            .unwrap();
        pages
    }

    #[tokio::test]
    async fn pages_come_back_with_what_became_of_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("j");
        let had = Some(HashSet::from([0, 2]));
        let pages = vec![
            Page {
                had: had.clone(),
                ..page(1, vec![item(b"a b\n"), item(b""), item(b"\xff:\\+")])
            },
            page(2, vec![item(b"late")]),
            Page { had: None, ..page(3, vec![item(b"+over")]) },
        ];
        write(&path, pages, &[(1, vec![Outcome::Done, Outcome::Conflict, Outcome::Gone])]).await;
        let pages = read(&path);
        assert_eq!(pages[0].items, [item(b"a b\n"), item(b""), item(b"\xff:\\+")]);
        let exceptions = pages[0].exceptions.clone().unwrap();
        assert_eq!(exceptions, [(1, "conflict".to_owned()), (2, "gone".to_owned())]);
        assert_eq!(pages[1].items, [item(b"late")]);
        assert!(pages[1].exceptions.is_none(), "it was under way");
        let known: Vec<_> = pages.into_iter().map(|page| page.had).collect();
        assert_eq!(known, [had, Some(HashSet::new()), None]);
    }

    #[tokio::test]
    async fn a_torn_last_line_is_dropped_and_a_damaged_page_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("j");
        let page = page(1, vec![item(b"first")]);
        write(&path, vec![page], &[(1, vec![Outcome::Done])]).await;
        let whole = std::fs::read(&path).unwrap();
        let torn = [whole.as_slice(), b"> 2 00000000 0:seco"].concat();
        std::fs::write(&path, torn).unwrap();
        assert_eq!(read(&path).len(), 1);
        let journal = Journal::open(&path, &header(), &["do this".into()]).unwrap();
        assert_eq!((journal.next_page, journal.resumed), (2, true));
        assert_eq!(std::fs::read(&path).unwrap(), whole);

        let damaged = String::from_utf8(whole).unwrap().replace("first", "fuzst");
        std::fs::write(&path, damaged).unwrap();
        let error = Past::open(&path).unwrap().for_each_page(|_| Ok(())).unwrap_err();
        assert!(error.to_string().contains("damaged"), "{error}");
    }

    #[tokio::test]
    async fn what_is_missing_in_the_middle_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("j");
        let pages = (1..4).map(|number| page(number, vec![item(b"one"), item(b"two")])).collect();
        write(&path, pages, &[(1, vec![Outcome::Done; 2])]).await;
        let text = std::fs::read_to_string(&path).unwrap();
        for number in 1..3 {
            let start = format!("> {number} ");
            let fewer: Vec<&str> = text.lines().filter(|line| !line.starts_with(&start)).collect();
            std::fs::write(&path, fewer.join("\n") + "\n").unwrap();
            let error = Past::open(&path).unwrap().for_each_page(|_| Ok(())).unwrap_err();
            assert!(error.to_string().contains(&format!("page {number} is missing")), "{error}");
        }
        // Within a page: its complete names can be examined.
        let cut = text.find(" 0:two").unwrap() + 4;
        std::fs::write(&path, &text[..cut]).unwrap();
        let torn = Past::open(&path).unwrap().torn_page().unwrap().unwrap();
        assert_eq!((torn.number, torn.items), (1, vec![item(b"one")]));
        // In the header.
        std::fs::write(&path, &text[..40]).unwrap();
        assert!(Past::open(&path).is_err());
        let header = text.lines().next().unwrap();
        std::fs::write(&path, header).unwrap();
        assert!(Past::open(&path).unwrap_err().to_string().contains("cut off"));
    }

    #[test]
    #[cfg(unix)]
    fn a_new_journal_is_its_owners_and_what_is_no_file_is_left_alone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("j");
        Journal::open(&path, &header(), &[]).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        for other in ["/dev/zero", "/"] {
            let error = Journal::open(Path::new(other), &header(), &[]).unwrap_err();
            assert!(error.to_string().contains("not a regular file"), "{error}");
        }
    }

    #[test]
    fn a_journal_of_another_migration_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("j");
        Journal::open(&path, &header(), &["do this".into()]).unwrap();
        let other = Header { keep: true, ..header() };
        assert!(Journal::open(&path, &other, &[]).is_err());
    }
}
