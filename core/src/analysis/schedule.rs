//! Which layers are worth all threads together, one after the other, and which a thread each.

/// Below this many operations, sharing a layer costs more than it saves.
pub(super) const WORTH_SHARING: f64 = 2e9;

/// Most layers that are tried together: with more than these before them, what is left is balanced anyway.
const MOST: usize = 64;

/// Operations' worth of time that a layer takes on all threads: part of it, less for a larger one, is done by one of them (Amdahl). Measured on two
/// threads: 1.3 times as fast with 1024 columns, 1.8 with 4096.
fn shared(cost: f64, threads: usize) -> f64 {
    let alone = (0.06 * (1e11 / cost).powf(0.4)).min(1.0);
    cost * (alone + (1.0 - alone) / threads as f64)
}

/// How long layers take where each thread takes the largest that is left.
fn apart(costs: &[f64], threads: usize) -> f64 {
    let mut busy = vec![0.0f64; threads];
    for cost in costs {
        if let Some(first) = busy.iter_mut().min_by(|a, b| a.total_cmp(b)) {
            *first += cost;
        }
    }
    busy.into_iter().fold(0.0, f64::max)
}

/// How many of the largest layers, whose costs in operations are `descending`, all threads should do together before they part.
pub(crate) fn together(descending: &[f64], threads: usize) -> usize {
    if threads < 2 {
        return 0;
    }
    let large = descending.iter().take(MOST).take_while(|cost| **cost > WORTH_SHARING).count();
    let (mut best, mut least, mut before) = (0, apart(descending, threads), 0.0);
    for count in 1..=large {
        before += shared(descending[count - 1], threads);
        let time = before + apart(&descending[count..], threads);
        if time < least {
            (best, least) = (count, time);
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_layer_that_others_cannot_balance_is_shared() {
        assert_eq!(together(&[2.75e11, 1.6e11], 2), 2, "nothing is left for the other thread");
        assert_eq!(together(&[1e11; 3], 2), 1, "the odd one");
        assert_eq!(together(&[1e11; 4], 2), 0);
        assert_eq!(together(&[1e12, 1e10, 1e10], 16), 3);
        assert_eq!(together(&[1e12, 1e11, 1e11, 1e11, 1e11], 2), 1);
    }

    #[test]
    fn small_layers_and_single_threads_share_nothing() {
        assert_eq!(together(&[1e9, 1e8], 2), 0);
        assert_eq!(together(&[1e12], 1), 0);
        assert_eq!(together(&[], 8), 0);
    }
}
