//! `match` rules: expressions in CEL over what is known of a request, compiled and tried out when the file is loaded.
//!
//! Next: `names` checks what a rule mentions, `guard` finds what it cannot do without.
//!
//! A rule that fails at run time (a header that is not there, say) does not match; it never fails the request.

mod guard;
mod names;

use cel::{Context, Env, Program, Value};
use model::Request;
use serde::{Serialize, Serializer};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, LazyLock};

use guard::Guard;
use names::Names;

/// The fields of `request` in rules: name, what it is, and an example for the check.
pub(crate) const FIELDS: &[(&str, &str)] = &[
    ("model", "the model field as the client sent it"),
    ("headers", "header values by lower-case name, credentials left out"),
    ("estimated_tokens", "prompt tokens, estimated from above"),
    ("stream", "whether a stream is wanted"),
    ("dialect", "the client's dialect"),
    ("max_output", "the output limit the client set, or 0"),
    ("needs", "what the request needs of a model, as names"),
    ("team", "the team of the key, or an empty string"),
    ("key_id", "the public id of the key, or an empty string"),
    ("session", "x-pointsman-session, or an empty string"),
    ("data_class", "x-pointsman-data-class, or an empty string"),
];

const FORM: &str = "a rule is a condition in CEL, such as request.estimated_tokens < 4000";

static ENV: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

/// A compiled `match` expression.
#[derive(Clone)]
pub struct Rule {
    source: Arc<str>,
    program: Arc<Program>,
    fields: Fields,
    guards: Arc<[Guard]>,
}

/// The fields a rule reads, one bit for each of [`FIELDS`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fields(u16);

/// Why an expression is not a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RuleError {
    /// Characters from the start of the expression.
    pub(crate) offset: usize,
    pub(crate) what: String,
    pub(crate) hint: Option<String>,
}

impl Fields {
    fn bit(name: &str) -> Option<u16> {
        FIELDS.iter().position(|(field, _)| *field == name).map(|i| 1 << i)
    }
    pub(crate) fn has(self, name: &str) -> bool {
        Fields::bit(name).is_some_and(|bit| self.0 & bit != 0)
    }
    /// Both sets together.
    pub(crate) fn union(self, other: Fields) -> Fields {
        Fields(self.0 | other.0)
    }
}

impl Rule {
    /// Compiles, checks every name against [`FIELDS`], and evaluates over a sample request: the result must be a bool.
    pub(crate) fn compile(source: &str) -> Result<Rule, RuleError> {
        let at = |offset: usize, what: String| RuleError { offset, what, hint: Some(FORM.to_owned()) };
        let program = ENV.compile(source).map_err(|errors| {
            let first = errors.errors.first();
            let offset = first.map_or(0, |e| char_offset(source, e.pos));
            at(offset, first.map_or_else(|| "is not an expression".to_owned(), |e| first_line(&e.msg)))
        })?;
        let mut names = Names::default();
        names.walk(program.expression());
        if let Some((id, what, hint)) = names.error {
            let offset = program.source_info().offset_for(id).map_or(0, |(start, _)| start as usize);
            return Err(RuleError { offset, what, hint });
        }
        let fields = names.fields;
        for filled in [true, false] {
            match program.execute(&context(sample(&names.strings, filled))) {
                Ok(Value::Bool(_)) | Err(cel::ExecutionError::NoSuchKey(_)) => {}
                Ok(other) => {
                    let what = format!("yields {} and must yield true or false", kind(&other));
                    return Err(at(0, what));
                }
                // An index or a division may fail on the sample and hold on real requests.
                Err(
                    cel::ExecutionError::IndexOutOfBounds(_)
                    | cel::ExecutionError::DivisionByZero(_)
                    | cel::ExecutionError::RemainderByZero(_),
                ) => {}
                Err(cel::ExecutionError::NoSuchOverload(error)) => {
                    let operator = error.function().trim_matches('_');
                    let what =
                        format!("`{operator}` cannot be applied to {}", error.argument_types().join(" and "));
                    return Err(at(0, what));
                }
                Err(error) => return Err(at(0, error.to_string())),
            }
        }
        let guards = guard::guards(program.expression()).into();
        Ok(Rule { source: source.into(), program: Arc::new(program), fields, guards })
    }

