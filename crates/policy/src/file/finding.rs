//! A problem of the file, told so that its reader can mend it: where, the line itself, what is wrong, what to do.

use super::tree::Place;
use serde::Serialize;
use std::fmt;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The file cannot be used.
    Error,
    /// The file can be used and probably should not be as it is.
    Warning,
    /// Worth knowing.
    Note,
}

/// One problem of the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// From 1.
    pub line: u32,
    /// In characters, from 1.
    pub column: u32,
    /// How many characters of the line are meant; at least 1.
    pub width: u32,
    /// The line as it stands in the file.
    pub source_line: String,
    /// What is wrong.
    pub what: String,
    /// What to do about it.
    pub hint: Option<String>,
}

impl Finding {
    /// The finding with the file's name in front of its place.
    pub fn in_file<'a>(&'a self, file: &'a str) -> impl fmt::Display + 'a {
        Located { file, finding: self }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.in_file("pointsman.yaml").fmt(f)
    }
}

struct Located<'a> {
    file: &'a str,
    finding: &'a Finding,
}

impl fmt::Display for Located<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Finding { line, column, width, source_line, what, hint, .. } = self.finding;
        let severity = match self.finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        };
        let gutter = " ".repeat(line.to_string().len());
        writeln!(f, "{severity}: {what}")?;
        writeln!(f, "{gutter}--> {}:{line}:{column}", self.file)?;
        writeln!(f, "{gutter} |")?;
        writeln!(f, "{line} | {source_line}")?;
        // Tabs are repeated, so that the mark stands under what it marks however wide the terminal shows them.
        let indent: String = source_line
            .chars()
            .take(*column as usize - 1)
            .map(|c| if c == '\t' { '\t' } else { ' ' })
            .collect();
        write!(f, "{gutter} | {indent}{}", "^".repeat(*width as usize))?;
        if let Some(hint) = hint {
            write!(f, "\n{gutter} = hint: {hint}")?;
        }
        Ok(())
    }
}

/// Collects findings over one text.
pub(crate) struct Report<'t> {
    lines: Vec<&'t str>,
    secrets: Vec<Place>,
    pub(crate) findings: Vec<Finding>,
}

impl<'t> Report<'t> {
    /// Findings are kept up to this count; a file with more problems shows its first ones.
    const MOST: usize = 500;
    /// Longer lines are cut around the place.
    const LONGEST_LINE: usize = 400;

