//! Small streams with figures that another implementation of the same mathematics gave, so that the judge is tested
//! wherever it is built.

use unship::judge::latency::{HistogramLatency, LatencySettings, RawLatency};
use unship::judge::{
    ArmCounts, GaugeMonitor, GaugeSettings, OneArmMonitor, PairMonitor, Settings, SplitMonitor, Taken, Tick,
};

use crate::reference::assert_close;

fn tick(start_s: f64, length_s: f64, canary: (f64, f64), stable: (f64, f64)) -> Tick {
    let counts = |(requests, bad)| ArmCounts::new(requests, bad);
    Tick { start_s, length_s, canary: counts(canary), stable: counts(stable) }
}

/// When it fails, evidence, guard, interval or size of a comparison are wrong: with history, a carry, a burst, slots
/// and a cap.
#[test]
fn a_pair_of_arms() {
    // What a burst may bring is another test's.
    let mut monitor = PairMonitor::new(Settings { is_burst_limited: false, ..Settings::default() });
    for i in 0..12 {
        monitor.history(10.0, ArmCounts::new(f64::from(400 + 7 * i % 50), f64::from(i * 3 % 5))).unwrap();
    }
    let rows = [
        (tick(0.0, 5.0, (40.0, 0.0), (360.0, 2.0)), -0.098_145_884_678_246_81, 2.634_103_275_322_127),
        (tick(5.0, 5.0, (0.0, 0.0), (300.0, 3.0)), -0.098_145_884_678_246_81, 2.112_178_326_506_214_6),
        (tick(10.0, 5.0, (0.0, 0.0), (310.0, 9.0)), -0.098_145_884_678_246_81, 3.148_997_415_863_884),
        (tick(15.0, 5.0, (38.0, 4.0), (333.0, 1.0)), 0.295_005_446_595_276_06, 5.383_416_496_725_274),
        (tick(20.0, 15.0, (120.0, 9.0), (1000.0, 6.0)), 1.259_328_719_174_166_4, 3.847_708_937_366_336_5),
        (tick(35.0, 5.0, (41.0, 5.0), (350.0, 2.0)), 2.560_480_014_813_698_4, 1.908_191_186_566_468),
        (tick(40.0, 1.0, (9.0, 9.0), (70.0, 0.0)), 7.384_143_188_357_103, 1.995_390_757_011_223),
        (tick(41.0, 60.0, (500.0, 60.0), (4000.0, 30.0)), 15.383_453_704_238_109, 2.629_290_535_555_706_6),
        (tick(101.0, 5.0, (44.0, 6.0), (350.0, 2.0)), 18.352_486_315_922_548, 2.153_801_489_936_188_6),
    ];
    for (i, (tick, log_e, phi)) in rows.into_iter().enumerate() {
        let taken = monitor.observe(&tick).unwrap();
        assert_eq!(taken == Taken::Carried, i == 1 || i == 2, "tick {i}");
        assert_close("log_e", monitor.log_e(), log_e, 1e-9);
        assert_close("phi", monitor.phi(), phi, 1e-9);
    }
    let evidence = monitor.evidence();
    assert_close("safe", evidence.log_e_safe.unwrap(), -3.438_821_303_766_124, 1e-9);
    assert_close("lower", evidence.interval.unwrap().lower, 0.063_582_410_628_857_78, 1e-9);
    assert_close("upper", evidence.interval.unwrap().upper, 0.195_212_261_800_071_95, 1e-9);
    assert_close("p", evidence.p_value, 1.070_573_437_729_311_8e-8, 1e-15);
    assert_eq!(evidence.suspected_ratio, Some(15.0));
    assert_eq!(evidence.canary, ArmCounts::new(792.0, 93.0));
    let outlook = evidence.outlook.unwrap();
    assert_eq!((outlook.conclusion, outlook.requests), (unship::judge::Conclusion::Harm, 0.0));
}

/// When it fails, errors without requests are weighed wrongly against the split.
#[test]
fn errors_against_the_split() {
    let mut monitor = SplitMonitor::new(Settings::default());
    let rows = [
        (1.0, 9.0, -0.093_454_442_182_529_4, -0.031_650_708_014_768_77),
        (0.0, 11.0, -0.161_945_875_371_103_4, 0.003_056_853_563_018_435_7),
        (3.0, 8.0, -0.151_733_598_674_415_94, -0.217_160_639_889_867_43),
        (6.0, 10.0, -0.069_647_705_617_350_79, -0.545_068_700_957_082_5),
        (7.0, 9.0, 0.575_231_390_778_311_4, -1.139_175_877_452_694_8),
        (12.0, 8.0, 7.425_575_125_733_530_5, -2.170_971_134_563_579),
        (9.0, 12.0, 13.028_153_320_161_63, -2.659_427_488_728_204_6),
    ];
    for (i, (canary, stable, log_e, safe)) in rows.into_iter().enumerate() {
        monitor.observe(i as f64 * 10.0, 10.0, canary, stable, 0.1).unwrap();
        assert_close("log_e", monitor.log_e(), log_e, 1e-8);
        assert_close("safe", monitor.log_e_safe(), safe, 1e-8);
    }
    assert_eq!(monitor.evidence().interval, None);
}

