//! A page as one file: its frame, how text and data get into it, and what it may do.
//!
//! Names in a page come from files that anybody may have written. They are in its data only, where nothing can end the script that
//! holds it, and the page's scripts make text nodes of them. Should that fail somewhere, the policy in the frame lets no script run
//! but those whose digests it lists, and no request leave.

use std::borrow::Cow;
use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use sha2::{Digest, Sha256};

const FRAME: &str = include_str!("../../assets/page.html");

/// A page.
#[derive(Clone, Debug, Default)]
pub struct Page<'a> {
    /// The title, any text.
    pub title: &'a str,
    /// Markup: written with the page, never taken from a file.
    pub body: &'a str,
    /// Stylesheets, in order.
    pub styles: &'a [&'a str],
    /// Scripts, in order; the page's own, never taken from a file.
    pub scripts: &'a [&'a str],
    /// What scripts get as `page.data(name)`. Names are of letters.
    pub data: &'a [(&'a str, &'a Value)],
    /// The page may ask the server that it came from, for pages that are served.
    pub asks_server: bool,
}

impl Page<'_> {
    /// The whole file.
    pub fn render(&self) -> String {
        let mut scripts = String::new();
        let mut policy = String::from("default-src 'none'; style-src 'unsafe-inline'; img-src data: blob:; ");
        if self.asks_server {
            policy.push_str("connect-src 'self'; ");
        }
        policy.push_str("base-uri 'none'; form-action 'none'; script-src");
        for script in self.scripts {
            let _ = write!(policy, " 'sha256-{}'", STANDARD.encode(Sha256::digest(script)));
            let _ = writeln!(scripts, "<script>{script}</script>");
        }
        let mut data = String::new();
        for (name, value) in self.data {
            let json = json_in_script(value);
            let _ = writeln!(data, r#"<script type="application/json" id="data-{name}">{json}</script>"#);
        }
        let styles = self.styles.concat();
        fill(FRAME, |name| match name {
            "version" => Cow::Borrowed(env!("CARGO_PKG_VERSION")),
            "policy" => Cow::Borrowed(&*policy),
            "title" => escape(self.title),
            "styles" => Cow::Borrowed(&*styles),
            "body" => Cow::Borrowed(self.body),
            "data" => Cow::Borrowed(&*data),
            "scripts" => Cow::Borrowed(&*scripts),
            _ => Cow::Borrowed(""),
        })
    }
}

/// The template with each `{{name}}` replaced, once: what is put in is not looked at again.
fn fill<'a>(template: &str, value: impl Fn(&str) -> Cow<'a, str>) -> String {
    let mut out = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        let (name, left) = after.split_once("}}").unwrap_or((after, ""));
        out.push_str(before);
        out.push_str(&value(name));
        rest = left;
    }
    out.push_str(rest);
    out
}

/// Text as it may stand in markup and in quoted attributes. Characters that XML forbids, or that turn the direction of what follows,
/// become the replacement character.
pub fn escape(text: &str) -> Cow<'_, str> {
    let special = |c: char| matches!(c, '<' | '>' | '&' | '"' | '\'') || forbidden(c);
    if !text.contains(special) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if forbidden(c) => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

pub(crate) fn forbidden(c: char) -> bool {
    (c.is_control() && !matches!(c, '\t' | '\n'))
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{fffe}' | '\u{ffff}')
}

/// JSON that may stand in a `<script>`: nothing in it ends the script, opens a comment, or breaks a line of JavaScript.
pub fn json_in_script(value: &Value) -> String {
    // These characters occur in strings only, where JSON has another way to write them.
    let text = value.to_string();
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const EVIL: &str = "</script><script>alert(1)</script><!--\"'&\u{2028}{{title}}";

    #[test]
    fn data_cannot_leave_its_script_and_reads_back_as_it_was() {
        let value = json!({ EVIL: [EVIL, 1.5, null] });
        let text = json_in_script(&value);
        assert!(!text.contains(['<', '>', '&', '\u{2028}']), "{text}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }

    #[test]
    fn text_from_a_file_is_text_wherever_it_stands() {
        let data = json!(EVIL);
        let page = Page { title: EVIL, data: &[("x", &data)], scripts: &["let a = 1;"], ..Page::default() };
        let html = page.render();
        assert_eq!(html.matches("<script").count(), 2, "{html}");
        assert_eq!(html.matches("</script>").count(), 2);
        assert!(html.contains("<title>&lt;/script&gt;&lt;script&gt;alert(1)"), "{html}");
        // Nothing that was put in is taken for a place to put something.
        assert_eq!(html.matches("{{title}}").count(), 2);
    }

    #[test]
    fn only_the_page_s_own_scripts_may_run_and_nothing_may_be_asked() {
        let html = Page { scripts: &["alert(1)"], ..Page::default() }.render();
        // printf 'alert(1)' | openssl dgst -sha256 -binary | base64
        assert!(html.contains("script-src 'sha256-bhHHL3z2vDgxUt0W3dWQOrprscmda2Y5pLsLg4GF+pI='"), "{html}");
        assert!(html.contains("default-src 'none'") && !html.contains("connect-src"));
        let served = Page { asks_server: true, ..Page::default() }.render();
        assert!(served.contains("connect-src 'self'"));
    }

    #[test]
    fn what_turns_or_hides_text_is_replaced() {
        assert_eq!(escape("a\u{202e}b\u{1b}[31m\tc"), "a\u{fffd}b\u{fffd}[31m\tc");
        assert_eq!(escape("plain"), "plain");
    }
}
