//! Placeholder until the client lands.

use super::*;
use crate::call::{Call, Fault, LocalFuture, Reply};

/// A version of the service.
#[derive(Clone, Copy, Debug)]
pub enum Version {
    /// `grpc.reflection.v1`.
    V1,
    /// `grpc.reflection.v1alpha`.
    V1Alpha,
}
/// What an app told.
#[derive(Clone, Debug)]
pub struct Reflected {
    /// Files.
    pub files: Vec<SourceFile>,
    /// Problems.
    pub problems: Vec<Problem>,
    /// Version.
    pub version: Version,
    /// Digest.
    pub digest: u64,
}
/// Parameters.
#[derive(Clone, Copy, Debug, Default)]
pub struct Params {}
/// Asks.
pub async fn fetch(
    _: &mut dyn FnMut(Call) -> LocalFuture<Result<Reply, Fault>>,
    _: &Params,
) -> Result<Reflected, Fault> {
    Err(Fault::unavailable("REFLECTION", "not there yet"))
}
