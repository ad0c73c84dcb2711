//! A service at an address: one request after another, each with a time-out and a bound, without following redirects.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderName, RETRY_AFTER, USER_AGENT};
use http::{HeaderValue, Method, Request, Response, Uri};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::{Client, ResponseFuture};
use hyper_util::rt::TokioExecutor;

use crate::answer::{Answer, NoAnswer, root_of};
use crate::connector::https_connector;
use crate::token::Token;

/// Why an address or a token cannot be used. No message quotes them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// The address is no URL.
    #[error("it is not a URL")]
    NoUrl,
    /// The token would go over the network in the clear.
    #[error("a token is not sent without TLS: use https://")]
    InTheClear,
    /// The token has characters that no header may have.
    #[error("the token has characters that no header may have")]
    Token,
    /// TLS cannot be set up.
    #[error("TLS cannot be used: {0}")]
    Tls(String),
}

/// One request.
#[derive(Clone, Debug)]
pub struct Call {
    method: Method,
    path: String,
    body: Bytes,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Call {
    /// A POST of `body` to the address followed by `path`.
    #[must_use]
    pub fn post(
        path: impl Into<String>,
        content_type: &'static str,
        body: impl Into<Bytes>,
    ) -> Self {
        let headers = vec![(CONTENT_TYPE, HeaderValue::from_static(content_type))];
        Self { method: Method::POST, path: path.into(), body: body.into(), headers }
    }

    /// A GET of the address followed by `path`.
    #[must_use]
    pub fn get(path: impl Into<String>) -> Self {
        Self { method: Method::GET, path: path.into(), body: Bytes::new(), headers: Vec::new() }
    }

    /// Adds a header. One whose value no header may have is left out.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.push((HeaderName::from_static(name), value));
        }
        self
    }
}

/// A service at an address. Cheap to clone; clones share connections.
#[derive(Clone)]
pub struct Endpoint {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    address: String,
    token: Option<Token>,
    timeout: Duration,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { token, timeout, .. } = self;
        let host = self.address.parse::<Uri>().ok().and_then(|one| one.host().map(str::to_owned));
        f.debug_struct("Endpoint")
            .field("host", &host)
            .field("token", token)
            .field("timeout", timeout)
            .finish()
    }
}

impl Endpoint {
    /// The service at `address`. `token` is sent as a bearer token: over TLS, or to this machine. A request and its
    /// answer may take `timeout` together.
    ///
    /// # Errors
    /// [`EndpointError`] if the address or the token cannot be used.
    pub fn new(
        address: &str,
        token: Option<&str>,
        timeout: Duration,
    ) -> Result<Self, EndpointError> {
        let uri: Uri = address.parse().map_err(|_| EndpointError::NoUrl)?;
        let host = uri.host().ok_or(EndpointError::NoUrl)?;
        let is_local = matches!(host, "localhost" | "127.0.0.1" | "[::1]");
        if token.is_some() && uri.scheme_str() != Some("https") && !is_local {
            return Err(EndpointError::InTheClear);
        }
        let token = token.map(|token| Token::new(token).ok_or(EndpointError::Token)).transpose()?;
        let connector = https_connector().map_err(|error| EndpointError::Tls(error.to_string()))?;
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Ok(Self { client, address: address.to_owned(), token, timeout })
    }

    /// Sends a request and reads the status of its answer, not the body.
    ///
    /// # Errors
    /// [`NoAnswer`].
    pub async fn tell(&self, call: Call) -> Result<Answer, NoAnswer> {
        let sent = tokio::time::timeout(self.timeout, self.start(call)?).await;
        let answer = sent.map_err(|_| NoAnswer::TimedOut(self.timeout))?.map_err(broken)?;
        Ok(head_of(&answer))
    }

    /// Sends a request and reads an answer of at most `max` bytes.
    ///
    /// # Errors
    /// [`NoAnswer`].
    pub async fn ask(&self, call: Call, max: usize) -> Result<Answer, NoAnswer> {
        let start = self.start(call)?;
        let asked = async {
            let answer = start.await.map_err(broken)?;
            let head = head_of(&answer);
            let body = Limited::new(answer.into_body(), max).collect().await;
            let body = body.map_err(|error| match error.is::<LengthLimitError>() {
                true => NoAnswer::TooLarge(max),
                false => NoAnswer::Broken(root_of(&*error)),
            })?;
            Ok(Answer { body: body.to_bytes(), ..head })
        };
        let asked = tokio::time::timeout(self.timeout, asked).await;
        asked.map_err(|_| NoAnswer::TimedOut(self.timeout))?
    }

    /// Whether a text of the service repeats a part of the token and must not be shown.
    #[must_use]
    pub fn repeats_token(&self, text: &str) -> bool {
        self.token.as_ref().is_some_and(|token| token.is_repeated_in(text))
    }

