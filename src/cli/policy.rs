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
            print!("{}", schema()?);
            Ok(())
        }
    }
}

fn schema() -> Result<String, Failure> {
    Ok(serde_json::to_string_pretty(&schemars::schema_for!(Document))? + "\n")
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_schema_in_the_docs_is_the_generated_one() {
        let shipped = include_str!("../../docs/policy.schema.json");
        assert!(
            shipped == super::schema().unwrap(),
            "docs/policy.schema.json is out of date; run `make generate`"
        );
    }
}
