//! The server's own table of commands, and where a request's keys are.
