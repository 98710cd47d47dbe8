//! Errors and the list of models, in OpenAI's form.

use crate::json::Out;
use crate::problem::ModelEntry;
use model::Problem;

/// `{"error":{"message","type","param","code"}}`. The types are those the vendor sends with the status.
pub(super) fn body(problem: &Problem, request_id: &str, out: &mut Out) {
    let kind = match problem.code.status() {
        401 => "authentication_error",
        403 => "permission_error",
        429 => "rate_limit_error",
        500.. => "server_error",
        _ => "invalid_request_error",
    };
    out.object().key("error").object();
    out.key("message").plain(&problem.sentence());
    out.key("type").plain(kind);
    out.key("param");
    match &problem.field {
        Some(field) => out.plain(field),
        None => out.null(),
    };
    out.key("code").plain(problem.code.name());
    out.key("request_id").plain(request_id);
    out.end_object().end_object();
}

/// `{"object":"list","data":[...]}`.
pub(super) fn model_list(models: &[ModelEntry], out: &mut Out) {
    out.object().key("object").plain("list").key("data").array();
    for model in models {
        model_entry(model, out);
    }
    out.end_array().end_object();
}

/// `{"id":...,"object":"model","created","owned_by"}`.
pub(super) fn model_entry(model: &ModelEntry, out: &mut Out) {
    out.object().key("id").plain(&model.id).key("object").plain("model");
    out.key("created").signed(model.created).key("owned_by").plain(&model.owned_by).end_object();
}
