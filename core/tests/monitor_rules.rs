//! Verdicts on training runs, real and made up.
#![allow(missing_docs)]

mod monitor_common;

use std::f64::consts::SQRT_2;

use eigenscope::analysis::{Options, Status};
use eigenscope::monitor::*;
use eigenscope::tensor::Tensor;
use monitor_common::*;

fn scaled(tensor: &Tensor, factor: f64) -> Tensor {
    let values: Vec<f64> = tensor.to_vec().iter().map(|v| v * factor).collect();
    Tensor::from_f64(tensor.shape().to_vec(), &values).unwrap()
}

/// A run of `commits` of the small network, with the learning rates of each commit.
fn train(commits: u64, rates: impl Fn(u64) -> [f64; 3]) -> (Vec<Verdict>, History, f64, f64) {
    let monitor = Monitor::open(options()).unwrap();
    let mut network = Network::new(7);
    let (mut verdicts, mut losses) = (Vec::new(), Vec::new());
    for commit in 0..commits {
        for _ in 0..10 {
            losses.push(network.step(rates(commit)));
        }
        network.submit(&monitor);
        verdicts.push(report(&monitor, commit * 10).verdict.clone());
    }
    let (first, last) = (losses[0], losses[losses.len() - 1]);
    (verdicts, monitor.history().unwrap(), first, last)
}

#[test]
fn a_healthy_run_is_left_alone_and_repeats_to_the_bit() {
    let (verdicts, history, first, last) = train(20, |_| [0.05; 3]);
    assert!(last < first / 4.0, "the network learns: {first} to {last}");
    for verdict in &verdicts {
        assert!(verdict.findings.is_empty(), "{verdict:?}");
        assert!(matches!(verdict.level, Level::None | Level::Snapshot), "{verdict:?}");
    }
    assert_eq!(history.commits.len(), 20);
    for name in Network::NAMES {
        assert_eq!(history.series(name, TensorRole::Weight, "stable_rank").len(), 20, "{name}");
    }
    let again = train(20, |_| [0.05; 3]);
    assert_eq!((again.0, again.1.csv()), (verdicts, history.csv()));
}

#[test]
fn a_learning_rate_that_explodes_ends_in_stop() {
    let (verdicts, _, _, _) = train(12, |commit| if commit < 4 { [0.05; 3] } else { [30.0; 3] });
    for verdict in &verdicts[..4] {
        assert_eq!(verdict.findings, [], "{verdict:?}");
    }
    let end = verdicts.last().unwrap();
    assert_eq!(end.level, Level::Stop);
    assert!(end.flags.contains(Flags::NON_FINITE), "{end:?}");
    assert!(!end.layers.is_empty() && end.layers.iter().all(|l| Network::NAMES.contains(&l.as_str())));
}

#[test]
fn a_layer_that_grows_threefold_each_commit_is_named_then_stopped() {
    let monitor = Monitor::open(options()).unwrap();
    let mut levels = Vec::new();
    for step in 0..10u64 {
        submit(&monitor, "calm", heavy(1, 0.5));
        submit(&monitor, "wild", scaled(&heavy(2, 0.5), 3f64.powi(step as i32)));
        let verdict = &report(&monitor, step).verdict;
        let growth: Vec<&Finding> =
            verdict.findings.iter().filter(|f| f.flag == Flags::NORM_EXPLOSION).collect();
        assert!(growth.iter().all(|f| f.layer.as_deref() == Some("wild")), "{verdict:?}");
        levels.push(growth.iter().map(|f| f.level).max().unwrap_or_default());
        if step == 4 {
            assert_eq!(growth[0].since, 4);
            let norm = monitor.history().unwrap().series("wild", TensorRole::Weight, "spectral_norm")[4].1;
            let reason = format!("wild: largest singular value grew 81 times to {:.3e}", norm.sqrt());
            assert_eq!(verdict.reason, reason);
        }
    }
    // 27 times at step 3, 2187 times at step 7; each must hold for two commits.
    let (n, w, s) = (Level::None, Level::Warn, Level::Stop);
    assert_eq!(levels, [n, n, n, n, w, w, w, w, s, s]);
}

