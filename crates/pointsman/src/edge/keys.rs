//! Keys over the admin API; the command line does the same beside a running server.

use crate::edge::Body;
use crate::edge::admin::{broken, error};
use crate::edge::door::json;
use crate::gateway::Gateway;
use http::{Response, StatusCode};
use model::Timestamp;
use policy::Policy;
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;
use store::{KeyInfo, NewKey};

/// What `POST /admin/v1/keys` takes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    team: String,
    #[serde(default)]
    workflows: Vec<String>,
    data_class: Option<String>,
    /// A duration such as `90d`.
    expires: Option<String>,
    name: Option<String>,
}

/// A key as lists show it.
pub fn shown(key: &KeyInfo, now: Timestamp) -> Value {
    let NewKey { team, workflows, data_class, expires, name } = &key.settings;
    json!({
        "id": key.id,
        "team": team,
        "name": name,
        "workflows": workflows,
        "data_class": data_class,
        "created": key.created.to_string(),
        "expires": expires.map(|at| at.to_string()),
        "revoked": key.revoked.map(|at| at.to_string()),
        "state": state(key, now),
    })
}

/// `good`, `expired` or `revoked`.
pub fn state(key: &KeyInfo, now: Timestamp) -> &'static str {
    match (key.revoked, key.settings.expires) {
        (Some(_), _) => "revoked",
        (None, Some(at)) if at <= now => "expired",
        _ => "good",
    }
}

/// When a key made now expires, given how long it shall be good.
pub fn expiry(lifetime: Duration, now: Timestamp) -> Timestamp {
    let micros = i64::try_from(lifetime.as_micros()).unwrap_or(i64::MAX);
    Timestamp(now.0.saturating_add(micros))
}

/// Whether team, workflows and data class of a key exist; a key for what does not exist could never be used.
pub fn check(policy: &Policy, key: &NewKey) -> Result<(), String> {
    if let Some(teams) = &policy.teams {
        let Some(team) = teams.get(key.team.as_str()) else {
            let mut names: Vec<&str> = teams.keys().map(|name| &**name).collect();
            names.sort_unstable();
            return Err(format!("there is no team `{}`; the policy has {}", key.team, names.join(", ")));
        };
        if let Some(foreign) = key.workflows.iter().find(|w| !team.allows_workflow(w)) {
            return Err(format!("the team `{}` may not call the workflow `{foreign}`", key.team));
        }
    }
    if let Some(unknown) = key.workflows.iter().find(|w| policy.workflow(w).is_none()) {
        return Err(format!("there is no workflow `{unknown}`"));
    }
    match &key.data_class {
        Some(class) if policy.data_class(class).is_none() => Err(format!("there is no data class `{class}`")),
        _ => Ok(()),
    }
}

/// `GET /admin/v1/keys`.
pub fn list(gateway: &Gateway) -> Response<Body> {
    match gateway.store.keys().list() {
        Ok(keys) => {
            let now = gateway.wall();
            let keys: Vec<Value> = keys.iter().map(|key| shown(key, now)).collect();
            json(json!({"keys": keys}).to_string())
        }
        Err(e) => broken("The keys could not be read", e),
    }
}

/// `POST /admin/v1/keys`.
pub fn create(gateway: &Gateway, body: &[u8]) -> Response<Body> {
    let refuse = |why: String| error(StatusCode::BAD_REQUEST, "invalid_request", &why);
    let now = gateway.wall();
    let wanted: Wanted = match serde_json::from_slice(body) {
        Ok(wanted) => wanted,
        Err(e) => return refuse(format!("The body is no key request: {e}.")),
    };
    let expires = match wanted.expires.as_deref().map(policy::file::duration).transpose() {
        Ok(lifetime) => lifetime.map(|lifetime| expiry(lifetime, now)),
        Err(why) => return refuse(format!("expires: {why}.")),
    };
    let Wanted { team, workflows, data_class, name, .. } = wanted;
    let new = NewKey { team, workflows, data_class, expires, name };
    if let Err(why) = check(&gateway.running().policy, &new) {
        return refuse(format!("{why}."));
    }
    match gateway.store.keys().create(&new, now) {
        Ok(created) => {
            let mut response = json(json!({"id": created.id, "key": created.key}).to_string());
            *response.status_mut() = StatusCode::CREATED;
            response
        }
        Err(e) => broken("The key could not be made", e),
    }
}

/// `DELETE /admin/v1/keys/ID`.
pub fn revoke(gateway: &Gateway, id: &str) -> Response<Body> {
    match gateway.store.keys().revoke(id, gateway.wall()) {
        Ok(true) => json(json!({"id": id, "revoked": true}).to_string()),
        Ok(false) => {
            error(StatusCode::NOT_FOUND, "not_found", &format!("There is no key {id} that is still good."))
        }
        Err(e) => broken("The key could not be revoked", e),
    }
}
