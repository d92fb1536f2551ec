//! Sidegate beside other gateways: the same application behind each, the same requests to each in
//! turns, and a table. Nothing here is part of the product.

pub mod envoy;
pub mod fixtures;
pub mod frame;
pub mod fronts;
pub mod large;
pub mod load;
pub mod measure;
pub mod options;
pub mod peer;
pub mod process;
pub mod promises;
pub mod report;
pub mod rows;
pub mod setup;

/// Anything may go wrong in many ways; all that is done about it is to say so and stop.
pub type Failure = Box<dyn std::error::Error>;

/// What most functions here return.
pub type Result<T> = std::result::Result<T, Failure>;
