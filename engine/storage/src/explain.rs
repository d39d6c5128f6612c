//! What an answer means: from the errors of the client libraries to a [`Failure`], and their text without secrets.

use object_store::client::{HttpError, HttpErrorKind};

use crate::error::{Cause, Failure, Operation, Service, StorageError};

/// What is known of an error.
#[derive(Debug, Default)]
struct Answer {
    status: Option<u16>,
    /// The service's name of the error, such as `NoSuchBucket`.
    code: Option<String>,
    message: Option<String>,
    transport: Option<HttpErrorKind>,
    /// The innermost cause.
    innermost: String,
    /// Everything, to look words up in.
    all: String,
}

/// The typed error of `error`.
pub(crate) fn explain(
    operation: Operation,
    object: &str,
    service: Service,
    error: &object_store::Error,
) -> StorageError {
    let answer = Answer::of(error);
    let failure = answer.failure(error);
    StorageError::Failed { operation, object: object.into(), service, failure, cause: answer.cause() }
}

/// Why it failed.
pub(crate) fn failure_of(error: &object_store::Error) -> Failure {
    Answer::of(error).failure(error)
}

/// Whether it is not known if the server did what it was asked, or whether asking again may help.
pub(crate) fn is_passing(failure: &Failure) -> bool {
    matches!(
        failure,
        Failure::Conflict
            | Failure::Throttled
            | Failure::Timeout
            | Failure::Unreachable
            | Failure::Broken
            | Failure::Server(_)
    )
}

const STATUS: &str = "Server returned non-2xx status code: ";

impl Answer {
    fn of(error: &object_store::Error) -> Self {
        let mut answer = Self::default();
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
        while let Some(error) = cause {
            let text = error.to_string();
            if let Some(http) = error.downcast_ref::<HttpError>() {
                answer.transport = Some(http.kind());
            }
            if let Some(rest) = text.strip_prefix(STATUS) {
                answer.read(rest);
            }
            cause = error.source();
            if cause.is_none() {
                answer.innermost.clone_from(&text);
            }
            answer.all.push_str(&text);
            answer.all.push('\n');
        }
        answer
    }

    /// "403 Forbidden: BODY".
    fn read(&mut self, text: &str) {
        let (status, body) = text.split_once(": ").unwrap_or((text, ""));
        self.status = status.split(' ').next().and_then(|number| number.parse().ok());
        self.code = field(body, "Code", "code").or_else(|| field(body, "Code", "reason"));
        self.message = field(body, "Message", "message");
    }

    fn failure(&self, error: &object_store::Error) -> Failure {
        if let Some(failure) = self.code.as_deref().and_then(of_code) {
            return failure;
        }
        if self.all.contains("169.254.169.254")
            || self.all.contains("169.254.170.2")
            || self.all.contains("metadata.google.internal")
        {
            return Failure::Credentials;
        }
        if self.all.contains("without LOCATION") {
            return Failure::Region;
        }
        if self.all.contains("Range request not supported") || self.all.contains("non-partial response") {
            return Failure::RangesUnsupported;
        }
        if let Some(failure) = self.status.and_then(|status| self.of_status(status)) {
            return failure;
        }
        match (self.transport, error) {
            (Some(HttpErrorKind::Timeout), _) => Failure::Timeout,
            (Some(HttpErrorKind::Connect), _) => Failure::Unreachable,
            (Some(_), _) => Failure::Broken,
            (None, object_store::Error::NotFound { .. }) => Failure::NotFound,
            (None, object_store::Error::AlreadyExists { .. }) => Failure::Conflict,
            (None, object_store::Error::Precondition { .. } | object_store::Error::NotModified { .. }) => {
                Failure::Changed
            }
            (None, object_store::Error::PermissionDenied { .. }) => Failure::Permission,
            (None, object_store::Error::Unauthenticated { .. }) => Failure::Credentials,
            (None, object_store::Error::NotSupported { .. } | object_store::Error::NotImplemented { .. }) => {
                Failure::Unsupported
            }
            (None, _) => Failure::Other,
        }
    }

    fn of_status(&self, status: u16) -> Option<Failure> {
        let bucket = self.message.as_deref().is_some_and(|text| text.contains("bucket does not exist"));
        Some(match status {
            301 | 307 => Failure::Region,
            304 | 412 => Failure::Changed,
            401 => Failure::Credentials,
            403 => Failure::Permission,
            404 if bucket => Failure::BucketMissing,
            404 | 410 => Failure::NotFound,
            408 => Failure::Timeout,
            409 => Failure::Conflict,
            416 => Failure::Truncated,
            429 => Failure::Throttled,
            405 | 501 => Failure::Unsupported,
            500.. => Failure::Server(status),
            _ => return None,
        })
    }

    fn cause(&self) -> Option<Cause> {
        let text = match (&self.code, &self.message, self.status) {
            (Some(code), Some(message), _) => format!("{code}: {message}"),
            (Some(code), None, _) => code.clone(),
            (None, Some(message), Some(status)) => format!("status {status}: {message}"),
            (None, _, Some(status)) => format!("status {status}"),
            (None, _, None) => self.innermost.clone(),
        };
        let text = redacted(&text);
        (!text.is_empty()).then_some(Cause(text))
    }
}

