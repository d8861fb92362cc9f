//! What holds for both kinds of store: a function for each property, run on both.

use futures_util::future::join_all;
use toolgate_store::Expected::{Anything, Nothing, Version};
use toolgate_store::{Change, Error, Store, limits};

use crate::model;
use crate::place::{Place, expecting, put, remove, told};

/// Each property as a test of its own on SQLite, and all of them in turn on databases of one Postgres, which is dear to start.
macro_rules! properties {
    ($($property:ident,)*) => {
        $(
            #[tokio::test]
            async fn $property() {
                properties::$property(&Place::sqlite()).await;
            }
        )*

        #[tokio::test]
        async fn all_of_them_on_postgres() {
            let server = toolgate_testkit::Postgres::start().await;
            $(
                let name = stringify!($property);
                println!("{name}");
                properties::$property(&Place::postgres(server.database(name))).await;
            )*
        }
    };
}

properties! {
    a_new_store_is_empty,
    what_was_written_is_read_in_the_order_of_keys,
    what_was_written_survives,
    a_change_finds_what_it_expects_or_nothing_happens,
    one_conflict_undoes_the_whole_write,
    a_record_that_was_made_again_never_has_an_old_version,
    changes_of_one_write_see_each_other,
    positions_tell_who_came_first,
    another_handle_sees_that_the_generation_has_grown,
    concurrent_changes_lose_nothing,
    limits_are_named,
    the_whole_is_bounded,
    any_text_is_kept_as_it_is,
    a_newer_schema_is_left_alone,
    damaged_tables_are_not_taken_for_an_empty_store,
    a_closed_store_says_so,
    many_may_open_it_at_once,
    it_behaves_like_a_map,
}

mod properties {
    use super::*;

    pub(super) async fn a_new_store_is_empty(place: &Place) {
        let store = place.open().await;
        assert_eq!(store.generation().await, Ok(0));
        let read = store.read().await.unwrap();
        assert_eq!((read.generation, read.records), (0, vec![]));
        assert_eq!(store.write(&[]).await, Ok(0), "a write of nothing is none");
    }

    pub(super) async fn what_was_written_is_read_in_the_order_of_keys(place: &Place) {
        let store = place.open().await;
        assert_eq!(store.write(&[put("b", "1"), put("ä", "2"), put("B", "3"), put("a/b", "4")]).await, Ok(1));
        assert_eq!(store.write(&[put("a", "5"), put("b", "6"), remove("B")]).await, Ok(2));
        let read = store.read().await.unwrap();
        assert_eq!(read.generation, 2);
        assert_eq!(told(&read.records), [("a", "5", 2), ("a/b", "4", 1), ("b", "6", 2), ("ä", "2", 1)]);
    }

    pub(super) async fn what_was_written_survives(place: &Place) {
        let store = place.open().await;
        store.write(&[put("a", "1"), put("b", "2")]).await.unwrap();
        let before = store.read().await.unwrap();
        store.close().await;
        let store = place.open().await;
        assert_eq!(store.read().await.unwrap(), before);
        assert_eq!(store.write(&[remove("a")]).await, Ok(2));
        // Not closed, as after a crash.
        drop(store);
        assert_eq!(told(&place.open().await.read().await.unwrap().records), [("b", "2", 1)]);
    }

