//! The running policy with everything that was resolved for it once, and the exchange of one policy for the next.
//!
//! A request takes one `Arc<Running>` at the door and keeps it to its end, so a reload never changes a request under way.

use crate::telemetry::{Metrics, TargetMeter, WorkflowMeter};
use crate::upstream::Endpoint;
use http::HeaderValue;
use model::{Now, Tick};
use policy::health::TargetHealth;
use policy::{Health, Policy, Target, World};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// A policy ready to serve.
#[derive(Debug)]
pub struct Running {
    /// The rules.
    pub policy: Policy,
    /// By the provider's index.
    endpoints: Vec<Result<Endpoint, String>>,
    /// By the target's index.
    slots: Vec<Arc<TargetSlot>>,
    /// By the workflow's index.
    workflows: Vec<Arc<WorkflowSlot>>,
    direct: Arc<WorkflowSlot>,
}

/// What lives beside one target: its health and its counters.
#[derive(Debug)]
pub struct TargetSlot {
    name: Arc<str>,
    routed: bool,
    health: Mutex<TargetHealth>,
    /// Made at the first call: a catalog lists thousands of models that nobody calls.
    meter: OnceLock<TargetMeter>,
    header: Option<HeaderValue>,
}

/// What lives beside one workflow.
#[derive(Debug)]
pub struct WorkflowSlot {
    name: Arc<str>,
    /// Its counters.
    pub meter: WorkflowMeter,
    /// Its name as a response header.
    pub header: Option<HeaderValue>,
}

impl TargetSlot {
    fn new(name: &Arc<str>, routed: bool) -> TargetSlot {
        TargetSlot {
            name: Arc::clone(name),
            routed,
            health: Mutex::new(TargetHealth::default()),
            meter: OnceLock::new(),
            header: HeaderValue::from_str(name).ok(),
        }
    }

    /// The live health, for an update that never waits.
    pub fn health(&self) -> MutexGuard<'_, TargetHealth> {
        // A panic elsewhere cannot leave the plain numbers inside half written in a way that matters.
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its counters.
    pub fn meter(&self, metrics: &Metrics) -> &TargetMeter {
        self.meter.get_or_init(|| metrics.target(&self.name))
    }

    /// The target's name as a response header; models that share a slot are named afresh.
    pub fn header(&self, target: &Target) -> Option<HeaderValue> {
        if self.name == target.name { self.header.clone() } else { HeaderValue::from_str(&target.name).ok() }
    }
}

impl WorkflowSlot {
    fn new(name: &str, metrics: &Metrics) -> WorkflowSlot {
        let header = HeaderValue::from_str(name).ok();
        WorkflowSlot { name: name.into(), meter: metrics.workflow(name), header }
    }
}

impl Running {
    /// Resolves a policy's providers and keeps the health and counters of every target the `former` one shares.
    ///
    /// A target that was out (key refused, model gone) is put back: the reload may have mended what was wrong.
    pub fn new(policy: Policy, former: Option<&Running>, metrics: &Metrics) -> Running {
        let kept: HashMap<&str, &Arc<TargetSlot>> =
            former.into_iter().flat_map(|f| &f.slots).map(|slot| (&*slot.name, slot)).collect();
        let mut routed = vec![false; policy.targets().len()];
        let members = policy.workflows.iter().flat_map(|w| &w.route).flat_map(|tier| &tier.members);
        for member in members {
            if let Some(routed) = routed.get_mut(member.target.index) {
                *routed = true;
            }
        }
        let slots = policy.targets().iter().zip(routed).map(|(target, routed)| {
            let kept = kept.get(&*target.name).filter(|slot| slot.routed == routed);
            if let Some(slot) = kept {
                slot.health().put_back();
            }
            kept.map_or_else(|| Arc::new(TargetSlot::new(&target.name, routed)), |slot| Arc::clone(slot))
        });
        let slots = slots.collect();
        let endpoints = policy.providers.iter().map(|p| Endpoint::new(p)).collect();
        let workflow = |name: &str| {
            let kept = former.and_then(|f| f.workflows.iter().find(|slot| &*slot.name == name)).cloned();
            kept.unwrap_or_else(|| Arc::new(WorkflowSlot::new(name, metrics)))
        };
        let workflows = policy.workflows.iter().map(|w| workflow(&w.name)).collect();
        let direct =
            former.map_or_else(|| Arc::new(WorkflowSlot::new("direct", metrics)), |f| Arc::clone(&f.direct));
        Running { policy, endpoints, slots, workflows, direct }
    }

    /// Where a target is called. Errors name what is wrong with the provider's configuration.
    pub fn endpoint(&self, target: &Target) -> Result<&Endpoint, &str> {
        match self.endpoints.get(target.provider.index) {
            Some(Ok(endpoint)) => Ok(endpoint),
            Some(Err(why)) => Err(why),
            None => Err("the provider is not part of the running policy"),
        }
    }

    /// Problems that keep a provider from being called at all.
    pub fn broken_providers(&self) -> impl Iterator<Item = &str> {
        self.endpoints.iter().filter_map(|e| match e {
            Err(why) => Some(why.as_str()),
            Ok(endpoint) => endpoint.key_missing.as_deref(),
        })
    }

    /// The slot of a target.
    pub fn slot(&self, target: &Target) -> Option<&Arc<TargetSlot>> {
        self.slots.get(target.index)
    }

    /// The slot of a workflow, or the one for direct targets.
    pub fn workflow(&self, index: Option<usize>) -> &Arc<WorkflowSlot> {
        index.and_then(|i| self.workflows.get(i)).unwrap_or(&self.direct)
    }

    /// Every target that a route names or that was called, with its health at `tick`.
    pub fn watched(&self, tick: Tick) -> impl Iterator<Item = (&str, Health)> {
        let used = self.slots.iter().filter(|slot| slot.routed || slot.meter.get().is_some());
        used.map(move |slot| (&*slot.name, slot.health().view(tick)))
    }
}

/// The world as the planner sees it at one moment.
pub struct Live<'a> {
    /// Where health lives.
    pub running: &'a Running,
    /// The moment.
    pub now: Now,
    /// Whether the budget of retries has room.
    pub retries: bool,
}

impl World for Live<'_> {
    fn health(&self, target: &Target) -> Health {
        self.running.slot(target).map_or_else(Health::default, |slot| slot.health().view(self.now.tick))
    }

    fn may_retry(&self) -> bool {
        self.retries
    }
}
