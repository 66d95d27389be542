//! An observer may use the engine that tells it.
#![allow(missing_docs)]

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use eigenscope::analysis::{Engine, EngineOptions, Observer, Options, Progress, Quiet};
use eigenscope::pair::PairOptions;
use eigenscope::source::{MemoryModel, OpenModel};
use eigenscope::tensor::Tensor;

fn model(layers: usize) -> OpenModel {
    let tensor = |k: usize| {
        let values: Vec<f64> = (0..60 * 40).map(|i| ((i * (k + 3) * 7919) as f64).sin()).collect();
        Tensor::from_f64(vec![60, 40], &values).unwrap()
    };
    (0..layers).fold(MemoryModel::new(), |m, k| m.with(format!("{k}.weight"), tensor(k))).open("test")
}

/// Analyses a model of three layers whenever it is told something, unless it is told of that.
struct Curious {
    engine: Arc<Engine>,
    told: AtomicUsize,
    telling: AtomicUsize,
    most: AtomicUsize,
}

impl Observer for Curious {
    fn progress(&self, progress: &Progress<'_>) -> ControlFlow<()> {
        self.most.fetch_max(1 + self.telling.fetch_add(1, Relaxed), Relaxed);
        assert_eq!(progress.done, 1 + self.told.fetch_add(1, Relaxed));
        let report = self.engine.analyze(&model(3), &Options::default(), &Quiet).unwrap();
        assert!(report.layers.iter().all(|row| row.alpha.is_some()));
        self.telling.fetch_sub(1, Relaxed);
        ControlFlow::Continue(())
    }
}

#[test]
fn analyses_inside_observers_end_and_observers_are_told_one_thing_at_a_time() {
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        for threads in [1, 2, 3] {
            let engine = Arc::new(Engine::new(EngineOptions::threads(threads)).unwrap());
            for _ in 0..30 {
                let curious = || Curious {
                    engine: engine.clone(),
                    told: AtomicUsize::new(0),
                    telling: AtomicUsize::new(0),
                    most: AtomicUsize::new(0),
                };
                // Two at once, and one that compares.
                let pairs = PairOptions::default();
                let (one, two, three) = (curious(), curious(), curious());
                std::thread::scope(|scope| {
                    for observer in [&one, &two] {
                        scope.spawn(|| engine.analyze(&model(9), &Options::default(), observer).unwrap());
                    }
                    scope.spawn(|| engine.distances(&model(5), &model(5), &pairs, &three).unwrap());
                });
                for (observer, count) in [(&one, 9), (&two, 9), (&three, 5)] {
                    assert_eq!((observer.told.load(Relaxed), observer.most.load(Relaxed)), (count, 1));
                }
            }
        }
        tell.send(()).unwrap();
    });
    told.recv_timeout(Duration::from_secs(120)).expect("nobody waits for ever");
}
