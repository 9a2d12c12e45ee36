//! The comparison of finished windows, against figures of Kayenta.

use std::collections::BTreeMap;

use serde_json::Value;
use unship::judge::fixed_window::{
    Class, Classification, Classifier, Direction, Effect, Grade, NanStrategy, ScoredMetric, Test, Thresholds,
    clean, cohens_d, common_language, is_iqr_outlier, is_sigma_outlier, mann_whitney, mean_ratio,
    normal_quantile, percentile, score, wilcoxon,
};

use crate::reference::{assert_close, number, number_or, numbers, read};

fn cases<'a>(file: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    file[key].as_array().unwrap().iter()
}

fn class(name: &str) -> Class {
    match name {
        "Pass" => Class::Pass,
        "High" => Class::High,
        "Low" => Class::Low,
        "Nodata" => Class::Nodata,
        "NodataFailMetric" => Class::NodataFailMetric,
        other => panic!("no class {other}"),
    }
}

fn limits(value: &Value) -> (Option<f64>, Option<f64>) {
    (value[0].as_f64(), value[1].as_f64())
}

fn classify(case: &Value) -> Classification {
    let params = &case["params"];
    let default = Classifier::default();
    let classifier = Classifier {
        test: if case["classifier"] == "mean-inequality" { Test::MeanInequality } else { Test::MannWhitney },
        direction: match case["direction"].as_str().unwrap() {
            "increase" => Direction::Increase,
            "decrease" => Direction::Decrease,
            _ => Direction::Either,
        },
        nan: if case["nan_strategy"] == "replace" { NanStrategy::Replace } else { NanStrategy::Remove },
        is_critical: case["metric_is_critical"] == true || case["critical_metric"] == true,
        tolerance: number_or(&params["tolerance"], default.tolerance),
        confidence: number_or(&params["confidence"], default.confidence),
        effect: if params["effect_size_measure"] == "cles" {
            Effect::CommonLanguage
        } else {
            Effect::MeanRatio
        },
        allowed: limits(&params["allowed"]),
        critical: limits(&params["critical"]),
        ..default
    };
    classifier.classify(&numbers(&case["experiment"]), &numbers(&case["control"]))
}

/// When it fails, users who move from Kayenta get other classes for the same windows.
#[test]
fn classes_are_those_of_kayenta() {
    let Some(file) = read("peers/kayenta_classifier.json") else { return };
    let mut compared = 0;
    for case in cases(&file, "cases") {
        let name = &case["name"];
        let got = classify(case);
        let expected = &case["expected"];
        if let Some(expected) = expected["classification"].as_str() {
            assert_eq!(got.class, class(expected), "{name}: {got:?}");
        }
        if let Some(expected) = expected["critical"].as_bool() {
            assert_eq!(got.is_critical, expected, "{name}: {got:?}");
        }
        if !expected["deviation"].is_null() {
            // A size that cannot be told is none here: JSON has no NaN.
            assert_close(
                name.as_str().unwrap(),
                got.effect.unwrap_or(f64::NAN),
                number(&expected["deviation"]),
                1e-12,
            );
        }
        if expected["reason_non_empty"] == true {
            assert_eq!(
                (got.class, got.is_critical),
                (Class::Nodata, true),
                "{name}: the class is the reason"
            );
        }
        compared += 1;
    }
    println!("kayenta_classifier: {compared} cases");
}

/// When it fails, the interval of the rank test is not the one of R and Kayenta.
#[test]
fn intervals_are_those_of_r_and_kayenta() {
    let Some(file) = read("peers/kayenta_mannwhitney.json") else { return };
    let mut compared = 0;
    for case in cases(&file, "cases") {
        let name = case["name"].as_str().unwrap();
        let expected = &case["expected"];
        if let Some(quantiles) = expected["normal_ppf"].as_array() {
            for quantile in quantiles {
                assert_close(name, normal_quantile(number(&quantile["p"])), number(&quantile["value"]), 1e-6);
            }
            compared += 1;
            continue;
        }
        let (x, y) = (numbers(&case["x"]), numbers(&case["y"]));
        for point in expected["wilcoxon_diff"].as_array().into_iter().flatten() {
            let named =
                |value: &Value| value.as_str().map_or_else(|| number(value), |name| number(&expected[name]));
            let got = wilcoxon(&x, &y, named(&point["mu"]), named(&point["quantile"])).unwrap();
            assert_close(name, got, number(&point["value"]), number(&case["tolerance"]));
        }
        if let Some(ends) = expected["ci"].as_array() {
            let got = mann_whitney(&x, &y, number(&case["confidence"])).unwrap();
            let tolerance = number(&case["tolerance"]);
            assert_close(name, got.lower, number(&ends[0]), tolerance);
            assert_close(name, got.upper, number(&ends[1]), tolerance);
            let tolerance = number_or(&case["estimate_tolerance"], tolerance);
            assert_close(name, got.estimate, number(&expected["estimate"]), tolerance);
        }
        compared += 1;
    }
    println!("kayenta_mannwhitney: {compared} cases");
}