    pub(super) async fn a_change_finds_what_it_expects_or_nothing_happens(place: &Place) {
        let store = place.open().await;
        store.write(&[put("there", "1")]).await.unwrap();
        let conflict = |key: &str, current| Err(Error::Conflict { key: key.to_owned(), current });
        for (expected, key, outcome) in [
            (Nothing, "there", conflict("there", Some(1))),
            (Version(0), "there", conflict("there", Some(1))),
            (Version(2), "there", conflict("there", Some(1))),
            (Version(1), "not there", conflict("not there", None)),
            (Anything, "there", Ok(2)),
            (Version(2), "there", Ok(3)),
            (Nothing, "new", Ok(4)),
            (Nothing, "new", conflict("new", Some(4))),
            (Anything, "newer", Ok(5)),
        ] {
            let before = store.read().await.unwrap();
            assert_eq!(store.write(&[expecting(expected, put(key, "2"))]).await, outcome, "{expected:?} of {key}");
            let refused = store.write(&[expecting(Version(77), remove(key))]).await;
            assert!(matches!(refused, Err(Error::Conflict { .. })), "removals expect something too");
            assert_eq!(store.read().await.unwrap() == before, outcome.is_err());
        }
        assert_eq!(store.write(&[expecting(Version(3), remove("there"))]).await, Ok(6));
        assert_eq!(store.write(&[expecting(Version(3), remove("there"))]).await, conflict("there", None));
        assert_eq!(
            store.write(&[expecting(Nothing, remove("there"))]).await,
            Ok(7),
            "what is not there can be removed"
        );
        let text = store.write(&[expecting(Nothing, put("new", "2"))]).await.unwrap_err().to_string();
        assert!(text.contains("`new`") && text.contains("version 4"), "{text}");
    }

    pub(super) async fn one_conflict_undoes_the_whole_write(place: &Place) {
        let store = place.open().await;
        store.write(&[put("a", "1"), put("b", "1")]).await.unwrap();
        let before = store.read().await.unwrap();
        let changes = [put("a", "2"), put("c", "2"), remove("b"), expecting(Nothing, put("a", "3")), put("d", "2")];
        assert_eq!(store.write(&changes).await, Err(Error::Conflict { key: "a".to_owned(), current: Some(2) }));
        assert_eq!(store.read().await.unwrap(), before);
        assert_eq!(store.write(&[put("a", "2")]).await, Ok(2), "the failed write has taken no generation");
    }

    pub(super) async fn a_record_that_was_made_again_never_has_an_old_version(place: &Place) {
        let store = place.open().await;
        let first = store.write(&[put("a", "1")]).await.unwrap();
        store.write(&[remove("a")]).await.unwrap();
        let second = store.write(&[expecting(Nothing, put("a", "1"))]).await.unwrap();
        assert!(second > first);
        let late = store.write(&[expecting(Version(first), put("a", "late"))]).await;
        assert_eq!(late, Err(Error::Conflict { key: "a".to_owned(), current: Some(second) }));
    }

    pub(super) async fn changes_of_one_write_see_each_other(place: &Place) {
        let store = place.open().await;
        let changes =
            [put("a", "1"), remove("a"), expecting(Nothing, put("a", "2")), expecting(Version(1), put("a", "3"))];
        assert_eq!(store.write(&changes).await, Ok(1));
        assert_eq!(told(&store.read().await.unwrap().records), [("a", "3", 1)]);
    }

    pub(super) async fn positions_tell_who_came_first(place: &Place) {
        let store = place.open().await;
        store.write(&[put("c", "1"), put("a", "1")]).await.unwrap();
        store.write(&[put("b", "1"), put("d", "1")]).await.unwrap();
        store.write(&[put("c", "changed"), remove("a")]).await.unwrap();
        store.write(&[put("a", "made again")]).await.unwrap();
        let mut records = store.read().await.unwrap().records;
        records.sort_by_key(|record| record.position);
        assert_eq!(records.iter().map(|record| &*record.key).collect::<Vec<_>>(), ["c", "b", "d", "a"]);
    }

    pub(super) async fn another_handle_sees_that_the_generation_has_grown(place: &Place) {
        let (one, other) = (place.open().await, place.open().await);
        for generation in 1..=5 {
            let writer = if generation % 2 == 0 { &one } else { &other };
            assert_eq!(writer.write(&[put("a", "x")]).await, Ok(generation));
            assert_eq!(one.generation().await, Ok(generation));
            assert_eq!(other.generation().await, Ok(generation));
            assert_eq!(one.read().await.unwrap(), other.clone().read().await.unwrap());
        }
    }

