//! The parsers that know no messages.

use std::time::Duration;

use bytes::Bytes;
use sidegate::route::template::Template;
use sidegate::schema::compile::{Input, Services, SourceFile, compile};
use sidegate::schema::problem::Severity;
use sidegate::source::descriptor_set;
use sidegate::wire::compress::{self, Compressor, Decompressor, Encoding};
use sidegate::wire::frame::{Deframer, Follower, FrameError, Rules};
use sidegate::wire::websocket::{Decoder, Event, Violation};
use sidegate::wire::{percent, timeout as timeouts, trace};
use sidegate::{config as settings, yaml};

/// A template that parses is written as one that parses to the same; a complaint has a place.
pub(crate) fn template(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    match Template::parse(text) {
        Ok(template) => {
            let again = template.to_string();
            assert_eq!(Template::parse(&again).as_ref(), Ok(&template), "{again}");
        }
        Err(error) => {
            assert!(error.column() <= text.chars().count() + 1 && !error.message().is_empty());
        }
    }
}

/// A size of pieces, then frames. In whatever pieces they come, the messages are the same, and who
/// only follows them counts the same.
pub(crate) fn deframe(data: &[u8]) {
    let [piece, rest @ ..] = data else { return };
    let rules = match piece % 3 {
        0 => Rules::grpc(1 << 10),
        1 => Rules::grpc_web(1 << 10),
        _ => Rules::connect(1 << 10),
    };
    let whole = messages(rules, rest.chunks(rest.len().max(1)));
    let size = usize::from(*piece / 3).max(1);
    assert_eq!(whole, messages(rules, rest.chunks(size)));
    let mut follower = Follower::new(rules);
    let followed = rest
        .chunks(size)
        .try_for_each(|chunk| follower.advance(chunk));
    let followed = followed.and_then(|()| follower.finish());
    assert_eq!(followed.err(), whole.1);
    assert!(follower.messages() >= whole.0.len() as u64);
}

/// A size of pieces, then frames of a client. In whatever pieces they come, they say the same;
/// text is UTF-8 and nothing is over the limit.
pub(crate) fn websocket(data: &[u8]) {
    let [piece, rest @ ..] = data else { return };
    let whole = events(rest.chunks(rest.len().max(1)));
    assert_eq!(whole, events(rest.chunks(usize::from(*piece).max(1))));
    for event in &whole.0 {
        match event {
            Event::Text(text) => {
                assert!(text.len() <= 1 << 10 && std::str::from_utf8(text).is_ok());
            }
            Event::Binary(bytes) => assert!(bytes.len() <= 1 << 10),
            Event::Ping(payload) => assert!(payload.len() <= 125),
            Event::Pong => {}
            Event::Close(code) => assert!(code.is_none_or(|code| code >= 1000)),
        }
    }
}

fn events(chunks: std::slice::Chunks<'_, u8>) -> (Vec<Event>, Option<Violation>) {
    let mut decoder = Decoder::new(1 << 10);
    let mut found = Vec::new();
    for mut chunk in chunks {
        while !chunk.is_empty() {
            match decoder.advance(chunk) {
                Ok((event, used)) => {
                    found.extend(event);
                    chunk = chunk.get(used..).unwrap_or_default();
                }
                Err(violation) => return (found, Some(violation)),
            }
        }
    }
    (found, None)
}

fn messages(rules: Rules, chunks: std::slice::Chunks<'_, u8>) -> (Vec<Bytes>, Option<FrameError>) {
    let mut deframer = Deframer::new(rules);
    let mut found = Vec::new();
    for chunk in chunks {
        deframer.push(Bytes::copy_from_slice(chunk));
        loop {
            match deframer.next() {
                Ok(Some(message)) => found.push(message.payload),
                Ok(None) => break,
                Err(error) => return (found, Some(error)),
            }
        }
    }
    (found, deframer.finish().err())
}

/// A context that parses is one that others read too, in every form.
pub(crate) fn trace(data: &[u8]) {
    let mut parts = data.split(|byte| *byte == b' ');
    let several = trace::parse_b3_multi(trace::B3 {
        trace_id: parts.next().unwrap_or_default(),
        span_id: parts.next().unwrap_or_default(),
        sampled: parts.next(),
        flags: parts.next(),
    });
    let found = [
        trace::parse_traceparent(data),
        trace::parse_b3(data),
        several,
    ];
    for context in found.into_iter().flatten() {
        assert!(context.trace_id != 0 && context.span_id != 0);
        let told = trace::Context {
            sampled: Some(context.is_sampled()),
            ..context
        };
        assert_eq!(trace::parse_traceparent(&context.traceparent()), Some(told));
        assert_eq!(trace::parse_b3(&context.b3()), Some(told));
    }
}

