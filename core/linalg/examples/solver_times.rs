//! Times of the Gram matrix and of the solvers, one for each line that is read: `benches/solver.py` asks for them.
//!
//! A line is WHAT TYPE ROWS COLUMNS THREADS, where WHAT is `gram`, `native`, `faer` or `lapack`, or `stages`, optionally followed by the width
//! of the band. Answers are seconds; of `stages`, those of the reduction, the chase and the iteration.
#![allow(clippy::print_stdout)]

use std::collections::HashMap;
use std::io::BufRead;
use std::time::Instant;

use eigenscope_linalg::{Block, EigenSolver, Faer, Gram, Native, Order, Real, Square, timed_eigenvalues};

#[cfg(feature = "lapack")]
fn lapack<T: Real>() -> Option<Box<dyn EigenSolver<T>>>
where
    eigenscope_linalg::Lapack: EigenSolver<T>,
{
    Some(Box::new(eigenscope_linalg::Lapack))
}

/// What was made for the last question, as making it takes longer than many answers.
struct Made<T: 'static> {
    sides: (usize, usize),
    data: Vec<T>,
    gram: Square<T>,
}

impl<T: Real> Made<T> {
    fn new(rows: usize, cols: usize, threads: usize) -> Self {
        let mut state = 1u64;
        let mut random = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            T::from_f64((state >> 11) as f64 / (1u64 << 53) as f64 - 0.5)
        };
        let data: Vec<T> = (0..rows * cols).map(|_| random()).collect();
        let gram = gram(&data, rows, cols, threads);
        Made { sides: (rows, cols), data, gram }
    }
}

fn gram<T: Real>(data: &[T], rows: usize, cols: usize, threads: usize) -> Square<T> {
    let mut gram = Gram::new(cols);
    gram.add(Block { rows, cols, order: Order::RowMajor, data }, threads);
    gram.finish()
}

fn answer<T: Real>(
    words: &[&str],
    made: &mut Option<Made<T>>,
    lapack: Option<&dyn EigenSolver<T>>,
) -> String {
    let number = |k: usize| words.get(k).and_then(|w| w.parse::<usize>().ok());
    let (Some(rows), Some(cols), Some(threads)) = (number(2), number(3), number(4)) else {
        return "a line is WHAT TYPE ROWS COLUMNS THREADS".into();
    };
    if made.as_ref().is_none_or(|m| m.sides != (rows, cols)) {
        *made = Some(Made::new(rows, cols, threads));
    }
    let Some(made) = made else { return String::new() };
    let start = Instant::now();
    let solved = match words[0] {
        "gram" => {
            gram(&made.data, rows, cols, threads);
            Ok(Vec::new())
        }
        "stages" => {
            return match timed_eigenvalues(&made.gram, number(5), threads) {
                Ok((_, times)) => times.map(|t| format!("{:.6}", t.as_secs_f64())).join(" "),
                Err(error) => error.to_string(),
            };
        }
        "native" => Native.eigenvalues(&made.gram, threads),
        "faer" => Faer.eigenvalues(&made.gram, threads),
        "lapack" => match lapack {
            Some(solver) => solver.eigenvalues(&made.gram, threads),
            None => return "built without the feature lapack".into(),
        },
        what => return format!("{what}: no such thing to time"),
    };
    match solved {
        Ok(_) => format!("{:.6}", start.elapsed().as_secs_f64()),
        Err(error) => error.to_string(),
    }
}

fn main() {
    #[cfg(feature = "lapack")]
    let (single, double) = (lapack::<f32>(), lapack::<f64>());
    #[cfg(not(feature = "lapack"))]
    let (single, double) = (None::<Box<dyn EigenSolver<f32>>>, None::<Box<dyn EigenSolver<f64>>>);
    let (mut singles, mut doubles) = (None, None);
    let mut pools = HashMap::new();
    for line in std::io::stdin().lock().lines().map_while(Result::ok) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let threads = words.get(4).and_then(|w| w.parse().ok()).unwrap_or(1);
        let pool = pools.entry(threads).or_insert_with(|| {
            rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads")
        });
        let text = pool.install(|| match words.get(1) {
            Some(&"f32") => answer::<f32>(&words, &mut singles, single.as_deref()),
            Some(&"f64") => answer::<f64>(&words, &mut doubles, double.as_deref()),
            _ => "types are f32 and f64".into(),
        });
        println!("{text}");
    }
}
