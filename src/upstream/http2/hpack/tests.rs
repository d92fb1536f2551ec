//! HPACK against the h2 crate: what its encoder writes is read, and what is written its decoder
//! reads. The two ends are an h2 server and blocks that are carried to and from it by hand.

use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;

use super::*;

fn decode(decoder: &mut Decoder, block: &[u8]) -> Option<List> {
    let mut list = List::new(1 << 14);
    decoder.decode(block, &mut list).ok().map(|()| list)
}

fn fields(list: &List) -> Vec<(&str, &str)> {
    list.headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
        .collect()
}

/// RFC 7541, appendix C.6, with a table that holds all of it.
#[test]
fn answers_of_the_specification() {
    let first = b"\x48\x82\x64\x02\x58\x85\xae\xc3\x77\x1a\x4b\x61\x96\xd0\x7a\xbe\x94\x10\x54\
        \xd4\x44\xa8\x20\x05\x95\x04\x0b\x81\x66\xe0\x82\xa6\x2d\x1b\xff\x6e\x91\x9d\x29\xad\x17\
        \x18\x63\xc7\x8f\x0b\x97\xc8\xe9\xae\x82\xae\x43\xd3";
    let second = b"\x48\x83\x64\x0e\xff\xc1\xc0\xbf";
    let mut decoder = Decoder::new();
    for (block, status) in [(&first[..], 302), (&second[..], 307)] {
        let list = decode(&mut decoder, block).unwrap();
        assert_eq!(list.wrong(), None);
        assert_eq!(list.status.unwrap(), status);
        let expected = [
            ("cache-control", "private"),
            ("date", "Mon, 21 Oct 2013 20:13:21 GMT"),
            ("location", "https://www.example.com"),
        ];
        assert_eq!(fields(&list), expected);
    }
}

#[test]
fn blocks_that_cannot_be_decoded() {
    let rows: &[&[u8]] = &[
        b"\x80",                       // no index
        b"\xbe",                       // beyond the tables
        b"\xff\xff\xff\xff\xff\x0f",   // beyond any table
        b"\x7e\x01a",                  // a name beyond the tables
        b"\x40\x05ab",                 // a string beyond the block
        b"\x40\x01a",                  // no value
        b"\x40\x81\x20\x01a",          // no Huffman code
        b"\x3f\xe2\x1f",               // a table of 4,097 bytes
        b"\x88\x20",                   // a table size after a field
        b"\x3f",                       // half an integer
        b"\x3f\x80\x80\x80\x80\x80\0", // an integer without end
    ];
    for block in rows {
        let mut list = List::new(1 << 14);
        let result = Decoder::new().decode(block, &mut list);
        assert_eq!(result, Err(Malformed), "{block:x?}");
    }
}

#[test]
fn lists_that_are_no_answer() {
    let rows: &[(&[u8], Option<&str>)] = &[
        (b"\x88", None),
        (b"\x88\x88", Some("two statuses")),
        (b"\0\x01a\x01b\x88", Some("a status after header fields")),
        (b"\x84", Some("a pseudo-header field of requests")),
        (
            b"\0\x01A\x01b",
            Some("a header field that HTTP does not have"),
        ),
        (
            b"\0\x01a\x01\n",
            Some("a header field that HTTP does not have"),
        ),
        (
            b"\x08\x0220",
            Some("a header field that HTTP does not have"),
        ),
        (b"\0\x02te\x01b", None),
        (b"\0\x07upgrade\x01b", Some("a header field of HTTP/1.1")),
        (b"\0\x0akeep-alive\x01b", Some("a header field of HTTP/1.1")),
    ];
    for (block, wrong) in rows {
        let list = decode(&mut Decoder::new(), block).unwrap();
        assert_eq!(list.wrong(), *wrong, "{block:x?}");
    }
}

/// Fault 3: many references to one large field cost nothing, and the table stays right.
#[test]
fn a_list_over_the_limit_is_decoded_to_its_end() {
    // A field of 2,000 bytes, 5,000 references to it, and another field.
    let mut block = b"\x40\x01a\x7f\xd1\x0e".to_vec();
    block.extend([b'x'; 2000]);
    block.extend([0xbe; 5000]);
    block.extend(b"\x40\x01b\x01c");
    let mut decoder = Decoder::new();
    let list = decode(&mut decoder, &block).unwrap();
    assert_eq!(list.wrong(), Some("a header list over the limit"));
    assert!(list.headers.len() < 9);
    let list = decode(&mut decoder, b"\x88\xbe").unwrap();
    assert_eq!((list.wrong(), fields(&list)), (None, vec![("b", "c")]));
}

