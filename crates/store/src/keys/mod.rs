//! Who calls: client keys, checked in memory, kept in `keys.db` as HMACs under a pepper that lives in a file of its own.
//!
//! A key is shown once, when it is made. The database has a file to itself so that one cheap question (`PRAGMA
//! data_version`) tells a server that another process made or revoked a key. Revoked and expired keys stay in the table:
//! whoever made a key once is never again served without one.

mod table;
mod token;

use crate::{StoreError, secret_file, sqlite};
use model::{Session, Timestamp};
use rusqlite::Connection;
use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use table::Record;
use token::Pepper;

/// The keys of a data directory. Cheap to ask, shared by every thread; several processes may hold one at a time.
pub struct KeyRing {
    path: PathBuf,
    pepper: Pepper,
    table: Mutex<Table>,
    snapshot: RwLock<Arc<Snapshot>>,
}

struct Table {
    db: Connection,
    /// `PRAGMA data_version` at the last look: other connections' commits change it.
    version: i64,
}

/// The keys by id, as they were at the last look.
type Snapshot = HashMap<Box<str>, Entry>;

struct Entry {
    stored: [u8; 32],
    expires: Option<Timestamp>,
    revoked: bool,
    session: Arc<Session>,
}

/// A key to be made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewKey {
    /// Whose it is.
    pub team: String,
    /// The only workflows it may call; empty for all of its team's.
    pub workflows: Vec<String>,
    /// The least data class of its requests.
    pub data_class: Option<String>,
    /// From when on it is refused.
    pub expires: Option<Timestamp>,
    /// What people call it.
    pub name: Option<String>,
}

/// A key that was just made.
pub struct Created {
    /// Its public id.
    pub id: String,
    /// The key itself. Kept nowhere: show it, then forget it.
    pub key: String,
}

impl fmt::Debug for Created {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Created").field("id", &self.id).field("key", &"(not shown)").finish()
    }
}

/// What is known of a key; nothing secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyInfo {
    /// Its public id.
    pub id: String,
    /// What it may do and whose it is.
    pub settings: NewKey,
    /// When it was made.
    pub created: Timestamp,
    /// When it was revoked, if it was.
    pub revoked: Option<Timestamp>,
}

/// Why a key was refused. A caller outside learns the difference only if it holds the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyRefusal {
    /// Not in the form of a key.
    Malformed,
    /// No such key.
    Unknown,
    /// It was revoked.
    Revoked,
    /// Its time is over.
    Expired,
}

impl fmt::Display for KeyRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            KeyRefusal::Malformed => "this is not a key of the gateway (pm_..._...)",
            KeyRefusal::Unknown => "the gateway does not know this key",
            KeyRefusal::Revoked => "this key was revoked",
            KeyRefusal::Expired => "this key has expired",
        })
    }
}

impl std::error::Error for KeyRefusal {}

impl KeyRing {
    /// Opens the keys of a data directory, making database and pepper if there are none. Works beside a server.
    pub fn open(data_dir: &Path) -> Result<KeyRing, StoreError> {
        secret_file::make_data_dir(data_dir)?;
        let path = data_dir.join("keys.db");
        let pepper_path = data_dir.join("pepper");
        let db = sqlite::open(&path, table::STEPS)?;
        let mut table = Table { db, version: 0 };
        let records = table.load().map_err(StoreError::db("read the keys", &path))?;
        if !records.is_empty() && !pepper_path.exists() {
            return Err(StoreError::Damaged {
                path: pepper_path,
                what: format!(
                    "the pepper is missing, without it none of the {} keys can be checked; restore the file from a \
                     backup, or remove keys.db and make new keys",
                    records.len()
                ),
            });
        }
        let bytes = secret_file::read_or_create(&pepper_path, &secret_file::random(&pepper_path)?)?;
        let bytes = <[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| StoreError::Damaged {
            path: pepper_path,
            what: "the pepper must be 32 bytes; restore the file from a backup".to_owned(),
        })?;
        Ok(KeyRing {
            path,
            pepper: Pepper::new(&bytes),
            table: Mutex::new(table),
            snapshot: RwLock::new(Arc::new(snapshot(records))),
        })
    }

