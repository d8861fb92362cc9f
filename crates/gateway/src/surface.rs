//! What the surface answers: `search_tools`, `describe_tools` and `call_tool`.

mod call;
mod describe;
pub(crate) mod find;
mod overview;

use std::sync::Arc;

use toolgate_catalog::{Entry, View};
use toolgate_discovery::Tool;
use toolgate_discovery::answer::{self, Answer, Style};
use toolgate_discovery::request::Request as Asked;
use toolgate_discovery::surface::SurfaceTool;
use toolgate_protocol::{Json, Object, Reply, meta};

use crate::error::Error;
use crate::exchange::Request;
use crate::present::Presenter;

/// Answers a call to a tool of the surface. A call of another tool through it is answered by that tool's upstream.
pub(crate) async fn answer(
    presenter: &Arc<Presenter>,
    view: View,
    tool: SurfaceTool,
    request: Request,
) -> Result<Reply, Error> {
    let asked = Asked::read(tool, request.params.get("arguments"), view.showing().lenient);
    match asked {
        Err(misuse) => Ok(finished(&view, answer::misused(&misuse), None)),
        Ok(Asked::Search(search)) => {
            let explain = wants_explanation(&request.params);
            let (answer, reasons) = find::find(presenter.clone(), view.clone(), search, explain).await?;
            Ok(finished(&view, answer, reasons))
        }
        Ok(Asked::Describe(describe)) => {
            let answer = describe::describe(&view, &describe);
            Ok(finished(&view, answer, None))
        }
        Ok(Asked::Call(call)) => call::call(presenter, view, call, request).await,
    }
}

/// The result of a call that the gateway answers itself.
fn finished(view: &View, answer: Answer, more: Option<(&str, Json)>) -> Reply {
    let mut described = Object::new().with(meta::SERVER_INFO, view.server_info());
    if let Some((name, value)) = more {
        described.set(name, value);
    }
    let mut result = Object::new().with("resultType", Json::literal("\"complete\""));
    for member in answer.to_result().members() {
        result.set(member.name(), member.value.clone());
    }
    Reply::done(Ok(result.with("_meta", described.to_json()).to_json()))
}

fn wants_explanation(params: &Object) -> bool {
    let wanted = params.child("_meta").and_then(|meta| meta.get(find::EXPLAIN).cloned());
    wanted.is_some_and(|wanted| wanted.as_str() == "true")
}

/// An entry as it is shown to a model.
fn shown(entry: &Entry) -> Tool<'_> {
    Tool { kind: entry.subject.kind, ..Tool::new(&entry.public, entry.subject.upstream.as_str(), &entry.definition) }
}

// === impl Presenter ===

impl Presenter {
    fn style(&self, view: &View) -> Style<'_> {
        let showing = view.showing();
        Style { budget: showing.answer_tokens, ..Style::new(&self.tokens, showing.surface) }
    }
}
