//! An answer of ARM before it becomes HTTP.

use axum::{
    Json,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::errors::ArmError;

const AZURE_ASYNC_OPERATION: HeaderName = HeaderName::from_static("azure-asyncoperation");

#[derive(Debug)]
pub(super) struct Reply {
    status: StatusCode,
    body: Option<Value>,
    headers: Vec<(HeaderName, String)>,
}

impl Reply {
    pub(super) const fn empty(status: StatusCode) -> Self {
        Self { status, body: None, headers: Vec::new() }
    }

    pub(super) fn ok(body: Value) -> Self {
        Self { status: StatusCode::OK, body: Some(body), headers: Vec::new() }
    }

    /// A resource that was created or replaced at once.
    pub(super) fn written(created: bool, body: Value) -> Self {
        let status = if created { StatusCode::CREATED } else { StatusCode::OK };
        Self { status, body: Some(body), headers: Vec::new() }
    }

    pub(super) fn list(resources: impl Iterator<Item = Value>) -> Self {
        Self::ok(json!({"value": resources.collect::<Vec<_>>()}))
    }

    /// 202 with the two places where the outcome can be asked for.
    pub(super) fn accepted(operation: &str, status_url: &str, result_url: &str) -> Self {
        let body = json!({"operation": operation, "startTime": Timestamp::now().to_string()});
        Self { status: StatusCode::ACCEPTED, body: Some(body), headers: Vec::new() }
            .with(AZURE_ASYNC_OPERATION, status_url)
            .with(header::LOCATION, result_url)
    }

    pub(super) fn with(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Zero is left out: the Azure SDK takes it for no answer, and asks again by its own clock.
    /// <https://github.com/Azure/azure-sdk-for-go/blob/main/sdk/azcore/internal/shared/shared.go>
    pub(super) fn retry_after(self, seconds: u64) -> Self {
        if seconds == 0 { self } else { self.with(header::RETRY_AFTER, seconds.to_string()) }
    }
}

impl From<ArmError> for Reply {
    fn from(error: ArmError) -> Self {
        let reply =
            Self { status: error.status, body: Some(json!({"error": error.as_json()})), headers: Vec::new() };
        match error.retry_after_seconds {
            Some(seconds) => reply.retry_after(seconds),
            None => reply,
        }
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let mut response = match self.body {
            Some(body) => (self.status, Json(body)).into_response(),
            None => self.status.into_response(),
        };
        for (name, value) in self.headers {
            // Every value is a number or a URL of our own making, which always fits in a header.
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().append(name, value);
            }
        }
        response
    }
}