#[test]
fn a_layer_that_collapses_to_rank_one_is_flagged_and_only_that() {
    let monitor = Monitor::open(options()).unwrap();
    let (noise, one) = (Random(3).matrix(128, 64), Random(4).matrix(128, 1));
    let mut raised = Vec::new();
    for step in 0..12u64 {
        let t = (step as f64 / 8.0).min(1.0);
        let values: Vec<f64> =
            (0..128 * 64).map(|k| (1.0 - t) * noise[k] + t * 1.5 * one[k / 64] / 8.0).collect();
        submit(&monitor, "falling", Tensor::from_f64(vec![128, 64], &values).unwrap());
        submit(&monitor, "steady", heavy(5 + step, 0.5));
        let verdict = &report(&monitor, step).verdict;
        if verdict.flags.contains(Flags::RANK_COLLAPSE) {
            assert_eq!(verdict.layers, ["falling"], "{verdict:?}");
            raised.push(step);
        }
    }
    let ranks = monitor.history().unwrap().series("falling", TensorRole::Weight, "stable_rank");
    let below: Vec<u64> = ranks.iter().filter(|(_, rank)| *rank < 1.5).map(|(step, _)| *step).collect();
    assert!(below.len() > 3, "{ranks:?}");
    assert_eq!(raised[0], below[0] + 2, "raised at the third analysis below the floor");
    assert_eq!(raised.len(), below.len() - 2);
}

#[test]
fn a_weight_that_outgrows_its_layer_is_named_as_a_trap_and_only_where_traps_are_looked_for() {
    for looked_for in [true, false] {
        let analysis = Options { traps: looked_for, ..Options::default() };
        let monitor = Monitor::open(MonitorOptions { analysis, ..options() }).unwrap();
        let mut values = gaussian(3, 256, 64).to_vec();
        let mut raised = Vec::new();
        for step in 0..8u64 {
            // A spike of θ beside noise of 1/16 has the eigenvalue (1 + θ²)(1/4 + θ²) / θ² (Baik, Ben Arous, Péché 2005), and the edge
            // is near 2.4: 1.0 is hardly beyond it, 1.5 is 1.5 times the edge.
            values[64 * 9 + 5] = step as f64 / 2.0;
            submit(&monitor, "trapped", Tensor::from_f64(vec![256, 64], &values).unwrap());
            submit(&monitor, "clean", gaussian(4 + step, 256, 64));
            let report = report(&monitor, step);
            let verdict = &report.verdict;
            let traps = report.layers[0].rows[0].num_traps;
            assert_eq!(traps, looked_for.then_some(i64::from(step >= 2)), "step {step}");
            if verdict.flags.contains(Flags::TRAPS) {
                assert_eq!((verdict.level, &*verdict.layers), (Level::Warn, &["trapped".to_owned()][..]));
                let finding = verdict.findings.iter().find(|f| f.flag == Flags::TRAPS).unwrap();
                assert!(finding.reason.contains("1 correlation trap,"), "{}", finding.reason);
                assert!(finding.reason.ends_with(&format!("by {:.3} at [9,5]", step as f64 / 2.0)));
                raised.push(step);
            }
        }
        assert_eq!(raised, if looked_for { vec![4, 5, 6, 7] } else { vec![] });
    }
}

#[test]
fn one_nan_stops_at_once_and_hurts_no_other_layer() {
    let monitor = Monitor::open(options()).unwrap();
    let mut values = heavy(1, 0.5).to_vec();
    for step in 0..3u64 {
        let kept = values[64 * 9 + 5];
        if step == 1 {
            values[64 * 9 + 5] = f64::NAN;
        }
        submit(&monitor, "sick", Tensor::from_f64(vec![256, 64], &values).unwrap());
        submit(&monitor, "well", heavy(2, 0.5));
        submit(&monitor, "well.bias", Tensor::from_f64(vec![64], &[0.5; 64]).unwrap());
        let report = report(&monitor, step);
        let (sick, well) = (&report.layers[0].rows[0], &report.layers[1].rows[0]);
        assert_eq!(well.status, Status::Success);
        assert_eq!(report.layers[2].rows[0].reason, "1-D bias");
        if step == 1 {
            assert_eq!(report.verdict.level, Level::Stop);
            assert_eq!(report.verdict.flags, Flags::NON_FINITE);
            assert_eq!(report.verdict.new_flags, Flags::NON_FINITE);
            assert_eq!(report.verdict.layers, ["sick"]);
            assert_eq!(report.verdict.reason, "sick: weight has NaN or infinite elements");
            assert_eq!(
                (sick.status, sick.reason.as_str()),
                (Status::Failed, "contains 1 NaN, first at [9,5]")
            );
        } else {
            assert_eq!(report.verdict.level, Level::None);
            assert_eq!(sick.status, Status::Success);
        }
        values[64 * 9 + 5] = kept;
    }
    // The gap shows in the series.
    let points = &monitor.history().unwrap().layers[0].points;
    let alphas: Vec<bool> = points.iter().map(|p| p.values.get("alpha").is_some()).collect();
    assert_eq!(alphas, [true, false, true]);
}

