//! detX: how many of the largest eigenvalues multiply to at least 1 where the mean is 1 (the ERG condition).

/// Where the product falls below 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Detx {
    /// How many of the largest eigenvalues, the one that pulls the product below 1 included; all where it never does.
    pub count: usize,
    /// Index of the smallest of them in ascending order.
    pub index: usize,
}

/// Whether there is anything to walk through.
fn flat(ascending: &[f64]) -> bool {
    ascending.len() < 2 || ascending[0] >= ascending[ascending.len() - 1]
}

/// By sums of logarithms of `ascending`, whose mean is 1; `None` for fewer than 2 different values.
pub fn detx(ascending: &[f64]) -> Option<Detx> {
    if flat(ascending) {
        return None;
    }
    let mut sum = 0.0;
    for (index, value) in ascending.iter().enumerate().skip(1).rev() {
        sum += value.ln();
        if sum < 0.0 {
            return Some(Detx { count: ascending.len() - index, index });
        }
    }
    Some(Detx { count: ascending.len(), index: 0 })
}

/// By the plain product, as WeightWatcher 0.7.7 does it: it overflows or underflows for more than about 2500 values, is 0 where there
/// is nothing to walk through, and gives index 1 where it never falls below 1.
pub fn detx_by_product(ascending: &[f64]) -> Detx {
    if flat(ascending) {
        return Detx { count: 0, index: 0 };
    }
    for index in (1..ascending.len()).rev() {
        // The reference multiplies each tail from its smaller end.
        if ascending[index..].iter().product::<f64>() < 1.0 {
            return Detx { count: ascending.len() - index, index };
        }
    }
    Detx { count: ascending.len(), index: 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ninety_zeros_and_ten_ones_give_the_published_answer() {
        let mut values = vec![0.0; 90];
        values.extend([1.0; 10]);
        assert_eq!(detx(&values), Some(Detx { count: 11, index: 89 }));
        assert_eq!(detx_by_product(&values), Detx { count: 11, index: 89 });
    }

    #[test]
    fn sums_of_logarithms_go_on_where_the_product_underflows() {
        // The 1500 of 0.5 undo 500 of 8; the others are so small that no product of doubles holds them.
        let mut values = vec![1e-3; 2000];
        values.extend([0.5; 1600]);
        values.extend([8.0; 500]);
        assert_eq!(detx(&values).unwrap().count, 500 + 1501);
        let mut many = vec![1e-3; 10];
        many.extend([0.4; 3000]);
        many.extend([1.9; 2000]);
        // 1.9^2000 overflows to infinity, which no 0.4 brings back in exact arithmetic of doubles.
        let exact = detx(&many).unwrap().count;
        assert_eq!(exact, 2000 + (2000.0 * 1.9f64.ln() / -0.4f64.ln()).ceil() as usize);
    }

    #[test]
    fn equal_values_have_no_answer() {
        assert_eq!(detx(&[1.0; 5]), None);
        assert_eq!(detx_by_product(&[1.0; 5]), Detx { count: 0, index: 0 });
        assert_eq!(detx(&[0.9, 1.1]).unwrap(), Detx { count: 2, index: 0 });
    }
}
