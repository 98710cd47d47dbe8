//! The application port: which path means which dialect and operation, as one table.

use crate::edge::Body;
use crate::gateway::Gateway;
use crate::path;
use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use model::{Code, Dialect, Operation, Problem, Session};
use policy::Policy;
use std::sync::Arc;
use wire::ModelEntry;

/// What a path asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// The client's dialect.
    pub dialect: Dialect,
    /// What is asked.
    pub operation: Operation,
    /// The model, where the dialect names it in the path.
    pub model: Option<String>,
}

/// Everything the application port answers.
#[derive(Debug, PartialEq, Eq)]
enum Door {
    /// An operation on a model.
    Model(Route),
    /// `GET /v1/models` and one model of it.
    Models(Option<String>),
    /// The process is up.
    Healthy,
    /// The process can serve.
    Ready,
    /// A known path, asked with another method than this one.
    Method(&'static str),
    /// No such path.
    Unknown,
}

/// The table of paths.
fn door(method: &Method, path: &str) -> Door {
    let post = |dialect, operation| {
        let route = Route { dialect, operation, model: None };
        if method == Method::POST { Door::Model(route) } else { Door::Method("POST") }
    };
    let get = |door| if method == Method::GET || method == Method::HEAD { door } else { Door::Method("GET") };
    match path {
        "/v1/chat/completions" => post(Dialect::OpenAi, Operation::Chat),
        "/v1/messages" => post(Dialect::Anthropic, Operation::Chat),
        "/v1/messages/count_tokens" => post(Dialect::Anthropic, Operation::CountTokens),
        "/v1/models" => get(Door::Models(None)),
        "/healthz" => get(Door::Healthy),
        "/readyz" => get(Door::Ready),
        _ => match path.strip_prefix("/v1/models/") {
            // SDKs escape the slash of `provider/model`.
            Some(model) if !model.is_empty() => get(Door::Models(Some(unescaped(model)))),
            _ => Door::Unknown,
        },
    }
}

/// A path segment without its percent escapes; what is no escape, or no UTF-8 afterwards, stays as it is.
fn unescaped(segment: &str) -> String {
    let mut out = Vec::with_capacity(segment.len());
    let mut rest = segment.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = |b: u8| char::from(b).to_digit(16).map(|d| d as u8);
        if let (b'%', [high, low, after @ ..]) = (first, tail)
            && let (Some(high), Some(low)) = (hex(*high), hex(*low))
        {
            out.push(high << 4 | low);
            rest = after;
        } else {
            out.push(*first);
            rest = tail;
        }
    }
    String::from_utf8(out).unwrap_or_else(|_| segment.to_owned())
}

/// Answers one request of an application.
pub async fn application(gateway: Arc<Gateway>, request: Request<Incoming>) -> Response<Body> {
    let (head, body) = request.into_parts();
    match door(&head.method, head.uri.path()) {
        // The walk's future is large and futures are moved about before they are first polled: behind a box it stays put.
        Door::Model(route) => Box::pin(path::walk(&gateway, route, head, body)).await,
        Door::Models(one) => models(&gateway, &head, one.as_deref()),
        Door::Healthy => plain(StatusCode::OK, "ok\n"),
        Door::Ready => ready(&gateway),
        Door::Method(allowed) => {
            let message =
                format!("{} {} is not answered; the path takes {allowed}.", head.method, head.uri.path());
            let mut response =
                refusal(&gateway, &head.headers, Problem::new(Code::MethodNotAllowed, message));
            response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
            response
        }
        Door::Unknown => {
            let message = format!("There is no path {}.", head.uri.path());
            refusal(&gateway, &head.headers, Problem::new(Code::NotFound, message))
        }
    }
}

/// The dialect of a caller whose path does not tell it.
fn spoken(headers: &HeaderMap) -> Dialect {
    if headers.contains_key("anthropic-version") { Dialect::Anthropic } else { Dialect::OpenAi }
}

fn refusal(gateway: &Gateway, headers: &HeaderMap, problem: Problem) -> Response<Body> {
    gateway.metrics.refuse(path::Stage::Door.name(), problem.code.name());
    path::problem(spoken(headers), &problem, gateway.clock.request_id(gateway.wall()))
}

/// What the caller may name: its workflows and the models of the configured providers.
fn models(gateway: &Gateway, head: &http::request::Parts, one: Option<&str>) -> Response<Body> {
    let now = gateway.clock.now();
    let session = match path::admit(gateway, head, now) {
        Ok(session) => session,
        Err(problem) => return refusal(gateway, &head.headers, problem),
    };
    let running = gateway.running();
    let mut entries = callable(&running.policy, session.as_deref());
    let dialect = spoken(&head.headers);
    let Some(one) = one else { return json(wire::model_list(dialect, &entries)) };
    entries.retain(|entry| entry.id == one);
    match entries.first() {
        Some(entry) => json(wire::model_entry(dialect, entry)),
        None => {
            let message = format!("There is no model `{one}` that this key may call.");
            refusal(gateway, &head.headers, Problem::new(Code::UnknownModel, message))
        }
    }
}

/// The names a caller may send: its workflows, then the targets it may call directly.
fn callable(policy: &Policy, caller: Option<&Session>) -> Vec<ModelEntry> {
    let team = caller.and_then(|session| policy.teams.as_ref()?.get(&session.team));
    let limited = caller.is_some() && policy.teams.is_some();
    let allowed = |name: &str| {
        let workflow = policy.workflow(name).is_some();
        let by_key =
            caller.is_none_or(|s| s.workflows.is_empty() || s.workflows.iter().any(|w| &**w == name));
        let by_team =
            team.is_some_and(|t| if workflow { t.allows_workflow(name) } else { t.allows_target(name) });
        by_key && (by_team || !limited)
    };
    let names = policy.model_names();
    let named = names.iter().filter(|name| allowed(name)).map(|name| ModelEntry {
        id: name.to_string(),
        owned_by: policy.target(name).map_or("pointsman".to_owned(), |t| t.provider.name.to_string()),
        created: 0,
    });
    named.collect()
}

/// A JSON response.
pub fn json(body: impl Into<bytes::Bytes>) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// A line of text.
pub fn plain(status: StatusCode, text: impl Into<bytes::Bytes>) -> Response<Body> {
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}

/// Whether requests would be served now, and why not.
pub fn ready(gateway: &Gateway) -> Response<Body> {
    let state = gateway.store.state();
    if state.ready {
        return plain(StatusCode::OK, "ready\n");
    }
    let why = state.why.unwrap_or_else(|| "the ledger cannot record".to_owned());
    plain(StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {why}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_documented_path_has_its_dialect() {
        let chat = |dialect| Door::Model(Route { dialect, operation: Operation::Chat, model: None });
        assert_eq!(door(&Method::POST, "/v1/chat/completions"), chat(Dialect::OpenAi));
        assert_eq!(door(&Method::POST, "/v1/messages"), chat(Dialect::Anthropic));
        assert_eq!(door(&Method::GET, "/v1/messages"), Door::Method("POST"));
        assert_eq!(
            door(&Method::GET, "/v1/models/openai/gpt-4.1"),
            Door::Models(Some("openai/gpt-4.1".into()))
        );
        assert_eq!(
            door(&Method::GET, "/v1/models/openai%2Fgpt-4.1"),
            Door::Models(Some("openai/gpt-4.1".into()))
        );
        assert_eq!(unescaped("100%zz%C3"), "100%zz%C3");
        assert_eq!(door(&Method::GET, "/v1/models/"), Door::Unknown);
        assert_eq!(door(&Method::GET, "/"), Door::Unknown);
    }
}
