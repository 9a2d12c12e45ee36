//! Platforms, one file each: what the types do not say.

mod nginx;

pub(super) use self::nginx::nginx;