    fn start(&self, call: Call) -> Result<ResponseFuture, NoAnswer> {
        let address: Uri = format!("{}{}", self.address, call.path)
            .parse()
            .map_err(|_| NoAnswer::Broken(EndpointError::NoUrl.to_string()))?;
        let mut request = Request::new(Full::new(call.body));
        *request.method_mut() = call.method;
        *request.uri_mut() = address;
        let headers = request.headers_mut();
        headers.extend(call.headers.into_iter().map(|(name, value)| (Some(name), value)));
        let agent = concat!("compartment/", env!("CARGO_PKG_VERSION"));
        headers.insert(USER_AGENT, HeaderValue::from_static(agent));
        if let Some(token) = &self.token {
            headers.insert(AUTHORIZATION, token.header());
        }
        Ok(self.client.request(request))
    }
}

fn broken(error: hyper_util::client::legacy::Error) -> NoAnswer {
    NoAnswer::Broken(root_of(&error))
}

fn head_of<B>(answer: &Response<B>) -> Answer {
    let seconds = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let retry_after = seconds.and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
    Answer { status: answer.status(), retry_after, body: Bytes::new() }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(60);

    /// A service that gives one answer, and then reads until the other side closes. Returns its address and request.
    async fn service(answer: Vec<u8>) -> (String, tokio::task::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let served = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let (mut got, mut part) = (Vec::new(), [0; 4_096]);
            while !got.windows(4).any(|end| end == b"\r\n\r\n") {
                let read = stream.read(&mut part).await.unwrap();
                got.extend_from_slice(&part[..read]);
            }
            // A client that has seen enough closes, and then writing fails.
            let _ = stream.write_all(&answer).await;
            String::from_utf8(got).unwrap()
        });
        (address, served)
    }

    fn with(head: &str, body: &str) -> Vec<u8> {
        format!("HTTP/1.1 {head}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
    }

    #[tokio::test]
    async fn a_request_has_the_token_and_its_answer_is_read_to_the_bound() {
        let (address, served) = service(with("429 Slow\r\nretry-after: 7", "later")).await;
        let endpoint = Endpoint::new(&address, Some("t0ken"), PATIENCE).unwrap();
        let answer = endpoint.ask(Call::get("/a/b").header("x-a", "1"), 5).await.unwrap();
        assert_eq!((answer.status.as_u16(), &answer.body[..]), (429, &b"later"[..]));
        assert_eq!(answer.retry_after, Some(Duration::from_secs(7)));
        assert!(answer.is_worth_another());
        let request = served.await.unwrap();
        assert!(request.starts_with("GET /a/b HTTP/1.1\r\n"), "{request}");
        assert!(request.contains("authorization: Bearer t0ken") && request.contains("x-a: 1"));
        assert!(!format!("{endpoint:?}").contains("t0ken"));
    }

    #[tokio::test]
    async fn a_flood_is_cut_off_and_a_cut_is_no_answer() {
        let (address, _served) = service(with("200 OK", &"x".repeat(1_000_000))).await;
        let endpoint = Endpoint::new(&address, None, PATIENCE).unwrap();
        let error = endpoint.ask(Call::get(""), 999).await.unwrap_err();
        assert_eq!(error, NoAnswer::TooLarge(999));
        let cut = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf".to_vec();
        let (address, _served) = service(cut).await;
        let endpoint = Endpoint::new(&address, None, PATIENCE).unwrap();
        let error = endpoint.ask(Call::get(""), 999).await.unwrap_err();
        assert!(matches!(error, NoAnswer::Broken(_)), "{error:?}");
    }

    #[tokio::test]
    async fn a_redirect_is_an_answer_and_is_not_followed() {
        let (address, served) =
            service(with("302 Found\r\nlocation: http://127.0.0.1:1/", "")).await;
        let endpoint = Endpoint::new(&address, Some("t0ken"), PATIENCE).unwrap();
        let answer = endpoint.tell(Call::post("", "text/plain", "x")).await.unwrap();
        assert_eq!(answer.status.as_u16(), 302);
        assert!(!answer.is_worth_another());
        served.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_service_that_hangs_is_given_up() {
        // It listens, and accepts nobody.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let endpoint = Endpoint::new(&address, None, PATIENCE).unwrap();
        let error = endpoint.ask(Call::get(""), 9).await.unwrap_err();
        assert_eq!(error, NoAnswer::TimedOut(PATIENCE));
    }

    #[test]
    fn what_cannot_be_used_is_refused_without_being_quoted() {
        let new = |url, token| Endpoint::new(url, token, PATIENCE).map(drop);
        assert_eq!(new("http://h.example/v1", Some("t0ken")), Err(EndpointError::InTheClear));
        assert_eq!(new("https://h.example/v1", Some("t0\nken")), Err(EndpointError::Token));
        assert_eq!(new("no url at all", None), Err(EndpointError::NoUrl));
        assert_eq!(new("/v1", None), Err(EndpointError::NoUrl));
        assert_eq!(new("http://h.example/v1", None), Ok(()));
        assert_eq!(new("http://localhost:8080/v1", Some("t0ken")), Ok(()));
    }
}
