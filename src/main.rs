//! One manifest in, a dedicated Azure Database for PostgreSQL out.

use std::process::ExitCode;

use database_operator::cli;
use tikv_jemallocator::Jemalloc;

/// The controller holds many small things for long beside large ones that go at once. musl and glibc keep twice the memory for
/// them; docs/performance.md compares. Its settings are in .cargo/config.toml.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    cli::main()
}
