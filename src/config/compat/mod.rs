//! `rest.compat`: what other gateways answer by, as a layer between the defaults and the file.

#[cfg(test)]
mod tests;

use super::tree::{Layer, Source};
use crate::yaml::{self, Value};

/// What `rest.compat` says, where its values are said to come from, and the values.
pub(super) const PEERS: &[(&str, &str, &str)] = &[
    ("google", "rest.compat: google", include_str!("google.yaml")),
    ("envoy", "rest.compat: envoy", include_str!("envoy.yaml")),
    (
        "grpc-gateway",
        "rest.compat: grpc-gateway",
        include_str!("grpc-gateway.yaml"),
    ),
];

/// The layer that a file asks for. A word that is none of ours is told when the file is checked.
pub(super) fn layer(file: &Layer) -> Option<Layer> {
    let asked = file.root.get("rest")?.get("compat")?;
    let Value::Scalar { text, .. } = &asked.value else {
        return None;
    };
    let (_, name, values) = PEERS.iter().find(|(word, ..)| **word == **text)?;
    Some(Layer {
        source: Source::Compat(name),
        root: yaml::parse(values).root?,
    })
}
