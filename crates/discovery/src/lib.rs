//! How tools are shown to a model, and how its calls are checked. Pure functions: no I/O, no catalog, no gateway.
//!
//! A model pays for every tool definition it is given, in every turn. Here is what it can be given instead: three tools
//! that find, explain and call all others, answers that fit a budget of tokens, and a check of arguments that tells what
//! to do better before anything leaves.
//!
//! In reading order: [`tool`] is what comes in, [`tokens`] what it costs and [`cost`] when that pays. A schema is read
//! ([`node`], [`schema`]) into a [`shape`], which is written as a [`signature`]. [`surface`] are the three tools,
//! [`request`] what a model asks of them, [`answer`] what it is told, with [`suggest`] for what it misspelt.
//! [`arguments`] checks a call. [`instructions`] is what a client reads first.

pub mod answer;
pub mod arguments;
pub mod cost;
pub mod instructions;
mod node;
pub mod request;
pub mod schema;
pub mod shape;
pub mod signature;
pub mod suggest;
pub mod surface;
pub mod tokens;
pub mod tool;
mod vocabulary;

pub use signature::Signature;
pub use tokens::Tokens;
pub use tool::Tool;
