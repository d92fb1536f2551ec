//! The application's messages, as the client gets them, and how its last word becomes a close
//! code.

use std::task::{Context, Poll, ready};

use crate::call::{Blame, Code, Fault, Reply, Status};
use crate::protocol::replies::{Source, Step};
use crate::protocol::rest::answer::Answer;
use crate::protocol::rest::error::Told as TheError;
use crate::protocol::rest::{size, unary};
use crate::protocol::websocket::{NORMAL, Say, Speak, Talk, close_code};
use crate::schema::policy::StreamShape;
use crate::wire::websocket::{HEAD_BYTES, Opcode, frame, seal};

/// Who has the word in a call.
pub(super) struct Told {
    answer: Answer,
    talk: Talk,
    /// The method answers with any number of messages.
    streams: bool,
    source: Result<Source, Option<Fault>>,
    said: u64,
}

impl Told {
    pub(super) fn new(
        answer: Answer,
        talk: Talk,
        streams: bool,
        outcome: Result<Reply, Fault>,
    ) -> Self {
        let limit = answer.policy.limits.response_message_bytes;
        let source = outcome.and_then(|reply| Source::new(reply, limit));
        Self {
            answer,
            talk,
            streams,
            source: source.map_err(Some),
            said: 0,
        }
    }

    fn message(&mut self, message: &[u8]) -> Result<Say, Fault> {
        self.said += 1;
        if self.said > 1 && !self.streams {
            return Err(cardinality("more than one message"));
        }
        // As the client asked for it, or as it speaks itself.
        let (opcode, frame) = if self.answer.asked.proto || self.talk.is_binary() {
            (Opcode::Binary, self.wire(message)?)
        } else {
            (Opcode::Text, self.json(message)?)
        };
        self.answer.record.note().messages_out += 1;
        Ok(Say::Frame(sealed(opcode, frame)))
    }

    fn wire(&self, message: &[u8]) -> Result<Vec<u8>, Fault> {
        let wanted = unary::prune(&self.answer, message)?;
        let mut frame = vec![0; HEAD_BYTES];
        frame.extend_from_slice(&wanted);
        Ok(frame)
    }

    fn json(&self, message: &[u8]) -> Result<Vec<u8>, Fault> {
        // grpc-gateway's proxy passes its lines on as they are.
        let wrapped = self.answer.policy.rest.stream == StreamShape::Result;
        let mut frame = Vec::with_capacity(HEAD_BYTES + size::expected(message.len()));
        frame.resize(HEAD_BYTES, 0);
        if wrapped {
            frame.extend_from_slice(b"{\"result\":");
        }
        unary::to_json(&self.answer, message, self.answer.json.indent, &mut frame)?;
        if wrapped {
            frame.push(b'}');
        }
        Ok(frame)
    }

    fn ended(&mut self, status: &Status) -> Say {
        if status.is_ok() && !self.streams && self.said == 0 {
            return self.failed(&cardinality("no message"));
        }
        self.answer.record.note().code = Some(status.code);
        if status.is_ok() {
            return Say::Close {
                last: None,
                code: NORMAL,
                reason: String::new(),
            };
        }
        let error = TheError::status(&self.answer, status, status.code.http());
        self.goodbye(&error, status.code, &status.message)
    }

    fn failed(&self, fault: &Fault) -> Say {
        self.answer.record.note().fault(fault);
        let error = TheError::fault(&self.answer, fault);
        self.goodbye(&error, fault.code(), fault.message())
    }

    fn goodbye(&self, error: &TheError, code: Code, message: &str) -> Say {
        let shape = self.answer.shape_within(self.answer.policy.rest.stream);
        Say::Close {
            last: Some(frame(Opcode::Text, &error.in_band(shape))),
            code: close_code(code),
            reason: message.to_owned(),
        }
    }
}

/// A frame whose payload stands behind the place for its head.
fn sealed(opcode: Opcode, mut frame: Vec<u8>) -> bytes::Bytes {
    let begins = seal(opcode, &mut frame);
    bytes::Bytes::from(frame).slice(begins..)
}

fn cardinality(what: &str) -> Fault {
    Fault::new(
        Blame::Upstream,
        Code::Unimplemented,
        "CARDINALITY",
        format!("the application answered a unary call with {what}"),
    )
}

impl Speak for Told {
    fn poll_say(&mut self, context: &mut Context<'_>) -> Poll<Say> {
        let step = match &mut self.source {
            Ok(source) => ready!(source.poll_step(context)),
            Err(fault) => fault.take().map(Step::Failed),
        };
        Poll::Ready(match step {
            Some(Step::Message(message)) => match self.message(&message) {
                Ok(say) => say,
                Err(fault) => self.failed(&fault),
            },
            Some(Step::Ended(status, _trailers)) => self.ended(&status),
            Some(Step::Failed(fault)) => self.failed(&fault),
            // The end was said before.
            None => return Poll::Pending,
        })
    }

    fn fail(&mut self, fault: &Fault) -> Say {
        self.failed(fault)
    }
}