/// The services' own names of errors.
fn of_code(code: &str) -> Option<Failure> {
    Some(match code {
        "SignatureDoesNotMatch" | "AuthenticationFailed" => Failure::Signature,
        "InvalidAccessKeyId"
        | "NotSignedUp"
        | "ExpiredToken"
        | "InvalidToken"
        | "RequestTimeTooSkewed"
        | "NoAuthenticationInformation"
        | "InvalidAuthenticationInfo"
        | "TokenRefreshRequired" => Failure::Credentials,
        "AccessDenied"
        | "AllAccessDisabled"
        | "AuthorizationFailure"
        | "AuthorizationPermissionMismatch"
        | "InsufficientAccountPermissions" => Failure::Permission,
        "NoSuchBucket" | "ContainerNotFound" | "ContainerBeingDeleted" => Failure::BucketMissing,
        "NoSuchKey" | "BlobNotFound" | "ResourceNotFound" => Failure::NotFound,
        "PermanentRedirect" | "TemporaryRedirect" | "AuthorizationHeaderMalformed" => Failure::Region,
        "SlowDown" | "ServerBusy" | "TooManyRequests" | "RequestLimitExceeded" => Failure::Throttled,
        "PreconditionFailed" | "ConditionNotMet" => Failure::Changed,
        "InvalidRange" => Failure::Truncated,
        "RequestTimeout" | "OperationTimedOut" => Failure::Timeout,
        _ => return None,
    })
}

/// The text of an XML element or of a JSON string of a short answer; the first line of it.
fn field(body: &str, element: &str, key: &str) -> Option<String> {
    let xml = || {
        let (_, rest) = body.split_once(&format!("<{element}>"))?;
        Some(rest.split_once("</")?.0)
    };
    let json = || {
        let (_, rest) = body.split_once(&format!("\"{key}\""))?;
        Some(rest.trim_start().strip_prefix(':')?.trim_start().strip_prefix('"')?.split_once('"')?.0)
    };
    let text = xml().or_else(json)?.lines().next()?.trim();
    let text: String = text.chars().filter(|c| !c.is_control()).take(300).collect();
    (!text.is_empty()).then_some(text)
}

/// `text` without the query and the user and password of each URL in it.
pub(crate) fn redacted(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        shown.push_str(before);
        let ends = |c: char| c.is_whitespace() || matches!(c, '`' | '"' | '\'' | ')' | '>' | ',');
        let (url, left) = after.split_at(after.find(ends).unwrap_or(after.len()));
        let (address, query) = url.split_once('?').map_or((url, false), |(address, _)| (address, true));
        let (authority, path) = address.split_at(address.find('/').unwrap_or(address.len()));
        shown.push_str(authority.rsplit('@').next().unwrap_or_default());
        shown.push_str(path);
        if query {
            shown.push_str("?…");
        }
        rest = left;
    }
    shown.push_str(rest);
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(text: &str) -> (Failure, String) {
        let error = object_store::Error::Generic { store: "S3", source: format!("{STATUS}{text}").into() };
        let shown = explain(Operation::Read, "s3://b/k", Service::S3, &error);
        let StorageError::Failed { failure, cause, .. } = shown else { panic!("{shown}") };
        (failure, cause.map(|cause| cause.0).unwrap_or_default())
    }

    #[test]
    fn the_reason_is_read_from_the_answer() {
        let xml = "403 Forbidden: <?xml version=\"1.0\"?><Error><Code>SignatureDoesNotMatch</Code><Message>The \
                   request signature\nAKIA</Message><StringToSign>secret</StringToSign></Error>";
        let (failure, cause) = answered(xml);
        assert_eq!(failure, Failure::Signature);
        assert!(cause.starts_with("SignatureDoesNotMatch") && !cause.contains("secret"), "{cause}");
        assert_eq!(
            answered("404 Not Found: <Error><Code>NoSuchBucket</Code></Error>").0,
            Failure::BucketMissing
        );
        assert_eq!(answered("404 Not Found: ").0, Failure::NotFound);
        assert_eq!(answered("429 Too Many Requests: ").0, Failure::Throttled);
        assert_eq!(answered("503 Service Unavailable: <Code>SlowDown</Code>").0, Failure::Throttled);
        assert_eq!(answered("500 Internal Server Error: oops").0, Failure::Server(500));
        assert_eq!(answered("412 Precondition Failed: ").0, Failure::Changed);
        let json = "404 Not Found: {\"error\": {\"code\": 404, \"message\": \"The specified bucket does not exist.\"}}";
        assert_eq!(answered(json).0, Failure::BucketMissing);
    }

    #[test]
    fn urls_lose_what_grants_access() {
        let text = "cannot GET (https://u:p@h/a?sig=x) or http://h/b?t=y, and s3://b/k";
        assert_eq!(redacted(text), "cannot GET (https://h/a?…) or http://h/b?…, and s3://b/k");
        assert_eq!(redacted("no url at all"), "no url at all");
    }
}
