//! Lists of capabilities: `needs:` and `can:`.

use super::keys::Shape;
use super::load::Cx;
use super::tree::Node;
use model::{Capabilities, Capability};

pub(crate) const NAMES: &[&str] = Capability::NAMES;

pub(crate) const SHAPE: Shape = Shape::List(&Shape::Words(NAMES));

pub(crate) fn read(node: &Node, cx: &mut Cx<'_>) -> Capabilities {
    cx.list(node, |cx, item| cx.word(item, NAMES, |word| word.parse::<Capability>().ok()))
        .into_iter()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_capability_has_its_name_here() {
        assert_eq!(NAMES, Capability::ALL.iter().map(|c| c.name()).collect::<Vec<_>>());
    }
}
