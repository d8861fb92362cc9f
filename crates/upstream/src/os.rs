//! What differs between operating systems about child processes: their group, their end, what they may see.
//!
//! Everything else in this crate is the same everywhere. On Unix a child leads a process group of its own, so that what it
//! starts ends with it; elsewhere only the child itself is ended, until that port is made.

#[cfg(not(unix))]
pub(crate) use elsewhere::{Group, lead_a_group};
#[cfg(unix)]
pub(crate) use unix::{Group, lead_a_group};

/// Variables of our own environment that every child may see: where programs and homes are, and the person's language.
/// Keys and tokens are never among them; those are given by name in the configuration.
pub(crate) fn is_inherited(name: &str) -> bool {
    #[cfg(unix)]
    const NAMES: &[&str] = &["PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TERM", "TMPDIR", "TZ"];
    #[cfg(not(unix))]
    const NAMES: &[&str] = &[
        "APPDATA",
        "HOMEDRIVE",
        "HOMEPATH",
        "LOCALAPPDATA",
        "PATH",
        "PATHEXT",
        "PROCESSOR_ARCHITECTURE",
        "PROGRAMDATA",
        "PROGRAMFILES",
        "SYSTEMDRIVE",
        "SYSTEMROOT",
        "TEMP",
        "TMP",
        "USERNAME",
        "USERPROFILE",
        "COMSPEC",
        "WINDIR",
    ];
    if cfg!(unix) {
        NAMES.contains(&name) || name.starts_with("LC_") || name.starts_with("XDG_")
    } else {
        NAMES.iter().any(|allowed| allowed.eq_ignore_ascii_case(name))
    }
}

#[cfg(unix)]
mod unix {
    use std::os::unix::process::CommandExt as _;

    use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};

    /// The process group that a child leads.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub(crate) struct Group(Pid);

    impl Group {
        /// The group led by the process `id`. Ids 0 and 1 would mean ourselves and the whole machine.
        pub(crate) fn of(id: u32) -> Option<Self> {
            let id = i32::try_from(id).ok().filter(|id| *id > 1)?;
            Pid::from_raw(id).map(Self)
        }

        /// Its id.
        pub(crate) fn id(self) -> i32 {
            self.0.as_raw_nonzero().get()
        }

        /// Asks every member to end.
        pub(crate) fn ask_to_end(self) {
            // An error means that nobody is left.
            let _ = kill_process_group(self.0, Signal::TERM);
        }

        /// Ends every member.
        pub(crate) fn end(self) {
            let _ = kill_process_group(self.0, Signal::KILL);
        }

        /// Whether it has members, dead and unreaped ones included.
        pub(crate) fn lives(self) -> bool {
            test_kill_process_group(self.0).is_ok()
        }
    }

    /// Makes the child lead a group of its own.
    pub(crate) fn lead_a_group(command: &mut std::process::Command) {
        command.process_group(0);
    }
}

#[cfg(not(unix))]
mod elsewhere {
    /// Stands for the child alone; the caller's handle to the child ends it.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub(crate) struct Group(u32);

    impl Group {
        pub(crate) fn of(id: u32) -> Option<Self> {
            Some(Self(id))
        }

        pub(crate) fn id(self) -> i32 {
            i32::try_from(self.0).unwrap_or(i32::MAX)
        }

        pub(crate) fn ask_to_end(self) {}

        pub(crate) fn end(self) {}

        pub(crate) fn lives(self) -> bool {
            false
        }
    }

    pub(crate) fn lead_a_group(_command: &mut std::process::Command) {}
}