#[test]
fn infinite_gradients_warn_and_do_not_stop() {
    let monitor = Monitor::open(options()).unwrap();
    submit(&monitor, "fc", heavy(1, 0.5));
    let gradient = Tensor::from_f64(vec![2], &[1.0, f64::INFINITY]).unwrap();
    monitor.submit("fc", TensorRole::Gradient, Hints::default(), gradient).unwrap();
    let report = report(&monitor, 0);
    assert_eq!((report.verdict.level, report.verdict.flags), (Level::Warn, Flags::NON_FINITE));
    assert_eq!(report.verdict.findings[0].role, TensorRole::Gradient);
    assert_eq!(report.layers.len(), 2);
}

#[test]
fn alpha_below_two_raises_after_three_commits_and_not_for_a_single_one() {
    let monitor = Monitor::open(options()).unwrap();
    let mut raised = Vec::new();
    // Population spectra i^-2 give an alpha of about 1.5, i^-0.5 one of about 3.
    for (step, bad) in "bgggbbbbbggg".chars().map(|c| c == 'b').enumerate() {
        submit(&monitor, "over", heavy(10 + step as u64, if bad { 2.0 } else { 0.5 }));
        submit(&monitor, "other", heavy(50 + step as u64, 0.4));
        let report = report(&monitor, step as u64);
        let alpha = report.layers[0].rows[0].alpha.unwrap();
        assert_eq!(alpha < 2.0, bad, "alpha {alpha}");
        if report.verdict.flags.contains(Flags::OVER_TRAINED) {
            assert_eq!(
                (report.verdict.level, &report.verdict.layers),
                (Level::Warn, &vec!["over".to_owned()])
            );
            assert_eq!(report.verdict.findings[0].since, 6);
            raised.push(step);
        }
    }
    assert_eq!(raised, [6, 7, 8, 9, 10]);
}

#[test]
fn a_steady_rise_of_mean_alpha_is_flagged_and_noise_is_not() {
    for rising in [true, false] {
        let monitor = Monitor::open(options()).unwrap();
        let mut raised = Vec::new();
        for step in 0..24u64 {
            let c = if rising { 1.0 / (1.05 + 0.1 * step as f64) } else { 0.6 };
            for layer in 0..4 {
                submit(&monitor, &format!("fc{layer}"), heavy(1000 * layer + step, c));
            }
            if report(&monitor, step).verdict.flags.contains(Flags::ALPHA_RISING) {
                raised.push(step);
            }
        }
        let means = monitor.history().unwrap().means("alpha");
        assert_eq!(raised.is_empty(), !rising, "{raised:?} {means:?}");
    }
}

#[test]
fn under_training_is_judged_where_it_is_asked_for() {
    let rule = UnderTrained { hold: Hold::new(2, 1), ..UnderTrained::default() };
    let monitor = Monitor::open(with(Rules { under_trained: Some(rule), ..Rules::none() })).unwrap();
    let mut flags = Vec::new();
    for step in 0..3u64 {
        for layer in 0..6 {
            submit(&monitor, &format!("fc{layer}"), gaussian(10 * step + layer, 1024, 64));
        }
        let report = report(&monitor, step);
        assert!(report.means.get("alpha").unwrap() > 6.0, "{:?}", report.means);
        flags.push(report.verdict.flags);
    }
    assert_eq!(flags, [Flags::NONE, Flags::UNDER_TRAINED, Flags::UNDER_TRAINED]);
}

#[test]
fn stuck_and_zero_layers_are_dead_and_frozen_ones_are_not() {
    let monitor = Monitor::open(options()).unwrap();
    let zeros = Tensor::from_f64(vec![64, 64], &[0.0; 64 * 64]).unwrap();
    let mut dead = Vec::new();
    for step in 0..8u64 {
        submit(&monitor, "moving", heavy(step, 0.5));
        submit(&monitor, "stuck", heavy(100 + step.min(2), 0.5));
        submit(&monitor, "frozen", heavy(200, 0.5));
        submit(&monitor, "zero", zeros.clone());
        let report = report(&monitor, step);
        dead.push(report.verdict.layers.clone());
        assert_eq!(report.layers[3].rows[0].reason, "all-zero matrix");
    }
    // Zero is judged from the first commit at which others are known to move; stuck last moved at step 2.
    let none: [&str; 0] = [];
    assert_eq!(dead[..3], [none, none, none]);
    assert_eq!(dead[3], ["zero"]);
    assert_eq!(dead[4], ["zero"]);
    for layers in &dead[5..] {
        assert_eq!(*layers, ["stuck", "zero"]);
    }
}

