//! `multipart/form-data`: the parts of a form (B13).
//!
//! ```text
//! body     = [ preamble CRLF ] "--" boundary { part "--" boundary } "--" epilogue
//! part     = padding CRLF { header CRLF } CRLF content CRLF
//! ```
//! Sources: RFC 2046 section 5.1 and RFC 7578; names are escaped as browsers do it, with `%22`,
//! `%0D` and `%0A`, or by a backslash. Nothing is copied but names.

use memchr::memmem::Finder;

use super::MAX_PARAMETERS;

/// The headers of one part have no more bytes than this.
const MOST_HEADERS: usize = 8 << 10;

/// One part of a form.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part<'b> {
    pub(super) name: String,
    /// Only files have one.
    pub(super) file_name: Option<String>,
    /// Empty when none is given.
    pub(super) media_type: &'b str,
    pub(super) data: &'b [u8],
}

impl Part<'_> {
    /// Whether the part is no more than the text of an input.
    pub(super) fn is_text(&self) -> bool {
        let essence = self.media_type.split(';').next().unwrap_or_default();
        let plain = ["", "text/plain"]
            .iter()
            .any(|name| essence.trim().eq_ignore_ascii_case(name));
        self.file_name.is_none() && plain
    }
}

/// All parts of a body, in order.
pub(super) fn parts<'b>(body: &'b [u8], boundary: &str) -> Result<Vec<Part<'b>>, &'static str> {
    const CUT: &str = "the multipart body ends too early";
    let delimiter = format!("\r\n--{boundary}");
    let finder = Finder::new(&delimiter);
    // The first delimiter may be the beginning of the body.
    let mut rest = match body.strip_prefix(delimiter.trim_start().as_bytes()) {
        Some(rest) if line_end(rest).is_some() => rest,
        _ => {
            split(&finder, body)
                .ok_or("the multipart body has no boundary")?
                .1
        }
    };
    let mut parts = Vec::new();
    loop {
        let content = match line_end(rest).ok_or(CUT)? {
            End::Last => return Ok(parts),
            End::Line(rest) => rest,
        };
        if parts.len() >= MAX_PARAMETERS {
            return Err("the form has too many parts");
        }
        let (headers, content) = headers(content)?;
        let (data, next) = split(&finder, content).ok_or(CUT)?;
        parts.push(part(headers, data)?);
        rest = next;
    }
}

/// What follows a boundary.
enum End<'b> {
    /// Two hyphens: no part follows.
    Last,
    /// A line end, and this behind it.
    Line(&'b [u8]),
}

/// What follows a boundary; none if it was no boundary, but the beginning of a longer word.
fn line_end(rest: &[u8]) -> Option<End<'_>> {
    if rest.starts_with(b"--") {
        return Some(End::Last);
    }
    let padding = rest.iter().take_while(|byte| b" \t".contains(byte)).count();
    rest.get(padding..)?.strip_prefix(b"\r\n").map(End::Line)
}

/// What stands before the next delimiter, and what stands behind it.
fn split<'b>(finder: &Finder<'_>, body: &'b [u8]) -> Option<(&'b [u8], &'b [u8])> {
    finder.find_iter(body).find_map(|at| {
        let (before, found) = body.split_at_checked(at)?;
        let behind = found.get(finder.needle().len()..)?;
        line_end(behind).map(|_end| (before, behind))
    })
}

/// The headers of a part, and everything behind them.
fn headers(part: &[u8]) -> Result<(&str, &[u8]), &'static str> {
    const BAD: &str = "the headers of a part cannot be read";
    let (headers, content) = match part.strip_prefix(b"\r\n") {
        Some(content) => (&b""[..], content),
        None => {
            let head = part.get(..MOST_HEADERS.min(part.len())).ok_or(BAD)?;
            let end = Finder::new("\r\n\r\n").find(head).ok_or(BAD)?;
            let (headers, content) = part.split_at_checked(end).ok_or(BAD)?;
            (headers, content.get(4..).ok_or(BAD)?)
        }
    };
    let headers = std::str::from_utf8(headers).map_err(|_not_text| BAD)?;
    Ok((headers, content))
}

fn part<'b>(headers: &'b str, data: &'b [u8]) -> Result<Part<'b>, &'static str> {
    const NAMELESS: &str = "a part of the form has no name";
    let mut disposition = None;
    let mut media_type = "";
    for line in headers.split("\r\n").filter(|line| !line.is_empty()) {
        let (name, value) = line
            .split_once(':')
            .ok_or("the headers of a part cannot be read")?;
        let value = value.trim();
        match name.trim().to_ascii_lowercase().as_str() {
            "content-disposition" => disposition = Some(value),
            "content-type" => media_type = value,
            "content-transfer-encoding"
                if !["7bit", "8bit", "binary"]
                    .iter()
                    .any(|plain| value.eq_ignore_ascii_case(plain)) =>
            {
                return Err("a part of the form has a transfer encoding");
            }
            _ => {}
        }
    }
    let disposition = disposition.ok_or(NAMELESS)?;
    let (kind, parameters) = disposition.split_once(';').ok_or(NAMELESS)?;
    if !kind.trim().eq_ignore_ascii_case("form-data") {
        return Err("a part of the form has another disposition than form-data");
    }
    let mut part = Part {
        name: String::new(),
        file_name: None,
        media_type,
        data,
    };
    let mut named = false;
    let mut rest = parameters;
    while let Some((name, value, behind)) = parameter(rest)? {
        match name.to_ascii_lowercase().as_str() {
            "name" => {
                named = true;
                part.name = value;
            }
            "filename" | "filename*" => part.file_name = Some(value),
            _ => {}
        }
        rest = behind;
    }
    if named { Ok(part) } else { Err(NAMELESS) }
}

