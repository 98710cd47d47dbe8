//! Streams, read.
use crate::dialect::{Decoder, Frame};
use crate::json::Fault;
use model::Event;
#[derive(Default)]
pub(super) struct Reader;
impl Decoder for Reader {
    fn frame(&mut self, _frame: Frame<'_>, _sink: &mut dyn FnMut(Event<'_>)) -> Result<(), Fault> {
        Err(Fault { at: 0, what: "is not translated yet" })
    }
}
