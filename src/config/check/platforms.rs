//! Platforms, one file each: what the types do not say.

mod netlify;
mod nginx;

pub(super) use self::netlify::netlify;
pub(super) use self::nginx::nginx;
