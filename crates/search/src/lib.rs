//! Ranked text search over many small documents that come in groups: text in, ranked ids out. Knows nothing of MCP.
//!
//! An [`Index`] never changes; an [`Edit`] of it makes the next one, and [`Live`] holds the one of the moment. A [`Scope`] is
//! what of it one caller may see, and answers questions. Documents become terms (`words`, `analysis`, `tally`), questions
//! become needs (`question`, `needs`), and `rank` brings them together. How well it finds, and what each part of it is
//! worth: `docs/search-quality.md`.

mod document;
mod parameters;
mod tuning;

mod analysis;
mod lists;
mod prose;
mod script;
mod words;

mod edit;
mod index;
mod live;
mod posting;
mod tally;
mod terms;

mod needs;
mod question;
mod rank;
mod reason;
mod scope;

pub use document::{Document, Field, Parameter};
pub use edit::Edit;
pub use index::{Index, Size};
pub use live::Live;
pub use needs::How;
pub use parameters::parameters;
pub use reason::{Matched, Reason};
pub use scope::{Found, Hit, Scope};
pub use tuning::{Tuning, Weight};
