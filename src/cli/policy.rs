//! `database-operator policy`

use clap::{Args, Subcommand};
use policy::document::Document;

use super::Failure;

#[derive(Args, Debug)]
pub(super) struct PolicyArgs {
    #[command(subcommand)]
    command: PolicyCommand,
}

#[derive(Debug, Subcommand)]
enum PolicyCommand {
    /// Print the JSON Schema of the policy, for editors
    Schema,
}

pub(super) fn run(args: &PolicyArgs) -> Result<(), Failure> {
    match args.command {
        PolicyCommand::Schema => {
            println!("{}", serde_json::to_string_pretty(&schemars::schema_for!(Document))?);
            Ok(())
        }
    }
}
