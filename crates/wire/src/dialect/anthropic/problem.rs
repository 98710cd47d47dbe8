//! Errors and the list of models, in Anthropic's form.

use crate::json::Out;
use crate::problem::ModelEntry;
use model::{Problem, Timestamp};

/// `{"type":"error","error":{"type","message","details"},"request_id"}`. The types are the SDK's for the status; the
/// stable code stands where the SDK looks for one, in `details.error_code`.
pub(super) fn body(problem: &Problem, request_id: &str, out: &mut Out) {
    let kind = match problem.code.status() {
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        408 | 504 => "timeout_error",
        429 => "rate_limit_error",
        503 => "overloaded_error",
        500.. => "api_error",
        _ => "invalid_request_error",
    };
    out.object().key("type").plain("error").key("error").object();
    out.key("type").plain(kind).key("message").plain(&problem.sentence());
    out.key("details").object().key("error_code").plain(problem.code.name());
    if let Some(field) = &problem.field {
        out.key("field").plain(field);
    }
    out.end_object().end_object();
    out.key("request_id").plain(request_id).end_object();
}

/// `{"type":"model","id":...,"display_name","created_at","lifecycle"}`.
pub(super) fn model_entry(model: &ModelEntry, out: &mut Out) {
    let (y, m, d, h, min, s, _) = Timestamp(model.created.saturating_mul(1_000_000)).civil();
    out.object().key("type").plain("model").key("id").plain(&model.id);
    out.key("display_name").plain(&model.id);
    out.key("created_at").plain(&format!("{y:04}-{m:02}-{d:02}T{h:02}:{min:02}:{s:02}Z"));
    out.key("lifecycle").plain("active").end_object();
}

/// `{"data":[...],"has_more":false,"first_id","last_id"}`.
pub(super) fn model_list(models: &[ModelEntry], out: &mut Out) {
    out.object().key("data").array();
    for model in models {
        model_entry(model, out);
    }
    out.end_array().key("has_more").bool(false);
    for (key, model) in [("first_id", models.first()), ("last_id", models.last())] {
        out.key(key);
        match model {
            Some(model) => out.plain(&model.id),
            None => out.null(),
        };
    }
    out.end_object();
}