fn request(metadata: &HeaderMap) -> Request<'_> {
    Request {
        path: "/pkg.Service/Method",
        authority: "app.example:50051",
        metadata,
        timeout: None,
        told: None,
    }
}

fn encoded(encoder: &mut Encoder, metadata: &HeaderMap) -> Vec<u8> {
    let mut out = Vec::new();
    encoder.encode(&request(metadata), &mut out);
    out
}

#[test]
fn what_never_changes_is_one_byte_from_then_on() {
    let mut encoder = Encoder::new();
    let mut metadata = HeaderMap::new();
    metadata.insert("user-agent", HeaderValue::from_static("curl/8"));
    let first = encoded(&mut encoder, &metadata);
    assert!(first.len() > 60);
    let again = encoded(&mut encoder, &metadata);
    assert_eq!(again, b"\x83\x86\xc2\xc1\xc0\xbf\xbe");
    metadata.insert("authorization", HeaderValue::from_static("x"));
    metadata.insert("a", HeaderValue::from_static("b"));
    metadata.insert("te", HeaderValue::from_static("gzip"));
    let with = encoded(&mut encoder, &metadata);
    assert_eq!(
        with,
        b"\x83\x86\xc2\xc1\xc0\xbf\xbe\x10\x0dauthorization\x01x\0\x01a\x01b"
    );
}

#[test]
fn the_table_is_as_small_as_the_far_side_says() {
    let mut encoder = Encoder::new();
    let metadata = HeaderMap::new();
    let full = encoded(&mut encoder, &metadata);
    encoder.set_table_size(0);
    encoder.set_table_size(1 << 20);
    let again = encoded(&mut encoder, &metadata);
    assert_eq!(again, [b"\x20\x3f\xe1\x1f", &full[..]].concat());
    encoder.set_table_size(0);
    let none = encoded(&mut encoder, &metadata);
    assert_eq!(&none[..4], b"\x20\x83\x86\x04");
    assert_eq!(encoded(&mut encoder, &metadata), none[1..]);
    // No larger one than it has is used, and none is announced.
    let mut encoder = Encoder::new();
    encoder.set_table_size(1 << 20);
    assert_eq!(encoded(&mut encoder, &metadata), full);
}

fn names() -> impl Strategy<Value = HeaderName> {
    "[a-z0-9_.-]{1,12}".prop_filter_map("a name", |name| {
        let name = HeaderName::try_from(name).ok()?;
        let ours = name == "te" || list::belongs_to_connection(&name);
        (!ours).then_some(name)
    })
}

fn maps() -> impl Strategy<Value = HeaderMap> {
    let value = "[ -~]{0,40}".prop_map(|value| HeaderValue::try_from(value).unwrap());
    proptest::collection::vec((names(), value), 0..8).prop_map(|pairs| {
        let mut map = HeaderMap::new();
        for (name, value) in pairs {
            map.append(name, value);
        }
        map
    })
}

proptest! {
    #[test]
    fn no_block_is_too_odd(blocks in proptest::collection::vec(any::<Vec<u8>>(), 1..4)) {
        let mut decoder = Decoder::new();
        for block in blocks {
            let mut list = List::new(512);
            if decoder.decode(&block, &mut list).is_err() {
                break;
            }
        }
    }

    /// What our encoder writes, our decoder reads, whatever the table's size becomes.
    #[test]
    fn requests_come_back(
        metadata in proptest::collection::vec((maps(), any::<Option<u16>>()), 1..8),
    ) {
        let mut encoder = Encoder::new();
        let mut decoder = Decoder::new();
        for (metadata, size) in metadata {
            if let Some(size) = size {
                encoder.set_table_size(usize::from(size));
            }
            let block = encoded(&mut encoder, &metadata);
            let list = decode(&mut decoder, &block).unwrap();
            let mut expected = metadata.clone();
            expected.insert("te", HeaderValue::from_static("trailers"));
            if !expected.contains_key("content-type") {
                expected.insert("content-type", HeaderValue::from_static("application/grpc"));
            }
            for name in expected.keys().filter(|name| *name != "content-type") {
                let all: Vec<_> = expected.get_all(name).iter().collect();
                let got: Vec<_> = list.headers.get_all(name).iter().collect();
                prop_assert_eq!(all, got);
            }
            prop_assert_eq!(list.headers.get("content-type"), expected.get("content-type"));
        }
    }
}