    /// The expression as written.
    pub fn source(&self) -> &str {
        &self.source
    }

    pub(crate) fn fields(&self) -> Fields {
        self.fields
    }

    /// `false` when the rule cannot hold for this request; costs a few comparisons and no evaluation.
    pub(crate) fn may_hold(&self, request: &Request<'_>) -> bool {
        self.guards.iter().all(|guard| guard.allows(request))
    }

    /// Whether the rule holds; `Err` says why it could not tell, which counts as no.
    pub(crate) fn holds(&self, facts: &Context<'_, '_>) -> Result<bool, String> {
        match self.program.execute(facts) {
            Ok(Value::Bool(holds)) => Ok(holds),
            Ok(other) => Err(format!("yields {}", kind(&other))),
            Err(error) => Err(error.to_string()),
        }
    }
}

/// The facts of a request that the rules read, ready for evaluation.
pub(crate) fn facts<'a>(request: &Request<'_>, fields: Fields) -> Context<'a, 'a> {
    let mut map: HashMap<&'static str, Value> = HashMap::new();
    let caller = request.caller;
    for (name, _) in FIELDS.iter().filter(|(name, _)| fields.has(name)) {
        let value = match *name {
            "model" => Value::from(request.model),
            "headers" => {
                let headers: HashMap<String, Value> =
                    request.headers.iter().map(|(k, v)| ((*k).to_owned(), Value::from(*v))).collect();
                Value::from(headers)
            }
            "estimated_tokens" => Value::Int(i64::try_from(request.estimated_tokens).unwrap_or(i64::MAX)),
            "stream" => Value::Bool(request.stream),
            "dialect" => Value::from(request.dialect.name()),
            "max_output" => Value::Int(i64::try_from(request.max_output.unwrap_or(0)).unwrap_or(i64::MAX)),
            "needs" => Value::from(request.needs.iter().map(|c| Value::from(c.name())).collect::<Vec<_>>()),
            "team" => Value::from(caller.map_or("", |c| &c.team)),
            "key_id" => Value::from(caller.map_or("", |c| &c.key_id)),
            "session" => Value::from(request.session.unwrap_or("")),
            _ => Value::from(request.data_class.unwrap_or("")),
        };
        map.insert(name, value);
    }
    context(Value::from(map))
}

fn context<'a>(request: Value) -> Context<'a, 'a> {
    let mut context = Context::with_env(ENV.clone());
    context.add_variable_from_value("request", request);
    context
}

/// A request for the check: every text the rule mentions is also the name of a header. `filled` decides whether
/// optional things are there.
fn sample(strings: &[String], filled: bool) -> Value {
    let word = if filled { "sample" } else { "" };
    let mut headers: HashMap<String, Value> = HashMap::new();
    if filled {
        headers.extend(strings.iter().map(|s| (s.clone(), Value::from(word))));
    }
    let needs: Vec<Value> = if filled { vec![Value::from("tools")] } else { Vec::new() };
    let number = Value::Int(if filled { 1000 } else { 0 });
    let map: HashMap<&'static str, Value> = FIELDS
        .iter()
        .map(|(name, _)| {
            let value = match *name {
                "headers" => Value::from(headers.clone()),
                "needs" => Value::from(needs.clone()),
                "stream" => Value::Bool(filled),
                "estimated_tokens" | "max_output" => number.clone(),
                _ => Value::from(word),
            };
            (*name, value)
        })
        .collect();
    Value::from(map)
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::List(_) => "a list",
        Value::Map(_) => "a map",
        Value::Int(_) | Value::UInt(_) | Value::Float(_) => "a number",
        Value::String(_) => "a text",
        Value::Null => "null",
        _ => "something else",
    }
}

/// The parser's message without its prefix and without its list of everything else that could stand there.
fn first_line(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    let line = line.strip_prefix("Syntax error: ").unwrap_or(line);
    let line = line.split(" expecting ").next().unwrap_or(line);
    line.replace("mismatched input '<EOF>'", "it ends too early")
}

