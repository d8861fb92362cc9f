//! Runs one builtin server alone over stdio: `cargo run -p toolgate-builtin --example serve -- time`.

use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let name = std::env::args().nth(1).unwrap_or_default();
    let code = match toolgate_builtin::run(&name).await {
        Ok(()) => 0,
        Err(error) => {
            let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("{error}\n").as_bytes());
            1
        }
    };
    // A read of stdin may still be pending in a thread of the runtime.
    std::process::exit(code)
}
