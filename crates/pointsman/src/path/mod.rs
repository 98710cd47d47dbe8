//! The way of a request, walked by one plain function: admit, read, plan, then attempt until one serves, write, record.
//!
//! What may be tried is decided in `policy`, how bytes change in `wire`, what is remembered in `store`; here they meet.

mod attempt;
mod facts;
mod stage;
mod stream;
mod visit;
mod write;

pub use facts::{Facts, admit, credential};
pub use stage::Stage;
pub use stream::Answering;
pub use visit::Visit;
pub use write::problem;

use crate::edge::{Body, Route};
use crate::gateway::Gateway;
use crate::running::{Live, Running};
use attempt::{Broken, Call, Original, Served};
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, Response};
use hyper::body::Incoming;
use model::{Asked, Code, End, Failure, FailureKind, Now, Problem, RequestRow, Session, Stop, Usage};
use policy::{Limits, Move, Plan, Tried};
use smallvec::SmallVec;
use std::sync::Arc;

/// Walks one request from its key to its settled answer. Every refusal comes back as a response of the client's dialect.
pub async fn walk(gateway: &Arc<Gateway>, route: Route, head: Parts, body: Incoming) -> Response<Body> {
    let now = gateway.clock.now();
    let running = gateway.running();
    let id = gateway.clock.request_id(now.wall);
    let session = match facts::admit(gateway, &head, now) {
        Ok(session) => session,
        Err(problem) => {
            gateway.metrics.refuse(Stage::Admit.name(), problem.code.name());
            return write::problem(route.dialect, &problem, id);
        }
    };
    let row = RequestRow {
        request_id: id,
        at: now.wall,
        workflow: None,
        team: session.as_ref().map(|s| Arc::clone(&s.team)),
        key_id: session.as_ref().map(|s| Arc::clone(&s.key_id)),
        dialect: route.dialect,
        stream: false,
        data_class: None,
        policy_digest: Arc::clone(&running.policy.digest),
        end: End::Unknown,
        problem: None,
        served_by: None,
        gave_up: Vec::new(),
        cache: None,
        cost_usd: None,
        usage: Usage::UNKNOWN,
        first_token_ms: None,
        total_ms: None,
        attempts: Vec::new(),
        asked: Asked::default(),
    };
    let visit = Visit::new(Arc::clone(gateway), Arc::clone(&running), row, now);
    let largest = usize::try_from(running.policy.server.max_body).unwrap_or(usize::MAX);
    let bytes = match facts::whole_body(body, &head.headers, largest).await {
        Ok(bytes) => bytes,
        Err(problem) => return refuse(visit, Stage::Read, problem),
    };
    converse(gateway, &running, route, &head.headers, session, bytes, visit).await
}

/// From the read body to the answer.
async fn converse(
    gateway: &Arc<Gateway>,
    running: &Arc<Running>,
    route: Route,
    headers: &HeaderMap,
    session: Option<Arc<Session>>,
    body: Bytes,
    mut visit: Visit,
) -> Response<Body> {
    let glance = match wire::glance(route.dialect, route.operation, &body) {
        Ok(glance) => glance,
        Err(problem) => return refuse(visit, Stage::Read, problem),
    };
    let facts = match Facts::read(&route, headers, &glance, session.as_deref(), &running.policy) {
        Ok(facts) => facts,
        Err(problem) => return refuse(visit, Stage::Read, problem),
    };
    let request = facts.request();
    visit.row.stream = glance.stream;
    visit.row.asked = Asked {
        model: request.model.into(),
        needs: request.needs,
        estimated_tokens: request.estimated_tokens,
        max_output: request.max_output,
    };
    let now = gateway.clock.now();
    let seed = gateway.clock.seed(visit.row.request_id);
    let retries = {
        let mut retries = gateway.retries();
        retries.request(now.tick);
        retries.has_room()
    };
    let world = Live { running, now, retries };
    let plan = match policy::plan(&running.policy, &request, &world, now, seed) {
        Ok(plan) => plan,
        Err(denial) => {
            visit.meant(denial.workflow.as_ref(), denial.data_class.as_ref());
            return refuse(visit, Stage::Plan, denial.into());
        }
    };
    visit.meant(plan.workflow.as_ref().map(|w| &w.name), plan.data_class.as_ref());
    let id = visit.row.request_id.to_string();
    let original = Original {
        dialect: route.dialect,
        operation: route.operation,
        body: &body,
        glance: &glance,
        headers,
        at: visit.row.at,
        id: &id,
    };
    pursue(gateway, running, &plan, &original, now, visit).await
}

