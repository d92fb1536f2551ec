//! Server reflection, v1 and v1alpha, from the schema that the call is pinned to.
//!
//! Source: grpc/grpc `doc/server-reflection.md`. The messages of both versions are the same on
//! the wire.

use std::sync::Arc;

use futures_util::stream;
use http_body::Frame;
use http_body_util::StreamBody;

use super::exchange::{self, Requests};
use crate::call::{Body, Call, Code, Fault, Reply, Status};
use crate::schema::builtin::pb::reflection::server_reflection_request::MessageRequest;
use crate::schema::builtin::pb::reflection::server_reflection_response::MessageResponse;
use crate::schema::builtin::pb::reflection::{
    ErrorResponse, ExtensionNumberResponse, FileDescriptorResponse, ListServiceResponse,
    ServerReflectionRequest, ServerReflectionResponse, ServiceResponse,
};
use crate::schema::files::Files;
use crate::schema::{Reflection, Schema};

/// A version of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    V1,
    V1Alpha,
}

impl Version {
    /// The version of a path without its leading `/grpc.`.
    pub(super) fn of(rest: &str) -> Option<Self> {
        match rest.strip_prefix("reflection.")? {
            "v1.ServerReflection/ServerReflectionInfo" => Some(Self::V1),
            "v1alpha.ServerReflection/ServerReflectionInfo" => Some(Self::V1Alpha),
            _ => None,
        }
    }

    /// Whether the app answers this version itself.
    pub(super) fn passes_through(self, schema: &Schema) -> bool {
        match schema.reflection {
            Reflection::Gateway | Reflection::Pending => false,
            Reflection::AppV1 => self == Self::V1,
            Reflection::AppV1Alpha => self == Self::V1Alpha,
        }
    }
}

/// Answers every request of the stream as it comes.
pub(super) fn answer(mut call: Call, own: Arc<Schema>) -> Reply {
    let requests = Requests::of(&mut call);
    // The call stays with the stream: its record ends when the stream does.
    let frames = stream::unfold(Some((requests, call)), move |state| {
        let own = Arc::clone(&own);
        async move {
            let (mut requests, call) = state?;
            let (frame, open) = match requests.next::<ServerReflectionRequest>().await {
                Ok(Some(request)) => {
                    let response = respond(request, &[&call.schema.files, &own.files]);
                    (Frame::data(exchange::frame(&response)), true)
                }
                Ok(None) => (Frame::trailers(Status::ok().to_trailers()), false),
                Err(fault) => {
                    let status = Status::new(fault.code(), fault.message());
                    (Frame::trailers(status.to_trailers()), false)
                }
            };
            Some((Ok::<_, Fault>(frame), open.then_some((requests, call))))
        }
    });
    exchange::reply(Body::stream(StreamBody::new(frames)))
}

/// The answer to one request; where two places know a name the first counts.
fn respond(request: ServerReflectionRequest, places: &[&Files]) -> ServerReflectionResponse {
    let response = match &request.message_request {
        Some(MessageRequest::ListServices(_)) => Ok(list(places)),
        Some(MessageRequest::FileByFilename(name)) => files(places, name, |files| {
            files.by_name.get(name.as_str()).copied()
        }),
        Some(MessageRequest::FileContainingSymbol(symbol)) => {
            let symbol = symbol.strip_prefix('.').unwrap_or(symbol);
            files(places, symbol, |files| files.declaring(symbol))
        }
        Some(MessageRequest::FileContainingExtension(wanted)) => {
            let what = format!(
                "extension {} of {}",
                wanted.extension_number, wanted.containing_type
            );
            files(places, &what, |files| {
                let numbers = files.extensions.get(wanted.containing_type.as_str())?;
                let found = numbers
                    .iter()
                    .find(|(number, _)| *number == wanted.extension_number);
                found.map(|(_, file)| *file)
            })
        }
        Some(MessageRequest::AllExtensionNumbersOfType(name)) => extensions(places, name),
        None => Err(error(
            Code::InvalidArgument,
            "the request asks for nothing".to_owned(),
        )),
    };
    ServerReflectionResponse {
        valid_host: request.host.clone(),
        original_request: Some(request),
        message_response: Some(response.unwrap_or_else(MessageResponse::ErrorResponse)),
    }
}

fn list(places: &[&Files]) -> MessageResponse {
    let mut names: Vec<_> = places
        .iter()
        .flat_map(|files| files.services.iter().map(|name| name.to_string()))
        .collect();
    names.sort_unstable();
    names.dedup();
    let service = names
        .into_iter()
        .map(|name| ServiceResponse { name })
        .collect();
    MessageResponse::ListServicesResponse(ListServiceResponse { service })
}

/// A file with everything it imports, itself first.
fn files(
    places: &[&Files],
    what: &str,
    find: impl Fn(&Files) -> Option<u32>,
) -> Result<MessageResponse, ErrorResponse> {
    let found = places
        .iter()
        .find_map(|files| find(files).map(|index| (files, index)));
    let Some((files, index)) = found else {
        return Err(error(Code::NotFound, format!("{what} is not known here")));
    };
    let mut wanted = vec![index];
    let mut file_descriptor_proto = Vec::new();
    let mut seen = std::collections::HashSet::from([index]);
    while let Some(index) = wanted.pop() {
        let Some(file) = files.files.get(index as usize) else {
            continue;
        };
        file_descriptor_proto.push(file.bytes.to_vec());
        wanted.extend(
            file.imports
                .iter()
                .copied()
                .filter(|import| seen.insert(*import)),
        );
    }
    Ok(MessageResponse::FileDescriptorResponse(
        FileDescriptorResponse {
            file_descriptor_proto,
        },
    ))
}

fn extensions(places: &[&Files], name: &str) -> Result<MessageResponse, ErrorResponse> {
    let known = places.iter().find(|files| files.declaring(name).is_some());
    let Some(files) = known else {
        return Err(error(Code::NotFound, format!("{name} is not known here")));
    };
    let numbers = files.extensions.get(name);
    let extension_number = numbers
        .into_iter()
        .flatten()
        .map(|(number, _)| *number)
        .collect();
    Ok(MessageResponse::AllExtensionNumbersResponse(
        ExtensionNumberResponse {
            base_type_name: name.to_owned(),
            extension_number,
        },
    ))
}

fn error(code: Code, error_message: String) -> ErrorResponse {
    ErrorResponse {
        error_code: i32::from(code.number()),
        error_message,
    }
}
