//! A row for each framework, and whether all went well.

use serde::Deserialize;
use toolgate_discovery::Tokens;

use super::needs::{Catalog, Plan};

/// What an agent's script prints.
#[derive(Deserialize)]
pub(super) struct Document {
    framework: String,
    version: String,
    /// What the model was shown of each search.
    searches: Vec<String>,
    /// Calls that the model had in mind, and those that arrived at the right tool with these arguments.
    calls: usize,
    right: usize,
    /// Tools whose definition was asked for first.
    described: usize,
    /// Calls that were refused with an example, and made again.
    mended: usize,
    /// Among how many tools the searches were.
    total: usize,
    /// Where one of them did: every tool found by its own name and called once.
    #[serde(default)]
    sweep: Option<Sweep>,
    faults: Vec<String>,
    seconds: f64,
}

/// Calls of every tool there is.
#[derive(Deserialize)]
struct Sweep {
    calls: usize,
    right: usize,
    described: usize,
    mended: usize,
}

// === impl Document ===

impl Document {
    /// Of a script that did not get to its end.
    pub(super) fn failed(script: &str, error: &anyhow::Error) -> Self {
        Self {
            framework: script.to_owned(),
            version: String::new(),
            searches: Vec::new(),
            calls: 0,
            right: 0,
            described: 0,
            mended: 0,
            total: 0,
            sweep: None,
            faults: vec![format!("{error:#}")],
            seconds: 0.0,
        }
    }

    /// What did not go well.
    fn complaints(&self, catalog: &Catalog, plan: &Plan) -> Vec<String> {
        let (searches, calls) = plan.expected();
        let mut complaints = self.faults.clone();
        if (self.searches.len(), self.calls) != (searches, calls) || self.right != calls {
            let made = (self.searches.len(), self.calls, self.right);
            complaints.push(format!("{made:?} searches, calls and right ones, not {:?}", (searches, calls, calls)));
        }
        if self.total != catalog.tools() {
            complaints.push(format!("searched among {} tools, not {}", self.total, catalog.tools()));
        }
        if let Some(sweep) = &self.sweep
            && (sweep.calls, sweep.right) != (plan.all.len(), plan.all.len())
        {
            complaints.push(format!("{} of all {} tools called rightly", sweep.right, plan.all.len()));
        }
        complaints
    }
}

/// Prints the table.
pub(super) fn print(catalog: &Catalog, plan: &Plan, documents: &[Document]) {
    let tokens = Tokens::new();
    println!(
        "{} tools of {} servers, {} needs; a search answer is counted as the framework shows it to a model\n",
        catalog.tools(),
        catalog.servers().count(),
        plan.needs.len()
    );
    println!("| framework | searches | calls right | described first | mended | mean tokens of an answer | seconds |");
    println!("|---|---|---|---|---|---|---|");
    for document in documents {
        let Document { framework, version, searches, calls, right, described, mended, seconds, .. } = document;
        let sum: usize = searches.iter().map(|said| tokens.count(said)).sum();
        let mean = sum / searches.len().max(1);
        println!(
            "| {framework} {version} | {} | {right} of {calls} | {described} | {mended} | {mean} | {seconds:.1} |",
            searches.len()
        );
    }
    println!();
    for (framework, sweep) in
        documents.iter().filter_map(|document| Some((&document.framework, document.sweep.as_ref()?)))
    {
        let Sweep { right, described, mended, .. } = sweep;
        println!(
            "{framework}: {right} of {} tools found by their own names and called with what their signatures ask for; \
             {described} were described first, {mended} calls were mended by the example in the answer\n",
            plan.all.len()
        );
    }
}

/// Whether every agent got everything.
///
/// # Errors
/// When one did not; what is missing is printed.
pub(super) fn judge(catalog: &Catalog, plan: &Plan, documents: &[Document]) -> anyhow::Result<()> {
    let mut bad = 0;
    for document in documents {
        let complaints = document.complaints(catalog, plan);
        bad += usize::from(!complaints.is_empty());
        complaints.iter().for_each(|complaint| println!("{}: {complaint}", document.framework));
    }
    anyhow::ensure!(!documents.is_empty(), "no framework was run");
    anyhow::ensure!(bad == 0, "{bad} of {} frameworks failed", documents.len());
    Ok(())
}
