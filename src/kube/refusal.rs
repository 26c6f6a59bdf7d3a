//! What the API server answers instead of what was asked.
use serde_json::Value;
use std::time::Duration;

/// A metav1.Status of an unsuccessful call, or whatever else stood in the body (a proxy's page).
#[derive(Debug, Clone, thiserror::Error)]
#[error("{text}")]
pub(crate) struct Refusal {
    pub code: u16,
    /// `NotFound`, `Conflict`, `AlreadyExists`, `Forbidden`, ...; "" when the body was no Status.
    pub reason: String,
    pub text: String,
    pub retry_after: Option<Duration>,
}

impl Refusal {
    pub(crate) fn read(code: u16, retry_after: Option<Duration>, body: &str) -> Refusal {
        let status: Value = serde_json::from_str(body).unwrap_or_default();
        let reason = status["reason"].as_str().unwrap_or_default().to_string();
        let message = status["message"].as_str().filter(|m| !m.is_empty()).unwrap_or_else(|| body.trim());
        let name = http::StatusCode::from_u16(code).ok().and_then(|c| c.canonical_reason()).unwrap_or("");
        // A proxy's page can be long; its first line names it.
        let mut text = format!("{code} {name}: {}", message.chars().take(2000).collect::<String>())
            .trim_end_matches(": ")
            .to_string();
        for cause in status["details"]["causes"].as_array().into_iter().flatten() {
            let (what, field) = (cause["message"].as_str().unwrap_or(""), cause["field"].as_str().unwrap_or(""));
            // Most causes are repeated in the message already.
            if !message.contains(what) || !message.contains(field) {
                text.push_str(&format!("; {field}: {what}"));
            }
        }
        let seconds = status["details"]["retryAfterSeconds"].as_u64().map(Duration::from_secs);
        Refusal { code, reason, text, retry_after: retry_after.or(seconds) }
    }

    pub(crate) fn of(status: &::kube::core::Status) -> Refusal {
        let body = serde_json::to_string(status).unwrap_or_default();
        Refusal::read(status.code, None, &body)
    }

    /// The request was not carried out, and may be sent again later.
    pub(crate) fn turned_away(&self) -> bool {
        self.code == 429
    }

    /// Worth another try when asking again cannot do harm.
    pub(crate) fn passing(&self) -> bool {
        matches!(self.code, 429 | 500 | 502 | 503 | 504) && !self.text.contains("schema")
    }
}

/// The refusal behind an error, however often context was added.
pub(crate) fn of(error: &crate::error::Error) -> Option<&Refusal> {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(current) = next {
        if let Some(found) = current.downcast_ref::<Refusal>() {
            return Some(found);
        }
        next = current.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_shown_once() {
        let body = r#"{"kind":"Status","reason":"Conflict","message":"Apply failed with 1 conflict: conflict with \"helm\": .spec.instances",
            "details":{"causes":[{"reason":"FieldManagerConflict","message":"conflict with \"helm\"","field":".spec.instances"},
            {"message":"must be odd","field":"spec.maxSyncReplicas"}]}}"#;
        let refusal = Refusal::read(409, None, body);
        assert_eq!(
            refusal.text,
            "409 Conflict: Apply failed with 1 conflict: conflict with \"helm\": .spec.instances; spec.maxSyncReplicas: must be odd"
        );
        let error = crate::error::Error::failed("cannot apply").cause(refusal);
        assert!(super::super::is_conflict(&error));
        let wrapped = crate::error::Context::context(Err::<(), _>(error), "outer").unwrap_err();
        assert!(super::super::is_conflict(&wrapped));
    }

    #[test]
    fn a_body_that_is_no_status() {
        assert_eq!(Refusal::read(503, None, "upstream down\n").text, "503 Service Unavailable: upstream down");
        assert_eq!(Refusal::read(502, None, "").text, "502 Bad Gateway");
    }
}
