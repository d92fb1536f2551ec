//! How the bookstore says no: gRPC statuses with the standard details.

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};

/// A resource that is not there.
pub(crate) fn not_found(kind: &str, name: &str) -> Status {
    Status::with_error_details(
        Code::NotFound,
        format!("{name} does not exist"),
        ErrorDetails::with_resource_info(
            format!("bookstore.v1.{kind}"),
            name,
            "",
            "it was never there or has been deleted",
        ),
    )
}

/// A resource that is already there.
pub(crate) fn already_exists(kind: &str, name: &str) -> Status {
    Status::with_error_details(
        Code::AlreadyExists,
        format!("{name} exists already"),
        ErrorDetails::with_resource_info(
            format!("bookstore.v1.{kind}"),
            name,
            "",
            "choose another id or update the one that exists",
        ),
    )
}

/// A request with one field that is wrong.
pub(crate) fn invalid(field: &str, description: &str) -> Status {
    invalid_fields(vec![FieldViolation::new(field, description)])
}

/// A request with fields that are wrong, all of them named.
pub(crate) fn invalid_fields(violations: Vec<FieldViolation>) -> Status {
    let message = match violations.as_slice() {
        [only] => format!("{}: {}", only.field, only.description),
        several => format!("{} fields are not valid", several.len()),
    };
    Status::with_error_details(
        Code::InvalidArgument,
        message,
        ErrorDetails::with_bad_request(violations),
    )
}

/// A shelf that cannot be taken down because of what stands on it.
pub(crate) fn not_empty(name: &str, books: usize) -> Status {
    let description = format!("{books} books stand on it; set force to delete them as well");
    Status::with_error_details(
        Code::FailedPrecondition,
        format!("{name} is not empty"),
        ErrorDetails::with_precondition_failure_violation("NOT_EMPTY", name, description),
    )
}

/// An update of a book that somebody else changed meanwhile.
pub(crate) fn changed_meanwhile(name: &str, current: &str) -> Status {
    Status::with_error_details(
        Code::Aborted,
        format!("{name} has changed meanwhile; read it again"),
        ErrorDetails::with_error_info(
            "ETAG_MISMATCH",
            "bookstore.example",
            [(String::from("etag"), String::from(current))],
        ),
    )
}

/// A stream that was asked to fail.
pub(crate) fn broke_off(after: i32) -> Status {
    Status::with_error_details(
        Code::DataLoss,
        format!("the shelf fell over after {after} of them"),
        ErrorDetails::with_error_info(
            "SHELF_FELL_OVER",
            "bookstore.example",
            [(String::from("after"), after.to_string())],
        ),
    )
}
