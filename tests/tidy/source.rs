//! One Rust file as the tidy rules see it: its text without comments, strings and test code.
//!
//! Everything that is blanked out keeps its line breaks, so that a position in the blanked text
//! is a position in the file. This is a scanner, not a parser: it knows exactly as much of Rust
//! as it takes to find paths and macro names.

use std::path::Path;

/// A Rust file, scanned.
pub(crate) struct Source {
    /// Path from the root of the repository, with `/`.
    pub(crate) path: String,
    /// The file as it is.
    pub(crate) text: String,
    /// Without comments, strings and characters.
    pub(crate) code: String,
    /// `code` without items under `#[cfg(test)]`; empty for files that are tests as a whole.
    pub(crate) product: String,
}

/// An identifier and where it begins.
#[derive(Clone, Copy)]
pub(crate) struct Word<'a> {
    pub(crate) text: &'a str,
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl Source {
    pub(crate) fn new(path: &str, text: &str) -> Self {
        let code = blank_comments_and_literals(text);
        let is_test = path.starts_with("tests/")
            || Path::new(path)
                .components()
                .any(|part| matches!(part.as_os_str().to_str(), Some("tests" | "tests.rs")));
        let product = if is_test {
            String::new()
        } else {
            blank_test_items(&code)
        };
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
            code,
            product,
        }
    }

    /// `path:line` of a byte position.
    pub(crate) fn place(&self, position: usize) -> String {
        let line = self.text.as_bytes()[..position]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count()
            + 1;
        format!("{}:{line}", self.path)
    }

    /// The module of the file: `src/a/b.rs` and `src/a/b/mod.rs` are `[a, b]`.
    pub(crate) fn module(&self) -> Vec<&str> {
        let inside = self.path.strip_prefix("src/").unwrap_or(&self.path);
        let stem = inside.strip_suffix(".rs").unwrap_or(inside);
        let mut parts: Vec<&str> = stem.split('/').collect();
        if matches!(parts.last(), Some(&("mod" | "lib" | "main"))) {
            parts.pop();
        }
        parts
    }
}

/// The identifiers of `code`, in order.
pub(crate) fn words(code: &str) -> impl Iterator<Item = Word<'_>> {
    let is_word = |byte: u8| byte == b'_' || byte.is_ascii_alphanumeric();
    let bytes = code.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        while at < bytes.len() && !is_word(bytes[at]) {
            at += 1;
        }
        let start = at;
        while at < bytes.len() && is_word(bytes[at]) {
            at += 1;
        }
        (start < at).then(|| Word {
            text: &code[start..at],
            start,
            end: at,
        })
    })
}

/// What follows `position`, white space skipped.
pub(crate) fn after(code: &str, position: usize) -> &str {
    code[position..].trim_start()
}

/// What stands before `position`, white space skipped.
pub(crate) fn before(code: &str, position: usize) -> &str {
    code[..position].trim_end()
}

/// The first names of a use tree: of `{a::b, c as d, e}` they are `a`, `c` and `e`, each with its
/// place; of `a::b` it is `a`.
pub(crate) fn first_names(code: &str, position: usize) -> Vec<(String, usize)> {
    let rest = &code[position..];
    let tree = rest.trim_start();
    let start = position + rest.len() - tree.len();
    if !tree.starts_with('{') {
        return words(tree)
            .next()
            .filter(|word| word.start == 0)
            .map(|word| vec![(word.text.to_owned(), start)])
            .unwrap_or_default();
    }
    let mut depth = 0_usize;
    let mut expects_name = false;
    let mut names = Vec::new();
    for (offset, letter) in tree.char_indices() {
        match letter {
            '{' => {
                depth += 1;
                expects_name = depth == 1;
            }
            '}' if depth == 1 => break,
            '}' => depth -= 1,
            ',' if depth == 1 => expects_name = true,
            _ if letter.is_whitespace() => {}
            _ if expects_name => {
                expects_name = false;
                if let Some(word) = words(&tree[offset..]).next().filter(|word| word.start == 0) {
                    names.push((word.text.to_owned(), start + offset));
                }
            }
            _ => {}
        }
    }
    names
}

