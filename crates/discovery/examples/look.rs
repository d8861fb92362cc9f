//! Looks at a folder of `tools.jsonl` files (lines of `id`, `server`, `name`, `description`, `input_schema`) and prints what
//! signatures cost, how many are faithful, what takes longest: `cargo run --release --example look -- DIR [WORD]`.
//!
//! With WORD, the tools whose name contains it are printed as a search would show them. Figures go to docs by hand; a
//! test could not have the data, which is not ours to hand on.

#![allow(clippy::print_stdout)]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use toolgate_discovery::arguments::{Checked, Checker, Config, Slips, Unsuitable};
use toolgate_discovery::{Signature, Tokens, Tool};
use toolgate_protocol::{Json, Kind, Object};

/// Figures of one file.
#[derive(Default)]
struct Sums {
    tools: usize,
    definitions: usize,
    signatures: usize,
    lines: usize,
    faithful: usize,
    longest: (usize, String),
    slowest: (Duration, String),
    time: Duration,
    /// Schemas that cannot be used to check arguments.
    unsuitable: Vec<String>,
    /// Tools that need arguments, and those of them for which an example can be made of nothing.
    refusals: usize,
    examples: usize,
    slowest_check: (Duration, String),
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().ok_or("a folder is needed")?;
    let word = arguments.next();
    let tokens = Tokens::new();
    let checker = Checker::new(Config::default());
    let mut all = Sums::default();
    let mut files = files(Path::new(&folder))?;
    files.sort();
    for file in &files {
        let mut sums = Sums::default();
        for line in std::fs::read_to_string(file)?.lines() {
            let (server, definition) = definition(line)?;
            let name = definition.object()?.string("name").unwrap_or_default();
            let tool = Tool::new(&name, &server, &definition);
            if word.as_ref().is_none_or(|word| name.contains(word)) {
                let text = look(&tool, &tokens, &mut sums);
                if word.is_some() {
                    println!("{text}");
                }
                check(&tool, &checker, &mut sums);
            }
        }
        sums.print(&file.parent().unwrap_or(file).file_name().unwrap_or_default().to_string_lossy());
        all.add(sums);
    }
    all.print("all");
    Ok(())
}

fn files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(files(&path)?);
        } else if path.file_name().is_some_and(|name| name == "tools.jsonl") {
            found.push(path);
        }
    }
    Ok(found)
}

/// The line of the corpus as the definition that a gateway would list.
fn definition(line: &str) -> Result<(String, Json), Box<dyn std::error::Error>> {
    let row = Json::parse(line.to_owned().into())?.object()?;
    let server = row.string("server").unwrap_or_default();
    let name = format!("{server}__{}", row.string("name").unwrap_or_default());
    let mut definition = Object::new().with("name", Json::string(&name));
    for (from, to) in [("description", "description"), ("input_schema", "inputSchema")] {
        if let Some(value) = row.get(from) {
            definition.set(to, value.clone());
        }
    }
    Ok((server, definition.to_json()))
}

/// Calls the tool without arguments, as far as the schema.
fn check(tool: &Tool<'_>, checker: &Checker, sums: &mut Sums) {
    let begun = Instant::now();
    let checked = checker.check(tool, &Json::literal("{}"), Slips::ALL);
    let time = begun.elapsed();
    if time > sums.slowest_check.0 {
        sums.slowest_check = (time, tool.name.to_owned());
    }
    match checked {
        Checked::Faulty(faults) => {
            sums.refusals += 1;
            sums.examples += usize::from(faults.example.is_some());
        }
        Checked::Unchecked(Unsuitable::NoSchema) | Checked::Sound | Checked::Mended { .. } => {}
        Checked::Unchecked(unsuitable) => sums.unsuitable.push(format!("{}: {unsuitable}", tool.name)),
    }
}

/// The tool as a search shows it.
fn look(tool: &Tool<'_>, tokens: &Tokens, sums: &mut Sums) -> String {
    let begun = Instant::now();
    let signature = Signature::of(tool);
    let line = tool.line();
    let time = begun.elapsed();
    let called = format!("{}{}", tool.name, signature.text);
    let text = if line.is_empty() { called.clone() } else { format!("{called} // {line}") };
    let cost = tokens.count(&called);
    sums.tools += 1;
    sums.definitions += tokens.of_definition(Kind::Tool, tool.definition);
    sums.signatures += cost;
    sums.lines += tokens.count(&text);
    sums.faithful += usize::from(signature.faithful);
    sums.time += time;
    if cost > sums.longest.0 {
        sums.longest = (cost, tool.name.to_owned());
    }
    if time > sums.slowest.0 {
        sums.slowest = (time, tool.name.to_owned());
    }
    if signature.faithful { text } else { format!("~ {text}") }
}

// === impl Sums ===

impl Sums {
    fn add(&mut self, other: Self) {
        self.tools += other.tools;
        self.definitions += other.definitions;
        self.signatures += other.signatures;
        self.lines += other.lines;
        self.faithful += other.faithful;
        self.time += other.time;
        self.unsuitable.extend(other.unsuitable);
        self.refusals += other.refusals;
        self.examples += other.examples;
        if other.slowest_check.0 > self.slowest_check.0 {
            self.slowest_check = other.slowest_check;
        }
        if other.longest.0 > self.longest.0 {
            self.longest = other.longest;
        }
        if other.slowest.0 > self.slowest.0 {
            self.slowest = other.slowest;
        }
    }

    fn print(&self, name: &str) {
        let mean = |sum: usize| sum as f64 / self.tools.max(1) as f64;
        println!(
            "{name}: {} tools; tokens a tool: definition {:.1}, signature {:.1}, with its line {:.1}; faithful {:.2} %",
            self.tools,
            mean(self.definitions),
            mean(self.signatures),
            mean(self.lines),
            100.0 * mean(self.faithful),
        );
        println!(
            "  longest {} ({} tokens); slowest {} ({:?}); mean time {:?}",
            self.longest.1,
            self.longest.0,
            self.slowest.1,
            self.slowest.0,
            self.time / self.tools.max(1) as u32
        );
        println!(
            "  {} of {} calls without arguments refused with an example; slowest check {} ({:?}); unsuitable: {:?}",
            self.examples, self.refusals, self.slowest_check.1, self.slowest_check.0, self.unsuitable
        );
    }
}
