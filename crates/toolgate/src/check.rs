//! `check`, `defaults`, `schema`: the config, without running anything.

use std::process::ExitCode;

use crate::Outcome;
use crate::args;
use crate::settings;

/// Shows everything that is wrong with a config, or what it means.
pub(crate) async fn check(options: args::Config) -> Outcome {
    let loaded = settings::load_fresh(options.config.as_deref().or(options.file.as_deref())).await?;
    let Some(file) = loaded.place() else {
        outln!("no config file was found; the compiled-in servers would be started. Looked for:");
        for place in &loaded.looked_at {
            outln!("  {}", place.display());
        }
        return Ok(ExitCode::SUCCESS);
    };
    outln!("{} is fine: {} upstreams", file.display(), loaded.settings.upstreams.len());
    for upstream in &loaded.settings.upstreams {
        let state = if upstream.enabled { "" } else { " (disabled)" };
        outln!("  {} over {}{state}", upstream.slug, upstream.transport.kind());
    }
    for note in &loaded.settings.notes {
        outln!("note: {note}");
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints the compiled-in default config.
pub(crate) fn defaults() -> Outcome {
    out!("{}", toolgate_config::DEFAULT_FILE);
    Ok(ExitCode::SUCCESS)
}

/// Prints the JSON Schema of toolgate.yaml.
pub(crate) fn schema() -> Outcome {
    outln!("{}", serde_json::to_string_pretty(&toolgate_config::schema())?);
    Ok(ExitCode::SUCCESS)
}
