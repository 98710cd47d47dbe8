//! Random small policies and a random request for each, as `story.rs` asks them of `explain` and of the gateway.
//!
//! Many scenes stand in one policy file, each with providers and workflows of its own, so that no breaker of one
//! touches another. Orders are left to facts alone (distinct prices, a session): nothing here may be a toss-up.

use proptest::collection::{SizeRange, vec};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};
use std::fmt::Write;

/// The data classes of every file: one that few providers satisfy, one by region alone, one that is easily satisfied.
const DATA_CLASSES: &str = "data_classes:
  phi: {regions: [us, onprem], require: {retention: none, training: never, baa: true}}
  eu: {regions: [eu, onprem]}
  house: {require: {training: never}}
";

/// What every workflow allows a request.
const WORKFLOW_MS: u64 = 30_000;
const TERMS: [&str; 4] = [
    "{retention: none, training: never, baa: always}",
    "{retention: none, training: never, baa: always}",
    "{retention: 30d, training: never}",
    "{}",
];
/// What the simulator does for a model of this name; an empty one answers.
const FAULTS: [&str; 16] = [
    "overloaded",
    "server_error",
    "status:code=502",
    "status:code=400",
    "rate_limit",
    "rate_limit:retry_after=30",
    "quota",
    "auth",
    "model_gone",
    "context_exceeded",
    "reset",
    "cut:after_tokens=0",
    "empty",
    "error_in_200",
    "refusal",
    "content_filter",
];
const ABILITIES: [&str; 4] = ["tools", "vision", "json_schema", "reasoning"];
const GROUPS: [&str; 7] =
    ["outage", "quota", "context_exceeded", "refusal", "auth", "model_gone", "bad_request"];
const REACTIONS: [&str; 4] = ["next", "retry_then_next", "return", "larger_context"];
const CONDITIONS: [&str; 6] = [
    "true",
    "request.session != \"\"",
    "!request.stream",
    "request.dialect == \"openai\"",
    "request.estimated_tokens < 200",
    "\"tools\" in request.needs",
];

#[derive(Clone, Debug)]
struct Provider {
    anthropic: bool,
    region: Option<&'static str>,
    terms: &'static str,
}

#[derive(Clone, Debug)]
struct Model {
    provider: usize,
    fault: Option<&'static str>,
    context: Option<u64>,
    abilities: Option<[bool; 4]>,
}

#[derive(Clone, Debug)]
struct Workflow {
    /// A model, whether it begins a tier, whether it is a downgrade.
    route: Vec<(usize, bool, bool)>,
    sticky: bool,
    data_class: Option<&'static str>,
    needs: Option<&'static str>,
    max_cost: Option<&'static str>,
    on: Vec<(&'static str, &'static str)>,
    condition: Option<&'static str>,
}

/// How a request says what it wants. The numbers are taken round the scene's own workflows and models.
#[derive(Clone, Copy, Debug)]
enum Aim {
    Name(usize),
    Header(usize),
    Rule,
    Target(usize),
    Unlisted(usize),
    BareId(usize),
    Nobody,
}

#[derive(Clone, Debug)]
struct Ask {
    aim: Aim,
    anthropic: bool,
    stream: bool,
    data_class: Option<&'static str>,
    tools: bool,
    image: bool,
    schema: bool,
    limit: u64,
    words: usize,
    deadline_ms: Option<u64>,
}

/// A policy and a request.
#[derive(Clone, Debug)]
pub struct Scene {
    providers: Vec<Provider>,
    models: Vec<Model>,
    workflows: Vec<Workflow>,
    ask: Ask,
}