/// Replaces comments, strings and character literals by blanks.
fn blank_comments_and_literals(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = literal_or_comment_end(bytes, at);
        if end > at {
            blank(&mut out[at..end]);
            at = end;
        } else if is_word_byte(bytes[at]) {
            // A whole word at once, so that the `r` of `for` never opens a raw string.
            while at < bytes.len() && is_word_byte(bytes[at]) {
                at += 1;
            }
        } else {
            at += 1;
        }
    }
    String::from_utf8(out).expect("whole characters are blanked")
}

fn is_word_byte(byte: u8) -> bool {
    byte == b'_' || byte.is_ascii_alphanumeric()
}

/// Where the comment or literal that begins at `at` ends; `at` when none begins there.
fn literal_or_comment_end(bytes: &[u8], at: usize) -> usize {
    let rest = &bytes[at..];
    if rest.starts_with(b"//") {
        return at
            + rest
                .iter()
                .position(|byte| *byte == b'\n')
                .unwrap_or(rest.len());
    }
    if rest.starts_with(b"/*") {
        return at + block_comment_length(rest);
    }
    let prefix = rest
        .iter()
        .take_while(|byte| matches!(byte, b'b' | b'c' | b'r'))
        .count();
    let raw = prefix > 0 && rest[prefix - 1] == b'r';
    let hashes = rest[prefix..]
        .iter()
        .take_while(|byte| **byte == b'#')
        .count();
    let opens = rest.get(prefix + hashes) == Some(&b'"');
    if raw && opens {
        let close = [b"\"".as_slice(), "#".repeat(hashes).as_bytes()].concat();
        let body = prefix + hashes + 1;
        return at + find(&rest[body..], &close).map_or(rest.len(), |end| body + end + close.len());
    }
    if hashes == 0 && opens && prefix <= 1 {
        return at + quoted_length(&rest[prefix..], b'"') + prefix;
    }
    match rest {
        [b'\'', b'\\', ..] => at + quoted_length(rest, b'\''),
        [b'\'', first, ..] => {
            // A lifetime has no closing quote right after its first character.
            let width = match first {
                0..0x80 => 1,
                0x80..0xE0 => 2,
                0xE0..0xF0 => 3,
                _ => 4,
            };
            if rest.get(1 + width) == Some(&b'\'') {
                at + width + 2
            } else {
                at
            }
        }
        _ => at,
    }
}

fn block_comment_length(rest: &[u8]) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        if rest[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                break;
            }
        } else {
            at += 1;
        }
    }
    at
}

fn quoted_length(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != quote {
        at += if rest[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(rest.len())
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack
        .windows(needle.len())
        .position(|window| window == needle)
}

fn blank(bytes: &mut [u8]) {
    for byte in bytes {
        if *byte != b'\n' {
            *byte = b' ';
        }
    }
}

/// Blanks every item that follows a `#[cfg(test)]`, up to its `;` or its closing brace.
fn blank_test_items(code: &str) -> String {
    const MARK: &str = "#[cfg(test)]";
    let mut out = code.as_bytes().to_vec();
    let mut from = 0;
    while let Some(found) = code[from..].find(MARK) {
        let start = from + found;
        let end = start + MARK.len() + item_length(&code[start + MARK.len()..]);
        blank(&mut out[start..end]);
        from = end;
    }
    String::from_utf8(out).expect("whole characters are blanked")
}

fn item_length(rest: &str) -> usize {
    let mut depth = 0_usize;
    for (at, letter) in rest.char_indices() {
        match letter {
            '{' | '(' | '[' => depth += 1,
            '}' | ')' | ']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 && letter == '}' {
                    return at + 1;
                }
            }
            ';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    rest.len()
}
