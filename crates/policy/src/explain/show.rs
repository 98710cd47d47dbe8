//! An explanation as a person reads it in a terminal.

use super::{Explanation, Then};
use crate::DataClass;
use crate::file::Written;
use model::Money;
use std::fmt;

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.workflow, &self.matched) {
            (Some(workflow), Some(how)) => writeln!(f, "workflow    {workflow}: {how}")?,
            (None, Some(how)) => writeln!(f, "workflow    none: {how}")?,
            _ => writeln!(f, "workflow    none")?,
        }
        for rule in &self.rules {
            let held = match &rule.error {
                Some(error) => format!("no match: {error}"),
                None => if rule.held { "holds" } else { "does not hold" }.to_owned(),
            };
            writeln!(f, "rule        {}: {held}: {}", rule.workflow, rule.rule)?;
        }
        for class in &self.data_rules {
            writeln!(f, "data class  {class}")?;
        }
        if !self.candidates.is_empty() {
            writeln!(f, "\ncandidates")?;
        }
        let width = self.candidates.iter().map(|c| c.target.chars().count()).max().unwrap_or(0);
        for c in &self.candidates {
            let tier = c.tier + 1;
            match &c.reason {
                Some(reason) => writeln!(f, "  tier {tier}  out  {:width$}  {reason}", c.target)?,
                None => {
                    let figures = figures(c.estimated_cost_usd, c.first_token_ms);
                    writeln!(f, "  tier {tier}  in   {:width$}  {figures}", c.target)?;
                }
            }
        }
        if let Some(denial) = &self.denial {
            writeln!(f, "\nno plan: {} ({}, {})", denial.message, denial.code, denial.status)?;
            writeln!(f, "  rule: {}", denial.rule)?;
            if let Some(wait) = denial.retry_after_ms {
                writeln!(f, "  may work again in {}", Written(wait))?;
            }
            return Ok(());
        }
        writeln!(f, "\nplan, within {}", Written(self.deadline))?;
        for (i, step) in self.steps.iter().enumerate() {
            write!(f, "  {}. {}  {}", i + 1, step.target, step.permit.name())?;
            write!(f, "  {}", figures(step.estimated_cost_usd, step.first_token_ms))?;
            if let Some(limit) = step.first_token_limit_ms {
                write!(f, ", left after {} without a first token", Written(limit))?;
            }
            if !step.gave_up.is_empty() {
                write!(f, ", gives up {}", step.gave_up.join(", "))?;
            }
            writeln!(f)?;
            if step.after.is_empty() {
                writeln!(f, "       not reached: the attempts are used up before")?;
            }
            for line in &step.after {
                let kinds: Vec<&str> = line.failures.iter().map(|k| k.name()).collect();
                let name = line.group.name();
                let named =
                    if kinds == [name] { name.to_owned() } else { format!("{name} ({})", kinds.join(", ")) };
                writeln!(f, "       {named}: {}", line.then)?;
            }
        }
        Ok(())
    }
}

fn figures(cost: Option<Money>, first_token_ms: Option<u64>) -> String {
    let cost = cost.map_or("price unknown".to_owned(), |c| format!("at most {c} US dollars"));
    let wait = first_token_ms.map_or("no latency seen".to_owned(), |ms| format!("first token about {ms}ms"));
    format!("{cost}, {wait}")
}

impl fmt::Display for Then {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Then::Again { wait_ms } => write!(f, "the same target once more, after {wait_ms}ms"),
            Then::Step { step, target } => write!(f, "step {}, {target}", step + 1),
            Then::Return => f.write_str("the client gets it as it is"),
            Then::Stop(why) => write!(f, "the request fails: {why}"),
        }
    }
}

impl fmt::Display for DataClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.name)?;
        let mut rules: Vec<String> = Vec::new();
        rules.extend(self.regions.as_ref().map(|regions| format!("regions {}", regions.join(", "))));
        rules.extend(self.require.retention.map(|r| format!("retention {r}")));
        rules.extend(self.require.training.map(|_| "training never".to_owned()));
        rules.extend(self.require.baa.then(|| "a business associate agreement".to_owned()));
        if rules.is_empty() {
            return f.write_str("no rule");
        }
        f.write_str(&rules.join("; "))
    }
}
