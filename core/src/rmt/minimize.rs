//! Nelder and Mead's search along one line, stop rules as in SciPy.

const TOLERANCE: f64 = 1e-4;
const MOST: usize = 200;

/// A local minimum of `f` near `start`: the first step is 5 %, and it stops where both points and their values are within 1e-4, or
/// after 200 iterations or calls.
pub fn nelder_mead_1d(start: f64, f: impl Fn(f64) -> f64) -> f64 {
    let second = if start == 0.0 { 0.000_25 } else { start * 1.05 };
    let mut simplex = [(start, f(start)), (second, f(second))];
    let mut calls = 2;
    for _ in 1..MOST {
        if simplex[1].1 < simplex[0].1 {
            simplex.swap(0, 1);
        }
        let [best, worst] = simplex;
        let near = (worst.0 - best.0).abs() <= TOLERANCE && (worst.1 - best.1).abs() <= TOLERANCE;
        if near || calls >= MOST {
            break;
        }
        let mut at = |x: f64| {
            calls += 1;
            (x, f(x))
        };
        let reflected = at(2.0 * best.0 - worst.0);
        simplex[1] = if reflected.1 < best.1 {
            let expanded = at(3.0 * best.0 - 2.0 * worst.0);
            if expanded.1 < reflected.1 { expanded } else { reflected }
        } else {
            let outside = reflected.1 < worst.1;
            let contracted =
                at(if outside { 1.5 * best.0 - 0.5 * worst.0 } else { 0.5 * best.0 + 0.5 * worst.0 });
            let kept = if outside { contracted.1 <= reflected.1 } else { contracted.1 < worst.1 };
            if kept { contracted } else { at(best.0 + 0.5 * (worst.0 - best.0)) }
        };
    }
    if simplex[1].1 < simplex[0].1 { simplex[1].0 } else { simplex[0].0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_finds_the_bottom_of_a_valley() {
        let found = nelder_mead_1d(1.0, |x| (x - 1.37).powi(2) + 2.0);
        assert!((found - 1.37).abs() < 1e-3, "{found}");
    }
}