    pub(crate) fn new(text: &'t str) -> Report<'t> {
        Report { lines: text.lines().collect(), secrets: Vec::new(), findings: Vec::new() }
    }

    pub(crate) fn error(&mut self, at: Place, what: impl Into<String>, hint: Option<String>) {
        self.add(Severity::Error, at, what.into(), hint);
    }
    pub(crate) fn warning(&mut self, at: Place, what: impl Into<String>, hint: Option<String>) {
        self.add(Severity::Warning, at, what.into(), hint);
    }
    pub(crate) fn note(&mut self, at: Place, what: impl Into<String>, hint: Option<String>) {
        self.add(Severity::Note, at, what.into(), hint);
    }

    fn add(&mut self, severity: Severity, at: Place, what: String, hint: Option<String>) {
        if self.findings.len() >= Self::MOST {
            return;
        }
        let full = self.lines.get(at.line as usize - 1).copied().unwrap_or_default();
        let source_line: String = full.chars().take(Self::LONGEST_LINE).collect();
        let length = source_line.chars().count() as u32;
        let column = at.column.clamp(1, length + 1);
        let width = at.width.clamp(1, (length + 1).saturating_sub(column).max(1));
        self.findings.push(Finding { severity, line: at.line, column, width, source_line, what, hint });
    }

    /// Marks a place whose text must never be shown.
    pub(crate) fn hide(&mut self, at: Place) {
        self.secrets.push(at);
    }

    pub(crate) fn has_errors(&self) -> bool {
        self.findings.iter().any(|f| f.severity == Severity::Error)
    }

    /// Errors first, then in the order of the file.
    pub(crate) fn finish(mut self) -> Vec<Finding> {
        for finding in &mut self.findings {
            let mut line: Vec<char> = finding.source_line.chars().collect();
            for at in self.secrets.iter().filter(|at| at.line == finding.line) {
                let from = line.len().min(at.column as usize - 1);
                // A value of one character is more likely one that goes on in the next line.
                let width = if at.width > 1 { at.width as usize } else { line.len() };
                line.iter_mut().skip(from).take(width).for_each(|c| *c = '*');
            }
            hide_keys(&mut line);
            finding.source_line = line.into_iter().collect();
        }
        self.findings.sort_by_key(|f| (f.severity, f.line, f.column));
        self.findings.dedup();
        self.findings
    }
}

/// Hides what follows a key that holds a secret, for lines of which nobody could tell what they are.
fn hide_keys(line: &mut [char]) {
    const KEYS: [&str; 3] = ["api_key", "access_key_id", "secret_access_key"];
    for key in KEYS {
        let key: Vec<char> = key.chars().collect();
        let mut at = 0;
        while let Some(found) = line[at..].windows(key.len()).position(|w| *w == key[..]) {
            at += found + key.len();
            let rest = &mut line[at..];
            let colon = rest.iter().position(|c| !matches!(c, ' ' | '"' | '\''));
            let Some(colon) = colon.filter(|i| rest[*i] == ':') else { continue };
            let value = &mut rest[colon + 1..];
            let begin = value.iter().position(|c| *c != ' ').unwrap_or(value.len());
            if value.get(begin).is_some_and(|c| *c != '{') {
                let hidden = value[begin..].iter_mut().take_while(|c| !matches!(c, ',' | '}' | ' '));
                hidden.for_each(|c| *c = '*');
            }
        }
    }
}

/// The nearest of some names, if one is near enough to be what was meant.
pub(crate) fn nearest<'n>(wrong: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    const LONGEST: usize = 80;
    if wrong.chars().count() > LONGEST {
        return None;
    }
    let wrong = wrong.to_lowercase();
    let allowed = (wrong.chars().count() / 3).max(1);
    names
        .map(|name| (distance(&wrong, &name.to_lowercase(), allowed), name))
        .filter(|(d, _)| *d <= allowed)
        .min_by_key(|(d, _)| *d)
        .map(|(_, name)| name)
}

/// Edits between two words, a swap of neighbours counting once (optimal string alignment); anything above `limit`
/// may be told as `limit + 1`.
fn distance(a: &str, b: &str, limit: usize) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len().abs_diff(b.len()) > limit {
        return limit + 1;
    }
    let mut rows = [(0..=b.len()).collect::<Vec<usize>>(), vec![0; b.len() + 1], vec![0; b.len() + 1]];
    for i in 1..=a.len() {
        rows.rotate_right(1);
        // rows[0] is the row being written, rows[1] the one before, rows[2] the one before that.
        rows[0][0] = i;
        for j in 1..=b.len() {
            let same = usize::from(a[i - 1] != b[j - 1]);
            let mut best = (rows[1][j] + 1).min(rows[0][j - 1] + 1).min(rows[1][j - 1] + same);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[2][j - 2] + 1);
            }
            rows[0][j] = best;
        }
    }
    rows[0][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_the_one_that_was_meant() {
        let names = ["region", "retention", "terms", "base_url"];
        assert_eq!(nearest("reigon", names.into_iter()), Some("region"));
        assert_eq!(nearest("baseurl", names.into_iter()), Some("base_url"));
        assert_eq!(nearest("Terms", names.into_iter()), Some("terms"));
        assert_eq!(nearest("colour", names.into_iter()), None);
    }

    #[test]
    fn distances_count_edits() {
        let cases =
            [("", "", 0), ("abc", "abc", 0), ("abc", "acb", 1), ("abc", "abcd", 1), ("kitten", "sitting", 3)];
        for (a, b, d) in cases {
            assert_eq!(distance(a, b, 10), d, "{a} {b}");
        }
    }
}
