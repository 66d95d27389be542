//! Between the trainer and the monitor's thread: queues, budgets, threads, callbacks, and the end.
#![allow(missing_docs)]

mod monitor_common;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use eigenscope::analysis::{LayerFilter, Options, Status};
use eigenscope::monitor::*;
use eigenscope::tensor::{Dtype, LayerKind, Tensor};
use monitor_common::*;

/// Options whose first callback says that it runs, then waits to be let go: the monitor is busy exactly as long as
/// the test wants.
fn held(when_busy: WhenBusy) -> (MonitorOptions, Receiver<u64>, Sender<()>) {
    let (running, runs) = channel();
    let (go, gone) = channel::<()>();
    let gone = Mutex::new(gone);
    let on_epoch: Callback = Box::new(move |report| {
        let _ = running.send(report.stamp.step);
        if report.stamp.step == 0 {
            let _ = gone.lock().unwrap().recv();
        }
    });
    (MonitorOptions { when_busy, on_epoch: Some(on_epoch), ..options() }, runs, go)
}

fn steps(monitor: &Monitor) -> Vec<u64> {
    std::iter::from_fn(|| monitor.poll().unwrap()).map(|r| r.stamp.step).collect()
}

#[test]
fn the_latest_commit_wins_and_what_it_replaces_is_counted() {
    let (options, runs, go) = held(WhenBusy::LatestWins);
    let monitor = Monitor::open(options).unwrap();
    let commit = |step: u64| {
        submit(&monitor, "fc", gaussian(step, 32, 16));
        monitor.commit(step, None, &[]).unwrap()
    };
    assert_eq!(commit(0), Committed::Queued);
    assert_eq!(runs.recv_timeout(PATIENCE).unwrap(), 0);
    assert_eq!(
        [commit(1), commit(2), commit(3)],
        [Committed::Queued, Committed::Replaced, Committed::Replaced]
    );
    assert!(!monitor.wait_idle(Duration::from_millis(20)).unwrap());
    go.send(()).unwrap();
    assert!(monitor.wait_idle(PATIENCE).unwrap());
    assert_eq!(steps(&monitor), [0, 3]);
    let counters = monitor.counters().unwrap();
    assert_eq!((counters.commits, counters.analyzed, counters.dropped), (4, 2, 2));
}

#[test]
fn a_queue_keeps_all_it_has_places_for_and_drops_the_newest_beyond() {
    let (options, runs, go) = held(WhenBusy::Queue(3));
    let monitor = Monitor::open(options).unwrap();
    let commit = |step: u64| {
        submit(&monitor, "fc", gaussian(step, 32, 16));
        monitor.commit(step, None, &[]).unwrap()
    };
    commit(0);
    runs.recv_timeout(PATIENCE).unwrap();
    let (q, d) = (Committed::Queued, Committed::Dropped);
    assert_eq!([commit(1), commit(2), commit(3), commit(4), commit(5)], [q, q, q, d, d]);
    go.send(()).unwrap();
    assert!(monitor.wait_idle(PATIENCE).unwrap());
    assert_eq!(steps(&monitor), [0, 1, 2, 3]);
    assert_eq!(monitor.counters().unwrap().dropped, 2);
}

#[test]
fn commits_within_the_interval_are_skipped() {
    let options = MonitorOptions { min_interval: Duration::from_secs(3600), ..options() };
    let monitor = Monitor::open(options).unwrap();
    assert_eq!(monitor.commit(0, None, &[]).unwrap(), Committed::Queued);
    assert_eq!(monitor.commit(1, None, &[]).unwrap(), Committed::Skipped);
    assert!(monitor.wait_idle(PATIENCE).unwrap());
    assert_eq!(steps(&monitor), [0]);
    assert_eq!(monitor.counters().unwrap().skipped, 1);
}

