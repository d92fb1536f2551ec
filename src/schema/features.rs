//! Editions features, resolved.
