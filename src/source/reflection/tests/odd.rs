//! Servers that lack something, or mean harm.

use prost::Message as _;

use super::super::*;
use super::app::{Act, App, answer, error, file, library, list, names, send, told};
use crate::call::Status;
use crate::wire::frame;

#[tokio::test]
async fn what_the_server_lacks_is_told_unless_memory_has_it() {
    let files = [
        file("a.proto < gogoproto/gogo.proto + acme/x.proto + google/api/annotations.proto: A"),
        file("acme/x.proto < acme/y.proto"),
    ];
    let app = App::new(move |_, _, question| match question {
        MessageRequest::ListServices(_) => list(&[
            "p.A",
            "p.Ghost",
            "grpc.health.v1.Health",
            "grpc.reflection.v1.ServerReflection",
        ]),
        // Go's stand-in for a file that it does not have: a name and nothing else.
        MessageRequest::FileByFilename(name) if name == "acme/y.proto" => {
            send([b"\x0a\x0cacme/y.proto".to_vec()])
        }
        _ => answer(&files, question),
    });
    let reflected = app.fetch().await.unwrap();
    assert_eq!(
        names(&reflected),
        [
            "a.proto",
            "acme/x.proto",
            "grpc/health/v1/health.proto",
            "grpc/reflection/v1/reflection.proto",
        ]
    );
    assert_eq!(
        told(&reflected),
        "reflection: error: the application lists p.Ghost but cannot describe it: not found\n  \
         help: give its .proto file with --proto\n\
         reflection: warning: acme/y.proto, which acme/x.proto imports, cannot be had: the answer \
         does not hold it\n  note: what needs it is left out, everything else is served\n  \
         help: give the file with --proto or --include"
    );
}

/// Some servers end the stream where others answer with an error.
#[tokio::test]
async fn a_stream_that_ends_over_one_question_costs_only_that_question() {
    for act in [
        (|| Act::End(Status::new(Code::Unknown, "exception"))) as fn() -> Act,
        || Act::End(Status::ok()),
        || Act::Break(Fault::upstream(Code::Internal, "RESET", "reset")),
        || Act::Bytes(b"\x01\0\0\0\x01x".to_vec()),
        || Act::Bytes(b"\0\0\0\0\x01\xff".to_vec()),
        || Act::Bytes(b"\x07\0\0\0\0".to_vec()),
        || Act::Bytes(b"\0\0\0\0\0".to_vec()),
    ] {
        let app = App::new(move |_, _, question| match question {
            MessageRequest::FileContainingSymbol(name) if name == "p.A" => act(),
            _ => answer(&library(), question),
        });
        let reflected = app.fetch().await.unwrap();
        assert_eq!(names(&reflected), ["b.proto", "c.proto"]);
        let told = told(&reflected);
        let expected = "reflection: error: the application lists p.A but cannot describe it: ";
        assert!(told.starts_with(expected), "{told}");
    }
}

#[tokio::test]
async fn junk_in_an_answer_does_not_hide_the_rest() {
    let app = App::new(|_, _, question| match question {
        MessageRequest::ListServices(_) => list(&["p.A", "", "p.B", "p.C"]),
        MessageRequest::FileContainingSymbol(name) if name == "p.A" => send([
            vec![0xff],
            b"\x12\x01p".to_vec(),
            library()[0].1.encode_to_vec(),
        ]),
        MessageRequest::FileContainingSymbol(name) if name == "p.C" => list(&[]),
        _ => answer(&library(), question),
    });
    let reflected = app.fetch().await.unwrap();
    assert_eq!(names(&reflected), ["a.proto", "b.proto", "c.proto"]);
    let told = told(&reflected);
    for expected in [
        "reflection: error: 2 files that came with p.A are broken, the first: ",
        "lists p.C but cannot describe it: the answer is to another question",
    ] {
        assert!(told.contains(expected), "{expected} in {told}");
    }
}

