//! Joins the two lists by the rules at the head of [`super`], and remembers where they disagree.
//!
//! Decides which ids become rows, whose price each row takes, and which ids are only other names of a row.
//! Never reads a file.

use std::collections::{BTreeMap, BTreeSet};

use super::known::{self, NOT_TEXT, PROVIDERS, STATED, STILL_NAMED};
use super::models::{Row, Use};
use super::names::{Spellings, undated};
use super::prices::{self, Price, Rates};

/// Context from which a model counts as one of long context, in tokens.
const LONG: u64 = 200_000;

/// One row of our catalog.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub provider: &'static str,
    pub model: String,
    pub aliases: Vec<String>,
    pub facts: Facts,
}

/// What two ids must share in full to be one row.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Facts {
    pub context: Option<u64>,
    pub max_output: Option<u64>,
    pub can: BTreeSet<&'static str>,
    pub price: Price,
}

/// The rows and what was decided on the way.
pub struct Joined {
    pub rows: Vec<Entry>,
    /// Ratio of the larger to the smaller, and the sentence.
    disagreements: Vec<(f64, String)>,
    compared: usize,
    second_taken: usize,
    only_first: usize,
    only_second: usize,
    borrowed: usize,
    nothing_to_borrow: usize,
    hourly: usize,
    unpriced: usize,
}

/// Joins the lists.
pub fn join(first: &BTreeMap<String, prices::Provider>, second: &BTreeMap<String, Row>) -> Joined {
    let spellings = Spellings::of(second);
    let mut joined = Joined {
        rows: Vec::new(),
        disagreements: Vec::new(),
        compared: 0,
        second_taken: 0,
        only_first: 0,
        only_second: 0,
        borrowed: 0,
        nothing_to_borrow: 0,
        hourly: 0,
        unpriced: 0,
    };
    for provider in &PROVIDERS {
        let theirs = first.get(provider.prices);
        let mut found: BTreeMap<String, Facts> = BTreeMap::new();
        let described = described(provider, second);
        let mut ids: BTreeSet<String> = described.keys().cloned().collect();
        let served = described.iter().filter(|(_, row)| row.purpose != Use::Other).map(|(id, _)| id.clone());
        let served: BTreeSet<String> = served.collect();
        let spelled = theirs.map(|list| spelled_out(provider, list, &served)).unwrap_or_default();
        let twins = add_all_but_twins(&mut ids, spelled);
        for id in ids {
            if let Some(facts) = joined.facts(provider, theirs, &id, described.get(&id).copied(), &spellings)
            {
                found.insert(id, facts);
            }
        }
        joined.rows.extend(fold(provider.ours, found, twins));
    }
    joined.rows.sort_by(|a, b| (a.provider, &a.model).cmp(&(b.provider, &b.model)));
    joined.disagreements.sort_by(|a, b| b.0.total_cmp(&a.0));
    joined
}

/// The ids of one provider that the second list describes.
fn described<'a>(provider: &known::Provider, second: &'a BTreeMap<String, Row>) -> BTreeMap<String, &'a Row> {
    let mut found: BTreeMap<String, &Row> = second
        .iter()
        .filter(|(_, row)| provider.hosts.contains(&row.host.as_str()))
        .filter_map(|(key, row)| Some((provider.id(key)?.to_owned(), row)))
        .collect();
    for (ours, id, like) in STILL_NAMED {
        if let (true, Some(row)) = (ours == provider.ours, second.get(like)) {
            found.entry(id.to_owned()).or_insert(row);
        }
    }
    found
}

/// The ids that the first list spells out, and of a model that it only describes by a pattern, the list's own
/// name for it if no id would stand for it otherwise.
fn spelled_out(provider: &known::Provider, list: &prices::Provider, known: &BTreeSet<String>) -> Vec<String> {
    let mut ids = Vec::new();
    for (index, model) in list.models.iter().enumerate() {
        let mut own: Vec<&String> = model.literals.iter().filter(|id| provider.takes(id)).collect();
        // `gpt-5-2` beside `gpt-5.2` is a spelling for people, not an id.
        let dashed: BTreeSet<String> =
            own.iter().filter(|id| id.contains('.')).map(|id| id.replace('.', "-")).collect();
        own.retain(|id| !dashed.contains(*id) || known.contains(*id));
        let stands = !own.is_empty()
            || known.iter().any(|id| list.named.get(id) == Some(&index))
            || !provider.takes(&model.id)
            || list.named.get(&model.id) != Some(&index)
            || model.id.ends_with('-');
        ids.extend(own.into_iter().cloned());
        if !stands {
            ids.push(model.id.clone());
        }
    }
    ids
}

/// Adds the ids, except those that differ from one already there in case alone; those are returned with the
/// id that they are another name of.
fn add_all_but_twins(ids: &mut BTreeSet<String>, more: Vec<String>) -> Vec<(String, String)> {
    let mut lower: BTreeMap<String, String> = ids.iter().map(|id| (id.to_lowercase(), id.clone())).collect();
    let mut twins = Vec::new();
    for id in more {
        match lower.get(&id.to_lowercase()) {
            Some(same) if *same == id => {}
            Some(same) => twins.push((id, same.clone())),
            None => {
                lower.insert(id.to_lowercase(), id.clone());
                ids.insert(id);
            }
        }
    }
    twins
}

