//! Helpers of the process that live as long as it does: who owns a task, whether we are ready,
//! and how we stop.
//!
//! - [`task`]: the only place that spawns; every task has an owner that ends it.
//! - [`alarm`]: the deadlines of a worker, behind one timer.
//! - [`ready`]: named conditions that are held, as guards, by whoever makes them true.
//! - [`secret`]: what is compared and never shown.
//! - [`drain`]: one signal that everybody observes, and a count of what is still in flight.
//! - [`child`], [`init`], [`signals`]: a program beside us, the first process of a container.
//! - [`systemd`]: what a supervisor gives us and wants to hear.
//! - [`takeover`]: how our sockets get to the process that replaces this one.

pub mod alarm;
pub mod child;
pub mod drain;
pub mod init;
pub mod ready;
pub mod secret;
pub mod signals;
pub mod systemd;
pub mod takeover;
pub mod task;
