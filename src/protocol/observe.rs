//! Seeing to it that the record of a call tells how the answer went out.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Response, StatusCode};
use http_body::{Body as _, Frame, SizeHint};

use crate::call::{Body, Code, Fault, Record};

/// Notes that the client left, unless the answer was completed before this is dropped.
#[derive(Debug)]
pub struct Departure {
    record: Record,
    completed: bool,
}

impl Departure {
    /// Watches over the call of `record`.
    pub fn new(record: Record) -> Self {
        Self {
            record,
            completed: false,
        }
    }
}

impl Drop for Departure {
    fn drop(&mut self) {
        if self.completed {
            return;
        }
        let mut record = self.record.note();
        // A head that went out keeps its status in the log; the reason tells the rest.
        record.http_status.get_or_insert(499);
        record.code = Some(Code::Cancelled);
        record.reason = Some("CLIENT_GONE");
    }
}

/// A response body that counts what leaves and notices whether it leaves whole.
#[derive(Debug)]
pub struct Observed {
    body: Body,
    departure: Departure,
}

impl Observed {
    /// Notes the status of `response` and watches its body.
    pub fn wrap(response: Response<Body>, mut departure: Departure) -> Response<Body> {
        let (head, mut body) = response.into_parts();
        let bodiless = head.status == StatusCode::NO_CONTENT || body.is_end_stream();
        departure.record.note().http_status = Some(head.status.as_u16());
        if bodiless {
            departure.completed = true;
            return Response::from_parts(head, body);
        }
        if let Some(bytes) = body.take_whole() {
            // A whole body leaves in one piece: there is nothing left to watch.
            departure.record.note().bytes_out += bytes.len() as u64;
            departure.completed = true;
            return Response::from_parts(head, Body::whole(bytes, None));
        }
        Response::from_parts(head, Body::raw(Self { body, departure }))
    }
}

impl http_body::Body for Observed {
    type Data = Bytes;
    type Error = Fault;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Fault>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(frame) = &polled {
            match frame {
                Some(Ok(frame)) => {
                    if let Some(data) = frame.data_ref() {
                        self.departure.record.note().bytes_out += data.len() as u64;
                    }
                    if self.body.is_end_stream() {
                        self.departure.completed = true;
                    }
                }
                Some(Err(fault)) => {
                    self.departure.record.note().fault(fault);
                    self.departure.completed = true;
                }
                None => self.departure.completed = true,
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
