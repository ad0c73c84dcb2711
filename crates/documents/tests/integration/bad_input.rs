//! Documents that are damaged, locked, empty or not what they say: each fails alone, with its reason.

use compartment_documents::{DocumentError, ExtractOptions, ExtractedText, extract};

fn read(bytes: &[u8]) -> Result<ExtractedText, DocumentError> {
    extract(bytes, "paper.pdf", &ExtractOptions::default())
}

/// A PDF of one page with the given content stream, further trailer entries and a sixth object.
fn pdf(content: &str, trailer: &str, sixth: &str) -> Vec<u8> {
    let objects = [
        "<< /Type /Catalog /Pages 2 0 R >>".to_owned(),
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>".to_owned(),
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R \
         /Resources << /Font << /F1 5 0 R >> >> >>"
            .to_owned(),
        format!("<< /Length {} >>\nstream\n{content}\nendstream", content.len()),
        "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>".to_owned(),
        sixth.to_owned(),
    ];
    let mut file = "%PDF-1.4\n".to_owned();
    let mut table = "xref\n0 7\n0000000000 65535 f \n".to_owned();
    for (at, object) in objects.iter().enumerate() {
        table.push_str(&format!("{:010} 00000 n \n", file.len()));
        file.push_str(&format!("{} 0 obj\n{object}\nendobj\n", at + 1));
    }
    let start = file.len();
    format!(
        "{file}{table}trailer\n<< /Root 1 0 R /Size 7 {trailer} >>\nstartxref\n{start}\n%%EOF\n"
    )
    .into_bytes()
}

const HELLO: &str =
    "BT /F1 12 Tf 72 700 Td (Roe v. Doe, No. 20-1001) Tj 0 -14 Td (It is so ordered.) Tj ET";

#[test]
fn a_small_pdf_is_read_line_by_line() {
    let read = read(&pdf(HELLO, "", "null")).unwrap();
    assert_eq!(read.text, "Roe v. Doe, No. 20-1001\nIt is so ordered.");
    assert_eq!(read.pages.len(), 1);
}

#[test]
fn junk_before_the_header_does_not_matter() {
    let mut bytes = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
    bytes.extend(pdf(HELLO, "", "null"));
    assert!(read(&bytes).unwrap().text.contains("so ordered"));
}

#[test]
fn a_pdf_cut_off_anywhere_fails() {
    let sample = std::fs::read("../../samples/01-complaint.pdf").unwrap();
    let small = pdf(HELLO, "", "null");
    let cuts = [3000, sample.len() / 2].map(|keep| &sample[..keep]).into_iter();
    for cut in cuts.chain([9, 60, 200, small.len() / 2].map(|keep| &small[..keep])) {
        let error = read(cut).unwrap_err();
        assert_eq!(error.code(), "damaged", "{}: {error}", cut.len());
    }
}

#[test]
fn a_pdf_that_lost_only_its_table_is_read_and_says_so() {
    let small = pdf(HELLO, "", "null");
    let table = small.windows(5).rposition(|window| window == b"\nxref").unwrap();
    for keep in [table, table + 20, small.len() - 30, small.len() - 8] {
        let read = read(&small[..keep]).unwrap();
        assert!(read.text.contains("so ordered"), "{keep}");
    }
    let read = read(&small[..table]).unwrap();
    assert!(read.warnings[0].contains("rebuilt"), "{:?}", read.warnings);
}

#[test]
fn pages_that_a_rebuilt_pdf_lacks_are_noticed() {
    let small = String::from_utf8(pdf(HELLO, "", "null")).unwrap();
    let longer = small.replace("/Count 1", "/Count 2");
    let table = longer.rfind("\nxref").unwrap();
    let error = read(&longer.as_bytes()[..table]).unwrap_err();
    assert_eq!(error.code(), "damaged");
    assert!(error.to_string().contains("only 1 of its 2 pages"), "{error}");
}

#[test]
fn padding_and_lines_of_servers_after_the_end_do_not_matter() {
    for padding in [vec![0; 50_000], b"\n<p>sent by a proxy</p>".repeat(500)] {
        let mut bytes = pdf(HELLO, "", "null");
        bytes.extend(padding);
        assert!(read(&bytes).unwrap().text.contains("so ordered"));
    }
}

