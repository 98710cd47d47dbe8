//! The tables of `ledger.db`, as steps from the first release on. A released step never changes; add one behind it.

use std::path::{Path, PathBuf};

/// Every step, oldest first; the file's `user_version` counts those it has seen.
pub(crate) const STEPS: &[&str] = &[FIRST];

/// The database of a data directory.
pub(crate) fn path(data_dir: &Path) -> PathBuf {
    data_dir.join("ledger.db")
}

/// Words that stand in many rows (workflows, teams, digests, ...) are kept once in `names`: rows shrink to a third and
/// an insert binds integers. `requests` grows at its end in the order of settlement; request ids begin with the time, so
/// their index is also the index by time and grows at its end as well. What only a whole row needs (attempts, what was
/// asked) is one blob. People who query the file themselves read the view `ledger`.
const FIRST: &str = "
CREATE TABLE names (
  id INTEGER PRIMARY KEY,
  text TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE requests (
  n INTEGER PRIMARY KEY,
  request_id BLOB NOT NULL,
  at INTEGER NOT NULL,
  workflow INTEGER,
  team INTEGER,
  key_id INTEGER,
  dialect INTEGER NOT NULL,
  stream INTEGER NOT NULL,
  data_class INTEGER,
  policy_digest INTEGER NOT NULL,
  outcome INTEGER NOT NULL,
  problem INTEGER,
  served_by INTEGER,
  cache INTEGER,
  cost_nano_usd INTEGER,
  input INTEGER,
  output INTEGER,
  cache_read INTEGER,
  cache_write INTEGER,
  reasoning INTEGER,
  first_token_ms INTEGER,
  total_ms INTEGER,
  rest BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX requests_by_id ON requests (request_id);

-- Requests still open whose intent stood in a journal segment that is gone.
CREATE TABLE open_requests (
  request_id BLOB PRIMARY KEY,
  row BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- How far the journal has been read; moves in the transaction that writes the rows.
CREATE TABLE journal_cursor (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  segment INTEGER NOT NULL,
  at INTEGER NOT NULL
) STRICT;
INSERT INTO journal_cursor VALUES (1, 0, 0);

CREATE VIEW ledger AS SELECT
  lower(hex(request_id)) AS request_id,
  strftime('%Y-%m-%dT%H:%M:%fZ', at / 1000000.0, 'unixepoch') AS at,
  (SELECT text FROM names WHERE id = workflow) AS workflow,
  (SELECT text FROM names WHERE id = team) AS team,
  (SELECT text FROM names WHERE id = key_id) AS key_id,
  (SELECT text FROM names WHERE id = dialect) AS dialect,
  stream,
  (SELECT text FROM names WHERE id = data_class) AS data_class,
  (SELECT text FROM names WHERE id = policy_digest) AS policy_digest,
  (SELECT text FROM names WHERE id = outcome) AS outcome,
  (SELECT text FROM names WHERE id = problem) AS problem,
  (SELECT text FROM names WHERE id = served_by) AS served_by,
  (SELECT text FROM names WHERE id = cache) AS cache,
  cost_nano_usd, input, output, cache_read, cache_write, reasoning, first_token_ms, total_ms
FROM requests;
";
