//! A Postgres of the test's own: a cluster in a temporary folder, on a free port, with a password, gone with its handle.
//!
//! The server refuses to run as root; then it runs as the user `postgres`, whom the system's package makes. `setpriv` sees to
//! that, and to it that the server ends with the thread that started it, however that ends.

use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use tempfile::TempDir;
use tokio::net::TcpStream;

use crate::process::{Signal, signal};
use crate::wait::until;

/// The user that owns the cluster, and its password.
const USER: &str = "toolgate";
const PASSWORD: &str = "a-password-of-tests";
/// Where Debian and its kin put the servers, each version in a folder of its own.
const DEBIAN: &str = "/usr/lib/postgresql";
/// It must survive its own end, not the machine's, and it listens nowhere but on a port of this machine.
const SETTINGS: [&str; 5] = [
    "fsync=off",
    "full_page_writes=off",
    "unix_socket_directories=",
    "listen_addresses=127.0.0.1",
    "max_connections=100",
];

/// A cluster; ended when dropped.
pub struct Postgres {
    programs: PathBuf,
    folder: TempDir,
    port: u16,
    server: Option<Child>,
}

// === impl Postgres ===

impl Postgres {
    /// Makes a cluster, starts it, and waits until it answers.
    pub async fn start() -> Self {
        let programs = programs().expect(
            "PostgreSQL's server is not installed; `cargo xtask test` installs it on Debian (the package `postgresql`)",
        );
        let folder = tempfile::tempdir().expect("a folder can be made");
        let mut postgres = Self { programs, folder, port: 0, server: None };
        postgres.make();
        // A port that is free now may be taken by the time the server wants it.
        for _ in 0..5 {
            postgres.port = free_port();
            if postgres.run().await {
                return postgres;
            }
        }
        panic!("the server does not start:\n{}", postgres.log());
    }

    /// A URL of a new, empty database.
    pub fn database(&self, name: &str) -> String {
        self.sql("postgres", &format!("CREATE DATABASE \"{name}\""));
        self.url(name)
    }

    /// The URL of a database.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{USER}:{PASSWORD}@127.0.0.1:{}/{database}", self.port)
    }

    /// The password in its URLs, which nothing may show.
    pub fn password(&self) -> &'static str {
        PASSWORD
    }

    /// Runs SQL in a database, and gives what it answers, unadorned.
    pub fn sql(&self, database: &str, sql: &str) -> String {
        let mut command = Command::new(self.programs.join("psql"));
        command.args(["--no-psqlrc", "--tuples-only", "--no-align", "--quiet", "--set=ON_ERROR_STOP=1"]);
        succeed(command.arg("--command").arg(sql).arg(self.url(database)))
    }

    /// Stops it; clients lose their connections, and the port does not answer.
    pub async fn stop(&mut self) {
        let server = self.server.take().expect("it runs");
        // As `pg_ctl stop -m immediate`: nobody is asked to leave.
        end(server).await;
    }

    /// Starts it again where it was.
    pub async fn start_again(&mut self) {
        assert!(self.server.is_none(), "it runs");
        assert!(self.run().await, "the server does not start again:\n{}", self.log());
    }

    /// The process id of the server.
    pub fn pid(&self) -> u32 {
        self.server.as_ref().expect("it runs").id()
    }

    /// The folder of its data.
    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn make(&self) {
        let password = self.folder.path().join("password");
        std::fs::write(&password, PASSWORD).expect("it can be written");
        if let Some((user, group)) = server_user() {
            for path in [self.folder.path(), &password] {
                std::os::unix::fs::chown(path, Some(user), Some(group)).expect("root may do that");
            }
        }
        let mut command = self.command("initdb");
        command.args(["--no-sync", "--no-instructions", "--auth=scram-sha-256", "--username", USER]);
        command.args(["--locale=C", "--encoding=UTF8", "--pwfile"]).arg(&password).arg("--pgdata").arg(self.data());
        succeed(&mut command);
    }

    /// Runs the server; whether it came to answer.
    async fn run(&mut self) -> bool {
        let log = std::fs::File::create(self.folder.path().join("log")).expect("it can be made");
        let mut command = self.command("postgres");
        command.arg("-D").arg(self.data()).args(["-p", &self.port.to_string()]);
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let mut server = command.spawn().expect("`setpriv` of util-linux can be started");
        let ended = until("the database answers", || {
            let answers = self.answers();
            let ended = server.try_wait().expect("it can be waited for").is_some();
            async move { (ended || answers.await).then_some(ended) }
        });
        if ended.await {
            return false;
        }
        self.server = Some(server);
        true
    }

    /// Whether it takes connections.
    fn answers(&self) -> impl Future<Output = bool> + use<> {
        let mut ready = Command::new(self.programs.join("pg_isready"));
        let port = self.port;
        ready.args(["--quiet", "--host=127.0.0.1", "--port", &port.to_string()]);
        async move {
            // The port first: a process for each look would be the dearest part of the wait.
            TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_ok()
                && ready.status().is_ok_and(|status| status.success())
        }
    }

    /// One of the server's programs, as a user it accepts, and no longer than this thread.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new("setpriv");
        command.current_dir(self.folder.path()).arg("--pdeathsig=QUIT");
        if let Some((user, group)) = server_user() {
            command.arg(format!("--reuid={user}")).arg(format!("--regid={group}")).arg("--clear-groups");
        }
        command.arg("--").arg(self.programs.join(program));
        command
    }

    /// What the server has said.
    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let Some(mut server) = self.server.take() else { return };
        signal(server.id(), Signal::QUIT);
        // Its folder goes next, so it must have ended; it does at once.
        let _ = server.wait();
    }
}

