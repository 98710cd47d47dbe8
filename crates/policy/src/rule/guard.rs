//! What a rule cannot do without: comparisons of texts that stand under nothing but `&&`.
//!
//! Most rules begin with a header or a team that most requests do not have. Comparing that text costs nanoseconds,
//! evaluating the rule half a microsecond, and a file may hold hundreds of rules.

use cel::common::ast::{Expr, IdedExpr, LiteralValue};
use model::Request;

/// `request.<subject> == "<text>"`, without which the rule is false.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Guard {
    subject: Subject,
    text: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Subject {
    Header(String),
    Model,
    Dialect,
    Team,
    KeyId,
    Session,
    DataClass,
}

impl Guard {
    /// Whether the comparison holds.
    pub(super) fn allows(&self, request: &Request<'_>) -> bool {
        let caller = request.caller;
        let found = match &self.subject {
            // The last one counts where a name stands twice, as in the map that rules see.
            Subject::Header(name) => {
                return request
                    .headers
                    .iter()
                    .rev()
                    .find(|(k, _)| k == name)
                    .is_some_and(|(_, v)| *v == self.text);
            }
            Subject::Model => request.model,
            Subject::Dialect => request.dialect.name(),
            Subject::Team => caller.map_or("", |c| &c.team),
            Subject::KeyId => caller.map_or("", |c| &c.key_id),
            Subject::Session => request.session.unwrap_or(""),
            Subject::DataClass => request.data_class.unwrap_or(""),
        };
        found == self.text
    }
}

/// Every guard of an expression. In CEL `false && error` is false, so a guard that fails decides alone.
pub(super) fn guards(node: &IdedExpr) -> Vec<Guard> {
    let mut found = Vec::new();
    collect(node, &mut found);
    found
}

fn collect(node: &IdedExpr, into: &mut Vec<Guard>) {
    let Expr::Call(call) = &node.expr else { return };
    match (call.func_name.as_str(), call.target.as_deref(), call.args.as_slice()) {
        ("_&&_", None, parts) => parts.iter().for_each(|part| collect(part, into)),
        ("_==_", None, [a, b]) => {
            let guard = |subject: &IdedExpr, text: &IdedExpr| {
                Some(Guard { subject: self::subject(subject)?, text: literal(text)?.to_owned() })
            };
            into.extend(guard(a, b).or_else(|| guard(b, a)));
        }
        _ => {}
    }
}

fn literal(node: &IdedExpr) -> Option<&str> {
    match &node.expr {
        Expr::Literal(LiteralValue::String(text)) => Some(text.inner()),
        _ => None,
    }
}

fn subject(node: &IdedExpr) -> Option<Subject> {
    match &node.expr {
        Expr::Call(call) if call.func_name == "_[_]" => match call.args.as_slice() {
            [map, key] if field(map) == Some("headers") => Some(Subject::Header(literal(key)?.to_owned())),
            _ => None,
        },
        Expr::Select(select) if !select.test && field(&select.operand) == Some("headers") => {
            Some(Subject::Header(select.field.clone()))
        }
        _ => match field(node)? {
            "model" => Some(Subject::Model),
            "dialect" => Some(Subject::Dialect),
            "team" => Some(Subject::Team),
            "key_id" => Some(Subject::KeyId),
            "session" => Some(Subject::Session),
            "data_class" => Some(Subject::DataClass),
            _ => None,
        },
    }
}

/// The field when the node is `request.<field>`.
fn field(node: &IdedExpr) -> Option<&str> {
    match &node.expr {
        Expr::Select(select) if !select.test => match &select.operand.expr {
            Expr::Ident(name) if name == "request" => Some(&select.field),
            _ => None,
        },
        _ => None,
    }
}
