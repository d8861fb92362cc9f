//! The control API: that part of the config file, and what it means.

use std::net::{Ipv4Addr, SocketAddr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::fault::Report;
use crate::secret::Secret;
use crate::written::Text;

/// The least characters of a token that is chosen by hand.
const MIN_TOKEN: usize = 32;

/// The control API, which operators and the commands of this program use.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Admin {
    /// The address that it listens on, or `off`. Without it 127.0.0.1:8666, or any free port if that one is taken.
    #[schemars(example = &"127.0.0.1:8666")]
    pub(crate) listen: Option<Text>,
    /// What whoever uses it must show as a bearer token, of 32 characters at least. Without it one is made on the first start
    /// and kept in the state folder.
    #[schemars(example = &"${file:./control.token}")]
    pub(crate) token: Option<Text>,
}

/// The control API, as meant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AdminSettings {
    /// Where it listens.
    pub listen: AdminListen,
    /// The token, if the config has one.
    pub token: Option<Secret>,
}

/// Where the control API listens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AdminListen {
    /// At [`AdminSettings::USUAL`], or where there is room if that is taken: several gateways run on one machine.
    #[default]
    Usual,
    /// There and nowhere else.
    At(SocketAddr),
    /// Nowhere.
    Off,
}

// === impl AdminSettings ===

impl AdminSettings {
    /// Where it listens unless the config says otherwise.
    pub const USUAL: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 8666);
}

/// What is written, as it is meant. `address` reads what is not `off`.
pub(crate) fn resolve(
    written: &Admin,
    report: &mut Report,
    address: impl FnOnce(&Text, &mut Report) -> Option<SocketAddr>,
) -> AdminSettings {
    let listen = match &written.listen {
        None => AdminListen::Usual,
        Some(text) if text.value == "off" => AdminListen::Off,
        Some(text) => match address(text, report) {
            None => AdminListen::Off,
            Some(address) => {
                if !address.ip().is_loopback() {
                    let note =
                        "the control API listens beyond this machine, and its token goes over the network unencrypted";
                    report.note(text.spot, note);
                }
                AdminListen::At(address)
            }
        },
    };
    if let Some(token) = &written.token {
        if token.value.chars().count() < MIN_TOKEN || !token.value.bytes().all(|byte| byte.is_ascii_graphic()) {
            let help = "make one with `openssl rand -hex 32`";
            let message = format!("a token has at least {MIN_TOKEN} characters, of ASCII and without spaces");
            report.fault_with_help(token.spot, message, help);
        } else if token.value == token.written {
            report.note(token.spot, "a token in the file itself; `${file:…}` or `${VAR}` keep it out of it");
        }
    }
    AdminSettings { listen, token: written.token.as_ref().map(|token| Secret::new(&token.value)) }
}
