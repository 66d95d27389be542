//! Words in a terminal: widths, shortening, wrapping, and nothing that moves the cursor.

use std::borrow::Cow;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Columns of a table that goes anywhere but to a terminal.
pub const WIDTH: usize = 100;

/// Columns to fill on standard output: a terminal's own within reason, else [`WIDTH`].
pub fn terminal_width() -> usize {
    terminal_size::terminal_size_of(std::io::stdout()).map_or(WIDTH, |(w, _)| usize::from(w.0).clamp(60, 160))
}

/// Columns a text takes.
pub fn width(text: &str) -> usize {
    text.width()
}

/// The text without control characters: names come from files that anybody may have written, and an escape sequence in
/// one would reach the terminal. Marks that reorder text are taken out too.
pub fn printable(text: &str) -> Cow<'_, str> {
    let unsafe_here = |c: char| {
        c.is_control()
            || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if text.contains(unsafe_here) {
        text.chars().map(|c| if unsafe_here(c) { '\u{fffd}' } else { c }).collect()
    } else {
        Cow::Borrowed(text)
    }
}

/// At most `limit` columns: the middle goes, since the start and the end of a layer's name say the most.
pub fn shorten(text: &str, limit: usize) -> Cow<'_, str> {
    if width(text) <= limit {
        return Cow::Borrowed(text);
    }
    let room = limit.saturating_sub(1);
    let tail = take(text.chars().rev(), room / 2);
    let head = take(text.chars(), room - room / 2);
    head.into_iter().chain((limit > 0).then_some('…')).chain(tail.into_iter().rev()).collect()
}

/// A layer's name in at most `limit` columns. Words before the last are cut to a letter, from the left, so that layer
/// numbers and the end, which tell layers apart, stay: `e…l…0.attention.output.dense`. Where that is not enough, the
/// middle goes.
pub fn shorten_name(name: &str, limit: usize) -> Cow<'_, str> {
    if width(name) <= limit {
        return Cow::Borrowed(name);
    }
    let mut parts: Vec<String> = name.split_inclusive(['.', '/']).map(str::to_owned).collect();
    let last = parts.len().saturating_sub(1);
    for index in 0..last {
        let first = parts[index].chars().next().filter(|c| !c.is_ascii_digit());
        if let Some(letter) = first.filter(|_| width(&parts[index]) > 2) {
            parts[index] = format!("{letter}…");
        }
        let whole = parts.concat();
        if width(&whole) <= limit {
            return Cow::Owned(whole);
        }
    }
    Cow::Owned(shorten(&parts.concat(), limit).into_owned())
}

/// At most `limit` columns: the end goes.
pub fn cut(text: &str, limit: usize) -> Cow<'_, str> {
    if width(text) <= limit {
        return Cow::Borrowed(text);
    }
    take(text.chars(), limit.saturating_sub(1)).into_iter().chain((limit > 0).then_some('…')).collect()
}

fn take(chars: impl Iterator<Item = char>, room: usize) -> Vec<char> {
    let mut used = 0;
    chars
        .take_while(|c| {
            used += c.width().unwrap_or(0);
            used <= room
        })
        .collect()
}

/// Lines of at most `limit` columns, broken at spaces, all but the first indented; a word longer than a line is broken.
pub fn wrap(text: &str, limit: usize, indent: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let mut word = word.to_owned();
        loop {
            let first = lines.len() == 1;
            let line = lines.last_mut().expect("there is always a line");
            let empty = line.trim().is_empty();
            let room = limit.saturating_sub(width(line) + usize::from(!empty));
            if width(&word) <= room {
                if !empty || (first && !line.is_empty()) {
                    line.push(' ');
                }
                line.push_str(&word);
                break;
            }
            if empty {
                let head = take(word.chars(), room.max(2));
                line.extend(&head);
                word = word.chars().skip(head.len().max(1)).collect();
            }
            lines.push(" ".repeat(indent));
        }
    }
    lines
}

/// Pads on the right.
pub fn left(text: &str, columns: usize) -> String {
    format!("{text}{}", " ".repeat(columns.saturating_sub(width(text))))
}

/// Pads on the left.
pub fn right(text: &str, columns: usize) -> String {
    format!("{}{text}", " ".repeat(columns.saturating_sub(width(text))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_lose_their_middle_and_keep_both_ends() {
        assert_eq!(shorten("encoder.layer.0.attention.query", 31), "encoder.layer.0.attention.query");
        assert_eq!(shorten("encoder.layer.0.attention.query", 15), "encoder…n.query");
        assert_eq!(shorten("encoder", 1), "…");
        assert_eq!(shorten("encoder", 0), "");
        assert_eq!(width(&shorten("日本語日本語日本語", 8)), 7);
    }

    #[test]
    fn layer_names_keep_their_numbers_and_their_ends() {
        let name = "encoder.layer.10.attention.output.dense";
        assert_eq!(shorten_name(name, 39), name);
        assert_eq!(shorten_name(name, 38), "e…layer.10.attention.output.dense");
        assert_eq!(shorten_name(name, 30), "e…l…10.attention.output.dense");
        assert_eq!(shorten_name(name, 25), "e…l…10.a…output.dense");
        for limit in 0..40 {
            assert!(width(&shorten_name(name, limit)) <= limit);
        }
        assert_eq!(shorten_name("abcdefghij", 5), "ab…ij");
    }

    #[test]
    fn control_characters_never_reach_the_terminal() {
        assert_eq!(printable("a\x1b[2Jb\n"), "a\u{fffd}[2Jb\u{fffd}");
        assert_eq!(printable("\u{202e}evil"), "\u{fffd}evil");
        assert_eq!(printable("größe.0"), "größe.0");
    }

    #[test]
    fn wrapped_lines_keep_every_word_and_the_limit() {
        let lines = wrap("one two three four", 9, 2);
        assert_eq!(lines, ["one two", "  three", "  four"]);
        let lines = wrap(&"x".repeat(25), 10, 2);
        assert!(lines.iter().all(|l| width(l) <= 10), "{lines:?}");
        assert_eq!(lines.concat().replace(' ', ""), "x".repeat(25));
    }
}