/// Ends a server and waits for it.
async fn end(mut server: Child) {
    signal(server.id(), Signal::QUIT);
    until("the database has ended", || {
        let ended = server.try_wait().expect("it can be waited for");
        async move { ended }
    })
    .await;
}

/// The folder with the server's programs: the newest that Debian has, or where `PATH` has them.
fn programs() -> Option<PathBuf> {
    let version = |path: &Path| path.file_name()?.to_str()?.parse::<u32>().ok();
    let debian = std::fs::read_dir(DEBIAN).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    let mut debian: Vec<PathBuf> = debian.filter(|path| version(path).is_some()).collect();
    debian.sort_by_key(|path| version(path));
    let debian = debian.into_iter().rev().map(|path| path.join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    debian
        .chain(std::env::split_paths(&path))
        .find(|folder| folder.join("initdb").exists() && folder.join("postgres").exists())
}

/// The user and group to run it as; `None` when this process is not root and may run it itself.
fn server_user() -> Option<(u32, u32)> {
    let own = std::fs::metadata("/proc/self").expect("this is Linux").uid();
    if own != 0 {
        return None;
    }
    let id = |what| succeed(Command::new("id").args([what, "postgres"])).trim().parse().expect("ids are numbers");
    Some((id("-u"), id("-g")))
}

/// A port that nobody listens on.
fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port can be bound");
    listener.local_addr().expect("it is bound").port()
}

/// Runs a program that must succeed, and gives what it prints.
fn succeed(command: &mut Command) -> String {
    let program = format!("{:?}", command.get_program());
    let Output { status, stdout, stderr } =
        command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{program} cannot be run: {error}"));
    assert!(status.success(), "{program} failed: {status}\n{}", String::from_utf8_lossy(&stderr));
    String::from_utf8_lossy(&stdout).into_owned()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use tokio::io::{AsyncBufReadExt as _, BufReader};

    use super::*;
    use crate::process::is_gone;
    use crate::wait::soon;

    #[tokio::test]
    async fn a_cluster_keeps_its_data_over_a_stop_and_nothing_of_it_stays() {
        let mut postgres = Postgres::start().await;
        postgres.database("tg");
        postgres.sql("tg", "CREATE TABLE numbers AS SELECT 42 AS number");
        postgres.stop().await;
        assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, postgres.port)).await.is_err());
        postgres.start_again().await;
        assert_eq!(postgres.sql("tg", "SELECT number FROM numbers"), "42\n");

        let (pid, folder) = (postgres.pid(), postgres.folder.path().to_owned());
        drop(postgres);
        is_gone(pid).await;
        assert!(!folder.exists());
    }

    #[tokio::test]
    async fn a_server_ends_with_a_test_that_is_killed() {
        const MARK: &str = "TOOLGATE_POSTGRES_OF_A_KILLED_TEST";
        if std::env::var_os(MARK).is_some() {
            let postgres = Postgres::start().await;
            // Not `println!`, which the harness may keep for itself.
            writeln!(std::io::stdout(), "\nserver {}", postgres.pid()).unwrap();
            std::future::pending::<()>().await;
        }
        let mut command = tokio::process::Command::new(std::env::current_exe().unwrap());
        command.args(["postgres::tests::a_server_ends_with_a_test_that_is_killed", "--exact", "--nocapture"]);
        // What a killed test leaves in the folder for temporary things is this test's to clear away.
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        command.env(MARK, "").env("TMPDIR", folder.path()).stdout(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let pid = loop {
            let line = soon("a line", lines.next_line()).await.unwrap().expect("it says its server's process id");
            if let Some(pid) = line.strip_prefix("server ") {
                break pid.parse().unwrap();
            }
        };
        child.kill().await.unwrap();
        is_gone(pid).await;
    }
}