/// When it fails, latency from raw samples is compared at other thresholds, or weighed otherwise.
#[test]
fn latency_from_samples() {
    let mut latency = RawLatency::new(LatencySettings::default());
    let mut next = 0_u32;
    let mut samples = |count: u32, factor: f64| {
        let from = next;
        next += count;
        (from..next).map(|i| factor * 0.02 * (1.0 + f64::from(i * 37 % 101) / 25.0)).collect::<Vec<f64>>()
    };
    assert_eq!(latency.thresholds(), None);
    for _ in 0..6 {
        latency.history(10.0, &samples(100, 1.0)).unwrap();
    }
    let rows = [
        (-0.109_205_049_364_063_06, -0.168_146_997_907_273_17),
        (-0.156_986_886_336_643_48, 0.0),
        (-0.193_443_105_053_046_3, 0.0),
        (0.273_334_120_368_980_75, -1.144_380_562_923_115_6),
        (4.498_597_118_645_482, -1.805_538_214_847_161_3),
        (10.831_800_369_843_993, -2.255_659_599_620_125_6),
        (17.452_737_977_734_94, -2.739_413_099_299_671),
        (25.450_349_173_504_46, -3.174_325_058_462_068),
    ];
    for (i, (log_e, safe)) in rows.into_iter().enumerate() {
        let stable = samples(90, 1.0);
        let canary = samples(20, if i < 3 { 1.0 } else { 1.8 });
        latency.observe(i as f64 * 10.0, 10.0, &canary, &stable).unwrap();
        assert_close("log_e", latency.log_e(), log_e, 1e-8);
        assert_close("safe", latency.log_e_safe(), safe, 1e-8);
    }
    let p50 = latency.thresholds().unwrap()[0];
    assert_close("p50", p50, 0.061_896_581_889_126_07, 1e-12);
    let (canary, stable) = latency.quantiles()[0];
    let (canary, stable) = (canary.unwrap(), stable.unwrap());
    assert!(canary.estimate_s > stable.estimate_s && canary.lower_s > 0.0, "{canary:?} {stable:?}");
    assert!(stable.lower_s < 0.06 && stable.upper_s.unwrap() > 0.06, "{stable:?}");
}

/// When it fails, a recorded baseline is taken for more exact than it is, or an empty one for a baseline.
#[test]
fn a_recorded_baseline_leaves_room() {
    let recorded = ArmCounts::new(10_000.0, 100.0);
    let settings = Settings::default();
    let monitor = OneArmMonitor::against_baseline(recorded, 1.0, settings).unwrap();
    // The upper end of Wilson's 99 % interval of 100 in 10,000 is 1.2908 %.
    assert_close("limit", monitor.limit(), 1.5 * 0.012_907_7 + 0.002, 1e-5);
    let bursty = OneArmMonitor::against_baseline(recorded, 9.0, settings).unwrap();
    assert!(bursty.limit() > monitor.limit());
    assert!(!monitor.evidence().method.is_controlled());
    assert!(OneArmMonitor::against_baseline(ArmCounts::default(), 1.0, settings).is_none());
}

/// When it fails, the screen promises a decision after too few or too many requests.
#[test]
fn the_outlook_comes_true() {
    let mut monitor = PairMonitor::new(Settings { is_guarded: false, ..Settings::default() });
    for _ in 0..60 {
        monitor.history(10.0, ArmCounts::new(900.0, 9.0)).unwrap();
    }
    let healthy = |i: u32| tick(f64::from(i) * 10.0, 10.0, (100.0, 1.0), (900.0, 9.0));
    monitor.observe(&healthy(0)).unwrap();
    let promised = monitor.outlook().unwrap();
    assert_eq!(promised.conclusion, unship::judge::Conclusion::Safe);
    let mut requests = 0.0;
    let mut i = 0;
    while monitor.log_e_safe() < 20_f64.ln() {
        i += 1;
        monitor.observe(&healthy(i)).unwrap();
        requests += 100.0;
    }
    assert!((0.5..2.0).contains(&(requests / promised.requests)), "{requests} against {promised:?}");
}

