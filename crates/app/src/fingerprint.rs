//! What an upstream is made of, as a few digits: another command or URL is another server, whatever its name.

use std::fmt::Write;

use sha2::{Digest, Sha256};
use toolgate_config::{DocumentPlace, Transport};

/// Sixteen hexadecimal digits. Environment and headers do not count: a new token leads to the same server.
pub(crate) fn fingerprint(transport: &Transport) -> String {
    let mut parts = vec![transport.kind().to_owned()];
    match transport {
        Transport::Stdio { command, args, cwd, .. } => {
            parts.push(command.to_string_lossy().into_owned());
            parts.extend(args.iter().map(|arg| arg.reveal().to_owned()));
            parts.push(cwd.to_string_lossy().into_owned());
        }
        Transport::Http { url, .. } | Transport::Sse { url, .. } => parts.push(url.reveal().to_owned()),
        Transport::OpenApi { document, base_url, operations, .. } => {
            parts.push(match document {
                DocumentPlace::File(path) => path.to_string_lossy().into_owned(),
                DocumentPlace::Url(url) => url.reveal().to_owned(),
            });
            parts.extend(base_url.iter().map(|url| url.reveal().to_owned()));
            parts.push(format!("{operations:?}"));
        }
        Transport::Tools { tools, .. } => {
            parts.extend(tools.iter().flat_map(|tool| [tool.name.clone(), tool.url.reveal().to_owned()]));
        }
        // A newer toolgate has newer servers.
        Transport::Builtin { name } => parts.extend([name.as_str().to_owned(), env!("CARGO_PKG_VERSION").to_owned()]),
    }
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    hash.finalize().iter().take(8).fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
