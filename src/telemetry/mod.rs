//! What is remembered and told: access log, metrics.