    /// Who holds the key `presented`. The same work is done whether its id is known or not.
    pub fn verify(&self, presented: &str, now: Timestamp) -> Result<Arc<Session>, KeyRefusal> {
        let id = token::id(presented).ok_or(KeyRefusal::Malformed)?;
        let keys = self.snapshot();
        let entry = keys.get(id);
        let stored = entry.map_or(&[0; 32], |entry| &entry.stored);
        let fits = self.pepper.fits(presented, stored);
        match entry {
            Some(entry) if fits && entry.revoked => Err(KeyRefusal::Revoked),
            Some(entry) if fits && entry.expires.is_some_and(|end| end <= now) => Err(KeyRefusal::Expired),
            Some(entry) if fits => Ok(entry.session.clone()),
            _ => Err(KeyRefusal::Unknown),
        }
    }

    /// Whether no key was ever made here.
    pub fn is_empty(&self) -> bool {
        self.snapshot().is_empty()
    }

    /// Looks whether another process changed the keys and takes the change over. True if there was one. A few
    /// microseconds when there was none: call it several times a second.
    pub fn refresh(&self) -> Result<bool, StoreError> {
        let mut table = self.table();
        let fail = StoreError::db("read the keys", &self.path);
        let changed =
            table.changed().and_then(|changed| if changed { table.load().map(Some) } else { Ok(None) });
        match changed.map_err(fail)? {
            Some(records) => {
                self.replace(records);
                Ok(true)
            }
            None => Ok(false),
        }
    }

    /// Makes a key.
    pub fn create(&self, new: &NewKey, now: Timestamp) -> Result<Created, StoreError> {
        let (id, key) = token::compose(secret_file::random(&self.path)?, secret_file::random(&self.path)?);
        let stored = self.pepper.seal(&key);
        let info = KeyInfo { id: id.clone(), settings: new.clone(), created: now, revoked: None };
        self.change("store the key", |db| table::insert(db, &Record { info, stored }))?;
        Ok(Created { id, key })
    }

    /// Revokes a key for good. False if there is none of that id or it is revoked already.
    pub fn revoke(&self, id: &str, now: Timestamp) -> Result<bool, StoreError> {
        self.change("revoke the key", |db| table::revoke(db, id, now))
    }

    /// Every key, oldest first, revoked ones included.
    pub fn list(&self) -> Result<Vec<KeyInfo>, StoreError> {
        let records = table::all(&self.table().db).map_err(StoreError::db("read the keys", &self.path))?;
        Ok(records.into_iter().map(|r| r.info).collect())
    }

    fn change<T>(
        &self,
        doing: &'static str,
        change: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let mut table = self.table();
        let fail = |e| StoreError::db(doing, &self.path)(e);
        let done = change(&table.db).map_err(fail)?;
        let records = table.load().map_err(fail)?;
        self.replace(records);
        Ok(done)
    }

    fn replace(&self, records: Vec<Record>) {
        let next = Arc::new(snapshot(records));
        *self.snapshot.write().unwrap_or_else(PoisonError::into_inner) = next;
    }

    fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyRing").field("path", &self.path).field("keys", &self.snapshot().len()).finish()
    }
}

impl Table {
    /// Whether another connection committed since the last look.
    fn changed(&self) -> rusqlite::Result<bool> {
        Ok(self.data_version()? != self.version)
    }

    fn data_version(&self) -> rusqlite::Result<i64> {
        self.db.prepare_cached("PRAGMA data_version")?.query_row([], |row| row.get(0))
    }

    /// Reads every key. The version is taken first: a commit in between is seen again rather than missed.
    fn load(&mut self) -> rusqlite::Result<Vec<Record>> {
        let version = self.data_version()?;
        let records = table::all(&self.db)?;
        self.version = version;
        Ok(records)
    }
}

fn snapshot(records: Vec<Record>) -> Snapshot {
    let entry = |record: Record| {
        let KeyInfo { id, settings, revoked, .. } = record.info;
        let session = Session {
            key_id: id.as_str().into(),
            team: settings.team.into(),
            workflows: settings.workflows.into_iter().map(Into::into).collect(),
            data_class: settings.data_class.map(Into::into),
        };
        let entry = Entry {
            stored: record.stored,
            expires: settings.expires,
            revoked: revoked.is_some(),
            session: Arc::new(session),
        };
        (id.into_boxed_str(), entry)
    };
    records.into_iter().map(entry).collect()
}
