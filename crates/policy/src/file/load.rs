//! From text to policy: the sections in the order in which they need each other, whatever their order in the file.

use super::finding::{Finding, Report};
use super::keys::{Field, Shape, object, table};
use super::tree::{self, Node, Place};
use super::{models, providers, server, teams, verify, workflows};
use crate::policy::{Parts, TargetTable};
use crate::{DataClass, Policy, Provider, Server, Store, Telemetry};
use model::{CatalogModel, ProviderPreset, Timestamp};
use serde_json::{Value, json};
use std::sync::Arc;

/// What the file is read against. Everything from outside comes through here.
pub struct Known<'a> {
    /// The built-in providers.
    pub presets: &'a [ProviderPreset],
    /// The catalog.
    pub models: &'a [CatalogModel],
    /// Whether an environment variable is set.
    pub env: &'a dyn Fn(&str) -> bool,
    /// The text of a file that the policy names, relative to it; else a reason for a sentence.
    pub read: &'a dyn Fn(&str) -> Result<String, String>,
    /// Today, for terms that end.
    pub now: Timestamp,
}

/// A file after its checks.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The policy, unless a finding is an error.
    pub policy: Option<Policy>,
    /// Every problem: errors first, then in the order of the file.
    pub findings: Vec<Finding>,
}

/// The state of a reading: what is known, what has been read so far, what was found.
pub(crate) struct Cx<'k> {
    pub(crate) known: &'k Known<'k>,
    pub(crate) report: Report<'k>,
    pub(crate) providers: Vec<Arc<Provider>>,
    /// Rows with errors: named, so that nobody else is blamed for them.
    pub(crate) broken_providers: Vec<String>,
    pub(crate) table: TargetTable,
    pub(crate) data_classes: Vec<DataClass>,
    pub(crate) workflow_names: Vec<Arc<str>>,
    pub(crate) workflow_places: Vec<Place>,
    /// By workflow, in the order of the route.
    pub(crate) member_places: Vec<Vec<Place>>,
    /// Where weights are, by workflow.
    pub(crate) weight_places: Vec<(usize, Place)>,
}

const fn section(name: &'static str, doc: &'static str, shape: Shape) -> Field {
    Field { name, doc, shape, later: None }
}

/// The sections of the file.
const ROOT: &[Field] = &[
    section("server", "Where it listens.", Shape::Section(|| table(server::SERVER))),
    section("store", "Where it remembers.", Shape::Section(|| table(server::STORE))),
    section(
        "providers",
        "Accounts at vendors, and servers of one's own.",
        Shape::Named(|| table(providers::PROVIDER)),
    ),
    section(
        "models",
        "What the catalog does not know or gets wrong, by target.",
        Shape::Named(|| table(models::MODEL)),
    ),
    section(
        "data_classes",
        "Rules for labels of data; they fail closed.",
        Shape::Named(|| table(models::DATA_CLASS)),
    ),
    section("workflows", "Named tasks of applications.", Shape::Named(|| table(workflows::WORKFLOW))),
    section(
        "teams",
        "Who may call what; without this section every key may call everything.",
        Shape::Named(|| table(teams::TEAM)),
    ),
    section("telemetry", "Where it reports.", Shape::Section(|| table(server::TELEMETRY))),
];

/// Reads a policy. All problems are reported at once; one error is enough for there to be no policy.
pub fn load(text: &str, known: &Known<'_>) -> Loaded {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut report = Report::new(text);
    let Some(root) = tree::read(text, &mut report) else {
        return Loaded { policy: None, findings: report.finish() };
    };
    let mut cx = Cx {
        known,
        report,
        providers: Vec::new(),
        broken_providers: Vec::new(),
        table: TargetTable::default(),
        data_classes: Vec::new(),
        workflow_names: Vec::new(),
        workflow_places: Vec::new(),
        member_places: Vec::new(),
        weight_places: Vec::new(),
    };
    let policy = cx.policy(&root);
    let policy = policy.filter(|_| !cx.report.has_errors());
    Loaded { policy, findings: cx.report.finish() }
}

/// The JSON Schema (2020-12) of the file, made from the same tables that read it.
pub fn schema() -> Value {
    let mut schema = object(ROOT.iter());
    if let Some(object) = schema.as_object_mut() {
        object.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
        object.insert("title".to_owned(), json!("pointsman.yaml"));
        object.insert("description".to_owned(), json!("The policy of a Pointsman gateway."));
    }
    schema
}

impl Cx<'_> {
    fn policy(&mut self, root: &Node) -> Option<Policy> {
        if !self.is_mapping(root) {
            return None;
        }
        for entry in root.entries() {
            if !ROOT.iter().any(|field| field.name == entry.key) {
                self.unknown_key(&entry.key, entry.key_at, ROOT.iter());
            }
        }
        let nothing = Node::nothing(Place::START);
        let get = |name: &str| root.get(name).unwrap_or(&nothing);
        let (mut server, mut store, mut telemetry) =
            (Server::default(), Store::default(), Telemetry::default());
        self.section(get("server"), server::SERVER, &mut server);
        self.section(get("store"), server::STORE, &mut store);
        self.section(get("telemetry"), server::TELEMETRY, &mut telemetry);
        self.providers = providers::read(get("providers"), root.get("workflows"), self);
        let facts = models::read(get("models"), self);
        self.table = TargetTable::new(&self.providers, self.known.models, &facts);
        self.data_classes = models::read_classes(get("data_classes"), self);
        let workflows = workflows::read(get("workflows"), self);
        let teams = root.get("teams").map(|section| teams::read(section, &workflows, self));
        let policy = Policy::assemble(Parts {
            server,
            store,
            providers: std::mem::take(&mut self.providers),
            table: std::mem::take(&mut self.table),
            data_classes: std::mem::take(&mut self.data_classes),
            workflows: workflows.into_iter().map(Arc::new).collect(),
            teams,
            telemetry,
        });
        verify::verify(&policy, root, self);
        Some(policy)
    }

    /// Whether a provider has a row, be it a broken one.
    pub(crate) fn knows_provider(&self, name: &str) -> bool {
        self.providers.iter().any(|p| &*p.name == name) || self.broken_providers.iter().any(|b| b == name)
    }

    /// The index of a data class; one that nothing declares becomes a label without a rule.
    pub(crate) fn data_class(&mut self, name: &str) -> usize {
        let found = self.data_classes.iter().position(|c| &*c.name == name);
        found.unwrap_or_else(|| {
            self.data_classes.push(DataClass::label(name));
            self.data_classes.len() - 1
        })
    }

    /// The text of a file that the policy names.
    pub(crate) fn file(&mut self, node: &Node, path: &str) -> Option<String> {
        match (self.known.read)(path) {
            Ok(text) => Some(text),
            Err(why) => {
                let hint = Some("paths are relative to the policy file".to_owned());
                self.report.error(node.at, format!("{path} cannot be read: {why}"), hint);
                None
            }
        }
    }
}
