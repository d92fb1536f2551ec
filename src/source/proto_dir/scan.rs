//! The head of a proto file without its grammar: which edition it is written in and what it
//! imports. It must never fail: what it does not understand it passes over, since the compiler
//! of the file will tell what is wrong with it.
//!
//! ```ebnf
//! head   = { edition | import | other } ;
//! edition = "edition" , "=" , string ;
//! import = "import" , [ "public" | "weak" | "option" ] , string , { string } ;
//! other  = any statement, with everything between its braces ;
//! ```

use crate::schema::problem::Location;

/// What the head of a file says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Head {
    /// The edition and where it is declared.
    pub(super) edition: Option<(String, Position)>,
    /// What is imported, in order.
    pub(super) imports: Vec<Import>,
}

/// An import statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Import {
    /// The import name.
    pub(super) name: String,
    /// Where the name stands.
    pub(super) at: Position,
}

/// A place in a text; line and column (in characters) count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    /// The line.
    pub(super) line: u32,
    /// The column.
    pub(super) column: u32,
}

impl Position {
    /// The place of a byte in a text; the end of it when there is no such byte.
    pub(super) fn of(text: &str, offset: usize) -> Self {
        let before = text.as_bytes().get(..offset).unwrap_or(text.as_bytes());
        let line_start = before
            .iter()
            .rposition(|&byte| byte == b'\n')
            .map_or(0, |at| at + 1);
        let newlines = before.iter().filter(|&&byte| byte == b'\n').count();
        let column = String::from_utf8_lossy(before.get(line_start..).unwrap_or_default())
            .chars()
            .count();
        let count = |number: usize| u32::try_from(number + 1).unwrap_or(u32::MAX);
        Self {
            line: count(newlines),
            column: count(column),
        }
    }

    /// The place in a named file.
    pub(super) fn within(self, file: &std::sync::Arc<str>) -> Location {
        Location::at(std::sync::Arc::clone(file), self.line, self.column)
    }
}

/// Reads the head of a file.
pub(super) fn scan(text: &str) -> Head {
    let mut head = Head::default();
    let mut depth = 0_usize;
    let mut statement = Vec::new();
    for token in (Tokens { text, at: 0 }) {
        match token.kind {
            Kind::Symbol(b'{') => depth += 1,
            Kind::Symbol(b'}') => depth = depth.saturating_sub(1),
            Kind::Symbol(b';') if depth == 0 => {}
            Kind::Symbol(_) | Kind::Word | Kind::Text if depth == 0 => {
                // No statement of interest is longer; the rest of a long one does not matter.
                if statement.len() < LONGEST {
                    statement.push(token);
                }
                continue;
            }
            Kind::Symbol(_) | Kind::Word | Kind::Text => continue,
        }
        head.take(text, &statement);
        statement.clear();
    }
    head
}

/// Tokens that are kept of a statement.
const LONGEST: usize = 64;

impl Head {
    fn take(&mut self, text: &str, statement: &[Token<'_>]) {
        let Some((first, rest)) = statement.split_first() else {
            return;
        };
        let strings = |tokens: &[Token<'_>]| -> Option<(String, Position)> {
            let place = Position::of(text, tokens.first()?.start);
            tokens
                .iter()
                .map(|token| (token.kind == Kind::Text).then_some(token.text))
                .collect::<Option<String>>()
                .map(|value| (value, place))
        };
        match (first.kind, first.text, rest) {
            (Kind::Word, "edition", [equals, value @ ..]) if equals.kind == Kind::Symbol(b'=') => {
                self.edition = strings(value);
            }
            (Kind::Word, "import", [modifier, value @ ..]) if modifier.kind == Kind::Word => {
                self.imports(strings(value));
            }
            (Kind::Word, "import", value) => self.imports(strings(value)),
            _ => {}
        }
    }

    fn imports(&mut self, found: Option<(String, Position)>) {
        if let Some((name, at)) = found {
            self.imports.push(Import { name, at });
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Word,
    /// A string; its token holds what stands between the quotes.
    Text,
    Symbol(u8),
}

#[derive(Clone, Copy, Debug)]
struct Token<'a> {
    kind: Kind,
    text: &'a str,
    start: usize,
}

struct Tokens<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        self.skip_blanks();
        let start = self.at;
        let rest = self.text.as_bytes().get(start..)?;
        let first = *rest.first()?;
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80;
        let (kind, from, to, end) = match first {
            b'"' | b'\'' => {
                let length = string_length(rest, first);
                (Kind::Text, 1, length, length + 1)
            }
            byte if is_word(byte) => {
                let end = rest.iter().position(|&byte| !is_word(byte));
                let end = end.unwrap_or(rest.len());
                (Kind::Word, 0, end, end)
            }
            byte => (Kind::Symbol(byte), 0, 1, 1),
        };
        self.at = (start + end).min(self.text.len());
        // Cut at ASCII bytes or at the end, so that it is always on a character boundary.
        let text = self.text.get(start + from..start + to).unwrap_or_default();
        Some(Token { kind, text, start })
    }
}

