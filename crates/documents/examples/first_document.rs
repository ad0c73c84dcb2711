//! Prints how long the first document of a process waits for tables and expressions.
#![expect(clippy::print_stdout, reason = "an example")]

use std::time::Instant;

use compartment_documents::entities::mentions;

fn main() {
    let text =
        "Roe v. Mills, 410 U.S. 113, 115 (1973); 42 U.S.C. § 1983; Id. at 116. In re Doe, supra.";
    for which in ["first", "second"] {
        let started = Instant::now();
        let found = mentions(text).len();
        println!("{which} document: {found} mentions in {:?}", started.elapsed());
    }
}
