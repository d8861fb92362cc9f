//! One tool: what is told of it, and what it does.
//!
//! A tool is written as one function from an argument type to a result type. Both schemas come from those types, so that
//! what is told and what is accepted cannot part.

use std::future::Future;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use toolgate_protocol::{Json, Object, RpcError, code};

use crate::argument;
use crate::call::{Call, Halt};
use crate::content::Content;
use crate::schema;
use crate::server::Named;

/// A tool.
pub(crate) struct Tool {
    definition: Definition,
    run: Run,
}

/// What a tool does, whatever its types.
type Run = Box<dyn Fn(Json, Call) -> BoxFuture<'static, Result<Output, Halt>> + Send + Sync>;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Definition {
    name: &'static str,
    title: &'static str,
    description: &'static str,
    input_schema: Json,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_schema: Option<Json>,
    annotations: Hints,
}

/// What a tool does to the world, as far as a person who must approve a call wants to know.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Hints {
    read_only_hint: bool,
    destructive_hint: bool,
    idempotent_hint: bool,
    open_world_hint: bool,
}

/// What a tool gives.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Output {
    content: Vec<Content>,
    #[serde(skip_serializing_if = "Option::is_none")]
    structured_content: Option<Json>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    is_error: bool,
}

// === impl Hints ===

impl Hints {
    /// Looks and does not touch.
    pub(crate) const READS: Self =
        Self { read_only_hint: true, destructive_hint: false, idempotent_hint: true, open_world_hint: false };
    /// Adds something each time.
    pub(crate) const ADDS: Self =
        Self { read_only_hint: false, destructive_hint: false, idempotent_hint: false, open_world_hint: false };
    /// May overwrite; a second time changes nothing more.
    pub(crate) const SETS: Self =
        Self { read_only_hint: false, destructive_hint: true, idempotent_hint: true, open_world_hint: false };
    /// Asks beyond this server: a model, or a person.
    pub(crate) const ASKS: Self =
        Self { read_only_hint: true, destructive_hint: false, idempotent_hint: false, open_world_hint: true };
}

// === impl Tool ===

impl Tool {
    /// A tool that gives content for a reader.
    pub(crate) fn plain<A, F>(
        name: &'static str,
        title: &'static str,
        description: &'static str,
        hints: Hints,
        run: impl Fn(A, Call) -> F + Send + Sync + 'static,
    ) -> Self
    where
        A: DeserializeOwned + JsonSchema,
        F: Future<Output = Result<Vec<Content>, Halt>> + Send + 'static,
    {
        let input_schema = schema::input::<A>();
        let definition = Definition { name, title, description, input_schema, output_schema: None, annotations: hints };
        Self { definition, run: erased(run, |content| Ok(Output::plain(content))) }
    }

    /// A tool that gives a value for a program, and the same as text for a reader.
    pub(crate) fn structured<A, T, F>(
        name: &'static str,
        title: &'static str,
        description: &'static str,
        hints: Hints,
        run: impl Fn(A, Call) -> F + Send + Sync + 'static,
    ) -> Self
    where
        A: DeserializeOwned + JsonSchema,
        T: Serialize + JsonSchema + 'static,
        F: Future<Output = Result<T, Halt>> + Send + 'static,
    {
        let (input_schema, output_schema) = (schema::input::<A>(), Some(schema::output::<T>()));
        let definition = Definition { name, title, description, input_schema, output_schema, annotations: hints };
        Self { definition, run: erased(run, |value: T| Output::structured(&value)) }
    }

    /// As lists show it.
    pub(crate) fn definition(&self) -> Json {
        Json::of(&self.definition).expect("a definition is strings, booleans and JSON")
    }

    pub(crate) fn run(&self, arguments: Json, call: Call) -> BoxFuture<'static, Result<Output, Halt>> {
        (self.run)(arguments, call)
    }
}

impl Named for Tool {
    fn name(&self) -> &str {
        self.definition.name
    }
}

/// Hides the types of a handler behind JSON. Arguments that cannot be read are the model's to correct.
fn erased<A, T, F>(run: impl Fn(A, Call) -> F + Send + Sync + 'static, give: fn(T) -> Result<Output, Halt>) -> Run
where
    A: DeserializeOwned,
    T: 'static,
    F: Future<Output = Result<T, Halt>> + Send + 'static,
{
    Box::new(move |arguments, call| match argument::read::<A>(&arguments) {
        Ok(arguments) => run(arguments, call).map(move |given| given.and_then(give)).boxed(),
        Err(fault) => std::future::ready(Err(Halt::Told(fault))).boxed(),
    })
}

// === impl Output ===

impl Output {
    fn plain(content: Vec<Content>) -> Self {
        Self { content, structured_content: None, is_error: false }
    }

    fn structured<T: Serialize>(value: &T) -> Result<Self, Halt> {
        let value = Json::of(value).map_err(|error| Halt::internal(&error))?;
        Ok(Self { content: vec![Content::text(value.as_str())], structured_content: Some(value), is_error: false })
    }

    /// What went wrong, in words that help the model to do better.
    pub(crate) fn fault(text: String) -> Self {
        Self { content: vec![Content::text(text)], structured_content: None, is_error: true }
    }
    /// As a result of `tools/call`.
    pub(crate) fn to_object(&self) -> Result<Object, RpcError> {
        let written = Json::of(self).and_then(|json| json.object());
        written.map_err(|error| RpcError::new(code::INTERNAL_ERROR, error.to_string()))
    }
}
