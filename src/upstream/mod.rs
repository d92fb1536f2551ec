//! The far side: connections to the application.
