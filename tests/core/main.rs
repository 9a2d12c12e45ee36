//! The pure core, driven without a clock: what it does with any inputs, and with the ones that matter.

mod defects;
mod defects_runtime;
mod harness;
mod properties;
mod rollbacks;