    pub(super) async fn concurrent_changes_lose_nothing(place: &Place) {
        let handles = join_all((0..5).map(|_| place.open())).await;
        handles[0].write(&[put("count", "0")]).await.unwrap();
        join_all((0..50).map(|task| increment(&handles[task % handles.len()]))).await;
        let read = handles[0].read().await.unwrap();
        assert_eq!(told(&read.records), [("count", "50", 51)]);
        assert_eq!(read.generation, 51, "each took one generation, and no attempt that failed did");
    }

    pub(super) async fn limits_are_named(place: &Place) {
        let store = place.open().await;
        let long = |len: usize| "x".repeat(len);
        let too_large = async |changes: Vec<Change>, limit: &str| match store.write(&changes).await {
            Err(Error::TooLarge(text)) => assert!(text.contains(limit), "{text}"),
            other => panic!("{other:?}"),
        };
        too_large(vec![put("a", &long(limits::VALUE + 1))], "256 KiB").await;
        too_large(vec![put(&long(limits::KEY + 1), "")], "512 bytes").await;
        too_large(vec![put("a", ""); limits::CHANGES + 1], "1000").await;
        assert_eq!(store.generation().await, Ok(0));
        store.write(&vec![put("a", &long(limits::VALUE)); 2]).await.unwrap();
        store.write(&[put(&long(limits::KEY), "")]).await.unwrap();
        store.write(&vec![put("b", ""); limits::CHANGES]).await.unwrap();
        let lens: Vec<_> = store.read().await.unwrap().records.iter().map(|r| (r.key.len(), r.value.len())).collect();
        assert_eq!(lens, [(1, limits::VALUE), (1, 0), (limits::KEY, 0)]);
    }

    pub(super) async fn the_whole_is_bounded(place: &Place) {
        let store = place.open().await;
        fill(place, limits::RECORDS - 1, 1).await;
        assert_eq!(store.write(&[put("last", "")]).await, Ok(1));
        let more = store.write(&[put("one more", "")]).await.unwrap_err();
        assert!(matches!(&more, Error::TooLarge(text) if text.contains("10000")), "{more}");
        assert_eq!(store.write(&[remove("last"), put("one more", "")]).await, Ok(2), "one for another");
        assert_eq!(store.read().await.unwrap().records.len(), limits::RECORDS);

        place.sql("DELETE FROM toolgate_records").await;
        fill(place, limits::TOTAL / limits::VALUE - 1, limits::VALUE).await;
        assert_eq!(store.write(&[put("small", "x")]).await, Ok(3));
        let more = store.write(&[put("large", &"x".repeat(limits::VALUE))]).await.unwrap_err();
        assert!(matches!(&more, Error::TooLarge(text) if text.contains("64 MiB")), "{more}");
        assert_eq!(store.read().await.unwrap().generation, 3, "the fullest store can be read");
    }

    pub(super) async fn any_text_is_kept_as_it_is(place: &Place) {
        let store = place.open().await;
        let texts = [
            "",
            " ",
            "\0",
            "a\0b",
            "'; DROP TABLE toolgate_records; --",
            "日本語",
            "e\u{301} é",
            "\u{10ffff}\r\n",
            "%_\\",
        ];
        let changes: Vec<_> = texts.iter().map(|text| put(text, text)).collect();
        store.write(&changes).await.unwrap();
        let mut sorted = texts;
        sorted.sort_unstable();
        assert_eq!(told(&store.read().await.unwrap().records), sorted.map(|text| (text, text, 1)));
        store.write(&texts.map(remove)).await.unwrap();
        assert_eq!(store.read().await.unwrap().records, []);
    }

