//! What a file of SQLite may be and meet: rights, strangers, locks and other processes.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Instant;

use sqlx::{Connection as _, Executor as _, SqliteConnection};
use toolgate_store::{Address, Error, Store};
use toolgate_testkit::soon;

use crate::contract::increment;
use crate::place::{Place, put, told};

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn path_of(place: &Place) -> &Path {
    match &place.address {
        Address::Sqlite(path) => path,
        Address::Postgres(_) => unreachable!("it is a file"),
    }
}

#[tokio::test]
async fn the_file_is_for_its_owner_only() {
    let place = Place::sqlite();
    let store = place.open().await;
    store.write(&[put("a", "a secret")]).await.unwrap();
    let path = path_of(&place);
    let folder = path.parent().unwrap();
    assert_eq!(mode(folder), 0o700);
    let files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.len() > 1, "it keeps a log beside the file: {files:?}");
    for file in files {
        assert_eq!(mode(&file), 0o600, "{file:?}");
    }
    store.close().await;
    let files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files, [path], "closed, it is one file, which can be copied");
}

#[tokio::test]
async fn what_is_not_ours_is_refused_and_not_touched() {
    let folder = tempfile::tempdir().unwrap();
    let garbage = folder.path().join("garbage.db");
    std::fs::write(&garbage, "this is no database\n".repeat(1000)).unwrap();
    let foreign = folder.path().join("foreign.db");
    let url = format!("sqlite://{}?mode=rwc", foreign.display());
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    connection.execute("CREATE TABLE cookies (value TEXT)").await.unwrap();
    connection.close().await.unwrap();
    for path in [garbage, foreign] {
        let before = std::fs::read(&path).unwrap();
        let opened = Store::open(&Address::Sqlite(path.clone())).await;
        assert!(matches!(&opened, Err(Error::Foreign(_))), "{opened:?}");
        assert_eq!(std::fs::read(&path).unwrap(), before);
    }
}

#[tokio::test]
async fn a_place_where_no_file_can_be_is_named_with_the_cause() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("file"), "").unwrap();
    for path in [folder.path().join("file/store.db"), folder.path().to_owned(), "/proc/store.db".into()] {
        match Store::open(&Address::Sqlite(path.clone())).await {
            Err(Error::Unavailable(text)) => assert!(text.contains(path.to_str().unwrap()), "{text}"),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn who_holds_the_lock_is_waited_for_but_not_for_ever() {
    let place = Place::sqlite();
    let store = place.open().await;
    store.write(&[put("a", "1")]).await.unwrap();
    let mut other = SqliteConnection::connect(&place.text).await.unwrap();
    other.execute("BEGIN IMMEDIATE").await.unwrap();

    let started = Instant::now();
    let refused = soon("a refusal", store.write(&[put("a", "2")])).await;
    assert!(matches!(&refused, Err(Error::Unavailable(text)) if text.contains("locked")), "{refused:?}");
    assert!(started.elapsed().as_secs() >= 4, "it did not wait");
    assert_eq!(told(&store.read().await.unwrap().records), [("a", "1", 1)], "readers do not wait");

    let changes = [put("a", "3")];
    let (written, ()) = futures_util::join!(store.write(&changes), async {
        other.execute("COMMIT").await.unwrap();
    });
    assert_eq!(written, Ok(2));
}

#[tokio::test]
async fn a_file_that_was_removed_or_replaced_is_not_written_to_any_more() {
    let place = Place::sqlite();
    let backup = place.open().await;
    backup.write(&[put("a", "of the backup")]).await.unwrap();
    backup.close().await;
    let path = path_of(&place);
    let saved = std::fs::read(path).unwrap();

    let store = place.open().await;
    store.write(&[put("a", "newer")]).await.unwrap();
    for entry in std::fs::read_dir(path.parent().unwrap()).unwrap() {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    }
    let refused = store.write(&[put("a", "lost")]).await;
    assert!(matches!(&refused, Err(Error::Unavailable(text)) if text.contains("gone")), "{refused:?}");

    // As `cp` beside it and `mv` do.
    let beside = path.with_extension("restored");
    std::fs::write(&beside, saved).unwrap();
    std::fs::rename(beside, path).unwrap();
    assert_eq!(told(&store.read().await.unwrap().records), [("a", "of the backup", 1)]);
    assert_eq!(store.write(&[put("a", "kept")]).await, Ok(2));
    assert_eq!(told(&place.open().await.read().await.unwrap().records), [("a", "kept", 2)]);
}

#[tokio::test]
async fn two_processes_share_a_file() {
    const FILE: &str = "TOOLGATE_STORE_OF_ANOTHER_PROCESS";
    const EACH: u32 = 20;
    if let Ok(text) = std::env::var(FILE) {
        let store = Store::open(&Address::parse(&text).unwrap()).await.unwrap();
        for _ in 0..EACH {
            increment(&store).await;
        }
        return;
    }
    let place = Place::sqlite();
    let store = place.open().await;
    store.write(&[put("count", "0")]).await.unwrap();
    let mut command = tokio::process::Command::new(std::env::current_exe().unwrap());
    command.args(["sqlite::two_processes_share_a_file", "--exact"]).env(FILE, &place.text).kill_on_drop(true);
    let mut other = command.stdout(std::process::Stdio::null()).spawn().unwrap();
    for _ in 0..EACH {
        increment(&store).await;
    }
    assert!(soon("the other process ends", other.wait()).await.unwrap().success());
    assert_eq!(told(&store.read().await.unwrap().records), [("count", "40", 41)]);
}
