//! The data directory and small files in it, which only the serving user may read; made whole or not at all.

use crate::StoreError;
use ring::rand::{SecureRandom, SystemRandom};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

/// Makes the data directory, for its owner alone: ledger and keys in it are as private as the directory is. One that
/// is there keeps the mode that its operator gave it.
pub(crate) fn make_data_dir(data_dir: &Path) -> Result<(), StoreError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(data_dir)
        .map_err(StoreError::io("create the data directory", data_dir))
}

/// Reads the file, or makes it with `contents`. Of several processes that make it at once, one wins and all read its.
pub(crate) fn read_or_create(path: &Path, contents: &[u8]) -> Result<Vec<u8>, StoreError> {
    match fs::read(path) {
        Ok(found) => return Ok(found),
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(StoreError::io("read", path)(e)),
    }
    let draft = path.with_extension(format!("{}-{:?}.new", std::process::id(), std::thread::current().id()));
    let made = (|| {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
        file.write_all(contents)?;
        file.sync_all()?;
        // Unlike a rename, a link never replaces what somebody else made meanwhile.
        match fs::hard_link(&draft, path) {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => Err(e),
            _ => Ok(()),
        }
    })();
    let tidied = fs::remove_file(&draft);
    made.and(tidied).map_err(StoreError::io("create", path))?;
    if let Some(directory) = path.parent() {
        File::open(directory).and_then(|d| d.sync_all()).map_err(StoreError::io("create", path))?;
    }
    fs::read(path).map_err(StoreError::io("read", path))
}

/// 32 random bytes of the system.
pub(crate) fn random(path: &Path) -> Result<[u8; 32], StoreError> {
    let mut out = [0; 32];
    SystemRandom::new().fill(&mut out).map_err(|_| {
        StoreError::io("make random numbers for", path)(io::Error::other("the system gives none"))
    })?;
    Ok(out)
}

/// The admin token in `data_dir/admin-token`: 64 hexadecimal digits, made at the first call with mode 0600. An operator
/// may put another word there. Its file is [`admin_token_path`].
pub fn admin_token(data_dir: &Path) -> Result<String, StoreError> {
    let path = admin_token_path(data_dir);
    make_data_dir(data_dir)?;
    let mut fresh: String = random(&path)?.iter().map(|b| format!("{b:02x}")).collect();
    fresh.push('\n');
    let found = read_or_create(&path, fresh.as_bytes())?;
    let token = std::str::from_utf8(&found).unwrap_or_default().trim();
    if token.len() < 16 || !token.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(StoreError::Damaged {
            path,
            what: "the admin token must be at least 16 visible ASCII characters; delete the file to get a new one"
                .to_owned(),
        });
    }
    Ok(token.to_owned())
}

/// Where the admin token is.
pub fn admin_token_path(data_dir: &Path) -> std::path::PathBuf {
    data_dir.join("admin-token")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_admin_token_is_made_once_and_for_the_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let data = dir.path().join("deep/data");
        let first = admin_token(&data).unwrap();
        assert_eq!(first.len(), 64);
        assert_eq!(admin_token(&data).unwrap(), first);
        let mode = fs::metadata(admin_token_path(&data)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(&data).unwrap().count(), 1, "no draft is left");
    }

    #[test]
    fn whoever_makes_the_data_directory_makes_it_for_the_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let (token, keys, store) = (dir.path().join("a"), dir.path().join("b"), dir.path().join("c"));
        admin_token(&token).unwrap();
        crate::KeyRing::open(&keys).unwrap();
        crate::Store::open(&store, &crate::Options::default()).unwrap().close().unwrap();
        assert_eq!([mode(&token), mode(&keys), mode(&store)], [0o700; 3]);
        let given = dir.path().join("d");
        fs::create_dir(&given).unwrap();
        fs::set_permissions(&given, fs::Permissions::from_mode(0o750)).unwrap();
        crate::KeyRing::open(&given).unwrap();
        assert_eq!(mode(&given), 0o750, "a directory that is there is left as it is");
    }

    #[test]
    fn an_admin_token_of_the_operator_is_kept_and_an_empty_one_refused() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(admin_token_path(dir.path()), "correct-horse-battery\n").unwrap();
        assert_eq!(admin_token(dir.path()).unwrap(), "correct-horse-battery");
        fs::write(admin_token_path(dir.path()), "\n").unwrap();
        let refused = admin_token(dir.path()).unwrap_err().to_string();
        assert!(refused.contains("delete the file"), "{refused}");
    }

    #[test]
    fn everyone_who_makes_the_file_at_once_reads_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pepper");
        let made: Vec<Vec<u8>> = std::thread::scope(|s| {
            let path = &path;
            let all: Vec<_> =
                (0..8u8).map(|n| s.spawn(move || read_or_create(path, &[n; 32]).unwrap())).collect();
            all.into_iter().map(|t| t.join().unwrap()).collect()
        });
        assert!(made.iter().all(|m| *m == made[0] && m.len() == 32));
    }
}
