//! The deterministic matrices of `golden/matrices.json`, from the recipe in it.

use eigenscope::analysis::{Engine, EngineOptions, Options, Row};
use eigenscope::source::TensorInfo;
use eigenscope::tensor::Tensor;

/// The golden matrices.
pub const IDS: [&str; 7] = ["A", "B", "C", "D", "E", "F", "G"];

/// The rows of one of them.
///
/// # Panics
/// Where the options contradict each other.
pub fn golden_rows(id: &str, options: &Options) -> Vec<Row> {
    let tensor = matrix(id);
    let info = TensorInfo::new("0.weight", tensor.dtype(), tensor.shape().to_vec());
    let engine = Engine::new(EngineOptions::threads(1)).expect("a thread");
    engine.analyze_tensor(info, tensor, options).expect("options that agree")
}

/// The row of one of them, slices pooled.
///
/// # Panics
/// As [`golden_rows`].
pub fn golden_row(id: &str, options: &Options) -> Row {
    golden_rows(id, options).remove(0)
}

/// splitmix64 and Box-Muller, two draws a normal.
#[derive(Clone, Debug)]
pub struct Generator(u64);

impl Generator {
    /// A stream of its own for every seed.
    pub fn new(seed: u64) -> Self {
        Generator(seed)
    }

    /// Uniform in [0, 1).
    pub fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 * 2f64.powi(-53)
    }

    /// Standard normal.
    pub fn normal(&mut self) -> f64 {
        let (u1, u2) = (self.uniform(), self.uniform());
        (-2.0 * (1.0 - u1).ln()).sqrt() * (2.0 * std::f64::consts::PI * u2).cos()
    }

    /// `n` normals with that standard deviation, rounded to single precision.
    pub fn normals(&mut self, n: usize, std: f64) -> Vec<f64> {
        (0..n).map(|_| f64::from((std * self.normal()) as f32)).collect()
    }

    /// A unit vector.
    pub fn unit(&mut self, n: usize) -> Vec<f64> {
        let v: Vec<f64> = (0..n).map(|_| self.normal()).collect();
        let length = v.iter().map(|x| x * x).sum::<f64>().sqrt();
        v.iter().map(|x| x / length).collect()
    }
}

fn single(shape: &[usize], values: &[f64]) -> Tensor {
    let singles: Vec<f32> = values.iter().map(|v| *v as f32).collect();
    Tensor::from_f32(shape.to_vec(), &singles).expect("shape and values agree")
}

/// Matrix A to G.
///
/// # Panics
/// For other ids.
pub fn matrix(id: &str) -> Tensor {
    match id {
        "A" => single(&[60, 100], &Generator::new(1).normals(6000, 0.1)),
        "B" => single(&[64, 64], &Generator::new(2).normals(4096, 0.125)),
        "C" => {
            let mut g = Generator::new(3);
            let heavy = |_| {
                let (normal, uniform) = (g.normal(), g.uniform());
                0.05 * normal / (1.0 - uniform).sqrt()
            };
            single(&[80, 120], &(0..9600).map(heavy).collect::<Vec<_>>())
        }
        "D" => single(&[16, 30], &Generator::new(4).normals(480, 0.2)),
        "E" => single(&[32, 16, 3, 3], &Generator::new(5).normals(4608, 0.1)),
        "F" => {
            let mut values = Generator::new(1).normals(6000, 0.1);
            let (a, b) = (Generator::new(61).unit(60), Generator::new(62).unit(100));
            for (k, v) in values.iter_mut().enumerate() {
                *v += 3.0 * a[k / 100] * b[k % 100];
            }
            single(&[60, 100], &values)
        }
        "G" => {
            let (u, v) = (Generator::new(71).normals(250, 1.0), Generator::new(72).normals(350, 1.0));
            let entry =
                |k: usize| (0..5).map(|r| u[(k / 70) * 5 + r] * v[r * 70 + k % 70]).sum::<f64>() / 10.0;
            single(&[50, 70], &(0..3500).map(entry).collect::<Vec<_>>())
        }
        other => panic!("no golden matrix {other}"),
    }
}
