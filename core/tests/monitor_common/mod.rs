//! Matrices with a known spectrum, and a small network trained by plain gradient descent.
#![allow(dead_code)]

use eigenscope::monitor::{EpochReport, Hints, Monitor, MonitorOptions, Rules, TensorRole, WhenBusy};
use eigenscope::tensor::Tensor;
use std::sync::Arc;
use std::time::Duration;

/// Longer than anything here takes, even on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// splitmix64, and normal numbers by Box and Muller.
pub struct Random(pub u64);

impl Random {
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn uniform(&mut self) -> f64 {
        ((self.bits() >> 11) as f64 + 0.5) / (1u64 << 53) as f64
    }

    pub fn normal(&mut self) -> f64 {
        let (u, v) = (self.uniform(), self.uniform());
        (-2.0 * u.ln()).sqrt() * (2.0 * std::f64::consts::PI * v).cos()
    }

    pub fn matrix(&mut self, rows: usize, cols: usize) -> Vec<f64> {
        (0..rows * cols).map(|_| self.normal() / (rows as f64).sqrt()).collect()
    }
}

/// A 256 x 64 matrix whose population spectrum is i^-c: alpha is about 1 + 1/c.
pub fn heavy(seed: u64, c: f64) -> Tensor {
    let mut random = Random(seed);
    let values: Vec<f64> =
        (0..256 * 64).map(|k| random.normal() * ((k % 64 + 1) as f64).powf(-c / 2.0) / 16.0).collect();
    Tensor::from_f64(vec![256, 64], &values).unwrap()
}

/// A matrix with the population spectrum i^-c.
pub fn heavy_of(rows: usize, cols: usize, c: f64, seed: u64) -> Tensor {
    let mut random = Random(seed);
    let values: Vec<f64> =
        (0..rows * cols).map(|k| random.normal() * ((k % cols + 1) as f64).powf(-c / 2.0)).collect();
    Tensor::from_f64(vec![rows, cols], &values).unwrap()
}

pub fn gaussian(seed: u64, rows: usize, cols: usize) -> Tensor {
    Tensor::from_f64(vec![rows, cols], &Random(seed).matrix(rows, cols)).unwrap()
}

pub fn options() -> MonitorOptions {
    MonitorOptions { budget_ms: 0, when_busy: WhenBusy::Queue(1000), ..MonitorOptions::default() }
}

pub fn with(rules: Rules) -> MonitorOptions {
    MonitorOptions { rules, ..options() }
}

pub fn submit(monitor: &Monitor, name: &str, tensor: Tensor) {
    monitor.submit(name, TensorRole::Weight, Hints::default(), tensor).unwrap();
}

/// Commits, and waits for the report.
pub fn report(monitor: &Monitor, step: u64) -> Arc<EpochReport> {
    monitor.commit(step, Some(step as f64 / 2.0), &[("loss", 1.0 / (step + 1) as f64)]).unwrap();
    let report = monitor.wait(PATIENCE).unwrap().expect("a report");
    assert_eq!(report.stamp.step, step);
    report
}

/// One dense layer: weights, and its inputs and outputs for one batch.
struct Layer {
    weights: Vec<f64>,
    inputs: usize,
    outputs: usize,
}

/// 64 -> 96 -> 96 -> 8 with rectifiers, mean squared error.
pub struct Network {
    layers: Vec<Layer>,
    random: Random,
    teacher: Vec<f64>,
}

impl Network {
    pub const NAMES: [&str; 3] = ["fc1.weight", "fc2.weight", "fc3.weight"];

    pub fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let layers = [(64, 96), (96, 96), (96, 8)]
            .map(|(inputs, outputs)| {
                let sd = (2.0 / inputs as f64).sqrt();
                let weights = (0..inputs * outputs).map(|_| random.normal() * sd).collect();
                Layer { weights, inputs, outputs }
            })
            .into();
        let teacher = (0..64 * 8).map(|_| random.normal() / 8.0).collect();
        Network { layers, random, teacher }
    }

    /// One step on a fresh batch; the loss before it. `rates` are the layers' learning rates.
    pub fn step(&mut self, rates: [f64; 3]) -> f64 {
        const BATCH: usize = 32;
        let mut loss = 0.0;
        let mut gradients: Vec<Vec<f64>> = self.layers.iter().map(|l| vec![0.0; l.weights.len()]).collect();
        for _ in 0..BATCH {
            let x: Vec<f64> = (0..64).map(|_| self.random.normal()).collect();
            let wanted: Vec<f64> = self
                .teacher
                .chunks_exact(64)
                .map(|row| row.iter().zip(&x).map(|(a, b)| a * b).sum::<f64>().tanh())
                .collect();
            let mut values = vec![x];
            for (place, layer) in self.layers.iter().enumerate() {
                let input = &values[place];
                let sums = layer.weights.chunks_exact(layer.inputs);
                let sums = sums.map(|row| row.iter().zip(input).map(|(a, b)| a * b).sum::<f64>());
                let last = place + 1 == self.layers.len();
                values.push(sums.map(|v| if last || v > 0.0 { v } else { 0.0 }).collect());
            }
            let mut error: Vec<f64> = values[3].iter().zip(&wanted).map(|(a, b)| a - b).collect();
            loss += error.iter().map(|e| e * e).sum::<f64>() / 2.0 / BATCH as f64;
            for place in (0..3).rev() {
                let (layer, input) = (&self.layers[place], &values[place]);
                let mut back = vec![0.0; layer.inputs];
                for o in 0..layer.outputs {
                    let row = &layer.weights[o * layer.inputs..][..layer.inputs];
                    let gradient = &mut gradients[place][o * layer.inputs..][..layer.inputs];
                    for i in 0..layer.inputs {
                        gradient[i] += error[o] * input[i] / BATCH as f64;
                        back[i] += error[o] * row[i];
                    }
                }
                for (b, v) in back.iter_mut().zip(input) {
                    if place > 0 && *v <= 0.0 {
                        *b = 0.0;
                    }
                }
                error = back;
            }
        }
        for ((layer, gradient), rate) in self.layers.iter_mut().zip(&gradients).zip(rates) {
            for (w, g) in layer.weights.iter_mut().zip(gradient) {
                *w -= rate * g;
            }
        }
        loss
    }

    pub fn submit(&self, monitor: &Monitor) {
        for (name, layer) in Network::NAMES.into_iter().zip(&self.layers) {
            let tensor = Tensor::from_f64(vec![layer.outputs, layer.inputs], &layer.weights).unwrap();
            submit(monitor, name, tensor);
        }
    }
}
