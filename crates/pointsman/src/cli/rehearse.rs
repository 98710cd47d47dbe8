//! Requests and worlds for decisions that are looked at but not carried out.

use super::load;
use model::{Now, Tick};
use policy::{Health, Target, World};

/// A world in which every target is well.
pub struct Calm;

impl World for Calm {
    fn health(&self, _: &Target) -> Health {
        Health::default()
    }
}

/// The present, at tick zero.
pub fn now() -> Now {
    Now { wall: load::now(), tick: Tick(0) }
}
