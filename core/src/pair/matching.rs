//! Which tensor of one model belongs to which of the other.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::source::TensorInfo;

/// Parts of a name that may be its prefix: names come from files, and may have thousands.
const MAX_PARTS: usize = 16;

/// The partners of tensors by full name.
///
/// Where the names of one model carry a prefix that those of the other lack (`module.`, `bert.`, `base_model.model.`), and
/// without it at least half of the tensors that are left over on the smaller side find a partner, the prefix does not
/// count.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Matching {
    /// For each tensor of the first model, the index of its partner in the second.
    pub partners: Vec<Option<usize>>,
    /// Tensors of the second model without a partner.
    pub left_over: Vec<usize>,
    /// The prefix that does not count, and whether the first model has it.
    pub prefix: Option<(String, bool)>,
}

impl Matching {
    /// Pairs tensors by name.
    pub fn by_name(a: &[TensorInfo], b: &[TensorInfo]) -> Self {
        let of_b: HashMap<&str, usize> = b.iter().enumerate().map(|(i, t)| (t.name.as_str(), i)).collect();
        let mut partners: Vec<Option<usize>> = a.iter().map(|t| of_b.get(t.name.as_str()).copied()).collect();
        let taken: HashSet<usize> = partners.iter().flatten().copied().collect();
        let alone_a: Vec<usize> = (0..a.len()).filter(|i| partners[*i].is_none()).collect();
        let alone_b: Vec<usize> = (0..b.len()).filter(|i| !taken.contains(i)).collect();
        let prefix = prefix(a, &alone_a, b, &alone_b);
        if let Some((prefix, of_first)) = &prefix {
            let rest: HashMap<&str, usize> = alone_b.iter().map(|i| (b[*i].name.as_str(), *i)).collect();
            for i in &alone_a {
                partners[*i] = if *of_first {
                    a[*i].name.strip_prefix(prefix.as_str()).and_then(|name| rest.get(name).copied())
                } else {
                    rest.get(format!("{prefix}{}", a[*i].name).as_str()).copied()
                };
            }
        }
        let taken: HashSet<usize> = partners.iter().flatten().copied().collect();
        let left_over = (0..b.len()).filter(|i| !taken.contains(i)).collect();
        Matching { partners, left_over, prefix }
    }
}

/// The prefix with the most votes, if they are enough; of equals the shortest.
fn prefix(
    a: &[TensorInfo],
    alone_a: &[usize],
    b: &[TensorInfo],
    alone_b: &[usize],
) -> Option<(String, bool)> {
    let mut votes: BTreeMap<(usize, &str, bool), usize> = BTreeMap::new();
    for (long, of_long, short, of_short, first) in
        [(a, alone_a, b, alone_b, true), (b, alone_b, a, alone_a, false)]
    {
        let names: HashSet<&str> = of_short.iter().map(|i| short[*i].name.as_str()).collect();
        for i in of_long {
            let name = long[*i].name.as_str();
            for (at, _) in name.match_indices('.').take(MAX_PARTS) {
                let (head, tail) = name.split_at(at + 1);
                if names.contains(tail) {
                    *votes.entry((head.len(), head, first)).or_default() += 1;
                }
            }
        }
    }
    let best = votes.into_iter().rev().max_by_key(|(_, count)| *count)?;
    let ((_, prefix, first), count) = best;
    (2 * count >= alone_a.len().min(alone_b.len())).then(|| (prefix.to_owned(), first))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Dtype;

    fn infos(names: &[&str]) -> Vec<TensorInfo> {
        names.iter().map(|n| TensorInfo::new(*n, Dtype::F32, vec![2, 2])).collect()
    }

    #[test]
    fn names_decide_and_not_places() {
        let found = Matching::by_name(&infos(&["x", "y", "z"]), &infos(&["z", "w", "x"]));
        assert_eq!(found.partners, [Some(2), None, Some(0)]);
        assert_eq!((found.left_over, found.prefix), (vec![1], None));
    }

    #[test]
    fn a_prefix_of_most_names_on_either_side_does_not_count() {
        let plain = infos(&["encoder.0.weight", "encoder.1.weight", "pooler.weight"]);
        let wrapped = infos(&["bert.encoder.0.weight", "bert.encoder.1.weight", "classifier.weight"]);
        let found = Matching::by_name(&wrapped, &plain);
        assert_eq!(found.partners, [Some(0), Some(1), None]);
        assert_eq!(found.prefix, Some(("bert.".to_owned(), true)));
        let found = Matching::by_name(&plain, &wrapped);
        assert_eq!(found.partners, [Some(0), Some(1), None]);
        assert_eq!((found.left_over, found.prefix), (vec![2], Some(("bert.".to_owned(), false))));
    }

    #[test]
    fn a_chance_likeness_of_few_names_is_no_prefix() {
        let a = infos(&["a.0.weight", "b.weight", "c.weight", "d.weight"]);
        let b = infos(&["0.weight", "e.weight", "f.weight", "g.weight"]);
        assert_eq!(Matching::by_name(&a, &b).partners, [None; 4]);
    }
}
