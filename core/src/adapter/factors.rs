//! Which tensors of a model are the two factors of an update.

use std::collections::HashMap;

use crate::source::TensorInfo;

/// The factors of the update of one module: `B A`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Factors {
    /// Index of A, `rank x in`.
    pub a: usize,
    /// Index of B, `out x rank`.
    pub b: usize,
    /// The module's full name.
    pub module: String,
    /// Of an embedding, whose table is the transposed product.
    pub embedding: bool,
}

/// Names of factors: A, B, whether they are an embedding's.
const NAMES: [(&str, &str, bool); 2] =
    [("lora_A", "lora_B", false), ("lora_embedding_A", "lora_embedding_B", true)];

/// Every pair of factors, in the order of A. A name is `MODULE.lora_A.weight`, with or without the adapter's name before
/// `.weight`.
pub(super) fn find(infos: &[TensorInfo]) -> Vec<Factors> {
    let names: HashMap<&str, usize> = infos.iter().enumerate().map(|(i, t)| (t.name.as_str(), i)).collect();
    let pair = |(a, info): (usize, &TensorInfo)| {
        NAMES.iter().find_map(|(of_a, of_b, embedding)| {
            let (module, rest) = split(&info.name, of_a)?;
            let b = *names.get(format!("{module}.{of_b}{rest}").as_str())?;
            let numbers = [a, b].iter().all(|i| infos[*i].note.is_none() && infos[*i].dtype.is_float());
            numbers.then(|| Factors { a, b, module: module.to_owned(), embedding: *embedding })
        })
    };
    infos.iter().enumerate().filter_map(pair).collect()
}

/// What comes before and after a part of a name.
fn split<'a>(name: &'a str, part: &str) -> Option<(&'a str, &'a str)> {
    let at = name.rfind(&format!(".{part}"))?;
    let rest = &name[at + 1 + part.len()..];
    (rest.is_empty() || rest.starts_with('.')).then_some((&name[..at], rest))
}

/// The shape of the product, and its rank; `None` where the factors do not fit. B has a 1 for each axis of A beyond the
/// second: convolutions.
pub(super) fn product_shape(a: &[usize], b: &[usize], embedding: bool) -> Option<(Vec<usize>, usize)> {
    let (&rank, rest) = a.split_first()?;
    let fits = b.len() == a.len() && b.len() >= 2 && b[1] == rank && b[2..].iter().all(|d| *d == 1);
    if !fits || rank == 0 {
        return None;
    }
    let shape = if embedding { vec![*rest.first()?, b[0]] } else { [&b[..1], rest].concat() };
    (!embedding || a.len() == 2).then_some((shape, rank))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Dtype;

    #[test]
    fn factors_are_found_by_name_with_and_without_an_adapter_s() {
        let info = |name: &str| TensorInfo::new(name, Dtype::F32, vec![2, 2]);
        let infos = [
            info("m.q.lora_A.weight"),
            info("m.q.lora_B.weight"),
            info("m.v.lora_B.default.weight"),
            info("m.v.lora_A.default.weight"),
            info("m.e.lora_embedding_A"),
            info("m.e.lora_embedding_B"),
            info("m.k.lora_A.weight"),
            info("m.lora_Ax.weight"),
        ];
        let found: Vec<(usize, usize, String, bool)> =
            find(&infos).into_iter().map(|f| (f.a, f.b, f.module, f.embedding)).collect();
        assert_eq!(
            found,
            [
                (0, 1, "m.q".to_owned(), false),
                (3, 2, "m.v".to_owned(), false),
                (4, 5, "m.e".to_owned(), true)
            ]
        );
    }

    #[test]
    fn only_factors_that_fit_have_a_product() {
        assert_eq!(product_shape(&[4, 30], &[20, 4], false), Some((vec![20, 30], 4)));
        assert_eq!(product_shape(&[4, 30], &[20, 4], true), Some((vec![30, 20], 4)));
        assert_eq!(product_shape(&[4, 8, 3, 3], &[16, 4, 1, 1], false), Some((vec![16, 8, 3, 3], 4)));
        assert_eq!(product_shape(&[4, 30], &[20, 5], false), None);
        assert_eq!(product_shape(&[0, 30], &[20, 0], false), None);
        assert_eq!(product_shape(&[4], &[4], false), None);
    }
}
