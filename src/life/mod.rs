//! Helpers of the process: tasks, readiness, drain.
