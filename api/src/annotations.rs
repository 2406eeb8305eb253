//! Annotations and finalizers of the group `altinn.app`.

/// What becomes of the data when the `Database` is deleted.
pub const RETENTION: &str = "altinn.app/retention";

/// Beside `altinn.app/retention: Destroy`: which database, and the last day on which this counts, as
/// `<namespace>/<name>@<day>`, e.g. `orders/main@2026-11-30`.
pub const CONFIRM_DESTROY: &str = "altinn.app/confirm-destroy";

/// Has the password of a `Database` with `authentication: Password` replaced each time that its value is another one,
/// e.g. `2026-11-30` or a ticket's number.
pub const ROTATE_PASSWORD: &str = "altinn.app/rotate-password";

/// Written by the mutating webhook: which spec fields the policy filled in, with what and by which profile, as
/// `field=value@profile` with a comma between, e.g. `sku=Standard_B1ms@default,version=17@default`.
pub const DEFAULTED: &str = "altinn.app/defaulted";

/// Held by the controller until the fate of the data is settled.
pub const FINALIZER: &str = "altinn.app/retain-data";

/// Has a new `Database` bring back the kept server of another one, given as `<namespace>/<name>`, e.g. `orders/main`. It
/// takes the policy's consent.
pub const RECOVER_FROM: &str = "altinn.app/recover-from";

/// Lets an empty server, or an empty database in it, be created where there was one with data that Azure no longer has: which
/// server, and the last day on which this counts, as `<server>@<day>`, e.g. `prod-1-orders-main-fa6e2486@2026-11-30`.
pub const ACCEPT_EMPTY: &str = "altinn.app/accept-empty";

/// Has extensions of `spec.extensions` brought to the version that the server has, for as long as it stands: their names, with a
/// comma between, e.g. `vector,postgis`.
pub const UPDATE_EXTENSIONS: &str = "altinn.app/update-extensions";

/// Has everything in Azure left alone for a while, given as `<why>@<day>` with the last day on which it counts, e.g.
/// `moving to the new network@2026-12-01`. What an app has in its namespace is kept up all the same.
pub const PAUSED: &str = "altinn.app/paused";
