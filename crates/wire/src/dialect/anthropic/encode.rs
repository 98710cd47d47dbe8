//! Streams, written.
use crate::dialect::{Encoder, Finish, Reply};
use crate::json::Out;
use model::Event;
pub(super) struct Writer;
impl Writer {
    pub(super) fn new(_reply: Reply) -> Writer {
        Writer
    }
}
impl Encoder for Writer {
    fn event(&mut self, _event: &Event<'_>, _out: &mut Out) {}
    fn finish(&mut self, _finish: &Finish<'_>, _out: &mut Out) {}
}
