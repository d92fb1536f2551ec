//! The grammar of templates and its parser.
//!
//! ```text
//! template = "/" , [ segments ] , [ ":" , literal ] ;
//! segments = segment , { "/" , segment } ;
//! segment  = "*" | "**" | literal | variable ;
//! variable = "{" , path , [ "=" , segments ] , "}" ;   (* without variables inside *)
//! path     = name , { "." , name } ;
//! name     = ( letter | "_" ) , { letter | digit | "_" } ;
//! literal  = character , { character } ;
//! character = letter | digit | "-" | "." | "_" | "~" | "!" | "$" | "&" | "'" | "(" | ")" | "+"
//!           | "," | ";" | "=" | ":" | "@" | "%" , hex , hex | (* anything beyond ASCII *) ;
//! ```
//!
//! Three things the grammar does not say: the verb begins at the last colon after the last slash
//! and outside of braces (so a literal at the end has no colon of its own); two `**` never follow
//! each other, for the first would always be empty; and a verb needs a segment to stand behind.

use std::fmt;

use super::MAX_SEGMENTS;
use super::Segment;
use super::Template;
use super::Variable;
use super::Written;
use crate::wire::percent::hex;

/// Why a text is not a template, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateError {
    column: usize,
    kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    NoSlash,
    EmptySegment,
    EmptyVerb,
    StarNotAlone,
    DoubleStarTwice,
    NestedVariable,
    UnopenedVariable,
    UnclosedVariable,
    AfterVariable,
    FieldName,
    VariableTwice(Box<str>),
    DotSegment,
    Escape,
    Nul,
    Character(char),
    TooLong,
}

impl TemplateError {
    /// The column of the character in question, counted in characters from 1; one behind the
    /// last when something is missing at the end.
    pub fn column(&self) -> usize {
        self.column
    }

    /// What is wrong, without the place.
    pub fn message(&self) -> String {
        self.kind.to_string()
    }
}

impl std::error::Error for TemplateError {}

impl fmt::Display for TemplateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "column {}: {}", self.column, self.kind)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoSlash => "a path template starts with `/`",
            Self::EmptySegment => "a segment is empty; write a literal, `*`, `**` or `{field}`",
            Self::EmptyVerb => "a verb is missing after `:`",
            Self::StarNotAlone => "`*` and `**` stand alone between slashes",
            Self::DoubleStarTwice => {
                "`**` directly after `**`: the first would always be empty; remove one"
            }
            Self::NestedVariable => "a variable stands inside another variable",
            Self::UnopenedVariable => "`}` without `{`",
            Self::UnclosedVariable => "the variable is not closed; `}` is missing",
            Self::AfterVariable => "after `}` only `/`, a final `:verb` or the end may follow",
            Self::FieldName => {
                "a field name is missing; it is made of letters, digits and `_`, joined by `.`"
            }
            Self::DotSegment => {
                "`.` and `..` segments are refused in requests, so this rule could never match"
            }
            Self::Escape => "`%` is followed by two hexadecimal digits",
            Self::Nul => "`%00` is refused in requests, so this rule could never match",
            Self::VariableTwice(path) => return write!(f, "the field `{path}` is bound twice"),
            Self::Character(found) => {
                return write!(f, "{found:?} cannot stand in a path; percent-encode it");
            }
            Self::TooLong => return write!(f, "more than {MAX_SEGMENTS} segments"),
        })
    }
}

/// Parses a whole template.
pub(super) fn parse(text: &str) -> Result<Template, TemplateError> {
    let (body, verb) = split_verb(text);
    let mut parser = Parser {
        body,
        rest: body,
        segments: Vec::new(),
        variables: Vec::new(),
    };
    if !parser.take("/") {
        return Err(parser.error(Kind::NoSlash));
    }
    if !parser.rest.is_empty() || verb.is_some() {
        parser.segments(Place::Path)?;
    }
    if !parser.rest.is_empty() {
        return Err(parser.error(Kind::UnopenedVariable));
    }
    let Parser {
        segments,
        variables,
        ..
    } = parser;
    let verb = verb.map(|verb| parse_verb(text, verb)).transpose()?;
    let mut template = Template {
        segments,
        verb,
        variables,
        text: Box::default(),
    };
    template.text = Written(&template).to_string().into();
    Ok(template)
}

/// Splits at the last colon, if neither a slash nor a brace comes after it.
fn split_verb(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once(':') {
        Some((body, verb)) if !verb.contains(['/', '{', '}']) => (body, Some(verb)),
        _ => (text, None),
    }
}

/// Checks the characters of the verb, which ends `text`.
fn parse_verb(text: &str, verb: &str) -> Result<Box<str>, TemplateError> {
    let mut parser = Parser {
        body: text,
        rest: verb,
        segments: Vec::new(),
        variables: Vec::new(),
    };
    if verb.is_empty() {
        return Err(parser.error(Kind::EmptyVerb));
    }
    while let Some(next) = parser.peek() {
        parser.character(next)?;
    }
    Ok(verb.into())
}

/// Where segments are read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Path,
    Variable,
}

struct Parser<'t> {
    body: &'t str,
    rest: &'t str,
    segments: Vec<Segment>,
    variables: Vec<Variable>,
}

