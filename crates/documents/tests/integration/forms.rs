//! Forms that were filled in: their values stand in their place, drawn by the file or not.

#![expect(clippy::unwrap_used, reason = "a form that cannot be read is a failed test")]

use std::fmt::Write as _;

use compartment_documents::{ExtractOptions, extract};

/// A PDF of one page with this content and these annotations, each an object.
fn pdf(content: &str, annotations: &[&str], more: &[&str]) -> Vec<u8> {
    let kids: Vec<String> = (0..annotations.len()).map(|at| format!("{} 0 R", 6 + at)).collect();
    let kids = kids.join(" ");
    let mut objects = vec![
        format!(
            "<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [{kids}] /DA (/Helv 10 Tf) >> >>"
        ),
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_owned(),
        format!(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Annots [{kids}] \
             /Resources << /Font << /Helv 5 0 R >> >> >>"
        ),
        format!("<< /Length {} >>\nstream\n{content}\nendstream", content.len()),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"
            .to_owned(),
    ];
    objects.extend(annotations.iter().chain(more).map(|one| (*one).to_owned()));
    let mut file = "%PDF-1.7\n".to_owned();
    let mut places = Vec::new();
    for (at, object) in objects.iter().enumerate() {
        places.push(file.len());
        let _ = write!(file, "{} 0 obj\n{object}\nendobj\n", at + 1);
    }
    let table = file.len();
    let _ = write!(file, "xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1);
    for place in places {
        let _ = writeln!(file, "{place:010} 00000 n ");
    }
    let size = objects.len() + 1;
    let _ = write!(file, "trailer\n<< /Size {size} /Root 1 0 R >>\nstartxref\n{table}\n%%EOF\n");
    file.into_bytes()
}

fn text(content: &str, annotations: &[&str], more: &[&str]) -> String {
    let mut options = ExtractOptions::default();
    options.ocr = false;
    extract(&pdf(content, annotations, more), "form.pdf", &options).unwrap().text
}

/// The labels of a form of three lines, which a clerk would print.
const LABELS: &str = "BT /Helv 10 Tf 72 700 Td (Name of plaintiff:) Tj 0 -30 Td (Court:) Tj \
    0 -30 Td (Jury demanded:) Tj 0 -30 Td (Statement of claim:) Tj ET";

#[test]
fn values_without_an_appearance_stand_in_their_place() {
    let read = text(
        LABELS,
        &[
            "<< /Type /Annot /Subtype /Widget /FT /Tx /T (name) /V (Harborline Shipping, Inc.) /Rect [180 695 400 711] >>",
            "<< /Type /Annot /Subtype /Widget /FT /Ch /T (court) /V (nd) /Opt [[(nd) (Northern District of Ohio)] [(sd) (Southern District of Ohio)]] /Rect [180 665 400 681] >>",
            "<< /Type /Annot /Subtype /Widget /FT /Btn /T (jury) /V /Yes /AS /Yes /Rect [180 635 192 647] >>",
            "<< /Type /Annot /Subtype /Widget /FT /Tx /Ff 4096 /T (claim) /V (The defendant kept the cargo.\\rIt was never paid.) /Rect [180 560 500 620] >>",
        ],
        &[],
    );
    for line in [
        "Name of plaintiff: Harborline Shipping, Inc.",
        "Court: Northern District of Ohio",
        "Jury demanded: [x]",
        "The defendant kept the cargo.\nIt was never paid.",
    ] {
        let plain = |text: &str| text.replace("   ", " ");
        assert!(plain(&read).contains(line), "{line}: {read}");
    }
    assert!(!read.contains("Southern"), "{read}");
}

#[test]
fn a_value_that_the_file_draws_is_there_once() {
    let stream = "/Tx BMC BT /Helv 10 Tf 2 4 Td (Ann Roe) Tj ET EMC";
    let form = format!(
        "<< /Type /XObject /Subtype /Form /BBox [0 0 220 16] /Resources << /Font << /Helv 5 0 R >> >> /Length {} >>\nstream\n{stream}\nendstream",
        stream.len()
    );
    let field = "<< /Type /Annot /Subtype /Widget /FT /Tx /T (name) /V (Ann Roe) /Rect [180 695 400 711] /AP << /N 7 0 R >> >>";
    let read = text(LABELS, &[field], &[&form]);
    assert_eq!(read.matches("Ann Roe").count(), 1, "{read}");
}

#[test]
fn hidden_fields_passwords_buttons_and_empty_boxes_show_nothing() {
    let read = text(
        LABELS,
        &[
            "<< /Type /Annot /Subtype /Widget /FT /Tx /F 2 /T (a) /V (hidden) /Rect [180 695 400 711] >>",
            "<< /Type /Annot /Subtype /Widget /FT /Tx /Ff 8192 /T (b) /V (secret) /Rect [180 665 400 681] >>",
            "<< /Type /Annot /Subtype /Widget /FT /Btn /Ff 65536 /T (c) /V /Yes /Rect [180 635 192 647] >>",
            "<< /Type /Annot /Subtype /Widget /FT /Btn /T (d) /V /Off /AS /Off /Rect [300 635 312 647] >>",
        ],
        &[],
    );
    assert!(
        !read.contains("hidden") && !read.contains("secret") && !read.contains("[x]"),
        "{read}"
    );
}

#[test]
fn a_field_has_the_value_of_the_field_that_it_is_a_part_of() {
    let read = text(
        LABELS,
        &["<< /Type /Annot /Subtype /Widget /Parent 7 0 R /Rect [180 695 400 711] >>"],
        &["<< /FT /Tx /T (name) /V <FEFF0052006F00E9> /Kids [6 0 R] >>"],
    );
    assert!(read.contains("Roé"), "{read}");
    // A field that is a part of itself ends the search.
    let read = text(
        LABELS,
        &["<< /Type /Annot /Subtype /Widget /Parent 6 0 R /Rect [180 695 400 711] >>"],
        &[],
    );
    assert!(read.contains("Court"), "{read}");
}
