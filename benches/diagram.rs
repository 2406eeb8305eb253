//! Diagrams with lines, as SVG.

use std::fmt::Write;

pub const WIDTH: f64 = 320.0;
pub const HEIGHT: f64 = 200.0;
/// Around each diagram, for what is written there.
pub const MARGIN: f64 = 50.0;

/// A line: its name, its colour, and its points.
pub type Line<'a> = (&'a str, &'a str, Vec<(f64, f64)>);

/// Two diagrams side by side, each with its title.
pub fn pair(diagrams: [(&str, &[Line<'_>]); 2]) -> String {
    let (width, height) = (2.0 * (WIDTH + 2.0 * MARGIN), HEIGHT + 2.0 * MARGIN);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" \
         font-size=\"12\"><rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    for ((title, lines), left) in diagrams.into_iter().zip([MARGIN, WIDTH + 3.0 * MARGIN]) {
        diagram(&mut svg, left, title, lines);
    }
    svg.push_str("</svg>\n");
    svg
}

/// Both axes are logarithmic, with a rule at each power of ten.
fn diagram(svg: &mut String, left: f64, title: &str, lines: &[Line<'_>]) {
    let all = || lines.iter().flat_map(|(_, _, points)| points);
    let range = |of: fn(&(f64, f64)) -> f64| {
        let (least, most) = all()
            .map(|point| of(point).max(0.1).log10())
            .fold((9.0_f64, -1.0_f64), |range, at| (range.0.min(at), range.1.max(at)));
        (least.floor(), most.ceil().max(least.floor() + 1.0))
    };
    let (across, up) = (range(|point| point.0), range(|point| point.1));
    let x = |value: f64| left + (value.max(0.1).log10() - across.0) / (across.1 - across.0) * WIDTH;
    let y = |value: f64| MARGIN + HEIGHT - (value.max(0.1).log10() - up.0) / (up.1 - up.0) * HEIGHT;
    let (right, bottom) = (left + WIDTH, MARGIN + HEIGHT);
    writeln!(svg, "<text x=\"{left}\" y=\"{}\" font-weight=\"bold\">{title}</text>", MARGIN - 30.0).unwrap();
    for at in powers(across).map(|value| (x(value), value)) {
        let (x, value) = at;
        let rule = format!("<path d=\"M{x:.1} {MARGIN}V{bottom}\" stroke=\"#d0d7de\"/>");
        writeln!(
            svg,
            "{rule}<text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{value}</text>",
            bottom + 18.0
        )
        .unwrap();
    }
    for at in powers(up).map(|value| (y(value), value)) {
        let (y, value) = at;
        let rule = format!("<path d=\"M{left} {y:.1}H{right}\" stroke=\"#d0d7de\"/>");
        writeln!(
            svg,
            "{rule}<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{value}</text>",
            left - 6.0,
            y + 4.0
        )
        .unwrap();
    }
    let mut name_at = left;
    for (name, colour, points) in lines {
        let path: Vec<String> =
            points.iter().map(|point| format!("{:.1},{:.1}", x(point.0), y(point.1))).collect();
        let path = path.join(" ");
        writeln!(svg, "<polyline points=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>")
            .unwrap();
        for point in points {
            writeln!(
                svg,
                "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\" fill=\"{colour}\"/>",
                x(point.0),
                y(point.1)
            )
            .unwrap();
        }
        writeln!(svg, "<text x=\"{name_at}\" y=\"{}\" fill=\"{colour}\">{name}</text>", MARGIN - 12.0)
            .unwrap();
        name_at += 90.0;
    }
}

/// The powers of ten between two logarithms.
fn powers((least, most): (f64, f64)) -> impl Iterator<Item = f64> {
    (-1_i32..9)
        .filter(move |power| (least..=most).contains(&f64::from(*power)))
        .map(|power| 10_f64.powi(power))
}

pub fn real(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
