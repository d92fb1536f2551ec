//! The client against applications that are played by a script: servers as they should be, and
//! as they are.

mod app;
mod good;
mod odd;
