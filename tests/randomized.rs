//! What shuffles of real files' weights give, against WeightWatcher 0.7.7, which has no seed: distribution against distribution.
#![allow(missing_docs, clippy::print_stdout)]

use std::collections::BTreeMap;

use eigenscope::analysis::{Options, Report, column};
use eigenscope_tests::golden::number;
use eigenscope_tests::reference::{analyze, subjects};

const SEEDS: u64 = 20;
const COLUMNS: [&str; 11] = [
    "max_rand_eval",
    "rand_distance",
    "ww_softrank",
    "ww_maxdist",
    "rand_sigma_mp",
    "rand_mp_softrank",
    "rand_bulk_max",
    "rand_bulk_min",
    "rand_W_scale",
    "rand_num_spikes",
    "num_traps",
];
/// A value far from all of ours is none of their distribution, however few such there are.
const FARTHEST: f64 = 6.0;

/// Cells of a column, which of the reference's are outside the range of ours, and how many are on either side of our median.
#[derive(Default)]
struct Coverage {
    cells: usize,
    outside: Vec<String>,
    below: usize,
    above: usize,
}

/// How far a value is outside the range of `found`, in widths of the range; 0 inside. Counts, and numbers that hardly vary, get a
/// least width.
fn widths_outside(found: &[f64], value: f64) -> f64 {
    let low = found.iter().copied().fold(f64::INFINITY, f64::min);
    let high = found.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let away = (low - value).max(value - high);
    if away <= 1e-9 * high.abs() {
        return 0.0;
    }
    let least = if low == high { 1.0 / FARTHEST } else { 0.0 };
    away / (high - low).max(1e-3 * high.abs()).max(least)
}

/// Were the reference's values drawn from the distribution of ours, each would lie outside the range of 20 of ours with probability
/// 2/21, and on either side of their median as often. Asserted of each column by itself: less than twice as many are outside, none by
/// more than six widths of that range, and no side of the median has more than twice what the other has. Of all columns together, at
/// least half as many are outside: ours are not simply wider.
#[test]
fn twenty_seeds_cover_the_reference_s_random_columns_in_every_layer() {
    let mut coverage: BTreeMap<&str, Coverage> = BTreeMap::new();
    for subject in subjects() {
        let sets: Vec<_> = (0..4).filter_map(|k| subject.golden(&format!("random{k}"))).collect();
        if sets.is_empty() {
            continue;
        }
        let options =
            |seed| Options { randomize: true, mp_fit: true, seed, ..Options::weightwatcher_0_7_7() };
        let ours: Vec<Report> = (1..=SEEDS).map(|seed| analyze(&subject.path, &options(seed))).collect();
        for (k, golden) in sets.iter().enumerate() {
            let seeds: Vec<_> = ours.iter().map(|report| subject.pair(report, golden)).collect();
            for (layer, (row, expected)) in seeds[0].iter().enumerate() {
                for name in COLUMNS {
                    let value = column(name).unwrap();
                    let found: Vec<f64> =
                        seeds.iter().map(|rows| value.value(rows[layer].0).as_f64().unwrap()).collect();
                    let theirs = number(&expected[name]).unwrap();
                    if theirs.is_nan() {
                        // Of a single column every shuffle has the same spectrum: the root of a rounding error below zero.
                        assert!(
                            name == "rand_distance" && row.M == Some(1) && found.iter().all(|d| *d < 1e-7)
                        );
                        continue;
                    }
                    let away = widths_outside(&found, theirs);
                    let place =
                        format!("{} {} {name}: {theirs}, {away:.2} widths outside", subject.name, row.name);
                    assert!(away <= FARTHEST, "random{k} {place} of {found:?}");
                    let seen = coverage.entry(name).or_default();
                    seen.cells += 1;
                    let slack = 1e-9 * theirs.abs();
                    let below = found.iter().filter(|v| **v < theirs - slack).count();
                    let above = found.iter().filter(|v| **v > theirs + slack).count();
                    seen.below += usize::from(above > below);
                    seen.above += usize::from(below > above);
                    if away > 0.0 {
                        seen.outside.push(place);
                    }
                }
            }
        }
    }
    let (mut cells, mut outside) = (0, 0);
    for (name, seen) in &coverage {
        let Coverage { below, above, .. } = *seen;
        println!(
            "{name:18} {:3} of {} outside, {below} below, {above} above",
            seen.outside.len(),
            seen.cells
        );
        cells += seen.cells;
        outside += seen.outside.len();
    }
    for (name, seen) in &coverage {
        let places = seen.outside.join("\n");
        assert!(seen.outside.len() * 21 < seen.cells * 4, "{name}: {} cells\n{places}", seen.cells);
        let (below, above) = (seen.below, seen.above);
        // rand_W_scale is the same in every shuffle but for rounding.
        assert!(
            *name == "rand_W_scale" || below.max(above) <= 2 * below.min(above),
            "{name}: {below} {above}"
        );
    }
    assert!(outside * 21 >= cells, "{outside} of {cells}");
}