impl Joined {
    fn facts(
        &mut self,
        provider: &known::Provider,
        list: Option<&prices::Provider>,
        id: &str,
        row: Option<&Row>,
        spellings: &Spellings<'_>,
    ) -> Option<Facts> {
        let model = list.and_then(|list| Some(&list.models[*list.named.get(id)?]));
        // A row borrowed from elsewhere describes the model; only the provider's own row prices it.
        let own_price = row.filter(|row| provider.hosts.contains(&row.host.as_str())).map(|row| &row.price);
        if row.is_some_and(|row| row.purpose == Use::Other)
            || NOT_TEXT.iter().any(|word| id.to_lowercase().contains(word))
        {
            return None;
        }
        let price = self.price(provider.ours, id, model, own_price);
        if price.rates.is_empty() && row.is_none() {
            return None;
        }
        let context = window(row, model.and_then(|model| model.context));
        if let Some((.., most, can)) = STATED.iter().find(|(p, i, ..)| *p == provider.ours && *i == id) {
            let long = context.filter(|context| *context >= LONG).map(|_| "long_context");
            let can = can.iter().copied().chain(long).collect();
            return Some(Facts { context, max_output: Some(*most), can, price });
        }
        let describes = row.or_else(|| {
            let found = spellings.find(id);
            *(if found.is_some() { &mut self.borrowed } else { &mut self.nothing_to_borrow }) += 1;
            found
        });
        self.hourly += usize::from(model.is_some_and(|model| model.hourly));
        self.unpriced += usize::from(price.rates.is_empty());
        Some(Facts {
            context,
            max_output: row.and_then(|row| row.max_output),
            can: can(provider.ours, id, describes, context, &price),
            price,
        })
    }

    /// Rule 1 of the join.
    fn price(
        &mut self,
        provider: &str,
        id: &str,
        model: Option<&prices::Model>,
        row: Option<&Price>,
    ) -> Price {
        let row = row.filter(|price| !price.rates.is_empty());
        let Some(model) = model.filter(|model| !model.price.rates.is_empty()) else {
            self.only_second += usize::from(row.is_some());
            return row.cloned().unwrap_or_default();
        };
        let Some(row) = row else {
            self.only_first += 1;
            return model.price.clone();
        };
        self.compared += 1;
        let main = |rates: &Rates| (rates.get("input").copied(), rates.get("output").copied());
        if main(&model.price.rates) == main(&row.rates) {
            let mut price = model.price.clone();
            let cached = price.rates.get("cache_read").copied();
            if let (Some(a), Some(b)) = (cached, row.rates.get("cache_read").copied()) {
                self.disagree(provider, id, "cache_read", a.about(), b.about(), "first");
            }
            fill(&mut price, row);
            return price;
        }
        let spelled = model.literals.iter().any(|literal| literal == id) && !id.ends_with("-latest");
        let taken = if spelled { "first" } else { "second" };
        for name in ["input", "output"] {
            if let (Some(a), Some(b)) = (model.price.rates.get(name), row.rates.get(name)) {
                self.disagree(provider, id, name, a.about(), b.about(), taken);
            }
        }
        if spelled {
            return model.price.clone();
        }
        self.second_taken += 1;
        row.clone()
    }

    fn disagree(&mut self, provider: &str, id: &str, name: &str, first: f64, second: f64, taken: &str) {
        if (first - second).abs() > 1e-12 {
            let ratio =
                if first.min(second) > 0.0 { first.max(second) / first.min(second) } else { f64::INFINITY };
            let sentence = format!("{provider}/{id} {name}: {first} against {second}; the {taken} is taken");
            self.disagreements.push((ratio, sentence));
        }
    }

    /// Says on the terminal what was decided.
    pub fn tell(&self) {
        let aliases: usize = self.rows.iter().map(|row| row.aliases.len()).sum();
        let providers: BTreeSet<_> = self.rows.iter().map(|row| row.provider).collect();
        println!("{} models and {aliases} aliases of {} providers", self.rows.len(), providers.len());
        println!(
            "prices: {} ids in both lists, {} only in the first, {} only in the second, {} in neither",
            self.compared, self.only_first, self.only_second, self.unpriced
        );
        println!(
            "capabilities: {} ids borrowed from the same model elsewhere, {} left without",
            self.borrowed, self.nothing_to_borrow
        );
        println!("{} ids are priced by the hour; the dearest hour is kept", self.hourly);
        println!(
            "{} rates on which the lists disagree; the first list wins where it spells a fixed id out, else the \
             second ({} ids); the worst ten:",
            self.disagreements.len(),
            self.second_taken
        );
        for (ratio, sentence) in self.disagreements.iter().take(10) {
            println!("  {ratio:>6.1} x  {sentence}");
        }
    }
}

