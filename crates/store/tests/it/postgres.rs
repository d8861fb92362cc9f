//! What a server may do to us: be away and come back, be somebody else, say nothing, vanish in the wrong moment.

use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use toolgate_store::{Address, Error, Store};
use toolgate_testkit::{Postgres, soon};

use crate::place::{Place, put, told};

/// The text of an [`Error::Unavailable`], which has no password in it.
fn unavailable<T: std::fmt::Debug>(outcome: Result<T, Error>) -> String {
    match outcome {
        Err(Error::Unavailable(text)) if !text.contains("password@") && !text.contains("secret") => text,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_server_that_comes_back_is_used_again() {
    let mut server = Postgres::start().await;
    let place = Place::postgres(server.database("tg"));
    let store = place.open().await;
    assert_eq!(store.write(&[put("a", "1")]).await, Ok(1));

    server.stop().await;
    for outcome in [store.write(&[put("a", "lost")]).await.map(drop), store.read().await.map(drop)] {
        let text = unavailable(outcome);
        assert!(text.contains("127.0.0.1") && text.contains("refused"), "{text}");
        assert!(!text.contains(server.password()), "{text}");
    }
    let opened = Store::open(&place.address).await;
    assert!(matches!(opened, Err(Error::Unavailable(_))), "{opened:?}");

    server.start_again().await;
    assert_eq!(store.write(&[put("a", "2")]).await, Ok(2), "at the first attempt");
    assert_eq!(told(&store.read().await.unwrap().records), [("a", "2", 2)]);

    // Its connections end while nobody uses them: nobody notices.
    server.sql("tg", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'toolgate'");
    assert_eq!(store.generation().await, Ok(2));
}

#[tokio::test]
async fn who_is_not_let_in_hears_why_and_no_password_is_shown() {
    let server = Postgres::start().await;
    let url = server.database("tg");
    let wrong = url.replace(server.password(), "a-secret");
    let text = unavailable(Store::open(&Address::parse(&wrong).unwrap()).await);
    assert!(text.contains("password authentication failed") && text.contains("pg_hba.conf"), "{text}");

    let text = unavailable(Store::open(&Address::parse(&server.url("nowhere")).unwrap()).await);
    assert!(text.contains("does not exist") && text.contains("Make the database"), "{text}");

    let nowhere = "postgres://user:a-secret@no-such-host.invalid/tg";
    let text = unavailable(soon("a refusal", Store::open(&Address::parse(nowhere).unwrap())).await);
    assert!(text.contains("no-such-host.invalid:5432"), "{text}");

    // A user who may use the tables but make none can use a store that is there.
    let place = Place::postgres(url.clone());
    let guest = server.url("tg").replace("toolgate:", "guest:").replace(server.password(), "g");
    server.sql("tg", "CREATE USER guest PASSWORD 'g'; REVOKE CREATE ON SCHEMA public FROM PUBLIC");
    let text = unavailable(Store::open(&Address::parse(&guest).unwrap()).await);
    assert!(text.contains("permission denied") && text.contains("Grant"), "{text}");
    place.open().await.write(&[put("a", "1")]).await.unwrap();
    server.sql("tg", "GRANT SELECT, INSERT, UPDATE, DELETE ON toolgate_meta, toolgate_records TO guest");
    assert_eq!(Place::postgres(guest).open().await.write(&[put("b", "2")]).await, Ok(2));
}

#[tokio::test]
async fn a_server_that_takes_no_writes_says_so() {
    let server = Postgres::start().await;
    let place = Place::postgres(server.database("tg"));
    place.open().await.write(&[put("a", "1")]).await.unwrap();
    server.sql("tg", "ALTER DATABASE tg SET default_transaction_read_only = on");
    let store = place.open().await;
    assert_eq!(store.generation().await, Ok(1), "it can be read");
    let text = unavailable(store.write(&[put("a", "2")]).await);
    assert!(text.contains("read-only") && text.contains("standby"), "{text}");
}

#[tokio::test]
async fn a_schema_of_ones_own_is_chosen_in_the_url() {
    let server = Postgres::start().await;
    let url = server.database("tg");
    server.sql("tg", "CREATE SCHEMA one; CREATE SCHEMA other");
    let place = |schema| Place::postgres(format!("{url}?options=-csearch_path%3D{schema}"));
    let (one, other) = (place("one").open().await, place("other").open().await);
    one.write(&[put("a", "1")]).await.unwrap();
    assert_eq!(other.generation().await, Ok(0));
    assert_eq!(server.sql("tg", "SELECT generation FROM one.toolgate_meta").trim(), "1");
}

#[tokio::test]
async fn a_lock_that_somebody_holds_is_not_waited_for_for_ever() {
    let server = Postgres::start().await;
    let url = server.database("tg");
    let store = Place::postgres(url.clone()).open().await;
    let holder = Place::postgres(url);
    let held = holder.sql("BEGIN; SELECT * FROM toolgate_meta FOR UPDATE; SELECT pg_sleep(60)");
    let refused = async {
        server_waits(&server).await;
        soon("a refusal", store.write(&[put("a", "1")])).await
    };
    tokio::select! {
        () = held => panic!("nobody ends it"),
        refused = refused => {
            let text = unavailable(refused);
            assert!(text.contains("lock timeout") && text.contains("Try again"), "{text}");
        }
    }
    assert_eq!(store.generation().await, Ok(0));
}

/// Waits until somebody sleeps in the server.
async fn server_waits(server: &Postgres) {
    toolgate_testkit::until("somebody holds the lock", || async {
        let count = server.sql("tg", "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'");
        (count.trim() == "1").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_server_without_a_word_is_given_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("postgres://user:a-secret@{}/tg", listener.local_addr().unwrap());
    // The system takes the connection; nobody ever reads from it.
    let text = unavailable(soon("it is given up", Store::open(&Address::parse(&url).unwrap())).await);
    assert!(text.contains("no answer"), "{text}");
}

#[tokio::test]
async fn a_write_whose_end_is_not_known_is_told_as_such() {
    let server = Arc::new(Postgres::start().await);
    let direct = Place::postgres(server.database("tg"));
    direct.open().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let front = listener.local_addr().unwrap().to_string();
    let back = direct.text.split('@').nth(1).unwrap().split('/').next().unwrap().to_owned();
    let proxy = tokio::spawn(async move {
        loop {
            let (client, _) = listener.accept().await.unwrap();
            tokio::spawn(until_commit(client, TcpStream::connect(back.clone()).await.unwrap()));
        }
    });
    let store =
        Place::postgres(direct.text.replace(direct.text.split(['@', '/']).nth(3).unwrap(), &front)).open().await;
    let text = unavailable(store.write(&[put("a", "1")]).await);
    assert!(text.contains("not known whether the write happened"), "{text}");
    // In this case it did.
    toolgate_testkit::until("the server has kept it", || async {
        let records = direct.open().await.read().await.unwrap().records;
        (told(&records) == [("a", "1", 1)]).then_some(())
    })
    .await;
    proxy.abort();
}

/// Carries bytes to and fro until the client commits; that is carried too, but no answer to it.
async fn until_commit(client: TcpStream, server: TcpStream) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let answers = tokio::spawn(async move {
        let _ = tokio::io::copy(&mut from_server, &mut to_client).await;
    });
    let mut buffer = vec![0; 1 << 16];
    while let Ok(len @ 1..) = from_client.read(&mut buffer).await {
        let commits = buffer[..len].windows(6).any(|window| window == b"COMMIT");
        if commits {
            answers.abort();
            // The half that wrote to the client goes with the task; the other one at the end of this function.
            let _ = answers.await;
            to_server.write_all(&buffer[..len]).await.unwrap();
            return;
        }
        to_server.write_all(&buffer[..len]).await.unwrap();
    }
}
