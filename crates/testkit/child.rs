//! The child process of a scripted stdio upstream: a pipe between the gateway and the script in the test's process.
//!
//! `scripted-child PORT [stay]`. It says its process id on the socket and then copies, so whatever a story needs of a stdio
//! server stands in the story. It ends when either side ends; with `stay` it has to be ended by a signal.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};

fn main() {
    let mut args = std::env::args().skip(1);
    let port: u16 = args.next().and_then(|port| port.parse().ok()).expect("the first argument is a port");
    let stays = args.next().as_deref() == Some("stay");
    let Ok(mut socket) = TcpStream::connect(("127.0.0.1", port)) else {
        eprintln!("the script has left");
        std::process::exit(1);
    };
    let greeting = format!("{}\n", std::process::id());
    if socket.set_nodelay(true).is_err() || socket.write_all(greeting.as_bytes()).is_err() {
        std::process::exit(1);
    }
    let to_script = socket.try_clone().expect("a socket can be named twice");
    std::thread::spawn(move || {
        copy(std::io::stdin().lock(), &to_script);
        let _ = to_script.shutdown(Shutdown::Write);
    });
    copy(&socket, std::io::stdout().lock());
    while stays {
        std::thread::park();
    }
}

/// Copies and flushes piece by piece, until either end ends.
fn copy(mut from: impl Read, mut to: impl Write) {
    let mut buffer = vec![0; 1 << 16];
    loop {
        match from.read(&mut buffer) {
            Ok(0) | Err(_) => return,
            Ok(len) if to.write_all(&buffer[..len]).and_then(|()| to.flush()).is_err() => return,
            Ok(_) => {}
        }
    }
}
