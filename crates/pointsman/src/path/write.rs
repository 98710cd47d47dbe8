//! The response as the client reads it: the answer or the problem in its dialect, and the headers that say what happened.

use crate::edge::Body;
use crate::path::Visit;
use crate::path::attempt::Served;
use crate::path::stream::{Answering, Feed};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use model::{Code, Dialect, End, Failure, FailureGroup, Now, Problem, RequestId};
use policy::{Ending, Limits, Step, Tried};
use std::borrow::Cow;
use std::time::Duration;
use wire::{Progress, Relayed};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-pointsman-request-id");
const WORKFLOW: HeaderName = HeaderName::from_static("x-pointsman-workflow");
const SERVED_BY: HeaderName = HeaderName::from_static("x-pointsman-served-by");
const ATTEMPTS: HeaderName = HeaderName::from_static("x-pointsman-attempts");
const GAVE_UP: HeaderName = HeaderName::from_static("x-pointsman-gave-up");
const CERTIFICATE: HeaderName = HeaderName::from_static("x-pointsman-certificate");
const COST: HeaderName = HeaderName::from_static("x-pointsman-cost-usd");
/// How long to wait where waiting helps and nobody named a time.
const A_MOMENT: Duration = Duration::from_secs(1);
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const EVENTS: HeaderValue = HeaderValue::from_static("text/event-stream; charset=utf-8");

/// What a target brought, as the client reads it.
pub fn served(mut visit: Visit, step: &Step, served: Served, limits: &Limits) -> Response<Body> {
    match served {
        Served::Whole(relayed) => whole(visit, step, relayed),
        Served::Stream(feed, progress) => {
            visit.first_token();
            stream(visit, step, *feed, progress, limits)
        }
    }
}

/// A whole answer: settled, then sent.
fn whole(mut visit: Visit, step: &Step, relayed: Relayed) -> Response<Body> {
    let cost = visit.succeeded(relayed.usage);
    gave_up(&mut visit, step);
    if let Err(problem) = visit.settle(End::Served, None) {
        return refused(&visit, &problem);
    }
    let mut response = Response::new(Body::from(relayed.body));
    response.headers_mut().insert(CONTENT_TYPE, JSON);
    describe(response.headers_mut(), &visit, Some(step));
    if let Some(value) = cost.and_then(|cost| HeaderValue::try_from(cost.to_string()).ok()) {
        response.headers_mut().insert(COST, value);
    }
    response
}

/// A stream whose first content has arrived.
fn stream(mut visit: Visit, step: &Step, feed: Feed, progress: Progress, limits: &Limits) -> Response<Body> {
    gave_up(&mut visit, step);
    let mut headers = HeaderMap::with_capacity(12);
    headers.insert(CONTENT_TYPE, EVENTS);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    describe(&mut headers, &visit, Some(step));
    let remaining = limits.total.saturating_sub(visit.attempt_age());
    let answering = Answering::new(feed, progress, visit, limits.idle, remaining);
    let mut response = Response::new(Body::Stream(Box::new(answering)));
    *response.headers_mut() = headers;
    response
}

/// A problem before any visit began.
pub fn problem(dialect: Dialect, problem: &Problem, id: RequestId) -> Response<Body> {
    let mut response = Response::new(Body::from(wire::problem_body(dialect, problem, &id.to_string())));
    *response.status_mut() =
        StatusCode::from_u16(problem.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, JSON);
    identify(headers, dialect, id);
    if let Some(wait) = problem.retry_after {
        // Rounded up: a client that comes back early is refused again.
        headers.insert(RETRY_AFTER, HeaderValue::from(wait.as_millis().div_ceil(1000).max(1) as u64));
    }
    response
}

/// A problem of a visit.
pub fn refused(visit: &Visit, p: &Problem) -> Response<Body> {
    let mut response = problem(visit.row.dialect, p, visit.row.request_id);
    describe(response.headers_mut(), visit, None);
    response
}