/// When it fails, the same classes give another score than Kayenta's.
#[test]
fn scores_are_those_of_kayenta() {
    let Some(file) = read("peers/kayenta_scorer.json") else { return };
    let mut compared = 0;
    for case in cases(&file, "cases") {
        let metrics: Vec<ScoredMetric> = cases(case, "metrics")
            .map(|metric| ScoredMetric {
                class: class(metric["classification"].as_str().unwrap()),
                groups: cases(metric, "groups").map(|group| group.as_str().unwrap().to_owned()).collect(),
                is_critical: metric["critical"] == true,
                is_muted: metric["muted"] == true,
            })
            .collect();
        let weights: BTreeMap<String, f64> = case["group_weights"]
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, weight)| (name.clone(), number(weight)))
            .collect();
        let got = score(&metrics, &weights);
        let expected = &case["expected"];
        assert_close(case["name"].as_str().unwrap(), got.total, number(&expected["summary_score"]), 1e-9);
        if expected["group_scores_sorted"].is_array() {
            // A group without data shows 0 there, and counts as 100 like here.
            let mut groups: Vec<f64> = got.groups.iter().map(|group| group.score.unwrap_or(0.0)).collect();
            groups.sort_by(f64::total_cmp);
            assert_eq!(groups, numbers(&expected["group_scores_sorted"]), "{}", case["name"]);
        }
        compared += 1;
    }
    println!("kayenta_scorer: {compared} cases");
}

fn kept(values: &[f64], mask: &[bool]) -> Vec<f64> {
    values.iter().zip(mask).filter(|(_, is_outlier)| !**is_outlier).map(|(value, _)| *value).collect()
}

/// When it fails, outliers, percentiles or sizes of effect differ from Kayenta's.
#[test]
fn statistics_are_those_of_kayenta() {
    let Some(file) = read("peers/kayenta_stats.json") else { return };
    let mut compared = 0;
    for case in cases(&file, "detectors") {
        let (data, factor) = (numbers(&case["data"]), number(&case["factor"]));
        let mask = if case["detector"] == "ksigma" {
            is_sigma_outlier(&data, factor)
        } else {
            is_iqr_outlier(&data, factor)
        };
        let expected: Vec<bool> =
            cases(case, "expected_outlier_mask").map(|flag| flag.as_bool().unwrap()).collect();
        assert_eq!(mask, expected, "{}", case["name"]);
        compared += 1;
    }
    for case in cases(&file, "transforms") {
        let data = numbers(&case["data"]);
        let got = match case["op"].as_str().unwrap() {
            "remove_nan" => clean(&data, NanStrategy::Remove),
            "replace_nan_with_0" => clean(&data, NanStrategy::Replace),
            "remove_outliers_iqr_1.5" => kept(&data, &is_iqr_outlier(&data, 1.5)),
            "remove_outliers_ksigma_3" => kept(&data, &is_sigma_outlier(&data, 3.0)),
            other => panic!("no transform {other}"),
        };
        assert_eq!(got, numbers(&case["expected"]), "{}", case["name"]);
        compared += 1;
    }
    for case in cases(&file, "percentiles") {
        let got = percentile(&numbers(&case["data"]), number(&case["p"]));
        let tolerance = number(&case["tolerance"]).max(1e-12 * got.abs());
        assert_close(case["name"].as_str().unwrap(), got, number(&case["expected"]), tolerance);
        compared += 1;
    }
    for case in cases(&file, "effect_sizes") {
        let (canary, stable) = (numbers(&case["experiment"]), numbers(&case["control"]));
        let got = match case["measure"].as_str().unwrap() {
            "mean_ratio" => mean_ratio(&canary, &stable),
            "cles" => common_language(&canary, &stable),
            "cohen_d" => cohens_d(&canary, &stable),
            other => panic!("no measure {other}"),
        };
        let tolerance = number(&case["tolerance"]).max(1e-12);
        assert_close(case["name"].as_str().unwrap(), got, number(&case["expected"]), tolerance);
        compared += 1;
    }
    println!("kayenta_stats: {compared} cases");
}

