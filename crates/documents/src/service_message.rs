//! What a service says about a request that it refuses: bounded, in visible letters, without the key.

use compartment_https::{Answer, Endpoint};
use serde_json::Value;

use crate::visible::visible;

/// Characters of a message that are passed on.
const MAX_MESSAGE: usize = 300;
/// Bytes of an answer that are looked at for its message.
const MAX_LOOKED_AT: usize = 64 * 1024;

/// The status of an answer and the message of the service.
pub(crate) fn service_message(endpoint: &Endpoint, answer: &Answer) -> String {
    let status = answer.status;
    if status.is_redirection() {
        return format!(
            "it answers {status}: redirects are not followed, since they would get the key"
        );
    }
    let body = &answer.body[..answer.body.len().min(MAX_LOOKED_AT)];
    let text = String::from_utf8_lossy(body);
    let said = match serde_json::from_str::<Value>(&text) {
        Ok(value) => ["/error/message", "/message", "/error", "/detail"]
            .iter()
            .find_map(|path| Some(value.pointer(path)?.as_str()?.to_owned()))
            .unwrap_or_default(),
        // A page for people is no message.
        Err(_) if text.trim_start().starts_with('<') => String::new(),
        Err(_) => text.into_owned(),
    };
    if endpoint.repeats_token(&said) {
        return format!(
            "it answers {status}; its message repeats a part of the key and is not shown"
        );
    }
    let said: String = visible(said.trim()).chars().take(MAX_MESSAGE).collect();
    if said.is_empty() {
        return format!("it answers {status}");
    }
    format!("it answers {status}: {said}")
}
