//! Why a request could not be read: broken JSON, or JSON that is not a request of the dialect.

use crate::json::Fault;
use model::{Code, Problem};
use std::borrow::Cow;

/// The error of every request reader; becomes a [`Problem`] at the edge of this crate.
#[derive(Debug)]
pub(crate) enum Unread {
    Fault(Fault),
    Problem(Problem),
}

impl From<Fault> for Unread {
    fn from(fault: Fault) -> Unread {
        Unread::Fault(fault)
    }
}

impl From<Unread> for Problem {
    fn from(unread: Unread) -> Problem {
        match unread {
            Unread::Fault(fault) => broken(fault),
            Unread::Problem(problem) => problem,
        }
    }
}

/// The problem of a body that is not JSON as the dialect needs it.
pub(crate) fn broken(fault: Fault) -> Problem {
    Problem::new(Code::InvalidRequest, format!("The body {} (byte {}).", fault.what, fault.at))
}

/// A field with a value it cannot have.
pub(crate) fn invalid(field: impl Into<Cow<'static, str>>, message: impl Into<Cow<'static, str>>) -> Unread {
    let mut problem = Problem::new(Code::InvalidRequest, message);
    problem.field = Some(field.into());
    Unread::Problem(problem)
}
