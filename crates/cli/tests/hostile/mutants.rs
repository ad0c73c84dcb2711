//! Damaged papers by the thousand: none of them ends the reader, and each process is as good as the one before.

use compartment_documents::ExtractOptions;
use compartment_documents::reader::{Reader, ReaderLimits, ReaderProgram};

use super::papers;

/// Damaged copies of each paper.
pub(super) const MUTANTS: usize = 2_000;

/// Damages a paper: bytes that change, parts that are repeated, moved or cut. Equal in every run.
pub(super) struct Damage(u64);

impl Damage {
    pub(super) fn new() -> Self {
        Self(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, end: usize) -> usize {
        // xorshift64
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % end.max(1)
    }

    pub(super) fn copy_of(&mut self, paper: &[u8]) -> Vec<u8> {
        let mut bytes = paper.to_vec();
        for _ in 0..=self.below(5) {
            let at = self.below(bytes.len());
            let length = self.below(40).min(bytes.len() - at);
            match self.below(4) {
                0 => bytes[at] = self.below(256) as u8,
                1 => {
                    let part = bytes[at..at + length].repeat(1 + self.below(50));
                    bytes.splice(at..at, part);
                }
                2 => bytes.rotate_left(length),
                _ => drop(bytes.drain(at..at + length)),
            }
            if bytes.is_empty() {
                bytes.push(b'x');
            }
        }
        bytes
    }
}

#[test]
fn no_damaged_paper_leaves_its_process() {
    let program = ReaderProgram::new(env!("CARGO_BIN_EXE_compartment"), ["read-documents"]);
    let reader = Reader::in_children(program, ReaderLimits::default());
    let mut options = ExtractOptions::default();
    options.ocr = false;
    let text = crate::program::paper(1);
    let html =
        format!("<!DOCTYPE html><html><body><table><tr><td>{text}</td></table><nav hidden>x");
    let pdf = papers::ordinary();
    for (name, paper) in [("a.txt", text.as_bytes()), ("a.html", html.as_bytes()), ("a.pdf", &pdf)]
    {
        let mut damage = Damage::new();
        let mut read = 0;
        for number in 0..MUTANTS {
            match reader.read(&damage.copy_of(paper), name, &options) {
                Ok(_) => read += 1,
                // A crash or a hang would be a finding about the parser, and no harm to this process.
                Err(error) => assert!(!error.is_transient(), "{name}, mutant {number}: {error}"),
            }
        }
        assert!(read > 0, "{name}: every copy is too damaged to say anything");
        reader.read(paper, name, &options).unwrap();
    }
}
