//! What goes where: standard output, standard error, files, closed pipes, colours.
#![allow(missing_docs)]

mod common;

use std::fs;
use std::process::Stdio;

use common::{beside, command, ran, run, small, with_failure};

#[test]
fn results_go_to_standard_output_and_everything_else_to_standard_error() {
    let folder = with_failure();
    let ran = run(folder.path(), &["analyze", "model.safetensors", "--format", "json"]);
    serde_json::from_str::<serde_json::Value>(&ran.stdout).unwrap();
    assert_eq!(ran.stderr, "warning: model.safetensors: 1 layer failed of 2\n");
    let verbose = run(folder.path(), &["analyze", "model.safetensors", "--format", "json", "-vv"]);
    assert_eq!(verbose.stdout, ran.stdout);
    assert!(verbose.stderr.contains("debug: safetensors opened model.safetensors"), "{}", verbose.stderr);
    assert!(verbose.stderr.contains("info: 2/2 "), "{}", verbose.stderr);
    let missing = run(folder.path(), &["analyze", "nothing.pt"]);
    assert_eq!(missing.stdout, "");
}

#[test]
fn quiet_leaves_errors_only() {
    let folder = with_failure();
    let warned = run(folder.path(), &["analyze", "model.safetensors", "--quiet"]);
    assert_eq!((warned.status, warned.stderr.as_str()), (3, ""));
    let refused = run(folder.path(), &["analyze", "nothing.pt", "-q"]);
    assert!(refused.stderr.starts_with("error: nothing.pt: "), "{}", refused.stderr);
}

#[test]
fn no_progress_bar_is_drawn_in_a_pipe() {
    let ran = run(small().path(), &["analyze", "model.safetensors"]);
    assert_eq!(ran.stderr, "");
}

#[test]
fn colours_follow_the_flag_and_the_conventions_of_terminals() {
    let folder = small();
    let escapes = |args: &[&str], env: &[(&str, &str)]| {
        let args = [&["analyze", "model.safetensors"][..], args].concat();
        let output = command(folder.path(), &args).envs(env.iter().copied()).output().unwrap();
        ran(output).stdout.contains('\x1b')
    };
    assert!(!escapes(&[], &[]), "a pipe");
    assert!(escapes(&["--color", "always"], &[]));
    assert!(escapes(&["--color", "always"], &[("NO_COLOR", "1")]), "the flag is nearer than the variable");
    assert!(escapes(&[], &[("CLICOLOR_FORCE", "1")]));
    assert!(!escapes(&["--color", "never"], &[("CLICOLOR_FORCE", "1")]));
    assert!(!escapes(&[], &[("NO_COLOR", "1"), ("TERM", "xterm")]));
    let broken = command(folder.path(), &["analyze", "no", "--color", "always"]).output().unwrap();
    assert!(ran(broken).stderr.starts_with("\x1b[1m\x1b[31merror:"));
}

#[test]
fn a_file_is_replaced_whole_and_nothing_else_is_left_in_its_folder() {
    let folder = small();
    let report = beside(&folder, "report.json");
    fs::write(&report, "old").unwrap();
    let before: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    let ran = run(folder.path(), &["analyze", "model.safetensors", "-o", "report.json"]);
    assert_eq!((ran.status, ran.stdout.as_str(), ran.stderr.as_str()), (0, "", ""));
    let json: serde_json::Value = serde_json::from_slice(&fs::read(&report).unwrap()).unwrap();
    assert_eq!(json["summary"]["analyzed"], 3, "the ending chose the format");
    let after: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(before.len(), after.len(), "{after:?}");
}

#[test]
fn a_file_is_left_as_it_was_when_there_is_no_result() {
    let folder = small();
    let report = beside(&folder, "report.csv");
    fs::write(&report, "old").unwrap();
    let ran = run(folder.path(), &["analyze", "nothing.pt", "-o", "report.csv"]);
    assert_eq!(ran.status, 1);
    assert_eq!(fs::read_to_string(&report).unwrap(), "old");
}

#[test]
fn a_place_that_cannot_be_written_is_refused_before_any_work() {
    let folder = small();
    for (file, says) in [("no/such/r.json", "cannot write no/such/r.json"), (".", "it is a folder")] {
        let ran = run(folder.path(), &["analyze", "model.safetensors", "-v", "-o", file]);
        assert_eq!(ran.status, 1);
        assert!(ran.stderr.starts_with("error: ") && ran.stderr.contains(says), "{}", ran.stderr);
        assert!(!ran.stderr.contains("info:"), "nothing was analysed: {}", ran.stderr);
    }
}

#[cfg(unix)]
#[test]
fn a_replaced_file_keeps_its_permissions_and_links_stay_links() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let folder = small();
    let (real, link) = (beside(&folder, "real.csv"), beside(&folder, "link.csv"));
    fs::write(&real, "old").unwrap();
    fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
    symlink("real.csv", &link).unwrap();
    run(folder.path(), &["analyze", "model.safetensors", "-o", "link.csv"]);
    assert!(link.symlink_metadata().unwrap().is_symlink());
    assert!(fs::read_to_string(&real).unwrap().starts_with("layer_id,"));
    assert_eq!(fs::metadata(&real).unwrap().permissions().mode() & 0o777, 0o640);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error() {
    let folder = small();
    let full = || fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = command(folder.path(), &["analyze", "model.safetensors"]).stdout(full()).output().unwrap();
    let stdout = ran(output);
    assert_eq!(stdout.status, 1);
    assert!(stdout.stderr.starts_with("error: cannot write standard output: No space"), "{}", stdout.stderr);
    let file = run(folder.path(), &["analyze", "model.safetensors", "-o", "/dev/full"]);
    assert_eq!(file.status, 1);
}

#[test]
fn a_reader_that_goes_away_ends_it_quietly() {
    let folder = small();
    for args in [&["analyze", "model.safetensors"][..], &["describe", "model.safetensors"], &["explain"]] {
        let mut child =
            command(folder.path(), args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let ran = ran(child.wait_with_output().unwrap());
        assert_eq!((ran.status, ran.stderr.as_str()), (0, ""), "{args:?}");
    }
}