/// An encoding and a size of pieces, then a compressed body. In whatever pieces it comes, it becomes
/// the same and no more than the limit; and the bytes survive being compressed.
pub(crate) fn compressed(data: &[u8]) {
    const LIMIT: usize = 4 << 10;
    const ENCODINGS: [Encoding; 5] = [
        Encoding::Identity,
        Encoding::Gzip,
        Encoding::Deflate,
        Encoding::Brotli,
        Encoding::Zstd,
    ];
    let [encoding, size, rest @ ..] = data else {
        return;
    };
    let at = usize::from(*encoding) % ENCODINGS.len();
    let encoding = *ENCODINGS.get(at).expect("it is below the length");
    let size = usize::from(*size).max(1);
    let message = Bytes::copy_from_slice(rest);
    let whole = compress::decompress(encoding, &message, LIMIT);
    let pieces = unpacked(encoding, rest.chunks(size), LIMIT);
    assert!(whole.as_ref().is_ok_and(|out| out.len() <= LIMIT) || whole.is_err());
    assert_eq!(
        whole.ok(),
        pieces.ok().map(Bytes::from),
        "{encoding} in pieces of {size}"
    );
    let mut compressor = Compressor::new(encoding);
    let mut packed: Vec<Bytes> = rest
        .chunks(size)
        .map(|piece| compressor.write(piece))
        .collect();
    packed.push(compressor.finish());
    let packed = packed.concat();
    let again = unpacked(encoding, packed.chunks(size), rest.len());
    assert_eq!(again.as_deref(), Ok(rest), "{encoding} and back");
    let once = compress::compress(encoding, &message);
    assert_eq!(
        compress::decompress(encoding, &once, rest.len()),
        Ok(message)
    );
}

fn unpacked(
    encoding: Encoding,
    pieces: std::slice::Chunks<'_, u8>,
    limit: usize,
) -> Result<Vec<u8>, compress::CompressError> {
    let mut decompressor = Decompressor::new(encoding, limit);
    let mut out = Vec::new();
    for piece in pieces {
        out.extend_from_slice(&decompressor.write(piece)?);
        assert!(out.len() <= limit, "more than the limit comes out");
    }
    out.extend_from_slice(&decompressor.finish()?);
    assert!(out.len() <= limit, "more than the limit comes out");
    Ok(out)
}

/// A timeout that parses is never made longer by being written and read again.
pub(crate) fn timeout(data: &[u8]) {
    let _any = (timeouts::parse_connect(data), timeouts::parse_server(data));
    if let Ok(parsed) = timeouts::parse_grpc(data) {
        let written = timeouts::format_grpc(parsed);
        let again = timeouts::parse_grpc(written.as_bytes()).expect("what is written parses");
        assert!(again <= parsed, "{written}");
        let lost = parsed - again;
        assert!(
            lost <= parsed / 1_000 + Duration::from_nanos(1),
            "{written}"
        );
    }
}

/// Any bytes decode to a text; a text survives being encoded and decoded.
pub(crate) fn percent(data: &[u8]) {
    let text = percent::decode_message(data);
    let encoded = percent::encode_message(&text);
    assert!(encoded.bytes().all(|byte| (0x20..0x7F).contains(&byte)));
    assert_eq!(percent::decode_message(encoded.as_bytes()), text);
}

/// Whatever stands in the file: a configuration, or an error that says why there is none.
pub(crate) fn config(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let parsed = yaml::parse(text);
    assert!(parsed.root.is_some() || !parsed.complaints.is_empty());
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("sidegate.yaml");
    std::fs::write(&path, text).expect("written");
    let (config, problems) = settings::load(&settings::Input {
        file: Some(path),
        directory: directory.path().to_path_buf(),
        ..settings::Input::default()
    });
    let errors = problems
        .iter()
        .any(|problem| problem.severity == Severity::Error);
    assert_eq!(config.is_none(), errors, "{problems:#?}");
}

/// Descriptors compile to whatever is sound in them, alone and as a set.
pub(crate) fn descriptors(data: &[u8]) {
    let file = SourceFile {
        bytes: Bytes::copy_from_slice(data),
        origin: "fuzz".into(),
        services: Services::All,
    };
    let alone = compile(&Input {
        files: vec![file],
        ..Input::default()
    });
    let again = alone
        .0
        .methods
        .iter()
        .map(|method| alone.0.find(&method.path));
    assert!(
        again.eq(alone
            .0
            .methods
            .iter()
            .map(|method| alone.0.by_path.get(&method.path).copied()))
    );
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("set.binpb");
    std::fs::write(&path, data).expect("written");
    let set = descriptor_set::load(&path);
    drop(compile(&Input {
        files: set.files,
        ..Input::default()
    }));
}