#[test]
fn a_locked_pdf_says_so() {
    let key = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    let encrypt =
        format!("<< /Filter /Standard /V 2 /R 3 /Length 128 /P -44 /O <{key}> /U <{key}> >>");
    let trailer = "/Encrypt 6 0 R /ID [<00112233445566778899aabbccddeeff> <00112233445566778899aabbccddeeff>]";
    let error = read(&pdf(HELLO, trailer, &encrypt)).unwrap_err();
    assert_eq!(error.code(), "encrypted", "{error}");
    assert!(error.to_string().contains("password"));
}

#[test]
fn nested_and_self_referring_objects_end() {
    let mut deep = b"%PDF-1.4\n1 0 obj\n".to_vec();
    deep.extend(std::iter::repeat_n(b'[', 200_000));
    deep.extend(b"\nendobj\n2 0 obj\n<< /Type /Catalog /Pages 2 0 R /Kids [2 0 R] /Count 9 >>\nendobj\ntrailer << /Root 2 0 R >>\nstartxref\n0\n%%EOF\n");
    let error = read(&deep).unwrap_err();
    assert!(matches!(error.code(), "damaged" | "reader_failed" | "no_text"), "{error}");
}

#[test]
fn a_content_stream_without_end_is_abandoned_in_time() {
    let content = "q 1 0 0 1 0 0 cm BT /F1 9 Tf (x) Tj ET ".repeat(20_000);
    let options = ExtractOptions::default();
    let started = std::time::Instant::now();
    // Whether it is read or given up, it ends.
    let _ = extract(&pdf(&content, "", "null"), "x.pdf", &options);
    assert!(started.elapsed() < std::time::Duration::from_secs(60));
}

#[test]
fn a_scanned_page_without_the_ocr_program_says_what_to_install() {
    // An inline image over the whole page and no text.
    let content = "q 612 0 0 792 0 0 cm BI /W 2 /H 2 /CS /G /BPC 8 ID abcd EI Q";
    let mut options = ExtractOptions::default();
    options.ocr_program = "no-such-ocr-program".into();
    let error = extract(&pdf(content, "", "null"), "scan.pdf", &options).unwrap_err();
    assert_eq!(error.code(), "ocr_missing", "{error}");
    options.ocr = false;
    assert_eq!(
        extract(&pdf(content, "", "null"), "scan.pdf", &options).unwrap_err().code(),
        "no_text"
    );
}

#[test]
fn damaged_bytes_never_panic() {
    let whole = pdf(HELLO, "", "null");
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    for _ in 0..200 {
        let mut bytes = whole.clone();
        for _ in 0..6 {
            // xorshift64: the same damage in every run.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let at = (state as usize) % bytes.len();
            bytes[at] = (state >> 32) as u8;
        }
        if let Err(error) = read(&bytes) {
            assert!(!error.to_string().is_empty());
        }
    }
}

#[test]
fn text_that_is_no_text_is_refused_and_bad_bytes_are_replaced() {
    assert_eq!(extract(b"", "a.txt", &ExtractOptions::default()).unwrap_err().code(), "empty");
    let binary = [0_u8, 1, 2, 3, 0, 9, 200, 7];
    assert_eq!(
        extract(&binary, "a.txt", &ExtractOptions::default()).unwrap_err().code(),
        "unsupported_format"
    );
    let mixed = extract(
        "§ 5 “Act” é".as_bytes().iter().chain(b"\xff").copied().collect::<Vec<_>>().as_slice(),
        "a.txt",
        &ExtractOptions::default(),
    )
    .unwrap();
    assert_eq!(mixed.warnings.len(), 1);
}

#[test]
fn five_megabytes_of_almost_nothing_take_linear_time() {
    for unit in [
        "a. a. a. ",
        "v. v. v. ",
        "1 1 1 ",
        "Id. at ",
        "((((",
        "§ § § ",
        "J. J. J., ",
        "A B C D ",
        "No. No. ",
        "\n\n\n",
    ] {
        let text = unit.repeat(1_000_000 / unit.len());
        let started = std::time::Instant::now();
        compartment_documents::mentions(&text);
        assert!(started.elapsed().as_secs() < 60, "{unit:?} took {:?}", started.elapsed());
    }
}
