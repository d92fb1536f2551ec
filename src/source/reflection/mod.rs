//! Schemas from the application itself: the client of gRPC server reflection.
//!
//! One stream of questions, one question at a time: which services there are, which file declares
//! each, and what those files import. Every file keeps the bytes that the application sent. Not
//! every server does this well, so that what one answer lacks another may give, and what none
//! gives comes from memory or is told; only an application that cannot be asked is a [`Fault`].
//!
//! It knows no upstream: whoever calls brings the way to the application.

mod collect;
mod memory;
mod stream;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::call::{Blame, Call, Code, Fault, LocalFuture, Metadata, Reply};
use crate::schema::builtin::pb::reflection::ServiceResponse;
use crate::schema::builtin::pb::reflection::server_reflection_request::MessageRequest;
use crate::schema::builtin::pb::reflection::server_reflection_response::MessageResponse;
use crate::schema::compile::SourceFile;
use crate::schema::problem::Problem;
use collect::Collection;
use stream::{Ended, Stream};

pub use memory::{recall, remember};

/// How the application is asked.
#[derive(Clone, Debug)]
pub struct Params {
    /// How the application's files are named to the user.
    pub origin: Arc<str>,
    /// Sent with every call.
    pub metadata: Metadata,
    /// How long all questions together may take.
    pub timeout: Duration,
    /// The most bytes of all answers together.
    pub max_bytes: usize,
    /// The most bytes of one answer.
    pub max_answer_bytes: usize,
    /// The most bytes of one file: decoded it takes many times that much.
    pub max_file_bytes: usize,
    /// The most files that are asked for and kept.
    pub max_files: usize,
    /// The most services that are asked for.
    pub max_services: usize,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            origin: Arc::from("reflection"),
            metadata: Metadata::new(),
            timeout: Duration::from_secs(30),
            max_bytes: 256 << 20,
            max_answer_bytes: 64 << 20,
            max_file_bytes: 16 << 20,
            max_files: 20_000,
            max_services: 10_000,
        }
    }
}

/// A version of the reflection service; their messages are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// `grpc.reflection.v1`.
    V1,
    /// `grpc.reflection.v1alpha`, all that some servers have.
    V1Alpha,
}

impl Version {
    fn path(self) -> &'static str {
        match self {
            Self::V1 => "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
            Self::V1Alpha => "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V1 => "v1",
            Self::V1Alpha => "v1alpha",
        })
    }
}

/// What the application said of itself.
#[derive(Clone, Debug)]
pub struct Reflected {
    /// Its files, by name; each offers the services that the application lists.
    pub files: Vec<SourceFile>,
    /// What it could not tell.
    pub problems: Vec<Problem>,
    /// The version of the service that answered.
    pub version: Version,
    /// Changes exactly when the files or the services do.
    pub digest: u64,
}

/// The way to the application.
pub type Send<'a> = dyn FnMut(Call) -> LocalFuture<Result<Reply, Fault>> + 'a;

/// Asks the application for all its files. The fault is UNIMPLEMENTED when it serves no
/// reflection, and whatever kept it from answering otherwise.
pub async fn fetch(send: &mut Send<'_>, params: &Params) -> Result<Reflected, Fault> {
    let deadline = tokio::time::Instant::now() + params.timeout;
    tokio::time::timeout_at(deadline, ask_all(send, params))
        .await
        .map_err(|_elapsed| {
            let message = "the application took too long over reflection";
            Fault::new(
                Blame::Upstream,
                Code::DeadlineExceeded,
                "REFLECTION_TIMEOUT",
                message,
            )
        })?
}

async fn ask_all(send: &mut Send<'_>, params: &Params) -> Result<Reflected, Fault> {
    let mut client = Client {
        send,
        params,
        version: Version::V1,
        stream: None,
        bytes_left: params.max_bytes,
    };
    let services = client.services().await?;
    let mut collection = Collection::new(params, services);
    while let Some(question) = collection.next_question() {
        match client.ask(&question).await {
            Ok(answer) => collection.answer(&question, answer),
            // Nothing more will be read, so that nothing more is asked either.
            Err(Ended::Exhausted) => collection.stop(&Ended::Exhausted),
            Err(ended) => match ended.into_lasting() {
                Ok(why) => collection.no_answer(&question, &why),
                Err(fault) => return Err(fault),
            },
        }
    }
    if let Some(stream) = client.stream {
        stream.close().await;
    }
    Ok(collection.finish(client.version))
}

struct Client<'a, 'b> {
    send: &'a mut Send<'b>,
    params: &'a Params,
    version: Version,
    stream: Option<Stream>,
    bytes_left: usize,
}

impl Client<'_, '_> {
    /// The services that the application lists, by the first version that it answers.
    async fn services(&mut self) -> Result<BTreeSet<String>, Fault> {
        let question = MessageRequest::ListServices(String::new());
        let first = match self.ask(&question).await {
            Err(ended) if ended.may_be_other_version() => {
                self.version = Version::V1Alpha;
                match self.ask(&question).await {
                    Err(second) if second.may_be_other_version() => {
                        return Err(not_served(&ended, &second));
                    }
                    answer => answer,
                }
            }
            answer => answer,
        };
        match first {
            Ok(MessageResponse::ListServicesResponse(list)) => Ok(list
                .service
                .into_iter()
                .map(|ServiceResponse { name }| name)
                .collect()),
            Ok(MessageResponse::ErrorResponse(error)) => Err(refused(&error.error_message)),
            Ok(_) => Err(refused("the answer is to another question")),
            Err(ended) => Err(ended
                .into_lasting()
                .map_or_else(|fault| fault, |why| refused(&why))),
        }
    }

    /// Asks one question. A stream that ends over it is not worth more than a second one: some
    /// servers end the stream where others answer with an error.
    async fn ask(&mut self, question: &MessageRequest) -> Result<MessageResponse, Ended> {
        let was_open = self.stream.is_some();
        match self.ask_once(question).await {
            Err(ended) if was_open && ended.is_lasting() => self.ask_once(question).await,
            answer => answer,
        }
    }

    async fn ask_once(&mut self, question: &MessageRequest) -> Result<MessageResponse, Ended> {
        let mut stream = match self.stream.take() {
            Some(stream) => {
                stream.put(question);
                stream
            }
            None => Stream::open(self.send, self.version, self.params, question).await?,
        };
        let answer = stream.next(&mut self.bytes_left).await?;
        self.stream = Some(stream);
        Ok(answer)
    }
}

/// The application answers no version of the service.
fn not_served(first: &Ended, second: &Ended) -> Fault {
    Fault::upstream(
        Code::Unimplemented,
        "REFLECTION_NOT_SERVED",
        "the application does not serve reflection",
    )
    .with_cause(format!("v1: {first}; v1alpha: {second}"))
}

/// The application has the service and does not list its services.
fn refused(why: &str) -> Fault {
    Fault::upstream(
        Code::FailedPrecondition,
        "REFLECTION_REFUSED",
        "the application does not list its services by reflection",
    )
    .with_cause(why)
}
