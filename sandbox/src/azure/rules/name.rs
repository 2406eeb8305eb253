//! Names of servers.

use crate::azure::arm::errors::ArmError;

/// 3 to 63 lower-case letters, digits and hyphens, with none of those at either end.
/// <https://learn.microsoft.com/azure/azure-resource-manager/management/resource-name-rules#microsoftdbforpostgresql>
pub(in crate::azure) fn server_name_shape(name: &str) -> Result<(), ArmError> {
    let characters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let fits = (3..=63).contains(&name.len())
        && name.chars().all(characters)
        && !name.starts_with('-')
        && !name.ends_with('-');
    if fits {
        return Ok(());
    }
    Err(ArmError::bad_request(
        "InvalidServerName",
        "Specified server name contains unsupported characters or is too long. Server name must be no longer than \
         63 characters long, contain only lower-case characters or digits, cannot contain '.' or '_' characters and \
         can't start or end with '-' character.",
    ))
}

/// Server names are host names, so they are unique in all of Azure, and stay taken while a dropped server is kept.
/// <https://learn.microsoft.com/azure/postgresql/backup-restore/how-to-restore-dropped-server>
pub(in crate::azure) fn server_name_is_free(taken: bool) -> Result<(), ArmError> {
    if taken {
        return Err(ArmError::conflict("ServerNameAlreadyExists", "Specified server name is already used."));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::plain("orders-db-1", true)]
    #[case::shortest("abc", true)]
    #[case::too_short("ab", false)]
    #[case::longest(&"a".repeat(63), true)]
    #[case::too_long(&"a".repeat(64), false)]
    #[case::upper_case("Orders", false)]
    #[case::underscore("orders_db", false)]
    #[case::leading_hyphen("-orders", false)]
    #[case::trailing_hyphen("orders-", false)]
    fn a_server_name_has_a_shape(#[case] name: &str, #[case] fits: bool) {
        assert_eq!(server_name_shape(name).is_ok(), fits);
    }

    #[test]
    fn a_taken_name_is_refused() {
        assert_eq!(server_name_is_free(false), Ok(()));
        assert_eq!(
            server_name_is_free(true).map_err(|error| error.code),
            Err("ServerNameAlreadyExists".to_owned())
        );
    }
}