impl<'t> Parser<'t> {
    fn error(&self, kind: Kind) -> TemplateError {
        self.error_at(self.rest, kind)
    }

    /// An error where `rest`, a tail of the body, begins.
    fn error_at(&self, rest: &str, kind: Kind) -> TemplateError {
        let before = self.body.len() - rest.len();
        let column = self.body.get(..before).map_or(0, |t| t.chars().count()) + 1;
        TemplateError { column, kind }
    }

    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn take(&mut self, prefix: &str) -> bool {
        let Some(rest) = self.rest.strip_prefix(prefix) else {
            return false;
        };
        self.rest = rest;
        true
    }

    fn segments(&mut self, place: Place) -> Result<(), TemplateError> {
        loop {
            if self.segments.len() == MAX_SEGMENTS {
                return Err(self.error(Kind::TooLong));
            }
            self.segment(place)?;
            if !self.take("/") {
                return Ok(());
            }
        }
    }

    fn segment(&mut self, place: Place) -> Result<(), TemplateError> {
        match self.peek() {
            None | Some('/') => Err(self.error(Kind::EmptySegment)),
            Some('}') if place == Place::Variable => Err(self.error(Kind::EmptySegment)),
            Some('{') if place == Place::Variable => Err(self.error(Kind::NestedVariable)),
            Some('{') => self.variable(),
            Some('*') => self.star(),
            Some(_) => self.literal(),
        }
    }

    fn star(&mut self) -> Result<(), TemplateError> {
        let start = self.rest;
        let segment = if self.take("**") {
            Segment::DoubleStar
        } else {
            self.take("*");
            Segment::Star
        };
        if !matches!(self.peek(), None | Some('/' | '}')) {
            return Err(self.error_at(start, Kind::StarNotAlone));
        }
        if segment == Segment::DoubleStar && self.segments.last() == Some(&segment) {
            return Err(self.error_at(start, Kind::DoubleStarTwice));
        }
        self.segments.push(segment);
        Ok(())
    }

    fn literal(&mut self) -> Result<(), TemplateError> {
        let start = self.rest;
        while let Some(next) = self.peek().filter(|next| !matches!(next, '/' | '}')) {
            if next == '*' {
                return Err(self.error(Kind::StarNotAlone));
            }
            self.character(next)?;
        }
        let text = start.strip_suffix(self.rest).unwrap_or(start);
        if super::super::path::is_dot_segment(text) {
            return Err(self.error_at(start, Kind::DotSegment));
        }
        // An empty text is a `}` at the start of a segment: the caller's turn.
        if !text.is_empty() {
            self.segments.push(Segment::Literal(text.into()));
        }
        Ok(())
    }

    /// Takes one character (or escape) of a literal.
    fn character(&mut self, next: char) -> Result<(), TemplateError> {
        match next {
            '%' => return self.escape(),
            '-' | '.' | '_' | '~' | '!' | '$' | '&' | '\'' | '(' | ')' | '+' => {}
            ',' | ';' | '=' | ':' | '@' => {}
            _ if next.is_ascii_alphanumeric() || !next.is_ascii() => {}
            '*' => return Err(self.error(Kind::StarNotAlone)),
            _ => return Err(self.error(Kind::Character(next))),
        }
        self.rest = self.rest.get(next.len_utf8()..).unwrap_or_default();
        Ok(())
    }

    fn escape(&mut self) -> Result<(), TemplateError> {
        let digits = match self.rest.as_bytes() {
            [_, high, low, ..] => hex(*high).zip(hex(*low)),
            _ => None,
        };
        match digits {
            None => return Err(self.error(Kind::Escape)),
            Some((0, 0)) => return Err(self.error(Kind::Nul)),
            Some(_) => {}
        }
        self.rest = self.rest.get(3..).unwrap_or_default();
        Ok(())
    }

    fn variable(&mut self) -> Result<(), TemplateError> {
        let start = self.rest;
        self.take("{");
        let path = self.field_path()?;
        let first = self.segments.len();
        if self.take("=") {
            self.segments(Place::Variable)?;
        } else {
            self.segments.push(Segment::Star);
        }
        if !self.take("}") {
            return Err(self.error(Kind::UnclosedVariable));
        }
        if !matches!(self.peek(), None | Some('/')) {
            return Err(self.error(Kind::AfterVariable));
        }
        if self.variables.iter().any(|other| *other.path == *path) {
            return Err(self.error_at(start, Kind::VariableTwice(path.into())));
        }
        let own = self.segments.get(first..).unwrap_or_default();
        let multi = !matches!(own, [Segment::Star | Segment::Literal(_)]);
        let end = self.segments.len();
        self.variables.push(Variable {
            path: path.into(),
            first,
            end,
            multi,
        });
        Ok(())
    }

    fn field_path(&mut self) -> Result<&'t str, TemplateError> {
        let start = self.rest;
        loop {
            if !self
                .peek()
                .is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
            {
                return Err(self.error(Kind::FieldName));
            }
            self.rest = self
                .rest
                .trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_');
            if !self.take(".") {
                return Ok(start.strip_suffix(self.rest).unwrap_or(start));
            }
        }
    }
}