#[tokio::test]
async fn a_list_that_is_refused_is_a_fault_and_an_empty_one_is_told() {
    let app = App::new(|_, _, _| error("not for you"));
    let fault = app.fetch().await.unwrap_err();
    assert_eq!(
        (fault.reason(), fault.cause()),
        ("REFLECTION_REFUSED", Some("not for you"))
    );

    let app = App::new(|_, _, _| list(&[]));
    let reflected = app.fetch().await.unwrap();
    assert!(reflected.files.is_empty());
    assert!(told(&reflected).contains("warning: the application lists no services"));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_stalls_is_a_fault_after_the_time() {
    for stalls_at in [0, 1] {
        let app = App::new(move |app, _, question| {
            if app.asked.borrow().len() > stalls_at {
                return Act::Stall;
            }
            answer(&library(), question)
        });
        let fault = app.fetch().await.unwrap_err();
        assert_eq!(fault.code(), Code::DeadlineExceeded);
        assert_eq!(fault.reason(), "REFLECTION_TIMEOUT");
    }
}

#[tokio::test]
async fn limits_hold_against_a_server_without_end() {
    // Every file imports two that nobody has seen.
    let endless = || {
        App::new(|_, _, question| match question {
            MessageRequest::ListServices(_) => list(&["p.A"]),
            MessageRequest::FileByFilename(name) => {
                send([file(&format!("{name} < {name}0 + {name}1"))
                    .1
                    .encode_to_vec()])
            }
            _ => send([file("a < b: A").1.encode_to_vec()]),
        })
    };
    let params = Params {
        max_files: 10,
        ..Params::default()
    };
    let reflected = endless().fetch_with(&params).await.unwrap();
    assert_eq!(reflected.files.len(), 10);
    assert!(told(&reflected).contains("error: more than 10 files by reflection"));

    let params = Params {
        max_bytes: 1000,
        ..Params::default()
    };
    let app = endless();
    let reflected = app.fetch_with(&params).await.unwrap();
    assert!(reflected.files.len() < 30);
    assert!(told(&reflected).contains("the answers are larger than the limit"));
    // No stream is opened for what would not be read.
    assert_eq!(app.streams.get(), 1);

    let params = Params {
        max_services: 1,
        ..Params::default()
    };
    let app = App::new(|_, _, question| answer(&library(), question));
    let reflected = app.fetch_with(&params).await.unwrap();
    assert!(told(&reflected).contains("lists 2 services, of which 1 are used"));
    assert!(
        reflected
            .files
            .iter()
            .all(|file| !file.services.offers("p.B"))
    );
}

#[tokio::test]
async fn one_answer_is_bounded() {
    // Files and services that take two bytes each.
    for field in [0x22, 0x32] {
        let app = App::new(move |_, _, question| match question {
            MessageRequest::ListServices(_) if field == 0x22 => list(&["p.A"]),
            _ => {
                let mut answer = vec![field, 0x82, 0xb5, 0x18];
                answer.extend(b"\x0a\x00".repeat(200_001));
                Act::Bytes(frame::frame(0, &answer).unwrap().to_vec())
            }
        });
        let why = match app.fetch().await {
            Ok(reflected) => told(&reflected),
            Err(fault) => fault.to_string(),
        };
        assert!(why.contains("it holds more than 100000 files"), "{why}");
    }
    let params = Params {
        max_file_bytes: 20,
        ..Params::default()
    };
    let app = App::new(|_, _, question| answer(&library(), question));
    let told = told(&app.fetch_with(&params).await.unwrap());
    let expected = "a file that came with p.A is broken: it is larger than 20 bytes";
    assert!(told.contains(expected), "{told}");
    let params = Params {
        max_answer_bytes: 4,
        ..Params::default()
    };
    let app = App::new(|_, _, question| answer(&library(), question));
    let fault = app.fetch_with(&params).await.unwrap_err();
    assert!(fault.to_string().contains("over the limit of 4"), "{fault}");
}

#[tokio::test]
async fn two_versions_of_a_file_are_told_once() {
    let app = App::new(|_, _, question| match question {
        MessageRequest::ListServices(_) => list(&["p.A", "p.B", "p.C"]),
        MessageRequest::FileContainingSymbol(_) => {
            let files = ["a.proto: A", "a.proto: B", "a.proto: C"];
            send(files.map(|words| file(words).1.encode_to_vec()))
        }
        _ => error("not found"),
    });
    let reflected = app.fetch().await.unwrap();
    assert_eq!(reflected.files.len(), 1);
    let told = told(&reflected);
    let expected = "warning: a.proto comes in two versions: the first counts";
    assert_eq!(told.matches(expected).count(), 1, "{told}");
}

#[tokio::test]
async fn what_a_server_says_stays_on_one_line() {
    let app = App::new(|_, _, question| match question {
        MessageRequest::ListServices(_) => list(&["p.A"]),
        _ => error("one\ntwo\x1b[31m"),
    });
    let told = told(&app.fetch().await.unwrap());
    assert!(
        told.contains("describe it: one\\ntwo\\u{1b}[31m\n  help: "),
        "{told}"
    );
}
