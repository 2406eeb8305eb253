//! What an error of the API server's says to people: its own words, once, on one line.
//!
//! kube shows an answer of the API server twice, the second time as Rust's debug text. So nothing that reaches a status, an
//! event or a message shows such an error itself: all of it is worded here.

use std::error::Error;

use kube::runtime::{finalizer, watcher};

/// The longest text that is shown whole: an event has room for so much, and people read one line.
const LONGEST_ERROR: usize = 900;

/// What an error of kube's client says.
pub fn words(error: &kube::Error) -> String {
    let text = match error {
        kube::Error::Api(status) => answer(status),
        kube::Error::Service(_) | kube::Error::HyperError(_) => {
            format!("the API server can't be reached: {}", innermost(error))
        }
        other => innermost(other),
    };
    one_line(&text)
}

/// What an error of a watch says.
pub fn of_watch(error: &watcher::Error) -> String {
    match error {
        watcher::Error::InitialListFailed(source)
        | watcher::Error::WatchStartFailed(source)
        | watcher::Error::WatchFailed(source) => words(source),
        watcher::Error::WatchError(status) => one_line(&answer(status)),
        watcher::Error::NoResourceVersion => error.to_string(),
    }
}

/// What an error around a finalizer says.
pub fn of_finalizer<E: Error + 'static>(error: &finalizer::Error<E>) -> String {
    match error {
        finalizer::Error::AddFinalizer(source) | finalizer::Error::RemoveFinalizer(source) => words(source),
        finalizer::Error::ApplyFailed(source) | finalizer::Error::CleanupFailed(source) => source.to_string(),
        finalizer::Error::UnnamedObject | finalizer::Error::InvalidFinalizer => error.to_string(),
    }
}

/// The words of an answer; a proxy in between may have left none.
fn answer(status: &kube::core::Status) -> String {
    match (status.message.trim(), status.reason.trim()) {
        ("", "") => format!("the API server answers with {}", status.code),
        ("", reason) => format!("the API server answers with {} {reason}", status.code),
        (message, _) => message.to_owned(),
    }
}

/// The cause of all others, which says what is the matter.
fn innermost(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// On one line, and not without end.
pub fn one_line(text: &str) -> String {
    let line = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let line = line.collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(LONGEST_ERROR) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use kube::core::Status;
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn api(status: serde_json::Value) -> kube::Error {
        kube::Error::Api(Box::new(serde_json::from_value::<Status>(status).unwrap()))
    }

    #[rstest]
    #[case::quota(
        json!({"status": "Failure", "code": 403, "reason": "Forbidden", "message": "secrets \"a\" is forbidden: exceeded quota: small"}),
        "secrets \"a\" is forbidden: exceeded quota: small"
    )]
    #[case::lines(json!({"code": 422, "message": "one\n  two\ttwo\u{7}"}), "one two two")]
    #[case::no_message(json!({"code": 503, "reason": "ServiceUnavailable"}), "the API server answers with 503 ServiceUnavailable")]
    #[case::nothing(json!({"code": 502}), "the API server answers with 502")]
    fn an_answer_of_the_api_server_is_its_message_alone(
        #[case] status: serde_json::Value,
        #[case] expected: &str,
    ) {
        let error = api(status);
        assert_eq!(words(&error), expected);
        assert_eq!(of_watch(&watcher::Error::InitialListFailed(error)), expected);
    }

    #[test]
    fn an_error_around_a_finalizer_is_worded_as_any_other() {
        let error = api(json!({"status": "Failure", "code": 403, "message": "no"}));
        assert_eq!(of_finalizer(&finalizer::Error::<std::fmt::Error>::AddFinalizer(error)), "no");
    }

    #[test]
    fn an_api_server_that_is_away_is_told_by_the_cause() {
        let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        let error = kube::Error::Service(Box::new(refused));
        assert_eq!(words(&error), "the API server can't be reached: connection refused");
    }

    #[test]
    fn a_text_without_end_is_cut() {
        let words = words(&api(json!({"code": 403, "message": "ü".repeat(5000)})));
        assert_eq!(words.chars().count(), LONGEST_ERROR + 1);
    }
}
