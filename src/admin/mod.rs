//! The admin port: health, inspection, metrics.
