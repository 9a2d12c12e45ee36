//! The program `unship`.

fn main() {}
