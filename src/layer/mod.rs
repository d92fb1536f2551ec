//! One tower layer a file, between the adapters and the upstream.
//!
//! Each takes a [`Call`](crate::call::Call) and answers with a [`Reply`](crate::call::Reply) or a
//! [`Fault`](crate::call::Fault). Their order, with a reason for each, is the list in
//! `app/stack.rs`. None of them knows which protocol the client spoke.

pub mod builtin;
pub mod deadline;
pub mod gather;
pub mod guard;
pub mod limit;
