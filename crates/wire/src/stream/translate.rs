//! Another dialect: frames become events, events become frames. The end is kept as facts and written by the finale.

use super::{Tally, Trouble};
use crate::dialect::{Decoder, Encoder, Finish, Frame};
use crate::json::Out;
use bytes::Bytes;
use model::{Event, Failure, Money, Stop, Text};
use std::collections::VecDeque;

/// A decoder and an encoder back to back.
pub(super) struct Translate {
    decoder: Box<dyn Decoder>,
    encoder: Box<dyn Encoder>,
    out: Out,
    sequence: Option<Text<'static>>,
}

impl Translate {
    pub(super) fn new(decoder: Box<dyn Decoder>, encoder: Box<dyn Encoder>) -> Translate {
        Translate { decoder, encoder, out: Out::default(), sequence: None }
    }

    pub(super) fn frame(&mut self, frame: Frame<'_>, tally: &mut Tally) -> Result<(), Trouble> {
        let Translate { decoder, encoder, out, sequence } = self;
        let mut failed: Option<Failure> = None;
        let result = decoder.frame(frame, &mut |event| {
            tally.content |= event.is_content();
            match event {
                Event::Stop { stop, sequence: at } => {
                    tally.stop = tally.stop.or(Some(stop));
                    *sequence = at.map(Text::into_owned);
                }
                Event::Usage(usage) => tally.usage.update(&usage),
                Event::Failed(failure) => failed = failed.take().or(Some(failure)),
                Event::End => tally.end = true,
                event => {
                    if let Event::Start { model, .. } = &event {
                        tally.model = Some(model.decode().into_owned());
                    }
                    encoder.event(&event, out);
                }
            }
        });
        match failed {
            Some(failure) => Err(Trouble::Failed(failure)),
            None => result.map_err(Trouble::Skip),
        }
    }

    pub(super) fn flush(&mut self, out: &mut VecDeque<Bytes>) {
        let bytes = std::mem::take(&mut self.out).finish();
        if !bytes.is_empty() {
            out.push_back(Bytes::from(bytes));
        }
    }

    pub(super) fn finale(&mut self, tally: &Tally, cost: Option<Money>, out: &mut VecDeque<Bytes>) {
        let stop = tally.stop.unwrap_or(Stop::Other);
        let finish = Finish { stop, sequence: self.sequence.take(), usage: tally.usage, cost };
        self.encoder.finish(&finish, &mut self.out);
        self.flush(out);
    }
}
