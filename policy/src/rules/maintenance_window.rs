//! `spec.maintenanceWindow`: an hour that the day has.

use super::Context;
use crate::{Code, Problem};

/// The hour exists.
pub(super) fn hour(context: &Context<'_>) -> Option<Problem> {
    let window = context.new.maintenance_window.as_ref()?;
    if !context.changed(|spec| spec.maintenance_window.clone()) || (0..=23).contains(&window.hour) {
        return None;
    }
    let text = format!("{} is not an hour of the day; use 0 to 23, in UTC", window.hour);
    Some(Problem::new(Code::MaintenanceWindow, "spec.maintenanceWindow.hour", &text))
}
