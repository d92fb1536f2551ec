//! Messages that are sound, and messages that two readers could understand differently.

use super::*;

const GOOD: &[&str] = &[
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "\r\nGET / HTTP/1.1\r\nhost:a\r\nX:\t y \r\n\r\nGET / HTTP/1.0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET / HTTP/1.0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length:  0 \r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n\
     3\r\nabc\r\nA;x=\"y\"\r\n0123456789\r\n0\r\nX: y\r\n\r\nGET / HTTP/1.0\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n00\r\n\r\n",
    "GET /\u{e9} HTTP/1.1\r\nHost: a\r\nX: \u{e9}\r\n\r\n",
];

/// Each with its wrong byte between `«` and `»`; where nothing stands between, it is the
/// last byte.
const BAD: &[&str] = &[
    "GET / HTTP/1.1«\n»Host: a\r\n\r\n",
    "«\n»GET / HTTP/1.1\r\n",
    "GET / HTTP/1.1\r«H»ost: a\r\n\r\n",
    "GET /\u{0}«» HTTP/1.1\r\n",
    "GET /\t«» HTTP/1.1\r\n",
    "GET / HTTP/1.1\r\n« »Host: a\r\n",
    "GET / HTTP/1.1\r\nHost« »: a\r\n",
    "GET / HTTP/1.1\r\n«:» a\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n« »folded\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nX: y«\n»\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nX: y\u{0}«»\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nX: a\r«b»\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\n\r«x»",
    "GET / HTTP/1.1\r\nX: no host\r\n\r«\n»",
    "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r«\n»",
    "GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r«\n»",
    "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r«\n»",
    "GET / HTTP/2.0\r\nHost: a\r\n\r«\n»",
    "GET /\r\n\r«\n»",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r«\n»",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r«\n»",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r«\n»",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\
     transfer-encoding: chunked\r\n\r«\n»",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked«\r»\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity«\r»\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:«\r»\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1«\r»\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1«\r»\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1«\r»\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x1«\r»\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: «\r»\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999999999«\r»\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\na«\n»",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1«\n»a\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n«\r»\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1« »\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n«-»1\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na«b»\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r«b»",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;a«\n»b\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1111111111111111«»",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX «»: y\r\n",
];

fn bad(row: &str) -> (Vec<u8>, usize) {
    let (before, after) = row.split_once('«').unwrap();
    let at = match before.chars().last() {
        Some(last) if after.starts_with('»') => before.len() - last.len_utf8(),
        _ => before.len(),
    };
    (row.replace(['«', '»'], "").into_bytes(), at)
}

#[test]
fn sound_messages_pass_whole() {
    for row in GOOD {
        let mut strict = Strict::new();
        assert_eq!(strict.follow(row.as_bytes()), Ok(()), "{row}");
        assert_eq!(strict.at, At::Start, "{row}");
    }
}

/// Faults 11 and 12: each stops at the byte in doubt.
#[test]
fn ambiguous_messages_stop() {
    for row in BAD {
        let (bytes, at) = bad(row);
        assert_eq!(Strict::new().follow(&bytes), Err(at), "{row}");
    }
}

#[test]
fn the_cut_does_not_matter() {
    for row in GOOD {
        let mut strict = Strict::new();
        for byte in row.as_bytes() {
            assert_eq!(strict.follow(&[*byte]), Ok(()), "{row}");
        }
        assert_eq!(strict.at, At::Start, "{row}");
    }
    for row in BAD {
        let (bytes, at) = bad(row);
        let mut strict = Strict::new();
        let stopped = bytes
            .iter()
            .position(|byte| strict.follow(&[*byte]).is_err());
        assert_eq!(stopped, Some(at), "{row}");
    }
}

/// Runs of bytes are taken eight at a time: every byte at every place must count as by itself.
#[test]
fn a_run_ends_where_its_bytes_say() {
    for byte in 0..=u8::MAX {
        let ends = byte < b' ' || byte == 0x7f;
        for at in 0..20 {
            let mut bytes = [0x9f; 20];
            bytes[at] = byte;
            let expected = if ends { at } else { bytes.len() };
            assert_eq!(text_run(&bytes), expected, "{byte:#x} at {at}");
        }
    }
}
