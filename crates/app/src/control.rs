//! The control API, set up: its token and its address.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;

use toolgate_admin::{Admin, Token};
use toolgate_config::{AdminListen, AdminSettings, Settings};

use toolgate_transport::Edge;

use crate::build::Built;
use crate::notice::{Notice, Posted};
use crate::remote::whole_name;
use crate::run::bind;
use crate::steering::Steering;
use crate::token;

/// The control API, bound and not yet serving.
pub(crate) struct Bound {
    pub(crate) listener: TcpListener,
    pub(crate) admin: Arc<Admin>,
    pub(crate) address: SocketAddr,
    /// Tells the commands where it is, until dropped.
    pub(crate) notices: Vec<Notice>,
}

/// Binds the control API where the settings want it; `None` where they want none, or none can be had.
///
/// # Errors
/// The settings name an address, and it cannot be had or its token cannot be kept.
pub(crate) fn bind_control(
    built: &Built,
    edge: &Arc<Edge>,
    settings: &Settings,
    mcp: &[SocketAddr],
) -> io::Result<Option<Bound>> {
    let Some(listener) = listener(settings.admin.listen)? else { return Ok(None) };
    let token = match (&settings.admin.token, &built.state) {
        (Some(token), _) => token.reveal().to_owned(),
        (None, Some(state)) => match token::kept_in(state) {
            Ok(token) => token,
            Err(error) => {
                let what = format!(
                    "the token of the control API cannot be kept in {}: {error}; set `state_dir` or `admin.token`",
                    state.display()
                );
                // Who asked for the API by name is to have it; to others MCP matters more.
                if settings.admin.listen != AdminListen::Usual {
                    return Err(io::Error::new(error.kind(), what));
                }
                tracing::warn!("there is no control API: {what}");
                return Ok(None);
            }
        },
        (None, None) => {
            tracing::warn!("there is no control API: nowhere to keep its token; set `state_dir` or `admin.token`");
            return Ok(None);
        }
    };
    let address = listener.local_addr()?;
    let hosts: Vec<String> = if address.ip().is_unspecified() {
        settings.allowed_hosts.clone()
    } else {
        settings.allowed_hosts.iter().cloned().chain([address.ip().to_string()]).collect()
    };
    let control = Arc::new(Steering::new(built.reloader.clone()));
    let admin = Admin::new(built.gateway.clone(), edge.clone(), control, Token::new(token), &hosts);
    let notices = post(built, address, mcp);
    Ok(Some(Bound { listener, admin, address, notices }))
}

fn listener(wanted: AdminListen) -> io::Result<Option<TcpListener>> {
    match wanted {
        AdminListen::Off => Ok(None),
        AdminListen::At(address) => {
            let hint = "; the control API is to be there: choose another address with `admin: {listen: …}`, port 0 takes a free one";
            let bound = bind(&address).map_err(|error| io::Error::new(error.kind(), format!("{error}{hint}")))?;
            Ok(Some(bound))
        }
        // Several gateways run on one machine, and the commands find each by what it notes in the state folder.
        AdminListen::Usual => match bind(&AdminSettings::USUAL) {
            Ok(bound) => Ok(Some(bound)),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                match bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0))) {
                    Ok(bound) => {
                        let address = bound.local_addr()?;
                        tracing::info!(%address, "the usual port of the control API, {}, is taken; it has another", AdminSettings::USUAL.port());
                        Ok(Some(bound))
                    }
                    Err(error) => Ok(without(&error)),
                }
            }
            Err(error) => Ok(without(&error)),
        },
    }
}

fn without(error: &io::Error) -> Option<TcpListener> {
    tracing::warn!(%error, "there is no control API; MCP is served all the same");
    None
}

/// Where commands look: in the usual folder, and in the one that the config names.
fn post(built: &Built, address: SocketAddr, mcp: &[SocketAddr]) -> Vec<Notice> {
    let posted = Posted {
        pid: std::process::id(),
        state: built.state.as_deref().map(whole_name),
        control: address,
        mcp: mcp.first().copied(),
        config: built.gateway.config().file.as_deref().map(whole_name),
    };
    let usual = built.usual_state.iter().filter(|usual| Some(*usual) != built.state.as_ref());
    let notice = |folder: &PathBuf| match Notice::post(folder, &posted) {
        Ok(notice) => Some(notice),
        Err(error) => {
            tracing::warn!(%error, folder = %folder.display(), "the commands cannot be told there where the control API is");
            None
        }
    };
    built.state.iter().chain(usual).filter_map(notice).collect()
}
