//! nginx, set up to be as fast as it can be: no log, connections kept on both sides, answers held in memory.

use super::Plan;
use super::targets::{Process, free_address, listens, tied};
use anyhow::{Context, bail};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

/// The Debian package that has all it takes.
const PACKAGE: &str = "nginx-light";

/// Makes sure that nginx is there, by installing it if the plan says so.
///
/// # Errors
/// When it is missing and may not or cannot be installed; the error says how to.
pub(super) fn require(plan: &Plan) -> anyhow::Result<()> {
    if version(plan).is_some() {
        return Ok(());
    }
    let ways =
        format!("run `apt-get install {PACKAGE}`, pass --install or --nginx FILE, or leave it out with --targets");
    if !plan.install {
        bail!("nginx is missing: {ways}");
    }
    for arguments in [vec!["update"], vec!["install", "-y", "--no-install-recommends", PACKAGE]] {
        let status = Command::new("apt-get")
            .args(&arguments)
            .env("DEBIAN_FRONTEND", "noninteractive")
            .stdin(Stdio::null())
            .status()
            .with_context(|| format!("cannot install nginx without apt-get; {ways}"))?;
        if !status.success() {
            bail!("apt-get {} failed; {ways}", arguments.join(" "));
        }
    }
    version(plan).map(drop).context("nginx is still missing after it was installed")
}

/// What nginx says of itself, if it is there.
pub(super) fn version(plan: &Plan) -> Option<String> {
    let said = Command::new(&plan.nginx).arg("-v").output().ok()?;
    let said = String::from_utf8_lossy(&said.stderr).trim().to_owned();
    Some(said.rsplit_once('/')?.1.to_owned())
}

/// Starts nginx in front of `upstream`, with everything it writes in `folder`.
///
/// # Errors
/// When it does not come up.
pub(super) fn start(plan: &Plan, folder: &Path, upstream: SocketAddr) -> anyhow::Result<(Process, SocketAddr)> {
    let front = free_address()?;
    let file = folder.join("nginx.conf");
    std::fs::write(&file, config(front, upstream, &plan.nginx_workers))?;
    let log = folder.join("output.log");
    let mut command = tied(plan.nginx.as_os_str());
    command.arg("-p").arg(folder).arg("-c").arg(&file).args(["-e", "error.log"]);
    let mut process = Process::start("nginx".to_owned(), &mut command, &log)?;
    process.wait(|| listens(front))?;
    Ok((process, front))
}

/// Checks `--nginx-workers`.
///
/// # Errors
/// In words for the command line.
pub(super) fn workers(text: &str) -> Result<String, String> {
    match text.parse() {
        Ok(1..=256_u16) => Ok(text.to_owned()),
        _ if text == "auto" => Ok(text.to_owned()),
        _ => Err("a number from 1 to 256, or auto".to_owned()),
    }
}

fn config(front: SocketAddr, upstream: SocketAddr, workers: &str) -> String {
    format!(
        "# Written by `cargo xtask bench`.
daemon off;
pid nginx.pid;
error_log error.log;
worker_processes {workers};
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    tcp_nodelay on;
    keepalive_requests 1000000000;
    upstream mcp {{
        server {upstream};
        keepalive 64;
        keepalive_requests 1000000000;
    }}
    server {{
        listen {front};
        location / {{
            proxy_pass http://mcp;
            proxy_http_version 1.1;
            proxy_set_header Connection \"\";
            proxy_set_header Host $host;
            proxy_buffer_size 16k;
            proxy_buffers 8 64k;
            proxy_busy_buffers_size 128k;
            proxy_max_temp_file_size 0;
        }}
    }}
}}
"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_number_of_workers_or_auto_gets_into_the_config() {
        assert_eq!(workers("2").as_deref(), Ok("2"));
        assert_eq!(workers("auto").as_deref(), Ok("auto"));
        assert!(workers("0").is_err());
        assert!(workers("1; load_module x.so").is_err());
        let front = "127.0.0.1:1000".parse().expect("an address");
        let text = config(front, "127.0.0.1:2000".parse().expect("an address"), "2");
        assert!(text.contains("listen 127.0.0.1:1000;") && text.contains("server 127.0.0.1:2000;"), "{text}");
    }
}
