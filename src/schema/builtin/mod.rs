//! Imports that are served from memory.