impl Tokens<'_> {
    fn skip_blanks(&mut self) {
        loop {
            let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
            let length = match rest {
                [b'/', b'/', ..] => memchr::memchr(b'\n', rest).unwrap_or(rest.len()),
                [b'/', b'*', tail @ ..] => {
                    memchr::memmem::find(tail, b"*/").map_or(rest.len(), |at| at + 4)
                }
                [byte, ..] if byte.is_ascii_whitespace() || *byte == 0x0b => 1,
                _ => return,
            };
            self.at += length;
        }
    }
}

/// Where the closing quote of a string stands; the end of the line when it has none.
fn string_length(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while let Some(&byte) = rest.get(at) {
        match byte {
            b'\\' => at += 2,
            b'\n' => return at,
            _ if byte == quote => return at,
            _ => at += 1,
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn imports(text: &str) -> Vec<(String, u32, u32)> {
        scan(text)
            .imports
            .into_iter()
            .map(|import| (import.name, import.at.line, import.at.column))
            .collect()
    }

    fn edition(text: &str) -> Option<String> {
        scan(text).edition.map(|(edition, _)| edition)
    }

    #[test]
    fn imports_are_found_wherever_they_may_stand() {
        let text = "// import \"no.proto\";\nsyntax = \"proto3\"; import 'a.proto';\n\
            /* import \"no.proto\"; */ import public \"b/\" 'c.proto';\n\
            message M { option (x) = \"import 'no.proto';\"; string import = 1; }\n\
            import weak \"d.proto\";import option \"é.proto\";";
        assert_eq!(
            imports(text),
            [
                (String::from("a.proto"), 2, 27),
                (String::from("b/c.proto"), 3, 40),
                (String::from("d.proto"), 5, 13),
                (String::from("é.proto"), 5, 37),
            ]
        );
    }

    #[test]
    fn the_edition_is_found_behind_comments() {
        assert_eq!(
            edition("/**/ // x\n edition = '2023';"),
            Some("2023".into())
        );
        assert_eq!(edition("edition='20' \"24\";"), Some("2024".into()));
        assert_eq!(edition("syntax = \"proto3\";"), None);
        assert_eq!(edition("message edition { string edition = 1; }"), None);
        assert_eq!(edition("// edition = \"2023\";"), None);
    }

    #[test]
    fn nothing_makes_it_fail() {
        for text in [
            "",
            "import",
            "import ;",
            "import \"",
            "import \"a\\",
            "/*",
            "/",
            "}}}} import 'a';",
            "edition = ",
            "edition = x;",
            "\u{feff}\0\u{1}",
            "import \"a\nimport 'b';",
            "'\\é",
        ] {
            scan(text);
        }
        assert_eq!(imports("}}} ; import 'a';").len(), 1);
    }

    #[test]
    fn positions_count_characters() {
        let text = "é = 1\nxé!";
        assert_eq!(Position::of(text, 0), Position { line: 1, column: 1 });
        assert_eq!(Position::of(text, 2), Position { line: 1, column: 2 });
        assert_eq!(Position::of(text, 10), Position { line: 2, column: 3 });
        assert_eq!(Position::of(text, 99), Position { line: 2, column: 4 });
    }
}