/// Rule 3: the first list tells the window that prompt and answer share, the second the most input and the most
/// output. The first is taken where it is the second's input with some of its output beside it, or where the
/// second is silent; in any other disagreement the second's input stands for the window.
fn window(row: Option<&Row>, first: Option<u64>) -> Option<u64> {
    let Some(input) = row.and_then(|row| row.context) else { return first };
    let output = row.and_then(|row| row.max_output).unwrap_or(0);
    Some(first.filter(|window| (input..=input + output).contains(window)).unwrap_or(input))
}

/// Adds the rates that one list lacks, where both agree on the main ones; thresholds must be the same too.
fn fill(price: &mut Price, from: &Price) {
    for (name, rate) in &from.rates {
        price.rates.entry(name).or_insert(*rate);
    }
    if price.tiers.is_empty() && !from.tiers.is_empty() {
        price.tiers = from.tiers.clone();
    }
    for (start, rates) in &mut price.tiers {
        let theirs = from.tiers.iter().find(|(theirs, _)| theirs == start).map(|(_, rates)| rates);
        for (name, rate) in &price.rates {
            let rate = theirs.and_then(|theirs| theirs.get(name)).unwrap_or(rate);
            rates.entry(name).or_insert(*rate);
        }
    }
}

fn can(
    provider: &str,
    id: &str,
    row: Option<&Row>,
    context: Option<u64>,
    price: &Price,
) -> BTreeSet<&'static str> {
    let embeds = row.map_or(id.contains("embed"), |row| row.purpose == Use::Embedding);
    if embeds {
        return BTreeSet::from(["embeddings"]);
    }
    let mut can = BTreeSet::new();
    if let Some(row) = row {
        can.extend(row.can.iter().copied().filter(|word| *word != "json_schema"));
        let schema = known::holds_to_schema(provider, id, row);
        if schema {
            can.insert("json_schema");
        }
        if known::has_json_mode(provider, id, schema) {
            can.insert("json_object");
        }
        if can.contains("tools") && known::calls_in_parallel(provider, id) {
            can.insert("parallel_tools");
        }
        if known::continues(provider, id, row) {
            can.insert("prefix");
        }
    }
    if price.rates.contains_key("cache_read") {
        can.insert("prompt_cache");
    }
    if context.is_some_and(|context| context >= LONG) {
        can.insert("long_context");
    }
    can
}

/// Rule 6: an id with a date becomes an alias of the same id without one, if every fact is the same.
fn fold(
    provider: &'static str,
    mut found: BTreeMap<String, Facts>,
    twins: Vec<(String, String)>,
) -> Vec<Entry> {
    let dated: Vec<String> = found
        .iter()
        .filter(|(id, facts)| undated(id).is_some_and(|base| found.get(base) == Some(facts)))
        .map(|(id, _)| id.clone())
        .collect();
    let mut aliases: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for id in dated {
        if let Some(base) = undated(&id) {
            aliases.entry(base.to_owned()).or_default().push(id.clone());
            found.remove(&id);
        }
    }
    for (twin, id) in twins {
        let base = undated(&id).filter(|base| !found.contains_key(&id) && found.contains_key(*base));
        aliases.entry(base.unwrap_or(&id).to_owned()).or_default().push(twin);
    }
    found
        .into_iter()
        .map(|(model, facts)| {
            let mut aliases = aliases.remove(&model).unwrap_or_default();
            aliases.sort();
            aliases.dedup();
            Entry { provider, model, aliases, facts }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_holds_prompt_and_answer_where_the_lists_say_so_together() {
        let row = |input, output| Row { context: Some(input), max_output: Some(output), ..Row::silent() };
        assert_eq!(window(Some(&row(272_000, 128_000)), Some(400_000)), Some(400_000));
        assert_eq!(window(Some(&row(1_047_576, 32_768)), Some(1_000_000)), Some(1_047_576));
        assert_eq!(window(Some(&row(200_000, 64_000)), Some(1_000_000)), Some(200_000));
        assert_eq!(window(Some(&row(200_000, 64_000)), None), Some(200_000));
        assert_eq!(window(None, Some(8_192)), Some(8_192));
        assert_eq!(window(None, None), None);
    }

    #[test]
    fn a_dated_id_with_another_price_stays_a_row_of_its_own() {
        let facts = |context| Facts { context: Some(context), ..Facts::default() };
        let found = BTreeMap::from([
            ("gpt-4o".to_owned(), facts(128_000)),
            ("gpt-4o-2024-05-13".to_owned(), facts(64_000)),
            ("gpt-4o-2024-08-06".to_owned(), facts(128_000)),
        ]);
        let rows = fold("openai", found, vec![("GPT-4o".into(), "gpt-4o".into())]);
        let names: Vec<_> = rows.iter().map(|row| (row.model.as_str(), row.aliases.len())).collect();
        assert_eq!(names, [("gpt-4o", 2), ("gpt-4o-2024-05-13", 0)]);
    }
}
