//! Request paths: what is refused before routing, and how captured segments are decoded.
//!
//! Source: rules R6 and R7.
