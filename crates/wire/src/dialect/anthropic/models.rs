//! What models of the vendor accept.
