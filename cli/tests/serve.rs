//! `dashboard` and `serve`: the page, and who gets it.
#![allow(missing_docs)]

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Stdio};

use common::{command, run, small};
use serde_json::Value;

struct Serving {
    child: Child,
    address: String,
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn serve(folder: &Path, options: &[&str]) -> Serving {
    let args = [&["serve", "zoo", "--port", "0"], options].concat();
    let mut child = command(folder, &args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    let address = line.strip_prefix("http://").unwrap().split('/').next().unwrap().to_owned();
    assert_eq!(line, format!("http://{address}/ shows zoo; Ctrl-C ends\n"));
    Serving { child, address }
}

/// Status line, headers and body of a request.
fn ask(serving: &Serving, request: &str) -> (String, String, String) {
    let port = serving.address.rsplit(':').next().unwrap();
    let mut stream = TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let (status, headers) = head.split_once("\r\n").unwrap();
    (status.to_owned(), headers.to_owned(), body.to_owned())
}

fn get(serving: &Serving, method: &str, path: &str, host: &str) -> (String, String, String) {
    ask(serving, &format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"))
}

fn status(serving: &Serving, method: &str, path: &str, host: &str) -> u16 {
    let (status, _, _) = get(serving, method, path, host);
    status.split(' ').nth(1).unwrap().parse().unwrap()
}

fn store() -> tempfile::TempDir {
    let folder = small();
    for name in ["A/1", "A/2"] {
        let ran = run(folder.path(), &["analyze", "--store", "zoo", &format!("{name}=model.safetensors")]);
        assert_eq!(ran.status, 0, "{}", ran.stderr);
    }
    folder
}

/// The data in a page.
fn data(html: &str) -> Value {
    let (_, rest) = html.split_once("id=\"data-dashboard\">").unwrap();
    serde_json::from_str(rest.split_once("</script>").unwrap().0).unwrap()
}

#[test]
fn the_page_holds_every_model_and_asks_nobody() {
    let folder = store();
    let ran = run(folder.path(), &["dashboard", "zoo", "-o", "zoo.html"]);
    assert_eq!((ran.status, ran.stdout.as_str()), (0, ""));
    let html = std::fs::read_to_string(folder.path().join("zoo.html")).unwrap();
    assert!(html.contains("default-src 'none'") && !html.contains("connect-src"));
    let data = data(&html);
    assert_eq!(data["models"][1]["variant"], "2");
    assert_eq!(data["models"][0]["layers"], 3);
    assert_eq!(data["names"][0], "first.weight");
    assert_eq!(data["version"], Value::Null);

    std::fs::write(folder.path().join("zoo/entries/A/1/entry.json"), "{").unwrap();
    let ran = run(folder.path(), &["dashboard", "zoo", "-o", "zoo.html"]);
    assert_eq!(ran.status, 3);
    assert!(ran.stderr.contains("damaged, left out"), "{}", ran.stderr);
}

#[test]
fn a_server_shows_its_page_to_this_machine_and_nothing_else_to_nobody() {
    let folder = store();
    let serving = serve(folder.path(), &[]);
    assert!(serving.address.starts_with("127.0.0.1:"), "{}", serving.address);
    let (status_line, headers, body) = get(&serving, "GET", "/", &serving.address);
    assert_eq!(status_line, "HTTP/1.1 200 OK");
    for header in ["X-Content-Type-Options: nosniff", "X-Frame-Options: DENY", "Cache-Control: no-store"] {
        assert!(headers.contains(header), "{headers}");
    }
    assert!(body.contains("connect-src 'self'"));
    assert_eq!(data(&body)["models"].as_array().unwrap().len(), 2);
    let (_, _, body) = get(&serving, "HEAD", "/", &serving.address);
    assert_eq!(body, "");
    for (method, path, host, expected) in [
        ("GET", "/?x=1", "localhost", 200),
        ("GET", "/version", "[::1]:8050", 200),
        ("GET", "/", "evil.example", 403),
        ("GET", "/version", "evil.example:8050", 403),
        ("POST", "/", "localhost", 405),
        ("DELETE", "/entries/A/1", "localhost", 405),
        ("OPTIONS", "/", "localhost", 405),
        ("GET", "/entries/A/1/entry.json", "localhost", 404),
        ("GET", "/../zoo/lock", "localhost", 404),
        ("GET", "/%2e%2e/model.safetensors", "localhost", 404),
    ] {
        assert_eq!(status(&serving, method, path, host), expected, "{method} {path} {host}");
    }
    let (two_hosts, _, _) =
        ask(&serving, "GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n");
    assert!(two_hosts.contains(" 403 "), "{two_hosts}");
    let (no_host, _, _) = ask(&serving, "GET / HTTP/1.0\r\n\r\n");
    assert!(no_host.contains(" 403 "), "{no_host}");
}

#[test]
fn the_version_changes_when_the_store_grows_and_the_page_with_it() {
    let folder = store();
    let serving = serve(folder.path(), &[]);
    let version = || get(&serving, "GET", "/version", "localhost").2;
    let page = || data(&get(&serving, "GET", "/", "localhost").2);
    let before = version();
    assert_eq!((before.as_str(), version()), (page()["version"].as_str().unwrap(), before.clone()));
    let ran = run(folder.path(), &["analyze", "--store", "zoo", "B/1=model.safetensors"]);
    assert_eq!(ran.status, 0);
    assert_ne!(version(), before);
    assert_eq!(page()["models"].as_array().unwrap().len(), 3);
    run(folder.path(), &["store", "rm", "zoo", "B/1"]);
    assert_eq!(page()["models"].as_array().unwrap().len(), 2);
}

#[test]
fn other_addresses_are_refused_unless_asked_and_then_it_says_what_that_exposes() {
    let folder = store();
    let ran = run(folder.path(), &["serve", "zoo", "--port", "0", "--address", "0.0.0.0"]);
    assert_eq!(ran.status, 2);
    assert!(
        ran.stderr.starts_with("error: 0.0.0.0 is no address of this machine alone: whoever reaches it sees"),
        "{}",
        ran.stderr
    );
    let mut serving = serve(folder.path(), &["--address", "0.0.0.0", "--expose"]);
    assert_eq!(status(&serving, "GET", "/", "192.168.7.7:80"), 200);
    let mut warning = String::new();
    let mut stderr = BufReader::new(serving.child.stderr.take().unwrap());
    stderr.read_line(&mut warning).unwrap();
    assert!(warning.contains("without a password, over an unencrypted connection"), "{warning}");
    assert_eq!(run(folder.path(), &["serve", "nowhere"]).status, 2);
}