#[test]
fn within_a_budget_layers_take_turns_and_rows_say_when_they_were_computed() {
    let options = MonitorOptions { budget_ms: 1, ..options() };
    let monitor = Monitor::open(options).unwrap();
    let tensors: Vec<Tensor> = (0..6).map(|i| gaussian(i, 400, 200)).collect();
    let (mut spent, mut dearest) = (0.0, 0.0f64);
    let mut turns = [0usize; 6];
    let mut commits = 0u64;
    while turns.iter().sum::<usize>() < 15 {
        for (i, tensor) in tensors.iter().enumerate() {
            submit(&monitor, &format!("fc{i}"), tensor.clone());
        }
        let report = report(&monitor, commits);
        commits += 1;
        assert!(commits < 100_000, "the budget starves the layers: {turns:?}");
        assert_eq!(report.cost.analyzed + report.cost.left, 6);
        spent += report.cost.analysis_ms;
        dearest = dearest.max(report.cost.analysis_ms);
        for (layer, turns) in report.layers.iter().zip(&mut turns) {
            *turns += usize::from(layer.fresh);
            match layer.computed {
                Some(stamp) => {
                    assert_eq!(layer.fresh, stamp.step == report.stamp.step);
                    assert_eq!(layer.rows[0].status, Status::Success);
                }
                None => {
                    assert_eq!(layer.rows[0].status, Status::Skipped);
                    assert_eq!(layer.rows[0].reason, "waits for its turn: the budget went to other layers");
                }
            }
        }
    }
    let (least, most) = (turns.iter().min().unwrap(), turns.iter().max().unwrap());
    assert!(most - least <= 1, "nobody is passed over: {turns:?}");
    assert!(
        spent <= commits as f64 + dearest + 1.0,
        "{spent} ms in {commits} commits of 1 ms, at most {dearest} too much"
    );
}

#[test]
fn results_depend_neither_on_threads_nor_on_the_order_of_callers() {
    let run = |threads| {
        let monitor = Monitor::open(MonitorOptions { threads, ..options() }).unwrap();
        for step in 0..4u64 {
            for i in 0..7 {
                submit(&monitor, &format!("fc{i}"), heavy(10 * i + step, 0.3 + 0.1 * i as f64));
            }
            report(&monitor, step);
        }
        monitor.history_csv().unwrap()
    };
    assert_eq!(run(1), run(3));
}

#[test]
fn callbacks_run_on_the_monitor_s_thread_or_inside_poll() {
    for delivery in [Delivery::Thread, Delivery::Poll] {
        let (tell, told) = channel();
        let (alarm, alarms) = channel();
        let on_epoch: Callback =
            Box::new(move |r| tell.send((r.stamp.step, std::thread::current().id())).unwrap());
        let on_alarm: Callback = Box::new(move |r| alarm.send(r.stamp.step).unwrap());
        let monitor = Monitor::open(MonitorOptions {
            delivery,
            on_epoch: Some(on_epoch),
            on_alarm: Some(on_alarm),
            ..options()
        })
        .unwrap();
        for step in 0..4u64 {
            let value = if step == 1 || step == 2 { f64::NAN } else { 1.0 };
            submit(&monitor, "b", Tensor::from_f64(vec![1], &[value]).unwrap());
            monitor.commit(step, None, &[]).unwrap();
        }
        assert!(monitor.wait_idle(PATIENCE).unwrap());
        let early = told.try_iter().collect::<Vec<_>>();
        assert_eq!(early.len(), if delivery == Delivery::Thread { 4 } else { 0 });
        while monitor.poll().unwrap().is_some() {}
        let all: Vec<_> = early.into_iter().chain(told.try_iter()).collect();
        assert_eq!(all.iter().map(|(step, _)| *step).collect::<Vec<_>>(), [0, 1, 2, 3]);
        let here = std::thread::current().id();
        assert!(all.iter().all(|(_, id)| (*id == here) == (delivery == Delivery::Poll)));
        assert_eq!(alarms.try_iter().collect::<Vec<_>>(), [1], "an alarm is told once, when it is raised");
    }
}

