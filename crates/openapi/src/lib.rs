//! HTTP APIs as tools: OpenAPI documents read, calls planned, answers put into results. Does no I/O.
//!
//! In reading order: a [`Document`] is read into a `tree` (JSON, or `yaml`). [`Api`] is what it offers: each `operation` with
//! the `arguments` that its parameters and body become, its `schema` in JSON Schema's words, with small schemas written out
//! `inline`, and what comes back as `output`. A [`Plan`] turns arguments into a [`Request`] (`encode`, `body`) and an
//! [`Answer`] into a result. A [`tool`] that is described in the config instead of a document has the same plan.

mod answer;
mod api;
mod arguments;
mod body;
mod document;
mod encode;
mod inline;
mod names;
mod operation;
mod output;
mod pattern;
mod plan;
mod schema;
pub mod tool;
mod tree;
mod yaml;

pub use answer::{Answer, failed};
pub use api::{Api, Facts, Options, Skipped};
pub use document::Document;
pub use operation::Operation;
pub use plan::{BadArguments, Plan, Request};
pub use tree::Node;
