//! The names in a rule: which fields of the request it reads, and which name it gets wrong first.

use super::{FIELDS, Fields};
use cel::common::ast::{EntryExpr, Expr, IdedExpr, LiteralValue};

/// Walks an expression: which fields it reads, which texts it mentions, which name it gets wrong first.
#[derive(Default)]
pub(super) struct Names {
    pub(super) fields: Fields,
    pub(super) strings: Vec<String>,
    bound: Vec<String>,
    pub(super) error: Option<(u64, String, Option<String>)>,
}

impl Names {
    fn fail(&mut self, id: u64, what: String, hint: Option<String>) {
        self.error.get_or_insert((id, what, hint));
    }

    pub(super) fn walk(&mut self, node: &IdedExpr) {
        match &node.expr {
            Expr::Unspecified => {}
            Expr::Literal(LiteralValue::String(s)) => self.strings.push(s.inner().to_owned()),
            Expr::Literal(_) => {}
            Expr::Ident(name) if name == "request" => {
                // The whole request handed on: assume that everything is read.
                self.fields = Fields(u16::MAX);
            }
            Expr::Ident(name) => {
                if !self.bound.contains(name) && !name.starts_with('@') && !is_type(name) {
                    let hint = Fields::bit(name).map(|_| format!("write `request.{name}`"));
                    let hint = hint.or_else(|| Some("the only variable is `request`".to_owned()));
                    self.fail(node.id, format!("unknown variable `{name}`"), hint);
                }
            }
            Expr::Select(select) => {
                if matches!(&select.operand.expr, Expr::Ident(name) if name == "request") {
                    match Fields::bit(&select.field) {
                        Some(bit) => self.fields.0 |= bit,
                        None => {
                            let known: Vec<&str> = FIELDS.iter().map(|(name, _)| *name).collect();
                            let hint = crate::file::nearest(&select.field, known.iter().copied())
                                .map(|n| format!("did you mean `request.{n}`?"))
                                .or_else(|| Some(format!("request has {}", known.join(", "))));
                            self.fail(node.id, format!("request has no field `{}`", select.field), hint);
                        }
                    }
                } else {
                    self.walk(&select.operand);
                }
            }
            Expr::Call(call) => {
                call.target.iter().for_each(|target| self.walk(target));
                call.args.iter().for_each(|arg| self.walk(arg));
            }
            Expr::List(list) => list.elements.iter().for_each(|e| self.walk(e)),
            Expr::Map(map) => map.entries.iter().for_each(|e| self.walk_entry(&e.expr)),
            Expr::Struct(s) => s.entries.iter().for_each(|e| self.walk_entry(&e.expr)),
            Expr::Comprehension(c) => {
                self.walk(&c.iter_range);
                self.walk(&c.accu_init);
                let depth = self.bound.len();
                self.bound.push(c.iter_var.clone());
                self.bound.extend(c.iter_var2.clone());
                self.bound.push(c.accu_var.clone());
                for part in [&c.loop_cond, &c.loop_step, &c.result] {
                    self.walk(part);
                }
                self.bound.truncate(depth);
            }
        }
    }

    fn walk_entry(&mut self, entry: &EntryExpr) {
        match entry {
            EntryExpr::StructField(field) => self.walk(&field.value),
            EntryExpr::MapEntry(entry) => {
                self.walk(&entry.key);
                self.walk(&entry.value);
            }
        }
    }
}

fn is_type(name: &str) -> bool {
    matches!(
        name,
        "bool" | "int" | "uint" | "double" | "string" | "bytes" | "list" | "map" | "type" | "null_type"
    )
}
