//! Embeddings: vectors in which texts that share words lie close, so that a semantic cache has something to find.

use super::super::{Call, Refused};
use super::check::{missing, wrong_type};
use super::invalid;
use crate::ask::tokens;
use crate::json::{Json, object};
use crate::seed::{Dice, base64, hash};
use serde_json::Value;

/// Sums one fixed random direction per word and scales the sum to length one.
fn vector(text: &str, dimensions: usize) -> Vec<f32> {
    let mut sum = vec![0.0f64; dimensions];
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()) {
        let mut dice = Dice::new(hash(word.to_lowercase().as_bytes()));
        sum.iter_mut().for_each(|x| *x += dice.unit() * 2.0 - 1.0);
    }
    let length = sum.iter().map(|x| x * x).sum::<f64>().sqrt();
    if length == 0.0 {
        // A text without words still needs a direction.
        sum[0] = 1.0;
        return sum.iter().map(|x| *x as f32).collect();
    }
    sum.iter().map(|x| (x / length) as f32).collect()
}

pub(super) fn embed(call: &Call<'_>) -> Result<Json, Refused> {
    let body = call.body;
    let Some(model) = body.get("model").and_then(Value::as_str) else {
        return Err(invalid(None, None, "you must provide a model parameter"));
    };
    let texts: Vec<String> = match body.get("input") {
        None | Some(Value::Null) => return Err(missing("input")),
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Array(many)) if many.is_empty() => {
            return Err(invalid(None, None, "'$.input' is invalid. Please check the API reference."));
        }
        // A list of numbers is one text in token ids; a list of lists is many.
        Some(Value::Array(many)) if many.iter().all(Value::is_number) => vec![ids(many)],
        Some(Value::Array(many)) => many
            .iter()
            .map(|one| match one {
                Value::String(text) => Ok(text.clone()),
                Value::Array(list) => Ok(ids(list)),
                other => Err(wrong_type("input", "an array of strings", other)),
            })
            .collect::<Result<_, _>>()?,
        Some(other) => return Err(wrong_type("input", "a string", other)),
    };
    let dimensions = match body.get("dimensions").filter(|d| !d.is_null()) {
        None => 1536,
        Some(value) => match value.as_u64().filter(|d| (1..=3072).contains(d)) {
            Some(d) => d as usize,
            None => {
                let message =
                    format!("Invalid value for 'dimensions' = {value}. Must be between 1 and 3072.");
                return Err(invalid(Some("dimensions"), Some("invalid_value"), message));
            }
        },
    };
    let packed = body.get("encoding_format").is_some_and(|f| f == "base64");
    let data: Vec<_> = texts
        .iter()
        .enumerate()
        .map(|(index, text)| {
            let vector = vector(text, dimensions);
            if packed {
                let bytes: Vec<u8> = vector.iter().flat_map(|x| x.to_le_bytes()).collect();
                object! { "object": "embedding", "index": index, "embedding": base64(&bytes) }
            } else {
                object! { "object": "embedding", "index": index, "embedding": vector }
            }
        })
        .collect();
    let used: u64 = texts.iter().map(|t| tokens(t.chars().count())).sum();
    let usage = object! { "prompt_tokens": used, "total_tokens": used };
    Ok(object! { "object": "list", "data": data, "model": model, "usage": usage })
}

fn ids(list: &[Value]) -> String {
    list.iter().map(Value::to_string).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(a: &str, b: &str) -> f32 {
        vector(a, 256).iter().zip(vector(b, 256)).map(|(x, y)| x * y).sum()
    }

    #[test]
    fn texts_that_share_words_lie_close_and_others_do_not() {
        assert!(near("where is my refund", "Where is my refund?") > 0.999);
        assert!(near("where is my refund", "where is my order") > 0.6);
        assert!(near("where is my refund", "quantum chromodynamics lecture").abs() < 0.3);
    }
}