/// A request, ready to be explained and to be sent.
pub struct Request {
    pub dialect: &'static str,
    pub path: &'static str,
    pub headers: Vec<(&'static str, String)>,
    pub body: Value,
}

impl Request {
    /// How long it may take: what its workflow allows (30 s here, ten minutes without one), or less if it says so.
    pub fn deadline_ms(&self, by_workflow: bool) -> u64 {
        let allowed = if by_workflow { WORKFLOW_MS } else { 600_000 };
        let asked = self.headers.iter().find(|(name, _)| *name == "x-pointsman-deadline-ms");
        asked.and_then(|(_, ms)| ms.parse().ok()).map_or(allowed, |ms: u64| ms.min(allowed))
    }
}

/// So many scenes.
pub fn scenes(count: impl Into<SizeRange>) -> impl Strategy<Value = Vec<Scene>> {
    vec(scene(), count)
}

fn scene() -> impl Strategy<Value = Scene> {
    let regions = vec![Some("us"), Some("us"), Some("eu"), Some("onprem"), None];
    let provider = (any::<bool>(), select(regions), select(&TERMS[..]))
        .prop_map(|(anthropic, region, terms)| Provider { anthropic, region, terms });
    let contexts = select(vec![None, Some(700), Some(8_000), Some(8_000), Some(200_000)]);
    let fault = prop::option::weighted(0.6, select(&FAULTS[..]));
    let abilities = prop::option::weighted(0.9, [prop::bool::weighted(0.9); 4].prop_map(|set| set));
    let model = (0..4usize, fault, contexts, abilities)
        .prop_map(|(provider, fault, context, abilities)| Model { provider, fault, context, abilities });
    (vec(provider, 2..=4), vec(model, 3..=6), vec(workflow(), 2..=3), ask())
        .prop_map(|(providers, models, workflows, ask)| Scene { providers, models, workflows, ask })
}

fn workflow() -> impl Strategy<Value = Workflow> {
    let reaction = (select(&GROUPS[..]), select(&REACTIONS[..]));
    (
        vec((0..6usize, prop::bool::weighted(0.6), prop::bool::weighted(0.2)), 1..=5),
        any::<bool>(),
        prop::option::weighted(0.25, select(vec!["phi", "eu", "house", "house"])),
        prop::option::weighted(0.1, select(&ABILITIES[..])),
        prop::option::weighted(0.2, select(vec!["0.0005", "0.002", "0.02"])),
        vec(reaction, 0..4),
        prop::option::weighted(0.8, select(&CONDITIONS[..])),
    )
        .prop_map(|(route, sticky, data_class, needs, max_cost, on, condition)| Workflow {
            route,
            sticky,
            data_class,
            needs,
            max_cost,
            on,
            condition,
        })
}

fn ask() -> impl Strategy<Value = Ask> {
    let aim = prop_oneof![
        5 => (0..3usize).prop_map(Aim::Name),
        2 => (0..3usize).prop_map(Aim::Header),
        3 => Just(Aim::Rule),
        2 => (0..6usize).prop_map(Aim::Target),
        1 => (0..4usize).prop_map(Aim::Unlisted),
        1 => (0..6usize).prop_map(Aim::BareId),
        1 => Just(Aim::Nobody),
    ];
    (
        aim,
        any::<bool>(),
        any::<bool>(),
        prop::option::weighted(0.2, select(vec!["phi", "eu", "eu", "house", "house", "unheard-of"])),
        [prop::bool::weighted(0.2), prop::bool::weighted(0.15), prop::bool::weighted(0.15)],
        select(vec![16, 300, 2_000]),
        select(vec![5, 5, 60, 900]),
        prop::option::weighted(0.2, select(vec![15_000u64, 60_000])),
    )
        .prop_map(
            |(aim, anthropic, stream, data_class, [tools, image, schema], limit, words, deadline_ms)| Ask {
                aim,
                anthropic,
                stream,
                data_class,
                tools,
                image,
                schema,
                limit,
                words,
                deadline_ms,
            },
        )
}

/// The file that holds all of them. `openai` and `anthropic` are the simulator's addresses.
pub fn policy(scenes: &[Scene], openai: &str, anthropic: &str) -> String {
    file(scenes.iter().enumerate(), [openai, anthropic])
}

fn file<'a>(scenes: impl Iterator<Item = (usize, &'a Scene)>, addresses: [&str; 2]) -> String {
    let [mut providers, mut models, mut workflows] = [(); 3].map(|()| String::new());
    for (n, scene) in scenes {
        scene.describe(n, addresses, [&mut providers, &mut models, &mut workflows]);
    }
    format!("providers:\n{providers}models:\n{models}{DATA_CLASSES}workflows:\n{workflows}")
}

