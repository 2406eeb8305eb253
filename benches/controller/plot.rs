//! Two diagrams side by side in one picture: time to Ready, and memory, by the number of databases.

use crate::{
    Measured,
    diagram::{pair, real},
    report::middle,
};

pub fn draw(all: &[Measured]) -> String {
    let points = |of: &dyn Fn(&Measured) -> Option<f64>| -> Vec<(f64, f64)> {
        all.iter().filter_map(|measured| Some((real(measured.count), of(measured)?))).collect()
    };
    let mb = |bytes: u64| real(usize::try_from(bytes / 1000).unwrap_or(usize::MAX)) / 1000.0;
    let times = [
        ("controller", "#1f6feb", points(&|measured| Some(measured.middle()?.took.as_secs_f64()))),
        ("bare client", "#8b949e", points(&|measured| Some(middle(&measured.bare)?.took.as_secs_f64()))),
    ];
    let memory = [
        ("peak", "#d29922", points(&|measured| Some(mb(measured.creations.first()?.memory.peak)))),
        ("at rest", "#1f6feb", points(&|measured| Some(mb(measured.life.as_ref()?.rest.resident)))),
        ("budget", "#cf222e", vec![(1000.0, 40.0), (10_000.0, 150.0)]),
    ];
    pair([
        ("seconds to Ready, by databases", times.as_slice()),
        ("MB of the controller, by databases", memory.as_slice()),
    ])
}
