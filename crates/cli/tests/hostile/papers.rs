//! Small papers of the kind that an opposing party could send, made here.

use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;

/// A PDF of objects with the numbers 1, 2, …; the first one is the catalog.
pub(super) struct Pdf {
    objects: Vec<Vec<u8>>,
}

impl Pdf {
    /// A PDF of one page with these resources, whose content is the object that is added next, number 4.
    pub(super) fn of_one_page(resources: &str) -> Self {
        let page = format!(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << {resources} >> >>"
        );
        let objects = [
            "<< /Type /Catalog /Pages 2 0 R >>",
            "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            &page,
        ];
        Self { objects: objects.map(|object| object.as_bytes().to_vec()).into() }
    }

    /// Adds an object.
    pub(super) fn object(mut self, object: impl Into<Vec<u8>>) -> Self {
        self.objects.push(object.into());
        self
    }

    /// Adds a stream with these entries in its dictionary.
    pub(super) fn stream(self, entries: &str, bytes: &[u8]) -> Self {
        let mut object = format!("<< /Length {} {entries} >>\nstream\n", bytes.len()).into_bytes();
        object.extend_from_slice(bytes);
        object.extend_from_slice(b"\nendstream");
        self.object(object)
    }

    /// The file, with a table of objects and these further entries in its trailer.
    pub(super) fn file(&self, trailer: &str) -> Vec<u8> {
        let mut file = b"%PDF-1.7\n".to_vec();
        let size = self.objects.len() + 1;
        let mut table = format!("xref\n0 {size}\n0000000000 65535 f \n");
        for (at, object) in self.objects.iter().enumerate() {
            table.push_str(&format!("{:010} 00000 n \n", file.len()));
            file.extend_from_slice(format!("{} 0 obj\n", at + 1).as_bytes());
            file.extend_from_slice(object);
            file.extend_from_slice(b"\nendobj\n");
        }
        let start = file.len();
        let end = format!(
            "{table}trailer\n<< /Root 1 0 R /Size {size} {trailer} >>\nstartxref\n{start}\n%%EOF\n"
        );
        file.extend_from_slice(end.as_bytes());
        file
    }
}

/// Compresses `mib` MiB of one piece that repeats.
fn compressed(piece: &[u8], mib: usize) -> Vec<u8> {
    let block = piece.repeat((1 << 20) / piece.len());
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
    for _ in 0..mib {
        encoder.write_all(&block).unwrap();
    }
    encoder.finish().unwrap()
}

/// A few kilobytes that expand twice, to `mib` MiB.
fn bomb(piece: &[u8], mib: usize) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&compressed(piece, mib)).unwrap();
    encoder.finish().unwrap()
}

const TWICE: &str = "/Filter [/FlateDecode /FlateDecode]";
const TEXT: &[u8] = b"BT /F1 12 Tf 72 700 Td (Roe v. Doe, No. 20-1001) Tj ET";
/// A paper without harm.
pub(super) fn ordinary() -> Vec<u8> {
    Pdf::of_one_page("/Font << /F1 5 0 R >>")
        .stream("", TEXT)
        .object("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>")
        .file("")
}

/// What the bombs expand to; the processes of these tests have half of it.
const MIB: usize = 512;

/// Content of a page that expands.
pub(super) fn content_that_expands() -> Vec<u8> {
    Pdf::of_one_page("").stream(TWICE, &bomb(b"q Q ", MIB)).file("")
}

/// A form that expands.
pub(super) fn form_that_expands() -> Vec<u8> {
    let entries = format!("/Type /XObject /Subtype /Form /BBox [0 0 9 9] {TWICE}");
    Pdf::of_one_page("/XObject << /X 5 0 R >>")
        .stream("", b"/X Do")
        .stream(&entries, &bomb(b"q Q ", MIB))
        .file("")
}

/// An image over the whole page that expands.
pub(super) fn image_that_expands() -> Vec<u8> {
    let entries = format!(
        "/Type /XObject /Subtype /Image /Width 32768 /Height 16384 /ColorSpace /DeviceGray /BitsPerComponent 8 {TWICE}"
    );
    Pdf::of_one_page("/XObject << /X 5 0 R >>")
        .stream("", b"q 612 0 0 792 0 0 cm /X Do Q")
        .stream(&entries, &bomb(b"\x7f", MIB))
        .file("")
}

