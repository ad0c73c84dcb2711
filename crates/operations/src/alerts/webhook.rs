//! Sends an alert to a webhook: one POST of JSON, without following redirects.

use std::time::Duration;

use bytes::Bytes;
use compartment::database_map::Webhook;
use http::header::{AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::{HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::Full;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

use super::Alert;
use crate::https::https_connector;
use crate::{OperationsError, Result};

/// Why an alert did not arrive.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NotSent {
    pub(super) why: String,
    /// Whether another attempt may succeed.
    pub(super) is_worth_another: bool,
}

/// The way to a webhook.
#[derive(Clone, Debug)]
pub(super) struct Sender {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    address: Uri,
    /// The address without its path, which may be a secret.
    pub(super) shown: String,
    token: Option<HeaderValue>,
    timeout: Duration,
}

impl Sender {
    /// # Errors
    /// [`OperationsError::Configuration`] for an address or a token that cannot be used.
    pub(super) fn new(webhook: &Webhook, token: Option<&str>, timeout: Duration) -> Result<Self> {
        let shown = webhook.to_string();
        let wrong =
            |why: &str| OperationsError::Configuration(format!("alerts.webhook {shown}: {why}"));
        // The message of the parser quotes nothing.
        let address: Uri = webhook.url().parse().map_err(|_| wrong("it is not a URL"))?;
        let host = address.host().unwrap_or_default();
        let is_local = matches!(host, "localhost" | "127.0.0.1" | "[::1]");
        if token.is_some() && address.scheme_str() != Some("https") && !is_local {
            return Err(wrong("a token is not sent without TLS: use https://"));
        }
        let token = token.map(|token| {
            let value = HeaderValue::try_from(format!("Bearer {token}"));
            let mut value =
                value.map_err(|_| wrong("the token has characters that no header may have"))?;
            value.set_sensitive(true);
            Ok::<_, OperationsError>(value)
        });
        let token = token.transpose()?;
        let connector =
            https_connector().map_err(|error| wrong(&format!("TLS cannot be used: {error}")))?;
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Ok(Self { client, address, shown, token, timeout })
    }

    /// Sends an alert once.
    pub(super) async fn send(&self, alert: &Alert) -> Result<(), NotSent> {
        let body = Full::new(Bytes::from(alert.as_json().to_string()));
        let mut request = Request::new(body);
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.address.clone();
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let agent = concat!("compartment/", env!("CARGO_PKG_VERSION"));
        headers.insert(USER_AGENT, HeaderValue::from_static(agent));
        if let Some(token) = &self.token {
            headers.insert(AUTHORIZATION, token.clone());
        }
        let again = |why: String| NotSent { why, is_worth_another: true };
        let answer = tokio::time::timeout(self.timeout, self.client.request(request)).await;
        let answer = answer
            .map_err(|_| again(format!("no answer within {}", crate::time(self.timeout))))?
            .map_err(|error| again(root_of(&error)))?;
        match answer.status() {
            status if status.is_success() => Ok(()),
            status => Err(NotSent {
                why: format!("it answers {status}"),
                is_worth_another: status.is_server_error()
                    || matches!(
                        status,
                        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS
                    ),
            }),
        }
    }
}

/// The cause behind the library's own words, such as `Connection refused`.
fn root_of(error: &dyn std::error::Error) -> String {
    let mut root = error;
    while let Some(source) = root.source() {
        root = source;
    }
    root.to_string()
}
