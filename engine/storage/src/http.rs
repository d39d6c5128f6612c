//! Messages to web servers.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use sluice_core::error::Result;
use sluice_core::execution::Cancel;

use crate::error::{Cause, Failure, Operation, Service, StorageError};
use crate::explain::redacted;
use crate::retry::{Patience, Tries};
use crate::runtime;

/// Where messages are sent: connections are kept from one to the next.
pub struct Endpoint {
    client: reqwest::Client,
    url: reqwest::Url,
    shown: String,
    headers: HeaderMap,
    timeout: Duration,
}

impl fmt::Debug for Endpoint {
    /// Without what may be secret.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Endpoint").field(&self.shown).finish()
    }
}

impl Endpoint {
    /// Of messages to `url`, each with these headers, each tried for `timeout` in all.
    ///
    /// # Errors
    /// Fails where the URL or a header cannot be one.
    pub fn new(url: &str, headers: &[(&str, &str)], timeout: Duration) -> Result<Self> {
        let target = reqwest::Url::parse(url).map_err(|error| bad(url, error.to_string()))?;
        if !matches!(target.scheme(), "http" | "https") {
            return Err(bad(url, "it must begin with `http://` or `https://`".into()).into());
        }
        let headers = header_map(url, headers)?;
        let shown = redacted(url);
        let client = reqwest::Client::builder()
            .connect_timeout(std::cmp::min(timeout, Duration::from_secs(5)))
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| failed(&shown, Failure::Other, &error.without_url().to_string()))?;
        Ok(Self { client, url: target, shown, headers, timeout })
    }

    /// Sends `body` and waits until it is taken: tried again where the server is busy or fails and where the connection
    /// breaks. Whoever receives it may therefore receive it twice.
    ///
    /// # Errors
    /// Fails where the server says no or nothing.
    pub fn post(&self, body: impl Into<Bytes>, cancel: &Cancel) -> Result<()> {
        let patience = Patience { total: self.timeout, request: self.timeout };
        let (client, shown, body) = (self.client.clone(), self.shown.clone(), body.into());
        let (url, headers) = (self.url.clone(), self.headers.clone());
        runtime::run(cancel, async move {
            let mut tries = Tries::new(patience);
            loop {
                let request = client.post(url.clone()).headers(headers.clone()).body(body.clone());
                let (failure, cause) = match request.timeout(tries.left()).send().await {
                    Ok(answer) if answer.status().is_success() => return Ok(()),
                    Ok(answer) => refusal(answer.status().as_u16()),
                    Err(error) => broken(error),
                };
                if !tries.again(&failure).await {
                    return Err(failed(&shown, failure, &cause));
                }
            }
        })??;
        Ok(())
    }
}

fn header_map(url: &str, headers: &[(&str, &str)]) -> Result<HeaderMap, StorageError> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let parsed = HeaderName::from_bytes(name.as_bytes()).ok().zip(HeaderValue::from_str(value).ok());
        let Some((name, mut value)) = parsed else {
            // The value may be a token, so only the name is told.
            return Err(bad(url, format!("the header `{name}` or its value holds characters that none may")));
        };
        value.set_sensitive(true);
        map.insert(name, value);
    }
    Ok(map)
}

fn refusal(status: u16) -> (Failure, String) {
    let failure = match status {
        401 => Failure::Credentials,
        403 => Failure::Permission,
        404 | 410 => Failure::NotFound,
        408 => Failure::Timeout,
        409 => Failure::Conflict,
        429 => Failure::Throttled,
        405 | 501 => Failure::Unsupported,
        500.. => Failure::Server(status),
        _ => Failure::Other,
    };
    (failure, format!("status {status}"))
}

fn broken(error: reqwest::Error) -> (Failure, String) {
    let failure = match () {
        () if error.is_timeout() => Failure::Timeout,
        () if error.is_connect() => Failure::Unreachable,
        () => Failure::Broken,
    };
    let error = error.without_url();
    let mut innermost: &dyn std::error::Error = &error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    (failure, redacted(&innermost.to_string()))
}

fn bad(url: &str, reason: String) -> StorageError {
    StorageError::BadLocation { text: redacted(url), reason }
}

fn failed(object: &str, failure: Failure, cause: &str) -> StorageError {
    StorageError::Failed {
        operation: Operation::Send,
        object: object.into(),
        service: Service::Web,
        failure,
        cause: Some(Cause(cause.into())),
    }
}