/// A font whose file expands.
pub(super) fn font_that_expands() -> Vec<u8> {
    Pdf::of_one_page("/Font << /F1 5 0 R >>")
        .stream("", TEXT)
        .object(
            "<< /Type /Font /Subtype /TrueType /BaseFont /X /FontDescriptor 6 0 R /FirstChar 32 /LastChar 33 /Widths [9 9] >>",
        )
        .object("<< /Type /FontDescriptor /FontName /X /Flags 4 /FontFile2 7 0 R >>")
        .stream(TWICE, &bomb(b"\0\x01\0\0", MIB))
        .file("")
}

/// A stream of objects that expands, in a file whose table has to be rebuilt.
pub(super) fn object_stream_that_expands() -> Vec<u8> {
    let entries = format!("/Type /ObjStm /N 2 /First 12 {TWICE}");
    without_table(Pdf::of_one_page("").stream("", TEXT).stream(&entries, &bomb(b"1 0 2 9 ", MIB)))
}

/// A table of objects that is a stream, and expands.
pub(super) fn table_that_expands() -> Vec<u8> {
    let mut file = b"%PDF-1.7\n".to_vec();
    let start = file.len();
    let bytes = bomb(b"\x01\0\0\0\x09\0", MIB);
    let head = format!(
        "1 0 obj\n<< /Type /XRef /Root 2 0 R /W [1 4 1] /Size 100000000 {TWICE} /Length {} >>\nstream\n",
        bytes.len()
    );
    file.extend_from_slice(head.as_bytes());
    file.extend_from_slice(&bytes);
    let end = format!("\nendstream\nendobj\nstartxref\n{start}\n%%EOF\n");
    file.extend_from_slice(end.as_bytes());
    file
}

/// The file with a table that no reader finds.
fn without_table(pdf: Pdf) -> Vec<u8> {
    let mut file = pdf.file("");
    let table = file.windows(6).position(|part| part == b"\nxref\n").unwrap();
    file[table + 1..table + 5].copy_from_slice(b"xxxx");
    file
}

/// Forms that call each other, 2 to the power of 40 times, and draw nothing.
pub(super) fn forms_that_draw_nothing() -> Vec<u8> {
    const FORMS: usize = 40;
    let mut pdf = Pdf::of_one_page("/XObject << /X 5 0 R >>").stream("", b"/X Do");
    for number in 0..FORMS {
        let next =
            if number + 1 < FORMS { format!("/X {} 0 R", number + 6) } else { String::new() };
        let entries = format!(
            "/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << {next} >> >>"
        );
        pdf = pdf.stream(&entries, b"/X Do /X Do");
    }
    pdf.file("")
}

/// A function of 300,000 nested braces, which colours the page's text.
pub(super) fn nested_function() -> Vec<u8> {
    let braces = [b"{".repeat(300_000), b"}".repeat(300_000)].concat();
    Pdf::of_one_page(
        "/Font << /F1 6 0 R >> /ColorSpace << /C [/Separation /S /DeviceGray 5 0 R] >>",
    )
    .stream("", &[b"/C cs 0.5 scn ".as_slice(), TEXT].concat())
    .stream("/FunctionType 4 /Domain [0 1] /Range [0 1]", &braces)
    .object("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>")
    .file("")
}

/// Arrays nested 300,000 deep in the page's dictionary and in its content.
pub(super) fn nested_arrays() -> Vec<u8> {
    let arrays = [b"[".repeat(300_000), b"]".repeat(300_000)].concat();
    Pdf::of_one_page("/X 5 0 R")
        .stream("", &[b"/F1 9 Tf ".as_slice(), &arrays, b" TJ"].concat())
        .object(arrays.clone())
        .file("")
}

/// A file without a table and with 100,000 trailers that do not end: each is looked through to the end of the file.
pub(super) fn trailers_without_end() -> Vec<u8> {
    let mut file = b"%PDF-1.7\n".to_vec();
    for _ in 0..100_000 {
        file.extend_from_slice(b"trailer << /Root 1 0 R /X (a) \n");
    }
    file.extend_from_slice(b"startxref\n9\n%%EOF\n");
    file
}

/// A page of HTML with 400,000 nested elements, and one with an attribute of 20 MB.
pub(super) fn nested_html() -> Vec<u8> {
    let (open, close) = ("<div><nav hidden>".repeat(200_000), "</nav></div>".repeat(200_000));
    format!("<html><body>{open}x{close}<p>Roe v. Doe</p></body></html>").into_bytes()
}

/// More text than any paper has.
pub(super) fn long_text() -> Vec<u8> {
    b"a".repeat(70 << 20)
}
