//! Requests to services over HTTP and HTTPS: a time-out, a bound for each answer, and a token that is never shown.

mod answer;
mod connector;
mod endpoint;
mod token;

pub use answer::{Answer, NoAnswer};
pub use connector::https_connector;
pub use endpoint::{Call, Endpoint, EndpointError};