impl Scene {
    /// The policy file of this scene alone, for a person who looks into a disagreement.
    pub fn alone(&self, n: usize) -> String {
        file(std::iter::once((n, self)), ["http://127.0.0.1:9000/v1", "http://127.0.0.1:9000"])
    }

    fn describe(&self, n: usize, addresses: [&str; 2], [providers, models, workflows]: [&mut String; 3]) {
        for (i, p) in self.providers.iter().enumerate() {
            let (dialect, address) =
                if p.anthropic { ("anthropic", addresses[1]) } else { ("openai", addresses[0]) };
            let region = p.region.map(|r| format!(", region: {r}")).unwrap_or_default();
            let _ = writeln!(
                providers,
                "  s{n}-p{i}: {{dialect: {dialect}, base_url: '{address}', api_key: {{env: SIM_KEY}}{region}, terms: {}}}",
                p.terms
            );
        }
        for (i, m) in self.models.iter().enumerate() {
            if self.same(i) != i {
                continue;
            }
            // Prices differ within a scene, so that the cheapest is one; the last model has none.
            let mut facts = match i + 1 == self.models.len() {
                true => Vec::new(),
                false => vec![format!("price: {{input: {}, output: {}}}", i + 1, 3 * (i + 1))],
            };
            facts.extend(m.context.map(|context| format!("context: {context}")));
            facts.extend(m.abilities.map(|set| {
                let can: Vec<&str> =
                    ABILITIES.iter().zip(set).filter(|(_, has)| *has).map(|(a, _)| *a).collect();
                format!("can: [{}]", can.join(", "))
            }));
            let _ = writeln!(models, "  '{}': {{{}}}", self.target(n, i), facts.join(", "));
        }
        for (i, w) in self.workflows.iter().enumerate() {
            let _ = writeln!(workflows, "  s{n}-w{i}:\n    latency: {{total: {WORKFLOW_MS}ms}}");
            let _ = writeln!(workflows, "    prefer: {}", if w.sticky { "sticky" } else { "cheapest" });
            for (key, value) in [("data_class", w.data_class), ("needs", w.needs), ("max_cost", w.max_cost)] {
                let Some(value) = value else { continue };
                let value = if key == "needs" { format!("[{value}]") } else { value.to_owned() };
                let _ = writeln!(workflows, "    {key}: {value}");
            }
            let mut on: Vec<(&str, &str)> = Vec::new();
            for (group, reaction) in &w.on {
                if !on.iter().any(|(g, _)| g == group) {
                    on.push((group, reaction));
                }
            }
            let on: Vec<String> = on.iter().map(|(g, r)| format!("{g}: {r}")).collect();
            let _ = writeln!(workflows, "    on: {{{}}}", on.join(", "));
            if let Some(condition) = w.condition {
                let _ = writeln!(
                    workflows,
                    "    match: 'request.headers[\"x-scene\"] == \"s{n}\" && {condition}'"
                );
            }
            let _ = writeln!(workflows, "    route:\n{}", self.route(n, w));
        }
    }

    fn route(&self, n: usize, workflow: &Workflow) -> String {
        let mut seen = Vec::new();
        let mut tiers: Vec<String> = Vec::new();
        let mut open: Vec<String> = Vec::new();
        for (model, begins, downgrade) in &workflow.route {
            let model = self.same(model % self.models.len());
            if seen.contains(&model) {
                continue;
            }
            seen.push(model);
            let target = format!("'{}'", self.target(n, model));
            if (*begins || *downgrade) && !open.is_empty() {
                tiers.push(format!("[{}]", std::mem::take(&mut open).join(", ")));
            }
            if *downgrade {
                tiers.push(format!("{{downgrade: {target}, gives_up: [tools, quality]}}"));
            } else {
                open.push(target);
            }
        }
        if !open.is_empty() {
            tiers.push(format!("[{}]", open.join(", ")));
        }
        tiers.iter().map(|tier| format!("      - {tier}\n")).collect()
    }

