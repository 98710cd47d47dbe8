//! Keys as two processes see them: a server that checks, and a command that makes and revokes.

#![allow(clippy::unwrap_used)]

use model::Timestamp;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use store::{KeyRefusal, KeyRing, NewKey};

const NOW: Timestamp = Timestamp(1_795_348_800_000_000);

fn new_key() -> NewKey {
    NewKey {
        team: "support".into(),
        workflows: vec!["refund-triage".into(), "macro-drafting".into()],
        data_class: Some("phi".into()),
        expires: None,
        name: Some("helpdesk".into()),
    }
}

#[test]
fn a_key_made_beside_a_server_is_accepted_after_a_refresh_and_refused_after_it_is_revoked() {
    let dir = tempfile::tempdir().unwrap();
    let server = KeyRing::open(dir.path()).unwrap();
    assert!(server.is_empty());
    let command = KeyRing::open(dir.path()).unwrap();
    assert!(!server.refresh().unwrap());
    let made = command.create(&new_key(), NOW).unwrap();
    assert_eq!(server.verify(&made.key, NOW), Err(KeyRefusal::Unknown), "not looked yet");
    assert!(server.refresh().unwrap());
    assert!(!server.refresh().unwrap(), "a change is taken over once");
    assert!(!server.is_empty());
    let session = server.verify(&made.key, NOW).unwrap();
    assert_eq!((&*session.key_id, &*session.team), (made.id.as_str(), "support"));
    assert_eq!(
        session.workflows.iter().map(|w| &**w).collect::<Vec<_>>(),
        ["refund-triage", "macro-drafting"]
    );
    assert_eq!(session.data_class.as_deref(), Some("phi"));
    assert!(command.revoke(&made.id, NOW).unwrap());
    assert!(!command.revoke(&made.id, NOW).unwrap(), "revoked already");
    assert_eq!(command.verify(&made.key, NOW), Err(KeyRefusal::Revoked), "its own change is known at once");
    assert!(server.refresh().unwrap());
    assert_eq!(server.verify(&made.key, NOW), Err(KeyRefusal::Revoked));
    assert!(!server.is_empty(), "a gateway whose last key is revoked does not open to everyone");
    let again = KeyRing::open(dir.path()).unwrap();
    assert_eq!(again.verify(&made.key, NOW), Err(KeyRefusal::Revoked));
}

#[test]
fn a_key_ends_at_its_time() {
    let dir = tempfile::tempdir().unwrap();
    let keys = KeyRing::open(dir.path()).unwrap();
    let end = Timestamp(NOW.0 + 1_000_000);
    let made = keys.create(&NewKey { expires: Some(end), ..new_key() }, NOW).unwrap();
    assert!(keys.verify(&made.key, Timestamp(end.0 - 1)).is_ok());
    assert_eq!(keys.verify(&made.key, end), Err(KeyRefusal::Expired));
}

#[test]
fn a_wrong_secret_an_unknown_id_and_a_malformed_key_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let keys = KeyRing::open(dir.path()).unwrap();
    let made = keys.create(&NewKey { expires: Some(NOW), ..new_key() }, NOW).unwrap();
    let other = keys.create(&new_key(), NOW).unwrap();
    for at in 16..made.key.len() {
        let wrong = |c: char| if c == '0' { '1' } else { '0' };
        let changed: String =
            made.key.chars().enumerate().map(|(i, c)| if i == at { wrong(c) } else { c }).collect();
        // Only who holds the key learns that it has expired.
        assert_eq!(keys.verify(&changed, NOW), Err(KeyRefusal::Unknown), "character {at}");
    }
    let (_, secret) = other.key.rsplit_once('_').unwrap();
    let mixed = format!("pm_{}_{secret}", made.id);
    assert_eq!(keys.verify(&mixed, NOW), Err(KeyRefusal::Unknown), "another key's secret");
    let unknown = format!("pm_zzzzzzzzzzzz_{secret}");
    assert_eq!(keys.verify(&unknown, NOW), Err(KeyRefusal::Unknown));
    for text in ["", "pm_", "sk-ant-api03-abc", "pm_abc_def", &made.key[1..], "pm_' OR 1=1 --_x", "\0\0"] {
        assert_eq!(keys.verify(text, NOW), Err(KeyRefusal::Malformed), "{text:?}");
    }
}

