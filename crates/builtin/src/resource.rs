//! What a server with resources can do. The one trait here: each server keeps its resources in its own way.

use serde::Serialize;

use crate::content::{Contents, Link};
use crate::prompt::Filled;

/// Things that can be read under a URI.
pub(crate) trait Resources: Send + Sync {
    /// Those that are listed, in a lasting order.
    fn list(&self) -> Vec<Link>;

    /// Families of them.
    fn templates(&self) -> Vec<Template>;

    /// What is under `uri`, listed or not; `None` when there is nothing.
    fn read(&self, uri: &str) -> Option<Contents>;

    /// All values that the variable of a template may have, or `None` when there is no such variable.
    fn suggest(&self, template: &str, variable: &str, others: &Filled) -> Option<Vec<String>>;
}

/// A family of resources: its URI has variables (RFC 6570).
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Template {
    pub(crate) uri_template: &'static str,
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) description: &'static str,
    pub(crate) mime_type: &'static str,
}
