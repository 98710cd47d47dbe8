//! What is known of a request before policy sees it: who calls, the whole body, and the facts that rules may read.

use crate::edge::{Route, Ungathered, gather};
use crate::gateway::Gateway;
use bytes::Bytes;
use http::HeaderMap;
use http::header::{AUTHORIZATION, CONTENT_LENGTH};
use http::request::Parts;
use hyper::body::Incoming;
use model::{Code, Now, Problem, Request, Session};
use policy::Policy;
use smallvec::SmallVec;
use std::sync::Arc;
use std::time::Duration;
use wire::Glance;

/// How long a client may take to send its body.
const BODY_TIME: Duration = Duration::from_secs(60);

/// Finds the caller's key wherever a dialect's SDK puts it.
pub fn credential<'a>(headers: &'a HeaderMap, query: Option<&'a str>) -> Option<&'a str> {
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
    if let Some(value) = headers.get(AUTHORIZATION).and_then(|v| v.to_str().ok()) {
        if let Some((scheme, token)) = value.split_once(' ')
            && scheme.eq_ignore_ascii_case("bearer")
        {
            return Some(token.trim());
        }
        // A SigV4 signature names its key as `Credential=KEY/date/region/service/aws4_request`.
        if let Some((_, rest)) = value.split_once("Credential=") {
            return rest.split('/').next();
        }
    }
    text("x-api-key")
        .or_else(|| text("x-goog-api-key"))
        .or_else(|| query?.split('&').find_map(|pair| pair.strip_prefix("key=")))
}

/// Checks the key. While no key exists, everybody on loopback may call (the listener sees to loopback).
pub fn admit(gateway: &Gateway, head: &Parts, now: Now) -> Result<Option<Arc<Session>>, Problem> {
    let keys = gateway.store.keys();
    if keys.is_empty() {
        // Any page open in a browser on this machine can send to loopback; no SDK says that it comes from another site.
        let site = head.headers.get("sec-fetch-site").map(|v| v.as_bytes());
        if matches!(site, Some(b"cross-site" | b"same-site")) {
            let message = "A web page of another site may not call while no API key exists.";
            return Err(Problem::new(Code::NotAllowed, message));
        }
        return Ok(None);
    }
    let Some(presented) = credential(&head.headers, head.uri.query()) else {
        return Err(Problem::new(Code::Unauthenticated, "The request carries no API key."));
    };
    match keys.verify(presented, now.wall) {
        Ok(session) => Ok(Some(session)),
        Err(refusal) => {
            tracing::debug!(%refusal, "key refused");
            Err(Problem::new(Code::Unauthenticated, format!("The key was not accepted: {refusal}.")))
        }
    }
}

/// Reads the whole body, bounded in size and time. A body of one frame is not copied.
pub async fn whole_body(body: Incoming, headers: &HeaderMap, bound: usize) -> Result<Bytes, Problem> {
    let announced =
        headers.get(CONTENT_LENGTH).and_then(|v| v.to_str().ok()).and_then(|v| v.parse::<usize>().ok());
    if announced.is_some_and(|n| n > bound) {
        return Err(too_large(bound));
    }
    let late = || Problem::new(Code::RequestTimeout, "The request body did not arrive within 60 seconds.");
    match tokio::time::timeout(BODY_TIME, gather(body, announced.unwrap_or(0), bound, BODY_TIME)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(Ungathered::TooLarge)) => Err(too_large(bound)),
        Ok(Err(Ungathered::Broken(_))) => {
            Err(Problem::new(Code::InvalidRequest, "The request body broke off before its end."))
        }
        Ok(Err(Ungathered::Silent)) | Err(_) => Err(late()),
    }
}

fn too_large(bound: usize) -> Problem {
    Problem::new(Code::TooLarge, format!("The request body is larger than {bound} bytes."))
}

/// The facts of one request, held so that [`Request`] can borrow them.
pub struct Facts<'a> {
    request: Request<'a>,
    headers: SmallVec<[(&'a str, &'a str); 16]>,
}

impl<'a> Facts<'a> {
    /// Reads the gateway's own headers, and all others if a rule of the policy looks at headers.
    pub fn read(
        route: &'a Route,
        headers: &'a HeaderMap,
        glance: &'a Glance<'a>,
        caller: Option<&'a Session>,
        policy: &Policy,
    ) -> Result<Facts<'a>, Problem> {
        // A header sent twice would be read one way here and another way by whoever added the second.
        let text = |name: &'static str| {
            let mut values = headers.get_all(name).iter();
            match (values.next(), values.next()) {
                (Some(_), Some(_)) => Err(bad_header(name, "is sent twice")),
                (Some(value), None) => {
                    value.to_str().map(Some).map_err(|_| bad_header(name, "is not plain ASCII"))
                }
                (None, _) => Ok(None),
            }
        };
        let deadline = match text("x-pointsman-deadline-ms")? {
            None => None,
            Some(ms) => {
                let ms: u64 = ms.parse().map_err(|_| {
                    bad_header("x-pointsman-deadline-ms", "is not a whole number of milliseconds")
                })?;
                Some(Duration::from_millis(ms))
            }
        };
        if let Some(metadata) = text("x-pointsman-metadata")?
            && serde_json::from_str::<serde::de::IgnoredAny>(metadata).is_err()
        {
            return Err(bad_header("x-pointsman-metadata", "is not JSON"));
        }
        let request = Request {
            dialect: route.dialect,
            operation: route.operation,
            model: route.model.as_deref().unwrap_or(&glance.model),
            workflow: text("x-pointsman-workflow")?,
            data_class: text("x-pointsman-data-class")?,
            stream: glance.stream,
            needs: glance.needs,
            estimated_tokens: glance.estimated_tokens,
            max_output: glance.max_output,
            deadline,
            session: text("x-pointsman-session")?,
            headers: &[],
            caller,
        };
        let mut facts = Facts { request, headers: SmallVec::new() };
        if policy.wants_headers() {
            let open = headers.iter().filter(|(name, _)| !SECRET.contains(&name.as_str()));
            facts
                .headers
                .extend(open.filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?))));
        }
        Ok(facts)
    }

    /// The request as `plan` sees it.
    pub fn request(&self) -> Request<'_> {
        Request { headers: &self.headers, ..self.request.clone() }
    }
}

/// Headers that no rule may look at.
const SECRET: [&str; 6] =
    ["authorization", "proxy-authorization", "x-api-key", "x-goog-api-key", "api-key", "cookie"];

fn bad_header(name: &'static str, why: &str) -> Problem {
    Problem {
        field: Some(name.into()),
        ..Problem::new(Code::InvalidRequest, format!("The header {name} {why}."))
    }
}
