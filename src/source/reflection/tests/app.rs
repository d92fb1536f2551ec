//! Applications that are played by a script.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::Frame;
use prost::Message as _;

use super::super::*;
use crate::call::{Body, Status};
use crate::schema::builtin::pb::reflection::{
    ErrorResponse, FileDescriptorResponse, ListServiceResponse, ServerReflectionRequest,
    ServerReflectionResponse,
};
use crate::schema::descriptor::{DescriptorProto, FileDescriptorProto, ServiceDescriptorProto};
use crate::wire::frame::{self, Deframer, Rules};

/// What an application does about one question.
pub(super) enum Act {
    /// Answers.
    Say(MessageResponse),
    /// Sends these very bytes.
    Bytes(Vec<u8>),
    /// Ends the stream.
    End(Status),
    /// Breaks the stream.
    Break(Fault),
    /// Says nothing for ever.
    Stall,
}

/// An application: what it does, given the version and how many answers the stream has had.
pub(super) type Script = Rc<dyn Fn(&App, Version, &MessageRequest) -> Act>;

/// A played application.
pub(super) struct App {
    pub(super) script: Script,
    /// The versions of streams, in order, and the questions.
    pub(super) asked: RefCell<Vec<String>>,
    pub(super) streams: Cell<usize>,
    /// Files that were sent on the present stream.
    pub(super) sent: RefCell<Vec<String>>,
    /// Cuts answers into single bytes.
    pub(super) is_choppy: Cell<bool>,
}

impl App {
    pub(super) fn new(
        script: impl Fn(&Self, Version, &MessageRequest) -> Act + 'static,
    ) -> Rc<Self> {
        Rc::new(Self {
            script: Rc::new(script),
            asked: RefCell::default(),
            streams: Cell::new(0),
            sent: RefCell::default(),
            is_choppy: Cell::new(false),
        })
    }

    pub(super) async fn fetch_with(self: &Rc<Self>, params: &Params) -> Result<Reflected, Fault> {
        let app = Rc::clone(self);
        fetch(
            &mut move |call| {
                let app = Rc::clone(&app);
                Box::pin(async move { app.call(call) })
            },
            params,
        )
        .await
    }

    pub(super) async fn fetch(self: &Rc<Self>) -> Result<Reflected, Fault> {
        self.fetch_with(&Params::default()).await
    }

    pub(super) fn call(self: Rc<Self>, call: Call) -> Result<Reply, Fault> {
        self.streams.set(self.streams.get() + 1);
        self.sent.borrow_mut().clear();
        let version = match call.path.as_str() {
            "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo" => Version::V1,
            "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo" => Version::V1Alpha,
            other => panic!("{other}"),
        };
        Ok(Reply {
            metadata: Metadata::new(),
            trailers_only: None,
            body: Body::stream(Answers {
                app: self,
                version,
                questions: call.body,
                deframer: Deframer::new(Rules::grpc(1 << 20)),
                ready: VecDeque::new(),
                is_over: false,
            }),
        })
    }

    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.borrow().clone()
    }
}

struct Answers {
    app: Rc<App>,
    version: Version,
    questions: Body,
    deframer: Deframer,
    ready: VecDeque<Result<Frame<Bytes>, Fault>>,
    is_over: bool,
}

impl Answers {
    fn act(&mut self, question: &MessageRequest) {
        let line = format!("{}: {question:?}", self.version);
        self.app.asked.borrow_mut().push(line);
        let script = Rc::clone(&self.app.script);
        let bytes = match script(&self.app, self.version, question) {
            Act::Say(answer) => {
                let answer = ServerReflectionResponse {
                    message_response: Some(answer),
                    ..ServerReflectionResponse::default()
                };
                frame::frame(0, &answer.encode_to_vec()).unwrap()
            }
            Act::Bytes(bytes) => bytes.into(),
            Act::End(status) => return self.end(&status),
            Act::Break(fault) => {
                self.is_over = true;
                return self.ready.push_back(Err(fault));
            }
            Act::Stall => return,
        };
        let size = if self.app.is_choppy.get() {
            1
        } else {
            bytes.len().max(1)
        };
        let chunks = bytes.chunks(size);
        let chunks = chunks.map(|chunk| Ok(Frame::data(Bytes::copy_from_slice(chunk))));
        self.ready.extend(chunks);
    }

