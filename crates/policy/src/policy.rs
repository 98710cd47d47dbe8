//! The checked policy: everything a decision reads, interned and precomputed, with look-ups that cost one hash.

use crate::data::Admission;
use crate::rule::Fields;
use crate::{DataClass, Provider, Server, Store, Target, Team, Telemetry, Workflow, hash};
use model::{Capabilities, CatalogModel, ModelFacts, Timestamp};
use serde::Serialize;
use std::collections::HashMap;
use std::sync::Arc;

/// A file that passed its checks. Shared behind an `Arc` and replaced whole on reload.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Where it listens.
    pub server: Server,
    /// Where it remembers.
    pub store: Store,
    /// In the order of the file, then those that only routes name.
    pub providers: Vec<Arc<Provider>>,
    /// In the order of the file, which is the order of `match` rules.
    pub workflows: Vec<Arc<Workflow>>,
    /// Those declared, then labels that only workflows name.
    pub data_classes: Vec<DataClass>,
    /// `None` where the file has no `teams:`: then every key may call everything.
    pub teams: Option<HashMap<Arc<str>, Team>>,
    /// Where it reports.
    pub telemetry: Telemetry,
    /// 32 hex digits over the meaning of the file and the facts of the targets it routes to. Comments, layout and
    /// the order of sections do not change it; a price in the catalog does.
    pub digest: Arc<str>,
    table: TargetTable,
    workflow_names: HashMap<Arc<str>, usize>,
    provider_names: HashMap<Arc<str>, usize>,
    class_names: HashMap<Arc<str>, usize>,
    /// Provider by data class, row by row.
    admissions: Vec<Admission>,
    /// The workflows with a `match` rule.
    rules: Vec<usize>,
    /// What any of them reads.
    rule_fields: Fields,
    /// What steps that give up nothing share.
    pub(crate) nothing: Arc<[Arc<str>]>,
}

/// What a policy is put together from; every part is already checked.
pub(crate) struct Parts {
    pub(crate) server: Server,
    pub(crate) store: Store,
    pub(crate) providers: Vec<Arc<Provider>>,
    pub(crate) table: TargetTable,
    pub(crate) data_classes: Vec<DataClass>,
    pub(crate) workflows: Vec<Arc<Workflow>>,
    pub(crate) teams: Option<HashMap<Arc<str>, Team>>,
    pub(crate) telemetry: Telemetry,
}

/// What `models:` says of one target, over what the catalog says.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct FactsOverride {
    pub(crate) name: String,
    pub(crate) context: Option<u64>,
    pub(crate) max_output: Option<u64>,
    pub(crate) rates: Option<model::Rates>,
    pub(crate) can: Option<Capabilities>,
}

/// Every target that has a name before a request comes.
#[derive(Clone, Debug, Default)]
pub(crate) struct TargetTable {
    /// By slot; one object a slot.
    pub(crate) slots: Vec<Arc<Target>>,
    /// By `provider/model`, aliases included.
    pub(crate) by_name: HashMap<Arc<str>, Arc<Target>>,
    /// By bare id.
    pub(crate) bare: HashMap<Arc<str>, Arc<Target>>,
    /// A provider's slot for what is not listed.
    pub(crate) shared: Vec<usize>,
}

impl TargetTable {
    /// Every catalog model of the configured providers, every target of `models:`, and one common slot a provider.
    pub(crate) fn new(
        providers: &[Arc<Provider>],
        catalog: &[CatalogModel],
        overrides: &[FactsOverride],
    ) -> TargetTable {
        let mut table = TargetTable::default();
        let overrides: HashMap<&str, &FactsOverride> =
            overrides.iter().map(|o| (o.name.as_str(), o)).collect();
        for provider in providers {
            let vendor = provider.preset.unwrap_or(&provider.name);
            for row in catalog.iter().filter(|row| row.provider == vendor) {
                table.list(provider, row, &overrides);
            }
        }
        for row in overrides.values() {
            if let Some((name, model)) = row.name.split_once('/')
                && let Some(provider) = providers.iter().find(|p| &*p.name == name)
                && !table.by_name.contains_key(row.name.as_str())
            {
                let mut target = Target::new(table.slots.len(), provider, model, ModelFacts::default());
                row.apply(&mut target);
                table.insert(target);
            }
        }
        for provider in providers {
            let slot = table.slots.len();
            let common = Target { shared: true, ..Target::new(slot, provider, "*", ModelFacts::default()) };
            table.slots.push(Arc::new(common));
            table.shared.push(slot);
        }
        table.name_bare_ids(providers);
        table
    }

