//! The visible text of an HTML page, without scripts, styles and marked navigation.
//!
//! A tokeniser is enough: no tree is needed to know which tags hide text and which break lines, and the
//! markup of court sites is too broken for a reliable tree.

use html5gum::{DefaultEmitter, Token, Tokenizer};

/// Whether text that is not PDF is an HTML page rather than prose that mentions a tag.
pub(super) fn looks_like_html(text: &str) -> bool {
    let head: String = text
        .trim_start_matches('\u{feff}')
        .trim_start()
        .chars()
        .take(2048)
        .flat_map(char::to_lowercase)
        .collect();
    if ["<!doctype html", "<html", "<head", "<body", "<?xml", "<!--"]
        .iter()
        .any(|start| head.starts_with(start))
        && head.contains('>')
    {
        return true;
    }
    let tags = ["<p>", "<p ", "<div", "<br", "<table", "<span", "<h1", "<h2", "<title", "</"];
    head.starts_with('<') && tags.iter().filter(|tag| head.contains(**tag)).count() >= 2
}

/// Elements whose content is never visible.
const HIDDEN: [&str; 8] =
    ["script", "style", "noscript", "template", "iframe", "object", "svg", "select"];

/// Elements that begin and end a line.
const BLOCKS: [&str; 36] = [
    "address",
    "article",
    "aside",
    "blockquote",
    "body",
    "caption",
    "center",
    "dd",
    "details",
    "div",
    "dl",
    "dt",
    "fieldset",
    "figure",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "hr",
    "legend",
    "li",
    "main",
    "nav",
    "ol",
    "p",
    "pre",
    "section",
    "table",
    "title",
    "tr",
    "ul",
];

/// The visible text of the page; block elements become lines, table cells stay separate.
pub(super) fn visible_text(html: &str) -> String {
    let text = render(html, true);
    // An unclosed <nav> would hide the rest of the page, so in that case only scripts are dropped.
    text.unwrap_or_else(|| render(html, false).unwrap_or_default())
}

fn render(html: &str, drop_navigation: bool) -> Option<String> {
    let mut out = Lines::default();
    let mut hidden: Option<(String, usize)> = None;
    let mut emitter = DefaultEmitter::default();
    // Without this, a `<` inside a script would begin a tag.
    emitter.naively_switch_states(true);
    for Ok(token) in Tokenizer::new_with_emitter(html, emitter) {
        match token {
            Token::StartTag(tag) => {
                let name = String::from_utf8_lossy(&tag.name).into_owned();
                if let Some((open, depth)) = &mut hidden {
                    if *open == name && !tag.self_closing {
                        *depth += 1;
                    }
                    continue;
                }
                let marked = drop_navigation && is_navigation(&name, &tag);
                if (HIDDEN.contains(&name.as_str()) || marked) && !tag.self_closing {
                    hidden = Some((name, 1));
                    continue;
                }
                match name.as_str() {
                    "br" => out.break_line(),
                    "td" | "th" => out.separate_cell(),
                    "p" | "blockquote" | "h1" | "h2" | "h3" | "table" => out.paragraph(),
                    "pre" => {
                        out.break_line();
                        out.preformatted += 1;
                    }
                    block if BLOCKS.contains(&block) => out.break_line(),
                    _ => {}
                }
            }
            Token::EndTag(tag) => {
                let name = String::from_utf8_lossy(&tag.name).into_owned();
                if let Some((open, depth)) = &mut hidden {
                    if *open == name {
                        *depth -= 1;
                        if *depth == 0 {
                            hidden = None;
                        }
                    }
                    continue;
                }
                match name.as_str() {
                    "p" | "blockquote" | "h1" | "h2" | "h3" | "table" => out.paragraph(),
                    "pre" => {
                        out.preformatted = out.preformatted.saturating_sub(1);
                        out.break_line();
                    }
                    block if BLOCKS.contains(&block) => out.break_line(),
                    _ => {}
                }
            }
            Token::String(text) if hidden.is_none() => out.push(&String::from_utf8_lossy(&text)),
            _ => {}
        }
    }
    let lost = matches!(&hidden, Some((open, _)) if !HIDDEN.contains(&open.as_str()));
    (!lost).then(|| out.finish())
}

fn is_navigation(name: &str, tag: &html5gum::StartTag<()>) -> bool {
    if name == "nav" {
        return true;
    }
    tag.attributes.iter().any(|(key, value)| {
        key.as_slice() == b"role" && value.as_slice().eq_ignore_ascii_case(b"navigation")
            || key.as_slice() == b"hidden" && name != "input"
    })
}

/// Collects words into lines, collapsing white space as browsers do.
#[derive(Default)]
struct Lines {
    text: String,
    space: bool,
    preformatted: usize,
}

impl Lines {
    fn push(&mut self, piece: &str) {
        for c in piece.chars() {
            if self.preformatted > 0 && matches!(c, '\n' | ' ' | '\t') {
                self.text.push(c);
                self.space = false;
            } else if c.is_whitespace() {
                self.space = true;
            } else {
                if self.space && !self.text.is_empty() && !self.text.ends_with(['\n', '\t']) {
                    self.text.push(' ');
                }
                self.space = false;
                if c != '\u{ad}' && c != '\u{200b}' {
                    self.text.push(c);
                }
            }
        }
    }

    fn break_line(&mut self) {
        self.space = false;
        if !self.text.is_empty() && !self.text.ends_with('\n') {
            self.text.truncate(self.text.trim_end_matches([' ', '\t']).len());
            self.text.push('\n');
        }
    }

    fn paragraph(&mut self) {
        self.break_line();
        if !self.text.is_empty() && !self.text.ends_with("\n\n") {
            self.text.push('\n');
        }
    }

    fn separate_cell(&mut self) {
        self.space = false;
        if !self.text.is_empty() && !self.text.ends_with(['\n', '\t']) {
            self.text.push('\t');
        }
    }

    fn finish(mut self) -> String {
        self.text.truncate(self.text.trim_end().len());
        self.text.push('\n');
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_and_navigation_go_and_lines_stay() {
        let html = "<html><head><style>p{}</style><script>if(a<b){}</script></head><body>\
            <nav><a>Home</a></nav><p>Roe &amp; Co.<br>v. Doe</p><div>No.&nbsp;7 &sect; 2</div></body>";
        assert_eq!(visible_text(html), "Roe & Co.\nv. Doe\n\nNo. 7 § 2\n");
    }

    #[test]
    fn cells_stay_apart() {
        let html = "<table><tr><td>Judge</td><td>A. Roe</td></tr><tr><td>Filed<td>1 May</table>";
        assert_eq!(visible_text(html), "Judge\tA. Roe\nFiled\t1 May\n");
    }

    #[test]
    fn an_unclosed_nav_hides_nothing() {
        assert_eq!(visible_text("<body><nav>Menu<p>The judgment"), "Menu\n\nThe judgment\n");
    }

    #[test]
    fn prose_with_a_tag_is_not_html() {
        assert!(!looks_like_html("The <p> tag was the issue in Roe v. Doe."));
        assert!(looks_like_html("<p>Roe v. Doe</p><p>Held.</p>"));
    }
}
