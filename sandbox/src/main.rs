//! `database-sandbox`: see the crate's documentation.

use std::process::ExitCode;

fn main() -> ExitCode {
    sandbox::cli::main()
}
