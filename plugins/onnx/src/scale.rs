//! Scales and zero points: which tensors hold those of a quantised weight, and along which axis they run.

use eigenscope_plugin::tensor::Quantization;

use crate::data::Stored;
use crate::follow::Path;
use crate::graph::{Found, Graph, NodeId, TensorId, ValueId};
use crate::operators::QuantizedBy;

/// How a tensor becomes real numbers.
#[derive(Clone, Debug)]
pub(crate) struct Dequantize {
    /// The tensor of scales; `None` where no scale was found and 1 stands for it.
    pub scale: Option<TensorId>,
    pub zero_point: Option<TensorId>,
    /// The stored axis that scales run along; `None` for one scale.
    pub axis: Option<usize>,
}

impl Dequantize {
    /// The numbers themselves, for the part at `index` of `leading` axes left out.
    pub(crate) fn quantization(
        &self,
        stored: &[Stored],
        leading: usize,
        index: usize,
    ) -> Result<Quantization, eigenscope_plugin::source::Refusal> {
        let read = |id: Option<TensorId>| match id {
            Some(id) => stored[id].tensor().map(|t| t.to_vec()),
            None => Ok(Vec::new()),
        };
        let mut scales = read(self.scale)?;
        let mut zero_points = read(self.zero_point)?;
        if scales.is_empty() {
            scales.push(1.0);
        }
        let axis = match self.axis {
            Some(axis) if axis >= leading => Some(axis - leading),
            // One scale for each part.
            Some(_) => {
                for list in [&mut scales, &mut zero_points] {
                    if list.len() > 1 {
                        *list = list.get(index).map(|&v| vec![v]).unwrap_or_default();
                    }
                }
                None
            }
            None => None,
        };
        let count = scales.len().max(zero_points.len());
        for list in [&mut scales, &mut zero_points] {
            if let [one] = list[..] {
                list.resize(count, one);
            }
        }
        Ok(Quantization { axis: axis.filter(|_| count > 1), scales, zero_points })
    }
}

/// The scales of the DequantizeLinear a tensor passed on its way, or passes right after it is looked up.
pub(crate) fn applied(
    graph: &Graph<'_>,
    end: NodeId,
    stored: &Stored,
    path: &Path,
) -> Result<Option<Dequantize>, String> {
    let (id, axes) = match path.dequantized {
        Some(id) => (id, path.dequantized_axes.clone()),
        None if graph.nodes[end].op() == "Gather" => match next(graph, end, "DequantizeLinear") {
            // The axes of what was looked up are not those of the table.
            Some(id) => (id, None),
            None => return Ok(None),
        },
        None => return Ok(None),
    };
    let node = &graph.nodes[id];
    if node.int("block_size", 0) != 0 {
        return Err(format!("quantised in blocks of {} by {}", node.int("block_size", 0), node.title()));
    }
    let input = |position: usize| node.inputs.get(position).copied().flatten();
    let axis = node.int("axis", 1);
    let axis = axes.and_then(|axes| {
        let axis = if axis < 0 { axis.checked_add(axes.len() as i64)? } else { axis };
        axes.get(usize::try_from(axis).ok()?).copied()
    });
    let scale = input(1).ok_or_else(|| format!("quantised without a scale by {}", node.title()))?;
    resolve(graph, Some(scale), input(2), axis, stored).map(Some)
}

/// The scales that the operator itself takes.
pub(crate) fn from_operator(
    graph: &Graph<'_>,
    end: NodeId,
    position: usize,
    by: &QuantizedBy,
    stored: &Stored,
    path: &Path,
) -> Result<Option<Dequantize>, String> {
    let node = &graph.nodes[end];
    if path.dequantized.is_some() {
        return applied(graph, end, stored, path);
    }
    let input = |position: usize| node.inputs.get(position).copied().flatten();
    // Axes count from the matrix, which comes last.
    let rank = path.axes.as_ref().map_or(stored.shape.len(), Vec::len);
    let leading = if matches!(node.op(), "ConvInteger" | "QLinearConv" | "DynamicQuantizeLSTM") {
        0
    } else {
        rank.saturating_sub(2)
    };
    let axis = path.axes.as_ref().and_then(|axes| axes.get(leading + by.axis)).copied();
    let scale = match by.scale {
        Some(scale) => input(scale),
        None => following(graph, end),
    };
    if by.scale.is_some() && scale.is_none() {
        return Err(format!("input {position} has no scale"));
    }
    resolve(graph, scale, by.zero_point.and_then(input), axis, stored).map(Some)
}

fn resolve(
    graph: &Graph<'_>,
    scale: Option<ValueId>,
    zero_point: Option<ValueId>,
    axis: Option<usize>,
    stored: &Stored,
) -> Result<Dequantize, String> {
    let tensor = |value: Option<ValueId>, what: &str| match value {
        None => Ok(None),
        Some(value) => match graph.constant(value) {
            Some(id) => Ok(Some(id)),
            None => Err(format!("quantised with a {what} that is computed at run time")),
        },
    };
    let (scale, zero_point) = (tensor(scale, "scale")?, tensor(zero_point, "zero point")?);
    let found = |id: TensorId| -> &Found { &graph.tensors[id] };
    let mut many = false;
    for (id, what) in [(scale, "scales"), (zero_point, "zero points")] {
        let Some(held) = id.map(|id| &found(id).stored) else {
            continue;
        };
        match held.numel() {
            1 => {}
            n if held.shape.iter().filter(|&&d| d != 1).count() == 1
                && axis.and_then(|a| stored.shape.get(a)) == Some(&n) =>
            {
                many = true;
            }
            _ => return Err(format!("quantised with {what} of shape {:?}, which fit no axis", held.shape)),
        }
    }
    Ok(Dequantize { scale, zero_point, axis: axis.filter(|_| many) })
}

/// The constant that the integer result of a node is multiplied by, alone or together with the scale of the input.
fn following(graph: &Graph<'_>, node: NodeId) -> Option<ValueId> {
    let from = next(graph, node, "Cast").unwrap_or(node);
    let product = next(graph, from, "Mul")?;
    let own = graph.nodes[from].outputs.first().copied();
    let other = graph.nodes[product].inputs.iter().copied().flatten().find(|&v| Some(v) != own)?;
    if graph.constant(other).is_some() {
        return Some(other);
    }
    let both = graph.values[other].producer.map(|id| &graph.nodes[id]).filter(|n| n.op() == "Mul")?;
    both.inputs.iter().copied().flatten().find(|&v| graph.constant(v).is_some())
}

/// The only user of a node's first output, if it is of that operator and takes it as data.
fn next(graph: &Graph<'_>, node: NodeId, op: &str) -> Option<NodeId> {
    let &output = graph.nodes[node].outputs.first()?;
    match graph.values[output].uses[..] {
        [(id, position)] if graph.nodes[id].op() == op && (position == 0 || op == "Mul") => Some(id),
        _ => None,
    }
}
