//! `unship.toml`: one file describes one environment.
//!
//! [`schema`] says what may be in it. Loading, checking with file positions and reading secrets are in the files beside
//! it. What a trigger or a probe *is* lives in [`crate::model`].

pub mod schema;

pub use schema::Config;
