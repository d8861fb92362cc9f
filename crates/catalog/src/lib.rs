//! What there is to call, as one caller may see it. The heart of the gateway.
//!
//! Lists are fetched off the request path ([`refresh`]), kept on disk ([`shelf`]), named once for all clients ([`naming`])
//! and published as one immutable [`snapshot`], which the [`finder`] makes searchable. A caller looks at it through a [`View`]; a view finds a [`Route`], and a
//! route is the only way to an upstream (laws 1 and 2). What a client keeps until it comes back is sealed by [`handle`].

mod catalog;
mod change;
mod cursor;
mod entry;
mod extension;
mod finder;
mod handle;
mod journal;
mod moment;
mod namespace;
pub mod naming;
pub mod offer;
mod operate;
mod overlay;
mod refresh;
mod route;
mod shelf;
mod snapshot;
mod status;
mod task;
mod template;
mod tracked;
mod ui;
mod view;

pub use catalog::{Catalog, Config};
pub use change::{Change, Watch};
pub use cursor::BadCursor;
pub use entry::Entry;
pub use finder::{Hits, Searchable};
pub use handle::Handles;
pub use journal::{Happening, Journal};
pub use moment::Arrangement;
pub use namespace::{Namespace, Overrides, Picks, Selects, Showing};
pub use naming::Naming;
pub use offer::{Cause, Dropped};
pub use operate::Probed;
pub use overlay::{Argument, Override, Value};
pub use route::Route;
pub use shelf::Shelf;
pub use status::{Counts, LeftOutStatus, NamespaceStatus, UpstreamStatus};
pub use toolgate_upstream::{Followed, LogLine, Noted};
pub use tracked::{Member, Permits};
pub use view::{About, NotFound, Page, Server, View};