    fn end(&mut self, status: &Status) {
        self.is_over = true;
        self.ready
            .push_back(Ok(Frame::trailers(status.to_trailers())));
    }
}

impl http_body::Body for Answers {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        loop {
            if let Some(frame) = self.ready.pop_front() {
                return Poll::Ready(Some(frame));
            }
            if self.is_over {
                return Poll::Ready(None);
            }
            match Pin::new(&mut self.questions).poll_frame(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => self.end(&Status::ok()),
                Poll::Ready(Some(frame)) => {
                    let data = frame.unwrap().into_data().unwrap();
                    self.deframer.push(data);
                    while let Some(message) = self.deframer.next().unwrap() {
                        let request = ServerReflectionRequest::decode(message.payload).unwrap();
                        self.act(&request.message_request.unwrap());
                    }
                }
            }
        }
    }
}

/// A file in words: `name < import + import: Service Service`.
pub(super) fn file(words: &str) -> (String, FileDescriptorProto) {
    let (head, services) = words.split_once(':').unwrap_or((words, ""));
    let (name, imports) = head.split_once('<').unwrap_or((head, ""));
    let name = name.trim().to_owned();
    let imports = imports.split('+').map(str::trim);
    let services = services.split_whitespace();
    let file = FileDescriptorProto {
        name: Some(name.clone()),
        package: Some("p".to_owned()),
        dependency: imports
            .filter(|import| !import.is_empty())
            .map(str::to_owned)
            .collect(),
        message_type: vec![DescriptorProto {
            name: Some(name.replace(['.', '/'], "_")),
            ..DescriptorProto::default()
        }],
        service: services
            .map(|name| ServiceDescriptorProto {
                name: Some(name.to_owned()),
                ..ServiceDescriptorProto::default()
            })
            .collect(),
        ..FileDescriptorProto::default()
    };
    (name, file)
}

pub(super) fn list(services: &[&str]) -> Act {
    let service = services.iter().map(|name| ServiceResponse {
        name: (*name).to_owned(),
    });
    Act::Say(MessageResponse::ListServicesResponse(ListServiceResponse {
        service: service.collect(),
    }))
}

pub(super) fn send(files: impl IntoIterator<Item = Vec<u8>>) -> Act {
    Act::Say(MessageResponse::FileDescriptorResponse(
        FileDescriptorResponse {
            file_descriptor_proto: files.into_iter().collect(),
        },
    ))
}

pub(super) fn error(message: &str) -> Act {
    Act::Say(MessageResponse::ErrorResponse(ErrorResponse {
        error_code: 5,
        error_message: message.to_owned(),
    }))
}

/// The files of an application that does it right: one file an answer.
pub(super) fn library() -> Vec<(String, FileDescriptorProto)> {
    [
        "a.proto < b.proto + google/protobuf/empty.proto: A",
        "b.proto < c.proto: B",
        "c.proto",
    ]
    .map(file)
    .into()
}

/// Answers from a list of files as most servers do.
pub(super) fn answer(files: &[(String, FileDescriptorProto)], question: &MessageRequest) -> Act {
    let found = files.iter().find(|(name, file)| match question {
        MessageRequest::FileByFilename(wanted) => wanted == name,
        MessageRequest::FileContainingSymbol(symbol) => file
            .service
            .iter()
            .any(|service| symbol.strip_prefix("p.") == service.name.as_deref()),
        _ => false,
    });
    match (question, found) {
        (MessageRequest::ListServices(_), _) => list(&["p.A", "p.B"]),
        (_, Some((_, file))) => send([file.encode_to_vec()]),
        (_, None) => error("not found"),
    }
}

pub(super) fn names(reflected: &Reflected) -> Vec<String> {
    let heads = reflected
        .files
        .iter()
        .map(|file| crate::source::raw::head(&file.bytes));
    heads.map(|head| head.unwrap().name).collect()
}

pub(super) fn told(reflected: &Reflected) -> String {
    let problems = reflected.problems.iter().map(ToString::to_string);
    problems.collect::<Vec<_>>().join("\n")
}

pub(super) fn unimplemented() -> Act {
    Act::End(Status::new(Code::Unimplemented, "unknown service"))
}