fn thresholds(case: &Value) -> Thresholds {
    Thresholds { pass: case["pass"].as_f64(), marginal: case["marginal"].as_f64() }
}

/// When it fails, a score passes here and not there, or the other way round. On the boundary Kayenta contradicts
/// itself: a score equal to marginal is "Marginal" to its classifier, and ends the run as a failure. Here it is
/// marginal.
#[test]
fn final_verdicts_are_those_of_kayenta() {
    let Some(file) = read("peers/kayenta_aggregation.json") else { return };
    let mut compared = 0;
    for case in cases(&file, "final_verdict") {
        let grade = thresholds(case).grade(number(&case["final_score"]));
        assert_eq!(grade == Grade::Pass, case["expected_did_pass"] == true, "{case}");
        compared += 1;
    }
    for case in cases(&file["argo_mapping_derived"], "cases") {
        // Argo cuts the decimals off before it compares, which changes none of these.
        let expected = match case["expected"].as_str().unwrap() {
            "Successful" => Grade::Pass,
            "Inconclusive" => Grade::Marginal,
            _ => Grade::Fail,
        };
        assert_eq!(thresholds(case).grade(number(&case["score"])), expected, "{case}");
        compared += 1;
    }
    for case in cases(&file, "boundary_conflict_derived") {
        assert_eq!(thresholds(case).grade(number(&case["score"])), Grade::Marginal, "{case}");
        compared += 1;
    }
    println!("kayenta_aggregation: {compared} cases");
}

/// When it fails, the classifier does not reproduce what users reported of Kayenta, misses included.
#[test]
fn known_misses_are_reproduced() {
    let Some(file) = read("peers/kayenta_known_misses.json") else { return };
    let mut compared = 0;
    for case in cases(&file, "cases") {
        let got = classify(case);
        assert_eq!(got.class, class(case["engine_verdict"].as_str().unwrap()), "{}: {got:?}", case["name"]);
        if let Some(deviation) = case["engine_deviation"].as_f64() {
            assert_close("deviation", got.effect.unwrap(), deviation, 1e-9);
        }
        compared += 1;
    }
    println!("kayenta_known_misses: {compared} cases");
}

/// The window of Kayenta's nth judgement in minutes after the start, counted from 1: it grows from the end of the warm-up, or
/// slides when there is a lookback.
fn window(case: &Value, n: f64) -> (f64, f64) {
    let minutes = |key: &str| number_or(&case[key], 0.0);
    let (interval, lookback) = (minutes("interval_min"), minutes("lookback_min"));
    // An explicit start is taken as it is.
    let start = case["explicit_start_offset_min"].as_f64().unwrap_or_else(|| minutes("warmup_min"));
    let end = start + n * interval;
    (if lookback > 0.0 { end - lookback } else { start }, end)
}

/// Modelled, not part of the program: it judges all the time and has neither windows nor a lifetime. When it fails, what
/// the documentation says of Kayenta's windows is wrong, and with it the comparison in the study.
#[test]
fn windows_are_those_of_kayenta() {
    let Some(file) = read("peers/kayenta_aggregation.json") else { return };
    let mut compared = 0;
    for case in cases(&file, "windows") {
        for judgement in cases(case, "judgements") {
            if let (Some(start), Some(end)) =
                (judgement["start_offset_min"].as_f64(), judgement["end_offset_min"].as_f64())
            {
                assert_eq!(window(case, number(&judgement["n"])), (start, end), "{case}");
                continue;
            }
            let at = |key: &str| judgement[key].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
            let offset = at("experiment_start").duration_since(at("control_start")).as_secs_f64();
            assert_close("control offset", offset, 60.0 * number(&case["control_offset_min"]), 1e-9);
        }
        compared += 1;
    }
    for case in cases(&file, "lifetime") {
        let minutes = |key: &str| case[key].as_f64();
        let start = minutes("start_offset_min").unwrap_or(0.0);
        let got = minutes("lifetime_min").or_else(|| minutes("end_offset_min").map(|end| end - start));
        assert_eq!(got, minutes("expected_min"), "{case}");
        assert_eq!(got.is_none(), case["expected"] == "error", "{case}");
        compared += 1;
    }
    println!("kayenta_aggregation: {compared} windows and lifetimes");
}
