//! How a sample's value is stored: a few bytes, exact to the last bit.
//!
//! A value is a tag byte and its numbers. A number is either a whole one from 0 to 2^53, as a variable-length integer of
//! itself plus one (LEB128, as in <https://protobuf.dev/programming-guides/encoding/#varints>), or a 0 byte and its eight
//! bytes, little-endian. The bounds of a histogram are part of the series, not of each sample.

use std::sync::Arc;

use crate::model::source::{Sample, SampleValue};

/// What tells one series from another.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) struct SeriesKey {
    pub(super) service: String,
    pub(super) indicator: String,
    /// [`crate::model::source::Subject`] as JSON.
    pub(super) subject: String,
    /// The bounds of a histogram, eight bytes each, little-endian; empty for anything else.
    pub(super) bounds: Vec<u8>,
}

impl SeriesKey {
    /// The series that a sample belongs to.
    pub(super) fn of(sample: &Sample) -> Result<Self, serde_json::Error> {
        let bounds = match &sample.value {
            SampleValue::Histogram { bounds_ms, .. } => {
                bounds_ms.iter().flat_map(|bound| bound.to_le_bytes()).collect()
            }
            _ => Vec::new(),
        };
        Ok(Self {
            service: sample.service.as_str().to_owned(),
            indicator: sample.indicator.as_str().to_owned(),
            subject: serde_json::to_string(&sample.subject)?,
            bounds,
        })
    }
}

/// The largest whole number below which a double holds every whole number.
const WHOLE: f64 = 9_007_199_254_740_992.0;

const RATIO: u8 = 1;
const COUNT: u8 = 2;
const GAUGE: u8 = 3;
const HISTOGRAM: u8 = 4;

/// A value as it is stored.
pub(super) fn encode(value: &SampleValue) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(8);
    match value {
        SampleValue::Ratio { bad, total } => {
            bytes.push(RATIO);
            put(&mut bytes, *bad);
            put(&mut bytes, *total);
        }
        SampleValue::Count(count) => {
            bytes.push(COUNT);
            put(&mut bytes, *count);
        }
        SampleValue::Gauge(gauge) => {
            bytes.push(GAUGE);
            put(&mut bytes, *gauge);
        }
        SampleValue::Histogram { counts, .. } => {
            bytes.push(HISTOGRAM);
            for count in counts {
                put(&mut bytes, *count);
            }
        }
    }
    bytes
}

/// A value from what was stored; none if it was not stored by [`encode`].
pub(super) fn decode(bytes: &[u8], bounds: &[u8]) -> Option<SampleValue> {
    let (tag, mut rest) = bytes.split_first()?;
    let value = match *tag {
        RATIO => SampleValue::Ratio { bad: take(&mut rest)?, total: take(&mut rest)? },
        COUNT => SampleValue::Count(take(&mut rest)?),
        GAUGE => SampleValue::Gauge(take(&mut rest)?),
        HISTOGRAM => {
            let (bounds, left) = bounds.as_chunks::<8>();
            if !left.is_empty() {
                return None;
            }
            let mut counts = Vec::new();
            while !rest.is_empty() {
                counts.push(take(&mut rest)?);
            }
            let bounds_ms: Arc<[f64]> = bounds.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect();
            SampleValue::Histogram { bounds_ms, counts }
        }
        _ => return None,
    };
    rest.is_empty().then_some(value)
}

fn put(bytes: &mut Vec<u8>, number: f64) {
    let whole = number as u64;
    // By bits, because -0.0 and 0.0 are equal and not the same.
    if (0.0..WHOLE).contains(&number) && (whole as f64).to_bits() == number.to_bits() {
        let mut left = whole + 1;
        while left >= 0x80 {
            bytes.push(0x80 | (left & 0x7f) as u8);
            left >>= 7;
        }
        bytes.push(left as u8);
    } else {
        bytes.push(0);
        bytes.extend_from_slice(&number.to_le_bytes());
    }
}

fn take(bytes: &mut &[u8]) -> Option<f64> {
    if let Some(rest) = bytes.strip_prefix(&[0]) {
        let (number, rest) = rest.split_first_chunk::<8>()?;
        *bytes = rest;
        return Some(f64::from_le_bytes(*number));
    }
    let mut whole: u64 = 0;
    // Eight groups of seven bits hold everything that `put` writes.
    for group in 0..8 {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        whole |= u64::from(byte & 0x7f) << (7 * group);
        if byte & 0x80 == 0 {
            return whole.checked_sub(1).map(|whole| whole as f64);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn number() -> impl Strategy<Value = f64> {
        prop_oneof![any::<u64>().prop_map(f64::from_bits), (0_u64..1 << 54).prop_map(|whole| whole as f64)]
    }

    fn bits(value: &SampleValue) -> Vec<u64> {
        match value {
            SampleValue::Ratio { bad, total } => vec![1, bad.to_bits(), total.to_bits()],
            SampleValue::Count(count) => vec![2, count.to_bits()],
            SampleValue::Gauge(gauge) => vec![3, gauge.to_bits()],
            SampleValue::Histogram { bounds_ms, counts } => {
                let numbers = bounds_ms.iter().chain(counts).map(|number| number.to_bits());
                [4, bounds_ms.len() as u64].into_iter().chain(numbers).collect()
            }
        }
    }

    proptest! {
        /// Whatever was measured, NaN and infinity included, is read back to the last bit.
        #[test]
        fn values_come_back_exactly(value in prop_oneof![
            (number(), number()).prop_map(|(bad, total)| SampleValue::Ratio { bad, total }),
            number().prop_map(SampleValue::Count),
            number().prop_map(SampleValue::Gauge),
            (prop::collection::vec(number(), 0..12), prop::collection::vec(number(), 0..13))
                .prop_map(|(bounds, counts)| SampleValue::Histogram { bounds_ms: bounds.into(), counts }),
        ]) {
            let bounds: Vec<u8> = match &value {
                SampleValue::Histogram { bounds_ms, .. } => bounds_ms.iter().flat_map(|b| b.to_le_bytes()).collect(),
                _ => Vec::new(),
            };
            let back = decode(&encode(&value), &bounds).unwrap();
            prop_assert_eq!(bits(&back), bits(&value));
        }

        /// Damaged bytes are noticed or give another value; they never stop the program.
        #[test]
        fn any_bytes_can_be_looked_at(bytes: Vec<u8>, bounds: Vec<u8>) {
            let _ = decode(&bytes, &bounds);
        }
    }

    /// A busy service's ordinary samples stay small: a day of them has to fit on the disk.
    #[test]
    fn ordinary_samples_take_few_bytes() {
        assert_eq!(encode(&SampleValue::Ratio { bad: 3.0, total: 1_000.0 }).len(), 4);
        let counts = vec![50.0; 13];
        assert_eq!(encode(&SampleValue::Histogram { bounds_ms: Arc::from([]), counts }).len(), 14);
    }
}
