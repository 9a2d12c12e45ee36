//! Conditions over indicators and probes: pure, fed with samples, answering with a [`Status`] and what it rests on.
//!
//! [`window`] holds what was read of one series for as long as a trigger looks back; [`condition`] turns readings into
//! "beyond its limit for long enough"; [`streak`] counts probes. Which service, arm or release a reading belongs to is
//! not decided here.
//!
//! [`Status`]: crate::model::trigger::Status

pub mod condition;
pub mod figure;
pub mod streak;
pub mod window;
