//! Servers that do it right, each in its way.

use std::cell::RefCell;
use std::rc::Rc;

use prost::Message as _;

use super::super::*;
use super::app::{Act, App, answer, error, library, list, names, send, told, unimplemented};
use crate::call::Status;
use crate::schema::compile::Services;

#[tokio::test]
async fn everything_is_asked_for_once_and_kept_as_it_is() {
    let app = App::new(|_, _, question| answer(&library(), question));
    app.is_choppy.set(true);
    let reflected = app.fetch().await.unwrap();
    assert_eq!(names(&reflected), ["a.proto", "b.proto", "c.proto"]);
    assert_eq!(told(&reflected), "");
    assert_eq!(reflected.version, Version::V1);
    assert_eq!(
        app.asked(),
        [
            "v1: ListServices(\"\")",
            "v1: FileContainingSymbol(\"p.A\")",
            "v1: FileContainingSymbol(\"p.B\")",
            "v1: FileByFilename(\"google/protobuf/empty.proto\")",
            "v1: FileByFilename(\"c.proto\")",
        ]
    );
    assert_eq!(app.streams.get(), 1);
    for (file, (_, sent)) in reflected.files.iter().zip(library()) {
        assert_eq!(file.bytes, sent.encode_to_vec());
        assert!(file.services.offers("p.A") && !file.services.offers("p.C"));
        assert_eq!(&*file.origin, "reflection");
    }
}

#[tokio::test]
async fn what_nobody_knows_stays_in_the_bytes() {
    // An edition, and a custom option of nobody's.
    let mut bytes = library()[2].1.encode_to_vec();
    bytes.extend(b"\x62\x08editions\x70\xe8\x07\x42\x06\xc2\xf3\x18\x02hi");
    let expected = bytes.clone();
    let app = App::new(move |_, _, question| match question {
        MessageRequest::ListServices(_) => list(&["p.S"]),
        _ => {
            let mut file = library()[2].1.clone();
            file.name = Some("s.proto".to_owned());
            file.service = library()[0].1.service.clone();
            file.service[0].name = Some("S".to_owned());
            send([file.encode_to_vec(), bytes.clone()])
        }
    });
    let reflected = app.fetch().await.unwrap();
    assert_eq!(reflected.files[0].bytes, expected);
}

#[tokio::test]
async fn v1alpha_is_asked_when_there_is_no_v1() {
    for code in [Code::Unimplemented, Code::Unknown, Code::NotFound] {
        let app = App::new(move |_, version, question| match version {
            Version::V1 => Act::End(Status::new(code, "no")),
            Version::V1Alpha => answer(&library(), question),
        });
        let reflected = app.fetch().await.unwrap();
        assert_eq!(reflected.version, Version::V1Alpha);
        assert_eq!(reflected.files.len(), 3);
        assert_eq!(app.streams.get(), 2);
    }
}

#[tokio::test]
async fn an_application_without_reflection_is_a_fault() {
    let app = App::new(|_, _, _| unimplemented());
    let fault = app.fetch().await.unwrap_err();
    assert_eq!(
        (fault.code(), fault.reason()),
        (Code::Unimplemented, "REFLECTION_NOT_SERVED")
    );
    assert_eq!(
        fault.cause(),
        Some("v1: UNIMPLEMENTED: unknown service; v1alpha: UNIMPLEMENTED: unknown service")
    );
    assert_eq!(app.streams.get(), 2);
}

#[tokio::test]
async fn an_application_that_is_down_or_says_no_is_a_fault_at_once() {
    for code in [
        Code::Unavailable,
        Code::Unauthenticated,
        Code::PermissionDenied,
    ] {
        let app = App::new(move |_, _, _| Act::End(Status::new(code, "no")));
        assert_eq!(app.fetch().await.unwrap_err().code(), code);
        assert_eq!(app.streams.get(), 1);
    }
    let app = App::new(|_, _, question| match question {
        MessageRequest::ListServices(_) => list(&["p.A"]),
        _ => Act::Break(Fault::unavailable("GONE", "the application went away")),
    });
    assert_eq!(app.fetch().await.unwrap_err().reason(), "GONE");
}

#[tokio::test]
async fn a_server_may_send_all_in_one_answer_or_each_file_once() {
    let everything = || library().into_iter().map(|(_, file)| file.encode_to_vec());
    let app = App::new(move |_, _, question| match question {
        MessageRequest::ListServices(_) => list(&["p.A", "p.B"]),
        MessageRequest::FileContainingSymbol(_) => send(everything()),
        _ => error("not found"),
    });
    let all_at_once = app.fetch().await.unwrap();
    assert_eq!(app.asked().len(), 3);

    let app = App::new(|app, _, question| {
        let Act::Say(MessageResponse::FileDescriptorResponse(mut found)) =
            answer(&library(), question)
        else {
            return answer(&library(), question);
        };
        found.file_descriptor_proto.retain(|bytes| {
            let name = crate::source::raw::head(bytes).unwrap().name;
            let mut sent = app.sent.borrow_mut();
            let is_new = !sent.contains(&name);
            sent.push(name);
            is_new
        });
        Act::Say(MessageResponse::FileDescriptorResponse(found))
    });
    let once_each = app.fetch().await.unwrap();
    assert_eq!(told(&once_each), "");
    assert_eq!(names(&all_at_once), names(&once_each));
    assert_eq!(all_at_once.digest, once_each.digest);
}

#[tokio::test]
async fn the_digest_tells_services_and_files_apart_but_not_their_order() {
    let with = |services: &'static [&'static str]| async move {
        let app = App::new(move |_, _, question| match question {
            MessageRequest::ListServices(_) => list(services),
            _ => answer(&library(), question),
        });
        app.fetch().await.unwrap().digest
    };
    assert_eq!(with(&["p.A", "p.B"]).await, with(&["p.B", "p.A"]).await);
    assert_ne!(with(&["p.A", "p.B"]).await, with(&["p.A"]).await);
}

#[tokio::test]
async fn own_metadata_goes_along_and_the_body_ends() {
    let seen = Rc::new(RefCell::new(None));
    let note = Rc::clone(&seen);
    let app = App::new(|_, _, question| answer(&library(), question));
    let mut params = Params::default();
    params
        .metadata
        .insert("authorization", "Bearer x".parse().unwrap());
    let mut send = move |call: Call| -> LocalFuture<Result<Reply, Fault>> {
        *note.borrow_mut() = call.metadata.get("authorization").cloned();
        let app = Rc::clone(&app);
        Box::pin(async move { app.call(call) })
    };
    let reflected = fetch(&mut send, &params).await.unwrap();
    assert!(matches!(reflected.files[0].services, Services::Only(_)));
    assert_eq!(seen.borrow().as_ref().unwrap(), "Bearer x");
}
