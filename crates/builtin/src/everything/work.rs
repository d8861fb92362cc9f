//! Tools that take time, and tell of it: progress, log messages, cancellation.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use toolgate_protocol::Json;
use toolgate_protocol::meta::Level;

use crate::argument::{Text, Whole};
use crate::call::Call;
use crate::content::Content;
use crate::tool::{Hints, Tool};

/// The name under which log messages are written.
const LOGGER: &str = "everything";
const LEVELS: [Level; 8] = [
    Level::Debug,
    Level::Info,
    Level::Notice,
    Level::Warning,
    Level::Error,
    Level::Critical,
    Level::Alert,
    Level::Emergency,
];

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Steps {
    /// How many steps.
    #[serde(default = "five")]
    steps: Whole<1, 1000>,
    /// How long each step takes, in milliseconds.
    #[serde(default = "hundred")]
    delay_ms: Whole<0, 60_000>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Say {
    /// What each message says.
    #[serde(default = "hello")]
    message: Text<1000>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Wait {
    /// How long, in seconds.
    seconds: Whole<0, 3600>,
}

/// What was counted.
#[derive(Serialize, JsonSchema)]
struct Counted {
    /// The steps taken.
    steps: u64,
}

fn five() -> Whole<1, 1000> {
    Whole(5)
}

fn hundred() -> Whole<0, 60_000> {
    Whole(100)
}

fn hello() -> Text<1000> {
    Text("Hello".into())
}

pub(super) fn tools() -> Vec<Tool> {
    vec![
        Tool::structured(
            "count_steps",
            "Count with progress",
            "Takes a number of steps with a delay before each, and reports progress after each. Shows progress notifications.",
            Hints::READS,
            |asked: Steps, call: Call| async move {
                let (steps, delay) = (asked.steps.0, Duration::from_millis(asked.delay_ms.0));
                for step in 1..=steps {
                    tokio::time::sleep(delay).await;
                    call.progress(step, steps, &format!("Step {step} of {steps}")).await;
                }
                Ok(Counted { steps })
            },
        ),
        Tool::plain(
            "write_logs",
            "Write log messages",
            "Writes one log message of each level, from debug to emergency. Shows log notifications and log levels.",
            Hints::READS,
            |asked: Say, call: Call| async move {
                for level in LEVELS {
                    call.log(level, LOGGER, Json::string(&asked.message)).await;
                }
                Ok(vec![Content::text(format!(
                    "Wrote {} messages, of which the client gets those from its own level on",
                    LEVELS.len()
                ))])
            },
        ),
        Tool::plain(
            "wait",
            "Wait",
            "Waits, and can be cancelled meanwhile. Shows cancellation, and that other calls go on beside a slow one.",
            Hints::READS,
            |asked: Wait, _| async move {
                tokio::time::sleep(Duration::from_secs(asked.seconds.0)).await;
                Ok(vec![Content::text(format!("Waited {} s", asked.seconds.0))])
            },
        ),
    ]
}
