//! The pure core, driven without a clock: what it does with any inputs, and with the ones that matter.

mod harness;
mod properties;
mod rollbacks;
