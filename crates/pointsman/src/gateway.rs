//! The whole gateway in one value: the running policy, the store, the connections, the counters.

use crate::running::Running;
use crate::telemetry::{Clock, Metrics};
use crate::upstream::Upstream;
use model::{RequestId, RequestRow, Timestamp};
use policy::Policy;
use policy::health::RetryBudget;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use store::{Store, StoreError};

/// Bytes of a provider's whole answer.
pub const LARGEST_ANSWER: usize = 64 << 20;

/// The gateway.
pub struct Gateway {
    /// Time and request ids.
    pub clock: Clock,
    /// Journal, ledger and keys.
    pub store: Store,
    /// Connections to providers.
    pub upstream: Upstream,
    /// Counters.
    pub metrics: Metrics,
    running: RwLock<Arc<Running>>,
    retries: Mutex<RetryBudget>,
}

impl Gateway {
    /// Puts the parts together around a checked policy.
    pub fn new(policy: Policy, store: Store) -> Result<Gateway, rustls::Error> {
        let metrics = Metrics::new();
        let running = Running::new(policy, None, &metrics);
        Ok(Gateway {
            clock: Clock::start(),
            store,
            upstream: Upstream::new()?,
            metrics,
            running: RwLock::new(Arc::new(running)),
            retries: Mutex::default(),
        })
    }

    /// The policy in force now.
    pub fn running(&self) -> Arc<Running> {
        Arc::clone(&self.running.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Exchanges the policy. Requests under way keep the one they were admitted under.
    pub fn replace(&self, policy: Policy) {
        let next = Arc::new(Running::new(policy, Some(&self.running()), &self.metrics));
        *self.running.write().unwrap_or_else(PoisonError::into_inner) = next;
    }

    /// The budget of retries on the same target.
    pub fn retries(&self) -> MutexGuard<'_, RetryBudget> {
        self.retries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Brings the ledger up to date and closes it.
    pub fn close(self) -> Result<(), StoreError> {
        self.store.close()
    }

    /// One request of the ledger. Reads files: not for the threads that serve.
    pub fn find(&self, id: RequestId) -> Result<Option<RequestRow>, StoreError> {
        store::find(&self.running().policy.store.data_dir, id)
    }

    /// The newest requests. Reads files: not for the threads that serve.
    pub fn recent(&self, limit: usize) -> Result<Vec<RequestRow>, StoreError> {
        store::recent(&self.running().policy.store.data_dir, limit, None)
    }

    /// The wall clock, for rows and expiry.
    pub fn wall(&self) -> Timestamp {
        self.clock.now().wall
    }
}
