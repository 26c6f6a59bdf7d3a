use std::process::ExitCode;

fn main() -> ExitCode {
    // One TLS stack: without this rustls would ask which provider to use, by panicking.
    rustls::crypto::ring::default_provider().install_default().ok();
    ExitCode::from(pgmigrate::cli::main(std::env::args_os()))
}
