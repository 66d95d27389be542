//! Skipped tensors in few words.

use eigenscope::analysis::{Row, Status};

/// Reasons named one by one before the rest is only counted.
const MAX_REASONS: usize = 8;

/// `41 norm layer, 25 1-D bias`: how many were skipped for each reason, the most frequent first; `None` if none was.
pub fn by_reason(rows: &[Row]) -> Option<String> {
    let mut groups: Vec<(&str, usize)> = Vec::new();
    for row in rows.iter().filter(|r| r.status == Status::Skipped) {
        let family = family(&row.reason);
        match groups.iter_mut().find(|(reason, _)| *reason == family) {
            Some((_, count)) => *count += 1,
            None => groups.push((family, 1)),
        }
    }
    groups.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let mut parts: Vec<String> =
        groups.iter().take(MAX_REASONS).map(|(reason, count)| format!("{count} {reason}")).collect();
    let others: usize = groups.iter().skip(MAX_REASONS).map(|(_, count)| count).sum();
    if others > 0 {
        parts.push(format!("{others} for other reasons"));
    }
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// The reason without what concerns the one tensor: `M=3 below min_evals 8` is `below min_evals 8`, and
/// `bias of Conv 'block/3'` is `bias of Conv`.
fn family(reason: &str) -> &str {
    if reason.ends_with('\'')
        && let Some((words, _)) = reason.split_once(" '")
    {
        return words;
    }
    let families = [
        ("shapes differ", "shapes differ from the base model's"),
        ("factor of ", "factor of a low-rank update"),
        ("no weights of ", "no weights for a low-rank update"),
    ];
    if let Some((_, family)) = families.iter().find(|(start, _)| reason.starts_with(start)) {
        return family;
    }
    ["below min_evals", "above max_evals", "above max_N", "the rank does not fit"]
        .iter()
        .find_map(|limit| reason.find(limit).map(|at| &reason[at..]))
        .unwrap_or(reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_that_differ_in_a_figure_or_a_name_are_one() {
        assert_eq!(family("M=3 below min_evals 8"), "below min_evals 8");
        assert_eq!(family("27 eigenvalues (M=3 x rf=9) below min_evals 50"), "below min_evals 50");
        assert_eq!(family("bias of Conv 'block/it's/3'"), "bias of Conv");
        let names = "name does not end in '.weight' (weightwatcher-0.7.7)";
        assert_eq!(family(names), names);
        assert_eq!(family("norm layer"), "norm layer");
        assert_eq!(family("factor of 'q.lora_BA.weight' (rank 8, times 2)"), "factor of a low-rank update");
    }
}
