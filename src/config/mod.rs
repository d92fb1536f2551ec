//! Settings, their overlays and their validation.
