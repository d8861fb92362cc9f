//! Any bytes as a config file: settings, or faults that point into the file. Never a panic, never an endless wait.
#![no_main]

use std::io;
use std::path::{Path, PathBuf};

use libfuzzer_sys::fuzz_target;
use toolgate_config::{Sources, load};

fuzz_target!(|input: &[u8]| {
    for name in ["toolgate.yaml", "mcp.json"] {
        let env = |name: &str| (!name.starts_with('U')).then(|| "value".to_owned());
        let read = |path: &Path, limit: usize| match path.file_name() {
            Some(file) if file == name => Ok(input[..input.len().min(limit + 1)].to_vec()),
            Some(file) if file == "secret" => Ok(b"secret\n".to_vec()),
            _ => Err(io::Error::from(io::ErrorKind::NotFound)),
        };
        let sources = Sources { env: &env, read: &read, cwd: PathBuf::from("/"), home: Some(PathBuf::from("/home")) };
        match load(Path::new(name), &sources) {
            Ok(settings) => drop(format!("{settings:?}")),
            Err(faults) => {
                let lines = input.iter().filter(|byte| matches!(byte, b'\n' | b'\r')).count() + 1;
                for fault in faults.iter() {
                    assert!(
                        fault.place.is_none_or(|place| place.line as usize <= lines + 1),
                        "beyond the end: {fault}"
                    );
                    assert!(!fault.message.is_empty(), "a fault without words");
                }
                assert!(!faults.pretty().is_empty(), "faults without words");
            }
        }
    }
});
