//! One manifest in, a dedicated Azure Database for PostgreSQL out.

use std::process::ExitCode;

use database_operator::cli;
use tikv_jemallocator::Jemalloc;

/// The controller holds many small things for long beside large ones that go at once. musl and glibc keep twice the memory for
/// them; docs/performance.md compares. Its settings are in .cargo/config.toml.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

fn main() -> ExitCode {
    // Many kernels, those of AKS's nodes among them, give pages of 2 MiB unasked. A large review took four times its memory so,
    // which is more than the chart's limit. Where it can't be had, the program works all the same.
    // <https://learn.microsoft.com/azure/aks/custom-node-configuration>
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    cli::main()
}
