//! Puts the gateway together: the one place where all modules meet.
