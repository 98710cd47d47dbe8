//! `providers:`: rows over the built-in ones, and the rows that only routes name.

use super::finding::nearest;
use super::keys::{Key, Shape, key, shorten, table};
use super::load::Cx;
use super::scalar::{self, base_url};
use super::tree::{Entry, Kind, Node, Place};
use crate::{Baa, Provider, Redacted, Retention, SecretRef, Terms, Training};
use model::{Dialect, ProviderPreset};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;

const DIALECTS: &[&str] = &["openai", "responses", "anthropic", "gemini", "bedrock", "cohere"];

pub(crate) const PROVIDER: &[Key<Provider>] = &[
    key(
        "preset",
        "The built-in row to start from; unless set, the one of the same name.",
        Shape::Name,
        |_, _, _| {
            // Read before the others, in `row`, because they lie over it.
        },
    ),
    key("dialect", "The language it is spoken to in.", Shape::Words(DIALECTS), |p: &mut Provider, n, cx| {
        p.dialect = cx.word(n, DIALECTS, |word| word.parse::<Dialect>().ok()).unwrap_or(p.dialect);
    }),
    key("base_url", "Where it is: what the vendor's SDK takes.", Shape::Url, |p, n, cx| {
        if let Some(url) = cx.parse(n, base_url) {
            p.base_url = url.into();
        }
    }),
    key(
        "api_key",
        "Where its key is: {env: NAME} or {file: PATH}. A literal key is a warning.",
        Shape::Section(secret_schema),
        |p, n, cx| p.secrets = secret(n, cx).into_iter().collect(),
    ),
    key("access_key_id", "For signed requests (SigV4).", Shape::Section(secret_schema), |p, n, cx| {
        if let Some(id) = secret(n, cx) {
            let key = p.signing.take().map_or_else(|| SecretRef::Literal(Redacted::new("")), |(_, key)| key);
            p.signing = Some((id, key));
        }
    }),
    key("secret_access_key", "For signed requests (SigV4).", Shape::Section(secret_schema), |p, n, cx| {
        if let Some(secret) = secret(n, cx) {
            let id = p.signing.take().map_or_else(|| SecretRef::Literal(Redacted::new("")), |(id, _)| id);
            p.signing = Some((id, secret));
        }
    }),
    key(
        "region",
        "Where it processes data, as data classes name it: us, eu, onprem.",
        Shape::Name,
        |p, n, cx| {
            p.region = region(n, cx);
        },
    ),
    key("terms", "What its owner promises.", Shape::Section(|| table(TERMS)), |p, n, cx| {
        cx.section(n, TERMS, &mut p.terms);
    }),
];

pub(crate) const TERMS: &[Key<Terms>] = &[
    key("retention", "How long it keeps data: none, or a duration.", RETENTION, |t: &mut Terms, n, cx| {
        t.retention = retention(n, cx);
    }),
    key("training", "Whether it trains on data.", Shape::Words(&["never", "allowed"]), |t, n, cx| {
        t.training = training(n, cx);
    }),
    key(
        "baa",
        "The last day of its business associate agreement, or always, or never.",
        Shape::OneOf(&[Shape::Words(&["always", "never"]), Shape::Date]),
        |t, n, cx| {
            t.baa = cx.parse(n, |text| match text {
                "always" => Ok(Baa::Always),
                "never" => Ok(Baa::Never),
                date => scalar::end_of_day(date)
                    .map(Baa::Until)
                    .map_err(|why| format!("{why}; write the last day of the agreement, always or never")),
            });
        },
    ),
];

pub(crate) const RETENTION: Shape = Shape::OneOf(&[Shape::Words(&["none"]), Shape::Duration]);

pub(crate) fn retention(node: &Node, cx: &mut Cx<'_>) -> Option<Retention> {
    cx.parse(node, |text| match text {
        "none" => Ok(Retention::None),
        text => scalar::duration(text)
            .map(Retention::For)
            .map_err(|why| format!("write none, or how long: {why}")),
    })
}

pub(crate) fn training(node: &Node, cx: &mut Cx<'_>) -> Option<Training> {
    cx.word(node, &["never", "allowed"], |word| match word {
        "never" => Some(Training::Never),
        "allowed" => Some(Training::Allowed),
        _ => None,
    })
}

