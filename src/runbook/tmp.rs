//! tmp
use super::*;
impl Runbook {
    /// tmp
    pub fn parse(_: &str, _: &str, _: &dyn Names, _: &dyn Actions) -> Result<Self, TooBig> { todo!() }
    /// tmp
    pub fn bind(&mut self, _: &str, _: &str, _: &dyn Names, _: &dyn Actions) { todo!() }
}
impl Default for Runbook { fn default() -> Self { todo!() } }
/// tmp
pub fn digest(_: &str) -> String { todo!() }
/// tmp
pub const EMERGENCY: &str = "";