#[test]
fn a_callback_that_panics_is_counted_and_forgotten() {
    // Unwinds like a panic, without its message on the terminal.
    let on_epoch: Callback = Box::new(|_| std::panic::resume_unwind(Box::new("the trainer's own trouble")));
    let monitor = Monitor::open(MonitorOptions { on_epoch: Some(on_epoch), ..options() }).unwrap();
    for step in 0..3u64 {
        monitor.commit(step, None, &[]).unwrap();
    }
    assert!(monitor.wait_idle(PATIENCE).unwrap());
    assert_eq!(steps(&monitor), [0, 1, 2]);
    assert_eq!(monitor.counters().unwrap().callback_panics, 3);
}

#[test]
fn a_callback_may_use_the_monitor_and_close_it() {
    let slot: Arc<Mutex<Option<Arc<Monitor>>>> = Arc::default();
    let (tell, told) = channel();
    let inside = Arc::clone(&slot);
    let on_epoch: Callback = Box::new(move |_| {
        let monitor = inside.lock().unwrap().clone().unwrap();
        let idle = monitor.wait_idle(PATIENCE).unwrap();
        let read = monitor.wait(PATIENCE).unwrap().map(|r| r.stamp.step);
        monitor.close().unwrap();
        tell.send((idle, read, monitor.commit(2, None, &[]))).unwrap();
    });
    let monitor = Arc::new(Monitor::open(MonitorOptions { on_epoch: Some(on_epoch), ..options() }).unwrap());
    *slot.lock().unwrap() = Some(Arc::clone(&monitor));
    monitor.commit(1, None, &[]).unwrap();
    assert_eq!(told.recv_timeout(PATIENCE).unwrap(), (false, Some(1), Err(MonitorError::Closed)));
    monitor.close().unwrap();
    slot.lock().unwrap().take();
}

#[test]
fn closing_a_busy_monitor_waits_for_one_layer_at_most() {
    let tensor = gaussian(1, 500, 400);
    let alone = {
        let monitor = Monitor::open(options()).unwrap();
        submit(&monitor, "fc", tensor.clone());
        let start = Instant::now();
        report(&monitor, 0);
        start.elapsed()
    };
    let monitor = Monitor::open(options()).unwrap();
    for step in 0..50u64 {
        for i in 0..20 {
            submit(&monitor, &format!("fc{i}"), tensor.clone());
        }
        monitor.commit(step, None, &[]).unwrap();
        if step == 0 {
            std::thread::sleep(alone);
        }
    }
    let start = Instant::now();
    monitor.close().unwrap();
    let took = start.elapsed();
    assert!(took < 8 * alone + Duration::from_secs(1), "{took:?} to close, {alone:?} a layer");
    let counters = monitor.counters().unwrap();
    assert!(counters.dropped >= 49 - counters.analyzed, "{counters:?}");
    // What is closed says so, and still tells what it knew.
    let refused = monitor.submit("fc", TensorRole::Weight, Hints::default(), tensor);
    assert_eq!(refused, Err(MonitorError::Closed));
    assert_eq!(monitor.commit(51, None, &[]), Err(MonitorError::Closed));
    assert!(monitor.history().is_ok() && monitor.verdict().is_ok());
    assert!(monitor.wait(PATIENCE).is_ok());
    monitor.close().unwrap();
}