    /// One catalog row: the model and its aliases, which share its slot.
    fn list(
        &mut self,
        provider: &Arc<Provider>,
        row: &CatalogModel,
        overrides: &HashMap<&str, &FactsOverride>,
    ) {
        let slot = self.slots.len();
        for model in std::iter::once(&row.model).chain(&row.aliases) {
            let mut target = Target::new(slot, provider, model, row.facts.clone());
            target.can_known = true;
            if let Some(row) = overrides.get(&*target.name) {
                row.apply(&mut target);
            }
            if !self.by_name.contains_key(&target.name) {
                self.insert(target);
            }
        }
    }

    fn insert(&mut self, target: Target) {
        let target = Arc::new(target);
        if target.index == self.slots.len() {
            self.slots.push(target.clone());
        }
        self.by_name.insert(target.name.clone(), target);
    }

    /// Gives `provider/model` a slot of its own if it has none: a route names it.
    pub(crate) fn intern(&mut self, provider: &Arc<Provider>, model: &str) -> Arc<Target> {
        let name = format!("{}/{model}", provider.name);
        if let Some(target) = self.by_name.get(name.as_str()) {
            return target.clone();
        }
        let target = Target::new(self.slots.len(), provider, model, ModelFacts::default());
        self.insert(target);
        self.by_name[name.as_str()].clone()
    }

    /// A bare id means the model at its vendor's own row (a provider named like its preset); among those, and then
    /// among the others, the first in the order of the file.
    fn name_bare_ids(&mut self, providers: &[Arc<Provider>]) {
        let own = |p: &Provider| p.preset == Some(&*p.name);
        let mut named: Vec<&Arc<Target>> = self.by_name.values().collect();
        named.sort_by_key(|t| (!own(&t.provider), t.provider.index, t.index));
        debug_assert!(named.iter().all(|t| t.provider.index < providers.len()));
        for target in named {
            self.bare.entry(target.model.clone()).or_insert_with(|| target.clone());
        }
    }
}

impl FactsOverride {
    fn apply(&self, target: &mut Target) {
        target.facts.context = self.context.or(target.facts.context);
        target.facts.max_output = self.max_output.or(target.facts.max_output);
        if let Some(rates) = &self.rates {
            target.facts.rates = Some(rates.clone());
        }
        if let Some(can) = self.can {
            target.facts.can = can;
            target.can_known = true;
        }
    }
}

impl Policy {
    pub(crate) fn assemble(parts: Parts) -> Policy {
        let Parts { server, store, providers, table, data_classes, workflows, teams, telemetry } = parts;
        let admissions =
            providers.iter().flat_map(|p| data_classes.iter().map(move |class| class.admission(p))).collect();
        let rules: Vec<usize> = workflows.iter().filter(|w| w.rule.is_some()).map(|w| w.index).collect();
        let rule_fields = workflows
            .iter()
            .filter_map(|w| w.rule.as_ref())
            .fold(Fields::default(), |all, rule| all.union(rule.fields()));
        let index = |names: Vec<&Arc<str>>| -> HashMap<Arc<str>, usize> {
            names.into_iter().enumerate().map(|(i, name)| (name.clone(), i)).collect()
        };
        let mut policy = Policy {
            workflow_names: index(workflows.iter().map(|w| &w.name).collect()),
            provider_names: index(providers.iter().map(|p| &p.name).collect()),
            class_names: index(data_classes.iter().map(|c| &c.name).collect()),
            server,
            store,
            providers,
            workflows,
            data_classes,
            teams,
            telemetry,
            digest: Arc::from(""),
            table,
            admissions,
            rules,
            rule_fields,
            nothing: Arc::from([]),
        };
        policy.digest = format!("{:032x}", hash::fnv128(policy.meaning().as_bytes())).into();
        policy
    }