fn gave_up(visit: &mut Visit, step: &Step) {
    visit.row.gave_up = step.gave_up().to_vec();
}

/// The request's id, for us and under the name that the dialect's SDKs look for.
fn identify(headers: &mut HeaderMap, dialect: Dialect, id: RequestId) {
    let Ok(value) = HeaderValue::from_bytes(&id.encode()) else { return };
    let vendor = match dialect {
        Dialect::Anthropic => "request-id",
        _ => "x-request-id",
    };
    headers.insert(HeaderName::from_static(vendor), value.clone());
    headers.insert(REQUEST_ID, value);
}

fn describe(headers: &mut HeaderMap, visit: &Visit, step: Option<&Step>) {
    identify(headers, visit.row.dialect, visit.row.request_id);
    if visit.row.workflow.is_some()
        && let Some(name) = &visit.workflow().header
    {
        headers.insert(WORKFLOW, name.clone());
    }
    headers.insert(ATTEMPTS, HeaderValue::from(visit.row.attempts.len()));
    let Some(step) = step else { return };
    if let Some(target) = visit.target_header(step.target()) {
        headers.insert(SERVED_BY, target);
    }
    if !step.gave_up().is_empty()
        && let Ok(value) = HeaderValue::try_from(step.gave_up().join(", "))
    {
        headers.insert(GAVE_UP, value);
    }
    if let model::Permit::Certified(id) = step.permit()
        && let Ok(value) = HeaderValue::try_from(&**id)
    {
        headers.insert(CERTIFICATE, value);
    }
}

/// What the client reads when nothing more is allowed. The causes stay with us.
pub fn ended(ending: Ending, tried: &[Tried], model: &str, now: Now) -> Problem {
    let code = ending.code(tried);
    let message: Cow<'static, str> = match code {
        Code::RateLimited => "Every permitted target is out of quota or rate.".into(),
        Code::ContextExceeded => {
            "The prompt is too long: it exceeds the context window of every permitted target.".into()
        }
        Code::Deadline => "The time allowed for this request passed before an answer was complete.".into(),
        Code::UnknownModel => format!("No provider of this route has the model `{model}`.").into(),
        _ => "Every permitted target failed.".into(),
    };
    let wait = ending.retry_after(tried, now).or((code.status() >= 429).then_some(A_MOMENT));
    Problem { retry_after: wait, ..Problem::new(code, message) }
}

/// What the client reads when policy hands it the last failure as it is.
pub fn returned(failure: Option<&Failure>) -> Problem {
    let Some(failure) = failure else {
        return Problem::new(Code::NoTarget, "No permitted target can be tried now.");
    };
    let problem = match failure.kind.group() {
        FailureGroup::BadRequest => match failure.status {
            Some(413) => Problem::new(Code::TooLarge, "The provider says that the request is too large."),
            Some(_) => {
                let message = format!("The provider rejected the request: {}", sentence(&failure.detail));
                Problem::new(Code::ProviderRejected, message)
            }
            None => Problem::new(Code::CannotCarry, sentence(&failure.detail)),
        },
        FailureGroup::Refusal => Problem::new(
            Code::ContentFiltered,
            format!("The provider declined: {}", sentence(&failure.detail)),
        ),
        FailureGroup::ContextExceeded => Problem::new(
            Code::ContextExceeded,
            "The prompt is too long: it exceeds the context window of every permitted target.",
        ),
        FailureGroup::Quota => Problem::new(Code::RateLimited, "The target is out of quota or rate."),
        FailureGroup::Timeout => Problem::new(Code::Deadline, "The target was too slow."),
        _ => Problem::new(Code::AllFailed, "The target failed, and the workflow says to return that."),
    };
    let helps = problem.code.status() >= 429;
    Problem { retry_after: failure.retry_after.or(helps.then_some(A_MOMENT)), ..problem }
}

/// A provider's words with a full stop behind them.
fn sentence(words: &str) -> String {
    let words = words.trim_end();
    if words.ends_with(['.', '!', '?']) { words.to_owned() } else { format!("{words}.") }
}