/// When it fails, a limit for one arm is weighed wrongly: with history, an empty interval, and slots.
#[test]
fn one_arm_against_a_limit() {
    let mut monitor = OneArmMonitor::against_limit(0.05, Settings::default());
    for i in 0..10 {
        monitor.history(5.0, ArmCounts::new(50.0, f64::from(i % 3))).unwrap();
    }
    let rows = [
        (40.0, 1.0, -0.280_704_175_427_313_5, 0.159_991_411_304_703_62),
        (55.0, 2.0, -0.355_014_065_279_672_9, 0.275_527_752_772_712_9),
        (0.0, 0.0, -0.355_014_065_279_672_9, 0.275_527_752_772_712_9),
        (50.0, 9.0, 0.148_751_798_527_437_14, -1.016_541_555_478_068_1),
        (45.0, 12.0, 0.656_049_798_391_940_7, -1.263_251_078_047_399_6),
        (60.0, 20.0, 2.229_529_615_977_013_3, -1.601_670_594_410_013),
    ];
    for (i, (requests, bad, log_e, safe)) in rows.into_iter().enumerate() {
        monitor.observe(i as f64 * 10.0, 10.0, ArmCounts::new(requests, bad)).unwrap();
        assert_close("log_e", monitor.log_e(), log_e, 1e-9);
        assert_close("safe", monitor.log_e_safe(), safe, 1e-9);
    }
    assert_close("phi", monitor.phi(), 5.908_763_746_413_458, 1e-9);
    let evidence = monitor.evidence();
    assert_eq!(evidence.stable, None);
    assert!(evidence.interval.unwrap().lower >= 0.0, "a rate is not below 0");
    assert_close("seen", monitor.known_s(), 100.0, 1e-9);
}

/// When it fails, latency from buckets is compared at bounds that tell little, or the slowdown is translated wrongly.
#[test]
fn buckets_are_chosen_near_the_quantiles() {
    let mut latency = HistogramLatency::new(vec![0.1, 0.2, 0.4], LatencySettings::default()).unwrap();
    latency.history(1.0, &[50.0, 40.0, 9.0, 1.0]).unwrap();
    assert_eq!(latency.plan(), [None; 4], "a hundred samples are too few");
    latency.observe(0.0, 1e-6, &[5.0, 5.0, 0.0, 0.0], &[450.0, 360.0, 81.0, 9.0]).unwrap();
    let plan = latency.plan().map(Option::unwrap);
    assert_eq!(plan.map(|plan| plan.bucket), [0, 1, 1, 2]);
    // Half are above 100 ms; a canary 1.2 times slower has as many above as stable has above 83.3 ms.
    assert_close("p50", plan[0].ratio, (1.0 - 0.5 * 0.1 / 1.2 / 0.1) / 0.5, 1e-3);
    let (g0, g1) = (500.5 / 1001.0, 100.5 / 1001.0);
    let part = (2.0_f64 / 1.2).ln() / 2.0_f64.ln();
    assert_close("p90", plan[1].ratio, (g0 + (g1 - g0) * part) / g1, 1e-3);
    for (plan, slow) in plan.iter().zip([500.0, 100.0, 100.0, 10.0]) {
        assert_close("reference", plan.reference, slow / 1200.0, 1e-3);
    }
    assert!(latency.log_e().abs() < 1e-12, "what taught the plan is not judged by it");
}

/// When it fails, blocks of a gauge are counted or weighed wrongly.
#[test]
fn a_gauge_by_blocks() {
    let mut gauge = GaugeMonitor::new(60.0, GaugeSettings::default());
    let mut block = |canary: f64, per_scrape: usize| {
        for _ in 0..4 {
            gauge.observe(15.0, &vec![canary; per_scrape], &[100.0]).unwrap();
        }
        (gauge.blocks(), gauge.log_e())
    };
    let cash = |blocks: f64| 0.5 * 3600.0 / (3600.0 + blocks * 60.0);
    // Each bettor holds an eighth; 120 is as large as is tolerated.
    let (blocks, log_e) = block(120.0, 1);
    assert_eq!(blocks, 1);
    assert_close("below", log_e, (2.0 * 0.125 * (0.4 + 0.25 + 0.1 + 0.03) + cash(1.0)).ln(), 1e-12);
    let paid = (cash(0.0) - cash(1.0)) / 4.0;
    let held = [0.6, 0.75, 0.9, 0.97].map(|q: f64| (0.125 * 2.0 * (1.0 - q) + paid) * 2.0 * q);
    let (blocks, log_e) = block(121.0, 1);
    assert_eq!(blocks, 2);
    assert_close("above", log_e, (held.iter().sum::<f64>() + cash(2.0)).ln(), 1e-12);
    let (blocks, after) = block(500.0, 0);
    assert_eq!(blocks, 2, "a block without samples is dropped");
    assert_close("dropped", after, log_e, 1e-12);
}