    /// The first model that is the same target as this one.
    fn same(&self, i: usize) -> usize {
        let id = |i: usize| (self.models[i].provider % self.providers.len(), self.models[i].fault);
        match self.models[i].fault {
            None => i,
            Some(_) => (0..i).find(|j| id(*j) == id(i)).unwrap_or(i),
        }
    }

    fn model(&self, n: usize, i: usize) -> String {
        match self.models[i].fault {
            Some(fault) => format!("fault-{fault}"),
            None => format!("steady-{n}-{i}"),
        }
    }

    fn target(&self, n: usize, i: usize) -> String {
        format!("s{n}-p{}/{}", self.models[i].provider % self.providers.len(), self.model(n, i))
    }

    /// The request of scene `n`.
    pub fn request(&self, n: usize) -> Request {
        let ask = &self.ask;
        let workflow = |i: usize| format!("s{n}-w{}", i % self.workflows.len());
        let listed = |i: usize| self.same(i % self.models.len());
        let mut headers = vec![
            ("content-type", "application/json".to_owned()),
            ("x-pointsman-session", format!("session-{n}")),
        ];
        let model = match ask.aim {
            Aim::Name(i) => workflow(i),
            Aim::Header(i) => {
                headers.push(("x-pointsman-workflow", workflow(i)));
                "whatever-the-application-says".to_owned()
            }
            Aim::Rule => {
                headers.push(("x-scene", format!("s{n}")));
                "gpt-of-the-helpdesk".to_owned()
            }
            Aim::Target(i) => self.target(n, listed(i)),
            Aim::Unlisted(i) => format!("s{n}-p{}/unlisted-model", i % self.providers.len()),
            // A fault's name is a bare id too, but means the first provider of the whole file. Without a model that
            // answers this is one that nobody knows.
            Aim::BareId(i) => {
                let steady = |j: &usize| self.models[*j].fault.is_none();
                format!(
                    "steady-{n}-{}",
                    (0..self.models.len()).cycle().skip(i).take(6).find(steady).unwrap_or(9)
                )
            }
            Aim::Nobody => format!("s{n}-w0-misspelt"),
        };
        headers.extend(ask.data_class.map(|class| ("x-pointsman-data-class", class.to_owned())));
        headers.extend(ask.deadline_ms.map(|ms| ("x-pointsman-deadline-ms", ms.to_string())));
        if ask.anthropic {
            headers.push(("anthropic-version", "2023-06-01".to_owned()));
        }
        let (dialect, path) =
            if ask.anthropic { ("anthropic", "/v1/messages") } else { ("openai", "/v1/chat/completions") };
        Request { dialect, path, headers, body: ask.body(&model) }
    }
}

impl Ask {
    fn body(&self, model: &str) -> Value {
        const PIXEL: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
        let schema = json!({
            "type": "object", "properties": {"town": {"type": "string"}},
            "required": ["town"], "additionalProperties": false,
        });
        let mut content = vec![json!({"type": "text", "text": "weather ".repeat(self.words)})];
        let mut body = json!({"model": model, "max_tokens": self.limit, "stream": self.stream});
        if self.anthropic {
            if self.image {
                let source = json!({"type": "base64", "media_type": "image/png", "data": PIXEL});
                content.push(json!({"type": "image", "source": source}));
            }
            if self.tools {
                body["tools"] =
                    json!([{"name": "look_up", "description": "Looks up", "input_schema": schema}]);
            }
            if self.schema {
                body["output_config"] = json!({"format": {"type": "json_schema", "schema": schema}});
            }
        } else {
            if self.image {
                let url = format!("data:image/png;base64,{PIXEL}");
                content.push(json!({"type": "image_url", "image_url": {"url": url}}));
            }
            if self.tools {
                body["tools"] =
                    json!([{"type": "function", "function": {"name": "look_up", "parameters": schema}}]);
            }
            if self.schema {
                let format = json!({"name": "answer", "strict": true, "schema": schema});
                body["response_format"] = json!({"type": "json_schema", "json_schema": format});
            }
        }
        body["messages"] = json!([{"role": "user", "content": content}]);
        body
    }
}
