//! `eigenscope serve`: the page of a store on this machine, live while the store grows.
//!
//! It answers GET and HEAD for two paths, and reads nothing that a request says but method, path and the name in `Host`. A page of
//! another site could have its own name lead to this machine (DNS rebinding) and then read what is served here: so a request must
//! name an address or `localhost`, which no such page can.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::thread;

use clap::Args;
use eigenscope_workbench::dashboard::dashboard;
use eigenscope_workbench::store::Store;
use tiny_http::{Header, Method, Request, Response, Server, StatusCode};

use crate::exit;
use crate::failure::Failure;
use crate::output::Output;
use crate::store;

/// Requests answered at the same time.
const THREADS: usize = 4;

/// `serve`.
#[derive(Args, Debug)]
pub struct ServeArgs {
    /// The store
    #[arg(value_name = "STORE")]
    store: PathBuf,
    /// Port; 0: any that is free
    #[arg(long, value_name = "N", default_value_t = 8050)]
    port: u16,
    /// Address to listen on; one that other machines reach wants --expose too
    #[arg(long, value_name = "IP", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    address: IpAddr,
    /// Let other machines see the store. There is no password and no encryption
    #[arg(long)]
    expose: bool,
}

/// The page and the state of the store that it shows.
type Made = (String, Arc<String>);

struct Site {
    store: Store,
    made: Mutex<Option<Made>>,
}

/// Runs the command; it ends when it is interrupted.
pub fn run(args: &ServeArgs) -> Result<u8, Failure> {
    let exposes = format!(
        "{} is no address of this machine alone: whoever reaches it sees every model's name, layers and numbers in the \
         store, without a password, over an unencrypted connection",
        args.address
    );
    if !args.address.is_loopback() {
        if !args.expose {
            return Err(Failure::new(exposes).usage().hint(
                "`--expose` does it nevertheless; `ssh -L 8050:127.0.0.1:8050 THIS-MACHINE` shows it elsewhere without",
            ));
        }
        log::warn!("{exposes}");
    }
    let site = Site { store: store::open(&args.store)?, made: Mutex::new(None) };
    let wanted = SocketAddr::new(args.address, args.port);
    let server = Server::http(wanted).map_err(|error| {
        let failure = Failure::new(format!("cannot listen on {wanted}: {error}"));
        if args.port == 0 { failure } else { failure.hint("`--port 0` takes any port that is free") }
    })?;
    let at = server.server_addr().to_ip().unwrap_or(wanted);
    Output::Stdout.write(format!("http://{at}/ shows {}; Ctrl-C ends\n", args.store.display()).as_bytes())?;
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while let Ok(request) = server.recv() {
                    log::debug!("{} {}", request.method(), request.url());
                    if let Err(error) = answer(request, &site) {
                        log::debug!("answer not taken: {error}");
                    }
                }
            });
        }
    });
    Ok(exit::OK)
}

impl Site {
    /// The page, made anew where the store has changed.
    fn page(&self) -> Result<Made, String> {
        let version = self.store.version().map_err(|e| e.to_string())?;
        // A thread that panicked left the last page that was whole.
        let mut made = self.made.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(made) = made.as_ref().filter(|(of, _)| *of == version) {
            return Ok(made.clone());
        }
        let listing = self.store.list(false).map_err(|e| e.to_string())?;
        let page = dashboard(&self.store, &listing, Some(&version));
        for damaged in &page.damaged {
            log::warn!("{}: damaged, left out: {}", damaged.path.display(), damaged.reason);
        }
        let fresh = (version, Arc::new(page.html));
        *made = Some(fresh.clone());
        Ok(fresh)
    }
}

/// Whether a request was meant for this machine: an address or `localhost`, with or without a port.
fn is_ours(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(""),
        None => host.split(':').next().unwrap_or(""),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok()
}

fn answer(request: Request, site: &Site) -> io::Result<()> {
    const TEXT: &str = "text/plain; charset=utf-8";
    let hosts: Vec<&str> =
        request.headers().iter().filter(|h| h.field.equiv("Host")).map(|h| h.value.as_str()).collect();
    if !matches!(hosts[..], [host] if is_ours(host)) {
        return send(request, 403, TEXT, "Open this page by the machine's address, or as localhost.\n", &[]);
    }
    if !matches!(request.method(), Method::Get | Method::Head) {
        return send(request, 405, TEXT, "Only GET and HEAD.\n", &[("Allow", "GET, HEAD")]);
    }
    let path = request.url().split(['?', '#']).next().unwrap_or("").to_owned();
    match path.as_str() {
        "/" => match site.page() {
            Ok((_, page)) => send(request, 200, "text/html; charset=utf-8", &page, &[]),
            Err(error) => send(request, 500, TEXT, &format!("{error}\n"), &[]),
        },
        "/version" => match site.store.version() {
            Ok(version) => send(request, 200, TEXT, &version, &[]),
            Err(error) => send(request, 500, TEXT, &format!("{error}\n"), &[]),
        },
        _ => send(request, 404, TEXT, "There is / and nothing else.\n", &[]),
    }
}

fn send(request: Request, status: u16, kind: &str, body: &str, more: &[(&str, &str)]) -> io::Result<()> {
    let fixed = [
        ("Content-Type", kind),
        ("Cache-Control", "no-store"),
        ("X-Content-Type-Options", "nosniff"),
        ("X-Frame-Options", "DENY"),
        ("Referrer-Policy", "no-referrer"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
        ("Cross-Origin-Opener-Policy", "same-origin"),
    ];
    let headers = fixed.iter().chain(more).filter_map(|(name, value)| Header::from_bytes(*name, *value).ok());
    let length = body.len();
    let response = Response::new(StatusCode(status), headers.collect(), body.as_bytes(), Some(length), None);
    request.respond(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_somebody_else_may_lead_here_is_not_ours() {
        for host in
            ["127.0.0.1:8050", "127.0.0.1", "localhost:1", "LocalHost", "[::1]:8050", "192.168.1.7:8050"]
        {
            assert!(is_ours(host), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "evil.example:8050",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "[evil]:1",
            "1",
        ] {
            assert!(!is_ours(host), "{host}");
        }
    }
}