#[test]
fn many_threads_may_submit_commit_poll_and_look_at_once() {
    let options = MonitorOptions { when_busy: WhenBusy::LatestWins, threads: 2, budget_ms: 5, ..options() };
    let monitor = Monitor::open(options).unwrap();
    let read = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for trainer in 0..3u64 {
            let monitor = &monitor;
            scope.spawn(move || {
                for step in 0..60u64 {
                    let name = format!("t{trainer}.fc{}.weight", step % 5);
                    submit(monitor, &name, gaussian(step, 48, 24));
                    monitor.commit(step, None, &[("trainer", trainer as f64)]).unwrap();
                }
            });
        }
        scope.spawn(|| {
            for _ in 0..40 {
                read.fetch_add(
                    usize::from(monitor.wait(Duration::from_millis(2)).unwrap().is_some()),
                    Ordering::Relaxed,
                );
                monitor.history_csv().unwrap();
                monitor.multipliers(&MultiplierOptions::default()).unwrap();
                monitor.verdict().unwrap();
            }
        });
    });
    assert!(monitor.wait_idle(PATIENCE).unwrap());
    let counters = monitor.counters().unwrap();
    assert_eq!(counters.commits, 180);
    assert_eq!(counters.analyzed + counters.dropped, 180);
    let unread = steps(&monitor).len() as u64;
    assert_eq!(read.into_inner() as u64 + unread + counters.unread_lost, counters.analyzed);
    assert!(monitor.report().unwrap().unwrap().layers.len() <= 15);
}

#[test]
fn odd_commits_have_rows_with_reasons_and_notes() {
    let analysis =
        Options { layers: LayerFilter { terms: vec!["nowhere".to_owned()] }, ..Options::default() };
    let filtered = Monitor::open(MonitorOptions { analysis, ..options() }).unwrap();
    submit(&filtered, "fc", gaussian(1, 32, 16));
    let filtered = report(&filtered, 0);
    assert_eq!(filtered.notes, ["layer filter: nothing matches 'nowhere'"]);

    let monitor = Monitor::open(options()).unwrap();
    assert_eq!(report(&monitor, 0).notes, ["no tensors were submitted"]);
    submit(&monitor, "empty", Tensor::from_f64(vec![0, 64], &[]).unwrap());
    submit(&monitor, "scalar", Tensor::from_f64(vec![], &[1.0]).unwrap());
    submit(&monitor, "changing", gaussian(1, 32, 16));
    submit(&monitor, "packed", Tensor::new(Dtype::Opaque, vec![64, 64], Default::default()).unwrap());
    let hints = Hints { kind: Some(LayerKind::Other), ..Hints::default() };
    monitor.submit("table", TensorRole::Weight, hints, gaussian(2, 32, 16)).unwrap();
    let first = report(&monitor, 1);
    let reasons: Vec<(&str, &str)> =
        first.layers.iter().map(|l| (l.name.as_str(), l.rows[0].reason.as_str())).collect();
    assert_eq!(
        reasons,
        [
            ("empty", "no elements"),
            ("scalar", "scalar"),
            ("changing", ""),
            ("packed", "opaque values without a quantisation scale"),
            ("table", "not a layer"),
        ]
    );
    assert_eq!(first.verdict.level, Level::None);
    submit(&monitor, "changing", gaussian(1, 64, 16));
    let second = report(&monitor, 2);
    assert_eq!(
        second.notes,
        ["changing: was f64 [32, 16], is f64 [64, 16]; its series starts a new segment"]
    );
    let segments: Vec<u32> = second.layers.iter().map(|l| l.segment).collect();
    assert_eq!(segments, [0, 0, 1, 0, 0]);
    // What was not submitted this time keeps its row.
    assert_eq!(second.layers[0].computed.unwrap().step, 1);
    let points = monitor.history().unwrap().layers[0].points.clone();
    assert_eq!(points.iter().map(|p| (p.stamp.step, p.segment)).collect::<Vec<_>>(), [(1, 0), (2, 1)]);
}

