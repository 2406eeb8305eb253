//! One manifest in, a dedicated Azure Database for PostgreSQL out.

use std::process::ExitCode;

use database_operator::cli;

fn main() -> ExitCode {
    cli::main()
}