    /// The meaning of the policy as canonical JSON: what the digest is taken over. Holds no secret.
    fn meaning(&self) -> String {
        #[derive(Serialize)]
        struct Meaning<'a> {
            server: &'a Server,
            store: &'a Store,
            providers: &'a [Arc<Provider>],
            workflows: &'a [Arc<Workflow>],
            data_classes: &'a [DataClass],
            teams: Option<std::collections::BTreeMap<&'a str, &'a Team>>,
            telemetry: &'a Telemetry,
        }
        let meaning = Meaning {
            server: &self.server,
            store: &self.store,
            providers: &self.providers,
            workflows: &self.workflows,
            data_classes: &self.data_classes,
            teams: self.teams.as_ref().map(|teams| teams.iter().map(|(k, v)| (&**k, v)).collect()),
            telemetry: &self.telemetry,
        };
        // Plain data with string keys: serialisation has nothing to fail on.
        serde_json::to_string(&meaning).unwrap_or_default()
    }

    /// Every slot of tables of health and metrics, by [`Target::index`].
    pub fn targets(&self) -> &[Arc<Target>] {
        &self.table.slots
    }

    /// A workflow by name.
    pub fn workflow(&self, name: &str) -> Option<&Arc<Workflow>> {
        self.workflow_names.get(name).map(|i| &self.workflows[*i])
    }

    /// A provider by name.
    pub fn provider(&self, name: &str) -> Option<&Arc<Provider>> {
        self.provider_names.get(name).map(|i| &self.providers[*i])
    }

    /// A data class by name, with its index.
    pub fn data_class(&self, name: &str) -> Option<(usize, &DataClass)> {
        self.class_names.get(name).map(|i| (*i, &self.data_classes[*i]))
    }

    /// A target by `provider/model`, if the catalog, `models:` or a route lists it.
    pub fn target(&self, name: &str) -> Option<&Arc<Target>> {
        self.table.by_name.get(name)
    }

    /// A target by bare model id.
    pub fn bare(&self, id: &str) -> Option<&Arc<Target>> {
        self.table.bare.get(id)
    }

    /// A target by `provider/model`, built on the fly where nothing lists the model. It then uses the provider's
    /// common slot, so that requests cannot make tables grow. `None` where the provider is unknown or the model is
    /// not an id one could send.
    pub fn direct(&self, name: &str) -> Option<Arc<Target>> {
        const LONGEST_ID: usize = 256;
        if let Some(target) = self.target(name) {
            return Some(target.clone());
        }
        let (provider, model) = name.split_once('/')?;
        let provider = self.provider(provider)?;
        let sendable =
            !model.is_empty() && model.len() <= LONGEST_ID && model.bytes().all(|b| b.is_ascii_graphic());
        if !sendable {
            return None;
        }
        let slot = self.table.shared[provider.index];
        Some(Arc::new(Target { shared: true, ..Target::new(slot, provider, model, ModelFacts::default()) }))
    }

    /// The names a client may send, for `GET /v1/models`: workflows, then targets that have a name, sorted.
    pub fn model_names(&self) -> Vec<Arc<str>> {
        let mut targets: Vec<Arc<str>> = self.table.by_name.keys().cloned().collect();
        targets.sort();
        self.workflows.iter().map(|w| w.name.clone()).chain(targets).collect()
    }

    /// The bare model ids that mean a target, sorted.
    pub(crate) fn bare_ids(&self) -> Vec<Arc<str>> {
        let mut ids: Vec<Arc<str>> = self.table.bare.keys().cloned().collect();
        ids.sort();
        ids
    }

    /// Whether any `match` rule reads request headers, so that collecting them is worth while.
    pub fn wants_headers(&self) -> bool {
        self.rule_fields.has("headers")
    }

    pub(crate) fn rules(&self) -> impl Iterator<Item = (&Arc<Workflow>, &crate::Rule)> {
        self.rules.iter().filter_map(|i| {
            let workflow = &self.workflows[*i];
            workflow.rule.as_ref().map(|rule| (workflow, rule))
        })
    }

    /// What the `match` rules read of a request.
    pub(crate) fn rule_fields(&self) -> Fields {
        self.rule_fields
    }

    pub(crate) fn admits(
        &self,
        provider: &Provider,
        class: usize,
        wall: Timestamp,
    ) -> Result<(), crate::DataMiss> {
        self.admissions[provider.index * self.data_classes.len() + class].at(wall)
    }

    /// The parts again, for a policy that differs in one of them.
    pub(crate) fn parts(&self) -> Parts {
        Parts {
            server: self.server.clone(),
            store: self.store.clone(),
            providers: self.providers.clone(),
            table: self.table.clone(),
            data_classes: self.data_classes.clone(),
            workflows: self.workflows.clone(),
            teams: self.teams.clone(),
            telemetry: self.telemetry.clone(),
        }
    }
}