pub(crate) fn region(node: &Node, cx: &mut Cx<'_>) -> Option<Arc<str>> {
    let text = cx.text(node)?;
    cx.name(text, node.at, "region").then(|| text.into())
}

fn secret_schema() -> Value {
    json!({"anyOf": [
        {"type": "object", "properties": {"env": {"type": "string"}}, "required": ["env"], "additionalProperties": false},
        {"type": "object", "properties": {"file": {"type": "string"}}, "required": ["file"], "additionalProperties": false},
        {"type": "string"},
    ]})
}

/// `{env: NAME}`, `{file: PATH}`, or the secret itself, which is a warning.
fn secret(node: &Node, cx: &mut Cx<'_>) -> Option<SecretRef> {
    const FORM: &str = "write {env: NAME} or {file: PATH}";
    match &node.kind {
        Kind::Scalar { text, .. } if !node.is_null() => {
            let hint = Some("write {env: NAME} or {file: PATH}, and put the key there".to_owned());
            cx.report.hide(node.at);
            cx.report.warning(node.at, "a key stands in the file itself", hint);
            Some(SecretRef::Literal(Redacted::new(text)))
        }
        Kind::Map(entries) => {
            let [Entry { key, key_at, value }] = entries.as_slice() else {
                cx.report.error(node.at, "a key is named in one way", Some(FORM.to_owned()));
                return None;
            };
            match key.as_str() {
                "env" => {
                    let name = cx.text(value)?;
                    if !(cx.known.env)(name) {
                        let what = format!("the environment variable {} is not set", shorten(name));
                        cx.report.warning(value.at, what, Some("set it before `pointsman serve`".to_owned()));
                    }
                    Some(SecretRef::Env(name.into()))
                }
                "file" => cx.text(value).map(|path| SecretRef::File(PathBuf::from(path))),
                other => {
                    let what = format!("a key cannot be named by `{}`", shorten(other));
                    cx.report.error(*key_at, what, Some(FORM.to_owned()));
                    None
                }
            }
        }
        _ => {
            cx.report.error(node.at, "a key is expected here", Some(FORM.to_owned()));
            None
        }
    }
}

/// Every row of `providers:`, then a row for each built-in provider that only a route names.
pub(crate) fn read(section: &Node, workflows: Option<&Node>, cx: &mut Cx<'_>) -> Vec<Arc<Provider>> {
    let mut rows: Vec<Arc<Provider>> = Vec::new();
    if cx.is_mapping(section) {
        for entry in section.entries() {
            if cx.name(&entry.key, entry.key_at, "provider") {
                let row = row(rows.len(), entry, cx);
                // A row that cannot be used still keeps its name known, so that routes are not blamed for it.
                match row {
                    Some(row) => rows.push(Arc::new(row)),
                    None => cx.broken_providers.push(entry.key.clone()),
                }
            }
        }
    }
    for (name, at) in workflows.into_iter().flat_map(mentioned) {
        let known = rows.iter().any(|row| *row.name == *name) || cx.broken_providers.contains(&name);
        if known {
            continue;
        }
        if let Some(preset) = preset(cx, &name) {
            let Some(url) = preset.base_url else {
                let what = format!("the provider `{name}` needs a base_url");
                let hint = format!("add `{name}: {{base_url: https://...}}` under providers");
                cx.report.error(at, what, Some(hint));
                cx.broken_providers.push(name);
                continue;
            };
            let mut row = blank(rows.len(), &name, Some(preset));
            row.base_url = url.into();
            row.implicit = true;
            let what = format!("`{name}` is not under providers: its built-in row is used");
            cx.report.note(
                at,
                what,
                Some(format!("add `{name}: {{}}` to say it, or to set region and terms")),
            );
            default_key(&mut row, preset, at, cx);
            rows.push(Arc::new(row));
        }
    }
    rows
}

fn preset<'k>(cx: &Cx<'k>, name: &str) -> Option<&'k ProviderPreset> {
    cx.known.presets.iter().find(|p| p.name == name)
}

fn blank(index: usize, name: &str, preset: Option<&ProviderPreset>) -> Provider {
    Provider {
        index,
        name: name.into(),
        preset: preset.map(|p| p.name),
        dialect: preset.and_then(|p| p.dialects.first().copied()).unwrap_or(Dialect::OpenAi),
        base_url: preset.and_then(|p| p.base_url).unwrap_or_default().trim_end_matches('/').into(),
        secrets: Vec::new(),
        signing: None,
        region: None,
        terms: Terms::default(),
        self_hosted: preset.is_some_and(|p| p.self_hosted),
        implicit: false,
    }
}

