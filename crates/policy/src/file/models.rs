//! `models:` and `data_classes:`: facts that the file states over the catalog, and rules for data.

use super::finding::nearest;
use super::keys::{Key, Shape, key, table};
use super::load::Cx;
use super::providers::{RETENTION, region, retention, training};
use super::tree::Node;
use super::{capabilities, scalar};
use crate::policy::FactsOverride;
use crate::{DataClass, Requirement, Training};
use model::{Price, Rates};

pub(crate) const MODEL: &[Key<FactsOverride>] = &[
    key("context", "Tokens of prompt and answer together.", Shape::Count, |m: &mut FactsOverride, n, cx| {
        m.context = cx.parse(n, scalar::count);
    }),
    key("max_output", "Most tokens of one answer.", Shape::Count, |m, n, cx| {
        m.max_output = cx.parse(n, scalar::count);
    }),
    key("price", "US dollars per million tokens.", Shape::Section(|| table(PRICE)), |m, n, cx| {
        let mut rates = Rates::default();
        cx.section(n, PRICE, &mut rates);
        if cx.is_mapping(n) && (n.get("input").is_none() || n.get("output").is_none()) {
            cx.report.error(
                n.at,
                "a price has input and output",
                Some("write {input: 3, output: 15}".to_owned()),
            );
        }
        m.rates = Some(rates);
    }),
    key("can", "What it can do; replaces what the catalog says.", capabilities::SHAPE, |m, n, cx| {
        m.can = Some(capabilities::read(n, cx));
    }),
];

const PRICE: &[Key<Rates>] = &[
    key("input", "Prompt tokens.", Shape::Dollars, |r: &mut Rates, n, cx| {
        r.input = price(n, cx).unwrap_or_default();
    }),
    key("output", "Generated tokens.", Shape::Dollars, |r, n, cx| {
        r.output = price(n, cx).unwrap_or_default();
    }),
    key("cache_read", "Prompt tokens read from the vendor's cache.", Shape::Dollars, |r, n, cx| {
        r.cache_read = price(n, cx);
    }),
    key("cache_write", "Prompt tokens written to the vendor's cache.", Shape::Dollars, |r, n, cx| {
        r.cache_write = price(n, cx);
    }),
];

fn price(node: &Node, cx: &mut Cx<'_>) -> Option<Price> {
    cx.parse(node, |text| {
        text.parse().map_err(|e: model::MoneyError| {
            format!("write US dollars per million tokens, such as 0.15 ({e})")
        })
    })
}

/// Every row of `models:`. Providers are read already.
pub(crate) fn read(section: &Node, cx: &mut Cx<'_>) -> Vec<FactsOverride> {
    let mut rows = Vec::new();
    if !cx.is_mapping(section) {
        return rows;
    }
    for entry in section.entries() {
        let mut row = FactsOverride { name: entry.key.clone(), ..FactsOverride::default() };
        cx.section(&entry.value, MODEL, &mut row);
        match entry.key.split_once('/') {
            Some((provider, model)) if !model.is_empty() => {
                if cx.knows_provider(provider) {
                    rows.push(row);
                } else {
                    let hint = nearest(provider, cx.providers.iter().map(|p| &*p.name))
                        .map(|near| format!("did you mean `{near}/{model}`?"))
                        .or_else(|| Some(format!("add `{provider}` under providers")));
                    cx.report.error(entry.key_at, format!("there is no provider `{provider}`"), hint);
                }
            }
            _ => {
                let hint = Some("write provider/model, such as local/gemma-3-270m".to_owned());
                cx.report.error(entry.key_at, format!("`{}` is not a target", entry.key), hint);
            }
        }
    }
    rows
}

pub(crate) const DATA_CLASS: &[Key<DataClass>] = &[
    key(
        "regions",
        "The only regions allowed; a provider without a region is nowhere.",
        Shape::List(&Shape::Name),
        |c: &mut DataClass, n, cx| {
            let regions = cx.list(n, |cx, item| region(item, cx));
            if regions.is_empty() {
                let hint = Some("list a region, or leave the key out to allow all".to_owned());
                cx.report.warning(n.at, "no region is allowed, so nothing can serve this class", hint);
            }
            c.regions = Some(regions);
        },
    ),
    key("require", "What a provider must promise.", Shape::Section(|| table(REQUIRE)), |c, n, cx| {
        cx.section(n, REQUIRE, &mut c.require);
    }),
];

const REQUIRE: &[Key<Requirement>] = &[
    key(
        "retention",
        "Data is kept at most so long: none, or a duration.",
        RETENTION,
        |r: &mut Requirement, n, cx| {
            r.retention = retention(n, cx);
        },
    ),
    key("training", "Data is never trained on.", Shape::Words(&["never", "allowed"]), |r, n, cx| {
        // `allowed` demands nothing, and is said by those who like to be explicit.
        r.training = training(n, cx).filter(|t| *t == Training::Never);
    }),
    key("baa", "A business associate agreement stands.", Shape::Flag, |r, n, cx| {
        r.baa = cx.word(n, &["true", "false"], |word| word.parse::<bool>().ok()).unwrap_or(true);
    }),
];

/// Every row of `data_classes:`.
pub(crate) fn read_classes(section: &Node, cx: &mut Cx<'_>) -> Vec<DataClass> {
    let mut classes = Vec::new();
    if !cx.is_mapping(section) {
        return classes;
    }
    for entry in section.entries() {
        if cx.name(&entry.key, entry.key_at, "data class") {
            let mut class = DataClass { declared: true, ..DataClass::label(&entry.key) };
            cx.section(&entry.value, DATA_CLASS, &mut class);
            classes.push(class);
        }
    }
    classes
}
