//! What a start does with the journal of an earlier process: everything readable goes into the ledger, requests in
//! flight become `unknown`, damage is reported and put aside, and the journal begins anew.

use crate::StoreError;
use crate::damage::{Damage, Recovery};
use crate::feeder::Feeder;
use crate::journal::segment::{self, BadHeader, Beyond, Reader, START, Source, Step};
use std::fs::{self, File};
use std::path::Path;

/// Empties the journal. Returns what was found and the number of the first segment to write.
pub(crate) fn recover(data_dir: &Path, feeder: &mut Feeder) -> Result<(Recovery, u64), StoreError> {
    let directory = segment::directory(data_dir);
    fs::create_dir_all(&directory).map_err(StoreError::io("create the journal", &directory))?;
    segment::remove_unborn(&directory)?;
    let sequences = segment::list(&directory)?;
    let mut sources = Vec::with_capacity(sequences.len());
    for sequence in &sequences {
        sources.extend(open(&directory, *sequence, feeder)?);
    }
    let cursor = feeder.cursor();
    let next = sequences.last().map_or(0, |last| last + 1).max(cursor.segment);
    for source in sources.iter().filter(|s| s.sequence <= cursor.segment) {
        feeder.remember(source)?;
    }
    let last = last_written(&directory, &sources)?;
    feeder.feed(&sources, last)?;
    let unknown = feeder.conclude(&sources, next)?;
    let tally = feeder.tally();
    let recovery = Recovery { rows: tally.rows, unknown, torn: tally.torn, damage: tally.damage.clone() };
    Ok((recovery, next))
}

/// Opens a segment, or puts it aside when its header cannot be read.
fn open(directory: &Path, sequence: u64, feeder: &mut Feeder) -> Result<Option<Source>, StoreError> {
    let path = segment::path(directory, sequence);
    let reading = |e| StoreError::io("read the journal segment", &path)(e);
    let file = File::open(&path).map_err(reading)?;
    let to = file.metadata().map_err(reading)?.len();
    match Source::open(file, sequence).map_err(reading)? {
        Ok(source) => return Ok(Some(source)),
        Err(BadHeader::OtherLayout) => {
            return Err(StoreError::Damaged {
                path,
                what: "another version of the program wrote this journal and did not end in order; start that version \
                       once, stop it, then start this one"
                    .to_owned(),
            });
        }
        Err(BadHeader::Damaged) => {}
    }
    let what = "the header is damaged, nothing behind it can be read";
    let aside = path.with_extension("seg.bad");
    fs::rename(&path, &aside).map_err(StoreError::io("put aside the damaged journal segment", &path))?;
    feeder.note(Damage { segment: path, from: 0, to, kept_as: Some(aside), what });
    Ok(None)
}

/// The last segment with a record: the only one in which a crash may have cut one. Those behind it were prepared.
fn last_written(directory: &Path, sources: &[Source]) -> Result<Option<u64>, StoreError> {
    for source in sources.iter().rev() {
        let path = segment::path(directory, source.sequence);
        let mut reader = Reader::new(source.clone(), START, Beyond::Stop, Vec::new());
        let first = reader.step().map_err(StoreError::io("read the journal segment", &path))?;
        if !matches!(first, Step::End { torn: false, .. }) {
            return Ok(Some(source.sequence));
        }
    }
    Ok(None)
}
