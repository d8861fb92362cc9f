//! The token of the control API: made on the first start, kept where only its owner can read it. A port to another system begins
//! and ends here.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The token's file in the state folder.
const FILE: &str = "control.token";
/// No token is longer.
const LONGEST: u64 = 4096;

/// The token in the state folder, if there is one.
///
/// # Errors
/// The file is there and cannot be read.
pub fn kept(state: &Path) -> io::Result<Option<String>> {
    let file = state.join(FILE);
    match fs::metadata(&file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
        Ok(about) if about.len() > LONGEST => return Err(damaged(&file)),
        Ok(_) => {}
    }
    let text = fs::read_to_string(&file)?;
    let token = text.trim();
    let is_whole = token.len() >= 32 && token.bytes().all(|byte| byte.is_ascii_graphic());
    if is_whole { Ok(Some(token.to_owned())) } else { Err(damaged(&file)) }
}

fn damaged(file: &Path) -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        format!("{} holds no token; delete it, and another is made", file.display()),
    )
}

/// The token in the state folder, made if there is none.
pub(crate) fn kept_in(state: &Path) -> io::Result<String> {
    if let Some(token) = kept(state)? {
        close_to_others(&state.join(FILE))?;
        return Ok(token);
    }
    fs::create_dir_all(state)?;
    let token = random();
    // Written beside and then linked: nobody ever sees half a token, and of two gateways that start at once one makes it.
    let beside: PathBuf = state.join(format!("{FILE}.{}", random()));
    owner_only().write(true).create_new(true).open(&beside)?.write_all(format!("{token}\n").as_bytes())?;
    let linked = fs::hard_link(&beside, state.join(FILE));
    fs::remove_file(&beside)?;
    match linked {
        Ok(()) => Ok(token),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            kept(state)?.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))
        }
        Err(error) => Err(error),
    }
}

/// 256 random bits in hexadecimal.
pub(crate) fn random() -> String {
    let mut bits = [0_u8; 32];
    getrandom::fill(&mut bits).expect("the operating system gives random numbers");
    bits.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// For files that nobody else may read.
#[cfg(unix)]
pub(crate) fn owner_only() -> OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}

/// Takes the file from others, should somebody have given it to them.
#[cfg(unix)]
fn close_to_others(file: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    if fs::metadata(file)?.permissions().mode() & 0o077 != 0 {
        tracing::warn!(file = %file.display(), "others could read the token of the control API; now its owner alone can");
        fs::set_permissions(file, fs::Permissions::from_mode(0o600))?;
    }
    Ok(())
}

/// The folder for a user's state is theirs alone.
#[cfg(not(unix))]
pub(crate) fn owner_only() -> OpenOptions {
    OpenOptions::new()
}

#[cfg(not(unix))]
fn close_to_others(_file: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]
    use super::*;

    #[test]
    fn the_token_is_made_once_and_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let state = folder.path().join("state");
        assert_eq!(kept(&state).unwrap(), None);
        let token = kept_in(&state).unwrap();
        assert_eq!(token.len(), 64);
        assert_eq!((kept_in(&state).unwrap(), kept(&state).unwrap().unwrap()), (token.clone(), token));
        assert_eq!(fs::read_dir(&state).unwrap().count(), 1, "nothing else stays behind");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = || fs::metadata(state.join(FILE)).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode(), 0o600);
            fs::set_permissions(state.join(FILE), fs::Permissions::from_mode(0o644)).unwrap();
            kept_in(&state).unwrap();
            assert_eq!(mode(), 0o600);
        }
        fs::write(state.join(FILE), "short").unwrap();
        assert!(kept_in(&state).unwrap_err().to_string().contains("delete it"));
    }
}