#[test]
fn the_sentinels_of_a_failed_fit_are_no_alpha() {
    let analysis = Options::weightwatcher_0_7_7();
    let monitor = Monitor::open(MonitorOptions { analysis, ..options() }).unwrap();
    for step in 0..4u64 {
        submit(&monitor, "zero.weight", Tensor::from_f64(vec![64, 64], &[0.0; 64 * 64]).unwrap());
        let report = report(&monitor, step);
        assert_eq!(report.layers[0].rows[0].alpha, Some(-1.0));
        assert_eq!((report.verdict.flags, report.means.get("alpha")), (Flags::NONE, None));
    }
}

#[test]
fn nothing_is_dead_when_nothing_moves_at_all() {
    let monitor = Monitor::open(options()).unwrap();
    for step in 0..6u64 {
        submit(&monitor, "a", heavy(step.min(1), 0.5));
        submit(&monitor, "b", heavy(2 + step.min(1), 0.5));
        assert_eq!(report(&monitor, step).verdict.flags, Flags::NONE);
    }
}

#[test]
fn the_snapshot_in_hand_is_never_further_from_the_best_than_the_gain() {
    let rule = SnapshotRule { warm_up: 2, ..SnapshotRule::default() };
    let gain = rule.gain;
    let monitor = Monitor::open(with(Rules { snapshot: Some(rule), ..Rules::none() })).unwrap();
    let mut kept = Vec::new();
    for step in 0..16u64 {
        // Alpha falls from about 4.3 towards 2.3 at step 8, then rises again.
        let alpha = 2.3 + 0.25 * (step as f64 - 8.0).abs();
        for layer in 0..3 {
            submit(&monitor, &format!("fc{layer}"), heavy(1000 * layer, 1.0 / (alpha - 1.0)));
        }
        let verdict = &report(&monitor, step).verdict;
        assert_eq!(verdict.level == Level::Snapshot, verdict.snapshot.is_some());
        if verdict.level == Level::Snapshot {
            assert!(verdict.reason.ends_with("is the nearest to 2 so far: worth a copy"), "{verdict:?}");
            kept.push(step);
        }
    }
    let means = monitor.history().unwrap().means("alpha");
    let distance = |step: &u64| (means[*step as usize].1 - 2.0).abs();
    assert_eq!(kept[0], 2, "the first after the warm-up");
    assert!((7..=9).contains(kept.last().unwrap()), "none in the decline: {kept:?}");
    for step in 2..16u64 {
        let in_hand = kept.iter().rfind(|k| **k <= step).unwrap();
        let best = (2..=step).map(|s| distance(&s)).fold(f64::INFINITY, f64::min);
        assert!(distance(in_hand) <= best + gain, "step {step}: {kept:?} {means:?}");
    }
}

#[test]
fn small_layers_that_start_near_zero_may_grow() {
    let monitor = Monitor::open(options()).unwrap();
    for step in 0..8u64 {
        submit(&monitor, "body", heavy(step, 0.5));
        let growing = 1e-6 * 7f64.powi(step as i32);
        submit(&monitor, "adapter", scaled(&heavy(90 + step, 0.5), growing));
        let verdict = &report(&monitor, step).verdict;
        assert!(!verdict.flags.contains(Flags::NORM_EXPLOSION), "{verdict:?}");
    }
    // Twice what it was is no explosion either.
    submit(&monitor, "body", scaled(&heavy(9, 0.5), SQRT_2 * SQRT_2));
    assert!(report(&monitor, 9).verdict.findings.is_empty());
}

#[test]
fn rules_without_sense_are_refused_with_their_name() {
    let wrong = |rules: Rules| Monitor::open(with(rules)).unwrap_err().to_string();
    let rising = AlphaRising { window: 2, ..AlphaRising::default() };
    assert_eq!(
        wrong(Rules { alpha_rising: Some(rising), ..Rules::default() }),
        "alpha_rising.window: expected at least 3, found 2"
    );
    let over = OverTrained { below: f64::NAN, ..OverTrained::default() };
    assert_eq!(
        wrong(Rules { over_trained: Some(over), ..Rules::default() }),
        "over_trained.below: expected a number of at least 0, found NaN"
    );
    let short = Monitor::open(MonitorOptions { history: 5, ..options() }).unwrap_err().to_string();
    assert_eq!(short, "history: expected 10 to 1048576, found 5");
}
