//! A straight line through the models, and how well it predicts the one left out.

use serde::Serialize;

/// quality = intercept + slope * metric, by least squares.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Line {
    /// Quality at a metric of 0.
    pub intercept: f64,
    /// Change of quality for one unit of the metric.
    pub slope: f64,
    /// Share of the variance of quality that the line explains.
    pub r2: f64,
    /// Root of the mean square of what is left, over n.
    pub rmse: f64,
    /// The same of models that were left out when the line was drawn; `None` where leaving one out leaves no line.
    pub loo_rmse: Option<f64>,
    /// The same of predicting the mean of the others: what a line has to beat.
    pub loo_rmse_of_mean: f64,
}

impl Line {
    /// The quality that the line predicts.
    pub fn at(&self, metric: f64) -> f64 {
        self.intercept + self.slope * metric
    }
}

/// The line; `None` for fewer than three models, or where the metric is constant.
pub fn fit(x: &[f64], y: &[f64]) -> Option<Line> {
    let n = x.len() as f64;
    if x.len() < 3 {
        return None;
    }
    let (mx, my) = (x.iter().sum::<f64>() / n, y.iter().sum::<f64>() / n);
    let sum = |f: &dyn Fn(f64, f64) -> f64| x.iter().zip(y).map(|(x, y)| f(*x, *y)).sum::<f64>();
    let xx = sum(&|x, _| (x - mx).powi(2));
    let yy = sum(&|_, y| (y - my).powi(2));
    let xy = sum(&|x, y| (x - mx) * (y - my));
    // Rounding of constant numbers is no spread.
    if xx <= n * (1e-14 * mx).powi(2) {
        return None;
    }
    let slope = xy / xx;
    let intercept = my - slope * mx;
    let residual = |x: f64, y: f64| y - intercept - slope * x;
    let rest = sum(&|x, y| residual(x, y).powi(2));
    // The model itself pulls the line towards it, by its leverage (Allen's PRESS, 1974).
    let left_out = |x: f64, y: f64| {
        let leverage = 1.0 / n + (x - mx).powi(2) / xx;
        residual(x, y) / (1.0 - leverage)
    };
    let alone = x.iter().any(|x| 1.0 - 1.0 / n - (x - mx).powi(2) / xx < 1e-9);
    Some(Line {
        intercept,
        slope,
        r2: if yy > 0.0 { 1.0 - rest / yy } else { f64::NAN },
        rmse: (rest / n).sqrt(),
        loo_rmse: (!alone).then(|| (sum(&|x, y| left_out(x, y).powi(2)) / n).sqrt()),
        loo_rmse_of_mean: (yy / n).sqrt() * n / (n - 1.0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn leaving_out_is_what_refitting_without_each_model_gives() {
        let x = [1.0, 2.0, 4.0, 7.0, 7.5];
        let y = [2.0, 2.5, 3.0, 6.0, 5.0];
        let line = fit(&x, &y).unwrap();
        let without = |at: usize| -> (Vec<f64>, Vec<f64>) {
            let keep = |v: &[f64]| v.iter().enumerate().filter(|(i, _)| *i != at).map(|(_, v)| *v).collect();
            (keep(&x), keep(&y))
        };
        let (mut by_line, mut by_mean) = (0.0, 0.0);
        for at in 0..x.len() {
            let (xs, ys) = without(at);
            by_line += (y[at] - fit(&xs, &ys).unwrap().at(x[at])).powi(2);
            by_mean += (y[at] - ys.iter().sum::<f64>() / 4.0).powi(2);
        }
        assert!((line.loo_rmse.unwrap() - (by_line / 5.0).sqrt()).abs() < 1e-12);
        assert!((line.loo_rmse_of_mean - (by_mean / 5.0).sqrt()).abs() < 1e-12);
        assert!((line.at(3.0) - (line.intercept + 3.0 * line.slope)).abs() < 1e-12);
    }

    #[test]
    fn a_line_that_hangs_on_one_model_predicts_nothing_without_it() {
        assert_eq!(fit(&[1.0, 1.0, 2.0], &[1.0, 2.0, 3.0]).unwrap().loo_rmse, None);
        assert_eq!(fit(&[0.1; 4], &[1.0, 2.0, 3.0, 4.0]), None);
        assert_eq!(fit(&[1.0, 2.0], &[1.0, 2.0]), None);
        let exact = fit(&[1.0, 2.0, 3.0], &[2.0, 4.0, 6.0]).unwrap();
        assert!((exact.slope - 2.0).abs() < 1e-12 && exact.rmse < 1e-12 && (exact.r2 - 1.0).abs() < 1e-12);
    }
}