fn row(index: usize, entry: &Entry, cx: &mut Cx<'_>) -> Option<Provider> {
    let Entry { key: name, key_at, value: node } = entry;
    let start = match node.get("preset") {
        Some(named) => {
            let word = cx.text(named)?;
            let Some(found) = preset(cx, word) else {
                let names: Vec<&str> = cx.known.presets.iter().map(|p| p.name).collect();
                let hint = nearest(word, names.iter().copied()).map(|n| format!("did you mean `{n}`?"));
                let hint = hint.unwrap_or_else(|| format!("known presets: {}", names.join(", ")));
                cx.report.error(named.at, format!("there is no preset `{}`", shorten(word)), Some(hint));
                return None;
            };
            Some(found)
        }
        None => preset(cx, name),
    };
    let mut row = blank(index, name, start);
    cx.section(node, PROVIDER, &mut row);
    let said = |key: &str| node.get(key).is_some();
    if start.is_none() && !(said("dialect") && said("base_url")) {
        let names: Vec<&str> = cx.known.presets.iter().map(|p| p.name).collect();
        let hint = match nearest(name, names.iter().copied()) {
            Some(near) => format!("did you mean `{near}`? Or set dialect and base_url"),
            None => "set dialect and base_url, or preset".to_owned(),
        };
        cx.report.error(*key_at, format!("`{name}` is not a built-in provider"), Some(hint));
        return None;
    }
    if row.base_url.is_empty() {
        if !said("base_url") {
            let hint = Some("add base_url: only you know where it is".to_owned());
            cx.report.error(*key_at, format!("the provider `{name}` needs a base_url"), hint);
        }
        return None;
    }
    if said("access_key_id") != said("secret_access_key") {
        let hint = Some("set access_key_id and secret_access_key together, or api_key alone".to_owned());
        cx.report.error(*key_at, "one half of a signing key is missing", hint);
    }
    if let Some(start) = start
        && !said("api_key")
        && row.signing.is_none()
    {
        default_key(&mut row, start, *key_at, cx);
    }
    if start.is_none() {
        row.self_hosted = row.region.as_deref() == Some("onprem");
    }
    if !row.secrets.is_empty() && scalar::leaves_in_the_clear(&row.base_url) {
        let at = node.get("base_url").map_or(*key_at, |n| n.at);
        let hint = Some("use https://, or drop the key if the server needs none".to_owned());
        cx.report.warning(at, "the key travels unencrypted to another machine", hint);
    }
    Some(row)
}

/// The preset's environment variable that is set; else the first, with a warning.
fn default_key(row: &mut Provider, preset: &ProviderPreset, at: Place, cx: &mut Cx<'_>) {
    let set = preset.key_env.iter().find(|name| (cx.known.env)(name));
    if let Some(name) = set.or(preset.key_env.first()) {
        row.secrets = vec![SecretRef::Env((*name).into())];
    }
    if set.is_none() && !preset.key_env.is_empty() {
        let what = format!("no key for `{}`: {} is not set", row.name, preset.key_env.join(" or "));
        cx.report.warning(
            at,
            what,
            Some("set it before `pointsman serve`, or name the key under api_key".to_owned()),
        );
    }
}

/// Every provider a route names, with the place of its first mention.
fn mentioned(workflows: &Node) -> Vec<(String, Place)> {
    fn collect(node: &Node, into: &mut Vec<(String, Place)>) {
        match &node.kind {
            Kind::Scalar { text, .. } => {
                if let Some((provider, _)) = text.split_once('/')
                    && !into.iter().any(|(name, _)| name == provider)
                {
                    into.push((provider.to_owned(), node.at));
                }
            }
            Kind::List(items) => items.iter().for_each(|item| collect(item, into)),
            Kind::Map(entries) => entries
                .iter()
                .filter(|e| matches!(e.key.as_str(), "target" | "downgrade"))
                .for_each(|e| collect(&e.value, into)),
        }
    }
    let mut found = Vec::new();
    for workflow in workflows.entries() {
        if let Some(route) = workflow.value.get("route") {
            collect(route, &mut found);
        }
    }
    found
}