#[test]
fn the_list_tells_everything_but_the_key() {
    let dir = tempfile::tempdir().unwrap();
    let keys = KeyRing::open(dir.path()).unwrap();
    let made = keys.create(&new_key(), NOW).unwrap();
    let second =
        keys.create(&NewKey { team: "ops".into(), ..NewKey::default() }, Timestamp(NOW.0 + 1)).unwrap();
    keys.revoke(&second.id, Timestamp(NOW.0 + 2)).unwrap();
    let list = keys.list().unwrap();
    assert_eq!(list.len(), 2);
    assert_eq!((&list[0].id, &list[0].settings, list[0].revoked), (&made.id, &new_key(), None));
    assert_eq!(list[1].revoked, Some(Timestamp(NOW.0 + 2)));
    let secret = made.key.rsplit_once('_').unwrap().1;
    let shown = format!("{list:?} {keys:?} {made:?}");
    assert!(!shown.contains(secret), "{shown}");
}

#[test]
fn neither_key_nor_secret_is_on_the_disk_and_the_pepper_is_the_owners_alone() {
    let dir = tempfile::tempdir().unwrap();
    let keys = KeyRing::open(dir.path()).unwrap();
    let made = keys.create(&new_key(), NOW).unwrap();
    let secret = made.key.rsplit_once('_').unwrap().1.as_bytes();
    for entry in fs::read_dir(dir.path()).unwrap() {
        let path = entry.unwrap().path();
        let bytes = fs::read(&path).unwrap();
        assert!(!bytes.windows(secret.len()).any(|w| w == secret), "{}", path.display());
    }
    let pepper = dir.path().join("pepper");
    assert_eq!(fs::metadata(&pepper).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(&pepper).unwrap().len(), 32);
}

#[test]
fn a_lost_pepper_is_an_error_and_not_a_new_pepper() {
    let dir = tempfile::tempdir().unwrap();
    let keys = KeyRing::open(dir.path()).unwrap();
    let made = keys.create(&new_key(), NOW).unwrap();
    drop(keys);
    let pepper = dir.path().join("pepper");
    let bytes = fs::read(&pepper).unwrap();
    fs::remove_file(&pepper).unwrap();
    let refused = KeyRing::open(dir.path()).unwrap_err().to_string();
    assert!(refused.contains("pepper is missing") && refused.contains("backup"), "{refused}");
    assert!(!pepper.exists());
    fs::write(&pepper, b"short").unwrap();
    assert!(KeyRing::open(dir.path()).unwrap_err().to_string().contains("32 bytes"));
    fs::write(&pepper, bytes).unwrap();
    assert!(KeyRing::open(dir.path()).unwrap().verify(&made.key, NOW).is_ok());
}

#[test]
fn keys_of_another_directory_open_nothing() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let made = KeyRing::open(one.path()).unwrap().create(&new_key(), NOW).unwrap();
    fs::copy(one.path().join("keys.db"), two.path().join("stolen.db")).unwrap();
    let other = KeyRing::open(two.path()).unwrap();
    assert_eq!(other.verify(&made.key, NOW), Err(KeyRefusal::Unknown));
}

#[test]
fn two_commands_at_once_both_make_their_keys() {
    let dir = tempfile::tempdir().unwrap();
    let made: Vec<String> = std::thread::scope(|s| {
        let dir = dir.path();
        let all: Vec<_> = (0..4)
            .map(|_| {
                s.spawn(move || {
                    let keys = KeyRing::open(dir).unwrap();
                    (0..10).map(|_| keys.create(&new_key(), NOW).unwrap().key).collect::<Vec<_>>()
                })
            })
            .collect();
        all.into_iter().flat_map(|t| t.join().unwrap()).collect()
    });
    let keys = KeyRing::open(dir.path()).unwrap();
    assert_eq!(keys.list().unwrap().len(), 40);
    assert!(made.iter().all(|key| keys.verify(key, NOW).is_ok()));
}