#[test]
fn a_second_submit_of_a_name_replaces_the_first_and_discard_forgets() {
    let monitor = Monitor::open(options()).unwrap();
    submit(&monitor, "fc", gaussian(1, 32, 16));
    submit(&monitor, "fc", gaussian(1, 64, 16));
    monitor.submit("fc", TensorRole::Momentum, Hints::default(), gaussian(3, 32, 16)).unwrap();
    let first = report(&monitor, 0);
    let shapes: Vec<_> = first.layers.iter().map(|l| (l.role, l.rows[0].shape.clone())).collect();
    assert_eq!(shapes, [(TensorRole::Weight, vec![64, 16]), (TensorRole::Momentum, vec![32, 16])]);
    assert_eq!(first.layers[1].rows[0].status, Status::Success);
    submit(&monitor, "gone", gaussian(1, 32, 16));
    monitor.discard().unwrap();
    assert_eq!(report(&monitor, 1).notes, ["no tensors were submitted"]);
}

#[test]
fn the_history_is_bounded_and_forgets_layers_that_no_longer_come() {
    let monitor = Monitor::open(MonitorOptions { history: 10, ..options() }).unwrap();
    for step in 0..130u64 {
        if step < 15 {
            submit(&monitor, "old", gaussian(1, 16, 8));
        }
        submit(&monitor, "new", gaussian(1, 16, 8));
        monitor.commit(step, None, &[]).unwrap();
    }
    assert!(monitor.wait_idle(PATIENCE).unwrap());
    let history = monitor.history().unwrap();
    assert_eq!(
        history.commits.iter().map(|c| c.stamp.step).collect::<Vec<_>>(),
        (120..130).collect::<Vec<_>>()
    );
    assert_eq!(
        history.layers.iter().map(|l| (l.name.as_str(), l.points.len())).collect::<Vec<_>>(),
        [("new", 10)]
    );
    assert_eq!(monitor.counters().unwrap().unread_lost, 130 - 32);
}

#[test]
fn multipliers_come_in_submit_order_and_are_one_where_nothing_is_known() {
    let monitor = Monitor::open(options()).unwrap();
    let options = MultiplierOptions::default();
    assert_eq!(monitor.multipliers(&options).unwrap(), [0.0; 0]);
    for (name, c) in [("a", 0.4), ("b", 1.0), ("c", 0.6)] {
        submit(&monitor, name, heavy(1, c));
        submit(&monitor, &format!("{name}.bias"), Tensor::from_f64(vec![3], &[1.0; 3]).unwrap());
        monitor.submit(name, TensorRole::Gradient, Hints::default(), heavy(2, c)).unwrap();
    }
    submit(&monitor, "small", gaussian(4, 64, 32));
    let report = report(&monitor, 0);
    assert_eq!(monitor.names().unwrap(), ["a", "a.bias", "b", "b.bias", "c", "c.bias", "small"]);
    let alpha = |name: &str| {
        let layer = report.layers.iter().find(|l| l.name == name && l.role == TensorRole::Weight);
        layer.unwrap().rows[0].alpha.unwrap()
    };
    let (a, b, c) = (alpha("a"), alpha("b"), alpha("c"));
    assert!(a > c && c > b, "{a} {b} {c}");
    let middle = 0.5 + (c - b) / (a - b);
    let close = |found: Vec<f64>, wanted: [f64; 7]| {
        assert!(found.iter().zip(wanted).all(|(f, w)| (f - w).abs() < 1e-12), "{found:?} {wanted:?}");
        assert_eq!(found.len(), 7);
    };
    close(monitor.multipliers(&options).unwrap(), [1.5, 1.0, 0.5, 1.0, middle, 1.0, 1.0]);
    let inverted = MultiplierOptions { inverted: true, ..options.clone() };
    close(monitor.multipliers(&inverted).unwrap(), [0.5, 1.0, 1.5, 1.0, 2.0 - middle, 1.0, 1.0]);
    let ends = MultiplierOptions {
        skip_first: true,
        skip_last: true,
        assignment: Assignment::LLR,
        ..options.clone()
    };
    close(monitor.multipliers(&ends).unwrap(), [1.0; 7]);
    for metric in ["name", "nothing"] {
        let wrong = MultiplierOptions { metric: metric.to_owned(), ..options.clone() };
        assert_eq!(monitor.multipliers(&wrong), Err(MonitorError::NoColumn(metric.to_owned())));
    }
}

