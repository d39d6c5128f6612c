//! What is checked row by row: rules written as SQL expressions, repeated keys, and the rows behind the findings of a
//! schema.

mod locate;

pub use locate::locate;