/// The next parameter of a header, its value without quotes, and what stands behind it.
fn parameter(text: &str) -> Result<Option<(&str, String, &str)>, &'static str> {
    const BAD: &str = "the disposition of a part cannot be read";
    let text = text.trim_start_matches([' ', '\t', ';']);
    if text.is_empty() {
        return Ok(None);
    }
    let (name, value) = text.split_once('=').ok_or(BAD)?;
    let Some(quoted) = value.trim_start().strip_prefix('"') else {
        let (value, behind) = value.split_once(';').unwrap_or((value, ""));
        return Ok(Some((name.trim(), value.trim().to_owned(), behind)));
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => {
                let behind = quoted.get(at + 1..).unwrap_or_default();
                let value = value
                    .replace("%22", "\"")
                    .replace("%0D", "\r")
                    .replace("%0A", "\n");
                return Ok(Some((name.trim(), value, behind)));
            }
            '\\' if quoted
                .get(at + 1..)
                .is_some_and(|rest| rest.starts_with(['"', '\\'])) =>
            {
                value.extend(chars.next().map(|(_, char)| char));
            }
            char => value.push(char),
        }
    }
    Err(BAD)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Its name, the name of its file, and what it holds.
    type Told = (String, Option<String>, String);

    fn read(body: &str) -> Result<Vec<Told>, &'static str> {
        let text = body.replace('\n', "\r\n");
        let parts = parts(text.as_bytes(), "b")?;
        let told = parts.into_iter().map(|part| {
            let data = String::from_utf8_lossy(part.data).into_owned();
            (part.name, part.file_name, data)
        });
        Ok(told.collect())
    }

    #[test]
    fn b13_names_files_and_what_stands_between() {
        let text = |name: &str, data: &str| (name.to_owned(), None, data.to_owned());
        let a = "Content-Disposition: form-data; name=\"a\"\n\n";
        for (body, expected) in [
            (format!("--b\n{a}x\n--b--"), vec![text("a", "x")]),
            (format!("--b\n{a}\n--b--\n"), vec![text("a", "")]),
            (format!("hi\n--b  \n{a}x\n--b--bye"), vec![text("a", "x")]),
            (
                format!("--b\n{a}x\n--bc\ny\n--b--"),
                vec![text("a", "x\r\n--bc\r\ny")],
            ),
            (
                format!("--b\n{a}x\n--b\n{a}y\n--b--"),
                vec![text("a", "x"), text("a", "y")],
            ),
            ("--b--".to_owned(), vec![]),
            (
                "--b\ncontent-disposition:form-data;name=a.b; x=\"y;z\"\n\n1\n--b--".to_owned(),
                vec![text("a.b", "1")],
            ),
            (
                "--b\ncontent-disposition: form-data; name=\"a\\\"%22\\c\"\n\n1\n--b--".to_owned(),
                vec![text("a\"\"\\c", "1")],
            ),
            (
                "--b\nContent-Disposition: form-data; name=\"f\"; filename=\"a;b.txt\"\n\n1\n--b--"
                    .to_owned(),
                vec![("f".to_owned(), Some("a;b.txt".to_owned()), "1".to_owned())],
            ),
        ] {
            assert_eq!(read(&body), Ok(expected), "{body}");
        }
    }

    #[test]
    fn b13_what_is_no_form_is_refused() {
        for body in [
            "",
            "--c--",
            "--b\n",
            "--b\nContent-Disposition: form-data; name=a\n\nx",
            "--b\nContent-Disposition: form-data; name=a\n\nx\n--b",
            "--b\nContent-Disposition: form-data; name=a\n",
            "--b\n\nx\n--b--",
            "--b\nContent-Disposition: form-data\n\nx\n--b--",
            "--b\nContent-Disposition: form-data; filename=a\n\nx\n--b--",
            "--b\nContent-Disposition: attachment; name=a\n\nx\n--b--",
            "--b\nContent-Disposition: form-data; name=\"a\n\nx\n--b--",
            "--b\nContent-Disposition: form-data; name=a\nContent-Transfer-Encoding: base64\n\nx\n--b--",
            "--b\nno header\n\nx\n--b--",
        ] {
            assert!(read(body).is_err(), "{body}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics_and_data_survive(data: Vec<u8>, junk in "[-b\r\n:;=\"a]{0,80}") {
            drop(parts(junk.as_bytes(), "b"));
            let mut body = b"--\0x\r\nContent-Disposition: form-data; name=a\r\n\r\n".to_vec();
            body.extend_from_slice(&data);
            body.extend_from_slice(b"\r\n--\0x--");
            prop_assume!(!data.windows(2).any(|two| two == b"\0x"));
            let found = parts(&body, "\0x").map(|parts| parts[0].data.to_vec());
            prop_assert_eq!(found, Ok(data));
        }
    }
}