/// Takes the plan's steps, one after another, as `policy::next` says.
async fn pursue(
    gateway: &Arc<Gateway>,
    running: &Arc<Running>,
    plan: &Plan,
    original: &Original<'_>,
    mut now: Now,
    mut visit: Visit,
) -> Response<Body> {
    let mut tried: SmallVec<[Tried; 4]> = SmallVec::new();
    let mut last: Option<Failure> = None;
    // A refusal or a withheld answer that policy may yet hand to the client as it is.
    let mut declined: Option<(usize, Served, Limits)> = None;
    loop {
        let (index, wait, limits) = match policy::next(plan, &tried, now) {
            Move::Take { step, wait, limits } => (step, wait, limits),
            Move::Return => {
                if let Some((step, served, limits)) = declined {
                    return write::served(visit, &plan.steps()[step], served, &limits);
                }
                return refuse(visit, Stage::Attempt, write::returned(last.as_ref()));
            }
            Move::Stop(ending) => {
                let problem = write::ended(ending, &tried, &visit.row.asked.model, now);
                return refuse(visit, Stage::Attempt, problem);
            }
        };
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
            now = gateway.clock.now();
        }
        let step = &plan.steps()[index];
        let endpoint = match running.endpoint(step.target()) {
            Ok(endpoint) => endpoint,
            Err(why) => {
                tracing::error!(target = %step.target().name, why, "the provider cannot be called");
                return refuse(
                    visit,
                    Stage::Attempt,
                    Problem::new(Code::Internal, "A provider of this route is not configured correctly."),
                );
            }
        };
        if tried.last().is_some_and(|last| last.step == index) {
            gateway.retries().spend(now.tick);
        }
        match visit.begin(plan, index, &limits, now) {
            Ok(true) => {}
            Ok(false) => {
                // Another request probes this target right now; for this one it is as good as down.
                let (kind, at) = (FailureKind::Connect, now.tick);
                tried.push(Tried {
                    step: index,
                    kind,
                    began: at,
                    ended: at,
                    retry_after: None,
                    content_sent: false,
                });
                continue;
            }
            Err(problem) => return refuse(visit, Stage::Reserve, problem),
        }
        let call = Call { gateway, endpoint, model: &step.target().model, original, limits: &limits };
        let result = call.make(&mut |status| visit.status(status)).await;
        let broken = match result {
            Ok(served) => match served.stop().and_then(declining) {
                Some(failure) => {
                    let usage = served.usage();
                    declined = Some((index, served, limits));
                    Broken { failure, usage }
                }
                None => return write::served(visit, step, served, &limits),
            },
            Err(broken) => {
                // What an earlier step declined is not what a later failure would be answered with.
                declined = None;
                broken
            }
        };
        tried.extend(visit.failed(&broken.failure, broken.usage, false));
        last = Some(broken.failure);
        now = gateway.clock.now();
    }
}

/// A success that is none: the vendor's words are an answer, but not to the task.
fn declining(stop: Stop) -> Option<Failure> {
    match stop {
        Stop::Refusal => Some(Failure::new(FailureKind::Refusal, "the model declined")),
        Stop::ContentFilter => Some(Failure::new(FailureKind::ContentFilter, "a filter withheld the answer")),
        _ => None,
    }
}

fn refuse(mut visit: Visit, stage: Stage, problem: Problem) -> Response<Body> {
    let problem = visit.refuse(stage, problem);
    write::refused(&visit, &problem)
}
