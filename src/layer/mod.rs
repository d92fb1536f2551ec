//! One tower layer a file, between adapters and the upstream.
