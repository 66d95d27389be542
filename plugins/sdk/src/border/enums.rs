//! The engine's enumerations as codes, by the tables of the interface.

use eigenscope::tensor::{Dtype, LayerKind, Layout, Role};

use crate::abi::codes::{DTYPES, KINDS, LAYOUTS, ROLES, UNKNOWN};

const DTYPE_VALUES: [Dtype; DTYPES.len()] = [
    Dtype::Opaque,
    Dtype::F64,
    Dtype::F32,
    Dtype::F16,
    Dtype::BF16,
    Dtype::F8E4M3,
    Dtype::F8E5M2,
    Dtype::I64,
    Dtype::I32,
    Dtype::I16,
    Dtype::I8,
    Dtype::U64,
    Dtype::U32,
    Dtype::U16,
    Dtype::U8,
    Dtype::Bool,
];
const LAYOUT_VALUES: [Layout; LAYOUTS.len()] =
    [Layout::OutInSpatial, Layout::InOutSpatial, Layout::SpatialInOut, Layout::SpatialOutIn];
const ROLE_VALUES: [Role; ROLES.len()] =
    [Role::Weight, Role::Gradient, Role::Optimizer, Role::Buffer, Role::Constant];

fn code<T: PartialEq>(table: &[T], value: &T) -> u8 {
    let position = table.iter().position(|v| v == value);
    position.and_then(|p| u8::try_from(p).ok()).unwrap_or(UNKNOWN)
}

pub(super) fn dtype_into(dtype: Dtype) -> u8 {
    code(&DTYPE_VALUES, &dtype)
}

pub(super) fn dtype_from(code: u8) -> Option<Dtype> {
    DTYPE_VALUES.get(usize::from(code)).copied()
}

pub(super) fn kind_into(kind: Option<LayerKind>) -> u8 {
    kind.map_or(0, |kind| code(&KINDS, &kind.name()))
}

/// A kind this side does not know is one it cannot analyse.
pub(super) fn kind_from(code: u8) -> Option<LayerKind> {
    match code {
        0 => None,
        _ => Some(
            KINDS.get(usize::from(code)).and_then(|k| LayerKind::from_name(k)).unwrap_or(LayerKind::Other),
        ),
    }
}

pub(super) fn layout_into(layout: Layout) -> u8 {
    code(&LAYOUT_VALUES, &layout)
}

pub(super) fn layout_from(code: u8) -> Option<Layout> {
    LAYOUT_VALUES.get(usize::from(code)).copied()
}

pub(super) fn role_into(role: Role) -> u8 {
    code(&ROLE_VALUES, &role)
}

pub(super) fn role_from(code: u8) -> Option<Role> {
    ROLE_VALUES.get(usize::from(code)).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_has_the_code_its_name_has_in_the_interface() {
        for (i, dtype) in DTYPE_VALUES.into_iter().enumerate() {
            assert_eq!(dtype.name(), DTYPES[i]);
            assert_eq!(dtype_from(dtype_into(dtype)), Some(dtype));
        }
        for kind in LayerKind::ALL {
            assert_eq!(KINDS[usize::from(kind_into(Some(kind)))], kind.name());
            assert_eq!(kind_from(kind_into(Some(kind))), Some(kind));
        }
        for (i, layout) in LAYOUT_VALUES.into_iter().enumerate() {
            assert_eq!(snake_case(&format!("{layout:?}")), LAYOUTS[i]);
            assert_eq!(layout_from(layout_into(layout)), Some(layout));
        }
        for (i, role) in ROLE_VALUES.into_iter().enumerate() {
            assert_eq!(snake_case(&format!("{role:?}")), ROLES[i]);
            assert_eq!(role_from(role_into(role)), Some(role));
        }
    }

    #[test]
    fn unknown_codes_are_said_to_be_unknown() {
        for code in [100, UNKNOWN] {
            assert_eq!(dtype_from(code), None);
            assert_eq!(kind_from(code), Some(LayerKind::Other));
            assert_eq!(layout_from(code), None);
            assert_eq!(role_from(code), None);
        }
        assert_eq!(kind_from(kind_into(None)), None);
    }

    fn snake_case(name: &str) -> String {
        let words = name.chars().enumerate().flat_map(|(i, c)| {
            let gap = (i > 0 && c.is_uppercase()).then_some('_');
            gap.into_iter().chain(c.to_lowercase())
        });
        words.collect()
    }
}
