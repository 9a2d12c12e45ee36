//! What the judge costs: a tick of one comparison of errors, of latency by buckets, of raw samples, and of ten thousand
//! comparisons at once.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use unship::judge::latency::{HistogramLatency, LatencySettings, RawLatency};
use unship::judge::{ArmCounts, PairMonitor, Settings, Tick};

const COMPARISONS: usize = 10_000;

/// A tick that differs a little from the one before.
fn tick(i: u32) -> Tick {
    let start_s = f64::from(i);
    let bad = |every: u32| f64::from(u8::from(i.is_multiple_of(every)));
    Tick {
        start_s,
        length_s: 1.0,
        canary: ArmCounts::new(f64::from(8 + i % 5), bad(10)),
        stable: ArmCounts::new(f64::from(85 + i % 11), bad(2) + bad(3)),
    }
}

fn buckets(i: u32, scale: u32) -> [f64; 12] {
    [0, 1, 3, 15, 35, 30, 4, 1, 0, 0, 0, 0].map(|share: u32| f64::from((share * scale + i % 7) / 10))
}

fn judge(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("judge");
    group.throughput(Throughput::Elements(1));

    let mut i = 0;
    let mut pair = PairMonitor::new(Settings::default());
    group.bench_function("a tick of errors", |bencher| {
        bencher.iter(|| {
            i += 1;
            let _ = black_box(pair.observe(black_box(&tick(i))));
        });
    });
    group.bench_function("its evidence", |bencher| bencher.iter(|| black_box(pair.evidence())));

    let bounds = vec![0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
    if let Some(mut latency) = HistogramLatency::new(bounds, LatencySettings::default()) {
        let mut i = 0;
        group.bench_function("a tick of latency buckets", |bencher| {
            bencher.iter(|| {
                i += 1;
                let (canary, stable) = (buckets(i, 1), buckets(i, 9));
                let _ = black_box(latency.observe(f64::from(i), 1.0, &canary, &stable));
            });
        });
    }

    let mut raw = RawLatency::new(LatencySettings::default());
    let samples: Vec<f64> = (0..90).map(|i| 0.02 + f64::from(i * 37 % 90) * 0.002).collect();
    let mut i = 0;
    group.bench_function("a tick of 100 latency samples", |bencher| {
        bencher.iter(|| {
            i += 1;
            let _ = black_box(raw.observe(f64::from(i), 1.0, &samples[..10], &samples));
        });
    });

    let mut many = vec![PairMonitor::new(Settings::default()); COMPARISONS];
    let mut i = 0;
    group.throughput(Throughput::Elements(COMPARISONS as u64));
    group.sample_size(20);
    group.bench_function("a tick of 10,000 comparisons", |bencher| {
        bencher.iter(|| {
            i += 1;
            for (shift, monitor) in many.iter_mut().enumerate() {
                let tick = Tick { start_s: f64::from(i), ..tick(i + shift as u32) };
                let _ = black_box(monitor.observe(&tick));
            }
        });
    });
    group.finish();
}

criterion_group!(benches, judge);
criterion_main!(benches);
