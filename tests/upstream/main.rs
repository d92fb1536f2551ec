//! The upstream against an application of which every frame is decided here.

#![allow(clippy::indexing_slicing, reason = "a failing test may panic")]

mod app;
mod basics;
mod call;