#[test]
fn the_csv_has_a_line_for_every_commit_and_every_analysis() {
    let monitor = Monitor::open(options()).unwrap();
    for step in 0..2u64 {
        submit(&monitor, "a,\"b\"", heavy(step, 0.5));
        submit(&monitor, "bias", Tensor::from_f64(vec![2], &[1.0; 2]).unwrap());
        report(&monitor, step);
    }
    let csv = monitor.history_csv().unwrap();
    let lines: Vec<&str> = csv.lines().collect();
    let header = "step,epoch,name,role,segment,alpha,D,stable_rank,spectral_norm,norm,log_spectral_norm,log_norm,alpha_weighted,log_alpha_norm,entropy,matrix_rank,num_traps,verdict,flags,own:loss";
    assert_eq!(lines[0], header);
    let alphas = monitor.history().unwrap().series("a,\"b\"", TensorRole::Weight, "alpha");
    assert!(lines[1].starts_with(&format!("0,0.0,,,,{:?},", alphas[0].1)), "{}", lines[1]);
    assert!(lines[2].ends_with(",none,,0.5"), "{}", lines[2]);
    assert!(
        lines[4].starts_with(&format!("1,0.5,\"a,\"\"b\"\"\",weight,0,{:?},", alphas[1].1)),
        "{}",
        lines[4]
    );
    assert_eq!(lines.len(), 5);
    // The quoted name holds one comma.
    let commas = header.matches(',').count();
    for (line, extra) in lines.iter().zip([0, 0, 0, 1, 1]) {
        assert_eq!(line.matches(',').count(), commas + extra, "{line}");
    }
    serde_json::to_string(&*monitor.report().unwrap().unwrap()).unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn the_monitor_s_threads_are_nice_and_the_trainer_s_are_not() {
    let nice = |name: &str| {
        let tasks = std::fs::read_dir("/proc/self/task").unwrap().flatten();
        let stats = tasks.filter_map(|t| std::fs::read_to_string(t.path().join("stat")).ok());
        let of = |stat: String| {
            let (before, after) = stat.rsplit_once(')')?;
            before.ends_with(name).then(|| after.split_whitespace().nth(16)?.parse::<i32>().ok())?
        };
        stats.filter_map(of).collect::<Vec<i32>>()
    };
    let before = nice("the_monitor_s_t");
    let monitor = Monitor::open(options()).unwrap();
    assert_eq!(*monitor.low_priority(), Ok(()));
    let threads = nice("eigenscope-moni");
    assert!(!threads.is_empty() && threads.iter().all(|n| *n >= 10), "{threads:?}");
    assert_eq!(nice("the_monitor_s_t"), before);
}

#[test]
fn limits_are_refused_with_words() {
    let wrong = |options: MonitorOptions| Monitor::open(options).unwrap_err().to_string();
    assert_eq!(wrong(MonitorOptions { threads: 0, ..options() }), "threads: expected 1 to 1024, found 0");
    let queue = MonitorOptions { when_busy: WhenBusy::Queue(0), ..options() };
    assert_eq!(wrong(queue), "when_busy queue: expected 1 to 65536, found 0");
    let analysis = Options { finger_thresh: -1.0, ..Options::default() };
    assert!(wrong(MonitorOptions { analysis, ..options() }).starts_with("finger_thresh"));
    let monitor = Monitor::open(options()).unwrap();
    let long = "x".repeat(5000);
    let refused = monitor.submit(&long, TensorRole::Weight, Hints::default(), gaussian(1, 2, 2));
    assert_eq!(refused.unwrap_err().to_string(), "bytes of a tensor's name: more than 4096 in one commit");
    let many = vec![("m", 1.0); 1025];
    assert_eq!(
        monitor.commit(0, None, &many).unwrap_err().to_string(),
        "metrics: more than 1024 in one commit"
    );
}