/// Characters before a position of line and column, both counted as the parser does: lines from 1, columns from 0.
fn char_offset(source: &str, (line, column): (isize, isize)) -> usize {
    let before = source.lines().take(usize::try_from(line - 1).unwrap_or(0));
    let lines: usize = before.map(|l| l.chars().count() + 1).sum();
    lines + usize::try_from(column).unwrap_or(0)
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Rule").field(&self.source).finish()
    }
}

impl Serialize for Rule {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{Capabilities, Dialect, Operation};

    fn request<'a>(headers: &'a [(&'a str, &'a str)]) -> Request<'a> {
        Request {
            dialect: Dialect::OpenAi,
            operation: Operation::Chat,
            model: "gpt-4.1",
            workflow: None,
            data_class: None,
            stream: true,
            needs: Capabilities::NONE.with(model::Capability::Tools),
            estimated_tokens: 900,
            max_output: None,
            deadline: None,
            session: None,
            headers,
            caller: None,
        }
    }

    #[test]
    fn rules_read_the_request_and_a_missing_header_is_no_match() {
        let headers = [("x-app", "helpdesk")];
        let cases = [
            (r#"request.headers["x-app"] == "helpdesk" && request.estimated_tokens < 4000"#, Ok(true)),
            (r#"request.headers["x-other"] == "helpdesk""#, Err(())),
            (r#""x-app" in request.headers"#, Ok(true)),
            (r#"has(request.headers.none)"#, Ok(false)),
            (r#"request.needs.exists(n, n == "tools") && request.stream"#, Ok(true)),
            (r#""vision" in request.needs"#, Ok(false)),
            (r#"request.model.startsWith("gpt-") && request.team == """#, Ok(true)),
            (r#"request.model.matches("^gpt-[0-9.]+$")"#, Ok(true)),
            (r#"request.dialect == "openai" && request.max_output == 0"#, Ok(true)),
        ];
        for (source, expected) in cases {
            let rule = Rule::compile(source).unwrap_or_else(|e| panic!("{source}: {e:?}"));
            let request = request(&headers);
            let facts = facts(&request, rule.fields());
            assert_eq!(rule.holds(&facts).map_err(|_| ()), expected, "{source}");
            assert!(expected != Ok(true) || rule.may_hold(&request), "{source}");
        }
    }

    #[test]
    fn what_a_rule_cannot_do_without_is_compared_before_it_is_evaluated() {
        let headers = [("x-app", "helpdesk")];
        let cases = [
            (r#"request.headers["x-app"] == "billing" && request.stream"#, false),
            (r#"request.stream && ("a" == request.team && true)"#, false),
            (r#"request.headers.other == "x""#, false),
            (r#"request.headers["x-app"] == "helpdesk" && request.model == "gpt-4.1""#, true),
            (r#"request.headers["x-app"] == "billing" || request.stream"#, true),
            (r#"!(request.headers["x-app"] == "billing")"#, true),
            (r#"request.estimated_tokens == 5"#, true),
        ];
        for (source, may_hold) in cases {
            assert_eq!(Rule::compile(source).unwrap().may_hold(&request(&headers)), may_hold, "{source}");
        }
    }

    #[test]
    fn an_expression_that_cannot_be_a_rule_is_refused_at_its_column() {
        let cases = [
            ("request.modle == 'x'", 7, "no field `modle`"),
            ("true && user == 'x'", 8, "unknown variable `user`"),
            ("request.estimated_tokens", 0, "yields a number"),
            ("request.model == ", 17, ""),
            ("request.model > 3", 0, "`>` cannot be applied to string and int"),
            ("model == 'x'", 0, "unknown variable `model`"),
        ];
        for (source, offset, what) in cases {
            let error = Rule::compile(source).expect_err(source);
            assert!(error.what.contains(what), "{source}: {error:?}");
            assert!(error.offset.abs_diff(offset) <= 1, "{source}: {error:?}");
        }
    }
}
