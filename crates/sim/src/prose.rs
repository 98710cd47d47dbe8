//! The words of a plain answer: readable, about the question, and the same for the same question.

use crate::ask::ToolResult;
use crate::seed::Dice;

const OPENINGS: &[&str] = &[
    "You asked about \"{}\".",
    "About \"{}\": here is what I can tell you.",
    "Thank you for your question, \"{}\".",
    "Regarding \"{}\", this is the short version.",
];

const SUBJECTS: &[&str] = &[
    "the order",
    "the first step",
    "a refund",
    "the customer",
    "this request",
    "the account",
    "our policy",
    "the shipment",
    "the invoice",
    "a replacement",
];

const VERBS: &[&str] = &[
    "usually takes",
    "depends on",
    "can be settled within",
    "was recorded after",
    "is reviewed before",
    "follows from",
];

const OBJECTS: &[&str] = &[
    "two working days",
    "the date of purchase",
    "a short review",
    "the payment method",
    "the terms that applied then",
    "the last message of the thread",
    "one confirmation by e-mail",
];

const TAILS: &[&str] = &[
    "",
    ", as long as the details match",
    ", and nothing else is needed from you",
    ", unless the item was already returned",
    ", which is the common case",
    ", so please keep the receipt",
];

const MUSINGS: &[&str] = &[
    "The question mentions \"{}\", so that comes first.",
    "What matters is what the person needs next.",
    "There is one simple reading and I will take it.",
    "A short, direct answer serves best.",
    "No detail contradicts this.",
    "I should keep the wording plain.",
];

/// About `tokens` tokens on `question`, whose first words stand in the first sentence.
pub(crate) fn answer(question: &str, tokens: usize, voice: u64) -> String {
    let mut dice = Dice::new(Dice::of(question).roll() ^ voice);
    let mut text = dice.pick(OPENINGS).replace("{}", &first_words(question, 8));
    while text.chars().count() < tokens * 4 {
        text.push(' ');
        text.push_str(&sentence(&mut dice));
    }
    text
}

/// An answer that quotes every tool result, in the order in which they came.
pub(crate) fn report(results: &[ToolResult]) -> String {
    let quotes: Vec<_> = results.iter().map(|r| format!("{} returned: {}", r.tool, r.text)).collect();
    format!("Here is what I found. {}.", quotes.join("; "))
}

/// Reasoning of about `tokens` tokens.
pub(crate) fn musing(question: &str, tokens: u64, voice: u64) -> String {
    let mut dice = Dice::new(Dice::of(question).roll() ^ voice ^ 0x7417);
    let mut text = MUSINGS[0].replace("{}", &first_words(question, 5));
    while (text.chars().count() as u64) < tokens.saturating_mul(4) {
        text.push(' ');
        text.push_str(MUSINGS[1 + dice.below(MUSINGS.len() - 1)]);
    }
    text.chars().take(usize::try_from(tokens.saturating_mul(4)).unwrap_or(usize::MAX)).collect()
}

/// A few words, for strings inside generated JSON.
pub(crate) fn phrase(dice: &mut Dice) -> String {
    format!("{} {}", dice.pick(SUBJECTS), dice.pick(VERBS))
}

/// The first `n` words, without quotes that would unbalance the sentence around them.
pub(crate) fn first_words(text: &str, n: usize) -> String {
    let words: Vec<_> = text.split_whitespace().take(n).collect();
    if words.is_empty() { "nothing".to_owned() } else { words.join(" ").replace('"', "'") }
}

fn sentence(dice: &mut Dice) -> String {
    let mut subject = dice.pick(SUBJECTS).to_owned();
    if let Some(first) = subject.get_mut(0..1) {
        first.make_ascii_uppercase();
    }
    format!("{subject} {} {}{}.", dice.pick(VERBS), dice.pick(OBJECTS), dice.pick(TAILS))
}

/// Cuts a text into words that keep their leading blanks, so that joining them gives the text again.
pub(crate) fn words(text: &str) -> Vec<&str> {
    let mut cuts = Vec::new();
    let mut start = 0;
    let mut in_word = false;
    for (at, c) in text.char_indices() {
        if c.is_whitespace() {
            if in_word {
                cuts.push(&text[start..at]);
                start = at;
                in_word = false;
            }
        } else {
            in_word = true;
        }
    }
    if start < text.len() {
        cuts.push(&text[start..]);
    }
    cuts
}

/// Cuts a text into pieces of `n` characters, as vendors stream tool arguments.
pub(crate) fn pieces(text: &str, n: usize) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    chars.chunks(n.max(1)).map(|c| c.iter().collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_repeats_names_the_question_and_has_about_the_asked_length() {
        let text = answer("Where is my \"order\" 1042?", 40, 0);
        assert_eq!(text, answer("Where is my \"order\" 1042?", 40, 0));
        assert_ne!(text, answer("Where is my \"order\" 1042?", 40, 1));
        assert!(text.contains("Where is my 'order' 1042?"), "{text}");
        assert!((160..320).contains(&text.len()), "{}", text.len());
    }

    #[test]
    fn words_joined_again_are_the_text() {
        for text in ["", "a", " a  b\n\nc ", "naïve café \u{2028} done"] {
            assert_eq!(words(text).concat(), text);
        }
        assert_eq!(words("one two  three"), ["one", " two", "  three"]);
    }
}