    pub(super) async fn a_newer_schema_is_left_alone(place: &Place) {
        let store = place.open().await;
        store.write(&[put("a", "1")]).await.unwrap();
        place.sql("UPDATE toolgate_meta SET schema_version = 99").await;
        for refused in [
            Store::open(&place.address).await.map(drop),
            store.read().await.map(drop),
            store.generation().await.map(drop),
            store.write(&[put("a", "2")]).await.map(drop),
        ] {
            match refused {
                Err(Error::Foreign(text)) => {
                    let place = place.address.to_string();
                    assert!(text.contains("newer") && text.contains("99") && text.contains(&place), "{text}");
                }
                other => panic!("{other:?}"),
            }
        }
        place.sql("UPDATE toolgate_meta SET schema_version = 1").await;
        assert_eq!(told(&store.read().await.unwrap().records), [("a", "1", 1)], "nothing was written meanwhile");
    }

    pub(super) async fn damaged_tables_are_not_taken_for_an_empty_store(place: &Place) {
        let store = place.open().await;
        store.write(&[put("a", "1")]).await.unwrap();
        for damage in ["ALTER TABLE toolgate_records RENAME COLUMN value TO other", "DELETE FROM toolgate_meta"] {
            place.sql(damage).await;
            let (read, write) = (store.read().await, store.write(&[put("a", "2")]).await);
            assert!(matches!(read, Err(Error::Foreign(_))), "{damage}: {read:?}");
            assert!(matches!(write, Err(Error::Foreign(_))), "{damage}: {write:?}");
        }
        let opened = Store::open(&place.address).await;
        assert!(matches!(opened, Err(Error::Foreign(_))), "{opened:?}");
    }

    pub(super) async fn a_closed_store_says_so(place: &Place) {
        let store = place.open().await;
        let writes = join_all((0..6).map(|n| {
            let store = store.clone();
            async move { store.write(&[put(&n.to_string(), "")]).await }
        }));
        let (written, ()) = futures_util::join!(writes, store.close());
        let read = store.read().await;
        assert!(matches!(&read, Err(Error::Unavailable(text)) if text.contains("closed")), "{read:?}");
        store.close().await;
        // Each was finished or refused, and none of them half.
        let done = written.iter().filter(|outcome| outcome.is_ok()).count();
        assert_eq!(place.open().await.read().await.unwrap().records.len(), done);
    }

    pub(super) async fn many_may_open_it_at_once(place: &Place) {
        let stores = join_all((0..8).map(|_| Store::open(&place.address))).await;
        for (at, store) in stores.into_iter().enumerate() {
            store.unwrap().write(&[expecting(Nothing, put(&at.to_string(), ""))]).await.unwrap();
        }
        assert_eq!(place.open().await.read().await.unwrap().records.len(), 8);
    }

    pub(super) async fn it_behaves_like_a_map(place: &Place) {
        model::holds(place.open().await).await;
    }
}

/// Adds one to the record `count` as a replica would: reads, writes what it has read and one more, and begins again when
/// somebody was faster.
pub(crate) async fn increment(store: &Store) {
    loop {
        let records = store.read().await.unwrap().records;
        let count: u32 = records[0].value.parse().unwrap();
        let change = expecting(Version(records[0].version), put("count", &(count + 1).to_string()));
        match store.write(&[change]).await {
            Ok(_) => return,
            Err(Error::Conflict { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

/// Puts records into the table without the store, which would take its time.
async fn fill(place: &Place, count: usize, len: usize) {
    let bytes = if place.text.starts_with("sqlite") {
        format!("CAST('k' || n AS BLOB), zeroblob({len})")
    } else {
        format!("convert_to('k' || n, 'UTF8'), convert_to(repeat('x', {len}), 'UTF8')")
    };
    let sql = format!(
        "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < {count}) \
         INSERT INTO toolgate_records (key, value, version, position) SELECT {bytes}, 0, n FROM numbers"
    );
    place.sql(&sql).await;
}
